//! 250 means synced: a kill loses no page cache, so a server that never syncs would pass crash.rs. Here the server runs
//! under strace while 1,000 messages arrive over 8 connections; its system calls show that each 250 was written after
//! the syncs of its content and of its records had ended.

// This is a client of the server, outside its world: it has threads and files of its own.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Stdio};

mod proof {
    pub(crate) mod chance;
    pub(crate) mod message;
    pub(crate) mod order;
    pub(crate) mod server;
    pub(crate) mod smtp;
    pub(crate) mod trace;
}

use proof::message::Message;
use proof::order::{Late, Order};
use proof::server::{DOMAIN, Place, Signal};
use proof::smtp::{Client, Sent};

const CONNECTIONS: u32 = 8;
const MESSAGES: u32 = 1_000;
/// Faults that are shown in full.
const SHOWN_MAX: usize = 10;
/// Every call by which bytes can reach a file or a socket, or a file come to be or be synced.
const CALLS: &str = "trace=fsync,fdatasync,sync_file_range,msync,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,\
                     openat,io_uring_enter,io_submit";
/// Calls that this proof cannot look into; none may be used.
const OPAQUE: [&str; 4] = ["msync", "sync_file_range", "io_uring_enter", "io_submit"];
/// More than any write: a text that strace shortens would hide what was written.
const TEXT_OCTETS_MAX: &str = "33554432";

#[test]
#[ignore = "needs strace; `cargo xtask ci durable` runs it"]
fn each_250_is_written_after_its_syncs_have_ended() {
    need_strace();
    let directory = tempfile::tempdir().expect("a directory for a test");
    let place = Place::new(directory.path(), "", &[account()]);
    let file = directory.path().join("trace");
    let server = place.serve(&wrapper(file.to_str().expect("the path is UTF-8")));
    let kept = send(server.port("smtp"));
    let errors = server.end(Signal::TERM);
    assert!(errors.is_empty(), "the server logged errors: {errors:?}");
    let order = read(&file);
    let mut late = BTreeMap::<Late, usize>::new();
    let mut shown = Vec::new();
    for (message, queue_id) in &kept {
        if let Err((what, lines)) = order.judge(*message, queue_id) {
            *late.entry(what).or_default() += 1;
            shown.push(format!("{} ({queue_id}): {what}; {lines}", message.mark()));
        }
    }
    println!("{} messages checked; {} without fault", kept.len(), kept.len() - shown.len());
    shown.iter().take(SHOWN_MAX).for_each(|fault| println!("{fault}"));
    late.iter().for_each(|(what, count)| println!("{count} times: {what}"));
    assert!(shown.is_empty(), "250 does not mean kept: {} of {} messages", shown.len(), kept.len());
    assert_eq!(kept.len(), MESSAGES as usize);
}

fn need_strace() {
    let mut version = Command::new("strace");
    let found = version.arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(found.is_ok(), "there is no strace: install Debian's package `strace`");
}

fn wrapper(file: &str) -> [&str; 10] {
    ["strace", "-f", "-y", "-ttt", "-e", CALLS, "-s", TEXT_OCTETS_MAX, "-o", file]
}

fn account() -> String {
    format!("user@{DOMAIN}")
}

/// Sends all messages; each must be acknowledged.
fn send(port: u16) -> Vec<(Message, String)> {
    std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CONNECTIONS).map(|first| scope.spawn(move || converse(port, first))).collect();
        clients.into_iter().flat_map(|client| client.join().expect("no client panics")).collect()
    })
}

fn converse(port: u16, first: u32) -> Vec<(Message, String)> {
    let mut client = Client::connect(port).expect("the server listens");
    let numbers = (first..MESSAGES).step_by(CONNECTIONS as usize);
    numbers.map(|number| send_one(&mut client, Message { number, octets: size(number) })).collect()
}

fn send_one(client: &mut Client, message: Message) -> (Message, String) {
    match client.send(message, &message.sender(), &[&account()]) {
        Sent::Kept(queue_id) => (message, queue_id),
        other => panic!("{} was not kept: {other:?}", message.mark()),
    }
}

/// Most are small; some fill a large record, some are staged while they arrive.
fn size(number: u32) -> usize {
    match number % 50 {
        17 => 100 << 10,
        33 => 270 << 10,
        49 => 500 << 10,
        other => 1024 + 97 * other as usize,
    }
}

fn read(file: &Path) -> Order {
    let trace = File::open(file).expect("strace wrote it");
    let mut order = Order::default();
    let read = proof::trace::read(BufReader::with_capacity(1 << 20, trace), |call| {
        assert!(!OPAQUE.contains(&&*call.name), "{} is used, which this proof cannot look into", call.name);
        order.take(&call);
    });
    read.expect("the trace can be read");
    order
}
