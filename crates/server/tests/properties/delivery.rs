//! Delivery: how mail leaves, by the virtual server that took it.

use std::collections::BTreeSet;

use testkit::dns::Zones;

use crate::abroad::{Abroad, eventually};
use crate::harness::{DOMAIN, Place, READ};
use crate::peer::{Gate, Peer, Script};

/// One virtual server with the defaults, and one with these delivery properties; both relay for this machine.
pub(crate) fn two_servers(delivery: &str, other: &str) -> String {
    format!(
        "[delivery]\n{delivery}\n\
         [[virtual-server]]\nname = \"plain\"\nprotocol = \"smtp\"\nbind = \"127.0.0.1:0\"\n\
         relay = {{ allow = [\"127.0.0.0/8\"] }}\n\
         [[virtual-server]]\nname = \"other\"\nprotocol = \"smtp\"\nbind = \"127.0.0.1:0\"\n\
         relay = {{ allow = [\"127.0.0.0/8\"] }}\n{other}\n"
    )
}

/// Sends one message through a virtual server.
pub(crate) fn send(place: &Place, server: &str, from: &str, to: &[&str], content: &str) {
    let mut client = place.client(server);
    client.expect("EHLO client.example", "250");
    client.expect(&format!("MAIL FROM:<{from}>"), "250");
    for to in to {
        client.expect(&format!("RCPT TO:<{to}>"), "250");
    }
    client.expect("DATA", "354");
    client.write(content.replace('\n', "\r\n").as_bytes());
    client.expect(".", "250");
    client.ask("QUIT");
}

pub(crate) const LETTER: &str = "From: ann@here.example\nTo: bob@there.example\nSubject: x\n\nhi\n";

/// A file with the password of who signs in at a peer.
pub(crate) fn secret() -> tempfile::NamedTempFile {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "telephone\n").unwrap();
    secret
}

/// Sends the same through both, and says what the peer has of each once both are there.
fn both(place: &Place, peer: &Peer) -> (crate::peer::Taken, crate::peer::Taken) {
    send(place, "plain", "plain@here.example", &["bob@there.example"], LETTER);
    send(place, "other", "other@here.example", &["bob@there.example"], LETTER);
    let with = |sender: &str| {
        eventually("the message arrives", || {
            peer.taken().into_iter().find(|taken| taken.content.contains("hi") && taken.from.contains(sender))
        })
    };
    (with("plain@"), with("other@"))
}

#[test]
fn smart_host() {
    let (one, two) = (Peer::start(Script::default()), Peer::start(Script::default()));
    let text = two_servers(
        &format!("smart-host = \"{}\"", one.address()),
        &format!("delivery = {{ smart-host = \"{}\" }}", two.address()),
    );
    let place = Place::start(&["ann"], &text);
    send(&place, "plain", "plain@here.example", &["bob@there.example"], LETTER);
    send(&place, "other", "other@here.example", &["bob@there.example"], LETTER);
    for (peer, sender) in [(&one, "plain@here.example"), (&two, "other@here.example")] {
        let taken = eventually("the message arrives", || peer.taken().into_iter().next());
        assert_eq!(taken.from, sender);
    }
    assert_eq!((one.taken().len(), two.taken().len()), (1, 1));
}

#[test]
fn smart_host_fails_over() {
    let two = Peer::start(Script::default());
    // Nobody listens on the first.
    let gone = Peer::start(Script::default()).address();
    for (hosts, arrives) in
        [(format!("[\"{gone}\", \"{}\"]", two.address()), true), (format!("\"{gone}\""), false)]
    {
        let place = Place::start(&["ann"], &two_servers(&format!("smart-host = {hosts}"), ""));
        let before = two.taken().len();
        send(&place, "plain", "ann@here.example", &["bob@there.example"], LETTER);
        eventually("an attempt was made", || {
            let tried = place.command(&["queue", "find"]).contains("retry");
            (tried || two.taken().len() > before).then_some(())
        });
        assert_eq!(two.taken().len() > before, arrives);
    }
}

#[test]
fn source_address() {
    let peer = Peer::start(Script::default());
    let text = two_servers(
        &format!("smart-host = \"{}\"", peer.address()),
        "delivery = { source-address = \"127.0.0.9\" }",
    );
    let (plain, other) = both(&Place::start(&["ann"], &text), &peer);
    assert_eq!(
        (plain.source.ip().to_string().as_str(), other.source.ip().to_string().as_str()),
        ("127.0.0.1", "127.0.0.9")
    );
}

#[test]
fn host_name_in_ehlo() {
    let peer = Peer::start(Script::default());
    let text = two_servers(&format!("smart-host = \"{}\"", peer.address()), "host-name = \"other.example\"");
    let (plain, other) = both(&Place::start(&["ann"], &text), &peer);
    assert_eq!((plain.hello.as_str(), other.hello.as_str()), ("EHLO mx.here.example", "EHLO other.example"));
}

#[test]
fn masquerade() {
    let peer = Peer::start(Script::default());
    let text = two_servers(
        &format!("smart-host = \"{}\"", peer.address()),
        "delivery = { masquerade = { domain = \"brand.example\", header = \"on\" } }",
    );
    let (plain, other) = both(&Place::start(&["ann"], &text), &peer);
    assert_eq!((plain.from.as_str(), other.from.as_str()), ("plain@here.example", "other@brand.example"));
    assert!(plain.content.contains("From: ann@here.example"), "{}", plain.content);
    assert!(other.content.contains("From: ann@brand.example"), "{}", other.content);
    assert!(other.content.contains("To: bob@there.example"), "{}", other.content);
}

#[test]
fn recipients_per_message() {
    let peer = Peer::start(Script::default());
    let text = two_servers(
        &format!("smart-host = \"{}\"", peer.address()),
        "delivery = { recipients-per-message = 2 }",
    );
    let place = Place::start(&["ann"], &text);
    let to = ["a@there.example", "b@there.example", "c@there.example"];
    for (server, expected) in [("plain", vec![3]), ("other", vec![2, 1])] {
        let before = peer.taken().len();
        send(&place, server, "ann@here.example", &to, LETTER);
        eventually("all have it", || {
            let taken = peer.taken();
            (taken[before..].iter().map(|taken| taken.to.len()).sum::<usize>() == 3).then_some(())
        });
        let counts: Vec<usize> = peer.taken()[before..].iter().map(|taken| taken.to.len()).collect();
        assert_eq!(counts, expected, "{server}");
    }
}

#[test]
fn messages_per_connection() {
    let peer = Peer::start(Script::default());
    for (messages, shared) in [("", true), ("connections = { messages = 1 }\n", false)] {
        let text = two_servers(&format!("{messages}smart-host = \"{}\"", peer.address()), "");
        let place = Place::start(&["ann"], &text);
        let before = peer.taken().len();
        for number in 0..20 {
            send(&place, "plain", "ann@here.example", &["bob@there.example"], LETTER);
            eventually("it arrives", || (peer.taken().len() > before + number).then_some(()));
        }
        let connections =
            peer.taken()[before..].iter().map(|taken| taken.connection).collect::<BTreeSet<_>>();
        // A connection waits some seconds for the next message, so that of so many in a row some share one.
        assert_eq!(connections.len() < 20, shared, "{connections:?}");
    }
}

/// A server, and next hops that keep what they are given until the test lets go.
struct Keepers {
    gate: Gate,
    peers: Vec<Peer>,
    /// It gets what is for other domains, and keeps nobody.
    free: Peer,
    place: Place,
}

impl Keepers {
    /// So many hosts, one after the other for `0.example`, `1.example` and so on, with so many of these domains; each
    /// defers its first recipients. `connections` begins `[delivery]`.
    fn start(connections: &str, domains: usize, hosts: usize, defer: usize) -> Self {
        let (gate, free) = (Gate::default(), Peer::start(Script::default()));
        let script = Script { defer, gate: Some(gate.clone()), ..Script::default() };
        let peers: Vec<Peer> = (0..hosts).map(|_| Peer::start(script.clone())).collect();
        let domains: String = (0..domains)
            .map(|domain| {
                let host = peers[domain % hosts].address();
                format!("[[remote-domain]]\ndomain = \"{domain}.example\"\nsmart-host = \"{host}\"\n")
            })
            .collect();
        let delivery = format!("{connections}smart-host = \"{}\"", free.address());
        let place = Place::start(&["ann"], &two_servers(&delivery, &domains));
        Self { gate, peers, free, place }
    }

    /// Sends a message to each of these domains.
    fn send(&self, domains: &[usize]) {
        for domain in domains {
            send(&self.place, "plain", "ann@here.example", &[&format!("bob@{domain}.example")], LETTER);
        }
    }

    /// Lets go one message after the other, of all that were sent; while enough are left, so many are there at once.
    fn let_go(&self, all: usize, at_once: usize) {
        for gone in 0..all {
            let waiting = at_once.min(all - gone);
            eventually("as many as may be there are", || {
                (self.gate.passed() == gone && self.gate.waiting() == waiting).then_some(())
            });
            self.gate.let_go(1);
        }
        eventually("all arrive", || {
            let taken: usize = self.peers.iter().map(|peer| peer.taken().len()).sum();
            (taken == all).then_some(())
        });
    }
}

#[test]
fn outbound_connections_limit() {
    let limited = Keepers::start("connections = { limit = 2 }\n", 4, 4, 0);
    let usual = Keepers::start("", 4, 4, 0);
    limited.send(&[0, 1, 2, 3]);
    usual.send(&[0, 1, 2, 3]);
    // By default all four are there at once; what the first server did until then counts as well.
    usual.let_go(4, 4);
    limited.let_go(4, 2);
    assert_eq!((limited.gate.most(), usual.gate.most()), (2, 4));
}

#[test]
fn outbound_connections_per_destination() {
    // Domains with the same host are one destination.
    let limited = Keepers::start("connections = { per-destination = 1 }\n", 2, 1, 0);
    let usual = Keepers::start("", 2, 1, 0);
    for keepers in [&limited, &usual] {
        keepers.send(&[0, 0, 1]);
        // Another destination has connections of its own.
        send(&keepers.place, "plain", "ann@here.example", &["bob@there.example"], LETTER);
        eventually("it arrives elsewhere", || keepers.free.taken().pop());
    }
    usual.let_go(3, 3);
    limited.let_go(3, 1);
    assert_eq!((limited.gate.most(), usual.gate.most()), (1, 3));
}

/// Half of the connections at the most are for those who seem not to answer, so that others find one free.
#[test]
fn outbound_connections_to_who_seems_not_to_answer() {
    for (connections, at_once) in [("connections = { limit = 2 }\n", 1), ("", 2)] {
        let keepers = Keepers::start(connections, 2, 2, 1);
        keepers.send(&[0, 1]);
        eventually("both were deferred", || {
            let waits = keepers.place.command(&["queue", "find", "--state", "retry"]);
            (waits.contains("bob@0.example") && waits.contains("bob@1.example")).then_some(())
        });
        keepers.place.command(&["queue", "retry", "--all"]);
        eventually("as many are tried as may be", || (keepers.gate.waiting() == at_once).then_some(()));
        send(&keepers.place, "plain", "ann@here.example", &["bob@there.example"], LETTER);
        eventually("it arrives meanwhile", || keepers.free.taken().pop());
        assert_eq!(keepers.gate.waiting(), at_once);
        keepers.let_go(2, at_once);
    }
}

#[test]
fn dkim() {
    let peer = Peer::start(Script::default());
    let text = two_servers(&format!("smart-host = \"{}\"", peer.address()), "delivery = { dkim = \"off\" }");
    let (plain, other) = both(&Place::start(&["ann"], &text), &peer);
    let signed = |content: &str| content.contains("DKIM-Signature:") && content.contains("d=here.example");
    assert!(signed(&plain.content), "{}", plain.content);
    assert!(!other.content.contains("DKIM-Signature:"), "{}", other.content);
}

#[test]
fn retry_intervals() {
    let peer = Peer::start(Script { defer: 2, ..Script::default() });
    let text = two_servers(
        &format!("smart-host = \"{}\"", peer.address()),
        "delivery = { retry = [\"1 s\", \"then every 1 s\"] }",
    );
    let place = Place::start(&["ann"], &text);
    send(&place, "plain", "plain@here.example", &["bob@there.example"], LETTER);
    eventually("it was deferred", || place.command(&["queue", "find"]).contains("retry").then_some(()));
    send(&place, "other", "other@here.example", &["bob@there.example"], LETTER);
    let taken = eventually("the other is tried again at once", || peer.taken().into_iter().next());
    assert_eq!(taken.from, "other@here.example");
    assert!(place.command(&["queue", "find", "--sender", "plain@"]).contains("retry"));
}

#[test]
fn expiration_and_copy_of_reports() {
    let peer = Peer::start(Script { defer: usize::MAX, ..Script::default() });
    let text = two_servers(
        &format!("smart-host = \"{}\"", peer.address()),
        "delivery = { retry = [\"1 s\", \"then every 1 s\"], expiration = \"2 s\", delay-notification = \"never\" }\n\
         reports = { copy-to = \"boss@here.example\" }",
    );
    let place = Place::start(&["ann", "bob", "boss"], &(text + READ));
    send(&place, "plain", "bob@here.example", &["x@there.example"], LETTER);
    send(&place, "other", "ann@here.example", &["x@there.example"], LETTER);
    let report = eventually("a report comes back", || place.maildrop("read", "ann").pop());
    assert!(String::from_utf8_lossy(&report).contains("x@there.example"));
    eventually("a copy of it is there", || place.maildrop("read", "boss").pop());
    // With the defaults it waits for days, and nobody is told.
    assert!(place.command(&["queue", "find", "--sender", "bob@"]).contains("there.example"));
    assert!(place.maildrop("read", "bob").is_empty());
}

#[test]
fn delay_notification() {
    let peer = Peer::start(Script { defer: usize::MAX, ..Script::default() });
    let text = two_servers(
        &format!("smart-host = \"{}\"", peer.address()),
        "delivery = { retry = [\"1 s\", \"then every 1 s\"], delay-notification = \"1 s\" }",
    );
    let place = Place::start(&["ann", "bob"], &(text + READ));
    send(&place, "plain", "bob@here.example", &["x@there.example"], LETTER);
    send(&place, "other", "ann@here.example", &["x@there.example"], LETTER);
    let told = eventually("the sender is told", || place.maildrop("read", "ann").pop());
    assert!(String::from_utf8_lossy(&told).contains("delayed"));
    assert!(place.maildrop("read", "bob").is_empty());
}

#[test]
fn outbound_authentication() {
    let peer = Peer::start(Script { auth: true, ..Script::default() });
    let text = two_servers(
        &format!("smart-host = \"{}\"", peer.address()),
        "delivery = { authentication = { user = \"us\", password-file = \"SECRET\" } }",
    );
    let secret = secret();
    let text = text.replace("SECRET", secret.path().to_str().unwrap());
    let (plain, other) = both(&Place::start(&["ann"], &text), &peer);
    assert!(!plain.signed_in && other.signed_in);
    assert_ne!(plain.connection, other.connection, "who signed in shares no connection with who did not");
}

#[test]
fn outbound_tls() {
    let peer = Peer::start(Script::default());
    let text = two_servers(
        &format!("smart-host = \"{}\"\ntls = \"offered\"", peer.address()),
        "delivery = { tls = \"required\" }",
    );
    let place = Place::start(&["ann"], &text);
    send(&place, "other", "other@here.example", &["bob@there.example"], LETTER);
    eventually("it waits", || place.command(&["queue", "find"]).contains("retry").then_some(()));
    send(&place, "plain", "plain@here.example", &["bob@there.example"], LETTER);
    let taken = eventually("clear text is enough for the other", || peer.taken().into_iter().next());
    assert_eq!((taken.from.as_str(), peer.taken().len()), ("plain@here.example", 1));
}

#[test]
fn direct_first() {
    let (direct, smart) = (Peer::start_at("127.0.0.5:0", Script::default()), Peer::start(Script::default()));
    let port = direct.address().port();
    let text = two_servers(
        &format!(
            "allow-private-exchangers = \"on\"\noutbound-port = {port}\nsmart-host = \"{}\"",
            smart.address()
        ),
        "delivery = { direct-first = \"on\" }",
    );
    let place = Place::start(&["ann"], &text);
    for (server, to, at) in [
        ("plain", "bob@[127.0.0.5]", &smart),
        ("other", "bob@[127.0.0.5]", &direct),
        // Nobody listens there.
        ("other", "bob@[127.0.0.6]", &smart),
    ] {
        let before = at.taken().len();
        send(&place, server, "ann@here.example", &[to], LETTER);
        let taken = eventually("it arrives", || at.taken().get(before).cloned());
        assert_eq!(taken.to, [to], "{server}");
    }
}

#[test]
fn outbound_idle_time_out() {
    let peer = Peer::start(Script { silent: true, ..Script::default() });
    let place = |connections: &str| {
        let text = two_servers(&format!("{connections}smart-host = \"{}\"", peer.address()), "");
        let place = Place::start(&["ann"], &text);
        send(&place, "plain", "ann@here.example", &["bob@there.example"], LETTER);
        place
    };
    let (usual, short) = (place(""), place("connections = { idle-time-out = \"1 s\" }\n"));
    eventually("it is given up for now", || {
        short.command(&["queue", "find", "--state", "retry"]).contains("there.example").then_some(())
    });
    assert!(usual.command(&["queue", "find", "--state", "retry"]).contains("Nothing"));
}

#[test]
fn outbound_port() {
    let peer = Peer::start_at("127.0.0.5:0", Script::default());
    for (port, arrives) in [(peer.address().port(), true), (1, false)] {
        let text = two_servers(&format!("allow-private-exchangers = \"on\"\noutbound-port = {port}"), "");
        let place = Place::start(&["ann"], &text);
        let before = peer.taken().len();
        send(&place, "plain", "ann@here.example", &["bob@[127.0.0.5]"], LETTER);
        eventually("it was tried", || {
            let waits = place.command(&["queue", "find", "--state", "retry"]).contains("bob@");
            (waits || peer.taken().len() > before).then_some(())
        });
        assert_eq!(peer.taken().len() > before, arrives, "{port}");
    }
}

/// Each virtual server may ask name servers of its own.
#[test]
fn resolvers() {
    let peer = Peer::start_at("127.0.0.5:0", Script::default());
    let there = |records: &str| Abroad::new(Zones::new().zone("there.example", records));
    // By the second, the domain takes no mail (RFC 7505).
    let (usual, own) = (there("@ MX 10 mx\nmx A 127.0.0.5"), there("@ MX 0 ."));
    let text = two_servers(
        &format!(
            "allow-private-exchangers = \"on\"\noutbound-port = {}\nresolvers = [\"{}\"]",
            peer.address().port(),
            usual.resolver()
        ),
        &format!("delivery = {{ resolvers = [\"{}\"] }}", own.resolver()),
    );
    let place = Place::start(&["ann"], &text);
    for (server, arrived) in [("other", 0), ("plain", 1)] {
        send(&place, server, "ann@here.example", &["bob@there.example"], LETTER);
        eventually("it is settled", || {
            place.command(&["queue", "list"]).contains("Nothing waits").then_some(())
        });
        assert_eq!(peer.taken().len(), arrived, "{server}");
    }
}

/// What waits is delivered by new settings without a restart.
#[test]
fn delivery_is_changed_while_it_runs() {
    let (one, two) =
        (Peer::start(Script { defer: usize::MAX, ..Script::default() }), Peer::start(Script::default()));
    let with = |peer: &Peer| two_servers(&format!("smart-host = \"{}\"", peer.address()), "");
    let place = Place::start(&["ann"], &with(&one));
    send(&place, "plain", &format!("ann@{DOMAIN}"), &["bob@there.example"], LETTER);
    eventually("it was deferred", || place.command(&["queue", "find"]).contains("retry").then_some(()));
    place.write_settings(&with(&two));
    eventually("it goes the new way", || {
        place.try_command(&["queue", "retry", "--all"], "");
        std::thread::yield_now();
        (!two.taken().is_empty()).then_some(())
    });
    assert!(one.taken().is_empty());
}
