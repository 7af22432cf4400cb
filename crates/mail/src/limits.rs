//! Every bound on what a peer may send as mail, with its reason.

/// RFC 5321 §4.5.3.1.1. Counted in the form that we write, quotes included.
pub const LOCAL_PART_OCTETS_MAX: usize = 64;
/// RFC 5321 §4.5.3.1.2 says 255, which is RFC 1035's form on the wire (§2.3.4); as text that leaves 253.
pub const DOMAIN_OCTETS_MAX: usize = 253;
/// RFC 5321 §4.5.3.1.3, with its angle brackets.
pub const PATH_OCTETS_MAX: usize = 256;
/// What a path leaves for its address.
pub const ADDRESS_OCTETS_MAX: usize = PATH_OCTETS_MAX - 2;
/// RFC 5321 §4.5.3.1.5, with CRLF.
pub const REPLY_LINE_OCTETS_MAX: usize = 512;

/// A keyword. RFC 3501 names no limit; each is kept in a row for each email and mailbox, and no client makes longer ones.
pub const KEYWORD_OCTETS_MAX: usize = 64;
/// A mailbox's path in UTF-8. Fits an IMAP line in modified UTF-7 even where each character takes four times its octets.
pub const MAILBOX_PATH_OCTETS_MAX: usize = 1_000;
/// Levels of a mailbox's path: more than people make, few enough that LIST of each parent stays cheap.
pub const MAILBOX_PATH_DEPTH_MAX: usize = 32;
