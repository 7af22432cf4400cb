//! Every bound of a POP3 session, with its reason.

/// RFC 2449 §4 asks for 255 octets, CRLF included; a passphrase in UTF-8 may want more.
pub(super) const LINE_MAX: usize = 512;
/// Mistakes after which the connection ends: enough for a person at a keyboard, few for a program that guesses.
pub(super) const MISUSES_MAX: usize = 20;
/// Commands before sign-in, whatever they are: CAPA, STLS, CAPA, USER and PASS are five. CAPA must not serve to hold a
/// connection open for ever.
pub(super) const COMMANDS_BEFORE_SIGN_IN_MAX: usize = 50;
/// Input that waits while a question is open or content is sent, before `read: false`: some hundred pipelined commands.
pub(super) const INPUT_WAITING_MAX: usize = 16 * 1024;
/// Output that is gathered before it is sent: replies to pipelined commands, lines of LIST and UIDL.
pub(super) const OUTPUT_MAX: usize = 16 * 1024;
