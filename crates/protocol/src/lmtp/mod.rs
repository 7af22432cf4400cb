//! LMTP (RFC 2033): the last hop, where each recipient has an answer of its own and nobody needs a queue.
//!
//! It is spoken by the sessions of [`smtp`], with a [dialect](smtp::Dialect). What differs:
//!
//! | | SMTP | LMTP |
//! |---|---|---|
//! | greeting (§4.1) | EHLO, HELO | LHLO; the others are not known |
//! | DATA without a recipient (§4.2) | 554 | 503 |
//! | after the final dot (§4.2) | one reply | one for each recipient that was accepted, in the order of RCPT |
//!
//! The client is [`smtp::client::ClientSession`] with [`smtp::Dialect::Lmtp`] in its policy.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use crate::sasl::Seed;
use crate::smtp;

/// The server's side of one LMTP connection; it must not be served on port 25 (§5). [`smtp::Answer::Replies`] is the
/// answer to the end of a content.
///
/// ```
/// # use std::{sync::Arc, time::{Duration, Instant}};
/// use protocol::{Session, Step, lmtp, smtp};
///
/// # let config = Arc::new(smtp::Config {
/// #     host_name: "mx.example.org".into(), banner: "LMTP".into(), message_size_max: 1000, recipients_max: 10,
/// #     timeout: Duration::from_secs(300), starttls: false, tls_required: false,
/// #     auth: protocol::sasl::Offer::NONE, commands: smtp::Commands::STRANGER,
/// #     auth_without_tls: false, auth_required: false, messages_max: 10, keywords: smtp::Keywords::ALL,
/// #     bounds: smtp::Bounds::USUAL,
/// # });
/// # let now = Instant::now();
/// let mut session = lmtp::server_session(config, now, protocol::sasl::Seed([0; 32]));
/// assert_eq!(session.next(), Step::Send("220 mx.example.org LMTP\r\n".into()));
/// session.receive(now, b"EHLO client.example\r\n");
/// assert_eq!(session.next(), Step::Send("500 5.5.1 Command not known\r\n".into()));
/// ```
pub fn server_session(config: Arc<smtp::Config>, now: Instant, seed: Seed) -> smtp::ServerSession {
    smtp::ServerSession::lmtp(config, now, seed)
}
