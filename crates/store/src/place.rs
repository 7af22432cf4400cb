//! The data directory: for its owner alone, and for one process at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::OpenError;

/// A directory that this process holds.
#[derive(Debug)]
pub(crate) struct Place {
    dir: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl Place {
    /// Makes the directory if it is not there, and locks it.
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        let io = |error: io::Error| OpenError::Io(dir.to_owned(), error.to_string());
        private_directory(dir)?;
        private_directory(&dir.join("content"))?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(dir.join("lock"))
            .map_err(io)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut process = String::new();
            // Who holds it may be about to write its number: then none is named.
            let _ = lock.read_to_string(&mut process);
            return Err(OpenError::Locked { dir: dir.to_owned(), process: process.trim().parse().ok() });
        }
        lock.set_len(0).and_then(|()| lock.rewind()).map_err(io)?;
        writeln!(lock, "{}", std::process::id()).map_err(io)?;
        Ok(Self { dir: dir.to_owned(), _lock: lock })
    }

    /// Where SQLite keeps the records. Made here if it is not there, because SQLite would make it readable for others; its
    /// log takes the mode of the database.
    pub(crate) fn database(&self) -> io::Result<PathBuf> {
        let path = self.dir.join("waxseal.db");
        OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        Ok(path)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn content(&self) -> PathBuf {
        self.dir.join("content")
    }
}

/// What nobody but the owner may do in a directory. Others may pass through the one of the data to those below it that are
/// meant for them, if its owner lets them: its files are private each by itself.
const PRIVATE: u32 = 0o066;

/// Makes a directory with mode 0700; one that is wider and ours is mended, somebody else's is refused.
fn private_directory(dir: &Path) -> Result<(), OpenError> {
    let io = |error: io::Error| OpenError::Io(dir.to_owned(), error.to_string());
    if !dir.exists() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(io)?;
        }
    }
    let found = std::fs::metadata(dir).map_err(io)?;
    if !found.is_dir() {
        return Err(OpenError::NotADirectory(dir.to_owned()));
    }
    if found.permissions().mode() & PRIVATE != 0 {
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(OpenError::NotPrivate(dir.to_owned()));
        }
        let narrowed = found.permissions().mode() & 0o7777 & !PRIVATE;
        std::fs::set_permissions(dir, PermissionsExt::from_mode(narrowed)).map_err(io)?;
    }
    Ok(())
}
