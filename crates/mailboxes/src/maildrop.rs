//! The maildrop: INBOX as POP3 sees it, for one session at a time (RFC 1939 §4).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mail::{MailboxPath, Section, Uid, UidSet};

use crate::error::Result;
use crate::fetch::Form;
use crate::view::Open;
use crate::{Mailboxes, limits};

/// Who has which maildrop. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Maildrops(Arc<Mutex<BTreeMap<i64, Use>>>);

/// What is known of an account's maildrop.
#[derive(Debug)]
struct Use {
    held: bool,
    /// When it may be opened again.
    again: Instant,
}

/// Why a maildrop cannot be opened now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// Another session has it (RFC 2449 §8.1.2).
    InUse,
    /// It was opened a moment ago (RFC 2449 §8.1.1).
    TooSoon,
}

/// How often a maildrop may be opened.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The time.
    pub now: Instant,
    /// How long to wait from one opening to the next; zero: not at all.
    pub interval: Duration,
}

/// Holds an account's maildrop until it is dropped.
#[derive(Debug)]
struct Held {
    maildrops: Maildrops,
    account: i64,
}

impl Maildrops {
    fn hold(&self, account: i64, pace: Pace) -> std::result::Result<Held, Busy> {
        let mut uses = self.0.lock().expect("no holder panics");
        match uses.get(&account) {
            Some(Use { held: true, .. }) => return Err(Busy::InUse),
            Some(Use { again, .. }) if pace.now < *again => return Err(Busy::TooSoon),
            _ => {}
        }
        // What nobody has to remember goes: there are never more than held ones and those of one interval.
        uses.retain(|_, used| used.held || pace.now < used.again);
        uses.insert(account, Use { held: true, again: pace.now + pace.interval });
        Ok(Held { maildrops: self.clone(), account })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(used) = self.maildrops.0.lock().expect("no holder panics").get_mut(&self.account) {
            used.held = false;
        }
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
    /// Opens an account's maildrop, unless it is busy.
    ///
    /// # Errors
    /// The store's.
    pub async fn maildrop(&self, account: i64, pace: Pace) -> Result<std::result::Result<Maildrop, Busy>> {
        let held = match self.maildrops.hold(account, pace) {
            Ok(held) => held,
            Err(busy) => return Ok(Err(busy)),
        };
        let (open, opened) = self.open(account, &MailboxPath::inbox()).await?;
        let emails = sizes(&open, opened.uids).await?;
        Ok(Ok(Maildrop { open, emails, _held: held }))
    }
}

async fn sizes(open: &Open, uids: UidSet) -> Result<Vec<(Uid, u64)>> {
    let uids: Vec<_> = uids.iter().collect();
    let mut sizes = Vec::with_capacity(uids.len());
    for some in uids.chunks(limits::ANSWER_ROWS_MAX) {
        let facts = open.facts(some).await?;
        sizes.extend(facts.iter().flatten().map(|facts| (facts.uid, facts.size)));
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

    const MINUTE: Duration = Duration::from_secs(60);

    fn hold(maildrops: &Maildrops, account: i64, now: Instant, interval: Duration) -> Option<Busy> {
        maildrops.hold(account, Pace { now, interval }).err()
    }

    #[test]
    fn a_maildrop_is_held_once_and_released_on_drop() {
        let (maildrops, now) = (Maildrops::default(), world::Clock::Real.now());
        let first = maildrops.hold(1, Pace { now, interval: Duration::ZERO }).unwrap();
        assert_eq!(hold(&maildrops.clone(), 1, now, Duration::ZERO), Some(Busy::InUse));
        assert_eq!(hold(&maildrops, 2, now, Duration::ZERO), None);
        drop(first);
        assert_eq!(hold(&maildrops, 1, now, Duration::ZERO), None);
    }

    #[test]
    fn a_maildrop_is_not_opened_too_often() {
        let (maildrops, now) = (Maildrops::default(), world::Clock::Real.now());
        for (account, after, expected) in [
            (1, 0, None),
            (1, 59, Some(Busy::TooSoon)),
            (2, 59, None),
            (1, 60, None),
            (1, 61, Some(Busy::TooSoon)),
            (1, 120, None),
        ] {
            let now = now + Duration::from_secs(after);
            assert_eq!(hold(&maildrops, account, now, MINUTE), expected, "{account} after {after} s");
        }
        assert_eq!(maildrops.0.lock().unwrap().len(), 1, "what is over is forgotten");
    }
}
