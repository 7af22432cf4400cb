//! A map as disk: what the schedule asks of the store, done as it says, at once and durably.

use std::collections::BTreeMap;

use mail::Timestamp;
use queue::schedule::{DOOMED, Delivery, Destination, Drawn, Key, Recorded, Row, Transition};

/// A delivery's row.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) delivery: Delivery,
    pub(crate) held: bool,
}

/// A destination's row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    pub(crate) held: bool,
    pub(crate) lease: Option<(usize, Timestamp)>,
}

/// What survives a crash.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) rows: BTreeMap<Key, Kept>,
    pub(crate) places: BTreeMap<Destination, Place>,
}

impl Disk {
    pub(crate) fn enqueue(&mut self, delivery: Delivery) {
        self.places.entry(delivery.key.destination.clone()).or_default();
        self.rows.insert(delivery.key.clone(), Kept { delivery, held: false });
    }

    /// The rows of a destination that may be drawn, by due and queue id.
    fn ready(&self, destination: &Destination) -> Vec<&Delivery> {
        let held = self.places.get(destination).is_some_and(|place| place.held);
        let rows = self.rows.values().filter(|row| row.delivery.key.destination == *destination);
        let open = rows.filter(|row| row.delivery.is_doomed() || (!row.held && !held));
        let mut ready: Vec<&Delivery> = open.map(|row| &row.delivery).collect();
        ready.sort_by_key(|delivery| (delivery.due, delivery.key.queue_id));
        ready
    }

    pub(crate) fn survey(&self, node: usize, now: Timestamp, limit: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        for (destination, place) in &self.places {
            let Some(first) = self.ready(destination).first().map(|delivery| delivery.due) else { continue };
            let lease = place.lease.filter(|(whose, until)| *whose != node && *until > now);
            rows.push(Row {
                destination: destination.clone(),
                next_due: first,
                held: place.held,
                leased_until: lease.map(|(_, until)| until),
            });
        }
        rows.sort_by_key(|row| row.next_due);
        rows.truncate(limit);
        rows
    }

    pub(crate) fn draw(
        &mut self,
        node: usize,
        now: Timestamp,
        destination: &Destination,
        until: Timestamp,
        limit: usize,
    ) -> Drawn {
        let place = self.places.entry(destination.clone()).or_default();
        if let Some((_, until)) = place.lease.filter(|(whose, until)| *whose != node && *until > now) {
            return Drawn::Taken { until };
        }
        place.lease = Some((node, until));
        let held = place.held;
        let ready = self.ready(destination);
        let due = ready.iter().filter(|delivery| delivery.due <= now).take(limit);
        let deliveries: Vec<Delivery> = due.map(|delivery| (*delivery).clone()).collect();
        let next_due = ready.get(deliveries.len()).map(|delivery| delivery.due);
        Drawn::Granted { deliveries, next_due, held }
    }

    /// Whose lease of this destination is over, although not given up, and will go to this node when it draws.
    pub(crate) fn loser(&self, node: usize, now: Timestamp, destination: &Destination) -> Option<usize> {
        let (whose, until) = self.places.get(destination)?.lease?;
        (whose != node && until <= now).then_some(whose)
    }

    pub(crate) fn release(&mut self, node: usize, destination: &Destination) {
        let Some(place) = self.places.get_mut(destination) else { return };
        place.lease = place.lease.filter(|(whose, _)| *whose != node);
    }

    /// Applies a settlement, if its guard holds.
    pub(crate) fn settle(&mut self, node: usize, seen: &Delivery, transitions: &[Transition]) -> Recorded {
        let ours = self.places.get(&seen.key.destination).and_then(|place| place.lease);
        let guard = ours.is_some_and(|(whose, _)| whose == node);
        let Some(row) = self.rows.get_mut(&seen.key) else { return Recorded::Lost };
        if !guard || row.delivery.attempts != seen.attempts {
            return Recorded::Lost;
        }
        let retry = transitions.iter().find_map(|transition| match transition {
            Transition::Retry { recipients, due, attempts, notified } => {
                Some((recipients.clone(), *due, *attempts, *notified))
            }
            _ => None,
        });
        let Some((recipients, due, attempts, notified)) = retry else {
            self.rows.remove(&seen.key);
            return Recorded::Kept;
        };
        let due = if row.delivery.is_doomed() { DOOMED } else { due };
        row.delivery = Delivery { recipients, due, attempts, notified, ..row.delivery.clone() };
        Recorded::Kept
    }
}
