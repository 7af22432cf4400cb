//! 250 means kept or sent on, though the server is killed: 32 connections submit messages for elsewhere, a next hop takes
//! them, and the process gets SIGKILL at random moments, again and again, on one data directory. Afterwards everything
//! that was acknowledged is at the next hop byte for byte, or was reported to its sender once, or is in the queue; and
//! what is there twice is what RFC 1047 excuses. proof/relayed.rs says what that means.
//!
//! `WAXSEAL_KILLS` and `WAXSEAL_SEED` are those of crash.rs.

// This is a client of the server, and its next hop, outside its world: it has clocks and threads of its own.
#![allow(clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

mod proof {
    pub(crate) mod added;
    pub(crate) mod attempt;
    pub(crate) mod chance;
    pub(crate) mod failures;
    pub(crate) mod letters;
    pub(crate) mod load;
    pub(crate) mod message;
    pub(crate) mod pop3;
    pub(crate) mod queued;
    pub(crate) mod relayed;
    pub(crate) mod server;
    pub(crate) mod sink;
    pub(crate) mod smtp;
    pub(crate) mod trial;
}

use proof::attempt::Attempt;
use proof::chance::Chance;
use proof::failures::read_reports;
use proof::letters::ACCOUNTS;
use proof::load::{Letter, Load};
use proof::relayed::{Copy, Tally, Whereabouts, compare};
use proof::server::{Place, Server, Signal};
use proof::sink::{Book, Sink};
use proof::smtp::Sent;
use proof::trial::{check, kill_early, kills_and_seed};
use proof::{letters, queued};

/// No further kill begins after this long, so that a slow machine ends too.
const KILLING_TIME_MAX: Duration = Duration::from_secs(60);
/// The queue drains in this time after the last kill, or the rest is looked for in it. What was deferred comes again after a
/// second.
const DRAINING_TIME_MAX: Duration = Duration::from_secs(60);
/// Each so many kills, the data directory is checked while the server is down.
const KILLS_PER_CHECK: u32 = 5;

#[test]
#[ignore = "takes a minute and every core; `cargo xtask ci durable` runs it"]
fn what_was_acknowledged_is_sent_on_though_the_server_is_killed() {
    let (kills_max, seed) = kills_and_seed();
    println!("WAXSEAL_SEED={seed}");
    let directory = tempfile::tempdir().expect("a directory for a test");
    let trial = Trial::new(directory.path());
    let (kills, after) = trial.kill_under_load(seed, kills_max);
    let (tally, wrong) = compare(&after.attempts, &after.found);
    println!("{}", told(kills, &tally, &after));
    let faults = [after.faults, wrong].concat();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    let refused = after.attempts.iter().find(|attempt| matches!(attempt.sent, Sent::Refused(_)));
    assert!(refused.is_none(), "a good message was refused: {refused:?}");
    assert!(
        kills > 0 && after.book.cut > kills as usize,
        "kills met too little on its way: nothing was shown"
    );
    assert!(tally.unheard > 0, "no kill came between a final dot and its reply: nothing was shown");
    assert!(tally.acknowledged > 10 * kills as usize, "that is no load: {tally:?}");
    assert!(tally.reported > 0 && tally.relayed > tally.reported, "that is no mail: {tally:?}");
}

fn told(kills: u32, tally: &Tally, after: &Aftermath) -> String {
    let sent = format!(
        "{kills} kills under load, and as many while it started again; {} messages acknowledged, {} in flight at a \
         kill, {} cut earlier, {} refused; with the next hop {} transactions cut by a kill, {} \
         messages let fall",
        tally.acknowledged, tally.in_flight, tally.cut, tally.refused, after.book.cut, after.book.let_fall
    );
    let found = format!(
        "{} recipients relayed, {} reported, {} waiting; {} copies answered after the kill, {} too many, the 250 of the \
         oldest of these {} ms before the kill; the queue drained in {} ms",
        tally.relayed,
        tally.reported,
        tally.waiting,
        tally.unheard,
        tally.duplicates,
        after.found.longest_excuse().as_millis(),
        after.draining.as_millis()
    );
    [sent, found].join("\n")
}

/// What is known when it is over.
struct Aftermath {
    attempts: Vec<Attempt>,
    found: Whereabouts,
    book: Book,
    draining: Duration,
    faults: Vec<String>,
}

/// What is killed, and whom it sends to.
struct Trial {
    place: Place,
    sink: Sink,
}

/// What is noted while the server lives and dies.
#[derive(Default)]
struct Diary {
    life: u32,
    kills: BTreeMap<u32, Instant>,
    waited: BTreeMap<u32, BTreeSet<String>>,
}

impl Trial {
    fn new(directory: &std::path::Path) -> Self {
        let sink = Sink::start();
        let accounts: Vec<String> = (0..ACCOUNTS).map(letters::sender).collect();
        Self { place: Place::new(directory, &settings(sink.port), &accounts), sink }
    }

    /// Kills so often, if there is time; then lets the load end and the queue drain, and looks for everything.
    fn kill_under_load(&self, seed: u64, kills_max: u32) -> (u32, Aftermath) {
        let load = Load::start(seed, write);
        let (mut kills, mut diary, begun) = (0, Diary::default(), Instant::now());
        let mut chance = Chance::new(seed);
        let mut server = self.place.serve(&[]);
        while kills < kills_max && begun.elapsed() < KILLING_TIME_MAX {
            load.run_for(&server, Duration::from_millis(chance.between(60, 1_500)));
            let killed = Instant::now();
            server.end(Signal::KILL);
            self.bury(&mut diary, killed);
            kills += 1;
            if kills % KILLS_PER_CHECK == 0 {
                check(&self.place);
            }
            self.live_shortly(&mut diary, Duration::from_millis(chance.between(0, 80)));
            diary.waited.insert(diary.life, queued::recipients(&self.place));
            server = self.place.serve(&[]);
        }
        load.run_for(&server, Duration::from_millis(300));
        (kills, self.look_around(server, load.stop(), diary))
    }

    /// A life that ends while it begins. It is counted by itself: it may send, too.
    fn live_shortly(&self, diary: &mut Diary, time: Duration) {
        let killed = kill_early(&self.place, time);
        self.bury(diary, killed);
    }

    fn bury(&self, diary: &mut Diary, killed: Instant) {
        diary.kills.insert(diary.life, killed);
        diary.life = self.sink.next_life();
    }

    /// Waits for the queue, then looks for everything, with the server up and down.
    fn look_around(&self, server: Server, attempts: Vec<Attempt>, diary: Diary) -> Aftermath {
        let draining = self.drain();
        let (reports, mut faults) = read_reports(server.port("pop3"));
        faults.extend(server.end(Signal::TERM));
        check(&self.place);
        let waiting = queued::recipients(&self.place);
        let book = self.sink.book();
        faults.extend(book.faults.iter().cloned());
        let mut copies = BTreeMap::<String, Vec<Copy>>::new();
        for taken in &book.taken {
            for recipient in &taken.recipients {
                let copy = Copy { life: taken.life, answered: taken.answered };
                copies.entry(recipient.clone()).or_default().push(copy);
            }
        }
        let Diary { kills, waited, .. } = diary;
        let found = Whereabouts { copies, reports, waiting, kills, waited };
        Aftermath { attempts, found, book, draining, faults }
    }

    /// How long it took; what is left after the longest time is looked for where it is.
    fn drain(&self) -> Duration {
        let begun = Instant::now();
        while begun.elapsed() < DRAINING_TIME_MAX && queued::deliveries(&self.place) > 0 {
            std::thread::sleep(Duration::from_millis(100));
        }
        begun.elapsed()
    }
}

/// Everything for elsewhere goes to the sink, and what it defers comes again soon.
fn settings(port: u16) -> String {
    format!("[delivery]\nsmart-host = [\"127.0.0.1:{port}\"]\ntls = \"off\"\nretry = [\"1 s\"]\n")
}

/// A letter to recipients elsewhere; so seldom that the next hop keeps up.
fn write(number: u32, chance: &mut Chance) -> Letter {
    Letter {
        message: letters::message(number),
        sender: letters::sender(number),
        recipients: letters::recipients(number),
        pause: Duration::from_millis(chance.between(0, 200)),
    }
}
