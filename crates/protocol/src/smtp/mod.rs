//! SMTP, submission and LMTP (RFC 5321, 6409, 2033): commands, replies and the server's session; in [`client`] the other
//! side.
//!
//! ```text
//! line ──► command ──► parameters          parsing, pure
//!            │
//! session ◄──┘ ──► extensions, replies     what is allowed now, what is asked, what is said
//!   │
//!   ├──► content                            after DATA: dots removed, the true end found
//!   └──► chunks                             after BDAT: octets by their number
//! ```

mod chunks;
pub mod client;
mod command;
mod content;
mod dialect;
mod extensions;
mod help;
mod introductions;
mod overheard;
mod parameters;
mod replies;
mod server;
mod session;
mod switches;
#[cfg(test)]
pub(crate) mod tests;

pub use dialect::Dialect;
pub use introductions::{Client, Forwarded, Said};
pub use server::{
    Answer, Config, Etrn, Hello, Hop, Introduced, Lookup, Outcome, Question, Recipient, Sender,
};
pub use session::ServerSession;
pub use switches::{Bounds, Commands, Errors, Keywords};
