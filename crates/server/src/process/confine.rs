//! What the process may do from now on, by the kernel's word: which files it reaches (Landlock), which system calls it
//! makes (seccomp). A hole in the program is then a hole into a small room.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus,
    path_beneath_rules,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// The newest rules that this program knows; an older kernel keeps those that it has.
const LANDLOCK: ABI = ABI::V5;

/// Read by us or by the libraries below us: names (resolv.conf, which may lead to /run), authorities, time zones, and what
/// the kernel tells of this process.
const READ: &[&str] = &[
    "/etc",
    "/usr/share",
    "/usr/lib/ssl",
    "/run/systemd/resolve",
    "/proc/self",
    "/proc/meminfo",
    "/sys/fs/cgroup",
    // Whoever links the program to a C library without getrandom(2) waits for the first and reads the second.
    "/dev/random",
    "/dev/urandom",
];

/// System calls that no mail server makes: other programs, other processes, the machine. Each is answered EPERM.
const FORBIDDEN: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_personality,
    libc::SYS_quotactl,
];

/// Which files the process may reach from now on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Room {
    /// Files and directories to read, with what is below them.
    pub(crate) read: Vec<PathBuf>,
    /// Directories to change, with what is below them.
    pub(crate) write: Vec<PathBuf>,
}

/// How far the kernel went along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Confined {
    files: Held,
    calls: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Whole,
    Partly,
    Not,
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = match self.files {
            Held::Whole => "the files of the settings and of the system's libraries alone (Landlock)",
            Held::Partly => "most of the files of others are out of reach (an older Landlock)",
            Held::Not => "every file of its user: this kernel has no Landlock",
        };
        let calls = if self.calls { "the system calls of a mail server" } else { "every system call" };
        write!(f, "{files}; {calls}")
    }
}

/// Confines this thread, and those that it starts: call it before the first. `room` is what the settings name.
pub(crate) fn confine(room: &Room) -> Confined {
    let files = match files(room) {
        Ok(RulesetStatus::FullyEnforced) => Held::Whole,
        Ok(RulesetStatus::PartiallyEnforced) => Held::Partly,
        Ok(RulesetStatus::NotEnforced) | Err(_) => Held::Not,
    };
    Confined { files, calls: calls().is_some() }
}

fn files(room: &Room) -> Result<RulesetStatus, landlock::RulesetError> {
    let read = READ.iter().map(Path::new).chain(room.read.iter().map(PathBuf::as_path));
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .create()?
        // What is not there is left out: it cannot be reached either.
        .add_rules(path_beneath_rules(read, AccessFs::from_read(LANDLOCK)))?
        .add_rules(path_beneath_rules(&room.write, AccessFs::from_all(LANDLOCK)))?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// Nothing where the machine is of no kind that the filter knows.
fn calls() -> Option<()> {
    let machine = TargetArch::try_from(std::env::consts::ARCH).ok()?;
    let rules: BTreeMap<_, _> = FORBIDDEN.iter().map(|&call| (call, Vec::new())).collect();
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, machine).ok()?;
    let program = BpfProgram::try_from(filter).ok()?;
    seccompiler::apply_filter(&program).ok()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::process::Command;
    use std::thread;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "files and a thread of the test's own")]
    fn nothing_else_is_reached_nor_started() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secret = outside.path().join("secret");
        std::fs::write(&secret, "x").unwrap();
        let room = Room { read: Vec::new(), write: vec![inside.path().to_owned()] };
        // A thread of its own: the other tests are not to be confined.
        let confined = thread::spawn(move || {
            let confined = confine(&room);
            std::fs::write(room.write[0].join("mine"), "x").expect("what the settings name is reached");
            let read = std::fs::read(&secret).map_err(|error| error.kind());
            let started = Command::new("/bin/true").status().map_err(|error| error.kind());
            (confined, read, started)
        });
        let (confined, read, started) = confined.join().unwrap();
        if confined.files != Held::Not {
            assert_eq!(read, Err(ErrorKind::PermissionDenied), "{confined}");
        }
        assert!(started.is_err(), "{started:?}, {confined}");
        assert!(confined.calls, "{confined}");
    }
}
