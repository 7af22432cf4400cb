//! Threads, pools and tasks. Threads in the product, inline in simulation, because a paused clock takes a busy thread
//! for idle.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Where work runs that must not hold up the tasks of connections.
#[derive(Debug, Clone)]
pub enum Workers {
    /// tokio's blocking threads; the slow pool (password hashing) is bounded by its permits.
    Threads {
        /// Permits of the slow pool.
        slow: Arc<Semaphore>,
    },
    /// In the calling task.
    Inline,
}

impl Workers {
    /// Threads, with at most this many slow pieces of work at a time.
    pub fn threads(slow_max: usize) -> Self {
        Self::Threads { slow: Arc::new(Semaphore::new(slow_max)) }
    }

    /// Runs a short blocking piece of work: a read of the store.
    ///
    /// # Panics
    /// If `work` panics.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        match self {
            Self::Inline => work(),
            Self::Threads { .. } => match tokio::task::spawn_blocking(work).await {
                Ok(result) => result,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
        }
    }

    /// Runs a long piece of work (password hashing) in the bounded pool, in order of arrival.
    ///
    /// # Panics
    /// If `work` panics.
    pub async fn run_slow<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _permit = match self {
            Self::Inline => None,
            Self::Threads { slow } => Some(slow.clone().acquire_owned().await.expect("the pool is never closed")),
        };
        self.run(work).await
    }

    /// Starts a task. A panic in it ends it alone and is given to whoever joins it.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        tokio::spawn(task)
    }

    /// Starts a thread of its own with a name, such as the store's writer. `None` in simulation, where the caller does
    /// its work inline.
    ///
    /// # Errors
    /// The system's, when it has no thread to give.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn thread(
        &self,
        name: &str,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Option<std::thread::JoinHandle<()>>> {
        match self {
            Self::Inline => Ok(None),
            Self::Threads { .. } => std::thread::Builder::new().name(name.into()).spawn(body).map(Some),
        }
    }
}
