//! A log file: appended to, rotated by size, and found again after somebody else has moved it away.
//!
//! ```text
//! FILE ─► FILE.1 ─► FILE.2 ─► … ─► FILE.keep ─► removed
//! ```

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// A new file is for its owner alone: it tells who wrote to whom. Whoever wants a group to read it changes the mode; a
/// rotated log's successor has the mode of the log before it.
const MODE: u32 = 0o600;

/// One log and its older files.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    /// Octets of one file; a single line may be longer.
    size_max: u64,
    /// How many older files are kept.
    keep: u32,
    open: Option<Open>,
    mode: u32,
    /// The last write failed, perhaps within a line.
    torn: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
    /// Device and inode.
    identity: (u64, u64),
}

impl LogFile {
    /// Nothing is opened before the first [`append`](Self::append).
    pub(super) fn new(path: PathBuf, size_max: u64, keep: u32) -> Self {
        Self { path, size_max, keep, open: None, mode: MODE, torn: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends lines, each with its line end. Without lines it only sees to it that the file is there.
    ///
    /// # Errors
    /// The system's. Some of the lines may have been written. The file is opened anew by the next call.
    pub(super) fn append(&mut self, lines: &[String]) -> io::Result<()> {
        self.try_append(lines).inspect_err(|_| self.open = None)
    }

    fn try_append(&mut self, lines: &[String]) -> io::Result<()> {
        self.reopen_if_moved()?;
        let mut text = String::new();
        for line in lines {
            let size = self.opened()?.size + text.len() as u64;
            if size > 0 && size + line.len() as u64 > self.size_max {
                self.write(&std::mem::take(&mut text))?;
                self.rotate()?;
            }
            text.push_str(line);
        }
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let open = self.opened()?;
        let written = open.file.write_all(text.as_bytes());
        open.size += text.len() as u64;
        self.torn = written.is_err();
        written
    }

    /// Somebody may have moved the file away (logrotate) or deleted it.
    fn reopen_if_moved(&mut self) -> io::Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        match fs::metadata(&self.path) {
            Ok(found) if identity(&found) == open.identity => {}
            Ok(_) => self.open = None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.open = None,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn opened(&mut self) -> io::Result<&mut Open> {
        if self.open.is_none() {
            self.open = Some(self.open()?);
        }
        Ok(self.open.as_mut().expect("it was opened above"))
    }

    fn open(&mut self) -> io::Result<Open> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(self.mode);
        // A FIFO without a reader would hold the writer up for ever.
        options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let mut file = options.open(&self.path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let mut size = found.len();
        if self.torn && size > 0 {
            file.write_all(b"\n")?;
            size += 1;
        }
        self.torn = false;
        self.mode = found.mode() & 0o666;
        Ok(Open { file, size, identity: identity(&found) })
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.open = None;
        for number in (1..self.keep).rev() {
            moved(&self.older(number), &self.older(number + 1))?;
        }
        if self.keep == 0 { fs::remove_file(&self.path) } else { moved(&self.path, &self.older(1)) }
    }

    fn older(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Renames what there is.
fn moved(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of a test need no sync")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct Place {
        directory: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            Self { directory: tempfile::tempdir().unwrap() }
        }

        fn path(&self) -> PathBuf {
            self.directory.path().join("smtp.log")
        }

        fn log(&self, size_max: u64, keep: u32) -> LogFile {
            LogFile::new(self.path(), size_max, keep)
        }

        /// Every file with its text, by name.
        fn files(&self) -> Vec<(String, String)> {
            let entries = fs::read_dir(self.directory.path()).unwrap().map(Result::unwrap);
            let mut files: Vec<_> = entries
                .map(|entry| {
                    (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
                })
                .collect();
            files.sort();
            files
        }

        fn check(&self, expected: &[(&str, &str)]) {
            let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
            assert_eq!(self.files(), expected.iter().map(owned).collect::<Vec<_>>());
        }
    }

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn what_is_appended_goes_behind_what_there_is() {
        let place = Place::new();
        fs::write(place.path(), "old\n").unwrap();
        let mut log = place.log(100, 1);
        log.append(&lines(&["a", "b"])).unwrap();
        log.append(&lines(&["c"])).unwrap();
        place.check(&[("smtp.log", "old\na\nb\nc\n")]);
    }

    #[test]
    fn a_new_file_is_private_and_a_mode_that_was_changed_stays() {
        let place = Place::new();
        let mut log = place.log(4, 1);
        let mode = || fs::metadata(place.path()).unwrap().permissions().mode() & 0o777;
        log.append(&[]).unwrap();
        assert_eq!(mode(), 0o600);
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o640)).unwrap();
        let mut log = place.log(4, 1);
        log.append(&lines(&["abc", "abc"])).unwrap();
        assert_eq!(mode(), 0o640);
        assert_eq!(place.files().len(), 2);
    }

    #[test]
    fn files_are_rotated_between_lines_and_the_oldest_goes() {
        let place = Place::new();
        let mut log = place.log(8, 2);
        log.append(&lines(&["aaa", "bbb"])).unwrap();
        place.check(&[("smtp.log", "aaa\nbbb\n")]);
        log.append(&lines(&["c"])).unwrap();
        place.check(&[("smtp.log", "c\n"), ("smtp.log.1", "aaa\nbbb\n")]);
        log.append(&lines(&["a line that is too long", "d", "eeee", "f", "g"])).unwrap();
        place.check(&[
            ("smtp.log", "f\ng\n"),
            ("smtp.log.1", "d\neeee\n"),
            ("smtp.log.2", "a line that is too long\n"),
        ]);
        let mut log = place.log(4, 0);
        log.append(&lines(&["h", "i", "j"])).unwrap();
        assert_eq!(place.files()[0], ("smtp.log".to_owned(), "j\n".to_owned()));
    }

    #[test]
    fn a_file_that_was_moved_away_or_deleted_is_opened_anew() {
        let place = Place::new();
        let mut log = place.log(100, 1);
        log.append(&lines(&["a"])).unwrap();
        fs::rename(place.path(), place.directory.path().join("moved")).unwrap();
        log.append(&lines(&["b"])).unwrap();
        place.check(&[("moved", "a\n"), ("smtp.log", "b\n")]);
        fs::remove_file(place.path()).unwrap();
        log.append(&lines(&["c"])).unwrap();
        place.check(&[("moved", "a\n"), ("smtp.log", "c\n")]);
        // By a file of another.
        fs::write(place.directory.path().join("other"), "x\n").unwrap();
        fs::rename(place.directory.path().join("other"), place.path()).unwrap();
        log.append(&lines(&["d"])).unwrap();
        place.check(&[("moved", "a\n"), ("smtp.log", "x\nd\n")]);
    }

    #[test]
    fn what_cannot_be_written_is_an_error_until_it_can() {
        let place = Place::new();
        fs::create_dir(place.path()).unwrap();
        let mut log = place.log(100, 1);
        assert!(log.append(&lines(&["a"])).is_err());
        fs::remove_dir(place.path()).unwrap();
        log.append(&lines(&["b"])).unwrap();
        place.check(&[("smtp.log", "b\n")]);
        let mut log = LogFile::new(place.directory.path().join("missing").join("smtp.log"), 100, 1);
        assert_eq!(log.append(&[]).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_line_that_was_torn_is_ended_first() {
        let place = Place::new();
        fs::write(place.path(), "half a li").unwrap();
        let mut log = LogFile { torn: true, ..place.log(100, 1) };
        log.append(&lines(&["b"])).unwrap();
        log.append(&lines(&["c"])).unwrap();
        place.check(&[("smtp.log", "half a li\nb\nc\n")]);
    }

    #[test]
    fn a_fifo_holds_nobody_up() {
        let place = Place::new();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            place.path(),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert!(place.log(100, 1).append(&lines(&["a"])).is_err());
    }
}
