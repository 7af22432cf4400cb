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
    check_story(Protocol::Lmtp, &[&[FIXTURE, HELLO], dialogue].concat(), "spool", expected);
}

/// Plays a dialogue and compares its story, from this hop on.
fn check_story(protocol: Protocol, dialogue: &[&str], from: &str, expected: Expect) {
    let text = format!("# LMTP\n{}", dialogue.concat());
    let transcript = Transcript::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut stage = MemoryStage::new(Place::new(&transcript.fixture).unwrap()).unwrap();
    play(&transcript, protocol, &mut stage, Cut::Whole).unwrap_or_else(|failure| panic!("{failure}"));
    let told = stage.trace("ann@example.net").unwrap();
    let hops: Vec<_> = told.lines().filter_map(|line| line.get(27..)).collect();
    let first = hops.iter().position(|hop| hop.starts_with(from)).unwrap();
    let end = hops.iter().position(|hop| hop.starts_with("end ")).unwrap();
    let told = hops[first..=end].iter().map(|hop| hop.split(", next try").next().unwrap());
    expected.assert_eq(&(told.collect::<Vec<_>>().join("\n") + "\n"));
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

const HANDED_ON: &str = "given option handed-on lists.example.org\n";

/// A domain that is handed on is ours: anybody may write to anybody there, and its own server will say who is known.
#[test]
fn a_domain_that_is_handed_on_is_ours_for_strangers() {
    check_story(
        Protocol::Smtp,
        &[
            FIXTURE,
            HANDED_ON,
            "S: 220 *\nC: EHLO client.example\nS: 250-*\n...\nS: 250 HELP\nC: MAIL FROM:<ann@example.net>\nS: 250 *\n",
            "C: RCPT TO:<everybody@Lists.Example.ORG>\nS: 250 *\nC: RCPT TO:<refused@lists.example.org>\nS: 250 *\n",
            "C: RCPT TO:<joe@more.lists.example.org>\nS: 550 5.7.1 *\nC: RCPT TO:<bob@example.org>\nS: 250 *\n",
            CONTENT,
            "C: .\nS: 250 2.0.0 *\n",
        ],
        "enqueue",
        expect![[r#"
            enqueue       from <ann@example.net> to <everybody@lists.example.org>, <refused@lists.example.org>, <bob@example.org>
            file          in INBOX of bob@example.org for <bob@example.org>
            deliver       lists.example.org: <everybody@lists.example.org>, <refused@lists.example.org> queued
            end           250 2.0.0 kept
        "#]],
    );
}

/// It would have to wait here, and LMTP has no queue.
#[test]
fn what_comes_by_lmtp_is_not_handed_on() {
    check_story(
        Protocol::Lmtp,
        &[
            FIXTURE,
            HANDED_ON,
            HELLO,
            "C: RCPT TO:<everybody@lists.example.org>\nS: 550 5.7.1 *\nC: RSET\nS: 250 *\n",
        ],
        "judge         recipient",
        expect![[r#"
            judge         recipient <everybody@lists.example.org> refused: 550 5.7.1 another server has the mailboxes of this domain
                          because recipient: what comes by LMTP is filed here or not taken
            end           the client gave the transaction up before its content
        "#]],
    );
}
