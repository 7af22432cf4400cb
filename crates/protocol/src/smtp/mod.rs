//! SMTP and submission, the server's side (RFC 5321, 6409): commands, replies and the session.

mod server;

pub use server::{Answer, Config, Hello, Outcome, Question, Recipient, Sender, ServerSession};
