//! Mail for a domain as files in a directory, for a program that takes it from there.
//!
//! A file begins with the envelope, as IIS wrote it, and goes on with the message:
//!
//! ```text
//! X-Sender: ann@example.org
//! X-Receiver: bob@drop.example
//! X-Receiver: carol@drop.example
//! Received: ...
//! ```
//!
//! Its name is the message's queue id and the destination, so that a delivery that is made again, because nobody could write
//! down that it was made, leaves one file.

use std::path::Path;

use mail::Address;
use store::change::QueueEntry;
use store::files::{NewFile, Readers};
use store::{ContentRef, Error, Store};
use world::Workers;

use super::limits::PIECE_OCTETS;
use super::{Attempt, Attempted, Outcome};
use crate::diagnostic::Diagnostic;

/// Writes a delivery as a file; when this returns, it is on stable storage or was not delivered.
pub(super) async fn attempt(
    store: &Store,
    workers: &Workers,
    directory: &Path,
    attempt: &Attempt,
) -> Attempted {
    let Attempt { entry, reverse_path, recipients, .. } = attempt;
    let sender = reverse_path.address().map_or_else(|| "<>".to_owned(), Address::to_string);
    let head = envelope(&sender, recipients.iter().map(Address::to_string));
    let outcome = match write(store, workers, directory, entry, head).await {
        Ok(()) => {
            let said = Diagnostic::ours((2, 0, 0), "it is a file in the domain's directory");
            Outcome::Relayed { said, reports: false }
        }
        Err(error) => {
            let directory = directory.display();
            tracing::error!(queue_id = %entry.queue_id, %directory, %error, "a message cannot be dropped");
            Outcome::Deferred(Diagnostic::ours((4, 3, 0), "the domain's directory cannot be written now"))
        }
    };
    Attempted { outcomes: vec![outcome; recipients.len()], hops: Vec::new() }
}

/// The envelope as lines before a message. Addresses hold no line ends.
pub(crate) fn envelope(sender: &str, recipients: impl Iterator<Item = String>) -> String {
    let mut head = format!("X-Sender: {sender}\r\n");
    for recipient in recipients {
        head.push_str(&format!("X-Receiver: {recipient}\r\n"));
    }
    head
}

/// Writes a queued message into a directory, behind this head.
pub(crate) async fn write(
    store: &Store,
    workers: &Workers,
    directory: &Path,
    entry: &QueueEntry,
    head: String,
) -> Result<(), Error> {
    let ContentRef::Known(id) = entry.content else {
        return Err(Error::Corrupt(format!("the content of {}", entry.queue_id)));
    };
    let (directory, name) = (directory.to_owned(), file_name(entry));
    let prefix = entry.prefix.clone();
    let begun = workers.run(move || {
        let mut file = NewFile::create(&directory, &name, Readers::Group)?;
        file.write(head.as_bytes())?;
        file.write(&prefix)?;
        Ok(file)
    });
    let mut file = begun.await.map_err(unavailable)?;
    let mut offset = 0;
    loop {
        let piece = store.read_content(id, offset, PIECE_OCTETS).await?;
        offset += piece.len() as u64;
        if piece.is_empty() {
            return workers.run(move || file.finish()).await.map(drop).map_err(unavailable);
        }
        file = workers.run(move || file.write(&piece).map(|()| file)).await.map_err(unavailable)?;
    }
}

/// `000000000002D-drop.example.eml`. A destination is a domain, a literal or `local`, with a number behind a slash.
pub(crate) fn file_name(entry: &QueueEntry) -> String {
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || ".-".contains(letter) { letter } else { '_' };
    let destination: String = entry.destination.chars().map(plain).collect();
    format!("{}-{destination}.eml", entry.queue_id)
}

fn unavailable(error: std::io::Error) -> Error {
    Error::Unavailable(error.to_string())
}
