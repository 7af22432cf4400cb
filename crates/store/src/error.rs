//! How the store fails, by what the caller can do.

use std::fmt;

/// Why a call failed. Detail for the log is in the text; nothing of it goes to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Try again later: I/O failed, a sync failed, the store is shutting down.
    Unavailable(String),
    /// A guard of this commit did not hold: look again and decide anew.
    Conflict(String),
    /// The disk or a budget is full.
    Full(String),
    /// What is stored contradicts itself: `waxseal store check`.
    Corrupt(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unavailable(detail) => write!(f, "the store is unavailable: {detail}"),
            Error::Conflict(detail) => write!(f, "conflict: {detail}"),
            Error::Full(detail) => write!(f, "the store is full: {detail}"),
            Error::Corrupt(detail) => write!(f, "the store is damaged: {detail}; run `waxseal store check`"),
        }
    }
}

impl std::error::Error for Error {}
