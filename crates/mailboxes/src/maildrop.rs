//! The maildrop: INBOX as POP3 sees it, for one session at a time (RFC 1939 §4).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use mail::{MailboxPath, Section, Uid, UidSet};

use crate::error::Result;
use crate::fetch::Form;
use crate::view::{Open, after};
use crate::{Mailboxes, limits};

/// Who has which maildrop. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Maildrops(Arc<Mutex<BTreeSet<i64>>>);

/// Holds an account's maildrop until it is dropped.
#[derive(Debug)]
struct Held {
    maildrops: Maildrops,
    account: i64,
}

impl Maildrops {
    /// `None`: somebody has it.
    fn hold(&self, account: i64) -> Option<Held> {
        let free = self.0.lock().expect("no holder panics").insert(account);
        free.then(|| Held { maildrops: self.clone(), account })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.maildrops.0.lock().expect("no holder panics").remove(&self.account);
    }
}

/// An open maildrop, as it was when it was opened. Nobody else has it until it is dropped.
#[derive(Debug)]
pub struct Maildrop {
    open: Open,
    emails: Vec<(Uid, u64)>,
    _held: Held,
}

impl Mailboxes {
    /// Opens an account's maildrop. `None`: another session has it.
    ///
    /// # Errors
    /// The store's.
    pub async fn maildrop(&self, account: i64) -> Result<Option<Maildrop>> {
        let Some(held) = self.maildrops.hold(account) else { return Ok(None) };
        let (open, opened) = self.open(account, &MailboxPath::inbox()).await?;
        let emails = sizes(&open, opened.uids).await?;
        Ok(Some(Maildrop { open, emails, _held: held }))
    }
}

async fn sizes(open: &Open, mut uids: UidSet) -> Result<Vec<(Uid, u64)>> {
    let mut sizes = Vec::new();
    while !uids.is_empty() {
        let records = open.store().emails(open.mailbox(), &uids, limits::ANSWER_ROWS_MAX).await?;
        let Some(last) = records.last() else { break };
        uids = uids.intersection(&after(last.uid));
        sizes.extend(records.iter().map(|record| (record.uid, record.size)));
    }
    Ok(sizes)
}

impl Maildrop {
    /// UIDVALIDITY, the first half of each unique-id.
    pub fn validity(&self) -> u32 {
        self.open.validity()
    }

    /// Its emails and their octets, oldest first.
    pub fn emails(&self) -> &[(Uid, u64)] {
        &self.emails
    }

    /// Content of an email from `offset` on, at most 64 KiB; empty at and after its end, or if it is gone.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(&self, uid: Uid, offset: u64) -> Result<Bytes> {
        self.open.read(uid, (&Section::default(), Form::Raw), offset).await
    }

    /// Removes these, durably: the UPDATE state (RFC 1939 §6).
    ///
    /// # Errors
    /// The store's. What is left can be removed by asking again.
    pub async fn remove(&self, uids: impl IntoIterator<Item = Uid>) -> Result<()> {
        self.open.remove(uids.into_iter().collect(), false).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maildrop_is_held_once_and_released_on_drop() {
        let maildrops = Maildrops::default();
        let first = maildrops.hold(1).unwrap();
        assert!(maildrops.clone().hold(1).is_none());
        assert!(maildrops.hold(2).is_some());
        drop(first);
        assert!(maildrops.hold(1).is_some());
    }
}
