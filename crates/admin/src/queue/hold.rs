//! Putting on hold and releasing: messages, destinations, everything.
//!
//! A destination on hold keeps what comes for it later, too. What is on hold by itself stays so when its destination is
//! released, and the other way round: who held one message had a reason that concerns no other.

use mail::QueueId;
use queue::schedule::{Destination, News};
use store::{Change, DestinationSummary};

use super::order::Order;
use super::rows::{DeliveryRow, State};
use super::{counted, destination_name, is_destination, nothing_for, nothing_waits, queue_id};
use crate::limits::{QUEUE_CHANGES_MAX, QUEUE_ROWS_MAX};
use crate::request::QueueSelection;
use crate::response::{Refusal, Response};
use crate::service::Admin;

impl Admin {
    pub(crate) async fn queue_hold(&self, what: &QueueSelection) -> Result<Response, Refusal> {
        let said = match what {
            QueueSelection::QueueId(id) => self.hold_message(queue_id(id)?, what).await?,
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

    async fn hold_message(&self, id: QueueId, what: &QueueSelection) -> Result<String, Refusal> {
        let goes_on = goes_on(self.is_active(id).await?);
        let tally = self.order(Order::Hold, what).await?;
        let already = match (tally.done, tally.held) {
            (0, 0) => {
                return Err(Refusal::new(format!("{id} is deleted already, and about to go"), ""));
            }
            (0, _) => " already",
            _ => "",
        };
        Ok(format!("{id} is on hold{already}{goes_on}; to let it go: waxseal queue release {id}"))
    }

    /// Whether the server may be delivering something of a message now.
    async fn is_active(&self, id: QueueId) -> Result<bool, Refusal> {
        let at = self.world.clock.wall();
        for entry in self.store.queue_entries(id).await? {
            let summary = self.store.queue_destination(&entry.destination).await?;
            let row = summary.map(|summary| self.destination_row(&summary, at));
            if row.is_some_and(|row| DeliveryRow::new(&entry, &row, at).state == State::Active) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn hold_destination(&self, name: &str) -> Result<String, Refusal> {
        let summary = self.waiting(name).await?;
        let waiting = match &summary {
            Some(summary) if summary.held => return Ok(format!("mail for {name} is on hold already")),
            Some(summary) if summary.deliveries == 0 => "nothing".to_owned(),
            Some(summary) => counted(summary.deliveries, "delivery"),
            // It may be held before there is mail for it; what no mail can go to is a slip of the hand.
            None if is_destination(name) => "nothing".to_owned(),
            None => return Err(nothing_for(name)),
        };
        let at = self.world.clock.wall();
        let is_active = |summary| self.destination_row(summary, at).state == State::Active;
        let goes_on = goes_on(summary.as_ref().is_some_and(is_active));
        self.set_hold(&[name], true).await?;
        Ok(format!(
            "mail for {name} is on hold, with {waiting} waiting now{goes_on}; to let it go: waxseal queue release --destination {name}"
        ))
    }

    async fn hold_all(&self) -> Result<String, Refusal> {
        let found = self.summaries(|summary| summary.deliveries > 0).await?;
        if found.is_empty() {
            return Err(nothing_waits());
        }
        let open = found.iter().filter(|summary| !summary.held);
        let names: Vec<&str> = open.map(|summary| summary.destination.as_str()).collect();
        self.set_hold(&names, true).await?;
        let destinations = counted(found.len() as u64, "destination");
        let waiting = counted(found.iter().map(|summary| summary.deliveries).sum(), "delivery");
        Ok(format!(
            "mail for {destinations} is on hold, with {waiting} waiting now; what comes for others still goes out; \
             to let it go: waxseal queue release --all"
        ))
    }

    async fn release_message(&self, id: QueueId, what: &QueueSelection) -> Result<String, Refusal> {
        let tally = self.order(Order::Release, what).await?;
        let entries = self.store.queue_entries(id).await?;
        let closed = self.held_destinations(&entries).await?;
        let remedy = |name: &&str| format!("its destination is: waxseal queue release --destination {name}");
        match (tally.done, closed.first()) {
            (0, Some(name)) => Err(Refusal::new(format!("{id} is not on hold by itself"), remedy(name))),
            (0, None) => Err(Refusal::new(format!("{id} is not on hold"), "")),
            (_, Some(name)) => Ok(format!("{id} is on hold no more, but {}", remedy(name))),
            (_, None) => Ok(format!("{id} is on hold no more")),
        }
    }

    async fn release_destination(&self, name: &str) -> Result<String, Refusal> {
        let Some(summary) = self.waiting(name).await? else {
            return Err(nothing_for(name));
        };
        let alone = match summary.held_deliveries {
            0 => String::new(),
            1 => format!("1 delivery is on hold by itself: waxseal queue list {name}"),
            count => format!("{count} deliveries are on hold by themselves: waxseal queue list {name}"),
        };
        if !summary.held {
            return Err(Refusal::new(format!("mail for {name} is not on hold as a whole"), alone));
        }
        self.set_hold(&[name], false).await?;
        let but = if alone.is_empty() { alone } else { format!(", but {alone}") };
        Ok(format!("mail for {name} is on hold no more{but}"))
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
        let destinations = counted(names.len() as u64, "destination");
        match (names.is_empty(), alone) {
            (true, 0) => Err(Refusal::new("nothing is on hold", "")),
            (true, alone) => Ok(format!("released: {}", counted(alone, "delivery"))),
            (false, 0) => Ok(format!("released: {destinations}")),
            (false, alone) => Ok(format!("released: {destinations}, {}", counted(alone, "delivery"))),
        }
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
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.destination.clone());
            all.extend(page.into_iter().filter(|summary| fits(summary)));
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
}

/// What is said of an attempt that nobody can call back.
fn goes_on(is_active: bool) -> &'static str {
    if is_active { ", but an attempt that is under way goes on" } else { "" }
}
