//! Debian's Postfix with a configuration and a queue of its own, in a temporary directory.
//!
//! Its master runs as root only, and its agents as the user `postfix`, which its package makes.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::abroad::eventually;

/// A running Postfix. Dropped, it is stopped, and its directory is removed.
pub(crate) struct Postfix {
    master: Child,
    port: u16,
    directory: TempDir,
}

/// `nobody`: Postfix delivers as no user of its own.
const NOBODY: u32 = 65_534;

/// The same in every test.
const MAIN: &[(&str, &str)] = &[
    ("compatibility_level", "3.6"),
    ("mydestination", ""),
    ("alias_maps", ""),
    ("alias_database", ""),
    ("mynetworks", "127.0.0.0/8"),
    ("inet_interfaces", "127.0.0.1"),
    ("inet_protocols", "ipv4"),
    ("disable_dns_lookups", "yes"),
    ("smtpd_peername_lookup", "no"),
    ("smtputf8_enable", "no"),
    ("local_header_rewrite_clients", ""),
    // Content is compared by octets: nothing is broken into lines.
    ("smtp_line_length_limit", "0"),
    ("message_size_limit", "20000000"),
    ("tls_random_source", "dev:/dev/urandom"),
    ("minimal_backoff_time", "1s"),
    ("maximal_backoff_time", "1s"),
    ("queue_run_delay", "1s"),
];

/// Without chroot, for it has no files there.
const MASTER: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

impl Postfix {
    /// Why there can be none here.
    pub(crate) fn obstacle() -> Option<&'static str> {
        (!rustix::process::geteuid().is_root()).then_some("Postfix's master runs as root only")
    }

    /// Starts one. What `beside` writes into its directory, settings may name by `$config_directory`.
    pub(crate) fn start(settings: &[(&str, &str)], beside: &[(&str, &str)]) -> Self {
        assert!(
            Path::new("/usr/sbin/postfix").exists(),
            "install the Debian package postfix (cargo xtask setup does)"
        );
        let directory = tempfile::tempdir().expect("a directory for a test");
        // Its agents look into it as other users.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let port = free_port();
        furnish(directory.path(), port, settings, beside);
        let master = command(directory.path(), "start-fg");
        let postfix = Self { master, port, directory };
        eventually("Postfix listens", || postfix.log().contains("daemon started").then_some(()));
        postfix
    }

    /// Where it takes mail.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("maillog")).unwrap_or_default()
    }

    /// Takes a message that was delivered here, by virtual(8), out of its maildir. Lines end with CRLF, as they came.
    pub(crate) fn take(&self) -> Option<Vec<u8>> {
        let new = fs::read_dir(self.directory.path().join("mail/inbox/new")).ok()?;
        let file = new.flatten().next()?.path();
        let content = fs::read(&file).expect("it was listed");
        fs::remove_file(&file).expect("we are root");
        Some(with_crlf(&content))
    }

    /// Messages in its queue.
    pub(crate) fn queue_length(&self) -> usize {
        let spool = self.directory.path().join("spool");
        ["maildrop", "incoming", "active", "deferred"].iter().map(|queue| files(&spool.join(queue))).sum()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = command(self.directory.path(), "abort").wait();
        let _ = self.master.wait();
    }
}

fn furnish(directory: &Path, port: u16, settings: &[(&str, &str)], beside: &[(&str, &str)]) {
    let user = |option| {
        let id = Command::new("id").args([option, "postfix"]).output().expect("every system has id");
        String::from_utf8_lossy(&id.stdout).trim().parse::<u32>().expect("the package makes the user postfix")
    };
    for (name, owner) in [("etc", None), ("spool", None), ("data", Some(user("-u"))), ("mail", Some(NOBODY))]
    {
        fs::create_dir(directory.join(name)).expect("the directory is empty");
        chown(directory.join(name), owner, owner.map(|_| user("-g"))).expect("we are root");
    }
    let mut main = String::new();
    for (name, value) in MAIN.iter().chain(settings) {
        writeln!(main, "{name} = {value}").expect("a String takes all");
    }
    let root = directory.display();
    for (name, value) in [
        ("queue_directory", "spool"),
        ("data_directory", "data"),
        ("virtual_mailbox_base", "mail"),
        ("maillog_file", "maillog"),
    ] {
        writeln!(main, "{name} = {root}/{value}").expect("a String takes all");
    }
    writeln!(main, "maillog_file_prefixes = {root}").expect("a String takes all");
    let master = format!("127.0.0.1:{port} inet n - n - - smtpd\n{MASTER}");
    for (name, text) in [("main.cf", main.as_str()), ("master.cf", &master)].iter().chain(beside) {
        fs::write(directory.join("etc").join(name), text).expect("the directory is there");
    }
}

/// Runs a command of postfix(1).
fn command(directory: &Path, name: &str) -> Child {
    let mut postfix = Command::new("/usr/sbin/postfix");
    postfix.arg("-c").arg(directory.join("etc")).arg(name);
    postfix.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    postfix.spawn().expect("Postfix is installed")
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a port");
    listener.local_addr().expect("it is bound").port()
}

fn files(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

/// A maildir has lines with LF alone.
fn with_crlf(content: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(content.len() + content.len() / 40);
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => text.extend([line, b"\r\n"].concat()),
            None => text.extend_from_slice(line),
        }
    }
    text
}
