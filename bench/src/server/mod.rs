//! The servers that are measured: how each is configured and started. Everything listens on 127.0.0.1.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::group::Group;
use crate::load::imap::Accounts;

pub mod dovecot;
pub mod postfix;
pub mod waxseal;

/// Accounts that every server has: user1@bench.test and so on.
pub const USERS: u64 = 100;
/// Of every account.
pub const PASSWORD: &str = "secret";
/// Where mail is relayed to.
pub const SINK: &str = "127.0.0.1:21600";
/// How long a server may take to answer after its start.
const START_MAX: Duration = Duration::from_secs(30);

/// What a server does with mail that it takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Task {
    /// Keeps it durably. Postfix keeps it in its queue, on hold; Waxseal files it, too.
    Keep,
    /// Files it into mailboxes.
    File,
    /// Hands it on to the sink.
    Relay,
}

/// Where things are.
#[derive(Debug, Clone)]
pub struct Places {
    /// For data and results; its `servers` is emptied.
    pub folder: PathBuf,
    /// The program under test.
    pub waxseal: PathBuf,
    /// `bench/waxseal-target`.
    pub target: PathBuf,
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    /// As the tables call it.
    pub name: String,
    /// Its processes.
    pub groups: Vec<Arc<Group>>,
    /// Where it takes mail.
    pub smtp: Option<String>,
    /// Where it is read.
    pub imap: Option<String>,
    /// Where it is read.
    pub pop3: Option<String>,
}

impl Server {
    /// Its mailboxes.
    pub fn accounts(&self) -> Result<Accounts> {
        let Some(address) = self.imap.clone() else { bail!("{} has no IMAP", self.name) };
        Ok(Accounts { address, user: "user{}@bench.test".into(), password: PASSWORD.into() })
    }
}

/// An empty folder for a server's data.
fn empty_folder(places: &Places, name: &str) -> Result<PathBuf> {
    let folder = places.folder.join("servers").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Waits until something greets there.
async fn greets(address: &str, log: &Path) -> Result<()> {
    let until = Instant::now() + START_MAX;
    while Instant::now() < until {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let mut octet = [0];
            let greeting = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut octet)).await;
            if matches!(greeting, Ok(Ok(1))) {
                return Ok(());
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("nothing answers at {address}; see {}", log.display())
}
