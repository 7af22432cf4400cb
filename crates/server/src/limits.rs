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

/// Names of one client's address that are followed; an address has one, or a few.
pub(crate) const CLIENT_NAMES_MAX: usize = 5;

/// How long they are looked up: a client whom connection control asks for its name is not greeted before.
pub(crate) const CLIENT_NAME_TIME_MAX: Duration = Duration::from_secs(5);

/// Clients whose names are looked up at a time, beside their sessions.
pub(crate) const CLIENT_NAME_LOOKUPS_MAX: usize = 256;

/// How often the files of certificates are looked at.
pub(crate) const CERTIFICATES_PAUSE: Duration = Duration::from_secs(3);

/// How long at most until it is asked again whether a certificate is to be ordered: the clock may have been set.
pub(crate) const RENEWAL_PAUSE_MAX: Duration = Duration::from_secs(60 * 60);

/// Octets of a file with certificates or a key: as many as the settings take of any file.
pub(crate) const PEM_OCTETS_MAX: u64 = settings::limits::FILE_OCTETS_MAX;

/// How often disk, memory and queue are looked at: they fill within seconds, not faster.
pub(crate) const PRESSURE_PAUSE: Duration = Duration::from_secs(1);
/// Source addresses whose messages are counted for `message-rate`; each costs some 100 octets.
pub(crate) const RATE_SOURCES_MAX: usize = 50_000;

/// How long a binding may take to do what the check asks of it, beside its greeting delay: far more than a busy machine
/// needs, and less than a minute, within which a change that broke something must be undone.
pub(crate) const CHECK_TIME_MAX: Duration = Duration::from_secs(40);

/// Octets of a line that the check takes.
pub(crate) const CHECK_REPLY_OCTETS_MAX: usize = 16 * 1024;

/// How often a settings file is looked at.
pub(crate) const SETTINGS_PAUSE: Duration = Duration::from_secs(1);

/// How long a file in the pickup directory must be left alone before it is taken: who writes one pauses for less.
pub(crate) const PICKUP_QUIET: Duration = Duration::from_secs(5);

/// Pause between two looks into the pickup directory.
pub(crate) const PICKUP_PAUSE: Duration = Duration::from_secs(1);

/// How long a file waits that could not be taken.
pub(crate) const PICKUP_RETRY: Duration = Duration::from_secs(60);

/// Files of one look: bounds what a full directory costs at once.
pub(crate) const PICKUP_FILES_MAX: usize = 1_000;

/// A message that `waxseal sendmail` takes, octets; what the server takes is less as a rule, and what is larger is badmail.
pub(crate) const SENDMAIL_OCTETS_MAX: u64 = 256 * 1024 * 1024;
