//! What clients know of every message they sent, and what must therefore be found.
//!
//! ```text
//! 250 after the final dot            once in each recipient's mailbox
//! cut between the dot and the reply  at most once, and for all recipients or for none
//! cut earlier, or refused            nowhere
//! never sent                         nowhere
//! ```

use std::collections::BTreeMap;

use super::attempt::Attempt;
use super::smtp::Sent;

/// How often each message lies in each account, by number and address.
pub(crate) type Found = BTreeMap<(u32, String), usize>;

/// How many attempts ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) acknowledged: usize,
    pub(crate) in_flight: usize,
    /// Of those in flight.
    pub(crate) in_flight_kept: usize,
    pub(crate) cut: usize,
    pub(crate) refused: usize,
}

/// Compares; every fault in words.
pub(crate) fn compare(attempts: &[Attempt], found: &Found) -> (Tally, Vec<String>) {
    let (mut tally, mut faults, mut left) = (Tally::default(), Vec::new(), found.clone());
    for attempt in attempts {
        let mark = attempt.message.mark();
        let copies: Vec<usize> = attempt
            .recipients
            .iter()
            .map(|recipient| left.remove(&(attempt.message.number, recipient.clone())).unwrap_or_default())
            .collect();
        if let Some(fault) = judge(&attempt.sent, &copies) {
            faults.push(format!("{mark} to {:?} {fault}: {:?}", attempt.recipients, attempt.sent));
        }
        tally.count(&attempt.sent, &copies);
    }
    let never = left.keys().map(|(number, account)| format!("message {number} was never sent to {account}"));
    faults.extend(never);
    (tally, faults)
}

/// What is wrong with so many copies for the recipients of one attempt.
fn judge(sent: &Sent, copies: &[usize]) -> Option<&'static str> {
    let (none, one) = (copies.iter().all(|&n| n == 0), copies.iter().all(|&n| n == 1));
    match sent {
        _ if copies.iter().any(|&n| n > 1) => Some("is there more than once"),
        Sent::Kept(_) if !one => Some("was acknowledged and is lost"),
        Sent::InFlight if !none && !one => Some("was in flight and is there for some recipients only"),
        Sent::Cut if !none => Some("is there although its content never ended"),
        Sent::Refused(_) if !none => Some("is there although it was refused"),
        _ => None,
    }
}

impl Tally {
    fn count(&mut self, sent: &Sent, copies: &[usize]) {
        match sent {
            Sent::Kept(_) => self.acknowledged += 1,
            Sent::Cut => self.cut += 1,
            Sent::Refused(_) => self.refused += 1,
            Sent::InFlight => {
                self.in_flight += 1;
                self.in_flight_kept += usize::from(copies.contains(&1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::message::Message;

    fn attempt(number: u32, sent: Sent) -> Attempt {
        let message = Message { number, octets: 0 };
        Attempt { message, recipients: vec!["a".into(), "b".into()], sent }
    }

    #[test]
    fn every_way_to_break_the_promise_is_a_fault() {
        let kept = || Sent::Kept("Q".into());
        let refused = || Sent::Refused("451".into());
        let cases = [
            (kept(), [1, 1], None),
            (kept(), [1, 0], Some("lost")),
            (kept(), [0, 0], Some("lost")),
            (kept(), [1, 2], Some("more than once")),
            (Sent::InFlight, [0, 0], None),
            (Sent::InFlight, [1, 1], None),
            (Sent::InFlight, [0, 1], Some("some recipients only")),
            (Sent::InFlight, [2, 2], Some("more than once")),
            (Sent::Cut, [0, 0], None),
            (Sent::Cut, [1, 1], Some("never ended")),
            (refused(), [0, 0], None),
            (refused(), [1, 0], Some("refused")),
        ];
        for (sent, [a, b], expected) in cases {
            let found = Found::from([((7, "a".into()), a), ((7, "b".into()), b)]);
            let (_, faults) = compare(&[attempt(7, sent.clone())], &found);
            match expected {
                None => assert!(faults.is_empty(), "{sent:?} {a} {b}: {faults:?}"),
                Some(word) => assert!(faults[0].contains(word), "{sent:?} {a} {b}: {faults:?}"),
            }
        }
    }

    #[test]
    fn what_was_never_sent_is_a_fault() {
        let found = Found::from([((8, "a".into()), 1), ((7, "c".into()), 1)]);
        let (_, faults) = compare(&[attempt(7, Sent::InFlight)], &found);
        assert_eq!(faults, ["message 7 was never sent to c", "message 8 was never sent to a"]);
    }

    #[test]
    fn attempts_are_counted() {
        let attempts = [attempt(1, Sent::InFlight), attempt(2, Sent::InFlight), attempt(3, Sent::Cut)];
        let found = Found::from([((1, "a".into()), 1), ((1, "b".into()), 1)]);
        let (tally, _) = compare(&attempts, &found);
        assert_eq!(tally, Tally { in_flight: 2, in_flight_kept: 1, cut: 1, ..Tally::default() });
    }
}
