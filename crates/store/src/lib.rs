//! What is remembered: accounts, emails, queue, journal and content.
//!
//! Writes are values: [`Store::commit`] takes a [`Commit`] and answers with a [`Receipt`] once content and records are on
//! stable storage. One writer serves all who wait with one group commit.

mod apply;
pub mod change;
mod check;
pub mod content;
mod disk;
mod encode;
pub mod error;
mod journal;
pub mod limits;
mod log;
mod maintain;
mod place;
pub mod read;
mod readers;
mod schema;
pub mod segment;
mod sql;
mod stage;
mod store;
mod watch;
mod writer;

pub use change::{
    AccountRef, Applied, Change, Commit, ContentRef, FlagMode, MailboxRef, NewContent, QueueEntry, Receipt,
};
pub use check::{CheckReport, Progress};
pub use content::{ContentId, Orphan, Staged};
pub use disk::{Disk, Faults};
pub use error::{Error, OpenError};
pub use maintain::Maintained;
pub use read::{
    AccountRecord, AliasRecord, DomainRecord, EmailRecord, JournalRecord, MailboxChanges, MailboxRecord,
};
pub use stage::Stager;
pub use store::{Options, Records, Store};
pub use watch::{News, Watch};
