//! Delivery agents: each turns an attempt into outcomes. One file an agent.
//!
//! ```text
//! Attempt --Destinations::way--> local        mailboxes here
//!                            |--> drop         a directory, as files
//!                            '--> smtp         other hosts, by SMTP and LMTP
//! ```

use std::sync::Arc;

use directory::Directory;
use mail::{Address, ForwardPath, ReversePath};
use store::Store;
use store::change::QueueEntry;
use wire::Registry;
use world::{Workers, World};

use crate::Handle;
use crate::destinations::{Way, is_local};
use crate::diagnostic::Diagnostic;
use crate::runner::gate::Gate;

pub mod cut;
pub(crate) mod drop;
mod keys;
mod letter;
pub mod limits;
pub mod local;
mod smtp;

pub use cut::{Cut, Word};

use local::Magic;
use smtp::Courier;
pub(crate) use smtp::Habits;

/// How an attempt for one recipient ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in these mailboxes once the changes are committed.
    Filed {
        /// INBOX of each account the address means, with the account's address.
        mailboxes: Vec<(i64, Address)>,
    },
    /// The next hop has taken responsibility, with these words.
    Relayed {
        /// The words.
        said: Diagnostic,
        /// Whether it was told what the sender wants to hear, and reports success from now on (RFC 3461 §5.2.1).
        reports: bool,
    },
    /// Try again.
    Deferred(Diagnostic),
    /// Never.
    Failed(Diagnostic),
}

/// One message to one destination, to be tried now.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// As it was drawn.
    pub entry: Arc<QueueEntry>,
    /// Where reports go, read.
    pub reverse_path: ReversePath,
    /// The recipients of `entry`, read, in their order.
    pub recipients: Vec<Address>,
    /// Which attempt it is, from 1.
    pub number: u32,
}

/// What an attempt did.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempted {
    /// One for each recipient, in their order.
    pub outcomes: Vec<Outcome>,
    /// What the story is told of the way and the dialogue.
    pub hops: Vec<policy::Hop>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// It was made.
    Attempted(Attempted),
    /// Its site was full, as the [`Gate`] said, or the server stops and nothing had begun: it was none.
    SteppedBack,
}

/// All agents.
#[derive(Debug)]
pub struct Agents {
    store: Store,
    workers: Workers,
    directory: Arc<Directory>,
    handle: Handle,
    magic: Magic,
    courier: Courier,
}

/// What agents are made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Names, connections, time.
    pub world: World,
    /// Where content and keys are.
    pub store: Store,
    /// Who receives mail here.
    pub directory: Arc<Directory>,
    /// Where connections that we make are listed.
    pub registry: Arc<Registry>,
    /// Where the properties in force are.
    pub handle: Handle,
    /// Whether some recipients fail on purpose.
    pub magic: Magic,
}

impl Agents {
    /// The agents of one process.
    pub fn new(parts: &Parts) -> Self {
        let courier = Courier::new(parts);
        Self {
            store: parts.store.clone(),
            workers: parts.world.workers.clone(),
            directory: parts.directory.clone(),
            handle: parts.handle.clone(),
            magic: parts.magic,
            courier,
        }
    }

    /// Makes an attempt. `gate` is asked once the site is known, `cut` ends it early: told to stop, it
    /// steps back, or ends the transaction that it has begun.
    ///
    /// # Cancellation
    /// Dropped in the middle, what the next hop takes may arrive twice (RFC 1047): a connection goes on with what it has
    /// begun, and nobody hears how it ended.
    pub async fn attempt(&self, attempt: Attempt, gate: Gate, cut: Cut) -> Ended {
        let destination = attempt.entry.destination.as_str();
        if let Some(Way::Drop(path)) = self.handle.properties().ours().destinations.way(destination) {
            return Ended::Attempted(drop::attempt(&self.store, &self.workers, &path, &attempt).await);
        }
        if !is_local(destination) {
            return self.courier.attempt(attempt, gate, cut).await;
        }
        let mut outcomes = Vec::with_capacity(attempt.recipients.len());
        for address in &attempt.recipients {
            outcomes.push(self.file(address).await);
        }
        Ended::Attempted(Attempted { outcomes, hops: Vec::new() })
    }

    async fn file(&self, address: &Address) -> Outcome {
        match self.directory.resolve(&ForwardPath::Address(address.clone())).await {
            Ok(resolution) => local::attempt(address, resolution, self.magic),
            Err(error) => {
                tracing::error!(%error, "the directory cannot be read");
                Outcome::Deferred(Diagnostic::ours(
                    (4, 3, 0),
                    "who receives mail here cannot be looked up now",
                ))
            }
        }
    }
}
