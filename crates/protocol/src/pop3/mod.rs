//! POP3, the server's side (RFC 1939, 2449 CAPA, 2595 STLS): commands, replies and the session.

mod server;

pub use server::{Answer, Config, Listing, Outcome, Question, ServerSession};
