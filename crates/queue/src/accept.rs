//! From a received message to the one commit that makes it ours: content, filing, queue entries and story together.
//!
//! Mail for a mailbox here is in the mailbox when 250 goes out; what cannot be settled at once becomes a queue entry in
//! the same commit. Pure: the caller resolves recipients before and commits after.

use std::collections::BTreeSet;

use bytes::Bytes;
use mail::{Address, QueueId, ReversePath, Timestamp};
use mailboxes::filing::Filing;
use store::change::QueueEntry;
use store::{Change, Commit, ContentRef, MailboxRef, NewContent};

/// The destination of what is delivered here.
pub const LOCAL: &str = "local";

/// A message whose content has arrived and that was judged acceptable.
#[derive(Debug, Clone)]
pub struct ReceivedMessage {
    /// Its transaction.
    pub queue_id: QueueId,
    /// Where reports go.
    pub reverse_path: ReversePath,
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
    /// At once or later.
    pub handover: Handover,
}

/// How a recipient gets the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handover {
    /// Filed in this mailbox by the accepting commit.
    File {
        /// The INBOX of the account.
        mailbox: i64,
    },
    /// Through the queue, not before this time.
    Queue {
        /// When the first attempt is due.
        due: Timestamp,
    },
}

/// The commit after which 250 may be sent. A mailbox gets the message once however often it is named.
pub fn accept(message: ReceivedMessage, story: String) -> Commit {
    let ReceivedMessage { queue_id, reverse_path, content, recipients, at } = message;
    let mut changes = Vec::with_capacity(recipients.len() + 1);
    let mut filed = BTreeSet::new();
    let mut queued: Vec<(Timestamp, Vec<String>)> = Vec::new();
    for Recipient { address, handover } in recipients {
        match handover {
            Handover::File { mailbox } if filed.insert(mailbox) => {
                changes.push(file(mailbox, ContentRef::New(0), &reverse_path, &address, at));
            }
            Handover::File { .. } => {}
            Handover::Queue { due } => enlist(&mut queued, due, address.to_string()),
        }
    }
    changes.extend(entries(queued, queue_id, &reverse_path, at));
    changes.push(Change::Explain { queue_id, at, story });
    Commit { content: vec![content], changes }
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

fn enlist(queued: &mut Vec<(Timestamp, Vec<String>)>, due: Timestamp, address: String) {
    match queued.iter_mut().find(|(at, _)| *at == due) {
        Some((_, addresses)) if addresses.contains(&address) => {}
        Some((_, addresses)) => addresses.push(address),
        None => queued.push((due, vec![address])),
    }
}

/// One entry for each due time. An entry is named by its destination, so later ones get a suffix.
fn entries(
    queued: Vec<(Timestamp, Vec<String>)>,
    queue_id: QueueId,
    reverse_path: &ReversePath,
    accepted: Timestamp,
) -> impl Iterator<Item = Change> {
    let reverse_path = path_text(reverse_path);
    queued.into_iter().enumerate().map(move |(place, (due, recipients))| {
        Change::Enqueue(QueueEntry {
            queue_id,
            destination: if place == 0 { LOCAL.into() } else { format!("{LOCAL}.{place}") },
            reverse_path: reverse_path.clone(),
            recipients,
            content: ContentRef::New(0),
            prefix: Bytes::new(),
            accepted,
            due,
            attempts: 0,
            last: String::new(),
        })
    })
}

/// The reverse-path as the store keeps it: empty for null.
pub(crate) fn path_text(path: &ReversePath) -> String {
    path.address().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(recipients: Vec<Recipient>) -> Commit {
        let content =
            NewContent::Inline { label: Bytes::new(), bytes: Bytes::from_static(b"Subject: x\r\n\r\n") };
        let received = ReceivedMessage {
            queue_id: QueueId(7),
            reverse_path: ReversePath::Null,
            content,
            recipients,
            at: Timestamp(1000),
        };
        accept(received, "{}".into())
    }

    fn to(address: &str, handover: Handover) -> Recipient {
        Recipient { address: address.parse().unwrap(), handover }
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
        assert!(matches!(commit.changes.last(), Some(Change::Explain { .. })));
    }

    #[test]
    fn what_comes_later_is_one_entry_for_each_due_time() {
        let later = |ms| Handover::Queue { due: Timestamp(ms) };
        let commit = message(vec![
            to("slow@example.org", later(5)),
            to("slow@example.org", later(5)),
            to("bounces@example.org", later(1)),
        ]);
        let entries: Vec<_> = commit
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Enqueue(entry) => {
                    Some((entry.destination.as_str(), entry.recipients.len(), entry.due.0))
                }
                _ => None,
            })
            .collect();
        assert_eq!(entries, [("local", 1, 5), ("local.1", 1, 1)]);
    }
}
