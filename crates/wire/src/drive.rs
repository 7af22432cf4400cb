//! Joins one session to one stream. The same loop serves SMTP, LMTP, POP3, IMAP and ManageSieve.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use protocol::Session;

/// How a question is decided: at once, or later.
pub enum Decision<A> {
    /// Known already; costs nothing.
    Now(A),
    /// The driver polls it beside input, news and deadline, and drops it when the connection closes. A commit once
    /// handed to the store goes on without it.
    Later(Pin<Box<dyn Future<Output = A> + Send>>),
}

/// The application's side of one connection.
pub trait Handler<S: Session>: Send {
    /// Decides a question. What a later decision needs it takes with it (shared state is in `Arc`s).
    fn decide(&mut self, question: S::Question) -> Decision<S::Answer>;

    /// Ready when there is news for the session. Polled whenever the driver waits.
    fn poll_news(&mut self, _cx: &mut Context<'_>) -> Poll<S::News> {
        Poll::Pending
    }

    /// The connection is over.
    fn ended(&mut self, _outcome: S::Outcome, _end: protocol::End) {}
}
