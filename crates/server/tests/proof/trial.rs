//! What trials by killing have in common.

use std::time::{Duration, Instant, SystemTime};

use super::server::Place;

/// How often the server is killed.
pub(crate) const KILLS: u32 = 20;

/// How often, and the seed of the moments: `WAXSEAL_KILLS` and `WAXSEAL_SEED`, or as usual and the clock's. The seed is to be
/// printed, so that the same moments can be had again.
pub(crate) fn kills_and_seed() -> (u32, u64) {
    (variable("WAXSEAL_KILLS", KILLS), variable("WAXSEAL_SEED", of_the_clock()))
}

fn variable<T: std::str::FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")),
        Err(_) => default,
    }
}

fn of_the_clock() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    now.as_nanos() as u64
}

/// Starts the server and kills it this soon, whatever it is at: a crash while it recovers from a crash. When it
/// was killed.
pub(crate) fn kill_early(place: &Place, after: Duration) -> Instant {
    let mut server = place.server(&[]).spawn().expect("it started before");
    std::thread::sleep(after);
    let killed = Instant::now();
    server.kill().expect("it runs");
    server.wait().expect("it is our child");
    killed
}

/// The store must find nothing wrong with itself.
pub(crate) fn check(place: &Place) {
    let said = place.command(&["store", "check"], "");
    assert!(said.contains("All is well"), "{said}");
}
