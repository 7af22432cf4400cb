//! Every bound of the delivery agents, with its reason.

use std::time::Duration;

/// Recipients of one transaction by LMTP: every server must take so many (RFC 5321 §4.5.3.1.8).
pub const LMTP_RECIPIENTS_MAX: u32 = 100;

/// So many connections to one set of hosts are made without asking whether those that are there would do. Most hosts take
/// as many; beyond, a message must have waited, because a busy connection costs less than another.
pub const SITE_CONNECTIONS_EAGER: usize = 20;

/// How long a message may wait for one of them before another is made: about as long as making one takes.
pub const WAIT_FOR_CONNECTION_MAX: Duration = Duration::from_millis(100);

/// Connections that wait for a next message, over all sites; more than these are closed at once.
pub const IDLE_CONNECTIONS_MAX: usize = 200;

/// How long a connection waits for a next message. It is the peer's room as well as ours.
pub const IDLE: Duration = Duration::from_secs(5);

/// How long a route is used before it is searched for again: a burst to one domain asks the DNS once.
pub const ROUTE_KEPT: Duration = Duration::from_secs(60);

/// Routes that are remembered: some for each destination under way; without them mail goes as well, and slower.
pub const ROUTES_MAX: usize = 4_096;

/// How long a host that could not be reached is tried after the others of its route (RFC 5321 §4.5.4.1): a burst waits
/// for it once.
pub const HOST_QUIET: Duration = Duration::from_secs(60);

/// Hosts that could not be reached, as far as they are remembered.
pub const QUIET_HOSTS_MAX: usize = 4_096;

/// How often a message is given to a connection that turns out to be gone, before one is made for it alone.
pub const STALE_MAX: usize = 2;

/// Octets of content that are read at once, and that a message may hold in memory while it is sent.
pub const PIECE_OCTETS: usize = 64 * 1024;

/// How long signing keys are believed without asking again; a change here is seen at once.
pub const KEYS_KEPT: Duration = Duration::from_secs(60);

/// Domains whose signing keys are remembered.
pub const KEYS_DOMAINS_MAX: usize = 4_096;
