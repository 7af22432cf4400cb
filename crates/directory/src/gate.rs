//! The door before every way to sign in: who is let in to be looked at, who waits, who is banned.
//!
//! ```text
//! admit ─► Ok ─► (hash, proof, token) ─► settle ─► success: the network is known
//!       └► Later                                └► failure: the reply waits, twice as long each time; then a ban
//! ```
//!
//! [`Gate`] is pure: networks, logins and times come as arguments. Its memory is bounded whoever comes, and from however
//! many networks. Whether an account exists is nowhere asked: a failure at one that does not counts as any other.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use settings::{Network, SignInLimits};

use crate::limits::{BANS_MAX, GATE_ENTRIES_MAX, KNOWN_FOR, OTHER_BANS_MAX};

/// Nobody looks at the sign-in now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later {
    /// Why.
    pub why: Closed,
    /// When it may be looked at.
    pub after: Duration,
}

/// Why nobody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Too many failures of the network, or an administrator's decision.
    Banned,
    /// Too many failed at this login, and nobody ever signed in from this network.
    Besieged,
    /// Too many wait to be looked at.
    Full,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consequence {
    /// How long the reply waits.
    pub delay: Duration,
    /// The network is banned from now on, until then.
    pub ban: Option<Instant>,
}

/// A login as the gate knows it: a keyed hash, so that nothing of what strangers type is kept.
pub type LoginKey = u64;

/// The state of the door.
#[derive(Debug)]
pub struct Gate {
    limits: SignInLimits,
    networks: Recent<Network, Failures>,
    logins: Recent<LoginKey, Failures>,
    /// Networks from which somebody signed in, and until when that counts. Apart from the failures, so that no flood of
    /// those drives these out.
    known: Recent<Network, Instant>,
    bans: BTreeMap<Network, Instant>,
    /// Networks of another size, which an administrator banned.
    others: BTreeMap<Network, Instant>,
}

/// Failures in a window of time that begins with the first of them.
#[derive(Debug, Clone, Copy)]
struct Failures {
    since: Instant,
    count: u32,
}

impl Gate {
    /// A door where nobody has been yet.
    pub fn new(limits: SignInLimits) -> Self {
        let (networks, logins, known) = (Recent::default(), Recent::default(), Recent::default());
        Self { limits, networks, logins, known, bans: BTreeMap::new(), others: BTreeMap::new() }
    }

    /// From now on these limits hold. Who is banned stays so.
    pub fn apply(&mut self, limits: SignInLimits) {
        self.limits = limits;
    }

    /// Whether a sign-in from this address may be looked at.
    ///
    /// # Errors
    /// It may not, for some time.
    pub fn admit(&mut self, peer: IpAddr, login: LoginKey, now: Instant) -> Result<(), Later> {
        if let Some(until) = self.banned(peer, now) {
            return Err(Later { why: Closed::Banned, after: until - now });
        }
        let is_known = self.is_known(peer, now);
        let besieged = self.logins.get(&login).and_then(|failures| {
            let over = failures.since + self.limits.within.duration();
            let limit = self.limits.account_failures?;
            (failures.count >= limit && now < over).then(|| over - now)
        });
        match besieged {
            Some(after) if !is_known => Err(Later { why: Closed::Besieged, after }),
            _ => Ok(()),
        }
    }

    /// Somebody signed in from this network. What failed there before still counts: whoever has one account could else
    /// guess at the others for ever.
    pub fn succeed(&mut self, peer: IpAddr, now: Instant) {
        self.known.put(Network::of_customer(peer), now + KNOWN_FOR);
    }

    /// A sign-in failed.
    pub fn fail(&mut self, peer: IpAddr, login: LoginKey, now: Instant) -> Consequence {
        let network = Network::of_customer(peer);
        let within = self.limits.within.duration();
        count(&mut self.logins, login, within, now);
        let failures = count(&mut self.networks, network, within, now);
        let is_over = self.limits.failures.is_some_and(|limit| failures >= limit);
        let ban = is_over.then(|| now + self.limits.ban.duration());
        if let Some(until) = ban {
            self.ban(network, until, now);
        }
        Consequence { delay: self.delay(failures), ban }
    }

    /// Twice as long with each failure, up to the limit.
    fn delay(&self, failures: u32) -> Duration {
        let Some(first) = self.limits.delay else { return Duration::ZERO };
        let doublings = failures.saturating_sub(1).min(31);
        first.duration().saturating_mul(1 << doublings).min(self.limits.delay_limit.duration())
    }

    /// Bans a network, or changes until when it is banned. Where too many are banned, the ban that would end first gives
    /// way.
    pub fn ban(&mut self, network: Network, until: Instant, now: Instant) {
        let (bans, max) = match network.is_of_customer() {
            true => (&mut self.bans, BANS_MAX),
            false => (&mut self.others, OTHER_BANS_MAX),
        };
        if bans.len() >= max && !bans.contains_key(&network) {
            bans.retain(|_, until| now < *until);
        }
        if bans.len() >= max && !bans.contains_key(&network) {
            let first = bans.iter().min_by_key(|(_, until)| **until).map(|(network, _)| *network);
            first.map(|network| bans.remove(&network));
        }
        bans.insert(network, until);
    }

    /// Lifts a ban, and forgets what failed there.
    pub fn pardon(&mut self, network: Network) {
        self.bans.remove(&network);
        self.others.remove(&network);
        self.networks.remove(&network);
    }

    /// Until when an address is banned, if it is now.
    pub fn banned(&self, peer: IpAddr, now: Instant) -> Option<Instant> {
        let own = self.bans.get(&Network::of_customer(peer)).copied();
        let others =
            self.others.iter().filter(|(network, _)| network.contains(peer)).map(|(_, until)| *until);
        others.chain(own).filter(|until| now < *until).max()
    }

    /// Whether somebody signed in from this peer's network not long ago: its sign-ins go before those of strangers.
    pub fn is_known(&mut self, peer: IpAddr, now: Instant) -> bool {
        self.known.get(&Network::of_customer(peer)).is_some_and(|until| now < *until)
    }
}

/// Counts a failure; says how many there are in its window.
fn count<K: Eq + Hash + Clone>(
    among: &mut Recent<K, Failures>,
    key: K,
    within: Duration,
    now: Instant,
) -> u32 {
    let before = among.get(&key).filter(|failures| now < failures.since + within).copied();
    let Failures { since, count } = before.unwrap_or(Failures { since: now, count: 0 });
    let failures = Failures { since, count: count.saturating_add(1) };
    among.put(key, failures);
    failures.count
}

/// The entries that were used last, at least half of [`GATE_ENTRIES_MAX`] of them: two generations, of which the older is
/// forgotten when the younger is full. No step looks at more than one entry of each.
#[derive(Debug)]
struct Recent<K, V> {
    younger: HashMap<K, V>,
    older: HashMap<K, V>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { younger: HashMap::new(), older: HashMap::new() }
    }
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    fn get(&mut self, key: &K) -> Option<&V> {
        if let Some(value) = self.older.remove(key) {
            self.put(key.clone(), value);
        }
        self.younger.get(key)
    }

    fn put(&mut self, key: K, value: V) {
        if self.younger.len() >= GATE_ENTRIES_MAX / 2 && !self.younger.contains_key(&key) {
            self.older = std::mem::take(&mut self.younger);
        }
        self.older.remove(&key);
        self.younger.insert(key, value);
    }

    fn remove(&mut self, key: &K) {
        self.younger.remove(key);
        self.older.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use settings::TimeSpan;

    use super::*;

    fn limits() -> SignInLimits {
        SignInLimits {
            failures: Some(5),
            within: TimeSpan::from_secs(600),
            ban: TimeSpan::from_secs(3600),
            delay: Some(TimeSpan::from_secs(1)),
            delay_limit: TimeSpan::from_secs(6),
            account_failures: Some(8),
        }
    }

    /// An address of a network of its own.
    fn network(number: u16) -> IpAddr {
        let [high, low] = number.to_be_bytes();
        [10, high, low, 1].into()
    }

    fn start() -> Instant {
        world::Clock::Real.now()
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn delays_grow_until_the_ban_and_the_ban_ends() {
        let (mut gate, now) = (Gate::new(limits()), start());
        for (delay, banned) in [(1, false), (2, false), (4, false), (6, false), (6, true)] {
            assert_eq!(gate.admit(network(1), 1, now), Ok(()));
            let Consequence { delay: found, ban } = gate.fail(network(1), 1, now);
            assert_eq!((found, ban.is_some()), (secs(delay), banned));
        }
        assert_eq!(
            gate.admit(network(1), 2, now + secs(1)),
            Err(Later { why: Closed::Banned, after: secs(3599) })
        );
        assert_eq!(gate.admit(network(2), 1, now), Ok(()), "others are let be");
        assert_eq!(gate.admit(network(1), 1, now + secs(3600)), Ok(()), "a ban ends");
        assert_eq!(gate.fail(network(1), 1, now + secs(3600)).delay, secs(1), "and all begins again");
    }

    #[test]
    fn a_ban_is_lifted_and_a_wider_one_holds() {
        let (mut gate, now) = (Gate::new(limits()), start());
        let one: Network = "10.1.0.9".parse().unwrap();
        gate.ban(one, now + secs(9), now);
        assert_eq!(gate.banned([10, 1, 0, 9].into(), now), Some(now + secs(9)));
        assert_eq!(gate.banned([10, 1, 0, 8].into(), now), None);
        let wide: Network = "10.0.0.0/8".parse().unwrap();
        gate.ban(wide, now + secs(9), now);
        assert_eq!(gate.banned(network(7), now), Some(now + secs(9)));
        assert_eq!(gate.banned(network(7), now + secs(9)), None);
        gate.pardon(wide);
        assert_eq!(gate.banned(network(7), now), None);
        for _ in 0..5 {
            gate.fail(network(7), 1, now);
        }
        gate.pardon(Network::of_customer(network(7)));
        assert_eq!(gate.admit(network(7), 1, now), Ok(()));
        assert_eq!(gate.fail(network(7), 1, now).ban, None, "what failed before is forgotten");
    }

    #[test]
    fn a_besieged_login_waits_for_strangers_alone() {
        let (mut gate, now) = (Gate::new(limits()), start());
        gate.succeed(network(9), now);
        for number in 0..8 {
            gate.fail(network(number), 1, now);
        }
        let later = Err(Later { why: Closed::Besieged, after: secs(500) });
        assert_eq!(gate.admit(network(100), 1, now + secs(100)), later);
        assert_eq!(gate.admit(network(100), 2, now), Ok(()), "other logins are not concerned");
        assert_eq!(gate.admit(network(9), 1, now), Ok(()), "who signed in before is let in");
        assert_eq!(gate.admit(network(100), 1, now + secs(600)), Ok(()), "it passes");
    }

    #[test]
    fn what_is_off_does_nothing() {
        let none = SignInLimits { failures: None, delay: None, account_failures: None, ..limits() };
        let (mut gate, now) = (Gate::new(none), start());
        for _ in 0..1000 {
            let nothing = Consequence { delay: Duration::ZERO, ban: None };
            assert_eq!(gate.fail(network(1), 1, now), nothing);
            assert_eq!(gate.admit(network(1), 1, now), Ok(()));
        }
    }

    #[test]
    fn memory_is_bounded_and_known_networks_survive_a_flood() {
        let (mut gate, now) = (Gate::new(SignInLimits { failures: Some(1), ..limits() }), start());
        gate.succeed(network(9), now);
        for number in 0..BANS_MAX as u32 + 200 {
            let [_, a, b, c] = number.to_be_bytes();
            gate.fail([11 + a, b, c, 1].into(), number.into(), now);
        }
        let networks = gate.networks.younger.len() + gate.networks.older.len();
        let logins = gate.logins.younger.len() + gate.logins.older.len();
        assert!(networks <= GATE_ENTRIES_MAX && logins <= GATE_ENTRIES_MAX, "{networks}, {logins}");
        assert!(gate.bans.len() <= BANS_MAX);
        assert!(gate.is_known(network(9), now));
        assert!(!gate.is_known(network(9), now + KNOWN_FOR));
    }

    #[test]
    fn what_was_used_last_is_remembered_and_no_more() {
        let mut recent = Recent::default();
        for number in 0..3 * GATE_ENTRIES_MAX {
            recent.put(number, number);
            assert_eq!(recent.get(&0), Some(&0), "it is asked for again and again");
        }
        assert!(recent.younger.len() + recent.older.len() <= GATE_ENTRIES_MAX);
        assert_eq!(recent.get(&1), None);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Fail(u16, u64),
        Succeed(u16),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0u16..4, 0u64..3).prop_map(|(network, login)| Step::Fail(network, login)),
            1 => (0u16..4).prop_map(Step::Succeed),
            2 => (0u64..900).prop_map(Step::Wait),
        ]
    }

    proptest! {
        /// Whoever fails often enough within a window is banned and nobody else; a ban lasts as long as it is said to, and
        /// the delay is between none and its limit.
        #[test]
        fn bans_are_for_who_failed(steps in prop::collection::vec(step(), 1..200)) {
            let (mut gate, mut now) = (Gate::new(limits()), start());
            let mut failures: BTreeMap<u16, Vec<Instant>> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Wait(time) => now += secs(time),
                    Step::Succeed(number) => gate.succeed(network(number), now),
                    Step::Fail(number, login) => {
                        let banned = gate.banned(network(number), now);
                        prop_assert_eq!(gate.admit(network(number), login, now).is_err_and(|later| later.why == Closed::Banned), banned.is_some());
                        if banned.is_some() {
                            continue;
                        }
                        let past = failures.entry(number).or_default();
                        past.push(now);
                        let Consequence { delay, ban } = gate.fail(network(number), login, now);
                        prop_assert!(delay >= secs(1) && delay <= secs(6));
                        let lately = past.iter().filter(|at| now < **at + secs(600)).count();
                        prop_assert!(ban.is_none() || lately >= 5, "{lately} failures of late are not enough");
                        // The window begins with its first failure, so at most twice as many fit into that time.
                        prop_assert!(ban.is_some() || lately < 10, "{lately} failures of late, and no ban");
                        if ban.is_some() {
                            prop_assert_eq!(gate.banned(network(number), now + secs(3599)), ban);
                            prop_assert_eq!(gate.banned(network(number), now + secs(3600)), None);
                        }
                    }
                }
            }
        }
    }
}
