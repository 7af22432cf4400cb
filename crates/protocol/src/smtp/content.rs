//! Message content after DATA (RFC 5321 §4.1.1.4, §4.5.2).
//!
//! ```text
//! line start --"."CRLF--> End       a dot alone on a CRLF-ended line, nothing else, ends content
//! line start --"."------> line      the dot that the client put there is dropped
//! line       --CRLF-----> line start
//! line       --CR, LF---> faulty    the content is read on to its true end, then refused
//! ```
//!
//! A bare CR or LF (RFC 5321 §2.3.8) makes the whole content refused, whoever sends it: passed on, it could end content
//! for a less strict next hop; mended, it would break signatures. It is refused only after CRLF.CRLF, because before it
//! the client does not listen, and its content would be taken for commands.
//!
//! NUL is taken: RFC 5321 §4.5.2 lets content hold any of the 128 ASCII characters and says that all are delivered. So are
//! octets above 127 without BODY=8BITMIME, UTF-8 in the header without SMTPUTF8 (RFC 6531 §3.6 asks no server to look), and
//! lines of more than 998 octets up to [`SMTP_CONTENT_LINE_MAX`]: refusing them loses mail that every reader shows, and the
//! line ends, on which hops must agree, are untouched. All are kept as they came.
//!
//! Octets are decoded in place, in the input buffer: nothing moves until the first dot is dropped, then what follows it
//! moves once.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr2;

use crate::limits::{
    SMTP_CHUNK_MAX, SMTP_CONTENT_AT_ONCE_MAX, SMTP_CONTENT_DROPPED_MAX, SMTP_CONTENT_LINE_MAX,
};

/// Reads one content out of the input buffer.
///
/// The buffer is `decoded` octets of content, a gap left by dots that were dropped, and from `scanned` on raw input.
#[derive(Debug)]
pub(super) struct Content {
    decoded: usize,
    scanned: usize,
    place: Place,
    /// Octets decoded so far, with those that were handed out.
    size: u64,
    size_max: u64,
    /// Octets of the line so far, without its end.
    line: usize,
    /// A chunk was handed out: the rest comes in chunks too.
    streaming: bool,
    fault: Option<Fault>,
    /// Octets dropped because of the fault.
    dropped: u64,
}

/// Where in the content `scanned` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    LineStart,
    Line,
    End,
}

/// What is wrong with a content: the first fault counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    BareLineFeed,
    BareCarriageReturn,
    LineTooLong,
    TooLarge,
}

/// What was found in the buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// More input is needed.
    Wait,
    /// A piece of content, at most [`SMTP_CHUNK_MAX`] octets, that is not the last.
    Chunk(Bytes),
    /// The end; the last piece, and the size of the whole.
    End { last: Bytes, size: u64 },
    /// The end of a content with a fault.
    Faulty(Fault),
    /// The client sends without end.
    Endless,
}

impl Content {
    /// A content of at most `size_max` octets.
    pub(super) fn new(size_max: u64) -> Self {
        Self {
            decoded: 0,
            scanned: 0,
            // RFC 5321 §4.1.1.4: the CRLF that ended DATA is the first half of CRLF.CRLF.
            place: Place::LineStart,
            size: 0,
            size_max,
            line: 0,
            streaming: false,
            fault: None,
            dropped: 0,
        }
    }

    /// Octets of content so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Reads on. Octets of the content are taken out of the buffer; what follows its end stays.
    pub(super) fn read(&mut self, buffer: &mut BytesMut) -> Piece {
        if self.decoded <= SMTP_CONTENT_AT_ONCE_MAX {
            self.scan(buffer);
        }
        match self.fault {
            None => self.hand_out(buffer),
            Some(fault) => self.drop_all(buffer, fault),
        }
    }

    fn hand_out(&mut self, buffer: &mut BytesMut) -> Piece {
        if self.decoded > SMTP_CONTENT_AT_ONCE_MAX || self.streaming && self.decoded > SMTP_CHUNK_MAX {
            self.streaming = true;
            self.decoded -= SMTP_CHUNK_MAX;
            self.scanned -= SMTP_CHUNK_MAX;
            return Piece::Chunk(buffer.split_to(SMTP_CHUNK_MAX).freeze());
        }
        if self.place != Place::End {
            return Piece::Wait;
        }
        let last = buffer.split_to(self.decoded).freeze();
        buffer.advance(self.scanned - self.decoded);
        Piece::End { last, size: self.size }
    }

    fn drop_all(&mut self, buffer: &mut BytesMut, fault: Fault) -> Piece {
        buffer.advance(self.scanned);
        self.dropped += self.scanned as u64;
        (self.decoded, self.scanned) = (0, 0);
        match self.place {
            Place::End => Piece::Faulty(fault),
            _ if self.dropped > SMTP_CONTENT_DROPPED_MAX => Piece::Endless,
            _ => Piece::Wait,
        }
    }

    /// Looks at all raw input, or up to the end of content.
    fn scan(&mut self, buffer: &mut [u8]) {
        while self.place != Place::End {
            let went_on = match self.place {
                Place::LineStart => self.scan_line_start(buffer),
                Place::Line | Place::End => self.scan_line(buffer),
            };
            if !went_on {
                return;
            }
        }
    }

    /// False if the next octets are still to come.
    fn scan_line_start(&mut self, buffer: &[u8]) -> bool {
        match &buffer[self.scanned..] {
            [] | [b'.'] | [b'.', b'\r'] => return false,
            [b'.', b'\r', b'\n', ..] => {
                self.scanned += 3;
                self.place = Place::End;
            }
            [b'.', ..] => {
                self.scanned += 1;
                self.place = Place::Line;
            }
            _ => self.place = Place::Line,
        }
        true
    }

    /// False if the next octets are still to come.
    fn scan_line(&mut self, buffer: &mut [u8]) -> bool {
        let raw = &buffer[self.scanned..];
        let Some(at) = memchr2(b'\r', b'\n', raw) else {
            let all = raw.len();
            self.keep_text(buffer, all);
            return false;
        };
        self.keep_text(buffer, at);
        let raw = &buffer[self.scanned..];
        match (raw[0], raw.get(1)) {
            (b'\n', _) => self.found(buffer, Fault::BareLineFeed),
            (_, None) => return false,
            (_, Some(b'\n')) => {
                self.keep(buffer, 2);
                self.line = 0;
                self.place = Place::LineStart;
            }
            (_, Some(_)) => self.found(buffer, Fault::BareCarriageReturn),
        }
        true
    }

    /// A fault at the next octet of the raw input.
    fn found(&mut self, buffer: &mut [u8], fault: Fault) {
        self.fault.get_or_insert(fault);
        self.keep(buffer, 1);
    }

    /// Octets of a line.
    fn keep_text(&mut self, buffer: &mut [u8], octets: usize) {
        self.keep(buffer, octets);
        self.line += octets;
        if self.line > SMTP_CONTENT_LINE_MAX {
            self.fault.get_or_insert(Fault::LineTooLong);
        }
    }

    /// Moves octets from the raw input to the decoded content.
    fn keep(&mut self, buffer: &mut [u8], octets: usize) {
        if self.decoded != self.scanned && self.fault.is_none() {
            buffer.copy_within(self.scanned..self.scanned + octets, self.decoded);
        }
        self.decoded += octets;
        self.scanned += octets;
        self.size += octets as u64;
        if self.size > self.size_max {
            self.fault.get_or_insert(Fault::TooLarge);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a reader makes of the pieces: the content or its fault, and what is left in the buffer.
    fn read(pieces: &[&[u8]], size_max: u64) -> (Option<Result<Vec<u8>, Fault>>, Vec<u8>) {
        let mut content = Content::new(size_max);
        let mut buffer = BytesMut::new();
        let mut got = Vec::new();
        let mut ended = None;
        for piece in pieces {
            buffer.extend_from_slice(piece);
            while ended.is_none() {
                match content.read(&mut buffer) {
                    Piece::Wait => break,
                    Piece::Chunk(chunk) => got.extend_from_slice(&chunk),
                    Piece::End { last, size } => {
                        got.extend_from_slice(&last);
                        assert_eq!(got.len() as u64, size);
                        ended = Some(Ok(got.clone()));
                    }
                    Piece::Faulty(fault) => ended = Some(Err(fault)),
                    Piece::Endless => panic!("too short for that"),
                }
            }
        }
        (ended, buffer.to_vec())
    }

    #[test]
    fn only_a_dot_alone_on_its_line_ends_content() {
        let check = |input: &str, content: &str, left: &str| {
            let (found, rest) = read(&[input.as_bytes()], 100);
            let found = found.map(|found| found.map(|content| String::from_utf8(content).unwrap()));
            assert_eq!(found, Some(Ok(content.to_owned())), "{input:?}");
            assert_eq!(rest, left.as_bytes());
        };
        check(".\r\n", "", "");
        check("a\r\n.\r\nNOOP\r\n", "a\r\n", "NOOP\r\n");
        check("..\r\n.\r\n", ".\r\n", "");
        check(".a\r\n..b\r\nc.\r\n.d\r\n.\r\nx", "a\r\n.b\r\nc.\r\nd\r\n", "x");
        check("\r\n\r\n.\r\n", "\r\n\r\n", "");
        check("\0\r\n.\r\n", "\0\r\n", "");
        for open in ["", ".", ".\r", "a\r\n.", "a\r\n.\r", "a.\r\n", "a\r\n.x\r\n"] {
            assert_eq!(read(&[open.as_bytes()], 100).0, None, "{open:?}");
        }
    }

    #[test]
    fn bare_line_ends_never_end_content() {
        let check = |input: &str, fault: Fault| {
            let whole = format!("{input}x\r\n.\r\nNOOP\r\n");
            assert_eq!(read(&[whole.as_bytes()], 100), (Some(Err(fault)), b"NOOP\r\n".to_vec()), "{input:?}");
        };
        for input in ["a\n.\n", "a\n.\r\n", "a\r\n.\n", "\n", "a\nb\rc", "a\r\n.\nMAIL FROM:<>\r\n"] {
            check(input, Fault::BareLineFeed);
        }
        for input in ["a\r.\r", "a\r.\r\n", "a\r\n.\rx", "\r\r\n", "a\rb\n"] {
            check(input, Fault::BareCarriageReturn);
        }
    }

    #[test]
    fn the_limit_is_the_last_octet_allowed() {
        assert_eq!(read(&[b"12345678\r\n.\r\n"], 10).0, Some(Ok(b"12345678\r\n".to_vec())));
        assert_eq!(read(&[b"123456789\r\n.\r\nx"], 10), (Some(Err(Fault::TooLarge)), b"x".to_vec()));
        assert_eq!(read(&[b"..2345678\r\n.\r\n"], 10).0, Some(Ok(b".2345678\r\n".to_vec())));
    }

    #[test]
    fn long_lines_are_kept_up_to_a_limit() {
        let line = vec![b'x'; SMTP_CONTENT_LINE_MAX];
        let long = [&line[..], b"\r\n", &line, b"\r\n"].concat();
        let end: &[u8] = b".\r\nNOOP\r\n";
        assert_eq!(read(&[&long, end], u64::MAX), (Some(Ok(long.clone())), b"NOOP\r\n".to_vec()));
        let longer: &[u8] = &[b"\r\nx", &line[..], b"\r\n"].concat();
        assert_eq!(read(&[longer, end], u64::MAX), (Some(Err(Fault::LineTooLong)), b"NOOP\r\n".to_vec()));
    }

    #[test]
    fn small_content_is_one_piece_and_large_content_chunks() {
        let check = |lines: usize, expected: &[usize]| {
            let mut buffer = BytesMut::from("0123456789abcd\r\n".repeat(lines).as_bytes());
            buffer.extend_from_slice(b".\r\n");
            let mut content = Content::new(u64::MAX);
            let mut sizes = Vec::new();
            loop {
                match content.read(&mut buffer) {
                    Piece::Chunk(chunk) => sizes.push(chunk.len()),
                    Piece::End { last, .. } => {
                        sizes.push(last.len());
                        break;
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(sizes, expected);
            assert!(buffer.is_empty());
        };
        check(SMTP_CONTENT_AT_ONCE_MAX / 16, &[SMTP_CONTENT_AT_ONCE_MAX]);
        let chunk = SMTP_CHUNK_MAX;
        check(SMTP_CONTENT_AT_ONCE_MAX / 16 + 1, &[chunk, chunk, chunk, chunk, 16]);
    }

    #[test]
    fn content_without_end_is_cut_off() {
        let mut content = Content::new(10);
        let line = [b'x'; 1 << 20];
        for _ in 0..SMTP_CONTENT_DROPPED_MAX >> 20 {
            assert_eq!(content.read(&mut BytesMut::from(&line[..])), Piece::Wait);
        }
        assert_eq!(content.read(&mut BytesMut::from(&line[..])), Piece::Endless);
    }

    proptest! {
        #[test]
        fn where_input_is_cut_does_not_matter(
            input in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'a')], 0..60),
            cuts in proptest::collection::vec(0..60_usize, 0..8),
        ) {
            let input = [&input[..], b"\r\n.\r\n"].concat();
            let mut ends: Vec<_> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
            ends.push(input.len());
            ends.sort_unstable();
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let pieces: Vec<_> = starts.zip(&ends).map(|(start, &end)| &input[start..end]).collect();
            prop_assert_eq!(read(&pieces, 20), read(&[&input], 20));
        }

        #[test]
        fn content_sent_as_the_rfc_says_arrives_as_it_was(
            lines in proptest::collection::vec("[.a ]{0,5}", 0..20),
        ) {
            let content: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let sent: String = lines
                .iter()
                .map(|line| format!("{}{line}\r\n", if line.starts_with('.') { "." } else { "" }))
                .collect();
            let (found, left) = read(&[sent.as_bytes(), b".\r\n"], 1000);
            prop_assert_eq!(found, Some(Ok(content.into_bytes())));
            prop_assert!(left.is_empty());
        }
    }
}
