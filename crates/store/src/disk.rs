//! The file calls that content depends on, and a version of them that fails when told to.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where content is written: the machine's disk, or one that fails on demand (the fault model's "store that is failing").
#[derive(Debug, Clone, Default)]
pub enum Disk {
    /// The machine's.
    #[default]
    Real,
    /// Fails as its switches say.
    Failing(Arc<Faults>),
}

/// Switches of a failing disk.
#[derive(Debug, Default)]
pub struct Faults {
    /// Writes find no room.
    pub full: AtomicBool,
    /// Syncs fail.
    pub sync: AtomicBool,
}

/// Octets of a file system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Free {
    /// Free for us.
    pub(crate) free: u64,
    /// All it has, taken or not.
    pub(crate) whole: u64,
}

impl Disk {
    /// Writes all of it at this offset.
    pub(crate) fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Disk::Failing(faults) = self
            && faults.full.load(Ordering::Relaxed)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.write_all_at(bytes, offset)
    }

    /// What the file system of this directory has.
    pub(crate) fn free(&self, dir: &Path) -> io::Result<Free> {
        let found = rustix::fs::statvfs(dir)?;
        let octets = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        let is_full = matches!(self, Disk::Failing(faults) if faults.full.load(Ordering::Relaxed));
        Ok(Free { free: if is_full { 0 } else { octets(found.f_bavail) }, whole: octets(found.f_blocks) })
    }

    /// Brings written data to stable storage.
    pub(crate) fn sync(&self, file: &File) -> io::Result<()> {
        if let Disk::Failing(faults) = self
            && faults.sync.load(Ordering::Relaxed)
        {
            return Err(io::Error::other("the disk was told to fail"));
        }
        file.sync_data()
    }
}
