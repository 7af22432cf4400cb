//! The port through which the administration reaches the running server.

use std::fmt;
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::pin::Pin;

use mail::Timestamp;
use serde::{Deserialize, Serialize};

use crate::response::PressureRow;

use crate::request::Switch;

/// What runs: the server implements it.
pub trait Running: Send + Sync + fmt::Debug {
    /// The virtual servers and how they are.
    fn virtual_servers(&self) -> Vec<VirtualServerRow>;
    /// What the server is short of; none where nobody looks.
    fn pressure(&self) -> Option<PressureRow> {
        None
    }
    /// The live connections, by number.
    fn connections(&self) -> Vec<ConnectionRow>;
    /// Ends a connection; false if there is none of this number.
    fn terminate(&self, id: u64) -> bool;
    /// Ends all connections of a virtual server; says how many.
    fn terminate_all(&self, virtual_server: &str) -> usize {
        let _ = virtual_server;
        0
    }
    /// Starts, pauses or stops a virtual server, or says why it cannot.
    fn switch(&self, virtual_server: &str, to: Switch) -> Switching<'_> {
        let _ = (virtual_server, to);
        Box::pin(ready(Err("the server is not running".to_owned())))
    }
    /// What the properties of a virtual server mean, a line each.
    fn properties(&self, virtual_server: &str) -> Vec<String> {
        let _ = virtual_server;
        Vec::new()
    }
    /// The virtual servers that name this Unix user among their operators.
    fn operated_by(&self, user: &str) -> Vec<String> {
        let _ = user;
        Vec::new()
    }
    /// Whether a settings text differs from what is in force in nothing but the sections of these virtual servers, and in
    /// these not in who operates them.
    fn changes_only(&self, text: &str, virtual_servers: &[String]) -> bool {
        let _ = (text, virtual_servers);
        false
    }
    /// The certificates that are shown, in the order in which they are chosen from.
    fn certificates(&self) -> Vec<CertificateRow> {
        Vec::new()
    }
    /// How it stands with a certificate by ACME, where the settings ask for one.
    fn acme(&self) -> Option<AcmeRow> {
        None
    }
    /// Reads the files of certificates again, and orders anew what could not be ordered; says what has changed, or why
    /// it cannot be used.
    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<String, String>> + Send + '_>> {
        Box::pin(ready(Err("the server is not running".to_owned())))
    }
    /// Where the settings in force come from.
    fn settings_source(&self) -> SettingsSource {
        SettingsSource::Down
    }
    /// Puts settings in force and records them as a revision, or changes nothing and says why.
    fn apply(&self, change: SettingsChange) -> Applying<'_> {
        let _ = change;
        Box::pin(ready(Err("the server is not running".to_owned())))
    }
}

/// The way to another state.
pub type Switching<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// The way to other settings.
pub type Applying<'a> = Pin<Box<dyn Future<Output = Result<SettingsApplied, String>> + Send + 'a>>;

/// Where the settings in force come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingsSource {
    /// Nothing runs.
    Down,
    /// From the revisions in the store: who may change them here, may.
    Revisions,
    /// From this file, which the server was started with and watches. Nothing else changes them.
    File(String),
}

/// Other settings, who brings them, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsChange {
    /// The whole text.
    pub text: String,
    /// A Unix user, or `file`, `start`, `self-check`.
    pub author: String,
    /// May be empty.
    pub reason: String,
}

/// What a change of the settings did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsApplied {
    /// The revision that is in force now.
    pub number: i64,
    /// Virtual servers that are new or different.
    pub changed: Vec<String>,
    /// Virtual servers that are gone.
    pub removed: Vec<String>,
    /// Keys that hold from the next start of the program only.
    pub at_next_start: Vec<String>,
}

/// Nothing runs: for commands that work on the data of a server that is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Down;

impl Running for Down {
    fn virtual_servers(&self) -> Vec<VirtualServerRow> {
        Vec::new()
    }

    fn connections(&self) -> Vec<ConnectionRow> {
        Vec::new()
    }

    fn terminate(&self, _id: u64) -> bool {
        false
    }
}

/// A virtual server and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualServerRow {
    /// Its name.
    pub name: String,
    /// What it speaks: `smtp`.
    pub protocol: String,
    /// Where it listens: `[::]:25`.
    pub bindings: Vec<String>,
    /// `running`, or why not.
    pub state: String,
    /// Connections now.
    pub connections: usize,
}

/// A certificate of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRow {
    /// The domains that it is good for.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// When it expires.
    pub until: Timestamp,
}

/// How it stands with a certificate by ACME.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeRow {
    /// What it is for.
    pub names: Vec<String>,
    /// Where the authority's directory is.
    pub directory: String,
    /// When the next one is ordered.
    pub next: Timestamp,
    /// Why the last order failed, and what helps.
    pub problem: Option<String>,
}

/// A live connection. Text from the peer has its control characters escaped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// Its number.
    pub id: u64,
    /// By which virtual server it was accepted.
    pub virtual_server: String,
    /// What is spoken: `smtp`.
    pub protocol: String,
    /// From where.
    pub peer: SocketAddr,
    /// Since when.
    pub since: Timestamp,
    /// The canonical address of who signed in; empty if nobody did.
    pub account: String,
    /// `TLS1.3`; empty in clear text.
    pub tls: String,
    /// What it does.
    pub doing: String,
    /// Octets that came from the peer, inside TLS.
    pub received: u64,
    /// Octets that went to it.
    pub sent: u64,
    /// Messages taken from it or given to it.
    pub messages: u64,
}
