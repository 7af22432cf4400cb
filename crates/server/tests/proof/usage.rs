//! What memory a process uses, as Linux tells it.
#![allow(dead_code, reason = "each test program uses a part")]

use std::fs;
use std::path::Path;

/// Lets this process, and the server that it starts, open so many files.
pub(crate) fn may_open(files: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum });
    raised.expect("`ulimit -Hn` allows so many");
}

/// A running server's process.
pub(crate) struct Process(String);

impl Process {
    /// The process that has locked this data directory.
    pub(crate) fn of(data: &Path) -> Self {
        let lock = fs::read_to_string(data.join("lock")).expect("a running server has a lock");
        Self(format!("/proc/{}", lock.trim()))
    }

    /// Memory that is in use now, and what is shared with others by halves, in KiB.
    pub(crate) fn pss(&self) -> u64 {
        self.kib("smaps_rollup", "Pss:")
    }

    /// Resident memory now, in KiB.
    pub(crate) fn resident(&self) -> u64 {
        self.kib("status", "VmRSS:")
    }

    /// The most that was resident since [`forget_peak`](Self::forget_peak), in KiB.
    pub(crate) fn peak(&self) -> u64 {
        self.kib("status", "VmHWM:")
    }

    /// From now on the peak is counted anew.
    #[allow(clippy::disallowed_methods, reason = "no file, but a word to the kernel")]
    pub(crate) fn forget_peak(&self) {
        fs::write(format!("{}/clear_refs", self.0), "5").expect("it is our process");
    }

    fn kib(&self, file: &str, field: &str) -> u64 {
        let text = fs::read_to_string(format!("{}/{file}", self.0)).expect("it runs");
        let line = text.lines().find(|line| line.starts_with(field)).expect("Linux says so");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
    }
}
