//! What an attempt's outcomes change: the pure half of every settlement.
//!
//! ```text
//! row, how the attempt ended, transitions --settle--> Change::Settle, emails to file, story, who is to be reported
//! ```

use std::collections::BTreeSet;

use mail::{Address, EnhancedCode, ReversePath, Timestamp};
use policy::{Delivered, Story, What};
use store::Change;
use store::change::{QueueEntry, QueuedRecipient, Rest};

use crate::NODE;
use crate::accept::file;
use crate::agent::{Attempted, Outcome};
use crate::diagnostic::Diagnostic;
use crate::limits::SAID_OCTETS_MAX;
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
    /// Recipients that have it, where the sender asked to be told; empty where no report may be made.
    pub succeeded: Vec<(Success, Reported)>,
}

/// How a recipient came to have the message, as its sender is told (RFC 3464 §2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Success {
    /// It is in the mailbox.
    Delivered,
    /// It is with a host that does not report success.
    Relayed,
    /// It is in several mailboxes.
    Expanded,
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
    let settled = Settled {
        changes: Vec::new(),
        story,
        failed: Vec::new(),
        delayed: Vec::new(),
        succeeded: Vec::new(),
    };
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
                    recipients: recipients.iter().map(|id| self.recipient(*id).clone()).collect(),
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
                // RFC 3461 §5.2.7.3: whom an address stands for is not for the sender to know.
                self.succeeded(id, if mailboxes.len() > 1 { Success::Expanded } else { Success::Delivered });
            }
            Some(Outcome::Relayed { reports: true, .. }) => self.relayed(id),
            _ => {
                self.relayed(id);
                // RFC 3461 §5.2.2 (b).
                self.succeeded(id, Success::Relayed);
            }
        }
    }

    fn relayed(&mut self, id: RecipientId) {
        self.tell(id, Delivered::Relayed, said(&self.diagnostic(id)), None);
    }

    fn succeeded(&mut self, id: RecipientId, how: Success) {
        if !self.recipient(id).parameters.wants_success() {
            return;
        }
        let diagnostic = match how {
            Success::Relayed => self.diagnostic(id),
            Success::Delivered | Success::Expanded => Diagnostic::ours((2, 0, 0), "it is in the mailbox"),
        };
        if let Some(reported) = self.reported(id, diagnostic.status, diagnostic) {
            self.settled.succeeded.push((how, reported));
        }
    }

    fn bounced(&mut self, id: RecipientId, bounce: Bounce) {
        let diagnostic = self.diagnostic(id);
        // RFC 5321 §6.1: no report about what has no reverse-path. RFC 3461 §5.2.6 (b): nor to who does not want one.
        let told = *self.reverse_path != ReversePath::Null && self.recipient(id).parameters.wants_failure();
        let outcome = match (bounce, told) {
            (Bounce::Expired, _) => Delivered::Expired,
            (Bounce::Refused, false) => Delivered::Discarded,
            (Bounce::Refused, true) => Delivered::Bounced,
        };
        self.tell(id, outcome, said(&diagnostic), None);
        let status = match bounce {
            // RFC 3463 §3.5: delivery time expired.
            Bounce::Expired => EnhancedCode(4, 4, 7),
            Bounce::Refused => diagnostic.status,
        };
        if let Some(reported) = self.reported(id, status, diagnostic).filter(|_| told) {
            self.settled.failed.push(reported);
        }
    }

    fn delayed(&mut self, id: RecipientId) {
        // RFC 3461 §5.2.5 (c).
        if !self.recipient(id).parameters.wants_delay() {
            return;
        }
        let diagnostic = self.diagnostic(id);
        if let Some(reported) = self.reported(id, diagnostic.status, diagnostic) {
            self.settled.delayed.push(reported);
        }
    }

    fn reported(&self, id: RecipientId, status: EnhancedCode, diagnostic: Diagnostic) -> Option<Reported> {
        let reportable = *self.reverse_path != ReversePath::Null;
        let QueuedRecipient { address, parameters } = self.recipient(id);
        reportable.then(|| Reported {
            recipient: address.clone(),
            original: parameters.original.clone(),
            status,
            diagnostic,
        })
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
        &self.recipient(id).address
    }

    fn recipient(&self, id: RecipientId) -> &'a QueuedRecipient {
        &self.entry.recipients[place(id)]
    }

    fn outcome(&self, id: RecipientId) -> Option<&'a Outcome> {
        self.attempted?.outcomes.get(place(id))
    }

    fn diagnostic(&self, id: RecipientId) -> Diagnostic {
        match self.outcome(id) {
            Some(Outcome::Relayed { said, .. } | Outcome::Deferred(said) | Outcome::Failed(said)) => {
                said.clone()
            }
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

/// A diagnostic for the story and the list of what waits: one line, not longer than a reply's.
fn said(diagnostic: &Diagnostic) -> String {
    let mut said = match &diagnostic.remote {
        // It names the peer and repeats its words, with their codes.
        Some(_) => diagnostic.because.clone(),
        None => diagnostic.to_string(),
    };
    said.truncate(said.floor_char_boundary(SAID_OCTETS_MAX));
    said
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mail::QueueId;
    use proptest::prelude::*;
    use store::{ContentId, ContentRef};

    use super::*;
    use crate::diagnostic::Remote;

    fn entry(recipients: usize) -> QueueEntry {
        QueueEntry {
            queue_id: QueueId(7),
            destination: "example.net".into(),
            virtual_server: "internet".into(),
            reverse_path: "ann@example.org".into(),
            parameters: mail::MessageParameters::default(),
            recipients: (0..recipients).map(|number| format!("r{number}@example.net").into()).collect(),
            content: ContentRef::Known(ContentId { segment: 1, offset: 64 }),
            prefix: Bytes::new(),
            accepted: Timestamp(0),
            due: Timestamp(0),
            attempts: 2,
            notified: false,
            held: false,
            last: String::new(),
        }
    }

    fn ids(ids: &[u32]) -> Vec<RecipientId> {
        ids.iter().copied().map(RecipientId).collect()
    }

    fn no(status: (u8, u16, u16)) -> Diagnostic {
        let reply = mail::Reply::new(450, status, "for a test");
        Diagnostic {
            remote: Some(Remote { host: "mx.example.net".into(), reply }),
            ..Diagnostic::ours(status, "mx.example.net: 450 for a test")
        }
    }

    fn retry(recipients: &[u32]) -> Transition {
        Transition::Retry { recipients: ids(recipients), due: Timestamp(9), attempts: 3, notified: true }
    }

    /// A settlement of these outcomes, with a sender.
    fn settled(outcomes: Vec<Outcome>, transitions: &[Transition]) -> Settled {
        let ann = ReversePath::Address("ann@example.org".parse().unwrap());
        let entry = entry(outcomes.len());
        let attempted = Attempted { outcomes, hops: Vec::new() };
        settle(&entry, &ann, Some(&attempted), transitions, Timestamp(1))
    }

    fn rest(settled: &Settled) -> Option<&Rest> {
        let Change::Settle { attempts: 2, rest, .. } = &settled.changes[0] else { panic!("{settled:?}") };
        rest.as_ref()
    }

    fn told(settled: &Settled) -> Vec<(usize, Delivered, String)> {
        let hops = settled.story.hops.iter().filter_map(|hop| match &hop.what {
            What::Deliver { recipients, outcome, diagnostic, .. } => {
                Some((recipients.len(), *outcome, diagnostic.clone()))
            }
            _ => None,
        });
        hops.collect()
    }

    #[test]
    fn who_waits_is_the_rest_and_who_is_done_is_not() {
        let taken = Outcome::Relayed { said: Diagnostic::ours((2, 0, 0), "taken"), reports: false };
        let later = Outcome::Deferred(no((4, 7, 1)));
        let outcomes = vec![taken.clone(), later.clone(), taken, later];
        let settled = settled(outcomes, &[Transition::Done(ids(&[0, 2])), retry(&[1, 3])]);
        let rest = rest(&settled).unwrap();
        assert_eq!(rest.recipients, ["r1@example.net".into(), "r3@example.net".into()]);
        assert_eq!((rest.due, rest.attempts, rest.notified), (Timestamp(9), 3, true));
        let said = "mx.example.net: 450 for a test";
        assert_eq!(rest.last, said);
        let expected =
            [(2, Delivered::Relayed, "2.0.0 taken".into()), (2, Delivered::Deferred, said.to_owned())];
        assert_eq!(told(&settled), expected);
        assert!(settled.failed.is_empty() && settled.delayed.is_empty());
    }

    proptest! {
        /// Whatever the attempt said and however it is settled: the story names each recipient once, who is tried again is in
        /// the rest, and reports are made of those that bounced or are late.
        #[test]
        fn each_recipient_is_told_of_once(fates in proptest::collection::vec((0..5u8, 0..4u8), 1..20)) {
            let outcomes = fates.iter().map(|(_, said)| match said {
                0 => Outcome::Filed { mailboxes: vec![(3, "ann@example.org".parse().unwrap())] },
                1 => Outcome::Relayed { said: no((2, 0, 0)), reports: false },
                2 => Outcome::Deferred(no((4, 7, 1))),
                _ => Outcome::Failed(no((5, 1, 1))),
            });
            let with = |wanted: u8| -> Vec<u32> {
                (0..).zip(&fates).filter(|(_, (fate, _))| *fate == wanted).map(|(id, _)| id).collect()
            };
            let transitions = [
                Transition::Done(ids(&with(0))),
                Transition::Bounce(ids(&with(1)), Bounce::Refused),
                Transition::Bounce(ids(&with(2)), Bounce::Expired),
                Transition::Deleted(ids(&with(3))),
                Transition::NotifyDelay(ids(&with(4))),
                retry(&with(4)),
            ];
            let settled = settled(outcomes.collect(), &transitions);
            let named = |id: &u32| format!("r{id}@example.net");
            let mut told: Vec<String> = settled.story.hops.iter().flat_map(|hop| match &hop.what {
                What::Deliver { recipients, .. } | What::File { recipients, .. } => recipients.clone(),
                _ => Vec::new(),
            }).collect();
            told.sort();
            let mut all: Vec<String> = (0..u32::try_from(fates.len()).unwrap()).map(|id| named(&id)).collect();
            all.sort();
            prop_assert_eq!(told, all);
            let late: Vec<String> = with(4).iter().map(named).collect();
            let left: Vec<QueuedRecipient> = late.iter().map(|name| name.as_str().into()).collect();
            prop_assert_eq!(&rest(&settled).unwrap().recipients, &left);
            let reported = |of: &[Reported]| of.iter().map(|it| it.recipient.clone()).collect::<Vec<_>>();
            prop_assert_eq!(reported(&settled.delayed), late);
            let bounced: Vec<String> = with(1).iter().chain(&with(2)).map(named).collect();
            prop_assert_eq!(reported(&settled.failed), bounced);
        }
    }

    #[test]
    fn a_mailbox_gets_it_once() {
        let filed =
            |mailbox| Outcome::Filed { mailboxes: vec![(mailbox, "ann@example.org".parse().unwrap())] };
        let settled = settled(vec![filed(3), filed(3), filed(4)], &[Transition::Done(ids(&[0, 1, 2]))]);
        assert_eq!(rest(&settled), None);
        let files = settled.changes.iter().filter(|change| matches!(change, Change::File { .. })).count();
        assert_eq!(files, 2);
    }

    #[test]
    fn failures_and_delays_are_reported_with_their_codes() {
        let outcomes = vec![Outcome::Failed(no((5, 1, 1))), Outcome::Deferred(no((4, 7, 1)))];
        let bounces =
            [Transition::Bounce(ids(&[0]), Bounce::Refused), Transition::Bounce(ids(&[1]), Bounce::Expired)];
        let refused = settled(outcomes.clone(), &bounces);
        let codes: Vec<String> = refused.failed.iter().map(|failed| failed.status.to_string()).collect();
        assert_eq!(codes, ["5.1.1", "4.4.7"]);
        assert_eq!(rest(&refused), None);

        let late = settled(outcomes, &[Transition::NotifyDelay(ids(&[1])), retry(&[1])]);
        assert_eq!(late.delayed[0].recipient, "r1@example.net");
        assert!(late.failed.is_empty());
    }

    #[test]
    fn nothing_is_reported_without_a_sender_or_of_what_was_deleted() {
        let entry = entry(1);
        let attempted = Attempted { outcomes: vec![Outcome::Failed(no((5, 1, 1)))], hops: Vec::new() };
        for (transition, outcome) in [
            (Transition::Bounce(ids(&[0]), Bounce::Refused), Delivered::Discarded),
            (Transition::Bounce(ids(&[0]), Bounce::Expired), Delivered::Expired),
            (Transition::Deleted(ids(&[0])), Delivered::Deleted),
        ] {
            let settled = settle(&entry, &ReversePath::Null, Some(&attempted), &[transition], Timestamp(1));
            assert!(settled.failed.is_empty() && settled.delayed.is_empty());
            assert_eq!(told(&settled)[0].1, outcome);
        }
        let ann = ReversePath::Address("ann@example.org".parse().unwrap());
        let deleted = settle(&entry, &ann, None, &[Transition::Deleted(ids(&[0]))], Timestamp(1));
        assert!(deleted.failed.is_empty() && rest(&deleted).is_none());
    }

    /// RFC 3461 §5.2: who is told of what, by what he asked for.
    #[test]
    fn who_is_told_is_who_asked() {
        let asking = |notify: &str| {
            let mut entry = entry(1);
            let notify = (!notify.is_empty()).then(|| mail::Notify::parse(notify).unwrap());
            entry.recipients[0].parameters.notify = notify;
            entry
        };
        let ann = "ann@example.org".parse::<Address>().unwrap();
        let filed = |mailboxes: i64| Outcome::Filed {
            mailboxes: (0..mailboxes).map(|id| (id, ann.clone())).collect(),
        };
        let relayed = |reports| Outcome::Relayed { said: no((2, 0, 0)), reports };
        let told = |notify: &str, outcome: Outcome| {
            let failed = matches!(outcome, Outcome::Failed(_));
            let transitions = match &outcome {
                Outcome::Failed(_) => vec![Transition::Bounce(ids(&[0]), Bounce::Refused)],
                Outcome::Deferred(_) => vec![Transition::NotifyDelay(ids(&[0])), retry(&[0])],
                _ => vec![Transition::Done(ids(&[0]))],
            };
            let attempted = Attempted { outcomes: vec![outcome], hops: Vec::new() };
            let sender = ReversePath::Address(ann.clone());
            let settled = settle(&asking(notify), &sender, Some(&attempted), &transitions, Timestamp(1));
            let null =
                settle(&asking(notify), &ReversePath::Null, Some(&attempted), &transitions, Timestamp(1));
            assert!(null.failed.is_empty() && null.delayed.is_empty() && null.succeeded.is_empty());
            let discarded = settled
                .story
                .hops
                .iter()
                .any(|hop| matches!(hop.what, What::Deliver { outcome: Delivered::Discarded, .. }));
            assert_eq!(discarded, failed && settled.failed.is_empty());
            let success = settled.succeeded.first().map(|(how, _)| *how);
            (settled.failed.len(), settled.delayed.len(), success)
        };
        for (notify, outcome, expected) in [
            ("", filed(1), (0, 0, None)),
            ("FAILURE,DELAY", filed(1), (0, 0, None)),
            ("SUCCESS", filed(1), (0, 0, Some(Success::Delivered))),
            ("SUCCESS", filed(2), (0, 0, Some(Success::Expanded))),
            ("SUCCESS", relayed(false), (0, 0, Some(Success::Relayed))),
            ("SUCCESS", relayed(true), (0, 0, None)),
            ("", relayed(false), (0, 0, None)),
            ("", Outcome::Failed(no((5, 1, 1))), (1, 0, None)),
            ("FAILURE", Outcome::Failed(no((5, 1, 1))), (1, 0, None)),
            ("SUCCESS,DELAY", Outcome::Failed(no((5, 1, 1))), (0, 0, None)),
            ("NEVER", Outcome::Failed(no((5, 1, 1))), (0, 0, None)),
            ("", Outcome::Deferred(no((4, 7, 1))), (0, 1, None)),
            ("DELAY", Outcome::Deferred(no((4, 7, 1))), (0, 1, None)),
            ("FAILURE", Outcome::Deferred(no((4, 7, 1))), (0, 0, None)),
            ("NEVER", Outcome::Deferred(no((4, 7, 1))), (0, 0, None)),
        ] {
            assert_eq!(told(notify, outcome.clone()), expected, "{notify}: {outcome:?}");
        }
    }
}
