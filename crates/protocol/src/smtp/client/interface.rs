//! What the client asks, what it is answered, what it is allowed, and what it reports.

use std::time::Duration;

use bytes::Bytes;
use mail::{ForwardPath, Host, MessageParameters, RecipientParameters, ReversePath};

use super::content::ContentFacts;
use super::diagnostic::{Diagnostic, Outcome};
use super::dialogue::Said;
use crate::sasl::Password;
use crate::session::TlsFacts;
use crate::smtp::Dialect;

/// What this connection may do. Shared by connections of a route.
#[derive(Debug, Clone)]
pub struct Policy {
    /// SMTP or LMTP.
    pub dialect: Dialect,
    /// What we call ourselves.
    pub hello: Host,
    /// How we say it.
    pub greeting: Greeting,
    /// Whether STARTTLS is used.
    pub tls: Tls,
    /// With what to sign in, if at all.
    pub sign_in: Option<SignInAs>,
    /// Whether the password may be shown in clear text.
    pub sign_in_without_tls: bool,
    /// Transactions after which the connection is closed.
    pub messages_max: usize,
    /// How long the connection is kept while [`Question::Next`] is open.
    pub idle: Duration,
    /// How long the peer may be silent while we wait for it, where RFC 5321 §4.5.3.2 allows more.
    pub silence_max: Duration,
}

/// How we greet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// With EHLO, and HELO if the peer does not know it.
    Extended,
    /// With HELO (RFC 5321 §4.1.1.1): no extension is used, TLS and sign-in among them. For LMTP as `Extended`.
    Plain,
}

/// Whether STARTTLS is used (RFC 3207).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Never.
    Off,
    /// Where it is offered. A refusal of STARTTLS leads to clear text; a handshake that fails ends the connection.
    Opportunistic,
    /// Nothing is sent without it.
    Required,
}

/// User name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInAs {
    /// As the peer knows it.
    pub login: String,
    /// Its password.
    pub password: Password,
}

/// One message to one or more recipients of this peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Where reports go.
    pub sender: ReversePath,
    /// What goes with it as far as the peer takes it: BODY, SMTPUTF8, RET and ENVID.
    pub parameters: MessageParameters,
    /// In the order in which they are sent and reported.
    pub recipients: Vec<Recipient>,
    /// What a [`Survey`](super::Survey) of the content found.
    pub content: ContentFacts,
}

/// One recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The forward-path.
    pub path: ForwardPath,
    /// NOTIFY and ORCPT, for a peer that announces DSN.
    pub parameters: RecipientParameters,
}

/// What the application decides for a client's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Which transaction is next? Answered by [`Answer::Transaction`] or [`Answer::Nothing`]; it may take its time, up to
    /// [`Policy::idle`]. The question is dropped when the peer closes the connection meanwhile.
    Next,
    /// The content from this octet on. Answered by [`Answer::Content`], or [`Answer::ContentLost`].
    Content {
        /// Octets answered so far.
        offset: u64,
    },
    /// A transaction is over, and the connection goes on. Answered by [`Answer::Noted`]. The report of a transaction
    /// that ends with its connection is in the [`Summary`] instead: each is given once.
    Report(Box<Report>),
}

/// How the application decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Send this.
    Transaction(Box<Transaction>),
    /// There is no more; QUIT.
    Nothing,
    /// A piece of the content.
    Content {
        /// At most 64 KiB; not empty unless it is the last.
        piece: Bytes,
        /// Whether the content ends with it.
        last: bool,
    },
    /// The content cannot be read. The connection ends without the final dot, so that the peer drops what it has.
    ContentLost,
    /// Taken note of.
    Noted,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One for each recipient, in the order of [`Transaction::recipients`].
    pub outcomes: Vec<Outcome>,
    /// Whether the peer announces DSN: it was told of what the sender wants to hear, and from where it delivered, it reports
    /// success (RFC 3461 §5.2.1).
    pub dsn: bool,
    /// TLS under it, if any.
    pub tls: Option<TlsFacts>,
    /// What was said since the last report: credentials and content left out, at most 200 lines.
    pub dialogue: Vec<Said>,
    /// Lines left out of the middle of `dialogue`.
    pub left_out: usize,
}

/// What remains to be known when the connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Transactions begun.
    pub transactions: usize,
    /// The transaction that ended with the connection, if there was one.
    pub report: Option<Report>,
    /// Why no transaction was asked for, or no further one. Where [`report`](Self::report) is, it says the same. Its
    /// [status](Diagnostic::status) has the class 5 only where the peer said so.
    pub failure: Option<Diagnostic>,
    /// TLS, if any.
    pub tls: Option<TlsFacts>,
    /// What was said since the last report; empty if [`report`](Self::report) has it.
    pub dialogue: Vec<Said>,
    /// Lines left out of the middle of `dialogue`.
    pub left_out: usize,
}
