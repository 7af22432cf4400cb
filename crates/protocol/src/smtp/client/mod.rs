//! The client's side of SMTP and LMTP: our own deliveries (RFC 5321, 2920, 3207, 1870, 6152, 4954, 2033, 3461, 6531, 3030,
//! 9422).
//!
//! ```text
//! banner ──► EHLO ──► STARTTLS ──► EHLO ──► AUTH ──► Question::Next ──► QUIT
//!                                                    │         ▲
//!                                      Transaction   ▼         │  Question::Report
//!                                 (RSET) MAIL RCPT... DATA, content, "." or BDAT
//! ```
//!
//! What can be sent together is (RFC 2920). Each recipient gets an [`Outcome`] of its own, with what was said and where;
//! nothing is taken for delivered but by a 2yz after the final dot.

mod content;
mod diagnostic;
mod dialogue;
mod interface;
mod limits;
mod offers;
mod replies;
mod session;
#[cfg(test)]
mod tests;
mod transaction;

pub use content::{ContentFacts, Survey};
pub use diagnostic::{Cause, Diagnostic, Outcome, Stage};
pub use dialogue::{Said, Speaker};
pub use interface::{
    Answer, Greeting, Policy, Question, Recipient, Report, SignInAs, Summary, Tls, Transaction,
};
pub use offers::Offers;
pub use session::ClientSession;
