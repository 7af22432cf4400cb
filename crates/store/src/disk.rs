//! The file calls that content depends on, and a version of them that fails when told to.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
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
