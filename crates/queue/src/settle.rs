//! What an attempt's outcomes change: the pure half of delivery from the queue.

use std::collections::BTreeSet;
use std::time::Duration;

use mail::{Address, ReversePath, Timestamp};
use policy::{Delivered, Story, What};
use store::Change;
use store::change::QueueEntry;

use crate::accept::file;
use crate::agent::{Diagnostic, Outcome};
use crate::limits::{LOCAL_EXPIRATION, LOCAL_RETRY};
use crate::report::FailedRecipient;

/// The changes of one attempt. They go into one commit, so that a recipient is filed and taken out of the queue at once.
#[derive(Debug)]
pub struct Settled {
    /// Filed, deferred, dequeued.
    pub changes: Vec<Change>,
    /// What the journal is told.
    pub story: Story,
    /// Recipients to report to the sender; empty where no report may be made.
    pub report: Vec<FailedRecipient>,
}

/// Settles an attempt at `entry`. A recipient that cannot be tried again in time fails with what its last attempt said.
pub fn settle(
    entry: &QueueEntry,
    reverse_path: &ReversePath,
    outcomes: Vec<(Address, Outcome)>,
    now: Timestamp,
) -> Settled {
    let mut settlement = Settlement::new(entry, reverse_path, now);
    for (address, outcome) in outcomes {
        match outcome {
            Outcome::Filed { mailboxes } => settlement.delivered(&address, mailboxes),
            Outcome::Relayed(diagnostic) => {
                settlement.tell(&address, Delivered::Done, &diagnostic, None);
            }
            Outcome::Deferred(diagnostic) if !settlement.expired() => {
                settlement.deferred(address, diagnostic)
            }
            Outcome::Deferred(diagnostic) | Outcome::Failed(diagnostic) => {
                settlement.failed(address, &diagnostic)
            }
        }
    }
    settlement.conclude()
}

struct Settlement<'a> {
    entry: &'a QueueEntry,
    reverse_path: &'a ReversePath,
    now: Timestamp,
    settled: Settled,
    filed: BTreeSet<i64>,
    waiting: Vec<String>,
    last: String,
}

impl<'a> Settlement<'a> {
    fn new(entry: &'a QueueEntry, reverse_path: &'a ReversePath, now: Timestamp) -> Self {
        let settled = Settled { changes: Vec::new(), story: Story::new(entry.queue_id), report: Vec::new() };
        let (filed, waiting, last) = (BTreeSet::new(), Vec::new(), String::new());
        Self { entry, reverse_path, now, settled, filed, waiting, last }
    }

    fn expired(&self) -> bool {
        self.now.0.saturating_sub(self.entry.accepted.0) >= millis(LOCAL_EXPIRATION)
    }

    fn due(&self) -> Timestamp {
        let place = usize::try_from(self.entry.attempts).unwrap_or(usize::MAX).min(LOCAL_RETRY.len() - 1);
        Timestamp(self.now.0.saturating_add(millis(LOCAL_RETRY[place])))
    }

    fn delivered(&mut self, named: &Address, mailboxes: Vec<(i64, Address)>) {
        for (mailbox, address) in mailboxes {
            self.settled.story.filed(self.now, &address, named);
            if self.filed.insert(mailbox) {
                let content = self.entry.content;
                self.settled.changes.push(file(mailbox, content, self.reverse_path, &address, self.now));
            }
        }
    }

    fn deferred(&mut self, address: Address, diagnostic: Diagnostic) {
        self.tell(&address, Delivered::Deferred, &diagnostic, Some(self.due()));
        self.last = format!("{} {}", diagnostic.status, diagnostic.because);
        self.waiting.push(address.to_string());
    }

    fn failed(&mut self, address: Address, diagnostic: &Diagnostic) {
        // RFC 5321 §6.1: no report about what has no reverse-path.
        if *self.reverse_path == ReversePath::Null {
            self.tell(&address, Delivered::Discarded, diagnostic, None);
            return;
        }
        self.tell(&address, Delivered::Bounced, diagnostic, None);
        let status = mail::EnhancedCode(5, diagnostic.status.1, diagnostic.status.2).to_string();
        self.settled.report.push(FailedRecipient { address, status, because: diagnostic.because.clone() });
    }

    fn tell(
        &mut self,
        address: &Address,
        outcome: Delivered,
        diagnostic: &Diagnostic,
        due: Option<Timestamp>,
    ) {
        let what = What::Deliver {
            destination: self.entry.destination.clone(),
            recipients: vec![address.to_string()],
            outcome,
            diagnostic: format!("{} {}", diagnostic.status, diagnostic.because),
            due,
        };
        self.settled.story.hop(self.now, what);
    }

    /// Who waits stays in the queue, without those who are done.
    fn conclude(mut self) -> Settled {
        let (queue_id, destination) = (self.entry.queue_id, self.entry.destination.clone());
        let (due, attempts) = (self.due(), self.entry.attempts.saturating_add(1));
        let changes = &mut self.settled.changes;
        if self.waiting.len() == self.entry.recipients.len() {
            changes.push(Change::Defer { queue_id, destination, due, attempts, last: self.last });
        } else {
            let rest =
                QueueEntry { recipients: self.waiting, due, attempts, last: self.last, ..self.entry.clone() };
            changes.push(Change::Dequeue { queue_id, destination });
            if !rest.recipients.is_empty() {
                changes.push(Change::Enqueue(rest));
            }
        }
        self.settled
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::LOCAL;
    use bytes::Bytes;
    use mail::QueueId;
    use store::{ContentId, ContentRef};

    fn entry(recipients: &[&str]) -> QueueEntry {
        QueueEntry {
            queue_id: QueueId(7),
            destination: LOCAL.into(),
            virtual_server: String::new(),
            reverse_path: "ann@example.org".into(),
            recipients: recipients.iter().map(|&r| r.to_owned()).collect(),
            content: ContentRef::Known(ContentId { segment: 1, offset: 64 }),
            prefix: Bytes::new(),
            accepted: Timestamp(0),
            due: Timestamp(0),
            attempts: 0,
            notified: false,
            held: false,
            last: String::new(),
        }
    }

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn no(status: (u8, u16, u16)) -> Diagnostic {
        Diagnostic::ours(status, "for a test")
    }

    fn kinds(settled: &Settled) -> Vec<&'static str> {
        settled
            .changes
            .iter()
            .map(|change| match change {
                Change::File { .. } => "file",
                Change::Defer { .. } => "defer",
                Change::Dequeue { .. } => "dequeue",
                Change::Enqueue(_) => "enqueue",
                _ => "other",
            })
            .collect()
    }

    #[test]
    fn each_outcome_has_its_changes() {
        let ann = ReversePath::Address(address("ann@example.org"));
        let delivered = || Outcome::Filed { mailboxes: vec![(3, address("a@example.org"))] };
        let a = || address("a@example.org");
        let b = || address("b@example.org");

        let one = entry(&["a@example.org"]);
        let two = entry(&["a@example.org", "b@example.org"]);
        for (entry, path, outcomes, now, expected, reports) in [
            (&one, &ann, vec![(a(), delivered())], 0, &["file", "dequeue"][..], 0),
            (&two, &ann, vec![(a(), delivered()), (b(), delivered())], 0, &["file", "dequeue"], 0),
            (&one, &ann, vec![(a(), Outcome::Deferred(no((4, 2, 1))))], 0, &["defer"], 0),
            (
                &two,
                &ann,
                vec![(a(), delivered()), (b(), Outcome::Deferred(no((4, 2, 1))))],
                0,
                &["file", "dequeue", "enqueue"],
                0,
            ),
            (&one, &ann, vec![(a(), Outcome::Failed(no((5, 1, 1))))], 0, &["dequeue"], 1),
            (&one, &ReversePath::Null, vec![(a(), Outcome::Failed(no((5, 1, 1))))], 0, &["dequeue"], 0),
            (
                &one,
                &ann,
                vec![(a(), Outcome::Deferred(no((4, 2, 1))))],
                millis(LOCAL_EXPIRATION),
                &["dequeue"],
                1,
            ),
        ] {
            let settled = settle(entry, path, outcomes, Timestamp(now));
            assert_eq!(
                (kinds(&settled).as_slice(), settled.report.len()),
                (expected, reports),
                "{:?}",
                settled.story
            );
        }
    }

    #[test]
    fn an_expired_recipient_is_reported_with_a_permanent_code() {
        let ann = ReversePath::Address(address("ann@example.org"));
        let outcomes = vec![(address("a@example.org"), Outcome::Deferred(no((4, 2, 1))))];
        let settled = settle(&entry(&["a@example.org"]), &ann, outcomes, Timestamp(millis(LOCAL_EXPIRATION)));
        assert_eq!(settled.report[0].status, "5.2.1");
    }

    #[test]
    fn pauses_grow_to_the_last_one() {
        let mut entry = entry(&["a@example.org"]);
        let mut dues = Vec::new();
        for attempts in 0..6 {
            entry.attempts = attempts;
            let outcomes = vec![(address("a@example.org"), Outcome::Deferred(no((4, 2, 1))))];
            let settled = settle(&entry, &ReversePath::Null, outcomes, Timestamp(0));
            let Some(Change::Defer { due, attempts: next, .. }) = settled.changes.first() else {
                panic!("{settled:?}")
            };
            assert_eq!(*next, attempts + 1);
            dues.push(due.0 / 60_000);
        }
        assert_eq!(dues, [1, 5, 15, 60, 60, 60]);
    }
}
