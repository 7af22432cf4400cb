//! The one door to SQL: a small trait with one text for every backend.
//!
//! Statements are written once, with `?1` placeholders and types that every backend has. What differs is named in
//! [`Dialect`] and nowhere else.

#[cfg(test)]
pub(crate) mod plans;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use crate::Error;

/// Where the backends differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// The schema's text in this dialect. It is written in SQLite's: STRICT tables of INTEGER, TEXT and BLOB.
    pub(crate) fn schema(self, text: &str) -> String {
        match self {
            Dialect::Sqlite => text.to_owned(),
            Dialect::Postgres => text
                .replace(" WITHOUT ROWID, STRICT", "")
                .replace(" STRICT", "")
                .replace("INTEGER", "BIGINT")
                .replace("BLOB", "BYTEA"),
        }
    }

    /// Counts whether the table `state` exists: whether there is a schema at all.
    pub(crate) fn has_state(self) -> &'static str {
        match self {
            Dialect::Sqlite => "SELECT COUNT(*) FROM sqlite_master WHERE name = 'state'",
            Dialect::Postgres => {
                "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'state'"
            }
        }
    }

    /// Begins a transaction that writes.
    pub(crate) fn begin(self) -> &'static str {
        match self {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        }
    }

    /// Begins a transaction whose reads see one moment.
    pub(crate) fn begin_read(self) -> &'static str {
        match self {
            Dialect::Sqlite => "BEGIN",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// A statement with this dialect's placeholders: `?1`, or `$1`. No statement holds a `?` elsewhere.
    pub(crate) fn placeholders(self, sql: &str) -> String {
        match self {
            Dialect::Sqlite => sql.to_owned(),
            Dialect::Postgres => sql.replace('?', "$"),
        }
    }
}

/// A value that goes into a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Int(value.into())
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Value::Int(value.into())
    }
}

impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Value::Text(value)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Value::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Value::Blob(value)
    }
}

impl<'a> From<&'a bytes::Bytes> for Value<'a> {
    fn from(value: &'a bytes::Bytes) -> Self {
        Value::Blob(value)
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        value.map_or(Value::Null, Value::Text)
    }
}

/// `values![a, b]`: the values of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::sql::Value::from($value)),*] };
}
pub(crate) use values;

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A key is taken.
    Taken(String),
    /// No room.
    Full(String),
    /// The database contradicts itself.
    Corrupt(String),
    /// Everything else: I/O, a lost connection, a row of another shape than its statement says.
    Failed(String),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Taken(detail) => Error::Conflict(detail),
            Failure::Full(detail) => Error::Full(detail),
            Failure::Corrupt(detail) => Error::Corrupt(detail),
            Failure::Failed(detail) => Error::Unavailable(detail),
        }
    }
}

/// A row of an answer; columns count from 0.
pub(crate) trait Row {
    fn int(&self, column: usize) -> Result<i64, Failure>;
    fn int_or_null(&self, column: usize) -> Result<Option<i64>, Failure>;
    fn text(&self, column: usize) -> Result<&str, Failure>;
    fn text_or_null(&self, column: usize) -> Result<Option<&str>, Failure>;
    fn blob(&self, column: usize) -> Result<&[u8], Failure>;
}

/// What is done with each row.
pub(crate) type EachRow<'a> = &'a mut dyn FnMut(&dyn Row) -> Result<(), Error>;

/// A connection to a database.
pub(crate) trait Sql: Send {
    fn dialect(&self) -> Dialect;
    /// Runs a script without values.
    fn script(&mut self, sql: &str) -> Result<(), Failure>;
    /// Runs a statement; says how many rows it changed.
    fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Failure>;
    /// Asks, and hands over each row.
    fn query(&mut self, sql: &'static str, values: &[Value<'_>], each: EachRow<'_>) -> Result<(), Error>;
    /// Pages that wait in the write-ahead log, if this backend has one that we keep.
    fn wal_pages(&self) -> i64 {
        0
    }
    /// Moves what the write-ahead log holds into the database, as far as readers allow.
    fn checkpoint(&mut self) -> Result<(), Failure> {
        Ok(())
    }
    /// What the database says of itself when it is damaged. PostgreSQL's own tools look after PostgreSQL.
    fn integrity(&mut self) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }
}

/// Every row of an answer.
pub(crate) fn rows<T>(
    sql: &mut dyn Sql,
    text: &'static str,
    values: &[Value<'_>],
    mut read: impl FnMut(&dyn Row) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    sql.query(text, values, &mut |row| {
        all.push(read(row)?);
        Ok(())
    })?;
    Ok(all)
}

/// The first row of an answer, if there is one.
pub(crate) fn first<T>(
    sql: &mut dyn Sql,
    text: &'static str,
    values: &[Value<'_>],
    mut read: impl FnMut(&dyn Row) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let mut found = None;
    sql.query(text, values, &mut |row| {
        if found.is_none() {
            found = Some(read(row)?);
        }
        Ok(())
    })?;
    Ok(found)
}

/// A number that a statement always answers with: COUNT, SUM, MAX.
pub(crate) fn number(sql: &mut dyn Sql, text: &'static str, values: &[Value<'_>]) -> Result<i64, Error> {
    let found = first(sql, text, values, |row| Ok(row.int_or_null(0)?.unwrap_or(0)))?;
    Ok(found.unwrap_or(0))
}

/// A number that must lie in a smaller type; another one is damage.
pub(crate) fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T, Error> {
    T::try_from(value).map_err(|_| Error::Corrupt(format!("{value} is out of range")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_has_its_own_words_for_three_things() {
        let text = "CREATE TABLE t (a INTEGER NOT NULL, b BLOB, PRIMARY KEY (a)) WITHOUT ROWID, STRICT;";
        assert_eq!(Dialect::Sqlite.schema(text), text);
        assert_eq!(
            Dialect::Postgres.schema(text),
            "CREATE TABLE t (a BIGINT NOT NULL, b BYTEA, PRIMARY KEY (a));"
        );
        assert_eq!(Dialect::Postgres.placeholders("a = ?1 AND b = ?12"), "a = $1 AND b = $12");
    }
}
