//! Connections that compress (RFC 4978), in memory: what a session sends and receives is the same as without.
#![allow(clippy::unwrap_used, reason = "a test may unwrap, and so may what helps it")]

mod toy;

use std::sync::Arc;
use std::time::Duration;

use protocol::End;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use toy::authority::Authority;
use toy::{Pair, Setup, arrival, line_of};
use wire::limits::{COMPRESSING_MAX, READ_CHUNK};
use wire::tls::Certificates;
use wire::{Registry, Stream, Tls};
use world::Clock;

async fn compressing(mut pair: Pair) -> (Pair, Stream) {
    pair.expect(&["hi"]).await;
    pair.send("DEFLATE\r\n").await;
    pair.expect(&["go"]).await;
    let client = Stream::Memory(pair.client.take().unwrap()).deflated();
    (pair, client)
}

async fn say(client: &mut Stream, text: &str) {
    client.write_all(text.as_bytes()).await.unwrap();
    client.flush().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_the_switch_both_directions_are_compressed_and_the_dialogue_is_the_same() {
    for read_chunk in [1, 7, wire::limits::READ_CHUNK] {
        let setup = Setup { read_chunk, ..Setup::default() };
        let (pair, mut client) = compressing(Pair::new(setup)).await;
        say(&mut client, "ECHO a\r\nLATER 1 b\r\nBIG 100000\r\n").await;
        assert_eq!([line_of(&mut client).await, line_of(&mut client).await], ["a", "b"]);
        let mut big = vec![0; 100_000];
        client.read_exact(&mut big).await.unwrap();
        assert!(big.iter().all(|&octet| octet == b'b'));
        assert!(pair.live.row().sent > 100_000, "counted as the session sees it");
        say(&mut client, "QUIT\r\n").await;
        assert_eq!(line_of(&mut client).await, "bye");
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(pair.ended().await.0, End::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn it_lies_above_tls() {
    let authority = Authority::new();
    let certificates = Certificates::new(&[authority.certify("mx.example.org")]).unwrap();
    let tls = Tls::Implicit(Arc::new(certificates));
    let mut pair = Pair::new(Setup { tls, buffer: 16 * 1024, ..Setup::default() });
    let name = ServerName::try_from("mx.example.org").unwrap();
    let connector = authority.client(&[&rustls::version::TLS13]);
    let stream = connector.connect(name, pair.client.take().unwrap()).await.unwrap();
    let mut client = Stream::MemoryTls(Box::new(stream.into()));
    assert_eq!(line_of(&mut client).await, "hi");
    say(&mut client, "DEFLATE\r\n").await;
    assert_eq!(line_of(&mut client).await, "go");
    let mut client = client.deflated();
    assert!(client.is_tls());
    say(&mut client, "ECHO sealed\r\n").await;
    assert_eq!(line_of(&mut client).await, "sealed");
    drop(client);
    assert_eq!(pair.ended().await.0, End::Cut);
}

#[tokio::test(start_paused = true)]
async fn input_that_is_not_compressed_ends_the_connection() {
    let mut pair = Pair::new(Setup::default());
    pair.expect(&["hi"]).await;
    pair.send("DEFLATE\r\n").await;
    pair.expect(&["go"]).await;
    pair.send("ECHO in the clear\r\n").await;
    let mut rest = Vec::new();
    pair.client().read_to_end(&mut rest).await.unwrap();
    assert_eq!((pair.ended().await.0, rest.len()), (End::Cut, 0));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_takes_no_input_holds_up_what_is_compressed_too() {
    let (pair, mut client) = compressing(Pair::new(Setup::default())).await;
    say(&mut client, "HOLD 20\r\n").await;
    let began = pair.clock.now();
    // 4 MB of commands in a few kilobytes: nothing of them is taken before the time.
    let many = "ECHO x\r\n".repeat(500_000);
    let (mut reading, mut writing) = tokio::io::split(client);
    let (write, read) = tokio::join!(
        async move {
            writing.write_all(many.as_bytes()).await.unwrap();
            writing.flush().await.unwrap();
            writing
        },
        async {
            pair.clock.sleep(Duration::from_secs(19)).await;
            let received = pair.live.row().received;
            assert!(received < 2 * READ_CHUNK as u64, "what came with the line, no more: {received}");
            let mut all = vec![0; 3 * 500_000];
            reading.read_exact(&mut all).await.unwrap();
            all
        }
    );
    assert!(read == "x\r\n".repeat(500_000).as_bytes());
    assert!(pair.clock.now() - began >= Duration::from_secs(20));
    drop((reading, write));
    assert!(matches!(pair.ended().await.0, End::Cut | End::HalfClosed));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_ends_its_compressed_stream_has_closed_its_side() {
    let mut pair = Pair::new(Setup::default());
    pair.expect(&["hi"]).await;
    pair.send("DEFLATE\r\n").await;
    pair.expect(&["go"]).await;
    let last = miniz_oxide::deflate::compress_to_vec(b"ECHO last\r\n", 6);
    pair.client().write_all(&last).await.unwrap();
    let client: DuplexStream = pair.client.take().unwrap();
    let mut client = Stream::Memory(client).deflated();
    assert_eq!(line_of(&mut client).await, "last");
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(pair.ended().await.0, End::HalfClosed);
}

#[test]
fn places_for_compression_are_counted_and_given_back() {
    let registry = Registry::new(Clock::Real);
    let mut arrival = arrival("192.0.2.1:1000");
    arrival.limits = wire::registry::Limits::NONE;
    let mut entries: Vec<_> =
        (0..=COMPRESSING_MAX).map(|_| registry.admit(arrival.clone()).unwrap()).collect();
    let reserved = entries.iter().filter(|entry| entry.live().reserve_compression()).count();
    assert_eq!(reserved, COMPRESSING_MAX);
    assert!(entries[0].live().reserve_compression(), "a place that is had is kept");
    let last = entries.pop().unwrap();
    assert!(!last.live().reserve_compression());
    entries.pop();
    assert!(last.live().reserve_compression());
    assert_eq!(registry.counts().compressing, COMPRESSING_MAX as u64);
    drop((last, entries));
    assert_eq!(registry.counts().compressing, 0);
}
