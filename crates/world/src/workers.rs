//! Threads, pools and tasks. Threads in the product, inline in simulation, because a paused clock takes a busy thread
//! for idle.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, mpsc};

use tokio::sync::oneshot;

/// Where work runs that must not hold up the tasks of connections.
#[derive(Debug, Clone)]
pub enum Workers {
    /// tokio's blocking threads for what is short, threads of their own for what is slow.
    Threads {
        /// The slow pool.
        slow: SlowPool,
        /// For slow work that gives way to all other.
        gentle: SlowPool,
    },
    /// In the calling task.
    Inline,
}

/// A few threads that do nothing but slow work (password hashing), in order of arrival. They are always the same ones:
/// an allocator keeps for each thread what its work once needed, and a hash needs 19 MiB.
#[derive(Debug, Clone)]
pub struct SlowPool {
    jobs: mpsc::Sender<Job>,
    threads: usize,
}

type Job = Box<dyn FnOnce() + Send>;

impl SlowPool {
    /// Starts the threads; they end when the last clone of the pool is gone.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn start(name: &'static str, threads: usize, begin: fn()) -> Self {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..threads {
            let waiting = waiting.clone();
            let take = move || waiting.lock().expect("taking a job does not panic").recv();
            let body = move || {
                begin();
                while let Ok(job) = take() {
                    job();
                }
            };
            std::thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(body)
                .expect("a process that starts has threads to give");
        }
        Self { jobs, threads }
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = oneshot::channel();
        let job = move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            // Whoever asked may have stopped waiting.
            let _ = tell.send(result);
        };
        self.jobs.send(Box::new(job)).expect("the threads live as long as the pool");
        match told.await.expect("a job always tells its result") {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl Workers {
    /// Threads, with at most this many slow pieces of work at a time.
    ///
    /// # Panics
    /// When the system has no threads to give.
    pub fn threads(slow_max: usize) -> Self {
        let gentle = SlowPool::start("gentle", slow_max.saturating_sub(1).max(1), give_way);
        Self::Threads { slow: SlowPool::start("slow", slow_max, || ()), gentle }
    }

    /// How many slow pieces of work run at a time.
    pub fn slow_max(&self) -> usize {
        match self {
            Self::Inline => 1,
            Self::Threads { slow, .. } => slow.threads,
        }
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
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => resume_unwind(panic),
                    // Cancelled: the runtime is going down, and this task with it.
                    Err(_) => std::future::pending().await,
                },
            },
        }
    }

    /// Runs a long piece of work (password hashing) in the bounded pool, in order of arrival.
    ///
    /// # Panics
    /// If `work` panics.
    pub async fn run_slow<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        match self {
            Self::Inline => work(),
            Self::Threads { slow, .. } => slow.run(work).await,
        }
    }

    /// The same for work that gives way to all other: it runs in threads of its own, fewer by one (but one), which the system
    /// gives a processor when nobody else wants it.
    ///
    /// # Panics
    /// If `work` panics.
    pub async fn run_gently<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        match self {
            Self::Inline => work(),
            Self::Threads { gentle, .. } => gentle.run(work).await,
        }
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

/// The calling thread goes after others from now on. Where the system does not allow that, it goes beside them.
fn give_way() {
    // Linux gives each thread a priority of its own, whatever POSIX says of processes.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, LEAST_PRIORITY);
}

/// The lowest of setpriority(2).
#[cfg(target_os = "linux")]
const LEAST_PRIORITY: i32 = 19;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_gives_its_result_on_threads_and_inline() {
        for workers in [Workers::threads(1), Workers::Inline] {
            assert_eq!(workers.run(|| 1).await + workers.run_slow(|| 2).await, 3);
            assert_eq!(workers.run_gently(|| 4).await, 4);
        }
        let here = std::thread::current().id();
        assert_eq!(Workers::Inline.run(|| std::thread::current().id()).await, here);
        assert_ne!(Workers::threads(1).run(|| std::thread::current().id()).await, here);
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the work of this test is to take time")]
    async fn slow_work_is_bounded() {
        let workers = Workers::threads(2);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (workers, now, most) = (workers.clone(), now.clone(), most.clone());
                workers.clone().spawn(async move {
                    let work = move || {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(5));
                        now.fetch_sub(1, Ordering::SeqCst);
                    };
                    workers.run_slow(work).await;
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_panic_reaches_whoever_waits_and_the_pool_goes_on() {
        let workers = Workers::threads(1);
        let failing = workers.clone();
        let joined = workers.spawn(async move { failing.run_slow(|| panic!("planted")).await }).await;
        assert!(joined.unwrap_err().is_panic());
        assert_eq!(workers.run_slow(|| 1).await, 1);
    }

    #[test]
    fn a_named_thread_runs_but_not_in_simulation() {
        let name = || std::thread::current().name().map(String::from);
        let (tell, told) = std::sync::mpsc::channel();
        let thread = Workers::threads(1).thread("writer", move || tell.send(name()).unwrap()).unwrap();
        thread.expect("threads are real").join().unwrap();
        assert_eq!(told.recv().unwrap().as_deref(), Some("writer"));
        assert!(Workers::Inline.thread("writer", || unreachable!()).unwrap().is_none());
    }
}
