//! The port through which the administration reaches the running server.

use std::fmt;
use std::net::SocketAddr;

use mail::Timestamp;
use serde::{Deserialize, Serialize};

/// What runs: the server implements it.
pub trait Running: Send + Sync + fmt::Debug {
    /// The virtual servers and how they are.
    fn virtual_servers(&self) -> Vec<VirtualServerRow>;
    /// The live connections, by number.
    fn connections(&self) -> Vec<ConnectionRow>;
    /// Ends a connection; false if there is none of this number.
    fn terminate(&self, id: u64) -> bool;
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

/// A live connection. Text from the peer has its control characters escaped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// Its number.
    pub id: u64,
    /// By which virtual server it was accepted.
    pub virtual_server: String,
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
}
