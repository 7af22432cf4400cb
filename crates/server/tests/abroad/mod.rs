//! The real program among other servers: a name server and next hops in the test's own process, on loopback.
#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod client;
#[path = "../proof/pop3.rs"]
pub(crate) mod pop3;
pub(crate) mod server;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use testkit::dns::{Dns, Zones};
use testkit::peer::Peer;
use tokio::runtime::Runtime;

/// What takes longer hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The world outside: a runtime of its own, and who answers in it.
pub(crate) struct Abroad {
    runtime: Runtime,
    dns: Dns,
}

impl Abroad {
    /// A world with these zones.
    pub(crate) fn new(zones: Zones) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime for a test");
        let dns = runtime.block_on(zones.serve());
        Self { runtime, dns }
    }

    /// Lets a peer listen.
    pub(crate) fn listen(&self, peer: &Peer) -> SocketAddr {
        self.runtime.block_on(peer.listen())
    }

    /// Whom to ask about names.
    pub(crate) fn resolver(&self) -> SocketAddr {
        self.dns.address()
    }

    /// The lines of `[delivery]` for a server that lives in this world: everyone else listens on this port.
    pub(crate) fn delivery(&self, port: u16) -> String {
        let dns = self.dns.address();
        format!(
            "[delivery]\nresolvers = [\"{dns}\"]\noutbound-port = {port}\nallow-private-exchangers = \"on\"\n\
             retry = [\"1 s\", \"then every 1 s\"]\n"
        )
    }
}

/// Waits until there is something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Says where two contents begin to differ, instead of printing megabytes.
pub(crate) fn assert_same(what: &str, sent: &[u8], seen: &[u8]) {
    let at = sent.iter().zip(seen).take_while(|(sent, seen)| sent == seen).count();
    let near = |bytes: &[u8]| {
        let near = &bytes[at.saturating_sub(40)..];
        near[..near.len().min(200)].escape_ascii().to_string()
    };
    let (octets, others) = (sent.len(), seen.len());
    assert!(
        sent == seen,
        "{what}: {octets} octets and {others}, different from {at}:\n{}\n{}",
        near(sent),
        near(seen)
    );
}

/// What follows the trace fields at the top (RFC 5321 §4.4), which are these alone and in any order.
pub(crate) fn after_trace<'a>(content: &'a [u8], fields: &[&str]) -> &'a [u8] {
    let mut rest = content;
    let mut in_trace = false;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let line = &rest[..end];
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        let begins = |field: &&str| {
            line.len() > field.len() && line[field.len()] == b':' && line.starts_with(field.as_bytes())
        };
        in_trace = if folded { in_trace } else { fields.iter().any(begins) };
        if !in_trace {
            break;
        }
        rest = &rest[end + 2..];
    }
    rest
}
