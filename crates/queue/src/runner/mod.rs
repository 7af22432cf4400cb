//! Works the queue: asks the schedule what is to be done, has it done, and says how it ended.
//!
//! ```text
//!            +--> store: survey, lease, draw ---+
//! schedule --+--> agents: attempt --------------+--> events --> schedule
//!            +--> store: settle, with reports --+
//! ```
//!
//! One task owns the [`Schedule`](crate::schedule::Schedule) and waits for nothing but events and time; whatever takes time is
//! a task of its own. The store holds the truth: dropped at any moment, the runner leaves the queue as it is written there, and
//! a new one goes on from it. What an attempt did and nobody could write down is done again (RFC 1047).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use directory::Directory;
use mail::Timestamp;
use store::Store;
use tokio::sync::watch;
use world::World;

use crate::agent::{Attempt, Cut, Ended};
use crate::limits::STORE_PAUSE;
use crate::{Agents, Handle, QueueIds};

mod engine;
pub mod gate;
mod leases;
mod record;
mod task;
mod window;

pub use gate::Gate;

use engine::Engine;

/// The queue's worker.
#[derive(Debug)]
pub struct Runner<A = Agents> {
    /// Time, dice and tasks.
    pub world: World,
    /// Where the queue is.
    pub store: Store,
    /// Who receives mail here.
    pub directory: Arc<Directory>,
    /// Names for reports.
    pub queue_ids: Arc<QueueIds>,
    /// Who makes attempts.
    pub agents: Arc<A>,
    /// Where the rest of the program tells what has changed, the properties among it; it keeps a clone.
    pub handle: Handle,
}

/// Who makes attempts: our agents, or what a test has in their place.
pub trait Attempts: Send + Sync + 'static {
    /// Makes an attempt, as [`Agents::attempt`] does.
    fn attempt(&self, attempt: Attempt, gate: Gate, cut: Cut) -> impl Future<Output = Ended> + Send;
}

impl Attempts for Agents {
    fn attempt(&self, attempt: Attempt, gate: Gate, cut: Cut) -> impl Future<Output = Ended> + Send {
        Agents::attempt(self, attempt, gate, cut)
    }
}

impl<A> Clone for Runner<A> {
    fn clone(&self) -> Self {
        Self {
            world: self.world.clone(),
            store: self.store.clone(),
            directory: self.directory.clone(),
            queue_ids: self.queue_ids.clone(),
            agents: self.agents.clone(),
            handle: self.handle.clone(),
        }
    }
}

impl<A: Attempts> Runner<A> {
    /// Works until told to stop. Then nothing new begins, what has begun no transaction goes back, what is under way has
    /// [`STOP_GRACE`](crate::limits::STOP_GRACE) to end, and the leases are given up.
    ///
    /// # Cancellation
    /// Dropped in the middle, attempts under way are dropped, too, and nothing is lost.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        // A mistake of ours must not end all mail until somebody looks: begin anew with what the store says.
        while wire::contained(Engine::new(&self).run(stop.clone())).await.is_err() {
            tracing::error!("the queue's runner panicked and begins anew");
            self.world.clock.sleep(STORE_PAUSE).await;
        }
    }
}

/// A time span later; no further than time goes.
fn later(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp(time.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}
