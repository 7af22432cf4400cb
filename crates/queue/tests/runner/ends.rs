//! How deliveries end.

use std::time::Duration;

use mail::QueueId;

use crate::place::{Do, MINUTE, Place, minutes};

#[tokio::test(start_paused = true)]
async fn what_is_taken_leaves_the_queue() {
    let mut place = Place::new(|_, _| Do::Take).await;
    place.start();
    place.enqueue(1, "ann@example.org", &[("example.net", &["bob@example.net", "carol@example.net"])]).await;
    place.pass(MINUTE).await;
    assert_eq!(place.store.queue_length().await.unwrap(), 0);
    assert_eq!(minutes(&place.hops.tried(), 1), [0]);
    assert!(place.story(1).await.contains("<bob@example.net>, <carol@example.net> relayed"));
    assert!(place.inbox().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_cannot_be_read_stays_and_holds_up_no_other() {
    let mut place = Place::new(|_, _| Do::Take).await;
    place.start();
    place.enqueue(1, "ann@example.org", &[("example.net", &["no address at all"])]).await;
    place.enqueue(2, "ann@example.org", &[("example.net", &["bob@example.net"])]).await;
    place.pass(Duration::from_secs(24 * 3600)).await;
    assert!(place.store.queue_entries(QueueId(2)).await.unwrap().is_empty(), "the second is delivered");
    let left = place.store.queue_entries(QueueId(1)).await.unwrap();
    assert_eq!(left.len(), 1, "the first is not lost");
    assert!(left[0].attempts > 5 && left[0].last.contains("damaged"), "{left:?}");
    assert!(place.inbox().await.is_empty());
}
