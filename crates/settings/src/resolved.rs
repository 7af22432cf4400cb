//! The settings as the program uses them: every value is there and has its type.

use std::path::PathBuf;

use mail::Domain;

mod server;

mod delivery;
mod system;

pub use delivery::{
    Delivery, LocalDelivery, LocalDomain, Masquerade, OutboundConnections, OutboundSignIn, RemoteDomain,
    Reports, Resolvers,
};
pub use server::{
    Binding, Commands, ConnectionControl, ConnectionLimits, Errors, Keywords, ProtocolLog, Relay,
    SendingLimits, VirtualServer, When,
};
pub use system::{Acme, BackPressure, Fetch, Introspection, Levels, OAuth, Pickup, SignInLimits, TokenCheck};

use crate::values::{LogFormat, LogLevel, Networks, Size, TimeSpan};

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Our name in banners, EHLO and Received.
    pub host_name: Domain,
    /// Whom the program becomes before it listens, if it was started as root: a Unix user.
    pub user: Option<String>,
    /// Whether it gives up what it does not need of the system (Landlock, seccomp).
    pub confinement: bool,
    /// Certificates with their keys; if none, the program makes its own.
    pub certificates: Vec<CertificateFiles>,
    /// Certificates from an authority, instead or beside these.
    pub acme: Option<Acme>,
    /// PEM files with the authorities whose certificates clients may show.
    pub client_certificate_authorities: Vec<PathBuf>,
    /// Peers that are not limited by source.
    pub trusted_networks: Networks,
    /// Peers that may sign in over clear text.
    pub authentication_without_tls: Networks,
    /// What becomes of those who fail to sign in.
    pub sign_in: SignInLimits,
    /// Who gives the tokens that clients may sign in with.
    pub oauth: Option<OAuth>,
    /// What is fetched from the web.
    pub fetch: Fetch,
    /// When mail is taken slowly, and when not at all.
    pub back_pressure: BackPressure,
    /// A directory whose files are sent.
    pub pickup: Pickup,
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
