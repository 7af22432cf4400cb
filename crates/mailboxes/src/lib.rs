//! What a mailbox is to its reader: the names of an account's mailboxes, an open mailbox and what changed in it, FETCH,
//! SEARCH, flags, copies, APPEND, and the maildrop of POP3.
//!
//! Rules are pure functions over `mail` and the store's records; the async functions above them read, call them, and
//! commit. An account or mailbox is named by its number in the store; whoever calls has made sure that it may.
//!
//! ```text
//! Mailboxes --open--> Open --fetch, search, flags, copy, expunge--> rows, sets, receipts
//!     |---- names: list, create, delete, rename, subscribe
//!     |---- append --push--> Append --finish--> Appended
//!     '---- maildrops: one POP3 session at a time
//! ```

pub mod append;
mod decoding;
mod email;
pub mod error;
mod facts;
pub mod fetch;
pub mod filing;
pub mod limits;
mod look;
pub mod maildrop;
mod names;
mod roll;
pub mod search;
pub mod section;
mod text;
pub mod tree;
pub mod view;
mod weight;
pub mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use store::Store;
use store::read::MailboxRecord;
use tokio::sync::Semaphore;
use world::World;

use facts::Packs;
use roll::Rolls;

pub use append::{Append, Appended};
pub use error::{Error, Result};
pub use fetch::{Form, Piece, Row, Rows, Wanted, Wants};
pub use maildrop::{Maildrop, Maildrops};
pub use tree::{Named, Status};
pub use view::{Changes, Open, Opened};
pub use write::{Copied, Stored};

/// The mailboxes of all accounts. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct Mailboxes {
    store: Store,
    world: World,
    maildrops: Maildrops,
    /// What is kept in memory of mailboxes that are read.
    rolls: Rolls,
    packs: Packs,
    /// The last UIDVALIDITY given out.
    validity: Arc<AtomicU32>,
    /// Octets of emails that may be held while they are searched.
    searching: Arc<Semaphore>,
}

impl Mailboxes {
    /// Over this store. Make one for a process: it knows who reads which maildrop.
    pub fn new(store: Store, world: World) -> Self {
        Self {
            store,
            world,
            maildrops: Maildrops::default(),
            rolls: Rolls::default(),
            packs: Packs::default(),
            validity: Arc::default(),
            searching: Arc::new(Semaphore::new(limits::SEARCHING_OCTETS_MAX as usize)),
        }
    }

    /// The store it reads.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// A UIDVALIDITY greater than any of these and than all given out before. RFC 3501 §2.3.1.1: it must grow when a name
    /// is used again, and the time of creation serves well.
    fn next_validity(&self, mailboxes: &[MailboxRecord]) -> u32 {
        let seconds = u32::try_from(self.world.clock.wall().0 / 1000).unwrap_or(1).max(1);
        let known = mailboxes.iter().map(|record| record.uid_validity.saturating_add(1)).max().unwrap_or(1);
        let least = seconds.max(known);
        let next = |last: u32| Some(least.max(last.saturating_add(1)));
        let last = self.validity.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let last = last.unwrap_or_else(|last| last);
        next(last).unwrap_or(least)
    }

    /// A permit to hold so many octets of an email while it is searched; one that wants more than there is takes all.
    async fn searching_permit(&self, octets: u64) -> tokio::sync::OwnedSemaphorePermit {
        let octets = u32::try_from(octets).unwrap_or(u32::MAX).min(limits::SEARCHING_OCTETS_MAX);
        self.searching.clone().acquire_many_owned(octets).await.expect("never closed")
    }
}
