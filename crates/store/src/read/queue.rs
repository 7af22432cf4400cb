//! Queue entries and destinations.

use bytes::Bytes;
use mail::{QueueId, Timestamp};

use super::{DestinationRow, DestinationSummary, Draw};
use crate::change::{ContentRef, DOOMED, QueueEntry};
use crate::content::ContentId;
use crate::encode::{envelope_from_text, recipients_from_text};
use crate::sql::{self, Row, Sql, narrow, values};
use crate::{Error, Store};

/// The columns of an entry, as [`entry`] reads them.
macro_rules! entries {
    ($rest:literal) => {
        concat!(
            "SELECT q.queue_id, q.destination, q.virtual_server, q.reverse_path, q.recipients, q.segment, q.start, q.prefix,
             q.accepted, q.due, q.attempts, q.notified, q.held, q.last, q.envelope FROM ",
            $rest
        )
    };
}

/// Some destinations with what they have, as [`summary`] reads them; `?1` is [`DOOMED`].
macro_rules! summaries {
    ($some:literal) => {
        concat!(
            "SELECT d.name, d.held, d.node, COUNT(CASE WHEN q.due <> ?1 THEN 1 END),
                    COUNT(CASE WHEN q.due <> ?1 AND q.held <> 0 THEN 1 END), COUNT(CASE WHEN q.due = ?1 THEN 1 END),
                    MIN(CASE WHEN q.due <> ?1 THEN q.accepted END),
                    MIN(CASE WHEN q.due <> ?1 AND q.held = 0 THEN q.due END)
             FROM (SELECT name, held, node FROM destinations ",
            $some,
            ") AS d LEFT JOIN queue q ON q.destination = d.name GROUP BY d.name, d.held, d.node ORDER BY d.name"
        )
    };
}

impl Store {
    /// Destinations where something waits that is not on hold, the earliest due first, at most `limit`; of destinations on
    /// hold only those where something is [`DOOMED`].
    pub async fn queue_survey(
        &self,
        node: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DestinationRow>, Error> {
        let (node, limit) = (node.to_owned(), rows_max(limit));
        self.ask(move |sql| survey(sql, &node, now, limit)).await
    }

    /// What of a destination is due at `now` and not on hold, by due and queue id, at most `limit`; what is [`DOOMED`]
    /// comes first, also when it, or the destination, is on hold. Of a destination on hold there is nothing else. Whoever
    /// draws to attempt has leased the destination before.
    pub async fn queue_draw(&self, destination: &str, now: Timestamp, limit: usize) -> Result<Draw, Error> {
        let destination = destination.to_owned();
        self.ask(move |sql| draw(sql, &destination, now, limit)).await
    }

    /// Entries by destination and queue id, those after `after`, of one destination or of all, at most `limit`.
    pub async fn queue_page(
        &self,
        after: Option<(String, QueueId)>,
        destination: Option<&str>,
        limit: usize,
    ) -> Result<Vec<QueueEntry>, Error> {
        let (destination, limit) = (destination.map(str::to_owned), rows_max(limit));
        self.ask(move |sql| page(sql, after, destination.as_deref(), limit)).await
    }

    /// Destinations that have entries or are on hold or leased, by name, those after `after`, at most `limit`. Counts what
    /// they have.
    pub async fn queue_destinations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<DestinationSummary>, Error> {
        let (after, limit) = (after.unwrap_or_default().to_owned(), rows_max(limit));
        let text = summaries!("WHERE name > ?2 ORDER BY name LIMIT ?3");
        self.ask(move |sql| sql::rows(sql, text, values![DOOMED.0, &after, limit], summary)).await
    }

    /// One destination, if it has entries or is on hold or leased. Counts what it has.
    pub async fn queue_destination(&self, name: &str) -> Result<Option<DestinationSummary>, Error> {
        let name = name.to_owned();
        let text = summaries!("WHERE name = ?2");
        self.ask(move |sql| sql::first(sql, text, values![DOOMED.0, &name], summary)).await
    }

    /// The entries of one message, by destination.
    pub async fn queue_entries(&self, queue_id: QueueId) -> Result<Vec<QueueEntry>, Error> {
        // Entries lie by destination: a look into each takes microseconds, an index for this alone would cost every message.
        let text =
            entries!("destinations d CROSS JOIN queue q WHERE q.destination = d.name AND q.queue_id = ?1");
        let mut all = self.ask(move |sql| sql::rows(sql, text, values![queue_id.0], entry)).await?;
        all.sort_by(|a, b| a.destination.cmp(&b.destination));
        Ok(all)
    }

    /// How many entries there are.
    pub async fn queue_length(&self) -> Result<u64, Error> {
        self.ask(|sql| narrow(sql::number(sql, "SELECT COUNT(*) FROM queue", &[])?)).await
    }
}

fn survey(sql: &mut dyn Sql, node: &str, now: Timestamp, limit: i64) -> Result<Vec<DestinationRow>, Error> {
    let mut read = |row: &dyn Row| {
        let (until, by) = (Timestamp(row.int(3)?), row.text(4)?);
        let others = !by.is_empty() && by != node && until > now;
        Ok(DestinationRow {
            destination: row.text(0)?.to_owned(),
            next_due: Timestamp(row.int(1)?),
            held: row.int(2)? != 0,
            leased_until: others.then_some(until),
        })
    };
    let doomed = "SELECT name, next_due, held, leased_until, node FROM destinations
         WHERE held = 1 AND next_due = ?1 ORDER BY name LIMIT ?2";
    let mut found = sql::rows(sql, doomed, values![DOOMED.0, limit], &mut read)?;
    let waiting = "SELECT name, next_due, held, leased_until, node FROM destinations
         WHERE held = 0 AND next_due IS NOT NULL ORDER BY next_due, name LIMIT ?1";
    found.extend(sql::rows(sql, waiting, values![limit], &mut read)?);
    found.sort_by(|a, b| (a.next_due, &a.destination).cmp(&(b.next_due, &b.destination)));
    found.truncate(narrow(limit)?);
    Ok(found)
}

fn draw(sql: &mut dyn Sql, destination: &str, now: Timestamp, limit: usize) -> Result<Draw, Error> {
    let text = "SELECT held FROM destinations WHERE name = ?1";
    let held = sql::number(sql, text, values![destination])? != 0;
    let one_more = rows_max(limit.saturating_add(1));
    let text = entries!(
        "queue q WHERE q.destination = ?1 AND q.held = 1 AND q.due = ?2 ORDER BY q.queue_id LIMIT ?3"
    );
    let mut entries = sql::rows(sql, text, values![destination, DOOMED.0, one_more], entry)?;
    let until = if held { DOOMED } else { now };
    let text = entries!(
        "queue q WHERE q.destination = ?1 AND q.held = 0 AND q.due <= ?2 ORDER BY q.due, q.queue_id LIMIT ?3"
    );
    entries.extend(sql::rows(sql, text, values![destination, until.0, one_more], entry)?);
    entries.sort_by_key(|entry| (entry.due, entry.queue_id));
    let next_due = match entries.get(limit) {
        Some(next) => Some(next.due),
        None => {
            let text = "SELECT MIN(due) FROM queue WHERE destination = ?1 AND held = 0 AND due > ?2";
            let next = sql::first(sql, text, values![destination, until.0], |row| Ok(row.int_or_null(0)?))?;
            next.flatten().map(Timestamp)
        }
    };
    entries.truncate(limit);
    Ok(Draw { entries, next_due, held })
}

fn page(
    sql: &mut dyn Sql,
    after: Option<(String, QueueId)>,
    destination: Option<&str>,
    limit: i64,
) -> Result<Vec<QueueEntry>, Error> {
    // Before all: no destination is without a name.
    let after =
        after.map_or((String::new(), -1), |(name, id)| (name, i64::try_from(id.0).unwrap_or(i64::MAX)));
    let values = values![&after.0, after.1, limit, destination];
    match destination {
        Some(_) => {
            let text = entries!(
                "queue q WHERE q.destination = ?4 AND (q.destination, q.queue_id) > (?1, ?2)
                 ORDER BY q.destination, q.queue_id LIMIT ?3"
            );
            sql::rows(sql, text, values, entry)
        }
        None => {
            let text = entries!(
                "queue q WHERE (q.destination, q.queue_id) > (?1, ?2) ORDER BY q.destination, q.queue_id LIMIT ?3"
            );
            sql::rows(sql, text, &values[..3], entry)
        }
    }
}

fn rows_max(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn summary(row: &dyn Row) -> Result<DestinationSummary, Error> {
    Ok(DestinationSummary {
        destination: row.text(0)?.to_owned(),
        held: row.int(1)? != 0,
        leased_by: Some(row.text(2)?.to_owned()).filter(|node| !node.is_empty()),
        deliveries: narrow(row.int(3)?)?,
        held_deliveries: narrow(row.int(4)?)?,
        doomed_deliveries: narrow(row.int(5)?)?,
        oldest_accepted: row.int_or_null(6)?.map(Timestamp),
        next_due: row.int_or_null(7)?.map(Timestamp),
    })
}

fn entry(row: &dyn Row) -> Result<QueueEntry, Error> {
    let content = ContentId { segment: narrow(row.int(5)?)?, offset: narrow(row.int(6)?)? };
    Ok(QueueEntry {
        queue_id: QueueId(narrow(row.int(0)?)?),
        destination: row.text(1)?.to_owned(),
        virtual_server: row.text(2)?.to_owned(),
        reverse_path: row.text(3)?.to_owned(),
        parameters: envelope_from_text(row.text(14)?)?,
        recipients: recipients_from_text(row.text(4)?)?,
        content: ContentRef::Known(content),
        prefix: Bytes::copy_from_slice(row.blob(7)?),
        accepted: Timestamp(row.int(8)?),
        due: Timestamp(row.int(9)?),
        attempts: narrow(row.int(10)?)?,
        notified: row.int(11)? != 0,
        held: row.int(12)? != 0,
        last: row.text(13)?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::{Apply, Books, Placed};
    use crate::change::{Change, Commit, Rest};
    use crate::schema;
    use crate::sql::plans::Explained;
    use crate::sql::sqlite::Sqlite;

    const D: &str = "example.com";

    fn explained(dir: &tempfile::TempDir) -> Explained {
        let mut sql = Sqlite::writer(&dir.path().join("db")).unwrap();
        schema::prepare(&mut sql).unwrap();
        Explained { sql, slow: Vec::new(), destinations_written: 0 }
    }

    fn apply(sql: &mut Explained, changes: Vec<Change>) {
        let mut apply = Apply { sql, books: Books::begin(0, 0), now: Timestamp(1) };
        let content = Placed { id: ContentId { segment: 1, offset: 64 }, size: 1, end: 99 };
        apply.commit(&Commit { content: vec![], changes }, &[content]).unwrap();
    }

    fn enqueue(number: u64) -> Change {
        Change::Enqueue(QueueEntry {
            queue_id: QueueId(number),
            destination: D.into(),
            virtual_server: String::new(),
            reverse_path: String::new(),
            parameters: mail::MessageParameters::default(),
            recipients: vec![],
            content: ContentRef::New(0),
            prefix: Bytes::new(),
            accepted: Timestamp(1),
            due: Timestamp(1),
            attempts: 0,
            notified: false,
            held: false,
            last: String::new(),
        })
    }

    fn every_change() -> Vec<Change> {
        let (queue_id, destination, node) = (QueueId(1), D.to_owned(), "a".to_owned());
        let now = Timestamp(1);
        let rest = |attempts| {
            let (destination, node) = (destination.clone(), node.clone());
            let rest =
                Rest { recipients: vec![], due: now, attempts: 1, notified: true, last: String::new() };
            Change::Settle { queue_id, destination, node, attempts, rest: Some(rest) }
        };
        let hold = |held| Change::Hold { queue_id, destination: destination.clone(), held, now };
        let done = |queue_id, attempts| {
            let (destination, node) = (destination.clone(), node.clone());
            Change::Settle { queue_id, destination, node, attempts, rest: None }
        };
        vec![
            enqueue(1),
            enqueue(2),
            Change::Lease { destination: destination.clone(), node: node.clone(), until: Timestamp(9), now },
            Change::Lease { destination: destination.clone(), node: "b".into(), until: Timestamp(9), now },
            rest(0),
            hold(true),
            hold(false),
            Change::Expedite { queue_id, destination: destination.clone(), due: now },
            Change::Doom { queue_id, destination: destination.clone() },
            Change::HoldDestination { destination: destination.clone(), held: true },
            Change::HoldDestination { destination: destination.clone(), held: false },
            done(QueueId(1), 1),
            Change::Release { destination: destination.clone(), node: node.clone() },
            Change::Lease { destination: destination.clone(), node: node.clone(), until: Timestamp(9), now },
            done(QueueId(2), 0),
            Change::Release { destination, node },
        ]
    }

    #[test]
    fn no_change_of_the_queue_reads_more_than_it_must() {
        let dir = tempfile::tempdir().unwrap();
        let mut sql = explained(&dir);
        apply(&mut sql, every_change());
        assert_eq!(sql.slow, Vec::<String>::new());
    }

    #[test]
    fn mail_to_a_destination_at_work_writes_no_row_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut sql = explained(&dir);
        let (destination, node, now) = (D.to_owned(), "a".to_owned(), Timestamp(1));
        let lease = Change::Lease { destination, node, until: Timestamp(9), now };
        apply(&mut sql, vec![enqueue(0), lease]);
        assert_eq!(sql.destinations_written, 2);
        let settle = |number| Change::Settle {
            queue_id: QueueId(number),
            destination: D.into(),
            node: "a".into(),
            attempts: 0,
            rest: None,
        };
        apply(&mut sql, (1..50).flat_map(|number| [enqueue(number), settle(number)]).collect());
        assert_eq!(sql.destinations_written, 2);
    }

    #[test]
    fn no_read_of_the_hot_path_reads_more_than_it_must() {
        let dir = tempfile::tempdir().unwrap();
        let mut sql = explained(&dir);
        survey(&mut sql, "a", Timestamp(1), 10).unwrap();
        draw(&mut sql, D, Timestamp(1), 10).unwrap();
        page(&mut sql, Some((D.into(), QueueId(1))), None, 10).unwrap();
        page(&mut sql, Some((D.into(), QueueId(1))), Some(D), 10).unwrap();
        page(&mut sql, None, Some(D), 10).unwrap();
        assert_eq!(sql.slow, Vec::<String>::new());
        // And the test sees what it looks for.
        sql::number(&mut sql, "SELECT COUNT(*) FROM queue", &[]).unwrap();
        assert_eq!(sql.slow.len(), 1);
    }
}
