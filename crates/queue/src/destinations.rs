//! Which way mail goes, as the settings say it: to a mailbox here, to fixed hosts, or to the exchangers of its domain.

use std::sync::Arc;

use mail::{Domain, Host};
use protocol::smtp::Dialect;
use protocol::smtp::client::SignInAs;
use settings::Settings;

use crate::accept::LOCAL;
use crate::route::SmartHost;

/// What the settings say about where mail goes.
#[derive(Debug, Default)]
pub struct Destinations {}

/// The way of one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Into mailboxes here.
    Local,
    /// By LMTP to one of these, in order.
    Lmtp(Arc<[SmartHost]>, Arc<Terms>),
    /// By SMTP to one of these, in order.
    SmartHosts(Arc<[SmartHost]>, Arc<Terms>),
    /// By SMTP to whom the DNS names.
    Exchangers(Host, Arc<Terms>),
}

/// How the next hop is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// SMTP or LMTP.
    pub dialect: Dialect,
    /// Whether connections are secured.
    pub tls: Tls,
    /// With what to sign in, if at all.
    pub sign_in: Option<SignInAs>,
}

/// Whether connections are secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Never.
    Off,
    /// Where it is offered; nothing is verified (RFC 7435).
    Offered,
    /// Always; nothing is verified.
    Required,
    /// Always, and the certificate must prove the name.
    Verified,
}

impl Destinations {
    /// Reads the settings.
    pub fn new(_settings: &Settings) -> Self {
        Self {}
    }

    /// The key of the destination of a host's mail: the domain in A-labels and lower case, or the literal in brackets. A
    /// domain named `local` gets a dot, because that name alone means here.
    pub fn of(&self, host: &Host) -> String {
        let name = host.to_string().to_ascii_lowercase();
        if name == LOCAL { format!("{name}.") } else { name }
    }

    /// Whether mail for this domain is handed on by LMTP although the domain is ours.
    pub fn hands_on(&self, _domain: &Domain) -> bool {
        false
    }

    /// Which way a destination's mail goes; none if its name cannot be read.
    pub fn way(&self, destination: &str) -> Option<Way> {
        if destination == LOCAL || destination.starts_with("local/") {
            return Some(Way::Local);
        }
        let host = Host::parse(destination.strip_suffix('.').unwrap_or(destination)).ok()?;
        let terms = Terms { dialect: Dialect::Smtp, tls: Tls::Offered, sign_in: None };
        Some(Way::Exchangers(host, Arc::new(terms)))
    }
}
