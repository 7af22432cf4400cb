//! Where what a peer says is cut into reads.

use std::slice::Chunks;

/// Where it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nowhere: it says everything before it is asked anything.
    Nowhere,
    /// After each line.
    Lines,
    /// After each line, and every so many octets of it.
    Pieces(usize),
}

impl Cut {
    /// What is said before an answer is awaited.
    pub(super) fn lines(self, octets: &[u8]) -> Vec<&[u8]> {
        let lines: Vec<_> = match self {
            Self::Nowhere => vec![octets],
            Self::Lines | Self::Pieces(_) => octets.split_inclusive(|&octet| octet == b'\n').collect(),
        };
        lines.into_iter().filter(|line| !line.is_empty()).collect()
    }

    /// The reads of a line.
    pub(super) fn pieces(self, line: &[u8]) -> Chunks<'_, u8> {
        line.chunks(if let Self::Pieces(size) = self { size } else { usize::MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_said_in_its_order() {
        let check = |cut: Cut, expected: &[&[u8]]| {
            let lines = cut.lines(b"ab\ncde");
            assert_eq!(
                lines.iter().flat_map(|line| cut.pieces(line)).collect::<Vec<_>>(),
                expected,
                "{cut:?}"
            );
            assert!(cut.lines(b"").is_empty());
        };
        check(Cut::Nowhere, &[b"ab\ncde"]);
        check(Cut::Lines, &[b"ab\n", b"cde"]);
        check(Cut::Pieces(2), &[b"ab", b"\n", b"cd", b"e"]);
    }
}
