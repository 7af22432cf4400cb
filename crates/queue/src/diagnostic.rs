//! Why mail did not go on, or how it did: said to senders by reports, to administrators by stories.

use std::fmt;

use mail::{EnhancedCode, Reply};

/// Temporary or permanent, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// RFC 3463; its class agrees with the [`Outcome`](crate::agent::Outcome) that it explains.
    pub status: EnhancedCode,
    /// In words, for the sender and the administrator: one line.
    pub because: String,
    /// Who said so, if it was a peer's reply that decided.
    pub remote: Option<Remote>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.because)
    }
}

/// A peer's own words, for Remote-MTA and Diagnostic-Code of a report (RFC 3464 §2.3.5, §2.3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its name, or its address in brackets where it has none.
    pub host: String,
    /// What it said.
    pub reply: Reply,
}

impl Diagnostic {
    /// One that is ours.
    pub fn ours(status: (u8, u16, u16), because: impl Into<String>) -> Self {
        Self { status: EnhancedCode(status.0, status.1, status.2), because: because.into(), remote: None }
    }
}
