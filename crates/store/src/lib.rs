//! What is remembered: accounts, emails, queue, journal and content.
//!
//! Writes are values: [`Store::commit`] takes a [`Commit`] and answers with a [`Receipt`] once content and records are on
//! stable storage. One writer serves all who wait with one group commit.

pub mod change;
pub mod content;
pub mod error;
pub mod limits;
pub mod read;

pub use change::{AccountRef, Change, Commit, ContentRef, MailboxRef, NewContent, Receipt};
pub use content::{ContentId, Staged};
pub use error::Error;
