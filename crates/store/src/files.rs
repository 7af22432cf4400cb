//! Mail as files beside the store: what is dropped into a directory, kept as badmail, put there to be picked up.
//!
//! A file is there whole or not at all: it is written under a name that begins with a dot, synced, renamed, and the
//! directory is synced. Whoever reads such a directory leaves out names that begin with a dot.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone.
    Owner,
    /// Its owner and its group.
    Group,
    /// Everybody who knows its name.
    All,
}

/// A file that is being written; gone if it is dropped before [`finish`](Self::finish).
#[derive(Debug)]
pub struct NewFile {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    finished: bool,
}

impl NewFile {
    /// Begins a file of this name in this directory, which must be there. A file of the name is replaced at the end.
    ///
    /// # Errors
    /// The system's.
    pub fn create(directory: &Path, name: &str, readers: Readers) -> io::Result<Self> {
        let temporary = directory.join(format!(".{name}.new"));
        let mode = match readers {
            Readers::Owner => 0o600,
            Readers::Group => 0o640,
            Readers::All => 0o644,
        };
        // One that a crash left is of no use; through a link nothing is written.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        Ok(Self { file, temporary, path: directory.join(name), finished: false })
    }

    /// Adds to it.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.file.write_all(octets)
    }

    /// It is whole; when this returns, it is on stable storage under its name.
    ///
    /// # Errors
    /// The system's; whether the file is there is not certain then.
    pub fn finish(mut self) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        self.finished = true;
        sync_directory(&self.path)?;
        Ok(self.path.clone())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// What is known of a file in a directory of mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name in the directory.
    pub name: String,
    /// Octets.
    pub size: u64,
    /// When it was last written, milliseconds since 1970.
    pub modified_ms: i64,
    /// The number of its owner.
    pub owner: u32,
}

/// The regular files of a directory by name, at most so many; names that begin with a dot, or are no UTF-8, are left out.
///
/// # Errors
/// The system's.
pub fn list(directory: &Path, most: usize) -> io::Result<Vec<Found>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // It may have gone since it was read; what is named here is not followed.
        let Ok(facts) = entry.metadata() else { continue };
        if facts.is_file() && !name.starts_with('.') {
            all.push(found(name, &facts));
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all.truncate(most);
    Ok(all)
}

/// Opens a file for reading that has no other name and is no link: what somebody else put there must not lead elsewhere.
///
/// # Errors
/// The system's; `InvalidInput` where it is no such file.
pub fn open(path: &Path) -> io::Result<(File, Found)> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).expect("flags of open fit into an int");
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let facts = file.metadata()?;
    if !facts.is_file() || facts.nlink() != 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file of its own"));
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    Ok((file, found(name.to_owned(), &facts)))
}

/// The whole of a file, at most so many octets.
///
/// # Errors
/// Those of [`open`]; `FileTooLarge`.
pub fn read(path: &Path, most: u64) -> io::Result<(Vec<u8>, Found)> {
    let (file, found) = open(path)?;
    let mut octets = Vec::new();
    file.take(most + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large"));
    }
    Ok((octets, found))
}

/// Gives a file another name on the same file system; both directories are synced.
///
/// # Errors
/// The system's.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_directory(to)?;
    sync_directory(from)
}

/// The same, unless there is a file of that name.
///
/// # Errors
/// The system's; `AlreadyExists`.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot look and rename at once.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if fs::symlink_metadata(to).is_err() => {
            fs::rename(from, to)?;
        }
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        renamed => renamed?,
    }
    sync_directory(to)?;
    sync_directory(from)
}

/// Removes a file, for good when this returns.
///
/// # Errors
/// The system's.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    sync_directory(path)
}

fn sync_directory(file: &Path) -> io::Result<()> {
    // Who may write into a directory but not read it cannot open it; then the file system's own order must do.
    match File::open(file.parent().unwrap_or(Path::new("."))) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        opened => opened?.sync_all(),
    }
}

fn found(name: String, facts: &fs::Metadata) -> Found {
    let modified_ms = facts.mtime().saturating_mul(1000) + facts.mtime_nsec() / 1_000_000;
    Found { name, size: facts.len(), modified_ms, owner: facts.uid() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let mut unfinished = NewFile::create(place.path(), "a", Readers::Owner).unwrap();
        unfinished.write(b"one").unwrap();
        drop(unfinished);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
        for text in ["one", "two"] {
            let mut file = NewFile::create(place.path(), "a", Readers::Group).unwrap();
            file.write(text.as_bytes()).unwrap();
            assert_eq!(file.finish().unwrap(), place.path().join("a"));
            assert_eq!(read(&place.path().join("a"), 3).unwrap().0, text.as_bytes());
        }
        assert_eq!(read(&place.path().join("a"), 2).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(list(place.path(), 9).unwrap().len(), 1);
        remove(&place.path().join("a")).unwrap();
        assert_eq!(list(place.path(), 9).unwrap(), []);
    }

    #[test]
    fn a_file_takes_the_name_of_no_other() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        for name in ["a", "b"] {
            NewFile::create(place.path(), name, Readers::Owner).unwrap().finish().unwrap();
        }
        let refused = rename_new(&path("a"), &path("b")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        rename_new(&path("a"), &path("c")).unwrap();
        let names: Vec<String> = list(place.path(), 9).unwrap().into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["b", "c"]);
    }

    #[test]
    fn links_pipes_and_hidden_files_are_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let outside = tempfile::NamedTempFile::new_in(place.path()).unwrap();
        std::os::unix::fs::symlink(outside.path(), path("link")).unwrap();
        fs::hard_link(outside.path(), path("twin")).unwrap();
        fs::create_dir(path("directory")).unwrap();
        for name in ["link", "twin", "directory"] {
            assert!(open(&path(name)).is_err(), "{name}");
        }
        let names: Vec<String> = list(place.path(), 9).unwrap().into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["twin"]);
    }
}
