//! Every bound of the queue, with its reason.

use std::time::Duration;

/// Entries the runner takes in one read; bounds its memory, and the rest is due at once afterwards.
pub const DUE_ENTRIES_MAX: usize = 256;

/// How long the runner sleeps at most, so that a clock that was set back or a lost wake-up cannot stall mail.
pub const SLEEP_MAX: Duration = Duration::from_secs(60);

/// The first pauses between attempts at local delivery that failed on our side; the last one repeats.
pub const LOCAL_RETRY: [Duration; 4] = [
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(60 * 60),
];

/// After this long a local delivery that cannot be made is reported (VIRTUAL-SERVERS: local expiration, 2 days).
pub const LOCAL_EXPIRATION: Duration = Duration::from_secs(2 * 24 * 3600);

/// Octets of the original's header that a report returns (RFC 3462 §2: text/rfc822-headers).
pub const REPORT_HEADER_OCTETS_MAX: usize = 64 * 1024;
