//! What a server used while something ran: processor time, memory, flushes of the disk.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::group::Group;

/// Ticks of /proc in a second (USER_HZ), the same on every Linux.
const TICKS: f64 = 100.0;

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Runs from its making to [`Meter::stop`].
#[derive(Debug)]
pub struct Meter {
    groups: Vec<Arc<Group>>,
    begun: Instant,
    before: Counters,
    sampler: Sampler,
}

/// What was used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// Processor seconds of the server.
    pub processor_seconds: f64,
    /// The most that it held at one look, KiB.
    pub pss_peak_kib: u64,
    /// Cache flushes that the disks saw.
    pub flushes: u64,
    /// Processors that neither the server nor the load kept busy: above 0.1, neighbours disturb.
    pub others: f64,
}

#[derive(Debug, Clone, Copy)]
struct Counters {
    server_seconds: f64,
    own_seconds: f64,
    busy_seconds: f64,
    flushes: u64,
}

impl Meter {
    /// Starts for the processes of these groups. `memory`: it is looked at every half second, which costs the server a
    /// little for each of its processes.
    pub fn start(groups: &[Arc<Group>], memory: bool) -> Result<Self> {
        let sampler = Sampler::start(if memory { groups.to_vec() } else { Vec::new() });
        Ok(Self { groups: groups.to_vec(), before: Counters::read(groups)?, sampler, begun: Instant::now() })
    }

    /// What was used since the start.
    pub fn stop(self) -> Result<Used> {
        let time = self.begun.elapsed().as_secs_f64();
        let now = Counters::read(&self.groups)?;
        let server = now.server_seconds - self.before.server_seconds;
        let own = now.own_seconds - self.before.own_seconds;
        let busy = now.busy_seconds - self.before.busy_seconds;
        Ok(Used {
            processor_seconds: server,
            pss_peak_kib: self.sampler.stop(),
            flushes: now.flushes - self.before.flushes,
            others: ((busy - server - own) / time).max(0.0),
        })
    }
}

impl Counters {
    fn read(groups: &[Arc<Group>]) -> Result<Self> {
        let mut server_seconds = 0.0;
        for group in groups {
            server_seconds += group.processor_seconds()?;
        }
        Ok(Self {
            server_seconds,
            own_seconds: own_seconds(&fs::read_to_string("/proc/self/stat")?),
            busy_seconds: busy_seconds(&fs::read_to_string("/proc/stat")?),
            flushes: flushes()?,
        })
    }
}

/// Looks at memory while the meter runs.
#[derive(Debug)]
struct Sampler {
    over: Arc<AtomicBool>,
    peak_kib: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    fn start(groups: Vec<Arc<Group>>) -> Self {
        let (over, peak_kib) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = (!groups.is_empty()).then(|| {
            let (over, peak_kib) = (over.clone(), peak_kib.clone());
            std::thread::spawn(move || {
                while !over.load(Relaxed) {
                    peak_kib.fetch_max(groups.iter().map(|group| group.memory().pss_kib).sum(), Relaxed);
                    std::thread::park_timeout(LOOK_EVERY);
                }
            })
        });
        Self { over, peak_kib, thread }
    }

    fn stop(self) -> u64 {
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread {
            thread.thread().unpark();
            thread.join().expect("looking at memory does not panic");
        }
        self.peak_kib.load(Relaxed)
    }
}

/// utime and stime, the 14th and 15th field; the name before them may hold blanks.
fn own_seconds(stat: &str) -> f64 {
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_ascii_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// user, nice, system, irq and softirq of all processors.
fn busy_seconds(stat: &str) -> f64 {
    let fields: Vec<f64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_ascii_whitespace()
        .skip(1)
        .map(|ticks| ticks.parse().unwrap_or(0.0))
        .collect();
    [0, 1, 2, 5, 6].iter().filter_map(|&field| fields.get(field)).sum::<f64>() / TICKS
}

/// The flushes that whole disks completed: the 16th field of their statistics.
fn flushes() -> Result<u64> {
    let mut all = 0;
    for disk in fs::read_dir("/sys/block")? {
        let disk = disk?;
        let name = disk.file_name();
        let virtual_disk =
            ["loop", "ram", "zram"].iter().any(|kind| name.to_string_lossy().starts_with(kind));
        if !virtual_disk {
            let stat = fs::read_to_string(disk.path().join("stat"))?;
            all += stat
                .split_ascii_whitespace()
                .nth(15)
                .and_then(|count| count.parse::<u64>().ok())
                .unwrap_or(0);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_of_this_process() {
        let stat = "4242 (a b) c) S 1 4242 4242 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 12345 1 2";
        assert_eq!(own_seconds(stat), 3.0);
    }

    #[test]
    fn processor_time_of_the_machine() {
        assert_eq!(busy_seconds("cpu  100 20 30 4000 500 6 7 8 0 0\ncpu0 1 1 1\n"), 1.63);
    }
}
