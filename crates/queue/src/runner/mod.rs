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

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
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
mod terms;
mod window;

pub use gate::Gate;
pub use terms::Terms;

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
    /// What the settings say.
    pub terms: Terms,
    /// Where the rest of the program tells what has changed; it keeps a clone.
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
            terms: self.terms.clone(),
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
        while unless_it_panics(Engine::new(&self).run(stop.clone())).await.is_none() {
            tracing::error!("the queue's runner panicked and begins anew");
            self.world.clock.sleep(STORE_PAUSE).await;
        }
    }
}

/// Runs a task that takes its state along; none if it panics.
async fn unless_it_panics<T>(task: impl Future<Output = T>) -> Option<T> {
    let mut task = pin!(task);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// A time span later; no further than time goes.
fn later(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp(time.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_from_an_end() {
        assert_eq!(unless_it_panics(async { 7 }).await, Some(7));
        let panics = async {
            tokio::task::yield_now().await;
            panic!("planted");
        };
        assert_eq!(unless_it_panics::<()>(panics).await, None);
    }
}
