//! How the store fails, by what the caller can do.

use std::fmt;
use std::path::PathBuf;

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

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{InvalidData, QuotaExceeded, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded => Error::Full(error.to_string()),
            InvalidData => Error::Corrupt(error.to_string()),
            _ => Error::Unavailable(error.to_string()),
        }
    }
}

/// Why a store could not be opened. The text is for the person who started the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// Another process has it.
    Locked {
        /// The directory.
        dir: PathBuf,
        /// The process, if it has said so.
        process: Option<u32>,
    },
    /// The schema was written by a newer program.
    Newer {
        /// The schema's number.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The path is something else.
    NotADirectory(PathBuf),
    /// Others than its owner can enter the directory, and we may not change that.
    NotPrivate(PathBuf),
    /// The system's error for this path.
    Io(PathBuf, String),
    /// The database could not be used.
    Database(Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Locked { dir, process: Some(process) } => {
                write!(f, "{} is in use by process {process}", dir.display())
            }
            OpenError::Locked { dir, process: None } => {
                write!(f, "{} is in use by another process", dir.display())
            }
            OpenError::Newer { found, known } => write!(
                f,
                "the store has schema {found}, written by a newer waxseal; this one knows schemas up to {known}: \
                 use the newer program, or restore a backup made by this one"
            ),
            OpenError::NotADirectory(dir) => write!(f, "{} is not a directory", dir.display()),
            OpenError::NotPrivate(dir) => write!(
                f,
                "{} belongs to somebody else and is open to others: run `chmod 700` on it as its owner",
                dir.display()
            ),
            OpenError::Io(path, detail) => write!(f, "{}: {detail}", path.display()),
            OpenError::Database(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for OpenError {}
