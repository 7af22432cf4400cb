//! PostgreSQL. The writer goes statement by statement; see the decision on grouping by kind.

use std::collections::HashMap;

use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, NoTls, Statement};

use super::{Dialect, EachRow, Failure, Row, Sql, Value};
use crate::Error;

/// A connection.
pub(crate) struct Postgres {
    client: Client,
    statements: HashMap<&'static str, Statement>,
}

impl Postgres {
    /// Connects. A commit is answered when it is on stable storage, whatever the server's default.
    pub(crate) fn connect(target: &str) -> Result<Self, Failure> {
        let mut client = Client::connect(target, NoTls)?;
        client.batch_execute("SET synchronous_commit = on; SET client_min_messages = error")?;
        Ok(Self { client, statements: HashMap::new() })
    }

    fn statement(&mut self, sql: &'static str) -> Result<Statement, Failure> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let statement = self.client.prepare(&Dialect::Postgres.placeholders(sql))?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }
}

impl Sql for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn script(&mut self, sql: &str) -> Result<(), Failure> {
        Ok(self.client.batch_execute(sql)?)
    }

    fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Failure> {
        let statement = self.statement(sql)?;
        Ok(self.client.execute(&statement, &references(values))?)
    }

    fn query(&mut self, sql: &'static str, values: &[Value<'_>], each: EachRow<'_>) -> Result<(), Error> {
        let statement = self.statement(sql)?;
        let rows = self.client.query(&statement, &references(values)).map_err(Failure::from)?;
        rows.iter().try_for_each(|row| each(row))
    }
}

fn references<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(value) => value.to_sql(kind, out),
            Value::Text(text) => text.to_sql(kind, out),
            Value::Blob(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::TEXT | Type::BYTEA | Type::VARCHAR | Type::NAME)
    }

    to_sql_checked!();
}

impl Row for postgres::Row {
    fn int(&self, column: usize) -> Result<i64, Failure> {
        Ok(self.try_get(column)?)
    }

    fn int_or_null(&self, column: usize) -> Result<Option<i64>, Failure> {
        Ok(self.try_get(column)?)
    }

    fn text(&self, column: usize) -> Result<&str, Failure> {
        Ok(self.try_get(column)?)
    }

    fn text_or_null(&self, column: usize) -> Result<Option<&str>, Failure> {
        Ok(self.try_get(column)?)
    }

    fn blob(&self, column: usize) -> Result<&[u8], Failure> {
        Ok(self.try_get(column)?)
    }
}

impl From<postgres::Error> for Failure {
    fn from(error: postgres::Error) -> Self {
        let detail = error.to_string();
        match error.code().map(postgres::error::SqlState::code) {
            // Class 23: integrity constraints.
            Some(code) if code.starts_with("23") => Failure::Taken(detail),
            Some("53100") => Failure::Full(detail),
            Some("XX001" | "XX002") => Failure::Corrupt(detail),
            _ => Failure::Failed(detail),
        }
    }
}
