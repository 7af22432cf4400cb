//! What a tap is told, in which order.
#![allow(clippy::unwrap_used, reason = "a test may unwrap, and so may what helps it")]

mod toy;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::Speaker;
use toy::authority::Authority;
use toy::{PATIENCE, Pair, Setup};
use wire::tap::Event;
use wire::tls::Certificates;
use wire::{Tap, Tls};

type Told = Arc<Mutex<Vec<String>>>;

/// A connection with a tap, and what it was told.
fn tapped(setup: Setup) -> (Pair, Told) {
    let told = Told::default();
    let tell = {
        let told = told.clone();
        move |event: Event<'_>| told.lock().unwrap().push(show(event))
    };
    (Pair::new(Setup { tap: Some(Tap::new(tell)), ..setup }), told)
}

fn show(event: Event<'_>) -> String {
    match event {
        Event::Said(line) if line.by == Speaker::Peer => format!("< {}", line.text),
        Event::Said(line) => format!("> {}", line.text),
        other => format!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn every_line_once_and_in_order_however_it_is_cut() {
    for read_chunk in [1, 7, wire::limits::READ_CHUNK] {
        let (mut pair, told) = tapped(Setup { read_chunk, ..Setup::default() });
        pair.send("ECHO a\r\nNOW b\r\nLATER 5 c\r\nQUIT\r\n").await;
        pair.expect(&["hi", "a", "b", "c", "bye"]).await;
        pair.ended().await;
        // The toy greets before anybody can ask it to listen.
        let expected = [
            "Connected",
            "< ECHO a",
            "> a",
            "< NOW b",
            "> b",
            "< LATER 5 c",
            "> c",
            "< QUIT",
            "> bye",
            "Ended(Closed)",
        ];
        assert_eq!(*told.lock().unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_word_is_told_too() {
    let (mut pair, told) = tapped(Setup::default());
    pair.expect(&["hi"]).await;
    pair.clock.sleep(PATIENCE + Duration::from_secs(1)).await;
    pair.ended().await;
    assert_eq!(*told.lock().unwrap(), ["Connected", "> timeout", "Ended(Closed)"]);

    let (mut pair, told) = tapped(Setup::default());
    pair.expect(&["hi"]).await;
    pair.client = None;
    pair.ended().await;
    assert_eq!(told.lock().unwrap().last().unwrap(), "Ended(HalfClosed)");
}

#[tokio::test(start_paused = true)]
async fn handshakes_are_told_whether_they_succeed_or_fail() {
    let authority = Authority::new();
    let certificates = Arc::new(Certificates::new(&[authority.certify("mx.example.org")]).unwrap());
    let setup = || Setup { tls: Tls::Offered(certificates.clone()), buffer: 16 * 1024, ..Setup::default() };
    let (mut pair, told) = tapped(setup());
    pair.send("STARTTLS\r\n").await;
    pair.expect(&["hi", "go"]).await;
    let (client, name) = (pair.client.take().unwrap(), "mx.example.org".try_into().unwrap());
    let client = authority.client(&[&rustls::version::TLS13]).connect(name, client).await.unwrap();
    pair.rest().await;
    let facts = pair.live.row().tls.unwrap();
    drop(client);
    pair.ended().await;
    let secured = format!("{:?}", Event::Secured(&facts));
    assert_eq!(*told.lock().unwrap(), ["Connected", "< STARTTLS", "> go", &secured, "Ended(Cut)"]);

    let (mut pair, told) = tapped(setup());
    pair.send("STARTTLS\r\n").await;
    pair.expect(&["hi", "go"]).await;
    pair.send("this is no handshake\r\n").await;
    pair.ended().await;
    assert_eq!(*told.lock().unwrap(), ["Connected", "< STARTTLS", "> go", "HandshakeFailed", "Ended(Cut)"]);
}
