//! The files that the settings name: what a confined server reaches beside its data.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use settings::{FileKind, Settings};

use super::confine::Room;

/// What a server with these settings needs. A file is reached through its directory, since it is replaced by renaming; a
/// link leads to another directory, which is needed as well. Directories to write to are made where they are missing: what
/// is not there cannot be let in.
///
/// # Errors
/// A directory that cannot be made.
pub(crate) fn of(settings: &Settings, file: Option<&Path>, data: &Path) -> Result<Room> {
    let mut room = Room { write: vec![data.to_owned()], read: Vec::new() };
    room.write.extend(settings.pickup.directory.clone());
    room.write.extend(settings.reports.badmail.clone());
    room.write.extend(settings.local_domains.iter().filter_map(|local| local.drop.clone()));
    for directory in &room.write {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.with_context(|| format!("cannot make the directory {}", directory.display()))?;
    }
    let Some(file) = file else { return Ok(room) };
    room.read.extend(directories(file));
    let text = fs::read_to_string(file).unwrap_or_default();
    for named in settings::files(&text) {
        let into = match named.kind {
            FileKind::ProtocolLog => &mut room.write,
            _ => &mut room.read,
        };
        into.extend(directories(&named.path));
    }
    Ok(room)
}

/// Where a file is, and where the file is that it leads to.
fn directories(file: &Path) -> Vec<PathBuf> {
    let real = fs::canonicalize(file).ok();
    let files = [Some(file.to_owned()), real];
    let parent = |file: PathBuf| {
        file.parent().map(|parent| if parent == Path::new("") { ".".into() } else { parent.to_owned() })
    };
    files.into_iter().flatten().filter_map(parent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty(file: &Path) {
        fs::OpenOptions::new().write(true).create(true).truncate(true).open(file).unwrap();
    }

    #[test]
    fn files_are_reached_through_their_directories_and_through_links() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().canonicalize().unwrap().join(name);
        let directory = |name: &str| fs::create_dir(path(name)).unwrap();
        ["live", "archive", "logs"].into_iter().for_each(directory);
        std::os::unix::fs::symlink(path("archive/mail1.pem"), path("live/mail.pem")).unwrap();
        empty(&path("archive/mail1.pem"));
        let text = format!(
            "[tls]\ncertificates = [{{ certificate = \"{0}\", key = \"{0}\" }}]\n[defaults]\nprotocol-log = {{ file = \"{1}\" }}\n",
            path("live/mail.pem").display(),
            path("logs/x.log").display()
        );
        let file = path("settings.toml");
        empty(&file);
        fs::OpenOptions::new()
            .write(true)
            .open(&file)
            .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
            .unwrap();
        let settings = settings::resolve("").unwrap();
        let room = of(&settings, Some(&file), &path("data")).unwrap();
        assert!(room.write.contains(&path("data")) && room.write.contains(&path("logs")), "{room:?}");
        for read in ["", "live", "archive"] {
            assert!(
                room.read.iter().any(|there| there.join("x") == path(read).join("x")),
                "{read}: {room:?}"
            );
        }
        assert!(path("data").is_dir(), "what is to be written to is made");
    }
}
