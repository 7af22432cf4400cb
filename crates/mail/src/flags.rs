//! Flags of an email (RFC 3501 §2.3.2).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A system flag or a keyword. `\Recent` is no flag of an email but of a session, and is not here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Flag {
    /// `\Seen`
    Seen,
    /// `\Answered`
    Answered,
    /// `\Flagged`
    Flagged,
    /// `\Deleted`
    Deleted,
    /// `\Draft`
    Draft,
    /// A keyword, an IMAP atom of at most 64 octets; compared without case, kept as first written.
    Keyword(String),
}

impl Flag {
    /// The system flags with their bits in the store, in the order they are shown.
    pub const SYSTEM: [(Flag, u8); 5] =
        [(Flag::Answered, 2), (Flag::Flagged, 4), (Flag::Deleted, 8), (Flag::Seen, 1), (Flag::Draft, 16)];
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flag::Seen => "\\Seen",
            Flag::Answered => "\\Answered",
            Flag::Flagged => "\\Flagged",
            Flag::Deleted => "\\Deleted",
            Flag::Draft => "\\Draft",
            Flag::Keyword(name) => name,
        })
    }
}
