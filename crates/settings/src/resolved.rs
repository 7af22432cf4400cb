//! The settings as the program uses them: every value is there and has its type.

use std::net::SocketAddr;
use std::path::PathBuf;

use mail::Domain;

mod delivery;

pub use delivery::{
    Delivery, LocalDelivery, LocalDomain, OutboundConnections, OutboundSignIn, RemoteDomain, Reports,
    Resolvers,
};

use crate::values::{LogFormat, LogLevel, Mechanism, Networks, Protocol, Size, TimeSpan, Tls};

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Our name in banners, EHLO and Received.
    pub host_name: Domain,
    /// Certificates with their keys; if none, the program makes its own.
    pub certificates: Vec<CertificateFiles>,
    /// Peers that are not limited by source.
    pub trusted_networks: Networks,
    /// Peers that may sign in over clear text.
    pub authentication_without_tls: Networks,
    /// What is served. Names differ, and no two bindings are the same.
    pub virtual_servers: Vec<VirtualServer>,
    /// How mail leaves.
    pub delivery: Delivery,
    /// Domains of others whose mail goes a way of its own.
    pub remote_domains: Vec<RemoteDomain>,
    /// Domains of ours whose mail is handed on by LMTP.
    pub local_domains: Vec<LocalDomain>,
    /// Reports of failure.
    pub reports: Reports,
    /// The journal.
    pub journal: Journal,
    /// The log.
    pub log: Log,
}

/// A certificate chain and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, the server's certificate first.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// A named set of bindings and properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualServer {
    /// Its name, unique.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it listens: at least one.
    pub bindings: Vec<Binding>,
    /// How clients may sign in; empty: not at all.
    pub authentication: Vec<Mechanism>,
    /// Who may send to domains that are not ours.
    pub relay: Relay,
    /// The largest message it takes.
    pub message_size_limit: Size,
    /// Recipients of a message.
    pub recipients_per_message: u32,
    /// Messages that a connection may bring.
    pub messages_per_connection: u32,
    /// How many connections it takes.
    pub connections: ConnectionLimits,
    /// Idle time after which a connection is closed.
    pub connection_time_out: TimeSpan,
    /// The same before sign-in, where reading mail needs one.
    pub sign_in_time_out: TimeSpan,
    /// How long an account must wait before its maildrop is opened again; zero: not at all. For POP3.
    pub sign_in_interval: TimeSpan,
    /// After the host name in the banner.
    pub banner: String,
    /// Commands that can be switched.
    pub commands: Commands,
    /// Whether `refused@`, `deferred@`, `slow@` and `bounces@` fail on purpose.
    pub magic_recipients: bool,
    /// Where its dialogues are written, if they are.
    pub protocol_log: Option<ProtocolLog>,
}

/// Who may send to domains that are not ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Relay {
    /// Peers with these addresses. For LMTP: who may deliver here, beside this machine; nothing is relayed from there.
    pub allow: Networks,
    /// Who has signed in.
    pub authenticated: bool,
}

/// Where the dialogues of a virtual server are written. No other has the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolLog {
    /// The file; older ones have `.1`, `.2` and so on behind its name.
    pub file: PathBuf,
    /// Above this a new one is begun.
    pub size_limit: Size,
    /// How many older ones are kept.
    pub keep: u32,
}

/// An address and port, and when a connection to it is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Address and port. `[::]` is every address of IPv6 and IPv4; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS.
    pub tls: Tls,
}

/// How many connections at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all.
    pub limit: u32,
    /// From one source address; trusted networks are not limited.
    pub per_source: u32,
}

/// Commands that can be switched on and off. A server that has them on still tells strangers nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commands {
    /// VRFY.
    pub vrfy: bool,
    /// EXPN.
    pub expn: bool,
}

/// How long stories are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Journal {
    /// Older ones go.
    pub keep: TimeSpan,
    /// Above this the oldest go.
    pub size_limit: Size,
}

/// What is logged and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// This and what is worse.
    pub level: LogLevel,
    /// For people or programs.
    pub format: LogFormat,
}
