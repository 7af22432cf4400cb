//! How deliveries end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use mail::QueueId;

use crate::place::{Do, HOUR, MINUTE, Place, SETTINGS, minutes};

const ANN: &str = "ann@example.org";

#[tokio::test(start_paused = true)]
async fn what_is_taken_leaves_the_queue() {
    let mut place = Place::new(|_, _| Do::Take).await;
    place.start();
    place.enqueue(1, ANN, &[("example.net", &["bob@example.net", "carol@example.net"])]).await;
    place.pass(MINUTE).await;
    assert_eq!(place.store.queue_length().await.unwrap(), 0);
    assert_eq!(minutes(&place.hops.tried(), 1), [0]);
    let story = place.story(1).await;
    assert!(story.contains("<bob@example.net>, <carol@example.net> relayed"), "{story}");
    assert!(story.contains("relayed: mx.example.net: 250 2.0.0 taken"), "{story}");
    assert!(place.inbox().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_retry_list_is_followed_a_delay_is_told_once_and_expiry_is_reported_once() {
    let mut place = Place::new(|_, _| Do::Defer).await;
    place.start();
    place.enqueue(1, ANN, &[("example.net", &["bob@example.net"])]).await;
    place.pass(HOUR * 6).await;

    let minutes = minutes(&place.hops.tried(), 1);
    let pauses: Vec<i64> = minutes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // 15 minutes, then 30, each with an eighth of jitter at most; the last attempt is when the time is over.
    assert!((15..=17).contains(&pauses[0]), "{minutes:?}");
    assert!(pauses[1..pauses.len() - 1].iter().all(|pause| (29..=34).contains(pause)), "{minutes:?}");
    assert_eq!(minutes.last(), Some(&180), "{minutes:?}");

    assert_eq!(place.store.queue_length().await.unwrap(), 0);
    let inbox = place.inbox().await;
    let [delay, failure] = &inbox[..] else { panic!("{inbox:?}") };
    assert!(delay.contains("Action: delayed\r\nStatus: 4.7.1\r\n"), "{delay}");
    assert!(delay.contains("\r\nWill-Retry-Until: Sat, 22 Nov 2025 11:26:40 +0000\r\n"), "{delay}");
    assert!(failure.contains("Action: failed\r\nStatus: 4.4.7\r\n"), "{failure}");
    assert!(failure.contains("\r\nDiagnostic-Code: smtp; 451 4.7.1 later\r\n"), "{failure}");
    let story = place.story(1).await;
    for (what, times) in [(" deferred, next try", minutes.len() - 1), (" expired", 1), ("  notify ", 1)] {
        assert_eq!(story.matches(what).count(), times, "{what} in {story}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_recipient_goes_its_own_way() {
    let weather = |_: &_, recipient: &str| match recipient {
        "refused@example.net" => Do::Refuse,
        "late@example.net" => Do::Defer,
        _ => Do::Take,
    };
    let mut place = Place::new(weather).await;
    place.start();
    let to = ["taken@example.net", "refused@example.net", "late@example.net"];
    place.enqueue(1, ANN, &[("example.net", &to)]).await;
    place.pass(MINUTE * 20).await;

    let left = place.store.queue_entries(QueueId(1)).await.unwrap();
    assert_eq!((left.len(), left[0].attempts), (1, 2));
    assert_eq!(left[0].recipients, ["late@example.net".into()]);
    assert_eq!(left[0].last, "mx.example.net: 451 4.7.1 later");
    let tries = place.tries();
    assert_eq!(to.map(|recipient| tries[recipient]), [1, 1, 2]);
    let inbox = place.inbox().await;
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].contains("Final-Recipient: rfc822; refused@example.net\r\n"));
    assert!(!inbox[0].contains("late@") && !inbox[0].contains("taken@"), "{}", inbox[0]);
    assert!(inbox[0].contains("\r\nIn-Reply-To: <1@x>\r\n"), "{}", inbox[0]);
}

#[tokio::test(start_paused = true)]
async fn without_a_reverse_path_nobody_is_told() {
    let mut place = Place::new(|_, recipient| match recipient {
        "late@example.net" => Do::Defer,
        _ => Do::Refuse,
    })
    .await;
    place.start();
    place.enqueue(1, "", &[("example.net", &["bob@example.net", "late@example.net"])]).await;
    place.pass(HOUR * 4).await;
    assert_eq!(place.store.queue_length().await.unwrap(), 0);
    let story = place.story(1).await;
    assert!(story.contains("<bob@example.net> discarded") && story.contains("<late@example.net> expired"));
    assert!(!story.contains("notify") && place.inbox().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_filed_is_filed_once_however_many_recipients_lead_there() {
    let mut place = Place::new(|_, _| Do::File).await;
    place.start();
    place.enqueue(1, "bob@example.net", &[("local", &["ann@example.org", "all@example.org"])]).await;
    place.pass(MINUTE).await;
    assert_eq!(place.store.queue_length().await.unwrap(), 0);
    assert_eq!(place.inbox().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_report_to_a_sender_elsewhere_goes_out_and_never_bounces() {
    let mut place = Place::new(|_, _| Do::Refuse).await;
    place.start();
    place.enqueue(1, "bob@example.com", &[("example.net", &["carol@example.net"])]).await;
    place.pass(MINUTE).await;
    let tried = place.hops.tried();
    assert_eq!(tried.len(), 2, "{tried:?}");
    assert_eq!(
        (tried[1].destination.as_str(), &tried[1].recipients[..]),
        ("example.com", &["bob@example.com".to_owned()][..])
    );
    assert_eq!(place.store.queue_length().await.unwrap(), 0);
    let report = policy::story::tell(&place.store.story(tried[1].queue_id).await.unwrap());
    assert!(report.contains("from <> to <bob@example.com>"), "{report}");
    assert!(report.contains("<bob@example.com> discarded"), "{report}");
    assert!(place.story(1).await.contains(&format!("by the message {}", tried[1].queue_id)));
}

#[tokio::test(start_paused = true)]
async fn who_is_to_get_copies_of_failure_reports_gets_them() {
    let settings = format!("{SETTINGS}\n[reports]\ncopy-to = \"ann@example.org\"\n");
    let weather =
        |_: &_, recipient: &str| if recipient == "carol@example.net" { Do::Refuse } else { Do::Take };
    let mut place = Place::with(&settings, weather, |_| {}).await;
    place.start();
    place.enqueue(1, "bob@example.com", &[("example.net", &["carol@example.net"])]).await;
    place.enqueue(2, ANN, &[("example.net", &["carol@example.net"])]).await;
    place.pass(MINUTE).await;
    let inbox = place.inbox().await;
    let to: Vec<&str> = inbox.iter().map(|text| text.lines().nth(1).unwrap()).collect();
    assert_eq!(to, ["To: <bob@example.com>", "To: <ann@example.org>"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_down_is_written_later_without_another_attempt() {
    let mut place = Place::new(|_, _| Do::Refuse).await;
    place.start();
    place.enqueue(1, ANN, &[("example.net", &["bob@example.net"])]).await;
    // The report finds no room: neither it nor the end of the delivery is there.
    place.faults.full.store(true, Ordering::Relaxed);
    place.pass(MINUTE * 4).await;
    assert_eq!(place.store.queue_length().await.unwrap(), 1);
    assert!(place.inbox().await.is_empty());
    place.faults.full.store(false, Ordering::Relaxed);
    place.pass(MINUTE).await;
    assert_eq!(place.store.queue_length().await.unwrap(), 0);
    assert_eq!((place.inbox().await.len(), place.hops.tried().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_dies_or_never_ends_is_a_deferral() {
    let mut place = Place::new(|tried, _| match (tried.number, tried.destination.as_str()) {
        (1, "dies.example") => Do::Panic,
        (1, "is-deaf.example") => Do::IgnoreCuts,
        (1, _) => Do::Hang,
        _ => Do::Take,
    })
    .await;
    place.start();
    let to = ["dies.example", "hangs.example", "is-deaf.example"];
    for destination in to {
        place.enqueue(1, ANN, &[(destination, &[&format!("bob@{destination}")])]).await;
    }
    place.pass(MINUTE * 20).await;
    let left = place.store.queue_entries(QueueId(1)).await.unwrap();
    let left: Vec<&str> = left.iter().map(|entry| entry.destination.as_str()).collect();
    assert_eq!(left, to[1..]);
    place.pass(HOUR * 2).await;
    assert_eq!(place.store.queue_length().await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_cannot_be_read_stays_and_holds_up_no_other() {
    let mut place = Place::new(|_, _| Do::Take).await;
    place.start();
    place.enqueue(1, ANN, &[("example.net", &["no address at all"])]).await;
    place.enqueue(2, ANN, &[("example.net", &["bob@example.net"])]).await;
    place.pass(Duration::from_secs(24 * 3600)).await;
    assert!(place.store.queue_entries(QueueId(2)).await.unwrap().is_empty(), "the second is delivered");
    let left = place.store.queue_entries(QueueId(1)).await.unwrap();
    assert_eq!(left.len(), 1, "the first is not lost");
    assert!(left[0].attempts > 5 && left[0].last.contains("damaged"), "{left:?}");
    assert!(place.inbox().await.is_empty());
}
