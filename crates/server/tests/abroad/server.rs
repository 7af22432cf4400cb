//! The program in a process of its own, with a settings text.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::eventually;

/// The password of all accounts.
pub(crate) const PASSWORD: &str = "secret";
/// What the server calls itself.
pub(crate) const HOST_NAME: &str = "mx.here.example";
/// The domain of all accounts.
pub(crate) const DOMAIN: &str = "here.example";

const PROGRAM: &str = env!("CARGO_BIN_EXE_waxseal");

/// Who is near may relay. What is read is read by POP3.
const SETTINGS: &str = r#"
host-name = "mx.here.example"
authentication-without-tls = ["127.0.0.0/8"]

[log]
format = "json"

[[virtual-server]]
name = "internet"
protocol = "smtp"
bind = "127.0.0.1:0"
relay = { allow = ["127.0.0.0/8"] }

[[virtual-server]]
name = "submission"
protocol = "submission"
bind = "127.0.0.1:0"

[[virtual-server]]
name = "submissions"
protocol = "submissions"
bind = "127.0.0.1:0"

[[virtual-server]]
name = "maildrop"
protocol = "pop3"
bind = "127.0.0.1:0"

"#;
const BINDINGS: usize = 4;

/// A running server. Dropped, it is killed, and its directory is removed.
pub(crate) struct Server {
    process: Child,
    ports: BTreeMap<String, u16>,
    directory: TempDir,
}

impl Server {
    /// Starts a server with these accounts of [`DOMAIN`], and more settings.
    pub(crate) fn start(accounts: &[&str], more: &str) -> Self {
        Self::start_logging("info", accounts, more)
    }

    /// The same with a log of this level.
    pub(crate) fn start_logging(level: &str, accounts: &[&str], more: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory for a test");
        let settings = directory.path().join("settings.toml");
        let common = SETTINGS.replace("[log]\n", &format!("[log]\nlevel = \"{level}\"\n"));
        write(&settings, &format!("{common}{more}"));
        let data = directory.path().join("data");
        command(&data, &["domain", "add", DOMAIN], "");
        for account in accounts {
            command(&data, &["account", "add", &format!("{account}@{DOMAIN}"), "--password-stdin"], PASSWORD);
        }
        let log = directory.path().join("log");
        let stderr = File::create(&log).expect("the directory is there");
        let mut serve = Command::new(PROGRAM);
        serve.arg("serve").arg("--data").arg(&data).arg("--settings").arg(&settings);
        let process = serve.stdin(Stdio::null()).stderr(stderr).spawn().expect("the program starts");
        let mut server = Self { process, ports: BTreeMap::new(), directory };
        server.ports = eventually("every port is open", || server.listening());
        server
    }

    /// The port of a protocol: `smtp`, `submissions`.
    pub(crate) fn port(&self, protocol: &str) -> u16 {
        self.ports[protocol]
    }

    /// What it said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).expect("the log can be read")
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The certificate of the authority that certified the server.
    pub(crate) fn authority(&self) -> PathBuf {
        server::certificates::authority(&self.data())
    }

    /// Runs a command of the program on its data, and says what it printed.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        command(&self.data(), arguments, "")
    }

    /// Kills it, as a crash would. What it wrote stays.
    pub(crate) fn kill(&mut self) {
        let _ = kill_process(Pid::from_child(&self.process), Signal::KILL);
        let _ = self.process.wait();
    }

    /// The messages in an account's maildrop.
    pub(crate) fn maildrop(&self, account: &str) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let account = format!("{account}@{DOMAIN}");
        let read = super::pop3::read_all(self.port("pop3"), &account, |message| messages.push(message));
        read.unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
        messages
    }

    fn listening(&mut self) -> Option<BTreeMap<String, u16>> {
        let log = self.log();
        let ended = self.process.try_wait().expect("it is our child");
        assert!(ended.is_none(), "the server ended at once: {log}");
        let ports: BTreeMap<_, _> = log.lines().filter_map(port).collect();
        (ports.len() == BINDINGS).then_some(ports)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Protocol and port of a log line that tells them.
fn port(line: &str) -> Option<(String, u16)> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields")?;
    let port = u16::try_from(fields.get("port")?.as_u64()?).ok()?;
    (fields.get("message")? == "listening")
        .then(|| Some((fields.get("protocol")?.as_str()?.to_owned(), port)))?
}

fn command(data: &std::path::Path, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--data").arg(data);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("the program reads");
    let output = child.wait_with_output().expect("the program ends");
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
    assert!(output.status.success(), "waxseal {}: {said}", arguments.join(" "));
    said
}

fn write(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).expect("the directory is there");
}
