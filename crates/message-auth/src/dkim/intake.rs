//! Where the header of a message ends, found while the message comes in pieces.

use memchr::memmem;

use crate::limits;

/// Gathers the header, and passes on the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intake {
    header: Vec<u8>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Body,
    TooLong,
}

impl Intake {
    pub(crate) fn new() -> Self {
        Self { header: Vec::new(), state: State::Header }
    }

    /// Takes the next piece of the message and gives back what of it belongs to the body.
    pub(crate) fn take<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        match self.state {
            State::Body => piece,
            State::TooLong => &[],
            State::Header => self.take_header(piece),
        }
    }

    /// Whether the header is complete.
    pub(crate) fn is_past_header(&self) -> bool {
        self.state == State::Body
    }

    /// The header without its empty line; all that came if that has not come. `None` when it is longer than `limits` allow.
    pub(crate) fn header(&self) -> Option<&[u8]> {
        (self.state != State::TooLong).then_some(&self.header)
    }

    fn take_header<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        let before = self.header.len();
        // With the CRLF of the empty line.
        let room = limits::HEADER_OCTETS_MAX + 2 - before;
        self.header.extend_from_slice(&piece[..piece.len().min(room)]);
        match self.header_end(before) {
            Some(end) => {
                self.header.truncate(end);
                self.state = State::Body;
                &piece[end + 2 - before..]
            }
            None => {
                if piece.len() > room {
                    self.header = Vec::new();
                    self.state = State::TooLong;
                }
                &[]
            }
        }
    }

    /// Where the empty line begins, given that it does not end before `from`.
    fn header_end(&self, from: usize) -> Option<usize> {
        if self.header.starts_with(b"\r\n") {
            return Some(0);
        }
        let from = from.saturating_sub(3);
        memmem::find(&self.header[from..], b"\r\n\r\n").map(|at| from + at + 2)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&[u8]]) -> (Option<Vec<u8>>, Vec<u8>) {
        let mut intake = Intake::new();
        let body = pieces.iter().flat_map(|piece| intake.take(piece)).copied().collect();
        (intake.header().map(<[u8]>::to_vec), body)
    }

    #[test]
    fn the_first_empty_line_ends_the_header() {
        for (message, header, body) in [
            ("A: b\r\n\r\nbody\r\n\r\nx", "A: b\r\n", "body\r\n\r\nx"),
            ("A: b\r\n\r\n", "A: b\r\n", ""),
            ("A: b\r\n", "A: b\r\n", ""),
            ("\r\nbody", "", "body"),
            ("", "", ""),
            ("A: b\n\nC: d\r\n\r\nbody", "A: b\n\nC: d\r\n", "body"),
        ] {
            assert_eq!(split(&[message.as_bytes()]), (Some(header.into()), body.into()), "{message:?}");
        }
    }

    #[test]
    fn a_header_is_bounded() {
        let most = "a".repeat(limits::HEADER_OCTETS_MAX - 2) + "\r\n";
        assert_eq!(split(&[most.as_bytes(), b"\r\nbody"]), (Some(most.clone().into()), b"body".to_vec()));
        let more = "a".repeat(limits::HEADER_OCTETS_MAX - 1) + "\r\n\r\nbody";
        assert_eq!(split(&[more.as_bytes()]), (None, Vec::new()));
        assert_eq!(split(&[more.as_bytes(), b"\r\n\r\nbody"]), (None, Vec::new()));
    }

    proptest! {
        #[test]
        fn cutting_changes_nothing(message in "[\r\na]{0,20}", cuts in proptest::collection::vec(0..21usize, 0..4)) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(message.len())).collect();
            cuts.extend([0, message.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &message.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(split(&pieces), split(&[message.as_bytes()]));
        }
    }
}
