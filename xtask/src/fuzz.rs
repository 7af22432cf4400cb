//! `cargo xtask fuzz`: libFuzzer before the targets of `testkit::fuzz`, with the stable compiler.
//!
//! What breaks a target lies under `target/fuzz/found`, to be put into `tests/corpus/NAME` when it is mended: there it is
//! replayed by the tests of `testkit`.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run;

/// Counters at every edge and comparison, which is what libFuzzer is guided by.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Always the machine's own: with `--target` the flags are not for build scripts, which have no libFuzzer to count for.
const MACHINE: &str = "x86_64-unknown-linux-gnu";

/// Seconds for one input, whole memory and one allocation in MiB, octets of one input.
const BOUNDS: [&str; 4] = ["-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=64", "-max_len=4096"];

/// A target that breaks at one word: a search that does not find it finds nothing.
const PLANTED: &str = "planted";

/// Searches with every target, or with these, for so long each.
pub(crate) fn run(only: &[String], seconds: u64) -> Result<()> {
    let targets = targets()?;
    if let Some(unknown) = only.iter().find(|name| !targets.contains(name)) {
        bail!("`{unknown}` is no target; there are: {}", targets.join(" "));
    }
    build()?;
    let found = crate::root().join("target/fuzz/found");
    fs::create_dir_all(&found)?;
    if search(PLANTED, 60)? {
        bail!("the search did not find what is planted for it");
    }
    println!("ok: what is planted is found");
    let chosen = targets.iter().filter(|name| only.is_empty() || only.contains(name));
    let mut broken = Vec::new();
    for name in chosen {
        println!("-- {name}");
        if !search(name, seconds)? {
            broken.push(name.as_str());
        }
    }
    if !broken.is_empty() {
        bail!("broken: {}; {} has the octets", broken.join(" "), found.display());
    }
    Ok(())
}

/// Writes the seeds, and says which targets there are.
fn targets() -> Result<Vec<String>> {
    let arguments = ["run", "--quiet", "--package", "waxseal-testkit", "--example", "fuzz_seeds"];
    let printed = run::output("cargo", &[&arguments[..], &["--", "target/fuzz/corpus"]].concat());
    Ok(printed.context("the seeds cannot be written")?.lines().map(str::to_owned).collect())
}

fn build() -> Result<()> {
    let arguments =
        ["build", "--quiet", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", MACHINE];
    run::cargo(&arguments, &[("RUSTFLAGS", RUSTFLAGS), ("CARGO_TARGET_DIR", "target/fuzz/build")])
}

/// Whether a target stood a search of so many seconds.
fn search(name: &str, seconds: u64) -> Result<bool> {
    let root = crate::root();
    let grown = root.join("target/fuzz/corpus").join(name);
    fs::create_dir_all(&grown)?;
    let kept = root.join("tests/corpus").join(name);
    let mut command = Command::new(root.join("target/fuzz/build").join(MACHINE).join("release/waxseal-fuzz"));
    command.args(BOUNDS).arg(format!("-max_total_time={seconds}")).arg("-verbosity=0");
    command.arg(format!("-artifact_prefix={}/", root.join("target/fuzz/found").join(name).display()));
    // The first folder grows.
    command.args(
        [Some(grown.as_path()), Some(kept.as_path()).filter(|kept| kept.is_dir())].into_iter().flatten(),
    );
    fs::create_dir_all(root.join("target/fuzz/found").join(name))?;
    command.env("WAXSEAL_FUZZ", name).current_dir(&root);
    quiet_if_planted(&mut command, name);
    Ok(command.status().context("the search cannot be started")?.success())
}

/// What is planted need not be read.
fn quiet_if_planted(command: &mut Command, name: &str) {
    if name == PLANTED {
        command.stderr(std::process::Stdio::null());
    }
}
