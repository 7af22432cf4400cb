//! LIST, STATUS, CREATE, DELETE, RENAME and SUBSCRIBE (RFC 3501 §6.3.3 to §6.3.10).

use std::collections::{BTreeMap, BTreeSet};

use mail::{MailboxPath, ModSeq, SpecialUse, UidSet};
use store::read::MailboxRecord;
use store::{Change, Commit};

use crate::error::{Error, Result};
use crate::names::Names;
use crate::{Mailboxes, limits};

/// A name in LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The mailbox's path.
    pub path: MailboxPath,
    /// Whether it is subscribed.
    pub subscribed: bool,
    /// Special use (RFC 6154).
    pub special_use: Option<SpecialUse>,
    /// Only a name, because mailboxes lie below it.
    pub no_select: bool,
    /// A subscription alone: there is no mailbox of this path, and none below it.
    pub missing: bool,
}

/// What STATUS shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Emails.
    pub messages: u32,
    /// Emails without `\Seen`.
    pub unseen: u32,
    /// The next UID.
    pub uid_next: u32,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// HIGHESTMODSEQ.
    pub highest_modseq: ModSeq,
    /// Octets in all.
    pub size: u64,
    /// Emails with `\Deleted` (RFC 9051 §6.3.11).
    pub deleted: u32,
}

impl Mailboxes {
    /// Every name of the account, sorted. A subscription outlives its mailbox (RFC 3501 §6.3.6).
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, account: i64) -> Result<Vec<Named>> {
        let mailboxes = self.store().mailboxes(account).await?;
        let subscribed = self.store().subscriptions(account).await?;
        Ok(listed(account, &mailboxes, &subscribed.into_iter().collect()))
    }

    /// The counters of a mailbox.
    ///
    /// # Errors
    /// [`Error::NoSuchMailbox`], the store's.
    pub async fn status(&self, account: i64, path: &MailboxPath) -> Result<Status> {
        let record = self.find(account, path).await?;
        Ok(Status {
            messages: record.messages,
            unseen: record.unseen,
            uid_next: record.uid_next,
            uid_validity: record.uid_validity,
            highest_modseq: record.highest_modseq,
            size: record.size,
            deleted: record.deleted,
        })
    }

    /// Makes a mailbox, and the superior ones that are missing (RFC 3501 §6.3.3).
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Cannot`] (the special use is not to be had among others), the store's.
    pub async fn create(
        &self,
        account: i64,
        path: &MailboxPath,
        special_use: Option<SpecialUse>,
    ) -> Result<()> {
        self.rearrange(account, |names| names.create(path, special_use)).await
    }

    /// Removes a mailbox with its emails. Those below it stay (RFC 3501 §6.3.4).
    ///
    /// # Errors
    /// [`Error::NoSuchMailbox`], [`Error::Cannot`] (INBOX; a name that is no mailbox), the store's.
    pub async fn delete(&self, account: i64, path: &MailboxPath) -> Result<()> {
        self.rearrange(account, |names| names.delete(path)).await
    }

    /// Renames a mailbox and those below it. Of INBOX it moves the emails to a new mailbox (RFC 3501 §6.3.5): some may have
    /// been moved when it fails, and none is lost.
    ///
    /// # Errors
    /// [`Error::NoSuchMailbox`], [`Error::Exists`], [`Error::Cannot`], the store's.
    pub async fn rename(&self, account: i64, from: &MailboxPath, to: &MailboxPath) -> Result<()> {
        if !from.is_inbox() {
            return self.rearrange(account, |names| names.rename(from, to)).await;
        }
        let inbox = self.find(account, from).await?;
        self.create(account, to, None).await?;
        let target = self.find(account, to).await?;
        let mut rest = self.store().uids(inbox.id).await?.map(|(_, uids)| uids).unwrap_or_default();
        while !rest.is_empty() {
            let (slice, after) = rest.split_at(limits::UIDS_PER_COMMIT_MAX);
            self.commit(moving(inbox.id, slice, target.id)).await?;
            rest = after;
        }
        Ok(())
    }

    /// Subscribes to a path or ends that, whether or not there is a mailbox (RFC 3501 §6.3.6).
    ///
    /// # Errors
    /// [`Error::Cannot`] if there are [`limits::MAILBOXES_MAX`] already, the store's.
    pub async fn subscribe(&self, account: i64, path: &MailboxPath, subscribed: bool) -> Result<()> {
        if subscribed && self.store().subscriptions(account).await?.len() >= limits::MAILBOXES_MAX {
            return Err(Error::Cannot("There are too many subscriptions"));
        }
        self.commit(vec![Change::Subscribe { account, path: path.clone(), subscribed }]).await?;
        Ok(())
    }

    /// The mailbox of this path.
    pub(crate) async fn find(&self, account: i64, path: &MailboxPath) -> Result<MailboxRecord> {
        self.store().mailbox_by_path(account, path).await?.ok_or(Error::NoSuchMailbox)
    }

    pub(crate) async fn commit(&self, changes: Vec<Change>) -> Result<store::Receipt> {
        Ok(self.store().commit(Commit { content: Vec::new(), changes }).await?)
    }

    /// Decides over the names as they are, and again if they changed before the commit.
    async fn rearrange(
        &self,
        account: i64,
        decide: impl Fn(&Names<'_>) -> Result<Vec<Change>>,
    ) -> Result<()> {
        let mut attempts = limits::CONFLICTS_MAX;
        loop {
            let mailboxes = self.store().mailboxes(account).await?;
            let changes = decide(&Names::new(account, &mailboxes, self.next_validity(&mailboxes)))?;
            match self.commit(changes).await {
                Err(Error::Store(store::Error::Conflict(_))) if attempts > 0 => attempts -= 1,
                done => return done.map(drop),
            }
        }
    }
}

/// Copies and removes in one commit.
pub(crate) fn moving(from: i64, uids: UidSet, to: i64) -> Vec<Change> {
    vec![
        Change::Copy { from, uids: uids.clone(), to },
        Change::Expunge { mailbox: from, uids, only_deleted: false },
    ]
}

fn listed(account: i64, mailboxes: &[MailboxRecord], subscribed: &BTreeSet<MailboxPath>) -> Vec<Named> {
    let name = |path: &MailboxPath| Named {
        path: path.clone(),
        subscribed: subscribed.contains(path),
        special_use: None,
        no_select: false,
        missing: false,
    };
    let special_use = |record: &MailboxRecord| record.special_use.as_deref()?.parse().ok();
    let mut names: BTreeMap<_, _> = mailboxes
        .iter()
        .map(|record| (&record.path, Named { special_use: special_use(record), ..name(&record.path) }))
        .collect();
    let implied = Names::new(account, mailboxes, 1).implied();
    names.extend(implied.iter().map(|path| (path, Named { no_select: true, ..name(path) })));
    for path in subscribed {
        names.entry(path).or_insert_with(|| Named { missing: true, ..name(path) });
    }
    names.into_values().collect()
}
