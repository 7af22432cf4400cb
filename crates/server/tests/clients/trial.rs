//! A server for one test program: `waxseal try --json`, started, asked and stopped as a person would.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use server::trial::Ready;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_waxseal");

/// A running trial. Dropped, it is interrupted, and with it goes its data unless it was started to keep it.
pub(crate) struct Trial {
    child: Child,
    ready: Ready,
}

impl Trial {
    /// Starts a server and waits until it has shown that mail arrives.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(&std::env::temp_dir(), arguments)
    }

    /// As [`start`](Self::start), with another directory for temporary files.
    pub(crate) fn start_in(temporary: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .env("TMPDIR", temporary)
            .args(["try", "--json"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was built for this test");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).unwrap();
        let ready: Ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
        let trial = Self { child, ready };
        assert!(trial.ready.probe.arrived, "the probe did not arrive");
        trial
    }

    /// What it printed when it was ready.
    pub(crate) fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The port of a protocol.
    pub(crate) fn port(&self, protocol: &str) -> u16 {
        self.ready.ports[protocol]
    }

    /// The path of the authority's certificate.
    pub(crate) fn ca(&self) -> &str {
        self.ready.ca.to_str().expect("temporary paths are UTF-8")
    }

    /// The data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.ready.data
    }

    /// Sends a signal and waits for the end; the exit code, if there is one.
    pub(crate) fn end(&mut self, signal: Signal) -> Option<i32> {
        signal_to(&self.child, signal);
        self.child.wait().expect("it is our child").code()
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.end(Signal::INT);
        }
    }
}

/// Sends a signal to a process that we started.
pub(crate) fn signal_to(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it was not waited for yet");
}
