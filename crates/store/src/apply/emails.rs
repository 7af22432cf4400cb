//! Filing, copying, flags and removal.

use bytes::Bytes;
use mail::{Flag, ModSeq, Timestamp, Uid, UidSet};

use super::books::Tally;
use super::{Apply, Scope};
use crate::Error;
use crate::change::{Applied, Change, FlagMode, MailboxRef};
use crate::content::ContentId;
use crate::encode::{FlagColumns, uids_to_text};
use crate::sql::{self, Value, narrow, values};

/// An email's row, apart from its UID and mod-sequence.
struct Body {
    flags: FlagColumns,
    date: Timestamp,
    size: u64,
    content: ContentId,
    prefix: Bytes,
}

/// What SetFlags needs to know of an email.
struct Marks {
    uid: u32,
    modseq: u64,
    flags: FlagColumns,
}

/// What Expunge needs to know of an email.
struct Facts {
    uid: u32,
    flags: FlagColumns,
    size: i64,
    content: ContentId,
}

/// What happened to emails, as the history's column says it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Happened {
    Flags = 0,
    Removal = 1,
}

impl Apply<'_> {
    pub(super) fn emails(&mut self, scope: &Scope<'_>, change: &Change) -> Result<Applied, Error> {
        match change {
            Change::File { mailbox, content, prefix, flags, date } => {
                let mailbox = match mailbox {
                    MailboxRef::New(change) => scope.made(*change)?,
                    MailboxRef::Known(id) => *id,
                };
                let content = scope.content(*content)?;
                self.file(mailbox, content, prefix, flags, *date)
            }
            Change::Copy { from, uids, to } => self.copy(*from, uids, *to),
            Change::SetFlags { mailbox, uids, mode, flags, unless_modified_after } => {
                self.set_flags(*mailbox, uids, (*mode, flags), *unless_modified_after)
            }
            Change::Expunge { mailbox, uids, only_deleted } => self.expunge(*mailbox, uids, *only_deleted),
            _ => unreachable!("the caller chose by kind"),
        }
    }

    fn file(
        &mut self,
        mailbox: i64,
        content: ContentId,
        prefix: &Bytes,
        flags: &[Flag],
        date: Timestamp,
    ) -> Result<Applied, Error> {
        let mut tally = self.tally(mailbox)?;
        let size = self.hold(content, 1)? + prefix.len() as u64;
        let body = Body { flags: FlagColumns::new(flags), date, size, content, prefix: prefix.clone() };
        let modseq = ModSeq(tally.modseq + 1);
        let uid = self.insert(mailbox, &mut tally, modseq, &body)?;
        tally.modseq = modseq.0;
        self.keep_tally(mailbox, tally);
        Ok(Applied::Filed { uid_validity: tally.uid_validity, uid, modseq })
    }

    /// Inserts a row and counts it. The content is held already.
    fn insert(&mut self, mailbox: i64, tally: &mut Tally, modseq: ModSeq, body: &Body) -> Result<Uid, Error> {
        let uid = tally.uid_next;
        // RFC 3501 §2.3.1.1: UIDs are 32 bits and never given twice. The last one stays unused.
        tally.uid_next =
            uid.checked_add(1).ok_or_else(|| Error::Full(format!("mailbox {mailbox} has no UID left")))?;
        tally.messages += 1;
        tally.unseen += i64::from(!body.flags.seen());
        tally.deleted += i64::from(body.flags.deleted());
        tally.size += octets(body.size)?;
        self.sql.execute(
            "INSERT INTO emails (mailbox, uid, modseq, flags, keywords, date, size, segment, start, prefix)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            values![
                mailbox,
                uid,
                modseq.0,
                u32::from(body.flags.bits),
                &body.flags.keywords,
                body.date.0,
                body.size,
                body.content.segment,
                body.content.offset,
                &body.prefix
            ],
        )?;
        Ok(Uid(uid))
    }

    fn copy(&mut self, from: i64, uids: &UidSet, to: i64) -> Result<Applied, Error> {
        self.tally(from)?;
        let mut tally = self.tally(to)?;
        let modseq = ModSeq(tally.modseq + 1);
        let bodies = self.bodies(from, uids)?;
        let (mut source, mut target) = (Vec::new(), Vec::new());
        for (uid, body) in &bodies {
            self.hold(body.content, 1)?;
            source.push(*uid);
            target.push(self.insert(to, &mut tally, modseq, body)?);
        }
        if !bodies.is_empty() {
            tally.modseq = modseq.0;
            self.keep_tally(to, tally);
        }
        Ok(Applied::Copied {
            uid_validity: tally.uid_validity,
            source: source.into_iter().collect(),
            target: target.into_iter().collect(),
        })
    }

    fn bodies(&mut self, mailbox: i64, uids: &UidSet) -> Result<Vec<(Uid, Body)>, Error> {
        let mut bodies = Vec::new();
        for &(first, last) in uids.runs() {
            bodies.extend(sql::rows(
                self.sql,
                "SELECT uid, flags, keywords, date, size, segment, start, prefix FROM emails
                 WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid",
                values![mailbox, first, last],
                |row| {
                    let body = Body {
                        flags: FlagColumns { bits: narrow(row.int(1)?)?, keywords: row.text(2)?.to_owned() },
                        date: Timestamp(row.int(3)?),
                        size: narrow(row.int(4)?)?,
                        content: ContentId { segment: narrow(row.int(5)?)?, offset: narrow(row.int(6)?)? },
                        prefix: Bytes::copy_from_slice(row.blob(7)?),
                    };
                    Ok((Uid(narrow(row.int(0)?)?), body))
                },
            )?);
        }
        Ok(bodies)
    }

    fn set_flags(
        &mut self,
        mailbox: i64,
        uids: &UidSet,
        (mode, flags): (FlagMode, &[Flag]),
        unless_modified_after: Option<ModSeq>,
    ) -> Result<Applied, Error> {
        let mut tally = self.tally(mailbox)?;
        let modseq = tally.modseq + 1;
        let (mut changed, mut skipped, mut written) = (Vec::new(), Vec::new(), Vec::new());
        for facts in self.marks(mailbox, uids)? {
            if unless_modified_after.is_some_and(|known| facts.modseq > known.0) {
                skipped.push(Uid(facts.uid));
                continue;
            }
            changed.push(Uid(facts.uid));
            let mut after = facts.flags.clone();
            match mode {
                FlagMode::Set => after.set(flags),
                FlagMode::Add => after.add(flags),
                FlagMode::Remove => after.remove(flags),
            }
            if after != facts.flags {
                tally.unseen += i64::from(facts.flags.seen()) - i64::from(after.seen());
                tally.deleted += i64::from(after.deleted()) - i64::from(facts.flags.deleted());
                written.push((facts.uid, after));
            }
        }
        let uids: UidSet = written.iter().map(|(uid, _)| Uid(*uid)).collect();
        if !written.is_empty() {
            self.write_all_flags(mailbox, modseq, (mode, flags), &written)?;
            tally.modseq = modseq;
            self.keep_tally(mailbox, tally);
            self.note(mailbox, modseq, Happened::Flags, &uids)?;
        }
        Ok(Applied::Flagged {
            changed: changed.into_iter().collect(),
            written: uids,
            skipped: skipped.into_iter().collect(),
            modseq: ModSeq(tally.modseq),
        })
    }

    /// Writes flags as they are afterwards; where system flags alone are added or removed, many rows at once.
    fn write_all_flags(
        &mut self,
        mailbox: i64,
        modseq: u64,
        (mode, flags): (FlagMode, &[Flag]),
        written: &[(u32, FlagColumns)],
    ) -> Result<(), Error> {
        let system = flags.iter().all(|flag| flag.bit().is_some());
        let bits = FlagColumns::new(flags).bits;
        let (text, bits) = match mode {
            FlagMode::Add if system => (
                "UPDATE emails SET flags = flags | ?4, modseq = ?5 WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3",
                bits,
            ),
            FlagMode::Remove if system => (
                "UPDATE emails SET flags = flags & ?4, modseq = ?5 WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3",
                !bits,
            ),
            _ => {
                return written
                    .iter()
                    .try_for_each(|(uid, after)| self.write_flags(mailbox, *uid, modseq, after));
            }
        };
        let uids: UidSet = written.iter().map(|(uid, _)| Uid(*uid)).collect();
        for &(first, last) in uids.runs() {
            self.sql.execute(text, values![mailbox, first, last, u32::from(bits), modseq])?;
        }
        Ok(())
    }

    fn write_flags(&mut self, mailbox: i64, uid: u32, modseq: u64, flags: &FlagColumns) -> Result<(), Error> {
        self.sql.execute(
            "UPDATE emails SET flags = ?3, keywords = ?4, modseq = ?5 WHERE mailbox = ?1 AND uid = ?2",
            values![mailbox, uid, u32::from(flags.bits), &flags.keywords, modseq],
        )?;
        Ok(())
    }

    fn marks(&mut self, mailbox: i64, uids: &UidSet) -> Result<Vec<Marks>, Error> {
        let mut all = Vec::new();
        for &(first, last) in uids.runs() {
            all.extend(sql::rows(
                self.sql,
                "SELECT uid, modseq, flags, keywords FROM emails
                 WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid",
                values![mailbox, first, last],
                |row| {
                    let flags = FlagColumns { bits: narrow(row.int(2)?)?, keywords: row.text(3)?.to_owned() };
                    Ok(Marks { uid: narrow(row.int(0)?)?, modseq: narrow(row.int(1)?)?, flags })
                },
            )?);
        }
        Ok(all)
    }

    fn facts(&mut self, mailbox: i64, uids: &UidSet) -> Result<Vec<Facts>, Error> {
        let mut all = Vec::new();
        for &(first, last) in uids.runs() {
            all.extend(sql::rows(
                self.sql,
                "SELECT uid, flags, keywords, size, segment, start FROM emails
                 WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid",
                values![mailbox, first, last],
                |row| {
                    Ok(Facts {
                        uid: narrow(row.int(0)?)?,
                        flags: FlagColumns { bits: narrow(row.int(1)?)?, keywords: row.text(2)?.to_owned() },
                        size: row.int(3)?,
                        content: ContentId { segment: narrow(row.int(4)?)?, offset: narrow(row.int(5)?)? },
                    })
                },
            )?);
        }
        Ok(all)
    }

    fn expunge(&mut self, mailbox: i64, uids: &UidSet, only_deleted: bool) -> Result<Applied, Error> {
        let mut tally = self.tally(mailbox)?;
        let modseq = tally.modseq + 1;
        let mut gone = Vec::new();
        for facts in self.facts(mailbox, uids)? {
            if only_deleted && !facts.flags.deleted() {
                continue;
            }
            self.sql
                .execute("DELETE FROM emails WHERE mailbox = ?1 AND uid = ?2", values![mailbox, facts.uid])?;
            self.hold(facts.content, -1)?;
            tally.messages -= 1;
            tally.unseen -= i64::from(!facts.flags.seen());
            tally.deleted -= i64::from(facts.flags.deleted());
            tally.size -= facts.size;
            gone.push(Uid(facts.uid));
        }
        let gone: UidSet = gone.into_iter().collect();
        if !gone.is_empty() {
            tally.modseq = modseq;
            self.keep_tally(mailbox, tally);
            self.note(mailbox, modseq, Happened::Removal, &gone)?;
        }
        Ok(Applied::Expunged { uids: gone, modseq: ModSeq(tally.modseq) })
    }

    fn note(&mut self, mailbox: i64, modseq: u64, happened: Happened, uids: &UidSet) -> Result<(), Error> {
        self.sql.execute(
            "INSERT INTO history (mailbox, modseq, kind, uids) VALUES (?1, ?2, ?3, ?4)",
            values![mailbox, modseq, Value::Int(happened as i64), &uids_to_text(uids)],
        )?;
        Ok(())
    }
}

fn octets(size: u64) -> Result<i64, Error> {
    i64::try_from(size).map_err(|_| Error::Corrupt(format!("{size} octets are no size")))
}
