//! What administrators do: written to the store, then told.

use mail::{QueueId, Timestamp};
use queue::schedule::{Key, News};
use store::Change;

use crate::place::{Do, HOUR, MINUTE, Place, minutes};

const TO: &str = "example.net";

fn key(number: u64) -> Key {
    Key { destination: TO.into(), queue_id: QueueId(number) }
}

impl Place {
    async fn hold(&self, number: u64, held: bool) {
        let now = self.world.clock.wall();
        self.commit(Change::Hold { queue_id: QueueId(number), destination: TO.into(), held, now }).await;
        match held {
            true => self.handle.tell(News::Held(key(number))),
            false => self.handle.due(TO, now),
        }
    }

    async fn try_now(&self, number: u64) {
        let due = self.world.clock.wall();
        self.commit(Change::Expedite { queue_id: QueueId(number), destination: TO.into(), due }).await;
        self.handle.due(TO, due);
    }

    async fn delete(&self, number: u64) {
        self.commit(Change::Doom { queue_id: QueueId(number), destination: TO.into() }).await;
        self.handle.tell(News::Doomed(key(number)));
    }

    async fn hold_destination(&self, held: bool) {
        self.commit(Change::HoldDestination { destination: TO.into(), held }).await;
        self.handle.tell(match held {
            true => News::DestinationHeld(TO.into()),
            false => News::DestinationReleased(TO.into(), self.world.clock.wall()),
        });
    }
}

/// A runner with one message that was deferred once.
async fn deferred() -> Place {
    let mut place = Place::new(|tried, _| if tried.number == 1 { Do::Defer } else { Do::Take }).await;
    place.start();
    place.enqueue(1, "ann@example.org", &[(TO, &["bob@example.net"])]).await;
    place.pass(MINUTE).await;
    place
}

#[tokio::test(start_paused = true)]
async fn what_is_on_hold_is_tried_when_it_is_released() {
    let place = deferred().await;
    place.hold(1, true).await;
    place.pass(HOUR).await;
    assert_eq!(minutes(&place.hops.tried(), 1), [0]);
    place.hold(1, false).await;
    place.pass(MINUTE).await;
    assert_eq!(minutes(&place.hops.tried(), 1), [0, 61]);
    assert_eq!(place.store.queue_length().await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_to_be_tried_now_is_tried_now() {
    let place = deferred().await;
    place.try_now(1).await;
    place.pass(MINUTE).await;
    assert_eq!(minutes(&place.hops.tried(), 1), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_goes_without_an_attempt_and_without_a_report() {
    let place = deferred().await;
    place.delete(1).await;
    place.pass(MINUTE).await;
    assert_eq!(place.store.queue_length().await.unwrap(), 0);
    assert_eq!(minutes(&place.hops.tried(), 1), [0]);
    assert!(place.story(1).await.contains("<bob@example.net> deleted"));
    assert!(place.inbox().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_a_destination_on_hold_only_what_is_deleted_goes() {
    let place = deferred().await;
    place.hold_destination(true).await;
    place.enqueue(2, "ann@example.org", &[(TO, &["carol@example.net"])]).await;
    place.pass(HOUR).await;
    assert_eq!(minutes(&place.hops.tried(), 2), Vec::<i64>::new());
    place.delete(1).await;
    place.pass(MINUTE).await;
    assert!(place.store.queue_entries(QueueId(1)).await.unwrap().is_empty());
    assert_eq!(place.store.queue_length().await.unwrap(), 1);
    place.hold_destination(false).await;
    place.pass(MINUTE).await;
    assert_eq!(minutes(&place.hops.tried(), 2), [62]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_told_of_is_found_by_the_survey() {
    let place = deferred().await;
    // As another process does that shares the store.
    let due = Timestamp(0);
    place.commit(Change::Expedite { queue_id: QueueId(1), destination: TO.into(), due }).await;
    place.pass(MINUTE * 2).await;
    assert_eq!(minutes(&place.hops.tried(), 1).len(), 2);
}
