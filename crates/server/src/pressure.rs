//! Watches disk, memory and queue, so that mail is slowed down before it must be refused. What readings lead to is decided by
//! [`policy::pressure`].

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard};

use policy::Pressure;
use policy::pressure::{Level, Readings};
use settings::{BackPressure, Levels, Size};
use store::Store;
use tokio::sync::watch;

use crate::limits::PRESSURE_PAUSE;
use crate::shared::Shared;

/// Of a small disk so much is slow, and so much refused, where the settings' thresholds are more than that; the second is what
/// the store keeps free for itself.
const SMALL_DISK_SLOW_PART: u64 = 10;
/// See [`SMALL_DISK_SLOW_PART`].
const SMALL_DISK_REFUSE_PART: u64 = store::limits::ROOM_KEPT_PART;

/// What the kernel tells of a process has some 1,500 octets.
const STATUS_OCTETS_MAX: usize = 8 * 1024;

/// What the server is short of, for all its connections.
#[derive(Debug)]
pub(crate) struct Watch {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    thresholds: BackPressure,
    pressure: Pressure,
}

impl Watch {
    /// Nothing is looked at until [`apply`](Self::apply).
    pub(crate) fn new() -> Self {
        let thresholds = BackPressure { disk: None, memory: None, queue: None };
        Self { state: Mutex::new(State { thresholds, pressure: Pressure::default() }) }
    }

    /// These thresholds hold from the next reading on.
    pub(crate) fn apply(&self, thresholds: BackPressure) {
        self.state().thresholds = thresholds;
    }

    /// How it is.
    pub(crate) fn now(&self) -> Pressure {
        self.state().pressure.clone()
    }

    /// Takes readings, of a disk that is so large.
    fn take(&self, readings: &Readings, disk_whole: u64) {
        let mut state = self.state();
        let thresholds = on_this_disk(state.thresholds, disk_whole);
        let next = state.pressure.next(&thresholds, readings);
        let (before, after) = (state.pressure.level(), next.level());
        let because = next.worst().or(state.pressure.worst()).map(ToString::to_string).unwrap_or_default();
        state.pressure = next;
        drop(state);
        if before != after {
            tell(after, &because);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

/// One line in the log for each change.
fn tell(level: Level, because: &str) {
    match level {
        Level::Free => tracing::info!(because, "mail is taken as usual again"),
        Level::Slow => tracing::warn!(because, "mail of strangers is taken slowly"),
        Level::Refusing => tracing::error!(because, "no mail is taken, clients are told to come later"),
    }
}

fn on_this_disk(thresholds: BackPressure, whole: u64) -> BackPressure {
    let clipped = |Levels { slow, refuse }: Levels<Size>| Levels {
        slow: Size(slow.0.min(whole / SMALL_DISK_SLOW_PART)),
        refuse: Size(refuse.0.min(whole / SMALL_DISK_REFUSE_PART)),
    };
    BackPressure { disk: thresholds.disk.map(clipped), ..thresholds }
}

/// Looks once a second, until the server stops.
pub(crate) async fn keep_watch(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let memory = Memory::new();
    loop {
        let disk = shared.store.space();
        let readings = Readings {
            disk: disk.map(|(free, _)| free),
            memory: memory.resident(),
            queue: length(&shared.store).await,
        };
        shared.pressure.take(&readings, disk.map_or(u64::MAX, |(_, whole)| whole));
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = shared.world.clock.sleep(PRESSURE_PAUSE) => {}
        }
    }
}

async fn length(store: &Store) -> Option<u64> {
    store.queue_length().await.ok()
}

/// The memory of this process. The file is opened once: later the program may not be allowed to.
#[derive(Debug)]
struct Memory(Option<File>);

impl Memory {
    fn new() -> Self {
        Self(File::open("/proc/self/status").ok())
    }

    /// Octets of memory that are resident; none where the system does not tell.
    fn resident(&self) -> Option<u64> {
        let mut octets = [0; STATUS_OCTETS_MAX];
        let length = self.0.as_ref()?.read_at(&mut octets, 0).ok()?;
        let text = String::from_utf8_lossy(&octets[..length]);
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
        Some(kibibytes * 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_knows_its_memory() {
        let resident = Memory::new().resident().unwrap();
        assert!(resident > 1 << 20, "{resident}");
    }

    #[test]
    fn a_small_disk_is_not_always_short() {
        let gib = 1 << 30;
        let thresholds = |slow, refuse| BackPressure {
            disk: Some(Levels { slow: Size(slow), refuse: Size(refuse) }),
            memory: None,
            queue: None,
        };
        let usual = thresholds(gib, 64 << 20);
        assert_eq!(on_this_disk(usual, 1000 * gib), usual);
        assert_eq!(on_this_disk(usual, 100 << 20), thresholds(10 << 20, 5 << 20));
    }

    #[test]
    fn readings_become_a_level() {
        let watch = Watch::new();
        let readings = Readings { queue: Some(7), ..Readings::default() };
        watch.take(&readings, u64::MAX);
        assert_eq!(watch.now().level(), Level::Free);
        let queue = Some(Levels { slow: 5, refuse: 10 });
        watch.apply(BackPressure { disk: None, memory: None, queue });
        watch.take(&readings, u64::MAX);
        assert_eq!(watch.now().level(), Level::Slow);
    }
}
