//! What is done with one message: sent to somebody else, taken out as a file, deleted with a word to its sender.

use std::sync::Arc;

use base64::Engine as _;
use directory::Resolution;
use mail::{Address, ForwardPath, MessageParameters};
use policy::{Story, What};
use queue::accept::LOCAL;
use queue::schedule::{Destination, Key, News};
use queue::{QueueIds, Reporter};
use store::change::QueuedRecipient;
use store::{Change, Commit, ContentRef, DOOMED, QueueEntry};

use super::{nothing_of, queue_id};
use crate::limits::EXPORT_OCTETS_MAX;
use crate::request::QueueSelection;
use crate::response::{Refusal, Response};
use crate::service::Admin;

impl Admin {
    /// One address gets the message instead of all that it still waits for. An attempt under way goes on.
    pub(crate) async fn queue_redirect(&self, id: &str, to: &str) -> Result<Response, Refusal> {
        let (id, to) = (queue_id(id)?, crate::service::address(to)?);
        let now = self.world.clock.wall();
        let entries = self.living(id).await?;
        let first = &entries[0];
        let destination = self.destination_of(&to).await?;
        let taken = |name: &String| entries.iter().any(|entry| entry.destination == *name);
        let turns = (1..).map(|turn| format!("{destination}/{turn}"));
        let name = std::iter::once(destination.clone()).chain(turns).find(|name| !taken(name));
        let mut recipient = QueuedRecipient { address: to.to_string(), parameters: Default::default() };
        // Whoever is to be told of what became of it still is.
        if let Some(known) = first.recipients.first() {
            recipient.parameters.notify = known.parameters.notify;
        }
        let entry = QueueEntry {
            destination: name.expect("there are more names than entries"),
            recipients: vec![recipient],
            parameters: MessageParameters {
                utf8: first.parameters.utf8 || !to.is_ascii(),
                ..first.parameters.clone()
            },
            due: now,
            attempts: 0,
            notified: false,
            held: false,
            last: String::new(),
            accepted: now,
            ..first.clone()
        };
        let mut story = Story::new(id);
        let recipients = vec![to.to_string()];
        story.hop(now, What::End { how: "an administrator redirected it".into(), misuses: Vec::new() });
        story.hop(now, What::Enqueue { reverse_path: entry.reverse_path.clone(), recipients });
        let mut changes: Vec<Change> = entries.iter().map(doom).collect();
        changes.extend([Change::Enqueue(entry.clone()), story.explanation(now)]);
        self.store.commit(Commit { content: Vec::new(), changes }).await?;
        self.tell_doomed(&entries);
        self.tell(News::Due(Destination::from(entry.destination.as_str()), now));
        Ok(Response::Done { said: format!("{id} goes to {to} instead") })
    }

    /// Where an address's mail goes.
    async fn destination_of(&self, to: &Address) -> Result<String, Refusal> {
        match self.directory.resolve(&ForwardPath::Address(to.clone())).await? {
            Resolution::Recipients(_) | Resolution::Unattended => Ok(LOCAL.to_owned()),
            Resolution::UnknownHere => {
                Err(Refusal::new(format!("nobody has the address {to} here"), "see: waxseal account list"))
            }
            // The key of a host is the same in all settings.
            Resolution::NotLocal | Resolution::HandedOn => {
                let name = to.host.to_string().to_ascii_lowercase();
                Ok(if name == LOCAL { format!("{name}.") } else { name })
            }
        }
    }

    /// The message with its envelope before it, as the pickup directory takes it, from this octet on.
    pub(crate) async fn queue_export(&self, id: &str, offset: u64) -> Result<Response, Refusal> {
        let id = queue_id(id)?;
        let entries = self.store.queue_entries(id).await?;
        let Some(first) = entries.first() else { return Err(nothing_of(id)) };
        let ContentRef::Known(content) = first.content else { return Err(nothing_of(id)) };
        let mut head = envelope(&entries).into_bytes();
        head.extend_from_slice(&first.prefix);
        let piece = match usize::try_from(offset).ok().filter(|offset| *offset < head.len()) {
            Some(offset) => head.split_off(offset),
            None => {
                let from = offset - head.len() as u64;
                self.store.read_content(content, from, EXPORT_OCTETS_MAX).await?.to_vec()
            }
        };
        let next = (!piece.is_empty()).then_some(offset + piece.len() as u64);
        let piece = base64::engine::general_purpose::STANDARD.encode(piece);
        Ok(Response::ExportedPiece { piece, next })
    }

    /// Deletes a message and tells its sender.
    pub(crate) async fn queue_delete_and_report(&self, what: &QueueSelection) -> Result<Response, Refusal> {
        let QueueSelection::QueueId(id) = what else {
            let remedy = "give the queue id of each: waxseal queue find";
            return Err(Refusal::new("a report is made of one message at a time", remedy));
        };
        let id = queue_id(id)?;
        let Some(handle) = &self.queue else {
            return Err(Refusal::new("a report is made by the running server", "start it, and say it again"));
        };
        let entries = self.living(id).await?;
        let ids = Arc::new(QueueIds::new(&self.world.dice));
        let reporter = Reporter::new(self.store.clone(), self.directory.clone(), ids, handle);
        let (mut commit, due) = reporter.deleted(&entries, self.world.clock.wall()).await?;
        commit.changes.extend(entries.iter().map(doom));
        self.store.commit(commit).await?;
        self.tell_doomed(&entries);
        for (destination, at) in due {
            handle.due(&destination, at);
        }
        let said = match entries[0].reverse_path.as_str() {
            "" => format!("{id} is deleted; it has no sender who could be told"),
            sender => format!("{id} is deleted, and {sender} is told"),
        };
        Ok(Response::Done { said })
    }

    /// What still waits of a message.
    async fn living(&self, id: mail::QueueId) -> Result<Vec<QueueEntry>, Refusal> {
        let mut entries = self.store.queue_entries(id).await?;
        entries.retain(|entry| entry.due != DOOMED);
        if entries.is_empty() { Err(nothing_of(id)) } else { Ok(entries) }
    }

    fn tell_doomed(&self, entries: &[QueueEntry]) {
        for entry in entries {
            let destination = Destination::from(entry.destination.as_str());
            self.tell(News::Doomed(Key { destination, queue_id: entry.queue_id }));
        }
    }
}

fn doom(entry: &QueueEntry) -> Change {
    Change::Doom { queue_id: entry.queue_id, destination: entry.destination.clone() }
}

/// The envelope of what still waits, in the lines that the pickup directory reads.
fn envelope(entries: &[QueueEntry]) -> String {
    let sender = entries.first().map(|entry| entry.reverse_path.as_str()).unwrap_or_default();
    let mut lines = format!("X-Sender: {}\r\n", if sender.is_empty() { "<>" } else { sender });
    for one in entries.iter().flat_map(|entry| &entry.recipients) {
        lines.push_str(&format!("X-Receiver: {}\r\n", one.address));
    }
    lines
}
