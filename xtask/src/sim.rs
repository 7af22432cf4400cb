//! `cargo xtask sim`: the simulation of `queue::schedule`, and the proof that it notices what is wrong.
//!
//! Planted faults are patches `tests/planted/schedule-*.patch`. They go into a copy that holds only what the schedule needs,
//! `mail` and itself: it builds in seconds, and it shows that the schedule is as pure as it says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

use crate::{planted, run};

/// How patches of the schedule begin; the others belong to the proofs of durability.
pub(crate) const PREFIX: &str = "schedule-";

/// As many as `ci` runs: from here on each fault of the weather must have fired often enough.
const SEEDS: u64 = 2_000;

/// A planted fault shows much earlier.
const SEEDS_PLANTED: &str = "200";

/// What of the tree the schedule needs.
const NEEDED: [&str; 4] = [
    "crates/mail/",
    "crates/queue/src/limits.rs",
    "crates/queue/src/schedule/",
    "crates/queue/tests/schedule/",
];

const QUEUE_MANIFEST: &str = r#"[package]
name = "waxseal-queue"
version = "0.1.0"
edition.workspace = true
rust-version.workspace = true

[lib]
name = "queue"

[dependencies]
mail = { workspace = true }
"#;

const QUEUE_LIB: &str = "//! The schedule alone.\n\npub mod limits;\npub mod schedule;\n";

/// Appended to the manifest of the workspace.
const PROFILE: &str = "\n[profile.dev.package.waxseal-queue]\nopt-level = 2\n";

/// What `ci` runs: all seeds, then the planted faults.
pub(crate) fn all() -> Result<()> {
    seeds(SEEDS)?;
    planted()
}

/// What the command runs.
pub(crate) fn run(seeds_count: Option<u64>, with_planted: bool) -> Result<()> {
    if with_planted { planted() } else { seeds(seeds_count.unwrap_or(SEEDS)) }
}

fn seeds(count: u64) -> Result<()> {
    let fast = "profile.dev.package.waxseal-queue.opt-level=2";
    let test = ["test", "--quiet", "--config", fast, "--package", "waxseal-queue", "--test", "schedule"];
    run::cargo(&[&test[..], &["--", "--nocapture"]].concat(), &[("WAXSEAL_SEEDS", &count.to_string())])
}

/// Plants each patch in turn and requires that the simulation names the invariant that it breaks.
fn planted() -> Result<()> {
    let root = crate::root();
    let tree = root.join("target/planted/schedule");
    let patches = patches(&root.join("tests/planted"))?;
    copy(&root, &tree)?;
    let sound = simulate(&tree)?;
    if !sound.status.success() {
        bail!("the simulation fails although nothing is planted:\n{}", planted::text(&sound));
    }
    for (patch, expected) in &patches {
        copy(&root, &tree)?;
        planted::apply(&tree, patch, false)?;
        let name = patch.file_stem().unwrap_or_default().to_string_lossy();
        let output = simulate(&tree).with_context(|| format!("{name} was planted"))?;
        let said = planted::text(&output);
        if output.status.success() || !said.contains(expected) {
            bail!("{name} was planted, and the simulation does not say `{expected}`: mend it\n{said}");
        }
        println!("ok: with {name} planted, the simulation says: {expected}");
    }
    Ok(())
}

/// The patches, and what the simulation must say of each.
fn patches(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut patches = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let file = entry?.path();
        if !file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)) {
            continue;
        }
        let fails = planted::fails(&fs::read_to_string(&file)?);
        let [(_, expected)] = &fails[..] else {
            bail!("{} needs one line `Fails: schedule: what it says`", file.display());
        };
        patches.push((file, expected.clone()));
    }
    if patches.is_empty() {
        bail!("nothing is planted: {} has no {PREFIX}*.patch", folder.display());
    }
    patches.sort();
    Ok(patches)
}

/// Makes the copy from what the checkout has now. What is equal stays untouched, so that cargo sees no change.
fn copy(root: &Path, tree: &Path) -> Result<()> {
    let listed = run::output("git", &["ls-files", "--cached", "--others", "--exclude-standard"])
        .context("`git ls-files` failed: this step needs git and a checkout")?;
    let needed = |file: &&str| NEEDED.iter().any(|start| file.starts_with(start));
    for file in listed.lines().filter(needed).filter(|file| root.join(file).is_file()) {
        put(&tree.join(file), &fs::read(root.join(file))?)?;
    }
    put(&tree.join("Cargo.lock"), &fs::read(root.join("Cargo.lock"))?)?;
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    put(&tree.join("Cargo.toml"), small_workspace(&manifest)?.as_bytes())?;
    put(&tree.join("crates/queue/Cargo.toml"), QUEUE_MANIFEST.as_bytes())?;
    put(&tree.join("crates/queue/src/lib.rs"), QUEUE_LIB.as_bytes())
}

/// The workspace's manifest with no members but the two that are copied.
fn small_workspace(manifest: &str) -> Result<String> {
    let members = manifest.lines().find(|line| line.starts_with("members = ["));
    let members = members.context("Cargo.toml has no line `members = [...]`")?;
    Ok(manifest.replacen(members, r#"members = ["crates/mail", "crates/queue"]"#, 1) + PROFILE)
}

fn put(file: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(file).is_ok_and(|known| known == bytes) {
        return Ok(());
    }
    let folder = file.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder)?;
    planted::write(file, bytes)
}

/// Builds and runs the simulation in the copy; an error if it cannot be built.
fn simulate(tree: &Path) -> Result<Output> {
    let cargo = |arguments: &[&str]| {
        let mut cargo = Command::new("cargo");
        cargo.args(["test", "--quiet", "--package", "waxseal-queue", "--test", "schedule"]).args(arguments);
        cargo.current_dir(tree).env("CARGO_TARGET_DIR", tree.with_file_name("schedule-build"));
        cargo.env("WAXSEAL_SEEDS", SEEDS_PLANTED).env("RUST_BACKTRACE", "0");
        cargo.output().context("`cargo` cannot be started")
    };
    let built = cargo(&["--no-run"])?;
    if !built.status.success() {
        bail!("the copy cannot be built:\n{}", planted::text(&built));
    }
    cargo(&["--", "--nocapture"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_has_two_members() {
        let manifest = fs::read_to_string(crate::root().join("Cargo.toml")).unwrap();
        let small = small_workspace(&manifest).unwrap();
        assert!(small.contains("\nmembers = [\"crates/mail\", \"crates/queue\"]\n"), "{small}");
        assert!(small.ends_with(PROFILE));
    }

    #[test]
    fn the_five_kinds_of_fault_are_planted() {
        let patches = patches(&crate::root().join("tests/planted")).unwrap();
        assert!(patches.len() >= 5, "{patches:?}");
    }
}
