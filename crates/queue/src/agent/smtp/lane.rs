//! Connections to one set of hosts, and the messages that wait for them.
//!
//! ```text
//! Job --give--> an idle connection takes it                  no lookup, no dialling
//!          |--> a Seat: room for one more connection         the attempt makes it
//!          '--> waits                                        the next connection that is free takes it
//! ```
//!
//! A connection that has done its work takes the next job in the same turn; one that finds none waits a while for it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::job::{Job, Told};
use crate::agent::limits::{
    IDLE_CONNECTIONS_MAX, ROUTES_MAX, SITE_CONNECTIONS_EAGER, WAIT_FOR_CONNECTION_MAX,
};
use crate::schedule::Site;

/// All lanes: one for each site and terms.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Mutex<HashMap<(Site, usize), Weak<Lane>>>,
    idle: Arc<AtomicUsize>,
}

/// Connections to one site under the same terms.
#[derive(Debug)]
pub(super) struct Lane {
    /// Connections at a time.
    most: usize,
    idle_of_all: Arc<AtomicUsize>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Connections, with those that are being made.
    open: usize,
    idle: Vec<oneshot::Sender<Job>>,
    /// In the order in which they came, and when.
    waiting: VecDeque<(Instant, Job)>,
}

/// What became of a job.
#[derive(Debug)]
pub(super) enum Given {
    /// A connection has it, or will have it.
    Taken,
    /// There is room for a connection; whoever has the seat makes it.
    Seat(Job, Seat),
}

/// What a connection does when it is free.
#[derive(Debug)]
pub(super) enum Free {
    /// Take this.
    Take(Job),
    /// Wait for this.
    Wait(oneshot::Receiver<Job>, Idle),
    /// Too many wait already.
    Leave,
}

/// A connection's place in its lane; given up when dropped.
#[derive(Debug)]
pub(super) struct Seat(Arc<Lane>);

/// Counts a connection that waits, until it is dropped.
#[derive(Debug)]
pub(super) struct Idle(Arc<AtomicUsize>);

impl Lanes {
    /// The lane of a site, with at most so many connections at a time.
    pub(super) fn lane(&self, site: &Site, terms: usize, most: usize) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (site.clone(), terms);
        if let Some(lane) = lanes.get(&key).and_then(Weak::upgrade) {
            return lane;
        }
        if lanes.len() >= ROUTES_MAX {
            // Lanes in use are kept by their connections and routes.
            lanes.retain(|_, lane| lane.strong_count() > 0);
        }
        let lane = Arc::new(Lane { most, idle_of_all: self.idle.clone(), state: Mutex::default() });
        lanes.insert(key, Arc::downgrade(&lane));
        lane
    }
}

impl Lane {
    /// Finds a connection for a job.
    pub(super) fn give(self: &Arc<Self>, mut job: Job, now: Instant) -> Given {
        let mut state = self.state();
        // The one that was used last: the others may close when the load is low.
        while let Some(idle) = state.idle.pop() {
            match idle.send(job) {
                Ok(()) => return Given::Taken,
                Err(back) => job = back,
            }
        }
        let wait = state.waiting.front().map_or(Duration::ZERO, |(since, _)| now.duration_since(*since));
        let wanted = state.open < SITE_CONNECTIONS_EAGER || wait >= WAIT_FOR_CONNECTION_MAX;
        if state.open < self.most && wanted {
            state.open += 1;
            return Given::Seat(job, Seat(self.clone()));
        }
        state.waiting.push_back((now, job));
        Given::Taken
    }

    /// A seat beyond the limit, for an attempt that goes on from one host to another.
    pub(super) fn seat(self: &Arc<Self>) -> Seat {
        self.state().open += 1;
        Seat(self.clone())
    }

    /// What a free connection does next.
    pub(super) fn free(&self) -> Free {
        let mut state = self.state();
        while let Some((_, job)) = state.waiting.pop_front() {
            if !job.is_abandoned() {
                return Free::Take(job);
            }
        }
        if self.idle_of_all.load(Relaxed) >= IDLE_CONNECTIONS_MAX {
            return Free::Leave;
        }
        self.idle_of_all.fetch_add(1, Relaxed);
        let (give, given) = oneshot::channel();
        state.idle.push(give);
        Free::Wait(given, Idle(self.idle_of_all.clone()))
    }

    /// A connection is gone: whoever waits longest may make another.
    fn left(self: &Arc<Self>) {
        let mut state = self.state();
        state.open -= 1;
        state.idle.retain(|idle| !idle.is_closed());
        while state.open < self.most {
            let Some((_, job)) = state.waiting.pop_front() else { return };
            if !job.is_abandoned() {
                state.open += 1;
                drop(state);
                let seat = Seat(self.clone());
                job.tell(Told::YourTurn(seat));
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Of which lane.
    pub(super) fn lane(&self) -> &Arc<Lane> {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.left();
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
