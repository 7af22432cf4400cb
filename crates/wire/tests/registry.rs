//! Admission, its limits, and who makes room.
#![allow(clippy::unwrap_used, reason = "a test may unwrap, and so may what helps it")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::Timestamp;
use wire::rates::Rate;
use wire::registry::{Arrival, Counts, Entry, Limits, Refused, Registry};
use world::Clock;

const SMALL: Limits = Limits { total_max: 3, per_source_max: Some(2), ..Limits::NONE };

fn arrival(peer: &str, limits: Limits) -> Arrival {
    let peer: SocketAddr = peer.parse().unwrap();
    Arrival { peer, virtual_server: "default".into(), protocol: "smtp", limits }
}

struct World {
    clock: Clock,
    registry: Arc<Registry>,
}

impl World {
    fn new() -> Self {
        let clock = Clock::simulated(Timestamp(1000));
        Self { registry: Registry::new(clock.clone()), clock }
    }

    fn admit(&self, peer: &str) -> Result<Entry, Refused> {
        self.registry.admit(arrival(peer, SMALL))
    }

    async fn pass(&self, secs: u64) {
        self.clock.sleep(Duration::from_secs(secs)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_is_limited_by_address_or_by_64_bits_of_it() {
    let world = World::new();
    let _first = [world.admit("192.0.2.1:1").unwrap(), world.admit("192.0.2.1:2").unwrap()];
    assert_eq!(world.admit("192.0.2.1:3").unwrap_err(), Refused::Source);

    let world = World::new();
    let _first = world.admit("[2001:db8::1]:1").unwrap();
    let second = world.admit("[2001:db8::2]:1").unwrap();
    assert_eq!(world.admit("[2001:db8::3]:1").unwrap_err(), Refused::Source);
    let _other_network = world.admit("[2001:db8:0:1::1]:1").unwrap();
    drop(second);
    let trusted = Limits { total_max: 9, per_source_max: None, ..Limits::NONE };
    let _trusted: Vec<_> = (0..5)
        .map(|_| world.registry.admit(arrival("[2001:db8::1]:2", trusted)).expect("no limit for the trusted"))
        .collect();
    let counts = Counts { live: 7, admitted: 8, refused_source: 1, ..Counts::default() };
    assert_eq!(world.registry.counts(), counts);
}

#[tokio::test(start_paused = true)]
async fn an_entry_gives_up_its_place_when_dropped() {
    let world = World::new();
    for port in 0..100 {
        drop(world.admit(&format!("192.0.2.1:{port}")).unwrap());
    }
    assert_eq!(world.registry.counts(), Counts { admitted: 100, ..Counts::default() });
    world.registry.emptied("default").await;
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_of_all_the_longest_idle_that_has_not_signed_in_makes_room() {
    let world = World::new();
    let signed_in = world.admit("192.0.2.1:1").unwrap();
    signed_in.live().signed_in("anna@example.org");
    world.pass(1).await;
    let oldest = world.admit("192.0.2.2:1").unwrap();
    world.pass(1).await;
    let younger = world.admit("192.0.2.3:1").unwrap();
    assert_eq!(world.admit("192.0.2.4:1").unwrap_err(), Refused::Total, "nobody is idle yet");

    world.pass(10).await;
    let new = world.admit("192.0.2.4:1").unwrap();
    let counts = world.registry.counts();
    assert_eq!((counts.made_room, counts.refused_total, counts.live), (1, 1, 4));

    // The one that was told to go no longer counts; its going changes nothing more.
    drop(oldest);
    world.pass(10).await;
    younger.live().signed_in("berta@example.org");
    let _next = world.admit("192.0.2.5:1").unwrap();
    drop(new);
    assert_eq!(world.admit("192.0.2.6:1").unwrap_err(), Refused::Total);
    assert_eq!(world.registry.counts().made_room, 2);
}

#[tokio::test(start_paused = true)]
async fn virtual_servers_are_counted_and_listed_apart() {
    let world = World::new();
    let _here: Vec<_> = (1..=3).map(|n| world.admit(&format!("192.0.2.{n}:1")).unwrap()).collect();
    let elsewhere = Arrival { virtual_server: "other".into(), ..arrival("192.0.2.9:1", SMALL) };
    let elsewhere = world.registry.admit(elsewhere).unwrap();
    assert_eq!(world.registry.list(None).len(), 4);
    let rows = world.registry.list(Some("other"));
    assert_eq!((rows.len(), rows[0].id, rows[0].since), (1, elsewhere.live().id(), Timestamp(1000)));
    assert_eq!(world.registry.terminate_all(Some("default")), 3);
}

#[tokio::test(start_paused = true)]
async fn a_network_is_limited_by_24_or_by_56_bits() {
    let world = World::new();
    let limits = Limits { per_network_max: Some(2), ..Limits::NONE };
    let admit = |peer: &str| world.registry.admit(arrival(peer, limits));
    for (inside, outside) in [
        (["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"], "192.0.3.1:1"),
        (["[2001:db8::1]:1", "[2001:db8:0:ff::1]:1", "[2001:db8:0:7::1]:1"], "[2001:db8:0:100::1]:1"),
    ] {
        let [first, second, third] = inside;
        let entries = [admit(first).unwrap(), admit(second).unwrap()];
        assert_eq!(admit(third).unwrap_err(), Refused::Network);
        let _outside = admit(outside).unwrap();
        drop(entries);
        let _third = admit(third).unwrap();
    }
    assert_eq!(world.registry.counts().refused_network, 2);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_comes_too_often_is_refused_until_time_has_passed() {
    let world = World::new();
    let rate = Rate { count: 2, per: Duration::from_secs(60) };
    let limits = Limits { rate: Some(rate), ..Limits::NONE };
    let admit = |peer: &str| world.registry.admit(arrival(peer, limits));
    drop((admit("192.0.2.1:1").unwrap(), admit("192.0.2.1:2").unwrap()));
    assert_eq!(admit("192.0.2.1:3").unwrap_err(), Refused::Rate);
    drop(admit("192.0.2.2:1").unwrap());
    world.pass(30).await;
    drop(admit("192.0.2.1:4").unwrap());
    assert_eq!(admit("192.0.2.1:5").unwrap_err(), Refused::Rate);
    assert_eq!(world.registry.counts().refused_rate, 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_counts_as_that_of_the_client_its_peer_speaks_for() {
    let world = World::new();
    let client: SocketAddr = "198.51.100.1:9".parse().unwrap();
    let proxied = world.admit("192.0.2.1:1").unwrap();
    proxied.live().speaks_for(client, SMALL).unwrap();
    assert_eq!(world.registry.list(None)[0].peer, client);
    proxied.live().speaks_for(client, SMALL).unwrap();
    let other = world.admit("192.0.2.1:2").unwrap();
    other.live().speaks_for(client, SMALL).unwrap();
    let third = world.admit("192.0.2.1:3").unwrap();
    assert_eq!(third.live().speaks_for(client, SMALL), Err(Refused::Source));
    assert_eq!(third.live().client(), third.live().peer(), "all is as before");
    drop((proxied, other, third));
    for port in [1, 2] {
        world.admit(&format!("198.51.100.1:{port}")).unwrap();
    }
    assert!(world.registry.list(None).is_empty());
}
