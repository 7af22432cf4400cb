//! When each delivery is attempted: a bounded window over an unbounded queue.
//!
//! ```text
//!  store: rows of destinations, rows of deliveries           (the truth)
//!     |  Survey: which destinations have something due, who leases them
//!     |  Draw: lease one (or renew), read a share of what is due there
//!     v
//!  window: Waiting --Start--> Running --ended--> Settling --recorded--> gone
//!             ^                  |                  |
//!             +---- site full ---+                  +--> Settle: one commit, guarded by lease and attempts
//! ```
//!
//! Pure: time comes in as an argument, decisions go out as values, and jitter is the caller's. The store holds the truth;
//! this is a plan over it that can be rebuilt at any moment, so a restart needs [`Schedule::new`] and nothing else.
//!
//! **What the store must do.** Steps take effect in the order in which they came out; answers may come in any order.
//! - `Draw` grants the lease if it is free, ours, or over, and then reads what is due and not on hold, by due and queue id;
//!   of a destination on hold only what is [`DOOMED`]. One transaction is not needed: rows of a leased destination go by us alone.
//! - `Settle` is guarded: the row is there, its destination is leased by this node, and its attempts are those of the
//!   delivery in the step. Else nothing of it happens and the answer is [`Recorded::Lost`]. So a node that lost its lease
//!   settles nothing, and a recipient ends once.
//! - What administrators do is written to the rows by any node (hold, release, due now, [`DOOMED`] for a deletion) and then
//!   told as [`News`]. Only the node that leases a destination takes rows away.
//!
//! **Fairness.** Destinations with least in the window are read first and start in turn; where the window is full, a
//! destination that has nothing in it takes a place from the one that has most waiting, or from one that cannot start. Concurrency is limited in all, by
//! destination and by site; a site is unknown until an attempt is routed, and an attempt that finds it full steps back. A later one
//! counts at the site of the one before it. Destinations that seem not to answer have a bounded share of the attempts: each may last
//! until a time-out, and many of them would leave no room for the others.
//!
//! ```
//! use std::collections::BTreeMap;
//! use mail::{QueueId, Timestamp};
//! use queue::schedule::*;
//!
//! let mut schedule = Schedule::new(Limits::default(), Timestamp(0));
//! assert!(matches!(schedule.next(Timestamp(0)), Some(Step::Survey { .. })));
//! schedule.surveyed(Timestamp(0), vec![]);
//!
//! schedule.tell(Timestamp(1), News::Due("example.net".into(), Timestamp(1)));
//! let Some(Step::Draw { destination, .. }) = schedule.next(Timestamp(1)) else { panic!() };
//! let delivery = Delivery {
//!     key: Key { destination: destination.clone(), queue_id: QueueId(7) },
//!     recipients: vec![RecipientId(0)],
//!     accepted: Timestamp(1),
//!     due: Timestamp(1),
//!     attempts: 0,
//!     notified: false,
//! };
//! let rows = Drawn::Granted { deliveries: vec![delivery.clone()], next_due: None, held: false };
//! schedule.drawn(Timestamp(2), &destination, rows);
//! assert_eq!(schedule.next(Timestamp(2)), Some(Step::Start(delivery.clone())));
//!
//! let outcomes = BTreeMap::from([(RecipientId(0), Outcome::Delivered)]);
//! schedule.ended(Timestamp(9), &delivery.key, &outcomes, &Rules::default(), std::time::Duration::ZERO);
//! let Some(Step::Settle { transitions, .. }) = schedule.next(Timestamp(9)) else { panic!() };
//! assert_eq!(transitions, [Transition::Done(vec![RecipientId(0)])]);
//! schedule.recorded(Timestamp(10), &delivery.key, Recorded::Kept);
//! assert_eq!(schedule.next(Timestamp(10)), Some(Step::Release(destination)));
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use mail::Timestamp;

use crate::limits;

mod answer;
mod line;
mod pick;
mod rules;
#[cfg(test)]
mod tests;
mod value;

pub use rules::Rules;
pub use value::{Bounce, DOOMED, Delivery, Destination, Key, Outcome, RecipientId, Site, Transition};

use line::{Index, Line};

/// The bounds of one node's schedule. All counts are at least 1.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Deliveries in the window, in any state; more than `attempts_max`, or the window is the limit.
    pub window_deliveries_max: usize,
    /// Deliveries of one destination that wait in the window.
    pub share_deliveries_max: usize,
    /// Destinations in memory. If more are due at once, those due last wait until others have been served.
    pub destinations_max: usize,
    /// Attempts at once (`delivery.connections.limit`).
    pub attempts_max: usize,
    /// Attempts at once at one destination (`delivery.connections.per-destination`).
    pub destination_attempts_max: usize,
    /// Attempts at once at one site, counted once they are routed.
    pub site_attempts_max: usize,
    /// For how long a destination is leased; renewed at half of it.
    pub lease: Duration,
    /// Pause between two surveys.
    pub survey_interval: Duration,
    /// Pause after the store could not answer.
    pub store_pause: Duration,
    /// After this long an attempt is cut.
    pub attempt: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window_deliveries_max: limits::WINDOW_DELIVERIES_MAX,
            share_deliveries_max: limits::SHARE_DELIVERIES_MAX,
            destinations_max: limits::DESTINATIONS_MAX,
            attempts_max: 1000,
            destination_attempts_max: 100,
            site_attempts_max: 100,
            lease: limits::LEASE,
            survey_interval: limits::SURVEY_INTERVAL,
            store_pause: limits::STORE_PAUSE,
            attempt: limits::ATTEMPT,
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Read at most so many rows of destinations that have something waiting, earliest due first, without those on hold
    /// where nothing is [`DOOMED`]; answered by [`Schedule::surveyed`].
    Survey {
        /// Rows at most.
        limit: usize,
    },
    /// Lease a destination, or renew, and read what is due there; answered by [`Schedule::drawn`].
    Draw {
        /// Which.
        destination: Destination,
        /// How long the lease is to last.
        until: Timestamp,
        /// Rows at most, those in the window included.
        limit: usize,
    },
    /// Attempt a delivery; answered by [`Schedule::routed`] when its site is known, and by [`Schedule::ended`].
    Start(Delivery),
    /// End this attempt at once, cleanly if that is quick; [`Schedule::ended`] still follows. What the next hop has
    /// already taken may arrive twice (RFC 1047).
    Cut(Key),
    /// Commit these transitions together; answered by [`Schedule::recorded`].
    Settle {
        /// The row as it was drawn; lease and attempts guard the commit.
        delivery: Delivery,
        /// What becomes of it. The row goes unless there is a `Retry`.
        transitions: Vec<Transition>,
    },
    /// Give up the lease, if it is still ours; nobody answers.
    Release(Destination),
}

/// A row of a destination.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which.
    pub destination: Destination,
    /// The earliest due of its deliveries that are not on hold.
    pub next_due: Timestamp,
    /// Whether the destination is on hold.
    pub held: bool,
    /// Until when another node leases it; none if nobody does, or we.
    pub leased_until: Option<Timestamp>,
}

/// How a draw ended.
#[derive(Debug, Clone)]
pub enum Drawn {
    /// The lease is ours as asked.
    Granted {
        /// What is due, by due and queue id.
        deliveries: Vec<Delivery>,
        /// The due of the first row after those; none if there is none.
        next_due: Option<Timestamp>,
        /// Whether the destination is on hold.
        held: bool,
    },
    /// Another node has it.
    Taken {
        /// Until then.
        until: Timestamp,
    },
    /// The store could not answer.
    Unavailable,
}

/// How a settlement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is on stable storage.
    Kept,
    /// Its guard refused it.
    Lost,
    /// The store could not answer, and nothing has changed.
    Unavailable,
}

/// What happened to rows, after it was written.
#[derive(Debug, Clone)]
pub enum News {
    /// Something of this destination is due then: accepted, released, forced.
    Due(Destination, Timestamp),
    /// A delivery is on hold. An attempt under way goes on.
    Held(Key),
    /// A delivery is [`DOOMED`]. An attempt under way goes on, and who it does not reach is deleted.
    Doomed(Key),
    /// A destination is on hold. Attempts under way go on.
    DestinationHeld(Destination),
    /// A destination is no longer on hold; something of it is due then.
    DestinationReleased(Destination, Timestamp),
}

/// Whether an attempt whose site is known may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routed {
    /// It may.
    Go,
    /// Its site is full: the attempt is over, was none, and `ended` must not follow.
    StepBack,
}

/// A delivery in the window.
#[derive(Debug)]
enum Slot {
    Waiting(Delivery),
    Running {
        delivery: Delivery,
        site: Option<Site>,
        deadline: Timestamp,
        /// Whether its destination was silent when it began.
        silent: bool,
    },
    Settling {
        delivery: Delivery,
        transitions: Vec<Transition>,
    },
    /// Settled while a draw of its destination is under way, whose answer may still have it.
    Settled,
}

/// The schedule of one node.
#[derive(Debug)]
pub struct Schedule {
    limits: Limits,
    lines: BTreeMap<Destination, Line>,
    index: Index,
    window: BTreeMap<Key, Slot>,
    /// Places of the window kept for answers.
    reserved: usize,
    running: usize,
    /// Those of them that began at silent destinations.
    running_silent: usize,
    sites: BTreeMap<Site, usize>,
    /// Destinations that could start if their site had room, in turn. One may be here that could not any more.
    parked: BTreeMap<Site, BTreeSet<(u64, Destination)>>,
    /// When running attempts are cut.
    deadlines: BTreeSet<(Timestamp, Key)>,
    /// When settlements are written again that the store could not take.
    again: BTreeSet<(Timestamp, Key)>,
    steps: VecDeque<Step>,
    turn: u64,
    survey_at: Timestamp,
    survey_asked: bool,
}

impl Schedule {
    /// A schedule that knows nothing yet; its first step is a survey.
    pub fn new(limits: Limits, now: Timestamp) -> Self {
        Self {
            limits,
            lines: BTreeMap::new(),
            index: Index::default(),
            window: BTreeMap::new(),
            reserved: 0,
            running: 0,
            running_silent: 0,
            sites: BTreeMap::new(),
            parked: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            again: BTreeSet::new(),
            steps: VecDeque::new(),
            turn: 0,
            survey_at: now,
            survey_asked: false,
        }
    }

    /// Deliveries in the window.
    pub fn window_len(&self) -> usize {
        self.window.len()
    }

    /// Whether a delivery is in the window.
    pub fn has(&self, key: &Key) -> bool {
        self.window.contains_key(key)
    }

    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Attempts under way.
    pub fn running_len(&self) -> usize {
        self.running
    }
}

fn plus(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp(time.0.saturating_add(millis(by)))
}

fn minus(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp(time.0.saturating_sub(millis(by)))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
