//! Message content that comes by BDAT (RFC 3030 §2): octets by their number, no dots, no end to be found.
//!
//! ```text
//! BDAT n       --n octets--> Over     250, the next chunk may come
//! BDAT n LAST  --n octets--> End      the content is complete
//!              --n octets--> Faulty   what is wrong is said after the octets, because before them the client does not
//!                                     listen (§2: "MUST accept and discard")
//! ```
//!
//! With BODY=BINARYMIME octets are free. Without it content is text, whichever command brings it: a bare CR or LF, or a line
//! that is too long, is refused as after DATA ([`content`](super::content)), because the next hop may know DATA alone. That
//! its last line lacks its CRLF is no fault: what hands it on writes one.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr2;

use super::content::Fault;
use crate::limits::{SMTP_CHUNK_MAX, SMTP_CONTENT_AT_ONCE_MAX, SMTP_CONTENT_LINE_MAX};

/// One content, chunk by chunk.
#[derive(Debug)]
pub(super) struct Chunks {
    /// None where octets are free.
    text: Option<Text>,
    /// Octets announced so far.
    size: u64,
    size_max: u64,
    /// Octets of the chunk, and those of them that have not been taken.
    announced: u64,
    left: u64,
    last: bool,
    fault: Option<Fault>,
}

/// What was found in the buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// More input is needed.
    Wait,
    /// A piece of content, at most [`SMTP_CHUNK_MAX`] octets, that is not the last of the content.
    Chunk(Bytes),
    /// The end of a chunk, all of which was handed out, that is not the last.
    Over,
    /// The end of the last chunk; the last piece, and the size of the whole.
    End { last: Bytes, size: u64 },
    /// The end of a chunk after which the content is refused.
    Faulty(Fault),
}

impl Chunks {
    /// A content of at most `size_max` octets.
    pub(super) fn new(is_binary: bool, size_max: u64) -> Self {
        let text = (!is_binary).then(Text::default);
        Self { text, size: 0, size_max, announced: 0, left: 0, last: false, fault: None }
    }

    /// A chunk was announced.
    pub(super) fn announced(&mut self, octets: u64, last: bool) {
        self.size = self.size.saturating_add(octets);
        (self.announced, self.left, self.last) = (octets, octets, last);
        if self.size > self.size_max {
            self.fault.get_or_insert(Fault::TooLarge);
        }
    }

    /// Octets of the content that have come.
    pub(super) fn size(&self) -> u64 {
        self.size - self.left
    }

    /// Octets of the chunk that have come.
    pub(super) fn come(&self) -> u64 {
        self.announced - self.left
    }

    /// Octets of the chunk that have not been taken out of the buffer.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Whether the content is refused already.
    pub(super) fn is_faulty(&self) -> bool {
        self.fault.is_some()
    }

    /// Whether the chunk is the last.
    pub(super) fn is_last(&self) -> bool {
        self.last
    }

    /// Reads on. Octets of the chunk are taken out of the buffer; what follows it stays. The pieces do not depend on how
    /// the octets arrive.
    pub(super) fn read(&mut self, buffer: &mut BytesMut) -> Piece {
        if let Some(fault) = self.fault {
            return self.drop_all(buffer, fault);
        }
        let at_once = if self.last { SMTP_CONTENT_AT_ONCE_MAX } else { SMTP_CHUNK_MAX };
        let piece = match usize::try_from(self.left) {
            Ok(left) if left <= at_once => left,
            _ => SMTP_CHUNK_MAX,
        };
        if buffer.len() < piece {
            return Piece::Wait;
        }
        let is_end = self.left == piece as u64;
        if is_end && piece == 0 && !self.last {
            return Piece::Over;
        }
        self.look(&buffer[..piece], is_end && self.last);
        match self.fault {
            Some(fault) => self.drop_all(buffer, fault),
            None => self.hand_out(buffer.split_to(piece).freeze(), is_end),
        }
    }

    fn hand_out(&mut self, piece: Bytes, is_end: bool) -> Piece {
        self.left -= piece.len() as u64;
        match is_end && self.last {
            true => Piece::End { last: piece, size: self.size },
            false => Piece::Chunk(piece),
        }
    }

    fn drop_all(&mut self, buffer: &mut BytesMut, fault: Fault) -> Piece {
        self.left -= swallow(buffer, self.left);
        if self.left == 0 { Piece::Faulty(fault) } else { Piece::Wait }
    }

    fn look(&mut self, piece: &[u8], is_end: bool) {
        let Some(text) = &mut self.text else { return };
        self.fault =
            text.look(piece).or_else(|| (is_end && text.after_return).then_some(Fault::BareCarriageReturn));
    }
}

/// Drops at most so many octets from the front of the buffer; how many they were.
pub(super) fn swallow(buffer: &mut BytesMut, octets_max: u64) -> u64 {
    let octets = usize::try_from(octets_max).map_or(buffer.len(), |octets_max| octets_max.min(buffer.len()));
    buffer.advance(octets);
    octets as u64
}

/// The rules for text, over pieces cut anywhere.
#[derive(Debug, Default)]
struct Text {
    /// The last octet was a CR.
    after_return: bool,
    /// Octets of the line so far, without its end.
    line: usize,
}

impl Text {
    /// The first fault in the next octets.
    fn look(&mut self, mut octets: &[u8]) -> Option<Fault> {
        loop {
            if std::mem::take(&mut self.after_return) {
                match octets.split_first() {
                    None => {
                        self.after_return = true;
                        return None;
                    }
                    Some((b'\n', rest)) => (self.line, octets) = (0, rest),
                    Some(_) => return Some(Fault::BareCarriageReturn),
                }
            }
            let end = memchr2(b'\r', b'\n', octets);
            self.line += end.unwrap_or(octets.len());
            if self.line > SMTP_CONTENT_LINE_MAX {
                return Some(Fault::LineTooLong);
            }
            match end {
                None => return None,
                Some(at) if octets[at] == b'\n' => return Some(Fault::BareLineFeed),
                Some(at) => (self.after_return, octets) = (true, &octets[at + 1..]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Read = (Vec<u8>, Option<Result<u64, Fault>>);

    /// What a reader makes of chunks, the input cut into pieces of this size: what it handed out, and the end.
    fn read(chunks: &[&[u8]], is_binary: bool, size_max: u64, cut: usize) -> Read {
        let mut content = Chunks::new(is_binary, size_max);
        let mut got = Vec::new();
        for (place, chunk) in chunks.iter().enumerate() {
            content.announced(chunk.len() as u64, place + 1 == chunks.len());
            let mut buffer = BytesMut::new();
            let mut input = chunk.chunks(cut.max(1));
            loop {
                match content.read(&mut buffer) {
                    Piece::Wait => buffer.extend_from_slice(input.next().expect("the chunk is complete")),
                    Piece::Chunk(piece) => got.extend_from_slice(&piece),
                    Piece::Over => break,
                    Piece::Faulty(fault) => return (Vec::new(), Some(Err(fault))),
                    Piece::End { last, size } => {
                        got.extend_from_slice(&last);
                        return (got, Some(Ok(size)));
                    }
                }
            }
            assert!(buffer.is_empty() && input.next().is_none());
        }
        (got, None)
    }

    #[test]
    fn octets_are_counted_and_left_as_they_are() {
        let check = |chunks: &[&[u8]]| {
            let whole = chunks.concat();
            assert_eq!(read(chunks, true, 1_000_000, 7), (whole.clone(), Some(Ok(whole.len() as u64))));
        };
        check(&[b""]);
        check(&[b"a\n.\r\n.\r\n\rb\0\xff"]);
        check(&[b"a\r", b"\nb", b"", b""]);
        check(&[&[b'x'; 300_000], &[b'\n'; 300_000]]);
    }

    #[test]
    fn text_has_line_ends() {
        let check = |chunks: &[&[u8]], fault: Option<Fault>| {
            let expected = fault.map_or(Ok(chunks.concat().len() as u64), Err);
            for cut in [1, 2, 1000] {
                assert_eq!(read(chunks, false, 1_000_000, cut).1, Some(expected), "{chunks:?}");
            }
        };
        check(&[b"a\r\n.\r\n..b"], None);
        check(&[b"a\r", b"\nb\r\n"], None);
        check(&[b"a\r", b"", b"\nb\r\n"], None);
        check(&[b"a\nb"], Some(Fault::BareLineFeed));
        check(&[b"a\rb"], Some(Fault::BareCarriageReturn));
        check(&[b"a\r", b"b"], Some(Fault::BareCarriageReturn));
        check(&[b"a\r"], Some(Fault::BareCarriageReturn));
        check(&[b"a\r\r\n"], Some(Fault::BareCarriageReturn));
    }

    #[test]
    fn the_limits_are_the_last_octets_allowed() {
        assert_eq!(read(&[b"12345", b"67890"], true, 10, 3).1, Some(Ok(10)));
        assert_eq!(read(&[b"12345", b"678901"], true, 10, 3).1, Some(Err(Fault::TooLarge)));
        let line = vec![b'x'; SMTP_CONTENT_LINE_MAX + 1];
        let size_max = u64::MAX;
        assert_eq!(read(&[&line[1..], b"\r\n"], false, size_max, 4096).1, Some(Ok(line.len() as u64 + 1)));
        assert_eq!(read(&[&line, b"\r\n"], false, size_max, 4096).1, Some(Err(Fault::LineTooLong)));
        assert_eq!(read(&[&line, b"\r\n"], true, size_max, 4096).1, Some(Ok(line.len() as u64 + 2)));
    }

    #[test]
    fn an_announcement_without_measure_is_too_large() {
        let mut content = Chunks::new(true, 10);
        content.announced(u64::MAX, false);
        content.announced(u64::MAX, true);
        assert_eq!(content.read(&mut BytesMut::from("x")), Piece::Wait);
        assert_eq!(content.left(), u64::MAX - 1);
    }

    proptest! {
        #[test]
        fn where_input_is_cut_does_not_matter(
            chunks in proptest::collection::vec("[a\r\n]{0,6}", 1..5),
            is_binary: bool,
            cut in 1..9_usize,
        ) {
            let chunks: Vec<&[u8]> = chunks.iter().map(String::as_bytes).collect();
            prop_assert_eq!(read(&chunks, is_binary, 20, cut), read(&chunks, is_binary, 20, 100));
        }
    }
}
