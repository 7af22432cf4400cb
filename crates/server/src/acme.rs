//! Certificates from an authority that speaks ACME (RFC 8555): ordered, proved, kept, renewed in time.
//!
//! ```text
//! schedule (pure: when) --> order (what is said to the authority) --> kept (in the store) --> shown
//!                               '--> answers (HTTP-01 on port 80, TLS-ALPN-01 on every TLS binding)
//! ```
//!
//! A failure is never followed by another attempt at once: authorities count failures and lock out who has too many. What
//! went wrong, and what helps, stands in `waxseal status` and in the log.

mod answers;
mod failure;
mod fetched;
mod kept;
mod order;
mod schedule;

pub(crate) use answers::Answers;
pub(crate) use failure::Failure;
pub(crate) use kept::{Attempts, Ordered};
pub(crate) use order::Client;
pub(crate) use schedule::{due, renewal};
