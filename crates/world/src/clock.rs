//! What time it is.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mail::Timestamp;
use tokio::time::Sleep;

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
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
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

    /// Steps the wall clock alone, as an administrator or NTP does; monotonic time goes on. A real clock is not ours to
    /// step: nothing happens.
    pub fn step_wall(&self, by_millis: i64) {
        if let Self::Simulated { step, .. } = self {
            step.fetch_add(by_millis, Ordering::Relaxed);
        }
    }

    /// Waits until a moment of monotonic time. Dropping the future costs nothing and forgets nothing.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub async fn sleep_until(&self, until: Instant) {
        tokio::time::sleep_until(until.into()).await;
    }

    /// Waits. As cancellation-safe as [`sleep_until`](Self::sleep_until).
    pub async fn sleep(&self, time: Duration) {
        self.sleep_until(self.now() + time).await;
    }
}

/// One timer for many deadlines: an entry in the runtime's wheel is made anew only when a deadline is earlier than the
/// one it stands at, or when it fires too early. A connection whose deadline moves on with each command so touches the
/// wheel once in a while, not once a command.
#[derive(Debug, Default)]
pub struct Timer {
    armed: Option<Armed>,
}

#[derive(Debug)]
struct Armed {
    at: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    /// A timer that stands nowhere yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ready once `until` has been reached. Each call may name another time; the task is woken no later than that.
    pub fn poll_until(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let armed = self.armed.get_or_insert_with(|| Armed::new(until));
        if until < armed.at {
            armed.arm(until);
        }
        loop {
            ready!(armed.sleep.as_mut().poll(cx));
            if until <= armed.at {
                return Poll::Ready(());
            }
            armed.arm(until);
        }
    }
}

impl Armed {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn new(at: Instant) -> Self {
        Self { at, sleep: Box::pin(tokio::time::sleep_until(at.into())) }
    }

    fn arm(&mut self, at: Instant) {
        self.at = at;
        self.sleep.as_mut().reset(at.into());
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    #[tokio::test(start_paused = true)]
    async fn simulated_wall_time_follows_the_paused_clock_and_its_steps() {
        let clock = Clock::simulated(START);
        let began = clock.now();
        clock.sleep(Duration::from_secs(3600)).await;
        assert_eq!(clock.now() - began, Duration::from_secs(3600));
        assert_eq!(clock.wall(), Timestamp(START.0 + 3_600_000));
        clock.step_wall(-5000);
        assert_eq!(clock.wall(), Timestamp(START.0 + 3_595_000));
        assert_eq!(clock.now() - began, Duration::from_secs(3600));
    }

    #[test]
    fn the_real_clock_is_after_2025_and_is_not_stepped() {
        let before = Clock::Real.wall();
        Clock::Real.step_wall(-1_000_000_000);
        assert!(before.0 > 1_735_689_600_000 && Clock::Real.wall() >= before);
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_serves_deadlines_that_move_either_way() {
        let clock = Clock::simulated(START);
        let (began, mut timer) = (clock.now(), Timer::new());
        let secs = |n| began + Duration::from_secs(n);
        assert!(poll_fn(|cx| Poll::Ready(timer.poll_until(cx, secs(60)))).await.is_pending());
        // Later, then earlier than it stands, then later than it fires, then passed already.
        for (until, reached) in [(90, 90), (120, 120), (100, 120)] {
            poll_fn(|cx| timer.poll_until(cx, secs(until))).await;
            assert_eq!(clock.now(), secs(reached), "until {until}");
        }
        assert!(poll_fn(|cx| Poll::Ready(timer.poll_until(cx, secs(200)))).await.is_pending());
        poll_fn(|cx| timer.poll_until(cx, secs(130))).await;
        assert_eq!(clock.now(), secs(130));
    }
}
