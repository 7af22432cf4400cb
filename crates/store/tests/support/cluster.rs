//! A PostgreSQL of the test's own: in a temporary directory, on a Unix socket, without syncs.
#![allow(unreachable_pub, reason = "a module of a test program")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Runs until it is dropped, or the test dies.
pub struct Cluster {
    server: Child,
    dir: tempfile::TempDir,
}

impl Cluster {
    /// Starts one, as user `postgres` when the test runs as root.
    ///
    /// # Panics
    /// When PostgreSQL is not installed; the text names the package.
    pub async fn start() -> Self {
        let programs = programs();
        let dir = tempfile::Builder::new().prefix("waxseal-pg").tempdir().unwrap();
        if let Some((user, group)) = postgres_user() {
            std::os::unix::fs::chown(dir.path(), Some(user), Some(group)).unwrap();
        }
        let data = dir.path().join("data");
        let init = command(&programs.join("initdb"))
            .args(["--auth=trust", "--username=waxseal", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(init.status.success(), "initdb: {}", String::from_utf8_lossy(&init.stderr));
        let server = command(&programs.join("postgres"))
            .args(["-F", "-c", "listen_addresses=", "-k"])
            .arg(dir.path())
            .arg("-D")
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let cluster = Self { server, dir };
        cluster.wait(&programs).await;
        cluster
    }

    /// How to connect.
    pub fn target(&self) -> String {
        format!("host={} user=waxseal dbname=postgres", self.dir.path().display())
    }

    /// Makes a database; how to connect to it.
    #[allow(dead_code, reason = "each test program uses a part of it")]
    pub async fn database(&self, name: &str) -> String {
        self.run(&format!("CREATE DATABASE {name}")).await;
        self.target().replace("dbname=postgres", &format!("dbname={name}"))
    }

    /// Runs a script.
    #[allow(dead_code, reason = "each test program uses a part of it")]
    pub async fn run(&self, script: &str) {
        let (target, script) = (self.target(), script.to_owned());
        let run = move || {
            let mut client = postgres::Client::connect(&target, postgres::NoTls).unwrap();
            client.batch_execute(&script).unwrap();
        };
        world::Workers::threads(1).run(run).await;
    }

    async fn wait(&self, programs: &Path) {
        for _ in 0..1200 {
            let ready =
                command(&programs.join("pg_isready")).arg("-h").arg(self.dir.path()).output().unwrap();
            if ready.status.success() {
                return;
            }
            world::Clock::Real.sleep(Duration::from_millis(50)).await;
        }
        panic!("PostgreSQL did not start within a minute");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGKILL to the first process; the others notice and end. What it leaves is removed with the directory.
        let _ended = self.server.kill().and_then(|()| self.server.wait());
    }
}

/// The newest installed PostgreSQL's programs.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = versions.map(|entry| entry.unwrap().path().join("bin")).collect();
    found.retain(|programs| programs.join("postgres").exists());
    found.sort();
    found.pop().expect("no PostgreSQL found: install the Debian package `postgresql`")
}

/// The user and group `postgres`, when the test runs as root, which PostgreSQL refuses to run as.
fn postgres_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let line = line.expect("no user `postgres`: install the Debian package `postgresql`");
    let mut numbers = line.split(':').skip(2).map(|number| number.parse().unwrap());
    Some((numbers.next().unwrap(), numbers.next().unwrap()))
}

/// A command that runs as that user, and ends when the test does.
fn command(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL");
    if let Some((user, group)) = postgres_user() {
        command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
    }
    command.arg(program).env("LC_ALL", "C").current_dir("/");
    command
}
