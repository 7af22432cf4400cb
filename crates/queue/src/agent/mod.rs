//! Delivery agents: each turns an attempt into outcomes. One file an agent.
//!
//! ```text
//! Attempt --Destinations::way--> local        mailboxes here
//! ```

use std::sync::Arc;

use directory::Directory;
use mail::{Address, EnhancedCode, ForwardPath, Reply, ReversePath};
use store::change::QueueEntry;

use crate::accept::LOCAL;
use crate::runner::gate::Gate;

pub mod cut;
pub mod local;

pub use cut::Cut;

use local::Magic;

/// Temporary or permanent, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// RFC 3463; its class agrees with the [`Outcome`] that it explains.
    pub status: EnhancedCode,
    /// In words, for the sender and the administrator: one line.
    pub because: String,
    /// Who said so, if it was a peer's reply that decided.
    pub remote: Option<Remote>,
}

/// A peer's own words, for Remote-MTA and Diagnostic-Code of a report (RFC 3464 §2.3.5, §2.3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its name, or its address in brackets where it has none.
    pub host: String,
    /// What it said.
    pub reply: Reply,
}

impl Diagnostic {
    /// One that is ours.
    pub fn ours(status: (u8, u16, u16), because: impl Into<String>) -> Self {
        Self { status: EnhancedCode(status.0, status.1, status.2), because: because.into(), remote: None }
    }
}

/// How an attempt for one recipient ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in these mailboxes once the changes are committed.
    Filed {
        /// INBOX of each account the address means, with the account's address.
        mailboxes: Vec<(i64, Address)>,
    },
    /// The next hop has taken responsibility, with these words.
    Relayed(Diagnostic),
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
    /// Its site was full, as the [`Gate`] said: it was none.
    SteppedBack,
}

/// All agents.
#[derive(Debug)]
pub struct Agents {
    directory: Arc<Directory>,
    magic: Magic,
}

impl Agents {
    /// The agents of one process.
    pub fn new(directory: Arc<Directory>, magic: Magic) -> Self {
        Self { directory, magic }
    }

    /// Makes an attempt. `gate` is asked once the site is known, `cut` ends it early.
    ///
    /// # Cancellation
    /// Dropped in the middle, what the next hop has taken may arrive twice (RFC 1047).
    pub async fn attempt(&self, attempt: Attempt, _gate: Gate, _cut: Cut) -> Ended {
        let mut outcomes = Vec::with_capacity(attempt.recipients.len());
        for address in &attempt.recipients {
            outcomes.push(self.one(&attempt.entry.destination, address).await);
        }
        Ended::Attempted(Attempted { outcomes, hops: Vec::new() })
    }

    async fn one(&self, destination: &str, address: &Address) -> Outcome {
        if destination != LOCAL && !destination.starts_with("local/") {
            return Outcome::Deferred(Diagnostic::ours((4, 3, 2), "mail to other hosts is not sent yet"));
        }
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
