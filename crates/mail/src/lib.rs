//! What mail is: addresses, paths, replies, messages, and the words of mailboxes.
//!
//! Pure: no I/O, no clock, no chance, no logging. Everything that enters from a peer is parsed here once and stays a type.

pub mod address;
pub mod flags;
pub mod ids;
pub mod limits;
pub mod mailbox;
pub mod message;
pub mod path;
pub mod reply;
pub mod search;
pub mod time;
pub mod uid_set;

pub use address::{Address, AddressLiteral, Domain, Host, LocalPart};
pub use flags::Flag;
pub use ids::{ModSeq, QueueId, Uid};
pub use mailbox::MailboxPath;
pub use path::{ForwardPath, ReversePath};
pub use reply::{EnhancedCode, Reply};
pub use search::SearchKey;
pub use time::Timestamp;
pub use uid_set::UidSet;
