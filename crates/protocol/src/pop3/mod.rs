//! POP3, the server's side (RFC 1939, 2449 CAPA, 2595 STLS): commands, replies and the session.
//!
//! ```text
//! AUTHORIZATION ──USER, PASS──► TRANSACTION ──QUIT──► UPDATE
//! ```
//!
//! Emails that DELE marks are removed by QUIT and by nothing else: a connection that is cut removes nothing.

mod command;
mod limits;
mod maildrop;
mod multiline;
mod overheard;
mod server;
mod session;

pub use server::{Answer, Config, Listing, Outcome, Question};
pub use session::ServerSession;
