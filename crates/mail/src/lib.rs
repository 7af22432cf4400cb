//! What mail is: addresses, paths, replies, messages, and the words of mailboxes.
//!
//! Pure: no I/O, no clock, no chance, no logging. Everything that enters from a peer is parsed here once and stays a type.

pub mod address;
pub mod charset;
pub mod flags;
pub mod ids;
pub mod limits;
pub mod mailbox;
pub mod message;
pub mod parameters;
pub mod path;
pub mod printable;
pub mod reply;
pub mod search;
pub mod section;
pub mod special_use;
pub mod time;
pub mod uid_set;

pub use address::{Address, AddressError, AddressLiteral, Domain, Host, LocalPart};
pub use flags::{Flag, FlagError};
pub use ids::{ModSeq, QueueId, Uid};
pub use mailbox::{MailboxPath, MailboxPathError};
pub use parameters::{BodyType, MessageParameters, Notify, OriginalRecipient, RecipientParameters, Return};
pub use path::{ForwardPath, PathError, ReversePath};
pub use printable::printable;
pub use reply::{EnhancedCode, Reply};
pub use search::SearchKey;
pub use section::{Section, SectionText};
pub use special_use::SpecialUse;
pub use time::{DateField, Timestamp};
pub use uid_set::UidSet;
