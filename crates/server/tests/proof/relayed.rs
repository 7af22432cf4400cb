//! What must have become of every message that was sent on, recipient by recipient.
//!
//! ```text
//! 250 after the final dot            at the sink, or reported exactly once, or in the queue; nothing of it twice
//! cut between the dot and the reply  so for all its recipients, or for none
//! cut earlier, or refused, or never  nowhere
//! ```
//!
//! A recipient may have a copy too many where RFC 1047 excuses it, and nowhere else. What the store has kept is not sent
//! again, so the copy before it must be one that was not yet kept as sent:
//!
//! - The process that brought it was killed. In one life nothing is sent twice: the sink refuses nothing that it has taken.
//! - Its 250 was never heard, or came less than [`SETTLING_TIME_MAX`] before that kill.
//! - The recipient stood in the queue when the life began that brought the copy after it: `queue list` said so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::attempt::Attempt;
use super::letters::{self, Fate};
use super::smtp::Sent;

/// From the next hop's 250 to the commit that keeps it as sent: two or three syncs of the disk, some 50 ms, and ten times that
/// on a machine whose cores have more to do than they can. In this time a kill may make another copy, and later never.
pub(crate) const SETTLING_TIME_MAX: Duration = Duration::from_millis(500);

/// A copy at the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) life: u32,
    pub(crate) answered: Option<Instant>,
}

/// Where everything was found. Recipients have addresses of their own.
#[derive(Debug, Default)]
pub(crate) struct Whereabouts {
    /// In the order in which they were taken.
    pub(crate) copies: BTreeMap<String, Vec<Copy>>,
    pub(crate) reports: BTreeMap<String, usize>,
    /// Who waited in the end.
    pub(crate) waiting: BTreeSet<String>,
    /// When the process of each life was killed; those that ended otherwise are not here.
    pub(crate) kills: BTreeMap<u32, Instant>,
    /// Who waited when each life began, as far as somebody looked.
    pub(crate) waited: BTreeMap<u32, BTreeSet<String>>,
}

/// How many there were. Messages are counted as they were sent, all else by recipient.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) acknowledged: usize,
    pub(crate) in_flight: usize,
    pub(crate) cut: usize,
    pub(crate) refused: usize,
    pub(crate) relayed: usize,
    pub(crate) reported: usize,
    pub(crate) waiting: usize,
    /// Copies that were taken before a kill and answered after it.
    pub(crate) unheard: usize,
    /// Copies beyond the first.
    pub(crate) duplicates: usize,
}

/// Compares; every fault in words.
pub(crate) fn compare(attempts: &[Attempt], found: &Whereabouts) -> (Tally, Vec<String>) {
    let mut tally = found.tally();
    let mut faults = Vec::new();
    let mut begun = BTreeSet::new();
    for attempt in attempts {
        let mark = attempt.message.mark();
        match attempt.sent {
            Sent::Kept(_) => tally.acknowledged += 1,
            Sent::InFlight => tally.in_flight += 1,
            Sent::Cut => tally.cut += 1,
            Sent::Refused(_) => tally.refused += 1,
        }
        if let Some(fault) = found.judge(attempt) {
            faults.push(format!("{mark} to {:?} {fault}: {:?}", attempt.recipients, attempt.sent));
        }
        for recipient in &attempt.recipients {
            let fault = found.judge_recipient(recipient);
            faults.extend(fault.map(|fault| format!("{mark} {fault}: {recipient}")));
            begun.insert(recipient);
        }
    }
    let never = found.all().filter(|recipient| !begun.contains(recipient));
    faults.extend(never.map(|recipient| format!("nothing was ever sent to {recipient}")));
    (tally, faults)
}

impl Whereabouts {
    /// Everyone of whom there is a trace.
    fn all(&self) -> impl Iterator<Item = &String> {
        self.copies.keys().chain(self.reports.keys()).chain(&self.waiting)
    }

    fn is_somewhere(&self, recipient: &String) -> bool {
        self.copies.contains_key(recipient)
            || self.reports.contains_key(recipient)
            || self.waiting.contains(recipient)
    }

    /// What is wrong with an attempt as a whole.
    fn judge(&self, attempt: &Attempt) -> Option<&'static str> {
        let somewhere = attempt.recipients.iter().filter(|one| self.is_somewhere(one)).count();
        let (none, all) = (somewhere == 0, somewhere == attempt.recipients.len());
        match attempt.sent {
            Sent::Kept(_) if !all => Some("was acknowledged and is lost"),
            Sent::InFlight if !none && !all => Some("was in flight and is there for some recipients only"),
            Sent::Cut if !none => Some("is there although its content never ended"),
            Sent::Refused(_) if !none => Some("is there although it was refused"),
            _ => None,
        }
    }

    /// What is wrong with what a recipient has.
    fn judge_recipient(&self, recipient: &String) -> Option<&'static str> {
        let copies = self.copies.get(recipient).map(Vec::as_slice).unwrap_or_default();
        let reports = self.reports.get(recipient).copied().unwrap_or_default();
        let waits = self.waiting.contains(recipient);
        let fate = letters::read(recipient).map(|(fate, _)| fate);
        if reports > 1 {
            return Some("was reported more than once");
        }
        if reports > 0 && fate != Some(Fate::Never) {
            return Some("was reported though the next hop takes it");
        }
        if reports > 0 && waits {
            return Some("was reported and still waits");
        }
        if fate == Some(Fate::Never) && !copies.is_empty() {
            return Some("was taken by a next hop that takes nothing for him");
        }
        // Where it still waits another copy is to come, so the last one needs an excuse too.
        let final_copy = usize::from(!waits);
        let again = copies.len().saturating_sub(final_copy);
        let inexcusable = (0..again).any(|at| !self.is_excused(copies[at]));
        if inexcusable {
            return Some("was sent again and has no excuse");
        }
        let again_in =
            |copy: &Copy| self.waited.get(&copy.life).is_some_and(|known| !known.contains(recipient));
        copies.iter().skip(1).any(again_in).then_some("was sent again though the queue had it no more")
    }

    /// Whether a copy may be followed by another.
    fn is_excused(&self, copy: Copy) -> bool {
        let Some(&killed) = self.kills.get(&copy.life) else { return false };
        copy.answered.is_none_or(|answered| answered + SETTLING_TIME_MAX > killed)
    }

    /// Whether its 250 came too late for the process that brought it.
    fn is_unheard(&self, copy: Copy) -> bool {
        let killed = self.kills.get(&copy.life);
        killed.is_some_and(|&killed| copy.answered.is_none_or(|answered| answered > killed))
    }

    fn tally(&self) -> Tally {
        Tally {
            relayed: self.copies.len(),
            reported: self.reports.len(),
            waiting: self.waiting.len(),
            unheard: self.copies.values().flatten().filter(|copy| self.is_unheard(**copy)).count(),
            duplicates: self.copies.values().map(|copies| copies.len() - 1).sum(),
            ..Tally::default()
        }
    }

    /// Of the copies that were followed by another, the longest time from a 250 to the kill that it came before.
    pub(crate) fn longest_excuse(&self) -> Duration {
        let followed =
            self.copies.values().flat_map(|copies| copies.split_last().map_or(&[][..], |(_, them)| them));
        let times = followed
            .filter_map(|copy| Some(self.kills.get(&copy.life)?.saturating_duration_since(copy.answered?)));
        times.max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::letters::{message, recipients};

    /// The number of a letter with recipients of these fates.
    fn letter(fates: &[Fate]) -> u32 {
        let fates_of =
            |number| recipients(number).iter().map(|one| letters::read(one).unwrap().0).collect::<Vec<_>>();
        (0..1_000).find(|&number| fates_of(number) == fates).unwrap()
    }

    /// Where the recipients of a letter are, one word each: a copy in life `0` or `1`, a copy much `e`arlier in life 0, an
    /// un`h`eard one in it, a `r`eport, `w`aiting. Life 0 was killed, and life 1 began with everyone waiting but those
    /// marked `d`.
    fn whereabouts(recipients: &[String], words: &[&str]) -> Whereabouts {
        let killed = Instant::now() + SETTLING_TIME_MAX * 2;
        let mut found = Whereabouts { kills: BTreeMap::from([(0, killed)]), ..Whereabouts::default() };
        let known: BTreeSet<String> = recipients.iter().cloned().collect();
        found.waited.insert(1, known);
        for (recipient, word) in recipients.iter().zip(words) {
            for letter in word.chars() {
                let (life, answered) = match letter {
                    '0' => (0, Some(killed - SETTLING_TIME_MAX / 2)),
                    'e' => (0, Some(killed - SETTLING_TIME_MAX)),
                    'h' => (0, None),
                    '1' => (1, Some(killed + SETTLING_TIME_MAX)),
                    'r' => {
                        *found.reports.entry(recipient.clone()).or_default() += 1;
                        continue;
                    }
                    'w' => {
                        found.waiting.insert(recipient.clone());
                        continue;
                    }
                    'd' => {
                        found.waited.get_mut(&1).unwrap().remove(recipient);
                        continue;
                    }
                    other => panic!("{other}"),
                };
                found.copies.entry(recipient.clone()).or_default().push(Copy { life, answered });
            }
        }
        found
    }

    fn faults(fates: &[Fate], sent: Sent, words: &[&str]) -> Vec<String> {
        let number = letter(fates);
        let attempt = Attempt { message: message(number), recipients: recipients(number), sent };
        let found = whereabouts(&attempt.recipients, words);
        compare(&[attempt], &found).1
    }

    #[test]
    fn every_way_to_break_the_promise_is_a_fault() {
        const BOTH: &[Fate] = &[Fate::Taken, Fate::Later];
        const NEVER: &[Fate] = &[Fate::Never, Fate::Never];
        let kept = || Sent::Kept("Q".into());
        let refused = || Sent::Refused("451".into());
        let cases = [
            (BOTH, kept(), ["0", "1"], None),
            (BOTH, kept(), ["1", "w"], None),
            (BOTH, kept(), ["1d", "w"], None),
            (BOTH, kept(), ["0", ""], Some("acknowledged and is lost")),
            (BOTH, kept(), ["", ""], Some("acknowledged and is lost")),
            (BOTH, kept(), ["01", "h1"], None),
            (BOTH, kept(), ["0h1", "1"], None),
            (BOTH, kept(), ["0", "hw"], None),
            (BOTH, kept(), ["e1", "1"], Some("no excuse")),
            (BOTH, kept(), ["11", "1"], Some("no excuse")),
            (BOTH, kept(), ["1w", "1"], Some("no excuse")),
            (BOTH, kept(), ["01d", "1"], Some("the queue had it no more")),
            (BOTH, kept(), ["r", "1"], Some("though the next hop takes it")),
            (NEVER, kept(), ["r", "r"], None),
            (NEVER, kept(), ["r", "w"], None),
            (NEVER, kept(), ["r", ""], Some("acknowledged and is lost")),
            (NEVER, kept(), ["rr", "r"], Some("reported more than once")),
            (NEVER, kept(), ["rw", "r"], Some("reported and still waits")),
            (NEVER, kept(), ["r", "1"], Some("takes nothing for him")),
            (BOTH, Sent::InFlight, ["", ""], None),
            (BOTH, Sent::InFlight, ["1", "w"], None),
            (BOTH, Sent::InFlight, ["1", ""], Some("some recipients only")),
            (BOTH, Sent::InFlight, ["e1", "1"], Some("no excuse")),
            (BOTH, Sent::Cut, ["", ""], None),
            (BOTH, Sent::Cut, ["1", "1"], Some("never ended")),
            (BOTH, refused(), ["", ""], None),
            (BOTH, refused(), ["", "w"], Some("it was refused")),
        ];
        for (fates, sent, words, expected) in cases {
            let faults = faults(fates, sent.clone(), &words);
            match expected {
                None => assert!(faults.is_empty(), "{sent:?} {words:?}: {faults:?}"),
                Some(fault) => {
                    assert!(faults.iter().any(|it| it.contains(fault)), "{sent:?} {words:?}: {faults:?}")
                }
            }
        }
    }

    #[test]
    fn what_was_never_sent_is_a_fault_wherever_it_is() {
        for word in ["1", "r", "w"] {
            let strangers = recipients(letter(&[Fate::Taken]));
            let (_, faults) = compare(&[], &whereabouts(&strangers, &[word]));
            assert_eq!(faults, [format!("nothing was ever sent to {}", strangers[0])]);
        }
    }

    #[test]
    fn it_is_counted() {
        let number = letter(&[Fate::Taken, Fate::Later]);
        let attempt = |sent| Attempt { message: message(number), recipients: recipients(number), sent };
        let found = whereabouts(&recipients(number), &["0h1", "w"]);
        let (tally, _) = compare(&[attempt(Sent::InFlight), attempt(Sent::Cut)], &found);
        let expected = Tally {
            in_flight: 1,
            cut: 1,
            relayed: 1,
            unheard: 1,
            duplicates: 2,
            waiting: 1,
            ..Tally::default()
        };
        assert_eq!(tally, expected);
        assert_eq!(found.longest_excuse(), SETTLING_TIME_MAX / 2);
    }
}
