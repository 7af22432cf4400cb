//! Measures Waxseal beside Postfix and Dovecot, in turn, and writes docs/performance.md. Started by `cargo xtask bench`.
//!
//! ```text
//! work --starts--> server (in a group of its own) <--load-- clients of ours --> sink
//!   \--> meter (processor time, memory, flushes) --> results --> page
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;

use machine::Machine;
use results::Results;
use server::{Places, waxseal};
use tokio::signal::unix::{SignalKind, signal};
use work::{Extent, mail, reading, sign_in};

mod group;
mod load;
mod machine;
mod meter;
mod page;
mod results;
mod server;
mod work;

/// Measures Waxseal beside Postfix and Dovecot.
#[derive(Debug, Parser)]
struct Arguments {
    /// Fewer rounds and cases: a few minutes.
    #[arg(long)]
    quick: bool,
    /// Only mail that comes in, only what is read, or only sign-ins (which are measured no other way).
    #[arg(long)]
    only: Option<Part>,
    /// Writes the page from the results of the last run.
    #[arg(long)]
    page_only: bool,
    /// The program under test.
    #[arg(long)]
    waxseal: PathBuf,
    /// For data and results, on the disk that is to be measured.
    #[arg(long)]
    folder: PathBuf,
    /// Where the page is written.
    #[arg(long)]
    page: PathBuf,
}

/// A half of the work.
#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
enum Part {
    /// SMTP.
    Mail,
    /// IMAP and POP3.
    Reading,
    /// How long a sign-in takes while others guess at passwords. Of Waxseal alone, and printed, not written.
    SignIn,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if arguments.only == Some(Part::SignIn) {
        return measure_sign_in(arguments);
    }
    let file = arguments.folder.join("results.jsonl");
    let results = if arguments.page_only { Results::read(&file)? } else { measure(arguments, &file)? };
    let machine = Machine::here(&arguments.folder, &arguments.waxseal);
    let command = if arguments.quick { "cargo xtask bench --quick" } else { "cargo xtask bench" };
    fs::write(&arguments.page, page::page(&results, &machine, command))?;
    println!("{} is written", arguments.page.display());
    Ok(())
}

fn measure_sign_in(arguments: &Arguments) -> Result<()> {
    fs::create_dir_all(&arguments.folder)?;
    let lock = File::create(arguments.folder.join("lock"))?;
    lock.try_lock().context("another run is under way")?;
    let places = places(arguments);
    waxseal::prepare(&places)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            done = sign_in::measure(&places) => done,
            () = told_to_end() => bail!("told to end"),
        }
    })
}

fn places(arguments: &Arguments) -> Places {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("waxseal-target");
    Places { folder: arguments.folder.clone(), waxseal: arguments.waxseal.clone(), target }
}

fn measure(arguments: &Arguments, file: &Path) -> Result<Results> {
    ready(&arguments.folder)?;
    // Ports and folders are fixed: one run at a time, until this process ends.
    let lock = File::create(arguments.folder.join("lock"))?;
    lock.try_lock().context("another run is under way")?;
    let places = places(arguments);
    let extent = if arguments.quick { Extent::QUICK } else { Extent::FULL };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut results = Results::begin(file)?;
    waxseal::prepare(&places)?;
    runtime.block_on(async {
        tokio::select! {
            // Whichever ends it, the servers end with it.
            done = work(&places, extent, arguments.only, &mut results) => done,
            () = told_to_end() => bail!("told to end"),
        }
    })?;
    Ok(results)
}

async fn work(places: &Places, extent: Extent, only: Option<Part>, results: &mut Results) -> Result<()> {
    if only != Some(Part::Reading) {
        mail::measure(places, extent, results).await?;
    }
    if only != Some(Part::Mail) {
        reading::measure(places, extent, results).await?;
    }
    Ok(())
}

/// SIGINT or SIGTERM.
async fn told_to_end() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        // Without a handler the process ends in its own way.
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// What must be there before anything is measured.
fn ready(folder: &Path) -> Result<()> {
    let user = Command::new("id").arg("-u").output().context("id")?;
    if user.stdout.trim_ascii() != b"0" {
        bail!("this must run as root: Postfix starts as nobody else, and control groups count its processes");
    }
    for (program, package) in
        [("postfix", "postfix"), ("dovecot", "dovecot-imapd dovecot-pop3d dovecot-lmtpd")]
    {
        let there = Command::new("which").arg(program).output()?.status.success();
        ensure!(there, "{program} is missing: apt-get install --no-install-recommends {package}");
    }
    fs::create_dir_all(folder)?;
    let kind = Command::new("stat").args(["--file-system", "--format=%T"]).arg(folder).output()?;
    if kind.stdout.trim_ascii() == b"tmpfs" {
        bail!(
            "{} is in memory, where a sync costs nothing; name a folder on a disk with --folder",
            folder.display()
        );
    }
    Ok(())
}
