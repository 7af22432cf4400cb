//! What an attempt has a connection do, and what it is told of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use mail::{Address, ForwardPath, ReversePath};
use protocol::smtp::client::{Diagnostic, Outcome, Recipient, Said, Transaction};
use tokio::sync::oneshot;
use world::resolver::Name;

use super::lane::Seat;
use crate::agent::letter::Letter;

/// One message, shared by the attempt and the connections that it uses.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) reverse_path: ReversePath,
    pub(super) recipients: Vec<Address>,
    pub(super) letter: Letter,
    /// The number of the connection that works on it, [`NOBODY`] or [`REVOKED`].
    connection: AtomicU64,
}

/// Connections are numbered from 1.
const NOBODY: u64 = 0;
const REVOKED: u64 = u64::MAX;

/// An errand, for some of its recipients.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) errand: Arc<Errand>,
    /// Places in the errand's recipients.
    pub(super) places: Vec<usize>,
    done: oneshot::Sender<Told>,
}

/// What an attempt is told of its job.
#[derive(Debug)]
pub(super) enum Told {
    /// Make a connection for it.
    YourTurn(Seat),
    /// A connection did it, or ended.
    Done(Box<Done>),
}

/// A next hop, as it was called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Its name, if it has one.
    pub(super) name: Option<Name>,
}

/// What became of a job on one connection.
#[derive(Debug)]
pub(super) struct Done {
    /// With whom.
    pub(super) peer: Arc<Peer>,
    /// Whether the connection had served another message before.
    pub(super) reused: bool,
    /// How it ended for whom.
    pub(super) outcomes: Vec<(usize, Outcome)>,
    /// Who was not tried.
    pub(super) rest: Vec<usize>,
    /// What was said, a part for each transaction.
    pub(super) spoken: Vec<Spoken>,
    /// Why the connection ended, if it did and not in good order.
    pub(super) failure: Option<Diagnostic>,
}

/// What was said in one transaction, or instead of one.
#[derive(Debug)]
pub(super) struct Spoken {
    pub(super) tls: Option<String>,
    pub(super) dialogue: Vec<Said>,
    pub(super) left_out: usize,
    pub(super) end: String,
}

impl Errand {
    pub(super) fn new(reverse_path: ReversePath, recipients: Vec<Address>, letter: Letter) -> Arc<Self> {
        Arc::new(Self { reverse_path, recipients, letter, connection: AtomicU64::new(NOBODY) })
    }

    /// Whether this connection may work on it; it tells when it no longer does.
    pub(super) fn claim(&self, connection: u64) -> bool {
        self.connection.compare_exchange(NOBODY, connection, SeqCst, SeqCst).is_ok()
    }

    /// Takes it back: no connection begins to work on it any more. If one does already, here is its number.
    pub(super) fn revoke(&self) -> Option<u64> {
        self.connection.compare_exchange(NOBODY, REVOKED, SeqCst, SeqCst).err().filter(|&at| at != REVOKED)
    }

    /// No connection works on it; the attempt may give it to another.
    fn release(&self) {
        let free = |at| (at != REVOKED).then_some(NOBODY);
        // One that was taken back stays so.
        let _ = self.connection.fetch_update(SeqCst, SeqCst, free);
    }

    /// The transaction for some of its recipients.
    pub(super) fn transaction(&self, places: &[usize]) -> Transaction {
        let recipient =
            |&place: &usize| Recipient { path: ForwardPath::Address(self.recipients[place].clone()) };
        Transaction {
            sender: self.reverse_path.clone(),
            recipients: places.iter().map(recipient).collect(),
            content: self.letter.facts(),
        }
    }
}

impl Job {
    /// A job, and where its end is told. If nothing is told, whoever had it is gone, and nothing was sent.
    pub(super) fn new(errand: Arc<Errand>, places: Vec<usize>) -> (Self, oneshot::Receiver<Told>) {
        let (done, told) = oneshot::channel();
        (Self { errand, places, done }, told)
    }

    /// Whether nobody waits for its end any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.done.is_closed()
    }

    /// Tells the end.
    pub(super) fn tell(self, end: Told) {
        let Self { errand, done, .. } = self;
        errand.release();
        // An attempt that was dropped hears nothing; what it was told is dropped here, and gives its seat up.
        drop(done.send(end));
    }
}
