//! What takes time, each a task of its own, and the event with which it ends.

use std::future::Future;
use std::time::Duration;

use mail::{Address, ReversePath, Timestamp};
use store::change::{QueueEntry, QueuedRecipient};
use store::read::{DestinationRow, Draw};
use store::{Applied, Change, Commit, Error, Store};
use tokio::sync::mpsc;
use world::Clock;

use super::leases::{Ask, Batch};
use crate::NODE;
use crate::agent::Ended;
use crate::limits::LEASES_CHANGED_MAX;
use crate::schedule::{Destination, Key, Recorded, Row};

/// How a task ended.
#[derive(Debug)]
pub(super) enum Event {
    /// The destinations were read.
    Surveyed(Vec<Row>),
    /// A batch of leases was committed.
    Leased(Vec<(Ask, Lease)>),
    /// What is due somewhere was read; none if it could not be.
    Drawn(Destination, Option<Draw>),
    /// An attempt ended; none if its task died.
    Ended(Key, u64, Option<Ended>),
    /// A settlement was committed or not.
    Recorded(Key, Recorded),
}

/// What came of asking for a lease.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lease {
    /// It is ours.
    Granted,
    /// Another node has it until then.
    Taken(Timestamp),
    /// The store could not answer.
    Unavailable,
}

/// The end of a task: whatever becomes of the task, its event is told.
pub(super) struct Teller {
    events: mpsc::UnboundedSender<Event>,
    event: Option<Event>,
}

impl Teller {
    /// Tells `unless` if the task dies.
    pub(super) fn new(events: mpsc::UnboundedSender<Event>, unless: Event) -> Self {
        Self { events, event: Some(unless) }
    }

    /// Runs the task.
    pub(super) async fn tell(mut self, task: impl Future<Output = Event>) {
        self.event = Some(task.await);
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some(event) = self.event.take() {
            // The runner may be gone.
            let _ = self.events.send(event);
        }
    }
}

/// Reads the destinations.
pub(super) async fn survey(store: Store, now: Timestamp, limit: usize) -> Event {
    let rows = match store.queue_survey(NODE, now, limit).await {
        Ok(rows) => rows,
        Err(error) => {
            tracing::error!(%error, "the queue's destinations cannot be read");
            Vec::new()
        }
    };
    Event::Surveyed(rows.into_iter().map(row).collect())
}

fn row(row: DestinationRow) -> Row {
    let DestinationRow { destination, next_due, held, leased_until } = row;
    Row { destination: destination.as_str().into(), next_due, held, leased_until }
}

/// Takes and gives up leases; each of `asks` is asked for until its time.
pub(super) async fn lease(store: Store, now: Timestamp, batch: Batch, until: Vec<Timestamp>) -> Event {
    let leases = batch.lease.iter().zip(&until).map(|(ask, until)| {
        let destination = ask.destination.as_str().to_owned();
        Change::Lease { destination, node: NODE.into(), until: *until, now }
    });
    let changes = leases.chain(batch.release.iter().map(release)).collect();
    let applied = match store.commit(Commit { content: Vec::new(), changes }).await {
        Ok(receipt) => receipt.results,
        Err(error) => {
            tracing::error!(%error, "destinations of the queue cannot be leased");
            Vec::new()
        }
    };
    let came_of = |place: usize| match applied.get(place) {
        Some(Applied::Leased) => Lease::Granted,
        Some(Applied::Taken { until }) => Lease::Taken(*until),
        _ => Lease::Unavailable,
    };
    Event::Leased(batch.lease.into_iter().enumerate().map(|(place, ask)| (ask, came_of(place))).collect())
}

/// Gives up these, at the end.
pub(super) async fn release_all(store: &Store, destinations: Vec<Destination>) {
    for some in destinations.chunks(LEASES_CHANGED_MAX) {
        let changes = some.iter().map(release).collect();
        if let Err(error) = store.commit(Commit { content: Vec::new(), changes }).await {
            tracing::warn!(%error, "destinations of the queue stay leased until their time is over");
            return;
        }
    }
}

fn release(destination: &Destination) -> Change {
    Change::Release { destination: destination.as_str().to_owned(), node: NODE.into() }
}

/// Reads, after a pause, what is due at a destination that is ours.
pub(super) async fn draw(
    store: Store,
    clock: Clock,
    pause: Duration,
    destination: Destination,
    limit: usize,
) -> Event {
    if !pause.is_zero() {
        clock.sleep(pause).await;
    }
    let draw = match store.queue_draw(destination.as_str(), clock.wall(), limit).await {
        Ok(draw) => Some(draw),
        Err(error) => {
            tracing::error!(%destination, %error, "a destination of the queue cannot be read");
            None
        }
    };
    Event::Drawn(destination, draw)
}

/// The reverse-path of a row.
///
/// # Errors
/// It is damaged.
pub(super) fn reverse_path(entry: &QueueEntry) -> Result<ReversePath, Error> {
    if entry.reverse_path.is_empty() {
        return Ok(ReversePath::Null);
    }
    let address = entry.reverse_path.parse();
    address.map(ReversePath::Address).map_err(|_| damaged("the reverse-path", entry))
}

/// The recipients of a row.
///
/// # Errors
/// One is damaged. It is never left out: its mail would be lost without a word.
pub(super) fn recipients(entry: &QueueEntry) -> Result<Vec<Address>, Error> {
    let read = |one: &QueuedRecipient| one.address.parse().map_err(|_| damaged("a recipient", entry));
    entry.recipients.iter().map(read).collect()
}

fn damaged(what: &str, entry: &QueueEntry) -> Error {
    Error::Corrupt(format!("{what} of {}", entry.queue_id))
}
