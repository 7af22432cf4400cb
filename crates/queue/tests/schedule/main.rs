//! Level-1 simulation of `queue::schedule`: a map as disk, dice as weather, a jump to the next event as clock.
//!
//! `WAXSEAL_SEEDS` says how many seeds (100); from 2,000 on, each fault must have fired at least 100 times.
//! `WAXSEAL_SEED` runs one alone and prints its steps.

// The report and the steps are for whoever runs it.
#![allow(clippy::print_stdout)]

use std::sync::atomic::{AtomicU64, Ordering};

use simulation::{Report, Tells};
use weather::{FAULTS, Fired};

mod disk;
mod ledger;
mod node;
mod simulation;
mod weather;

/// With so many seeds, a fault that fires less often than this is not tested.
const SEEDS_FULL: u64 = 2_000;
const FIRED_MIN: u64 = 100;

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Runs a seed; its panic is a violation too.
fn run(seed: u64, tells: Tells) -> Report {
    std::panic::catch_unwind(|| simulation::run(seed, tells)).unwrap_or_else(|_| Report {
        fired: Fired::default(),
        trace: 0,
        violation: Some("the schedule panicked".into()),
    })
}

/// All seeds on two threads; the violations by seed, and what fired.
fn run_all(seeds: std::ops::Range<u64>, tells: Tells) -> (Vec<(u64, String)>, Fired) {
    let next = AtomicU64::new(seeds.start);
    let worker = || {
        let (mut violations, mut fired) = (Vec::new(), Fired::default());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return (violations, fired);
            }
            let report = run(seed, tells);
            fired.add(&report.fired);
            violations.extend(report.violation.map(|violation| (seed, violation)));
        }
    };
    let (mut violations, mut fired) = (Vec::new(), Fired::default());
    std::thread::scope(|scope| {
        let workers = [scope.spawn(worker), scope.spawn(worker)];
        for worker in workers {
            let (found, more) = worker.join().expect("a worker catches panics");
            violations.extend(found);
            fired.add(&more);
        }
    });
    violations.sort();
    (violations, fired)
}

#[test]
fn the_invariants_hold_in_every_weather() {
    let (seeds, tells) = match number("WAXSEAL_SEED") {
        Some(seed) => (seed..seed + 1, Tells::Steps),
        None => (0..number("WAXSEAL_SEEDS").unwrap_or(100), Tells::Nothing),
    };
    let count = seeds.end - seeds.start;
    let (violations, fired) = run_all(seeds, tells);
    println!("{count} seeds; how often each fault fired:");
    for fault in FAULTS {
        println!("{:>9}  {fault:?}", fired.times(fault));
    }
    for (seed, violation) in violations.iter().take(10) {
        println!("seed {seed}: {violation}");
    }
    assert!(violations.is_empty(), "{} of {count} seeds broke an invariant", violations.len());
    let rare: Vec<_> = FAULTS.into_iter().filter(|fault| fired.times(*fault) < FIRED_MIN).collect();
    assert!(count < SEEDS_FULL || rare.is_empty(), "fired fewer than {FIRED_MIN} times: {rare:?}");
}

#[test]
fn the_same_seed_leaves_the_same_trace() {
    for seed in 0..10 {
        let (one, other) = (run(seed, Tells::Nothing), run(seed, Tells::Nothing));
        assert_eq!(one, other, "seed {seed}");
        assert_ne!(one.trace, run(seed + 1, Tells::Nothing).trace, "seed {seed}");
    }
}
