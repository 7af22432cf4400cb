//! What the SMTP server session asks, what it is answered, and what a virtual server lets it do.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail::{Address, Domain, ForwardPath, MessageParameters, RecipientParameters, Reply, ReversePath};

use super::introductions::{Client, Forwarded};
use super::switches::{Bounds, Commands, Keywords};
use crate::sasl::{Ask, Offer, Told};
use crate::session::TlsFacts;

/// What a virtual server lets this session do. Shared by its connections.
#[derive(Debug, Clone)]
pub struct Config {
    /// In the banner, the EHLO answer and Received.
    pub host_name: String,
    /// After the host name in the banner; never the version.
    pub banner: String,
    /// Advertised by SIZE; checked at MAIL and while content arrives. Octets.
    pub message_size_max: u64,
    /// RCPT beyond this many is deferred with 452 4.5.3.
    pub recipients_max: usize,
    /// Idle time (RFC 5321 §4.5.3.2.7 asks for 5 minutes at least).
    pub timeout: Duration,
    /// Whether STARTTLS is offered.
    pub starttls: bool,
    /// Whether MAIL is refused with 530 5.7.0 before TLS.
    pub tls_required: bool,
    /// What AUTH offers; where the connection is in clear text, only if `auth_without_tls`.
    pub auth: Offer,
    /// The peer is in a network of `authentication-without-tls`.
    pub auth_without_tls: bool,
    /// Whether MAIL is refused with 530 5.7.0 before AUTH (submission, RFC 6409 §4.3).
    pub auth_required: bool,
    /// Transactions a connection may make before 421.
    pub messages_max: usize,
    /// Commands that are there for this peer.
    pub commands: Commands,
    /// EHLO keywords that are there.
    pub keywords: Keywords,
    /// What one connection may do otherwise.
    pub bounds: Bounds,
}

impl Config {
    /// The largest message that a connection may bring, octets.
    pub(super) fn content_size_max(&self) -> u64 {
        self.message_size_max.min(self.bounds.session_size_max.unwrap_or(u64::MAX))
    }
}

/// MAIL, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The reverse-path.
    pub path: ReversePath,
    /// SIZE= (RFC 1870), as announced.
    pub size: Option<u64>,
    /// What travels with the message: BODY, SMTPUTF8, RET, ENVID.
    pub parameters: MessageParameters,
    /// AUTH= (RFC 4954 §5), xtext decoded; `<>` is `Some("")`.
    pub auth: Option<String>,
    /// What was said of the peer before.
    pub hello: Arc<Hello>,
    /// What a peer that may say it said of where the message comes from.
    pub forwarded: Option<Box<Forwarded>>,
}

/// What the session knows of its peer since the last HELO or EHLO; one value for all transactions after it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hello {
    /// What the client called itself, as it wrote it (checked: printable ASCII, RFC 5321 §4.1.1.1 lengths).
    pub name: String,
    /// Whether it said EHLO.
    pub extended: bool,
    /// The TLS layer, if any.
    pub tls: Option<TlsFacts>,
    /// Who signed in, if anyone.
    pub account: Option<mail::Address>,
}

/// RCPT, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The forward-path.
    pub path: ForwardPath,
    /// What travels with it: NOTIFY, ORCPT.
    pub parameters: RecipientParameters,
}

/// What the application decides for an SMTP session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// AUTH: who is this?
    Authenticate(Ask),
    /// MAIL: a transaction begins. Answered by [`Answer::Reply`]; positive opens the transaction.
    Sender(Box<Sender>),
    /// RCPT. Answered by [`Answer::Reply`]; positive adds the recipient.
    Recipient(Box<Recipient>),
    /// DATA, or the first BDAT: may content come? Answered by [`Answer::Reply`]; 354 lets it come, and is said after DATA.
    /// Another reply to a first BDAT is followed by [`Abandoned`](Self::Abandoned) at most.
    Begin,
    /// A piece of content, the dots of DATA removed, at most 64 KiB. Answered by [`Answer::Taken`].
    Chunk(Bytes),
    /// The content is complete: the last piece comes with it. Answered by [`Answer::Reply`], after it is durable.
    Finish {
        /// The last piece; the whole content if it is small.
        last: Bytes,
        /// The size of the whole content in octets.
        size: u64,
        /// VERB was said: each [`Hop`] is told until the answer, a minute at most.
        verbose: bool,
    },
    /// The content broke a rule; what was taken must be dropped, the transaction is over. Answered by
    /// [`Answer::Taken`], for the journal's sake; the reply has been decided by the session.
    Refused(Reply),
    /// RSET, EHLO or the like ended the transaction without content. Answered by [`Answer::Taken`].
    Abandoned,
    /// VRFY. Answered by [`Answer::Reply`].
    Verify(Lookup),
    /// EXPN. Answered by [`Answer::Reply`].
    Expand(Lookup),
    /// ETRN (RFC 1985), between transactions. Answered by [`Answer::Reply`], with the codes of §5.1.
    Release(Etrn),
    /// XCLIENT, between transactions: the peer speaks for somebody else from now on. Answered by
    /// [`Answer::Introduced`], or by an [`Answer::Reply`] that refuses.
    Client(Box<Client>),
}

/// Whose mail is to be sent now (RFC 1985 §5, §5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Etrn {
    /// A domain's.
    Domain(Domain),
    /// `@`: a domain's and that of all below it.
    Below(Domain),
    /// `#`: what waits in a queue of this name.
    Queue(String),
}

/// What XCLIENT has led to: the session begins anew for this client.
#[derive(Debug, Clone)]
pub struct Introduced {
    /// What the virtual server lets that client do.
    pub config: Arc<Config>,
    /// Who it is, if the peer said so and is to be believed.
    pub account: Option<Address>,
}

/// Whether they stand for the same client; what it may do follows from that.
impl PartialEq for Introduced {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config) && self.account == other.account
    }
}

impl Eq for Introduced {}

/// What VRFY and EXPN ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The argument.
    pub what: String,
    /// Whether the client has signed in, on the transport as it is now.
    pub signed_in: bool,
    /// SMTPUTF8 was said: the reply may hold UTF-8, which it must not otherwise (RFC 6531 §3.7.4.2).
    pub utf8: bool,
}

/// One hop of a message, in lines for people; each is sent as `050 line`. Told while [`Question::Finish`] is open and
/// `verbose`; otherwise it is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop(pub String);

/// How the application decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Send this reply; its class (2yz, 3yz, other) is the decision.
    Reply(Reply),
    /// LMTP's answer to [`Question::Finish`]: one reply for each recipient that was accepted, in the order of RCPT, also
    /// for one that was given twice (RFC 2033 §4.2). SMTP sends the first. What is missing is deferred. A single
    /// [`Reply`](Self::Reply) counts for all.
    Replies(Vec<Reply>),
    /// The answer to [`Question::Authenticate`].
    SignIn(Told),
    /// The answer to [`Question::Client`]: it is believed.
    Introduced(Box<Introduced>),
    /// Noted; go on.
    Taken,
}

/// What is known when the connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Transactions that were answered 250 after their content.
    pub messages: usize,
    /// A transaction was open (MAIL was accepted, its end was not reached).
    pub cut_in_transaction: bool,
    /// Where the client stopped, for the journal: `"after RCPT"`, `"in content after 4096 octets"`.
    pub stopped: String,
    /// Ways in which the peer erred, by name, in order; at most 16.
    pub misuses: Vec<&'static str>,
}
