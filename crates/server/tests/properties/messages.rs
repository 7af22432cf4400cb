//! What a virtual server takes: how large, how many, for whom.

use crate::abroad::eventually;
use crate::harness::{Client, Place, default_and};

const LETTER: &str = "From: joe@elsewhere.example\r\nSubject: x\r\n\r\nx\r\n";

/// A server with a virtual server `default`, and one that differs by this.
fn place(protocol: &str, other: &str) -> Place {
    Place::start(&["ann"], &default_and(protocol, other))
}

fn greeted(place: &Place, name: &str) -> (Client, String) {
    let mut client = place.client(name);
    let hello = client.ask("EHLO client.example");
    (client, hello)
}

#[test]
fn message_size_limit() {
    let place = place("smtp", "message-size-limit = '64 KiB'");
    let (mut default, hello) = greeted(&place, "default");
    assert!(hello.contains("SIZE 52428800"), "{hello}");
    default.expect("MAIL FROM:<joe@elsewhere.example> SIZE=100000", "250");
    default.expect("RSET", "250");

    let (mut other, hello) = greeted(&place, "other");
    assert!(hello.contains("SIZE 65536"), "{hello}");
    other.expect("MAIL FROM:<joe@elsewhere.example> SIZE=100000", "552 5.3.4");
    // Who does not say it is found out while the content arrives.
    let large = format!("{LETTER}{}", "0123456789\r\n".repeat(8_000));
    let reply = other.send_message("joe@elsewhere.example", &["ann@here.example"], &large);
    assert!(reply.starts_with("552"), "{reply}");
    let reply = default.send_message("joe@elsewhere.example", &["ann@here.example"], &large);
    assert!(reply.starts_with("250"), "{reply}");
}

#[test]
fn recipients_per_message() {
    let place = place("smtp", "recipients-per-message = 100");
    for (name, expected) in [("default", "250"), ("other", "452 4.5.3")] {
        let (mut client, _) = greeted(&place, name);
        client.expect("MAIL FROM:<joe@elsewhere.example>", "250");
        for _ in 0..100 {
            client.expect("RCPT TO:<ann@here.example>", "250");
        }
        client.expect("RCPT TO:<ann@here.example>", expected);
    }
}

#[test]
fn maximum_hop_count() {
    let place = place("smtp", "maximum-hop-count = 2");
    for (name, most) in [("default", 100), ("other", 2)] {
        let (mut client, _) = greeted(&place, name);
        for (hops, expected) in [(most, "250 "), (most + 1, "554 5.4.6")] {
            let received = "Received: by other.example; Sun, 22 Nov 2026 10:00:00 +0000\r\n".repeat(hops);
            let reply = client.send_message("", &["ann@here.example"], &format!("{received}{LETTER}"));
            assert!(reply.starts_with(expected), "{name}, {hops} hops: {reply}");
        }
    }
}

#[test]
fn messages_per_connection() {
    let place = place("smtp", "messages-per-connection = 2");
    for (name, expected) in [("default", "250"), ("other", "421")] {
        let (mut client, _) = greeted(&place, name);
        for _ in 0..2 {
            let reply = client.send_message("joe@elsewhere.example", &["ann@here.example"], LETTER);
            assert!(reply.starts_with("250"), "{reply}");
        }
        let reply = client.send_message("joe@elsewhere.example", &["ann@here.example"], LETTER);
        assert!(reply.starts_with(expected), "{name}: {reply}");
    }
}

#[test]
fn magic_recipients() {
    let place = place("smtp", "magic-recipients = 'on'");
    for (name, expected) in [("default", "550 5.1.1"), ("other", "4")] {
        let (mut client, _) = greeted(&place, name);
        client.expect("MAIL FROM:<joe@elsewhere.example>", "250");
        client.expect("RCPT TO:<deferred@here.example>", expected);
    }
}

#[test]
fn sign_in_interval() {
    let place = place("pop3", "sign-in-interval = '1 h'");
    for (name, may) in [("default", true), ("other", false)] {
        let mut first = place.client(name);
        first.expect("USER ann@here.example", "+OK");
        first.expect("PASS secret", "+OK");
        first.expect("QUIT", "+OK");
        // The first has gone when the maildrop is free again.
        let reply = eventually("the maildrop is free", || {
            let mut second = place.client(name);
            second.expect("USER ann@here.example", "+OK");
            Some(second.ask("PASS secret")).filter(|reply| !reply.contains("[IN-USE]"))
        });
        assert_eq!(reply.starts_with("+OK"), may, "{name}: {reply}");
        assert_eq!(reply.starts_with("-ERR [LOGIN-DELAY]"), !may, "{name}: {reply}");
    }
}
