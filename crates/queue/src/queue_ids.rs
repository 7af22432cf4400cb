//! Gives each transaction its name.

use std::sync::atomic::{AtomicU64, Ordering};

use mail::{QueueId, Timestamp};
use world::Dice;

/// The source of queue ids: unique in this process, ascending, and unlikely to meet an id of a process before it even if
/// the wall clock was set back, because the counter starts at a random place.
#[derive(Debug)]
pub struct QueueIds {
    last: AtomicU64,
    salt: u64,
}

const COUNTER_BITS: u32 = 20;

impl QueueIds {
    /// A source that begins at a place the dice choose.
    pub fn new(dice: &Dice) -> Self {
        Self { last: AtomicU64::new(0), salt: dice.throw() & ((1 << COUNTER_BITS) - 1) >> 1 }
    }

    /// The id of a transaction that begins now. A million in one millisecond borrow from the next ones.
    pub fn next(&self, now: Timestamp) -> QueueId {
        let floor = (now.0.max(0).cast_unsigned() << COUNTER_BITS) | self.salt;
        let step = |last: u64| Some(floor.max(last + 1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        QueueId(floor.max(last.expect("step always gives a value") + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_within_and_across_milliseconds_and_when_the_clock_goes_back() {
        let ids = QueueIds::new(&Dice::seeded(1));
        let given: Vec<_> = [5, 5, 5, 9, 3, 10].map(|ms| ids.next(Timestamp(ms)).0).into();
        assert!(given.windows(2).all(|pair| pair[0] < pair[1]), "{given:?}");
    }
}
