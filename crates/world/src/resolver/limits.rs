//! Every bound of name lookups, with its reason.

use std::time::Duration;

/// How long one try at one server waits. Resolvers on the way answer from their cache in milliseconds and give up on
/// authoritative servers after some seconds; a lost datagram is not waited for longer than that.
pub const TRY_TIMEOUT: Duration = Duration::from_secs(5);

/// Tries after the first; UDP loses datagrams.
pub const RETRIES: usize = 2;

/// How long a lookup takes at most, with all tries, servers and aliases: an SMTP client that waits for our decision has
/// five minutes (RFC 5321 §4.5.3.2), and a decision asks for several names.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_secs(20);

/// Responses kept. One holds at most 64 KiB on the wire, so a zone made to fill the cache gets some 100 MiB.
pub const CACHE_RESPONSES_MAX: u64 = 1024;

/// How long an answer is kept whatever its TTL says: a destination that moves is found again within a day.
pub const POSITIVE_TTL_MAX: Duration = Duration::from_secs(24 * 3600);

/// How long an absence is kept: mail fails for good on it, so one that was a mistake may not last.
/// RFC 2308 §5 allows hours.
pub const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(15 * 60);

/// Questions at a time on one TCP connection to a server; more are told to come back. A queue run asks for many names at
/// once, and each waits for its answer alone.
pub const QUESTIONS_MAX: usize = 256;

/// Aliases followed in one answer (RFC 1034 §3.6.2 asks for robustness, not for a number).
pub const ALIASES_MAX: usize = 8;

/// Octets of a name in text form (RFC 1035 §2.3.4: 255 on the wire).
pub const NAME_OCTETS_MAX: usize = 253;

/// Octets of a label (RFC 1035 §2.3.4).
pub const LABEL_OCTETS_MAX: usize = 63;
