//! A small pool of connections that read.

use std::sync::Mutex;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Error;
use crate::limits::READERS_MAX;
use crate::sql::Sql;

type Open = Box<dyn Fn() -> Result<Box<dyn Sql>, Error> + Send + Sync>;

/// Connections are opened when they are first needed and kept.
pub(crate) struct Readers {
    open: Open,
    idle: Mutex<Vec<Box<dyn Sql>>>,
    permits: Semaphore,
}

impl Readers {
    pub(crate) fn new(open: impl Fn() -> Result<Box<dyn Sql>, Error> + Send + Sync + 'static) -> Self {
        Self { open: Box::new(open), idle: Mutex::default(), permits: Semaphore::new(READERS_MAX) }
    }

    /// Waits for its turn.
    pub(crate) async fn permit(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.permits.acquire().await.map_err(|_| Error::Unavailable("the store is closing".into()))
    }

    /// Asks in one read transaction: what several statements see is one moment. A connection that failed is not kept.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&mut dyn Sql) -> Result<T, Error>) -> Result<T, Error> {
        let kept = self.idle.lock().expect("no holder panics").pop();
        let mut sql = kept.map_or_else(&self.open, Ok)?;
        let begin = sql.dialect().begin_read();
        sql.execute(begin, &[])?;
        let answer = question(&mut *sql)?;
        sql.execute("COMMIT", &[])?;
        self.idle.lock().expect("no holder panics").push(sql);
        Ok(answer)
    }
}
