//! The settings text: TOML in, typed values out, or every mistake at once.
//!
//! ```text
//! text --read--> raw (as written, with lines) --resolve--> Settings (no blank, no string that is really a type)
//! ```
//!
//! What a key means stands in [`keys::KEYS`]: the manual is made from it, and a key that is not there is a mistake.

mod explain;
pub mod keys;
pub mod limits;
pub mod mistake;
mod named_file;
mod raw;
mod read;
mod resolve;
pub mod resolved;
pub mod values;

pub use explain::explain;
pub use keys::{KEYS, Key, Section};
pub use mistake::Mistake;
pub use named_file::{FileKind, NamedFile};
pub use resolve::{files, resolve};
pub use resolved::{
    Acme, BackPressure, Binding, CertificateFiles, Commands, ConnectionControl, ConnectionLimits, Delivery,
    Errors, Fetch, Introspection, Journal, Keywords, Levels, LocalDelivery, LocalDomain, Log, Masquerade,
    OAuth, OutboundConnections, OutboundSignIn, Pickup, ProtocolLog, Relay, RemoteDomain, Reports, Resolvers,
    SendingLimits, Settings, SignInLimits, TokenCheck, VirtualServer, When,
};
pub use values::{
    Challenge, ClientCertificates, DomainPattern, Hello, LogFormat, LogLevel, MaySendAs, Mechanism, Network,
    Networks, NextHop, NextProtocol, OutboundTls, Pattern, Protocol, Rate, Reach, ServerState, Size,
    TimeSpan, Tls, TlsVersion, Url,
};

/// What is served when the text names no virtual server: each protocol on its ports, on every address. It is itself
/// resolved as settings.
pub const DEFAULT_TEXT: &str = include_str!("default.toml");
