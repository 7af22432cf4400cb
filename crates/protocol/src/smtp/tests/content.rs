//! Content after DATA, as the session treats it.

use super::*;

fn in_content() -> Dialogue {
    let mut d = Dialogue::greeted(config());
    d.check("MAIL FROM:<a@example.com>\nRCPT TO:<bob@example.org>\nDATA", "250 2.1.0, 250 2.1.0, 354");
    d
}

#[test]
fn what_is_wrong_is_said_after_the_true_end() {
    for (content, reply, misuse) in [
        ("a\n.\r\nMAIL FROM:<x@example.com>\r\n", "550 5.5.2", "BareLineFeed"),
        ("a\r.\r\nQUIT\r\n", "550 5.5.2", "BareCarriageReturn"),
        (&"x".repeat(1_001), "552 5.3.4", "ContentTooLarge"),
    ] {
        let mut d = in_content();
        d.send(content);
        assert_eq!(d.hear(), "");
        d.send("\r\n.\r\nRCPT TO:<bob@example.org>\r\nNOOP\r\n");
        let heard = d.hear();
        let heard: Vec<_> = heard.lines().map(codes).collect();
        assert_eq!(heard, [reply, "503 5.5.1", "250 2.0.0"]);
        assert_eq!(d.asked[3..], ["Refused"]);
        assert!(d.contents.is_empty());
        assert_eq!(d.end().misuses, [misuse, "RcptBeforeMail"]);
    }
}

#[test]
fn a_refused_content_ends_the_transaction() {
    let mut d = in_content();
    d.check("no\n.", "550 5.7.1");
    d.check("DATA", "503 5.5.1");
    assert_eq!(d.end().messages, 0);
}

#[test]
fn a_refused_beginning_keeps_the_transaction() {
    let mut d = Dialogue::greeted(config());
    d.check("MAIL FROM:<a@example.com>\nRCPT TO:<bob@example.org>", "250 2.1.0, 250 2.1.0");
    d.prompt = false;
    d.send("DATA\r\n");
    d.open = None;
    d.session.answer(d.now, Answer::Reply(Reply::new(452, (4, 3, 1), "Full")));
    d.prompt = true;
    d.run();
    assert_eq!(d.hear(), "452 4.3.1 Full\n");
    d.check("DATA", "354");
}

#[test]
fn large_content_comes_in_chunks_and_holds_back_its_sender() {
    let size = 3 * limits::SMTP_CONTENT_AT_ONCE_MAX;
    let mut d = Dialogue::greeted(Config { message_size_max: size as u64, ..config() });
    d.check("MAIL FROM:<>\nRCPT TO:<bob@example.org>\nDATA", "250 2.1.0, 250 2.1.0, 354");
    let line = [&[b'x'; 1022][..], b"\r\n"].concat();
    d.prompt = false;
    let mut sent = 0;
    while d.reading {
        d.send(&line);
        sent += line.len();
    }
    assert!(matches!(d.open, Some(Question::Chunk(_))));
    assert!(sent <= limits::SMTP_CONTENT_AT_ONCE_MAX + limits::SMTP_INPUT_WAITING_MAX + 2 * line.len());
    d.prompt = true;
    d.answer();
    d.run();
    for _ in 0..(size - sent) / line.len() {
        d.send(&line);
    }
    d.check(".", "250 2.0.0");
    assert_eq!(d.contents[0].len(), size);
}

#[test]
fn where_the_client_stopped_is_told() {
    let mut d = in_content();
    d.send("12345");
    let outcome = d.end();
    assert_eq!(outcome.stopped, "in content after 5 octets");
    assert!(outcome.cut_in_transaction);
}
