//! Sets of UIDs as runs: a mailbox of 10,000 emails is a handful of numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Uid;

/// UIDs in ascending order, kept as inclusive runs that neither touch nor overlap.
///
/// ```
/// use mail::{Uid, UidSet};
/// let set: UidSet = [4, 1, 2, 3, 7].map(Uid).into_iter().collect();
/// assert_eq!(set.to_string(), "1:4,7");
/// assert_eq!((set.get(5), set.rank(Uid(7))), (Some(Uid(7)), Some(5)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<(u32, u32)>", into = "Vec<(u32, u32)>")]
pub struct UidSet {
    runs: Vec<(u32, u32)>,
}

impl UidSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { runs: Vec::new() }
    }

    /// Runs in any order, with any overlap; ends may stand in either order (RFC 3501 §9: `4:2` is `2:4`).
    pub fn from_runs(runs: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut runs: Vec<_> = runs.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
        runs.sort_unstable();
        let mut set = Self::new();
        for run in runs {
            set.append(run);
        }
        set
    }

    /// The runs, ascending, both ends included.
    pub fn runs(&self) -> &[(u32, u32)] {
        &self.runs
    }

    /// How many UIDs.
    pub fn len(&self) -> u64 {
        self.runs.iter().copied().map(length).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether it is in the set. Logarithmic in the runs.
    pub fn contains(&self, uid: Uid) -> bool {
        let after = self.runs.partition_point(|&(first, _)| first <= uid.0);
        after > 0 && self.runs[after - 1].1 >= uid.0
    }

    /// Each UID, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Uid> + '_ {
        self.runs.iter().flat_map(|&(first, last)| (first..=last).map(Uid))
    }

    /// The lowest.
    pub fn first(&self) -> Option<Uid> {
        self.runs.first().map(|&(first, _)| Uid(first))
    }

    /// The highest.
    pub fn last(&self) -> Option<Uid> {
        self.runs.last().map(|&(_, last)| Uid(last))
    }

    /// The UID with this sequence number, counted from 1. Linear in the runs.
    pub fn get(&self, number: u32) -> Option<Uid> {
        let mut left = u64::from(number).checked_sub(1)?;
        for &run in &self.runs {
            if left < length(run) {
                return Some(Uid(run.0 + left as u32));
            }
            left -= length(run);
        }
        None
    }

    /// The sequence number of this UID, counted from 1; none if it is not in the set. Linear in the runs.
    pub fn rank(&self, uid: Uid) -> Option<u32> {
        let mut before = 0;
        for &run in &self.runs {
            if uid.0 < run.0 {
                return None;
            }
            if uid.0 <= run.1 {
                return u32::try_from(before + u64::from(uid.0 - run.0) + 1).ok();
            }
            before += length(run);
        }
        None
    }

    /// Adds one; says whether it was not there. Cheapest above all others.
    pub fn insert(&mut self, uid: Uid) -> bool {
        if self.contains(uid) {
            return false;
        }
        let at = self.runs.partition_point(|&(first, _)| first < uid.0);
        let joins_left = at > 0 && self.runs[at - 1].1 + 1 == uid.0;
        let joins_right = self.runs.get(at).is_some_and(|&(first, _)| first - 1 == uid.0);
        match (joins_left, joins_right) {
            (true, true) => self.runs[at - 1].1 = self.runs.remove(at).1,
            (true, false) => self.runs[at - 1].1 = uid.0,
            (false, true) => self.runs[at].0 = uid.0,
            (false, false) => self.runs.insert(at, (uid.0, uid.0)),
        }
        true
    }

    /// Removes one; says whether it was there.
    pub fn remove(&mut self, uid: Uid) -> bool {
        if !self.contains(uid) {
            return false;
        }
        let at = self.runs.partition_point(|&(first, _)| first <= uid.0) - 1;
        match self.runs[at] {
            (first, last) if first == last => {
                self.runs.remove(at);
            }
            (first, _) if first == uid.0 => self.runs[at].0 += 1,
            (_, last) if last == uid.0 => self.runs[at].1 -= 1,
            (_, last) => {
                self.runs[at].1 = uid.0 - 1;
                self.runs.insert(at + 1, (uid.0 + 1, last));
            }
        }
        true
    }

    /// What is in either. Linear in the runs of both, like the next two.
    pub fn union(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.runs.iter().peekable(), other.runs.iter().peekable());
        let mut set = Self::new();
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(l), Some(r)) if l <= r => left.next(),
                (Some(_), None) => left.next(),
                _ => right.next(),
            };
            match next {
                Some(&run) => set.append(run),
                None => return set,
            }
        }
    }

    /// What is in both.
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut l, mut r) = (0, 0);
        let mut set = Self::new();
        while let (Some(&left), Some(&right)) = (self.runs.get(l), other.runs.get(r)) {
            let (first, last) = (left.0.max(right.0), left.1.min(right.1));
            if first <= last {
                set.append((first, last));
            }
            if left.1 < right.1 { l += 1 } else { r += 1 }
        }
        set
    }

    /// What is in this one only.
    pub fn difference(&self, other: &Self) -> Self {
        let mut set = Self::new();
        let mut holes = other.runs.iter().copied().peekable();
        for &(first, last) in &self.runs {
            let mut from = Some(first);
            while let Some(&(hole_first, hole_last)) = holes.peek()
                && let Some(start) = from
                && hole_first <= last
            {
                if hole_first > start {
                    set.append((start, hole_first - 1));
                }
                // A hole that reaches beyond this run may also reach into the next one.
                if hole_last >= last {
                    from = None;
                    break;
                }
                from = Some(start.max(hole_last + 1));
                holes.next();
            }
            if let Some(start) = from {
                set.append((start, last));
            }
        }
        set
    }

    /// The lowest `count`.
    pub fn take(&self, count: u64) -> Self {
        self.split_at(count).0
    }

    /// The lowest `count`, and the rest.
    pub fn split_at(&self, count: u64) -> (Self, Self) {
        let (mut low, mut high) = (Self::new(), Self::new());
        let mut left = count;
        for &(first, last) in &self.runs {
            let taken = left.min(length((first, last)));
            left -= taken;
            // `taken` is at most the run's length, so the sums stay within it.
            if taken > 0 {
                low.runs.push((first, (u64::from(first) + taken - 1) as u32));
            }
            if taken < length((first, last)) {
                high.runs.push(((u64::from(first) + taken) as u32, last));
            }
        }
        (low, high)
    }

    /// Adds a run that begins no lower than the last one.
    fn append(&mut self, (first, last): (u32, u32)) {
        match self.runs.last_mut() {
            Some(end) if first <= end.1.saturating_add(1) => end.1 = end.1.max(last),
            _ => self.runs.push((first, last)),
        }
    }
}

fn length((first, last): (u32, u32)) -> u64 {
    u64::from(last - first) + 1
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        Self::from_runs(uids.into_iter().map(|uid| (uid.0, uid.0)))
    }
}

impl Extend<Uid> for UidSet {
    fn extend<I: IntoIterator<Item = Uid>>(&mut self, uids: I) {
        *self = self.union(&uids.into_iter().collect());
    }
}

impl From<Uid> for UidSet {
    fn from(uid: Uid) -> Self {
        Self { runs: vec![(uid.0, uid.0)] }
    }
}

impl From<Vec<(u32, u32)>> for UidSet {
    fn from(runs: Vec<(u32, u32)>) -> Self {
        Self::from_runs(runs)
    }
}

impl From<UidSet> for Vec<(u32, u32)> {
    fn from(set: UidSet) -> Self {
        set.runs
    }
}

impl fmt::Display for UidSet {
    /// As IMAP's sequence-set (RFC 3501 §9); nothing for the empty set, which IMAP cannot say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, &(first, last)) in self.runs.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            if first == last { write!(f, "{comma}{first}")? } else { write!(f, "{comma}{first}:{last}")? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(uids: &BTreeSet<u32>) -> UidSet {
        uids.iter().copied().map(Uid).collect()
    }

    fn model(set: &UidSet) -> BTreeSet<u32> {
        set.iter().map(|uid| uid.0).collect()
    }

    fn is_normal(set: &UidSet) -> bool {
        set.runs.iter().all(|run| run.0 <= run.1)
            && set.runs.windows(2).all(|w| u64::from(w[0].1) + 1 < u64::from(w[1].0))
    }

    #[test]
    fn runs_are_normalised() {
        for (runs, text) in [
            (vec![], ""),
            (vec![(7, 7), (4, 1)], "1:4,7"),
            (vec![(1, 2), (3, 4), (2, 3)], "1:4"),
            (vec![(1, 9), (2, 3), (10, 10)], "1:10"),
            (vec![(u32::MAX, u32::MAX), (u32::MAX - 1, u32::MAX)], "4294967294:4294967295"),
        ] {
            assert_eq!(UidSet::from_runs(runs).to_string(), text);
        }
    }

    #[test]
    fn the_ends_of_the_range_hold() {
        let mut all = UidSet::from_runs([(0, u32::MAX)]);
        assert_eq!(all.len(), 1 << 32);
        assert_eq!(all.rank(Uid(u32::MAX)), None, "no sequence number is that high");
        assert_eq!(all.get(u32::MAX), Some(Uid(u32::MAX - 1)));
        assert_eq!(all.difference(&all), UidSet::new());
        assert_eq!(all.split_at(1 << 32).1, UidSet::new());
        assert!(all.remove(Uid(u32::MAX)) && all.remove(Uid(0)));
        assert!(all.insert(Uid(u32::MAX)) && all.insert(Uid(0)));
        assert_eq!(all.runs(), [(0, u32::MAX)]);
        assert_eq!(all.get(0), None);
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(a: BTreeSet<u8>, b: BTreeSet<u8>, one: u8) {
            let widen = |s: BTreeSet<u8>| s.into_iter().map(u32::from).collect::<BTreeSet<_>>();
            let (a, b, one) = (widen(a), widen(b), u32::from(one));
            let (x, y) = (set(&a), set(&b));
            for (made, expected) in [
                (x.union(&y), &a | &b),
                (x.intersection(&y), &a & &b),
                (x.difference(&y), &a - &b),
            ] {
                prop_assert!(is_normal(&made));
                prop_assert_eq!(model(&made), expected);
            }
            let (mut x, mut a) = (x, a);
            prop_assert_eq!(x.len(), a.len() as u64);
            prop_assert_eq!(x.contains(Uid(one)), a.contains(&one));
            prop_assert_eq!(x.insert(Uid(one)), a.insert(one));
            prop_assert!(is_normal(&x));
            prop_assert_eq!(model(&x), a.clone());
            prop_assert!(x.remove(Uid(one)));
            a.remove(&one);
            prop_assert!(is_normal(&x));
            prop_assert_eq!(model(&x), a.clone());
            x.extend(y.iter());
            prop_assert_eq!(model(&x), &a | &b);
        }

        #[test]
        fn sequence_numbers_lead_there_and_back(a: BTreeSet<u8>, count in 0u64..300) {
            let a: BTreeSet<u32> = a.into_iter().map(u32::from).collect();
            let x = set(&a);
            for (place, &uid) in a.iter().enumerate() {
                prop_assert_eq!(x.rank(Uid(uid)), Some(place as u32 + 1));
                prop_assert_eq!(x.get(place as u32 + 1), Some(Uid(uid)));
            }
            prop_assert_eq!(x.get(a.len() as u32 + 1), None);
            let (low, high) = x.split_at(count);
            prop_assert!(is_normal(&low) && is_normal(&high));
            prop_assert_eq!(low.len(), count.min(x.len()));
            prop_assert_eq!(low.union(&high), x.clone());
            prop_assert_eq!((x.first(), x.last()), (a.first().copied().map(Uid), a.last().copied().map(Uid)));
        }
    }
}
