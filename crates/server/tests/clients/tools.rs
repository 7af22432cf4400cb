//! Runs the programs that others wrote. A program that is missing is an error that names its Debian package.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A client that says nothing for so long has failed.
const SECONDS_MAX: &str = "120";

/// The Debian package of a program; most bear its name.
fn package(program: &str) -> &str {
    match program {
        "script" => "bsdutils",
        "mbsync" => "isync",
        "offlineimap" => "offlineimap3",
        "node" => "nodejs",
        other => other,
    }
}

/// A program of a Debian package. It is ended when it takes too long.
pub(crate) fn tool(name: &str) -> Command {
    let there = Command::new(name).arg("--version").stdin(Stdio::null()).output().is_ok();
    let package = package(name);
    assert!(
        there,
        "there is no program `{name}`: install the Debian package {package} (cargo xtask setup does)"
    );
    let mut command = Command::new("timeout");
    command.args([SECONDS_MAX, name]).env("LC_ALL", "C.UTF-8");
    command
}

/// A script of this folder, run by Python.
pub(crate) fn script(name: &str) -> Command {
    let mut command = tool("python3");
    command.env("PYTHONPATH", packages("python"));
    command.arg(format!("{}/tests/clients/{name}", env!("CARGO_MANIFEST_DIR")));
    command
}

/// A script of this folder, run by Node.
pub(crate) fn node(name: &str) -> Command {
    let mut command = tool("node");
    command.env("NODE_PATH", packages("node_modules"));
    command.arg(format!("{}/tests/clients/{name}", env!("CARGO_MANIFEST_DIR")));
    command
}

/// Where `cargo xtask setup` puts the libraries of another language.
fn packages(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients").join(folder)
}

/// Runs a command with this standard input to its end.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Output {
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(input).unwrap();
    file.rewind().unwrap();
    command.stdin(file).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs a command that has to succeed; what it printed.
pub(crate) fn done(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let output = run(command, input);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// As [`done`], as text with line feeds.
pub(crate) fn said(command: &mut Command) -> String {
    String::from_utf8(done(command, b"")).expect("this client prints UTF-8").replace("\r\n", "\n")
}
