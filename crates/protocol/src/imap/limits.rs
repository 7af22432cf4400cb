//! Every bound of an IMAP session, with its reason.

use std::time::Duration;

/// A line before sign-in: room for AUTHENTICATE with an initial response of the size that RFC 4954 §4 allows.
pub(super) const LINE_BEFORE_SIGN_IN_MAX: usize = 12_288 + 64;
/// A literal before sign-in: nobody's name or password is longer (RFC 7888 §4 advises low limits).
pub(super) const LITERAL_BEFORE_SIGN_IN_MAX: u64 = 1024;
/// A command before sign-in, its lines and literals together.
pub(super) const COMMAND_BEFORE_SIGN_IN_MAX: usize = 16 * 1024;
/// All octets before sign-in, begun anew by TLS: a stranger is not worth more memory or work than this.
pub(super) const OCTETS_BEFORE_SIGN_IN_MAX: u64 = 64 * 1024;

/// A line after sign-in: RFC 7162 §4 asks for 8192 octets at least, and clients send long UID sets.
pub(super) const LINE_MAX: usize = 64 * 1024;
/// A literal after sign-in, but that of APPEND.
pub(super) const LITERAL_MAX: u64 = 64 * 1024;
/// A command after sign-in, its lines and literals together.
pub(super) const COMMAND_MAX: usize = 128 * 1024;
/// A non-synchronising literal that is refused is on its way already: so much of it is read and dropped, and beyond
/// that the connection ends (RFC 7888 §4 names both ways).
pub(super) const DISCARD_MAX: u64 = 1024 * 1024;

/// Input that waits while a command runs; beyond this the session does not read on.
pub(super) const INPUT_MAX: usize = 64 * 1024;
/// Output of pipelined commands that is collected before it is sent.
pub(super) const OUTPUT_MAX: usize = 64 * 1024;
/// Messages of one APPEND (RFC 3502): they are filed in one step, which nothing else may have to wait for long.
pub(super) const APPEND_MESSAGES_MAX: usize = 256;
/// A piece of APPEND's literal.
pub(super) const CHUNK_MAX: usize = 64 * 1024;

/// Keys of SEARCH within each other: parentheses, NOT, and the chains of OR that clients make of a list of words.
pub(super) const DEPTH_MAX: usize = 64;
/// Keys of a SEARCH: programs that ask for many Message-IDs in one tree of ORs stay below this.
pub(super) const SEARCH_KEYS_MAX: usize = 2048;
/// Runs of UIDs in all keys of a SEARCH: `1:*` may be said two thousand times, and is as long as the mailbox has gaps.
pub(super) const SEARCH_RUNS_MAX: usize = 1024 * 1024;
/// Sections that one FETCH asks for; each is a pass over the message.
pub(super) const SECTIONS_MAX: usize = 64;
/// Octets of the names of those sections, `BODY[HEADER.FIELDS (From To)]`: every row of the answer says them again, and an
/// answer has 256 rows.
pub(super) const LABELS_MAX: usize = 16 * 1024;
/// Names in HEADER.FIELDS.
pub(super) const HEADER_FIELDS_MAX: usize = 256;
/// Numbers in a section's part, `1.2.3`.
pub(super) const PART_DEPTH_MAX: usize = 64;
/// Pairs of ID, octets of a field and of a value (RFC 2971 §3.3).
pub(super) const ID_PAIRS_MAX: usize = 30;
pub(super) const ID_FIELD_MAX: usize = 30;
pub(super) const ID_VALUE_MAX: usize = 1024;
/// Flags in one STORE or APPEND.
pub(super) const FLAGS_MAX: usize = 128;
/// A pattern of LIST, octets: matching costs its length for each octet of each mailbox's name.
pub(super) const PATTERN_MAX: usize = 1024;
/// Mistakes in a row after which the connection ends: a program that errs so often does not speak IMAP.
pub(super) const MISTAKES_MAX: usize = 10;

/// Emails that EXPUNGE, or runs of UIDs that VANISHED or a search's answer, names before what was written is sent: an answer
/// about a million emails goes out in pieces.
pub(super) const RELEASED_AT_ONCE: usize = 1000;
/// Emails that one question for STORE names: as many as are changed in one commit.
pub(super) const STORED_AT_ONCE: u64 = 1000;
/// Pairs of number and UID in QRESYNC's match data that are looked at, the last ones: what is not looked at is said again.
pub(super) const MATCHES_MAX: u64 = 4096;

/// What is under way when the autologout is due gets so much longer.
pub(super) const GRACE: Duration = Duration::from_secs(60);
