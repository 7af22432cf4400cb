//! What comes back for what is sent, octet by octet.
#![allow(clippy::unwrap_used, reason = "a test may unwrap, and so may what helps it")]

use std::sync::Arc;
use std::time::Duration;

use mail::Timestamp;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use web::Challenges;
use web::limits::{CONNECTION_DEADLINE, HEADER_MAX};
use world::Clock;

const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
const ANSWER: &str =
    "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.nP1qzpXGymHBrUEepNY9HCsQk7K8KhOypzEt62jcerQ";

/// What a client that sends this gets, and after how long.
async fn answer(request: &[u8]) -> (String, Duration) {
    let clock = Clock::simulated(Timestamp(0));
    let challenges = Challenges::default();
    challenges.answer([(TOKEN.into(), ANSWER.into())].into());
    let (mut client, stream) = tokio::io::duplex(64 * 1024);
    let began = clock.now();
    client.write_all(request).await.unwrap();
    let mut said = Vec::new();
    let read = client.read_to_end(&mut said);
    let ((), read) = tokio::join!(web::serve(stream, Arc::new(challenges), &clock), read);
    read.unwrap();
    (String::from_utf8(said).unwrap(), clock.now() - began)
}

fn asked(method: &str, path: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: mail.example.org\r\n\r\n").into_bytes()
}

#[tokio::test(start_paused = true)]
async fn an_authority_gets_its_answer_and_the_connection_ends() {
    let path = format!("/.well-known/acme-challenge/{TOKEN}");
    let (said, took) = answer(&asked("GET", &path)).await;
    assert!(
        said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with(&format!("\r\n\r\n{ANSWER}")),
        "{said}"
    );
    assert!(said.contains("content-type: application/octet-stream\r\n"), "{said}");
    assert!(said.contains("connection: close\r\n") && took < CONNECTION_DEADLINE, "{said}");
}

#[tokio::test(start_paused = true)]
async fn everything_else_is_not_there_and_is_not_repeated() {
    let path = format!("/.well-known/acme-challenge/{TOKEN}");
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/.well-known/acme-challenge/"),
        ("GET", "/.well-known/acme-challenge/../../../etc/passwd"),
        ("GET", "/.well-known/acme-challenge/%2e%2e%2f"),
        ("GET", "/<script>alert(1)</script>"),
        ("POST", &path),
        ("DELETE", &path),
    ] {
        let (said, _) = answer(&asked(method, path)).await;
        let status = said.lines().next().unwrap_or_default();
        assert!(
            matches!(status, "HTTP/1.1 404 Not Found" | "HTTP/1.1 400 Bad Request"),
            "{method} {path}: {said}"
        );
        assert!(!said.contains("script") && !said.contains("passwd") && !said.contains(ANSWER), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_or_no_http_is_refused() {
    let long = "a".repeat(2 * HEADER_MAX);
    let (said, _) = answer(format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n").as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    let (said, _) = answer(b"EHLO client.example\r\n\r\n").await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 400 "), "{said}");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_finish_is_not_waited_for() {
    let (said, took) = answer(b"GET /.well-known/acme").await;
    assert_eq!((said.as_str(), took), ("", CONNECTION_DEADLINE));
}

proptest! {
    #[test]
    fn no_octets_get_more_than_a_refusal(request in proptest::collection::vec(any::<u8>(), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (said, _) = runtime.block_on(answer(&request));
        prop_assert!(said.is_empty() || said.starts_with("HTTP/1.1 4") || said.starts_with("HTTP/1.0 4"), "{}", said);
    }
}
