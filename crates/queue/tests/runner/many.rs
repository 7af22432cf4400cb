//! Many messages, many destinations, some of which never come back.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use queue::schedule::Site;

use crate::place::{Do, HOUR, MINUTE, Place, SETTINGS};

#[tokio::test(start_paused = true)]
async fn two_thousand_messages_to_ten_destinations_all_arrive() {
    let mut place = Place::new(|_, _| Do::Take).await;
    place.start();
    for hundred in 0..20 {
        let numbers = hundred * 100 + 1..=hundred * 100 + 100;
        place
            .enqueue_all(numbers.map(|number| (number, format!("r{number}@d{}.example", number % 10))))
            .await;
    }
    place.pass(MINUTE).await;
    assert_eq!(place.store.queue_length().await.unwrap(), 0);
    let tries = place.tries();
    assert_eq!(tries.len(), 2000);
    assert!(tries.values().all(|tries| *tries == 1));
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_never_comes_back_holds_up_no_other() {
    let settings =
        SETTINGS.replace("[delivery]", "[delivery]\nconnections = { limit = 50, per-destination = 20 }");
    let weather = |tried: &crate::place::Tried, _: &str| match tried.destination.as_str() {
        "hangs.example" => Do::Hang,
        "late.example" => Do::Defer,
        _ => Do::Take,
    };
    let mut place = Place::with(&settings, weather, |_| {}).await;
    let destinations = ["hangs.example", "late.example", "takes.example"];
    let messages = (1..=600).map(|number: u64| (number, destinations[usize::try_from(number % 3).unwrap()]));
    place.enqueue_all(messages.map(|(number, to)| (number, format!("r{number}@{to}")))).await;
    place.start();
    place.pass(MINUTE).await;
    let taken: BTreeSet<String> =
        place.tries().into_keys().filter(|recipient| recipient.ends_with("@takes.example")).collect();
    assert_eq!(taken.len(), 200);
    assert!(place.hops.most_at_once() <= 50, "{}", place.hops.most_at_once());
    // Each hanging attempt is cut after an hour, and everything comes to its end.
    place.pass(HOUR * 48).await;
    assert_eq!(place.store.queue_length().await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_site_that_is_full_is_gone_to_one_after_the_other() {
    let settings =
        SETTINGS.replace("[delivery]", "[delivery]\nconnections = { limit = 50, per-destination = 3 }");
    let one_site = |hops: &mut crate::place::Hops| {
        hops.site = Some(Site::of(["mx.example.net"]));
        hops.takes = Duration::from_secs(1);
    };
    let mut place = Place::with(&settings, |_, _| Do::Take, one_site).await;
    place.start();
    place.enqueue_all((1..=60).map(|number| (number, format!("r{number}@d{}.example", number % 7)))).await;
    place.pass(MINUTE).await;
    assert_eq!(place.store.queue_length().await.unwrap(), 0);
    assert_eq!(place.hops.most_at_once(), 3);
    // Three at each of seven destinations, before it was known that they share a site; none later.
    assert!(place.hops.stepped_back.load(Ordering::Relaxed) <= 21);
    assert!(place.tries().values().all(|tries| *tries == 1));
}
