//! The line reader, the only one of the whole code base: bytes in, complete CRLF-ended lines out.
//!
//! ```text
//! push ──► buffer ──► next_line    a line without its CRLF, or what was wrong with it
//!                ├──► take         exactly n octets (IMAP literals, RFC 3501 §4.3)
//!                └──► take_some    what there is (streams)
//! ```
//!
//! Only CRLF ends a line. A bare CR, a bare LF, a NUL or a line beyond the limit is reported as soon as it is seen;
//! then the rest of that line, up to its CRLF, is skipped, so that one line never becomes two (RFC 5321 §2.3.8, and
//! what SMTP smuggling made of servers that were kinder). What is reported does not depend on how the bytes were cut.
//!
//! Each octet is looked at once, however it arrives. An empty reader holds no allocation.

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memchr3};

use crate::misuse::Misuse;

/// A buffer of input, read by lines.
///
/// ```
/// use protocol::lines::{Line, Lines};
/// use protocol::misuse::Misuse;
///
/// let mut lines = Lines::new(512);
/// lines.push(b"NOOP\r\nQUIT\nNOOP\r\nRS");
/// assert_eq!(lines.next_line(), Some(Line::Text("NOOP".into())));
/// assert_eq!(lines.next_line(), Some(Line::Bad(Misuse::BareLineFeed)));
/// assert_eq!(lines.next_line(), None);
/// lines.push(b"ET\r\n");
/// assert_eq!(lines.next_line(), Some(Line::Text("RSET".into())));
/// ```
#[derive(Debug)]
pub struct Lines {
    buffer: BytesMut,
    /// Octets of `buffer` known to hold neither CR, LF nor NUL; the search goes on here.
    scanned: usize,
    /// The longest line, CRLF included.
    line_max: usize,
    /// The current line was reported; the rest of it is dropped.
    skipping: bool,
}

/// What the reader found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A line, without its CRLF; it holds no CR, LF or NUL.
    Text(Bytes),
    /// The line breaks a rule: [`Misuse::BareLineFeed`], [`Misuse::BareCarriageReturn`], [`Misuse::NulOctet`] or
    /// [`Misuse::LineTooLong`]. Its rest will be skipped; one report a line.
    Bad(Misuse),
}

impl Lines {
    /// A reader of lines of at most `line_max` octets, CRLF included.
    pub fn new(line_max: usize) -> Self {
        Self { buffer: BytesMut::new(), scanned: 0, line_max, skipping: false }
    }

    /// Changes the limit, for the lines after this moment.
    pub fn set_line_max(&mut self, line_max: usize) {
        self.line_max = line_max;
    }

    /// Takes bytes from the peer.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Octets that wait to be read. While a bad line is skipped its octets are dropped by `next_line`.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Whether nothing waits, and the next octet begins a line.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && !self.skipping
    }

    /// Whether the next octet taken stands at the beginning of a line: nothing of a bad line is left to skip.
    pub fn at_line_start(&self) -> bool {
        !self.skipping
    }

    /// What waits, at most so many octets of its beginning. It stays.
    pub(crate) fn beginning(&self, octets_max: usize) -> &[u8] {
        &self.buffer[..self.buffer.len().min(octets_max)]
    }

    /// Forgets all input and its buffer.
    pub fn clear(&mut self) {
        *self = Self::new(self.line_max);
    }

    /// The next line, or `None` until more bytes come.
    pub fn next_line(&mut self) -> Option<Line> {
        if self.skipping && !self.skip() {
            return None;
        }
        let found = memchr3(b'\r', b'\n', 0, &self.buffer[self.scanned..]).map(|at| self.scanned + at);
        self.scanned = found.unwrap_or(self.buffer.len());
        if self.scanned + 2 > self.line_max && !self.buffer.is_empty() {
            return Some(self.bad(Misuse::LineTooLong, self.scanned));
        }
        let at = found?;
        match (self.buffer[at], self.buffer.get(at + 1)) {
            (b'\n', _) => Some(self.bad(Misuse::BareLineFeed, at + 1)),
            (0, _) => Some(self.bad(Misuse::NulOctet, at + 1)),
            (_, None) => None,
            (_, Some(b'\n')) => {
                let text = self.split(at);
                self.drop_front(2);
                Some(Line::Text(text))
            }
            (_, Some(_)) => Some(self.bad(Misuse::BareCarriageReturn, at + 1)),
        }
    }

    /// Exactly `octets` octets, whatever they are, once all have arrived.
    pub fn take(&mut self, octets: usize) -> Option<Bytes> {
        (self.buffer.len() >= octets).then(|| self.split(octets))
    }

    /// What has arrived, at most `octets_max` octets; `None` if nothing has.
    pub fn take_some(&mut self, octets_max: usize) -> Option<Bytes> {
        let octets = self.buffer.len().min(octets_max);
        (octets > 0).then(|| self.split(octets))
    }

    /// The raw buffer, for a reader that finds its own end in it (SMTP content). It must not be called while a bad
    /// line is being skipped.
    pub(crate) fn raw(&mut self) -> &mut BytesMut {
        debug_assert!(!self.skipping, "content begins after a good line");
        self.scanned = 0;
        &mut self.buffer
    }

    /// Gives the allocation back if nothing is left in it; for users of [`raw`](Self::raw).
    pub(crate) fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// Octets of memory held: none while idle.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Reports a line and begins to skip it, from `from` on.
    fn bad(&mut self, misuse: Misuse, from: usize) -> Line {
        self.drop_front(from);
        self.skipping = true;
        Line::Bad(misuse)
    }

    /// Drops octets up to and with the next CRLF. False if it has not come yet.
    fn skip(&mut self) -> bool {
        while let Some(at) = memchr(b'\n', &self.buffer) {
            let ended = at > 0 && self.buffer[at - 1] == b'\r';
            self.drop_front(at + 1);
            if ended {
                self.skipping = false;
                return true;
            }
        }
        // A CR at the very end may be the first half of the CRLF.
        let kept = usize::from(self.buffer.last() == Some(&b'\r'));
        self.drop_front(self.buffer.len() - kept);
        false
    }

    fn split(&mut self, octets: usize) -> Bytes {
        let front = self.buffer.split_to(octets).freeze();
        self.scanned = 0;
        self.release();
        front
    }

    fn drop_front(&mut self, octets: usize) {
        self.buffer.advance(octets);
        self.scanned = 0;
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]], line_max: usize) -> Vec<Line> {
        let mut lines = Lines::new(line_max);
        let mut found = Vec::new();
        for piece in pieces {
            lines.push(piece);
            found.extend(std::iter::from_fn(|| lines.next_line()));
        }
        found
    }

    fn text(line: &'static str) -> Line {
        Line::Text(Bytes::from_static(line.as_bytes()))
    }

    #[test]
    fn only_crlf_ends_a_line() {
        use Misuse::*;
        let check = |input: &str, expected: &[Line]| {
            assert_eq!(read(&[input.as_bytes()], 10), expected, "{input:?}");
        };
        check("", &[]);
        check("a", &[]);
        check("a\r", &[]);
        check("a\r\nb", &[text("a")]);
        check("a\r\n\r\nb\r\n", &[text("a"), text(""), text("b")]);
        check("a\nb\r\nc\r\n", &[Line::Bad(BareLineFeed), text("c")]);
        check("a\rb\r\nc\r\n", &[Line::Bad(BareCarriageReturn), text("c")]);
        check("a\r\r\nc\r\n", &[Line::Bad(BareCarriageReturn), text("c")]);
        check("a\n\n\nb\rc\0d\r\nc\r\n", &[Line::Bad(BareLineFeed), text("c")]);
        check("a\0b\r\nc\r\n", &[Line::Bad(NulOctet), text("c")]);
        check("12345678\r\nc\r\n", &[text("12345678"), text("c")]);
        check("123456789\r\nc\r\n", &[Line::Bad(LineTooLong), text("c")]);
        check("123456789\nc\r\nd\r\n", &[Line::Bad(LineTooLong), text("d")]);
    }

    #[test]
    fn a_line_too_long_is_reported_before_it_ends_and_not_kept() {
        let mut lines = Lines::new(10);
        lines.push(&[b'x'; 9]);
        assert_eq!(lines.next_line(), Some(Line::Bad(Misuse::LineTooLong)));
        lines.push(&[b'x'; 100_000]);
        assert_eq!(lines.next_line(), None);
        assert_eq!(lines.waiting(), 0);
    }

    #[test]
    fn raw_octets_between_lines() {
        let mut lines = Lines::new(10);
        lines.push(b"{3}\r\na\r");
        assert_eq!(lines.next_line(), Some(text("{3}")));
        assert_eq!(lines.take(3), None);
        lines.push(b"\nb\r\n");
        assert_eq!(lines.take(3), Some(Bytes::from_static(b"a\r\n")));
        assert_eq!(lines.take_some(1), Some(Bytes::from_static(b"b")));
        assert_eq!(lines.next_line(), Some(text("")));
        assert_eq!(lines.take_some(1), None);
    }

    #[test]
    fn an_empty_reader_holds_no_allocation() {
        let mut lines = Lines::new(1000);
        lines.push(b"NOOP\r\n");
        assert_eq!(lines.next_line(), Some(text("NOOP")));
        assert_eq!(lines.buffer.capacity(), 0);
        assert!(lines.is_empty());
    }

    #[test]
    fn octets_one_by_one_are_looked_at_once() {
        let mut lines = Lines::new(2_000_000);
        for sent in 1..=1_000_000 {
            lines.push(b"x");
            assert_eq!(lines.next_line(), None);
            assert_eq!(lines.scanned, sent);
        }
    }

    proptest! {
        #[test]
        fn where_input_is_cut_does_not_matter(
            input in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(0), Just(b'a')], 0..60),
            cuts in proptest::collection::vec(0..60_usize, 0..8),
        ) {
            let whole = read(&[&input], 8);
            let mut ends: Vec<_> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
            ends.push(input.len());
            ends.sort_unstable();
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let pieces: Vec<_> = starts.zip(&ends).map(|(start, &end)| &input[start..end]).collect();
            prop_assert_eq!(read(&pieces, 8), whole);
        }
    }
}
