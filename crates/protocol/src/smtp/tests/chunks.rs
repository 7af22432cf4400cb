//! Content by BDAT, as the session treats it (RFC 3030).

use super::*;

fn in_transaction(config: Config, parameters: &str) -> Dialogue {
    let mut d = Dialogue::greeted(config);
    let envelope = format!("MAIL FROM:<a@example.com>{parameters}\nRCPT TO:<bob@example.org>");
    d.check(&envelope, "250 2.1.0, 250 2.1.0");
    d
}

/// Sends octets as they are and compares the codes of the answer.
#[track_caller]
fn check(d: &mut Dialogue, octets: impl AsRef<[u8]>, expected: &str) {
    d.send(octets);
    let heard = d.hear();
    assert_eq!(heard.lines().map(codes).collect::<Vec<_>>().join(", "), expected, "{heard:?}");
}

#[test]
fn chunks_are_a_content_octet_by_octet() {
    let mut d = in_transaction(config(), " BODY=BINARYMIME");
    check(&mut d, "BDAT 6\r\na\n.\r\n.", "250 2.0.0");
    check(&mut d, "BDAT 0\r\nBDAT 3\r\n\r\0x", "250 2.0.0, 250 2.0.0");
    check(&mut d, "BDAT 2 last\r\n..NOOP\r\n", "250 2.0.0, 250 2.0.0");
    assert_eq!(d.contents, [b"a\n.\r\n.\r\0x..".to_vec()]);
    check(
        &mut d,
        "MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nBDAT 3\r\n1\r\n",
        "250 2.1.0, 250 2.1.0, 250 2.0.0",
    );
    check(&mut d, "BDAT 0 LAST\r\n", "250 2.0.0");
    assert_eq!(d.contents[1], b"1\r\n");
    check(
        &mut d,
        "MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n.\r\n",
        "250 2.1.0, 250 2.1.0, 354, 250 2.0.0",
    );
    assert_eq!(d.end().messages, 3);
}

#[test]
fn after_a_chunk_that_failed_more_are_swallowed_until_reset() {
    for (chunk, reply, misuse) in [
        ("a\nb", "550 5.5.2", "BareLineFeed"),
        ("a\rb", "550 5.5.2", "BareCarriageReturn"),
        (&"x".repeat(1_001), "552 5.3.4", "ContentTooLarge"),
    ] {
        let mut d = in_transaction(config(), "");
        let length = chunk.len();
        let pipelined =
            format!("BDAT {length}\r\n{chunk}BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nMAIL FROM:<>\r\n");
        check(&mut d, pipelined, &format!("{reply}, 503 5.5.1, 503 5.5.1, 503 5.5.1"));
        check(&mut d, "DATA\r\nRCPT TO:<bob@example.org>\r\n", "503 5.5.1, 503 5.5.1");
        check(
            &mut d,
            "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\n",
            "250 2.0.0, 250 2.1.0, 250 2.1.0",
        );
        check(&mut d, "BDAT 1 LAST\r\nx", "250 2.0.0");
        assert_eq!(d.contents, [b"x"]);
        let misuses = d.end().misuses;
        assert_eq!(misuses, [misuse, "BdatAfterFailure", "MailTwice", "DataAfterBdat", "RcptAfterBdat"]);
    }
}

#[test]
fn a_last_chunk_that_is_refused_ends_the_transaction() {
    let mut d = in_transaction(config(), "");
    check(&mut d, "BDAT 2 LAST\r\nnoBDAT 4 LAST\r\nQUITMAIL FROM:<>\r\n", "550 5.7.1, 503 5.5.1, 250 2.1.0");
    let mut d = in_transaction(config(), "");
    check(&mut d, "BDAT 3\r\nabcBDAT 2 LAST\r\nx\nMAIL FROM:<>\r\n", "250 2.0.0, 550 5.5.2, 250 2.1.0");
}

#[test]
fn octets_are_read_wherever_bdat_is_refused() {
    let mut d = Dialogue::new(config());
    check(&mut d, "BDAT 6\r\nQUIT\r\nNOOP\r\n", "503 5.5.1, 250 2.0.0");
    d.check("EHLO c\nMAIL FROM:<>", "250-mx.example.org...");
    check(&mut d, "BDAT 6\r\nQUIT\r\nRCPT TO:<bob@example.org>\r\n", "554 5.5.1, 503 5.5.1");
    check(&mut d, "BDAT 6 LAST\r\nQUIT\r\nRSET\r\n", "503 5.5.1, 250 2.0.0");
    assert_eq!(d.end().misuses, ["BdatBeforeMail", "BdatBeforeRcpt", "RcptAfterBdat"]);
    let mut d = Dialogue::new(Config { tls_required: true, ..config() });
    check(&mut d, "BDAT 6\r\nQUIT\r\nNOOP\r\n", "530 5.7.0, 250 2.0.0");
}

#[test]
fn data_and_bdat_do_not_mix() {
    let mut d = in_transaction(config(), "");
    check(&mut d, "BDAT 1\r\nxDATA\r\nRCPT TO:<bob@example.org>\r\n", "250 2.0.0, 503 5.5.1, 503 5.5.1");
    assert_eq!(d.end().misuses, ["DataAfterBdat", "RcptAfterBdat"]);
    let mut d = in_transaction(config(), " BODY=BINARYMIME");
    check(&mut d, "DATA\r\n", "503 5.5.1");
    assert_eq!(d.end().misuses, ["DataOfBinary"]);
}

#[test]
fn an_application_without_room_is_heard_after_the_octets() {
    let mut d = in_transaction(config(), "");
    d.prompt = false;
    d.send("BDAT 6\r\nQU");
    assert!(matches!(d.open.take(), Some(Question::Begin)));
    d.session.answer(d.now, Answer::Reply(Reply::new(452, (4, 3, 1), "Full")));
    d.prompt = true;
    d.run();
    check(&mut d, "", "");
    check(&mut d, "IT\r\nBDAT 1 LAST\r\nxRSET\r\n", "452 4.3.1, 503 5.5.1, 250 2.0.0");
    assert!(d.contents.is_empty());
}

#[test]
fn what_is_announced_beyond_all_measure_ends_the_connection() {
    let mut d = in_transaction(config(), "");
    check(&mut d, "BDAT 99999999999999999999 LAST\r\nx", "552 5.3.4");
    assert!(d.closed);
    let mut d = in_transaction(config(), "");
    let half = limits::SMTP_CONTENT_DROPPED_MAX / 2 + 1;
    for closed in [false, true] {
        d.send(format!("BDAT {half}\r\n"));
        for _ in 0..half >> 20 {
            d.send(vec![b'x'; 1 << 20]);
        }
        d.send("x");
        assert_eq!(d.closed, closed);
    }
    assert_eq!(d.hear().lines().map(codes).collect::<Vec<_>>(), ["552 5.3.4", "552 5.3.4"]);
}

#[test]
fn chunks_that_are_sent_slowly_do_not_hold_a_connection() {
    let mut d = in_transaction(config(), "");
    d.send("BDAT 10000\r\n");
    for _ in 0..5 {
        d.wait(Duration::from_secs(59));
        d.send("x");
    }
    d.wait(Duration::from_secs(59));
    assert!(d.closed);
    let mut d = in_transaction(Config { message_size_max: 1 << 20, ..config() }, "");
    for _ in 0..limits::SMTP_CONTENT_TIME_MAX.as_secs() / 200 {
        assert!(!d.closed);
        d.send("BDAT 1\r\nx");
        d.wait(Duration::from_secs(201));
    }
    assert!(d.closed);
}

#[test]
fn large_chunks_come_in_pieces() {
    let size = 3 * limits::SMTP_CONTENT_AT_ONCE_MAX;
    let mut d = in_transaction(Config { message_size_max: size as u64, ..config() }, "");
    let line = [&[b'x'; 1022][..], b"\r\n"].concat();
    d.send(format!("BDAT {size} LAST\r\n"));
    for _ in 0..size / line.len() {
        d.send(&line);
    }
    check(&mut d, "", "250 2.0.0");
    assert_eq!(d.contents[0], line.repeat(size / line.len()));
}

#[test]
fn where_the_client_stopped_is_told() {
    let mut d = in_transaction(config(), "");
    d.send("BDAT 10\r\n12345");
    assert_eq!(d.end().stopped, "in content after 0 octets", "what is not taken does not count");
    let mut d = in_transaction(config(), "");
    d.send("BDAT 5\r\n12345");
    assert_eq!(d.end().stopped, "between chunks");
}
