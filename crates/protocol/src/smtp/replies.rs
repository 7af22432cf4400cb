//! What the session says of itself. Replies of the application pass through unchanged.
//!
//! Codes: RFC 5321 §4.2.3, RFC 4954 §6, RFC 3207 §4; enhanced codes: RFC 3463, RFC 2034, RFC 5248.

use std::borrow::Cow;

use mail::Reply;

use super::content::Fault;
use crate::misuse::Misuse;

/// A reply known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Canned(u16, (u8, u16, u16), &'static str);

impl Canned {
    pub(super) fn reply(self) -> Reply {
        Reply::new(self.0, self.1, self.2)
    }
}

// What went well.
pub(super) const OK: Canned = Canned(250, (2, 0, 0), "OK");
pub(super) const CHUNK_TAKEN: Canned = Canned(250, (2, 0, 0), "Chunk taken");
pub(super) const VERBOSE: Canned = Canned(250, (2, 0, 0), "Hops will be told");
pub(super) const NOT_VERBOSE: Canned = Canned(250, (2, 0, 0), "Hops will not be told");
pub(super) const GOODBYE: Canned = Canned(221, (2, 0, 0), "Goodbye");
pub(super) const READY_FOR_TLS: Canned = Canned(220, (2, 0, 0), "Ready to start TLS");
pub(super) const SIGNED_IN: Canned = Canned(235, (2, 7, 0), "Signed in");

// Syntax.
pub(super) const UNKNOWN_COMMAND: Canned = Canned(500, (5, 5, 1), "Command not known");
pub(super) const LINE_TOO_LONG: Canned = Canned(500, (5, 5, 2), "Line too long");
pub(super) const BARE_LINE_FEED: Canned = Canned(500, (5, 5, 2), "A line feed must follow a carriage return");
pub(super) const BARE_CARRIAGE_RETURN: Canned =
    Canned(500, (5, 5, 2), "A line feed must follow a carriage return");
pub(super) const NUL_OCTET: Canned = Canned(500, (5, 5, 2), "NUL in a command");
pub(super) const EIGHT_BIT_COMMAND: Canned =
    Canned(500, (5, 5, 2), "This command is ASCII, and text beyond it UTF-8");
// RFC 6531 §3.5.
pub(super) const EIGHT_BIT_SENDER: Canned =
    Canned(550, (5, 6, 7), "An address beyond ASCII needs the parameter SMTPUTF8");
pub(super) const EIGHT_BIT_RECIPIENT: Canned =
    Canned(553, (5, 6, 7), "An address beyond ASCII needs SMTPUTF8 in MAIL");
pub(super) const VERB_SYNTAX: Canned = Canned(501, (5, 5, 4), "Syntax: VERB [ON or OFF]");
// RFC 1985 §7 shows 500 and 501.
pub(super) const ETRN_EMPTY: Canned = Canned(500, (5, 5, 4), "Syntax: ETRN domain");
pub(super) const ETRN_SYNTAX: Canned =
    Canned(501, (5, 5, 4), "ETRN takes a domain in full, @domain or #queue");
pub(super) const ATTRIBUTE_SYNTAX: Canned = Canned(501, (5, 5, 4), "Attributes are NAME=value, in xtext");
pub(super) const CONTROL_CHARACTER: Canned = Canned(501, (5, 5, 2), "Control character in a command");
pub(super) const NO_ARGUMENT_ALLOWED: Canned = Canned(501, (5, 5, 4), "This command takes no argument");
pub(super) const ARGUMENT_MISSING: Canned = Canned(501, (5, 5, 4), "An argument is missing");
pub(super) const HELLO_SYNTAX: Canned = Canned(501, (5, 5, 4), "A domain or an address literal is expected");
pub(super) const MAIL_SYNTAX: Canned = Canned(501, (5, 5, 4), "Syntax: MAIL FROM:<address>");
pub(super) const BDAT_SYNTAX: Canned = Canned(501, (5, 5, 4), "Syntax: BDAT octets [LAST]");
pub(super) const RCPT_SYNTAX: Canned = Canned(501, (5, 5, 4), "Syntax: RCPT TO:<address>");
pub(super) const SENDER_SYNTAX: Canned = Canned(501, (5, 1, 7), "The sender's address is malformed");
pub(super) const RECIPIENT_SYNTAX: Canned = Canned(501, (5, 1, 3), "The recipient's address is malformed");
pub(super) const UNKNOWN_PARAMETER: Canned = Canned(555, (5, 5, 4), "Parameter not known");
pub(super) const PARAMETER_TWICE: Canned = Canned(501, (5, 5, 4), "A parameter is given twice");
pub(super) const SIZE_SYNTAX: Canned = Canned(501, (5, 5, 4), "SIZE= takes a number of octets");
pub(super) const BODY_SYNTAX: Canned = Canned(501, (5, 5, 4), "BODY= is 7BIT, 8BITMIME or BINARYMIME");
pub(super) const SMTPUTF8_SYNTAX: Canned = Canned(501, (5, 5, 4), "SMTPUTF8 takes no value");
pub(super) const SUBMITTER_SYNTAX: Canned = Canned(501, (5, 5, 4), "AUTH= takes an address in xtext, or <>");
pub(super) const RET_SYNTAX: Canned = Canned(501, (5, 5, 4), "RET= is FULL or HDRS");
pub(super) const ENVID_SYNTAX: Canned =
    Canned(501, (5, 5, 4), "ENVID= takes at most 100 characters of xtext");
pub(super) const NOTIFY_SYNTAX: Canned =
    Canned(501, (5, 5, 4), "NOTIFY= is NEVER, or each of SUCCESS, FAILURE and DELAY once at most");
pub(super) const ORCPT_SYNTAX: Canned =
    Canned(501, (5, 5, 4), "ORCPT= takes type;address in xtext, at most 500 characters");

// Order of commands.
pub(super) const HELLO_FIRST: Canned = Canned(503, (5, 5, 1), "Say EHLO first");
pub(super) const LHLO_FIRST: Canned = Canned(503, (5, 5, 1), "Say LHLO first");
pub(super) const MAIL_TWICE: Canned = Canned(503, (5, 5, 1), "A transaction is open already");
pub(super) const MAIL_FIRST: Canned = Canned(503, (5, 5, 1), "MAIL comes first");
// RFC 5321 §3.3 allows 503 or 554; 554 says that the client was understood.
pub(super) const NO_RECIPIENTS: Canned = Canned(554, (5, 5, 1), "No valid recipients");
// RFC 2033 §4.2: there it must be 503.
pub(super) const LMTP_NO_RECIPIENTS: Canned = Canned(503, (5, 5, 1), "No valid recipients");
pub(super) const RESET_FIRST: Canned = Canned(503, (5, 5, 1), "This content is lost, RSET comes first");
pub(super) const DATA_AFTER_BDAT: Canned = Canned(503, (5, 5, 1), "No DATA after BDAT, RSET comes first");
pub(super) const RCPT_AFTER_BDAT: Canned = Canned(503, (5, 5, 1), "No RCPT after BDAT, RSET comes first");
pub(super) const DATA_OF_BINARY: Canned = Canned(503, (5, 5, 1), "BODY=BINARYMIME needs BDAT");
pub(super) const TOO_MANY_RECIPIENTS: Canned = Canned(452, (4, 5, 3), "Too many recipients");
pub(super) const SIZE_ANNOUNCED: Canned = Canned(552, (5, 3, 4), "The message is larger than we accept");

pub(super) const VERB_NOT_OFFERED: Canned = Canned(502, (5, 5, 1), "VERB is not for this network");
pub(super) const NOT_OFFERED: Canned = Canned(502, (5, 5, 1), "This command is not offered");
pub(super) const IN_TRANSACTION: Canned = Canned(503, (5, 5, 1), "Not in a transaction");
pub(super) const NO_HELP: Canned = Canned(504, (5, 5, 4), "There is no help on this");

// TLS and sign-in.
pub(super) const TLS_FIRST: Canned = Canned(530, (5, 7, 0), "Must issue a STARTTLS command first");
pub(super) const TLS_NOT_OFFERED: Canned = Canned(502, (5, 5, 1), "STARTTLS is not offered");
pub(super) const TLS_ALREADY: Canned = Canned(503, (5, 5, 1), "TLS is active already");
pub(super) const INPUT_BEFORE_TLS: Canned = Canned(554, (5, 5, 0), "Nothing may follow STARTTLS");
pub(super) const SIGN_IN_FIRST: Canned = Canned(530, (5, 7, 0), "Sign in first");
pub(super) const SIGN_IN_NOT_OFFERED: Canned = Canned(502, (5, 5, 1), "AUTH is not offered");
pub(super) const SIGN_IN_NEEDS_TLS: Canned = Canned(538, (5, 7, 11), "Encryption is required to sign in");
pub(super) const SIGNED_IN_ALREADY: Canned = Canned(503, (5, 5, 1), "Signed in already");
pub(super) const SIGN_IN_IN_TRANSACTION: Canned = Canned(503, (5, 5, 1), "No AUTH in a transaction");
pub(super) const UNKNOWN_MECHANISM: Canned = Canned(504, (5, 5, 4), "Mechanism not known");
pub(super) const SASL_NOT_BASE64: Canned = Canned(501, (5, 5, 2), "Not base64");
pub(super) const SASL_MALFORMED: Canned = Canned(501, (5, 5, 2), "Not what the mechanism asks for");
pub(super) const SASL_TOO_LONG: Canned = Canned(500, (5, 5, 6), "The response is too long");
pub(super) const CHANNEL_BINDING_DENIED: Canned =
    Canned(535, (5, 7, 8), "Channel binding was offered; somebody may have taken it out of the list");
pub(super) const UNKNOWN_CHANNEL_BINDING: Canned = Canned(504, (5, 5, 4), "Channel binding not known");
pub(super) const SASL_CANCELLED: Canned = Canned(501, (5, 7, 0), "Cancelled");
pub(super) const SIGN_IN_REFUSED: Canned = Canned(535, (5, 7, 8), "User name or password is wrong");
pub(super) const SIGN_IN_UNAVAILABLE: Canned = Canned(454, (4, 7, 0), "Cannot check this now");

// Content.
pub(super) const CONTENT_BARE_LINE_FEED: Canned = Canned(550, (5, 5, 2), "The content has a bare line feed");
pub(super) const CONTENT_BARE_CARRIAGE_RETURN: Canned =
    Canned(550, (5, 5, 2), "The content has a bare carriage return");
pub(super) const CONTENT_LINE_TOO_LONG: Canned =
    Canned(554, (5, 6, 0), "The content has a line that is too long");
pub(super) const CONTENT_TOO_LARGE: Canned = Canned(552, (5, 3, 4), "The message is larger than we accept");

// The connection ends.
pub(super) const HTTP_REQUEST: Canned = Canned(421, (4, 7, 0), "This is a mail server");
pub(super) const HEADER_AS_COMMAND: Canned = Canned(421, (4, 7, 0), "A command is expected, not content");
pub(super) const TOO_MANY_MISUSES: Canned = Canned(421, (4, 7, 0), "Too many mistakes");
pub(super) const TOO_MANY_IDLE_COMMANDS: Canned =
    Canned(421, (4, 7, 0), "Too many commands without a message");
pub(super) const TOO_MANY_SIGN_IN_FAILURES: Canned = Canned(421, (4, 7, 0), "Too many failed sign-ins");
/// RFC 5321 §3.8, §4.2.1: another connection may bring what this one may not any more, so that it is no 552.
pub(super) const SESSION_TOO_LARGE: Canned =
    Canned(421, (4, 7, 0), "Too much content in one connection, come again");
pub(super) const TOO_MANY_MESSAGES: Canned =
    Canned(421, (4, 7, 0), "Too many messages in one connection, come again");
pub(super) const TOO_SLOW: Canned = Canned(421, (4, 4, 2), "Waited too long");
pub(super) const STOPPING: Canned = Canned(421, (4, 3, 2), "The server is stopping, come again");
/// An answer that does not fit its question: our fault, and temporary.
pub(super) const UNAVAILABLE: Canned = Canned(451, (4, 3, 0), "Cannot do this now");

/// What is said of a content with this fault.
pub(super) fn faulty(fault: Fault) -> (Misuse, Canned) {
    match fault {
        Fault::BareLineFeed => (Misuse::BareLineFeed, CONTENT_BARE_LINE_FEED),
        Fault::BareCarriageReturn => (Misuse::BareCarriageReturn, CONTENT_BARE_CARRIAGE_RETURN),
        Fault::LineTooLong => (Misuse::LineTooLong, CONTENT_LINE_TOO_LONG),
        Fault::TooLarge => (Misuse::ContentTooLarge, CONTENT_TOO_LARGE),
    }
}

/// The banner (RFC 5321 §4.2: `220 domain text`), without an enhanced code.
pub(super) fn banner(host_name: &str, text: &str) -> Reply {
    // RFC 5321 §4.2: `Domain [ SP textstring ]`, so no space without a text.
    Reply::plain(220, format!("{host_name} {text}").trim_end().to_owned())
}

/// The answer to HELO: the server's name.
pub(super) fn helo(host_name: &str) -> Reply {
    Reply::plain(250, host_name.to_owned())
}

/// A SASL challenge (RFC 4954 §4): `334 ` and base64, nothing else.
pub(super) fn challenge(base64: String) -> Reply {
    Reply::plain(334, base64)
}

/// A help text.
pub(super) fn help(commands: impl Into<Cow<'static, str>>) -> Reply {
    Reply::new(214, (2, 0, 0), commands)
}
