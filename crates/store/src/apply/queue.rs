//! Queue entries and the journal.

use mail::{QueueId, Timestamp};

use super::directory::changed_one;
use super::{Apply, Scope};
use crate::Error;
use crate::change::{Applied, Change, QueueEntry};
use crate::content::ContentId;
use crate::encode::list_to_text;
use crate::sql::{self, narrow, values};

impl Apply<'_> {
    pub(super) fn queue(&mut self, scope: &Scope<'_>, change: &Change) -> Result<Applied, Error> {
        match change {
            Change::Enqueue(entry) => self.enqueue(scope, entry),
            Change::Defer { queue_id, destination, due, attempts, last } => {
                let changed = self.sql.execute(
                    "UPDATE queue SET due = ?3, attempts = ?4, last = ?5 WHERE queue_id = ?1 AND destination = ?2",
                    values![queue_id.0, destination, due.0, *attempts, last],
                )?;
                changed_one(changed, || no_entry(*queue_id, destination))
            }
            Change::Dequeue { queue_id, destination } => self.dequeue(*queue_id, destination),
            Change::Explain { queue_id, at, story } => self.explain(*queue_id, *at, story),
            _ => unreachable!("the caller chose by kind"),
        }
    }

    fn enqueue(&mut self, scope: &Scope<'_>, entry: &QueueEntry) -> Result<Applied, Error> {
        let there = sql::number(
            self.sql,
            "SELECT COUNT(*) FROM queue WHERE queue_id = ?1 AND destination = ?2",
            values![entry.queue_id.0, &entry.destination],
        )?;
        if there > 0 {
            return Err(Error::Conflict(format!(
                "{} is queued for {} already",
                entry.queue_id, entry.destination
            )));
        }
        let content = scope.content(entry.content)?;
        self.hold(content, 1)?;
        self.sql.execute(
            "INSERT INTO queue (queue_id, destination, reverse_path, recipients, segment, start, prefix, accepted,
             due, attempts, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            values![
                entry.queue_id.0,
                &entry.destination,
                &entry.reverse_path,
                &list_to_text(&entry.recipients),
                content.segment,
                content.offset,
                &entry.prefix,
                entry.accepted.0,
                entry.due.0,
                entry.attempts,
                &entry.last
            ],
        )?;
        Ok(Applied::Done)
    }

    fn dequeue(&mut self, queue_id: QueueId, destination: &str) -> Result<Applied, Error> {
        let content = sql::first(
            self.sql,
            "SELECT segment, start FROM queue WHERE queue_id = ?1 AND destination = ?2",
            values![queue_id.0, destination],
            |row| Ok(ContentId { segment: narrow(row.int(0)?)?, offset: narrow(row.int(1)?)? }),
        )?;
        let content = content.ok_or_else(|| Error::Conflict(no_entry(queue_id, destination)))?;
        self.hold(content, -1)?;
        let removed = self.sql.execute(
            "DELETE FROM queue WHERE queue_id = ?1 AND destination = ?2",
            values![queue_id.0, destination],
        )?;
        changed_one(removed, || no_entry(queue_id, destination))
    }

    fn explain(&mut self, queue_id: QueueId, at: Timestamp, story: &str) -> Result<Applied, Error> {
        self.books.next_story += 1;
        self.sql.execute(
            "INSERT INTO journal (seq, queue_id, at, story) VALUES (?1, ?2, ?3, ?4)",
            values![self.books.next_story, queue_id.0, at.0, story],
        )?;
        Ok(Applied::Done)
    }
}

fn no_entry(queue_id: QueueId, destination: &str) -> String {
    format!("{queue_id} is not queued for {destination}")
}
