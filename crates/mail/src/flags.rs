//! Flags of an email (RFC 3501 §2.3.2).

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::limits;

/// A system flag or a keyword. `\Recent` is no flag of an email but of a session, and is not here.
#[derive(Debug, Clone, Serialize, Deserialize)]
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

/// Why a text is no flag that an email can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagError {
    /// Neither `\` and an atom nor an atom.
    Syntax,
    /// It begins with `\` and is none of the five; `\Recent` among them, which no client may set (RFC 3501 §2.3.2).
    Unknown,
    /// A keyword of more than 64 octets.
    TooLong,
}

impl std::error::Error for FlagError {}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "the flag is not well formed",
            Self::Unknown => "there is no such system flag",
            Self::TooLong => "the keyword is too long",
        })
    }
}

impl Flag {
    /// The system flags with their bits in the store, in the order they are shown.
    pub const SYSTEM: [(Flag, u8); 5] =
        [(Flag::Answered, 2), (Flag::Flagged, 4), (Flag::Deleted, 8), (Flag::Seen, 1), (Flag::Draft, 16)];

    /// Reads a flag as IMAP writes it (RFC 3501 §9: flag). System flags are taken in any case.
    pub fn parse(text: &str) -> Result<Self, FlagError> {
        let (system, name) = match text.strip_prefix('\\') {
            Some(name) => (true, name),
            None => (false, text),
        };
        if name.is_empty() || !name.bytes().all(is_atom_char) {
            return Err(FlagError::Syntax);
        }
        if system {
            let known = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"];
            let flags = [Self::Seen, Self::Answered, Self::Flagged, Self::Deleted, Self::Draft];
            let found = known.iter().zip(flags).find(|(known, _)| known.eq_ignore_ascii_case(text));
            return found.map(|(_, flag)| flag).ok_or(FlagError::Unknown);
        }
        if name.len() > limits::KEYWORD_OCTETS_MAX {
            return Err(FlagError::TooLong);
        }
        Ok(Self::Keyword(name.into()))
    }

    /// The bit of a system flag in the store.
    pub fn bit(&self) -> Option<u8> {
        match self {
            Self::Seen => Some(1),
            Self::Answered => Some(2),
            Self::Flagged => Some(4),
            Self::Deleted => Some(8),
            Self::Draft => Some(16),
            Self::Keyword(_) => None,
        }
    }

    /// The bits of the system flags, and the keywords, sorted, each once, as first written.
    pub fn to_bits(flags: &[Flag]) -> (u8, Vec<String>) {
        let bits = flags.iter().filter_map(Self::bit).fold(0, |bits, bit| bits | bit);
        // `collect` would keep the last writing of a keyword; `insert` keeps the first.
        let mut keywords = BTreeSet::new();
        for flag in flags.iter().filter(|flag| flag.bit().is_none()) {
            keywords.insert(flag);
        }
        (bits, keywords.into_iter().map(ToString::to_string).collect())
    }

    /// The flags of an email, in the order they are shown.
    pub fn from_bits(bits: u8, keywords: impl IntoIterator<Item = String>) -> Vec<Flag> {
        let system = Self::SYSTEM.into_iter().filter(|(_, bit)| bits & bit != 0).map(|(flag, _)| flag);
        system.chain(keywords.into_iter().map(Flag::Keyword)).collect()
    }

    /// System flags first, then keywords without case.
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Keyword(a), Self::Keyword(b)) => {
                let lower = |text: &str| text.bytes().map(|b| b.to_ascii_lowercase()).collect::<Vec<_>>();
                if a == b { Ordering::Equal } else { lower(a).cmp(&lower(b)) }
            }
            _ => self.bit().unwrap_or(u8::MAX).cmp(&other.bit().unwrap_or(u8::MAX)),
        }
    }
}

/// RFC 3501 §9: ATOM-CHAR is any CHAR except atom-specials.
pub(crate) fn is_atom_char(octet: u8) -> bool {
    matches!(octet, b'!'..=b'~') && !b"(){%*\"\\]".contains(&octet)
}

impl PartialEq for Flag {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Keyword(a), Self::Keyword(b)) => a.eq_ignore_ascii_case(b),
            _ => self.bit() == other.bit(),
        }
    }
}

impl Eq for Flag {}

impl PartialOrd for Flag {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Flag {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other)
    }
}

impl Hash for Flag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bit().hash(state);
        if let Self::Keyword(name) = self {
            name.to_ascii_lowercase().hash(state);
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn keyword(name: &str) -> Flag {
        Flag::Keyword(name.into())
    }

    #[test]
    fn flags_are_read() {
        let long = "k".repeat(65);
        for (text, expected) in [
            ("\\seen", Ok(Flag::Seen)),
            ("\\ANSWERED", Ok(Flag::Answered)),
            ("\\Flagged", Ok(Flag::Flagged)),
            ("\\Deleted", Ok(Flag::Deleted)),
            ("\\Draft", Ok(Flag::Draft)),
            ("$Forwarded", Ok(keyword("$Forwarded"))),
            ("Seen", Ok(keyword("Seen"))),
            ("&[work", Ok(keyword("&[work"))),
            ("\\Recent", Err(FlagError::Unknown)),
            ("\\Xyz", Err(FlagError::Unknown)),
            ("", Err(FlagError::Syntax)),
            ("\\", Err(FlagError::Syntax)),
            ("\\*", Err(FlagError::Syntax)),
            ("a b", Err(FlagError::Syntax)),
            ("a]", Err(FlagError::Syntax)),
            ("ä", Err(FlagError::Syntax)),
            (&long[1..], Ok(keyword(&long[1..]))),
            (&long, Err(FlagError::TooLong)),
        ] {
            assert_eq!(Flag::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn keywords_compare_without_case() {
        assert_eq!(keyword("Work"), keyword("WORK"));
        assert_eq!(keyword("Work").cmp(&keyword("work")), Ordering::Equal);
        assert!(keyword("b") > keyword("A"));
        assert!(Flag::Draft < keyword("a"));
        assert_ne!(keyword("Seen"), Flag::Seen);
    }

    #[test]
    fn bits_hold_the_system_flags() {
        let flags = [keyword("Zoo"), Flag::Draft, Flag::Seen, keyword("zoo"), Flag::Seen, keyword("apes")];
        let (bits, keywords) = Flag::to_bits(&flags);
        assert_eq!((bits, keywords.clone()), (17, vec!["apes".to_owned(), "Zoo".to_owned()]));
        assert_eq!(
            Flag::from_bits(bits, keywords),
            [Flag::Seen, Flag::Draft, keyword("apes"), keyword("Zoo")]
        );
        for (flag, bit) in Flag::SYSTEM {
            assert_eq!(flag.bit(), Some(bit));
        }
    }
}
