//! SMTP and submission, the server's side (RFC 5321, 6409): commands, replies and the session.
//!
//! ```text
//! line ──► command ──► parameters          parsing, pure
//!            │
//! session ◄──┘ ──► extensions, replies     what is allowed now, what is asked, what is said
//!   │
//!   └──► content                            after DATA: dots removed, the true end found
//! ```

mod command;
mod content;
mod extensions;
mod parameters;
mod replies;
mod server;
mod session;
#[cfg(test)]
mod tests;

pub use server::{Answer, Config, Hello, Outcome, Question, Recipient, Sender};
pub use session::ServerSession;
