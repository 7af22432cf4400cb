//! Large messages pass through, they are not held: eight of exactly the largest size that is taken, in by SMTP at once, then
//! out by IMAP at once, grow the process by less than 64 MiB, and come out as they went in. One octet more is refused.

// This is a client of the server, outside its world: it has threads of its own.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Barrier;
use std::thread;

mod proof {
    pub(crate) mod server;
    pub(crate) mod usage;
}

use proof::server::{DOMAIN, PASSWORD, Place, Server, Signal};
use proof::usage::Process;

/// What is taken where the settings say nothing.
const LARGEST: u64 = 52_428_800;
const MESSAGES: u64 = 8;
const GROWTH_MAX_KIB: u64 = 64 * 1024;
/// Written and read at once.
const PIECE: usize = 64 * 1024;

#[test]
#[ignore = "moves a gigabyte; `cargo xtask ci memory` runs it"]
fn the_largest_messages_pass_through_and_are_not_held() {
    let directory = tempfile::tempdir().expect("a directory for a test");
    let place = Place::new(directory.path(), "", &[account()]);
    let server = place.serve(&[]);
    let process = Process::of(&directory.path().join("data"));
    // What is made once, for the first message, is no growth.
    assert_eq!(send(&server, 0, 100_000), "250");
    fetch(&server, 1, 0, 100_000);
    refused_by_one_octet(&server);

    let (before, peak) =
        grown(&process, || together(|number| assert_eq!(send(&server, number, LARGEST), "250")));
    println!("in: {before} KiB before, at most {peak} KiB");
    assert!(peak - before < GROWTH_MAX_KIB, "coming in they grew the process by {} KiB", peak - before);
    let mut order = order(&server);
    let (before, peak) =
        grown(&process, || together(|number| fetch(&server, order[number as usize - 1], number, LARGEST)));
    println!("out: {before} KiB before, at most {peak} KiB");
    assert!(peak - before < GROWTH_MAX_KIB, "going out they grew the process by {} KiB", peak - before);
    order.sort_unstable();
    assert_eq!(order, (2..=9).collect::<Vec<u64>>(), "each is there once, beside the first");
    assert_eq!(server.end(Signal::TERM), [""; 0]);
}

fn account() -> String {
    format!("user@{DOMAIN}")
}

/// Resident memory before, and the most of it while this was done.
fn grown(process: &Process, work: impl FnOnce()) -> (u64, u64) {
    let before = process.resident();
    process.forget_peak();
    work();
    (before, process.peak())
}

/// Does it for every number from 1 on, all at once.
fn together(work: impl Fn(u64) + Sync) {
    let begin = Barrier::new(MESSAGES as usize);
    thread::scope(|scope| {
        for number in 1..=MESSAGES {
            let (begin, work) = (&begin, &work);
            scope.spawn(move || {
                begin.wait();
                work(number);
            });
        }
    });
}

/// Octets of every line of the body.
const LINE: u64 = 80;

/// Some octets of a message that has `size` of them: a header, padded so that whole lines follow.
fn octets(number: u64, size: u64, from: u64, into: &mut [u8]) {
    let whole = format!(
        "From: a@{DOMAIN}\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@{DOMAIN}>\r\n\
         Subject: number {number:>4}\r\n\r\n"
    );
    let padding = "-".repeat((2 * LINE + size % LINE) as usize - whole.len());
    let header = whole.replace("\r\n\r\n", &format!("{padding}\r\n\r\n"));
    for (offset, octet) in into.iter_mut().enumerate() {
        let at = from + offset as u64;
        let place = at.wrapping_sub(header.len() as u64);
        *octet = match usize::try_from(at).ok().and_then(|at| header.as_bytes().get(at)) {
            Some(octet) => *octet,
            None if place % LINE == LINE - 2 => b'\r',
            None if place % LINE == LINE - 1 => b'\n',
            None => b'a' + ((place / LINE * 7 + place * place + number * 11) % 26) as u8,
        };
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(port: u16) -> Self {
        Self(BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the server listens")))
    }

    fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("the server hears");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the server answers");
        line
    }

    /// The code of the next reply, with its enhanced code if it is none of success.
    fn reply(&mut self) -> String {
        loop {
            let line = self.line();
            if line.as_bytes().get(3) != Some(&b'-') {
                let words = if line.starts_with('2') || line.starts_with('3') { 1 } else { 2 };
                return line.split(' ').take(words).collect::<Vec<_>>().join(" ");
            }
        }
    }

    /// Everything up to the line with this tag.
    fn until(&mut self, tag: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            if line.starts_with(tag) {
                assert!(line.starts_with(&format!("{tag} OK")), "{line}");
                return lines;
            }
            lines.push(line);
        }
    }
}

/// Sends a message; the reply to its end, or to MAIL.
fn send(server: &Server, number: u64, size: u64) -> String {
    let mut client = Client::connect(server.port("smtp"));
    client.reply();
    client.say("EHLO client.test\r\n");
    client.reply();
    client.say(&format!("MAIL FROM:<a@{DOMAIN}>\r\nRCPT TO:<{}>\r\nDATA\r\n", account()));
    let replies = [client.reply(), client.reply(), client.reply()];
    assert_eq!(replies, ["250", "250", "354"]);
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while at < size {
        let length = (size - at).min(PIECE as u64) as usize;
        octets(number, size, at, &mut piece[..length]);
        client.0.get_mut().write_all(&piece[..length]).expect("the server takes it");
        at += length as u64;
    }
    client.say(".\r\n");
    client.reply()
}

/// One octet more than is taken: before it is sent, if it is announced (RFC 1870 §6.1), and after.
fn refused_by_one_octet(server: &Server) {
    let mut client = Client::connect(server.port("smtp"));
    client.reply();
    client.say(&format!("EHLO client.test\r\nMAIL FROM:<a@{DOMAIN}> SIZE={}\r\n", LARGEST + 1));
    assert_eq!([client.reply(), client.reply()], ["250", "552 5.3.4"]);
    client.say(&format!("MAIL FROM:<a@{DOMAIN}> SIZE={LARGEST}\r\n"));
    assert_eq!(client.reply(), "250");
    assert_eq!(send(server, 1, LARGEST + 1), "552 5.3.4");
}

fn reader(server: &Server) -> Client {
    let mut client = Client::connect(server.port("imap"));
    client.line();
    client.say(&format!("a LOGIN {} {PASSWORD}\r\nb EXAMINE INBOX\r\n", account()));
    client.until("a");
    client.until("b");
    client
}

/// The sequence numbers of messages 1, 2 and so on: they came at once, so in any order.
fn order(server: &Server) -> Vec<u64> {
    let mut client = reader(server);
    let numbers = (1..=MESSAGES).map(|number| {
        client.say(&format!("c SEARCH SUBJECT \"number {number:>4}\"\r\n"));
        let found = client.until("c").concat();
        let found = found.trim().strip_prefix("* SEARCH ").and_then(|number| number.parse().ok());
        found.expect("one has this number")
    });
    numbers.collect()
}

/// Fetches a message, and compares it with what was sent as it comes.
fn fetch(server: &Server, sequence: u64, number: u64, size: u64) {
    let mut client = reader(server);
    client.say(&format!("d FETCH {sequence} BODY.PEEK[]\r\n"));
    let line = client.line();
    let literal =
        line.rsplit_once('{').and_then(|(_, rest)| rest.trim_end().strip_suffix('}')?.parse::<u64>().ok());
    let literal = literal.unwrap_or_else(|| panic!("no literal: {line}"));
    // The fields that delivery put before it.
    let added = literal.checked_sub(size).expect("it is all there");
    io::copy(&mut client.0.by_ref().take(added), &mut io::sink()).expect("the server sends it");
    let (mut got, mut sent) = (vec![0; PIECE], vec![0; PIECE]);
    let mut at = 0;
    while at < size {
        let length = (size - at).min(PIECE as u64) as usize;
        client.0.read_exact(&mut got[..length]).expect("the server sends it");
        octets(number, size, at, &mut sent[..length]);
        assert!(got[..length] == sent[..length], "message {number} differs after {at} octets");
        at += length as u64;
    }
    client.until("d");
}
