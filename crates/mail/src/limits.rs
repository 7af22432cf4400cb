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

/// RFC 3461 §4.4, in xtext.
pub const ENVELOPE_ID_OCTETS_MAX: usize = 100;
/// RFC 3461 §4.2, in xtext, with its type.
pub const ORIGINAL_RECIPIENT_OCTETS_MAX: usize = 500;

/// A keyword. RFC 3501 names no limit; each is kept in a row for each email and mailbox, and no client makes longer ones.
pub const KEYWORD_OCTETS_MAX: usize = 64;
/// A mailbox's path in UTF-8. Fits an IMAP line in modified UTF-7 even where each character takes four times its octets.
pub const MAILBOX_PATH_OCTETS_MAX: usize = 1_000;
/// Levels of a mailbox's path: more than people make, few enough that LIST of each parent stays cheap.
pub const MAILBOX_PATH_DEPTH_MAX: usize = 32;

/// What is read of the headers of one message, those of its parts included, octets. Real ones with long chains of ARC and
/// Received stay below 100 KiB; what lies behind is not looked at, so that memory is bounded by this and not by content.
pub const HEADER_OCTETS_MAX: usize = 1 << 20;
/// The beginning of a line by which it is told whether it is a field or a boundary. RFC 5322 §2.1.1 allows lines of 998
/// octets; so a message can be parsed in pieces of any size.
pub const LINE_OCTETS_JUDGED: usize = 2_000;
/// Fields of one header. Each costs a few words of memory.
pub const FIELDS_MAX: usize = 2_000;
/// Parts of one message. Each stands in BODYSTRUCTURE; digests of mailing lists come to a few hundred.
pub const PARTS_MAX: usize = 1_000;
/// Depth of multiparts and messages within messages. Forwarding adds two, and nobody forwards 25 times; dropping and
/// comparing a `Part` recurses this deep.
pub const PARTS_DEPTH_MAX: usize = 50;
/// Parameters of one field. RFC 2231 cuts long ones into pieces; floods of them are an attack (CVE-2026-27859).
pub const PARAMETERS_MAX: usize = 64;
/// Addresses of one field that ENVELOPE shows: more than any real message has, and 200 octets of memory each at most
/// beside their text.
pub const ADDRESSES_MAX: usize = 5_000;
/// Text of one email that is decoded and searched, octets: as much as a long book.
pub const SEARCHED_OCTETS_MAX: usize = 8 << 20;
