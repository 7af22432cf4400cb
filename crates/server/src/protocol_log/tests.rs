use std::time::Duration;

use wire::registry::{Arrival, Limits, Registry};

use super::*;

/// A log in a directory of its own, its writer not yet running.
struct Place {
    directory: tempfile::TempDir,
    world: World,
    log: ProtocolLog,
    writer: Writer,
}

impl Place {
    fn new(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let world = World::simulated(Timestamp(1_795_359_600_000), 1);
        let (log, writer) = ProtocolLog::new(LogFile::new(directory.path().join(name), 1 << 20, 1), &world);
        Self { directory, world, log, writer }
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).unwrap()
    }
}

async fn finish(log: &ProtocolLog, writer: Writer) {
    let end = log.0.messages.send(Message::Finish);
    let (sent, ()) = tokio::join!(end, writer.run());
    sent.unwrap();
}

fn said(by: Speaker, text: &str) -> Overheard {
    Overheard { by, text: text.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_line_says_when_who_and_what() {
    let Place { directory, world, log, writer } = Place::new("smtp.log");
    let arrival = Arrival {
        peer: "192.0.2.1:40123".parse().unwrap(),
        virtual_server: "internet".into(),
        protocol: "smtp",
        limits: Limits { total_max: 1, per_source_max: None, ..Limits::NONE },
    };
    let entry = Registry::new(world.clock.clone()).admit(arrival).unwrap();
    let tap = log.tap(entry.live());
    let facts = TlsFacts {
        version: "TLS1.3".into(),
        cipher: "TLS_AES_128_GCM_SHA256".into(),
        server_name: Some("mx\x1b".into()),
        ..TlsFacts::default()
    };
    tap.tell(Event::Connected);
    tap.tell(Event::Said(&said(Speaker::We, "220 mx")));
    world.clock.sleep(Duration::from_millis(123)).await;
    tap.tell(Event::Said(&said(Speaker::Peer, "STARTTLS")));
    tap.tell(Event::Secured(&facts));
    tap.tell(Event::HandshakeFailed);
    tap.tell(Event::Ended(End::HalfClosed));
    finish(&log, writer).await;
    let text = std::fs::read_to_string(directory.path().join("smtp.log")).unwrap();
    let expected = r"2026-11-22T15:00:00.000Z 1 192.0.2.1:40123 - connected to internet
2026-11-22T15:00:00.000Z 1 192.0.2.1:40123 > 220 mx
2026-11-22T15:00:00.123Z 1 192.0.2.1:40123 < STARTTLS
2026-11-22T15:00:00.123Z 1 192.0.2.1:40123 - TLS1.3 with TLS_AES_128_GCM_SHA256, asked for mx\x1b
2026-11-22T15:00:00.123Z 1 192.0.2.1:40123 - TLS handshake failed
2026-11-22T15:00:00.123Z 1 192.0.2.1:40123 - closed by the peer
";
    assert_eq!(text, expected);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_slow_writer_and_what_was_left_out_is_counted() {
    let place = Place::new("smtp.log");
    // Nobody writes yet, and each call returns.
    for number in 0..PROTOCOL_LOG_WAITING_MAX + 5 {
        place.log.0.add(format!("{number}\n"));
    }
    let Place { directory, log, writer, .. } = place;
    finish(&log, writer).await;
    let text = std::fs::read_to_string(directory.path().join("smtp.log")).unwrap();
    let (missing, lines): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.contains("left out"));
    assert_eq!(missing, ["2026-11-22T15:00:00.000Z - - - 5 lines were left out"]);
    let expected: Vec<_> = (0..PROTOCOL_LOG_WAITING_MAX).map(|number| number.to_string()).collect();
    assert_eq!(lines, expected);
}

#[tokio::test(start_paused = true)]
async fn lines_that_a_disk_refused_are_counted_until_it_takes_them() {
    let mut place = Place::new("missing/smtp.log");
    let line = || vec!["a\n".to_owned()];
    place.writer.write_or_count(line()).await;
    place.writer.write_or_count(line()).await;
    assert!(place.writer.failing);
    assert_eq!(place.writer.left_out.load(Ordering::Relaxed), 2);
    std::fs::create_dir(place.directory.path().join("missing")).unwrap();
    place.writer.write_or_count(line()).await;
    assert!(!place.writer.failing);
    assert_eq!(place.text("missing/smtp.log"), "a\n2026-11-22T15:00:00.000Z - - - 2 lines were left out\n");
    assert_eq!(place.world.clock.wall(), Timestamp(1_795_359_600_000));
}

#[tokio::test(start_paused = true)]
async fn a_writer_ends_with_the_last_way_into_its_log() {
    let Place { log, writer, directory, .. } = Place::new("smtp.log");
    log.0.add("a\n".to_owned());
    drop(log);
    writer.run().await;
    assert_eq!(std::fs::read_to_string(directory.path().join("smtp.log")).unwrap(), "a\n");
}
