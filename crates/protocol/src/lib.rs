//! How mail is spoken: the session contract, the SMTP, LMTP, POP3 and IMAP servers, and the SMTP and LMTP client.
//!
//! Pure: no I/O, no clock, no chance, no logging.

pub mod imap;
pub mod limits;
pub mod lines;
pub mod lmtp;
pub mod misuse;
pub mod overheard;
pub mod pop3;
pub mod sasl;
pub mod session;
pub mod smtp;
pub mod turned_away;

pub use overheard::{Overheard, Speaker};
pub use session::{ClientCertificate, End, Session, Step, TlsFacts, Upgrade};
