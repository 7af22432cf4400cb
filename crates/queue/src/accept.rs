//! From a received message to the one commit that makes it ours: content, filing, queue entries and story together.
//!
//! Mail for a mailbox here is in the mailbox when 250 goes out; what cannot be settled at once becomes a queue entry in
//! the same commit. Pure: the caller resolves recipients before and commits after.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mail::{Address, MessageParameters, QueueId, RecipientParameters, ReversePath, Timestamp};
use mailboxes::filing::Filing;
use store::change::{QueueEntry, QueuedRecipient};
use store::{Change, Commit, ContentRef, MailboxRef, NewContent};

use crate::diagnostic::Diagnostic;
use crate::report::Reported;
use crate::settle::Success;

/// The destination of what is delivered here.
pub const LOCAL: &str = "local";

/// A message whose content has arrived and that was judged acceptable.
#[derive(Debug, Clone)]
pub struct ReceivedMessage {
    /// Its transaction.
    pub queue_id: QueueId,
    /// The name of the virtual server that took it.
    pub virtual_server: String,
    /// Where reports go.
    pub reverse_path: ReversePath,
    /// What MAIL said beside it.
    pub parameters: MessageParameters,
    /// Our Received field and the content, without foreign Return-Path fields.
    pub content: NewContent,
    /// Everyone it goes to, aliases expanded.
    pub recipients: Vec<Recipient>,
    /// When it was accepted.
    pub at: Timestamp,
}

/// One recipient and how it gets the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address after aliases: what Delivered-To shows.
    pub address: Address,
    /// The address as the envelope has it: all that one alias means have the same.
    pub named: Address,
    /// What RCPT said beside it.
    pub parameters: RecipientParameters,
    /// At once or later.
    pub handover: Handover,
}

/// How a recipient gets the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handover {
    /// Filed in this mailbox by the accepting commit.
    File {
        /// The INBOX of the account.
        mailbox: i64,
    },
    /// Through the queue to this destination, not before this time.
    Queue {
        /// [`LOCAL`], or the key of another host ([`Destinations`](crate::destinations::Destinations)).
        destination: String,
        /// When the first attempt is due.
        due: Timestamp,
    },
}

/// The commit after which 250 may be sent, but for the explanation. A mailbox gets the message once however often it is named.
pub(crate) fn accept(message: ReceivedMessage) -> Commit {
    let ReceivedMessage { queue_id, virtual_server, reverse_path, parameters, content, recipients, at } =
        message;
    let mut changes = Vec::with_capacity(recipients.len() + 1);
    let mut filed = BTreeSet::new();
    let mut queued = Queued::new();
    for Recipient { address, parameters, handover, .. } in recipients {
        match handover {
            Handover::File { mailbox } if filed.insert(mailbox) => {
                changes.push(file(mailbox, ContentRef::New(0), &reverse_path, &address, at));
            }
            Handover::File { .. } => {}
            Handover::Queue { destination, due } => {
                let recipient = QueuedRecipient { address: address.to_string(), parameters };
                queued.entry(destination).or_default().entry(due).or_default().insert(recipient);
            }
        }
    }
    let envelope = Envelope { queue_id, virtual_server, reverse_path, parameters, at };
    changes.extend(entries(queued, &envelope));
    Commit { content: vec![content], changes }
}

/// Recipients whose mail the accepting commit files, where the sender asked to be told (RFC 3461 §5.2.3). Whom an alias stands
/// for is not for the sender to know (§5.2.7.3): it is reported by its own name.
pub(crate) fn succeeded(message: &ReceivedMessage) -> Vec<(Success, Reported)> {
    let filed = |recipient: &&Recipient| matches!(recipient.handover, Handover::File { .. });
    let asking = message.recipients.iter().filter(filed).filter(|one| one.parameters.wants_success());
    let mut found: Vec<(Success, Reported)> = Vec::new();
    let mut first: BTreeMap<String, (usize, &Address)> = BTreeMap::new();
    for Recipient { address, named, parameters, .. } in asking {
        let recipient = named.to_string();
        if let Some((place, known)) = first.get(&recipient) {
            // Named twice, it is still one.
            if *known != address {
                found[*place].0 = Success::Expanded;
            }
            continue;
        }
        first.insert(recipient.clone(), (found.len(), address));
        let diagnostic = Diagnostic::ours((2, 0, 0), "it is in the mailbox");
        let (status, original) = (diagnostic.status, parameters.original.clone());
        found.push((Success::Delivered, Reported { recipient, original, status, diagnostic }));
    }
    found
}

/// One email in one mailbox, with its own small prefix.
pub(crate) fn file(
    mailbox: i64,
    content: ContentRef,
    reverse_path: &ReversePath,
    address: &Address,
    date: Timestamp,
) -> Change {
    mailboxes::filing::file(Filing {
        mailbox: MailboxRef::Known(mailbox),
        content,
        reverse_path,
        recipient: address,
        trace: b"",
        flags: &[],
        accepted: date,
    })
}

/// What is the same for all entries of a message.
struct Envelope {
    queue_id: QueueId,
    virtual_server: String,
    reverse_path: ReversePath,
    parameters: MessageParameters,
    at: Timestamp,
}

/// Whom the queue has to serve: by destination and due time, each recipient once.
type Queued = BTreeMap<String, BTreeMap<Timestamp, BTreeSet<QueuedRecipient>>>;

/// One entry for each destination. An entry is named by its destination, so the later of two due times gets a suffix
/// that no host name has.
fn entries(queued: Queued, envelope: &Envelope) -> Vec<Change> {
    let Envelope { queue_id, virtual_server, reverse_path, parameters, at } = envelope;
    let reverse_path = path_text(reverse_path);
    let entry = |destination, due, recipients: BTreeSet<QueuedRecipient>| QueueEntry {
        queue_id: *queue_id,
        destination,
        virtual_server: virtual_server.clone(),
        reverse_path: reverse_path.clone(),
        parameters: parameters.clone(),
        recipients: recipients.into_iter().collect(),
        content: ContentRef::New(0),
        prefix: Bytes::new(),
        accepted: *at,
        due,
        attempts: 0,
        notified: false,
        held: false,
        last: String::new(),
    };
    let of_destination = |(destination, times): (String, BTreeMap<_, _>)| {
        let times = times.into_iter().enumerate();
        times.map(move |(place, (due, recipients))| match place {
            0 => (destination.clone(), due, recipients),
            _ => (format!("{destination}/{place}"), due, recipients),
        })
    };
    let named = queued.into_iter().flat_map(of_destination);
    named.map(|(destination, due, recipients)| Change::Enqueue(entry(destination, due, recipients))).collect()
}

/// The reverse-path as the store keeps it: empty for null.
pub(crate) fn path_text(path: &ReversePath) -> String {
    path.address().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(recipients: Vec<Recipient>) -> Commit {
        accept(received(recipients))
    }

    fn received(recipients: Vec<Recipient>) -> ReceivedMessage {
        let content =
            NewContent::Inline { label: Bytes::new(), bytes: Bytes::from_static(b"Subject: x\r\n\r\n") };
        ReceivedMessage {
            queue_id: QueueId(7),
            virtual_server: "internet".into(),
            reverse_path: ReversePath::Null,
            parameters: MessageParameters::default(),
            content,
            recipients,
            at: Timestamp(1000),
        }
    }

    fn to(address: &str, handover: Handover) -> Recipient {
        let parameters = RecipientParameters::default();
        let address: Address = address.parse().unwrap();
        Recipient { named: address.clone(), address, parameters, handover }
    }

    #[test]
    fn a_mailbox_gets_it_once_however_often_it_is_named() {
        let file = |mailbox| Handover::File { mailbox };
        let commit = message(vec![
            to("bob@example.org", file(1)),
            to("bob@example.org", file(1)),
            to("ann@example.org", file(2)),
        ]);
        let filed: Vec<_> = commit
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::File { mailbox, prefix, .. } => {
                    Some((*mailbox, String::from_utf8_lossy(prefix).into_owned()))
                }
                _ => None,
            })
            .collect();
        assert_eq!(filed.len(), 2);
        assert_eq!(filed[0].0, MailboxRef::Known(1));
        assert!(
            filed[0].1.contains("Return-Path: <>\r\n")
                && filed[0].1.contains("Delivered-To: bob@example.org\r\n")
        );
    }

    #[test]
    fn what_comes_later_is_one_entry_for_each_destination_and_due_time() {
        let later =
            |destination: &str, ms| Handover::Queue { destination: destination.into(), due: Timestamp(ms) };
        let commit = message(vec![
            to("slow@example.org", later(LOCAL, 5)),
            to("ann@remote.example", later("remote.example", 1)),
            to("slow@example.org", later(LOCAL, 5)),
            to("bounces@example.org", later(LOCAL, 1)),
            to("amy@remote.example", later("remote.example", 1)),
            to("bob@example.org", Handover::File { mailbox: 1 }),
            to("joe@[192.0.2.1]", later("[192.0.2.1]", 1)),
        ]);
        let entries: Vec<_> = commit
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Enqueue(entry) => {
                    let whom: Vec<_> = entry.recipients.iter().map(|one| one.address.as_str()).collect();
                    Some((entry.destination.as_str(), whom.join(" "), entry.due.0))
                }
                _ => None,
            })
            .collect();
        let expected = [
            ("[192.0.2.1]", "joe@[192.0.2.1]", 1),
            ("local", "bounces@example.org", 1),
            ("local/1", "slow@example.org", 5),
            ("remote.example", "amy@remote.example ann@remote.example", 1),
        ];
        assert_eq!(entries, expected.map(|(to, whom, due)| (to, whom.to_owned(), due)));
    }

    /// RFC 3461 §5.2.3, §5.2.7.3.
    #[test]
    fn success_is_told_of_what_the_envelope_names() {
        let notify = Some(mail::Notify { success: true, ..mail::Notify::NEVER });
        let asking = |named: &str, address: &str, handover| Recipient {
            named: named.parse().unwrap(),
            parameters: RecipientParameters { notify, original: None },
            ..to(address, handover)
        };
        let file = |mailbox| Handover::File { mailbox };
        let later = Handover::Queue { destination: LOCAL.into(), due: Timestamp(5) };
        let recipients = vec![
            asking("bob@example.org", "bob@example.org", file(1)),
            asking("bob@example.org", "bob@example.org", file(1)),
            asking("sales@example.org", "bob@example.org", file(1)),
            asking("team@example.org", "ann@example.org", file(2)),
            asking("team@example.org", "bob@example.org", file(1)),
            asking("late@example.org", "late@example.org", later),
            to("eve@example.org", file(3)),
        ];
        let found = succeeded(&received(recipients));
        let found: Vec<_> = found.iter().map(|(how, reported)| (*how, reported.recipient.as_str())).collect();
        let expected = [
            (Success::Delivered, "bob@example.org"),
            (Success::Delivered, "sales@example.org"),
            (Success::Expanded, "team@example.org"),
        ];
        assert_eq!(found, expected);
    }
}
