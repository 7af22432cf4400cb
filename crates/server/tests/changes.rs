//! Settings changed 500 times under load: each effect is seen from outside, no connection is dropped that should stay, and no
//! message is lost. Run alone: `cargo xtask ci durable`.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(clippy::disallowed_methods, reason = "this looks at a program from outside, in real time")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the figures and what went wrong are for people"
)]

#[path = "abroad/mod.rs"]
mod abroad;
#[path = "properties/harness.rs"]
mod harness;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use admin::{Request, Response};

use harness::{Client, Place, TLS_NAME};

const CHANGES: u32 = 500;
const SENDERS: u32 = 3;
const ACCOUNTS: [&str; 2] = ["ann", "bob"];

/// What the settings say at one moment; each change makes one thing of it another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    /// The last octet of the second address of `internet`: another port each time.
    address: u32,
    /// Which of two certificates is shown.
    certificate: u32,
    /// In KiB.
    size_limit: u32,
    /// Whether this machine may relay.
    relays: bool,
}

impl Wanted {
    /// After this many changes.
    fn after(change: u32) -> Self {
        // Ports, certificates, limits and relay lists in turn.
        let turns = |kind: u32| (change + 3 - kind) / 4;
        Self {
            address: 2 + turns(0) % 200,
            certificate: turns(1) % 2,
            size_limit: 1000 + turns(2),
            relays: turns(3) % 2 == 1,
        }
    }

    fn settings(self, place: &std::path::Path) -> String {
        let Self { address, certificate, size_limit, relays } = self;
        let file = |end: &str| place.join(format!("data/{certificate}.{end}"));
        let allow = if relays { "\"127.0.0.0/8\"" } else { "" };
        format!(
            "tls.certificates = [{{ certificate = {:?}, key = {:?} }}]\n\
             [defaults]\nconnections = {{ limit = 500, per-source = 500 }}\nmessages-per-connection = 100000\n\
             [[virtual-server]]\nname = \"internet\"\nprotocol = \"smtp\"\n\
             bind = [\"127.0.0.1:0\", \"127.0.0.{address}:0\"]\n\
             message-size-limit = \"{size_limit} KiB\"\nrelay = {{ allow = [{allow}] }}\n\
             [[virtual-server]]\nname = \"mailboxes\"\nprotocol = \"imap\"\nbind = \"127.0.0.1:0\"\n\
             [[virtual-server]]\nname = \"maildrops\"\nprotocol = \"pop3\"\nbind = \"127.0.0.1:0\"\n",
            file("pem"),
            file("key"),
        )
    }
}

/// What goes on meanwhile.
struct Load<'a> {
    place: &'a Place,
    over: AtomicBool,
    next: AtomicU32,
    dropped: AtomicU32,
}

impl Load<'_> {
    /// Sends over one connection until the end; says which messages were acknowledged.
    fn send(&self) -> BTreeSet<u32> {
        let mut acknowledged = BTreeSet::new();
        let mut client = self.place.client("internet");
        client.expect("EHLO sender.example", "250");
        while !self.over.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let to = format!("{}@here.example", ACCOUNTS[(number % 2) as usize]);
            let content = format!("Subject: under load\r\nX-Number: {number};\r\n\r\nx\r\n");
            let reply = client.send_message("joe@elsewhere.example", &[&to], &content);
            if reply.starts_with("250 ") {
                acknowledged.insert(number);
            } else {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                eprintln!("message {number} was answered {reply:?}");
                return acknowledged;
            }
        }
        client.expect("QUIT", "221");
        acknowledged
    }

    /// Reads over one connection until the end.
    fn read(&self) {
        let mut client = self.place.client("mailboxes");
        client.expect("a LOGIN ann@here.example secret", "a OK");
        client.expect("b SELECT INBOX", "b OK");
        while !self.over.load(Ordering::Relaxed) {
            let reply = client.ask("c NOOP");
            if !reply.contains("c OK") {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                eprintln!("NOOP was answered {reply:?}");
                return;
            }
            // A mail program asks now and then; the machine has other work to do.
            thread::sleep(std::time::Duration::from_millis(20));
        }
        client.expect("d LOGOUT", "d OK");
    }
}

fn certify(directory: &std::path::Path) {
    for number in 0..2 {
        let made = server::certificate::make(&[TLS_NAME.to_owned()], &[]).unwrap();
        std::fs::write(directory.join(format!("data/{number}.pem")), made.chain).unwrap();
        std::fs::write(directory.join(format!("data/{number}.key")), made.key).unwrap();
        std::fs::write(directory.join(format!("data/{number}.ca")), made.authority).unwrap();
    }
}

/// Where `internet` listens now.
fn addresses(place: &Place) -> Vec<SocketAddr> {
    let Response::VirtualServers { virtual_servers } = place.ask(&Request::VirtualServerList) else {
        panic!("no list of virtual servers")
    };
    let row = virtual_servers.into_iter().find(|row| row.name == "internet").unwrap();
    row.bindings.iter().map(|binding| binding.parse().unwrap()).collect()
}

/// Sees from outside what the last change did; `before` is where the second binding was.
fn look(place: &Place, wanted: Wanted, before: SocketAddr) -> SocketAddr {
    let second = addresses(place)[1];
    assert_eq!(second.ip().to_string(), format!("127.0.0.{}", wanted.address));
    assert!(TcpStream::connect(second).is_ok(), "{second} does not listen");
    assert!(second == before || TcpStream::connect(before).is_err(), "{before} still listens");

    let mut client = place.client("internet");
    let hello = client.ask("EHLO looker.example");
    assert!(hello.contains(&format!("SIZE {}\r\n", wanted.size_limit * 1024)), "{wanted:?}: {hello}");
    client.expect("MAIL FROM:<joe@elsewhere.example>", "250");
    let reply = client.ask("RCPT TO:<joe@elsewhere.example>");
    assert_eq!(reply.starts_with("250 "), wanted.relays, "{wanted:?}: {reply}");
    client.expect("RSET", "250");
    client.expect("STARTTLS", "220");
    let _secure: Client = client.trusting(trust(place, wanted.certificate)).secure(TLS_NAME);
    second
}

/// Believes one of the two authorities alone.
fn trust(place: &Place, number: u32) -> std::sync::Arc<rustls::ClientConfig> {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    let authority = place.data().join(format!("{number}.ca"));
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    std::sync::Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// The numbers of the messages in a maildrop.
fn received(place: &Place, account: &str) -> Vec<u32> {
    let number = |message: Vec<u8>| {
        let text = String::from_utf8_lossy(&message).into_owned();
        text.split("X-Number: ").nth(1).and_then(|rest| rest.split(';').next()?.parse().ok()).unwrap()
    };
    place.maildrop("maildrops", account).into_iter().map(number).collect()
}

#[test]
#[ignore = "loads every core; `cargo xtask ci durable` runs it"]
fn settings_change_500_times_under_load() {
    let began = Instant::now();
    let place = Place::start_with_revisions_of(&ACCOUNTS, |directory| {
        certify(directory);
        Wanted::after(0).settings(directory)
    });
    let load = Load {
        place: &place,
        over: AtomicBool::new(false),
        next: AtomicU32::new(0),
        dropped: AtomicU32::new(0),
    };
    let mut acknowledged = BTreeSet::new();
    thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(|| load.send())).collect();
        let reader = scope.spawn(|| load.read());
        let changed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut second = addresses(&place)[1];
            for change in 1..=CHANGES {
                let wanted = Wanted::after(change);
                let response = place.apply(&wanted.settings(&place.beside("")));
                assert!(matches!(response, Response::Done { .. }), "change {change}: {response:?}");
                second = look(&place, wanted, second);
            }
        }));
        load.over.store(true, Ordering::Relaxed);
        for sender in senders {
            acknowledged.extend(sender.join().unwrap());
        }
        reader.join().unwrap();
        if let Err(panic) = changed {
            std::panic::resume_unwind(panic);
        }
    });
    assert_eq!(load.dropped.load(Ordering::Relaxed), 0, "a connection was dropped");
    let all: Vec<u32> = ACCOUNTS.iter().flat_map(|account| received(&place, account)).collect();
    let found: BTreeSet<u32> = all.iter().copied().collect();
    assert_eq!(found.len(), all.len(), "a message arrived twice");
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    println!(
        "{CHANGES} changes in {} s, {} messages acknowledged over {SENDERS} connections, none lost",
        began.elapsed().as_secs(),
        acknowledged.len()
    );
}
