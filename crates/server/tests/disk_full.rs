//! The disk fills up: mail that finds no room is answered 4yz, at its end or, once the disk is nearly full, at MAIL; it is
//! nowhere, mail that was acknowledged is there, what is there can be read meanwhile, and when there is room again mail is taken
//! again.
//!
//! The data lies on a small tmpfs in a mount namespace of its own: the test starts itself again under `unshare`.

// This is a client of the server, outside its world: it has threads and files of its own.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

mod proof {
    pub(crate) mod added;
    pub(crate) mod attempt;
    pub(crate) mod chance;
    pub(crate) mod ledger;
    pub(crate) mod message;
    pub(crate) mod pop3;
    pub(crate) mod reading;
    pub(crate) mod server;
    pub(crate) mod smtp;
}

use proof::attempt::Attempt;
use proof::ledger::compare;
use proof::message::Message;
use proof::reading::read_everything;
use proof::server::{DOMAIN, Place, Server, Signal};
use proof::smtp::{Client, Sent};

const DISK: &str = "size=24m";
/// Takes room until it is removed.
const BALLAST_OCTETS: usize = 8 << 20;
/// Refusals of small messages after which the disk counts as full: large ones find no room long before.
const REFUSALS: usize = 40;
/// Few, because whoever sends nothing but commands that move no mail is cut off.
const REFUSALS_AT_MAIL: usize = 3;
const SMALL_OCTETS: usize = 3 << 10;
/// More than is kept free: there is a time when MAIL is taken and the content finds no room.
const HUGE_OCTETS: usize = 3 << 20;
/// As the policy says it.
const AT_MAIL: &str = "452 4.3.1 no room for more mail";
/// The store asks the disk once a second.
const ASKED_AGAIN: Duration = Duration::from_millis(1_100);
const MESSAGES_MAX: u32 = 5_000;
/// Set in the process that runs in the namespace.
const INSIDE: &str = "WAXSEAL_SMALL_DISK";
const NAME: &str = "a_full_disk_loses_nothing_and_ends";

#[test]
#[ignore = "mounts a file system in a namespace of its own; `cargo xtask ci durable` runs it"]
fn a_full_disk_loses_nothing_and_ends() {
    match std::env::var_os(INSIDE) {
        Some(directory) => fill(&PathBuf::from(directory)),
        None => run_inside(),
    }
}

fn run_inside() {
    let directory = tempfile::tempdir().expect("a directory for a test");
    let mut unshare = Command::new("unshare");
    unshare.args(["--map-root-user", "--mount", "--"]).arg(std::env::current_exe().expect("it runs"));
    unshare.args(["--exact", NAME, "--include-ignored", "--nocapture"]).env(INSIDE, directory.path());
    let status = unshare.status().expect("`unshare` of Debian's package `util-linux` is there");
    assert!(status.success(), "in a namespace of its own: {status}");
}

fn fill(directory: &Path) {
    mount(directory);
    let ballast = directory.join("ballast");
    std::fs::write(&ballast, vec![1; BALLAST_OCTETS]).expect("the disk is empty");
    let place = Place::new(directory, "", &[account()]);
    let server = place.serve(&[]);
    let mut attempts = Vec::new();
    send_until(&server, &mut attempts, |refused, _| refused == REFUSALS);
    // A fast disk is full before it is asked again.
    std::thread::sleep(ASKED_AGAIN);
    send_until(&server, &mut attempts, |refused, _| refused == REFUSALS_AT_MAIL);
    let refused: Vec<Attempt> = attempts.iter().filter(|attempt| is_refused(attempt)).cloned().collect();
    for attempt in &refused {
        let Sent::Refused(reply) = &attempt.sent else { unreachable!("filtered above") };
        assert!(reply.starts_with("452 4.3.1") || reply.starts_with("451 4.3.0"), "{reply}");
    }
    let at_mail = refused.iter().filter(|attempt| is_refused_at_mail(attempt)).count();
    assert!(at_mail > 0, "a full disk is told at MAIL");
    assert!(at_mail < refused.len(), "there was a time when only content found no room");
    verify(&server, &attempts);
    std::fs::remove_file(&ballast).expect("it is there");
    std::thread::sleep(ASKED_AGAIN);
    let before = attempts.len();
    send_until(&server, &mut attempts, |_, sent| sent == before + 40);
    let late = attempts[before..].iter().find(|attempt| is_refused(attempt));
    assert!(late.is_none(), "there is room again, and yet: {late:?}");
    verify(&server, &attempts);
    server.end(Signal::TERM);
    let server = place.serve(&[]);
    verify(&server, &attempts);
    server.end(Signal::TERM);
    let said = place.command(&["store", "check"], "");
    assert!(said.contains("All is well"), "{said}");
    println!("{} messages sent; {} found no room; the others are there", attempts.len(), refused.len());
}

fn mount(directory: &Path) {
    let mut mount = Command::new("mount");
    let status = mount.args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(directory).status();
    assert!(status.is_ok_and(|status| status.success()), "a tmpfs cannot be mounted in this namespace");
}

fn account() -> String {
    format!("user@{DOMAIN}")
}

fn is_refused(attempt: &Attempt) -> bool {
    matches!(attempt.sent, Sent::Refused(_))
}

fn is_refused_at_mail(attempt: &Attempt) -> bool {
    matches!(&attempt.sent, Sent::Refused(reply) if reply.starts_with(AT_MAIL))
}

/// Sends until this holds of the number of small messages that were refused, and of all messages ever sent.
fn send_until(server: &Server, attempts: &mut Vec<Attempt>, enough: impl Fn(usize, usize) -> bool) {
    let mut client = Client::connect(server.port("smtp")).expect("the server listens");
    let mut refused = 0;
    while !enough(refused, attempts.len()) {
        let number = u32::try_from(attempts.len()).expect("there are few");
        assert!(number < MESSAGES_MAX, "the disk never fills up");
        let message = Message { number, octets: size(number) };
        let sent = client.send(message, &message.sender(), &[&account()]);
        assert!(!matches!(sent, Sent::Cut | Sent::InFlight), "the connection broke at {number}");
        attempts.push(Attempt { message, recipients: vec![account()], sent });
        let is_small = message.octets == SMALL_OCTETS;
        refused += usize::from(is_small && attempts.last().is_some_and(is_refused));
    }
}

/// Small ones, which still find room where the large, which are staged, do not.
fn size(number: u32) -> usize {
    match number % 7 {
        _ if number % 47 == 46 => HUGE_OCTETS,
        3 => 40 << 10,
        6 => 300 << 10,
        _ => SMALL_OCTETS,
    }
}

fn verify(server: &Server, attempts: &[Attempt]) {
    let (found, mut faults) = read_everything(server.port("pop3"), &[account()], attempts);
    faults.extend(compare(attempts, &found).1);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
