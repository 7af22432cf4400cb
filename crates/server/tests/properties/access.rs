//! Who may connect, how many may, who may send to other domains, and what clients are told by the properties that their
//! network or the name that they ask for in TLS selects.

use std::process::Command;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use testkit::dns::Zones;
use tokio::runtime::Runtime;

use crate::abroad::eventually;
use crate::harness::{Client, DOMAIN, PASSWORD, Place};

/// In 192.0.2.0/29, with the name pc7.office.example.
const INSIDE: &str = "192.0.2.7";
/// Next to it, with a name that leads elsewhere.
const NEXT: &str = "192.0.2.8";
/// In another network, without a name.
const OUTSIDE: &str = "198.51.100.7";
/// In the /24 of [`INSIDE`].
const SAME_NETWORK: &str = "192.0.2.200";

/// A virtual server of this name and protocol, with more properties, whose clients are presented by a proxy.
fn server(name: &str, protocol: &str, more: &str) -> String {
    format!(
        "\n[[virtual-server]]\nname = \"{name}\"\nprotocol = \"{protocol}\"\nbind = \"127.0.0.1:0\"\n\
         proxy-protocol = [\"127.0.0.0/8\"]\n{more}\n"
    )
}

/// What a client from this address hears first.
fn greeting(place: &Place, server: &str, peer: &str) -> String {
    place.client_from(server, peer).banner().to_owned()
}

#[track_caller]
fn greets(place: &Place, server: &str, peer: &str, expected: &str) {
    let heard = greeting(place, server, peer);
    assert!(heard.starts_with(expected), "{peer} at {server}: {heard}");
}

#[test]
fn connection_control() {
    let place = Place::start(
        &[],
        &[
            server("all", "smtp", ""),
            server("only", "smtp", "connection-control = { only = [\"192.0.2.0/29\"] }"),
            server("except", "smtp", "connection-control = { except = [\"192.0.2.0/29\"] }"),
            server("one", "smtp", "connection-control = { only = [\"192.0.2.7\"] }"),
            server("maildrops", "pop3", "connection-control = { only = [\"192.0.2.7\"] }"),
            server("mailboxes", "imap", "connection-control = { only = [\"192.0.2.7\"] }"),
        ]
        .concat(),
    );
    for (server, peer, expected) in [
        ("all", INSIDE, "220 "),
        ("all", OUTSIDE, "220 "),
        ("only", INSIDE, "220 "),
        ("only", OUTSIDE, "554 5.7.1 "),
        ("except", INSIDE, "554 5.7.1 "),
        ("except", OUTSIDE, "220 "),
        ("one", INSIDE, "220 "),
        ("one", "192.0.2.6", "554 5.7.1 "),
        ("maildrops", INSIDE, "+OK "),
        ("maildrops", OUTSIDE, "-ERR [SYS/PERM] "),
        ("mailboxes", INSIDE, "* OK "),
        ("mailboxes", OUTSIDE, "* BYE [NOPERM] "),
    ] {
        greets(&place, server, peer, expected);
    }
    // RFC 5321 §3.1: the server then waits for QUIT.
    let mut refused = place.client_from("only", OUTSIDE);
    refused.expect("EHLO client.example", "503 ");
    refused.expect("QUIT", "221 ");
    assert_eq!(refused.hear_end(), "");
}

/// Names of [`INSIDE`] and [`NEXT`], of which only the first is confirmed; the settings that ask for them there.
fn names(runtime: &Runtime) -> (testkit::dns::Dns, String) {
    let zones = Zones::new()
        .zone("2.0.192.in-addr.arpa", "7 PTR pc7.office.example.\n8 PTR pc7.office.example.")
        .zone("100.51.198.in-addr.arpa", "1 PTR elsewhere.example.")
        .zone("office.example", "pc7 A 192.0.2.7");
    let dns = runtime.block_on(zones.serve());
    let settings = format!("[delivery]\nresolvers = [\"{}\"]\n", dns.address());
    (dns, settings)
}

#[test]
fn connection_control_by_name() {
    let runtime = Runtime::new().unwrap();
    let (_dns, resolvers) = names(&runtime);
    let place = Place::start(
        &[],
        &[
            resolvers,
            server("only", "smtp", "connection-control = { only = [\"*.office.example\"] }"),
            server("except", "smtp", "connection-control = { except = [\"*.office.example\"] }"),
        ]
        .concat(),
    );
    for (server, peer, expected) in [
        ("only", INSIDE, "220 "),
        ("only", NEXT, "554 "),
        ("only", OUTSIDE, "554 "),
        ("except", INSIDE, "554 "),
        ("except", NEXT, "220 "),
        ("except", OUTSIDE, "220 "),
    ] {
        greets(&place, server, peer, expected);
    }
}

/// Signed in, so that it makes no room for others.
fn reader(place: &Place, server: &str, peer: &str) -> Client {
    let mut client = place.client_from(server, peer);
    client.expect("a STARTTLS", "a OK");
    let mut client = client.secure(crate::harness::TLS_NAME);
    client.expect(&format!("b LOGIN ann@{DOMAIN} {PASSWORD}"), "b OK");
    client
}

#[test]
fn connections_limit() {
    let place = Place::start(
        &["ann"],
        &[server("usual", "imap", ""), server("small", "imap", "connections = { limit = 2 }")].concat(),
    );
    for (server, expected) in [("usual", "* OK "), ("small", "* BYE [UNAVAILABLE] ")] {
        let _readers = [reader(&place, server, INSIDE), reader(&place, server, OUTSIDE)];
        greets(&place, server, "203.0.113.1", expected);
    }
}

#[test]
fn connections_limit_makes_the_oldest_idle_leave() {
    let place = Place::start(&[], &server("small", "smtp", "connections = { limit = 2 }"));
    let mut oldest = place.client_from("small", INSIDE);
    let _second = place.client_from("small", OUTSIDE);
    let _third = eventually("somebody makes room", || {
        let client = place.client_from("small", "203.0.113.1");
        client.banner().starts_with("220 ").then_some(client)
    });
    let told = oldest.hear_end();
    assert!(told.starts_with("421 "), "{told}");
}

#[test]
fn connections_per_source() {
    let place = Place::start(
        &[],
        &[
            "trusted-networks = [\"203.0.113.0/24\"]\n".to_owned(),
            server("usual", "smtp", ""),
            server("small", "smtp", "connections = { per-source = 1 }"),
        ]
        .concat(),
    );
    for (server, expected) in [("usual", "220 "), ("small", "421 4.7.0 ")] {
        let first = place.client_from(server, INSIDE);
        assert!(first.banner().starts_with("220 "), "{}", first.banner());
        let second = greeting(&place, server, INSIDE);
        assert!(second.starts_with(expected), "{server}: {second}");
        assert!(greeting(&place, server, SAME_NETWORK).starts_with("220 "), "another source of its network");
    }
    let trusted = [(); 2].map(|()| place.client_from("small", "203.0.113.1"));
    assert!(
        trusted.iter().all(|client| client.banner().starts_with("220 ")),
        "who is trusted has no such limit"
    );
}

#[test]
fn connections_per_network() {
    let limit = "connections = { per-network = 1 }";
    let place = Place::start(&[], &[server("usual", "smtp", ""), server("small", "smtp", limit)].concat());
    for (server, expected) in [("usual", "220 "), ("small", "421 4.7.0 ")] {
        for (first, second, other) in
            [(INSIDE, SAME_NETWORK, OUTSIDE), ("2001:db8::1", "2001:db8:0:ff::1", "2001:db8:0:100::1")]
        {
            let _first = place.client_from(server, first);
            greets(&place, server, second, expected);
            assert!(greeting(&place, server, other).starts_with("220 "), "another network");
        }
    }
}

#[test]
fn connections_rate() {
    let limit = "connections = { rate = \"2 per day\" }";
    let place = Place::start(&[], &[server("usual", "smtp", ""), server("seldom", "smtp", limit)].concat());
    for (server, expected) in [("usual", "220 "), ("seldom", "421 4.7.0 ")] {
        for _ in 0..2 {
            assert!(greeting(&place, server, INSIDE).starts_with("220 "), "{server}");
        }
        greets(&place, server, INSIDE, expected);
        assert!(greeting(&place, server, SAME_NETWORK).starts_with("220 "), "another source");
    }
}

/// The reply to a recipient in another domain.
fn elsewhere(client: &mut Client) -> String {
    client.expect("EHLO client.example", "250");
    client.expect("MAIL FROM:<joe@remote.example>", "250");
    client.ask("RCPT TO:<eve@elsewhere.example>")
}

#[test]
fn relay() {
    let place = Place::start(
        &[],
        &[
            server("nobody", "smtp", ""),
            server("only", "smtp", "relay = { allow = [\"192.0.2.0/29\"] }"),
            server("except", "smtp", "relay = { except = [\"192.0.2.0/29\"], open = \"on\" }"),
        ]
        .concat(),
    );
    for (server, peer, expected) in [
        ("nobody", INSIDE, "550 5.7.1 "),
        ("nobody", OUTSIDE, "550 5.7.1 "),
        ("only", INSIDE, "250 "),
        ("only", OUTSIDE, "550 5.7.1 "),
        ("except", INSIDE, "550 5.7.1 "),
        ("except", OUTSIDE, "250 "),
    ] {
        let heard = elsewhere(&mut place.client_from(server, peer));
        assert!(heard.starts_with(expected), "{peer} at {server}: {heard}");
    }
}

/// What nmap's script finds: it tries sixteen disguises of a recipient elsewhere.
fn nmap(port: u16) -> String {
    let mut nmap = Command::new("nmap");
    // `+`: also on a port that is not SMTP's.
    nmap.args([
        "--unprivileged",
        "-n",
        "-Pn",
        "-sT",
        "--script",
        "+smtp-open-relay",
        "-p",
        &port.to_string(),
    ]);
    let output = nmap.arg("127.0.0.1").output().expect("nmap is there; `cargo xtask setup` installs it");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn relay_as_nmap_sees_it() {
    let server = |name: &str, relay: &str| {
        format!(
            "[[virtual-server]]\nname = \"{name}\"\nprotocol = \"smtp\"\nbind = \"127.0.0.1:0\"\n{relay}\n"
        )
    };
    let settings = [
        server("closed", ""),
        server("for-others", "relay = { allow = [\"192.0.2.0/24\"] }"),
        server("open", "relay = { allow = [\"0.0.0.0/0\", \"::/0\"], open = \"on\" }"),
    ]
    .concat();
    let place = Place::start(&["ann"], &settings);
    for closed in ["closed", "for-others"] {
        let found = nmap(place.port(closed));
        assert!(
            found.contains("Server doesn't seem to be an open relay, all tests failed"),
            "{closed}: {found}"
        );
    }
    let found = nmap(place.port("open"));
    assert!(found.contains("Server is an open relay ("), "{found}");
}

#[test]
fn relay_authenticated() {
    let signs_in = "authentication = [\"plain\"]\nmay-send-as = \"anyone\"\n";
    let place = Place::start(
        &["ann"],
        &[
            server("off", "smtp", signs_in),
            server("on", "smtp", &format!("{signs_in}relay = {{ authenticated = \"on\" }}")),
        ]
        .concat(),
    );
    for (server, expected) in [("off", "550 5.7.1 "), ("on", "250 ")] {
        let mut client = place.client_from(server, OUTSIDE);
        client.expect("EHLO client.example", "250");
        client.expect("STARTTLS", "220");
        let mut client = client.secure(crate::harness::TLS_NAME);
        let stranger = elsewhere(&mut client);
        assert!(stranger.starts_with("550 "), "{stranger}");
        client.expect("RSET", "250");
        let token = base64(&format!("\0ann@{DOMAIN}\0{PASSWORD}"));
        client.expect(&format!("AUTH PLAIN {token}"), "235");
        let heard = elsewhere(&mut client);
        assert!(heard.starts_with(expected), "{server}: {heard}");
    }
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn reverse_lookup() {
    let runtime = Runtime::new().unwrap();
    let (_dns, resolvers) = names(&runtime);
    let place = Place::start(
        &["ann", "bob", "cleo"],
        &[
            resolvers,
            server("on", "smtp", ""),
            server("off", "smtp", "reverse-lookup = \"off\""),
            "\n[[virtual-server]]\nname = \"maildrops\"\nprotocol = \"pop3\"\nbind = \"127.0.0.1:0\"\n"
                .into(),
        ]
        .concat(),
    );
    let received = |server: &str, peer: &str, account: &str| {
        let before = place.maildrop("maildrops", account).len();
        let mut client = place.client_from(server, peer);
        client.expect("EHLO client.example", "250");
        let kept = client.send_message(
            "joe@elsewhere.example",
            &[&format!("{account}@{DOMAIN}")],
            "Subject: x\r\n\r\nx\r\n",
        );
        assert!(kept.starts_with("250 "), "{kept}");
        let messages = place.maildrop("maildrops", account);
        let message = String::from_utf8_lossy(&messages[before]).into_owned();
        message.lines().find(|line| line.starts_with("Received: from")).expect("it came somehow").to_owned()
    };
    // The session does not wait for the name: it is there in time when it is.
    let line = eventually("the name of the client is found", || {
        let line = received("on", INSIDE, "ann");
        line.contains("pc7").then_some(line)
    });
    assert_eq!(line, "Received: from client.example (pc7.office.example [192.0.2.7])");
    assert_eq!(received("on", NEXT, "bob"), "Received: from client.example ([192.0.2.8])", "claimed only");
    assert_eq!(received("off", INSIDE, "cleo"), "Received: from client.example ([192.0.2.7])");
}

#[test]
fn greeting_delay() {
    let place = Place::start(
        &[],
        &[
            server("none", "smtp", ""),
            server("short", "smtp", "greeting-delay = \"1 s\""),
            server("long", "smtp", "greeting-delay = \"1 min\""),
            server("mailboxes", "imap", "greeting-delay = \"1 min\""),
        ]
        .concat(),
    );
    let talks_first = |server: &str, line: &str| {
        let mut client = place.connect_from(server, INSIDE);
        client.write(line.as_bytes());
        client.hear_reply()
    };
    assert!(talks_first("none", "EHLO client.example\r\n").starts_with("220 "));
    let refused = talks_first("long", "EHLO client.example\r\n");
    assert!(refused.starts_with("554 5.5.1 "), "{refused}");
    let refused = talks_first("mailboxes", "a NOOP\r\n");
    assert!(refused.starts_with("* BYE "), "{refused}");
    assert!(greeting(&place, "short", INSIDE).starts_with("220 "), "who waits is greeted");
}

#[test]
fn proxy_protocol() {
    let direct = "\n[[virtual-server]]\nname = \"direct\"\nprotocol = \"smtp\"\nbind = \"127.0.0.1:0\"\n\
        relay = { allow = [\"192.0.2.0/29\"] }\n";
    let place = Place::start(
        &[],
        &[server("proxied", "smtp", "relay = { allow = [\"192.0.2.0/29\"] }"), direct.into()].concat(),
    );
    // Who is listed must say for whom it speaks, and is believed.
    let mut silent = place.connect("proxied");
    silent.write(b"EHLO client.example\r\n");
    assert_eq!(silent.hear_end(), "", "closed without a word");
    assert!(elsewhere(&mut place.client_from("proxied", INSIDE)).starts_with("250 "));
    assert!(elsewhere(&mut place.client_from("proxied", OUTSIDE)).starts_with("550 "));
    let mut binary = place.connect("proxied");
    binary.write(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xC0\0\x02\x07\xC0\0\x02\x01\x9C\x40\0\x19");
    assert!(elsewhere(&mut binary.greeted()).starts_with("250 "));

    // To who is not, the header is a command that does not exist.
    let mut unlisted = place.connect_from("direct", INSIDE).greeted();
    let heard = unlisted.hear_reply();
    assert!(heard.starts_with("500 "), "{heard}");
    assert!(elsewhere(&mut unlisted).starts_with("550 "), "its own address counts");
}

/// A client that gives a wrong password over IMAP.
fn guess(place: &Place, server: &str, peer: &str) {
    let mut client = place.client_from(server, peer);
    client.expect("a STARTTLS", "a OK");
    let mut client = client.secure(crate::harness::TLS_NAME);
    client.expect(&format!("b LOGIN ann@{DOMAIN} wrong"), "b NO");
}

/// A proxy before us speaks for many: what one of them does is neither its fault nor that of the others.
#[test]
fn proxy_protocol_never_gets_the_proxy_banned_or_limited() {
    let settings = "sign-in = { failures = 2, delay = \"0 s\" }\n";
    let place = Place::start(
        &["ann"],
        &[
            settings.to_owned(),
            server("mailboxes", "imap", ""),
            server("limited", "imap", "connections = { per-source = 1, per-network = 1 }"),
        ]
        .concat(),
    );
    guess(&place, "mailboxes", OUTSIDE);
    guess(&place, "mailboxes", OUTSIDE);
    let banned = eventually("the network is banned", || {
        let heard = greeting(&place, "mailboxes", OUTSIDE);
        (!heard.starts_with("* OK")).then_some(heard)
    });
    assert!(banned.starts_with("* BYE [UNAVAILABLE] "), "{banned}");
    let _others = [reader(&place, "mailboxes", INSIDE), reader(&place, "limited", INSIDE)];
    let own: Vec<_> = (0..3)
        .map(|_| {
            let mut proxy = place.connect("limited");
            proxy.write(b"PROXY UNKNOWN\r\n");
            let proxy = proxy.greeted();
            assert!(proxy.banner().starts_with("* OK "), "{}", proxy.banner());
            proxy
        })
        .collect();
    drop(own);
}

/// The SIZE that EHLO offers.
fn size(client: &mut Client) -> String {
    let hello = client.ask("EHLO client.example");
    let line = hello.lines().find(|line| line[4..].starts_with("SIZE ")).expect("SIZE is offered");
    line[9..].trim_end().to_owned()
}

#[test]
fn when_client() {
    let when = "message-size-limit = \"2 MiB\"\nwhen = [\n    \
        { client = \"192.0.2.0/24\", message-size-limit = \"3 MiB\" },\n    \
        { client = \"192.0.2.7\", message-size-limit = \"4 MiB\", relay = { allow = [\"192.0.2.7\"] } },\n    \
        { client = \"192.0.2.66\", connection-control = { only = [\"203.0.113.1\"] } },\n]\n";
    let place = Place::start(&[], &[server("usual", "smtp", ""), server("chosen", "smtp", when)].concat());
    for (server, peer, mebibytes) in [
        ("usual", INSIDE, 50),
        ("usual", OUTSIDE, 50),
        ("chosen", INSIDE, 4),
        ("chosen", SAME_NETWORK, 3),
        ("chosen", OUTSIDE, 2),
    ] {
        let mut client = place.client_from(server, peer);
        assert_eq!(size(&mut client), (mebibytes << 20).to_string(), "{peer} at {server}");
    }
    assert!(elsewhere(&mut place.client_from("chosen", INSIDE)).starts_with("250 "));
    assert!(elsewhere(&mut place.client_from("chosen", NEXT)).starts_with("550 "));
    assert!(greeting(&place, "chosen", "192.0.2.66").starts_with("554 "));
}

#[test]
fn when_server_name() {
    let when = "when = [{ server-name = \"*.big.example\", message-size-limit = \"4 MiB\", \
                host-name = \"mx.big.example\" }]\n";
    let place = Place::start(
        &[],
        &[
            server("mail", "smtp", when),
            server("secure", "submissions", when),
            server("maildrops", "pop3s", when),
        ]
        .concat(),
    );
    let anyone = Arc::new(
        ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone))
            .with_no_client_auth(),
    );
    for (name, mebibytes, host) in
        [("mx.big.example", 4, "mx.big.example"), ("mx.small.example", 50, crate::harness::HOST_NAME)]
    {
        // STARTTLS: what held before is forgotten.
        let mut client = place.client_from("mail", INSIDE).trusting(anyone.clone());
        assert_eq!(size(&mut client), (50 << 20).to_string());
        client.expect("STARTTLS", "220");
        let mut client = client.secure(name);
        assert_eq!(size(&mut client), (mebibytes << 20).to_string(), "{name}");
        // Implicit TLS: the name is known before the greeting.
        let client = place.connect_from("secure", INSIDE).trusting(anyone.clone()).secure(name);
        let mut client = client.greeted();
        assert_eq!(client.banner().split_whitespace().nth(1), Some(host), "{name}: {}", client.banner());
        assert_eq!(size(&mut client), (mebibytes << 20).to_string(), "{name}");
        let client = place.connect_from("maildrops", INSIDE).trusting(anyone.clone()).secure(name).greeted();
        assert_eq!(client.banner().split_whitespace().nth(1), Some(host), "{name}: {}", client.banner());
    }
}

/// Believes every certificate: the name that is asked for is looked at here, not the one that is shown.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
