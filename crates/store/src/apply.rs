//! Applies commits to the records, inside one transaction.
//!
//! What a batch changes again and again (the tallies of a mailbox, the references of a content) is read once, kept in
//! [`Books`] and written once at the end. Statements therefore never read those columns but through the books.

mod accounts;
mod books;
mod destinations;
mod directory;
mod emails;
mod kept;
mod mailboxes;
mod queue;

pub(crate) use books::{Books, Touched};
pub(crate) use emails::Happened;

use mail::Timestamp;

use crate::change::{AccountRef, Applied, Change, Commit, ContentRef};
use crate::content::ContentId;
use crate::sql::Sql;
use crate::{Error, Receipt};

/// Content of a commit that lies in the log already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) id: ContentId,
    /// Octets.
    pub(crate) size: u64,
    /// Octets of its records in the segment, where it ends.
    pub(crate) end: u64,
}

/// A transaction that is under way.
pub(crate) struct Apply<'a> {
    pub(crate) sql: &'a mut dyn Sql,
    pub(crate) books: Books,
    /// When content is freed, if it is.
    pub(crate) now: Timestamp,
}

/// What the changes of one commit may refer to.
struct Scope<'a> {
    content: &'a [Placed],
    results: Vec<Applied>,
}

impl Scope<'_> {
    fn made(&self, change: usize) -> Result<i64, Error> {
        match self.results.get(change) {
            Some(Applied::Made(id)) => Ok(*id),
            _ => Err(Error::Conflict(format!("change {change} of this commit made nothing"))),
        }
    }

    fn account(&self, account: AccountRef) -> Result<i64, Error> {
        match account {
            AccountRef::New(change) => self.made(change),
            AccountRef::Known(id) => Ok(id),
        }
    }

    fn content(&self, content: ContentRef) -> Result<ContentId, Error> {
        match content {
            ContentRef::Known(id) => Ok(id),
            ContentRef::New(index) => match self.content.get(index) {
                Some(placed) => Ok(placed.id),
                None => Err(Error::Conflict(format!("the commit has no content {index}"))),
            },
        }
    }
}

impl Apply<'_> {
    /// Applies one commit. After an error the transaction must be rolled back as far as this commit reached, and the
    /// books with it.
    pub(crate) fn commit(&mut self, commit: &Commit, content: &[Placed]) -> Result<Receipt, Error> {
        for placed in content {
            self.add_content(*placed)?;
        }
        let mut scope = Scope { content, results: Vec::with_capacity(commit.changes.len()) };
        for change in &commit.changes {
            let applied = self.change(&scope, change)?;
            scope.results.push(applied);
        }
        Ok(Receipt { results: scope.results, content: content.iter().map(|placed| placed.id).collect() })
    }

    fn change(&mut self, scope: &Scope<'_>, change: &Change) -> Result<Applied, Error> {
        match change {
            Change::AddDomain { .. }
            | Change::RemoveDomain { .. }
            | Change::AddAccount { .. }
            | Change::SetSecret { .. }
            | Change::SetScram { .. }
            | Change::RemoveAccount { .. }
            | Change::AddAlias { .. }
            | Change::RemoveAlias { .. }
            | Change::AddDkimKey { .. }
            | Change::RemoveDkimKey { .. }
            | Change::AddAliasDomain { .. } => self.directory(change),
            Change::SetCram { account, secret, cram } => {
                let account = scope.account(*account)?;
                self.set_cram(account, secret, cram)
            }
            Change::AddAppPassword { .. }
            | Change::RemoveAppPassword { .. }
            | Change::UseAppPassword { .. }
            | Change::AddSendAs { .. }
            | Change::RemoveSendAs { .. }
            | Change::AddCertificate { .. }
            | Change::RemoveCertificate { .. } => self.rights(change),
            Change::CountSending { .. }
            | Change::Correspond { .. }
            | Change::HoldAccount { .. }
            | Change::ReleaseAccount { .. }
            | Change::NoteHeld { .. }
            | Change::ForgetHeld { .. } => self.sending(change),
            Change::Ban { .. }
            | Change::Unban { .. }
            | Change::AddRevision { .. }
            | Change::Keep { .. }
            | Change::Forget { .. } => self.kept(change),
            Change::AddMailbox { .. }
            | Change::RemoveMailbox { .. }
            | Change::RenameMailbox { .. }
            | Change::Subscribe { .. } => self.mailbox(scope, change),
            Change::File { .. } | Change::Copy { .. } | Change::SetFlags { .. } | Change::Expunge { .. } => {
                self.emails(scope, change)
            }
            Change::Enqueue(_)
            | Change::Settle { .. }
            | Change::Hold { .. }
            | Change::Expedite { .. }
            | Change::Doom { .. } => self.queue(scope, change),
            Change::Lease { .. } | Change::Release { .. } | Change::HoldDestination { .. } => {
                self.destination(change)
            }
            Change::Explain { queue_id, at, story } => self.explain(*queue_id, *at, story),
        }
    }
}
