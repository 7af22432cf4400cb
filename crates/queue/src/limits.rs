//! Every bound of the queue, with its reason.

use std::time::Duration;

/// How long the runner sleeps at most, so that a clock that was set back or a lost wake-up cannot stall mail.
pub const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Octets of the original's header that a report returns (RFC 3462 §2: text/rfc822-headers).
pub const REPORT_HEADER_OCTETS_MAX: usize = 64 * 1024;

/// Octets of an original that is returned whole, where its sender asks for that (RFC 3461 §6.2 leaves the limit to us). With
/// the rest of the report it is within what a commit takes inline.
pub const REPORT_WHOLE_OCTETS_MAX: usize = 128 * 1024;

/// Recipients in one report; more of them get another. Keeps a report within what a commit takes inline.
pub const REPORT_RECIPIENTS_MAX: usize = 50;

/// Octets of a diagnostic in a report: a reply has 512 a line, and its first lines say what there is to say.
pub const REPORT_DIAGNOSTIC_OCTETS_MAX: usize = 700;

/// Octets of what an attempt said, in the queue and in the story, which has the dialogue besides.
pub const SAID_OCTETS_MAX: usize = 1_000;

/// The shortest pause between two attempts, whatever the settings say: no peer is hammered.
pub const RETRY_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Jitter adds at most this part of a pause: enough to spread a burst, too little to be noticed.
pub const RETRY_JITTER_PART: u32 = 8;

/// Deliveries in memory at once; a few hundred octets each, and many more than can be under way.
pub const WINDOW_DELIVERIES_MAX: usize = 10_000;

/// Deliveries of one destination in memory: some turns of work, so that a read serves many attempts.
pub const SHARE_DELIVERIES_MAX: usize = 250;

/// Of all attempts, those to destinations that seem not to answer may be one part in so many: such an attempt can last for
/// minutes, and a list with dead domains would hold up everybody else's mail.
pub const SILENT_ATTEMPTS_PART: usize = 2;

/// Destinations known in memory, those due first; the store keeps the rest.
pub const DESTINATIONS_MAX: usize = 100_000;

/// How long a node may be silent before others take its destinations.
pub const LEASE: Duration = Duration::from_secs(5 * 60);

/// How often all destinations are read: finds those of a node that died, and new ones that nobody told us of.
pub const SURVEY_INTERVAL: Duration = Duration::from_secs(60);

/// Pause after the store could not answer.
pub const STORE_PAUSE: Duration = Duration::from_secs(5);

/// An attempt is cut after this long: the agent's own time limits end it earlier, so this is the limit for a stuck one
/// (RFC 5321 §4.5.3.2 allows 10 minutes after the final dot alone).
pub const ATTEMPT: Duration = Duration::from_secs(60 * 60);

/// Exchangers, or smart hosts, of one route: more than any domain needs, and each costs two questions to the DNS.
pub const EXCHANGERS_MAX: usize = 16;

/// Addresses of one host that are tried; RFC 5321 §5.1 asks for two at least, and allows a limit.
pub const HOST_ADDRESSES_MAX: usize = 8;

/// Addresses of one route: at 30 seconds for each that does not answer, a hopeless attempt ends in a quarter of an hour.
pub const HOPS_MAX: usize = 30;

/// What administrators did to single deliveries and the runner has not yet heard of; beyond, it reads whole destinations
/// again.
pub const NEWS_MAX: usize = 1_000;

/// Files of badmail: what nobody reads must not fill the disk. The rest is discarded, as its story says.
pub const BADMAIL_FILES_MAX: usize = 10_000;

/// Messages that one commit of ETRN makes due: bounds what it holds up.
pub const ETRN_CHANGES_MAX: usize = 1_000;

/// How long a lease is kept that the schedule has let go: the next message to the same destination comes often soon, and costs
/// no commit then.
pub const LEASE_KEPT: Duration = Duration::from_secs(10);

/// Leases taken, and given up, in one commit: bounds what one of them holds up.
pub const LEASES_CHANGED_MAX: usize = 1_000;

/// Pause between two reads of one destination. What comes meanwhile waits this long at most, and at some thousand messages a
/// second a read serves dozens of them.
pub const DRAW_PAUSE: Duration = Duration::from_millis(10);

/// Events heard between two looks at the schedule: what they make possible is not to wait for all of a burst.
pub const EVENTS_MAX: usize = 1_000;

/// After it was cut, an attempt has this long to end by itself: time to say QUIT.
pub const CUT_GRACE: Duration = Duration::from_secs(30);

/// After the word to stop, attempts under way have this long to end. Shorter than what the server waits for its tasks.
pub const STOP_GRACE: Duration = Duration::from_secs(8);

/// And this long after they are cut.
pub const STOP_CUT: Duration = Duration::from_secs(1);
