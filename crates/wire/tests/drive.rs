//! The driver under a paused clock, with a toy session in memory: decisions, deadlines, and every way to end.
#![allow(clippy::unwrap_used, reason = "a test may unwrap, and so may what helps it")]

mod toy;

use std::time::Duration;

use bytes::Bytes;
use protocol::End;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use toy::{PATIENCE, Pair, Setup, Toy, ToyHandler, arrival};
use wire::{Context, HoldBack, Registry, Stream, Tls};
use world::Clock;

fn pair() -> Pair {
    Pair::new(Setup::default())
}

async fn greeted() -> Pair {
    let mut pair = pair();
    pair.expect(&["hi"]).await;
    pair
}

#[tokio::test(start_paused = true)]
async fn pipelined_commands_are_answered_in_order_whether_decided_now_or_later() {
    let mut pair = greeted().await;
    pair.send("ECHO a\r\nNOW b\r\nLATER 5 c\r\nECHO d\r\nLATER 0 e\r\nQUIT\r\n").await;
    let began = pair.clock.now();
    pair.expect(&["a", "b", "c"]).await;
    assert_eq!(pair.clock.now() - began, Duration::from_secs(5));
    pair.expect(&["d", "e", "bye"]).await;
    assert_eq!(pair.client().read(&mut [0]).await.unwrap(), 0);
    let (end, log) = pair.ended().await;
    assert_eq!((end, log.len()), (End::Closed, 6));
}

#[tokio::test(start_paused = true)]
async fn where_input_is_cut_does_not_matter() {
    for read_chunk in [1, 2, 3, 7] {
        let mut pair = Pair::new(Setup { read_chunk, ..Setup::default() });
        pair.send("ECHO a\r\nLATER 1 b\r\nQUIT\r\n").await;
        pair.expect(&["hi", "a", "b", "bye"]).await;
        assert_eq!(pair.ended().await.0, End::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn input_and_news_arrive_while_a_question_is_open() {
    let mut pair = greeted().await;
    pair.send("LATER 30 decided\r\n").await;
    pair.rest().await;
    pair.news.send("first".into()).unwrap();
    pair.expect(&["* first"]).await;
    // More than the pair holds: it is read although the question is open.
    pair.send(&"ECHO x\r\n".repeat(1000)).await;
    pair.news.send("second".into()).unwrap();
    pair.expect(&["* second", "decided", "x"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_is_noticed_while_a_question_is_open_and_the_question_is_dropped() {
    let mut pair = greeted().await;
    pair.send("LATER 50 x\r\n").await;
    pair.rest().await;
    assert_eq!(std::sync::Arc::strong_count(&pair.open), 3, "held by test, handler and question");
    pair.client = None;
    pair.news.send("to nobody".into()).unwrap();
    assert_eq!(pair.ended().await.0, End::Cut);
}

#[tokio::test(start_paused = true)]
async fn no_byte_and_no_news_moves_a_deadline() {
    let mut pair = greeted().await;
    let began = pair.clock.now();
    for _ in 0..5 {
        pair.send("E").await;
        pair.news.send("n".into()).unwrap();
        pair.expect(&["* n"]).await;
        pair.clock.sleep(Duration::from_secs(10)).await;
    }
    pair.expect(&["timeout"]).await;
    assert_eq!(pair.clock.now() - began, PATIENCE);
    assert_eq!(pair.ended().await.0, End::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_the_session_moves_is_kept() {
    let mut pair = greeted().await;
    let mut began = pair.clock.now();
    for _ in 0..5 {
        pair.clock.sleep(PATIENCE - Duration::from_secs(1)).await;
        pair.send("ECHO x\r\n").await;
        pair.expect(&["x"]).await;
        began = pair.clock.now();
    }
    pair.expect(&["timeout"]).await;
    assert_eq!(pair.clock.now() - began, PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_takes_no_input_is_given_none_until_it_does() {
    let mut pair = greeted().await;
    pair.send("HOLD 20\r\n").await;
    pair.rest().await;
    // Fits twice into the pair, not three times: the third waits until the session reads again.
    let line = format!("ECHO {}\r\n", "y".repeat(500));
    let began = pair.clock.now();
    for _ in 0..3 {
        pair.send(&line).await;
    }
    assert!(pair.clock.now() - began >= Duration::from_secs(19));
    pair.expect(&["y".repeat(500).as_str(); 3]).await;
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_peer_gets_every_answer_it_is_owed() {
    let mut pair = Pair::new(Setup { buffer: 64, ..Setup::default() });
    pair.send("BIG 3000\r\nLATER 9 late\r\nECHO last\r\n").await;
    pair.client().shutdown().await.unwrap();
    pair.clock.sleep(Duration::from_secs(2)).await;
    let mut all = String::new();
    pair.client().read_to_string(&mut all).await.unwrap();
    assert_eq!(all, format!("hi\r\n{}late\r\nlast\r\n", "b".repeat(3000)));
    let (end, log) = pair.ended().await;
    assert_eq!((end, log.len()), (End::HalfClosed, 3));
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_peer_that_has_everything_is_let_go_at_once() {
    let mut pair = greeted().await;
    let began = pair.clock.now();
    pair.send("ECHO half a li").await;
    pair.client().shutdown().await.unwrap();
    let clock = pair.clock.clone();
    let (end, log) = pair.ended().await;
    assert_eq!((end, log.len(), clock.now()), (End::HalfClosed, 0, began));
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_cut() {
    let mut pair = greeted().await;
    pair.send("LATER 1 x\r\n").await;
    pair.client = None;
    assert_eq!(pair.ended().await.0, End::Cut);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_dropped_at_the_write_deadline() {
    let mut pair = greeted().await;
    let began = pair.clock.now();
    pair.send("BIG 5000\r\n").await;
    pair.rest().await;
    // Reading a little does not move the deadline of what waits, and neither does the session's own.
    for _ in 0..4 {
        pair.clock.sleep(Duration::from_secs(50)).await;
        pair.client().read_exact(&mut [0; 10]).await.unwrap();
        pair.send("BIG 1\r\n").await;
    }
    let (clock, client) = (pair.clock.clone(), pair.client.take());
    assert_eq!(pair.ended().await.0, End::WriteDeadline);
    assert_eq!(clock.now() - began, wire::limits::WRITE_DEADLINE);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_bounds_what_waits_for_it() {
    let mut pair = greeted().await;
    // 16 MB in answers that are ready at once: they are asked for only as the peer reads.
    pair.send("ASKBIG 1000 16000\r\n").await;
    pair.rest().await;
    let waiting = || pair.live.row().sent;
    assert!(waiting() <= 1024 + 4, "the pair holds 1 KiB: {}", waiting());
    let mut taken = vec![0; 1000 * 16002];
    pair.client().read_exact(&mut taken).await.unwrap();
    assert_eq!(taken.iter().filter(|&&byte| byte == b'r').count(), 16_000_000);
    pair.send("QUIT\r\n").await;
    pair.expect(&["bye"]).await;
    assert_eq!(pair.ended().await.0, End::Closed);
}

#[tokio::test(start_paused = true)]
async fn terminate_ends_it_without_a_word_even_while_it_writes_or_decides() {
    for lines in ["", "LATER 40 x\r\n", "BIG 9000\r\n", "HOLD 30\r\n"] {
        let mut pair = greeted().await;
        pair.send(lines).await;
        pair.rest().await;
        let (clock, began) = (pair.clock.clone(), pair.clock.now());
        assert!(pair.registry.terminate(pair.live.id()));
        let registry = pair.registry.clone();
        let id = pair.live.id();
        assert_eq!(pair.ended().await.0, End::Terminated, "{lines}");
        assert_eq!(clock.now(), began);
        assert!(!registry.terminate(id), "it is gone");
    }
}

#[tokio::test(start_paused = true)]
async fn stop_lets_what_is_under_way_end() {
    let mut pair = greeted().await;
    pair.send("LATER 7 kept\r\nECHO not begun\r\n").await;
    pair.rest().await;
    assert_eq!(pair.registry.stop_all(None), 1);
    pair.expect(&["kept", "stopping"]).await;
    let (end, log) = pair.ended().await;
    assert_eq!((end, log), (End::Closed, vec!["LATER 7 kept".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_its_own_connection_alone_and_is_counted() {
    let mut failing = greeted().await;
    let mut other = greeted().await;
    failing.send("PANIC\r\n").await;
    let registry = failing.registry.clone();
    let mut rest = Vec::new();
    failing.client().read_to_end(&mut rest).await.unwrap();
    assert_eq!(failing.ended().await.0, End::Terminated);
    assert_eq!(registry.counts().panics, 1);
    other.send("ECHO alive\r\n").await;
    other.expect(&["alive"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_still_sends_gets_the_last_reply_and_does_not_hold_the_connection() {
    let mut pair = greeted().await;
    let began = pair.clock.now();
    pair.send("QUIT\r\n").await;
    pair.send(&"ECHO x\r\n".repeat(100)).await;
    pair.expect(&["bye"]).await;
    let clock = pair.clock.clone();
    assert_eq!(pair.ended().await.0, End::Closed);
    assert!(clock.now() - began <= wire::limits::LINGER + Duration::from_millis(1));
}

#[tokio::test(start_paused = true)]
async fn the_registry_shows_what_a_connection_does() {
    let mut pair = greeted().await;
    pair.live.signed_in("anna@example.org");
    pair.live.doing("ECHO \x1b[2J");
    pair.send("ECHO abc\r\n").await;
    pair.expect(&["abc"]).await;
    let row = pair.registry.list(Some("default")).remove(0);
    assert_eq!((row.received, row.sent), (10, 9));
    assert_eq!((row.user.as_deref(), row.state.as_str()), (Some("anna@example.org"), "ECHO \u{FFFD}[2J"));
    assert_eq!(row.tls, None);
    assert!(pair.registry.list(Some("other")).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_always_has_input_lets_others_run() {
    let mut busy = Pair::new(Setup { buffer: 1 << 20, read_chunk: 8, ..Setup::default() });
    busy.send(&"ECHO x\r\n".repeat(50_000)).await;
    let mut other = greeted().await;
    other.send("ECHO me\r\n").await;
    other.expect(&["me"]).await;
    assert!(
        busy.live.row().received < 400_000,
        "the other was served before this one's input was at its end"
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_small() {
    let clock = Clock::simulated(mail::Timestamp(0));
    let registry = Registry::new(clock.clone());
    let context = Context::new(clock.clone(), Tls::Off, registry.admit(arrival("192.0.2.1:1")).unwrap());
    let (_sender, news) = tokio::sync::mpsc::unbounded_channel();
    let handler = ToyHandler {
        clock: clock.clone(),
        news,
        endings: Default::default(),
        open: Default::default(),
        held: None,
    };
    let (_client, server) = world::net::pair(10);
    let drive = wire::drive(Toy::new(clock.now()), handler, Stream::Memory(server), &context);
    let size = std::mem::size_of_val(&drive);
    assert!(size < 1500, "{size} octets");
}

fn held_back() -> Pair {
    let held = HoldBack { time: Duration::from_secs(5), refusal: Bytes::from_static(b"too early\r\n") };
    Pair::new(Setup { held: Some(held), ..Setup::default() })
}

#[tokio::test(start_paused = true)]
async fn first_words_are_held_back_and_a_peer_that_waits_hears_them() {
    let mut pair = held_back();
    let began = pair.clock.now();
    pair.expect(&["hi"]).await;
    assert_eq!(pair.clock.now() - began, Duration::from_secs(5));
    pair.send("NOW on time\r\n").await;
    pair.expect(&["on time"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_talks_before_it_is_greeted_is_refused() {
    let mut pair = held_back();
    pair.send("NOW too soon\r\n").await;
    pair.expect(&["too early"]).await;
    assert_eq!(pair.client().read(&mut [0]).await.unwrap(), 0);
    let (end, log) = pair.ended().await;
    assert_eq!((end, log), (End::Closed, Vec::new()), "the session has heard nothing");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_or_an_order_ends_the_wait() {
    let mut left = held_back();
    left.client = None;
    assert_eq!(left.ended().await.0, End::HalfClosed);

    let mut stopped = held_back();
    stopped.rest().await;
    stopped.registry.stop_all(None);
    stopped.expect(&["hi", "stopping"]).await;
}
