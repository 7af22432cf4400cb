//! Paths of mailboxes: what they may hold, their form in IMAP (modified UTF-7, RFC 3501 §5.1.3), and the patterns of LIST.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet::Alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::limits;

/// A mailbox's path within its account: UTF-8 in Unicode's form NFC (RFC 9051 §5.1, RFC 5198 §3), so that one name has
/// one spelling; levels separated by `/`; `INBOX` in upper case however it was written (RFC 3501 §5.1).
///
/// ```
/// use mail::MailboxPath;
/// let path = MailboxPath::parse("inbox/Entwürfe")?;
/// assert_eq!((path.as_str(), path.to_utf7().as_str()), ("INBOX/Entwürfe", "INBOX/Entw&APw-rfe"));
/// assert!(path.matches("inbox/%"));
/// # Ok::<(), mail::MailboxPathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailboxPath(String);

/// Why a text is no path of a mailbox. The person has to choose another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxPathError {
    /// Nothing, or nothing between, before or after separators.
    EmptyLevel,
    /// A control character, `%` or `*`, which no client could list.
    Character,
    /// More than 1,000 octets.
    TooLong,
    /// More than 32 levels.
    TooDeep,
    /// Not modified UTF-7, or not in its only form (RFC 3501 §5.1.3).
    Encoding,
}

impl std::error::Error for MailboxPathError {}

impl fmt::Display for MailboxPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyLevel => "a level of the mailbox name is empty",
            Self::Character => "the mailbox name has a character that is not allowed",
            Self::TooLong => "the mailbox name is too long",
            Self::TooDeep => "the mailbox name has too many levels",
            Self::Encoding => "the mailbox name is not modified UTF-7",
        })
    }
}

impl MailboxPath {
    /// Between levels.
    pub const SEPARATOR: char = '/';

    /// The mailbox where mail arrives.
    pub fn inbox() -> Self {
        Self("INBOX".into())
    }

    /// Reads a path in UTF-8, whatever its normalisation. A final separator, with which CREATE may announce levels below
    /// (RFC 3501 §6.3.3), is the caller's to remove.
    pub fn parse(text: &str) -> Result<Self, MailboxPathError> {
        // NFC takes a third of the octets of other forms at least, so nothing that fits is refused here.
        if text.len() > limits::MAILBOX_PATH_OCTETS_MAX * 3 {
            return Err(MailboxPathError::TooLong);
        }
        let text = &*nfc(text);
        if text.len() > limits::MAILBOX_PATH_OCTETS_MAX {
            return Err(MailboxPathError::TooLong);
        }
        if text.contains(|c: char| c.is_control() || matches!(c, '%' | '*' | '\u{2028}' | '\u{2029}')) {
            return Err(MailboxPathError::Character);
        }
        if text.split(Self::SEPARATOR).any(str::is_empty) {
            return Err(MailboxPathError::EmptyLevel);
        }
        if text.split(Self::SEPARATOR).count() > limits::MAILBOX_PATH_DEPTH_MAX {
            return Err(MailboxPathError::TooDeep);
        }
        let first = text.split(Self::SEPARATOR).next().unwrap_or_default();
        if first.eq_ignore_ascii_case("INBOX") {
            return Ok(Self(format!("INBOX{}", &text[first.len()..])));
        }
        Ok(Self(text.into()))
    }

    /// Reads a path as IMAP4rev1 writes it: modified UTF-7.
    pub fn parse_utf7(text: &str) -> Result<Self, MailboxPathError> {
        // No character takes more than eight octets of modified UTF-7 for each of UTF-8, nor three times as many in NFD.
        if text.len() > limits::MAILBOX_PATH_OCTETS_MAX * 24 {
            return Err(MailboxPathError::TooLong);
        }
        Self::parse(&utf7_decode(text).ok_or(MailboxPathError::Encoding)?)
    }

    /// As IMAP4rev1 writes it: modified UTF-7.
    pub fn to_utf7(&self) -> String {
        utf7_encode(&self.0)
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether mail arrives here.
    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }

    /// The last level: what a person sees.
    pub fn name(&self) -> &str {
        self.0.rsplit(Self::SEPARATOR).next().unwrap_or_default()
    }

    /// The path without its last level; none at the top.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once(Self::SEPARATOR).map(|(parent, _)| Self(parent.into()))
    }

    /// Whether `other` is this one's parent, or a parent of that one.
    pub fn is_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.starts_with(Self::SEPARATOR))
    }

    /// Whether a mailbox may lie below this one: its path would not be too deep, and there is room for a name. A mailbox
    /// that can have none is `\\Noinferiors` (RFC 3501 §7.2.2).
    pub fn takes_levels(&self) -> bool {
        self.0.len() + 2 <= limits::MAILBOX_PATH_OCTETS_MAX
            && self.0.split(Self::SEPARATOR).count() < limits::MAILBOX_PATH_DEPTH_MAX
    }

    /// This path after `from`, which it is or lies below, was renamed. An error if the new path is too long or too deep.
    pub fn renamed(&self, from: &Self, to: &Self) -> Result<Self, MailboxPathError> {
        match self.0.strip_prefix(&from.0) {
            Some(rest) if rest.is_empty() || rest.starts_with(Self::SEPARATOR) => {
                Self::parse(&format!("{to}{rest}"))
            }
            _ => Ok(self.clone()),
        }
    }

    /// Whether a pattern of LIST means this path (RFC 3501 §6.3.8): `*` stands for anything, `%` for anything within one
    /// level. The pattern is UTF-8, with the reference before it, in any normalisation. Takes time by the product of both
    /// lengths at worst.
    pub fn matches(&self, pattern: &str) -> bool {
        let folds = self.is_inbox() || self.0.starts_with("INBOX/");
        let pattern: Vec<char> = nfc(pattern).chars().collect();
        // All places in the pattern that may be reached with what was read of the path.
        let mut places = vec![false; pattern.len() + 1];
        places[0] = true;
        skip_wildcards(&pattern, &mut places);
        for (at, c) in self.0.chars().enumerate() {
            let mut next = vec![false; pattern.len() + 1];
            for (place, &wanted) in pattern.iter().enumerate().filter(|(place, _)| places[*place]) {
                match wanted {
                    '*' => next[place] = true,
                    '%' => next[place] |= c != Self::SEPARATOR,
                    _ => next[place + 1] |= wanted == c || folds && at < 5 && wanted.eq_ignore_ascii_case(&c),
                }
            }
            skip_wildcards(&pattern, &mut next);
            places = next;
        }
        places[pattern.len()]
    }
}

/// Text in Unicode's form NFC.
fn nfc(text: &str) -> Cow<'_, str> {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        _ => Cow::Owned(text.nfc().collect()),
    }
}

/// A wildcard may stand for nothing.
fn skip_wildcards(pattern: &[char], places: &mut [bool]) {
    for (place, c) in pattern.iter().enumerate() {
        if places[place] && matches!(c, '*' | '%') {
            places[place + 1] = true;
        }
    }
}

/// RFC 3501 §5.1.3: base 64 with `,` for `/` and without padding, over UTF-16.
fn utf7_engine() -> GeneralPurpose {
    let alphabet = Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,");
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone);
    GeneralPurpose::new(&alphabet.expect("64 different characters"), config)
}

/// Writes text in modified UTF-7 (RFC 3501 §5.1.3).
pub fn utf7_encode(text: &str) -> String {
    let engine = utf7_engine();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_direct(c)).unwrap_or(rest.len());
        out.push_str(&rest[..end].replace('&', "&-"));
        rest = &rest[end..];
        let end = rest.find(is_direct).unwrap_or(rest.len());
        if end > 0 {
            let units: Vec<u8> = rest[..end].encode_utf16().flat_map(u16::to_be_bytes).collect();
            out.push('&');
            engine.encode_string(units, &mut out);
            out.push('-');
        }
        rest = &rest[end..];
    }
    out
}

/// Reads modified UTF-7; none if it is not in the form that [`utf7_encode`] writes, which is the only allowed one.
pub fn utf7_decode(text: &str) -> Option<String> {
    let engine = utf7_engine();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((direct, shifted)) = rest.split_once('&') {
        out.push_str(direct);
        let (code, after) = shifted.split_once('-')?;
        if code.is_empty() {
            out.push('&');
        } else {
            let octets = engine.decode(code).ok().filter(|octets| octets.len() % 2 == 0)?;
            let units = octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            for c in char::decode_utf16(units) {
                out.push(c.ok()?);
            }
        }
        rest = after;
    }
    out.push_str(rest);
    // RFC 3501 §5.1.3: printable ASCII stands for itself, and no two shifts follow each other.
    (utf7_encode(&out) == text).then_some(out)
}

fn is_direct(c: char) -> bool {
    matches!(c, ' '..='~')
}

impl fmt::Display for MailboxPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for MailboxPath {
    type Error = MailboxPathError;
    fn try_from(text: String) -> Result<Self, MailboxPathError> {
        Self::parse(&text)
    }
}

impl From<MailboxPath> for String {
    fn from(path: MailboxPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> MailboxPath {
        MailboxPath::parse(text).unwrap()
    }

    #[test]
    fn paths_are_read() {
        use MailboxPathError::*;
        let (long, deep) = ("a".repeat(1_001), ["a"; 33].join("/"));
        for (text, expected) in [
            ("Inbox", Ok("INBOX")),
            ("inBOX/Sub", Ok("INBOX/Sub")),
            ("Inboxes", Ok("Inboxes")),
            ("a/inbox", Ok("a/inbox")),
            ("Entwürfe & mehr", Ok("Entwürfe & mehr")),
            (&long[1..], Ok(&long[1..])),
            (&deep[2..], Ok(&deep[2..])),
            ("", Err(EmptyLevel)),
            ("/a", Err(EmptyLevel)),
            ("a//b", Err(EmptyLevel)),
            ("a/", Err(EmptyLevel)),
            ("a\0b", Err(Character)),
            ("a\u{85}", Err(Character)),
            ("50%", Err(Character)),
            ("*", Err(Character)),
            (&long, Err(TooLong)),
            (&deep, Err(TooDeep)),
        ] {
            assert_eq!(
                MailboxPath::parse(text).as_ref().map(MailboxPath::as_str),
                expected.as_ref().copied(),
                "{text}"
            );
        }
    }

    #[test]
    fn one_name_has_one_spelling() {
        let composed = path("Entw\u{fc}rfe");
        assert_eq!(path("Entwu\u{308}rfe"), composed);
        assert_eq!(MailboxPath::parse_utf7("Entwu&Awg-rfe"), Ok(composed.clone()));
        assert_eq!(path("\u{212b}/\u{1100}\u{1161}").as_str(), "\u{c5}/\u{ac00}");
        assert!(composed.matches("Entwu\u{308}*") && composed.matches("%\u{fc}%"));
        let long = "u\u{308}".repeat(500);
        assert_eq!(path(&long).as_str().len(), 1_000);
        assert_eq!(MailboxPath::parse(&"u\u{308}".repeat(501)), Err(MailboxPathError::TooLong));
    }

    #[test]
    fn names_at_the_bound_take_no_levels() {
        for (text, takes) in [
            ("a", true),
            (&["a"; 31].join("/"), true),
            (&["a"; 32].join("/"), false),
            (&"a".repeat(998), true),
            (&"a".repeat(999), false),
        ] {
            assert_eq!(path(text).takes_levels(), takes, "{text}");
        }
    }

    #[test]
    fn families_are_known() {
        assert_eq!(path("a/b/c").parent(), Some(path("a/b")));
        assert_eq!(path("a").parent(), None);
        assert_eq!(path("a/b").name(), "b");
        assert!(path("a/b/c").is_below(&path("a")));
        assert!(!path("ab").is_below(&path("a")));
        assert!(!path("a").is_below(&path("a")));
        assert_eq!(path("a/b/c").renamed(&path("a/b"), &path("x")), Ok(path("x/c")));
        assert_eq!(path("a/bc").renamed(&path("a/b"), &path("x")), Ok(path("a/bc")));
        let (deep, new) = (path(&["a"; 32].join("/")), path("x/y"));
        assert_eq!(deep.renamed(&path("a"), &new), Err(MailboxPathError::TooDeep));
    }

    #[test]
    fn modified_utf7_has_one_form() {
        for (utf8, utf7) in [
            ("", ""),
            ("a&b", "a&-b"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("☺!", "&Jjo-!"),
            ("&☺&", "&-&Jjo-&-"),
            ("😀", "&2D3eAA-"),
        ] {
            assert_eq!(utf7_encode(utf8), utf7);
            assert_eq!(utf7_decode(utf7).as_deref(), Some(utf8));
        }
        for wrong in ["&", "a&b", "&AGE-", "&Jjo", "&Jjo-&Jjo-", "&JjoA-", "&2D0-", "ä", "&Jj/-", "&AP-w-"] {
            assert_eq!(utf7_decode(wrong), None, "{wrong}");
        }
        assert_eq!(MailboxPath::parse_utf7("&"), Err(MailboxPathError::Encoding));
        assert_eq!(MailboxPath::parse_utf7("&AAA-"), Err(MailboxPathError::Character));
    }

    #[test]
    fn patterns_of_list() {
        for (name, pattern, expected) in [
            ("INBOX", "*", true),
            ("INBOX", "%", true),
            ("INBOX", "inbox", true),
            ("INBOX", "InB%", true),
            ("INBOX/Sub", "inbox/%", true),
            ("INBOX/Sub", "inbox/sub", false),
            ("Inboxes", "inboxes", false),
            ("a/b", "%", false),
            ("a/b", "*", true),
            ("a/b", "%/%", true),
            ("a/b/c", "a/%", false),
            ("a/b/c", "a/*c", true),
            ("a/b/c", "*%c", true),
            ("a/b/c", "%b*", false),
            ("abc", "a%c", true),
            ("abc", "", false),
            ("Entwürfe", "Entw%rfe", true),
            ("a", "a%%**", true),
        ] {
            assert_eq!(path(name).matches(pattern), expected, "{name} {pattern}");
        }
    }

    #[test]
    fn hostile_patterns_take_no_long_time() {
        let name = path(&"a".repeat(1_000));
        assert!(!name.matches(&"*a%".repeat(300).replace("%*", "%b*")));
    }

    proptest! {
        #[test]
        fn utf7_survives(text: String) {
            prop_assert_eq!(utf7_decode(&utf7_encode(&text)), Some(text));
        }

        #[test]
        fn what_was_read_reads_the_same_again(text: String) {
            if let Ok(path) = MailboxPath::parse(&text) {
                prop_assert_eq!(MailboxPath::parse(path.as_str()), Ok(path.clone()));
                prop_assert_eq!(MailboxPath::parse_utf7(&path.to_utf7()), Ok(path.clone()));
                let decomposed: String = path.as_str().nfd().collect();
                prop_assert_eq!(MailboxPath::parse(&decomposed), Ok(path));
            }
        }

        #[test]
        fn patterns_agree_with_plain_recursion(name in "[ab/]{1,8}", pattern in "[ab/%*]{0,7}") {
            fn plain(name: &[u8], pattern: &[u8]) -> bool {
                match pattern.split_first() {
                    None => name.is_empty(),
                    Some((b'*', rest)) => (0..=name.len()).any(|n| plain(&name[n..], rest)),
                    Some((b'%', rest)) => (0..=name.len()).any(|n| !name[..n].contains(&b'/') && plain(&name[n..], rest)),
                    Some((c, rest)) => name.first() == Some(c) && plain(&name[1..], rest),
                }
            }
            if let Ok(path) = MailboxPath::parse(&name) {
                prop_assert_eq!(path.matches(&pattern), plain(name.as_bytes(), pattern.as_bytes()));
            }
        }
    }
}
