//! What an administrator does about what waits: try it now, hold it, release it, delete it.

use mail::{QueueId, Timestamp};
use policy::{Story, What};
use queue::schedule::{Destination, Key, News};
use store::{Change, DOOMED, DestinationSummary, QueueEntry};

use super::{destination_name, is_destination, nothing_for, nothing_of, queue_id};
use crate::limits::{QUEUE_CHANGES_MAX, QUEUE_ROWS_MAX};
use crate::request::QueueSelection;
use crate::response::{Refusal, Response};
use crate::service::Admin;

/// What is to be done with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Retry,
    Hold,
    Release,
    Delete,
}

/// What became of the deliveries that were selected.
#[derive(Debug, Default)]
struct Tally {
    /// For which it was done.
    done: u64,
    /// For which there was nothing to do: on hold already, not on hold, deleted.
    left: u64,
    /// On hold by themselves before.
    held: u64,
}

impl Admin {
    pub(crate) async fn queue_retry(&self, what: &QueueSelection) -> Result<Response, Refusal> {
        let tally = self.order(Order::Retry, what).await?;
        if tally.done == 0 {
            return Err(Refusal::new(
                "all of it is on hold or deleted",
                "release it first: waxseal queue release",
            ));
        }
        let when = if self.queue.is_some() { "now" } else { "as soon as the server runs" };
        let mut said = format!("{} tried {when}", deliveries(tally.done));
        if tally.held > 0 {
            said.push_str(&format!("; {} on hold, and left there", deliveries(tally.held)));
        }
        Ok(Response::Done { said })
    }

    pub(crate) async fn queue_delete(&self, what: &QueueSelection) -> Result<Response, Refusal> {
        let tally = self.order(Order::Delete, what).await?;
        let when = if self.queue.is_some() { "" } else { " as soon as the server runs" };
        let count = deliveries(tally.done + tally.left);
        Ok(Response::Done { said: format!("{count} deleted{when}; nobody is told") })
    }

    pub(crate) async fn queue_hold(&self, what: &QueueSelection) -> Result<Response, Refusal> {
        let said = match what {
            QueueSelection::QueueId(id) => {
                let tally = self.order(Order::Hold, what).await?;
                let already = if tally.done == 0 { " already" } else { "" };
                format!("{} is on hold{already}; to let it go: waxseal queue release {0}", queue_id(id)?)
            }
            QueueSelection::Destination(name) => self.hold_destination(&destination_name(name)).await?,
            QueueSelection::All => self.hold_all().await?,
        };
        Ok(Response::Done { said })
    }

    pub(crate) async fn queue_release(&self, what: &QueueSelection) -> Result<Response, Refusal> {
        let said = match what {
            QueueSelection::QueueId(id) => self.release_message(queue_id(id)?, what).await?,
            QueueSelection::Destination(name) => self.release_destination(&destination_name(name)).await?,
            QueueSelection::All => self.release_all(what).await?,
        };
        Ok(Response::Done { said })
    }

    async fn hold_destination(&self, name: &str) -> Result<String, Refusal> {
        let summary = self.destination_summary(name).await?;
        let waiting = match &summary {
            Some(summary) => summary.deliveries,
            // It may be held before there is mail for it; what no mail can go to is a slip of the hand.
            None if is_destination(name) => 0,
            None => return Err(nothing_for(name)),
        };
        if summary.is_some_and(|summary| summary.held) {
            return Ok(format!("all mail for {name} is on hold already"));
        }
        self.set_hold(&[name], true).await?;
        let waiting = match waiting {
            0 => "nothing waits for it now".to_owned(),
            count => format!("{} waiting", counted(count, "delivery")),
        };
        Ok(format!(
            "all mail for {name} is on hold, {waiting}; to let it go: waxseal queue release --destination {name}"
        ))
    }

    async fn hold_all(&self) -> Result<String, Refusal> {
        let found = self.summaries(|summary| summary.deliveries > 0).await?;
        if found.is_empty() {
            return Err(nothing_waits());
        }
        let names: Vec<&str> = found
            .iter()
            .filter(|summary| !summary.held)
            .map(|summary| summary.destination.as_str())
            .collect();
        self.set_hold(&names, true).await?;
        let waiting = counted(found.iter().map(|summary| summary.deliveries).sum(), "delivery");
        Ok(format!(
            "all mail for {} is on hold, {waiting} waiting; mail for others still goes out; to let it go: waxseal queue \
             release --all",
            counted(found.len() as u64, "destination")
        ))
    }

    async fn release_message(&self, id: QueueId, what: &QueueSelection) -> Result<String, Refusal> {
        let tally = self.order(Order::Release, what).await?;
        let held = self.held_destination(id).await?;
        match (tally.done, held) {
            (0, Some(name)) => {
                let remedy = format!("its destination is: waxseal queue release --destination {name}");
                Err(Refusal::new(format!("{id} is not on hold by itself"), remedy))
            }
            (0, None) => Err(Refusal::new(format!("{id} is not on hold"), "")),
            (_, Some(name)) => Ok(format!(
                "{id} is on hold no more, but its destination is: waxseal queue release --destination {name}"
            )),
            (_, None) => Ok(format!("{id} is on hold no more")),
        }
    }

    async fn release_destination(&self, name: &str) -> Result<String, Refusal> {
        let Some(summary) = self.destination_summary(name).await? else { return Err(nothing_for(name)) };
        let alone = match summary.held_deliveries {
            0 => String::new(),
            count => format!("{} on hold one by one: waxseal queue list {name}", deliveries(count)),
        };
        if !summary.held {
            return Err(Refusal::new(format!("the destination {name} is not on hold"), alone));
        }
        self.set_hold(&[name], false).await?;
        let still = if alone.is_empty() { alone } else { format!("; still {alone}") };
        Ok(format!("mail for {name} is on hold no more{still}"))
    }

    async fn release_all(&self, what: &QueueSelection) -> Result<String, Refusal> {
        let held = self.summaries(|summary| summary.held).await?;
        let names: Vec<&str> = held.iter().map(|summary| summary.destination.as_str()).collect();
        self.set_hold(&names, false).await?;
        let alone = match self.order(Order::Release, what).await {
            Ok(tally) => tally.done,
            Err(refusal) if names.is_empty() => return Err(refusal),
            // Destinations may be on hold without mail.
            Err(_) => 0,
        };
        match (names.len() as u64, alone) {
            (0, 0) => Err(Refusal::new("nothing is on hold", "")),
            (0, alone) => Ok(format!("{} on hold no more", deliveries(alone))),
            (names, 0) => Ok(format!("{} on hold no more", counted(names, "destination"))),
            (names, alone) => Ok(format!(
                "{} and {} on hold no more",
                counted(names, "destination"),
                counted(alone, "delivery")
            )),
        }
    }

    /// The first destination of a message that is on hold as a whole.
    async fn held_destination(&self, id: QueueId) -> Result<Option<String>, Refusal> {
        for entry in self.store.queue_entries(id).await? {
            if self.destination_summary(&entry.destination).await?.is_some_and(|summary| summary.held) {
                return Ok(Some(entry.destination));
            }
        }
        Ok(None)
    }

    /// Every destination for which something is true.
    async fn summaries(
        &self,
        fits: impl Fn(&DestinationSummary) -> bool,
    ) -> Result<Vec<DestinationSummary>, Refusal> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.queue_destinations(after.as_deref(), QUEUE_ROWS_MAX).await?;
            after = page.last().filter(|_| page.len() == QUEUE_ROWS_MAX).map(|last| last.destination.clone());
            all.extend(page.into_iter().filter(|summary| fits(summary)));
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    /// Puts destinations on hold or releases them.
    async fn set_hold(&self, names: &[&str], held: bool) -> Result<(), Refusal> {
        for slice in names.chunks(QUEUE_CHANGES_MAX) {
            let change = |&name: &&str| Change::HoldDestination { destination: name.to_owned(), held };
            self.commit(slice.iter().map(change).collect()).await?;
            let now = self.world.clock.wall();
            for &name in slice {
                let destination = Destination::from(name);
                self.tell(match held {
                    true => News::DestinationHeld(destination),
                    false => News::DestinationReleased(destination, now),
                });
            }
        }
        Ok(())
    }

    /// Does it for every delivery that is selected. A selection without any is refused.
    async fn order(&self, order: Order, what: &QueueSelection) -> Result<Tally, Refusal> {
        let mut tally = Tally::default();
        let (destination, nothing) = match what {
            QueueSelection::QueueId(id) => {
                let id = queue_id(id)?;
                let entries = self.store.queue_entries(id).await?;
                self.order_page(order, &entries, &mut tally).await?;
                return if entries.is_empty() { Err(nothing_of(id)) } else { Ok(tally) };
            }
            QueueSelection::Destination(name) => {
                let name = destination_name(name);
                (Some(name.clone()), nothing_for(&name))
            }
            QueueSelection::All => (None, nothing_waits()),
        };
        let mut after = None;
        loop {
            let page = self.store.queue_page(after.take(), destination.as_deref(), QUEUE_CHANGES_MAX).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.destination.clone(), last.queue_id));
            self.order_page(order, &page, &mut tally).await?;
        }
        if tally.is_empty() { Err(nothing) } else { Ok(tally) }
    }

    /// Does it for these, in one commit; where one of them has gone meanwhile, one by one.
    async fn order_page(
        &self,
        order: Order,
        entries: &[QueueEntry],
        tally: &mut Tally,
    ) -> Result<(), Refusal> {
        let now = self.world.clock.wall();
        let (concerned, left): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| order.concerns(entry));
        tally.left += left.len() as u64;
        tally.held += entries.iter().filter(|entry| entry.held && entry.due != DOOMED).count() as u64;
        let changes = |entries: &[&QueueEntry]| -> Vec<Change> {
            entries.iter().flat_map(|entry| order.changes(entry, now)).collect()
        };
        let commit = |changes| self.store.commit(store::Commit { content: Vec::new(), changes });
        let whole = commit(changes(&concerned)).await;
        for entry in &concerned {
            let done = match &whole {
                Err(store::Error::Conflict(_)) => commit(changes(&[entry])).await.map(|_| ()),
                whole => whole.clone().map(|_| ()),
            };
            match done {
                Ok(()) => {
                    tally.done += 1;
                    self.tell(order.news(entry, now));
                }
                // It was delivered, or deleted, while this was done.
                Err(store::Error::Conflict(_)) => tally.left += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn tell(&self, news: News) {
        if let Some(queue) = &self.queue {
            queue.tell(news);
        }
    }
}

impl Order {
    /// Whether there is something to do.
    fn concerns(self, entry: &QueueEntry) -> bool {
        entry.due != DOOMED
            && match self {
                Order::Retry | Order::Hold => !entry.held,
                Order::Release => entry.held,
                Order::Delete => true,
            }
    }

    /// What is written. That it was put on hold, or released, its story tells; how it is tried, and that it is deleted,
    /// whoever does it writes there.
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
        let key = Key { destination: destination.clone(), queue_id: entry.queue_id };
        match self {
            Order::Retry | Order::Release => News::Due(destination, now),
            Order::Hold => News::Held(key),
            Order::Delete => News::Doomed(key),
        }
    }
}

impl Tally {
    fn is_empty(&self) -> bool {
        self.done + self.left == 0
    }
}

fn nothing_waits() -> Refusal {
    Refusal::new("nothing waits in the queue", "")
}

/// `1 delivery is`, `2 deliveries are`.
fn deliveries(count: u64) -> String {
    format!("{} {}", counted(count, "delivery"), if count == 1 { "is" } else { "are" })
}

/// `1 delivery`, `2 deliveries`.
fn counted(count: u64, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}
