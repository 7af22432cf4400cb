//! Writes as values. Changes carry all ids, times and dice, and apply deterministically.

use bytes::Bytes;
use mail::{
    Flag, MailboxPath, MessageParameters, ModSeq, QueueId, RecipientParameters, Timestamp, Uid, UidSet,
};

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
    /// A domain of ours that stands for another: mail for it goes to the same local part there. `of` must be ours and stand
    /// for itself; `name` free.
    AddAliasDomain {
        /// A-labels in lower case.
        name: String,
        /// For which; A-labels in lower case.
        of: String,
        /// Now.
        at: Timestamp,
    },
    /// Has accounts or aliases, or another stands for it: `Conflict`.
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
        /// What SCRAM needs of the password, as the directory writes it; empty: SCRAM is not for this account.
        scram: String,
        /// Now.
        at: Timestamp,
    },
    /// What SCRAM needs of a password that an account has already. Nothing is done if it has another one meanwhile, or has
    /// that already.
    SetScram {
        /// Whose.
        account: i64,
        /// The verifier of the password that it was made from.
        secret: String,
        /// What SCRAM needs of it, as the directory writes it.
        scram: String,
    },
    /// What CRAM-MD5 needs of a password that an account has (RFC 2195): the password itself can be made from it, so only
    /// where the administrator wants it. Nothing is done if the account has another password meanwhile.
    SetCram {
        /// Whose.
        account: AccountRef,
        /// The verifier of the password that it was made from.
        secret: String,
        /// What CRAM-MD5 needs, as the directory writes it; empty: CRAM-MD5 is not for this account.
        cram: String,
    },
    /// A new password verifier; what CRAM-MD5 needed of the old one goes.
    SetSecret {
        /// Whose.
        account: i64,
        /// The verifier (PHC string); empty: nobody can sign in.
        secret: String,
        /// What SCRAM needs of the password, as the directory writes it; empty: SCRAM is not for this account.
        scram: String,
        /// Now.
        at: Timestamp,
    },
    /// With mailboxes and emails, rights, app passwords and what it sent.
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
    /// A key that signs mail of a domain (RFC 6376 §3.1). The domain must be ours, the selector free. Goes with its domain.
    AddDkimKey {
        /// A-labels in lower case.
        domain: String,
        /// The selector.
        selector: String,
        /// `rsa-sha256` or `ed25519-sha256`, as in the signature's tag `a` (RFC 6376 §3.3, RFC 8463 §3).
        algorithm: String,
        /// The private key (PKCS#8).
        key: Bytes,
        /// Now.
        at: Timestamp,
    },
    /// Not there: `Conflict`.
    RemoveDkimKey {
        /// A-labels in lower case.
        domain: String,
        /// The selector.
        selector: String,
    },

    /// A password of an account for one program. Name taken: `Conflict`. [`Applied::Made`] says its number.
    AddAppPassword {
        /// Whose.
        account: i64,
        /// What the person calls it.
        name: String,
        /// Its verifier, as the directory writes it.
        secret: String,
        /// What it is for, as the directory writes it.
        scope: String,
        /// Now.
        at: Timestamp,
        /// From when it is good for nothing; none: never.
        expires: Option<Timestamp>,
    },
    /// Not there: `Conflict`.
    RemoveAppPassword {
        /// Whose.
        account: i64,
        /// What the person calls it.
        name: String,
    },
    /// It was used. Gone meanwhile: nothing happens.
    UseAppPassword {
        /// Which.
        id: i64,
        /// When.
        at: Timestamp,
    },
    /// An account may send as this address, too. May already: nothing happens.
    AddSendAs {
        /// Who.
        account: i64,
        /// `local@domain` or `@domain`, canonical.
        address: String,
    },
    /// May not: `Conflict`.
    RemoveSendAs {
        /// Who.
        account: i64,
        /// `local@domain` or `@domain`, canonical.
        address: String,
    },
    /// Whoever has a certificate of this name signs in as this account (SASL EXTERNAL). So already: nothing happens.
    AddCertificate {
        /// Who.
        account: i64,
        /// A fingerprint or a subject, as the directory writes it.
        name: String,
    },
    /// Not there: `Conflict`.
    RemoveCertificate {
        /// Who.
        account: i64,
        /// A fingerprint or a subject, as the directory writes it.
        name: String,
    },

    /// What an account sent is counted. Hours more than [`crate::limits::SENDING_HOURS_KEPT`] before are forgotten.
    CountSending {
        /// Who.
        account: i64,
        /// Of which hour since 1970.
        hour: i64,
        /// Messages more.
        messages: u32,
        /// Recipients more.
        recipients: u32,
    },
    /// An account wrote to this address. It did before: nothing happens.
    Correspond {
        /// Who.
        account: i64,
        /// To whom, canonical.
        address: String,
        /// Now.
        at: Timestamp,
    },
    /// From now on what an account sends stays on hold. Does already: nothing happens.
    HoldAccount {
        /// Who.
        account: i64,
        /// Now.
        at: Timestamp,
        /// Why, for the administrator.
        reason: String,
    },
    /// From now on it goes. Not on hold: nothing happens. Its messages are released one by one.
    ReleaseAccount {
        /// Who.
        account: i64,
        /// Now.
        at: Timestamp,
    },
    /// A message is on hold for its account's sake.
    NoteHeld {
        /// Whose.
        account: i64,
        /// Which.
        queue_id: QueueId,
    },
    /// A message is not on hold for its account's sake any more. It was not: nothing happens.
    ForgetHeld {
        /// Whose.
        account: i64,
        /// Which.
        queue_id: QueueId,
    },

    /// A network is refused, or until another time. Bans that are over are forgotten.
    Ban {
        /// Its first address and the length of its prefix.
        network: String,
        /// Until when, this moment not included.
        until: Timestamp,
        /// Why, for the administrator.
        reason: String,
        /// Now.
        now: Timestamp,
    },
    /// Not banned: nothing happens.
    Unban {
        /// As it was banned.
        network: String,
    },

    /// The settings as they are from now on. `number` must be the next: the first is 1. Else: `Conflict`.
    AddRevision {
        /// Which.
        number: i64,
        /// When.
        at: Timestamp,
        /// Who.
        author: String,
        /// Why.
        reason: String,
        /// The settings text.
        text: String,
    },
    /// A small secret of the program under a name, in place of what had it.
    Keep {
        /// Its name.
        name: String,
        /// The secret.
        value: Bytes,
    },
    /// Not kept: nothing happens.
    Forget {
        /// Its name.
        name: String,
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

    /// A queue entry: one message to one destination. There already: `Conflict`. Its destination is surveyed from its due on.
    Enqueue(QueueEntry),
    /// Gives a destination to one node, which alone attempts and settles what waits there: [`Applied::Leased`] if it was
    /// free, this node's already or its lease was over, else [`Applied::Taken`] and nothing happens.
    Lease {
        /// Which; it need not have entries.
        destination: String,
        /// To whom; never empty.
        node: String,
        /// Until when, this moment not included.
        until: Timestamp,
        /// Now.
        now: Timestamp,
    },
    /// Gives a lease up, if it is this node's. The destination is surveyed again from when its earliest entry is due; it is
    /// forgotten if it is empty and not on hold.
    Release {
        /// Which.
        destination: String,
        /// By whom.
        node: String,
    },
    /// What an attempt leaves of an entry. Guarded: the entry is there, its destination leased by this node, its attempts
    /// as said. Else `Conflict`: the commit was made from rows that somebody else has worked on since.
    Settle {
        /// The message.
        queue_id: QueueId,
        /// Its destination.
        destination: String,
        /// Who attempted.
        node: String,
        /// Attempts when it was drawn.
        attempts: u32,
        /// Who still waits; none: the entry and its hold on the content go.
        rest: Option<Rest>,
    },
    /// An entry on hold waits until it is released. Not there: `Conflict`. A [`DOOMED`] entry stays so.
    Hold {
        /// The message.
        queue_id: QueueId,
        /// Its destination.
        destination: String,
        /// On hold, or released. What came due while it was on hold is due now.
        held: bool,
        /// Now.
        now: Timestamp,
    },
    /// An entry is due no later than this. Not there: `Conflict`. On hold it stays on hold, [`DOOMED`] it stays so.
    Expedite {
        /// The message.
        queue_id: QueueId,
        /// Its destination.
        destination: String,
        /// From when it may be tried.
        due: Timestamp,
    },
    /// Makes an entry [`DOOMED`], also one on hold: whoever leases its destination finds it first and removes it. Not there:
    /// `Conflict`.
    Doom {
        /// The message.
        queue_id: QueueId,
        /// Its destination.
        destination: String,
    },
    /// Of a destination on hold nothing is drawn but what is [`DOOMED`]. It need not have entries.
    HoldDestination {
        /// Which.
        destination: String,
        /// On hold, or released.
        held: bool,
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

/// The due of an entry that an administrator deleted: before all others, so that whoever leases its destination finds it
/// first and takes it away. Kept against everything but the removal.
pub const DOOMED: Timestamp = Timestamp(i64::MIN);

/// One message to one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// The message.
    pub queue_id: QueueId,
    /// Where to: the domain, an address literal, `local`.
    pub destination: String,
    /// The virtual server that accepted it; empty for our own reports.
    pub virtual_server: String,
    /// The reverse-path, empty for null.
    pub reverse_path: String,
    /// What MAIL said beside it.
    pub parameters: MessageParameters,
    /// Who still waits.
    pub recipients: Vec<QueuedRecipient>,
    /// The content.
    pub content: ContentRefOrId,
    /// The trace header of this message, before the content.
    pub prefix: Bytes,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// When it is tried next, or [`DOOMED`].
    pub due: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// Whether its sender was told of the delay.
    pub notified: bool,
    /// Whether it is on hold.
    pub held: bool,
    /// What the last attempt said.
    pub last: String,
}

/// Somebody who waits for a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueuedRecipient {
    /// The address.
    pub address: String,
    /// What RCPT said beside it.
    pub parameters: RecipientParameters,
}

impl From<String> for QueuedRecipient {
    /// Without parameters.
    fn from(address: String) -> Self {
        Self { address, parameters: RecipientParameters::default() }
    }
}

impl From<&str> for QueuedRecipient {
    /// Without parameters.
    fn from(address: &str) -> Self {
        address.to_owned().into()
    }
}

/// What an attempt leaves of a queue entry. One that is [`DOOMED`] meanwhile stays so, and one on hold stays on hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// Who still waits; never empty.
    pub recipients: Vec<QueuedRecipient>,
    /// When it is tried next.
    pub due: Timestamp,
    /// Attempts, with this one.
    pub attempts: u32,
    /// Whether its sender was told of the delay.
    pub notified: bool,
    /// What the attempt said.
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
        /// Of these, those that were not so before.
        written: UidSet,
        /// Skipped.
        skipped: UidSet,
        /// Of the change; if nothing was written, the mailbox's, of a change that others made.
        modseq: ModSeq,
    },
    /// Expunge: what is gone.
    Expunged {
        /// These.
        uids: UidSet,
        /// Of the change.
        modseq: ModSeq,
    },
    /// Lease: the destination is this node's.
    Leased,
    /// Lease: another node has it.
    Taken {
        /// Until then.
        until: Timestamp,
    },
}
