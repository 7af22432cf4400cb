//! What can be neither delivered nor returned: reports, and other mail without a sender (RFC 5321 §4.5.5, §6.1).
//!
//! It is kept in a directory, one file for each message and destination, with the envelope and the reason before it:
//!
//! ```text
//! X-Sender: <>
//! X-Receiver: ann@example.net
//! X-Badmail-Reason: 5.1.1 mx.example.net: 550 no such user
//! ```
//!
//! A file that was picked up and could not be read goes there, too.

use std::io;
use std::path::{Path, PathBuf};

use mail::{Timestamp, printable};
use store::change::QueueEntry;
use store::files::{self, Found, NewFile, Readers};
use store::{Error, Store};
use world::Workers;

use crate::agent::{Attempted, Outcome, drop};
use crate::limits::{BADMAIL_FILES_MAX, SAID_OCTETS_MAX};
use crate::schedule::{Bounce, Transition};

/// The field that says why.
pub const REASON: &str = "X-Badmail-Reason";

/// Where badmail is, unless the settings say otherwise.
pub fn directory(data: &Path) -> PathBuf {
    data.join("badmail")
}

/// A delivery that came to nothing, and about which nobody can be told.
#[derive(Debug)]
pub(crate) struct Badmail<'a> {
    entry: &'a QueueEntry,
    recipients: Vec<String>,
    reason: String,
    at: Timestamp,
}

impl<'a> Badmail<'a> {
    /// What these transitions leave of a delivery without a sender; none if nobody is given up.
    pub(crate) fn of(
        entry: &'a QueueEntry,
        attempted: Option<&Attempted>,
        transitions: &[Transition],
        at: Timestamp,
    ) -> Option<Self> {
        let given_up = transitions.iter().find_map(|transition| match transition {
            Transition::Bounce(ids, bounce) => Some((ids, *bounce)),
            _ => None,
        });
        let (ids, bounce) = given_up.filter(|_| entry.reverse_path.is_empty())?;
        let places = ids.iter().filter_map(|id| usize::try_from(id.0).ok());
        let named = |place: usize| entry.recipients.get(place).map(|one| one.address.clone());
        let recipients = places.clone().filter_map(named).collect();
        let outcome = places.clone().find_map(|place| attempted?.outcomes.get(place));
        let said = match outcome {
            Some(Outcome::Failed(said) | Outcome::Deferred(said)) => said.to_string(),
            _ => "the attempt ended without an answer".to_owned(),
        };
        let reason = match bounce {
            Bounce::Expired => format!("4.4.7 given up after the time for it; {said}"),
            Bounce::Refused => said,
        };
        Some(Self { entry, recipients, reason, at })
    }

    /// Keeps it; when this returns, it is on stable storage. The name of its file.
    ///
    /// # Errors
    /// The store's, or that there is too much of it.
    pub(crate) async fn keep(
        self,
        store: &Store,
        workers: &Workers,
        directory: &Path,
    ) -> Result<String, Error> {
        let place = directory.to_owned();
        workers.run(move || make_room(&place)).await?;
        let mut head = drop::envelope("<>", self.recipients.into_iter());
        head.push_str(&reason_line(&self.reason, self.at));
        drop::write(store, workers, directory, self.entry, head).await?;
        Ok(drop::file_name(self.entry))
    }
}

/// Keeps a file that could not be picked up, or not be sent, with its reason; beside others of its name. Where it is.
///
/// # Errors
/// The system's; also where there is too much badmail.
pub fn keep_file(
    directory: &Path,
    name: &str,
    reason: &str,
    content: &[u8],
    at: Timestamp,
) -> io::Result<PathBuf> {
    make_room(directory)?;
    let name = free_name(directory, name);
    let mut file = NewFile::create(directory, &name, Readers::Group)?;
    file.write(reason_line(reason, at).as_bytes())?;
    file.write(content)?;
    file.finish()
}

/// A name like this one that no file there has: programs may give all their files the same.
pub fn free_name(directory: &Path, name: &str) -> String {
    let numbered = (2..).map(|number: u32| format!("{number}-{name}"));
    let is_free = |name: &String| std::fs::symlink_metadata(directory.join(name)).is_err();
    std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_else(|| name.to_owned())
}

/// The files in a directory of badmail, by name; none if there is no such directory.
///
/// # Errors
/// The system's.
pub fn list(directory: &Path) -> io::Result<Vec<Found>> {
    match files::list(directory, BADMAIL_FILES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    }
}

/// Makes the directory, and refuses more than it is to hold: it must not fill the disk with what nobody reads.
///
/// # Errors
/// The system's; `QuotaExceeded`.
pub fn make_room(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    if files::list(directory, BADMAIL_FILES_MAX)?.len() >= BADMAIL_FILES_MAX {
        return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "there is too much badmail"));
    }
    Ok(())
}

fn reason_line(reason: &str, at: Timestamp) -> String {
    let mut reason = printable(reason.as_bytes());
    reason.truncate(reason.floor_char_boundary(SAID_OCTETS_MAX));
    format!("{REASON}: {reason}\r\nX-Badmail-Time: {at}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_name_are_kept_beside_each_other() {
        let place = tempfile::tempdir().unwrap();
        let keep = |text: &[u8]| {
            let kept = keep_file(place.path(), "a.eml", "no", text, Timestamp(0)).unwrap();
            kept.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!([keep(b"one"), keep(b"two"), keep(b"three")], ["a.eml", "2-a.eml", "3-a.eml"]);
    }
}
