//! What is known of one destination, and where that puts it among the others.

use std::collections::BTreeSet;

use mail::{QueueId, Timestamp};

use super::value::{DOOMED, Destination, Site};
use super::{Limits, minus, plus};

/// Who may work on a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lease {
    /// Nobody that we know of.
    Free,
    /// We, until then.
    Ours(Timestamp),
    /// Another node, until then.
    Theirs(Timestamp),
}

/// A draw under way.
#[derive(Debug)]
pub(super) struct Asked {
    /// Places of the window kept for its answer.
    pub(super) take: usize,
    /// The lease it asks for.
    pub(super) until: Timestamp,
    /// What became due meanwhile, which the answer may not know.
    pub(super) touched: Option<Timestamp>,
    /// Whether an administrator changed rows meanwhile: the answer's rows are not to be believed.
    pub(super) stale: bool,
}

/// One destination.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) lease: Lease,
    /// The earliest due of its deliveries outside the window, as far as we know.
    pub(super) next_due: Option<Timestamp>,
    pub(super) held: bool,
    pub(super) asked: Option<Asked>,
    /// No draw before: the store could not answer.
    pub(super) not_before: Timestamp,
    /// Its deliveries in the window that wait for a place, by due.
    pub(super) waiting: BTreeSet<(Timestamp, QueueId)>,
    pub(super) running: usize,
    /// All its deliveries in the window.
    pub(super) slots: usize,
    /// Where its last attempt was routed.
    pub(super) site: Option<Site>,
    /// Whether its last attempt brought nothing to an end, or what waits was tried before: it may not answer at all.
    pub(super) silent: bool,
    /// When its last attempt began, counted in turns.
    pub(super) start_turn: u64,
    /// When it was last read, counted in turns. Apart from the other: a renewal must not cost the place in the row of those
    /// that wait for an attempt.
    pub(super) draw_turn: u64,
    pub(super) place: Place,
}

/// The keys under which the index has a line.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) due: Option<(usize, u64)>,
    pub(super) future: Option<Timestamp>,
    pub(super) startable: Option<(bool, u64)>,
    pub(super) crowded: Option<usize>,
    pub(super) lease: Option<Timestamp>,
}

impl Line {
    /// A line that comes now, behind those that wait already.
    pub(super) fn new(turn: u64) -> Self {
        Self {
            lease: Lease::Free,
            next_due: None,
            held: false,
            asked: None,
            not_before: Timestamp(i64::MIN),
            waiting: BTreeSet::new(),
            running: 0,
            slots: 0,
            site: None,
            silent: false,
            start_turn: turn,
            draw_turn: turn,
            place: Place::default(),
        }
    }

    /// Something of it is due then.
    pub(super) fn touch(&mut self, due: Timestamp) {
        let earlier = |known: Option<Timestamp>| Some(known.map_or(due, |known| known.min(due)));
        self.next_due = earlier(self.next_due);
        if let Some(asked) = &mut self.asked {
            asked.touched = earlier(asked.touched);
        }
    }

    /// When the store is to be read for it; none while there is no reason.
    fn draws_at(&self, limits: &Limits) -> Option<Timestamp> {
        let next_due = self.next_due?;
        let wanted = self.asked.is_none()
            && (!self.held || next_due == DOOMED)
            && self.waiting.len() * 2 <= limits.share_deliveries_max
            && self.waiting.len() < limits.share_deliveries_max;
        let free_at = match self.lease {
            Lease::Theirs(until) => until,
            Lease::Free | Lease::Ours(_) => Timestamp(i64::MIN),
        };
        wanted.then(|| next_due.max(self.not_before).max(free_at))
    }

    /// When the lease wants attention: renewal, or its end.
    fn lease_at(&self, limits: &Limits) -> Option<Timestamp> {
        match self.lease {
            Lease::Ours(until) if self.asked.is_some() || self.slots == 0 => Some(until),
            Lease::Ours(until) => Some(minus(until, limits.lease / 2).max(self.not_before).min(until)),
            Lease::Free | Lease::Theirs(_) => None,
        }
    }

    pub(super) fn place(&self, limits: &Limits, now: Timestamp) -> Place {
        let ours = matches!(self.lease, Lease::Ours(_));
        let draws_at = self.draws_at(limits);
        let startable = ours && !self.held && !self.waiting.is_empty() && self.has_room(limits);
        Place {
            due: draws_at.filter(|at| *at <= now).map(|_| (self.slots, self.draw_turn)),
            future: draws_at.filter(|at| *at > now),
            startable: startable.then_some((self.silent, self.start_turn)),
            crowded: (!self.waiting.is_empty()).then_some(self.waiting.len()),
            lease: self.lease_at(limits),
        }
    }

    /// Whether one more attempt may be under way here.
    pub(super) fn has_room(&self, limits: &Limits) -> bool {
        self.running < limits.destination_attempts_max
    }

    /// Whether the lease lasts long enough to begin an attempt under it.
    pub(super) fn lease_is_fresh(&self, limits: &Limits, now: Timestamp) -> bool {
        matches!(self.lease, Lease::Ours(until) if plus(now, limits.lease / 4) < until)
    }

    /// Whether there is nothing to remember; that it is on hold is in the store.
    pub(super) fn is_empty(&self) -> bool {
        let quiet = self.next_due.is_none_or(|due| self.held && due != DOOMED);
        self.slots == 0 && self.asked.is_none() && quiet && !matches!(self.lease, Lease::Ours(_))
    }
}

/// All lines, by what they want.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// To be read now: who has least in the window first, then who was served longest ago.
    pub(super) due: BTreeSet<(usize, u64, Destination)>,
    /// To be read then.
    pub(super) future: BTreeSet<(Timestamp, Destination)>,
    /// With something to start and a place of their own: the silent ones apart, who was served longest ago first.
    pub(super) startable: BTreeSet<(bool, u64, Destination)>,
    /// With something waiting in the window, by how much.
    pub(super) crowded: BTreeSet<(usize, Destination)>,
    /// Leases by when they want attention.
    pub(super) leases: BTreeSet<(Timestamp, Destination)>,
}

impl Index {
    pub(super) fn put(&mut self, destination: &Destination, old: &Place, new: &Place) {
        let name = || destination.clone();
        swap(
            &mut self.due,
            old.due.map(|(slots, turn)| (slots, turn, name())),
            new.due.map(|(slots, turn)| (slots, turn, name())),
        );
        swap(&mut self.future, old.future.map(|at| (at, name())), new.future.map(|at| (at, name())));
        swap(
            &mut self.startable,
            old.startable.map(|(silent, turn)| (silent, turn, name())),
            new.startable.map(|(silent, turn)| (silent, turn, name())),
        );
        swap(&mut self.crowded, old.crowded.map(|at| (at, name())), new.crowded.map(|at| (at, name())));
        swap(&mut self.leases, old.lease.map(|at| (at, name())), new.lease.map(|at| (at, name())));
    }
}

fn swap<K: Ord>(set: &mut BTreeSet<K>, old: Option<K>, new: Option<K>) {
    if old == new {
        return;
    }
    if let Some(old) = old {
        set.remove(&old);
    }
    set.extend(new);
}
