//! APPEND (RFC 3501 §6.3.11): content comes in pieces, and is filed durably when it is complete.

use bytes::Bytes;
use mail::{Flag, MailboxPath, Timestamp, Uid};
use store::change::Applied;
use store::{Change, Commit, ContentRef, MailboxRef, NewContent, Stager};

use crate::Mailboxes;
use crate::error::{Error, Result};
use crate::write::gone;

/// An append under way. Dropped, nothing of it remains; so it must be when [`Append::push`] was not waited for.
#[derive(Debug)]
pub struct Append {
    mailboxes: Mailboxes,
    mailbox: i64,
    /// What the log notes beside the content.
    label: Bytes,
    taken: Taken,
}

/// Content so far.
#[derive(Debug)]
enum Taken {
    /// Small enough to travel in the commit.
    Held(Vec<Bytes>),
    /// Written as it arrives.
    Staged(Box<Stager>),
}

/// Where an appended email lies: APPENDUID (RFC 4315 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The mailbox's UIDVALIDITY.
    pub validity: u32,
    /// The email's UID.
    pub uid: Uid,
}

impl Mailboxes {
    /// Begins to append an email of `size` octets. Large content is staged, so that no more than
    /// [`store::limits::INLINE_CONTENT_OCTETS_MAX`] are held.
    ///
    /// # Errors
    /// [`Error::NoSuchMailbox`], the store's.
    pub async fn append(&self, account: i64, path: &MailboxPath, size: u64) -> Result<Append> {
        let mailbox = self.find(account, path).await?;
        let label = Bytes::from(format!("append to mailbox {}", mailbox.id));
        let taken = match size <= store::limits::INLINE_CONTENT_OCTETS_MAX as u64 {
            true => Taken::Held(Vec::new()),
            false => Taken::Staged(Box::new(self.store().stage(label.clone()))),
        };
        Ok(Append { mailboxes: self.clone(), mailbox: mailbox.id, label, taken })
    }
}

impl Append {
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

    /// Files the email; when this returns, it is on stable storage. INTERNALDATE is now if there is no `date`.
    ///
    /// # Errors
    /// [`Error::NoSuchMailbox`] if it was deleted meanwhile, [`Error::Cannot`] if the mailbox would have too many keywords,
    /// the store's.
    pub async fn finish(self, flags: Vec<Flag>, date: Option<Timestamp>) -> Result<Appended> {
        self.mailboxes.room_for_keywords(self.mailbox, &flags).await?;
        let content = match self.taken {
            Taken::Held(pieces) => NewContent::Inline { label: self.label, bytes: joined(pieces) },
            Taken::Staged(stager) => NewContent::Staged(stager.finish().await?),
        };
        let file = Change::File {
            mailbox: MailboxRef::Known(self.mailbox),
            content: ContentRef::New(0),
            prefix: Bytes::new(),
            flags,
            date: date.unwrap_or_else(|| self.mailboxes.world.clock.wall()),
        };
        let commit = Commit { content: vec![content], changes: vec![file] };
        let receipt = self.mailboxes.store().commit(commit).await.map_err(|error| gone(error.into()))?;
        filed(&receipt).ok_or(Error::NoSuchMailbox)
    }
}

fn filed(receipt: &store::Receipt) -> Option<Appended> {
    receipt.results.iter().find_map(|applied| match applied {
        Applied::Filed { uid_validity, uid, .. } => Some(Appended { validity: *uid_validity, uid: *uid }),
        _ => None,
    })
}

fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.len() {
        1 => pieces.remove(0),
        _ => pieces.concat().into(),
    }
}
