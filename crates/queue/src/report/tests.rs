//! Whole reports, and what no text from elsewhere can do to them.

use expect_test::{Expect, expect};
use mail::Reply;
use mail::message::Header;
use proptest::prelude::*;

use super::*;
use crate::diagnostic::Remote;

const HOUR: i64 = 3_600_000;
const ARRIVED: Timestamp = Timestamp(1_763_800_000_000);

fn reported(recipient: &str, status: (u8, u16, u16), diagnostic: Diagnostic) -> Reported {
    let original = None;
    Reported {
        recipient: recipient.into(),
        original,
        status: EnhancedCode(status.0, status.1, status.2),
        diagnostic,
    }
}

fn from_peer(status: (u8, u16, u16), because: &str, host: &str, reply: Reply) -> Diagnostic {
    let remote = Some(Remote { host: host.into(), reply });
    Diagnostic { remote, ..Diagnostic::ours(status, because) }
}

fn report(kind: Kind, after: i64, recipients: &[Reported], header: &[u8]) -> String {
    let to = "ann@example.org".parse().unwrap();
    let report = made(&to, (kind, after), recipients, header);
    String::from_utf8(report.message()).unwrap()
}

fn made<'a>(
    to: &'a Address,
    (kind, after): (Kind, i64),
    recipients: &'a [Reported],
    header: &'a [u8],
) -> Report<'a> {
    Report {
        host_name: "mx.example.org",
        postmaster_at: "example.org",
        to,
        queue_id: QueueId(1),
        original: QueueId(2),
        arrived: ARRIVED,
        at: Timestamp(ARRIVED.0 + after),
        kind,
        recipients,
        envelope_id: None,
        utf8: false,
        returned: Returned::Header(header),
    }
}

fn check(report: &str, expected: Expect) {
    assert_eq!(report.matches('\n').count(), report.matches("\r\n").count());
    expected.assert_eq(&report.replace("\r\n", "\n"));
}

const HEADER: &[u8] =
    b"Subject: hello\r\nMessage-ID: <one@example.org>\r\nFrom: ann\r\n\r\nbody, not returned\r\n";

#[test]
fn a_failure_names_each_recipient_with_what_was_said_and_what_to_do() {
    let no_user = Reply::new(
        550,
        (5, 1, 1),
        "The email account that you tried to reach does not exist.\nSee https://example.net/help",
    );
    let late = Reply::new(451, (4, 7, 1), "Greylisted, try again later");
    let recipients = [
        reported(
            "bob@example.net",
            (5, 1, 1),
            from_peer((5, 1, 1), "the recipient is refused", "mx1.example.net", no_user),
        ),
        reported("carol@example.com", (4, 4, 7), from_peer((4, 7, 1), "", "[192.0.2.1]", late)),
        reported(
            "bounces@example.org",
            (5, 2, 1),
            Diagnostic::ours((5, 2, 1), "this recipient always fails"),
        ),
    ];
    check(
        &report(Kind::Failed, 5 * 24 * HOUR, &recipients, HEADER),
        expect![[r#"
            From: Mail Delivery System <postmaster@example.org>
            To: <ann@example.org>
            Subject: Your message could not be delivered
            Date: Thu, 27 Nov 2025 08:26:40 +0000
            Message-ID: <0000000000001@mx.example.org>
            In-Reply-To: <one@example.org>
            References: <one@example.org>
            Auto-Submitted: auto-replied
            MIME-Version: 1.0
            Content-Type: multipart/report; report-type=delivery-status;
             boundary="report-0000000000001"

            --report-0000000000001
            Content-Type: text/plain; charset=us-ascii

            Your message of Sat, 22 Nov 2025 08:26:40 +0000 could not be delivered to:

              bob@example.net
                mx1.example.net said: 550 5.1.1 The email account that you tried to reach
                does not exist. / See https://example.net/help
                Check the address for typing errors. The mailbox may no longer exist.

              carol@example.com
                It was tried for 5 days and is given up (4.4.7). The last attempt ended
                like this:
                [192.0.2.1] said: 451 4.7.1 Greylisted, try again later
                The other side could not be reached, or put it off each time. Send it
                again later, or reach the recipient another way.

              bounces@example.org
                this recipient always fails (5.2.1)
                The mailbox cannot take mail now. Reach the recipient another way.

            It will not be tried again for these recipients. The header of your message
            follows below.
            The administrator of mx.example.org finds it under the number 0000000000002.

            --report-0000000000001
            Content-Type: message/delivery-status

            Reporting-MTA: dns; mx.example.org
            X-Queue-ID: 0000000000002
            Arrival-Date: Sat, 22 Nov 2025 08:26:40 +0000

            Final-Recipient: rfc822; bob@example.net
            Action: failed
            Status: 5.1.1
            Remote-MTA: dns; mx1.example.net
            Diagnostic-Code: smtp; 550 5.1.1 The email account that you tried to reach
             does not exist. / See https://example.net/help
            Last-Attempt-Date: Thu, 27 Nov 2025 08:26:40 +0000

            Final-Recipient: rfc822; carol@example.com
            Action: failed
            Status: 4.4.7
            Remote-MTA: dns; [192.0.2.1]
            Diagnostic-Code: smtp; 451 4.7.1 Greylisted, try again later
            Last-Attempt-Date: Thu, 27 Nov 2025 08:26:40 +0000

            Final-Recipient: rfc822; bounces@example.org
            Action: failed
            Status: 5.2.1
            Diagnostic-Code: X-Waxseal; this recipient always fails
            Last-Attempt-Date: Thu, 27 Nov 2025 08:26:40 +0000

            --report-0000000000001
            Content-Type: text/rfc822-headers

            Subject: hello
            Message-ID: <one@example.org>
            From: ann

            --report-0000000000001--
        "#]],
    );
}

#[test]
fn a_delay_says_until_when_it_is_tried_and_nothing_final() {
    let recipients = [reported(
        "bob@example.net",
        (4, 4, 1),
        Diagnostic::ours((4, 4, 1), "no exchanger of example.net answers"),
    )];
    let kind = Kind::Delayed { until: Timestamp(ARRIVED.0 + 5 * 24 * HOUR) };
    let report = report(kind, 4 * HOUR, &recipients, HEADER);
    for word in ["could not", "failed", "never", "Undeliver"] {
        assert!(!report.contains(word), "{word} in {report}");
    }
    check(
        &report,
        expect![[r#"
            From: Mail Delivery System <postmaster@example.org>
            To: <ann@example.org>
            Subject: Your message is late, and still on its way
            Date: Sat, 22 Nov 2025 12:26:40 +0000
            Message-ID: <0000000000001@mx.example.org>
            In-Reply-To: <one@example.org>
            References: <one@example.org>
            Auto-Submitted: auto-replied
            MIME-Version: 1.0
            Content-Type: multipart/report; report-type=delivery-status;
             boundary="report-0000000000001"

            --report-0000000000001
            Content-Type: text/plain; charset=us-ascii

            Your message of Sat, 22 Nov 2025 08:26:40 +0000 has not yet been delivered to:

              bob@example.net
                no exchanger of example.net answers (4.4.1)

            It is tried again until Thu, 27 Nov 2025 08:26:40 +0000. You need not send it
            again: if it cannot be delivered by then, you will be told.
            The administrator of mx.example.org finds it under the number 0000000000002.

            --report-0000000000001
            Content-Type: message/delivery-status

            Reporting-MTA: dns; mx.example.org
            X-Queue-ID: 0000000000002
            Arrival-Date: Sat, 22 Nov 2025 08:26:40 +0000

            Final-Recipient: rfc822; bob@example.net
            Action: delayed
            Status: 4.4.1
            Diagnostic-Code: X-Waxseal; no exchanger of example.net answers
            Last-Attempt-Date: Sat, 22 Nov 2025 12:26:40 +0000
            Will-Retry-Until: Thu, 27 Nov 2025 08:26:40 +0000

            --report-0000000000001
            Content-Type: text/rfc822-headers

            Subject: hello
            Message-ID: <one@example.org>
            From: ann

            --report-0000000000001--
        "#]],
    );
}

/// RFC 6533: a sender in UTF-8 needs SMTPUTF8 anyhow, so nothing is encoded; an original of UTF-8 comes back as it was.
#[test]
fn a_sender_in_utf8_reads_utf8() {
    let to = "j\u{fc}rgen@example.org".parse().unwrap();
    let original = OriginalRecipient::parse(r"utf-8;r\x{E4}ca@example.com");
    let failed = Diagnostic::ours((5, 1, 1), "there is no such account here");
    let raca = Reported { original, ..reported("r\u{e4}ca@example.net", (5, 1, 1), failed) };
    let header = "Subject: gr\u{fc}n\r\nMessage-ID: <one@example.org>\r\n\r\n".as_bytes();
    let recipients = [raca];
    let report = Report {
        envelope_id: Some("QQ 314"),
        utf8: true,
        ..made(&to, (Kind::Failed, HOUR), &recipients, header)
    };
    check(
        &String::from_utf8(report.message()).unwrap(),
        expect![[r#"
        From: Mail Delivery System <postmaster@example.org>
        To: <jürgen@example.org>
        Subject: Your message could not be delivered
        Date: Sat, 22 Nov 2025 09:26:40 +0000
        Message-ID: <0000000000001@mx.example.org>
        In-Reply-To: <one@example.org>
        References: <one@example.org>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
         boundary="report-0000000000001"

        --report-0000000000001
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 8bit

        Your message of Sat, 22 Nov 2025 08:26:40 +0000 could not be delivered to:

          räca@example.net
            there is no such account here (5.1.1)
            Check the address for typing errors. The mailbox may no longer exist.

        It will not be tried again for these recipients. The header of your message
        follows below.
        The administrator of mx.example.org finds it under the number 0000000000002.

        --report-0000000000001
        Content-Type: message/global-delivery-status
        Content-Transfer-Encoding: 8bit

        Original-Envelope-Id: QQ 314
        Reporting-MTA: dns; mx.example.org
        X-Queue-ID: 0000000000002
        Arrival-Date: Sat, 22 Nov 2025 08:26:40 +0000

        Original-Recipient: utf-8; räca@example.com
        Final-Recipient: utf-8; räca@example.net
        Action: failed
        Status: 5.1.1
        Diagnostic-Code: X-Waxseal; there is no such account here
        Last-Attempt-Date: Sat, 22 Nov 2025 09:26:40 +0000

        --report-0000000000001
        Content-Type: message/global-headers
        Content-Transfer-Encoding: 8bit

        Subject: grün
        Message-ID: <one@example.org>

        --report-0000000000001--
    "#]],
    );
    // To a sender in ASCII the same is ASCII.
    let ann = "ann@example.org".parse().unwrap();
    assert!(Report { to: &ann, ..report.clone() }.message().is_ascii());
    // And whoever sent no UTF-8 gets none, however it came about.
    let plain = Report { to: &ann, utf8: false, ..report }.message();
    let plain = String::from_utf8(plain).unwrap();
    assert!(plain.is_ascii() && plain.contains("Subject: gr??n\r\n"));
    assert!(plain.contains("Final-Recipient: utf-8; r\\x{E4}ca@example.net\r\n"));
}

/// RFC 3461 §4.3: all of a message, in its own type.
#[test]
fn a_message_that_is_returned_whole_is_the_last_part() {
    let to = "ann@example.org".parse().unwrap();
    let recipients = [reported("b@example.net", (5, 0, 0), Diagnostic::ours((5, 0, 0), "no"))];
    for (whole, utf8, expected) in [
        ("A: b\r\n\r\nx\r\n", false, "message/rfc822\r\n\r\nA: b\r\n\r\nx\r\n"),
        (
            "A: b\r\n\r\n\u{e4}\r\n",
            false,
            "message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nA: b\r\n\r\n\u{e4}\r\n",
        ),
        (
            "A: \u{e4}\r\n\r\n",
            true,
            "message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\nA: \u{e4}\r\n\r\n",
        ),
    ] {
        let report = Report {
            returned: Returned::Whole(whole.as_bytes()),
            utf8,
            ..made(&to, (Kind::Failed, 0), &recipients, b"")
        };
        let message = String::from_utf8(report.message()).unwrap();
        let last = message.rsplit("\r\n--report-0000000000001\r\nContent-Type: ").next().unwrap();
        assert_eq!(last, format!("{expected}\r\n--report-0000000000001--\r\n"));
    }
}

#[test]
fn a_message_id_that_cannot_be_repeated_is_not() {
    for header in
        [&b"Subject: x\r\n"[..], b"Message-ID: none\r\n", b"Message-ID: <a b>\r\n", b"Message-ID: <\xff>\r\n"]
    {
        let report = report(
            Kind::Failed,
            0,
            &[reported("b@example.net", (5, 0, 0), Diagnostic::ours((5, 0, 0), ""))],
            header,
        );
        assert!(!report.contains("In-Reply-To"), "{report}");
    }
}

proptest! {
    #[test]
    fn no_text_from_elsewhere_breaks_a_report(
        recipient in any::<String>(),
        because in any::<String>(),
        host in any::<String>(),
        text in "(?s).{0,2000}",
        header in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b':'), any::<u8>()], 0..3000),
        delayed in any::<bool>(),
    ) {
        let remote = from_peer((4, 4, 0), &because, &host, Reply::plain(450, text));
        let recipients = [
            reported(&recipient, (4, 4, 7), remote),
            reported(&recipient, (4, 4, 0), Diagnostic::ours((4, 4, 0), because)),
        ];
        let kind = if delayed { Kind::Delayed { until: ARRIVED } } else { Kind::Failed };
        let report = report(kind, HOUR, &recipients, &header);

        prop_assert!(report.bytes().all(|octet| matches!(octet, b' '..=b'~' | b'\r' | b'\n' | b'\t')));
        prop_assert!(report.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
        let parsed = Header::parse(report.as_bytes());
        prop_assert_eq!(parsed.count("From"), 1);
        prop_assert_eq!(parsed.count("Content-Type"), 1);
        let delimiters = report.lines().filter(|line| line.starts_with("--report-0000000000001")).count();
        prop_assert_eq!(delimiters, 4);
        let status = report.split("message/delivery-status\r\n\r\n").nth(1).unwrap();
        let status = status.split("\r\n--report-").next().unwrap();
        let blocks: Vec<&str> = status.split("\r\n\r\n").collect();
        prop_assert_eq!(blocks.len(), 3, "{}", status);
        for block in blocks {
            let fields = Header::parse(block.as_bytes());
            prop_assert!(fields.fields().iter().all(|field| !field.name.is_empty()));
            prop_assert_eq!(fields.count("Final-Recipient") + fields.count("Reporting-MTA"), 1);
        }
    }
}
