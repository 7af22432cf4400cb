//! SMTP, submission and LMTP: the application's side. Questions of the session become facts, judgements and one commit.
//!
//! ```text
//! Sender    -> Transaction::open      facts, judgement
//! Recipient -> Transaction::recipient directory, judgement
//! Begin     -> a permit of the process-wide budget
//! Chunk     -> Spool                  in memory while small, staged in the store above that
//! Finish    -> judgement, queue::accept, store.commit, and only then 250; in LMTP for each recipient
//! ```

pub(crate) mod account;
mod client;
mod etrn;
mod handler;
mod header;
pub(crate) mod label;
mod lmtp;
mod notice;
pub(crate) mod rates;
mod spool;
pub(crate) mod submit;
pub(crate) mod switches;
mod transaction;
mod verbose;

pub(crate) use handler::SmtpHandler;
