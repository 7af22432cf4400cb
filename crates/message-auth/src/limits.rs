//! Every bound on what a sender may make us compute, with its reason.

/// Octets of a header that are gathered before the body begins; what `mail` reads of a header, too.
pub const HEADER_OCTETS_MAX: usize = mail::limits::HEADER_OCTETS_MAX;
/// Signatures of one message that are checked, from the top. Each may cost a query, a hash of the body and an RSA operation
/// (RFC 6376 §8.4). Mail through two lists bears five or six.
pub const SIGNATURES_MAX: usize = 10;
/// Octets of one DKIM-Signature field. Only a long z= (copied fields) comes near.
pub const SIGNATURE_FIELD_OCTETS_MAX: usize = 32 << 10;
/// Names in h=. Each is looked for among all fields of the header; signers that seal everything come to 60.
pub const SIGNED_NAMES_MAX: usize = 256;
/// Tags of one list; the RFCs define 14.
pub const TAGS_MAX: usize = 64;
/// Key records of one selector that are tried. One is right (RFC 6376 §3.6.2.2); wildcards bring strangers beside it.
pub const KEY_RECORDS_MAX: usize = 4;
/// Octets of one key record. A key of 4,096 bits takes 760.
pub const KEY_RECORD_OCTETS_MAX: usize = 4 << 10;
/// RFC 8301 §3.2: signatures with smaller keys are not valid.
pub const RSA_BITS_MIN: usize = 1_024;
/// RFC 8301 §3.2 asks for no more, and the cost of checking grows with the square.
pub const RSA_BITS_MAX: usize = 4_096;
/// Octets of a selector, dots included: with `._domainkey.` and a domain it must still be a name.
pub const SELECTOR_OCTETS_MAX: usize = 128;
/// RFC 1035 §3.3: a string of a TXT record.
pub const TXT_STRING_OCTETS_MAX: usize = 255;
/// Octets of a line in a field that we write, without CRLF (RFC 5322 §2.1.1).
pub const LINE_OCTETS_MAX: usize = 78;
