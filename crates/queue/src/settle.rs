//! What an attempt's outcomes change: the pure half of every settlement.
//!
//! ```text
//! row, how the attempt ended, transitions --settle--> Change::Settle, emails to file, story, who is to be reported
//! ```

use std::collections::BTreeSet;

use mail::{Address, EnhancedCode, ReversePath, Timestamp};
use policy::{Delivered, Story, What};
use store::Change;
use store::change::{QueueEntry, Rest};

use crate::NODE;
use crate::accept::file;
use crate::agent::{Attempted, Diagnostic, Outcome};
use crate::report::Reported;
use crate::schedule::{Bounce, RecipientId, Transition};

/// What one settlement changes. All of it goes into one commit, so that a recipient ends once.
#[derive(Debug)]
pub struct Settled {
    /// The row as it is left, and what is filed.
    pub changes: Vec<Change>,
    /// What the journal is told.
    pub story: Story,
    /// Recipients whose failure is to be reported to the sender; empty where no report may be made.
    pub failed: Vec<Reported>,
    /// Recipients of whose delay the sender is to be told; empty where no report may be made.
    pub delayed: Vec<Reported>,
}

/// Settles a delivery. `attempted` is none if it was deleted without an attempt.
pub fn settle(
    entry: &QueueEntry,
    reverse_path: &ReversePath,
    attempted: Option<&Attempted>,
    transitions: &[Transition],
    now: Timestamp,
) -> Settled {
    let mut story = Story::new(entry.queue_id);
    story.hops.extend(attempted.into_iter().flat_map(|attempted| attempted.hops.iter().cloned()));
    let settled = Settled { changes: Vec::new(), story, failed: Vec::new(), delayed: Vec::new() };
    let mut settlement =
        Settlement { entry, reverse_path, attempted, now, settled, filed: BTreeSet::new(), rest: None };
    for transition in transitions {
        settlement.apply(transition);
    }
    settlement.conclude()
}

struct Settlement<'a> {
    entry: &'a QueueEntry,
    reverse_path: &'a ReversePath,
    attempted: Option<&'a Attempted>,
    now: Timestamp,
    settled: Settled,
    filed: BTreeSet<i64>,
    rest: Option<Rest>,
}

impl<'a> Settlement<'a> {
    fn apply(&mut self, transition: &Transition) {
        match transition {
            Transition::Done(ids) => ids.iter().for_each(|id| self.done(*id)),
            Transition::Bounce(ids, bounce) => ids.iter().for_each(|id| self.bounced(*id, *bounce)),
            Transition::Deleted(ids) => {
                ids.iter().for_each(|id| self.tell(*id, Delivered::Deleted, String::new(), None));
            }
            Transition::NotifyDelay(ids) => ids.iter().for_each(|id| self.delayed(*id)),
            Transition::Retry { recipients, due, attempts, notified } => {
                for id in recipients {
                    let said = said(&self.diagnostic(*id));
                    self.tell(*id, Delivered::Deferred, said, Some(*due));
                }
                let last = recipients.last().map(|id| said(&self.diagnostic(*id)));
                self.rest = Some(Rest {
                    recipients: recipients.iter().map(|id| self.name(*id).to_owned()).collect(),
                    due: *due,
                    attempts: *attempts,
                    notified: *notified,
                    last: last.unwrap_or_default(),
                });
            }
        }
    }

    fn done(&mut self, id: RecipientId) {
        match self.outcome(id) {
            Some(Outcome::Filed { mailboxes }) => {
                let named: Option<Address> = self.name(id).parse().ok();
                for (mailbox, address) in mailboxes {
                    self.settled.story.filed(self.now, address, named.as_ref().unwrap_or(address));
                    if self.filed.insert(*mailbox) {
                        let filed = file(*mailbox, self.entry.content, self.reverse_path, address, self.now);
                        self.settled.changes.push(filed);
                    }
                }
            }
            _ => self.tell(id, Delivered::Relayed, said(&self.diagnostic(id)), None),
        }
    }

    fn bounced(&mut self, id: RecipientId, bounce: Bounce) {
        let diagnostic = self.diagnostic(id);
        // RFC 5321 §6.1: no report about what has no reverse-path.
        let outcome = match (bounce, self.reverse_path) {
            (Bounce::Expired, _) => Delivered::Expired,
            (Bounce::Refused, ReversePath::Null) => Delivered::Discarded,
            (Bounce::Refused, _) => Delivered::Bounced,
        };
        self.tell(id, outcome, said(&diagnostic), None);
        let status = match bounce {
            // RFC 3463 §3.5: delivery time expired.
            Bounce::Expired => EnhancedCode(4, 4, 7),
            Bounce::Refused => diagnostic.status,
        };
        if let Some(reported) = self.reported(id, status, diagnostic) {
            self.settled.failed.push(reported);
        }
    }

    fn delayed(&mut self, id: RecipientId) {
        let diagnostic = self.diagnostic(id);
        if let Some(reported) = self.reported(id, diagnostic.status, diagnostic) {
            self.settled.delayed.push(reported);
        }
    }

    fn reported(&self, id: RecipientId, status: EnhancedCode, diagnostic: Diagnostic) -> Option<Reported> {
        let reportable = *self.reverse_path != ReversePath::Null;
        reportable.then(|| Reported { recipient: self.name(id).to_owned(), status, diagnostic })
    }

    /// Adds how it ended for one recipient, to those for whom it ended the same way.
    fn tell(&mut self, id: RecipientId, outcome: Delivered, diagnostic: String, due: Option<Timestamp>) {
        let recipient = self.name(id).to_owned();
        let destination = self.entry.destination.clone();
        let what = What::Deliver { destination, recipients: vec![recipient], outcome, diagnostic, due };
        if !self.settled.story.hops.last_mut().is_some_and(|hop| joins(&mut hop.what, &what)) {
            self.settled.story.hop(self.now, what);
        }
    }

    fn name(&self, id: RecipientId) -> &'a str {
        &self.entry.recipients[place(id)]
    }

    fn outcome(&self, id: RecipientId) -> Option<&'a Outcome> {
        self.attempted?.outcomes.get(place(id))
    }

    fn diagnostic(&self, id: RecipientId) -> Diagnostic {
        match self.outcome(id) {
            Some(Outcome::Relayed(said) | Outcome::Deferred(said) | Outcome::Failed(said)) => said.clone(),
            _ => Diagnostic::ours((4, 4, 0), "the attempt ended without an answer"),
        }
    }

    fn conclude(mut self) -> Settled {
        let QueueEntry { queue_id, destination, attempts, .. } = self.entry;
        let settle = Change::Settle {
            queue_id: *queue_id,
            destination: destination.clone(),
            node: NODE.into(),
            attempts: *attempts,
            rest: self.rest,
        };
        // First: where its guard refuses, nothing else is to be tried.
        self.settled.changes.insert(0, settle);
        self.settled
    }
}

/// A diagnostic on one line, for the story and the list of what waits.
fn said(diagnostic: &Diagnostic) -> String {
    let Diagnostic { status, because, remote } = diagnostic;
    match remote {
        None => format!("{status} {because}"),
        Some(remote) if because.is_empty() => format!("{} said: {}", remote.host, remote.reply),
        Some(remote) => format!("{because}; {} said: {}", remote.host, remote.reply),
    }
}

/// The ids of a delivery are places in its row.
fn place(id: RecipientId) -> usize {
    usize::try_from(id.0).expect("a row is in memory")
}

/// Whether one hop can tell of both; then it does.
fn joins(known: &mut What, new: &What) -> bool {
    let (
        What::Deliver { recipients, outcome, diagnostic, due, destination },
        What::Deliver {
            recipients: more,
            outcome: new_outcome,
            diagnostic: said,
            due: then,
            destination: to,
        },
    ) = (known, new)
    else {
        return false;
    };
    let same = (&*outcome, &*diagnostic, &*due, &*destination) == (new_outcome, said, then, to);
    if same {
        recipients.extend(more.iter().cloned());
    }
    same
}
