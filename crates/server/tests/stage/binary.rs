//! The real binary as a process of its own: `waxseal serve` with the settings and the data of a fixture.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use server::certificates;
use testkit::binary_stage::{BinaryStage, Server};
use testkit::transcript::{Check, Protocol};

use super::place::{HOST_NAME, Place, Result, nobody_spawns};

/// The program under test.
pub(crate) const WAXSEAL: &str = env!("CARGO_BIN_EXE_waxseal");

/// A server that takes longer than this to start or to end does not.
const START_OR_END_MAX: Duration = Duration::from_secs(30);
/// How often a file or a process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A running server. Dropped, it is killed, and its directory is removed.
#[derive(Debug)]
pub(crate) struct BinaryServer {
    process: Child,
    ports: BTreeMap<String, u16>,
    pub(crate) place: Place,
}

impl BinaryServer {
    /// Starts a server and waits until it listens.
    pub(crate) fn start(place: Place) -> Result<Self> {
        write(&place.beside("settings.toml"), &place.settings())?;
        let mut server = Self { process: serve(&place)?, ports: BTreeMap::new(), place };
        server.await_ports()?;
        Ok(server)
    }

    /// A stage for one play on it.
    pub(crate) fn stage(self) -> Result<BinaryStage<Self>> {
        let authority = certificates::authority(&self.place.data());
        let authority =
            std::fs::read(&authority).map_err(|error| format!("{}: {error}", authority.display()))?;
        BinaryStage::new(self, &authority)
    }

    /// What it said on standard error so far.
    pub(crate) fn log(&self) -> String {
        let mut text = String::new();
        let read = File::open(self.place.beside("log")).and_then(|mut file| file.read_to_string(&mut text));
        read.expect("the log can be read");
        text
    }

    /// Waits until so many octets of content are on its disk.
    pub(crate) fn await_content(&self, octets: u64) -> Result<()> {
        let began = now();
        while content_octets(&self.place.data().join("content")).map_err(|error| error.to_string())? < octets
        {
            if began.elapsed() > START_OR_END_MAX {
                return Err(format!("the content does not reach the disk:\n{}", self.log()));
            }
            pause(LOOK_EVERY);
        }
        Ok(())
    }

    /// What `waxseal trace` prints of a message.
    pub(crate) fn trace(&self, what: &str) -> Result<String> {
        let mut trace = Command::new(WAXSEAL);
        trace.arg("trace").arg(what).arg("--data").arg(self.place.data());
        let traced = spawn(trace.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
        let traced = traced.wait_with_output().map_err(|error| format!("{WAXSEAL}: {error}"))?;
        if !traced.status.success() {
            return Err(String::from_utf8_lossy(&traced.stderr).into_owned());
        }
        String::from_utf8(traced.stdout).map_err(|error| error.to_string())
    }

    /// Its log says where it listens.
    fn await_ports(&mut self) -> Result<()> {
        let log = File::open(self.place.beside("log")).map_err(|error| format!("the log: {error}"))?;
        let mut lines = BufReader::new(log);
        let mut line = String::new();
        let began = now();
        while !self.listens_everywhere() {
            let read = lines.read_line(&mut line).map_err(|error| format!("the log: {error}"))?;
            if read > 0 && line.ends_with('\n') {
                self.ports.extend(listening(&line));
                line.clear();
                continue;
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(format!("the server ended at once, {status}:\n{}", self.log()));
            }
            if began.elapsed() > START_OR_END_MAX {
                return Err(format!("the server does not start:\n{}", self.log()));
            }
            pause(LOOK_EVERY);
        }
        Ok(())
    }

    fn listens_everywhere(&self) -> bool {
        let forms = Protocol::ALL.into_iter().flat_map(|protocol| [(protocol, false), (protocol, true)]);
        forms.into_iter().all(|(protocol, tls)| self.address(protocol, tls).is_some())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).expect("a child has a number");
        kill_process(id, signal).map_err(|error| format!("the server cannot be told to stop: {error}"))
    }

    /// Ends it in good order, if it has not ended.
    pub(crate) fn end(&mut self) -> Result<()> {
        let began = now();
        while self.process.try_wait().map_err(|error| error.to_string())?.is_none() {
            if began.elapsed() < LOOK_EVERY {
                self.signal(Signal::TERM)?;
            }
            if began.elapsed() > START_OR_END_MAX {
                return Err(format!("the server does not end:\n{}", self.log()));
            }
            pause(LOOK_EVERY);
        }
        Ok(())
    }

    /// Ends it as a crash does.
    pub(crate) fn crash(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it again after its end; it listens elsewhere.
    pub(crate) fn restart(&mut self) -> Result<()> {
        std::fs::remove_file(self.place.beside("log")).map_err(|error| format!("the log: {error}"))?;
        self.process = serve(&self.place)?;
        self.ports.clear();
        self.await_ports()
    }
}

impl Drop for BinaryServer {
    fn drop(&mut self) {
        self.crash();
    }
}

impl Server for BinaryServer {
    fn address(&self, protocol: Protocol, tls: bool) -> Option<SocketAddr> {
        let name = format!("{}{}", self.place.speaks(protocol), if tls { "s" } else { "" });
        self.ports.get(&name).map(|&port| SocketAddr::from(([127, 0, 0, 1], port)))
    }

    fn name(&self) -> String {
        HOST_NAME.into()
    }

    fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// The server ends first: what is looked at is what is on disk.
    fn check(&mut self, check: &Check) -> Result<()> {
        self.end()?;
        self.place.check(check)
    }
}

fn serve(place: &Place) -> Result<Child> {
    let log = File::options().create(true).append(true).open(place.beside("log"));
    let log = log.map_err(|error| format!("the log: {error}"))?;
    let mut serve = Command::new(WAXSEAL);
    serve.arg("serve").arg("--data").arg(place.data()).arg("--settings").arg(place.beside("settings.toml"));
    spawn(serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log))
}

fn spawn(command: &mut Command) -> Result<Child> {
    let _alone = nobody_spawns();
    command.spawn().map_err(|error| format!("{WAXSEAL}: {error}"))
}

fn content_octets(directory: &Path) -> std::io::Result<u64> {
    std::fs::read_dir(directory)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

/// Protocol and port of a log line that tells them.
fn listening(line: &str) -> Option<(String, u16)> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields")?;
    let listening = fields.get("message")? == "listening";
    let port = u16::try_from(fields.get("port")?.as_u64()?).ok()?;
    listening.then(|| Some((fields.get("protocol")?.as_str()?.to_owned(), port)))?
}

#[expect(clippy::disallowed_methods, reason = "a file beside the server, not of it")]
fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "whoever watches a process waits in real time")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[expect(clippy::disallowed_methods, reason = "whoever watches a process waits in real time")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
