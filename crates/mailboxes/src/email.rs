//! An email's bytes: its prefix, then the content that all who received it share.

use bytes::{Bytes, BytesMut};
use store::Store;
use store::read::EmailRecord;

use crate::error::Result;
use crate::limits;

/// Octets that one read of the store gives.
const PIECE: usize = limits::ANSWER_OCTETS_MAX;

/// Reads an email by offset. Holds nothing but its record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Email<'a> {
    pub(crate) store: &'a Store,
    pub(crate) record: &'a EmailRecord,
}

impl Email<'_> {
    /// Octets from `offset` on, at most `max` and at most 64 KiB; empty at and after the end.
    pub(crate) async fn read(&self, offset: u64, max: u64) -> Result<Bytes> {
        let max = max.min(PIECE as u64) as usize;
        let prefix = &self.record.prefix;
        match usize::try_from(offset).ok().filter(|&offset| offset < prefix.len()) {
            Some(offset) => Ok(prefix.slice(offset..prefix.len().min(offset.saturating_add(max)))),
            None if max == 0 || offset >= self.record.size => Ok(Bytes::new()),
            None => Ok(self.store.read_content(self.record.content, offset - prefix.len() as u64, max).await?),
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

    /// The header with its empty line. Ends at [`limits::HEADER_OCTETS_MAX`] if the email has no end of header before.
    pub(crate) async fn header(&self) -> Result<Bytes> {
        let mut start = BytesMut::new();
        loop {
            let searched = start.len();
            let room = limits::HEADER_OCTETS_MAX - searched;
            let piece = self.read(searched as u64, room as u64).await?;
            start.extend_from_slice(&piece);
            if let Some(end) = header_end(&start, searched) {
                return Ok(start.split_to(end).freeze());
            }
            if piece.is_empty() {
                return Ok(start.freeze());
            }
        }
    }
}

/// Where the header ends, after its empty line. The octets before `searched` hold no end.
fn header_end(start: &[u8], searched: usize) -> Option<usize> {
    // An end may begin up to three octets before.
    let from = searched.saturating_sub(3);
    let at_start = [&b"\r\n"[..], b"\n"].into_iter().find(|end| start.starts_with(end)).map(<[u8]>::len);
    at_start.or_else(|| {
        let ends = memchr::memchr_iter(b'\n', &start[from..]).map(|at| from + at + 1);
        ends.into_iter().find_map(|line| match &start[line..] {
            [b'\r', b'\n', ..] => Some(line + 2),
            [b'\n', ..] => Some(line + 1),
            _ => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_ends_after_the_first_empty_line_however_it_is_cut() {
        for (text, end) in [
            ("A: b\r\n\r\nbody\r\n\r\n", Some(8)),
            ("A: b\n\nbody", Some(6)),
            ("A: b\r\nbody", None),
            ("\r\nbody", Some(2)),
            ("\nbody", Some(1)),
            ("A: b\r\n\r", None),
            ("", None),
        ] {
            for cut in 0..text.len() {
                let found = header_end(&text.as_bytes()[..cut], 0).or_else(|| header_end(text.as_bytes(), cut));
                assert_eq!(found, end, "{text:?} cut at {cut}");
            }
        }
    }
}
