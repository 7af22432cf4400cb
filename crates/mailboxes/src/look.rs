//! One email while it is looked at: its header and structure are read once, and only if needed.
//!
//! ```text
//! Section --> Place: a range of the email | selected fields | a part to be decoded | nothing --> Piece
//! ```

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use mail::message::{EnvelopeFields, Part, TransferDecoder};
use mail::{Section, SectionText, Timestamp, Uid};

use crate::decoding::Decoding;
use crate::email::Email;
use crate::error::Result;
use crate::facts::Facts;
use crate::fetch::{Form, Piece, Wanted};
use crate::limits;
use crate::section::{self, Depth, locate, part_of, select_fields};
use crate::view::Open;

/// Where a section's bytes are.
enum Place {
    /// Octets of the email.
    Range(Range<u64>),
    /// Selected fields.
    Selected(Bytes),
    /// Octets of the email that are to be decoded.
    Encoded(Decoding),
    /// There is no such part.
    Nowhere,
    /// An encoding that is not known.
    Undecodable,
}

/// An email, and what was read of it.
pub(crate) struct Look<'a> {
    open: &'a Open,
    facts: Arc<Facts>,
    /// More is known of it than before.
    learned: bool,
}

impl<'a> Look<'a> {
    pub(crate) fn new(open: &'a Open, facts: Arc<Facts>) -> Self {
        Self { open, facts, learned: false }
    }

    /// INTERNALDATE and RFC822.SIZE.
    pub(crate) fn facts(&self) -> (Timestamp, u64) {
        (self.facts.date, self.facts.size)
    }

    pub(crate) fn uid(&self) -> Uid {
        self.facts.uid
    }

    pub(crate) fn all_facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    fn email(&self) -> Email<'_> {
        Email { store: self.open.store(), facts: &self.facts }
    }

    pub(crate) async fn header(&mut self) -> Result<Bytes> {
        if let Some(known) = self.facts.header.get() {
            return Ok(known.clone());
        }
        let header = self.email().header().await?;
        self.learned = true;
        Ok(self.facts.header.get_or_init(|| header).clone())
    }

    pub(crate) async fn envelope(&mut self) -> Result<Arc<EnvelopeFields>> {
        if let Some(known) = self.facts.envelope.get() {
            return Ok(known.clone());
        }
        let envelope = Arc::new(mail::message::envelope(&self.header().await?));
        self.learned = true;
        Ok(self.facts.envelope.get_or_init(|| envelope).clone())
    }

    pub(crate) async fn structure(&mut self) -> Result<Arc<Part>> {
        if let Some(known) = self.facts.structure.get() {
            return Ok(known.clone());
        }
        let structure = Arc::new(self.email().parse().await?);
        self.learned = true;
        Ok(self.facts.structure.get_or_init(|| structure).clone())
    }

    /// The email, if more is known of it than before: to be kept.
    pub(crate) fn learned(self) -> Option<Arc<Facts>> {
        self.learned.then_some(self.facts)
    }

    /// More of this email will be read.
    pub(crate) fn remember(&self) {
        self.open.remember(&self.facts);
    }

    /// The decoded size of a part, octets; none if there is no such part, or if it cannot be decoded.
    pub(crate) async fn decoded_size(&mut self, part: &[u32]) -> Result<Option<u64>> {
        match self.find_decoded(part).await? {
            Place::Range(range) => Ok(Some(range.end - range.start)),
            Place::Encoded(decoding) => Ok(Some(self.size_of(part, decoding).await?)),
            Place::Selected(_) | Place::Nowhere | Place::Undecodable => Ok(None),
        }
    }

    /// The length of what is wanted, and its first octets, at most `room`.
    pub(crate) async fn piece(&mut self, wanted: &Wanted, room: usize) -> Result<Piece> {
        let place = self.place(wanted).await?;
        let Place::Encoded(decoding) = place else {
            return self.raw_piece(&place, wanted.partial, room).await;
        };
        let part = &wanted.section.part;
        let size = self.size_of(part, decoding.clone()).await?;
        let range = cut(0..size, wanted.partial);
        let length = range.end - range.start;
        let start = self.decoded(part, decoding, range.start, length.min(room as u64)).await?;
        Ok(Piece::Octets { length, start })
    }

    /// What lies behind the offset of `partial`: as much as an answer holds, or less. Its `length` means nothing.
    pub(crate) async fn rest(&mut self, wanted: &Wanted) -> Result<Piece> {
        let room = limits::ANSWER_OCTETS_MAX;
        match self.place(wanted).await? {
            Place::Encoded(decoding) => {
                let offset = wanted.partial.map_or(0, |(offset, _)| offset);
                let start = self.decoded(&wanted.section.part, decoding, offset, room as u64).await?;
                Ok(Piece::Octets { length: start.len() as u64, start })
            }
            // What one read gives ends where a chunk of the content does: so the next one begins there.
            Place::Range(range) => {
                let range = cut(range, wanted.partial);
                let start = self.email().read(range.start, range.end - range.start).await?;
                Ok(Piece::Octets { length: start.len() as u64, start })
            }
            place => self.raw_piece(&place, wanted.partial, room).await,
        }
    }

    async fn place(&mut self, wanted: &Wanted) -> Result<Place> {
        match wanted.form {
            Form::Raw => self.find(&wanted.section).await,
            Form::Decoded => self.find_decoded(&wanted.section.part).await,
        }
    }

    async fn find(&mut self, section: &Section) -> Result<Place> {
        let range = match section::depth(section) {
            Depth::Size => (section.text == SectionText::Whole).then_some(0..self.facts.size),
            Depth::Header => {
                let end = self.header().await?.len() as u64;
                Some(if section.text == SectionText::Text { end..self.facts.size } else { 0..end })
            }
            Depth::Structure => locate(self.structure().await?.as_ref(), section).map(octets),
        };
        let Some(range) = range else { return Ok(Place::Nowhere) };
        match &section.text {
            SectionText::HeaderFields(names) => self.select(range, names, true).await,
            SectionText::HeaderFieldsNot(names) => self.select(range, names, false).await,
            _ => Ok(Place::Range(range)),
        }
    }

    async fn find_decoded(&mut self, part: &[u32]) -> Result<Place> {
        if part.is_empty() {
            return Ok(Place::Range(0..self.facts.size));
        }
        let structure = self.structure().await?;
        let Some(found) = part_of(&structure, part) else { return Ok(Place::Nowhere) };
        let range = octets(found.body.clone());
        // RFC 2045 §6.4: what holds other parts is not encoded, whatever it says.
        if !found.parts.is_empty() {
            return Ok(Place::Range(range));
        }
        Ok(match TransferDecoder::named(&found.encoding) {
            Some(decoder) if decoder.is_identity() => Place::Range(range),
            Some(decoder) => Place::Encoded(Decoding::new(range, decoder)),
            None => Place::Undecodable,
        })
    }

    async fn select(&mut self, range: Range<u64>, names: &[String], keep: bool) -> Result<Place> {
        let header = match range.start {
            0 => self.header().await?,
            _ => {
                let length = (range.end - range.start).min(limits::HEADER_OCTETS_MAX as u64);
                self.email().read_all(range.start, length).await?
            }
        };
        Ok(Place::Selected(select_fields(&header, names, keep).into()))
    }

    async fn raw_piece(&self, place: &Place, partial: Option<(u64, u64)>, room: usize) -> Result<Piece> {
        match place {
            Place::Range(range) => {
                let range = cut(range.clone(), partial);
                let length = range.end - range.start;
                let start = self.email().read_all(range.start, length.min(room as u64)).await?;
                Ok(Piece::Octets { length, start })
            }
            Place::Selected(fields) => {
                let range = cut(0..fields.len() as u64, partial);
                let taken =
                    range.start as usize..range.end.min(range.start.saturating_add(room as u64)) as usize;
                Ok(Piece::Octets { length: range.end - range.start, start: fields.slice(taken) })
            }
            Place::Nowhere => Ok(Piece::Missing),
            Place::Undecodable | Place::Encoded(_) => Ok(Piece::Undecodable),
        }
    }

    async fn size_of(&mut self, part: &[u32], decoding: Decoding) -> Result<u64> {
        let uid = self.facts.uid;
        if let Some(known) = self.open.known_size(uid, part) {
            return Ok(known);
        }
        let size = decoding.size(&self.email()).await?;
        if self.facts.size > limits::SMALL_OCTETS_MAX {
            self.remember();
            self.open.note_size(uid, part, size);
        }
        Ok(size)
    }

    /// Decoded octets from `offset` on, at most `max`: a piece at least, unless it ends there.
    async fn decoded(&self, part: &[u32], fresh: Decoding, offset: u64, max: u64) -> Result<Bytes> {
        let uid = self.facts.uid;
        let known = self.open.take_decoding(uid, part).filter(|known| known.octets() <= offset);
        let mut decoding = known.unwrap_or(fresh);
        let piece = decoding.read(&self.email(), offset, max).await?;
        if !decoding.is_finished() && !piece.is_empty() {
            self.open.keep_decoding(uid, part, decoding);
        }
        Ok(piece)
    }
}

fn octets(range: Range<usize>) -> Range<u64> {
    range.start as u64..range.end as u64
}

/// RFC 3501 §6.4.5: a partial fetch beyond the end is truncated, one that starts there is empty.
fn cut(range: Range<u64>, partial: Option<(u64, u64)>) -> Range<u64> {
    let (offset, length) = partial.unwrap_or((0, u64::MAX));
    let start = range.start.saturating_add(offset).min(range.end);
    start..start.saturating_add(length).min(range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_ranges() {
        assert_eq!(cut(10..30, None), 10..30);
        assert_eq!(cut(10..30, Some((0, 5))), 10..15);
        assert_eq!(cut(10..30, Some((5, 100))), 15..30);
        assert_eq!(cut(10..30, Some((20, 5))), 30..30);
        assert_eq!(cut(10..30, Some((u64::MAX, u64::MAX))), 30..30);
    }
}
