//! The words of the schedule: what waits, how an attempt ended, what that changes.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use mail::{QueueId, Timestamp};

/// The due of a delivery that an administrator deleted: before all others, so that whoever leases its destination finds
/// it first and takes it away. The store keeps it against everything but the removal.
pub const DOOMED: Timestamp = Timestamp(i64::MIN);

/// Where a delivery goes: the name of a route and domain, as the store keys it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination(Arc<str>);

impl From<&str> for Destination {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl Destination {
    /// The name, as the store keys it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A set of MX hosts: destinations that share it share a limit.
///
/// ```
/// use queue::schedule::Site;
/// assert_eq!(Site::of(["mx2.example.net", "MX1.example.net"]), Site::of(["mx1.example.net", "mx2.example.net"]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site(Arc<[String]>);

impl Site {
    /// The site of these hosts; order, case and repetition do not matter.
    pub fn of<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Self {
        let hosts: BTreeSet<String> = hosts.into_iter().map(str::to_ascii_lowercase).collect();
        Self(hosts.into_iter().collect())
    }
}

/// A recipient's place in the envelope of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecipientId(pub u32);

/// Names a delivery: one message to one destination.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Where to.
    pub destination: Destination,
    /// Which message.
    pub queue_id: QueueId,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.queue_id, self.destination)
    }
}

/// One message to one destination, with those of its recipients that still wait: a row of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its name.
    pub key: Key,
    /// Who waits; never empty.
    pub recipients: Vec<RecipientId>,
    /// When the message was accepted; delay notification and expiry count from here.
    pub accepted: Timestamp,
    /// When it is to be tried next, or [`DOOMED`].
    pub due: Timestamp,
    /// Attempts made. Each settlement that keeps the row raises it by one, and each names the number that it saw.
    pub attempts: u32,
    /// Whether the sender was told of the delay.
    pub notified: bool,
}

impl Delivery {
    /// Whether an administrator deleted it.
    pub fn is_doomed(&self) -> bool {
        self.due == DOOMED
    }
}

/// How an attempt ended for one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The next hop took it.
    Delivered,
    /// It may succeed later; also when nobody knows how it ended (RFC 1047).
    Deferred,
    /// It never will.
    Failed,
}

/// Why a recipient's failure is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounce {
    /// The next hop or its name refused for good.
    Refused,
    /// The time for attempts is over.
    Expired,
}

/// What the store must change when an attempt has ended. All of one attempt go into one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// These recipients have their message.
    Done(Vec<RecipientId>),
    /// These never will; their failure is reported to the sender, if there is one.
    Bounce(Vec<RecipientId>, Bounce),
    /// These end without a report, because an administrator said so.
    Deleted(Vec<RecipientId>),
    /// The sender is told, once, that these are late and still tried.
    NotifyDelay(Vec<RecipientId>),
    /// These are tried again.
    Retry {
        /// Who waits on; never empty.
        recipients: Vec<RecipientId>,
        /// When. A row that was doomed meanwhile stays doomed, a row on hold stays on hold.
        due: Timestamp,
        /// Attempts made, with this one.
        attempts: u32,
        /// Whether the sender has been told of the delay, now or before.
        notified: bool,
    },
}
