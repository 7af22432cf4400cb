//! Header fields (RFC 5322 §2.2, §3.6.8), read leniently: stored mail is what it is.
//!
//! ```text
//! Name: value          a field begins where a name and a colon stand at the start of a line
//!   continued          a line that begins with a blank goes on with it
//!                      an empty line ends the header; so does a line that is none of these, and belongs to the body
//! ```
//!
//! Lines end with LF, with or without CR before it: content that SMTP takes has CRLF only, but APPEND may bring anything.

use std::borrow::Cow;
use std::ops::Range;

use crate::limits;

/// The header of a message or of a part.
///
/// ```
/// let header = mail::message::Header::parse(b"Subject: Hello,\r\n world\r\nTo: a@b\r\n\r\nText");
/// assert_eq!(header.find("SUBJECT").map(|field| field.unfolded()).as_deref(), Some(&b"Hello, world"[..]));
/// assert_eq!(header.octets(), 36);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header<'a> {
    fields: Vec<Field<'a>>,
    octets: usize,
    over_budget: bool,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name as written.
    pub name: &'a [u8],
    /// What stands after the colon, with blanks and line ends.
    pub value: &'a [u8],
    /// Name, value and line end, as offsets into what was parsed.
    pub range: Range<usize>,
}

impl<'a> Header<'a> {
    /// Reads the header at the beginning of a text. Never fails: at worst there is no field. Linear in the text.
    pub fn parse(text: &'a [u8]) -> Self {
        let mut header = Self { fields: Vec::new(), octets: text.len(), over_budget: false };
        for line in Lines::new(text) {
            match line.kind(text) {
                LineKind::Empty => {
                    header.octets = line.next;
                    break;
                }
                LineKind::Other => {
                    header.octets = line.start;
                    break;
                }
                LineKind::Continuation => header.continue_field(text, line.next),
                LineKind::Field { name_end, value_start } => {
                    header.begin_field(text, line.start..line.next, name_end, value_start);
                }
                LineKind::Envelope => {}
            }
        }
        header
    }

    /// The fields in their order.
    pub fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// The first field of this name, compared without case.
    pub fn find(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.is(name))
    }

    /// Every field of this name.
    pub fn find_all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Field<'a>> {
        self.fields.iter().filter(move |field| field.is(name))
    }

    /// How many fields have this name.
    pub fn count(&self, name: &str) -> usize {
        self.find_all(name).count()
    }

    /// Octets of the header with its empty line: where the body begins.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Whether fields were left out, because the header has more octets or fields than `limits` allow.
    pub fn over_budget(&self) -> bool {
        self.over_budget
    }

    fn begin_field(&mut self, text: &'a [u8], range: Range<usize>, name_end: usize, value_start: usize) {
        self.over_budget |= self.fields.len() == limits::FIELDS_MAX || range.end > limits::HEADER_OCTETS_MAX;
        if !self.over_budget {
            let name = &text[range.start..name_end];
            self.fields.push(Field { name, value: &text[value_start..range.end], range });
        }
    }

    fn continue_field(&mut self, text: &'a [u8], end: usize) {
        self.over_budget |= end > limits::HEADER_OCTETS_MAX;
        if let Some(field) = self.fields.last_mut().filter(|_| !self.over_budget) {
            let value_start = field.range.end - field.value.len();
            field.value = &text[value_start..end];
            field.range.end = end;
        }
    }
}

impl<'a> Field<'a> {
    /// Whether this is its name, compared without case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value on one line (RFC 5322 §2.2.3), without blanks around it. CR and NUL are left out too, so that no text of a
    /// header can end a line.
    pub fn unfolded(&self) -> Cow<'a, [u8]> {
        let value = self.value.trim_ascii();
        let ends = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0);
        match value.iter().any(ends) {
            true => Cow::Owned(value.iter().copied().filter(|octet| !ends(octet)).collect()),
            false => Cow::Borrowed(value),
        }
    }
}

/// Cuts a text into lines.
pub(super) struct Lines<'a> {
    text: &'a [u8],
    at: usize,
}

/// A line, as offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    /// Its first octet.
    pub(super) start: usize,
    /// After its text.
    pub(super) end: usize,
    /// After its line end.
    pub(super) next: usize,
}

/// What a line is in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind {
    /// Ends the header.
    Empty,
    /// Goes on with the field before it.
    Continuation,
    /// Begins a field.
    Field { name_end: usize, value_start: usize },
    /// The `From ` line of an mbox, first of all.
    Envelope,
    /// No line of a header: the body begins, its empty line is missing.
    Other,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let start = self.at;
        if start == self.text.len() {
            return None;
        }
        let rest = &self.text[start..];
        let (end, next) = match memchr::memchr(b'\n', rest) {
            Some(at) if rest[..at].ends_with(b"\r") => (start + at - 1, start + at + 1),
            Some(at) => (start + at, start + at + 1),
            None => (self.text.len(), self.text.len()),
        };
        self.at = next;
        Some(Line { start, end, next })
    }
}

impl Line {
    pub(super) fn kind(self, text: &[u8]) -> LineKind {
        match kind(&text[self.start..self.end], self.start == 0) {
            LineKind::Field { name_end, value_start } => {
                LineKind::Field { name_end: self.start + name_end, value_start: self.start + value_start }
            }
            other => other,
        }
    }
}

/// What a line is, told from its first octets; `first`: of its header. Offsets count from its beginning.
pub(super) fn kind(line: &[u8], first: bool) -> LineKind {
    let line = &line[..line.len().min(limits::LINE_OCTETS_JUDGED)];
    match line {
        [] => return LineKind::Empty,
        [b' ' | b'\t', ..] if !first => return LineKind::Continuation,
        // `From :` is the field, as RFC 5322 §4.5 allows it.
        [b'F', b'r', b'o', b'm', b' ', rest @ ..] if first && !rest.trim_ascii_start().starts_with(b":") => {
            return LineKind::Envelope;
        }
        _ => {}
    }
    // RFC 5322 §3.6.8; §4.5 allows blanks before the colon.
    let name = line.iter().take_while(|octet| matches!(octet, b'!'..=b'9' | b';'..=b'~')).count();
    let blanks = line[name..].iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    match line.get(name + blanks) {
        Some(b':') if name > 0 => LineKind::Field { name_end: name, value_start: name + blanks + 1 },
        _ => LineKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[(&str, &str)], octets: usize) {
        let header = Header::parse(text.as_bytes());
        let read: Vec<_> = header
            .fields()
            .iter()
            .map(|field| {
                (String::from_utf8_lossy(field.name), String::from_utf8_lossy(&field.unfolded()).into_owned())
            })
            .collect();
        let read: Vec<_> = read.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect();
        assert_eq!((read.as_slice(), header.octets()), (expected, octets), "{text:?}");
    }

    #[test]
    fn headers_are_read_leniently() {
        check("A: b\r\nC: d\r\n\r\nbody", &[("A", "b"), ("C", "d")], 14);
        check("A: b\nC:d\n\nbody", &[("A", "b"), ("C", "d")], 10);
        check("A: b\r\n c\r\n\td\r\n\r\n", &[("A", "b c\td")], 16);
        check("A : b\r\n\r\n", &[("A", "b")], 9);
        check("A:\r\n\r\n", &[("A", "")], 6);
        check("A: b", &[("A", "b")], 4);
        check("A: b\r\n", &[("A", "b")], 6);
        check("A: b\r\nno field\r\nC: d\r\n", &[("A", "b")], 6);
        check("just text\r\n", &[], 0);
        check(" blank first\r\nA: b\r\n", &[], 0);
        check(": no name\r\n", &[], 0);
        check("", &[], 0);
        check("\r\nbody", &[], 2);
        check("From a@b Sun\r\nA: b\r\n\r\n", &[("A", "b")], 22);
        check("From : a@b\r\n\r\n", &[("From", "a@b")], 14);
        check("A: b\rc\0d\r\n\r\n", &[("A", "bcd")], 12);
        check("A: b\r\n \r\n\r\n", &[("A", "b")], 11);
    }

    #[test]
    fn budgets_hold() {
        let many = "A: b\r\n".repeat(limits::FIELDS_MAX + 1) + "\r\nbody";
        let header = Header::parse(many.as_bytes());
        assert_eq!((header.fields().len(), header.over_budget()), (limits::FIELDS_MAX, true));
        assert_eq!(header.octets(), many.len() - 4, "the body is found nevertheless");

        let long = format!("A: b\r\nB: {}\r\n\r\nbody", " x\r\n".repeat(limits::HEADER_OCTETS_MAX / 4));
        let header = Header::parse(long.as_bytes());
        assert!(header.over_budget());
        assert!(header.fields().iter().all(|field| field.range.end <= limits::HEADER_OCTETS_MAX));
        assert!(!Header::parse(b"A: b\r\n\r\n").over_budget());
    }

    proptest! {
        #[test]
        fn fields_lie_one_after_another(text in "([A-C]{0,2}:?[ \\t]?[a-c\u{0}]{0,3}\r?\n){0,8}") {
            let header = Header::parse(text.as_bytes());
            let mut at = 0;
            for field in header.fields() {
                prop_assert!(field.range.start >= at);
                prop_assert!(text.as_bytes()[field.range.clone()].starts_with(field.name));
                prop_assert!(text.as_bytes()[field.range.clone()].ends_with(field.value));
                at = field.range.end;
            }
            prop_assert!(at <= header.octets() && header.octets() <= text.len());
        }

        #[test]
        fn no_text_harms(text: Vec<u8>) {
            for field in Header::parse(&text).fields() {
                prop_assert!(!field.unfolded().contains(&b'\n'));
            }
        }
    }
}
