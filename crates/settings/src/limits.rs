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
/// RFC 8314 §7.3: submission that is TLS from the first byte.
pub const SUBMISSIONS_PORT: u16 = 465;
/// RFC 8555 §8.3: where HTTP-01 is answered.
pub const HTTP_PORT: u16 = 80;
/// RFC 8737 §3: where TLS-ALPN-01 is answered.
pub const HTTPS_PORT: u16 = 443;
/// RFC 1035 §4.2.
pub const DNS_PORT: u16 = 53;
/// Relaying is for networks of an organisation; the widest that one has is a /8 in IPv4 (RFC 1918 among them)...
pub const WIDE_V4_PREFIX: u8 = 8;
/// ... and far narrower than this in IPv6, where the Internet registries themselves have /12 to /23.
pub const WIDE_V6_PREFIX: u8 = 16;
/// No peer is hammered, whatever the text says.
pub const RETRY_MIN: Duration = Duration::from_secs(1);
/// A shorter time finds nobody at home.
pub const CONNECT_TIME_OUT_MIN: Duration = Duration::from_secs(1);
/// Honest clients wait for a banner up to 5 minutes (RFC 5321 §4.5.3.2.1), and people who send wait with them.
pub const GREETING_DELAY_MAX: Duration = Duration::from_secs(60);
/// A protocol log turns to a new file no oftener than every few lines.
pub const PROTOCOL_LOG_MIN: u64 = 4 * 1024;
/// A file that the settings name is no longer than this: a chain, a bundle of authorities, a password.
pub const FILE_OCTETS_MAX: u64 = 1024 * 1024;
/// A text longer than this is no settings text.
pub const TEXT_OCTETS_MAX: usize = 1024 * 1024;
/// Mistakes beyond this many are not worth reading.
pub const MISTAKES_MAX: usize = 100;
/// How much of a bad value a mistake quotes, characters.
pub const QUOTED_CHARS_MAX: usize = 60;

/// What one customer of a provider has of IPv4, as far as limits go: neighbours share a fate.
pub const CUSTOMER_V4_PREFIX: u8 = 24;
/// The same of IPv6 (RFC 6177: a /56 or a /48).
pub const CUSTOMER_V6_PREFIX: u8 = 56;
