//! Looking for what waits: by sender, recipient, age and state.

use mail::Timestamp;
use store::QueueEntry;

use super::rows::{DeliveryRow, DestinationRow, State};
use crate::limits::QUEUE_ROWS_MAX;
use crate::request::QueueFilter;
use crate::response::{Refusal, Response};
use crate::service::Admin;

impl Admin {
    /// Every delivery that the filter names, in the order of destinations and queue ids.
    pub(crate) async fn queue_find(
        &self,
        filter: &QueueFilter,
        limit: Option<u32>,
    ) -> Result<Response, Refusal> {
        let limit = limit.map_or(QUEUE_ROWS_MAX, |limit| (limit as usize).clamp(1, QUEUE_ROWS_MAX));
        let at = self.world.clock.wall();
        let (mut found, mut after) = (Vec::new(), None);
        let mut destination: Option<DestinationRow> = None;
        loop {
            let page = self.store.queue_page(after, None, QUEUE_ROWS_MAX).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.destination.clone(), last.queue_id));
            for entry in page.iter().filter(|entry| filter.names(entry, at)) {
                if destination.as_ref().is_none_or(|row| row.destination != entry.destination) {
                    let summary = self.store.queue_destination(&entry.destination).await?;
                    destination = summary.map(|summary| self.destination_row(&summary, at));
                }
                // It may have gone since.
                let Some(destination) = &destination else { continue };
                let row = DeliveryRow::new(entry, destination, at);
                if !filter.states.is_empty() && !filter.states.contains(&row.state) {
                    continue;
                }
                if found.len() == limit {
                    return Ok(Response::FoundDeliveries { at, deliveries: found, more: true });
                }
                found.push(row);
            }
        }
        Ok(Response::FoundDeliveries { at, deliveries: found, more: false })
    }
}

impl QueueFilter {
    /// All but the state.
    fn names(&self, entry: &QueueEntry, now: Timestamp) -> bool {
        let has = |part: &Option<String>, text: &str| {
            part.as_ref().is_none_or(|part| text.to_lowercase().contains(&part.trim().to_lowercase()))
        };
        // `<>` is how people write that there is none.
        let sender = match self.sender.as_deref() {
            Some("<>") => entry.reverse_path.is_empty(),
            _ => has(&self.sender, &entry.reverse_path),
        };
        let age = now.0.saturating_sub(entry.accepted.0) / 1000;
        sender
            && entry.recipients.iter().any(|one| has(&self.recipient, &one.address))
            && self.older_than_secs.is_none_or(|secs| age >= i64::try_from(secs).unwrap_or(i64::MAX))
    }
}

/// The state that a word means.
///
/// # Errors
/// In words.
pub fn state(word: &str) -> Result<State, String> {
    match word.to_lowercase().as_str() {
        "active" => Ok(State::Active),
        "ready" => Ok(State::Ready),
        "retry" => Ok(State::Retry),
        "scheduled" => Ok(State::Scheduled),
        "remote" => Ok(State::Remote),
        "frozen" | "held" => Ok(State::Frozen),
        "deleted" => Ok(State::Deleted),
        _ => Err("it is none of active, ready, retry, scheduled, frozen, remote, deleted".into()),
    }
}
