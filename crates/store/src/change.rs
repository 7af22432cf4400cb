//! Writes as values. Changes carry all ids, times and dice, and apply deterministically.

use bytes::Bytes;
use mail::{Flag, MailboxPath, ModSeq, QueueId, Timestamp, Uid, UidSet};

use crate::content::{ContentId, Staged};

/// All of these changes, or none (but see [`Change::Expunge`] and `unless` guards).
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Content that the changes name by [`ContentRef::New`].
    pub content: Vec<NewContent>,
    /// Applied in this order.
    pub changes: Vec<Change>,
}

/// New content of a commit.
#[derive(Debug, Clone)]
pub enum NewContent {
    /// Small content, written by the commit itself: pieces are joined.
    Inline {
        /// What the log notes beside it: after a crash the sweep tells the journal of content that no record names.
        label: Bytes,
        /// The content.
        bytes: Bytes,
    },
    /// Large content that [`crate::Store::stage`] wrote.
    Staged(Staged),
}

/// Content, new or known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentRef {
    /// The n-th of [`Commit::content`].
    New(usize),
    /// Known.
    Known(ContentId),
}

/// A mailbox, new or known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxRef {
    /// Made by the n-th change of this commit.
    New(usize),
    /// Known.
    Known(i64),
}

/// An account, new or known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountRef {
    /// Made by the n-th change of this commit.
    New(usize),
    /// Known.
    Known(i64),
}

/// One change. Rows that a change needs and that are not there make the commit fail with `Conflict`.
#[derive(Debug, Clone)]
pub enum Change {
    /// A domain of ours. Exists already: `Conflict`.
    AddDomain { name: String, at: Timestamp },
    /// Has accounts or aliases: `Conflict`.
    RemoveDomain { name: String },
    /// An account, without mailboxes. Its address must be free (accounts and aliases).
    AddAccount { address: String, name: String, secret: String, at: Timestamp },
    /// A new password verifier.
    SetSecret { account: i64, secret: String, at: Timestamp },
    /// With mailboxes and emails.
    RemoveAccount { account: i64 },
    /// `address` also means `targets`.
    AddAlias { address: String, targets: Vec<String>, at: Timestamp },
    /// Remove it.
    RemoveAlias { address: String },

    /// A mailbox. Path taken: `Conflict`.
    AddMailbox { account: AccountRef, path: MailboxPath, uid_validity: u32, special_use: Option<String>, subscribed: bool },
    /// With its emails.
    RemoveMailbox { mailbox: i64 },
    /// Its new path must be free.
    RenameMailbox { mailbox: i64, path: MailboxPath },
    /// SUBSCRIBE and UNSUBSCRIBE; also of paths without mailbox (RFC 3501 §6.3.6).
    Subscribe { account: i64, path: MailboxPath, subscribed: bool },

    /// Files an email; its UID and mod-sequence are in the receipt.
    File { mailbox: MailboxRef, content: ContentRef, prefix: Bytes, flags: Vec<Flag>, date: Timestamp },
    /// Files copies of emails of one mailbox in another, flags and dates kept, in ascending order.
    Copy { from: i64, uids: UidSet, to: i64 },
    /// Sets the flags of these (those that are there). `unless_modified_after`: others are skipped and listed.
    SetFlags { mailbox: i64, uids: UidSet, mode: FlagMode, flags: Vec<Flag>, unless_modified_after: Option<ModSeq> },
    /// Removes these (those that are there); `only_deleted`: those with `\Deleted`.
    Expunge { mailbox: i64, uids: UidSet, only_deleted: bool },

    /// A queue entry: one message to one destination.
    Enqueue(QueueEntry),
    /// Its new due time and state after an attempt.
    Defer { queue_id: QueueId, destination: String, due: Timestamp, attempts: u32, last: String },
    /// It is done.
    Dequeue { queue_id: QueueId, destination: String },

    /// A part of a message's story: JSON, versioned.
    Explain { queue_id: QueueId, at: Timestamp, story: String },
}

/// Set, add or remove flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagMode {
    /// Replace.
    Set,
    /// Add.
    Add,
    /// Remove.
    Remove,
}

/// One message to one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// The message.
    pub queue_id: QueueId,
    /// Route and domain, `local`.
    pub destination: String,
    /// The reverse-path, empty for null.
    pub reverse_path: String,
    /// The recipients, as addresses.
    pub recipients: Vec<String>,
    /// The content.
    pub content: ContentRefOrId,
    /// The trace header of this message, before the content.
    pub prefix: Bytes,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// When it is tried next.
    pub due: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// What the last attempt said.
    pub last: String,
}

/// In a commit a reference, in a read an id.
pub type ContentRefOrId = ContentRef;

/// What a commit did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// One entry a change, in order.
    pub results: Vec<Applied>,
    /// Where each of [`Commit::content`] lies.
    pub content: Vec<ContentId>,
}

/// What a change did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Applied {
    /// Nothing more to know.
    #[default]
    Done,
    /// AddAccount, AddMailbox: its number.
    Made(i64),
    /// File: where it lies.
    Filed {
        /// UIDVALIDITY.
        uid_validity: u32,
        /// Its UID.
        uid: Uid,
        /// Its mod-sequence.
        modseq: ModSeq,
    },
    /// Copy: pairwise, ascending.
    Copied {
        /// UIDVALIDITY of the target.
        uid_validity: u32,
        /// The emails that were there.
        source: UidSet,
        /// Their copies.
        target: UidSet,
    },
    /// SetFlags: what was changed and what was skipped because of its guard; the mod-sequence of the change.
    Flagged {
        /// Changed (or already so).
        changed: UidSet,
        /// Skipped.
        skipped: UidSet,
        /// Of the change.
        modseq: ModSeq,
    },
    /// Expunge: what is gone.
    Expunged {
        /// These.
        uids: UidSet,
        /// Of the change.
        modseq: ModSeq,
    },
}
