//! The one contract every line protocol keeps: bytes, answers, news and time go in; steps come out.
//!
//! A session performs no I/O and reads no clock, so it can be tested, fuzzed and simulated by calling it. The driver
//! (`wire::drive`) joins one session to one stream; the application decides its questions.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::overheard::Overheard;

/// A protocol state machine, for one connection.
///
/// After every input the driver calls [`next`](Session::next) until it returns [`Step::Await`] or [`Step::Close`].
/// At most one question is open at a time. While it is, input, news, time and the end of the stream still arrive, and
/// `next` may still send; a session that has nothing to send then returns `Await`.
///
/// Where the input is cut must not change the outcome: `receive(a); receive(b)` means `receive(ab)`.
pub trait Session {
    /// What only the application can decide.
    type Question;
    /// How the application decided.
    type Answer;
    /// What the application may tell at any time, such as "this mailbox has changed".
    type News;
    /// What remains to be known when the connection is over.
    type Outcome;

    /// Takes bytes read from the peer.
    fn receive(&mut self, now: Instant, bytes: &[u8]);
    /// Settles the open question.
    fn answer(&mut self, now: Instant, answer: Self::Answer);
    /// Tells news; the session decides when its protocol lets it out.
    fn tell(&mut self, now: Instant, news: Self::News);
    /// Reports that the deadline of the last [`Step::Await`] has passed.
    fn woken(&mut self, now: Instant);
    /// Reports that the handshake asked for by [`Step::Upgrade`] is done, or that the connection was TLS from its
    /// first byte.
    fn secured(&mut self, now: Instant, facts: TlsFacts);
    /// The server is stopping: what is under way ends, and nothing new begins (SMTP: 421).
    fn stopping(&mut self, now: Instant);
    /// The connection is over. Called once, last.
    fn ended(&mut self, now: Instant, end: End) -> Self::Outcome;
    /// Whether there is still something to be done when the peer has closed its side in good order: the open question to
    /// be decided, what is sent to be written. A server owes its replies to a peer that may still read them; a client has
    /// nobody to go on with.
    fn outlives_input(&self) -> bool {
        true
    }
    /// Whether the session takes bytes also while much that it has sent waits to be written. Else they wait, too.
    fn hears_while_sending(&self) -> bool {
        false
    }
    /// Says what to do now.
    fn next(&mut self) -> Step<Self::Question>;

    /// Asks the session to note what is said from now on, for a protocol log. To be called first, before any other
    /// input. A session that keeps no notes leaves this as it is.
    fn overhear(&mut self) {}

    /// What was said since the last call, if the session was asked to note it: secrets blanked, content left out.
    fn overheard(&mut self) -> Vec<Overheard> {
        Vec::new()
    }
}

/// What the driver has to do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<Q> {
    /// Write these bytes. The driver joins consecutive ones into one write.
    Send(Bytes),
    /// Decide this, and give the result to [`Session::answer`].
    Ask(Q),
    /// Flush, then change the transport. Input that arrived before the switch was refused by the session.
    Upgrade(Upgrade),
    /// Flush, then wait for bytes (only if `read`), news, the open question's answer, or `until`, an absolute time.
    /// `read: false` is back-pressure.
    Await {
        /// When [`Session::woken`] is due.
        until: Instant,
        /// Whether the session can take bytes now.
        read: bool,
    },
    /// Flush and close.
    Close,
}

/// A change of transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    /// A TLS handshake: a server's session is the server, a client's the client. [`Session::secured`] says when it is
    /// done.
    Tls,
    /// Raw DEFLATE in both directions (RFC 4978, RFC 1951), above TLS. Nothing says when it is done: whatever is sent
    /// or received after this step is compressed. To be taken once a connection, and only where the application has
    /// said that there is room for one more that compresses.
    Deflate,
}

/// What is known of the TLS layer under a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFacts {
    /// `TLS1.2` or `TLS1.3`, as RFC 8314 §4.3's "tls" clause of Received names it.
    pub version: String,
    /// The IANA name of the cipher suite.
    pub cipher: String,
    /// The name the client asked for (SNI), lower case.
    pub server_name: Option<String>,
    /// Whether the peer has shown a certificate that was checked: its chain leads to an authority we trust, and it is
    /// good for the name we asked for (RFC 9525). On a server: whether the client has shown one that leads to an authority
    /// of `client-certificate-authorities`.
    pub verified: bool,
    /// The certificate that a client has shown to us, whose key it has. A sign-in may use it (EXTERNAL).
    pub certificate: Option<Arc<ClientCertificate>>,
    /// What a sign-in may bind itself to as `tls-exporter` (RFC 9266), where the handshake yields it.
    pub exporter: Option<[u8; 32]>,
    /// What a sign-in may bind itself to as `tls-server-end-point`: the hash of the server's certificate (RFC 5929 §4.1).
    pub end_point: Option<Vec<u8>>,
}

/// A certificate that a client has shown; it has proved to have the key. Whether its chain leads to an authority we
/// trust is [`TlsFacts::verified`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientCertificate {
    /// SHA-256 of its DER: its fingerprint.
    pub der_sha256: [u8; 32],
    /// Its subject, as RFC 4514 writes it, for people.
    pub subject: String,
    /// Its names (RFC 5280 §4.2.1.6): emails and domains, as they stand there.
    pub names: Vec<String>,
}

impl TlsFacts {
    /// Whether a sign-in can be bound to this layer.
    pub fn has_bindings(&self) -> bool {
        self.exporter.is_some() || self.end_point.is_some()
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The session closed it.
    Closed,
    /// The peer closed its side in good order.
    HalfClosed,
    /// The connection broke: reset, TLS error, TLS ended below the protocol.
    Cut,
    /// The peer did not take what we sent in time.
    WriteDeadline,
    /// An administrator ended it, or the handler of this connection failed.
    Terminated,
}
