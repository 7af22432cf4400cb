//! What a connection costs that only waits: a thousand of them, in TLS 1.3, signed in and in IDLE, and as many after EHLO, in
//! clear text and in TLS, grow the process by less than 32 KiB each.

// This is a client of the server, outside its world: it waits in real time.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, StreamOwned};

mod proof {
    pub(crate) mod server;
    pub(crate) mod usage;
}

use proof::server::{DOMAIN, PASSWORD, Place, Server, Signal};
use proof::usage::{Process, may_open};

const CONNECTIONS: usize = 1_000;
/// Before it is measured: threads, pools and what is remembered of an account are made once.
const WARMED_UP_BY: usize = 50;
const COST_MAX_KIB: u64 = 32;
/// Descriptors of this process and of the server, which inherits its limit.
const FILES: u64 = 4_096;

#[test]
#[ignore = "needs a machine at rest; `cargo xtask ci memory` runs it"]
fn a_connection_that_waits_costs_little() {
    may_open(FILES);
    let directory = tempfile::tempdir().expect("a directory for a test");
    let place = Place::new(directory.path(), "", &[account()]);
    let data = directory.path().join("data");
    let costs = [
        ("SMTP after EHLO", cost(&place, &data, |server, _| hello(clear(server, "smtp")))),
        (
            "SMTP over TLS after EHLO",
            cost(&place, &data, |server, tls| {
                let mut stream = started(clear(server, "smtp"), tls, &["EHLO client.test", "STARTTLS"]);
                say(&mut stream, "EHLO client.test", "250 ");
                Box::new(stream)
            }),
        ),
        (
            "IMAP over TLS, signed in, in IDLE",
            cost(&place, &data, |server, tls| {
                let mut stream = selected(server, tls);
                say(&mut stream, "d IDLE", "+ ");
                Box::new(stream)
            }),
        ),
        (
            "the same, compressed",
            cost(&place, &data, |server, tls| {
                let mut stream = selected(server, tls);
                say(&mut stream, "d COMPRESS DEFLATE", "d OK");
                idle_compressed(&mut stream);
                Box::new(stream)
            }),
        ),
    ];
    for (what, kib) in costs {
        println!("{kib:5} KiB {what}");
    }
    let dear: Vec<_> = costs.iter().filter(|(_, kib)| *kib >= COST_MAX_KIB).collect();
    assert!(dear.is_empty(), "at least {COST_MAX_KIB} KiB: {dear:?}");
}

fn account() -> String {
    format!("user@{DOMAIN}")
}

/// A connection that stays as it is.
type Waiting = Box<dyn Send>;

/// KiB for each of many connections, rounded up.
fn cost(place: &Place, data: &std::path::Path, open: impl Fn(&Server, &Arc<ClientConfig>) -> Waiting) -> u64 {
    let server = place.serve(&[]);
    let authority = std::fs::read(data.join("tls/ca.pem")).expect("the server has made one");
    let tls = testkit::binary_stage::client_config(&authority).expect("it can be trusted");
    let process = Process::of(data);
    let open_many = |count| (0..count).map(|_| open(&server, &tls)).collect::<Vec<_>>();
    let first = open_many(WARMED_UP_BY);
    thread::sleep(Duration::from_secs(1));
    let before = process.pss();
    let waiting = open_many(CONNECTIONS - WARMED_UP_BY);
    thread::sleep(Duration::from_secs(1));
    let after = process.pss();
    let count = waiting.len() as u64;
    drop((first, waiting));
    server.end(Signal::TERM);
    after.saturating_sub(before).div_ceil(count)
}

/// IMAP over TLS with a mailbox selected.
fn selected(server: &Server, tls: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let mut stream = started(clear(server, "imap"), tls, &["a STARTTLS"]);
    say(&mut stream, &format!("b LOGIN {} {PASSWORD}", account()), "b OK");
    say(&mut stream, "c SELECT INBOX", "c OK");
    stream
}

/// RFC 4978: what is said from now on is compressed.
fn idle_compressed(stream: &mut (impl Read + Write)) {
    let mut deflated = testkit::play::Deflated::default();
    stream.write_all(&deflated.compress(b"e IDLE\r\n")).expect("the server hears");
    stream.flush().expect("the server hears");
    let (mut said, mut buffer) = (Vec::new(), [0; 1024]);
    while !said.starts_with(b"+ ") {
        let count = stream.read(&mut buffer).expect("the server answers");
        said.extend(deflated.decompress(&buffer[..count]).expect("it is compressed"));
        assert!(count > 0, "the server closed");
    }
}

fn clear(server: &Server, protocol: &str) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port(protocol))).expect("it listens");
    read_until(&mut stream, &["220 ", "* OK"]);
    stream
}

fn hello(mut stream: TcpStream) -> Waiting {
    say(&mut stream, "EHLO client.test", "250 ");
    Box::new(stream)
}

/// TLS after these commands.
fn started(
    mut stream: TcpStream,
    tls: &Arc<ClientConfig>,
    commands: &[&str],
) -> StreamOwned<ClientConnection, TcpStream> {
    for command in commands {
        say(
            &mut stream,
            command,
            match command {
                command if command.starts_with("EHLO") => "250 ",
                command if command.ends_with("STARTTLS") && command.len() > 8 => "a OK",
                _ => "220 ",
            },
        );
    }
    let name = ServerName::try_from("mx.crash.test").expect("a name");
    let mut connection = ClientConnection::new(tls.clone(), name).expect("a sound configuration");
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).expect("the handshake succeeds");
    }
    assert_eq!(connection.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    StreamOwned::new(connection, stream)
}

fn say(stream: &mut (impl Read + Write), command: &str, answer: &str) {
    stream.write_all(format!("{command}\r\n").as_bytes()).expect("the server hears");
    stream.flush().expect("the server hears");
    read_until(stream, &[answer]);
}

/// Reads lines up to one that begins so. The server says nothing more before it is asked.
fn read_until(stream: &mut impl Read, beginnings: &[&str]) {
    let mut lines = BufReader::new(stream);
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).expect("the server answers") > 0, "the server closed");
        if beginnings.iter().any(|beginning| line.starts_with(beginning)) {
            return;
        }
    }
}
