//! Charsets of mail, and text as searches compare it.
//!
//! Labels are read as the WHATWG's Encoding Standard has them, because mail is labelled as loosely as pages are:
//! ISO-8859-1 is Windows-1252, GB2312 is GBK. US-ASCII is read as UTF-8 where it is that.

use std::borrow::Cow;

use encoding_rs::{Encoding, REPLACEMENT, WINDOWS_1252};
use unicode_normalization::UnicodeNormalization;

/// How octets become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// UTF-8 and US-ASCII.
    Utf8,
    Other(&'static Encoding),
}

impl Charset {
    /// What text is in that does not say.
    pub const UNLABELLED: Self = Self(Kind::Utf8);

    /// By its label, without case; none if it is not known.
    ///
    /// ```
    /// use mail::charset::Charset;
    /// assert_eq!(Charset::named(b"KOI8-R").unwrap().guess(b"\xd0\xcf"), "по");
    /// assert_eq!(Charset::named(b"klingon"), None);
    /// ```
    pub fn named(label: &[u8]) -> Option<Self> {
        const ASCII: [&str; 4] = ["us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us"];
        let is = |known: &&str| known.as_bytes().eq_ignore_ascii_case(label.trim_ascii());
        if ASCII.iter().any(is) {
            return Some(Self(Kind::Utf8));
        }
        let encoding = Encoding::for_label(label).filter(|&encoding| encoding != REPLACEMENT)?;
        let kind = if encoding == encoding_rs::UTF_8 { Kind::Utf8 } else { Kind::Other(encoding) };
        Some(Self(kind))
    }

    /// The text, if all octets are of this charset.
    pub fn decode(self, octets: &[u8]) -> Option<Cow<'_, str>> {
        match self.0 {
            Kind::Utf8 => std::str::from_utf8(octets).ok().map(Cow::Borrowed),
            Kind::Other(encoding) => encoding.decode_without_bom_handling_and_without_replacement(octets),
        }
    }

    /// The text as well as it can be told: what is wrong becomes U+FFFD, and what is no UTF-8 is taken for Windows-1252, the
    /// charset of most mail that says nothing.
    pub fn guess(self, octets: &[u8]) -> Cow<'_, str> {
        match self.0 {
            Kind::Utf8 => match std::str::from_utf8(octets) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => WINDOWS_1252.decode_without_bom_handling(octets).0,
            },
            Kind::Other(encoding) => encoding.decode_without_bom_handling(octets).0,
        }
    }
}

/// A text as searches compare it: compatibility forms taken apart (NFKD), and without case (RFC 5051 §2, but with whole case
/// mappings, so that `STRASSE` finds `Straße`). A part of a text stays a part of it.
///
/// ```
/// use mail::charset::folded;
/// assert_eq!(folded("Straße".into()), folded("STRASSE".into()));
/// assert_eq!(folded("e\u{301}".into()), folded("É".into()));
/// ```
pub fn folded(mut text: String) -> String {
    if text.is_ascii() {
        text.make_ascii_lowercase();
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let plain = rest.bytes().position(|octet| !octet.is_ascii()).unwrap_or(rest.len());
        let (ascii, after) = rest.split_at(plain);
        out.extend(ascii.chars().map(|letter| letter.to_ascii_lowercase()));
        let other = after.bytes().position(|octet| octet.is_ascii()).unwrap_or(after.len());
        let (other, after) = after.split_at(other);
        // Upper case first: it is one where there are several lower cases, as of sigma.
        let upper = other.nfkd().flat_map(char::to_uppercase);
        out.extend(upper.flat_map(char::to_lowercase).nfkd());
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_are_read_as_they_are_meant() {
        for (label, octets, expected) in [
            ("utf-8", &b"\xc3\xa4"[..], "ä"),
            ("US-ASCII", b"\xc3\xa4", "ä"),
            ("us-ascii", b"\xe4\xf6", "äö"),
            ("ISO-8859-1", b"\x80\xe4", "€ä"),
            ("iso-8859-15", b"\xa4", "€"),
            ("windows-1251", b"\xcf", "П"),
            ("koi8-r", b"\xc1", "а"),
            ("iso-2022-jp", b"\x1b$B$\"\x1b(B", "あ"),
            ("Shift_JIS", b"\x82\xa0", "あ"),
            ("gb2312", b"\xc4\xe3", "你"),
            ("gb18030", b"\x81\x30\x81\x30", "\u{80}"),
            ("big5", b"\xa7\x41", "你"),
            ("euc-kr", b"\xb0\xa1", "가"),
            ("utf-16le", b"a\0", "a"),
        ] {
            assert_eq!(Charset::named(label.as_bytes()).unwrap().guess(octets), expected, "{label}");
        }
        for label in ["", "x-unknown", "utf-7", "iso-2022-kr", "hz-gb-2312"] {
            assert_eq!(Charset::named(label.as_bytes()), None, "{label}");
        }
    }

    #[test]
    fn strictly_read_wrong_octets_are_no_text() {
        let decode =
            |label: &str, octets: &'static [u8]| Charset::named(label.as_bytes()).unwrap().decode(octets);
        assert_eq!(decode("utf-8", b"\xc3\xa4").as_deref(), Some("ä"));
        assert_eq!(decode("utf-8", b"\xe4"), None);
        assert_eq!(decode("iso-8859-1", b"\xe4").as_deref(), Some("ä"));
        assert_eq!(decode("shift_jis", b"\x82"), None);
    }

    #[test]
    fn case_and_form_do_not_matter() {
        for (one, other) in [
            ("GRÜSSE", "grüße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("Å", "A\u{30a}"),
            ("ﬁn", "FIN"),
            ("Ｗｉｄｅ", "wide"),
            ("ЖУК", "жук"),
        ] {
            assert_eq!(folded(one.into()), folded(other.into()), "{one} {other}");
        }
        assert_ne!(folded("a".into()), folded("b".into()));
    }

    proptest! {
        #[test]
        fn a_part_of_a_text_is_found_in_it(text in "[aÄßσ가\u{301}あ ]{0,20}", from in 0_usize..20, length in 0_usize..9) {
            let chars: Vec<char> = text.chars().collect();
            let part: String = chars.iter().skip(from).take(length).collect();
            // A mark that belongs to a letter before the part may be sorted among others.
            prop_assume!(!part.contains('\u{301}'));
            prop_assert!(folded(text.clone()).contains(&folded(part)), "{}", text);
            prop_assert_eq!(folded(folded(text.clone())), folded(text));
        }
    }
}
