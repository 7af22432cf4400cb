//! Every bound of the protocol sessions, with its reason.

use std::time::Duration;

/// RFC 5321 §4.5.3.1.4 asks for 512 octets; AUTH PLAIN with long passwords and tokens wants more (RFC 4954 §4: 12,288).
pub const SMTP_COMMAND_LINE_MAX: usize = 12_288;

/// One SASL response, in base64 (RFC 4954 §4: 12,288 octets are held to be sufficient).
pub const SASL_RESPONSE_MAX: usize = 12_288;
/// One field of a response: a login, a password. RFC 4616 §2 asks for 255 octets at least; hashing costs time by length.
pub const SASL_FIELD_MAX: usize = 1_024;
/// A bearer token. RFC 6750 names no bound; those of large issuers have two to four thousand octets, and more than this does
/// not fit into a response.
pub const SASL_TOKEN_MAX: usize = 8_192;
/// Random octets in our half of a nonce (RFC 5802 §5.1): 144 bits cannot be met twice, and fill their base64.
pub const SASL_NONCE_OCTETS: usize = 18;

/// One line in a protocol log: every honest command and reply fits; a mailbox list or a search may be longer.
pub const OVERHEARD_OCTETS_MAX: usize = 1_000;
/// Lines noted before they are taken. A session sends at most 64 KiB at once and is listened to after each step, so
/// more lines than this are shorter than any reply.
pub const OVERHEARD_LINES_MAX: usize = 4_096;

// SMTP.
/// NOOP, RSET, VRFY, refused recipients and the like since the last message; then the connection ends. It must not
/// serve to hold a connection open for ever, or to guess addresses.
pub const SMTP_IDLE_COMMANDS_MAX: usize = 100;
/// Recipients beyond `recipients_max` that are deferred before each counts as a mistake: lists are sent pipelined.
pub const SMTP_RECIPIENTS_EXCESS_MAX: usize = 1_000;
/// The argument of HELO and EHLO: RFC 5321 §4.5.3.1.2, a domain.
pub const SMTP_HELLO_OCTETS_MAX: usize = 255;
/// Content up to this size is one `Finish`; it waits in the input buffer. Beyond it, content goes out in chunks.
pub const SMTP_CONTENT_AT_ONCE_MAX: usize = 256 * 1024;
/// One chunk of content.
pub const SMTP_CHUNK_MAX: usize = 64 * 1024;
/// Octets of content that are read and dropped after the size limit was passed, to give the reply at its end (RFC 5321
/// §4.1.1.4 and RFC 3030 §2 know no other place). A client that still goes on, or announces more, is cut off. By BDAT so many
/// are dropped between two messages that were taken.
pub const SMTP_CONTENT_DROPPED_MAX: u64 = 256 * 1024 * 1024;
/// The longest line of a content that is text, without its CRLF. RFC 5321 §4.5.3.1.6 asks for 998 octets; programs that write
/// a whole page or attachment as one line are common enough, and who reads such mail is served by keeping it. A reader may
/// hold a line in memory, so there is an end.
pub const SMTP_CONTENT_LINE_MAX: usize = 1024 * 1024;
/// Chunks after one that failed that are answered 503 without being held against the client: RFC 3030 §2 lets it have many
/// under way. 50 MB in chunks of 64 KiB are 800.
pub const SMTP_CHUNKS_AFTER_FAILURE_MAX: usize = 1_000;
/// Octets of content that renew the deadline: RFC 5321 §4.5.3.2.5 counts by blocks, and a byte a minute is no progress.
pub const SMTP_CONTENT_PROGRESS: u64 = 4 * 1024;
/// The longest time for one content: 50 MB at 60 kbit/s.
pub const SMTP_CONTENT_TIME_MAX: Duration = Duration::from_secs(2 * 60 * 60);
/// How long a transaction may go on when the server stops; supervisors wait 90 s before they kill.
pub const SMTP_STOPPING_GRACE: Duration = Duration::from_secs(30);
/// Replies gathered before they are sent: a flood of small commands must not grow them without bound.
pub const SMTP_REPLIES_MAX: usize = 16 * 1024;
/// Input that waits while a question is open, before `read: false`: some windows of pipelined commands.
pub const SMTP_INPUT_WAITING_MAX: usize = 64 * 1024;
// End of SMTP.

/// Commands that a client says that may not come in, before it is closed: QUIT, and what was pipelined before it.
pub const TURNED_AWAY_COMMANDS_MAX: usize = 10;

/// How long such a client is waited for.
pub const TURNED_AWAY_TIME_MAX: Duration = Duration::from_secs(10);
