//! FETCH: rows of an open mailbox, as many as an answer holds, and sections by offset.
//!
//! ```text
//! roll --> flags;  facts --(depth: size, header or structure)--> places --partial--> pieces
//!                                                              until 64 KiB or 256 rows are full
//! ```

use std::sync::Arc;

use bytes::Bytes;
use mail::message::{EnvelopeFields, Part};
use mail::{Flag, ModSeq, Section, Timestamp, Uid, UidSet};

use crate::error::{Error, Result};
use crate::look::Look;
use crate::view::{Open, after};
use crate::{limits, weight};

/// What is wanted beside UID, flags and mod-sequence, which every row has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// INTERNALDATE and RFC822.SIZE.
    pub facts: bool,
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
    /// INTERNALDATE and RFC822.SIZE, octets; if wanted.
    pub facts: Option<(Timestamp, u64)>,
    /// If wanted.
    pub envelope: Option<Arc<EnvelopeFields>>,
    /// If wanted.
    pub structure: Option<Arc<Part>>,
    /// For each wanted section what there is of it.
    pub sections: Vec<Piece>,
    /// For each of `binary_sizes` the decoded size, octets; `None`: no such part, or its encoding is not known.
    pub binary_sizes: Vec<Option<u64>>,
}

impl Row {
    /// With flags alone.
    pub(crate) fn new(uid: Uid, modseq: ModSeq, flags: Vec<Flag>) -> Self {
        Self {
            uid,
            flags,
            modseq,
            facts: None,
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
            + self.envelope.as_deref().map_or(0, weight::of_envelope)
            + self.structure.as_deref().map_or(0, weight::of_part)
    }
}

impl Wants {
    fn flags_alone(&self) -> bool {
        let Self { facts, envelope, structure, sections, mark_seen: _, changed_since: _, binary_sizes } =
            self;
        !(*facts || *envelope || *structure) && sections.is_empty() && binary_sizes.is_empty()
    }
}

impl Open {
    /// Rows of these emails, as many as an answer holds: [`limits::ANSWER_ROWS_MAX`], or about
    /// [`limits::ANSWER_OCTETS_MAX`] (the row that reaches it is the last).
    ///
    /// # Errors
    /// The store's. With `mark_seen`, `\Seen` may have been set already.
    pub async fn fetch(&self, uids: &UidSet, wants: &Wants) -> Result<Rows> {
        let Some(roll) = self.roll().await? else { return Ok(Rows::default()) };
        let since = wants.changed_since.unwrap_or_default();
        let entries = roll.select(uids, since, limits::ANSWER_ROWS_MAX);
        let mut rows: Vec<_> =
            entries.iter().map(|entry| Row::new(entry.uid, entry.modseq, roll.flags(*entry))).collect();
        let mut last = entries.last().map(|entry| entry.uid);
        if !wants.flags_alone() {
            last = self.fill(&mut rows, wants).await?;
        }
        if wants.mark_seen {
            self.mark_seen(&mut rows).await?;
        }
        let rest = last.map(|last| uids.intersection(&after(last)).intersection(&roll.uids));
        Ok(Rows { rows, rest: rest.unwrap_or_default() })
    }

    /// Adds to rows what is wanted beside flags, until an answer is full; takes away those that are gone. The UID up to
    /// which it came.
    async fn fill(&self, rows: &mut Vec<Row>, wants: &Wants) -> Result<Option<Uid>> {
        let uids: Vec<_> = rows.iter().map(|row| row.uid).collect();
        let facts = self.facts(&uids).await?;
        let mut learned = Vec::new();
        let (mut filled, mut last) = (Vec::with_capacity(rows.len()), None);
        let mut room = limits::ANSWER_OCTETS_MAX;
        for (mut row, facts) in std::mem::take(rows).into_iter().zip(facts) {
            last = Some(row.uid);
            let Some(facts) = facts else { continue };
            let mut look = Look::new(self, facts);
            self.fill_one(&mut row, wants, (&mut look, room)).await?;
            learned.extend(look.learned());
            room = room.saturating_sub(row.weight());
            filled.push(row);
            if room == 0 {
                break;
            }
        }
        if !learned.is_empty() {
            self.mailboxes().packs.keep(self.mailbox(), learned.iter());
        }
        *rows = filled;
        Ok(last)
    }

    async fn fill_one(
        &self,
        row: &mut Row,
        wants: &Wants,
        (look, room): (&mut Look<'_>, usize),
    ) -> Result<()> {
        if wants.facts {
            row.facts = Some(look.facts());
        }
        if wants.envelope {
            row.envelope = Some(look.envelope().await?);
        }
        if wants.structure {
            row.structure = Some(look.structure().await?);
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
        Ok(())
    }

    /// A piece of a section from `offset` on (octets of the form), at most 64 KiB; empty at and after its end, and if there
    /// is no such email or part. Read in order, it costs the same for every piece.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(&self, uid: Uid, (section, form): (&Section, Form), offset: u64) -> Result<Bytes> {
        let Some(facts) = self.facts_of(uid).await? else { return Ok(Bytes::new()) };
        let wanted = Wanted { section: section.clone(), partial: Some((offset, u64::MAX)), form };
        match Look::new(self, facts).rest(&wanted).await? {
            Piece::Octets { start, .. } => Ok(start),
            Piece::Missing | Piece::Undecodable => Ok(Bytes::new()),
        }
    }

    async fn mark_seen(&self, rows: &mut [Row]) -> Result<()> {
        let unseen: UidSet =
            rows.iter().filter(|row| !row.flags.contains(&Flag::Seen)).map(|row| row.uid).collect();
        if unseen.is_empty() {
            return Ok(());
        }
        match self.add_flag(unseen.clone(), Flag::Seen).await {
            // With a full disk mail is still read: it stays unread to all, and nobody is told otherwise.
            Err(Error::TooBig) => return Ok(()),
            marked => marked?,
        }
        // Others may have changed them since they were read: flags and mod-sequence must be of one moment.
        for after in self.flag_rows(&unseen).await? {
            if let Some(row) = rows.iter_mut().find(|row| row.uid == after.uid) {
                (row.flags, row.modseq) = (after.flags, after.modseq);
            }
        }
        Ok(())
    }
}
