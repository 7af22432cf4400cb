//! What time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mail::Timestamp;

/// The clock. Deadlines use [`now`](Clock::now), records [`wall`](Clock::wall).
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's.
    Real,
    /// tokio's paused clock; wall time follows it from `start`.
    Simulated {
        /// Wall time when the simulation began.
        start: Timestamp,
        /// When that was on tokio's clock.
        began: tokio::time::Instant,
        /// A step of the wall clock alone, milliseconds.
        step: Arc<AtomicI64>,
    },
}

impl Clock {
    /// A clock for a paused tokio runtime. Call it inside the runtime.
    pub fn simulated(start: Timestamp) -> Self {
        Self::Simulated { start, began: tokio::time::Instant::now(), step: Arc::default() }
    }

    /// Monotonic time.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn now(&self) -> Instant {
        match self {
            Self::Real => Instant::now(),
            Self::Simulated { .. } => tokio::time::Instant::now().into_std(),
        }
    }

    /// Wall time.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn wall(&self) -> Timestamp {
        match self {
            Self::Real => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Simulated { start, began, step } => {
                let passed = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
                Timestamp(start.0.saturating_add(passed).saturating_add(step.load(Ordering::Relaxed)))
            }
        }
    }

    /// Waits until a moment of monotonic time.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub async fn sleep_until(&self, until: Instant) {
        tokio::time::sleep_until(until.into()).await;
    }

    /// Waits.
    pub async fn sleep(&self, time: Duration) {
        self.sleep_until(self.now() + time).await;
    }
}
