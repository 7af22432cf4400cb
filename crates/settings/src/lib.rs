//! The settings text: TOML in, typed values out, or every mistake at once.
//!
//! ```text
//! text --read--> raw (as written, with lines) --resolve--> Settings (no blank, no string that is really a type)
//! ```
//!
//! What a key means stands in [`keys::KEYS`]: the manual is made from it, and a key that is not there is a mistake.

pub mod keys;
pub mod limits;
pub mod mistake;
mod named_file;
mod raw;
mod read;
mod resolve;
pub mod resolved;
pub mod values;

pub use keys::{KEYS, Key, Section};
pub use mistake::Mistake;
pub use named_file::{FileKind, NamedFile};
pub use resolve::{files, resolve};
pub use resolved::{
    Binding, CertificateFiles, Commands, ConnectionLimits, Delivery, Journal, LocalDelivery, LocalDomain,
    Log, OutboundConnections, OutboundSignIn, ProtocolLog, Relay, RemoteDomain, Reports, Resolvers, Settings,
    VirtualServer,
};
pub use values::{
    DomainPattern, LogFormat, LogLevel, Mechanism, Network, Networks, NextHop, NextProtocol, OutboundTls,
    Protocol, Reach, Size, TimeSpan, Tls,
};

/// What is served when the text names no virtual server: each protocol on its ports, on every address. It is itself
/// resolved as settings.
pub const DEFAULT_TEXT: &str = include_str!("default.toml");
