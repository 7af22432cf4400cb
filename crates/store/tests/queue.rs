//! What the queue of every backend promises: leases, guards, holds, removals; each promise a test, right and wrong.
//!
//! SQLite keeps each promise in a test of its own; PostgreSQL keeps all of them in one, each in a database of its own.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "support/cluster.rs"]
mod cluster;
mod support;

use std::path::Path;
use std::pin::Pin;

use cluster::Cluster;
use mail::QueueId;
use store::{
    Applied, Change, Commit, ContentId, ContentRef, DOOMED, DestinationRow, Error, Options, QueueEntry,
    Records, Rest, Store,
};
use support::*;

type Promise = fn(Store) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Each promise as a test on SQLite, and the list of all.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let dir = tempfile::tempdir().unwrap();
                super::$name(super::open(dir.path())).await;
            })*
        }

        const PROMISES: &[(&str, Promise)] = &[$((stringify!($name), |store| Box::pin($name(store)))),*];
    };
}

promises![
    a_lease_is_one_nodes_until_it_is_over,
    a_lease_makes_the_row_that_guards_what_comes_next,
    only_its_holder_gives_a_lease_up,
    release_reads_anew_what_waits_and_forgets_the_empty,
    a_settlement_without_rest_lets_the_content_go,
    a_settlement_with_rest_keeps_who_waits,
    a_lost_lease_settles_nothing,
    other_attempts_than_were_drawn_settle_nothing,
    a_settlement_that_is_refused_takes_its_commit_with_it,
    what_is_refused_in_a_batch_fails_alone,
    a_settlement_keeps_doom_and_hold,
    doom_is_found_first_whatever_is_on_hold,
    doom_outlives_everything_but_the_removal,
    an_entry_on_hold_waits_until_it_is_released,
    expedite_never_postpones,
    a_destination_on_hold_gives_nothing_but_what_is_doomed,
    entries_that_are_not_there_are_a_conflict,
    a_draw_is_in_order_and_names_what_comes_next,
    a_survey_is_in_order_and_says_who_leases,
    an_entry_that_is_enqueued_on_hold_is_kept,
    pages_follow_each_other,
    destinations_are_counted,
    keys_go_with_their_domain,
    an_empty_destination_whose_node_died_is_forgotten,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_every_promise() {
    let cluster = Cluster::start().await;
    for (name, promise) in PROMISES {
        println!("{name}");
        let dir = tempfile::tempdir().unwrap();
        let store = open_postgres(dir.path(), cluster.database(name).await).await;
        promise(store.clone()).await;
        world().workers.run(move || drop(store)).await;
    }
}

async fn open_postgres(dir: &Path, target: String) -> Store {
    let (dir, world) = (dir.to_owned(), world());
    let options = Options { records: Records::Postgres(target), ..Options::default() };
    world.workers.clone().run(move || Store::open(&dir, &world, options).unwrap()).await
}

const D: &str = "example.com";

fn id(number: u64) -> QueueId {
    QueueId(number)
}

/// Enqueues, all of one content.
async fn enqueue(store: &Store, entries: impl IntoIterator<Item = QueueEntry>) -> ContentId {
    let changes = entries.into_iter().map(Change::Enqueue).collect();
    store.commit(Commit { content: vec![inline("q", "queued")], changes }).await.unwrap().content[0]
}

async fn one(store: &Store, only: Change) -> Result<Applied, Error> {
    change(store, [only]).await.map(|receipt| receipt.results[0].clone())
}

async fn done(store: &Store, only: Change) {
    assert_eq!(one(store, only.clone()).await, Ok(Applied::Done), "{only:?}");
}

async fn refused(store: &Store, only: Change) {
    let result = one(store, only.clone()).await;
    assert!(matches!(result, Err(Error::Conflict(_))), "{only:?}: {result:?}");
}

fn lease(destination: &str, node: &str, until: i64, now: i64) -> Change {
    Change::Lease { destination: destination.into(), node: node.into(), until: at(until), now: at(now) }
}

fn release(destination: &str, node: &str) -> Change {
    Change::Release { destination: destination.into(), node: node.into() }
}

fn settle(queue_id: u64, node: &str, attempts: u32, rest: Option<Rest>) -> Change {
    Change::Settle { queue_id: id(queue_id), destination: D.into(), node: node.into(), attempts, rest }
}

fn rest(due: i64) -> Rest {
    Rest {
        recipients: vec!["c@example.org".into()],
        due: at(due),
        attempts: 1,
        notified: true,
        last: "451 later".into(),
    }
}

fn hold(queue_id: u64, held: bool, now: i64) -> Change {
    Change::Hold { queue_id: id(queue_id), destination: D.into(), held, now: at(now) }
}

fn expedite(queue_id: u64, due: i64) -> Change {
    Change::Expedite { queue_id: id(queue_id), destination: D.into(), due: at(due) }
}

fn doom(queue_id: u64) -> Change {
    Change::Doom { queue_id: id(queue_id), destination: D.into() }
}

fn hold_destination(held: bool) -> Change {
    Change::HoldDestination { destination: D.into(), held }
}

async fn leased(store: &Store, node: &str) {
    assert_eq!(one(store, lease(D, node, 9000, 1)).await, Ok(Applied::Leased));
}

async fn survey(store: &Store, node: &str, now: i64) -> Vec<DestinationRow> {
    store.queue_survey(node, at(now), 100).await.unwrap()
}

/// When the survey says that something is due at the only destination.
async fn next_due(store: &Store) -> Option<i64> {
    survey(store, "a", 0).await.first().map(|row| row.next_due.0)
}

/// The numbers of what is drawn, and what comes next.
async fn draw(store: &Store, now: i64) -> (Vec<u64>, Option<i64>) {
    let draw = store.queue_draw(D, at(now), 100).await.unwrap();
    (draw.entries.iter().map(|entry| entry.queue_id.0).collect(), draw.next_due.map(|due| due.0))
}

async fn clean(store: &Store) {
    let report = store.check(false, None).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

async fn a_lease_is_one_nodes_until_it_is_over(store: Store) {
    enqueue(&store, [entry(1, D, 10)]).await;
    assert_eq!(one(&store, lease(D, "a", 100, 0)).await, Ok(Applied::Leased));
    let taken = Ok(Applied::Taken { until: at(100) });
    assert_eq!(one(&store, lease(D, "b", 300, 99)).await, taken);
    assert_eq!(one(&store, lease(D, "a", 200, 50)).await, Ok(Applied::Leased), "renewed");
    assert_eq!(one(&store, lease(D, "b", 300, 199)).await, Ok(Applied::Taken { until: at(200) }));
    assert_eq!(one(&store, lease(D, "b", 300, 200)).await, Ok(Applied::Leased), "it was over");
    assert_eq!(one(&store, lease(D, "a", 400, 201)).await, Ok(Applied::Taken { until: at(300) }));
    refused(&store, lease("other", "", 9, 1)).await;
    // In one commit too: the second asks in vain.
    let both = change(&store, [lease("other", "a", 9, 1), lease("other", "b", 9, 1)]).await.unwrap();
    assert_eq!(both.results, [Applied::Leased, Applied::Taken { until: at(9) }]);
}

async fn a_lease_makes_the_row_that_guards_what_comes_next(store: Store) {
    leased(&store, "a").await;
    // Nor does an administrator take it away.
    done(&store, hold_destination(false)).await;
    enqueue(&store, [entry(1, D, 10)]).await;
    assert_eq!(survey(&store, "b", 100).await[0].leased_until, Some(at(9000)));
    done(&store, settle(1, "a", 0, None)).await;
}

async fn only_its_holder_gives_a_lease_up(store: Store) {
    enqueue(&store, [entry(1, D, 10)]).await;
    leased(&store, "a").await;
    done(&store, release(D, "b")).await;
    done(&store, release("nowhere", "b")).await;
    assert_eq!(one(&store, lease(D, "b", 9, 1)).await, Ok(Applied::Taken { until: at(9000) }));
    done(&store, release(D, "a")).await;
    assert_eq!(one(&store, lease(D, "b", 9, 1)).await, Ok(Applied::Leased));
    refused(&store, settle(1, "a", 0, None)).await;
}

async fn release_reads_anew_what_waits_and_forgets_the_empty(store: Store) {
    enqueue(&store, [entry(1, D, 10), entry(2, D, 20)]).await;
    leased(&store, "a").await;
    done(&store, settle(1, "a", 0, Some(rest(500)))).await;
    done(&store, settle(2, "a", 0, Some(rest(300)))).await;
    done(&store, release(D, "a")).await;
    assert_eq!(next_due(&store).await, Some(300));
    leased(&store, "a").await;
    done(&store, settle(1, "a", 1, None)).await;
    done(&store, settle(2, "a", 1, None)).await;
    done(&store, release(D, "a")).await;
    assert_eq!(store.queue_destinations(None, 10).await.unwrap(), []);
    // On hold it is remembered, though empty.
    enqueue(&store, [entry(3, D, 10)]).await;
    done(&store, hold_destination(true)).await;
    leased(&store, "a").await;
    done(&store, settle(3, "a", 0, None)).await;
    done(&store, release(D, "a")).await;
    assert!(store.queue_destinations(None, 10).await.unwrap()[0].held);
    assert_eq!(survey(&store, "a", 100).await, []);
    done(&store, hold_destination(false)).await;
    assert_eq!(store.queue_destinations(None, 10).await.unwrap(), []);
}

async fn a_settlement_without_rest_lets_the_content_go(store: Store) {
    let content = enqueue(&store, [entry(1, D, 10), entry(2, D, 10)]).await;
    leased(&store, "a").await;
    done(&store, settle(1, "a", 0, None)).await;
    assert_eq!(store.read_content(content, 0, 9).await.unwrap(), "queued");
    clean(&store).await;
    done(&store, settle(2, "a", 0, None)).await;
    clean(&store).await;
    assert_eq!(store.queue_length().await, Ok(0));
    // Nobody holds it any more: it can be had anew until it is reclaimed, and then again nobody does.
    let again = QueueEntry { content: ContentRef::Known(content), ..entry(3, D, 10) };
    change(&store, [Change::Enqueue(again), settle(3, "a", 0, None)]).await.unwrap();
    clean(&store).await;
    refused(&store, settle(1, "a", 0, None)).await;
}

async fn a_settlement_with_rest_keeps_who_waits(store: Store) {
    let content = enqueue(&store, [entry(1, D, 10)]).await;
    let before = store.queue_entries(id(1)).await.unwrap().remove(0);
    leased(&store, "a").await;
    done(&store, settle(1, "a", 0, Some(rest(700)))).await;
    let Rest { recipients, due, attempts, notified, last } = rest(700);
    let after = QueueEntry { recipients, due, attempts, notified, last, ..before };
    assert_eq!(after.content, ContentRef::Known(content));
    assert_eq!(store.queue_entries(id(1)).await.unwrap(), [after]);
    // Due earlier than anything else here: nobody needs to release for others to know.
    done(&store, settle(1, "a", 1, Some(rest(5)))).await;
    assert_eq!(next_due(&store).await, Some(5));
    clean(&store).await;
}

async fn a_lost_lease_settles_nothing(store: Store) {
    enqueue(&store, [entry(1, D, 10)]).await;
    refused(&store, settle(1, "a", 0, None)).await;
    refused(&store, settle(1, "", 0, None)).await;
    assert_eq!(one(&store, lease(D, "a", 100, 1)).await, Ok(Applied::Leased));
    assert_eq!(one(&store, lease(D, "b", 300, 100)).await, Ok(Applied::Leased));
    refused(&store, settle(1, "a", 0, None)).await;
    refused(&store, settle(1, "a", 0, Some(rest(50)))).await;
    assert_eq!(draw(&store, 100).await, (vec![1], None));
    done(&store, settle(1, "b", 0, None)).await;
}

async fn other_attempts_than_were_drawn_settle_nothing(store: Store) {
    enqueue(&store, [entry(1, D, 10)]).await;
    leased(&store, "a").await;
    done(&store, settle(1, "a", 0, Some(rest(50)))).await;
    refused(&store, settle(1, "a", 0, None)).await;
    refused(&store, settle(1, "a", 0, Some(rest(50)))).await;
    refused(&store, settle(1, "a", 2, None)).await;
    done(&store, settle(1, "a", 1, None)).await;
}

async fn a_settlement_that_is_refused_takes_its_commit_with_it(store: Store) {
    enqueue(&store, [entry(1, D, 10)]).await;
    leased(&store, "a").await;
    let story = |queue_id| Change::Explain { queue_id: id(queue_id), at: at(9), story: "{}".into() };
    let report = Change::Enqueue(entry(8, "example.net", 10));
    let late = vec![report.clone(), settle(1, "b", 0, None), story(1)];
    let early = vec![settle(1, "a", 0, None), report, story(1), settle(1, "a", 0, None)];
    for changes in [late, early] {
        let refused = store.commit(Commit { content: vec![inline("r", "report")], changes }).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        assert_eq!(store.queue_length().await, Ok(1));
        assert_eq!(store.story(id(1)).await, Ok(vec![]));
        assert_eq!(store.queue_entries(id(8)).await, Ok(vec![]));
        assert_eq!(survey(&store, "a", 0).await.len(), 1);
        clean(&store).await;
    }
}

async fn what_is_refused_in_a_batch_fails_alone(store: Store) {
    enqueue(&store, (0..60).map(|number| entry(number, D, 10))).await;
    leased(&store, "a").await;
    let tasks: Vec<_> = (0..60)
        .map(|number| {
            let (store, node) = (store.clone(), if number % 7 == 3 { "b" } else { "a" });
            world().workers.spawn(async move { (number, one(&store, settle(number, node, 0, None)).await) })
        })
        .collect();
    for task in tasks {
        let (number, result) = task.await.unwrap();
        assert_eq!(result.is_err(), number % 7 == 3, "{result:?}");
    }
    assert_eq!(draw(&store, 100).await.0, [3, 10, 17, 24, 31, 38, 45, 52, 59]);
    clean(&store).await;
}

async fn a_settlement_keeps_doom_and_hold(store: Store) {
    enqueue(&store, [entry(1, D, 10), entry(2, D, 10)]).await;
    leased(&store, "a").await;
    done(&store, doom(1)).await;
    done(&store, hold(2, true, 50)).await;
    done(&store, settle(1, "a", 0, Some(rest(500)))).await;
    done(&store, settle(2, "a", 0, Some(rest(500)))).await;
    let entries = store.queue_page(None, None, 10).await.unwrap();
    let kept: Vec<_> = entries.iter().map(|entry| (entry.due, entry.held, entry.attempts)).collect();
    assert_eq!(kept, [(DOOMED, false, 1), (at(500), true, 1)]);
    assert_eq!(draw(&store, 1000).await, (vec![1], None));
    done(&store, release(D, "a")).await;
    assert_eq!(next_due(&store).await, Some(DOOMED.0));
}

async fn doom_is_found_first_whatever_is_on_hold(store: Store) {
    enqueue(&store, [entry(1, D, 1000), entry(2, D, -9), entry(3, D, 10), entry(4, D, 10)]).await;
    done(&store, hold(3, true, 0)).await;
    done(&store, doom(3)).await;
    assert_eq!(next_due(&store).await, Some(DOOMED.0), "surveyed though the entry is on hold");
    done(&store, doom(4)).await;
    assert_eq!(draw(&store, 0).await, (vec![3, 4, 2], Some(1000)));
    done(&store, hold_destination(true)).await;
    assert_eq!(next_due(&store).await, Some(DOOMED.0), "surveyed though on hold");
    assert_eq!(draw(&store, 0).await, (vec![3, 4], Some(-9)));
    leased(&store, "a").await;
    done(&store, settle(3, "a", 0, None)).await;
    done(&store, release(D, "a")).await;
    assert_eq!(next_due(&store).await, Some(DOOMED.0), "one is left");
    leased(&store, "a").await;
    done(&store, settle(4, "a", 0, None)).await;
    done(&store, release(D, "a")).await;
    assert_eq!(survey(&store, "a", 0).await, []);
    clean(&store).await;
}

async fn doom_outlives_everything_but_the_removal(store: Store) {
    enqueue(&store, [entry(1, D, 10)]).await;
    leased(&store, "a").await;
    done(&store, doom(1)).await;
    for change in [
        doom(1),
        expedite(1, 5),
        hold(1, true, 50),
        expedite(1, 70),
        hold(1, false, 60),
        settle(1, "a", 0, Some(rest(500))),
        hold_destination(true),
        hold_destination(false),
        release(D, "a"),
    ] {
        done(&store, change).await;
        assert_eq!(draw(&store, 100).await, (vec![1], None));
        assert_eq!(next_due(&store).await, Some(DOOMED.0));
    }
    leased(&store, "a").await;
    done(&store, settle(1, "a", 1, None)).await;
    assert_eq!(store.queue_length().await, Ok(0));
}

async fn an_entry_on_hold_waits_until_it_is_released(store: Store) {
    enqueue(&store, [entry(1, D, 10), entry(2, D, 20), entry(3, D, 900)]).await;
    done(&store, hold(1, true, 5)).await;
    done(&store, hold(3, true, 5)).await;
    done(&store, hold(3, true, 5)).await;
    assert_eq!(draw(&store, 1000).await, (vec![2], None));
    assert_eq!(next_due(&store).await, Some(20));
    done(&store, hold(1, false, 50)).await;
    assert_eq!(draw(&store, 100).await, (vec![2, 1], None), "it lines up behind what waited");
    done(&store, hold(3, false, 50)).await;
    done(&store, hold(3, false, 950)).await;
    assert_eq!(draw(&store, 100).await, (vec![2, 1], Some(900)), "what is not due yet is due when it was");
    // Everything on hold: there is nothing to look at.
    for number in 1..=3 {
        done(&store, hold(number, true, 50)).await;
    }
    assert_eq!((survey(&store, "a", 0).await, draw(&store, 5000).await), (vec![], (vec![], None)));
    done(&store, hold(3, false, 60)).await;
    assert_eq!(next_due(&store).await, Some(900));
    clean(&store).await;
}

async fn expedite_never_postpones(store: Store) {
    enqueue(&store, [entry(1, D, 1000), entry(2, D, 10), entry(3, D, 1000)]).await;
    done(&store, hold(3, true, 0)).await;
    for number in 1..=3 {
        done(&store, expedite(number, 50)).await;
    }
    assert_eq!(draw(&store, 50).await, (vec![2, 1], None));
    assert_eq!(next_due(&store).await, Some(10));
    done(&store, expedite(1, 5)).await;
    assert_eq!(next_due(&store).await, Some(5));
    done(&store, expedite(3, 1)).await;
    assert_eq!(next_due(&store).await, Some(5), "what is on hold does not count");
    done(&store, hold(3, false, 2)).await;
    assert_eq!(next_due(&store).await, Some(2));
}

async fn a_destination_on_hold_gives_nothing_but_what_is_doomed(store: Store) {
    done(&store, hold_destination(true)).await;
    enqueue(&store, [entry(1, D, 10), entry(2, D, 20)]).await;
    let held = store.queue_draw(D, at(100), 10).await.unwrap();
    assert_eq!((held.entries.len(), held.next_due, held.held), (0, Some(at(10)), true));
    assert_eq!(survey(&store, "a", 100).await, []);
    done(&store, doom(2)).await;
    assert_eq!(draw(&store, 100).await, (vec![2], Some(10)));
    done(&store, hold_destination(false)).await;
    done(&store, hold_destination(false)).await;
    assert_eq!(draw(&store, 100).await, (vec![2, 1], None));
    assert_eq!(next_due(&store).await, Some(DOOMED.0));
}

async fn entries_that_are_not_there_are_a_conflict(store: Store) {
    enqueue(&store, [entry(1, "example.net", 10)]).await;
    leased(&store, "a").await;
    for change in [
        settle(1, "a", 0, None),
        settle(1, "a", 0, Some(rest(1))),
        hold(1, true, 1),
        hold(1, false, 1),
        expedite(1, 1),
        doom(1),
    ] {
        refused(&store, change).await;
    }
    refused(&store, Change::Enqueue(QueueEntry { content: ContentRef::New(3), ..entry(2, D, 1) })).await;
    let twice = [entry(1, "example.net", 99)].map(Change::Enqueue).to_vec();
    let twice = store.commit(Commit { content: vec![inline("q", "x")], changes: twice }).await;
    assert!(matches!(twice, Err(Error::Conflict(_))), "{twice:?}");
    assert_eq!(store.queue_entries(id(1)).await.unwrap()[0].due, at(10));
    clean(&store).await;
}

async fn a_draw_is_in_order_and_names_what_comes_next(store: Store) {
    let due = [(5, 30), (4, 10), (3, 10), (2, 40), (1, 50)];
    enqueue(&store, due.map(|(number, due)| entry(number, D, due))).await;
    enqueue(&store, [entry(9, "example.net", 1)]).await;
    assert_eq!(draw(&store, 9).await, (vec![], Some(10)));
    assert_eq!(draw(&store, 40).await, (vec![3, 4, 5, 2], Some(50)));
    for (limit, drawn, next) in
        [(0, &[][..], Some(10)), (1, &[3], Some(10)), (2, &[3, 4], Some(30)), (5, &[3, 4, 5, 2, 1], None)]
    {
        let draw = store.queue_draw(D, at(99), limit).await.unwrap();
        let numbers: Vec<u64> = draw.entries.iter().map(|entry| entry.queue_id.0).collect();
        assert_eq!((numbers.as_slice(), draw.next_due), (drawn, next.map(at)));
    }
    let whole = store.queue_draw("example.net", at(9), 10).await.unwrap().entries;
    assert_eq!(whole, store.queue_entries(id(9)).await.unwrap());
    let nowhere = store.queue_draw("nowhere", at(9), 10).await.unwrap();
    assert_eq!((nowhere.entries, nowhere.next_due, nowhere.held), (vec![], None, false));
}

async fn a_survey_is_in_order_and_says_who_leases(store: Store) {
    enqueue(&store, [("c", 30), ("b", 10), ("a", 10), ("d", 40)].map(|(name, due)| entry(1, name, due)))
        .await;
    one(&store, lease("b", "x", 100, 0)).await.unwrap();
    let row = |name: &str, due: i64, until: Option<i64>| DestinationRow {
        destination: name.into(),
        next_due: at(due),
        held: false,
        leased_until: until.map(at),
    };
    let others = [row("a", 10, None), row("b", 10, Some(100)), row("c", 30, None), row("d", 40, None)];
    assert_eq!(survey(&store, "y", 99).await, others);
    assert_eq!(survey(&store, "x", 99).await[1], row("b", 10, None), "it is ours");
    assert_eq!(survey(&store, "y", 100).await[1], row("b", 10, None), "it is over");
    assert_eq!(store.queue_survey("y", at(99), 2).await.unwrap(), others[..2]);
    assert_eq!(store.queue_survey("y", at(99), 0).await.unwrap(), []);
    // A doomed one on hold is first, and counts.
    let to = |held| Change::HoldDestination { destination: "d".into(), held };
    done(&store, to(true)).await;
    assert_eq!(survey(&store, "y", 99).await, others[..3]);
    done(&store, Change::Doom { queue_id: id(1), destination: "d".into() }).await;
    let first = DestinationRow { held: true, ..row("d", DOOMED.0, None) };
    assert_eq!(store.queue_survey("y", at(99), 2).await.unwrap(), [first, row("a", 10, None)]);
}

async fn an_entry_that_is_enqueued_on_hold_is_kept(store: Store) {
    enqueue(&store, [QueueEntry { held: true, ..entry(1, D, 10) }]).await;
    assert_eq!((survey(&store, "a", 100).await, draw(&store, 100).await), (vec![], (vec![], None)));
    assert_eq!(store.queue_entries(id(1)).await.unwrap().len(), 1);
    clean(&store).await;
    done(&store, hold(1, false, 50)).await;
    assert_eq!(draw(&store, 100).await, (vec![1], None));
}

async fn pages_follow_each_other(store: Store) {
    let all = [("a", 1), ("a", 7), ("b", 2), ("b", 3), ("b", 9), ("c", 1)];
    enqueue(&store, all.map(|(name, number)| entry(number, name, 100 - number as i64))).await;
    for (destination, limit) in [(None, 1), (None, 2), (None, 6), (None, 7), (Some("b"), 2), (Some("d"), 2)] {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = store.queue_page(after, destination, limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some((last.destination.clone(), last.queue_id));
            seen.extend(page.into_iter().map(|entry| (entry.destination, entry.queue_id.0)));
        }
        let wanted = all.iter().filter(|(name, _)| destination.is_none_or(|only| only == *name));
        let wanted: Vec<_> = wanted.map(|(name, number)| ((*name).to_owned(), *number)).collect();
        assert_eq!(seen, wanted);
    }
    let message: Vec<_> =
        store.queue_entries(id(1)).await.unwrap().into_iter().map(|entry| entry.destination).collect();
    assert_eq!(message, ["a", "c"]);
}

async fn destinations_are_counted(store: Store) {
    let later = QueueEntry { accepted: at(700), ..entry(2, "b", 30) };
    let oldest = QueueEntry { accepted: at(300), ..entry(3, "b", 5) };
    enqueue(&store, [entry(1, "a", 10), entry(1, "b", 20), later, oldest, entry(1, "bd", 5)]).await;
    change(
        &store,
        [
            Change::Hold { queue_id: id(1), destination: "b".into(), held: true, now: at(1) },
            Change::HoldDestination { destination: "c".into(), held: true },
            Change::Hold { queue_id: id(3), destination: "b".into(), held: true, now: at(1) },
            Change::Doom { queue_id: id(3), destination: "b".into() },
            Change::Doom { queue_id: id(1), destination: "bd".into() },
            lease("a", "x", 100, 0),
        ],
    )
    .await
    .unwrap();
    let all = store.queue_destinations(None, 10).await.unwrap();
    let lines: Vec<String> = all
        .iter()
        .map(|it| {
            let due = it.next_due.map(|due| due.0);
            let oldest = it.oldest_accepted.map(|at| at.0);
            let counts = (it.deliveries, it.held_deliveries, it.doomed_deliveries);
            format!("{} {counts:?} {oldest:?} {due:?} {} {:?}", it.destination, it.held, it.leased_by)
        })
        .collect();
    assert_eq!(
        lines,
        [
            "a (1, 0, 0) Some(500) Some(10) false Some(\"x\")",
            "b (2, 1, 1) Some(500) Some(30) false None",
            "bd (0, 0, 1) None None false None",
            "c (0, 0, 0) None None true None",
        ]
    );
    assert_eq!(store.queue_destination("b").await.unwrap().as_ref(), Some(&all[1]));
    assert_eq!(store.queue_destination("bb").await, Ok(None));
    assert_eq!(store.queue_destinations(None, 2).await.unwrap(), all[..2]);
    assert_eq!(store.queue_destinations(Some("b"), 2).await.unwrap(), all[2..]);
}

async fn keys_go_with_their_domain(store: Store) {
    let key = |domain: &str, selector: &str| Change::AddDkimKey {
        domain: domain.into(),
        selector: selector.into(),
        algorithm: "ed25519-sha256".into(),
        key: vec![0x30, 0, 0xff].into(),
        at: at(7),
    };
    let remove = |selector: &str| Change::RemoveDkimKey { domain: D.into(), selector: selector.into() };
    refused(&store, key(D, "one")).await;
    let add = |name: &str| Change::AddDomain { name: name.into(), at: at(1) };
    // A domain and its keys are made together.
    change(&store, [add(D), key(D, "two"), key(D, "one"), add("example.net"), key("example.net", "one")])
        .await
        .unwrap();
    let before = store.directory_generation();
    refused(&store, key(D, "one")).await;
    refused(&store, remove("three")).await;
    let keys = store.dkim_keys(D).await.unwrap();
    let selectors: Vec<&str> = keys.iter().map(|key| key.selector.as_str()).collect();
    assert_eq!(selectors, ["one", "two"]);
    let first = &keys[0];
    assert_eq!((first.domain.as_str(), first.algorithm.as_str(), first.at), (D, "ed25519-sha256", at(7)));
    assert_eq!(first.key, vec![0x30, 0, 0xff]);
    assert!(!format!("{first:?}").contains("48"), "a key is not shown");
    done(&store, remove("one")).await;
    assert_eq!(store.dkim_keys(D).await.unwrap().len(), 1);
    assert!(store.directory_generation() > before, "who keeps keys learns of it");
    done(&store, Change::RemoveDomain { name: D.into() }).await;
    assert_eq!(store.dkim_keys(D).await, Ok(vec![]));
    assert_eq!(store.dkim_keys("example.net").await.unwrap().len(), 1);
    change(&store, [add(D)]).await.unwrap();
    assert_eq!(store.dkim_keys(D).await, Ok(vec![]), "an old key does not come back");
}

async fn an_empty_destination_whose_node_died_is_forgotten(store: Store) {
    let far = i64::MAX;
    let leases = [lease("over", "a", 100, 0), lease("runs", "a", far, 0), lease("waits", "a", 100, 0)];
    change(&store, leases).await.unwrap();
    enqueue(&store, [entry(1, "waits", 10), QueueEntry { held: true, ..entry(1, "held", 10) }]).await;
    store.maintain().await.unwrap();
    let names: Vec<String> =
        store.queue_destinations(None, 10).await.unwrap().into_iter().map(|it| it.destination).collect();
    assert_eq!(names, ["held", "runs", "waits"]);
}
