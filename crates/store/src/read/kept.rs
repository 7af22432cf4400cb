//! What the settings were, and small secrets.

use bytes::Bytes;
use mail::Timestamp;

use crate::sql::{self, Row, values};
use crate::{Error, Store};

/// The settings as they were from some moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRecord {
    /// Its number; the first is 1.
    pub number: i64,
    /// Since when.
    pub at: Timestamp,
    /// Who made it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// The settings text.
    pub text: String,
}

impl Store {
    /// At most `max` revisions of the settings before this one (none: before all that may come), the newest first.
    ///
    /// # Errors
    /// When the records cannot be read. The same holds for every read below.
    pub async fn revisions(&self, before: Option<i64>, max: usize) -> Result<Vec<RevisionRecord>, Error> {
        let text = "SELECT number, at, author, reason, text FROM revisions WHERE number < ?1
            ORDER BY number DESC LIMIT ?2";
        let before = before.unwrap_or(i64::MAX);
        self.ask(move |sql| sql::rows(sql, text, values![before, max as u64], revision)).await
    }

    /// One revision of the settings.
    pub async fn revision(&self, number: i64) -> Result<Option<RevisionRecord>, Error> {
        let text = "SELECT number, at, author, reason, text FROM revisions WHERE number = ?1";
        self.ask(move |sql| sql::first(sql, text, values![number], revision)).await
    }

    /// A small secret of the program.
    pub async fn kept(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let name = name.to_owned();
        let read = |row: &dyn Row| Ok(Bytes::copy_from_slice(row.blob(0)?));
        let text = "SELECT value FROM kept WHERE name = ?1";
        self.ask(move |sql| sql::first(sql, text, values![&name], read)).await
    }
}

fn revision(row: &dyn Row) -> Result<RevisionRecord, Error> {
    Ok(RevisionRecord {
        number: row.int(0)?,
        at: Timestamp(row.int(1)?),
        author: row.text(2)?.to_owned(),
        reason: row.text(3)?.to_owned(),
        text: row.text(4)?.to_owned(),
    })
}
