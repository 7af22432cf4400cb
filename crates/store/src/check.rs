//! `waxseal store check`: every checksum, every reference, every counter.

use std::sync::Arc;

use mail::Uid;

use crate::change::DOOMED;
use crate::content::ContentId;
use crate::log::Log;
use crate::sql::{self, Row, Sql, Value, narrow, values};
use crate::{Error, Store};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// Contents verified.
    pub contents: u64,
    /// Octets of content verified.
    pub octets: u64,
    /// Contents that records name and that are not as they were written. Nothing can repair them but a backup.
    pub damaged: Vec<ContentId>,
    /// Emails whose content has no row: mailbox and UID. Repaired where the log still has the content.
    pub emails_without_content: Vec<(i64, Uid)>,
    /// Queue entries whose content has no row. Repaired where the log still has the content.
    pub entries_without_content: u64,
    /// Contents whose count of references was wrong. Repaired.
    pub wrong_references: u64,
    /// Contents without references that nothing would have freed. Repaired.
    pub never_freed: u64,
    /// Mailboxes whose counters were wrong. Repaired.
    pub wrong_tallies: u64,
    /// Segments whose live octets were wrong. Repaired.
    pub wrong_segments: u64,
    /// Destinations of which nobody would learn in time that something waits there. Repaired.
    pub wrong_destinations: u64,
    /// Content that no record names and that waits to be settled ([`Store::orphans`]).
    pub orphans: u64,
    /// What the database says of itself when it is damaged.
    pub database: Vec<String>,
    /// Whether what can be repaired was repaired.
    pub repaired: bool,
}

impl CheckReport {
    /// Whether nothing is wrong. Orphans are not wrong: a crash leaves them.
    pub fn is_clean(&self) -> bool {
        let empty = Self {
            contents: self.contents,
            octets: self.octets,
            orphans: self.orphans,
            repaired: self.repaired,
            ..Self::default()
        };
        *self == empty
    }
}

/// How far a check is: contents verified, of about so many.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

const SLICE: i64 = 256;

impl Store {
    /// Verifies every checksum, reference and counter; with `repair` mends what can be mended. Content is verified beside
    /// the running commits; references are counted in one step, for which commits wait.
    ///
    /// # Errors
    /// When the records cannot be read at all.
    pub async fn check(&self, repair: bool, progress: Option<Progress>) -> Result<CheckReport, Error> {
        let mut report = CheckReport { orphans: self.orphans().len() as u64, ..Default::default() };
        self.verify_contents(&mut report, progress).await?;
        let counted = self
            .chore(move |writer, _| {
                let database = writer.sql.integrity()?;
                let counted = writer.chore(|sql, log, now| count(sql, log, repair.then_some(now.0)))?;
                Ok(CheckReport { database, ..counted })
            })
            .await?;
        let CheckReport { contents, octets, damaged, orphans, .. } = report;
        Ok(CheckReport { contents, octets, damaged, orphans, repaired: repair, ..counted })
    }

    async fn verify_contents(
        &self,
        report: &mut CheckReport,
        progress: Option<Progress>,
    ) -> Result<(), Error> {
        let total = self.ask(|sql| narrow(sql::number(sql, "SELECT COUNT(*) FROM content", &[])?)).await?;
        let mut after = ContentId { segment: 0, offset: 0 };
        loop {
            let slice = self.ask(move |sql| contents_after(sql, after)).await?;
            let Some(last) = slice.last() else { return Ok(()) };
            after = last.0;
            let log = self.shared().log.clone();
            let verified = self.shared().workers.run(move || verify(&log, slice)).await;
            for (id, size, valid) in verified {
                report.contents += 1;
                report.octets += size;
                if !valid && self.is_held(id).await? {
                    report.damaged.push(id);
                }
            }
            if let Some(progress) = &progress {
                progress(report.contents, total);
            }
        }
    }

    /// Whether records name this content at this moment: it may have been freed since it was listed.
    async fn is_held(&self, id: ContentId) -> Result<bool, Error> {
        let text = "SELECT COUNT(*) FROM content WHERE segment = ?1 AND start = ?2 AND refs > 0";
        self.ask(move |sql| Ok(sql::number(sql, text, values![id.segment, id.offset])? > 0)).await
    }
}

fn contents_after(sql: &mut dyn Sql, after: ContentId) -> Result<Vec<(ContentId, u64)>, Error> {
    sql::rows(
        sql,
        "SELECT segment, start, size FROM content WHERE segment > ?1 OR (segment = ?1 AND start > ?2)
         ORDER BY segment, start LIMIT ?3",
        values![after.segment, after.offset, SLICE],
        |row| Ok((content_id(row, 0)?, narrow(row.int(2)?)?)),
    )
}

fn verify(log: &Log, slice: Vec<(ContentId, u64)>) -> Vec<(ContentId, u64, bool)> {
    let verify = |(id, size): (ContentId, u64)| (id, size, log.verify(id).is_ok_and(|found| found == size));
    slice.into_iter().map(verify).collect()
}

/// Counts everything anew, and mends it if there is a time to note for what that frees.
fn count(sql: &mut dyn Sql, log: &Log, repair: Option<i64>) -> Result<CheckReport, Error> {
    let mut report = CheckReport::default();
    count_missing(sql, log, repair, &mut report)?;
    report.wrong_references = count_references(sql, repair)?;
    report.never_freed = count_never_freed(sql, repair)?;
    report.wrong_tallies = count_tallies(sql, repair)?;
    report.wrong_segments = count_segments(sql, repair)?;
    report.wrong_destinations = count_destinations(sql, repair)?;
    Ok(report)
}

/// Emails and queue entries whose content has no row.
fn count_missing(
    sql: &mut dyn Sql,
    log: &Log,
    repair: Option<i64>,
    report: &mut CheckReport,
) -> Result<(), Error> {
    let emails = sql::rows(
        sql,
        "SELECT e.segment, e.start, e.mailbox, e.uid FROM emails e
         LEFT JOIN content c ON c.segment = e.segment AND c.start = e.start WHERE c.segment IS NULL
         ORDER BY e.mailbox, e.uid",
        &[],
        |row| Ok((content_id(row, 0)?, (row.int(2)?, Uid(narrow(row.int(3)?)?)))),
    )?;
    let entries = sql::rows(
        sql,
        "SELECT q.segment, q.start FROM queue q
         LEFT JOIN content c ON c.segment = q.segment AND c.start = q.start WHERE c.segment IS NULL",
        &[],
        |row| content_id(row, 0),
    )?;
    report.emails_without_content = emails.iter().map(|(_, email)| *email).collect();
    report.entries_without_content = entries.len() as u64;
    if repair.is_some() {
        for id in emails.into_iter().map(|(id, _)| id).chain(entries) {
            let Ok(size) = log.verify(id) else { continue };
            // Without references for now: they are counted next.
            sql.execute(
                "INSERT INTO content (segment, start, size, refs) VALUES (?1, ?2, ?3, 0)
                 ON CONFLICT (segment, start) DO NOTHING",
                values![id.segment, id.offset, size],
            )?;
        }
    }
    Ok(())
}

fn count_references(sql: &mut dyn Sql, repair: Option<i64>) -> Result<u64, Error> {
    let wrong = sql::rows(
        sql,
        "SELECT c.segment, c.start, COALESCE(h.holders, 0) FROM content c LEFT JOIN
         (SELECT segment, start, COUNT(*) AS holders FROM
          (SELECT segment, start FROM emails UNION ALL SELECT segment, start FROM queue) AS held
          GROUP BY segment, start) AS h ON h.segment = c.segment AND h.start = c.start
         WHERE c.refs <> COALESCE(h.holders, 0)",
        &[],
        |row| Ok((content_id(row, 0)?, row.int(2)?)),
    )?;
    if repair.is_some() {
        for (id, refs) in &wrong {
            let place = values![id.segment, id.offset, *refs];
            sql.execute("UPDATE content SET refs = ?3 WHERE segment = ?1 AND start = ?2", place)?;
            sql.execute("DELETE FROM freed WHERE segment = ?1 AND start = ?2", &place[..2])?;
        }
    }
    Ok(wrong.len() as u64)
}

fn count_never_freed(sql: &mut dyn Sql, repair: Option<i64>) -> Result<u64, Error> {
    let never = sql::rows(
        sql,
        "SELECT c.segment, c.start FROM content c LEFT JOIN freed f ON f.segment = c.segment AND f.start = c.start
         WHERE c.refs = 0 AND f.segment IS NULL",
        &[],
        |row| content_id(row, 0),
    )?;
    if let Some(now) = repair {
        for id in &never {
            sql.execute(
                "INSERT INTO freed (at, segment, start) VALUES (?1, ?2, ?3)",
                values![now, id.segment, id.offset],
            )?;
        }
    }
    Ok(never.len() as u64)
}

fn count_tallies(sql: &mut dyn Sql, repair: Option<i64>) -> Result<u64, Error> {
    let wrong = sql::rows(
        sql,
        "SELECT t.mailbox, COALESCE(e.messages, 0), COALESCE(e.unseen, 0), COALESCE(e.size, 0), COALESCE(e.last, 0),
                COALESCE(e.modseq, 0), COALESCE(e.deleted, 0)
         FROM tallies t LEFT JOIN
         (SELECT mailbox, COUNT(*) AS messages, MAX(uid) AS last, MAX(modseq) AS modseq,
                 CAST(SUM(CASE WHEN (flags & 1) = 0 THEN 1 ELSE 0 END) AS BIGINT) AS unseen,
                 CAST(SUM(CASE WHEN (flags & 8) <> 0 THEN 1 ELSE 0 END) AS BIGINT) AS deleted,
                 CAST(SUM(size) AS BIGINT) AS size
          FROM emails GROUP BY mailbox) AS e ON e.mailbox = t.mailbox
         WHERE t.messages <> COALESCE(e.messages, 0) OR t.unseen <> COALESCE(e.unseen, 0)
            OR t.size <> COALESCE(e.size, 0) OR t.uid_next <= COALESCE(e.last, 0)
            OR t.modseq < COALESCE(e.modseq, 0) OR t.deleted <> COALESCE(e.deleted, 0)",
        &[],
        |row| {
            let counts = [row.int(1)?, row.int(2)?, row.int(3)?, row.int(4)?, row.int(5)?, row.int(6)?];
            Ok((row.int(0)?, counts))
        },
    )?;
    if repair.is_some() {
        for (mailbox, [messages, unseen, size, last, modseq, deleted]) in &wrong {
            sql.execute(
                "UPDATE tallies SET messages = ?2, unseen = ?3, size = ?4, deleted = ?7,
                 uid_next = CASE WHEN uid_next <= ?5 THEN ?5 + 1 ELSE uid_next END,
                 modseq = CASE WHEN modseq < ?6 THEN ?6 ELSE modseq END WHERE mailbox = ?1",
                values![*mailbox, *messages, *unseen, *size, *last, *modseq, *deleted],
            )?;
        }
    }
    Ok(wrong.len() as u64)
}

fn count_segments(sql: &mut dyn Sql, repair: Option<i64>) -> Result<u64, Error> {
    let wrong = sql::rows(
        sql,
        "SELECT c.segment, c.live FROM
         (SELECT segment, CAST(SUM(CASE WHEN refs > 0 THEN size ELSE 0 END) AS BIGINT) AS live
          FROM content GROUP BY segment) AS c
         LEFT JOIN segments s ON s.segment = c.segment WHERE s.live IS NULL OR s.live <> c.live
         UNION ALL
         SELECT s.segment, 0 FROM segments s WHERE s.live <> 0
         AND NOT EXISTS (SELECT 1 FROM content c WHERE c.segment = s.segment)",
        &[],
        |row| Ok((row.int(0)?, row.int(1)?)),
    )?;
    if repair.is_some() {
        for &(segment, live) in &wrong {
            sql.execute(
                "INSERT INTO segments (segment, live, settled) VALUES (?1, ?2, 0)
                 ON CONFLICT (segment) DO UPDATE SET live = excluded.live",
                values![segment, live],
            )?;
        }
    }
    Ok(wrong.len() as u64)
}

/// Destinations without a row, or whose row says that they are due later than they are. Earlier is not wrong: whoever leases
/// them puts it right.
fn count_destinations(sql: &mut dyn Sql, repair: Option<i64>) -> Result<u64, Error> {
    let wrong = sql::rows(
        sql,
        "SELECT q.destination, q.due FROM
         (SELECT destination, MIN(CASE WHEN held = 0 OR due = ?1 THEN due END) AS due FROM queue
          GROUP BY destination) AS q
         LEFT JOIN destinations d ON d.name = q.destination
         WHERE d.name IS NULL OR (q.due IS NOT NULL AND (d.next_due IS NULL OR d.next_due > q.due))",
        values![DOOMED.0],
        |row| Ok((row.text(0)?.to_owned(), row.int_or_null(1)?)),
    )?;
    if repair.is_some() {
        for (name, due) in &wrong {
            sql.execute(
                "INSERT INTO destinations (name, next_due, held, node, leased_until) VALUES (?1, ?2, 0, '', 0)
                 ON CONFLICT (name) DO UPDATE SET next_due = excluded.next_due",
                &[Value::from(name), due.map_or(Value::Null, Value::Int)],
            )?;
        }
    }
    Ok(wrong.len() as u64)
}

fn content_id(row: &dyn Row, column: usize) -> Result<ContentId, Error> {
    Ok(ContentId { segment: narrow(row.int(column)?)?, offset: narrow(row.int(column + 1)?)? })
}
