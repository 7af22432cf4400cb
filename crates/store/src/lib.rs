//! What is remembered: accounts, emails, queue, journal and content.
//!
//! Writes are values: [`Store::commit`] takes a [`Commit`] and answers with a [`Receipt`] once content and records are on
//! stable storage. One writer serves all who wait with one group commit:
//!
//! ```text
//! commit ─► writer ─► log        content of all who wait: one write, one fdatasync of its segment
//!                  ─► apply ─► sql   their changes: one transaction, one sync of SQLite's write-ahead log
//!                  ─► receipts, then news to watchers
//! ```
//!
//! Content comes first: a crash leaves at worst content that no record names ([`Store::orphans`]). Reads go past the
//! writer, on connections of their own; none outlives one call.
//!
//! The queue is rows of deliveries and rows of destinations. A node leases a destination, draws what is due there, and
//! settles each delivery under the guard of its lease; so of two nodes one at most settles it:
//!
//! ```text
//! Enqueue ─► waits ─► queue_survey ─► Lease ─► queue_draw ─► (attempt) ─► Settle ─► gone, or waits with who is left
//!                                     Release when nothing is due ◄──────────┘
//! ```
//!
//! SQL lives in this crate alone, in one text for SQLite and PostgreSQL.

// What callers say and hear.
pub mod change;
pub mod content;
pub mod error;
pub mod limits;
pub mod read;

// The way of a commit.
mod store;

mod stage;

mod writer;

mod apply;

mod watch;

// Content.
mod disk;
mod log;
pub mod segment;

// Records.
mod encode;
mod readers;
mod room;
mod schema;
mod sql;

// What is done now and then.
mod check;
mod journal;
mod maintain;

mod place;

// Beside it.
pub mod files;

pub use change::{
    AccountRef, Applied, Change, Commit, ContentRef, DOOMED, FlagMode, MailboxRef, NewContent, QueueEntry,
    QueuedRecipient, Receipt, Rest,
};
pub use check::{CheckReport, Progress};
pub use content::{ContentId, Orphan, Staged};
pub use disk::{Disk, Faults};
pub use error::{Error, OpenError};
pub use maintain::Maintained;
pub use read::{
    AccountRecord, AliasRecord, AppPasswordRecord, BanRecord, DestinationRow, DestinationSummary,
    DkimKeyRecord, DomainRecord, Draw, EmailRecord, FlagChanges, FlagRow, HoldRecord, JournalRecord,
    MailboxChanges, MailboxRecord, RevisionRecord, SendingRecord,
};
pub use stage::Stager;
pub use store::{Options, Records, Store};
pub use watch::{News, Watch};
