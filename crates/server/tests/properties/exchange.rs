//! What a dialogue of SMTP is like: commands and keywords, errors that wait, what a connection may bring, back-pressure, and
//! peers that speak for others.

use std::time::{Duration, Instant};

use crate::abroad::eventually;
use crate::harness::{Client, Place};

/// A virtual server with its defaults and another one with these lines, whose clients may say where they come from.
fn both(top: &str, other: &str) -> Place {
    let server = |name: &str, lines: &str| {
        format!(
            "[[virtual-server]]\nname = \"{name}\"\nprotocol = \"smtp\"\nbind = \"127.0.0.1:0\"\n\
             authentication = [\"plain\"]\nproxy-protocol = [\"127.0.0.0/8\"]\n{lines}\n"
        )
    };
    Place::start(&["ann", "bob"], &format!("{top}\n{}{}", server("plain", ""), server("other", other)))
}

/// A client from abroad that has said EHLO, and the answer.
fn greeted(place: &Place, server: &str) -> (Client, String) {
    let mut client = place.client_from(server, "192.0.2.7");
    let hello = client.expect("EHLO client.example", "250");
    (client, hello)
}

const MESSAGE: &str = "From: joe@elsewhere.example\r\nSubject: x\r\n\r\nHello\r\n";

fn send(client: &mut Client) -> String {
    client.send_message("joe@elsewhere.example", &["ann@here.example"], MESSAGE)
}

#[test]
fn keywords() {
    let off = "keywords = { dsn = \"off\", chunking = \"off\", binarymime = \"off\", 8bitmime = \"off\", \
        pipelining = \"off\", size = \"off\", smtputf8 = \"off\", limits = \"off\" }";
    let place = both("", off);
    let words = ["DSN", "CHUNKING", "BINARYMIME", "8BITMIME", "PIPELINING", "SIZE", "SMTPUTF8", "LIMITS"];
    let (mut plain, hello) = greeted(&place, "plain");
    assert!(words.iter().all(|word| hello.contains(word)), "{hello}");
    let (mut other, hello) = greeted(&place, "other");
    assert!(!words.iter().any(|word| hello.contains(word)), "{hello}");
    for parameter in ["RET=HDRS", "BODY=8BITMIME", "SIZE=100", "SMTPUTF8", "BODY=BINARYMIME"] {
        let mail = format!("MAIL FROM:<joe@elsewhere.example> {parameter}");
        plain.expect(&mail, "250");
        plain.expect("RSET", "250");
        other.expect(&mail, "555 5.5.4");
    }
    other.expect("BDAT 0", "502 5.5.1");
    assert!(send(&mut other).starts_with("250"));
}

#[test]
fn commands() {
    let off = "commands = { vrfy = \"off\", expn = \"off\", help = \"off\", verb = \"off\", etrn = \"off\" }";
    let top = "trusted-networks = [\"192.0.2.0/24\"]\n[[remote-domain]]\ndomain = \"uu.example\"\n\
        hold-until-etrn = [\"192.0.2.0/24\"]";
    let place = both(top, off);
    let (mut plain, hello) = greeted(&place, "plain");
    assert!(["EXPN", "HELP", "ETRN"].iter().all(|word| hello.contains(word)), "{hello}");
    let (mut other, hello) = greeted(&place, "other");
    assert!(!["EXPN", "HELP", "ETRN"].iter().any(|word| hello.contains(word)), "{hello}");
    for (command, with, without) in
        [("HELP", "214", "502"), ("VERB", "250", "502"), ("ETRN uu.example", "251", "502")]
    {
        plain.expect(command, with);
        other.expect(command, without);
    }
    // RFC 5321 §7.3: off, and to strangers, it is 252.
    for command in ["VRFY ann@here.example", "EXPN ann@here.example"] {
        plain.expect(command, "252");
        other.expect(command, "252");
    }
    // VERB is for trusted networks alone.
    let mut stranger = place.client_from("plain", "198.51.100.1");
    stranger.expect("EHLO client.example", "250");
    stranger.expect("VERB", "502");
}

/// The harness names this machine's addresses; by default there are none.
#[test]
fn authentication_without_tls() {
    let place = both("", "");
    for (peer, is_taken) in [("127.0.0.1", true), ("192.0.2.7", false)] {
        let mut client = place.client_from("plain", peer);
        let hello = client.expect("EHLO client.example", "250");
        assert_eq!(hello.contains("AUTH PLAIN"), is_taken, "{peer}: {hello}");
        // base64 of "\0ann@here.example\0secret".
        let reply = client.ask("AUTH PLAIN AGFubkBoZXJlLmV4YW1wbGUAc2VjcmV0");
        assert_eq!(reply.starts_with("235"), is_taken, "{peer}: {reply}");
    }
}

#[test]
fn errors() {
    let place = both("", "errors = { slow = 2, limit = 4, tarpit = \"2 s\" }");
    let (mut plain, _) = greeted(&place, "plain");
    for _ in 0..5 {
        plain.expect("FOO", "500");
    }
    plain.expect("NOOP", "250");
    let (mut other, _) = greeted(&place, "other");
    other.expect("FOO", "500");
    #[expect(clippy::disallowed_methods, reason = "a client of the world has no other clock")]
    let before = Instant::now();
    other.expect("FOO", "500");
    assert!(before.elapsed() >= Duration::from_secs(2), "the reply did not wait");
    other.expect("FOO", "500");
    other.expect("FOO", "500");
    assert!(other.hear_reply().starts_with("421 4.7.0"), "the fourth error ends the connection");
    assert_eq!(other.hear_end(), "");
}

#[test]
fn sign_in_failures() {
    let place = both("sign-in = { delay = \"off\" }", "sign-in-failures = 2");
    // base64 of "\0ann@here.example\0wrong".
    let wrong = "AUTH PLAIN AGFubkBoZXJlLmV4YW1wbGUAd3Jvbmc=";
    let secured = |server: &str| {
        let (mut client, _) = greeted(&place, server);
        client.expect("STARTTLS", "220");
        let mut client = client.secure(crate::harness::TLS_NAME);
        client.expect("EHLO client.example", "250");
        client
    };
    let mut plain = secured("plain");
    plain.expect(wrong, "535");
    plain.expect(wrong, "535");
    plain.expect("NOOP", "250");
    let mut other = secured("other");
    other.expect(wrong, "535");
    other.expect(wrong, "421 4.7.0");
}

#[test]
fn session_size_limit() {
    let place = both("", "message-size-limit = \"64 KiB\"\nsession-size-limit = \"96 KiB\"");
    let large = format!("Subject: x\r\n\r\n{}", "0123456789abcdef0123456789abcd\r\n".repeat(1_900));
    let send =
        |client: &mut Client| client.send_message("joe@elsewhere.example", &["ann@here.example"], &large);
    let (mut plain, _) = greeted(&place, "plain");
    assert!(send(&mut plain).starts_with("250"));
    assert!(send(&mut plain).starts_with("250"));
    let (mut other, _) = greeted(&place, "other");
    assert!(send(&mut other).starts_with("250"));
    let reply = send(&mut other);
    assert!(reply.starts_with("421 4.7.0"), "{reply}");
}

#[test]
fn message_rate() {
    let place = both("", "message-rate = \"2 per h\"");
    let (mut plain, _) = greeted(&place, "plain");
    let (mut other, _) = greeted(&place, "other");
    for _ in 0..2 {
        assert!(send(&mut plain).starts_with("250"));
        assert!(send(&mut other).starts_with("250"));
    }
    assert!(send(&mut plain).starts_with("250"));
    assert!(send(&mut other).starts_with("450 4.7.1"), "the third within an hour");
    let mut from_elsewhere = place.client_from("other", "198.51.100.1");
    from_elsewhere.expect("EHLO client.example", "250");
    assert!(send(&mut from_elsewhere).starts_with("250"), "another source");
}

#[test]
fn back_pressure() {
    let place = both("", "");
    let (mut client, _) = greeted(&place, "plain");
    assert!(send(&mut client).starts_with("250"));
    let status = place.command(&["status"]);
    assert!(!status.contains("taken slowly") && !status.contains("No mail is taken"), "{status}");

    // A program that has more than a mebibyte of memory is always short of it.
    let place = both("back-pressure = { memory = [\"1 MiB\", \"2 MiB\"] }", "");
    let status = eventually("the pressure is seen", || {
        let status = place.command(&["status"]);
        status.contains("No mail is taken: memory").then_some(status)
    });
    assert!(status.contains("refusing above 2 MiB"), "{status}");
    let (mut client, _) = greeted(&place, "plain");
    let reply = send(&mut client);
    assert!(reply.starts_with("452 4.3.1"), "{reply}");
    let told = |line: &serde_json::Value| {
        line["fields"]["message"] == "no mail is taken, clients are told to come later"
    };
    assert!(place.logged().iter().any(told), "{}", place.log());
}

#[test]
fn back_pressure_slows_strangers() {
    let place = both(
        "back-pressure = { memory = [\"1 MiB\", \"1024 GiB\"] }\ntrusted-networks = [\"198.51.100.0/24\"]",
        "",
    );
    eventually("the pressure is seen", || {
        place.command(&["status"]).contains("taken slowly: memory").then_some(())
    });
    let took = |peer: &str| {
        let mut client = place.client_from("plain", peer);
        client.expect("EHLO client.example", "250");
        #[expect(clippy::disallowed_methods, reason = "a client of the world has no other clock")]
        let before = Instant::now();
        client.expect("MAIL FROM:<joe@elsewhere.example>", "250");
        before.elapsed()
    };
    assert!(took("192.0.2.7") >= Duration::from_millis(500), "a stranger waits");
    took("198.51.100.1");
}

#[test]
fn xclient() {
    let place = both(
        "trusted-networks = [\"203.0.113.0/24\"]",
        "xclient = [\"192.0.2.7\"]\nrelay = { allow = [\"198.51.100.9\"] }",
    );
    let (mut plain, hello) = greeted(&place, "plain");
    assert!(!hello.contains("XCLIENT"), "{hello}");
    plain.expect("XCLIENT ADDR=198.51.100.9", "500");

    let (mut other, hello) = greeted(&place, "other");
    assert!(hello.contains("XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"), "{hello}");
    other.expect("MAIL FROM:<joe@elsewhere.example>", "250");
    other.expect("RCPT TO:<someone@far.example>", "550 5.7.1");
    other.expect("XCLIENT ADDR=198.51.100.9", "503");
    other.expect("RSET", "250");
    other.expect("XCLIENT ADDR=198.51.100.9 PORT=4321 NAME=office.example", "220 mx.here.example");
    other.expect("EHLO office.example", "250");
    other.expect("MAIL FROM:<joe@elsewhere.example>", "250");
    // The client that is spoken for is in a network that may relay.
    other.expect("RCPT TO:<someone@far.example>", "250");
    other.expect("RSET", "250");
    assert!(send(&mut other).starts_with("250"));
    let told = place.command(&["trace", "joe@elsewhere.example"]);
    assert!(told.contains("from 198.51.100.9:4321 (office.example)"), "{told}");
    other.expect("XCLIENT LOGIN=nobody@here.example", "550");
    other.expect("XCLIENT LOGIN=ann@here.example", "220");
    other.expect("EHLO office.example", "250");
    other.expect("VRFY bob@here.example", "250");
}

#[test]
fn xforward() {
    let place = both("", "xforward = [\"192.0.2.7\"]\nrelay = { allow = [\"198.51.100.9\"] }");
    let (mut plain, hello) = greeted(&place, "plain");
    assert!(!hello.contains("XFORWARD"), "{hello}");
    plain.expect("XFORWARD ADDR=198.51.100.9", "500");

    let (mut other, hello) = greeted(&place, "other");
    assert!(hello.contains("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"), "{hello}");
    other.expect("XFORWARD ADDR=198.51.100.9 NAME=office.example IDENT=4aQ", "250");
    assert!(send(&mut other).starts_with("250"));
    let told = place.command(&["trace", "joe@elsewhere.example"]);
    assert!(told.contains("NAME=office.example ADDR=198.51.100.9 IDENT=4aQ"), "{told}");
    // It is told, and changes nothing.
    other.expect("XFORWARD ADDR=198.51.100.9", "250");
    other.expect("MAIL FROM:<joe@elsewhere.example>", "250");
    other.expect("RCPT TO:<someone@far.example>", "550 5.7.1");
}

#[test]
fn hold_until_etrn() {
    let held = "[[remote-domain]]\ndomain = \"uu.example\"\nhold-until-etrn = [\"192.0.2.7\"]";
    let place = both(held, "relay = { allow = [\"192.0.2.7\"] }");
    let (mut client, hello) = greeted(&place, "other");
    assert!(hello.contains("ETRN"), "{hello}");
    client.expect("ETRN uu.example", "251");
    let reply = client.send_message("joe@elsewhere.example", &["someone@uu.example"], MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
    client.expect("ETRN other.example", "459");
    client.expect("ETRN @uu.example", "459");
    client.expect("ETRN uu.example", "253");
    let mut stranger = place.client_from("other", "198.51.100.1");
    assert!(!stranger.expect("EHLO client.example", "250").contains("ETRN"));
    stranger.expect("ETRN uu.example", "502");
}

/// A message by swaks, with these arguments more: what it told of the dialogue.
fn swaks(place: &Place, server: &str, more: &[&str]) -> String {
    let port = place.port(server).to_string();
    let mut swaks = std::process::Command::new("swaks");
    swaks.args(["--server", "127.0.0.1", "--port", &port, "--helo", "office.example"]);
    swaks.args(["--from", "joe@elsewhere.example", "--to", "ann@here.example", "--header", "Subject: swaks"]);
    let output = swaks.args(more).output().expect("swaks is installed: apt-get install swaks");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn xclient_as_swaks_speaks_it() {
    let server = "[[virtual-server]]\nname = \"proxied\"\nprotocol = \"smtp\"\nbind = \"127.0.0.1:0\"\n";
    let place = Place::start(&["ann"], &format!("{server}xclient = [\"127.0.0.0/8\"]\n"));
    let client =
        ["--xclient-addr", "198.51.100.9", "--xclient-name", "spike.example", "--xclient-helo", "spike"];
    let told = swaks(&place, "proxied", &client);
    assert!(told.contains("-> XCLIENT ") && told.contains("<-  250 2.0.0 "), "{told}");
    let story = place.command(&["trace", "joe@elsewhere.example"]);
    assert!(story.contains("from 198.51.100.9:"), "{story}");

    let place = Place::start(&["ann"], server);
    let told = swaks(&place, "proxied", &client);
    assert!(!told.contains("XCLIENT NAME"), "it is offered to nobody: {told}");
    assert!(!told.contains("<-  250 2.0.0 "), "{told}");
}
