//! The journal: stories by message, by time, by key.

use std::collections::BTreeSet;

use mail::{QueueId, Timestamp};

use super::JournalRecord;
use crate::sql::{self, Row, Sql, narrow, values};
use crate::{Error, Store, schema};

impl Store {
    /// The story of one message, in the order it was written.
    pub async fn story(&self, queue_id: QueueId) -> Result<Vec<JournalRecord>, Error> {
        let text = "SELECT queue_id, at, story FROM journal WHERE queue_id = ?1 ORDER BY seq";
        self.ask(move |sql| sql::rows(sql, text, values![queue_id.0], record)).await
    }

    /// Parts of stories of messages that began in `from..to`, the newest message first, its last part first; at most
    /// `rows_max`.
    pub async fn stories(
        &self,
        from: Timestamp,
        to: Timestamp,
        rows_max: usize,
    ) -> Result<Vec<JournalRecord>, Error> {
        let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let text = "SELECT queue_id, at, story FROM journal WHERE queue_id >= ?1 AND queue_id < ?2
             ORDER BY queue_id DESC, seq DESC LIMIT ?3";
        let (from, to) = (first_queue_id(from), first_queue_id(to));
        self.ask(move |sql| sql::rows(sql, text, values![from, to, rows_max], record)).await
    }

    /// The messages whose stories have this key (an address, a Message-ID), newest first, at most `rows_max`. What the
    /// index does not hold yet is looked through.
    pub async fn stories_by_key(&self, key: &str, rows_max: usize) -> Result<Vec<QueueId>, Error> {
        let key = key.to_owned();
        let keys_of = self.shared().options.story_keys;
        let found = self.ask(move |sql| by_key(sql, &key, keys_of)).await?;
        Ok(found.into_iter().rev().take(rows_max).collect())
    }
}

fn by_key(
    sql: &mut dyn Sql,
    key: &str,
    keys_of: fn(&str) -> Vec<String>,
) -> Result<BTreeSet<QueueId>, Error> {
    let text = "SELECT queue_id FROM journal_keys WHERE key = ?1";
    let indexed = sql::rows(sql, text, values![key], |row| Ok(QueueId(narrow(row.int(0)?)?)))?;
    let mut found: BTreeSet<QueueId> = indexed.into_iter().collect();
    let mark = schema::state(sql, "journal_mark")?;
    sql.query("SELECT queue_id, at, story FROM journal WHERE seq > ?1", values![mark], &mut |row| {
        let record = record(row)?;
        if keys_of(&record.story).iter().any(|known| known == key) {
            found.insert(record.queue_id);
        }
        Ok(())
    })?;
    Ok(found)
}

/// The lowest queue id of this moment: 42 bits of milliseconds, then a counter of 20 bits.
pub(crate) fn first_queue_id(at: Timestamp) -> i64 {
    const MILLISECONDS_MAX: i64 = (1 << 42) - 1;
    at.0.clamp(0, MILLISECONDS_MAX) << 20
}

fn record(row: &dyn Row) -> Result<JournalRecord, Error> {
    Ok(JournalRecord {
        queue_id: QueueId(narrow(row.int(0)?)?),
        at: Timestamp(row.int(1)?),
        story: row.text(2)?.to_owned(),
    })
}
