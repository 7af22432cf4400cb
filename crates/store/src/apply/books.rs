//! What a batch has read and changed and not yet written.

use std::collections::{BTreeMap, BTreeSet};

use mail::ModSeq;

use super::{Apply, Placed};
use crate::Error;
use crate::content::ContentId;
use crate::log::Log;
use crate::schema;
use crate::sql::{self, narrow, values};

/// Kept in memory while a batch is applied; written by [`Apply::close_books`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Books {
    /// `None`: there is no such mailbox.
    tallies: BTreeMap<i64, Option<Tally>>,
    contents: BTreeMap<ContentId, Option<Holding>>,
    /// Where new content ends, by segment.
    ends: BTreeMap<u32, u64>,
    /// Gives out ids of accounts and mailboxes, never twice.
    pub(crate) next_id: i64,
    /// Gives out places in the journal.
    pub(crate) next_story: i64,
    ids_given: bool,
    pub(crate) touched: Touched,
}

/// Who must be told when the batch is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Mailboxes by account, with where they are now.
    pub(crate) mailboxes: BTreeMap<i64, BTreeMap<i64, ModSeq>>,
    /// Domains, accounts, aliases or the mailboxes of an account changed.
    pub(crate) directory: bool,
}

/// The numbers of a mailbox that change with its emails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) account: i64,
    pub(crate) uid_validity: u32,
    pub(crate) uid_next: u32,
    pub(crate) modseq: u64,
    pub(crate) messages: i64,
    pub(crate) unseen: i64,
    pub(crate) deleted: i64,
    pub(crate) size: i64,
    changed: bool,
}

/// Who holds a content.
#[derive(Debug, Clone, Copy)]
struct Holding {
    size: u64,
    refs: i64,
    /// References in the table; none if the row is not there yet.
    stored: Option<i64>,
}

impl Books {
    /// The books of the next batch: only what was given out goes on.
    pub(crate) fn begin(next_id: i64, next_story: i64) -> Self {
        Self { next_id, next_story, ..Self::default() }
    }
}

impl Apply<'_> {
    /// A new id of an account or mailbox.
    pub(super) fn new_id(&mut self) -> i64 {
        self.books.next_id += 1;
        self.books.ids_given = true;
        self.books.next_id
    }

    /// The tally of a mailbox, to be read.
    pub(super) fn tally(&mut self, mailbox: i64) -> Result<Tally, Error> {
        if let Some(known) = self.books.tallies.get(&mailbox) {
            return known.ok_or_else(|| no_mailbox(mailbox));
        }
        let found = sql::first(
            self.sql,
            "SELECT m.account, m.uid_validity, t.uid_next, t.modseq, t.messages, t.unseen, t.size, t.deleted
             FROM mailboxes m JOIN tallies t ON t.mailbox = m.id WHERE m.id = ?1",
            values![mailbox],
            |row| {
                Ok(Tally {
                    account: row.int(0)?,
                    uid_validity: narrow(row.int(1)?)?,
                    uid_next: narrow(row.int(2)?)?,
                    modseq: narrow(row.int(3)?)?,
                    messages: row.int(4)?,
                    unseen: row.int(5)?,
                    size: row.int(6)?,
                    deleted: row.int(7)?,
                    changed: false,
                })
            },
        )?;
        self.books.tallies.insert(mailbox, found);
        found.ok_or_else(|| no_mailbox(mailbox))
    }

    /// Keeps a changed tally; whoever watches the mailbox will be told.
    pub(super) fn keep_tally(&mut self, mailbox: i64, tally: Tally) {
        self.touch(tally.account, mailbox, ModSeq(tally.modseq));
        self.books.tallies.insert(mailbox, Some(Tally { changed: true, ..tally }));
    }

    /// A mailbox that this batch made.
    pub(super) fn new_tally(&mut self, mailbox: i64, account: i64, uid_validity: u32) {
        let tally = Tally {
            account,
            uid_validity,
            uid_next: 1,
            modseq: 1,
            messages: 0,
            unseen: 0,
            deleted: 0,
            size: 0,
            changed: false,
        };
        self.books.tallies.insert(mailbox, Some(tally));
    }

    /// A mailbox that is no more.
    pub(super) fn forget_tally(&mut self, mailbox: i64) {
        self.books.tallies.insert(mailbox, None);
    }

    pub(super) fn touch(&mut self, account: i64, mailbox: i64, modseq: ModSeq) {
        self.books.touched.mailboxes.entry(account).or_default().insert(mailbox, modseq);
    }

    /// New content, which nobody holds yet.
    pub(super) fn add_content(&mut self, placed: Placed) -> Result<(), Error> {
        if self.books.contents.get(&placed.id).is_some_and(Option::is_some) {
            return Err(Error::Conflict("this content is part of another commit".into()));
        }
        let end = self.books.ends.entry(placed.id.segment).or_default();
        *end = placed.end.max(*end);
        self.books.contents.insert(placed.id, Some(Holding { size: placed.size, refs: 0, stored: None }));
        Ok(())
    }

    /// One more (or fewer) holds this content. Answers its size.
    pub(super) fn hold(&mut self, id: ContentId, more: i64) -> Result<u64, Error> {
        if !self.books.contents.contains_key(&id) {
            let found = sql::first(
                self.sql,
                "SELECT size, refs FROM content WHERE segment = ?1 AND start = ?2",
                values![id.segment, id.offset],
                |row| {
                    let refs = row.int(1)?;
                    Ok(Holding { size: narrow(row.int(0)?)?, refs, stored: Some(refs) })
                },
            )?;
            self.books.contents.insert(id, found);
        }
        match self.books.contents.get_mut(&id) {
            Some(Some(holding)) if holding.refs + more >= 0 => {
                holding.refs += more;
                Ok(holding.size)
            }
            Some(Some(_)) => Err(Error::Corrupt(format!("content {id:?} has fewer references than holders"))),
            _ => Err(Error::Conflict(format!("there is no content {id:?}"))),
        }
    }

    /// Writes what the batch gathered.
    pub(crate) fn close_books(&mut self, log: &Log) -> Result<(), Error> {
        self.write_tallies()?;
        self.write_contents(log)?;
        if self.books.ids_given {
            let last = self.books.next_id;
            schema::set_state(self.sql, "last_id", last)?;
        }
        Ok(())
    }

    fn write_tallies(&mut self) -> Result<(), Error> {
        for (mailbox, tally) in &self.books.tallies {
            let Some(tally) = tally.filter(|tally| tally.changed) else { continue };
            self.sql.execute(
                "UPDATE tallies SET uid_next = ?2, modseq = ?3, messages = ?4, unseen = ?5, size = ?6,
                 deleted = ?7 WHERE mailbox = ?1",
                values![
                    *mailbox,
                    tally.uid_next,
                    tally.modseq,
                    tally.messages,
                    tally.unseen,
                    tally.size,
                    tally.deleted
                ],
            )?;
        }
        Ok(())
    }

    fn write_contents(&mut self, log: &Log) -> Result<(), Error> {
        let mut live: BTreeMap<u32, i64> = BTreeMap::new();
        let contents = std::mem::take(&mut self.books.contents);
        for (id, holding) in contents.into_iter().filter_map(|(id, holding)| Some((id, holding?))) {
            let change = self.write_content(id, holding)?;
            *live.entry(id.segment).or_default() += change;
        }
        let segments: BTreeSet<u32> = live
            .iter()
            .filter(|it| *it.1 != 0)
            .map(|it| *it.0)
            .chain(self.books.ends.keys().copied())
            .collect();
        for segment in segments {
            let change = live.get(&segment).copied().unwrap_or(0);
            let settled = self.books.ends.get(&segment).map_or(0, |&end| log.settled_until(segment, end));
            self.sql.execute(
                "INSERT INTO segments (segment, live, settled) VALUES (?1, ?2, ?3) ON CONFLICT (segment) DO UPDATE
                 SET live = segments.live + excluded.live,
                     settled = CASE WHEN excluded.settled > segments.settled THEN excluded.settled
                               ELSE segments.settled END",
                values![segment, change, settled],
            )?;
        }
        Ok(())
    }

    /// Writes one content's references; answers by how many octets its segment's life changed.
    fn write_content(&mut self, id: ContentId, holding: Holding) -> Result<i64, Error> {
        let Holding { size, refs, stored } = holding;
        match stored {
            None => self.sql.execute(
                "INSERT INTO content (segment, start, size, refs) VALUES (?1, ?2, ?3, ?4)",
                values![id.segment, id.offset, size, refs],
            )?,
            Some(before) if before != refs => self.sql.execute(
                "UPDATE content SET refs = ?3 WHERE segment = ?1 AND start = ?2",
                values![id.segment, id.offset, refs],
            )?,
            Some(_) => return Ok(0),
        };
        let octets = narrow_size(size)?;
        match (stored, refs) {
            (None | Some(1..), 0) => {
                self.sql.execute(
                    "INSERT INTO freed (at, segment, start) VALUES (?1, ?2, ?3)",
                    values![self.now.0, id.segment, id.offset],
                )?;
                Ok(if stored.is_none() { 0 } else { -octets })
            }
            (Some(0), 1..) => {
                self.sql.execute(
                    "DELETE FROM freed WHERE segment = ?1 AND start = ?2",
                    values![id.segment, id.offset],
                )?;
                Ok(octets)
            }
            (None, _) => Ok(octets),
            (Some(_), _) => Ok(0),
        }
    }
}

fn narrow_size(size: u64) -> Result<i64, Error> {
    i64::try_from(size).map_err(|_| Error::Corrupt(format!("{size} octets are no size")))
}

fn no_mailbox(mailbox: i64) -> Error {
    Error::Conflict(format!("there is no mailbox {mailbox}"))
}
