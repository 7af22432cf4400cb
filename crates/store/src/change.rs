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
    /// Small content, written by the commit itself.
    Inline {
        /// What the log notes beside it: after a crash the sweep tells the journal of content that no record names.
        label: Bytes,
        /// The content, at most [`crate::limits::INLINE_CONTENT_OCTETS_MAX`] octets.
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
    AddDomain {
        /// A-labels in lower case.
        name: String,
        /// Now.
        at: Timestamp,
    },
    /// Has accounts or aliases: `Conflict`.
    RemoveDomain {
        /// A-labels in lower case.
        name: String,
    },
    /// An account, without mailboxes. Its domain must be ours, its address free (accounts and aliases).
    AddAccount {
        /// `local@domain`, canonical.
        address: String,
        /// The person's name.
        name: String,
        /// The password's verifier (PHC string); empty: nobody can sign in.
        secret: String,
        /// Now.
        at: Timestamp,
    },
    /// A new password verifier.
    SetSecret {
        /// Whose.
        account: i64,
        /// The verifier (PHC string); empty: nobody can sign in.
        secret: String,
        /// Now.
        at: Timestamp,
    },
    /// With mailboxes and emails.
    RemoveAccount {
        /// Which.
        account: i64,
    },
    /// `address` also means `targets`. Its domain must be ours, the address free.
    AddAlias {
        /// `local@domain`, canonical.
        address: String,
        /// Addresses, canonical.
        targets: Vec<String>,
        /// Now.
        at: Timestamp,
    },
    /// Remove it.
    RemoveAlias {
        /// `local@domain`, canonical.
        address: String,
    },

    /// A mailbox. Path taken: `Conflict`.
    AddMailbox {
        /// Whose.
        account: AccountRef,
        /// Where; levels above it need not exist.
        path: MailboxPath,
        /// UIDVALIDITY: never one that a mailbox of this path had before (RFC 3501 §2.3.1.1).
        uid_validity: u32,
        /// As an attribute without backslash: `Sent` (RFC 6154).
        special_use: Option<String>,
        /// Whether it is subscribed from the beginning.
        subscribed: bool,
    },
    /// With its emails.
    RemoveMailbox {
        /// Which.
        mailbox: i64,
    },
    /// Its new path must be free. Mailboxes below it are renamed one by one.
    RenameMailbox {
        /// Which.
        mailbox: i64,
        /// Its new path.
        path: MailboxPath,
    },
    /// SUBSCRIBE and UNSUBSCRIBE; also of paths without mailbox (RFC 3501 §6.3.6). Already so: nothing happens.
    Subscribe {
        /// Whose.
        account: i64,
        /// Which path.
        path: MailboxPath,
        /// Subscribed, or not any more.
        subscribed: bool,
    },

    /// Files an email; its UID and mod-sequence are in the receipt.
    File {
        /// Where to.
        mailbox: MailboxRef,
        /// The shared content.
        content: ContentRef,
        /// What stands before it for this mailbox: Return-Path, Delivered-To, Received.
        prefix: Bytes,
        /// Its flags.
        flags: Vec<Flag>,
        /// INTERNALDATE.
        date: Timestamp,
    },
    /// Files copies of emails of one mailbox in another, flags and dates kept, in ascending order.
    Copy {
        /// The mailbox that has them.
        from: i64,
        /// Which; those that are not there are left out.
        uids: UidSet,
        /// The mailbox that gets them.
        to: i64,
    },
    /// Sets the flags of these (those that are there). Where nothing changes, no mod-sequence changes.
    SetFlags {
        /// Of which mailbox.
        mailbox: i64,
        /// Which emails.
        uids: UidSet,
        /// Replace, add or remove.
        mode: FlagMode,
        /// Which flags.
        flags: Vec<Flag>,
        /// Emails that changed after this are skipped and listed (RFC 7162 §3.1.3, UNCHANGEDSINCE).
        unless_modified_after: Option<ModSeq>,
    },
    /// Removes these (those that are there).
    Expunge {
        /// Of which mailbox.
        mailbox: i64,
        /// Which emails.
        uids: UidSet,
        /// Only those with `\Deleted`.
        only_deleted: bool,
    },

    /// A queue entry: one message to one destination. There already: `Conflict`.
    Enqueue(QueueEntry),
    /// Its new due time and state after an attempt.
    Defer {
        /// The message.
        queue_id: QueueId,
        /// Its destination.
        destination: String,
        /// When it is tried next.
        due: Timestamp,
        /// Attempts so far.
        attempts: u32,
        /// What the last attempt said.
        last: String,
    },
    /// It is done.
    Dequeue {
        /// The message.
        queue_id: QueueId,
        /// Its destination.
        destination: String,
    },

    /// A part of a message's story: JSON, versioned. No content and no credential stands in it.
    Explain {
        /// The message.
        queue_id: QueueId,
        /// When it happened.
        at: Timestamp,
        /// The story.
        story: String,
    },
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
