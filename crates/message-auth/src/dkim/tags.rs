//! Tag lists (RFC 6376 §3.2): `v=1; a=rsa-sha256; ...`, in signature fields and in key records.

use std::ops::Range;

use crate::limits;

/// A tag list, read strictly: RFC 6376 §6.1.1 calls leniency here a bad strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagList<'a> {
    text: &'a [u8],
    tags: Vec<Tag<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag<'a> {
    name: &'a [u8],
    /// Without blanks around it.
    value: &'a [u8],
    /// Everything between `=` and `;`.
    range: Range<usize>,
}

impl<'a> TagList<'a> {
    /// Reads a list. `None` when it is against the grammar, has a tag twice, or too many.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        let mut list = Self { text, tags: Vec::new() };
        let mut start = 0;
        loop {
            let end = memchr::memchr(b';', &text[start..]).map_or(text.len(), |at| start + at);
            let last = end == text.len();
            // One `;` may stand after the last tag.
            if last && !list.tags.is_empty() && text[start..].trim_ascii().is_empty() {
                return Some(list);
            }
            let tag = Tag::parse(text, start..end)?;
            if list.tags.len() == limits::TAGS_MAX || list.tags.iter().any(|other| other.name == tag.name) {
                return None;
            }
            list.tags.push(tag);
            if last {
                return Some(list);
            }
            start = end + 1;
        }
    }

    /// The value of a tag; names are compared with case.
    pub(crate) fn find(&self, name: &str) -> Option<&'a [u8]> {
        self.tags.iter().find(|tag| tag.name == name.as_bytes()).map(|tag| tag.value)
    }

    /// The name of the first tag.
    pub(crate) fn first(&self) -> Option<&'a [u8]> {
        self.tags.first().map(|tag| tag.name)
    }

    /// The text with the value of one tag and the blanks around it left out (RFC 6376 §3.7, for b=).
    pub(crate) fn without_value(&self, name: &str) -> Vec<u8> {
        let mut text = self.text.to_vec();
        if let Some(tag) = self.tags.iter().find(|tag| tag.name == name.as_bytes()) {
            text.drain(tag.range.clone());
        }
        text
    }
}

impl<'a> Tag<'a> {
    fn parse(text: &'a [u8], range: Range<usize>) -> Option<Self> {
        let equals = range.start + memchr::memchr(b'=', &text[range.clone()])?;
        let name = text[range.start..equals].trim_ascii();
        let value = text[equals + 1..range.end].trim_ascii();
        let name_fits = name.first()?.is_ascii_alphabetic()
            && name.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'_');
        // VALCHAR, blanks between, and UTF-8 (RFC 8616 §3).
        let value_fits =
            value.iter().all(|octet| matches!(octet, b'!'..=b'~' | 0x80.. | b' ' | b'\t' | b'\r' | b'\n'));
        (name_fits && value_fits).then_some(Self { name, value, range: equals + 1..range.end })
    }
}

/// A value without any blanks: base64 and quoted-printable allow them everywhere.
pub(crate) fn without_blanks(value: &[u8]) -> Vec<u8> {
    value.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect()
}

/// The parts of a colon-separated list, without the blanks around them.
pub(crate) fn colon_separated(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&octet| octet == b':').map(<[u8]>::trim_ascii)
}

/// Decimal digits. RFC 6376 §3.5 lets more than 12 of them stand for infinity; l= may have up to 76.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 76 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |number: u64, octet: &u8| number.saturating_mul(10).saturating_add(u64::from(octet - b'0'));
    Some(value.iter().fold(0, digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&[(&str, &str)]>) {
        let list = TagList::parse(text.as_bytes());
        let read = list.as_ref().map(|list| {
            let text = |octets| std::str::from_utf8(octets).unwrap();
            list.tags.iter().map(|tag| (text(tag.name), text(tag.value))).collect::<Vec<_>>()
        });
        assert_eq!(read.as_deref(), expected, "{text:?}");
    }

    #[test]
    fn lists_are_read_strictly() {
        check("v=1", Some(&[("v", "1")]));
        check("v=1;", Some(&[("v", "1")]));
        check(" v = 1 ;\r\n\ta_2=b c ; ", Some(&[("v", "1"), ("a_2", "b c")]));
        check("v=1; p=", Some(&[("v", "1"), ("p", "")]));
        check("h=a=b", Some(&[("h", "a=b")]));
        check("v=1;;a=b", None);
        check("v=1;;", None);
        check("", None);
        check(";", None);
        check("v", None);
        check("=1", None);
        check("1v=1", None);
        check("v=1; v=1", None);
        check("v v=1", None);
        check("v=a\0b", None);
        check("v=1; V=2", Some(&[("v", "1"), ("V", "2")]));
    }

    #[test]
    fn a_value_is_left_out_with_the_blanks_around_it() {
        for (text, expected) in [
            ("a=b; b= x\r\n y ; c=d", "a=b; b=; c=d"),
            ("bh=x; b=y\r\n ", "bh=x; b="),
            (" b=y;\r\n", " b=;\r\n"),
            ("a=b=c; b=d", "a=b=c; b="),
        ] {
            let list = TagList::parse(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(list.without_value("b")).unwrap(), expected);
        }
    }

    #[test]
    fn numbers_saturate() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"007"), Some(7));
        assert_eq!(number("9".repeat(76).as_bytes()), Some(u64::MAX));
        for wrong in ["", "-1", "+1", "1 2", "0x1", &"9".repeat(77)] {
            assert_eq!(number(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
