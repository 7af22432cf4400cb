//! What the journal tells of a message, for each way in which its transaction can end; and what it never tells.
//!
//! Most are told in a simulated world, so that times are those of the dialogue. Dates, milliseconds, ports and queue ids
//! are left out of the golden texts.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod stage;

use std::path::Path;

use expect_test::{Expect, expect};
use mail::message::{Header, structure};
use stage::binary::BinaryServer;
use stage::memory::MemoryStage;
use stage::place::Place;
use stage::telling::comparable;
use testkit::{Cut, Played, Protocol, Stage, Transcript, play};

/// The beginning of every dialogue here.
const FIXTURE: &str = "given account bob@example.org secret\ngiven option authentication-without-tls on\n";
const HELLO: &str = "S: 220 *\nC: EHLO client.example\n...\nS: 250 *\n";
const ENVELOPE: &str = "C: MAIL FROM:<ann@example.net>\nS: 250 *\nC: RCPT TO:<bob@example.org>\nS: 250 *\n";
const CONTENT: &str = "C: DATA\nS: 354 *\n";

fn transcript(fixture: &str, dialogue: &str) -> Transcript {
    Transcript::parse(&format!("# A story\n{FIXTURE}{fixture}{dialogue}")).unwrap()
}

fn played(transcript: &Transcript, stage: &mut dyn Stage) -> Played {
    play(transcript, Protocol::Smtp, stage, Cut::Whole).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Plays a dialogue in a simulated world.
fn stage(fixture: &str, dialogue: &str) -> (MemoryStage, Played) {
    let transcript = transcript(fixture, dialogue);
    let mut stage = MemoryStage::new(Place::new(&transcript.fixture).unwrap()).unwrap();
    let played = played(&transcript, &mut stage);
    (stage, played)
}

/// Plays a dialogue and compares the story of its message.
fn check(fixture: &str, dialogue: &str, expected: Expect) {
    let (stage, _) = stage(fixture, dialogue);
    expected.assert_eq(&comparable(&stage.trace("ann@example.net").unwrap()));
}

#[test]
fn filed() {
    let content = "C: Message-ID: <one@client.example>\nC: Subject: hello\nC:\nC: hello\nC: .\nS: 250 *\n";
    let aliases = "given alias joe@example.org bob@example.org\n";
    let recipients = "C: RCPT TO:<joe@example.org>\nS: 250 *\nC: RCPT TO:<nobody@example.org>\nS: 550 *\n";
    check(
        aliases,
        &[HELLO, ENVELOPE, recipients, CONTENT, content].concat(),
        expect![[r#"
            QUEUE-ID-1
              10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
              10:00:00  speak         EHLO client.example, no TLS
              10:00:00  judge         sender <ann@example.net> accepted
              10:00:00  judge         recipient <bob@example.org> accepted
              10:00:00                because recipient: the recipient is ours (mailboxes 1)
              10:00:00  judge         recipient <joe@example.org> accepted
              10:00:00                because recipient: the recipient is ours (mailboxes 1)
              10:00:00  judge         recipient <nobody@example.org> refused: 550 5.1.1 no such recipient here
              10:00:00                because recipient: neither account nor alias has this address
              10:00:00  spool         59 octets, Message-ID <one@client.example>
              10:00:00  judge         content accepted
              10:00:00  enqueue       from <ann@example.net> to <bob@example.org>, <joe@example.org>
              10:00:00  file          in INBOX of bob@example.org for <bob@example.org>, <joe@example.org>
              10:00:00  end           250 2.0.0 kept
        "#]],
    );
}

#[test]
fn filed_after_sign_in_over_tls() {
    let dialogue = "given client 1 submission\ntls\nS: 220 *\nC: EHLO client.example\n...\nS: 250 *\n\
        C: AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=\nS: 235 *\n\
        C: MAIL FROM:<bob@example.org>\nS: 250 *\nC: RCPT TO:<bob@example.org>\nS: 250 *\n\
        C: DATA\nS: 354 *\nC: From: bob@example.org\nC: Subject: hello\nC:\nC: hello\nC: .\nS: 250 *\n";
    let (stage, _) = stage("", dialogue);
    expect![[r#"
        QUEUE-ID-1
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission-tls"
          10:00:00  speak         EHLO client.example, TLS1.3 TLS_AES_256_GCM_SHA384, signed in as bob@example.org
          10:00:00  judge         sender <bob@example.org> accepted
          10:00:00  judge         recipient <bob@example.org> accepted
          10:00:00                because recipient: the recipient is ours (mailboxes 1)
          10:00:00  spool         48 octets, Message-ID <QUEUE-ID-1@mx.example>
          10:00:00  judge         content accepted
          10:00:00                because submission: the message was made what RFC 6409 wants (added Date, Message-ID)
          10:00:00  enqueue       from <bob@example.org> to <bob@example.org>
          10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
          10:00:00  end           250 2.0.0 kept
    "#]].assert_eq(&comparable(&stage.trace("bob@example.org").unwrap()));
}

#[test]
fn refused_at_rcpt() {
    let recipients = "C: MAIL FROM:<ann@example.net>\nS: 250 *\nC: RCPT TO:<nobody@example.org>\nS: 550 *\n\
        C: RCPT TO:<carl@elsewhere.example>\nS: 550 *\nC: QUIT\nS: 221 *\nS: <closed>\n";
    check(
        "",
        &[HELLO, recipients].concat(),
        expect![[r#"
        QUEUE-ID-1
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          10:00:00  speak         EHLO client.example, no TLS
          10:00:00  judge         sender <ann@example.net> accepted
          10:00:00  judge         recipient <nobody@example.org> refused: 550 5.1.1 no such recipient here
          10:00:00                because recipient: neither account nor alias has this address
          10:00:00  judge         recipient <carl@elsewhere.example> refused: 550 5.7.1 relaying denied: this server takes mail for its own domains
          10:00:00                because relay: the recipient's domain is not one of ours
          10:00:00  end           the client gave the transaction up before its content
    "#]],
    );
}

#[test]
fn refused_at_content_for_a_bare_line_feed() {
    let content = "C: one\\ntwo\nC: .\nS: 550 *\n";
    check(
        "",
        &[HELLO, ENVELOPE, CONTENT, content].concat(),
        expect![[r#"
        QUEUE-ID-1
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          10:00:00  speak         EHLO client.example, no TLS
          10:00:00  judge         sender <ann@example.net> accepted
          10:00:00  judge         recipient <bob@example.org> accepted
          10:00:00                because recipient: the recipient is ours (mailboxes 1)
          10:00:00  end           content was refused: 550 5.5.2 The content has a bare line feed
    "#]],
    );
}

#[test]
fn refused_at_content_because_it_is_too_large() {
    let content = "C* 200 12345678\\r\\n\nC: .\nS: 552 *\n";
    let fixture = "given option message-size-limit 1000\n";
    check(
        fixture,
        &[HELLO, ENVELOPE, CONTENT, content].concat(),
        expect![[r#"
        QUEUE-ID-1
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          10:00:00  speak         EHLO client.example, no TLS
          10:00:00  judge         sender <ann@example.net> accepted
          10:00:00  judge         recipient <bob@example.org> accepted
          10:00:00                because recipient: the recipient is ours (mailboxes 1)
          10:00:00  end           content was refused: 552 5.3.4 The message is larger than we accept
    "#]],
    );
}

#[test]
fn refused_at_content_because_it_goes_in_circles() {
    let content = "C* 101 Received: from a by b; Sun, 22 Nov 2026 10:00:00 +0000\\r\\n\nC:\nC: .\nS: 554 *\n";
    check(
        "",
        &[HELLO, ENVELOPE, CONTENT, content].concat(),
        expect![[r#"
        QUEUE-ID-1
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          10:00:00  speak         EHLO client.example, no TLS
          10:00:00  judge         sender <ann@example.net> accepted
          10:00:00  judge         recipient <bob@example.org> accepted
          10:00:00                because recipient: the recipient is ours (mailboxes 1)
          10:00:00  spool         5658 octets, no Message-ID
          10:00:00  judge         content refused: 554 5.4.6 too many hops: this message goes in circles
          10:00:00                because loop: the header has more Received fields than a message can need (limit 100, received 101)
          10:00:00  end           content was answered 554
    "#]],
    );
}

#[test]
fn cut_off_in_content() {
    let content = "C: Subject: hello\nC:\nC: hel\nclose\n";
    check(
        "",
        &[HELLO, ENVELOPE, CONTENT, content].concat(),
        expect![[r#"
        QUEUE-ID-1
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          10:00:00  speak         EHLO client.example, no TLS
          10:00:00  judge         sender <ann@example.net> accepted
          10:00:00  judge         recipient <bob@example.org> accepted
          10:00:00                because recipient: the recipient is ours (mailboxes 1)
          10:00:00  end           the client cut the connection in content after 23 octets
    "#]],
    );
}

#[test]
fn cut_off_after_rcpt() {
    check(
        "",
        &[HELLO, ENVELOPE, "close\n"].concat(),
        expect![[r#"
        QUEUE-ID-1
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          10:00:00  speak         EHLO client.example, no TLS
          10:00:00  judge         sender <ann@example.net> accepted
          10:00:00  judge         recipient <bob@example.org> accepted
          10:00:00                because recipient: the recipient is ours (mailboxes 1)
          10:00:00  end           the client cut the connection after RCPT
    "#]],
    );
}

#[test]
fn silent_for_too_long() {
    check(
        "",
        &[HELLO, ENVELOPE, "wait 5m\nS: 421 *\nS: <closed>\n"].concat(),
        expect![[r#"
        QUEUE-ID-1
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          10:00:00  speak         EHLO client.example, no TLS
          10:00:00  judge         sender <ann@example.net> accepted
          10:00:00  judge         recipient <bob@example.org> accepted
          10:00:00                because recipient: the recipient is ours (mailboxes 1)
          10:05:00  end           the connection ended after RCPT; the peer erred: TooSlow
    "#]],
    );
}

/// RFC 5321 §3.8: the transaction may end; a client that does not go on with it is not waited for.
#[test]
fn the_server_was_stopped() {
    check(
        "",
        &[HELLO, ENVELOPE, "stop\nwait 9s\nS~\nwait 1s\nS: <closed>\n"].concat(),
        expect![[r#"
        QUEUE-ID-1
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          10:00:00  speak         EHLO client.example, no TLS
          10:00:00  judge         sender <ann@example.net> accepted
          10:00:00  judge         recipient <bob@example.org> accepted
          10:00:00                because recipient: the recipient is ours (mailboxes 1)
          10:00:10  end           the server ended the connection after RCPT
    "#]],
    );
}

/// A client fetches from the maildrop of bob: its lines begin with its number.
fn fetch(client: usize, messages: usize, dialogue: &str) -> String {
    let sign_in = "S: +OK *\nC: USER bob@example.org\nS: +OK *\nC: PASS secret\n";
    let all = format!(
        "{sign_in}S: +OK maildrop has {messages} messages *\n{dialogue}C: QUIT\nS: +OK *\nS: <closed>\n"
    );
    all.lines().map(|line| format!("{client}{line}\n")).collect()
}

#[test]
fn slow_is_delivered_later() {
    let fixture = "given option magic-recipients on\ngiven alias slow@example.org bob@example.org\n\
        given client 2 pop3\ngiven client 3 pop3\n";
    let message = "C: MAIL FROM:<ann@example.net>\nS: 250 *\nC: RCPT TO:<slow@example.org>\nS: 250 *\n\
        C: DATA\nS: 354 *\nC: Subject: hello\nC:\nC: hello\nC: .\nS: 250 *\nC: QUIT\nS: 221 *\nS: <closed>\n";
    let dialogue = [HELLO, message, "wait 29s\n", &fetch(2, 0, ""), "wait 1s\n", &fetch(3, 1, "")].concat();
    check(
        fixture,
        &dialogue,
        expect![[r#"
        QUEUE-ID-1
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          10:00:00  speak         EHLO client.example, no TLS
          10:00:00  judge         sender <ann@example.net> accepted
          10:00:00  judge         recipient <slow@example.org> accepted
          10:00:00                because magic-recipient: slow@ is delivered late on purpose
          10:00:00  spool         25 octets, no Message-ID
          10:00:00  judge         content accepted
          10:00:00  enqueue       from <ann@example.net> to <slow@example.org>
          10:00:00  deliver       local: <slow@example.org> queued, next try 2026-11-22 10:00:30.000
          10:00:00  end           250 2.0.0 kept
          10:00:30  file          in INBOX of bob@example.org for <slow@example.org>
    "#]],
    );
}

#[test]
fn deferred_is_taken_at_the_third_try() {
    let fixture = "given option magic-recipients on\ngiven alias deferred@example.org bob@example.org\n";
    let sender = "C: MAIL FROM:<ann@example.net>\nS: 250 *\n";
    let no = "C: RCPT TO:<deferred@example.org>\nS: 451 4.7.1 *\nC: RSET\nS: 250 *\n";
    let yes = "C: RCPT TO:<deferred@example.org>\nS: 250 *\n";
    let content = "C: DATA\nS: 354 *\nC: Subject: hello\nC:\nC: hello\nC: .\nS: 250 *\n";
    check(
        fixture,
        &[HELLO, sender, no, sender, no, sender, yes, content].concat(),
        expect![[r#"
        QUEUE-ID-1
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          10:00:00  speak         EHLO client.example, no TLS
          10:00:00  judge         sender <ann@example.net> accepted
          10:00:00  judge         recipient <deferred@example.org> deferred: 451 4.7.1 not yet; try again later
          10:00:00                because magic-recipient: deferred@ is deferred on purpose until the third try (tries-before 0)
          10:00:00  end           the client gave the transaction up before its content
        QUEUE-ID-2
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          10:00:00  speak         EHLO client.example, no TLS
          10:00:00  judge         sender <ann@example.net> accepted
          10:00:00  judge         recipient <deferred@example.org> deferred: 451 4.7.1 not yet; try again later
          10:00:00                because magic-recipient: deferred@ is deferred on purpose until the third try (tries-before 1)
          10:00:00  end           the client gave the transaction up before its content
        QUEUE-ID-3
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          10:00:00  speak         EHLO client.example, no TLS
          10:00:00  judge         sender <ann@example.net> accepted
          10:00:00  judge         recipient <deferred@example.org> accepted
          10:00:00                because magic-recipient: deferred@ is deferred on purpose until the third try (tries-before 2)
          10:00:00  spool         25 octets, no Message-ID
          10:00:00  judge         content accepted
          10:00:00  enqueue       from <ann@example.net> to <deferred@example.org>
          10:00:00  file          in INBOX of bob@example.org for <deferred@example.org>
          10:00:00  end           250 2.0.0 kept
    "#]],
    );
}

#[test]
fn bounces_is_reported_to_its_sender() {
    let fixture = "given option magic-recipients on\ngiven alias bounces@example.org bob@example.org\n\
        given client 2 pop3\n";
    let message = "C: MAIL FROM:<bob@example.org>\nS: 250 *\nC: RCPT TO:<bounces@example.org>\nS: 250 *\n\
        C: DATA\nS: 354 *\nC: Subject: hello\nC: Message-ID: <one@client.example>\nC:\nC: not to be returned\n\
        C: .\nS: 250 *\nwait 1s\n";
    let retrieve = "C: RETR 1\nS: +OK *\n...\nS: .\n";
    let (stage, played) = stage(fixture, &[HELLO, message, &fetch(2, 1, retrieve)].concat());
    expect![[r#"
        QUEUE-ID-1
          10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          10:00:00  speak         EHLO client.example, no TLS
          10:00:00  judge         sender <bob@example.org> accepted
          10:00:00  judge         recipient <bounces@example.org> accepted
          10:00:00                because magic-recipient: bounces@ is reported on purpose
          10:00:00  spool         72 octets, Message-ID <one@client.example>
          10:00:00  judge         content accepted
          10:00:00  enqueue       from <bob@example.org> to <bounces@example.org>
          10:00:00  deliver       local: <bounces@example.org> queued
          10:00:00  end           250 2.0.0 kept
          10:00:00  deliver       local: <bounces@example.org> bounced: 5.2.1 this recipient always fails, as `waxseal try` promises
          10:00:00  end           reported to <bob@example.org> by the message QUEUE-ID-2
        QUEUE-ID-2
          10:00:00  spool         1580 octets, Message-ID <QUEUE-ID-2@mx.example>
          10:00:00  enqueue       from <> to <bob@example.org>
          10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
          10:00:00  end           made here, a report about the message QUEUE-ID-1
    "#]].assert_eq(&comparable(&stage.trace("bob@example.org").unwrap()));
    check_report(&retrieved(&played.output[&2]));
}

/// The message that stands after the reply to RETR.
fn retrieved(output: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(output).unwrap();
    let (_, rest) = text.split_once(" octets\r\n").unwrap();
    let (content, _) = rest.split_once("\r\n.\r\n").unwrap();
    format!("{content}\r\n").replace("\r\n..", "\r\n.").into_bytes()
}

/// RFC 3462 §1 and RFC 3464 §2: a text, the status of each recipient, the original's header.
fn check_report(report: &[u8]) {
    let text = |range: std::ops::Range<usize>| std::str::from_utf8(&report[range]).unwrap();
    let root = structure(report);
    assert!(root.is("multipart") && root.subtype.eq_ignore_ascii_case("report"), "{root:?}");
    assert_eq!(root.parameter("report-type"), Some(&b"delivery-status"[..]));
    let kinds: Vec<String> =
        root.parts.iter().map(|part| format!("{}/{}", part.kind, part.subtype)).collect();
    assert_eq!(kinds, ["text/plain", "message/delivery-status", "text/rfc822-headers"]);

    let header = Header::parse(&report[root.header.clone()]);
    let field =
        |name: &str| String::from_utf8(header.find(name).unwrap().unfolded().trim_ascii().to_vec()).unwrap();
    assert_eq!(field("Return-Path"), "<>", "no report is made about a report");
    assert_eq!(field("To"), "<bob@example.org>");
    assert_eq!(field("Auto-Submitted"), "auto-replied");
    for name in ["From", "Date", "Message-ID", "Subject"] {
        assert_eq!(header.count(name), 1, "{name}");
    }

    let status = text(root.parts[1].body.clone());
    let (message, recipient) = status.trim_end().split_once("\r\n\r\n").unwrap();
    let (message, recipient) = (Header::parse(message.as_bytes()), Header::parse(recipient.as_bytes()));
    let value = |header: &Header<'_>, name: &str| {
        header.find(name).map(|field| String::from_utf8(field.unfolded().trim_ascii().to_vec()).unwrap())
    };
    assert_eq!(value(&message, "Reporting-MTA").as_deref(), Some("dns; mx.example"));
    assert_eq!(value(&recipient, "Final-Recipient").as_deref(), Some("rfc822; bounces@example.org"));
    assert_eq!(value(&recipient, "Action").as_deref(), Some("failed"));
    assert_eq!(value(&recipient, "Status").as_deref(), Some("5.2.1"));
    let original = text(root.parts[2].body.clone());
    assert!(
        original.contains("Message-ID: <one@client.example>") && !original.contains("not to be returned")
    );
}

/// More than is held in memory, so that the disk has some of it before it is complete.
const LARGE_OCTETS: u64 = 8000 * 67;
const LARGE: &str = "C* 8000 0123456789012345678901234567890123456789012345678901234567890\\r\\n\n";

#[test]
fn cut_by_a_crash_in_content() {
    let transcript = transcript("", &[HELLO, ENVELOPE, CONTENT, LARGE, "S~\n"].concat());
    let mut stage = BinaryServer::start(Place::new(&transcript.fixture).unwrap()).unwrap().stage().unwrap();
    played(&transcript, &mut stage);
    stage.server().await_content(LARGE_OCTETS / 2).unwrap();
    stage.server().crash();
    let mut server = stage.into_server();
    server.restart().unwrap();
    expect![[r#"
        QUEUE-ID-1
        judge         sender <ann@example.net> accepted
        judge         recipient <bob@example.org> accepted
        spool         N octets, no Message-ID
        end           the server stopped with a part of the content on disk and before its record was: 250 was not sent, the client will send it again, and what was there is removed
    "#]].assert_eq(&in_real_time(&server.trace("bob@example.org").unwrap()));
    server.end().unwrap();
    server.place.check(&testkit::transcript::Check::Mail("bob@example.org".into(), 0)).unwrap();
}

/// What the client cut off is on disk, too, when the server starts again; but it is no crash's.
#[test]
fn cut_off_in_large_content_is_told_once() {
    let transcript = transcript("", &[HELLO, ENVELOPE, CONTENT, LARGE, "S~\nclose\n"].concat());
    let mut stage = BinaryServer::start(Place::new(&transcript.fixture).unwrap()).unwrap().stage().unwrap();
    played(&transcript, &mut stage);
    let mut server = stage.into_server();
    server.end().unwrap();
    let told = server.trace("bob@example.org").unwrap();
    assert!(told.contains("the client cut the connection in content"), "{told}");
    server.restart().unwrap();
    assert_eq!(server.trace("bob@example.org").unwrap(), told);
}

/// The moment between the sync of content and the commit of its record, made of two copies: records from before a message,
/// content from after it.
#[test]
fn cut_by_a_crash_before_the_record() {
    let content = "C: Subject: hello\nC:\nC: hello\nC: .\nS: 250 *\n";
    let transcript = transcript("", &[HELLO, ENVELOPE, CONTENT, content].concat());
    let place = Place::new(&transcript.fixture).unwrap();
    let before = place.copy().unwrap();
    let mut server = BinaryServer::start(place).unwrap();
    let mut stage = server.stage().unwrap();
    played(&transcript, &mut stage);
    stage.server().crash();
    server = stage.into_server();
    for entry in std::fs::read_dir(server.place.data().join("content")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), before.data().join("content").join(entry.file_name())).unwrap();
    }
    let mut server = BinaryServer::start(before).unwrap();
    expect![[r#"
        QUEUE-ID-1
        judge         sender <ann@example.net> accepted
        judge         recipient <bob@example.org> accepted
        spool         N octets, no Message-ID
        end           the server stopped with all of the content on disk and before its record was: 250 was not sent, the client will send it again, and what was there is removed
    "#]].assert_eq(&in_real_time(&server.trace("bob@example.org").unwrap()));
    server.end().unwrap();
    server.place.check(&testkit::transcript::Check::Mail("bob@example.org".into(), 0)).unwrap();
}

/// In a real world no time is the same again, nor how much of a large content was on disk.
fn in_real_time(story: &str) -> String {
    let hop = |line: &str| {
        let hop = line.strip_prefix("  ").and_then(|line| line.get("10:00:00  ".len()..)).unwrap_or(line);
        match hop.strip_prefix("spool").and_then(|rest| rest.split_once(" octets")) {
            Some((_, rest)) => format!("spool         N octets{rest}\n"),
            None => format!("{hop}\n"),
        }
    };
    comparable(story).lines().map(hop).collect()
}

/// What nobody may find in journal, log or `trace`: content, right passwords and wrong ones, also as SASL sends them.
const SECRETS: [&str; 6] = [
    "marked-password",
    "bWFya2VkLXBhc3N3b3Jk",
    "bWFya2VkLXdyb25n",
    "marked-wrong",
    "marked-subject",
    "marked-body",
];

#[test]
fn nothing_tells_a_password_or_content() {
    let dialogue = "given account eve@example.org marked-password\ngiven option log-level trace\n\
        given client 2 pop3\ngiven client 3 imap\n\
        S: 220 *\nC: EHLO client.example\n...\nS: 250 *\n\
        C: AUTH LOGIN\nS: 334 *\nC: ZXZlQGV4YW1wbGUub3Jn\nS: 334 *\nC: bWFya2VkLXdyb25n\nS: 535 *\n\
        C: AUTH LOGIN\nS: 334 *\nC: ZXZlQGV4YW1wbGUub3Jn\nS: 334 *\nC: bWFya2VkLXBhc3N3b3Jk\nS: 235 *\n\
        C: MAIL FROM:<eve@example.org>\nS: 250 *\nC: RCPT TO:<eve@example.org>\nS: 250 *\nC: DATA\nS: 354 *\n\
        C: From: eve@example.org\nC: Subject: marked-subject\nC:\nC: marked-body\nC: .\nS: 250 *\n\
        C: MAIL FROM:<eve@example.org>\nS: 250 *\nC: RCPT TO:<eve@example.org>\nS: 250 *\nC: DATA\nS: 354 *\n\
        C: Subject: marked-subject\nC:\nC: marked-\\n-marked-body\nC: .\nS: 550 *\n\
        C: MAIL FROM:<eve@example.org>\nS: 250 *\nC: marked-body\nS: 500 *\nC: QUIT\nS: 221 *\nS: <closed>\n\
        2S: +OK *\n2C: USER eve@example.org\n2S: +OK *\n2C: PASS marked-wrong\n2S: -ERR *\n\
        2C: USER eve@example.org\n2S: +OK *\n2C: PASS marked-password\n2S: +OK *\n2C: RETR 1\n2S: +OK *\n2...\n2S: .\n\
        2C: QUIT\n2S: +OK *\n2S: <closed>\n\
        3S: * OK *\n3C: a LOGIN eve@example.org marked-wrong\n3S: a NO *\n\
        3C: b LOGIN eve@example.org marked-password\n3...\n3S: b OK *\n3C: c SELECT INBOX\n3...\n3S: c OK *\n\
        3C: d FETCH 1 BODY[]\n3...\n3S: d OK *\n3C: e LOGOUT\n3S: * BYE *\n3S: e OK *\n3S: <closed>\n";
    let transcript =
        transcript("", &dialogue.replace("S: * OK", "S: \\* OK").replace("S: * BYE", "S: \\* BYE"));
    let mut stage = BinaryServer::start(Place::new(&transcript.fixture).unwrap()).unwrap().stage().unwrap();
    played(&transcript, &mut stage);
    let mut server = stage.into_server();
    let told = server.trace("eve@example.org").unwrap();
    assert_eq!(told.matches("sender <eve@example.org> accepted").count(), 3, "{told}");
    server.end().unwrap();
    let journal = server.place.journal().unwrap();
    assert_eq!(journal.len(), 3, "{journal:?}");
    let log = server.log();
    assert!(log.contains("listening"));
    for secret in SECRETS {
        for (place, text) in [("trace", &told), ("the journal", &journal.concat()), ("the log", &log)] {
            assert!(!text.contains(secret), "{secret} is in {place}:\n{text}");
        }
        assert!(!holds(&server.place.data().join("waxseal.db"), secret), "{secret} is in the records");
    }
}

fn holds(file: &Path, text: &str) -> bool {
    std::fs::read(file).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
}
