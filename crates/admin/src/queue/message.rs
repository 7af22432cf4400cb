//! One message that waits, with what its header says of it.

use mail::message::{Header, decode};
use mail::{QueueId, printable};
use store::{ContentRef, QueueEntry};

use super::rows::{DeliveryRow, FieldRow, MessageRow};
use super::{nothing_of, queue_id};
use crate::limits::{FIELD_CHARACTERS_MAX, HEADER_OCTETS_MAX};
use crate::response::{Refusal, Response};
use crate::service::Admin;

/// The fields by which people know a message.
const FIELDS: [&str; 5] = ["From", "To", "Subject", "Date", "Message-ID"];

impl Admin {
    pub(crate) async fn queue_show(&self, id: &str) -> Result<Response, Refusal> {
        let at = self.world.clock.wall();
        let id = queue_id(id)?;
        let entries = self.store.queue_entries(id).await?;
        let Some(first) = entries.first() else { return Err(nothing_of(id)) };
        let header = self.header_of(first).await?;
        let mut deliveries = Vec::new();
        for entry in &entries {
            // It may have gone since; then so has the delivery.
            if let Some(summary) = self.store.queue_destination(&entry.destination).await? {
                deliveries.push(DeliveryRow::new(entry, &self.destination_row(&summary, at), at));
            }
        }
        Ok(Response::QueuedMessage { at, message: message(id, first, fields(&header), deliveries) })
    }

    /// The beginning of the content; none if the store has lost it, which `store check` tells of.
    async fn header_of(&self, entry: &QueueEntry) -> Result<Vec<u8>, Refusal> {
        let ContentRef::Known(content) = entry.content else { return Ok(Vec::new()) };
        let mut header = Vec::new();
        while header.len() < HEADER_OCTETS_MAX {
            let offset = header.len() as u64;
            match self.store.read_content(content, offset, HEADER_OCTETS_MAX - header.len()).await {
                Ok(octets) if octets.is_empty() => break,
                Ok(octets) => header.extend_from_slice(&octets),
                Err(store::Error::Corrupt(_)) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(header)
    }
}

fn message(
    id: QueueId,
    first: &QueueEntry,
    fields: Vec<FieldRow>,
    deliveries: Vec<DeliveryRow>,
) -> MessageRow {
    MessageRow {
        queue_id: id.to_string(),
        virtual_server: first.virtual_server.clone(),
        reverse_path: first.reverse_path.clone(),
        accepted: first.accepted,
        fields,
        deliveries,
    }
}

/// Those of [`FIELDS`] that are there, the first of each name.
fn fields(header: &[u8]) -> Vec<FieldRow> {
    let header = Header::parse(header);
    let row = |name: &&str| {
        let value = decode::words(&header.find(name)?.unfolded());
        Some(FieldRow { name: (*name).to_owned(), value: shortened(&value) })
    };
    FIELDS.iter().filter_map(row).collect()
}

/// A value escaped, and cut where it gets too long.
fn shortened(value: &str) -> String {
    let mut cut: String = printable(value.chars().take(FIELD_CHARACTERS_MAX).collect::<String>());
    if value.chars().nth(FIELD_CHARACTERS_MAX).is_some() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_escaped_and_cut() {
        let long = "x".repeat(FIELD_CHARACTERS_MAX + 1);
        let header = format!(
            "Received: by mx.example.org\r\nsubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe=1B[2J?=\r\nFrom: Ann\r\n <ann@example.org>\r\n\
             To: {long}\r\nSubject: second\r\n\r\nDate: body"
        );
        let found: Vec<(String, String)> =
            fields(header.as_bytes()).into_iter().map(|row| (row.name, row.value)).collect();
        let expected = [
            ("From", "Ann <ann@example.org>".to_owned()),
            ("To", format!("{}…", "x".repeat(FIELD_CHARACTERS_MAX))),
            ("Subject", "Grüße\\x1b[2J".to_owned()),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
        assert!(fields(b"no header").is_empty());
    }
}
