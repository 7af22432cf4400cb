//! Development commands: `cargo xtask bench | ci | fuzz | rfc | setup | sim | tidy | play FILE`.

// A program for a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

mod bench;
mod ci;
mod durable;
mod fuzz;
mod memory;
mod planted;
mod rfc;
mod run;
mod setup;
mod sim;
mod tidy;

/// Development commands of Waxseal.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything that must pass before a commit is taken; stops at the first failure.
    Ci {
        /// Only the steps whose names contain one of these words.
        only: Vec<String>,
    },
    /// Measures Waxseal beside Postfix and Dovecot (as root) and writes docs/performance.md.
    Bench(bench::Arguments),
    /// Lets libFuzzer search for octets that break a parser or a session.
    Fuzz {
        /// Only these targets.
        only: Vec<String>,
        /// For so long each.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Installs what the tests need, or names it.
    Setup,
    /// Writes docs/conformance.md: which clause is shown by which transcript.
    Rfc,
    /// Simulates the queue's schedule in many weathers.
    Sim {
        /// How many (2,000).
        #[arg(long)]
        seeds: Option<u64>,
        /// Plants known faults in a copy instead, and requires that each is noticed.
        #[arg(long)]
        planted: bool,
    },
    /// Checks rules that no compiler checks.
    Tidy,
    /// Plays one transcript in memory and shows the dialogue.
    Play {
        /// A file under tests/transcripts.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Ci { only } => ci::run(&only),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Fuzz { only, seconds } => fuzz::run(&only, seconds),
        Command::Rfc => rfc::run(),
        Command::Setup => setup::run(),
        Command::Sim { seeds, planted } => sim::run(seeds, planted),
        Command::Tidy => tidy::run(&root()),
        Command::Play { file } => play(&file),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the checkout").into()
}

fn play(file: &Path) -> Result<()> {
    let file = file.canonicalize().with_context(|| format!("{}", file.display()))?;
    let file = file.to_str().context("the path is not UTF-8")?;
    run::cargo(&["run", "--quiet", "--package", "waxseal-testkit", "--example", "play", "--", file], &[])
}
