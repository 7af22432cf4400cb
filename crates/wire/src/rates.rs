//! How often a source comes: so many times within a span, with bounded memory.
//!
//! Each event of a source moves a time of its own forward by its share of the span; whoever is a whole span ahead of the
//! clock has to wait. One number a source is all there is to keep, and one that the clock has passed can be forgotten.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::limits::RATE_SOURCES_MAX;

/// So many within a span of time. Both are above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// Within how long.
    pub per: Duration,
}

/// What the sources of one kind of event have had. Time is counted from any moment on, always the same.
///
/// At most [`RATE_SOURCES_MAX`] sources are remembered, twice: when there are more, those that have not come since the last
/// time this happened are forgotten.
#[derive(Debug, Default)]
pub struct Rates {
    young: BTreeMap<IpAddr, Duration>,
    old: BTreeMap<IpAddr, Duration>,
}

impl Rates {
    /// One more event of this source, now. False if there were too many; this one then does not count.
    pub fn take(&mut self, source: IpAddr, rate: Rate, now: Duration) -> bool {
        let ahead = self.young.get(&source).or_else(|| self.old.get(&source)).copied();
        let ahead = ahead.unwrap_or_default().max(now) + rate.per / rate.count.max(1);
        if ahead > now + rate.per {
            return false;
        }
        if self.young.len() >= RATE_SOURCES_MAX && !self.young.contains_key(&source) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(source, ahead);
        true
    }

    /// How many sources are remembered.
    pub fn sources(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    const PER_MINUTE: Rate = Rate { count: 3, per: Duration::from_secs(60) };

    fn source(number: u32) -> IpAddr {
        Ipv4Addr::from(number).into()
    }

    #[test]
    fn a_source_comes_so_often_at_once_and_then_as_the_time_goes() {
        let mut rates = Rates::default();
        let at = Duration::from_secs;
        for (now, who, expected) in [
            (0, 1, true),
            (0, 1, true),
            (1, 1, true),
            (1, 1, false),
            (1, 2, true),
            (19, 1, false),
            (20, 1, true),
            (20, 1, false),
            (500, 1, true),
            (500, 1, true),
            (500, 1, true),
            (500, 1, false),
        ] {
            assert_eq!(rates.take(source(who), PER_MINUTE, at(now)), expected, "{who} at {now} s");
        }
    }

    #[test]
    fn memory_is_bounded_and_who_comes_on_is_remembered() {
        let mut rates = Rates::default();
        let limit = u32::try_from(RATE_SOURCES_MAX).unwrap();
        for number in 0..3 * limit {
            if number % 1000 < 3 {
                assert_eq!(rates.take(source(u32::MAX), PER_MINUTE, Duration::ZERO), number < 3, "{number}");
            }
            assert!(rates.take(source(number), PER_MINUTE, Duration::ZERO));
            assert!(rates.sources() <= 2 * RATE_SOURCES_MAX);
            if number == limit {
                break;
            }
        }
    }

    proptest! {
        #[test]
        fn no_more_than_twice_the_count_come_within_a_span(
            count in 1_u32..20,
            gaps in prop::collection::vec(0_u64..30_000, 0..200),
        ) {
            let rate = Rate { count, per: Duration::from_secs(60) };
            let (mut rates, mut now, mut taken) = (Rates::default(), Duration::ZERO, Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                if rates.take(source(1), rate, now) {
                    taken.push(now);
                }
                let within = taken.iter().filter(|&&then| then + rate.per > now).count();
                prop_assert!(within <= 2 * count as usize);
            }
        }
    }
}
