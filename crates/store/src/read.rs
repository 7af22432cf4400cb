//! Typed, narrow reads. No read outlives one call or waits for a peer.

mod accounts;
mod directory;
mod journal;
mod kept;
mod mailboxes;
mod queue;

pub use accounts::{AppPasswordRecord, BanRecord, HoldRecord, SendingRecord};
pub(crate) use journal::first_queue_id;
pub use kept::RevisionRecord;

use std::fmt;

use bytes::Bytes;
use mail::{Flag, MailboxPath, ModSeq, QueueId, Timestamp, Uid, UidSet};

use crate::change::QueueEntry;
use crate::content::ContentId;

/// A domain of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRecord {
    /// Its name, A-labels in lower case.
    pub name: String,
    /// Since when.
    pub at: Timestamp,
    /// The domain that it stands for, if it does: mail for it goes to the same local part there.
    pub alias_of: Option<String>,
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

/// A key that signs mail of a domain (RFC 6376 §3.1).
#[derive(Clone, PartialEq, Eq)]
pub struct DkimKeyRecord {
    /// Whose; A-labels in lower case.
    pub domain: String,
    /// The selector.
    pub selector: String,
    /// `rsa-sha256` or `ed25519-sha256`.
    pub algorithm: String,
    /// The private key (PKCS#8).
    pub key: Bytes,
    /// Since when.
    pub at: Timestamp,
}

/// Without the key: it is a secret.
impl fmt::Debug for DkimKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, selector, algorithm, key, at } = self;
        write!(f, "DkimKeyRecord({selector} of {domain}, {algorithm}, {} octets, {at:?})", key.len())
    }
}

/// An account as stored. `Debug` does not show its verifiers.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountRecord {
    /// Its number.
    pub id: i64,
    /// `local@domain`, canonical (local part in lower case).
    pub address: String,
    /// The person's name.
    pub name: String,
    /// The password's verifier (argon2id, PHC string); empty: nobody can sign in.
    pub secret: String,
    /// What SCRAM needs of the password, as the directory wrote it; empty: SCRAM is not for this account.
    pub scram: String,
    /// What CRAM-MD5 needs of the password, as the directory wrote it; empty: CRAM-MD5 is not for this account.
    pub cram: String,
    /// When the account or its password changed last.
    pub changed: Timestamp,
}

impl fmt::Debug for AccountRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, address, name, secret: _, scram: _, cram: _, changed } = self;
        let mut shown = f.debug_struct("AccountRecord");
        shown.field("id", id).field("address", address).field("name", name).field("changed", changed);
        shown.finish_non_exhaustive()
    }
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
    /// Emails with `\Deleted`.
    pub deleted: u32,
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

/// The flags of an email, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagRow {
    /// Its UID.
    pub uid: Uid,
    /// Mod-sequence of its last change.
    pub modseq: ModSeq,
    /// The system flags, as in [`Flag::SYSTEM`].
    pub bits: u8,
    /// Its keywords, separated by spaces, each once.
    pub keywords: String,
}

impl FlagRow {
    /// The flags, in the order they are shown.
    pub fn flags(&self) -> Vec<Flag> {
        let keywords = self.keywords.split(' ').filter(|name| !name.is_empty());
        Flag::from_bits(self.bits, keywords.map(str::to_owned))
    }
}

/// The flags of a mailbox's emails, after some mod-sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagChanges {
    /// The mailbox at that moment.
    pub mailbox: MailboxRecord,
    /// Emails gone since then, and perhaps others that are not there.
    pub vanished: UidSet,
    /// Of those that changed, ascending by UID.
    pub rows: Vec<FlagRow>,
}

/// A destination where something waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationRow {
    /// Which.
    pub destination: String,
    /// Nothing that waits there and is not on hold is due before; [`crate::DOOMED`] if something is. May be earlier than
    /// what waits while, and as long as, the destination is leased.
    pub next_due: Timestamp,
    /// Whether the destination is on hold.
    pub held: bool,
    /// Until when another node leases it; none if nobody does, or the node that asks, or if the lease is over.
    pub leased_until: Option<Timestamp>,
}

/// What is due at a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// By due and queue id.
    pub entries: Vec<QueueEntry>,
    /// The due of the first entry after those that is not on hold.
    pub next_due: Option<Timestamp>,
    /// Whether the destination is on hold.
    pub held: bool,
}

/// A destination as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationSummary {
    /// Which.
    pub destination: String,
    /// Its entries, those on hold included. What is [`crate::DOOMED`] is counted apart from all others.
    pub deliveries: u64,
    /// Those of them that are on hold.
    pub held_deliveries: u64,
    /// Its entries that are to be removed: [`crate::DOOMED`].
    pub doomed_deliveries: u64,
    /// When the oldest of `deliveries` was accepted; none if there are none.
    pub oldest_accepted: Option<Timestamp>,
    /// When the next of `deliveries` is due that is not on hold.
    pub next_due: Option<Timestamp>,
    /// Whether the destination is on hold.
    pub held: bool,
    /// The node that leased it last and has not given it up; its lease may be over.
    pub leased_by: Option<String>,
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
    /// Emails that are new to who asked.
    pub arrived: UidSet,
    /// Older ones that changed, ascending by UID: the first of them.
    pub changed: Vec<FlagRow>,
    /// Older ones that changed, after those.
    pub rest: UidSet,
}
