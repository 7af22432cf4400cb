//! What is known when policy judges, stage by stage. Serialisable, so that last week's facts can be judged by new rules.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use settings::Rate;

use crate::account::AccountFacts;
use crate::pressure::Level;

/// What is known so far. A stage that has not been reached is `None`; a later transaction replaces what came before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The connection.
    pub connection: ConnectionFacts,
    /// HELO or EHLO.
    pub hello: Option<HelloFacts>,
    /// The account that signed in, where that is looked at.
    #[serde(default)]
    pub account: Option<AccountFacts>,
    /// MAIL.
    pub sender: Option<SenderFacts>,
    /// The RCPT that is judged.
    pub recipient: Option<RecipientFacts>,
    /// The content.
    pub content: Option<ContentFacts>,
}

impl Facts {
    /// What is known when a connection begins.
    pub fn new(connection: ConnectionFacts) -> Self {
        Self { connection, hello: None, account: None, sender: None, recipient: None, content: None }
    }
}

/// Of the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionFacts {
    /// From where; never an IPv4-mapped address.
    pub peer: IpAddr,
    /// The virtual server's name.
    pub virtual_server: String,
    /// Whether the peer is in `trusted-networks`.
    pub trusted: bool,
    /// What the virtual server is for.
    #[serde(default)]
    pub service: Service,
    /// What the virtual server's `relay` means for this peer. Facts of before there was such a thing allow nothing.
    #[serde(default)]
    pub relay: RelayFacts,
}

/// What a virtual server takes mail for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Mail from anywhere (RFC 5321).
    #[default]
    Smtp,
    /// Mail of our own people (RFC 6409).
    Submission,
    /// Mail that a neighbour has for mailboxes here; what cannot be filed at once stays with it (RFC 2033).
    Lmtp,
}

/// Who may send to domains that are not ours.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RelayFacts {
    /// The network of `relay.allow` that the peer is in. For LMTP: a network that may deliver here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Whether whoever signed in may: `relay.authenticated`.
    #[serde(default)]
    pub authenticated: bool,
}

impl RelayFacts {
    /// Whether a peer with this account, if it signed in, may.
    pub fn permit(&self, account: Option<&str>) -> bool {
        self.network.is_some() || self.authenticated && account.is_some()
    }
}

/// Of the peer's introduction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloFacts {
    /// What it called itself.
    pub name: String,
    /// Whether it said EHLO.
    pub extended: bool,
    /// `TLS1.2`, `TLS1.3`; none in clear text.
    pub tls: Option<String>,
    /// The canonical address of the account that signed in.
    pub account: Option<String>,
}

/// Of the sender.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SenderFacts {
    /// The reverse-path; empty for null.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reverse_path: String,
    /// SIZE= as announced, octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_announced: Option<u64>,
    /// The virtual server's `message-size-limit`, octets.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size_max: u64,
    /// Octets that the disk has room for; none where that was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<u64>,
    /// What the server is short of, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<PressureFacts>,
    /// How often this source sends; none where that has no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateFacts>,
}

/// What the server is short of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PressureFacts {
    /// What that leads to.
    pub level: Level,
    /// Of what, and how much there is.
    pub because: String,
}

/// How often a source has sent lately, where that has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateFacts {
    /// Messages within the time, with this one.
    pub messages: u32,
    /// How many may be.
    pub most: u32,
    /// Within so many seconds.
    pub within_secs: u64,
}

impl RateFacts {
    /// The same under another limit. What came within another time is not known: it is taken to have come evenly.
    pub(crate) fn under(self, limit: Option<Rate>) -> Option<Self> {
        let Rate { count, per } = limit?;
        let within_secs = per.duration().as_secs().max(1);
        let messages = u64::from(self.messages) * within_secs / self.within_secs.max(1);
        Some(Self { messages: u32::try_from(messages).unwrap_or(u32::MAX).max(1), most: count, within_secs })
    }
}

/// Of one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecipientFacts {
    /// As the client named it: an address, or `postmaster` alone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub recipient: String,
    /// What the directory says.
    pub standing: Standing,
    /// Whether it is one of the recipients that fail on purpose, and those are switched on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub magic: Option<Magic>,
}

/// What the directory says of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Its domain is not ours.
    #[default]
    NotLocal,
    /// Its domain is not ours, and anyone may send to it through us (`[[remote-domain]]`, `relay`).
    RelayedTo,
    /// Its domain is ours, and its mail is handed on to the server that has its mailboxes.
    HandedOn,
    /// Its domain is ours, the recipient is not known in it.
    Unknown,
    /// It means this many mailboxes of ours.
    Local(usize),
    /// It is postmaster, and there is no account yet that could read its mail.
    Unattended,
    /// The directory could not be asked.
    Unavailable,
}

/// A recipient that fails on purpose, for trying out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Magic {
    /// `refused@`: refused at RCPT.
    Refused,
    /// `deferred@`: deferred until the third try.
    Deferred {
        /// How often it was tried before, by anyone.
        tries_before: u32,
    },
    /// `slow@`: accepted, delivered after 30 seconds.
    Slow,
    /// `bounces@`: accepted, then reported as undeliverable.
    Bounces,
}

/// Of the content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContentFacts {
    /// Octets.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size: u64,
    /// The virtual server's `message-size-limit`, octets.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size_max: u64,
    /// Received fields in its header.
    #[serde(default, skip_serializing_if = "is_none")]
    pub received: usize,
    /// Those of them that name this server as the one that wrote them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub received_here: usize,
    /// How many there may be: the virtual server's `maximum-hop-count`. None: as many as without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hops_max: Option<usize>,
    /// What its header is like where we are the first server that it comes to (RFC 6409); none elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<SubmissionFacts>,
}

/// Of the header of a message that was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SubmissionFacts {
    /// From fields.
    pub from: usize,
    /// Whether all of it could be read: it has neither too many octets nor too many fields.
    pub whole: bool,
    /// What was added: `Date`, `Message-ID`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// What was removed: `Bcc`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
}

fn is_zero(octets: &u64) -> bool {
    *octets == 0
}

fn is_none(count: &usize) -> bool {
    *count == 0
}
