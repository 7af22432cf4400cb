//! Every bound on what a peer may send as mail, with its reason.

/// RFC 5321 §4.5.3.1.1.
pub const LOCAL_PART_OCTETS_MAX: usize = 64;
/// RFC 5321 §4.5.3.1.2, RFC 1035 §2.3.4.
pub const DOMAIN_OCTETS_MAX: usize = 255;
/// RFC 5321 §4.5.3.1.3, with its angle brackets.
pub const PATH_OCTETS_MAX: usize = 256;
