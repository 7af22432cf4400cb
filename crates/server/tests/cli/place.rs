//! A data directory, commands for it, and a server of it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::trial::{PROGRAM, signal_to};

/// One protocol on a free port is enough for what is tested here.
pub(crate) const SETTINGS: &str = "host-name = \"mx.example.org\"\n\n[[virtual-server]]\nname = \"internet\"\nprotocol = \"smtp\"\n\
                        bind = [\"127.0.0.1:0\"]\n";

/// A data directory with commands for it.
pub(crate) struct Place {
    pub(crate) directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Runs a command, its words separated by spaces, with this standard input.
    pub(crate) fn run(&self, line: &str, input: &str) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(line.split(' ')).arg("--data").arg(self.data());
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(input.as_bytes()).unwrap();
        file.rewind().unwrap();
        command.stdin(file).output().unwrap()
    }

    /// A command and what came of it, as on a terminal; what differs from run to run has a name.
    pub(crate) fn told(&self, line: &str, input: &str) -> String {
        let output = self.run(line, input);
        let text = [output.stdout, output.stderr].concat();
        let text = steady(&String::from_utf8(text).unwrap(), &self.data());
        format!("$ waxseal {line}\n{text}[{}]\n", output.status.code().unwrap())
    }

    /// Starts `serve` and waits until it is ready, which its log says.
    pub(crate) fn serve(&self) -> Serving {
        self.serve_with(SETTINGS)
    }

    /// The same with other settings.
    pub(crate) fn serve_with(&self, settings: &str) -> Serving {
        let file = self.directory.path().join("waxseal.toml");
        put(&file, settings);
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--settings"])
            .arg(&file)
            .arg("--data")
            .arg(self.data())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "it did not start: {:?}", child.wait());
        }
        let port = line.rsplit("port=").next().and_then(|port| port.trim().parse().ok());
        Serving { child, port: port.unwrap_or_else(|| panic!("no port in {line:?}")), log }
    }
}

/// A server started by `serve`. It is stopped when it is dropped.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) port: u16,
    log: BufReader<ChildStderr>,
}

impl Serving {
    /// Waits for its end after a signal; the exit code.
    pub(crate) fn end(&mut self) -> Option<i32> {
        let _ = self.log.read_to_end(&mut Vec::new());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal_to(&self.child, Signal::TERM);
            self.end();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a file for the program, which is lost with the test")]
pub(crate) fn put(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

/// Passwords, keys, times, and the data directory are written as names. The note that no server runs stands in none.
fn steady(text: &str, data: &Path) -> String {
    let note = "(The server is not running: this command worked on its data directory itself.)\n";
    let text = text.replace(note, "").replace(data.to_str().unwrap(), "DATA");
    let mut lines = String::new();
    for line in text.lines().filter(|line| !is_rest_of_key(line)) {
        if let Some((before, _)) = line.split_once("; p=") {
            lines.push_str(&format!("{before}; p=KEY\n"));
            continue;
        }
        let words = line.split(' ').map(|word| {
            let is_time = word.len() == 24 && word.ends_with('Z');
            let is_password = word.len() == 23 && word.split('-').all(|part| part.len() == 5);
            match (is_time, is_password) {
                (true, _) => "TIME",
                (_, true) => "PASSWORD",
                _ if word.contains("._domainkey.") => "SELECTOR._domainkey.DOMAIN.",
                _ => word,
            }
        });
        lines.push_str(&words.collect::<Vec<_>>().join(" "));
        lines.push('\n');
    }
    lines
}

/// A line of a key record that goes on with its key.
fn is_rest_of_key(line: &str) -> bool {
    line.starts_with("    \"") && !line.contains("v=DKIM1")
}
