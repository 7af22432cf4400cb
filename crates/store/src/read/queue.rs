//! Queue entries.

use bytes::Bytes;
use mail::{QueueId, Timestamp};

use crate::change::{ContentRef, QueueEntry};
use crate::content::ContentId;
use crate::encode::list_from_text;
use crate::sql::{self, Row, narrow, values};
use crate::{Error, Store};

impl Store {
    /// Entries that are due at `now` or before, the most overdue first, at most `rows_max`.
    pub async fn queue_due(&self, now: Timestamp, rows_max: usize) -> Result<Vec<QueueEntry>, Error> {
        let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let text =
            "SELECT queue_id, destination, reverse_path, recipients, segment, start, prefix, accepted, due,
             attempts, last FROM queue WHERE due <= ?1 ORDER BY due, queue_id LIMIT ?2";
        self.ask(move |sql| sql::rows(sql, text, values![now.0, rows_max], entry)).await
    }

    /// When the next entry is due; none if the queue is empty.
    pub async fn queue_next_due(&self) -> Result<Option<Timestamp>, Error> {
        let text = "SELECT MIN(due) FROM queue";
        let found = self.ask(move |sql| sql::first(sql, text, &[], |row| Ok(row.int_or_null(0)?))).await?;
        Ok(found.flatten().map(Timestamp))
    }

    /// The entries of one message, by destination.
    pub async fn queue_entries(&self, queue_id: QueueId) -> Result<Vec<QueueEntry>, Error> {
        let text =
            "SELECT queue_id, destination, reverse_path, recipients, segment, start, prefix, accepted, due,
             attempts, last FROM queue WHERE queue_id = ?1";
        let mut all = self.ask(move |sql| sql::rows(sql, text, values![queue_id.0], entry)).await?;
        all.sort_by(|a, b| a.destination.cmp(&b.destination));
        Ok(all)
    }

    /// How many entries there are.
    pub async fn queue_length(&self) -> Result<u64, Error> {
        self.ask(|sql| narrow(sql::number(sql, "SELECT COUNT(*) FROM queue", &[])?)).await
    }
}

fn entry(row: &dyn Row) -> Result<QueueEntry, Error> {
    let content = ContentId { segment: narrow(row.int(4)?)?, offset: narrow(row.int(5)?)? };
    Ok(QueueEntry {
        queue_id: QueueId(narrow(row.int(0)?)?),
        destination: row.text(1)?.to_owned(),
        reverse_path: row.text(2)?.to_owned(),
        recipients: list_from_text(row.text(3)?)?,
        content: ContentRef::Known(content),
        prefix: Bytes::copy_from_slice(row.blob(6)?),
        accepted: Timestamp(row.int(7)?),
        due: Timestamp(row.int(8)?),
        attempts: narrow(row.int(9)?)?,
        last: row.text(10)?.to_owned(),
    })
}
