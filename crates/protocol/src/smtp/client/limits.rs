//! Every bound of the client's side, with its reason.

use std::time::Duration;

/// One line of a reply: RFC 5321 §4.5.3.1.5 allows 512 octets, and servers that explain themselves exceed it.
pub(super) const REPLY_LINE_MAX: usize = 2_048;
/// Lines of one reply. The longest in use are the answers to EHLO, of some twenty.
pub(super) const REPLY_LINES_MAX: usize = 128;
/// What is shown of a line beyond [`REPLY_LINE_MAX`]: enough to tell who speaks and of what.
pub(super) const MISREAD_MAX: usize = 200;
/// Text of one reply that is kept; what is beyond is dropped, not refused.
pub(super) const REPLY_TEXT_MAX: usize = 8 * 1024;
/// Commands that wait for their replies. With 512 octets a reply these fit into the socket buffers of both ends, so
/// that neither blocks the other by writing (RFC 2920 §3.1).
pub(super) const PIPELINE_MAX: usize = 50;
/// Replies that wait while a question is open, in octets, before `read: false`.
pub(super) const INPUT_WAITING_MAX: usize = 16 * 1024;
/// The longest AUTH line with an initial response: beyond the line that every server takes (RFC 5321 §4.5.3.1.4) the
/// response is sent on a line of its own (RFC 4954 §4).
pub(super) const AUTH_LINE_MAX: usize = 512;

/// RFC 5321 §4.5.3.2.1.
pub(super) const BANNER_TIME: Duration = Duration::from_secs(5 * 60);
/// EHLO, HELO, LHLO, STARTTLS, AUTH and RSET: the RFC names no time; that of MAIL.
pub(super) const COMMAND_TIME: Duration = Duration::from_secs(5 * 60);
/// RFC 5321 §4.5.3.2.2.
pub(super) const MAIL_TIME: Duration = Duration::from_secs(5 * 60);
/// RFC 5321 §4.5.3.2.3.
pub(super) const RCPT_TIME: Duration = Duration::from_secs(5 * 60);
/// RFC 5321 §4.5.3.2.4.
pub(super) const DATA_TIME: Duration = Duration::from_secs(2 * 60);
/// RFC 3030 names no time; that of a block of content, RFC 5321 §4.5.3.2.5.
pub(super) const CHUNK_TIME: Duration = Duration::from_secs(3 * 60);
/// RFC 5321 §4.5.3.2.6: giving up too early makes duplicates (RFC 1047).
pub(super) const END_TIME: Duration = Duration::from_secs(10 * 60);
/// The answer to QUIT decides nothing.
pub(super) const QUIT_TIME: Duration = Duration::from_secs(10);
/// While the application decides, the time is its own; so often it is looked at.
pub(super) const OUR_TIME: Duration = Duration::from_secs(60 * 60);
/// How long a transaction may go on when the server stops; supervisors wait 90 s before they kill.
pub(super) const STOPPING_GRACE: Duration = Duration::from_secs(30);

/// Lines of the dialogue that are kept for one report: those of a message with some tens of recipients.
pub(super) const DIALOGUE_LINES_MAX: usize = 200;
/// One line of the dialogue.
pub(super) const DIALOGUE_LINE_MAX: usize = 512;
