//! Waiting for another process to let a data directory go.

use std::time::Instant;

use store::OpenError;
use world::Clock;

use crate::limits::{LOCKED_PATIENCE, LOCKED_PAUSE};

/// How long somebody waits for a data directory that another process has. A server that has just begun does not answer
/// commands yet; a command that works on the directory itself, and a server that ends, are done in a moment.
pub(crate) struct Patience {
    clock: Clock,
    until: Instant,
}

impl Patience {
    /// Begins now.
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone(), until: clock.now() + LOCKED_PATIENCE }
    }

    /// Waits a moment, if that may help against this error and it has not waited long enough; whether to try again.
    pub(crate) async fn helps(&self, error: &anyhow::Error) -> bool {
        let locked = matches!(error.downcast_ref(), Some(OpenError::Locked { .. }));
        if !locked || self.clock.now() >= self.until {
            return false;
        }
        self.clock.sleep(LOCKED_PAUSE).await;
        true
    }
}
