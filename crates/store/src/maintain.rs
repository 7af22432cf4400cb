//! Work between batches: reclaim of freed content, orphans, trimming.

use std::collections::BTreeSet;

use mail::Timestamp;

use crate::content::{ContentId, Orphan};
use crate::limits::{HISTORY_ROWS_MAX, HOLE_OCTETS_MIN, RECLAIM_ROWS_MAX, TRIM_ROWS_MAX};
use crate::log::Log;
use crate::sql::{self, Sql, narrow, values};
use crate::{Error, Store, schema};

/// What [`Store::maintain`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Contents freed.
    pub contents: usize,
    /// Segments removed.
    pub segments: usize,
    /// Staged contents swept.
    pub staged: usize,
}

/// A content that nobody holds.
struct Freed {
    at: i64,
    id: ContentId,
    size: u64,
}

impl Store {
    /// Content that an earlier run left without a record, found when the store was opened: the same list until
    /// [`Store::settle_orphans`], so that the server can write their stories first.
    pub fn orphans(&self) -> Vec<Orphan> {
        self.shared().orphans.lock().expect("no holder panics").clone()
    }

    /// Frees the orphans.
    ///
    /// # Errors
    /// As the system says; the rest is found again at the next start.
    pub async fn settle_orphans(&self) -> Result<(), Error> {
        self.chore(|writer, shared| {
            let orphans = std::mem::take(&mut *shared.orphans.lock().expect("no holder panics"));
            writer.chore(|sql, log, _| {
                for number in orphans.iter().map(|orphan| orphan.id.segment).collect::<BTreeSet<_>>() {
                    if !is_named(sql, number)? {
                        log.remove(number)?;
                    }
                }
                schema::set_state(sql, "unsettled_from", log.unsettled_from().into())
            })
        })
        .await
    }

    /// What must be done now and then (every few minutes): frees content whose time has come, sweeps what was staged and
    /// never committed, shortens the histories of mailboxes, forgets empty destinations. Works in slices; commits go on in between.
    ///
    /// # Errors
    /// As the system says; what was not done is done the next time.
    pub async fn maintain(&self) -> Result<Maintained, Error> {
        let mut done = Maintained { staged: self.sweep_staged().await?, ..Default::default() };
        loop {
            let slice = self.reclaim_slice().await?;
            done.contents += slice;
            if slice < RECLAIM_ROWS_MAX as usize {
                break;
            }
        }
        done.segments = self.remove_empty_segments().await?;
        self.shorten_histories().await?;
        self.forget_destinations().await?;
        Ok(done)
    }

    async fn sweep_staged(&self) -> Result<usize, Error> {
        let before = self.reclaim_before();
        self.chore(move |writer, shared| {
            let swept = writer.log.sweep(before)?;
            if !shared.orphans.lock().expect("no holder panics").is_empty() {
                return Ok(swept);
            }
            writer
                .chore(|sql, log, _| schema::set_state(sql, "unsettled_from", log.unsettled_from().into()))?;
            Ok(swept)
        })
        .await
    }

    /// Content freed before this moment can go.
    fn reclaim_before(&self) -> Timestamp {
        let now = self.shared().clock.wall();
        let grace = i64::try_from(self.shared().options.reclaim_after.as_millis()).unwrap_or(i64::MAX);
        Timestamp(now.0.saturating_sub(grace))
    }

    /// Forgets freed content whose time has come, and punches holes where it is worth it. The writer does it, so nobody
    /// can take a new reference between the look and the hole.
    async fn reclaim_slice(&self) -> Result<usize, Error> {
        let before = self.reclaim_before();
        self.chore(move |writer, _| {
            let freed = writer.chore(|sql, _, _| {
                let freed = freed_before(sql, before)?;
                for it in &freed {
                    forget(sql, it)?;
                }
                Ok(freed)
            })?;
            for it in freed.iter().filter(|it| it.size >= HOLE_OCTETS_MIN) {
                match writer.log.punch(it.id) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        // Space is not given back now; the segment's end gives it back.
                        tracing::debug!(%error, "punch a hole");
                    }
                    _ => {}
                }
            }
            Ok(freed.len())
        })
        .await
    }

    /// Removes segments of which no content is left.
    async fn remove_empty_segments(&self) -> Result<usize, Error> {
        self.chore(|writer, _| {
            writer.chore(|sql, log, _| {
                let mut empty: Vec<u32> = sql::rows(
                    sql,
                    "SELECT segment FROM segments WHERE live = 0 AND NOT EXISTS
                     (SELECT 1 FROM content WHERE content.segment = segments.segment)",
                    &[],
                    |row| narrow(row.int(0)?),
                )?;
                empty.retain(|&number| log.is_settled(number));
                for &number in &empty {
                    // The file first: without its row nobody would look for it again.
                    log.remove(number)?;
                    sql.execute("DELETE FROM segments WHERE segment = ?1", values![number])?;
                }
                if !empty.is_empty() {
                    schema::set_state(sql, "segment_mark", log.next_number().into())?;
                }
                Ok(empty.len())
            })
        })
        .await
    }

    /// Forgets destinations without entries whose lease nobody gave up: a crash leaves them.
    async fn forget_destinations(&self) -> Result<(), Error> {
        let text = "DELETE FROM destinations WHERE held = 0 AND next_due IS NULL AND leased_until <= ?1
             AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.destination = destinations.name)";
        self.chore(|writer, _| {
            writer.chore(|sql, _, now| {
                sql.execute(text, values![now.0])?;
                Ok(())
            })
        })
        .await
    }

    async fn shorten_histories(&self) -> Result<(), Error> {
        self.chore(|writer, _| writer.chore(|sql, _, _| shorten_histories(sql))).await
    }
}

fn freed_before(sql: &mut dyn Sql, before: Timestamp) -> Result<Vec<Freed>, Error> {
    sql::rows(
        sql,
        "SELECT f.at, f.segment, f.start, c.size FROM freed f
         JOIN content c ON c.segment = f.segment AND c.start = f.start
         WHERE f.at <= ?1 AND c.refs = 0 ORDER BY f.at, f.segment, f.start LIMIT ?2",
        values![before.0, RECLAIM_ROWS_MAX],
        |row| {
            let id = ContentId { segment: narrow(row.int(1)?)?, offset: narrow(row.int(2)?)? };
            Ok(Freed { at: row.int(0)?, id, size: narrow(row.int(3)?)? })
        },
    )
}

fn forget(sql: &mut dyn Sql, freed: &Freed) -> Result<(), Error> {
    let (segment, start) = (freed.id.segment, freed.id.offset);
    sql.execute(
        "DELETE FROM content WHERE segment = ?1 AND start = ?2 AND refs = 0",
        values![segment, start],
    )?;
    sql.execute(
        "DELETE FROM freed WHERE at = ?1 AND segment = ?2 AND start = ?3",
        values![freed.at, segment, start],
    )?;
    Ok(())
}

/// Removes the oldest rows of long histories; a mailbox remembers from where on its history is whole.
fn shorten_histories(sql: &mut dyn Sql) -> Result<(), Error> {
    let long = sql::rows(
        sql,
        "SELECT mailbox, COUNT(*), MIN(modseq) FROM history GROUP BY mailbox HAVING COUNT(*) > ?1",
        values![HISTORY_ROWS_MAX],
        |row| Ok((row.int(0)?, row.int(1)? - HISTORY_ROWS_MAX)),
    )?;
    for (mailbox, excess) in long {
        let last = sql::number(
            sql,
            "SELECT MAX(modseq) FROM (SELECT modseq FROM history WHERE mailbox = ?1 ORDER BY modseq LIMIT ?2) AS old",
            values![mailbox, excess.min(TRIM_ROWS_MAX)],
        )?;
        sql.execute("DELETE FROM history WHERE mailbox = ?1 AND modseq <= ?2", values![mailbox, last])?;
        sql.execute("UPDATE tallies SET history = ?2 WHERE mailbox = ?1", values![mailbox, last])?;
    }
    Ok(())
}

fn is_named(sql: &mut dyn Sql, segment: u32) -> Result<bool, Error> {
    Ok(sql::number(sql, "SELECT COUNT(*) FROM content WHERE segment = ?1", values![segment])? > 0)
}

/// Looks through the segments in which content may lie that no record names.
pub(crate) fn find_orphans(sql: &mut dyn Sql, log: &Log) -> Result<Vec<Orphan>, Error> {
    let from = schema::state(sql, "unsettled_from")?;
    let growing = log.unsettled_from();
    let mut orphans = Vec::new();
    for number in log.numbers()?.into_iter().filter(|&number| i64::from(number) >= from && number != growing)
    {
        orphans.extend(look_through(sql, log, number)?);
    }
    if orphans.is_empty() {
        schema::set_state(sql, "unsettled_from", growing.into())?;
    }
    Ok(orphans)
}

/// The orphans of one segment. One without orphans and without content is removed: a run that kept nothing leaves it.
fn look_through(sql: &mut dyn Sql, log: &Log, number: u32) -> Result<Vec<Orphan>, Error> {
    let settled = sql::number(sql, "SELECT settled FROM segments WHERE segment = ?1", values![number])?;
    let text = "SELECT start FROM content WHERE segment = ?1 AND start >= ?2";
    let named: Vec<u64> = sql::rows(sql, text, values![number, settled], |row| narrow(row.int(0)?))?;
    let named: BTreeSet<u64> = named.into_iter().collect();
    let orphans = log.orphans(number, narrow(settled)?, &named)?;
    if settled == 0 && orphans.is_empty() && named.is_empty() {
        log.remove(number)?;
    }
    Ok(orphans)
}
