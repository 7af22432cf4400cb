//! Queue entries and the journal.

use mail::{QueueId, Timestamp};

use super::directory::changed_one;
use super::{Apply, Scope};
use crate::Error;
use crate::change::{Applied, Change, DOOMED, QueueEntry, Rest};
use crate::content::ContentId;
use crate::encode::{envelope_to_text, recipients_to_text};
use crate::sql::{self, narrow, values};

/// Who may settle an entry: who leases its destination, and saw it as it is.
struct Guard<'a> {
    queue_id: QueueId,
    destination: &'a str,
    node: &'a str,
    attempts: u32,
}

impl Apply<'_> {
    pub(super) fn queue(&mut self, scope: &Scope<'_>, change: &Change) -> Result<Applied, Error> {
        match change {
            Change::Enqueue(entry) => self.enqueue(scope, entry),
            Change::Settle { queue_id, destination, node, attempts, rest } => {
                let guard = Guard { queue_id: *queue_id, destination, node, attempts: *attempts };
                match rest {
                    Some(rest) => self.settle_rest(&guard, rest),
                    None => self.settle_all(&guard),
                }
            }
            Change::Hold { queue_id, destination, held: true, .. } => self.hold_entry(*queue_id, destination),
            Change::Hold { queue_id, destination, held: false, now } => {
                self.release_entry(*queue_id, destination, *now)
            }
            Change::Expedite { queue_id, destination, due } => self.expedite(*queue_id, destination, *due),
            Change::Doom { queue_id, destination } => self.doom(*queue_id, destination),
            _ => unreachable!("the caller chose by kind"),
        }
    }

    fn enqueue(&mut self, scope: &Scope<'_>, entry: &QueueEntry) -> Result<Applied, Error> {
        let content = scope.content(entry.content)?;
        let added = self.sql.execute(
            "INSERT INTO queue (destination, queue_id, virtual_server, reverse_path, recipients, segment, start, prefix,
             accepted, due, attempts, notified, held, last, envelope)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT (destination, queue_id) DO NOTHING",
            values![
                &entry.destination,
                entry.queue_id.0,
                &entry.virtual_server,
                &entry.reverse_path,
                &recipients_to_text(&entry.recipients),
                content.segment,
                content.offset,
                &entry.prefix,
                entry.accepted.0,
                entry.due.0,
                entry.attempts,
                entry.notified,
                entry.held,
                &entry.last,
                &envelope_to_text(&entry.parameters)
            ],
        )?;
        if added == 0 {
            let QueueEntry { queue_id, destination, .. } = entry;
            return Err(Error::Conflict(format!("{queue_id} is queued for {destination} already")));
        }
        self.hold(content, 1)?;
        self.expect_entry(&entry.destination, (entry.due, entry.held))
    }

    fn settle_all(&mut self, guard: &Guard<'_>) -> Result<Applied, Error> {
        let content = sql::first(
            self.sql,
            "DELETE FROM queue WHERE destination = ?1 AND queue_id = ?2 AND attempts = ?3
             AND EXISTS (SELECT 1 FROM destinations WHERE name = ?1 AND node = ?4 AND node <> '') RETURNING segment, start",
            values![guard.destination, guard.queue_id.0, guard.attempts, guard.node],
            |row| Ok(ContentId { segment: narrow(row.int(0)?)?, offset: narrow(row.int(1)?)? }),
        )?;
        self.hold(content.ok_or_else(|| guard.lost())?, -1)?;
        Ok(Applied::Done)
    }

    fn settle_rest(&mut self, guard: &Guard<'_>, rest: &Rest) -> Result<Applied, Error> {
        let waits = sql::first(
            self.sql,
            "UPDATE queue SET recipients = ?5, due = CASE WHEN due = ?10 THEN due ELSE ?6 END, attempts = ?7,
             notified = ?8, last = ?9
             WHERE destination = ?1 AND queue_id = ?2 AND attempts = ?3
             AND EXISTS (SELECT 1 FROM destinations WHERE name = ?1 AND node = ?4 AND node <> '') RETURNING due, held",
            values![
                guard.destination,
                guard.queue_id.0,
                guard.attempts,
                guard.node,
                &recipients_to_text(&rest.recipients),
                rest.due.0,
                rest.attempts,
                rest.notified,
                &rest.last,
                DOOMED.0,
            ],
            |row| Ok((Timestamp(row.int(0)?), row.int(1)? != 0)),
        )?;
        self.expect_entry(guard.destination, waits.ok_or_else(|| guard.lost())?)
    }

    /// An entry with this due, which may be on hold.
    fn expect_entry(&mut self, destination: &str, (due, held): (Timestamp, bool)) -> Result<Applied, Error> {
        let counts = due == DOOMED || !held;
        self.expect(destination, counts.then_some(due))?;
        Ok(Applied::Done)
    }

    fn hold_entry(&mut self, queue_id: QueueId, destination: &str) -> Result<Applied, Error> {
        let text = "UPDATE queue SET held = 1 WHERE destination = ?1 AND queue_id = ?2";
        let changed = self.sql.execute(text, values![destination, queue_id.0])?;
        self.put_right(destination)?;
        changed_one(changed, || no_entry(queue_id, destination))
    }

    /// What came due on hold is due now: it lines up behind what has waited all the time.
    fn release_entry(
        &mut self,
        queue_id: QueueId,
        destination: &str,
        now: Timestamp,
    ) -> Result<Applied, Error> {
        self.change_due(
            "UPDATE queue SET due = CASE WHEN held = 1 AND due < ?3 AND due <> ?4 THEN ?3 ELSE due END, held = 0
             WHERE destination = ?1 AND queue_id = ?2 RETURNING due, held",
            (queue_id, destination),
            now,
        )
    }

    fn expedite(&mut self, queue_id: QueueId, destination: &str, due: Timestamp) -> Result<Applied, Error> {
        self.change_due(
            "UPDATE queue SET due = CASE WHEN due > ?3 AND due <> ?4 THEN ?3 ELSE due END
             WHERE destination = ?1 AND queue_id = ?2 RETURNING due, held",
            (queue_id, destination),
            due,
        )
    }

    fn doom(&mut self, queue_id: QueueId, destination: &str) -> Result<Applied, Error> {
        self.change_due(
            "UPDATE queue SET due = CASE WHEN due = ?4 THEN due ELSE ?3 END
             WHERE destination = ?1 AND queue_id = ?2 RETURNING due, held",
            (queue_id, destination),
            DOOMED,
        )
    }

    /// Runs a statement that changes the due of one entry, with values for its key, a time and [`DOOMED`].
    fn change_due(
        &mut self,
        text: &'static str,
        (queue_id, destination): (QueueId, &str),
        time: Timestamp,
    ) -> Result<Applied, Error> {
        let values = values![destination, queue_id.0, time.0, DOOMED.0];
        let waits = sql::first(self.sql, text, values, |row| Ok((Timestamp(row.int(0)?), row.int(1)? != 0)))?;
        let waits = waits.ok_or_else(|| Error::Conflict(no_entry(queue_id, destination)))?;
        self.expect_entry(destination, waits)
    }

    pub(super) fn explain(
        &mut self,
        queue_id: QueueId,
        at: Timestamp,
        story: &str,
    ) -> Result<Applied, Error> {
        self.books.next_story += 1;
        self.sql.execute(
            "INSERT INTO journal (seq, queue_id, at, story) VALUES (?1, ?2, ?3, ?4)",
            values![self.books.next_story, queue_id.0, at.0, story],
        )?;
        Ok(Applied::Done)
    }
}

impl Guard<'_> {
    fn lost(&self) -> Error {
        let Self { queue_id, destination, node, attempts } = self;
        Error::Conflict(format!(
            "{queue_id} is not queued for {destination} with {attempts} attempts, leased by {node}"
        ))
    }
}

fn no_entry(queue_id: QueueId, destination: &str) -> String {
    format!("{queue_id} is not queued for {destination}")
}
