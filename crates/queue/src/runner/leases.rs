//! Which destinations the store has given to this node. Pure: what is to be committed comes out as a batch.
//!
//! A lease is a commit, and a commit is a sync of the disk. So leases are taken for longer than the schedule asks, and given up
//! a while after it lets go: a destination that is busy costs a commit every few minutes, not one a message. All that is
//! wanted at one time is one commit, and there is one at a time, so that a lease never overtakes what was given up before it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mail::Timestamp;

use super::later;
use crate::limits::{DRAW_PAUSE, LEASE_KEPT, LEASES_CHANGED_MAX};
use crate::schedule::Destination;

/// A draw that the schedule asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) destination: Destination,
    /// How long the schedule wants the lease to last.
    pub(super) until: Timestamp,
    /// Rows at most.
    pub(super) limit: usize,
}

/// What is to be committed together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Batch {
    /// Destinations to be leased, and drawn from when that is done.
    pub(super) lease: Vec<Ask>,
    /// Destinations to be given up.
    pub(super) release: Vec<Destination>,
}

/// A lease that the store gave.
#[derive(Debug)]
struct Ours {
    until: Timestamp,
    /// When what is due there was last read.
    drawn: Timestamp,
}

/// The leases of this node.
#[derive(Debug)]
pub(super) struct Leases {
    /// By how much a lease lasts longer than was asked for.
    spare: Duration,
    ours: BTreeMap<Destination, Ours>,
    wanted: Vec<Ask>,
    /// Which the schedule has let go, and since when.
    idle: BTreeMap<Destination, Timestamp>,
    idle_by_time: BTreeSet<(Timestamp, Destination)>,
    busy: bool,
}

impl Leases {
    /// None yet.
    pub(super) fn new(spare: Duration) -> Self {
        let (ours, wanted, idle, idle_by_time) = Default::default();
        Self { spare, ours, wanted, idle, idle_by_time, busy: false }
    }

    /// Asks for a draw; it is given back if the lease is there already.
    pub(super) fn ask(&mut self, ask: Ask) -> Option<Ask> {
        self.wake(&ask.destination);
        if self.ours.get(&ask.destination).is_some_and(|ours| ours.until >= ask.until) {
            return Some(ask);
        }
        self.wanted.push(ask);
        None
    }

    /// The schedule has let go of a destination.
    pub(super) fn let_go(&mut self, destination: Destination, now: Timestamp) {
        if self.ours.contains_key(&destination) && !self.idle.contains_key(&destination) {
            self.idle.insert(destination.clone(), now);
            self.idle_by_time.insert((now, destination));
        }
    }

    /// Lets go of leases that are over. The schedule says nothing of those: it knows since when they are.
    pub(super) fn let_go_of_old(&mut self, now: Timestamp) {
        let old = self.ours.iter().filter(|(_, ours)| ours.until <= now);
        let old: Vec<Destination> = old.map(|(destination, _)| destination.clone()).collect();
        for destination in old {
            self.let_go(destination, now);
        }
    }

    /// The store says that this one is not ours, or cannot be sure.
    pub(super) fn doubt(&mut self, destination: &Destination) {
        self.wake(destination);
        self.ours.remove(destination);
    }

    /// How long a lease is asked of the store for.
    pub(super) fn stored_until(&self, ask: &Ask) -> Timestamp {
        later(ask.until, self.spare)
    }

    /// What is to be committed now; until it is answered there is no other.
    pub(super) fn next_batch(&mut self, now: Timestamp) -> Option<Batch> {
        if self.busy {
            return None;
        }
        let count = self.wanted.len().min(LEASES_CHANGED_MAX);
        let lease: Vec<Ask> = self.wanted.drain(..count).collect();
        let mut release = Vec::new();
        while release.len() < LEASES_CHANGED_MAX
            && self.idle_by_time.first().is_some_and(|(since, _)| later(*since, LEASE_KEPT) <= now)
        {
            let (_, destination) = self.idle_by_time.pop_first().expect("there is a first");
            self.doubt(&destination);
            release.push(destination);
        }
        let batch = Batch { lease, release };
        self.busy = batch != Batch::default();
        self.busy.then_some(batch)
    }

    /// The batch has been answered.
    pub(super) fn answered(&mut self) {
        self.busy = false;
    }

    /// When this destination may be read again; it is taken as read then. Reads of one that is busy are apart, so that each
    /// finds more than one new row beside those under way, which it reads again.
    pub(super) fn draws_at(&mut self, destination: &Destination, now: Timestamp) -> Timestamp {
        let Some(ours) = self.ours.get_mut(destination) else { return now };
        // Now, too, if the clock was set back.
        let pause = later(ours.drawn, DRAW_PAUSE);
        let at = if ours.drawn <= now { pause.max(now) } else { now };
        ours.drawn = at;
        at
    }

    /// This lease was given.
    pub(super) fn granted(&mut self, ask: &Ask) {
        let until = self.stored_until(ask);
        let ours = Ours { until, drawn: Timestamp(i64::MIN) };
        self.ours.entry(ask.destination.clone()).or_insert(ours).until = until;
    }

    /// When there may be a batch although nothing was asked.
    pub(super) fn next_wakeup(&self) -> Option<Timestamp> {
        if self.busy {
            return None;
        }
        self.idle_by_time.first().map(|(since, _)| later(*since, LEASE_KEPT))
    }

    /// All that are ours, to be given up at the end.
    pub(super) fn into_ours(self) -> Vec<Destination> {
        self.ours.into_keys().collect()
    }

    fn wake(&mut self, destination: &Destination) {
        if let Some(since) = self.idle.remove(destination) {
            self.idle_by_time.remove(&(since, destination.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPARE: Duration = Duration::from_secs(100);

    fn ask(name: &str, until_secs: i64) -> Ask {
        Ask { destination: name.into(), until: Timestamp(until_secs * 1000), limit: 5 }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp(secs * 1000)
    }

    fn kept() -> i64 {
        i64::try_from(LEASE_KEPT.as_secs()).unwrap()
    }

    /// Leases with these granted, until 200 s.
    fn granted(names: &[&str]) -> Leases {
        let mut leases = Leases::new(SPARE);
        for name in names {
            assert_eq!(leases.ask(ask(name, 100)), None);
        }
        for ask in leases.next_batch(at(0)).unwrap().lease {
            leases.granted(&ask);
        }
        leases.answered();
        leases
    }

    #[test]
    fn a_lease_serves_draws_until_it_is_too_short_for_one() {
        let mut leases = granted(&["a"]);
        for (until, there) in [(100, true), (200, true), (201, false)] {
            assert_eq!(leases.ask(ask("a", until)).is_some(), there, "{until}");
        }
        assert_eq!(leases.next_batch(at(1)).unwrap().lease, [ask("a", 201)]);
    }

    #[test]
    fn there_is_one_batch_at_a_time_with_all_that_is_wanted() {
        let mut leases = Leases::new(SPARE);
        leases.ask(ask("a", 1));
        leases.ask(ask("b", 1));
        assert_eq!(leases.next_batch(at(0)).unwrap().lease, [ask("a", 1), ask("b", 1)]);
        leases.ask(ask("c", 1));
        assert_eq!(leases.next_batch(at(0)), None);
        leases.answered();
        assert_eq!(leases.next_batch(at(0)).unwrap().lease, [ask("c", 1)]);
    }

    #[test]
    fn what_was_let_go_is_given_up_a_while_later_unless_it_is_asked_for() {
        let mut leases = granted(&["a", "b"]);
        leases.let_go("a".into(), at(5));
        leases.let_go("b".into(), at(6));
        leases.let_go("never ours".into(), at(6));
        assert!(leases.ask(ask("a", 150)).is_some());
        assert_eq!(leases.next_wakeup(), Some(at(6 + kept())));
        assert_eq!(leases.next_batch(at(5 + kept())), None);
        assert_eq!(leases.next_batch(at(6 + kept())).unwrap().release, ["b".into()]);
        leases.answered();
        assert_eq!(leases.next_wakeup(), None);
        // Asked for again, it must be leased again.
        assert_eq!(leases.ask(ask("b", 100)), None);
        assert_eq!(leases.into_ours(), ["a".into()]);
    }

    #[test]
    fn reads_of_one_destination_are_apart() {
        let pause = i64::try_from(DRAW_PAUSE.as_millis()).unwrap();
        let mut leases = granted(&["a", "b"]);
        let a = Destination::from("a");
        // Asked at, read at, both in milliseconds; the clock is set back in the end.
        for (asked, read) in [(1000, 1000), (1001, 1000 + pause), (5000, 5000), (4000, 4000)] {
            assert_eq!(leases.draws_at(&a, Timestamp(asked)), Timestamp(read), "{asked}");
        }
        assert_eq!(leases.draws_at(&"b".into(), Timestamp(4000)), Timestamp(4000));
    }

    #[test]
    fn leases_that_are_over_are_given_up() {
        let mut leases = granted(&["a"]);
        leases.let_go_of_old(at(199));
        assert_eq!(leases.next_wakeup(), None);
        leases.let_go_of_old(at(200));
        assert_eq!(leases.next_batch(at(200 + kept())).unwrap().release, ["a".into()]);
    }

    #[test]
    fn what_is_in_doubt_is_leased_again() {
        let mut leases = granted(&["a"]);
        leases.doubt(&"a".into());
        assert_eq!(leases.ask(ask("a", 50)), None);
    }
}
