//! Ten thousand clients that send an octet a second, and two thousand that never speak, keep no honest client from its 250,
//! and cost little memory; where connections are as many as the server takes, the oldest idle ones make room.

// This is a client of the server, outside its world: it waits in real time.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::io::{BufRead, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

mod proof {
    pub(crate) mod server;
    pub(crate) mod usage;
}

use proof::server::{DOMAIN, Place, Server, Signal};
use proof::usage::{Process, may_open};

const SLOW: usize = 10_000;
const SILENT: usize = 2_000;
/// An honest client has its 250 within this time, and what it takes without any load.
const PATIENCE: Duration = Duration::from_secs(2);
const HONEST: usize = 10;
const COST_MAX_KIB: u64 = 16;
/// Descriptors of this process, and of the server, which raises its own limit as far.
const FILES: u64 = 16_000;
/// Connections that the server takes by default.
const TAKEN: usize = 1_000;
/// Longer than a connection has to be silent to count as idle, and as long as a slow machine may take.
const ROOM_WITHIN: Duration = Duration::from_secs(60);

/// What the settings of the proofs say of connections; addresses of this machine are trusted there, and limited in all alone.
const FEW: &str = "connections = { limit = 1000,";
const MANY: &str = "connections = { limit = 20000,";

#[test]
#[ignore = "opens twelve thousand connections; `cargo xtask ci slow` runs it"]
fn slow_clients_keep_no_honest_one_from_its_250() {
    may_open(FILES);
    let directory = tempfile::tempdir().expect("a directory for a test");
    let place = Place::new(directory.path(), "", &[account()]);
    take_many(&directory.path().join("settings.toml"));
    let server = place.serve(&[]);
    let process = Process::of(&directory.path().join("data"));
    let port = server.port("smtp");
    let usual = honest(port);
    let before = process.pss();

    let silent = crowd(port, SILENT);
    let mut slow = crowd(port, SLOW);
    let over = AtomicBool::new(false);
    let slowest = thread::scope(|scope| {
        scope.spawn(|| trickle(&mut slow, &over));
        let slowest = honest(port);
        let after = process.pss();
        over.store(true, Ordering::Relaxed);
        let cost = after.saturating_sub(before).div_ceil((SLOW + SILENT) as u64);
        println!("{cost} KiB for each of {} connections", SLOW + SILENT);
        assert!(cost < COST_MAX_KIB, "{before} KiB before, {after} KiB with them");
        slowest
    });
    println!("the slowest of {HONEST} honest clients: {usual:?} alone, {slowest:?} among them");
    assert!(slowest < PATIENCE + usual, "{slowest:?}, and {usual:?} without them");
    drop((silent, slow));
    assert_eq!(server.end(Signal::TERM), [""; 0]);
}

#[test]
#[ignore = "opens a thousand connections and waits; `cargo xtask ci slow` runs it"]
fn at_the_limit_the_oldest_idle_make_room() {
    may_open(FILES);
    let directory = tempfile::tempdir().expect("a directory for a test");
    let place = Place::new(directory.path(), "", &[account()]);
    let server = place.serve(&[]);
    let port = server.port("smtp");
    let mut crowd = crowd(port, TAKEN);
    // An octet a second is no dialogue: the slow ones, who came first, are the oldest idle.
    let (slow, _silent) = crowd.split_at_mut(TAKEN / 2);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| trickle(slow, &over));
        let served = served_within(ROOM_WITHIN, || send(&server));
        over.store(true, Ordering::Relaxed);
        assert!(served, "an honest client found no room");
    });
    let began = Instant::now();
    let told = loop {
        if let Some(told) = crowd.iter_mut().find_map(farewell) {
            break told;
        }
        assert!(began.elapsed() < ROOM_WITHIN, "room was made by nobody");
        thread::sleep(Duration::from_millis(50));
    };
    // What a slow one still sent may make a reset of the close, which takes the words along.
    assert!(told.is_empty() || told.starts_with("421 "), "{told}");
    assert_eq!(server.end(Signal::TERM), [""; 0]);
}

/// What a client was told that had to leave; none: it is still there.
fn farewell(stream: &mut TcpStream) -> Option<String> {
    stream.set_nonblocking(true).expect("it is a socket");
    let mut told = [0; 256];
    match stream.read(&mut told) {
        Ok(length) => Some(String::from_utf8_lossy(&told[..length]).into_owned()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(_) => Some(String::new()),
    }
}

#[expect(clippy::unwrap_used, reason = "a test may")]
fn take_many(settings: &std::path::Path) {
    let text = std::fs::read_to_string(settings).unwrap();
    assert!(text.contains(FEW), "{text}");
    std::fs::write(settings, text.replace(FEW, MANY)).unwrap();
}

fn account() -> String {
    format!("user@{DOMAIN}")
}

/// So many clients that were greeted, from several addresses of this machine.
fn crowd(port: u16, count: usize) -> Vec<TcpStream> {
    let mut streams: Vec<_> = (0..count).map(|number| connect(port, number)).collect();
    for stream in &mut streams {
        let mut greeting = BufReader::new(stream);
        assert_eq!(reply(&mut greeting).as_deref(), Some("220"));
    }
    streams
}

/// A connection from an address of this machine, of which each has a hundred.
#[expect(clippy::unwrap_used, reason = "a machine that cannot show itself fails the test")]
fn connect(port: u16, number: usize) -> TcpStream {
    let host = u8::try_from(number / 100).unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 1, host, 1), 0)).into()).unwrap();
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(ROOM_WITHIN)).unwrap();
    stream
}

/// An octet a second from each; whoever was closed is no failure.
fn trickle(streams: &mut [TcpStream], over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        for stream in &mut *streams {
            let _ = stream.write_all(b"x");
        }
        thread::sleep(Duration::from_secs(1).saturating_sub(began.elapsed()));
    }
}

/// The slowest of some clients that come one after the other, a second apart.
fn honest(port: u16) -> Duration {
    let times = (0..HONEST).map(|_| {
        let began = Instant::now();
        assert_eq!(deliver(port), Some("250".to_owned()));
        let took = began.elapsed();
        thread::sleep(Duration::from_secs(1).saturating_sub(took));
        took
    });
    times.max().expect("there are some")
}

fn send(server: &Server) -> bool {
    deliver(server.port("smtp")) == Some("250".to_owned())
}

/// Tries until somebody was served.
fn served_within(time: Duration, mut attempt: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + time;
    while Instant::now() < until {
        if attempt() {
            return true;
        }
        thread::sleep(Duration::from_millis(200));
    }
    false
}

/// The code of the reply to one message; none if the client was not served.
fn deliver(port: u16) -> Option<String> {
    let mut stream = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?);
    stream.get_ref().set_read_timeout(Some(ROOM_WITHIN)).ok()?;
    (reply(&mut stream)? == "220").then_some(())?;
    let commands = [
        "EHLO client.test".to_owned(),
        "MAIL FROM:<ann@elsewhere.test>".into(),
        format!("RCPT TO:<{}>", account()),
        "DATA".into(),
        "From: ann@elsewhere.test\r\n\r\nHello.\r\n.".into(),
    ];
    let mut last = None;
    for command in commands {
        stream.get_mut().write_all(format!("{command}\r\n").as_bytes()).ok()?;
        last = Some(reply(&mut stream)?);
    }
    last
}

/// The code of a whole reply.
fn reply(stream: &mut impl BufRead) -> Option<String> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|&octets| octets > 0)?;
        if line.as_bytes().get(3) == Some(&b' ') {
            return Some(line[..3].to_owned());
        }
    }
}
