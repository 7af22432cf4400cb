//! Commands in right and wrong order (RFC 5321 §4.1.4).

use super::*;

#[test]
fn a_message() {
    let mut d = Dialogue::greeted(config());
    d.check("MAIL FROM:<a@example.com> SIZE=100 BODY=8BITMIME", "250 2.1.0");
    d.check("RCPT TO:<bob@example.org>", "250 2.1.0");
    d.check("DATA", "354");
    d.check("Subject: x\n\n..y\n.", "250 2.0.0");
    d.check("QUIT", "221 2.0.0");
    assert!(d.closed);
    assert_eq!(d.asked, ["Sender", "Recipient", "Begin", "Finish"]);
    assert_eq!(d.contents, [b"Subject: x\r\n\r\n.y\r\n"]);
    let outcome = d.end();
    assert_eq!((outcome.messages, outcome.cut_in_transaction), (1, false));
    assert_eq!((outcome.stopped.as_str(), outcome.misuses.len()), ("after QUIT", 0));
}

#[test]
fn a_pipelined_group_is_answered_in_one_write() {
    let mut d = Dialogue::greeted(config());
    let before = d.writes;
    d.check(
        "MAIL FROM:<a@example.com>\nRCPT TO:<bob@example.org>\nRCPT TO:<no@example.org>\nDATA",
        "250 2.1.0, 250 2.1.0, 550 5.1.1, 354",
    );
    assert_eq!(d.writes, before + 1);
    d.check(
        "x\n.\nMAIL FROM:<a@example.com>\nRCPT TO:<no@example.org>\nDATA\nRSET\nQUIT",
        "250 2.0.0, 250 2.1.0, 550 5.1.1, 554 5.5.1, 250 2.0.0, 221 2.0.0",
    );
    assert_eq!(d.writes, before + 2);
}

#[test]
fn replies_do_not_wait_for_a_slow_decision() {
    let mut d = Dialogue::greeted(config());
    d.prompt = false;
    d.check("NOOP\nMAIL FROM:<a@example.com>\nNOOP", "250 2.0.0");
    d.answer();
    d.run();
    assert_eq!(d.hear(), "250 2.1.0 Yes\n250 2.0.0 OK\n");
}

#[test]
fn what_comes_too_early_or_twice() {
    let mut d = Dialogue::new(config());
    d.check("MAIL FROM:<a@example.com>", "503 5.5.1");
    d.check("RCPT TO:<bob@example.org>", "503 5.5.1");
    d.check("DATA", "503 5.5.1");
    d.check("AUTH PLAIN", "503 5.5.1");
    d.check("RSET\nNOOP\nVRFY bob\nEXPN list\nHELP", "250 2.0.0, 250 2.0.0, 252 2.1.5, 252 2.1.5, 214 2.0.0");
    d.check("HELO client.example", "250");
    d.check("MAIL FROM:<a@example.com>", "250 2.1.0");
    d.check("MAIL FROM:<a@example.com>", "503 5.5.1");
    d.check("DATA", "554 5.5.1");
    assert_eq!(
        d.end().misuses,
        [
            "MailBeforeHello",
            "RcptBeforeMail",
            "DataBeforeMail",
            "SignInBeforeHello",
            "MailTwice",
            "DataBeforeRcpt"
        ]
    );
}

#[test]
fn hello_and_reset_end_the_transaction() {
    for command in ["RSET", "EHLO other.example", "HELO other.example"] {
        let mut d = Dialogue::greeted(config());
        d.check("MAIL FROM:<a@example.com>\nRCPT TO:<bob@example.org>", "250 2.1.0, 250 2.1.0");
        d.check(command, "250...");
        d.check("RCPT TO:<bob@example.org>", "503 5.5.1");
        d.check("MAIL FROM:<a@example.com>", "250 2.1.0");
        assert_eq!(d.asked, ["Sender", "Recipient", "Abandoned", "Sender"], "{command}");
        assert!(d.end().cut_in_transaction);
    }
}

#[test]
fn a_refused_hello_changes_nothing() {
    let mut d = Dialogue::greeted(config());
    d.check("MAIL FROM:<a@example.com>", "250 2.1.0");
    d.check("EHLO", "501 5.5.4");
    d.check("RCPT TO:<bob@example.org>", "250 2.1.0");
}

#[test]
fn arguments_are_refused_one_by_one() {
    let mut d = Dialogue::greeted(config());
    let check = |d: &mut Dialogue, line: &str, expected: &str| d.check(line, expected);
    check(&mut d, "MAIL", "501 5.5.4");
    check(&mut d, "MAIL FROM <a@example.com>", "501 5.5.4");
    check(&mut d, "MAIL FROM:a@example.com", "501 5.1.7");
    check(&mut d, "MAIL FROM:<a@>", "501 5.1.7");
    check(&mut d, "MAIL FROM:<> SIZE=x", "501 5.5.4");
    check(&mut d, "MAIL FROM:<> RET=ALL", "501 5.5.4");
    check(&mut d, "MAIL FROM:<> NOTIFY=NEVER", "555 5.5.4");
    check(&mut d, "MAIL FROM:<> SIZE=1001", "552 5.3.4");
    check(&mut d, "mail from: <>", "250 2.1.0");
    check(&mut d, "RCPT TO:bob", "501 5.1.3");
    check(&mut d, "RCPT TO:<bob@example.org> NOTIFY=NEVER,DELAY", "501 5.5.4");
    check(&mut d, "RCPT TO:<bob@example.org> RET=FULL", "555 5.5.4");
    check(&mut d, "RCPT TO:<postmaster>", "250 2.1.0");
    check(&mut d, "DATA now", "501 5.5.4");
    check(&mut d, "RSET now", "501 5.5.4");
    check(&mut d, "QUIT now", "501 5.5.4");
    check(&mut d, "STARTTLS now", "501 5.5.4");
    check(&mut d, "VRFY", "501 5.5.4");
    check(&mut d, "BDAT ten", "501 5.5.4");
}

#[test]
fn recipients_beyond_the_limit_are_deferred_each() {
    let mut d = Dialogue::greeted(config());
    d.check("MAIL FROM:<a@example.com>", "250 2.1.0");
    d.check(
        &["RCPT TO:<bob@example.org>"; 5].join("\n"),
        "250 2.1.0, 250 2.1.0, 250 2.1.0, 452 4.5.3, 452 4.5.3",
    );
    d.check("DATA", "354");
    assert_eq!(d.end().misuses, ["TooManyRecipients"]);
}

#[test]
fn recipients_without_end_are_mistakes() {
    let mut d = Dialogue::greeted(Config { recipients_max: 0, ..config() });
    d.check("MAIL FROM:<a@example.com>", "250 2.1.0");
    for _ in 0..limits::SMTP_RECIPIENTS_EXCESS_MAX + Bounds::USUAL.errors.limit {
        d.send("RCPT TO:<bob@example.org>\r\n");
    }
    assert!(d.closed);
    assert!(d.hear().ends_with("421 4.7.0 Too many mistakes\n"));
}

#[test]
fn transactions_beyond_the_limit_close() {
    let mut d = Dialogue::greeted(config());
    for _ in 0..3 {
        d.check("MAIL FROM:<a@example.com>\nRSET", "250 2.1.0, 250 2.0.0");
    }
    d.check("MAIL FROM:<a@example.com>", "421 4.7.0");
    assert!(d.closed);
}

#[test]
fn mistakes_beyond_the_limit_close() {
    let mut d = Dialogue::greeted(config());
    for _ in 1..Bounds::USUAL.errors.limit {
        d.check("FOO", "500 5.5.1");
    }
    d.check("FOO\nNOOP", "500 5.5.1, 421 4.7.0");
    assert!(d.closed);
    assert_eq!(d.end().misuses.len(), 16);
}

#[test]
fn commands_without_a_message_beyond_the_limit_close() {
    let mut d = Dialogue::new(config());
    for _ in 0..limits::SMTP_IDLE_COMMANDS_MAX {
        d.check("NOOP", "250 2.0.0");
    }
    d.check("NOOP", "421 4.7.0");
    assert!(d.closed);
    assert_eq!(d.end().misuses, ["TooManyIdleCommands"]);
}

#[test]
fn a_message_makes_room_for_more_commands() {
    let mut d = Dialogue::greeted(config());
    for _ in 0..2 {
        for _ in 0..limits::SMTP_IDLE_COMMANDS_MAX - 10 {
            d.check("NOOP", "250 2.0.0");
        }
        d.check("MAIL FROM:<>\nRCPT TO:<bob@example.org>\nDATA", "250 2.1.0, 250 2.1.0, 354");
        d.check(".", "250 2.0.0");
    }
    assert!(!d.closed);
}

#[test]
fn guessing_of_recipients_is_bounded() {
    let mut d = Dialogue::greeted(config());
    d.check("MAIL FROM:<a@example.com>", "250 2.1.0");
    for _ in 0..limits::SMTP_IDLE_COMMANDS_MAX {
        d.send("RCPT TO:<no@example.org>\r\n");
    }
    assert!(d.closed);
}

#[test]
fn bad_lines_are_answered_once_and_skipped() {
    let mut d = Dialogue::greeted(config());
    for (line, misuse) in [
        ("NOOP\nQUIT\r\n", "BareLineFeed"),
        ("NOOP\rQUIT\r\n", "BareCarriageReturn"),
        ("NOOP \0QUIT\r\n", "NulOctet"),
        (&format!("NOOP {}\r\n", "x".repeat(limits::SMTP_COMMAND_LINE_MAX)), "LineTooLong"),
    ] {
        d.send(line);
        assert_eq!(codes(&d.hear()), "500 5.5.2", "{misuse}");
        d.check("NOOP", "250 2.0.0");
    }
    assert_eq!(d.end().misuses, ["BareLineFeed", "BareCarriageReturn", "NulOctet", "LineTooLong"]);
}

#[test]
fn content_and_http_instead_of_commands_are_cut_off() {
    for (request, misuse) in [
        ("GET / HTTP/1.1\nHost: mx.example.org", "HttpRequest"),
        ("POST /x HTTP/1.0", "HttpRequest"),
        ("Subject: x", "HeaderAsCommand"),
    ] {
        let mut d = Dialogue::new(config());
        d.check(request, "421 4.7.0");
        assert!(d.closed);
        assert_eq!(d.end().misuses, [misuse]);
    }
}

#[test]
fn input_before_the_banner_is_noted() {
    #[allow(clippy::disallowed_methods)]
    let now = Instant::now();
    let mut session = ServerSession::new(Arc::new(config()), now, crate::sasl::Seed([0; 32]));
    session.receive(now, b"NOOP\r\n");
    assert_eq!(session.next(), Step::Send("220 mx.example.org ESMTP\r\n250 2.0.0 OK\r\n".into()));
    assert_eq!(session.ended(now, End::Cut).misuses, ["EarlyTalker"]);
}

#[test]
fn an_application_that_says_421_closes() {
    let mut d = Dialogue::greeted(config());
    d.prompt = false;
    d.check("MAIL FROM:<a@example.com>\nNOOP", "");
    d.open = None;
    d.session.answer(d.now, Answer::Reply(Reply::new(421, (4, 3, 2), "Not now")));
    d.run();
    assert_eq!(d.hear(), "421 4.3.2 Not now\n");
    assert!(d.closed);
}

#[test]
fn input_beyond_the_bound_waits_outside_while_a_question_is_open() {
    let mut d = Dialogue::greeted(config());
    d.prompt = false;
    d.send("MAIL FROM:<a@example.com>\r\n");
    assert!(d.reading);
    d.send("NOOP\r\n".repeat(limits::SMTP_INPUT_WAITING_MAX / 6));
    assert!(d.reading);
    d.send("NOOP\r\n");
    assert!(!d.reading);
}

#[test]
fn hops_are_told_to_those_who_may_ask() {
    let mut d = Dialogue::greeted(config());
    d.check("VERB", "502 5.5.1");
    assert_eq!(d.end().misuses, ["VerbNotOffered"]);
    let mut d =
        Dialogue::greeted(Config { commands: Commands { verb: true, ..Commands::STRANGER }, ..config() });
    d.check("VERB\nVERB off\nVERB maybe\nverb on", "250 2.0.0, 250 2.0.0, 501 5.5.4, 250 2.0.0");
    d.session.tell(d.now, Hop("too early".into()));
    d.check("MAIL FROM:<>\nRCPT TO:<bob@example.org>\nDATA", "250 2.1.0, 250 2.1.0, 354");
    d.prompt = false;
    d.send("x\r\n.\r\nNOOP\r\n");
    assert!(matches!(d.open, Some(Question::Finish { verbose: true, .. })));
    let long = "x".repeat(600);
    for hop in ["route  to \x1bx\n  because so", &long] {
        d.session.tell(d.now, Hop(hop.into()));
        d.run();
    }
    assert_eq!(d.hear(), format!("050 route  to \\x1bx\n050   because so\n050 {}\n", &long[..506]));
    d.prompt = true;
    d.answer();
    d.session.tell(d.now, Hop("too late".into()));
    d.run();
    assert_eq!(d.hear(), "250 2.0.0 Kept\n250 2.0.0 OK\n");
}
