//! `cargo xtask bench`: builds Waxseal and the program in `bench/`, and runs it.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::run;

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Fewer rounds and cases: a few minutes.
    #[arg(long)]
    quick: bool,
    /// Only `mail` (what comes in), only `reading` (IMAP, POP3), or only `sign-in` (while others guess at passwords).
    #[arg(long)]
    only: Option<String>,
    /// Writes the page from the results of the last run.
    #[arg(long)]
    page_only: bool,
    /// For data and results, on the disk that is to be measured (a folder for temporary files).
    #[arg(long)]
    folder: Option<PathBuf>,
    /// A program built already, instead of one built now.
    #[arg(long)]
    waxseal: Option<PathBuf>,
    /// Where the page is written (docs/performance.md).
    #[arg(long)]
    page: Option<PathBuf>,
}

/// Measures, as root, and writes the page.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = crate::root();
    let manifest = root.join("bench/Cargo.toml");
    let built = root.join("target/bench");
    let waxseal = match &arguments.waxseal {
        Some(program) => program.clone(),
        None => {
            run::cargo(&["build", "--release", "--package", "waxseal", "--target-dir", "target"], &[])?;
            root.join("target/release/waxseal")
        }
    };
    let folder = arguments.folder.clone().unwrap_or_else(|| std::env::temp_dir().join("waxseal-bench"));
    let page = arguments.page.clone().unwrap_or_else(|| root.join("docs/performance.md"));
    let paths = [&manifest, &built, &waxseal, &folder, &page].map(|path| path.to_str());
    let [Some(manifest), Some(built), Some(waxseal), Some(folder), Some(page)] = paths else {
        anyhow::bail!("a path is not UTF-8");
    };
    let mut command =
        vec!["run", "--release", "--locked", "--manifest-path", manifest, "--target-dir", built, "--"];
    command.extend(["--waxseal", waxseal, "--folder", folder, "--page", page]);
    command.extend(arguments.quick.then_some("--quick"));
    command.extend(arguments.page_only.then_some("--page-only"));
    command.extend(arguments.only.iter().flat_map(|part| ["--only", part]));
    run::cargo(&command, &[]).context("the measurement ended early")
}
