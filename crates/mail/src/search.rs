//! What SEARCH looks for (RFC 3501 §6.4.4), after parsing.

use crate::{Flag, ModSeq, Timestamp, UidSet};

/// A search key; several at one place mean `And`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchKey {
    /// ALL
    All,
    /// All of these.
    And(Vec<SearchKey>),
    /// Either.
    Or(Box<SearchKey>, Box<SearchKey>),
    /// Not this.
    Not(Box<SearchKey>),
    /// UID set, or a sequence set already made UIDs.
    Uids(UidSet),
    /// Has this flag.
    Flag(Flag),
    /// Has this mod-sequence or a higher one (RFC 7162 §3.1.5).
    ModSeq(ModSeq),
    /// Larger than this many octets.
    Larger(u64),
    /// Smaller than this many octets.
    Smaller(u64),
    /// INTERNALDATE before this midnight (UTC).
    Before(Timestamp),
    /// INTERNALDATE at or after this midnight (UTC). `ON d` is `And [Since d, Before d+1]`.
    Since(Timestamp),
    /// Date field before this midnight, its zone disregarded.
    SentBefore(Timestamp),
    /// Date field at or after this midnight, its zone disregarded.
    SentSince(Timestamp),
    /// A header field of this name holds this text (without case); empty text: the field is there. BCC, CC, FROM, TO,
    /// SUBJECT are written so.
    Header(String, String),
    /// The body holds this text.
    Body(String),
    /// Header or body hold this text.
    Text(String),
}
