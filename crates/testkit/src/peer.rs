//! A next hop: an SMTP or LMTP server that does as a [`Script`] says, on loopback TCP or in a simulated harbour.
//!
//! ```no_run
//! # async fn example() {
//! use testkit::peer::{Do, Peer, Script, Stage};
//!
//! let script = Script::smtp().at(Stage::Rcpt, Do::Reply("451 4.7.1 later")).first(1);
//! let peer = Peer::new(script);
//! let address = peer.listen().await;
//! // ... whoever delivers to `address` is deferred once, and may come again ...
//! assert_eq!(peer.taken().len(), 1);
//! assert_eq!(peer.complaints(), [""; 0]);
//! # let _ = address;
//! # }
//! ```
//!
//! Without rules it is a good peer, and a strict one: what a client must not do is noted in
//! [`complaints`](Peer::complaints). A message counts as taken unless it was refused in so many words: a peer that
//! closes after the final dot, before its reply, has taken it (RFC 1047).
//!
//! It lives in the runtime it was started in. When it is dropped, its connections break.

mod link;
mod script;
mod talk;
mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use mail::Timestamp;
use tokio::sync::{Notify, watch};
use world::dialer::Harbour;
use world::{Clock, Workers, net};

use link::Link;
pub use script::{Do, Script, Stage};
use talk::Talk;
pub use tls::{Authority, Identity};

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The reverse-path, without brackets.
    pub from: String,
    /// The recipients that were taken, without brackets, in the order of RCPT.
    pub to: Vec<String>,
    /// The content, dots removed.
    pub content: Vec<u8>,
    /// What the client called itself.
    pub hello: String,
    /// `TLS1.2` or `TLS1.3`, if the connection had TLS.
    pub tls: Option<String>,
    /// Who signed in.
    pub signed_in: Option<String>,
    /// From where it came.
    pub source: SocketAddr,
    /// When the final dot had come, by the peer's clock.
    pub at: Timestamp,
}

/// The server.
#[derive(Debug)]
pub struct Peer {
    host: Host,
    /// Dropped with the peer, which ends its tasks.
    _alive: watch::Sender<()>,
}

/// Where the tasks of a peer run.
#[derive(Debug, Clone)]
struct Host {
    shared: Arc<Shared>,
    alive: watch::Receiver<()>,
}

#[derive(Debug)]
struct Shared {
    book: Mutex<Book>,
    taken: Notify,
    hang_up: Notify,
}

/// What the peer knows.
#[derive(Debug)]
struct Book {
    script: Script,
    taken: Vec<Taken>,
    /// By connection.
    heard: Vec<Vec<String>>,
    complaints: Vec<String>,
}

impl Peer {
    /// A peer that nobody can reach yet.
    pub fn new(script: Script) -> Self {
        let book = Book { script, taken: Vec::new(), heard: Vec::new(), complaints: Vec::new() };
        let shared =
            Arc::new(Shared { book: Mutex::new(book), taken: Notify::new(), hang_up: Notify::new() });
        let (_alive, alive) = watch::channel(());
        Self { host: Host { shared, alive }, _alive }
    }

    /// Listens on a loopback port of its own and says where.
    ///
    /// # Panics
    /// When loopback has no port to give.
    pub async fn listen(&self) -> SocketAddr {
        self.listen_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Listens at an address. Peers that share a port each need an address of their own, 127.0.0.2 and so on.
    ///
    /// # Panics
    /// When the address cannot be had.
    pub async fn listen_at(&self, address: SocketAddr) -> SocketAddr {
        let listener = net::Listener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.address().expect("a bound socket has an address");
        let host = self.host.clone();
        self.host.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, source)) => host.serve(&Clock::Real, Link::new(stream), source),
                    // Too many files are open; some will be closed.
                    Err(_) => Clock::Real.sleep(Duration::from_millis(10)).await,
                }
            }
        });
        address
    }

    /// Listens at an address of a simulated harbour, from now on. Call it inside a runtime.
    pub fn dock(&self, clock: &Clock, harbour: &Harbour, address: SocketAddr) {
        let mut pier = harbour.listen(address);
        let (host, clock) = (self.host.clone(), clock.clone());
        self.host.spawn(async move {
            while let Some(arrival) = pier.accept().await {
                host.serve(&clock, Link::new(arrival.stream), arrival.from);
            }
        });
    }

    /// From now on it does as this script says, also on connections that are open.
    pub fn follow(&self, script: Script) {
        self.host.shared.book().script = script;
    }

    /// The messages taken so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.host.shared.book().taken.clone()
    }

    /// Waits until so many messages were taken, for ever if need be.
    pub async fn has_taken(&self, count: usize) -> Vec<Taken> {
        loop {
            let notified = self.host.shared.taken.notified();
            let taken = self.taken();
            if taken.len() >= count {
                return taken;
            }
            notified.await;
        }
    }

    /// Closes, in good order, the connections that now wait for a command.
    pub fn hang_up(&self) {
        self.host.shared.hang_up.notify_waiters();
    }

    /// What clients said so far, line by line, without content; passwords as they came. A connection each.
    pub fn heard(&self) -> Vec<Vec<String>> {
        self.host.shared.book().heard.clone()
    }

    /// How often a rule of its present script decided: a test that shows nothing has none.
    pub fn deviations(&self) -> usize {
        self.host.shared.book().script.deviations
    }

    /// What clients did that they must not do.
    pub fn complaints(&self) -> Vec<String> {
        self.host.shared.book().complaints.clone()
    }
}

impl Host {
    fn serve(&self, clock: &Clock, link: Link, source: SocketAddr) {
        let talk = Talk::new(self.shared.clone(), clock.clone(), link, source);
        self.spawn(talk.run());
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut alive = self.alive.clone();
        Workers::Inline.spawn(async move {
            tokio::select! {
                biased;
                _ = alive.changed() => {}
                () = task => {}
            }
        });
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no holder panics")
    }
}
