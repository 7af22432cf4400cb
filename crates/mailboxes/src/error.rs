//! Why a reader's wish was not done, by what can be said about it.

use std::fmt;

/// Why nothing was changed or nothing can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// There is no such mailbox.
    NoSuchMailbox,
    /// A mailbox of this path is there already.
    Exists,
    /// It can never be done, for this reason, which the user may read.
    Cannot(&'static str),
    /// The account has no room for it, or the disk has none.
    TooBig,
    /// The store failed. Its text is for the log, not for the user.
    Store(store::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Full(_) => Error::TooBig,
            error => Error::Store(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoSuchMailbox => f.write_str("there is no such mailbox"),
            Error::Exists => f.write_str("a mailbox of this name is there already"),
            Error::Cannot(reason) => f.write_str(reason),
            Error::TooBig => f.write_str("there is no room for it"),
            Error::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

/// What every function here gives.
pub type Result<T> = std::result::Result<T, Error>;
