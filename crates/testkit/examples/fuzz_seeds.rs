//! Writes the seeds of every fuzz target under a folder, a folder for each, and prints the names of the targets.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::path::PathBuf;
use std::{env, fs, io};

use testkit::fuzz::TARGETS;

#[expect(clippy::disallowed_methods, reason = "seeds that can be made again need no sync")]
fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from).ok_or_else(|| io::Error::other("which folder?"))?;
    for target in TARGETS {
        let folder = folder.join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:04}")), seed)?;
        }
        println!("{}", target.name);
    }
    Ok(())
}
