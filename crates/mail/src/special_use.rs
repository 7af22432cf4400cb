//! What a mailbox is for (RFC 6154 §2).

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A special use. Each mailbox has at most one, and each use at most one mailbox of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SpecialUse {
    /// `\All`: all emails of the account.
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`: all flagged emails.
    Flagged,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl SpecialUse {
    /// Each once.
    pub const ALL: [Self; 7] =
        [Self::All, Self::Archive, Self::Drafts, Self::Flagged, Self::Junk, Self::Sent, Self::Trash];

    /// As an attribute of LIST: `\Sent`.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::All => "\\All",
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Flagged => "\\Flagged",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }
}

impl FromStr for SpecialUse {
    type Err = ();

    /// Reads an attribute, `\Sent`, or its bare word, `sent`, in any case.
    fn from_str(text: &str) -> Result<Self, ()> {
        let word = text.strip_prefix('\\').unwrap_or(text);
        let known = Self::ALL.into_iter().find(|known| known.attribute()[1..].eq_ignore_ascii_case(word));
        known.ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_again() {
        for known in SpecialUse::ALL {
            assert_eq!(known.attribute().parse(), Ok(known));
            assert_eq!(known.attribute()[1..].to_lowercase().parse(), Ok(known));
        }
        for unknown in ["", "\\", "Own", "\\\\Sent", " Sent"] {
            assert_eq!(unknown.parse::<SpecialUse>(), Err(()), "{unknown}");
        }
    }
}
