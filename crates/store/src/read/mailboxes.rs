//! Mailboxes and their emails.

use bytes::Bytes;
use mail::{MailboxPath, ModSeq, Timestamp, Uid, UidSet};

use super::{EmailRecord, FlagChanges, FlagRow, MailboxChanges, MailboxRecord};
use crate::apply::Happened;
use crate::content::ContentId;
use crate::encode::{FlagColumns, path_from_text, runs_from_text};
use crate::sql::{self, Row, Sql, narrow, values};
use crate::{Error, Store};

impl Store {
    /// The mailboxes of an account, by path.
    pub async fn mailboxes(&self, account: i64) -> Result<Vec<MailboxRecord>, Error> {
        let text = "SELECT m.id, m.account, m.path, m.uid_validity, t.uid_next, t.modseq, t.messages, t.unseen, t.size,
             m.special_use, t.deleted FROM mailboxes m JOIN tallies t ON t.mailbox = m.id WHERE m.account = ?1";
        let mut all = self.ask(move |sql| sql::rows(sql, text, values![account], mailbox)).await?;
        all.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(all)
    }

    /// A mailbox by its number.
    pub async fn mailbox(&self, id: i64) -> Result<Option<MailboxRecord>, Error> {
        self.ask(move |sql| mailbox_by_id(sql, id)).await
    }

    /// A mailbox by its path.
    pub async fn mailbox_by_path(
        &self,
        account: i64,
        path: &MailboxPath,
    ) -> Result<Option<MailboxRecord>, Error> {
        let path = path.clone();
        let text = "SELECT m.id, m.account, m.path, m.uid_validity, t.uid_next, t.modseq, t.messages, t.unseen, t.size,
             m.special_use, t.deleted FROM mailboxes m JOIN tallies t ON t.mailbox = m.id WHERE m.account = ?1 AND m.path = ?2";
        self.ask(move |sql| sql::first(sql, text, values![account, path.as_str()], mailbox)).await
    }

    /// The paths that an account has subscribed to, in order; some may have no mailbox.
    pub async fn subscriptions(&self, account: i64) -> Result<Vec<MailboxPath>, Error> {
        let text = "SELECT path FROM subscriptions WHERE account = ?1";
        let mut all = self
            .ask(move |sql| sql::rows(sql, text, values![account], |row| path_from_text(row.text(0)?)))
            .await?;
        all.sort();
        Ok(all)
    }

    /// The first emails of this set that are there, ascending by UID, at most `rows_max`. Ask again with what lies after
    /// the last one.
    pub async fn emails(
        &self,
        mailbox: i64,
        uids: &UidSet,
        rows_max: usize,
    ) -> Result<Vec<EmailRecord>, Error> {
        let uids = uids.clone();
        self.ask(move |sql| emails_of(sql, mailbox, &uids, rows_max)).await
    }

    /// The UIDs of a mailbox, with the mailbox as it was at that moment; none if it is not there.
    pub async fn uids(&self, mailbox: i64) -> Result<Option<(MailboxRecord, UidSet)>, Error> {
        self.ask(move |sql| {
            let Some(record) = mailbox_by_id(sql, mailbox)? else { return Ok(None) };
            let uids = all_uids(sql, &record)?;
            Ok(Some((record, uids)))
        })
        .await
    }

    /// The flags of a mailbox's emails that changed after `since`, or of all of them, and the mailbox as it was at that
    /// moment; none if it is not there.
    pub async fn flags_since(
        &self,
        mailbox: i64,
        since: Option<ModSeq>,
    ) -> Result<Option<FlagChanges>, Error> {
        self.ask(move |sql| {
            let Some(record) = mailbox_by_id(sql, mailbox)? else { return Ok(None) };
            let everything = UidSet::from_runs([(1, u32::MAX)]);
            let (vanished, changed) = match since {
                Some(since) if record.highest_modseq <= since => Default::default(),
                Some(since) => (vanished(sql, &record, since)?, changed_uids(sql, &record, since)?),
                None => (UidSet::default(), everything),
            };
            let rows = flags_of(sql, mailbox, &changed)?;
            Ok(Some(FlagChanges { mailbox: record, vanished, rows }))
        })
        .await
    }

    /// What changed in a mailbox after `since`; none if it is not there. Emails from the UID `new_from` on are new to the
    /// caller; of the older ones, at most `rows_max` records are given.
    pub async fn changed_since(
        &self,
        mailbox: i64,
        since: ModSeq,
        new_from: u32,
        rows_max: usize,
    ) -> Result<Option<MailboxChanges>, Error> {
        self.ask(move |sql| {
            let Some(record) = mailbox_by_id(sql, mailbox)? else { return Ok(None) };
            let highest_modseq = record.highest_modseq;
            if highest_modseq <= since {
                return Ok(Some(MailboxChanges { highest_modseq, ..Default::default() }));
            }
            let changed = changed_uids(sql, &record, since)?;
            let new = UidSet::from_runs([(new_from, u32::MAX)]);
            let older = changed.difference(&new);
            let (first, rest) = older.split_at(rows_max as u64);
            Ok(Some(MailboxChanges {
                highest_modseq,
                vanished: vanished(sql, &record, since)?,
                arrived: changed.intersection(&new),
                changed: flags_of(sql, mailbox, &first)?,
                rest,
            }))
        })
        .await
    }

    /// The UIDs that vanished from a mailbox after `since`, and perhaps more that were gone before, where the history does
    /// not reach back far enough (RFC 7162 §3.2.5.1); none if the mailbox is not there.
    pub async fn vanished_since(&self, mailbox: i64, since: ModSeq) -> Result<Option<UidSet>, Error> {
        self.ask(move |sql| match mailbox_by_id(sql, mailbox)? {
            Some(record) if record.highest_modseq <= since => Ok(Some(UidSet::default())),
            Some(record) => vanished(sql, &record, since).map(Some),
            None => Ok(None),
        })
        .await
    }
}

fn mailbox_by_id(sql: &mut dyn Sql, id: i64) -> Result<Option<MailboxRecord>, Error> {
    let text =
        "SELECT m.id, m.account, m.path, m.uid_validity, t.uid_next, t.modseq, t.messages, t.unseen, t.size,
         m.special_use, t.deleted FROM mailboxes m JOIN tallies t ON t.mailbox = m.id WHERE m.id = ?1";
    sql::first(sql, text, values![id], mailbox)
}

fn mailbox(row: &dyn Row) -> Result<MailboxRecord, Error> {
    Ok(MailboxRecord {
        id: row.int(0)?,
        account: row.int(1)?,
        path: path_from_text(row.text(2)?)?,
        uid_validity: narrow(row.int(3)?)?,
        uid_next: narrow(row.int(4)?)?,
        highest_modseq: ModSeq(narrow(row.int(5)?)?),
        messages: narrow(row.int(6)?)?,
        unseen: narrow(row.int(7)?)?,
        size: narrow(row.int(8)?)?,
        special_use: row.text_or_null(9)?.map(str::to_owned),
        deleted: narrow(row.int(10)?)?,
    })
}

fn email(row: &dyn Row) -> Result<EmailRecord, Error> {
    Ok(EmailRecord {
        uid: Uid(narrow(row.int(0)?)?),
        modseq: ModSeq(narrow(row.int(1)?)?),
        flags: FlagColumns { bits: narrow(row.int(2)?)?, keywords: row.text(3)?.to_owned() }.flags(),
        date: Timestamp(row.int(4)?),
        size: narrow(row.int(5)?)?,
        content: ContentId { segment: narrow(row.int(6)?)?, offset: narrow(row.int(7)?)? },
        prefix: Bytes::copy_from_slice(row.blob(8)?),
    })
}

fn emails_of(
    sql: &mut dyn Sql,
    mailbox: i64,
    uids: &UidSet,
    rows_max: usize,
) -> Result<Vec<EmailRecord>, Error> {
    let mut all = Vec::new();
    for &run in uids.runs() {
        if all.len() >= rows_max {
            break;
        }
        all.extend(emails_between(sql, mailbox, run, rows_max - all.len())?);
    }
    Ok(all)
}

fn emails_between(
    sql: &mut dyn Sql,
    mailbox: i64,
    (first, last): (u32, u32),
    rows_max: usize,
) -> Result<Vec<EmailRecord>, Error> {
    let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
    sql::rows(
        sql,
        "SELECT uid, modseq, flags, keywords, date, size, segment, start, prefix FROM emails
         WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid LIMIT ?4",
        values![mailbox, first, last, rows_max],
        email,
    )
}

fn flags_of(sql: &mut dyn Sql, mailbox: i64, uids: &UidSet) -> Result<Vec<FlagRow>, Error> {
    let text = "SELECT uid, modseq, flags, keywords FROM emails
         WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid";
    let mut all = Vec::new();
    for &(first, last) in uids.runs() {
        sql.query(text, values![mailbox, first, last], &mut |row| {
            all.push(FlagRow {
                uid: Uid(narrow(row.int(0)?)?),
                modseq: ModSeq(narrow(row.int(1)?)?),
                bits: narrow(row.int(2)?)?,
                keywords: row.text(3)?.to_owned(),
            });
            Ok(())
        })?;
    }
    Ok(all)
}

fn uids(sql: &mut dyn Sql, text: &'static str, values: &[sql::Value<'_>]) -> Result<UidSet, Error> {
    let all: Vec<Uid> = sql::rows(sql, text, values, |row| Ok(Uid(narrow(row.int(0)?)?)))?;
    Ok(all.into_iter().collect())
}

/// Where nothing was ever removed, the answer is known without a look at the emails.
fn all_uids(sql: &mut dyn Sql, record: &MailboxRecord) -> Result<UidSet, Error> {
    match record.messages {
        0 => Ok(UidSet::default()),
        all if all == record.uid_next - 1 => Ok(UidSet::from_runs([(1, all)])),
        _ => uids(sql, "SELECT uid FROM emails WHERE mailbox = ?1 ORDER BY uid", values![record.id]),
    }
}

fn remembers(sql: &mut dyn Sql, record: &MailboxRecord, since: ModSeq) -> Result<bool, Error> {
    let whole_from = sql::number(sql, "SELECT history FROM tallies WHERE mailbox = ?1", values![record.id])?;
    Ok(i128::from(since.0) >= i128::from(whole_from))
}

fn vanished(sql: &mut dyn Sql, record: &MailboxRecord, since: ModSeq) -> Result<UidSet, Error> {
    if remembers(sql, record, since)? {
        return happened(sql, record.id, since, Happened::Removal);
    }
    Ok(UidSet::from_runs([(1, record.uid_next - 1)]).difference(&all_uids(sql, record)?))
}

/// New emails lie at the end, in the order of their mod-sequences: reading backwards from the end, the first email that
/// has not changed since was filed before, and so were all below it. What changed below it stands in the history.
fn changed_uids(sql: &mut dyn Sql, record: &MailboxRecord, since: ModSeq) -> Result<UidSet, Error> {
    if !remembers(sql, record, since)? {
        let text = "SELECT uid FROM emails WHERE mailbox = ?1 AND modseq > ?2 ORDER BY uid";
        return uids(sql, text, values![record.id, since.0]);
    }
    let filed_from = filed_from(sql, record.id, since)?;
    let flagged = happened(sql, record.id, since, Happened::Flags)?;
    // Of those, some may have been removed since.
    let candidates = flagged.union(&UidSet::from_runs([(filed_from, u32::MAX)]));
    let text = "SELECT uid FROM emails WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid";
    let mut there = Vec::new();
    for &(first, last) in candidates.runs() {
        sql.query(text, values![record.id, first, last], &mut |row| {
            there.push(Uid(narrow(row.int(0)?)?));
            Ok(())
        })?;
    }
    Ok(there.into_iter().collect())
}

/// The lowest UID such that every email from it on has changed since.
fn filed_from(sql: &mut dyn Sql, mailbox: i64, since: ModSeq) -> Result<u32, Error> {
    let text = "SELECT uid FROM emails WHERE mailbox = ?1 AND modseq <= ?2 ORDER BY uid DESC LIMIT 1";
    let before = sql::number(sql, text, values![mailbox, since.0])?;
    Ok(narrow::<u32>(before)?.saturating_add(1))
}

fn happened(sql: &mut dyn Sql, mailbox: i64, since: ModSeq, kind: Happened) -> Result<UidSet, Error> {
    let text = "SELECT uids FROM history WHERE mailbox = ?1 AND modseq > ?2 AND kind = ?3";
    let mut runs = Vec::new();
    sql.query(text, values![mailbox, since.0, kind as i64], &mut |row| {
        runs_from_text(row.text(0)?, &mut runs)
    })?;
    Ok(UidSet::from_runs(runs))
}

#[cfg(test)]
mod tests {
    use world::{Clock, Dice, Workers, World};

    use super::*;
    use crate::{AccountRef, Change, Commit, ContentRef, MailboxRef, NewContent, Options, Receipt};

    async fn commit(store: &Store, content: Vec<NewContent>, changes: Vec<Change>) -> Receipt {
        store.commit(Commit { content, changes }).await.unwrap()
    }

    async fn mailbox(store: &Store) -> i64 {
        let at = Timestamp(1);
        let account = Change::AddAccount {
            address: "a@example.org".into(),
            name: String::new(),
            secret: String::new(),
            scram: String::new(),
            at,
        };
        let inbox = Change::AddMailbox {
            account: AccountRef::New(1),
            path: MailboxPath::inbox(),
            uid_validity: 1,
            special_use: None,
            subscribed: true,
        };
        let domain = Change::AddDomain { name: "example.org".into(), at };
        let receipt = commit(store, vec![], vec![domain, account, inbox]).await;
        match receipt.results[2] {
            crate::Applied::Made(mailbox) => mailbox,
            ref other => panic!("{other:?}"),
        }
    }

    async fn file(store: &Store, mailbox: i64) {
        let bytes = Bytes::from_static(b"A: b");
        let file = Change::File {
            mailbox: MailboxRef::Known(mailbox),
            content: ContentRef::New(0),
            prefix: Bytes::new(),
            flags: vec![],
            date: Timestamp(1),
        };
        commit(store, vec![NewContent::Inline { label: Bytes::new(), bytes }], vec![file]).await;
    }

    async fn expunge(store: &Store, mailbox: i64, uid: u32) {
        let uids = UidSet::from(Uid(uid));
        commit(store, vec![], vec![Change::Expunge { mailbox, uids, only_deleted: false }]).await;
    }

    /// RFC 7162 §3.2.5.1: more may be told than went since, never less.
    #[tokio::test]
    async fn where_the_history_was_trimmed_every_uid_that_is_not_there_has_vanished() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_network(Clock::Real, Dice::seeded(7), Workers::Inline);
        let store = Store::open(dir.path(), &world, Options::default()).unwrap();
        let mailbox = mailbox(&store).await;
        for _ in 0..5 {
            file(&store, mailbox).await;
        }
        expunge(&store, mailbox, 2).await;
        let between = store.mailbox(mailbox).await.unwrap().unwrap().highest_modseq;
        expunge(&store, mailbox, 4).await;
        let vanished = async |since: ModSeq| store.vanished_since(mailbox, since).await.unwrap().unwrap();
        let set = |uids: &[u32]| uids.iter().copied().map(Uid).collect::<UidSet>();
        assert_eq!((vanished(ModSeq(0)).await, vanished(between).await), (set(&[2, 4]), set(&[4])));

        // As maintenance trims: what happened up to `between` is forgotten.
        let trim = move |writer: &mut crate::writer::Writer, _: &crate::store::Shared| {
            let values = values![mailbox, between.0];
            writer.sql.execute("DELETE FROM history WHERE mailbox = ?1 AND modseq <= ?2", values)?;
            Ok(writer.sql.execute("UPDATE tallies SET history = ?2 WHERE mailbox = ?1", values)?)
        };
        store.chore(trim).await.unwrap();
        assert_eq!(vanished(between).await, set(&[4]), "this is still remembered");
        let before = ModSeq(between.0 - 1);
        assert_eq!((vanished(before).await, vanished(ModSeq(0)).await), (set(&[2, 4]), set(&[2, 4])));
        let flags = store.flags_since(mailbox, Some(before)).await.unwrap().unwrap();
        assert_eq!((flags.vanished, flags.rows.len()), (set(&[2, 4]), 0));
    }
}
