//! A connection for tests that looks at the plan of each statement before it runs it.

use super::sqlite::Sqlite;
use super::{Dialect, EachRow, Failure, Sql, Value};
use crate::Error;

/// What statements cost that a test can count.
pub(crate) struct Explained {
    pub(crate) sql: Sqlite,
    /// Every step of a plan that reads a whole table or index, or sorts.
    pub(crate) slow: Vec<String>,
    /// Rows of destinations that were written.
    pub(crate) destinations_written: u64,
}

impl Explained {
    /// The steps of a statement's plan.
    fn plan(&self, sql: &str) -> Vec<String> {
        let mut statement = self.sql.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
        steps.collect::<Result<_, _>>().unwrap()
    }

    fn look(&mut self, sql: &str) {
        let slow = self
            .plan(sql)
            .into_iter()
            .filter(|step| step.starts_with("SCAN") || step.contains("TEMP B-TREE"));
        self.slow.extend(slow.map(|step| format!("{step}: {sql}")));
    }
}

impl Sql for Explained {
    fn dialect(&self) -> Dialect {
        self.sql.dialect()
    }

    fn script(&mut self, sql: &str) -> Result<(), Failure> {
        self.sql.script(sql)
    }

    fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Failure> {
        self.look(sql);
        let changed = self.sql.execute(sql, values)?;
        if ["INSERT INTO destinations", "UPDATE destinations"].iter().any(|word| sql.starts_with(word)) {
            self.destinations_written += changed;
        }
        Ok(changed)
    }

    fn query(&mut self, sql: &'static str, values: &[Value<'_>], each: EachRow<'_>) -> Result<(), Error> {
        self.look(sql);
        self.sql.query(sql, values, each)
    }
}
