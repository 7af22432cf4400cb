//! An email's bytes: its prefix, then the content that all who received it share.

use bytes::{Bytes, BytesMut};
use mail::message::{Header, Part, StructureReader};
use store::Store;

use crate::error::Result;
use crate::facts::Facts;
use crate::limits;

/// Octets that one read of the store gives.
const PIECE: usize = limits::ANSWER_OCTETS_MAX;

/// Reads an email by offset. Holds no content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Email<'a> {
    pub(crate) store: &'a Store,
    pub(crate) facts: &'a Facts,
}

impl Email<'_> {
    /// Octets from `offset` on, at most `max` and at most 64 KiB; empty at and after the end.
    pub(crate) async fn read(&self, offset: u64, max: u64) -> Result<Bytes> {
        let max = max.min(PIECE as u64) as usize;
        let prefix = &self.facts.prefix;
        match usize::try_from(offset).ok().filter(|&offset| offset < prefix.len()) {
            Some(offset) => Ok(prefix.slice(offset..prefix.len().min(offset.saturating_add(max)))),
            None if max == 0 || offset >= self.facts.size => Ok(Bytes::new()),
            None => {
                Ok(self.store.read_content(self.facts.content, offset - prefix.len() as u64, max).await?)
            }
        }
    }

    /// All of it from `offset` on, up to `max` octets: for callers that have a limit of their own.
    pub(crate) async fn read_all(&self, offset: u64, max: u64) -> Result<Bytes> {
        let first = self.read(offset, max).await?;
        if first.is_empty() || first.len() as u64 >= max {
            return Ok(first);
        }
        let mut all = BytesMut::from(first);
        loop {
            let had = all.len() as u64;
            let piece = self.read(offset + had, max - had).await?;
            if piece.is_empty() {
                return Ok(all.freeze());
            }
            all.extend_from_slice(&piece);
        }
    }

    /// The structure, parsed piece by piece: nothing else is held.
    pub(crate) async fn parse(&self) -> Result<Part> {
        let mut reader = StructureReader::new();
        let mut at = 0;
        loop {
            let piece = self.read(at, u64::MAX).await?;
            if piece.is_empty() {
                return Ok(reader.finish().root);
            }
            at += piece.len() as u64;
            reader.push(&piece);
            if piece.len() == PIECE {
                // A large email must not keep this thread from others.
                tokio::task::yield_now().await;
            }
        }
    }

    /// The header with its empty line, at most [`limits::HEADER_OCTETS_MAX`].
    pub(crate) async fn header(&self) -> Result<Bytes> {
        let mut start = BytesMut::new();
        loop {
            let room = limits::HEADER_OCTETS_MAX - start.len();
            let piece = self.read(start.len() as u64, room as u64).await?;
            start.extend_from_slice(&piece);
            if let Some(end) = header_end(&start, piece.is_empty()) {
                // A copy: it may be kept, and what was read beyond need not be.
                return Ok(Bytes::copy_from_slice(&start[..end]));
            }
        }
    }
}

/// Where the header ends, if that can be told from the start of an email.
fn header_end(start: &[u8], complete: bool) -> Option<usize> {
    if complete {
        return Some(Header::parse(start).octets());
    }
    // A line that goes on in the next piece cannot be judged.
    let lines = memchr::memrchr(b'\n', start).map_or(0, |at| at + 1);
    let end = Header::parse(&start[..lines]).octets();
    (end < lines || start[..end].ends_with(b"\n\r\n") || start[..end].ends_with(b"\n\n")).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_ends_where_the_parser_says_however_it_is_cut() {
        for (text, end) in [
            ("A: b\r\n\r\nbody\r\n\r\n", 8),
            ("A: b\n\nbody", 6),
            ("A: b\r\nC: d", 10),
            ("A: b\r\nno field\r\n", 6),
            ("\r\nbody", 2),
            ("A: b\r\n c\r\n\r\nbody", 12),
            ("", 0),
        ] {
            assert_eq!(header_end(text.as_bytes(), true), Some(end), "{text:?}");
            for cut in 0..text.len() {
                let found = header_end(&text.as_bytes()[..cut], false);
                assert!(found.is_none_or(|found| found == end), "{text:?} cut at {cut}: {found:?}");
            }
        }
    }
}
