//! VERB: each hop of a message is told to the client that sent it, until all that was queued is settled, for a minute at most.
//!
//! The message is kept before the first line goes out, so a client that leaves, or a server that stops, loses nothing. What
//! is told is what the journal holds, as `waxseal trace` prints it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll};

use mail::{QueueId, Timestamp};
use policy::{Delivered, Story, What};
use protocol::smtp::Hop;
use store::read::JournalRecord;
use tokio::sync::mpsc;
use wire::registry::Live;

use crate::limits::{VERBOSE_LINES_MAX, VERBOSE_PAUSE_MAX, VERBOSE_PAUSE_MIN, VERBOSE_TIME_MAX};
use crate::shared::Shared;

/// Where hops wait for the session.
#[derive(Debug)]
pub(super) struct Hops {
    teller: mpsc::Sender<Hop>,
    told: mpsc::Receiver<Hop>,
}

impl Hops {
    pub(super) fn new() -> Self {
        let (teller, told) = mpsc::channel(VERBOSE_LINES_MAX);
        Self { teller, told }
    }

    pub(super) fn teller(&self) -> mpsc::Sender<Hop> {
        self.teller.clone()
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Hop> {
        match self.told.poll_recv(cx) {
            Poll::Ready(Some(hop)) => Poll::Ready(hop),
            _ => Poll::Pending,
        }
    }
}

/// Tells the hops of a message that is kept, until nothing more will come of it soon.
pub(super) async fn follow(shared: &Arc<Shared>, live: &Live, queue_id: QueueId, teller: &mpsc::Sender<Hop>) {
    let clock = &shared.world.clock;
    let until = clock.now() + VERBOSE_TIME_MAX;
    let due_max = Timestamp(clock.wall().0 + i64::try_from(VERBOSE_TIME_MAX.as_millis()).unwrap_or(i64::MAX));
    let mut open = Open::default();
    let mut seen = 0;
    let mut pause = VERBOSE_PAUSE_MIN;
    while !live.is_told_to_stop() {
        let Ok(records) = shared.store.story(queue_id).await else { return };
        let new = records.get(seen..).unwrap_or_default();
        if !new.is_empty() {
            (seen, pause) = (records.len(), VERBOSE_PAUSE_MIN);
            new.iter().for_each(|record| open.take(record, due_max));
            // In the time that is left, because the peer may not read.
            let told = tokio::select! {
                biased;
                told = tell(new, teller) => told,
                () = clock.sleep_until(until) => false,
            };
            if !told {
                return;
            }
        }
        if open.is_settled() || clock.now() >= until {
            // What waits goes out before the answer, unless the client does not read it.
            tokio::select! {
                biased;
                _ = teller.reserve_many(teller.max_capacity()) => {}
                () = clock.sleep_until(until) => {}
            }
            return;
        }
        clock.sleep_until((clock.now() + pause).min(until)).await;
        pause = (pause * 2).min(VERBOSE_PAUSE_MAX);
    }
}

/// One line a hop. False if nobody listens any more.
async fn tell(records: &[JournalRecord], teller: &mpsc::Sender<Hop>) -> bool {
    let text = policy::story::tell(records);
    // The first line is the heading.
    for line in text.lines().skip(1) {
        if teller.send(Hop(line.trim_start_matches("  ").to_owned())).await.is_err() {
            return false;
        }
    }
    true
}

/// The recipients of whom something is still to come.
#[derive(Debug, Default)]
struct Open {
    recipients: BTreeSet<String>,
}

impl Open {
    /// Whom a part of the story adds or settles. Who is deferred beyond `due_max` is settled for us.
    fn take(&mut self, record: &JournalRecord, due_max: Timestamp) {
        let Ok(story) = Story::from_json(&record.story) else { return };
        for hop in story.hops {
            let What::Deliver { recipients, outcome, due, .. } = hop.what else { continue };
            let comes = matches!(outcome, Delivered::Queued | Delivered::Deferred)
                && due.is_none_or(|due| due <= due_max);
            for recipient in recipients {
                match comes {
                    true => self.recipients.insert(recipient),
                    false => self.recipients.remove(&recipient),
                };
            }
        }
    }

    fn is_settled(&self) -> bool {
        self.recipients.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_to_come() {
        let mut open = Open::default();
        let mut take = |recipients: &[&str], outcome, due: Option<i64>| {
            let mut story = Story::new(QueueId(7));
            let what = What::Deliver {
                destination: "example.net".into(),
                recipients: recipients.iter().map(ToString::to_string).collect(),
                outcome,
                diagnostic: String::new(),
                due: due.map(Timestamp),
            };
            story.hop(Timestamp(0), what);
            let record = JournalRecord { queue_id: QueueId(7), at: Timestamp(0), story: story.to_json() };
            open.take(&record, Timestamp(60_000));
            open.recipients.iter().cloned().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(take(&["a@x", "b@x", "c@x"], Delivered::Queued, Some(0)), "a@x b@x c@x");
        assert_eq!(take(&["a@x"], Delivered::Relayed, None), "b@x c@x");
        assert_eq!(take(&["b@x"], Delivered::Deferred, Some(60_000)), "b@x c@x");
        assert_eq!(take(&["c@x"], Delivered::Deferred, Some(60_001)), "b@x");
        assert_eq!(take(&["b@x"], Delivered::Bounced, None), "");
        assert!(open.is_settled());
    }
}
