//! What an attempt has a connection do, and what it is told of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use mail::{Address, ForwardPath, ReversePath};
use protocol::smtp::client::{Diagnostic, Outcome, Recipient, Said, Transaction};
use store::change::QueueEntry;
use tokio::sync::oneshot;
use world::resolver::Name;

use super::lane::Seat;
use crate::agent::Attempt;
use crate::agent::letter::Letter;

/// One message, shared by the attempt and the connections that it uses.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) entry: Arc<QueueEntry>,
    pub(super) reverse_path: ReversePath,
    /// Those of the entry, read.
    pub(super) recipients: Vec<Address>,
    pub(super) letter: Letter,
    /// In one transaction.
    pub(super) recipients_max: usize,
}

/// An errand, for some of its recipients.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) errand: Arc<Errand>,
    /// Places in the errand's recipients.
    pub(super) places: Vec<usize>,
    done: oneshot::Sender<Told>,
    holder: Arc<AtomicU64>,
}

/// The attempt's hold on a job that it gave away.
#[derive(Debug)]
pub(super) struct Ticket {
    /// Its end. If nothing is told, whoever had the job is gone, and nothing was sent.
    pub(super) told: oneshot::Receiver<Told>,
    holder: Arc<AtomicU64>,
}

/// What became of a job that is taken back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Revoked {
    /// No connection works on it, and none will.
    InTime,
    /// The connection of this number works on it.
    Held(u64),
    /// It is over: its end is told.
    Over,
}

/// Who works on a job: the number of a connection, which is neither of these.
const NOBODY: u64 = 0;
const OVER: u64 = u64::MAX;

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
    /// Hosts of the same preference take turns.
    pub(super) preference: u16,
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
    /// Whether the peer announces DSN.
    pub(super) dsn: bool,
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
    pub(super) fn new(attempt: Attempt, letter: Letter, recipients_max: usize) -> Arc<Self> {
        let Attempt { entry, reverse_path, recipients, .. } = attempt;
        Arc::new(Self { entry, reverse_path, recipients, letter, recipients_max })
    }

    /// The transaction for some of its recipients.
    pub(super) fn transaction(&self, places: &[usize]) -> Transaction {
        let recipient = |&place: &usize| Recipient {
            path: ForwardPath::Address(self.recipients[place].clone()),
            parameters: self.entry.recipients[place].parameters.clone(),
        };
        Transaction {
            sender: self.reverse_path.clone(),
            parameters: self.entry.parameters.clone(),
            recipients: places.iter().map(recipient).collect(),
            content: self.letter.facts(),
        }
    }
}

impl Job {
    /// A job for these recipients, and the attempt's hold on it.
    pub(super) fn new(errand: Arc<Errand>, places: Vec<usize>) -> (Self, Ticket) {
        let (done, told) = oneshot::channel();
        let holder = Arc::new(AtomicU64::new(NOBODY));
        (Self { errand, places, done, holder: holder.clone() }, Ticket { told, holder })
    }

    /// Whether nobody waits for its end any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.done.is_closed()
    }

    /// Whether this connection may work on it: it was not taken back.
    pub(super) fn claim(&self, connection: u64) -> bool {
        self.holder.compare_exchange(NOBODY, connection, SeqCst, SeqCst).is_ok()
    }

    /// Tells the end.
    pub(super) fn tell(self, end: Told) {
        // Before: who takes it back from now on waits for what is told.
        self.holder.store(OVER, SeqCst);
        // An attempt that was dropped hears nothing; what it was told is dropped here, and gives its seat up.
        drop(self.done.send(end));
    }
}

impl Ticket {
    /// Takes the job back.
    pub(super) fn revoke(&self) -> Revoked {
        match self.holder.compare_exchange(NOBODY, OVER, SeqCst, SeqCst) {
            Ok(_) => Revoked::InTime,
            Err(OVER) => Revoked::Over,
            Err(connection) => Revoked::Held(connection),
        }
    }
}
