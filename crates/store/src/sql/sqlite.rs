//! SQLite: WAL mode, every commit synced.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Dialect, EachRow, Failure, Row, Sql, Value};
use crate::Error;
use crate::limits::STATEMENTS_MAX;

/// A connection.
pub(crate) struct Sqlite {
    pub(super) connection: Connection,
    /// Pages in the write-ahead log after the last commit.
    wal_pages: Arc<AtomicI64>,
}

impl Sqlite {
    /// The one connection that writes. Makes the file if it is not there.
    pub(crate) fn writer(path: &Path) -> Result<Self, Failure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        // FULL: the log is synced at every commit, before anybody is told of it.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;
             PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 5000;",
        )?;
        stable_plans(&connection)?;
        let wal_pages = Arc::new(AtomicI64::new(0));
        let seen = wal_pages.clone();
        // A hook of our own takes the place of SQLite's automatic checkpoint, which would run before the callers are told.
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            seen.store(pages.into(), Ordering::Relaxed);
            Ok(())
        }))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Ok(Self { connection, wal_pages })
    }

    /// A connection that cannot write.
    pub(crate) fn reader(path: &Path) -> Result<Self, Failure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.execute_batch(
            "PRAGMA query_only = ON; PRAGMA cache_size = -8192; PRAGMA busy_timeout = 5000;",
        )?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Ok(Self { connection, wal_pages: Arc::default() })
    }
}

/// A statement keeps its plan whatever values are bound. Otherwise this build of SQLite (with STAT4) prepares statements
/// anew for new values, which took a twelfth of the writer's time.
fn stable_plans(connection: &Connection) -> Result<(), Failure> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

impl Sql for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn script(&mut self, sql: &str) -> Result<(), Failure> {
        Ok(self.connection.execute_batch(sql)?)
    }

    fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Failure> {
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.execute(rusqlite::params_from_iter(values))? as u64)
    }

    fn query(&mut self, sql: &'static str, values: &[Value<'_>], each: EachRow<'_>) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(sql).map_err(Failure::from)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(Failure::from)?;
        while let Some(row) = rows.next().map_err(Failure::from)? {
            each(row)?;
        }
        Ok(())
    }

    fn wal_pages(&self) -> i64 {
        self.wal_pages.load(Ordering::Relaxed)
    }

    fn checkpoint(&mut self) -> Result<(), Failure> {
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        self.wal_pages.store(0, Ordering::Relaxed);
        Ok(())
    }

    fn integrity(&mut self) -> Result<Vec<String>, Failure> {
        let mut statement = self.connection.prepare("PRAGMA integrity_check")?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        let lines: Vec<String> = lines.collect::<Result<_, _>>()?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(value),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Row for rusqlite::Row<'_> {
    fn int(&self, column: usize) -> Result<i64, Failure> {
        self.get_ref(column)?.as_i64().map_err(shape)
    }

    fn int_or_null(&self, column: usize) -> Result<Option<i64>, Failure> {
        self.get_ref(column)?.as_i64_or_null().map_err(shape)
    }

    fn text(&self, column: usize) -> Result<&str, Failure> {
        self.get_ref(column)?.as_str().map_err(shape)
    }

    fn text_or_null(&self, column: usize) -> Result<Option<&str>, Failure> {
        self.get_ref(column)?.as_str_or_null().map_err(shape)
    }

    fn blob(&self, column: usize) -> Result<&[u8], Failure> {
        self.get_ref(column)?.as_blob().map_err(shape)
    }
}

fn shape(error: rusqlite::types::FromSqlError) -> Failure {
    Failure::Corrupt(format!("a column of another shape: {error}"))
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => Failure::Taken(detail),
            Some(ErrorCode::DiskFull) => Failure::Full(detail),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Failure::Corrupt(detail),
            _ => Failure::Failed(detail),
        }
    }
}
