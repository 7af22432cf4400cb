//! What is done to deliveries one by one: try it now, delete it, put it on hold, release it.

use std::collections::BTreeSet;

use mail::Timestamp;
use policy::{Story, What};
use queue::schedule::{Destination, Key, News};
use store::{Change, DOOMED, QueueEntry};

use super::{counted, destination_name, nothing_for, nothing_of, nothing_waits, queue_id};
use crate::limits::QUEUE_CHANGES_MAX;
use crate::request::QueueSelection;
use crate::response::{Refusal, Response};
use crate::service::Admin;

/// What is to be done with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Retry,
    Hold,
    Release,
    Delete,
}

/// What became of the deliveries that were selected.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// For which it was done.
    pub(super) done: u64,
    /// For which there was nothing to do.
    left: u64,
    /// Those of all that were on hold.
    pub(super) held: u64,
    /// Those of all that were deleted before, and are still to be taken away.
    doomed: u64,
}

impl Admin {
    pub(crate) async fn queue_retry(&self, what: &QueueSelection) -> Result<Response, Refusal> {
        let tally = self.order(Order::Retry, what).await?;
        if tally.done == 0 {
            return Err(nothing_to_try(what, &tally));
        }
        let when = if self.queue.is_some() { "now" } else { "as soon as the server runs" };
        let mut said = format!("{} tried {when}", deliveries_are(tally.done));
        if tally.held > 0 {
            said.push_str(&format!("; {} left on hold", deliveries_are(tally.held)));
        }
        Ok(Response::Done { said })
    }

    pub(crate) async fn queue_delete(&self, what: &QueueSelection) -> Result<Response, Refusal> {
        let tally = self.order(Order::Delete, what).await?;
        let when = if self.queue.is_some() { "" } else { " as soon as the server runs" };
        let said = match (tally.done, tally.doomed) {
            (0, 0) => return Err(Refusal::new("all of it went meanwhile, delivered or deleted", "")),
            (0, doomed) => {
                let count = deliveries_are(doomed);
                format!("{count} deleted already, and to be taken away{when}")
            }
            (done, _) => format!("{} deleted{when}; nobody is told", deliveries_are(done)),
        };
        Ok(Response::Done { said })
    }

    /// Does it for every delivery that is selected. A selection without any is refused.
    pub(super) async fn order(&self, order: Order, what: &QueueSelection) -> Result<Tally, Refusal> {
        let mut tally = Tally::default();
        let nothing = match what {
            QueueSelection::QueueId(id) => {
                let id = queue_id(id)?;
                let entries = self.store.queue_entries(id).await?;
                self.order_these(order, &entries, &mut tally).await?;
                nothing_of(id)
            }
            QueueSelection::Destination(name) => {
                let name = destination_name(name);
                self.order_all(order, Some(&name), &mut tally).await?;
                nothing_for(&name)
            }
            QueueSelection::All => {
                self.order_all(order, None, &mut tally).await?;
                nothing_waits()
            }
        };
        if tally.done + tally.left == 0 { Err(nothing) } else { Ok(tally) }
    }

    async fn order_all(
        &self,
        order: Order,
        destination: Option<&str>,
        tally: &mut Tally,
    ) -> Result<(), Refusal> {
        let mut after = None;
        loop {
            let page = self.store.queue_page(after, destination, QUEUE_CHANGES_MAX).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some((last.destination.clone(), last.queue_id));
            self.order_these(order, &page, tally).await?;
        }
    }

    async fn order_these(
        &self,
        order: Order,
        entries: &[QueueEntry],
        tally: &mut Tally,
    ) -> Result<(), Refusal> {
        let closed = match order {
            Order::Retry => self.held_destinations(entries).await?,
            _ => BTreeSet::new(),
        };
        let is_held = |entry: &QueueEntry| entry.held || closed.contains(entry.destination.as_str());
        let living = || entries.iter().filter(|entry| entry.due != DOOMED);
        let concerned: Vec<&QueueEntry> = living().filter(|entry| order.concerns(is_held(entry))).collect();
        let done = self.write(order, &concerned).await?;
        tally.held += living().filter(|entry| is_held(entry)).count() as u64;
        tally.done += done;
        tally.left += entries.len() as u64 - done;
        tally.doomed += (entries.len() - living().count()) as u64;
        Ok(())
    }

    /// Writes it for these in one commit; where one of them has gone meanwhile, one by one. Says for how many it was done.
    async fn write(&self, order: Order, entries: &[&QueueEntry]) -> Result<u64, Refusal> {
        let now = self.world.clock.wall();
        let commit = |entries: &[&QueueEntry]| {
            let changes = entries.iter().flat_map(|entry| order.changes(entry, now)).collect();
            self.store.commit(store::Commit { content: Vec::new(), changes })
        };
        let whole = commit(entries).await.map(|_| ());
        let mut done = 0;
        for entry in entries {
            let written = match &whole {
                Err(store::Error::Conflict(_)) => commit(&[entry]).await.map(|_| ()),
                whole => whole.clone(),
            };
            match written {
                Ok(()) => {
                    done += 1;
                    self.tell(order.news(entry, now));
                }
                // It was delivered, or deleted, since it was read.
                Err(store::Error::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }

    /// Those destinations of entries that are on hold as a whole.
    pub(super) async fn held_destinations<'a>(
        &self,
        entries: &'a [QueueEntry],
    ) -> Result<BTreeSet<&'a str>, Refusal> {
        let mut held = BTreeSet::new();
        for name in entries.iter().map(|entry| entry.destination.as_str()).collect::<BTreeSet<_>>() {
            if self.store.queue_destination(name).await?.is_some_and(|summary| summary.held) {
                held.insert(name);
            }
        }
        Ok(held)
    }

    /// Tells the runner, if one runs.
    pub(crate) fn tell(&self, news: News) {
        if let Some(queue) = &self.queue {
            queue.tell(news);
        }
    }
}

impl Order {
    /// Whether there is something to do for what is on hold, or is not.
    fn concerns(self, held: bool) -> bool {
        match self {
            Order::Retry | Order::Hold => !held,
            Order::Release => held,
            Order::Delete => true,
        }
    }

    /// What is written. That it was put on hold, or released, its story tells here; how it is tried, and that it is gone,
    /// is written there by who does it.
    fn changes(self, entry: &QueueEntry, now: Timestamp) -> Vec<Change> {
        let (queue_id, destination) = (entry.queue_id, entry.destination.clone());
        let held = match self {
            Order::Retry => return vec![Change::Expedite { queue_id, destination, due: now }],
            Order::Delete => return vec![Change::Doom { queue_id, destination }],
            Order::Hold => true,
            Order::Release => false,
        };
        let mut story = Story::new(queue_id);
        story.hop(now, What::Hold { destination: destination.clone(), held });
        vec![Change::Hold { queue_id, destination, held, now }, story.explanation(now)]
    }

    /// What the runner is told of it.
    fn news(self, entry: &QueueEntry, now: Timestamp) -> News {
        let destination = Destination::from(entry.destination.as_str());
        let key = || Key { destination: destination.clone(), queue_id: entry.queue_id };
        match self {
            Order::Hold => News::Held(key()),
            Order::Delete => News::Doomed(key()),
            Order::Retry => News::Due(destination, now),
            // What came due while it was on hold is due now.
            Order::Release => News::Due(destination, entry.due.max(now)),
        }
    }
}

fn nothing_to_try(what: &QueueSelection, tally: &Tally) -> Refusal {
    if tally.held == 0 {
        return Refusal::new("all of it is deleted already, and about to go", "");
    }
    let remedy = match what {
        QueueSelection::QueueId(id) => format!("see how to release it: waxseal queue show {id}"),
        QueueSelection::Destination(name) => format!("see how to release it: waxseal queue list {name}"),
        QueueSelection::All => "release it first: waxseal queue release --all".into(),
    };
    Refusal::new("all of it is on hold", remedy)
}

/// `1 delivery is`, `2 deliveries are`.
fn deliveries_are(count: u64) -> String {
    format!("{} {}", counted(count, "delivery"), if count == 1 { "is" } else { "are" })
}
