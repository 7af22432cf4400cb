//! FETCH: rows of an open mailbox, as many as an answer holds, and sections by offset.
//!
//! ```text
//! records --(depth: size, header or structure)--> ranges --partial--> pieces      until 64 KiB or 256 rows are full
//! ```

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use mail::message::{EnvelopeFields, Part};
use mail::{Flag, ModSeq, Section, SectionText, Timestamp, Uid, UidSet};
use store::read::EmailRecord;

use crate::email::Email;
use crate::error::Result;
use crate::limits;
use crate::section::{self, Depth, locate, select_fields};
use crate::view::{Open, after};

/// What is wanted beside UID, flags and mod-sequence, which every row has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// The header's fields as ENVELOPE shows them.
    pub envelope: bool,
    /// The MIME structure.
    pub structure: bool,
    /// Sections, with `(offset, length)` if only a part of one is wanted, octets.
    pub sections: Vec<(Section, Option<(u64, u64)>)>,
    /// `\Seen` is set in the same step, and the rows show it.
    pub mark_seen: bool,
}

/// Rows in ascending order of UID, and what was not looked at yet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// At most [`limits::ANSWER_ROWS_MAX`]. What was asked for, lies up to the last row and is not here, is gone.
    pub rows: Vec<Row>,
    /// Ask again with these; empty at the end.
    pub rest: UidSet,
}

/// What is known of one email.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its UID.
    pub uid: Uid,
    /// Its flags.
    pub flags: Vec<Flag>,
    /// Its mod-sequence.
    pub modseq: ModSeq,
    /// INTERNALDATE.
    pub date: Timestamp,
    /// RFC822.SIZE, octets.
    pub size: u64,
    /// If wanted.
    pub envelope: Option<Box<EnvelopeFields>>,
    /// If wanted.
    pub structure: Option<Box<Part>>,
    /// For each wanted section its length (after `partial`) and as much of it as fits; `None`: no such part.
    pub sections: Vec<Option<(u64, Bytes)>>,
}

impl Row {
    pub(crate) fn of(record: &EmailRecord) -> Self {
        Self {
            uid: record.uid,
            flags: record.flags.clone(),
            modseq: record.modseq,
            date: record.date,
            size: record.size,
            envelope: None,
            structure: None,
            sections: Vec::new(),
        }
    }

    /// Octets it holds, about.
    fn weight(&self) -> usize {
        let sections: usize = self.sections.iter().flatten().map(|(_, piece)| piece.len()).sum();
        sections
            + self.envelope.as_deref().map_or(0, envelope_weight)
            + self.structure.as_deref().map_or(0, part_weight)
    }
}

impl Open {
    /// Rows of these emails, as many as an answer holds: [`limits::ANSWER_ROWS_MAX`], or about
    /// [`limits::ANSWER_OCTETS_MAX`] (the row that reaches it is the last).
    ///
    /// # Errors
    /// The store's. With `mark_seen`, `\Seen` may have been set already.
    pub async fn fetch(&self, uids: &UidSet, wants: &Wants) -> Result<Rows> {
        let records = self.store().emails(self.mailbox(), uids, limits::ANSWER_ROWS_MAX).await?;
        let mut rows = Vec::with_capacity(records.len());
        let mut room = limits::ANSWER_OCTETS_MAX;
        for record in &records {
            let row = self.row(record, wants, room).await?;
            room = room.saturating_sub(row.weight());
            rows.push(row);
            if room == 0 {
                break;
            }
        }
        if wants.mark_seen {
            self.mark_seen(&mut rows).await?;
        }
        let all = rows.len() == records.len() && records.len() < limits::ANSWER_ROWS_MAX;
        let rest = match rows.last() {
            Some(last) if !all => uids.intersection(&after(last.uid)),
            _ => UidSet::default(),
        };
        Ok(Rows { rows, rest })
    }

    /// A piece of a section from `offset` on, at most 64 KiB; empty at and after its end, and if there is no such email or
    /// part.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(&self, uid: Uid, section: &Section, offset: u64) -> Result<Bytes> {
        let Some(record) = self.record(uid).await? else { return Ok(Bytes::new()) };
        let mut look = Look::new(self, &record);
        let Some(place) = look.find(section).await? else { return Ok(Bytes::new()) };
        let (_, piece) = look.piece(&place, Some((offset, u64::MAX)), limits::ANSWER_OCTETS_MAX).await?;
        Ok(piece)
    }

    async fn row(&self, record: &EmailRecord, wants: &Wants, room: usize) -> Result<Row> {
        let mut row = Row::of(record);
        let mut look = Look::new(self, record);
        if wants.envelope {
            row.envelope = Some(Box::new(mail::message::envelope(&look.header().await?)));
        }
        if wants.structure {
            row.structure = Some(Box::new(look.structure().await?.as_ref().clone()));
        }
        for (section, partial) in &wants.sections {
            let left = room.saturating_sub(row.weight());
            let found = match look.find(section).await? {
                Some(place) => Some(look.piece(&place, *partial, left).await?),
                None => None,
            };
            if found.as_ref().is_some_and(|(length, piece)| (piece.len() as u64) < *length) {
                // The rest will be asked for, even if the email is expunged meanwhile.
                self.remember(record, look.structure.as_ref());
            }
            row.sections.push(found);
        }
        Ok(row)
    }

    async fn mark_seen(&self, rows: &mut [Row]) -> Result<()> {
        let unseen: UidSet =
            rows.iter().filter(|row| !row.flags.contains(&Flag::Seen)).map(|row| row.uid).collect();
        if unseen.is_empty() {
            return Ok(());
        }
        let (changed, modseq) = self.add_flag(unseen, Flag::Seen).await?;
        for row in rows.iter_mut().filter(|row| changed.contains(row.uid)) {
            row.flags.push(Flag::Seen);
            row.modseq = modseq;
        }
        Ok(())
    }
}

/// Where a section's bytes are.
enum Place {
    /// Octets of the email.
    Range(Range<u64>),
    /// Selected fields.
    Selected(Bytes),
}

/// One email while a row is made of it: its header and structure are read once, and only if needed.
struct Look<'a> {
    open: &'a Open,
    email: Email<'a>,
    header: Option<Bytes>,
    structure: Option<Arc<Part>>,
}

impl<'a> Look<'a> {
    fn new(open: &'a Open, record: &'a EmailRecord) -> Self {
        Self { open, email: Email { store: open.store(), record }, header: None, structure: None }
    }

    async fn header(&mut self) -> Result<Bytes> {
        if self.header.is_none() {
            self.header = Some(self.email.header().await?);
        }
        Ok(self.header.clone().expect("just read"))
    }

    async fn structure(&mut self) -> Result<Arc<Part>> {
        if self.structure.is_none() {
            self.structure = Some(self.open.structure(&self.email).await?);
        }
        Ok(self.structure.clone().expect("just parsed"))
    }

    async fn find(&mut self, section: &Section) -> Result<Option<Place>> {
        let range = match section::depth(section) {
            Depth::Size => (section.text == SectionText::Whole).then_some(0..self.email.record.size),
            Depth::Header => {
                let end = self.header().await?.len() as u64;
                Some(if section.text == SectionText::Text { end..self.email.record.size } else { 0..end })
            }
            Depth::Structure => {
                let found = locate(self.structure().await?.as_ref(), section);
                found.map(|range| range.start as u64..range.end as u64)
            }
        };
        let Some(range) = range else { return Ok(None) };
        match &section.text {
            SectionText::HeaderFields(names) => self.select(range, names, true).await.map(Some),
            SectionText::HeaderFieldsNot(names) => self.select(range, names, false).await.map(Some),
            _ => Ok(Some(Place::Range(range))),
        }
    }

    async fn select(&mut self, range: Range<u64>, names: &[String], keep: bool) -> Result<Place> {
        let header = match range.start {
            0 => self.header().await?,
            _ => {
                let length = (range.end - range.start).min(limits::HEADER_OCTETS_MAX as u64);
                self.email.read_all(range.start, length).await?
            }
        };
        Ok(Place::Selected(select_fields(&header, names, keep).into()))
    }

    /// The length of what `partial` leaves, and its first octets, at most `room`.
    async fn piece(&self, place: &Place, partial: Option<(u64, u64)>, room: usize) -> Result<(u64, Bytes)> {
        match place {
            Place::Range(range) => {
                let range = cut(range.clone(), partial);
                let length = range.end - range.start;
                Ok((length, self.email.read_all(range.start, length.min(room as u64)).await?))
            }
            Place::Selected(fields) => {
                let range = cut(0..fields.len() as u64, partial);
                let taken =
                    range.start as usize..range.end.min(range.start.saturating_add(room as u64)) as usize;
                Ok((range.end - range.start, fields.slice(taken)))
            }
        }
    }
}

/// RFC 3501 §6.4.5: a partial fetch beyond the end is truncated, one that starts there is empty.
fn cut(range: Range<u64>, partial: Option<(u64, u64)>) -> Range<u64> {
    let (offset, length) = partial.unwrap_or((0, u64::MAX));
    let start = range.start.saturating_add(offset).min(range.end);
    start..start.saturating_add(length).min(range.end)
}

fn envelope_weight(envelope: &EnvelopeFields) -> usize {
    let texts = [&envelope.date, &envelope.subject, &envelope.in_reply_to, &envelope.message_id];
    let lists =
        [&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to, &envelope.cc, &envelope.bcc];
    let length = |text: &Option<Vec<u8>>| text.as_ref().map_or(0, Vec::len);
    let addresses =
        lists.into_iter().flatten().map(|a| 16 + length(&a.name) + length(&a.mailbox) + length(&a.host));
    texts.into_iter().map(length).sum::<usize>() + addresses.sum::<usize>()
}

fn part_weight(part: &Part) -> usize {
    // What a part without parameters takes on the wire, about.
    const BARE: usize = 96;
    let mut weight = 0;
    let mut waiting = vec![part];
    while let Some(part) = waiting.pop() {
        let parameters =
            part.parameters.iter().chain(part.disposition.iter().flat_map(|(_, parameters)| parameters));
        weight += BARE + parameters.map(|(name, value)| name.len() + value.len()).sum::<usize>();
        weight += part.envelope.as_deref().map_or(0, envelope_weight);
        waiting.extend(&part.parts);
    }
    weight
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
