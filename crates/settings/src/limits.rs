//! Every bound on settings, with its reason.

use std::time::Duration;

/// RFC 5321 §4.5.3.1.7: a server takes messages of at least 64K octets.
pub const MESSAGE_SIZE_MIN: u64 = 64 * 1024;
/// RFC 5321 §4.5.3.1.8: a server takes at least 100 recipients.
pub const RECIPIENTS_MIN: u32 = 100;
/// RFC 5321 §4.5.3.2.7.
pub const SMTP_TIME_OUT_MIN: Duration = Duration::from_secs(5 * 60);
/// RFC 1939 §3.
pub const POP3_TIME_OUT_MIN: Duration = Duration::from_secs(10 * 60);
/// RFC 3501 §5.4, RFC 9051 §5.4.
pub const IMAP_TIME_OUT_MIN: Duration = Duration::from_secs(30 * 60);
/// RFC 2033 §5 gives LMTP no port, and forbids 25; 24 is "any private mail system" at IANA, and usual.
pub const LMTP_PORT: u16 = 24;
/// RFC 2033 §5: LMTP must not be used on it.
pub const SMTP_PORT: u16 = 25;
/// A text longer than this is no settings text.
pub const TEXT_OCTETS_MAX: usize = 1024 * 1024;
/// Mistakes beyond this many are not worth reading.
pub const MISTAKES_MAX: usize = 100;
/// How much of a bad value a mistake quotes, characters.
pub const QUOTED_CHARS_MAX: usize = 60;
