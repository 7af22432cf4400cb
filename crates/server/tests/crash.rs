//! 250 means kept, though the server is killed: under load with 32 connections the process gets SIGKILL at random
//! moments, again and again, on one data directory. Afterwards everything that was acknowledged is there byte for byte,
//! once; nothing is there that was not sent; UIDs mean what they meant.
//!
//! `WAXSEAL_KILLS` says how often (20), `WAXSEAL_SEED` at which moments (else the clock says). A kill loses no page cache:
//! that syncs come before replies is shown by sync_proof.rs.

// This is a client of the server, outside its world: it has clocks and threads of its own.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

mod proof {
    pub(crate) mod added;
    pub(crate) mod attempt;
    pub(crate) mod chance;
    pub(crate) mod imap;
    pub(crate) mod ledger;
    pub(crate) mod load;
    pub(crate) mod message;
    pub(crate) mod pop3;
    pub(crate) mod reading;
    pub(crate) mod server;
    pub(crate) mod smtp;
    pub(crate) mod trial;
}

use proof::attempt::Attempt;
use proof::chance::Chance;
use proof::imap::look;
use proof::ledger::{Found, compare};
use proof::load::{Letter, Load};
use proof::message::Message;
use proof::reading::read_everything;
use proof::server::{DOMAIN, Place, Server, Signal};
use proof::smtp::Sent;
use proof::trial::{check, kill_early, kills_and_seed};

const ACCOUNTS: usize = 4;
/// No further kill begins after this long, so that a slow machine ends too.
const KILLING_TIME_MAX: Duration = Duration::from_secs(80);
/// Each so many kills, the data directory is checked while the server is down.
const KILLS_PER_CHECK: u32 = 5;

#[test]
#[ignore = "takes a minute and every core; `cargo xtask ci durable` runs it"]
fn what_was_acknowledged_is_kept_though_the_server_is_killed() {
    let (kills_max, seed) = kills_and_seed();
    println!("WAXSEAL_SEED={seed}");
    let directory = tempfile::tempdir().expect("a directory for a test");
    let place = Place::new(directory.path(), "", &accounts());
    let (kills, after) = kill_under_load(&place, seed, kills_max);
    let (tally, wrong) = compare(&after.attempts, &after.found);
    println!(
        "{kills} kills under load, and as many while it started again; {} messages acknowledged; {} in flight at a \
         kill, {} of them kept; {} cut earlier; {} refused; {} copies found and compared",
        tally.acknowledged,
        tally.in_flight,
        tally.in_flight_kept,
        tally.cut,
        tally.refused,
        after.found.values().sum::<usize>()
    );
    let faults = [after.faults, wrong].concat();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    let refused = after.attempts.iter().find(|attempt| matches!(attempt.sent, Sent::Refused(_)));
    assert!(refused.is_none(), "a good message was refused: {refused:?}");
    assert!(kills > 0 && tally.in_flight > 0, "no kill met a message in flight: nothing was shown");
    assert!(tally.acknowledged > 10 * kills as usize, "that is no load: {tally:?}");
}

/// What is known when it is over.
struct Aftermath {
    attempts: Vec<Attempt>,
    found: Found,
    faults: Vec<String>,
}

/// Kills so often, if there is time; then lets the load end and reads everything.
fn kill_under_load(place: &Place, seed: u64, kills_max: u32) -> (u32, Aftermath) {
    let load = Load::start(seed, write);
    let (mut kills, mut memory, begun) = (0, Memory::default(), Instant::now());
    let mut chance = Chance::new(seed);
    let mut server = place.serve(&[]);
    while kills < kills_max && begun.elapsed() < KILLING_TIME_MAX {
        load.run_for(&server, Duration::from_millis(chance.between(60, 1_500)));
        server.end(Signal::KILL);
        kills += 1;
        if kills % KILLS_PER_CHECK == 0 {
            check(place);
        }
        kill_early(place, Duration::from_millis(chance.between(0, 80)));
        server = place.serve(&[]);
        memory.look(&server, &accounts()[kills as usize % ACCOUNTS]);
    }
    load.run_for(&server, Duration::from_millis(300));
    (kills, look_around(place, server, load.stop(), memory))
}

/// Reads and checks everything, with the server up and down.
fn look_around(place: &Place, server: Server, attempts: Vec<Attempt>, mut memory: Memory) -> Aftermath {
    check(place);
    let (found, mut faults) = read_everything(server.port("pop3"), &accounts(), &attempts);
    accounts().iter().for_each(|account| memory.look(&server, account));
    faults.extend(memory.faults());
    faults.extend(server.end(Signal::TERM));
    check(place);
    Aftermath { attempts, found, faults }
}

fn accounts() -> Vec<String> {
    (0..ACCOUNTS).map(|n| format!("user{n}@{DOMAIN}")).collect()
}

/// A letter to accounts here.
fn write(number: u32, chance: &mut Chance) -> Letter {
    let message = Message { number, octets: size(chance) };
    Letter { message, sender: message.sender(), recipients: recipients(chance), pause: Duration::ZERO }
}

/// From 1 to 600 KiB: most are small, and some cross the size from which content is staged.
fn size(chance: &mut Chance) -> usize {
    let (from, to) = match chance.between(0, 100) {
        0..80 => (1, 8),
        80..95 => (8, 100),
        _ => (100, 600),
    };
    chance.between(from << 10, to << 10) as usize
}

/// One account, or two.
fn recipients(chance: &mut Chance) -> Vec<String> {
    let (first, step) = (chance.draw() as usize % ACCOUNTS, 1 + chance.draw() as usize % (ACCOUNTS - 1));
    let mut recipients = vec![accounts().swap_remove(first)];
    if chance.between(0, 4) == 0 {
        recipients.push(accounts().swap_remove((first + step) % ACCOUNTS));
    }
    recipients
}

/// What mailboxes have shown so far: it must stay true.
#[derive(Default)]
struct Memory {
    mailboxes: BTreeMap<String, Mailbox>,
    faults: Vec<String>,
}

#[derive(Default)]
struct Mailbox {
    uid_validity: u32,
    emails: BTreeMap<u32, u32>,
}

impl Memory {
    /// Looks at an account's mailbox; a UID that was seen stands for the message that it stood for, and a new one is
    /// higher than any before.
    fn look(&mut self, server: &Server, account: &str) {
        let look = look(server.port("imap"), account, 1).expect("the mailbox can be read");
        let known = self.mailboxes.entry(account.to_owned()).or_default();
        if known.uid_validity != 0 && known.uid_validity != look.uid_validity {
            self.faults
                .push(format!("{account}: UIDVALIDITY {} became {}", known.uid_validity, look.uid_validity));
        }
        if !look.emails.is_sorted_by(|one, next| one.0 < next.0) {
            self.faults.push(format!("{account}: UIDs do not ascend"));
        }
        let now: BTreeMap<u32, u32> = look.emails.into_iter().collect();
        let last = known.emails.keys().last().copied().unwrap_or_default();
        let before: BTreeMap<u32, u32> = now.range(..=last).map(|(uid, number)| (*uid, *number)).collect();
        if before != known.emails {
            self.faults
                .push(format!("{account}: up to UID {last} there is not what was there before the kill"));
        }
        *known = Mailbox { uid_validity: look.uid_validity, emails: now };
    }

    fn faults(self) -> Vec<String> {
        self.faults
    }
}
