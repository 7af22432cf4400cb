//! STORE, COPY, MOVE and EXPUNGE in an open mailbox (RFC 3501 §6.4, RFC 4315, RFC 6851).

use std::collections::BTreeSet;
use std::sync::Arc;

use mail::{Flag, MailboxPath, ModSeq, UidSet};
use store::Change;
use store::change::{Applied, FlagMode};

use crate::error::{Error, Result};
use crate::fetch::Row;
use crate::roll::Roll;
use crate::tree::moving;
use crate::view::Open;
use crate::{Mailboxes, limits};

/// What was copied, pairwise and ascending: COPYUID (RFC 4315 §3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copied {
    /// UIDVALIDITY of the target.
    pub validity: u32,
    /// The emails that were there.
    pub source: UidSet,
    /// Their copies.
    pub target: UidSet,
}

/// What STORE did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stored {
    /// Those that were asked for and are there, as they are now, but for `modified`.
    pub rows: Vec<Row>,
    /// Left as they are, because they changed meanwhile.
    pub modified: UidSet,
}

impl Open {
    /// Sets, adds or removes flags of these emails, and gives them as they are afterwards. Emails that changed after
    /// `unchanged_since` are left as they are (RFC 7162 §3.1.3).
    ///
    /// # Errors
    /// [`Error::Cannot`] if the mailbox would have too many keywords, the store's. More than
    /// [`limits::FLAGS_PER_COMMIT_MAX`] emails are changed in several commits, of which the first may have been done.
    pub async fn set_flags(
        &self,
        uids: &UidSet,
        (mode, flags): (FlagMode, &[Flag]),
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored> {
        if mode != FlagMode::Remove {
            self.mailboxes().room_for_keywords((self.account(), self.mailbox()), flags).await?;
        }
        let Some(mut roll) = self.roll().await? else { return Ok(Stored::default()) };
        let known = roll.uids.intersection(uids);
        let (mut rest, mut modified) = (known.clone(), UidSet::default());
        while !rest.is_empty() {
            let (slice, after) = rest.split_at(limits::FLAGS_PER_COMMIT_MAX);
            let change = self.flagging(slice, (mode, flags.to_vec()), unchanged_since);
            let receipt = self.mailboxes().commit(vec![change]).await?;
            if let Some(Applied::Flagged { written, skipped, modseq, .. }) =
                receipt.results.into_iter().next()
            {
                modified = modified.union(&skipped);
                roll = self.follow(roll, (mode, flags), (&written, modseq));
            }
            rest = after;
        }
        let rows = self.flag_rows(&known.difference(&modified)).await?;
        Ok(Stored { rows, modified })
    }

    /// The roll after a change of ours, if that can be told without reading the mailbox.
    fn follow(
        &self,
        roll: Arc<Roll>,
        (mode, flags): (FlagMode, &[Flag]),
        (written, modseq): (&UidSet, ModSeq),
    ) -> Arc<Roll> {
        let (bits, keywords) = Flag::to_bits(flags);
        if mode == FlagMode::Set || !keywords.is_empty() {
            return roll;
        }
        let Some(after) = roll.flagging(written, (mode == FlagMode::Add, bits), modseq) else { return roll };
        let after = Arc::new(after);
        self.mailboxes().keep_roll(self.mailbox(), &after);
        after
    }

    /// Flags and mod-sequences of those of these emails that are there now, ascending.
    pub(crate) async fn flag_rows(&self, uids: &UidSet) -> Result<Vec<Row>> {
        let Some(roll) = self.roll().await? else { return Ok(Vec::new()) };
        let entries = roll.select(uids, ModSeq(0), usize::MAX).into_iter();
        Ok(entries.map(|entry| Row::new(entry.uid, entry.modseq, roll.flags(entry))).collect())
    }

    /// The UIDs that are there now; none if the mailbox was removed.
    async fn uids(&self) -> Result<UidSet> {
        Ok(self.roll().await?.map(|roll| roll.uids.clone()).unwrap_or_default())
    }

    /// Copies emails, with flags and dates, all or none (RFC 3501 §6.4.7).
    ///
    /// # Errors
    /// [`Error::NoSuchMailbox`] of the target, the store's.
    pub async fn copy(&self, uids: &UidSet, to: &MailboxPath) -> Result<Copied> {
        let target = self.mailboxes().find(self.account(), to).await?;
        let copy = Change::Copy { from: self.mailbox(), uids: uids.clone(), to: target.id };
        let mut copied = Copied { validity: target.uid_validity, ..Copied::default() };
        copied.add(self.mailboxes().commit(vec![copy]).await.map_err(gone)?);
        Ok(copied)
    }

    /// Moves emails: each is here or there, never in both or in none (RFC 6851 §3.3). Within this mailbox they get new UIDs,
    /// as by COPY (RFC 6851 §3.3 allows what COPY may do).
    ///
    /// # Errors
    /// [`Error::NoSuchMailbox`] of the target, the store's. Many emails are moved in
    /// several commits, of which the first may have been done.
    pub async fn move_to(&self, uids: &UidSet, to: &MailboxPath) -> Result<Copied> {
        let target = self.mailboxes().find(self.account(), to).await?;
        let mut copied = Copied { validity: target.uid_validity, ..Copied::default() };
        let mut rest = uids.intersection(&self.uids().await?);
        while !rest.is_empty() {
            let (slice, after) = rest.split_at(limits::UIDS_PER_COMMIT_MAX);
            copied
                .add(self.mailboxes().commit(moving(self.mailbox(), slice, target.id)).await.map_err(gone)?);
            rest = after;
        }
        Ok(copied)
    }

    /// Removes the emails with `\Deleted`, among these if some are named (RFC 4315 §2.1).
    ///
    /// # Errors
    /// The store's. What is left can be removed by asking again.
    pub async fn expunge(&self, among: Option<&UidSet>) -> Result<()> {
        let roll = self.roll().await?;
        let deleted = roll.map(|roll| roll.flagged(&Flag::Deleted)).unwrap_or_default();
        let gone = among.map_or_else(|| deleted.clone(), |among| deleted.intersection(among));
        self.remove(gone, true).await
    }

    /// Removes these emails; without `only_deleted` whatever their flags (RFC 1939 §6).
    pub(crate) async fn remove(&self, mut uids: UidSet, only_deleted: bool) -> Result<()> {
        while !uids.is_empty() {
            let (slice, after) = uids.split_at(limits::UIDS_PER_COMMIT_MAX);
            let expunge = Change::Expunge { mailbox: self.mailbox(), uids: slice, only_deleted };
            self.mailboxes().commit(vec![expunge]).await?;
            uids = after;
        }
        Ok(())
    }

    /// Adds one flag to at most [`limits::ANSWER_ROWS_MAX`] emails.
    pub(crate) async fn add_flag(&self, uids: UidSet, flag: Flag) -> Result<()> {
        self.mailboxes().commit(vec![self.flagging(uids, (FlagMode::Add, vec![flag]), None)]).await?;
        Ok(())
    }

    fn flagging(
        &self,
        uids: UidSet,
        (mode, flags): (FlagMode, Vec<Flag>),
        unless_modified_after: Option<ModSeq>,
    ) -> Change {
        Change::SetFlags { mailbox: self.mailbox(), uids, mode, flags, unless_modified_after }
    }
}

impl Mailboxes {
    /// Whether a mailbox may have these flags beside those in use.
    ///
    /// # Errors
    /// [`Error::Cannot`] if it would have more than [`limits::KEYWORDS_MAX`] keywords, the store's.
    pub(crate) async fn room_for_keywords(
        &self,
        (account, mailbox): (i64, i64),
        flags: &[Flag],
    ) -> Result<()> {
        if !flags.iter().any(|flag| matches!(flag, Flag::Keyword(_))) {
            return Ok(());
        }
        let known = self.roll((account, mailbox)).await?.map(|roll| roll.keywords()).unwrap_or_default();
        let new: BTreeSet<_> =
            flags.iter().filter(|flag| matches!(flag, Flag::Keyword(_)) && !known.contains(flag)).collect();
        if !new.is_empty() && known.len() + new.len() > limits::KEYWORDS_MAX {
            return Err(Error::Cannot("There are too many keywords"));
        }
        Ok(())
    }
}

impl Copied {
    fn add(&mut self, receipt: store::Receipt) {
        for applied in receipt.results {
            if let Applied::Copied { uid_validity, source, target } = applied {
                self.validity = uid_validity;
                self.source = self.source.union(&source);
                self.target = self.target.union(&target);
            }
        }
    }
}

/// A commit that needs nothing but mailboxes conflicts if one of them was removed meanwhile.
pub(crate) fn gone(error: Error) -> Error {
    match error {
        Error::Store(store::Error::Conflict(_)) => Error::NoSuchMailbox,
        other => other,
    }
}
