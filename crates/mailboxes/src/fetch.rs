//! FETCH: rows of an open mailbox, as many as an answer holds, and sections by offset.
//!
//! ```text
//! records --(depth: size, header or structure)--> places --partial--> pieces      until 64 KiB or 256 rows are full
//! ```

use bytes::Bytes;
use mail::message::{EnvelopeFields, Part};
use mail::{Flag, ModSeq, Section, Timestamp, Uid, UidSet};
use store::read::EmailRecord;

use crate::error::Result;
use crate::limits;
use crate::look::Look;
use crate::view::{Open, after};

/// What is wanted beside UID, flags and mod-sequence, which every row has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// The header's fields as ENVELOPE shows them.
    pub envelope: bool,
    /// The MIME structure.
    pub structure: bool,
    /// Sections.
    pub sections: Vec<Wanted>,
    /// `\Seen` is set in the same step, and the rows show it.
    pub mark_seen: bool,
    /// Only emails with a higher mod-sequence (RFC 7162 §3.1.4.1).
    pub changed_since: Option<ModSeq>,
    /// Numbers of parts whose decoded sizes are wanted (RFC 3516 §4.2).
    pub binary_sizes: Vec<Vec<u32>>,
}

/// A section that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub section: Section,
    /// `(offset, length)` if only a part of it is wanted, octets of the form.
    pub partial: Option<(u64, u64)>,
    /// In which form.
    pub form: Form,
}

/// How a section is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// As it stands in the email.
    #[default]
    Raw,
    /// A part's body, its transfer encoding taken off; of the whole email, the email as it is (RFC 3516 §4.2).
    Decoded,
}

/// What there is of a wanted section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// There is no such part.
    Missing,
    /// Its transfer encoding is not known.
    Undecodable,
    /// Its octets.
    Octets {
        /// All of them, after `partial`.
        length: u64,
        /// As many as fit.
        start: Bytes,
    },
}

impl Piece {
    fn weight(&self) -> usize {
        if let Piece::Octets { start, .. } = self { start.len() } else { 0 }
    }

    fn is_cut(&self) -> bool {
        matches!(self, Piece::Octets { length, start } if (start.len() as u64) < *length)
    }
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
    /// For each wanted section what there is of it.
    pub sections: Vec<Piece>,
    /// For each of `binary_sizes` the decoded size, octets; `None`: no such part, or its encoding is not known.
    pub binary_sizes: Vec<Option<u64>>,
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
            binary_sizes: Vec::new(),
        }
    }

    /// Octets it holds, about.
    fn weight(&self) -> usize {
        let sections: usize = self.sections.iter().map(Piece::weight).sum();
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
        let changed = match wants.changed_since {
            Some(since) => Some(self.store().uids_changed_since(self.mailbox(), since).await?),
            None => None,
        };
        let uids = &changed.map_or_else(|| uids.clone(), |changed| changed.intersection(uids));
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

    /// A piece of a section from `offset` on (octets of the form), at most 64 KiB; empty at and after its end, and if there
    /// is no such email or part. Read in order, it costs the same for every piece.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(&self, uid: Uid, (section, form): (&Section, Form), offset: u64) -> Result<Bytes> {
        let Some(record) = self.record(uid).await? else { return Ok(Bytes::new()) };
        let wanted = Wanted { section: section.clone(), partial: Some((offset, u64::MAX)), form };
        match Look::new(self, &record).rest(&wanted).await? {
            Piece::Octets { start, .. } => Ok(start),
            Piece::Missing | Piece::Undecodable => Ok(Bytes::new()),
        }
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
        for part in &wants.binary_sizes {
            row.binary_sizes.push(look.decoded_size(part).await?);
        }
        for wanted in &wants.sections {
            let piece = look.piece(wanted, room.saturating_sub(row.weight())).await?;
            if piece.is_cut() {
                // The rest will be asked for, even if the email is expunged meanwhile.
                look.remember();
            }
            row.sections.push(piece);
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
