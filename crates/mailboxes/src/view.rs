//! An open mailbox: what SELECT shows, and what changed in it since.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use mail::{Flag, MailboxPath, ModSeq, Uid, UidSet};
use store::Store;

use crate::decoding::Decoding;
use crate::error::{Error, Result};
use crate::facts::Facts;
use crate::fetch::Row;
use crate::roll::Roll;
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
    /// Nothing, unless something large is being read.
    reading: Mutex<Option<Box<Reading>>>,
}

/// What is read piece by piece.
#[derive(Debug, Default)]
struct Reading {
    remembered: VecDeque<Remembered>,
    /// Where the last reading of a decoded part ended.
    decoding: Option<(Uid, Vec<u32>, Decoding)>,
}

/// An email of which more will be read.
#[derive(Debug)]
struct Remembered {
    facts: Arc<Facts>,
    /// Decoded sizes of its parts, by number.
    sizes: Vec<(Vec<u32>, u64)>,
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
    /// Older ones whose flags changed, at most [`limits::ANSWER_ROWS_MAX`].
    pub flags: Vec<Row>,
    /// More of those: they can be fetched.
    pub rest: UidSet,
}

impl Mailboxes {
    /// Opens a mailbox.
    ///
    /// # Errors
    /// [`crate::Error::NoSuchMailbox`], the store's.
    pub async fn open(&self, account: i64, path: &MailboxPath) -> Result<(Open, Opened)> {
        let number = self.find(account, path).await?.id;
        let roll = self.roll((account, number)).await?.ok_or(Error::NoSuchMailbox)?;
        let opened = Opened {
            uid_validity: roll.uid_validity,
            uid_next: roll.uid_next,
            first_unseen: roll.first_unseen(),
            highest_modseq: roll.modseq,
            keywords: roll.keywords(),
            uids: roll.uids.clone(),
        };
        let open = Open {
            mailboxes: self.clone(),
            account,
            mailbox: number,
            validity: roll.uid_validity,
            told_up_to: AtomicU32::new(roll.uid_next),
            reading: Mutex::default(),
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
        // Whoever asks reads nothing at this time: what was remembered for that is let go.
        *self.reading() = None;
        let told = self.told_up_to.load(Ordering::Relaxed);
        let (mailbox, rows_max) = (self.mailbox, limits::ANSWER_ROWS_MAX);
        let Some(changes) = self.store().changed_since(mailbox, since, told, rows_max).await? else {
            return Ok(Changes { highest_modseq: since, vanished: self.given_out(), ..Changes::default() });
        };
        if let Some(last) = changes.arrived.last() {
            self.told_up_to.store(last.0.saturating_add(1), Ordering::Relaxed);
        }
        Ok(Changes {
            highest_modseq: changes.highest_modseq,
            vanished: changes.vanished,
            arrived: changes.arrived,
            flags: changes.changed.iter().map(|row| Row::new(row.uid, row.modseq, row.flags())).collect(),
            rest: changes.rest,
        })
    }

    /// Which emails are gone since `since`, perhaps with others that went before, never fewer (RFC 7162 §3.2.5.1); only
    /// among these if some are named. If the mailbox was removed, all of them are.
    ///
    /// # Errors
    /// The store's.
    pub async fn vanished(&self, since: ModSeq, among: Option<&UidSet>) -> Result<UidSet> {
        let vanished = self.store().vanished_since(self.mailbox, since).await?;
        let vanished = vanished.unwrap_or_else(|| self.given_out());
        Ok(among.map_or_else(|| vanished.clone(), |among| vanished.intersection(among)))
    }

    /// Every UID that was told.
    fn given_out(&self) -> UidSet {
        from(1).difference(&from(self.told_up_to.load(Ordering::Relaxed)))
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

    /// The roll as it is now; none if the mailbox was removed.
    pub(crate) async fn roll(&self) -> Result<Option<Arc<Roll>>> {
        self.mailboxes.roll((self.account, self.mailbox)).await
    }

    /// The facts of an email, even of one that is gone if more of it was promised.
    pub(crate) async fn facts_of(&self, uid: Uid) -> Result<Option<Arc<Facts>>> {
        if let Some(known) = self.recall(uid, |known| Some(known.facts.clone())) {
            return Ok(Some(known));
        }
        let there = self.roll().await?.is_some_and(|roll| roll.uids.contains(uid));
        if !there {
            return Ok(None);
        }
        Ok(self.facts(&[uid]).await?.pop().flatten())
    }

    /// Keeps an email's facts, so that the rest of a section can be read even if it is expunged meanwhile.
    pub(crate) fn remember(&self, facts: &Arc<Facts>) {
        let mut reading = self.reading();
        let remembered = &mut reading.get_or_insert_default().remembered;
        let known = remembered.iter().position(|known| known.facts.uid == facts.uid);
        let known = known.and_then(|at| remembered.remove(at));
        remembered.truncate(limits::STRUCTURES_REMEMBERED_MAX - 1);
        let new = || Remembered { facts: facts.clone(), sizes: Vec::new() };
        remembered.push_front(known.unwrap_or_else(new));
    }

    fn recall<T>(&self, uid: Uid, what: impl FnOnce(&Remembered) -> Option<T>) -> Option<T> {
        let reading = self.reading();
        let known = reading.as_ref()?.remembered.iter().find(|known| known.facts.uid == uid)?;
        what(known)
    }

    /// The decoded size of a part, if it was noted.
    pub(crate) fn known_size(&self, uid: Uid, part: &[u32]) -> Option<u64> {
        self.recall(uid, |known| known.sizes.iter().find(|(known, _)| known == part).map(|(_, size)| *size))
    }

    /// Notes the decoded size of a part of an email that is remembered.
    pub(crate) fn note_size(&self, uid: Uid, part: &[u32], size: u64) {
        let mut reading = self.reading();
        let remembered = reading.as_mut().map(|reading| &mut reading.remembered);
        let known = remembered.into_iter().flatten().find(|known| known.facts.uid == uid);
        if let Some(known) = known.filter(|known| known.sizes.len() < mail::limits::PARTS_MAX) {
            known.sizes.push((part.to_vec(), size));
        }
    }

    /// Where the last reading of this part ended.
    pub(crate) fn take_decoding(&self, uid: Uid, part: &[u32]) -> Option<Decoding> {
        let mut reading = self.reading();
        let kept = &mut reading.as_mut()?.decoding;
        kept.take_if(|(of, number, _)| *of == uid && number == part).map(|(_, _, decoding)| decoding)
    }

    /// Keeps where a reading ended.
    pub(crate) fn keep_decoding(&self, uid: Uid, part: &[u32], decoding: Decoding) {
        self.reading().get_or_insert_default().decoding = Some((uid, part.to_vec(), decoding));
    }

    fn reading(&self) -> MutexGuard<'_, Option<Box<Reading>>> {
        self.reading.lock().expect("no holder panics")
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
