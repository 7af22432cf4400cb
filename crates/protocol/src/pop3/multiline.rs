//! Content as a multi-line response (RFC 1939 §3), piece by piece: leading dots are doubled, a dot alone ends it.
//!
//! ```text
//! piece ──► Top (TOP only: how much of it) ──► Stuffing ──► bytes for the client
//! ```
//!
//! A line ends with CRLF and nothing else; state is kept across pieces, so where content is cut does not matter.

use bytes::{BufMut, BytesMut};
use memchr::memchr_iter;

/// Doubles dots at the beginning of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stuffing {
    line: Line,
}

/// Where in a line the next octet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Start,
    Within,
    /// After CR.
    Return,
}

impl Stuffing {
    pub(super) fn new() -> Self {
        Self { line: Line::Start }
    }

    /// Adds a piece to the output.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut BytesMut) {
        out.reserve(piece.len() + piece.len() / 64 + 8);
        let mut copied = 0;
        if self.line == Line::Start && piece.first() == Some(&b'.') {
            out.put_u8(b'.');
        }
        for feed in memchr_iter(b'\n', piece) {
            let after_return = if feed == 0 { self.line == Line::Return } else { piece[feed - 1] == b'\r' };
            if after_return && piece.get(feed + 1) == Some(&b'.') {
                out.put_slice(&piece[copied..=feed]);
                out.put_u8(b'.');
                copied = feed + 1;
            }
        }
        out.put_slice(&piece[copied..]);
        self.line = self.after(piece);
    }

    fn after(self, piece: &[u8]) -> Line {
        match piece {
            [] => self.line,
            [.., b'\r', b'\n'] => Line::Start,
            [b'\n'] if self.line == Line::Return => Line::Start,
            [.., b'\r'] => Line::Return,
            _ => Line::Within,
        }
    }

    /// Ends the response. Content that does not end with CRLF gets one: a dot elsewhere would end nothing.
    pub(super) fn finish(self, out: &mut BytesMut) {
        if self.line != Line::Start {
            out.put_slice(b"\r\n");
        }
        out.put_slice(b".\r\n");
    }
}

/// How much of content TOP sends: the header, the empty line, and so many lines of the body (RFC 1939 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Top {
    in_header: bool,
    lines_left: u32,
    /// Octets of the current line in earlier pieces.
    line_octets: u64,
    after_return: bool,
    done: bool,
}

impl Top {
    pub(super) fn new(lines: u32) -> Self {
        Self { in_header: true, lines_left: lines, line_octets: 0, after_return: false, done: false }
    }

    /// As much of the piece as is wanted.
    pub(super) fn take<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        if self.done {
            return &[];
        }
        let mut line_start = 0;
        for feed in memchr_iter(b'\n', piece) {
            let after_return = if feed == 0 { self.after_return } else { piece[feed - 1] == b'\r' };
            if after_return {
                let octets = self.line_octets + (feed + 1 - line_start) as u64;
                self.line_octets = 0;
                line_start = feed + 1;
                self.line_ended(octets == 2);
                if self.done {
                    return &piece[..=feed];
                }
            }
        }
        self.line_octets += (piece.len() - line_start) as u64;
        self.after_return = piece.last().map_or(self.after_return, |&last| last == b'\r');
        piece
    }

    fn line_ended(&mut self, empty: bool) {
        if self.in_header {
            self.in_header = !empty;
        } else {
            self.lines_left -= 1;
        }
        self.done = !self.in_header && self.lines_left == 0;
    }

    /// Whether nothing more of the content is wanted.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stuffed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> BytesMut {
        let (mut stuffing, mut out) = (Stuffing::new(), BytesMut::new());
        for piece in pieces {
            stuffing.push(piece, &mut out);
        }
        stuffing.finish(&mut out);
        out
    }

    /// What RFC 1939 §3 makes a client do: none if the response is not ended by its only dot alone on a line.
    fn unstuffed(response: &[u8]) -> Option<Vec<u8>> {
        let body = response.strip_suffix(b".\r\n")?;
        let mut lines = Vec::new();
        let mut rest = body;
        while !rest.is_empty() {
            let end = rest.windows(2).position(|two| two == b"\r\n")? + 2;
            let line = &rest[..end];
            if line == b".\r\n" {
                return None;
            }
            lines.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            rest = &rest[end..];
        }
        Some(lines)
    }

    #[test]
    fn dots_at_line_starts_are_doubled() {
        for (content, expected) in [
            ("", ".\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            (".\r\n..\r\na.\r\n", "..\r\n...\r\na.\r\n.\r\n"),
            ("a\n.b\r\n", "a\n.b\r\n.\r\n"),
            ("a\r", "a\r\r\n.\r\n"),
        ] {
            assert_eq!(stuffed([content.as_bytes()]), expected, "{content:?}");
        }
    }

    fn top(lines: u32, content: &str) -> String {
        let mut top = Top::new(lines);
        String::from_utf8(top.take(content.as_bytes()).to_vec()).unwrap()
    }

    #[test]
    fn top_is_the_header_and_some_lines() {
        let content = "A: b\r\n c\r\n\r\none\r\n\r\nthree\r\n";
        for (lines, expected) in [
            (0, "A: b\r\n c\r\n\r\n"),
            (1, "A: b\r\n c\r\n\r\none\r\n"),
            (2, "A: b\r\n c\r\n\r\none\r\n\r\n"),
            (3, content),
            (u32::MAX, content),
        ] {
            assert_eq!(top(lines, content), expected, "{lines}");
        }
        assert_eq!(top(0, "A: b\r\nno body"), "A: b\r\nno body");
        assert_eq!(top(0, "\r\nno header"), "\r\n");
    }

    /// Content in which line ends and dots are frequent.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(b"\r\n.a".to_vec()), 0..60)
    }

    fn pieces(content: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
        let mut rest = content;
        let mut pieces = Vec::new();
        for &cut in cuts {
            let (head, tail) = rest.split_at(cut.min(rest.len()));
            pieces.push(head.to_vec());
            rest = tail;
        }
        pieces.push(rest.to_vec());
        pieces
    }

    proptest! {
        #[test]
        fn a_client_gets_back_what_went_in(content in content(), cuts in prop::collection::vec(0usize..6, 0..20)) {
            let pieces = pieces(&content, &cuts);
            let response = stuffed(pieces.iter().map(Vec::as_slice));
            prop_assert_eq!(&response, &stuffed([content.as_slice()]));
            let got = unstuffed(&response).expect("one end");
            prop_assert!(got == content || got == [&content[..], b"\r\n"].concat());
        }

        #[test]
        fn top_does_not_mind_where_content_is_cut(
            content in content(), lines in 0u32..4, cuts in prop::collection::vec(0usize..6, 0..20),
        ) {
            let mut whole = Top::new(lines);
            let mut cut = Top::new(lines);
            let joined: Vec<u8> = pieces(&content, &cuts).iter().flat_map(|piece| cut.take(piece).to_vec()).collect();
            prop_assert_eq!(whole.take(&content), joined);
            prop_assert_eq!(whole.is_done(), cut.is_done());
        }
    }
}
