//! 250 means kept, though the server is killed: under load with 32 connections the process gets SIGKILL at random
//! moments, again and again, on one data directory. Afterwards everything that was acknowledged is there byte for byte,
//! once; nothing is there that was not sent; UIDs mean what they meant.
//!
//! `WAXSEAL_KILLS` says how often (20), `WAXSEAL_SEED` at which moments (else the clock says). A kill loses no page cache:
//! that syncs come before replies is shown by sync_proof.rs.

// This is a client of the server, outside its world: it has clocks and threads of its own.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

mod proof {
    pub(crate) mod chance;
    pub(crate) mod imap;
    pub(crate) mod ledger;
    pub(crate) mod message;
    pub(crate) mod pop3;
    pub(crate) mod reading;
    pub(crate) mod server;
    pub(crate) mod smtp;
}

use proof::chance::Chance;
use proof::imap::look;
use proof::ledger::{Attempt, Found, compare};
use proof::message::Message;
use proof::reading::read_everything;
use proof::server::{DOMAIN, Place, Server, Signal};
use proof::smtp::{Client, Sent};

const CONNECTIONS: u64 = 32;
const ACCOUNTS: usize = 4;
const KILLS: u32 = 20;
/// No further kill begins after this long, so that a slow machine ends too.
const KILLING_TIME_MAX: Duration = Duration::from_secs(80);
/// Each so many kills, the data directory is checked while the server is down.
const KILLS_PER_CHECK: u32 = 5;

#[test]
#[ignore = "takes a minute and every core; `cargo xtask ci durable` runs it"]
fn what_was_acknowledged_is_kept_though_the_server_is_killed() {
    let (kills_max, seed) = (variable("WAXSEAL_KILLS", KILLS), variable("WAXSEAL_SEED", of_the_clock()));
    println!("WAXSEAL_SEED={seed}");
    let directory = tempfile::tempdir().expect("a directory for a test");
    let place = Place::new(directory.path(), &accounts());
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
    let load = Load::start(seed);
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

fn variable<T: std::str::FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")),
        Err(_) => default,
    }
}

fn of_the_clock() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    now.as_nanos() as u64
}

fn accounts() -> Vec<String> {
    (0..ACCOUNTS).map(|n| format!("user{n}@{DOMAIN}")).collect()
}

/// Starts the server and kills it this soon, whatever it is at: a crash while it recovers from a crash.
fn kill_early(place: &Place, after: Duration) {
    let mut server = place.server(&[]).spawn().expect("it started before");
    std::thread::sleep(after);
    server.kill().expect("it runs");
    server.wait().expect("it is our child");
}

fn check(place: &Place) {
    let said = place.command(&["store", "check"], "");
    assert!(said.contains("All is well"), "{said}");
}

/// Clients that send, each over a connection of its own, as long as there is a server.
struct Load {
    field: Arc<Field>,
    clients: Vec<JoinHandle<Vec<Attempt>>>,
}

/// What clients share.
#[derive(Default)]
struct Field {
    /// The server's port; 0 while there is none.
    port: AtomicU16,
    numbers: AtomicU32,
    over: AtomicBool,
}

impl Load {
    fn start(seed: u64) -> Self {
        let field = Arc::<Field>::default();
        let clients = (0..CONNECTIONS)
            .map(|number| {
                let (field, chance) = (field.clone(), Chance::new(seed ^ (number << 32)));
                std::thread::spawn(move || field.serve_as_client(chance))
            })
            .collect();
        Self { field, clients }
    }

    /// Lets the clients send for this long.
    fn run_for(&self, server: &Server, time: Duration) {
        self.field.port.store(server.port("smtp"), Ordering::Relaxed);
        std::thread::sleep(time);
        self.field.port.store(0, Ordering::Relaxed);
    }

    /// Everyone ends after what they are at.
    fn stop(self) -> Vec<Attempt> {
        self.field.over.store(true, Ordering::Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().expect("no client panics")).collect()
    }
}

impl Field {
    /// Connects whenever there is a server and sends until the connection or the test is over.
    fn serve_as_client(&self, mut chance: Chance) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        while !self.over.load(Ordering::Relaxed) {
            let port = self.port.load(Ordering::Relaxed);
            match (port > 0).then(|| Client::connect(port)) {
                Some(Ok(mut client)) => self.converse(&mut client, &mut chance, &mut attempts),
                _ => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        attempts
    }

    fn converse(&self, client: &mut Client, chance: &mut Chance, attempts: &mut Vec<Attempt>) {
        while !self.over.load(Ordering::Relaxed) {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let message = Message { number, octets: size(chance) };
            let recipients = recipients(chance);
            let names: Vec<&str> = recipients.iter().map(String::as_str).collect();
            let sent = client.send(message, &names);
            let over = matches!(sent, Sent::Cut | Sent::InFlight);
            attempts.push(Attempt { message, recipients, sent });
            if over {
                return;
            }
        }
    }
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
