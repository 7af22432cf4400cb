//! Addresses: `local-part@domain` (RFC 5321 §4.1.2 calls it Mailbox).

use std::net::IpAddr;

/// A domain name as A-labels, lower case, without a final dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

/// What stands before the `@`, unquoted: `"a b"@example.org` and `a\ b` are one local part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPart(String);

/// `[192.0.2.1]`, `[IPv6:2001:db8::1]`, or a general literal (RFC 5321 §4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressLiteral {
    /// IPv4 or IPv6; IPv4-mapped IPv6 becomes IPv4.
    Ip(IpAddr),
    /// Standardized-tag and content, not understood here.
    General(String, String),
}

/// What stands after the `@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name.
    Domain(Domain),
    /// A literal.
    Literal(AddressLiteral),
}

/// `local-part@host`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Before the `@`.
    pub local: LocalPart,
    /// After it.
    pub host: Host,
}
