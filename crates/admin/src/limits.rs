//! Every bound of the administration, with its reason.

use std::time::Duration;

/// A request on the local socket: a settings text of [`settings::limits::TEXT_OCTETS_MAX`] fits, each octet escaped.
pub const REQUEST_OCTETS_MAX: usize = 4 * 1024 * 1024;
/// A response on the local socket: a list of 100,000 accounts fits.
pub const RESPONSE_OCTETS_MAX: usize = 64 * 1024 * 1024;
/// Connections to the local socket at a time; more wait to be accepted.
pub const SOCKET_CONNECTIONS_MAX: usize = 32;
/// How long a connection to the local socket may be silent.
pub const SOCKET_TIME_OUT: Duration = Duration::from_secs(60);
/// How long the command line waits for a response: a check of a large store takes its time.
pub const CALL_TIME_OUT: Duration = Duration::from_secs(24 * 3600);
/// How long the server waits before it accepts again after the system refused it.
pub const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// Messages that one trace tells of, the newest ones.
pub const TRACE_MESSAGES_MAX: usize = 20;
/// The name of a person or account, octets.
pub const NAME_OCTETS_MAX: usize = 255;
/// Rows of the queue in one response: they are read at once, and a person sees no more of them.
pub const QUEUE_ROWS_MAX: usize = 1000;
/// Deliveries changed in one commit: mail that comes in waits for it.
pub const QUEUE_CHANGES_MAX: usize = 500;
/// Octets of one piece of a message that is exported.
pub const EXPORT_OCTETS_MAX: usize = 1024 * 1024;
/// A file of badmail that is looked at or sent again, octets.
pub const BADMAIL_OCTETS_MAX: u64 = 256 * 1024 * 1024;
/// How much of a queued message is read for its header fields, octets.
pub const HEADER_OCTETS_MAX: usize = 64 * 1024;
/// A header field of a queued message as it is shown, characters.
pub const FIELD_CHARACTERS_MAX: usize = 300;
/// Revisions of the settings in one list: years of them.
pub const REVISIONS_MAX: usize = 1000;
/// Parts of stories that are judged anew at a time: at some kilobytes each they fit in memory.
pub const JUDGED_STORIES_MAX: usize = 10_000;
/// Changed verdicts in one list: a person reads no more.
pub const CHANGED_VERDICTS_MAX: usize = 1000;
