//! Random changes of the queue by two nodes and an administrator against a model that fits on a page.
//!
//! After each step: the same changes are refused, the same rows are there, the same are drawn, and every destination where
//! something waits is surveyed, in time; exactly then, if nobody leases it.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::collections::BTreeMap;

use mail::{QueueId, Timestamp};
use proptest::prelude::*;
use store::{Applied, Change, Commit, ContentRef, DOOMED, Error, Options, QueueEntry, Rest, Store};
use support::*;
use world::{Workers, World};

const DESTINATIONS: [&str; 2] = ["example.com", "local"];
const NODES: [&str; 2] = ["a", "b"];
const LEASE: i64 = 20;

/// One step; each takes a moment.
#[derive(Debug, Clone)]
enum Step {
    Enqueue { to: usize, number: u64, after: i64, held: bool },
    Lease { to: usize, node: usize },
    Release { to: usize, node: usize },
    Settle { to: usize, number: u64, node: usize, lost: bool, rest: Option<i64> },
    Hold { to: usize, number: u64, held: bool },
    Expedite { to: usize, number: u64 },
    Doom { to: usize, number: u64 },
    HoldDestination { to: usize, held: bool },
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let to = || 0..DESTINATIONS.len();
    let node = || 0..NODES.len();
    let number = || 0u64..4;
    prop_oneof![
        5 => (to(), number(), -5i64..50, prop::bool::weighted(0.1))
            .prop_map(|(to, number, after, held)| Step::Enqueue { to, number, after, held }),
        4 => (to(), node()).prop_map(|(to, node)| Step::Lease { to, node }),
        2 => (to(), node()).prop_map(|(to, node)| Step::Release { to, node }),
        8 => (to(), number(), node(), prop::bool::weighted(0.1), prop::option::of(-5i64..50))
            .prop_map(|(to, number, node, lost, rest)| Step::Settle { to, number, node, lost, rest }),
        2 => (to(), number(), any::<bool>()).prop_map(|(to, number, held)| Step::Hold { to, number, held }),
        1 => (to(), number()).prop_map(|(to, number)| Step::Expedite { to, number }),
        1 => (to(), number()).prop_map(|(to, number)| Step::Doom { to, number }),
        1 => (to(), any::<bool>()).prop_map(|(to, held)| Step::HoldDestination { to, held }),
        2 => (1i64..40).prop_map(Step::Wait),
    ]
}

/// An entry: what of it changes.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    due: Timestamp,
    attempts: u32,
    held: bool,
    notified: bool,
}

impl Row {
    fn is_drawn(&self, destination: &Place, now: Timestamp) -> bool {
        self.due == DOOMED || (self.due <= now && !self.held && !destination.held)
    }
}

#[derive(Debug, Clone, Default)]
struct Place {
    rows: BTreeMap<u64, Row>,
    held: bool,
    lease: Option<(usize, i64)>,
}

impl Place {
    /// When the first is due that is not on hold.
    fn next_due(&self) -> Option<Timestamp> {
        self.rows.values().filter(|row| !row.held || row.due == DOOMED).map(|row| row.due).min()
    }

    /// Applies a change; whether it is refused.
    fn apply(&mut self, step: &Step, now: i64) -> Result<Applied, ()> {
        let time = Timestamp(now);
        match *step {
            Step::Enqueue { number, after, held, .. } => {
                let row = Row { due: Timestamp(now + after), attempts: 0, held, notified: false };
                if self.rows.contains_key(&number) {
                    return Err(());
                }
                self.rows.insert(number, row);
            }
            Step::Lease { node, .. } => match self.lease {
                Some((other, until)) if other != node && until > now => {
                    return Ok(Applied::Taken { until: Timestamp(until) });
                }
                _ => {
                    self.lease = Some((node, now + LEASE));
                    return Ok(Applied::Leased);
                }
            },
            Step::Release { node, .. } if self.lease.is_some_and(|(by, _)| by == node) => self.lease = None,
            Step::Settle { number, node, lost, rest, .. } => {
                let ours = self.lease.is_some_and(|(by, _)| by == node) && !lost;
                let row = self.rows.get_mut(&number).filter(|_| ours).ok_or(())?;
                row.attempts += 1;
                row.notified = true;
                match rest {
                    Some(after) if row.due != DOOMED => row.due = Timestamp(now + after),
                    Some(_) => {}
                    None => drop(self.rows.remove(&number)),
                }
            }
            Step::Hold { number, held, .. } => {
                let row = self.rows.get_mut(&number).ok_or(())?;
                if row.held && !held && row.due != DOOMED {
                    row.due = row.due.max(time);
                }
                row.held = held;
            }
            Step::Expedite { number, .. } => {
                let row = self.rows.get_mut(&number).ok_or(())?;
                row.due = row.due.min(time);
            }
            Step::Doom { number, .. } => self.rows.get_mut(&number).ok_or(())?.due = DOOMED,
            Step::HoldDestination { held, .. } => self.held = held,
            Step::Release { .. } | Step::Wait(_) => {}
        }
        Ok(Applied::Done)
    }
}

/// What the step asks of the store.
fn commit(step: &Step, places: &[Place], now: i64) -> Commit {
    let name = |to: usize| DESTINATIONS[to].to_owned();
    let id = QueueId;
    let change = match *step {
        Step::Enqueue { to, number, after, held } => {
            let entry = QueueEntry { held, ..entry(number, DESTINATIONS[to], now + after) };
            let content = vec![inline("m", "queued")];
            return Commit { content, changes: vec![Change::Enqueue(entry)] };
        }
        Step::Lease { to, node } => Change::Lease {
            destination: name(to),
            node: NODES[node].into(),
            until: at(now + LEASE),
            now: at(now),
        },
        Step::Release { to, node } => Change::Release { destination: name(to), node: NODES[node].into() },
        Step::Settle { to, number, node, lost, rest } => {
            let seen = places[to].rows.get(&number).map_or(0, |row| row.attempts);
            let rest = rest.map(|after| Rest {
                recipients: vec!["c@example.org".into()],
                due: at(now + after),
                attempts: seen + 1,
                notified: true,
                last: "later".into(),
            });
            let attempts = seen + u32::from(lost);
            Change::Settle {
                queue_id: id(number),
                destination: name(to),
                node: NODES[node].into(),
                attempts,
                rest,
            }
        }
        Step::Hold { to, number, held } => {
            Change::Hold { queue_id: id(number), destination: name(to), held, now: at(now) }
        }
        Step::Expedite { to, number } => {
            Change::Expedite { queue_id: id(number), destination: name(to), due: at(now) }
        }
        Step::Doom { to, number } => Change::Doom { queue_id: id(number), destination: name(to) },
        Step::HoldDestination { to, held } => Change::HoldDestination { destination: name(to), held },
        Step::Wait(_) => return Commit::default(),
    };
    Commit { content: vec![], changes: vec![change] }
}

fn place_of(step: &Step) -> usize {
    match *step {
        Step::Enqueue { to, .. }
        | Step::Lease { to, .. }
        | Step::Release { to, .. }
        | Step::Settle { to, .. }
        | Step::Hold { to, .. }
        | Step::Expedite { to, .. }
        | Step::Doom { to, .. }
        | Step::HoldDestination { to, .. } => to,
        Step::Wait(_) => 0,
    }
}

async fn run(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let world = World { workers: Workers::Inline, ..world() };
    let store = Store::open(dir.path(), &world, Options::default()).unwrap();
    let mut places = vec![Place::default(); DESTINATIONS.len()];
    let mut now = 100;
    for step in &steps {
        now += if let Step::Wait(time) = step { *time } else { 1 };
        let result = store.commit(commit(step, &places, now)).await;
        let expected = places[place_of(step)].apply(step, now);
        match (&result, expected) {
            (Ok(receipt), Ok(applied)) => {
                assert!(receipt.results.iter().all(|result| *result == applied), "{receipt:?}, {applied:?}");
            }
            (Err(Error::Conflict(_)), Err(())) => {}
            (result, expected) => panic!("{step:?}: {result:?}, {expected:?}"),
        }
        for (place, name) in places.iter().zip(DESTINATIONS) {
            compare_rows(&store, place, name).await;
            compare_draw(&store, place, name, now).await;
            compare_survey(&store, place, name, now).await;
        }
    }
    let report = store.check(false, None).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

async fn compare_rows(store: &Store, place: &Place, name: &str) {
    let page = store.queue_page(None, Some(name), 100).await.unwrap();
    for entry in &page {
        let ContentRef::Known(content) = entry.content else { panic!("{entry:?}") };
        assert_eq!(store.read_content(content, 0, 10).await.unwrap(), "queued");
        let waiting = if entry.attempts == 0 { 2 } else { 1 };
        assert_eq!(entry.recipients.len(), waiting);
    }
    let rows: BTreeMap<u64, Row> = page
        .into_iter()
        .map(|QueueEntry { queue_id, due, attempts, held, notified, .. }| {
            (queue_id.0, Row { due, attempts, held, notified })
        })
        .collect();
    assert_eq!(rows, place.rows);
}

async fn compare_draw(store: &Store, place: &Place, name: &str, now: i64) {
    let mut drawn: Vec<(Timestamp, u64)> = place
        .rows
        .iter()
        .filter(|(_, row)| row.is_drawn(place, at(now)))
        .map(|(number, row)| (row.due, *number))
        .collect();
    drawn.sort_unstable();
    for limit in [1, 100] {
        let draw = store.queue_draw(name, at(now), limit).await.unwrap();
        let entries: Vec<_> = draw.entries.iter().map(|entry| (entry.due, entry.queue_id.0)).collect();
        let taken = drawn.len().min(limit);
        assert_eq!(entries, drawn[..taken]);
        assert_eq!(draw.held, place.held);
        let rest = place.rows.iter().filter(|(number, row)| {
            (!row.held || row.due == DOOMED) && !drawn[..taken].contains(&(row.due, **number))
        });
        assert_eq!(draw.next_due, rest.map(|(_, row)| row.due).min());
    }
}

async fn compare_survey(store: &Store, place: &Place, name: &str, now: i64) {
    for (number, node) in NODES.iter().enumerate() {
        let rows = store.queue_survey(node, at(now), 10).await.unwrap();
        let row = rows.into_iter().find(|row| row.destination == name);
        let wanted = place.next_due().filter(|due| !place.held || *due == DOOMED);
        let found = row.as_ref().map(|row| row.next_due);
        match (wanted, found) {
            (wanted, found) if place.lease.is_none() => assert_eq!(found, wanted),
            (Some(wanted), found) => assert!(found.is_some_and(|found| found <= wanted), "{found:?}"),
            (None, _) => {}
        }
        let others = place.lease.filter(|&(by, until)| by != number && until > now);
        if let Some(row) = row {
            assert_eq!((row.leased_until, row.held), (others.map(|(_, until)| at(until)), place.held));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_does_what_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(run(steps));
    }
}
