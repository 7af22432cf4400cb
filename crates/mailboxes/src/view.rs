//! An open mailbox: what SELECT shows, and what changed in it since.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use mail::message::Part;
use mail::{Flag, MailboxPath, ModSeq, Uid, UidSet};
use store::Store;
use store::read::EmailRecord;

use crate::email::Email;
use crate::error::{Error, Result};
use crate::fetch::Row;
use crate::{Mailboxes, limits};

/// A mailbox that a session has open. Holds a few structures of large emails that were read last, and no content.
#[derive(Debug)]
pub struct Open {
    mailboxes: Mailboxes,
    account: i64,
    mailbox: i64,
    validity: u32,
    /// UIDs from here on were not told yet.
    told_up_to: AtomicU32,
    remembered: Mutex<VecDeque<Remembered>>,
}

/// An email of which more will be read.
#[derive(Debug, Clone)]
struct Remembered {
    record: EmailRecord,
    structure: Option<Arc<Part>>,
}

/// What SELECT shows (RFC 3501 §6.3.1, RFC 7162 §3.1.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Every UID.
    pub uids: UidSet,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// The next UID.
    pub uid_next: u32,
    /// The first email without `\Seen`.
    pub first_unseen: Option<Uid>,
    /// Everything up to here is in `uids`.
    pub highest_modseq: ModSeq,
    /// Keywords in use.
    pub keywords: Vec<Flag>,
}

/// What changed in an open mailbox.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Everything up to here is told.
    pub highest_modseq: ModSeq,
    /// Gone.
    pub vanished: UidSet,
    /// New.
    pub arrived: UidSet,
    /// Older ones whose flags changed.
    pub flags: Vec<Row>,
}

impl Mailboxes {
    /// Opens a mailbox.
    ///
    /// # Errors
    /// [`crate::Error::NoSuchMailbox`], the store's.
    pub async fn open(&self, account: i64, path: &MailboxPath) -> Result<(Open, Opened)> {
        let number = self.find(account, path).await?.id;
        let (record, uids) = self.store().uids(number).await?.ok_or(Error::NoSuchMailbox)?;
        let unseen = self.store().uids_by_flag(number, &Flag::Seen, false).await?;
        let opened = Opened {
            uid_validity: record.uid_validity,
            uid_next: record.uid_next,
            first_unseen: unseen.intersection(&uids).first(),
            highest_modseq: record.highest_modseq,
            keywords: self.store().keywords(number).await?,
            uids,
        };
        let open = Open {
            mailboxes: self.clone(),
            account,
            mailbox: record.id,
            validity: record.uid_validity,
            told_up_to: AtomicU32::new(record.uid_next),
            remembered: Mutex::default(),
        };
        Ok((open, opened))
    }
}

impl Open {
    /// What changed after `since`, which the session knows from the last answer. If the mailbox was removed, all of its
    /// emails vanished.
    ///
    /// # Errors
    /// The store's.
    pub async fn changes(&self, since: ModSeq) -> Result<Changes> {
        let told = self.told_up_to.load(Ordering::Relaxed);
        let Some(changes) = self.store().changed_since(self.mailbox, since).await? else {
            let vanished = from(1).difference(&from(told));
            return Ok(Changes { highest_modseq: since, vanished, ..Changes::default() });
        };
        let (older, new): (Vec<_>, Vec<_>) = changes.changed.iter().partition(|record| record.uid.0 < told);
        if let Some(last) = new.last() {
            self.told_up_to.store(last.uid.0.saturating_add(1), Ordering::Relaxed);
        }
        Ok(Changes {
            highest_modseq: changes.highest_modseq,
            vanished: changes.vanished,
            arrived: new.into_iter().map(|record| record.uid).collect(),
            flags: older.into_iter().map(Row::of).collect(),
        })
    }

    /// The account whose mailbox it is.
    pub fn account(&self) -> i64 {
        self.account
    }

    /// UIDVALIDITY.
    pub fn validity(&self) -> u32 {
        self.validity
    }

    pub(crate) fn store(&self) -> &Store {
        self.mailboxes.store()
    }

    pub(crate) fn mailboxes(&self) -> &Mailboxes {
        &self.mailboxes
    }

    /// The mailbox's number, by which news name it.
    pub fn mailbox(&self) -> i64 {
        self.mailbox
    }

    /// The UIDs that are there now; none if the mailbox was removed.
    pub(crate) async fn uids(&self) -> Result<UidSet> {
        Ok(self.store().uids(self.mailbox).await?.map(|(_, uids)| uids).unwrap_or_default())
    }

    /// Rows of these with flags alone.
    pub(crate) async fn rows_of(&self, mut uids: UidSet) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        while !uids.is_empty() {
            let records = self.store().emails(self.mailbox, &uids, limits::ANSWER_ROWS_MAX).await?;
            let Some(last) = records.last() else { break };
            uids = uids.intersection(&after(last.uid));
            rows.extend(records.iter().map(Row::of));
        }
        Ok(rows)
    }

    /// The record of an email, even of one that is gone if more of it was promised.
    pub(crate) async fn record(&self, uid: Uid) -> Result<Option<EmailRecord>> {
        if let Some(known) = self.recall(uid) {
            return Ok(Some(known.record));
        }
        let one = UidSet::from_runs([(uid.0, uid.0)]);
        Ok(self.store().emails(self.mailbox, &one, 1).await?.pop())
    }

    /// The structure of an email, from memory or parsed.
    pub(crate) async fn structure(&self, email: &Email<'_>) -> Result<Arc<Part>> {
        if let Some(structure) = self.recall(email.record.uid).and_then(|known| known.structure) {
            return Ok(structure);
        }
        let structure = Arc::new(self.mailboxes.parse(email).await?);
        if email.record.size > limits::PARSED_AGAIN_OCTETS_MAX {
            self.remember(email.record, Some(&structure));
        }
        Ok(structure)
    }

    /// Keeps an email's record, so that the rest of a section can be read even if it is expunged meanwhile.
    pub(crate) fn remember(&self, record: &EmailRecord, structure: Option<&Arc<Part>>) {
        let mut remembered = self.remembered.lock().expect("no holder panics");
        let known = remembered.iter().position(|known| known.record.uid == record.uid);
        let known = known.and_then(|at| remembered.remove(at)).and_then(|known| known.structure);
        remembered.truncate(limits::STRUCTURES_REMEMBERED_MAX - 1);
        remembered.push_front(Remembered { record: record.clone(), structure: structure.cloned().or(known) });
    }

    fn recall(&self, uid: Uid) -> Option<Remembered> {
        let remembered = self.remembered.lock().expect("no holder panics");
        remembered.iter().find(|known| known.record.uid == uid).cloned()
    }
}

impl Mailboxes {
    /// Reads a whole email and parses it, within the process's budget.
    async fn parse(&self, email: &Email<'_>) -> Result<Part> {
        let _permit = self.parsing_permit(email.record.size).await;
        let content = email.read_all(0, email.record.size).await?;
        if content.len() as u64 <= limits::PARSED_AGAIN_OCTETS_MAX {
            return Ok(mail::message::structure(&content));
        }
        Ok(self.world.workers.run(move || mail::message::structure(&content)).await)
    }
}

/// Every UID from this number on.
pub(crate) fn from(uid: u32) -> UidSet {
    UidSet::from_runs([(uid.max(1), u32::MAX)])
}

/// Every UID after this one.
pub(crate) fn after(uid: Uid) -> UidSet {
    match uid.0.checked_add(1) {
        Some(next) => from(next),
        None => UidSet::default(),
    }
}
