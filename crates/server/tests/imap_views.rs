//! Whatever four clients do to one mailbox, in whatever order, pipelined and cut: each that applies what it is told holds
//! the true mailbox in the end (RFC 3501 §5.2, §7; RFC 7162 §3.1, §3.2.10, §6). One follows RFC 3501 alone, one
//! mod-sequences, one RFC 9051, one QRESYNC: this one's connection breaks at times, and it goes on from the mod-sequence it
//! believes in.
//!
//! The whole server plays, with its handlers and its store, in a simulated world.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may")]

mod stage;
mod views;

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use views::belief::Mode;
use views::office::{Office, Wish};

/// Who does what.
#[derive(Debug, Clone)]
struct Event {
    client: usize,
    wishes: Vec<Wish>,
    cuts: Vec<usize>,
    meanwhile: Option<(usize, Wish)>,
}

fn store() -> impl Strategy<Value = Wish> {
    let modes = prop_oneof![Just(Mode::Set), Just(Mode::Add), Just(Mode::Remove)];
    let flags = prop_oneof![Just("\\Seen"), Just("\\Flagged"), Just("\\Deleted"), Just("$Work")];
    (0..4_usize, any::<bool>(), modes, flags, any::<bool>(), any::<bool>()).prop_map(
        |(at, by_uid, mode, flag, silent, guarded)| Wish::Store { at, by_uid, mode, flag, silent, guarded },
    )
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        2 => Just(Wish::Noop),
        1 => Just(Wish::Search),
        1 => Just(Wish::UidSearch),
        1 => (0..4_usize).prop_map(Wish::Fetch),
        1 => Just(Wish::FetchAll),
        1 => (0..4_usize).prop_map(Wish::UidFetch),
        2 => (0..4_usize).prop_map(Wish::Read),
        8 => store(),
        2 => Just(Wish::Expunge),
        1 => (0..4_usize).prop_map(Wish::UidExpunge),
        3 => Just(Wish::Append),
        1 => (0..4_usize).prop_map(Wish::Copy),
        1 => (0..4_usize).prop_map(Wish::Move),
        2 => Just(Wish::Idle),
        2 => Just(Wish::Return),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let wishes = proptest::collection::vec(wish(), 1..4);
    let cuts = proptest::collection::vec(0..200_usize, 0..3);
    let meanwhile = proptest::option::weighted(0.3, (0..4_usize, wish()));
    (0..4_usize, wishes, cuts, meanwhile).prop_map(|(client, wishes, cuts, meanwhile)| Event {
        client,
        wishes,
        cuts,
        meanwhile,
    })
}

#[test]
fn who_applies_what_it_is_told_holds_the_true_mailbox() {
    let office = RefCell::new(Office::new());
    let config = Config { cases: 100, max_shrink_iters: 400, failure_persistence: None, ..Config::default() };
    let play = |events: Vec<Event>| {
        let mut office = office.borrow_mut();
        office.begin();
        for _ in 0..3 {
            office.act(0, &[Wish::Append], &[], None);
        }
        for client in 0..4 {
            office.act(client, &[Wish::Noop], &[], None);
        }
        for Event { client, wishes, cuts, meanwhile } in &events {
            let meanwhile = meanwhile.as_ref().map(|(other, wish)| (*other, wish));
            office.act(*client, wishes, cuts, meanwhile);
        }
        office.compare().map_err(TestCaseError::fail)
    };
    TestRunner::new(config).run(&proptest::collection::vec(event(), 5..30), play).unwrap();
}
