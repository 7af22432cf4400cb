//! As whom an account may send, and how much.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::abroad::eventually;
use crate::harness::{Client, Place, READ, TLS_NAME, default_and};

/// Submission as it is by default, and with this; and mail to read.
fn place(other: &str) -> Place {
    Place::start(&["ann", "bob", "eve"], &(default_and("submissions", other) + READ))
}

/// Bob, who has signed in.
fn bob(place: &Place, virtual_server: &str) -> Client {
    let mut client = place.secure_client(virtual_server, TLS_NAME);
    client.expect("EHLO client.example", "250");
    let credentials = STANDARD.encode("\0bob@here.example\0secret");
    client.expect(&format!("AUTH PLAIN {credentials}"), "235");
    client
}

fn letter(header: &str) -> String {
    format!("{header}Subject: x\r\n\r\nx\r\n")
}

const BOB: &str = "bob@here.example";
const ANN: &[&str] = &["ann@here.example"];

/// Bob sends, and is answered.
#[track_caller]
fn check(place: &Place, server: &str, from: &str, header: &str, expected: &str) {
    let reply = bob(place, server).send_message(from, ANN, &letter(header));
    assert!(reply.starts_with(expected), "{from}, {header:?}: {reply}");
}

#[test]
fn may_send_as() {
    let place = place("may-send-as = 'anyone'");
    let own = "From: Bob <bob@here.example>\r\n";
    for (from, header, expected) in [
        (BOB, own, "250"),
        ("", own, "250"),
        ("BOB@Here.example", "From: BOB@here.example\r\nSender: bob@here.example\r\n", "250"),
        ("eve@here.example", own, "550 5.7.1"),
        ("joe@elsewhere.example", own, "550 5.7.1"),
        (BOB, "From: Eve <eve@here.example>\r\n", "550 5.7.1"),
        (BOB, "From: joe@elsewhere.example\r\n", "550 5.7.1"),
        (BOB, "From: bob@here.example, eve@here.example\r\n", "550 5.7.1"),
        (BOB, "From: bob@here.example\r\nSender: eve@here.example\r\n", "550 5.7.1"),
        (BOB, "From: \"bob@here.example\" <eve@here.example>\r\n", "550 5.7.1"),
        (BOB, "From: nobody in particular\r\n", "550 5.7.1"),
    ] {
        check(&place, "default", from, header, expected);
        if expected != "250" {
            check(&place, "other", from, header, "250");
        }
    }
    place.command(&["alias", "add", "sales@here.example", BOB]);
    check(&place, "default", "sales@here.example", "From: sales@here.example\r\n", "250");
    place.command(&["account", "send-as", "add", BOB, "eve@here.example"]);
    place.command(&["account", "send-as", "add", BOB, "@partner.example"]);
    check(&place, "default", "eve@here.example", "From: Eve <eve@here.example>\r\n", "250");
    check(&place, "default", "news@partner.example", "From: news@partner.example\r\n", "250");
    check(&place, "default", BOB, "From: news@elsewhere.example\r\n", "550 5.7.1");
    place.command(&["account", "send-as", "remove", BOB, "eve@here.example"]);
    check(&place, "default", "eve@here.example", own, "550 5.7.1");
}

/// RFC 6409 §8.1: who wrote for another is named; who wrote by an alias of his own is not.
#[test]
fn sender_is_added_where_another_is_the_author() {
    let place = place("");
    place.command(&["alias", "add", "sales@here.example", BOB]);
    place.command(&["account", "send-as", "add", BOB, "eve@here.example"]);
    for header in ["From: eve@here.example\r\n", "From: sales@here.example\r\n", "From: bob@here.example\r\n"]
    {
        check(&place, "default", BOB, header, "250");
    }
    let seen = place.maildrop("read", "ann");
    let named: Vec<bool> = seen
        .iter()
        .map(|message| String::from_utf8_lossy(message).contains("\r\nSender: bob@here.example\r\n"))
        .collect();
    assert_eq!(named, [true, false, false]);
}

/// Bob names three recipients, and how the last is answered.
fn third(place: &Place, server: &str) -> String {
    let mut client = bob(place, server);
    client.expect("MAIL FROM:<bob@here.example>", "250");
    client.expect("RCPT TO:<ann@here.example>", "250");
    client.expect("RCPT TO:<eve@here.example>", "250");
    client.ask("RCPT TO:<bob@here.example>")
}

#[test]
fn sending_limits() {
    for limit in ["recipients-per-hour", "recipients-per-day", "new-recipients-per-day"] {
        let place = place(&format!("sending = {{ {limit} = 2 }}"));
        assert!(third(&place, "default").starts_with("250"), "{limit}");
        let reply = third(&place, "other");
        assert!(reply.starts_with("450 4.7.1"), "{limit}: {reply}");
        // What was taken counts for the next, and what was given up does not.
        check(&place, "other", BOB, "From: bob@here.example\r\n", "250");
        check(&place, "other", BOB, "From: bob@here.example\r\n", "250");
        let last = if limit.starts_with("new") { "250" } else { "450 4.7.1" };
        check(&place, "other", BOB, "From: bob@here.example\r\n", last);
    }
}

#[test]
fn sending_hold() {
    let place = place("sending = { hold-recipients = 1, hold-factor = 3 }");
    let mail = |account: &str| place.maildrop("read", account).len();
    let letter = letter("From: bob@here.example\r\n");
    let all = ["eve@here.example", "bob@here.example"];
    let reply = bob(&place, "other").send_message(BOB, &all, &letter);
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!((mail("eve"), mail("bob")), (0, 0), "it is accepted, and held");
    let told = eventually("postmaster is told", || place.maildrop("read", "ann").pop());
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(told.contains("waxseal account release bob@here.example"), "{told}");
    let status = place.command(&["status"]);
    assert!(status.contains("waxseal account release bob@here.example"), "{status}");
    let reply = bob(&place, "default").send_message(BOB, &["eve@here.example"], &letter);
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(mail("eve"), 0, "the account is held, by whichever way it sends");

    place.command(&["account", "release", BOB]);
    eventually("what was held arrives", || (mail("eve") == 2 && mail("bob") == 1).then_some(()));
    assert!(!place.command(&["status"]).contains("account release"));
    let reply = bob(&place, "default").send_message(BOB, &["eve@here.example"], &letter);
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(mail("eve"), 3, "by default nobody is held for three recipients");
    let reply = bob(&place, "other").send_message(BOB, &all, &letter);
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!((mail("eve"), mail("bob")), (4, 2), "what it was released for does not hold it again");
}
