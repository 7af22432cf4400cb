//! Whether there is room for more mail: asked before content is sent in vain, seldom enough to cost nothing.
//!
//! What is kept free is for what must go on when no mail is taken any more: deliveries are recorded, mail is read, flags are
//! set and mail is erased, all of which write before they free.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use crate::disk::{Disk, Free};
use crate::limits::{ROOM_ASKED_EVERY, ROOM_KEPT_OCTETS, ROOM_KEPT_PART};

/// The file system that content grows on.
#[derive(Debug)]
pub(crate) struct Room {
    dir: PathBuf,
    disk: Disk,
    /// What it last said, and when.
    last: Mutex<Option<(Instant, u64)>>,
}

impl Room {
    pub(crate) fn new(dir: PathBuf, disk: Disk) -> Self {
        Self { dir, disk, last: Mutex::default() }
    }

    /// Octets that mail may still take; zero if only what is kept free is left. A file system that does not say counts as one
    /// with room: whoever writes will find out.
    pub(crate) fn octets(&self, now: Instant) -> u64 {
        let mut last = self.last.lock().expect("no holder panics");
        if let Some((at, octets)) = *last
            && now.saturating_duration_since(at) < ROOM_ASKED_EVERY
        {
            return octets;
        }
        let octets = self.disk.free(&self.dir).map_or(u64::MAX, beyond_what_is_kept);
        *last = Some((now, octets));
        octets
    }

    /// What is free, and the whole.
    pub(crate) fn space(&self) -> Option<(u64, u64)> {
        self.disk.free(&self.dir).ok().map(|Free { free, whole }| (free, whole))
    }
}

/// What is free beyond what is kept.
fn beyond_what_is_kept(free: Free) -> u64 {
    free.free.saturating_sub(ROOM_KEPT_OCTETS.min(free.whole / ROOM_KEPT_PART))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::*;
    use crate::disk::Faults;

    #[test]
    fn a_part_is_kept_free() {
        let gib = 1 << 30;
        for (free, whole, expected) in [
            (gib, 100 * gib, gib - ROOM_KEPT_OCTETS),
            (ROOM_KEPT_OCTETS, 100 * gib, 0),
            (ROOM_KEPT_OCTETS - 1, 100 * gib, 0),
            (3_000_000, 20_000_000, 2_000_000),
            (1_000_000, 20_000_000, 0),
            (0, 0, 0),
        ] {
            assert_eq!(beyond_what_is_kept(Free { free, whole }), expected, "{free} of {whole}");
        }
    }

    #[test]
    fn a_disk_is_asked_once_in_a_while() {
        // A test has no simulated clock to ask; only differences matter.
        #[allow(clippy::disallowed_methods)]
        let now = Instant::now();
        let faults = Arc::new(Faults::default());
        let dir = tempfile::tempdir().unwrap();
        let room = Room::new(dir.path().into(), Disk::Failing(faults.clone()));
        assert!(room.octets(now) > 0);
        faults.full.store(true, Ordering::Relaxed);
        assert!(room.octets(now + ROOM_ASKED_EVERY - Duration::from_millis(1)) > 0);
        assert_eq!(room.octets(now + ROOM_ASKED_EVERY), 0);
        faults.full.store(false, Ordering::Relaxed);
        assert!(room.octets(now + 2 * ROOM_ASKED_EVERY) > 0);
    }
}
