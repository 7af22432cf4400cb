//! Delivery by LMTP (RFC 2033) as its journal tells it: each recipient has an end of its own, and nothing waits here.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod stage;

use expect_test::{Expect, expect};
use stage::memory::MemoryStage;
use stage::place::Place;
use testkit::{Cut, Protocol, Transcript, play};

const FIXTURE: &str = "given account bob@example.org secret\ngiven account amy@example.org secret\n\
    given option magic-recipients on\n";
const HELLO: &str = "S: 220 *\nC: LHLO client.example\nS: 250-*\n...\nS: 250 HELP\nC: MAIL FROM:<ann@example.net>\nS: 250 *\n";
const CONTENT: &str = "C: DATA\nS: 354 *\nC: Subject: hello\nC:\nC: Hello\n";

/// Plays a dialogue and compares its story, from the content on.
fn check(dialogue: &[&str], expected: Expect) {
    let text = format!("# LMTP\n{FIXTURE}{HELLO}{}", dialogue.concat());
    let transcript = Transcript::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut stage = MemoryStage::new(Place::new(&transcript.fixture).unwrap()).unwrap();
    play(&transcript, Protocol::Lmtp, &mut stage, Cut::Whole).unwrap_or_else(|failure| panic!("{failure}"));
    let told = stage.trace("ann@example.net").unwrap();
    let hops: Vec<_> = told.lines().filter_map(|line| line.get(27..)).collect();
    let content = hops.iter().position(|hop| hop.starts_with("spool")).unwrap();
    expected.assert_eq(&(hops[content..].join("\n") + "\n"));
}

/// `slow@` is delivered through the queue, and LMTP has none.
#[test]
fn what_cannot_be_filed_stays_with_the_client_alone() {
    check(
        &[
            "C: RCPT TO:<bob@example.org>\nS: 250 *\nC: RCPT TO:<slow@example.org>\nS: 250 *\n",
            "C: RCPT TO:<amy@example.org>\nS: 250 *\nC: RCPT TO:<nobody@example.org>\nS: 550 5.1.1 *\n",
            CONTENT,
            "C: .\nS: 250 2.0.0 *\nS: 450 4.2.0 *\nS: 250 2.0.0 *\nC: NOOP\nS: 250 2.0.0 OK\n",
        ],
        expect![[r#"
            spool         25 octets, no Message-ID
            judge         content accepted
            enqueue       from <ann@example.net> to <bob@example.org>, <slow@example.org>, <amy@example.org>
            file          in INBOX of bob@example.org for <bob@example.org>
            deliver       local: <slow@example.org> deferred: 450 4.2.0 this cannot be filed at once, try again later
            file          in INBOX of amy@example.org for <amy@example.org>
            end           kept for 2 of 3 recipients
        "#]],
    );
}

#[test]
fn nobody_gets_what_nobody_can_get() {
    check(
        &[
            "C: RCPT TO:<slow@example.org>\nS: 250 *\nC: RCPT TO:<bounces@example.org>\nS: 250 *\n",
            CONTENT,
            "C: .\nS: 450 4.2.0 *\nS: 450 4.2.0 *\nC: NOOP\nS: 250 2.0.0 OK\n",
        ],
        expect![[r#"
            spool         25 octets, no Message-ID
            judge         content accepted
            enqueue       from <ann@example.net> to <slow@example.org>, <bounces@example.org>
            deliver       local: <slow@example.org> deferred: 450 4.2.0 this cannot be filed at once, try again later
            deliver       local: <bounces@example.org> deferred: 450 4.2.0 this cannot be filed at once, try again later
            end           kept for 0 of 2 recipients
        "#]],
    );
}

/// RFC 3848 §1. Nothing is mended on the way: LMTP is the end of one.
#[test]
fn the_trace_header_names_the_protocol() {
    let read = "given client 2 pop3\ngiven option authentication-without-tls on\n";
    let text = format!(
        "# LMTP\n{FIXTURE}{read}{HELLO}C: RCPT TO:<bob@example.org>\nS: 250 *\n{CONTENT}C: .\nS: 250 *\n\
         2S: +OK *\n2C: USER bob@example.org\n2S: +OK *\n2C: PASS secret\n2S: +OK *\n2C: TOP 1 0\n2S: +OK\n\
         2S: Return-Path: <ann@example.net>\n2S: Delivered-To: bob@example.org\n\
         2S: Received: from client.example ([127.0.0.1])\n2S:  by mx.example with LMTP id *\n\
         2S:  for <bob@example.org>;\n2S:  *\n2S: Subject: hello\n2S:\n2S: .\n"
    );
    let transcript = Transcript::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut stage = MemoryStage::new(Place::new(&transcript.fixture).unwrap()).unwrap();
    play(&transcript, Protocol::Lmtp, &mut stage, Cut::Whole).unwrap_or_else(|failure| panic!("{failure}"));
}
