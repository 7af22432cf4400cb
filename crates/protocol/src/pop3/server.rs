//! What a POP3 session and the application say to one another.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail::Uid;

use crate::sasl::{Ask, Offer, Told};

/// What a virtual server lets this session do. Shared by its connections.
#[derive(Debug, Clone)]
pub struct Config {
    /// In the greeting.
    pub host_name: String,
    /// Idle time after sign-in (RFC 1939 §3 asks for 10 minutes at least).
    pub timeout: Duration,
    /// Idle time before sign-in.
    pub timeout_before_sign_in: Duration,
    /// Whether STLS is offered.
    pub starttls: bool,
    /// The peer is in a network of `authentication-without-tls`: it may sign in over clear text.
    pub auth_without_tls: bool,
    /// What AUTH offers, as far as the above allows; USER and PASS are taken if one of them shows the password.
    pub auth: Offer,
    /// How long an account must wait between sign-ins, for the client to know (RFC 2449 §6.5); zero: not at all. The
    /// application sees to it.
    pub login_delay: Duration,
    /// Wrong passwords after which the connection ends.
    pub sign_in_failures_max: usize,
}

/// One email of the maildrop, in the order of message numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Its UID in INBOX.
    pub uid: Uid,
    /// Octets, with CRLF line ends.
    pub size: u64,
}

/// What the application decides for a POP3 session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// USER and PASS, AUTH: who is this? Answered by [`Answer::SignIn`].
    Authenticate(Ask),
    /// Open (and lock, RFC 1939 §4) INBOX of the account that signed in. Answered by [`Answer::Maildrop`].
    Open,
    /// Content of an email from this offset on, at most 64 KiB a piece. Answered by [`Answer::Content`].
    Read {
        /// Which email.
        uid: Uid,
        /// Octets to skip.
        offset: u64,
    },
    /// QUIT in the transaction state: remove these (UPDATE, RFC 1939 §6). Answered by [`Answer::Removed`].
    Remove(Vec<Uid>),
}

/// How the application decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The answer to [`Question::Authenticate`].
    SignIn(Told),
    /// The maildrop as it is at this moment.
    Maildrop {
        /// UIDVALIDITY, the first half of each unique-id.
        validity: u32,
        /// Its emails, oldest first.
        emails: Arc<[Listing]>,
    },
    /// Another session has the maildrop: `-ERR [IN-USE]`.
    InUse,
    /// The account was here a moment ago: `-ERR [LOGIN-DELAY]`.
    TooSoon,
    /// A piece of content; empty at and after its end, or if the email is gone.
    Content(Bytes),
    /// The emails were removed, durably.
    Removed,
    /// The server could not; nothing was changed: `-ERR [SYS/TEMP]`.
    Unavailable,
}

/// What is known when the connection is over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Emails sent by RETR.
    pub retrieved: usize,
    /// Emails removed at QUIT.
    pub removed: usize,
    /// Ways in which the peer erred, by name, in order; at most 16.
    pub misuses: Vec<&'static str>,
}
