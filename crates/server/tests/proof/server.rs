//! The real program in a process of its own, on a data directory of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// The domain of all accounts.
pub(crate) const DOMAIN: &str = "crash.test";
/// The password of all accounts.
pub(crate) const PASSWORD: &str = "secret";

const BINARY: &str = env!("CARGO_BIN_EXE_waxseal");
const PROTOCOLS: [&str; 3] = ["smtp", "pop3", "imap"];
const SETTINGS: &str = r#"
host-name = "mx.crash.test"
trusted-networks = ["127.0.0.0/8"]
authentication-without-tls = ["127.0.0.0/8"]

[log]
level = "info"
format = "json"

[defaults]
connections = { limit = 1000, per-source = 1000 }
messages-per-connection = 4294967295

[[virtual-server]]
name = "internet"
protocol = "smtp"
bind = "127.0.0.1:0"
relay = { allow = ["127.0.0.0/8"] }

[[virtual-server]]
name = "maildrop"
protocol = "pop3"
bind = "127.0.0.1:0"

[[virtual-server]]
name = "mailboxes"
protocol = "imap"
bind = "127.0.0.1:0"
"#;

/// A directory with settings and data.
#[derive(Debug)]
pub(crate) struct Place {
    data: PathBuf,
    settings: PathBuf,
}

impl Place {
    /// Settings, with more of them where a test needs more, the domain and these accounts.
    pub(crate) fn new(directory: &Path, more: &str, accounts: &[String]) -> Self {
        let place = Self { data: directory.join("data"), settings: directory.join("settings.toml") };
        write(&place.settings, &[SETTINGS, more].concat());
        place.command(&["domain", "add", DOMAIN], "");
        for account in accounts {
            place.command(&["account", "add", account, "--password-stdin"], PASSWORD);
        }
        place
    }

    /// Runs a command of the program on this data.
    pub(crate) fn output(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(BINARY);
        command.args(arguments).arg("--data").arg(&self.data);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("the program reads");
        child.wait_with_output().expect("the program ends")
    }

    /// The same, where it must succeed; what it prints.
    pub(crate) fn command(&self, arguments: &[&str], input: &str) -> String {
        let output = self.output(arguments, input);
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "waxseal {} failed: {said}", arguments.join(" "));
        said
    }

    /// What starts the server, as an argument of `wrapper` if there is one.
    pub(crate) fn server(&self, wrapper: &[&str]) -> Command {
        let words: Vec<&str> = wrapper.iter().copied().chain([BINARY, "serve", "--data"]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(&self.data).arg("--settings").arg(&self.settings);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Starts the server; returns when it listens.
    pub(crate) fn serve(&self, wrapper: &[&str]) -> Server {
        let mut command = self.server(wrapper);
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut lines = BufReader::new(process.stderr.take().expect("piped"));
        let log = Arc::<Mutex<Vec<String>>>::default();
        let ports = listening(&mut lines, &log);
        follow(lines, log.clone());
        Server { process, server: self.process(), ports, log, ended: false }
    }

    /// The process that has locked the data directory.
    fn process(&self) -> Pid {
        let lock = std::fs::read_to_string(self.data.join("lock")).expect("a running server has a lock");
        lock.trim().parse().ok().and_then(Pid::from_raw).expect("the lock names its process")
    }
}

/// A running server. Dropped, it is killed.
pub(crate) struct Server {
    /// Our child: the server, or what it runs under.
    process: Child,
    server: Pid,
    ports: BTreeMap<String, u16>,
    log: Arc<Mutex<Vec<String>>>,
    ended: bool,
}

impl Server {
    pub(crate) fn port(&self, protocol: &str) -> u16 {
        self.ports[protocol]
    }

    /// Sends a signal to the server itself, and waits until it and what it runs under have ended; the errors that it
    /// has logged.
    pub(crate) fn end(mut self, signal: Signal) -> Vec<String> {
        kill_process(self.server, signal).expect("it runs");
        self.process.wait().expect("it is our child");
        self.ended = true;
        let log = self.log.lock().expect("no holder panics");
        log.iter().filter(|line| line.contains(r#""level":"ERROR""#)).cloned().collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.ended {
            let _ = kill_process(self.server, Signal::KILL);
            let _ = self.process.wait();
        }
    }
}

/// Reads the log until every protocol has its port.
fn listening(lines: &mut BufReader<ChildStderr>, log: &Mutex<Vec<String>>) -> BTreeMap<String, u16> {
    let mut ports = BTreeMap::new();
    while ports.len() < PROTOCOLS.len() {
        let mut line = String::new();
        let read = lines.read_line(&mut line).expect("the log is UTF-8");
        assert!(read > 0, "the server ended before it listened: {:?}", log.lock());
        let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        let fields = &entry["fields"];
        if let (Some(protocol), Some(port)) = (fields["protocol"].as_str(), fields["port"].as_u64()) {
            ports.insert(protocol.to_owned(), u16::try_from(port).expect("a port"));
        }
        log.lock().expect("no holder panics").push(line);
    }
    ports
}

/// Goes on reading the log, so that the server never waits for a reader.
#[expect(clippy::disallowed_methods, reason = "a client outside the server has threads of its own")]
fn follow(lines: BufReader<ChildStderr>, log: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            log.lock().expect("no holder panics").push(line);
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "settings of a test need no sync")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("the directory is there");
}
