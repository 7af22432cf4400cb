//! What becomes of a message that is submitted (RFC 6409 §8), seen by its reader; and that nobody else's is changed.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod stage;

use expect_test::expect;
use stage::memory::MemoryStage;
use stage::place::Place;
use testkit::{Cut, Protocol, Transcript, play};

const FIXTURE: &str = "given account bob@example.org secret\ngiven option authentication-without-tls on\n";
const SIGN_IN: &str = "C: AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=\nS: 235 *\n";
const HELLO: &str = "S: 220 *\nC: EHLO client.example\nS: 250-*\n...\nS: 250 HELP\n";
const ENVELOPE: &str = "C: MAIL FROM:<bob@example.org>\nS: 250 *\nC: RCPT TO:<bob@example.org>\nS: 250 *\n\
    C: DATA\nS: 354 *\n";
const KEPT: &str = "C: .\nS: 250 2.0.0 *\n";
/// The reader fetches the header of the first email.
const READING: &str = "given client 2 pop3\n";
const READ: &str = "2S: +OK *\n2C: USER bob@example.org\n2S: +OK *\n2C: PASS secret\n2S: +OK *\n2C: TOP 1 0\n2S: +OK\n\
    2S: Return-Path: <bob@example.org>\n2S: Delivered-To: bob@example.org\n\
    2S: Received: from client.example ([127.0.0.1])\n";
const DATE: &str = "2S: Date: Sun, 22 Nov 2026 10:00:00 +0000\n2S: Message-ID: <$id@mx.example>\n";

/// Plays a dialogue, and tells the story of the message.
fn story(protocol: Protocol, fixture: &str, dialogue: &[&str]) -> String {
    let text = format!("# Submission\n{FIXTURE}{fixture}{}", dialogue.concat());
    let transcript = Transcript::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut stage = MemoryStage::new(Place::new(&transcript.fixture).unwrap()).unwrap();
    play(&transcript, protocol, &mut stage, Cut::Whole).unwrap_or_else(|failure| panic!("{failure}"));
    stage.trace("bob@example.org").unwrap()
}

/// The trace header, with the protocol by which the message came.
fn trace(with: &str) -> String {
    format!("{READ}2S:  by mx.example with {with} id $id\n2S:  for <bob@example.org>;\n2S:  *\n")
}

#[test]
fn what_is_missing_is_added_and_blind_copies_are_hidden() {
    let content = "C: bcc: ann@elsewhere.example,\nC:  joe@elsewhere.example\nC: From: bob@example.org\n\
        C: BCC: amy@elsewhere.example\nC: Subject: hello\nC:\nC: Bcc: in the text\n";
    let read = "2S: From: bob@example.org\n2S: Subject: hello\n2S:\n2S: .\n";
    let told = story(
        Protocol::Submission,
        READING,
        &[HELLO, SIGN_IN, ENVELOPE, content, KEPT, &trace("ESMTPA"), DATE, read],
    );
    let mended = told.lines().filter(|line| line.contains("because submission") || line.contains(" spool "));
    let mended: Vec<_> = mended.map(|line| line[27..].trim()).collect();
    let id = told.lines().next().unwrap();
    expect![[r#"
        spool         140 octets, Message-ID <ID@mx.example>
        because submission: the message was made what RFC 6409 wants (added Date, Message-ID, removed Bcc)
    "#]]
    .assert_eq(&(mended.join("\n") + "\n").replace(id, "ID"));
}

#[test]
fn large_content_is_mended_too() {
    let content = "C: Bcc: ann@elsewhere.example,\nC~  joe@elsewhere.example\\r\\nFrom: bob@example.org\\r\\n\\r\\n\n\
        C* 20000 0123456789012345678901234567\\r\\n\n";
    let read = "2S: From: bob@example.org\n2S:\n2S: .\n";
    let told = story(
        Protocol::Submission,
        READING,
        &[HELLO, SIGN_IN, ENVELOPE, content, KEPT, &trace("ESMTPA"), DATE, read],
    );
    assert!(told.contains("added Date, Message-ID, removed Bcc"), "{told}");
}

#[test]
fn what_is_no_message_is_refused() {
    for content in [
        "C: Subject: nobody wrote this\nC:\nC: x\n",
        "C: From: bob@example.org\nC: from : ann@example.net\nC:\nC: x\n",
        "C: just text\n",
    ] {
        let refused = "C: .\nS: 554 5.6.0 *\n";
        let told = story(Protocol::Submission, "", &[HELLO, SIGN_IN, ENVELOPE, content, refused]);
        assert!(told.contains("content was answered 554") && !told.contains("  file "), "{told}");
    }
}

/// A printer that may relay says little; what another server had first is left as it is.
#[test]
fn what_a_permitted_network_sends_is_mended_unless_another_server_was_first() {
    let options = format!("{READING}given option relay-allow 127.0.0.0/8\n");
    let content = "C: From: bob@example.org\nC: Bcc: ann@elsewhere.example\nC:\nC: Page 1\n";
    let read = "2S: From: bob@example.org\n2S:\n2S: .\n";
    story(Protocol::Smtp, &options, &[HELLO, ENVELOPE, content, KEPT, &trace("ESMTP"), DATE, read]);

    let content =
        "C: Received: by other.example; Sun, 22 Nov 2026 09:59:00 +0000\nC: Bcc: ann@elsewhere.example\nC:\n";
    let read = "2S: Received: by other.example; Sun, 22 Nov 2026 09:59:00 +0000\n2S: Bcc: ann@elsewhere.example\n\
        2S:\n2S: .\n";
    story(Protocol::Smtp, &options, &[HELLO, ENVELOPE, content, KEPT, &trace("ESMTP"), read]);
}

#[test]
fn mail_from_anywhere_is_left_as_it_is() {
    let content = "C: Subject: no sender, no date\nC: Bcc: bob@example.org\nC:\nC: x\n";
    let read = "2S: Subject: no sender, no date\n2S: Bcc: bob@example.org\n2S:\n2S: .\n";
    story(Protocol::Smtp, READING, &[HELLO, ENVELOPE, content, KEPT, &trace("ESMTP"), read]);
    // Who has signed in there has no more rights than others, so that he submits nothing, if he may send as anyone.
    let options = format!("{READING}given option may-send-as anyone\n");
    story(Protocol::Smtp, &options, &[HELLO, SIGN_IN, ENVELOPE, content, KEPT, &trace("ESMTPA"), read]);
}

/// One commit: what is ours is filed, what is not is queued, and the story tells which rule let it through.
#[test]
fn local_and_remote_recipients_are_one_message() {
    let envelope = "C: MAIL FROM:<bob@example.org>\nS: 250 *\nC: RCPT TO:<bob@example.org>\nS: 250 *\n\
        C: RCPT TO:<joe@Elsewhere.example>\nS: 250 *\nC: RCPT TO:<amy@elsewhere.example>\nS: 250 *\n\
        C: RCPT TO:<joe@[192.0.2.9]>\nS: 250 *\nC: DATA\nS: 354 *\n";
    let content = "C: From: bob@example.org\nC: Date: x\nC: Message-ID: <y@z>\nC:\nC: x\n";
    let told = story(Protocol::Submission, "", &[HELLO, SIGN_IN, envelope, content, KEPT]);
    let told: Vec<_> = told.lines().skip(4).map_while(|line| line.get(27..)).map(str::trim_end).collect();
    let end = told.iter().position(|line| line.starts_with("end ")).unwrap();
    let told = told[..=end].iter().map(|line| line.split(", next try").next().unwrap()).collect::<Vec<_>>();
    expect![[r#"
        judge         recipient <bob@example.org> accepted
                      because recipient: the recipient is ours (mailboxes 1)
        judge         recipient <joe@elsewhere.example> accepted
                      because relay: who signed in may send to other domains (signed-in bob@example.org)
        judge         recipient <amy@elsewhere.example> accepted
                      because relay: who signed in may send to other domains (signed-in bob@example.org)
        judge         recipient <joe@[192.0.2.9]> accepted
                      because relay: who signed in may send to other domains (signed-in bob@example.org)
        spool         56 octets, Message-ID <y@z>
        judge         content accepted
        enqueue       from <bob@example.org> to <bob@example.org>, <joe@elsewhere.example>, <amy@elsewhere.example>, <joe@[192.0.2.9]>
        file          in INBOX of bob@example.org for <bob@example.org>
        deliver       [192.0.2.9]: <joe@[192.0.2.9]> queued
        deliver       elsewhere.example: <joe@elsewhere.example>, <amy@elsewhere.example> queued
        end           250 2.0.0 kept
    "#]]
    .assert_eq(&(told.join("\n") + "\n"));
}
