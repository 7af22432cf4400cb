//! Every bound of the program, with its reason.

use std::time::Duration;

/// Octets of content that all transactions together may hold in memory. A permit is taken before 354.
pub(crate) const CONTENT_IN_MEMORY_MAX: usize = 256 * 1024 * 1024;

/// What one permit stands for: the most that one transaction holds before its content is staged in the store.
pub(crate) const CONTENT_PERMIT: usize = store::limits::INLINE_CONTENT_OCTETS_MAX;

/// The header of a submitted message. It is in memory when it is mended, also where content is so large that it is staged;
/// headers that people's programs write have a few KiB.
pub(crate) const SUBMITTED_HEADER_OCTETS_MAX: usize = CONTENT_PERMIT / 2;

/// Addresses whose tries are counted for `deferred@`; `try` is for one person.
pub(crate) const DEFERRALS_MAX: usize = 1_000;

/// After SIGTERM what is under way has this long to end.
pub(crate) const STOP_GRACE: Duration = Duration::from_secs(10);

/// How often the journal is indexed and trimmed and freed content reclaimed.
pub(crate) const HOUSEKEEPING_PAUSE: Duration = Duration::from_secs(5);

/// Lines that wait for the writer of a protocol log: some seconds of a busy server. At a kilobyte a line at most, what
/// a disk that stands still may cost.
pub(crate) const PROTOCOL_LOG_WAITING_MAX: usize = 8_192;

/// Lines that are written at once.
pub(crate) const PROTOCOL_LOG_BATCH_MAX: usize = 1_024;

/// How long a command or a server waits for another process to let the data directory go.
pub(crate) const LOCKED_PATIENCE: Duration = Duration::from_secs(3);

/// How often it looks meanwhile.
pub(crate) const LOCKED_PAUSE: Duration = Duration::from_millis(50);

/// How long the hops of a message are told after VERB before the answer to its content (RFC 5321 §4.5.3.2.6 lets a client wait
/// ten minutes; a person at a terminal does not).
pub(crate) const VERBOSE_TIME_MAX: Duration = Duration::from_secs(60);
/// How soon the journal is looked at again after something has happened, and how seldom at last.
pub(crate) const VERBOSE_PAUSE_MIN: Duration = Duration::from_millis(20);
/// See [`VERBOSE_PAUSE_MIN`].
pub(crate) const VERBOSE_PAUSE_MAX: Duration = Duration::from_millis(500);
/// Lines that wait for the session.
pub(crate) const VERBOSE_LINES_MAX: usize = 64;
