//! APPEND (RFC 3501 §6.3.11, RFC 3502): content comes in pieces; one email or many are filed durably, in one commit.

use bytes::Bytes;
use mail::{Flag, MailboxPath, Timestamp, UidSet};
use store::change::Applied;
use store::{Change, Commit, ContentRef, MailboxRef, NewContent, Stager};

use crate::error::{Error, Result};
use crate::write::gone;
use crate::{Mailboxes, limits};

/// An append under way. Dropped, nothing of it remains; so it must be when [`Append::push`] was not waited for.
#[derive(Debug)]
pub struct Append {
    mailboxes: Mailboxes,
    account: i64,
    mailbox: i64,
    /// What the log notes beside the content.
    label: Bytes,
    taken: Taken,
    /// Emails of the same command that are complete.
    complete: Vec<Complete>,
    /// Octets of those that are held in memory.
    held: usize,
}

/// Content so far.
#[derive(Debug)]
enum Taken {
    /// Small enough to travel in the commit.
    Held(Vec<Bytes>),
    /// Written as it arrives.
    Staged(Box<Stager>),
}

/// An email that waits for those after it.
#[derive(Debug)]
struct Complete {
    content: NewContent,
    flags: Vec<Flag>,
    date: Timestamp,
}

/// Where appended emails lie: APPENDUID (RFC 4315 §3, RFC 3502 §6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The mailbox's UIDVALIDITY.
    pub validity: u32,
    /// The emails' UIDs, ascending in the order of the command.
    pub uids: UidSet,
}

impl Mailboxes {
    /// Begins to append an email of `size` octets. Large content is staged, so that no more than
    /// [`store::limits::INLINE_CONTENT_OCTETS_MAX`] are held, and [`limits::APPEND_HELD_OCTETS_MAX`] of many.
    ///
    /// # Errors
    /// [`Error::NoSuchMailbox`], the store's.
    pub async fn append(&self, account: i64, path: &MailboxPath, size: u64) -> Result<Append> {
        let mailbox = self.find(account, path).await?;
        let mut append = Append {
            mailboxes: self.clone(),
            account,
            mailbox: mailbox.id,
            label: Bytes::from(format!("append to mailbox {}", mailbox.id)),
            taken: Taken::Held(Vec::new()),
            complete: Vec::new(),
            held: 0,
        };
        append.take(size);
        Ok(append)
    }
}

impl Append {
    fn take(&mut self, size: u64) {
        let held = size.saturating_add(self.held as u64);
        let fits = size <= store::limits::INLINE_CONTENT_OCTETS_MAX as u64
            && held <= limits::APPEND_HELD_OCTETS_MAX as u64;
        self.taken = match fits {
            true => Taken::Held(Vec::new()),
            false => Taken::Staged(Box::new(self.mailboxes.store().stage(self.label.clone()))),
        };
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// The store's.
    pub async fn push(&mut self, piece: Bytes) -> Result<()> {
        match &mut self.taken {
            Taken::Held(pieces) => pieces.push(piece),
            Taken::Staged(stager) => stager.write(piece).await?,
        }
        Ok(())
    }

    /// The email is complete; it waits for those that follow. INTERNALDATE is now if there is no `date`.
    ///
    /// # Errors
    /// [`Error::Cannot`] if there are more than [`limits::APPENDED_TOGETHER_MAX`], the store's; drop it then.
    pub async fn next(&mut self, flags: Vec<Flag>, date: Option<Timestamp>) -> Result<()> {
        if self.complete.len() >= limits::APPENDED_TOGETHER_MAX {
            return Err(Error::Cannot("There are too many emails in one APPEND"));
        }
        let content = match std::mem::replace(&mut self.taken, Taken::Held(Vec::new())) {
            Taken::Held(pieces) => {
                let bytes = joined(pieces);
                self.held += bytes.len();
                NewContent::Inline { label: self.label.clone(), bytes }
            }
            Taken::Staged(stager) => NewContent::Staged(stager.finish().await?),
        };
        let date = date.unwrap_or_else(|| self.mailboxes.world.clock.wall());
        self.complete.push(Complete { content, flags, date });
        Ok(())
    }

    /// Octets of complete emails that it holds in memory.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Begins another email of the same command, of `size` octets.
    pub fn another(&mut self, size: u64) {
        self.take(size);
    }

    /// The last email is complete: files all of them, or none; when this returns, they are on stable storage. INTERNALDATE
    /// is now if there is no `date`.
    ///
    /// # Errors
    /// [`Error::NoSuchMailbox`] if it was deleted meanwhile, [`Error::Cannot`] if the mailbox would have too many keywords
    /// or there are too many emails, the store's.
    pub async fn finish(mut self, flags: Vec<Flag>, date: Option<Timestamp>) -> Result<Appended> {
        self.next(flags, date).await?;
        let flags: Vec<_> = self.complete.iter().flat_map(|email| email.flags.clone()).collect();
        self.mailboxes.room_for_keywords((self.account, self.mailbox), &flags).await?;
        let commit = commit(self.mailbox, self.complete);
        let receipt = self.mailboxes.store().commit(commit).await.map_err(|error| gone(error.into()))?;
        filed(&receipt).ok_or(Error::NoSuchMailbox)
    }
}

fn commit(mailbox: i64, emails: Vec<Complete>) -> Commit {
    let mut commit = Commit::default();
    for (number, email) in emails.into_iter().enumerate() {
        commit.content.push(email.content);
        commit.changes.push(Change::File {
            mailbox: MailboxRef::Known(mailbox),
            content: ContentRef::New(number),
            prefix: Bytes::new(),
            flags: email.flags,
            date: email.date,
        });
    }
    commit
}

fn filed(receipt: &store::Receipt) -> Option<Appended> {
    let mut appended = None;
    for applied in &receipt.results {
        if let Applied::Filed { uid_validity, uid, .. } = applied {
            let new = || Appended { validity: *uid_validity, uids: UidSet::new() };
            appended.get_or_insert_with(new).uids.insert(*uid);
        }
    }
    appended
}

fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.len() {
        1 => pieces.remove(0),
        _ => pieces.concat().into(),
    }
}
