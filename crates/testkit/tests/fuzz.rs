//! Every fuzz target, on what was found before (`tests/corpus`), on its seeds, and on some thousand changes of both. The same
//! for every run, so that it can fail a commit; `cargo xtask fuzz` looks further.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use libtest_mimic::{Arguments, Failed, Trial};
use testkit::files::tests_folder;
use testkit::fuzz::mutate::{Chance, mutated};
use testkit::fuzz::{TARGETS, Target};

/// Changes tried for each target.
const CHANGES: usize = 400;

fn main() {
    let arguments = Arguments::from_args();
    let trials = TARGETS.iter().flat_map(|target| {
        [
            Trial::test(format!("replayed/{}", target.name), || replayed(target)),
            Trial::test(format!("changed/{}", target.name), || changed(target)),
        ]
    });
    let folders = Trial::test("the corpus has no folder without a target", folders);
    libtest_mimic::run(&arguments, trials.chain([folders]).collect()).exit();
}

/// Files under `tests/corpus/NAME`.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = tests_folder().join("corpus").join(target.name);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("the corpus can be read")).collect()
}

fn replayed(target: &Target) -> Result<(), Failed> {
    corpus(target).iter().chain(&(target.seeds)()).try_for_each(|octets| one(target, octets))
}

fn changed(target: &Target) -> Result<(), Failed> {
    let mut known = corpus(target);
    known.extend((target.seeds)());
    known.push(b"0".to_vec());
    let mut chance = Chance::new(1);
    for _ in 0..CHANGES {
        let (octets, other) = (&known[chance.below(known.len())], &known[chance.below(known.len())]);
        one(target, &mutated(octets, other, &mut chance))?;
    }
    Ok(())
}

fn one(target: &Target, octets: &[u8]) -> Result<(), Failed> {
    catch_unwind(AssertUnwindSafe(|| (target.run)(octets))).map_err(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
        format!("{}\nwith the octets \"{}\"", words.unwrap_or_default(), octets.escape_ascii()).into()
    })
}

fn folders() -> Result<(), Failed> {
    let Ok(entries) = fs::read_dir(tests_folder().join("corpus")) else { return Ok(()) };
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if Target::named(&name).is_none() {
            return Err(format!("tests/corpus/{name}: no target has this name").into());
        }
    }
    Ok(())
}
