//! Sets of UIDs as runs: a mailbox of 10,000 emails is a handful of numbers.

use crate::Uid;

/// UIDs in ascending order, kept as inclusive runs that neither touch nor overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct UidSet {
    runs: Vec<(u32, u32)>,
}

impl UidSet {
    /// The runs, ascending, both ends included.
    pub fn runs(&self) -> &[(u32, u32)] {
        &self.runs
    }

    /// How many UIDs.
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|&(first, last)| u64::from(last - first) + 1).sum()
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
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.runs.iter().flat_map(|&(first, last)| (first..=last).map(Uid))
    }
}
