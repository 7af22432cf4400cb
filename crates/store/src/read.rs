//! Typed, narrow reads. No read outlives one call or waits for a peer.

mod directory;
mod journal;
mod mailboxes;
mod queue;

pub(crate) use journal::first_queue_id;

use bytes::Bytes;
use mail::{Flag, MailboxPath, ModSeq, QueueId, Timestamp, Uid, UidSet};

use crate::content::ContentId;

/// A domain of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRecord {
    /// Its name, A-labels in lower case.
    pub name: String,
    /// Since when.
    pub at: Timestamp,
}

/// An address that stands for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasRecord {
    /// `local@domain`, canonical.
    pub address: String,
    /// Where its mail goes.
    pub targets: Vec<String>,
    /// Since when.
    pub at: Timestamp,
}

/// An account as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRecord {
    /// Its number.
    pub id: i64,
    /// `local@domain`, canonical (local part in lower case).
    pub address: String,
    /// The person's name.
    pub name: String,
    /// The password's verifier (argon2id, PHC string); empty: nobody can sign in.
    pub secret: String,
    /// When the account or its password changed last.
    pub changed: Timestamp,
}

/// A mailbox as stored, with its counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxRecord {
    /// Its number.
    pub id: i64,
    /// Whose.
    pub account: i64,
    /// Its path.
    pub path: MailboxPath,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// The next UID.
    pub uid_next: u32,
    /// HIGHESTMODSEQ.
    pub highest_modseq: ModSeq,
    /// Emails.
    pub messages: u32,
    /// Emails without `\Seen`.
    pub unseen: u32,
    /// Octets in all.
    pub size: u64,
    /// Special use, as an attribute without backslash: `Sent`.
    pub special_use: Option<String>,
}

/// An email as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailRecord {
    /// Its UID.
    pub uid: Uid,
    /// Mod-sequence of its last change.
    pub modseq: ModSeq,
    /// Its flags.
    pub flags: Vec<Flag>,
    /// INTERNALDATE.
    pub date: Timestamp,
    /// Octets of prefix and content together: RFC822.SIZE.
    pub size: u64,
    /// What stands before the shared content: Return-Path, Delivered-To, Received.
    pub prefix: Bytes,
    /// The shared content.
    pub content: ContentId,
}

/// A part of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRecord {
    /// Of which transaction.
    pub queue_id: QueueId,
    /// When.
    pub at: Timestamp,
    /// JSON, versioned.
    pub story: String,
}

/// What changed in a mailbox after some mod-sequence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MailboxChanges {
    /// Everything up to here is told.
    pub highest_modseq: ModSeq,
    /// Emails gone; where the history does not reach back far enough, every UID given out that is not there
    /// (RFC 7162 §3.2.10.1 allows that).
    pub vanished: UidSet,
    /// Emails new or with other flags, ascending by UID.
    pub changed: Vec<EmailRecord>,
}
