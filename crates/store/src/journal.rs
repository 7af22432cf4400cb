//! Keeping the journal: its index of keys, which is derived and comes after the commits, and its age and size.

use mail::{QueueId, Timestamp};

use crate::limits::{INDEX_ROWS_MAX, TRIM_ROWS_MAX};
use crate::read::first_queue_id;
use crate::sql::{self, Sql, narrow, values};
use crate::{Error, Store, schema};

/// Keys of the stories up to a mark.
struct Slice {
    after: i64,
    last: i64,
    keys: Vec<(String, QueueId)>,
}

impl Store {
    /// Adds the keys of new stories to the index, sorted, in slices; answers how many stories it looked at. A query
    /// looks through what is not indexed yet, so this may be late, but must come.
    ///
    /// # Errors
    /// As the system says; what was not done is done the next time.
    pub async fn index_journal(&self) -> Result<u64, Error> {
        let keys_of = self.shared().options.story_keys;
        let mut looked_at = 0;
        loop {
            let slice = self.ask(move |sql| next_slice(sql, keys_of)).await?;
            let count = slice.last - slice.after;
            if count == 0 {
                return Ok(looked_at);
            }
            looked_at += narrow::<u64>(count)?;
            self.chore(move |writer, _| writer.chore(|sql, _, _| insert(sql, &slice))).await?;
        }
    }

    /// Removes stories of messages that began before `older_than`, then the oldest until the rest takes about
    /// `octets_max` (reckoned by the average of the newest thousand). Works in slices; answers how many parts it removed.
    ///
    /// # Errors
    /// As the system says; what was not done is done the next time.
    pub async fn trim_journal(&self, older_than: Timestamp, octets_max: u64) -> Result<u64, Error> {
        let before = first_queue_id(older_than);
        let mut removed = 0;
        for by_age in [true, false] {
            loop {
                let slice = self
                    .chore(move |writer, _| {
                        writer.chore(|sql, _, _| match by_age {
                            true => trim_by_age(sql, before),
                            false => trim_by_size(sql, octets_max),
                        })
                    })
                    .await?;
                removed += slice;
                if slice < TRIM_ROWS_MAX.unsigned_abs() {
                    break;
                }
            }
        }
        self.trim_keys().await?;
        Ok(removed)
    }

    /// Removes keys of messages that have no story any more.
    async fn trim_keys(&self) -> Result<(), Error> {
        loop {
            let removed = self.chore(|writer, _| writer.chore(|sql, _, _| trim_keys(sql))).await?;
            if removed == 0 {
                return Ok(());
            }
        }
    }
}

fn next_slice(sql: &mut dyn Sql, keys_of: fn(&str) -> Vec<String>) -> Result<Slice, Error> {
    let after = schema::state(sql, "journal_mark")?;
    let mut slice = Slice { after, last: after, keys: Vec::new() };
    let text = "SELECT seq, queue_id, story FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    sql.query(text, values![after, INDEX_ROWS_MAX], &mut |row| {
        slice.last = row.int(0)?;
        let queue_id = QueueId(narrow(row.int(1)?)?);
        slice.keys.extend(keys_of(row.text(2)?).into_iter().map(|key| (key, queue_id)));
        Ok(())
    })?;
    // In order: neighbours lie on one page.
    slice.keys.sort();
    slice.keys.dedup();
    Ok(slice)
}

fn insert(sql: &mut dyn Sql, slice: &Slice) -> Result<(), Error> {
    if schema::state(sql, "journal_mark")? != slice.after {
        // Somebody else has done it.
        return Ok(());
    }
    for (key, queue_id) in &slice.keys {
        sql.execute(
            "INSERT INTO journal_keys (key, queue_id) VALUES (?1, ?2) ON CONFLICT (key, queue_id) DO NOTHING",
            values![key, queue_id.0],
        )?;
    }
    schema::set_state(sql, "journal_mark", slice.last)
}

fn trim_by_age(sql: &mut dyn Sql, before: i64) -> Result<u64, Error> {
    Ok(sql.execute(
        "DELETE FROM journal WHERE seq IN
         (SELECT seq FROM journal WHERE queue_id < ?1 ORDER BY queue_id LIMIT ?2)",
        values![before, TRIM_ROWS_MAX],
    )?)
}

fn trim_by_size(sql: &mut dyn Sql, octets_max: u64) -> Result<u64, Error> {
    let average = sql::number(
        sql,
        "SELECT CAST(SUM(LENGTH(story)) / NULLIF(COUNT(*), 0) AS BIGINT) FROM
         (SELECT story FROM journal ORDER BY seq DESC LIMIT 1000) AS newest",
        &[],
    )?;
    let keep = octets_max / average.max(1).unsigned_abs();
    let newest = sql::number(sql, "SELECT MAX(seq) FROM journal", &[])?;
    let last_to_go = newest.saturating_sub(i64::try_from(keep).unwrap_or(i64::MAX));
    Ok(sql.execute(
        "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE seq <= ?1 ORDER BY seq LIMIT ?2)",
        values![last_to_go, TRIM_ROWS_MAX],
    )?)
}

fn trim_keys(sql: &mut dyn Sql) -> Result<u64, Error> {
    let oldest = sql::first(sql, "SELECT MIN(queue_id) FROM journal", &[], |row| Ok(row.int_or_null(0)?))?;
    let oldest = oldest.flatten().unwrap_or(i64::MAX);
    Ok(sql.execute(
        "DELETE FROM journal_keys WHERE queue_id IN
         (SELECT queue_id FROM journal_keys WHERE queue_id < ?1 ORDER BY queue_id LIMIT ?2)",
        values![oldest, TRIM_ROWS_MAX],
    )?)
}
