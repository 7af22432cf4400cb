//! Runners that are dropped or told to stop.

use std::time::Duration;

use mail::QueueId;
use world::Dice;

use crate::place::{Do, MINUTE, Place, START, Tried};

#[tokio::test(start_paused = true)]
async fn a_new_runner_goes_on_where_the_last_was_dropped() {
    let mut place = Place::new(|tried, _| if tried.number == 1 { Do::Hang } else { Do::Take }).await;
    place.start();
    place.enqueue(1, "", &[("example.net", &["bob@example.net"])]).await;
    place.pass(MINUTE).await;
    place.crash().await;
    let left = place.store.queue_entries(QueueId(1)).await.unwrap();
    assert_eq!((left.len(), left[0].attempts), (1, 0), "nobody wrote the attempt down");
    // Another one begins at once: the lease is still this node's. It hangs, too, until it is cut.
    place.start();
    place.pass(MINUTE).await;
    assert_eq!(place.hops.tried().len(), 2);
    place.pass(Duration::from_secs(2 * 3600)).await;
    assert_eq!(place.store.queue_length().await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_it_lets_attempts_end_and_begins_no_other() {
    let mut place = Place::with(
        crate::place::SETTINGS,
        |_, _| Do::Take,
        |hops| {
            hops.takes = Duration::from_secs(5);
        },
    )
    .await;
    place.start();
    place.enqueue(1, "", &[("example.net", &["bob@example.net"])]).await;
    place.pass(Duration::from_secs(1)).await;
    place.enqueue(2, "", &[("example.com", &["bob@example.com"])]).await;
    place.stop().await;
    assert_eq!(place.hops.tried().len(), 1);
    assert!(place.store.queue_entries(QueueId(1)).await.unwrap().is_empty());
    assert_eq!(place.store.queue_entries(QueueId(2)).await.unwrap().len(), 1);
    assert!((place.world.clock.wall().0 - START.0) < 7_000);
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_it_cuts_what_does_not_end_and_gives_up_its_leases() {
    let mut place = Place::new(|_, _| Do::Hang).await;
    place.start();
    place.enqueue(1, "", &[("example.net", &["bob@example.net"])]).await;
    place.pass(Duration::from_secs(1)).await;
    let all = place.store.queue_destinations(None, 10).await.unwrap();
    assert_eq!(all[0].leased_by.as_deref(), Some(queue::NODE));
    place.stop().await;
    let all = place.store.queue_destinations(None, 10).await.unwrap();
    assert_eq!(all[0].leased_by, None);
    let left = place.store.queue_entries(QueueId(1)).await.unwrap();
    assert_eq!(
        (left.len(), left[0].attempts, left[0].due),
        (1, 0, START),
        "the next runner tries it at once"
    );
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_it_does_not_wait_for_what_has_begun_nothing() {
    let mut place = Place::new(|_, _| Do::Dial).await;
    place.start();
    place.enqueue(1, "", &[("example.net", &["bob@example.net"])]).await;
    place.pass(Duration::from_secs(1)).await;
    let before = place.world.clock.now();
    place.stop().await;
    assert!(place.world.clock.now() - before < Duration::from_secs(1));
    let left = place.store.queue_entries(QueueId(1)).await.unwrap();
    assert_eq!((place.hops.tried().len(), left.len(), left[0].attempts, left[0].due), (1, 1, 0, START));
}

/// Each recipient ends once and is reported once, or is tried again; twice it is tried only where a crash came before the outcome was written.
async fn crash_at_random(seed: u64) {
    const MESSAGES: u64 = 200;
    let weather = |tried: &Tried, _: &str| match (tried.queue_id.0 + u64::from(tried.number)) % 5 {
        0 => Do::Defer,
        _ => Do::Take,
    };
    let mut place = Place::new(weather).await;
    let dice = Dice::seeded(seed);
    for ten in 0..MESSAGES / 10 {
        let numbers = ten * 10 + 1..=ten * 10 + 10;
        place
            .enqueue_asking(numbers.map(|number| (number, format!("r{number}@d{}.example", number % 4))))
            .await;
        place.start();
        place.pass(Duration::from_millis(dice.throw() % 60)).await;
        place.crash().await;
    }
    place.start();
    place.pass(MINUTE * 120).await;
    assert_eq!(place.store.queue_length().await.unwrap(), 0, "seed {seed}");
    let tries = place.tries();
    assert_eq!(tries.len() as u64, MESSAGES, "seed {seed}");
    let reports = place.inbox().await;
    assert_eq!(reports.len() as u64, MESSAGES, "seed {seed}");
    let mut unwritten = 0;
    for number in 1..=MESSAGES {
        let of_it =
            format!("Final-Recipient: rfc822; r{number}@d{}.example\r\nAction: relayed\r\n", number % 4);
        let told = reports.iter().filter(|report| report.contains(&of_it)).count();
        assert_eq!(told, 1, "seed {seed}: reports of success for {number}");
        let story = place.story(number).await;
        assert_eq!(story.matches(" relayed").count(), 1, "seed {seed}: {story}");
        let written = 1 + story.matches(" deferred").count();
        unwritten += tries[&format!("r{number}@d{}.example", number % 4)] - written;
    }
    assert!(
        (1..=MESSAGES as usize).contains(&unwritten),
        "seed {seed}: {unwritten} attempts were cut by crashes"
    );
}

#[tokio::test(start_paused = true)]
async fn however_often_it_is_dropped_each_recipient_ends() {
    for seed in 1..=4 {
        crash_at_random(seed).await;
    }
}
