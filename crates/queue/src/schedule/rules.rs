//! The retry list of the settings: when a deferred recipient is tried again, told of, given up.

use std::collections::BTreeMap;
use std::time::Duration;

use mail::Timestamp;

use super::plus;
use super::value::{Bounce, Delivery, Outcome, RecipientId, Transition};
use crate::limits::{RETRY_INTERVAL_MIN, RETRY_JITTER_PART};

/// The delivery properties of the virtual server that accepted a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The pauses after the first attempts, in order.
    pub retry: Vec<Duration>,
    /// The pause after all later ones. None: nobody calls there, the destination collects its mail (ETRN, RFC 1985);
    /// what is not collected is tried once, when its time is over.
    pub then: Option<Duration>,
    /// When the sender of what is still tried is told; none for never.
    pub notify_after: Option<Duration>,
    /// When it is given up.
    pub expire_after: Duration,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Default for Rules {
    /// 15, 30 and 60 minutes, then every 4 hours; told after 4 hours, given up after 5 days (RFC 5321 §4.5.4.1).
    fn default() -> Self {
        Self {
            retry: vec![MINUTE * 15, MINUTE * 30, MINUTE * 60],
            then: Some(MINUTE * 240),
            notify_after: Some(MINUTE * 240),
            expire_after: MINUTE * 60 * 24 * 5,
        }
    }
}

impl Rules {
    /// When a delivery accepted now is first tried.
    pub fn first_due(&self, accepted: Timestamp) -> Timestamp {
        match (self.retry.is_empty(), self.then) {
            (true, None) => self.expiry(accepted),
            _ => accepted,
        }
    }

    /// When a message accepted then is given up.
    pub fn expiry(&self, accepted: Timestamp) -> Timestamp {
        plus(accepted, self.expire_after)
    }

    /// When a delivery with so many attempts made is tried next; at the latest when its time is over, for a last time.
    /// `jitter` comes on top, at most an eighth of the pause, so that what was deferred together does not return together.
    fn due(&self, delivery: &Delivery, attempts: u32, now: Timestamp, jitter: Duration) -> Timestamp {
        let expiry = self.expiry(delivery.accepted);
        let Some(pause) = self.pause(attempts) else { return expiry };
        plus(now, pause + jitter.min(pause / RETRY_JITTER_PART)).min(expiry)
    }

    /// The pause after so many attempts; none if there is no other attempt but the last.
    fn pause(&self, attempts: u32) -> Option<Duration> {
        let place = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let pause = self.retry.get(place).copied().or(self.then)?;
        Some(pause.max(RETRY_INTERVAL_MIN))
    }

    /// How much jitter has an effect on the pause after an attempt that had so many before it.
    pub fn jitter_max(&self, attempts: u32) -> Duration {
        self.pause(attempts.saturating_add(1)).unwrap_or_default() / RETRY_JITTER_PART
    }

    /// The same pauses without an end and without a word to the sender: for what waits until somebody repairs it.
    pub fn without_end(&self) -> Self {
        Self { notify_after: None, expire_after: Duration::MAX, ..self.clone() }
    }

    /// What an attempt's outcomes change. Each recipient of the delivery appears exactly once among `Done`, `Bounce`,
    /// `Deleted` and `Retry`; one without an outcome counts as deferred.
    pub(super) fn transitions(
        &self,
        delivery: &Delivery,
        outcomes: &BTreeMap<RecipientId, Outcome>,
        now: Timestamp,
        jitter: Duration,
    ) -> Vec<Transition> {
        let with = |wanted: Outcome| -> Vec<RecipientId> {
            let of = |id: &RecipientId| outcomes.get(id).copied().unwrap_or(Outcome::Deferred);
            delivery.recipients.iter().copied().filter(|id| of(id) == wanted).collect()
        };
        let (done, failed, deferred) =
            (with(Outcome::Delivered), with(Outcome::Failed), with(Outcome::Deferred));
        let mut transitions = Vec::new();
        push(&mut transitions, Transition::Done, done);
        if delivery.is_doomed() {
            push(&mut transitions, Transition::Deleted, [failed, deferred].concat());
            return transitions;
        }
        push(&mut transitions, |ids| Transition::Bounce(ids, Bounce::Refused), failed);
        if now >= self.expiry(delivery.accepted) {
            push(&mut transitions, |ids| Transition::Bounce(ids, Bounce::Expired), deferred);
        } else if !deferred.is_empty() {
            self.keep(&mut transitions, delivery, deferred, now, jitter);
        }
        transitions
    }

    fn keep(
        &self,
        transitions: &mut Vec<Transition>,
        delivery: &Delivery,
        recipients: Vec<RecipientId>,
        now: Timestamp,
        jitter: Duration,
    ) {
        let late = self.notify_after.is_some_and(|after| now >= plus(delivery.accepted, after));
        if late && !delivery.notified {
            transitions.push(Transition::NotifyDelay(recipients.clone()));
        }
        let attempts = delivery.attempts.saturating_add(1);
        let due = self.due(delivery, attempts, now, jitter);
        let notified = delivery.notified || late;
        transitions.push(Transition::Retry { recipients, due, attempts, notified });
    }
}

fn push(
    transitions: &mut Vec<Transition>,
    kind: impl FnOnce(Vec<RecipientId>) -> Transition,
    recipients: Vec<RecipientId>,
) {
    if !recipients.is_empty() {
        transitions.push(kind(recipients));
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::{DOOMED, Key};
    use super::*;
    use mail::QueueId;

    const HOUR: Duration = Duration::from_secs(3600);

    fn delivery(recipients: u32) -> Delivery {
        Delivery {
            key: Key { destination: "example.net".into(), queue_id: QueueId(1) },
            recipients: (0..recipients).map(RecipientId).collect(),
            accepted: Timestamp(0),
            due: Timestamp(0),
            attempts: 0,
            notified: false,
        }
    }

    fn all(outcome: Outcome, recipients: u32) -> BTreeMap<RecipientId, Outcome> {
        (0..recipients).map(|id| (RecipientId(id), outcome)).collect()
    }

    fn retry(transitions: &[Transition]) -> Option<(i64, u32, bool)> {
        transitions.iter().find_map(|transition| match transition {
            Transition::Retry { due, attempts, notified, .. } => Some((due.0, *attempts, *notified)),
            _ => None,
        })
    }

    #[test]
    fn pauses_follow_the_list_and_the_last_attempt_is_at_expiry() {
        let rules = Rules { expire_after: HOUR * 10, ..Rules::default() };
        let (mut delivery, mut now, mut minutes) = (delivery(1), Timestamp(0), Vec::new());
        while let Some((due, attempts, notified)) =
            retry(&rules.transitions(&delivery, &all(Outcome::Deferred, 1), now, Duration::ZERO))
        {
            now = Timestamp(due);
            minutes.push(due / 60_000);
            (delivery.attempts, delivery.notified) = (attempts, notified);
        }
        assert_eq!(minutes, [15, 45, 105, 345, 585, 600]);
        let last = rules.transitions(&delivery, &all(Outcome::Deferred, 1), now, Duration::ZERO);
        assert_eq!(last, [Transition::Bounce(vec![RecipientId(0)], Bounce::Expired)]);
    }

    #[test]
    fn jitter_is_at_most_an_eighth_of_the_pause() {
        for (jitter_secs, expected_secs) in [(0, 900), (60, 960), (112, 1012), (9000, 1012)] {
            let transitions = Rules::default().transitions(
                &delivery(1),
                &BTreeMap::new(),
                Timestamp(0),
                Duration::from_secs(jitter_secs),
            );
            assert_eq!(retry(&transitions).unwrap().0 / 1000, expected_secs);
        }
    }

    #[test]
    fn each_recipient_goes_its_own_way() {
        let outcomes = BTreeMap::from([
            (RecipientId(0), Outcome::Delivered),
            (RecipientId(1), Outcome::Failed),
            (RecipientId(9), Outcome::Failed),
        ]);
        let transitions = Rules::default().transitions(&delivery(3), &outcomes, Timestamp(0), Duration::ZERO);
        let waits = vec![RecipientId(2)];
        let due = Timestamp(900_000);
        assert_eq!(
            transitions,
            [
                Transition::Done(vec![RecipientId(0)]),
                Transition::Bounce(vec![RecipientId(1)], Bounce::Refused),
                Transition::Retry { recipients: waits, due, attempts: 1, notified: false },
            ]
        );
    }

    #[test]
    fn the_sender_is_told_of_a_delay_once() {
        let late = plus(Timestamp(0), HOUR * 4);
        let mut delivery = delivery(1);
        for (now, notified, expected) in
            [(Timestamp(late.0 - 1), false, false), (late, false, true), (late, true, false)]
        {
            delivery.notified = notified;
            let transitions = Rules::default().transitions(&delivery, &BTreeMap::new(), now, Duration::ZERO);
            let told = transitions.contains(&Transition::NotifyDelay(vec![RecipientId(0)]));
            assert_eq!(told, expected, "{now}");
        }
    }

    #[test]
    fn what_was_deleted_while_it_was_tried_is_done_or_deleted() {
        let delivery = Delivery { due: DOOMED, ..delivery(2) };
        let outcomes = BTreeMap::from([(RecipientId(1), Outcome::Delivered)]);
        let transitions = Rules::default().transitions(&delivery, &outcomes, Timestamp(0), Duration::ZERO);
        let expected = [Transition::Done(vec![RecipientId(1)]), Transition::Deleted(vec![RecipientId(0)])];
        assert_eq!(transitions, expected);
    }

    #[test]
    fn mail_that_is_collected_waits_until_its_time_is_over() {
        let rules = Rules { retry: Vec::new(), then: None, ..Rules::default() };
        assert_eq!(rules.first_due(Timestamp(5)), rules.expiry(Timestamp(5)));
        let transitions =
            rules.transitions(&delivery(1), &BTreeMap::new(), Timestamp(60_000), Duration::ZERO);
        assert_eq!(retry(&transitions).unwrap().0, rules.expiry(Timestamp(0)).0);
    }
}
