//! What is told of the queue. Text from peers stands in these rows as it came; whoever shows it escapes it.

use mail::Timestamp;
use serde::{Deserialize, Serialize};
use store::{DOOMED, DestinationSummary, QueueEntry};

/// Where something in the queue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The server has it in hand.
    Active,
    /// It is due, and its turn comes as soon as the server gets to it.
    Ready,
    /// It waits for its next try.
    Retry,
    /// Its first try has its time.
    Scheduled,
    /// It waits until the other side asks for it by ETRN.
    Remote,
    /// It is on hold: it waits until an administrator releases it.
    #[serde(alias = "held")]
    Frozen,
    /// An administrator deleted it; it goes as soon as the server gets to it.
    Deleted,
}

/// A destination: what is delivered to one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationRow {
    /// Its name: a domain, an address literal, or `local`.
    pub destination: String,
    /// How it stands.
    pub state: State,
    /// Whether an administrator put the destination as a whole on hold.
    pub held: bool,
    /// Messages that wait for it.
    pub deliveries: u64,
    /// Those of them that are on hold by themselves.
    pub held_deliveries: u64,
    /// Messages that an administrator deleted, and that are still to be taken away. They do not wait for it any more.
    #[serde(default)]
    pub deleted_deliveries: u64,
    /// When the oldest of them was accepted; none if nothing waits.
    pub oldest: Option<Timestamp>,
    /// When something of it is tried next; none if all is on hold.
    pub next_try: Option<Timestamp>,
}

/// A delivery: one message to one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// The message.
    pub queue_id: String,
    /// Where to.
    pub destination: String,
    /// How it stands.
    pub state: State,
    /// Whether an administrator put this delivery on hold.
    pub held: bool,
    /// Whether its destination is on hold.
    pub destination_held: bool,
    /// The reverse-path, empty for null.
    pub reverse_path: String,
    /// The recipients that still wait, as addresses.
    pub recipients: Vec<String>,
    /// When the message was accepted.
    pub accepted: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried next; none if it is on hold or deleted.
    pub next_try: Option<Timestamp>,
    /// What the last attempt said; empty before the first.
    pub last: String,
}

/// A message in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    /// Its queue id.
    pub queue_id: String,
    /// Which virtual server accepted it; empty for the server's own reports.
    pub virtual_server: String,
    /// The reverse-path, empty for null.
    pub reverse_path: String,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// What its header says of it. Unlike the rest it is escaped and cut to a bearable length.
    pub fields: Vec<FieldRow>,
    /// Where it still goes, by destination.
    pub deliveries: Vec<DeliveryRow>,
}

/// A header field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldRow {
    /// Its name.
    pub name: String,
    /// Its value, decoded (RFC 2047).
    pub value: String,
}

/// How much is in the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueTotals {
    /// Destinations for which something waits.
    pub destinations: u64,
    /// Deliveries: one is one message to one destination.
    pub deliveries: u64,
    /// Those that wait until an administrator releases them or their destination.
    pub held: u64,
    /// Deliveries that were deleted and are still to be taken away; they are in none of the other numbers.
    #[serde(default)]
    pub deleted: u64,
    /// When the oldest was accepted; none in an empty queue.
    pub oldest: Option<Timestamp>,
}

impl DestinationRow {
    /// A destination as it stands at this time. Where no server runs, nothing is in hand, whatever a crash left.
    pub(crate) fn new(
        summary: &DestinationSummary,
        server_runs: bool,
        collected: bool,
        now: Timestamp,
    ) -> Self {
        let all_held = summary.deliveries > 0 && summary.deliveries == summary.held_deliveries;
        let state = match summary.next_due {
            _ if summary.deliveries == 0 && summary.doomed_deliveries > 0 => State::Deleted,
            _ if summary.held => State::Frozen,
            None if all_held => State::Frozen,
            Some(due) if due > now && collected => State::Remote,
            Some(due) if due > now => State::Retry,
            _ if server_runs && summary.leased_by.is_some() => State::Active,
            _ => State::Ready,
        };
        Self {
            destination: summary.destination.clone(),
            state,
            held: summary.held,
            deliveries: summary.deliveries,
            held_deliveries: summary.held_deliveries,
            deleted_deliveries: summary.doomed_deliveries,
            oldest: summary.oldest_accepted,
            next_try: summary.next_due.filter(|_| state != State::Frozen),
        }
    }
}

impl DeliveryRow {
    /// A delivery as it stands at this time, of a destination that stands so.
    pub(crate) fn new(entry: &QueueEntry, destination: &DestinationRow, now: Timestamp) -> Self {
        let state = match destination.state {
            _ if entry.due == DOOMED => State::Deleted,
            _ if entry.held || destination.held => State::Frozen,
            State::Remote if entry.due > now => State::Remote,
            _ if entry.due > now && entry.attempts == 0 => State::Scheduled,
            _ if entry.due > now => State::Retry,
            State::Active => State::Active,
            _ => State::Ready,
        };
        Self {
            queue_id: entry.queue_id.to_string(),
            destination: entry.destination.clone(),
            state,
            held: entry.held,
            destination_held: destination.held,
            reverse_path: entry.reverse_path.clone(),
            recipients: entry.recipients.iter().map(|one| one.address.clone()).collect(),
            accepted: entry.accepted,
            attempts: entry.attempts,
            next_try: (!matches!(state, State::Deleted | State::Frozen)).then_some(entry.due),
            last: entry.last.clone(),
        }
    }
}

impl QueueTotals {
    /// Adds a destination.
    pub(crate) fn add(&mut self, summary: &DestinationSummary) {
        self.deleted += summary.doomed_deliveries;
        if summary.deliveries == 0 {
            return;
        }
        self.destinations += 1;
        self.deliveries += summary.deliveries;
        self.held += if summary.held { summary.deliveries } else { summary.held_deliveries };
        self.oldest = match (self.oldest, summary.oldest_accepted) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1000);

    fn summary(held: bool, held_deliveries: u64, next_due: Option<i64>, leased: bool) -> DestinationSummary {
        DestinationSummary {
            destination: "example.net".into(),
            deliveries: 2,
            held_deliveries,
            doomed_deliveries: 0,
            oldest_accepted: Some(Timestamp(5)),
            next_due: next_due.map(Timestamp),
            held,
            leased_by: leased.then(|| "main".into()),
        }
    }

    /// So many wait, and three are to be taken away.
    fn deleted(deliveries: u64) -> DestinationSummary {
        let next_due = (deliveries > 0).then_some(1000);
        DestinationSummary { deliveries, doomed_deliveries: 3, ..summary(false, 0, next_due, false) }
    }

    #[test]
    fn destinations_stand_somewhere() {
        for (summary, server_runs, state, next_try) in [
            (summary(false, 0, Some(1000), true), true, State::Active, Some(1000)),
            (summary(false, 0, Some(1000), true), false, State::Ready, Some(1000)),
            (summary(false, 0, Some(1000), false), true, State::Ready, Some(1000)),
            (summary(false, 0, Some(1001), true), true, State::Retry, Some(1001)),
            (summary(false, 1, Some(1001), false), true, State::Retry, Some(1001)),
            (summary(false, 2, None, true), true, State::Frozen, None),
            (summary(true, 0, Some(900), true), true, State::Frozen, None),
            (deleted(2), true, State::Ready, Some(1000)),
            (deleted(0), true, State::Deleted, None),
            (DestinationSummary { held: true, ..deleted(0) }, false, State::Deleted, None),
        ] {
            let row = DestinationRow::new(&summary, server_runs, false, NOW);
            assert_eq!((row.state, row.next_try), (state, next_try.map(Timestamp)), "{summary:?}");
        }
    }

    #[test]
    fn deliveries_stand_somewhere() {
        let entry = |due, held| QueueEntry {
            queue_id: mail::QueueId(77),
            destination: "example.net".into(),
            virtual_server: String::new(),
            reverse_path: String::new(),
            parameters: mail::MessageParameters::default(),
            recipients: vec!["bob@example.net".into()],
            content: store::ContentRef::New(0),
            prefix: Default::default(),
            accepted: Timestamp(5),
            due,
            attempts: 0,
            notified: false,
            held,
            last: String::new(),
        };
        let idle = DestinationRow::new(&summary(false, 0, Some(1000), false), true, false, NOW);
        let active = DestinationRow::new(&summary(false, 0, Some(1000), true), true, false, NOW);
        let held = DestinationRow::new(&summary(true, 0, Some(1000), true), true, false, NOW);
        let remote = DestinationRow::new(&summary(false, 0, Some(1001), false), true, true, NOW);
        for (entry, destination, state, next_try) in [
            (entry(NOW, false), &idle, State::Ready, Some(NOW)),
            (entry(NOW, false), &active, State::Active, Some(NOW)),
            (entry(Timestamp(1001), false), &active, State::Scheduled, Some(Timestamp(1001))),
            (entry(Timestamp(1001), false), &remote, State::Remote, Some(Timestamp(1001))),
            (entry(NOW, false), &remote, State::Ready, Some(NOW)),
            (entry(NOW, true), &active, State::Frozen, None),
            (entry(NOW, false), &held, State::Frozen, None),
            (entry(DOOMED, true), &held, State::Deleted, None),
        ] {
            let row = DeliveryRow::new(&entry, destination, NOW);
            assert_eq!((row.state, row.next_try), (state, next_try), "{entry:?}");
        }
    }

    #[test]
    fn a_destination_on_hold_holds_all_that_waits_there() {
        let mut totals = QueueTotals::default();
        totals.add(&summary(false, 1, Some(7), false));
        totals.add(&summary(true, 0, Some(7), false));
        totals.add(&DestinationSummary {
            deliveries: 0,
            oldest_accepted: None,
            ..summary(true, 0, None, false)
        });
        let oldest = Some(Timestamp(5));
        let expected = QueueTotals { destinations: 2, deliveries: 4, held: 3, deleted: 0, oldest };
        assert_eq!(totals, expected);
        totals.add(&DestinationSummary { oldest_accepted: None, ..deleted(0) });
        assert_eq!(totals, QueueTotals { deleted: 3, ..expected });
    }
}
