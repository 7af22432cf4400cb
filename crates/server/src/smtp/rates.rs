//! How often each source address sends: `message-rate`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use mail::Timestamp;
use policy::RateFacts;
use settings::Rate;

use crate::limits::RATE_SOURCES_MAX;

/// Counts of all virtual servers, each for itself.
///
/// A sliding window of two buckets: what came in the last one counts by the part of it that is still within the time. It errs
/// by little, and a source costs the same however much it sends.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<BTreeMap<Source, Buckets>>);

type Source = (Arc<str>, IpAddr);

#[derive(Debug, Clone, Copy)]
struct Buckets {
    /// Which bucket of time `now` is.
    number: i64,
    now: u32,
    before: u32,
}

impl Rates {
    /// Counts a message of a source, unless it is one too many: what is deferred does not count, or nobody could come back.
    pub(crate) fn count(&self, server: &Arc<str>, peer: IpAddr, limit: Rate, at: Timestamp) -> RateFacts {
        let within_ms = i64::try_from(limit.per.duration().as_millis()).unwrap_or(i64::MAX).max(1);
        let number = at.0.div_euclid(within_ms);
        let mut sources = self.0.lock().expect("no holder panics");
        if sources.len() >= RATE_SOURCES_MAX {
            sources.retain(|_, buckets| buckets.number >= number);
        }
        if sources.len() >= RATE_SOURCES_MAX {
            sources.clear();
        }
        let fresh = Buckets { number, now: 0, before: 0 };
        let buckets = sources.entry((server.clone(), source(peer))).or_insert(fresh);
        *buckets = buckets.at(number);
        let messages = buckets.within(at.0.rem_euclid(within_ms), within_ms).saturating_add(1);
        if messages <= limit.count {
            buckets.now += 1;
        }
        RateFacts { messages, most: limit.count, within_secs: limit.per.duration().as_secs().max(1) }
    }
}

impl Buckets {
    fn at(self, number: i64) -> Self {
        match number - self.number {
            0 => self,
            1 => Self { number, now: 0, before: self.now },
            _ => Self { number, now: 0, before: 0 },
        }
    }

    /// Messages within the time that ends now.
    fn within(self, gone_ms: i64, within_ms: i64) -> u32 {
        let still = i128::from(self.before) * i128::from(within_ms - gone_ms) / i128::from(within_ms);
        self.now.saturating_add(u32::try_from(still).unwrap_or(u32::MAX))
    }
}

/// An IPv4 address, or the /64 of an IPv6 address, which one host can have whole.
fn source(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> Rate {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_may_send_so_often() {
        let rates = Rates::default();
        let server: Arc<str> = "internet".into();
        let count = |peer: &str, at| {
            let facts = rates.count(&server, peer.parse().unwrap(), limit("2 per min"), Timestamp(at));
            facts.messages
        };
        assert_eq!([count("192.0.2.1", 0), count("192.0.2.1", 1), count("192.0.2.1", 2)], [1, 2, 3]);
        assert_eq!(count("192.0.2.1", 3), 3, "what was one too many does not count");
        assert_eq!(count("192.0.2.2", 3), 1);
        assert_eq!([count("2001:db8::1", 3), count("2001:db8::2", 3)], [1, 2]);
        assert_eq!(count("192.0.2.1", 60_000), 3, "the window slides");
        assert_eq!(count("192.0.2.1", 90_001), 1);
        assert_eq!(count("192.0.2.1", 600_000), 1);
    }

    #[test]
    fn virtual_servers_count_for_themselves() {
        let rates = Rates::default();
        for name in ["one", "two"] {
            let facts =
                rates.count(&name.into(), "192.0.2.1".parse().unwrap(), limit("1 per h"), Timestamp(5));
            assert_eq!((facts.messages, facts.most, facts.within_secs), (1, 1, 3600));
        }
    }
}
