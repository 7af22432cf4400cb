//! `cargo xtask ci planted`: the proofs of durability, and of what IMAP shows, are themselves checked. Each patch in `tests/planted` takes
//! something away from a copy of the tree that a proof must miss; a proof that passes there proves nothing.
//!
//! The copy and what is built from it stay under `target/planted`, so that only what a patch touches is built again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

use crate::run;

/// Kills are few here: what is planted shows at the first.
const ENVIRONMENT: [(&str, &str); 1] = [("WAXSEAL_KILLS", "3")];

/// A patch, and what its head says of it.
#[derive(Debug, PartialEq, Eq)]
struct Planted {
    file: PathBuf,
    /// Tests that must fail, and what they must say.
    fails: Vec<(String, String)>,
}

/// Plants each patch in turn and requires that the tests it names miss what is gone.
pub(crate) fn run() -> Result<()> {
    let root = crate::root();
    let planted = read(&root.join("tests/planted"))?;
    let tree = root.join("target/planted/tree");
    copy(&root, &tree)?;
    for patch in &planted {
        apply(&tree, &patch.file, true)?;
    }
    for patch in &planted {
        copy(&root, &tree)?;
        apply(&tree, &patch.file, false)?;
        for (test, expected) in &patch.fails {
            let name = patch.file.file_stem().unwrap_or_default().to_string_lossy();
            require_failure(&tree, test, expected).with_context(|| format!("{name} was planted"))?;
            println!("ok: with {name} planted, {test} says: {expected}");
        }
    }
    Ok(())
}

fn read(folder: &Path) -> Result<Vec<Planted>> {
    let mut planted = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let file = entry?.path();
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(crate::sim::PREFIX)) {
            continue; // these are for the simulation
        }
        let text = fs::read_to_string(&file)?;
        let fails = fails(&text);
        if fails.is_empty() {
            bail!("{} has no line `Fails: TEST: what it says`", file.display());
        }
        planted.push(Planted { file, fails });
    }
    if planted.is_empty() {
        bail!("nothing is planted: {} is empty", folder.display());
    }
    planted.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(planted)
}

/// The lines `Fails: TEST: what it says` at the head of a patch.
pub(crate) fn fails(text: &str) -> Vec<(String, String)> {
    let head = text.lines().take_while(|line| !line.starts_with("--- "));
    let named = head.filter_map(|line| line.strip_prefix("Fails: ")?.split_once(": "));
    named.map(|(test, says)| (test.to_owned(), says.to_owned())).collect()
}

/// Makes the copy equal to what the checkout has now. Files that are equal stay untouched, so that cargo sees no change.
fn copy(root: &Path, tree: &Path) -> Result<()> {
    let listed = run::output("git", &["ls-files", "--cached", "--others", "--exclude-standard"])
        .context("`git ls-files` failed: this step needs git and a checkout")?;
    let files: BTreeSet<PathBuf> =
        listed.lines().map(PathBuf::from).filter(|file| root.join(file).is_file()).collect();
    for file in &files {
        let (from, to) = (root.join(file), tree.join(file));
        let bytes = fs::read(&from).with_context(|| format!("{}", from.display()))?;
        if fs::read(&to).ok().as_ref() != Some(&bytes) {
            fs::create_dir_all(to.parent().unwrap_or(tree))?;
            write(&to, &bytes)?;
        }
    }
    remove_others(tree, tree, &files)
}

#[expect(clippy::disallowed_methods, reason = "a copy that can be made again needs no sync")]
pub(crate) fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(file, bytes).with_context(|| format!("{}", file.display()))
}

/// Removes what is not in the checkout any more: cargo would find a stale test or module.
fn remove_others(tree: &Path, folder: &Path, files: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            remove_others(tree, &path, files)?;
        } else if path.strip_prefix(tree).is_ok_and(|relative| !files.contains(relative)) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Applies a patch to the copy, or only looks whether it applies.
pub(crate) fn apply(tree: &Path, patch: &Path, only_look: bool) -> Result<()> {
    let mut git = Command::new("git");
    git.arg("apply").args(only_look.then_some("--check")).arg(patch).current_dir(tree);
    // The copy lies in a checkout, to whose root git would otherwise refer the paths of the patch.
    git.env("GIT_CEILING_DIRECTORIES", tree.parent().unwrap_or(tree));
    let output = git.output().context("`git` cannot be started")?;
    if !output.status.success() {
        bail!(
            "{} does not apply any more: make the same change to the code as it is now and write its difference \
             into the patch\n{}",
            patch.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// Builds and runs one test in the copy; it must be built, fail, and say what is expected.
fn require_failure(tree: &Path, test: &str, expected: &str) -> Result<()> {
    let built = cargo(tree, &["test", "--quiet", "--package", "waxseal", "--test", test, "--no-run"])?;
    if !built.status.success() {
        bail!("the patched tree cannot be built:\n{}", text(&built));
    }
    let arguments =
        ["test", "--quiet", "--package", "waxseal", "--test", test, "--", "--include-ignored", "--nocapture"];
    let output = cargo(tree, &arguments)?;
    if output.status.success() {
        bail!("{test} passed, so it proves nothing: mend the test\n{}", text(&output));
    }
    if !text(&output).contains(expected) {
        bail!("{test} failed without saying `{expected}`:\n{}", text(&output));
    }
    Ok(())
}

fn cargo(tree: &Path, arguments: &[&str]) -> Result<Output> {
    let mut cargo = Command::new("cargo");
    cargo.args(arguments).envs(ENVIRONMENT).current_dir(tree);
    cargo.env("CARGO_TARGET_DIR", tree.with_file_name("build"));
    cargo.output().context("`cargo` cannot be started")
}

pub(crate) fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].iter().map(|part| String::from_utf8_lossy(part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_patch_names_what_fails() {
        let text = "Why.\n\nFails: sync_proof: 250 before: its\nFails: crash: lost\n\n--- a/x\n+++ b/x\n Fails: no: no\n";
        let expected = [("sync_proof", "250 before: its"), ("crash", "lost")];
        assert_eq!(fails(text), expected.map(|(test, says)| (test.to_owned(), says.to_owned())));
    }

    #[test]
    fn every_patch_says_what_fails() {
        let planted = read(&crate::root().join("tests/planted")).unwrap();
        let tests: BTreeSet<&str> =
            planted.iter().flat_map(|it| &it.fails).map(|(test, _)| &**test).collect();
        assert_eq!(tests, BTreeSet::from(["crash", "crash_relay", "imap_views", "sync_proof"]));
    }
}
