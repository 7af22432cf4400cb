//! A tap on a connection: whoever keeps a protocol log is told what is said, line by line, and what happens between.
//!
//! The session decides what of a line may be known ([`protocol::Session::overheard`]); the tap is told of it when it
//! happens. A connection without a tap notes nothing.

use std::fmt;

use protocol::{End, Overheard, TlsFacts};

/// Is told of one connection. It is called between two inputs of the session, so it must not block.
pub struct Tap(Box<dyn Fn(Event<'_>) + Send + Sync>);

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The connection is served from now on.
    Connected,
    /// A handshake succeeded.
    Secured(&'a TlsFacts),
    /// A handshake failed; the connection ends.
    HandshakeFailed,
    /// A line was said.
    Said(&'a Overheard),
    /// The connection is over.
    Ended(End),
}

impl Tap {
    /// A tap that calls this.
    pub fn new(tell: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Box::new(tell))
    }

    /// Tells it.
    pub fn tell(&self, event: Event<'_>) {
        (self.0)(event);
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}
