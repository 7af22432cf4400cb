//! Content on its way out (RFC 5321 §4.1.1.4, §4.5.2).
//!
//! ```text
//! pieces ──► Survey ──► ContentFacts      before MAIL: may it be sent at all?
//! pieces ──► Stuffer ──► octets, dots doubled, then CRLF.CRLF
//! ```
//!
//! A bare CR or LF could end the content for a hop that is less strict than the next (SMTP smuggling): what we send has
//! none. The survey finds them before the transaction begins; the stuffer looks again, because between the two the
//! content may have become another.

use bytes::{BufMut, BytesMut};
use mail::message::StructureReader;
use memchr::{memchr_iter, memchr2};

/// What must be known of a content before it is sent. Only a [`Survey`] makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentFacts {
    size: u64,
    eight_bit: bool,
    eight_bit_header: bool,
    bare_line_end: bool,
    ends_with_line_end: bool,
}

impl ContentFacts {
    /// What one piece that is the whole content says.
    pub fn of(content: &[u8]) -> Self {
        let mut survey = Survey::new(true);
        survey.take(content);
        survey.finish()
    }

    /// The facts of a content that begins with so many octets of whole lines of ASCII, and goes on with this one: a
    /// signature is known only when everything else has been looked at.
    #[must_use]
    pub fn after_lines(self, octets: u64) -> Self {
        // Of no content it cannot be said that its last line is ended, and now it is.
        let ends_with_line_end = self.ends_with_line_end || self.size == 0;
        Self { size: self.size + octets, ends_with_line_end, ..self }
    }

    /// Octets of the content.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether there are octets above 127.
    pub fn eight_bit(&self) -> bool {
        self.eight_bit
    }

    /// Whether octets above 127 were found in a header, the content's or that of a part at any level: what only SMTPUTF8
    /// allows (RFC 6531 §3.2, RFC 6532 §3.2).
    pub fn eight_bit_header(&self) -> bool {
        self.eight_bit_header
    }

    /// Whether there is a CR or LF that is no part of a CRLF. Such a content is sent only as binary.
    pub fn bare_line_end(&self) -> bool {
        self.bare_line_end
    }

    /// Octets as RFC 1870 §5 counts them: every line with its CRLF, dots not doubled.
    pub fn size_announced(&self) -> u64 {
        self.size + if self.ends_with_line_end || self.size == 0 { 0 } else { 2 }
    }
}

/// Looks at a content, piece by piece.
///
/// ```
/// use protocol::smtp::client::Survey;
///
/// let mut survey = Survey::new(false);
/// survey.take(b"Subject: x\r");
/// survey.take(b"\n\r\nBody\n");
/// assert!(survey.finish().bare_line_end());
/// ```
pub struct Survey {
    size: u64,
    eight_bit: bool,
    eight_bit_header: bool,
    /// Finds the headers, until octets above 127 were found in one.
    structure: Option<Box<StructureReader>>,
    line_ends: LineEnds,
}

impl Survey {
    /// At the beginning of a content. Headers are looked at, which costs something, only in a `utf8` one, that came with
    /// SMTPUTF8: any other is sent as it came, whatever its headers hold.
    pub fn new(utf8: bool) -> Self {
        Self {
            size: 0,
            eight_bit: false,
            eight_bit_header: false,
            structure: utf8.then(Box::default),
            line_ends: LineEnds::default(),
        }
    }

    /// Takes the next piece.
    pub fn take(&mut self, piece: &[u8]) {
        self.size += piece.len() as u64;
        self.eight_bit |= !piece.is_ascii();
        self.look_for_headers(piece);
        self.line_ends.take(piece);
    }

    fn look_for_headers(&mut self, piece: &[u8]) {
        let Some(structure) = &mut self.structure else { return };
        for line in piece.split_inclusive(|octet| *octet == b'\n') {
            if structure.in_header() && !line.is_ascii() {
                self.eight_bit_header = true;
                self.structure = None;
                return;
            }
            structure.push(line);
        }
    }

    /// What is known when all pieces were taken.
    pub fn finish(self) -> ContentFacts {
        ContentFacts {
            size: self.size,
            eight_bit: self.eight_bit,
            eight_bit_header: self.eight_bit_header,
            bare_line_end: self.line_ends.bare || self.line_ends.after_cr,
            ends_with_line_end: self.line_ends.at_line_start,
        }
    }
}

/// Looks for a CR without LF, and an LF without CR, across pieces.
#[derive(Debug, Clone, Default)]
struct LineEnds {
    bare: bool,
    /// The last octet was a CR.
    after_cr: bool,
    /// The last octets were CRLF.
    at_line_start: bool,
}

impl LineEnds {
    fn take(&mut self, mut piece: &[u8]) {
        let [.., last] = piece else { return };
        let ends = *last;
        if std::mem::take(&mut self.after_cr) {
            match piece {
                [b'\n', rest @ ..] => piece = rest,
                _ => self.bare = true,
            }
        }
        while let (false, Some(at)) = (self.bare, memchr2(b'\r', b'\n', piece)) {
            match &piece[at..] {
                [b'\r', b'\n', rest @ ..] => piece = rest,
                [b'\r'] => {
                    self.after_cr = true;
                    break;
                }
                _ => self.bare = true,
            }
        }
        self.at_line_start = ends == b'\n';
    }
}

/// Doubles the dots at line starts.
#[derive(Debug)]
pub(super) struct Stuffer {
    line_ends: LineEnds,
    line_start: bool,
    size: u64,
}

/// The content has a bare CR or LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bare;

impl Stuffer {
    pub(super) fn new() -> Self {
        Self { line_ends: LineEnds::default(), line_start: true, size: 0 }
    }

    /// Octets of the content so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Writes a piece. Nothing of a piece with a bare CR or LF is written.
    pub(super) fn take(&mut self, piece: &[u8], out: &mut BytesMut) -> Result<(), Bare> {
        self.line_ends.take(piece);
        if self.line_ends.bare {
            return Err(Bare);
        }
        self.size += piece.len() as u64;
        let mut from = 0;
        for at in memchr_iter(b'.', piece) {
            let starts_line = if at == 0 { self.line_start } else { piece[at - 1] == b'\n' };
            if starts_line {
                out.put_slice(&piece[from..at]);
                out.put_u8(b'.');
                from = at;
            }
        }
        out.put_slice(&piece[from..]);
        if let [.., last] = piece {
            self.line_start = *last == b'\n';
        }
        Ok(())
    }

    /// Writes the end: a content whose last line is not ended gets its CRLF.
    pub(super) fn finish(self, out: &mut BytesMut) -> Result<(), Bare> {
        if self.line_ends.after_cr {
            return Err(Bare);
        }
        out.put_slice(if self.line_start { b".\r\n" } else { b"\r\n.\r\n" });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn survey(pieces: &[&[u8]]) -> ContentFacts {
        let mut survey = Survey::new(true);
        pieces.iter().for_each(|piece| survey.take(piece));
        survey.finish()
    }

    fn stuffed(pieces: &[&[u8]]) -> Result<Vec<u8>, Bare> {
        let mut stuffer = Stuffer::new();
        let mut out = BytesMut::new();
        for piece in pieces {
            stuffer.take(piece, &mut out)?;
        }
        stuffer.finish(&mut out)?;
        Ok(out.to_vec())
    }

    #[test]
    fn dots_are_doubled_and_the_end_is_one() {
        for (content, sent) in [
            ("", ".\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("a.b\r\n..\r\n.c", "a.b\r\n...\r\n..c\r\n.\r\n"),
            ("\r\n\r\n", "\r\n\r\n.\r\n"),
        ] {
            assert_eq!(stuffed(&[content.as_bytes()]), Ok(sent.as_bytes().to_vec()), "{content:?}");
        }
    }

    #[test]
    fn bare_line_ends_are_found() {
        for content in ["\n", "\r", "a\n.\r\n", "a\r.\r\n", "a\r\n.\n", "a\r\r\n", "a\r\n\n", "a\r"] {
            assert!(survey(&[content.as_bytes()]).bare_line_end(), "{content:?}");
            assert_eq!(stuffed(&[content.as_bytes()]), Err(Bare), "{content:?}");
        }
    }

    #[test]
    fn lines_before_a_content_count() {
        for content in ["", "a", "a\r\n", "a\n", "\u{e4}"] {
            let whole = format!("X: y\r\n{content}");
            assert_eq!(
                survey(&[content.as_bytes()]).after_lines(6),
                survey(&[whole.as_bytes()]),
                "{content:?}"
            );
        }
    }

    #[test]
    fn sizes_are_announced_with_the_last_line_end() {
        for (content, announced) in [("", 0), ("a", 3), ("a\r\n", 3), (".\r\n", 3)] {
            assert_eq!(survey(&[content.as_bytes()]).size_announced(), announced, "{content:?}");
        }
        assert!(survey(&["ä".as_bytes()]).eight_bit());
        assert!(!survey(&[b"a\0"]).eight_bit());
    }

    /// RFC 6531 §3.2: "at any level within its MIME structure".
    #[test]
    fn headers_of_parts_are_headers() {
        let multipart = |header: &str, body: &str, end: &str| {
            format!(
                "A: b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\u{e4}\r\n--b\r\n\
                 Content-Type: {header}\r\n\r\n{body}\r\n--b--\r\n{end}\r\n"
            )
        };
        for (content, expected) in [
            (multipart("text/plain", "\u{e4}", "\u{e4}"), false),
            (multipart("text/plain; name=\u{e4}", "x", ""), true),
            (multipart("text/plain", "-- \r\nA: \u{e4}", ""), false),
            (multipart("message/rfc822", "A: \u{e4}", ""), true),
            (multipart("message/rfc822", "A: b\r\n\r\n\u{e4}", ""), false),
            (multipart("message/global", "A: \u{e4}", ""), true),
            (multipart("multipart/x; boundary=c", "--c\r\nA: \u{e4}\r\n\r\n", ""), true),
            (multipart("multipart/x; boundary=c", "--c\r\n\r\n\u{e4}", ""), false),
        ] {
            for cut in [1, 7, content.len()] {
                let pieces: Vec<&[u8]> = content.as_bytes().chunks(cut).collect();
                assert_eq!(survey(&pieces).eight_bit_header(), expected, "{content}");
            }
            let mut unasked = Survey::new(false);
            unasked.take(content.as_bytes());
            assert!(!unasked.finish().eight_bit_header());
        }
    }

    #[test]
    fn the_header_ends_at_the_first_empty_line() {
        for (pieces, expected) in [
            (&["A: \u{e4}\r\n\r\n"][..], true),
            (&["A: b\r\n\r\n\u{e4}\r\n"], false),
            (&["A: b\r\n", "\r\n\u{e4}\r\n"], false),
            (&["A: b\r\n\r", "\n\u{e4}\r\n"], false),
            (&["A: b\r", "\n", "\r", "\n", "\u{e4}\r\n"], false),
            (&["A: b\r\n", "\u{e4}\r\n\r\n"], true),
            (&["\r\n", "\u{e4}"], false),
            (&["A: b", "\u{e4}"], true),
        ] {
            let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
            assert_eq!(survey(&pieces).eight_bit_header(), expected, "{pieces:?}");
        }
    }

    proptest! {
        #[test]
        fn where_the_pieces_end_does_not_matter(
            content in proptest::collection::vec(
                prop_oneof![Just(&b"\r\n"[..]), Just(&b"\r\n"[..]), Just(&b"."[..]), Just(&b"a"[..]), Just(&b"\n"[..]), Just(&b"\r"[..])], 0..20
            ),
            cuts in proptest::collection::vec(0..40_usize, 0..6),
        ) {
            let content = content.concat();
            let mut ends: Vec<_> = cuts.into_iter().map(|cut| cut.min(content.len())).collect();
            ends.push(content.len());
            ends.sort_unstable();
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let pieces: Vec<_> = starts.zip(&ends).map(|(start, &end)| &content[start..end]).collect();
            prop_assert_eq!(survey(&pieces), survey(&[&content]));
            let sent = stuffed(&pieces);
            prop_assert_eq!(&sent, &stuffed(&[&content]));
            prop_assert_eq!(sent.is_err(), survey(&pieces).bare_line_end());
            if let Ok(sent) = sent {
                // The end is found nowhere but at the end.
                let end = memchr::memmem::find(&[b"\r\n", &sent[..]].concat(), b"\r\n.\r\n");
                prop_assert_eq!(end, Some(sent.len() - 3));
            }
        }
    }
}
