//! `cargo xtask ci`: the steps, one line each.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use crate::{durable, memory, planted, run, setup, sim, tidy};

/// Something that must pass.
struct Step {
    name: &'static str,
    does: Does,
    /// What to do if it fails.
    cure: &'static str,
}

enum Does {
    /// `cargo` with these arguments.
    Cargo(&'static [&'static str]),
    /// `cargo` with these arguments and this value of RUSTDOCFLAGS.
    Doc(&'static [&'static str], &'static str),
    /// A function of ours.
    Own(fn() -> Result<()>),
}

/// In the order in which they run: what fails fast comes first.
const STEPS: &[Step] = &[
    Step { name: "setup", does: Does::Own(setup::run), cure: "install what is named above" },
    Step { name: "format", does: Does::Cargo(&["fmt", "--all", "--check"]), cure: "run `cargo fmt --all`" },
    Step {
        name: "tidy",
        does: Does::Own(tidy_tree),
        cure: "mend the lines named above; xtask/src/tidy has the rules",
    },
    Step {
        name: "clippy",
        does: Does::Cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"]),
        cure: "mend the warnings above; `cargo clippy --workspace --all-targets` shows them again",
    },
    Step {
        name: "doc",
        does: Does::Doc(&["doc", "--quiet", "--workspace", "--no-deps"], "--deny warnings"),
        cure: "mend the comments named above",
    },
    Step {
        name: "build",
        does: Does::Cargo(&["build", "--quiet", "--workspace", "--all-targets"]),
        cure: "mend the errors above",
    },
    Step {
        name: "tests: unit, property, transcripts",
        does: Does::Own(tests),
        cure: "run the failed test alone; `cargo xtask play FILE` shows a transcript",
    },
    Step {
        name: "tests: documentation",
        does: Does::Cargo(&["test", "--quiet", "--workspace", "--doc"]),
        cure: "mend the example named above",
    },
    Step {
        name: "simulation: the schedule, and planted faults",
        does: Does::Own(sim::all),
        cure: "`WAXSEAL_SEED=N cargo test -p waxseal-queue --test schedule -- --nocapture` shows the steps of a seed",
    },
    Step {
        name: "memory: the largest messages",
        does: Does::Own(memory::large_messages),
        cure: "something holds content that should pass through; the figures above say on which way",
    },
    Step {
        name: "memory: connections that wait",
        does: Does::Own(memory::idle_connections),
        cure: "a session, a handler or a buffer has grown; `size_of` of each shows which",
    },
    Step {
        name: "memory: slow clients",
        does: Does::Own(memory::slow_clients),
        cure: "an honest client waits behind slow ones, or what is kept for each has grown; it needs `ulimit -Hn` of 16000",
    },
    Step {
        name: "tls: testssl.sh",
        does: Does::Cargo(&[
            "test",
            "--quiet",
            "--package",
            "waxseal",
            "--test",
            "properties",
            "--",
            "--include-ignored",
            "--exact",
            "testssl::testssl_finds_nothing_above_low",
        ]),
        cure: "mend what it has found; what concerns the test's own authority is excepted in testssl.rs, by name",
    },
    Step {
        name: "durable: killed under load",
        does: Does::Own(durable::crash),
        cure: "run it again with the WAXSEAL_SEED that it printed",
    },
    Step {
        name: "durable: killed while it relays",
        does: Does::Own(durable::crash_relay),
        cure: "run it again with the WAXSEAL_SEED that it printed",
    },
    Step {
        name: "durable: each 250 after its syncs",
        does: Does::Own(durable::sync_proof),
        cure: "the lines of the trace above show what came too late",
    },
    Step {
        name: "durable: settings change under load",
        does: Does::Own(durable::changes),
        cure: "a change dropped a connection, lost a message, or had not the effect named above",
    },
    Step {
        name: "durable: the disk fills up",
        does: Does::Own(durable::disk_full),
        cure: "it needs a mount namespace (`unshare --map-root-user --mount true`), or shows mail that was lost",
    },
    Step {
        name: "durable: planted faults are found",
        does: Does::Own(planted::run),
        cure: "mend the proof that misses a planted fault, or the patch in tests/planted that fits no more",
    },
];

/// Runs every step, or those whose names contain one of these words.
pub(crate) fn run(only: &[String]) -> Result<()> {
    let chosen: Vec<&Step> = STEPS
        .iter()
        .filter(|step| only.is_empty() || only.iter().any(|word| step.name.contains(word.as_str())))
        .collect();
    if chosen.is_empty() {
        bail!(
            "no step has such a name; there are: {}",
            STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join("; ")
        );
    }
    let mut times = Vec::new();
    for (number, step) in chosen.iter().enumerate() {
        heading(&format!("{}/{} {}", number + 1, chosen.len(), step.name));
        let begun = now();
        let done = match step.does {
            Does::Cargo(arguments) => run::cargo(arguments, &[]),
            Does::Doc(arguments, flags) => run::cargo(arguments, &[("RUSTDOCFLAGS", flags)]),
            Does::Own(function) => function(),
        };
        let time = begun.elapsed();
        println!("-- {} after {:.1} s", if done.is_ok() { "passed" } else { "failed" }, time.as_secs_f64());
        times.push((step.name, time));
        done.map_err(|error| {
            anyhow!("{error:#}\n\nci: step `{}` failed. What to do: {}", step.name, step.cure)
        })?;
    }
    heading("all steps passed");
    print!("{}", table(&times));
    Ok(())
}

fn tidy_tree() -> Result<()> {
    tidy::run(&crate::root())
}

/// nextest gives each test a process of its own; without it the same tests run under cargo's runner.
fn tests() -> Result<()> {
    if run::succeeds("cargo", &["nextest", "--version"]) {
        return run::cargo(
            &["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "fail"],
            &[],
        );
    }
    println!("note: cargo-nextest is not there; the same tests run under `cargo test`");
    run::cargo(&["test", "--quiet", "--workspace", "--all-targets", "--no-fail-fast"], &[])
}

fn heading(text: &str) {
    if std::io::stdout().is_terminal() {
        println!("\n\x1b[1m== {text}\x1b[0m");
    } else {
        println!("\n== {text}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the time that a step takes is shown, no more")]
fn now() -> Instant {
    Instant::now()
}

fn table(times: &[(&str, Duration)]) -> String {
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    let rows = times.iter().copied().chain([("together", total)]);
    rows.map(|(name, time)| format!("{:>8.1} s  {name}\n", time.as_secs_f64())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_with_their_sum() {
        let shown = table(&[("format", Duration::from_millis(1500)), ("tidy", Duration::from_millis(500))]);
        assert_eq!(shown, "     1.5 s  format\n     0.5 s  tidy\n     2.0 s  together\n");
    }

    #[test]
    fn an_unknown_step_is_an_error_that_names_the_steps() {
        let error = run(&["no such step".into()]).unwrap_err().to_string();
        assert!(error.contains("clippy; doc; build"), "{error}");
    }
}
