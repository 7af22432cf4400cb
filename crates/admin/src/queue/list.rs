//! What waits: destinations, the deliveries of one, and how much it is in all.

use mail::{QueueId, Timestamp};
use store::DestinationSummary;

use super::rows::{DeliveryRow, DestinationRow, QueueTotals};
use super::{destination_name, nothing_for, queue_id};
use crate::limits::QUEUE_ROWS_MAX;
use crate::response::{Refusal, Response};
use crate::service::Admin;

impl Admin {
    pub(crate) async fn queue_list(
        &self,
        destination: Option<&str>,
        after: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Response, Refusal> {
        let limit = limit.map_or(QUEUE_ROWS_MAX, |limit| (limit as usize).clamp(1, QUEUE_ROWS_MAX));
        match destination {
            Some(destination) => {
                let after = after.map(queue_id).transpose()?;
                self.deliveries(&destination_name(destination), after, limit).await
            }
            None => self.destinations(after, limit).await,
        }
    }

    async fn destinations(&self, after: Option<&str>, limit: usize) -> Result<Response, Refusal> {
        let at = self.world.clock.wall();
        let mut found = self.store.queue_destinations(after, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| last.destination.clone());
        // One for which nothing waits any more stays as long as the runner has it in hand.
        let told = found.iter().filter(|summary| is_worth_telling(summary));
        let destinations: Vec<DestinationRow> =
            told.map(|summary| self.destination_row(summary, at)).collect();
        Ok(Response::Destinations { at, totals: self.queue_totals().await?, destinations, next })
    }

    async fn deliveries(
        &self,
        name: &str,
        after: Option<QueueId>,
        limit: usize,
    ) -> Result<Response, Refusal> {
        let at = self.world.clock.wall();
        let Some(summary) = self.waiting(name).await? else { return Err(nothing_for(name)) };
        let after = after.map(|queue_id| (name.to_owned(), queue_id));
        let mut found = self.store.queue_page(after, Some(name), limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let destination = self.destination_row(&summary, at);
        let deliveries: Vec<DeliveryRow> =
            found.iter().map(|entry| DeliveryRow::new(entry, &destination, at)).collect();
        let next = deliveries.last().filter(|_| more).map(|last| last.queue_id.clone());
        Ok(Response::Deliveries { at, destination, deliveries, next })
    }

    pub(super) fn destination_row(&self, summary: &DestinationSummary, now: Timestamp) -> DestinationRow {
        let queue = self.queue.as_ref();
        let collected =
            |name: &str| queue.is_some_and(|queue| queue.properties().ours().destinations.is_collected(name));
        DestinationRow::new(summary, queue.is_some(), collected(&summary.destination), now)
    }

    /// A destination for which something waits, or is to be taken away, or that is on hold.
    pub(super) async fn waiting(&self, name: &str) -> Result<Option<DestinationSummary>, Refusal> {
        Ok(self.store.queue_destination(name).await?.filter(is_worth_telling))
    }

    /// Adds up the whole queue, destination by destination.
    pub(crate) async fn queue_totals(&self) -> Result<QueueTotals, Refusal> {
        let mut totals = QueueTotals::default();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.queue_destinations(after.as_deref(), QUEUE_ROWS_MAX).await?;
            let Some(last) = page.last() else { return Ok(totals) };
            page.iter().for_each(|summary| totals.add(summary));
            after = Some(last.destination.clone());
        }
    }
}

fn is_worth_telling(summary: &DestinationSummary) -> bool {
    summary.deliveries > 0 || summary.doomed_deliveries > 0 || summary.held
}
