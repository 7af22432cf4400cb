//! The arguments of MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3).

use crate::{Address, Domain};

/// Where reports go: the argument of MAIL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReversePath {
    /// `<>`: no report may be sent.
    Null,
    /// An address.
    Address(Address),
}

/// Where the message goes: the argument of RCPT. A source route was read and dropped (RFC 5321 §3.6.1, appendix C).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain, in any case (RFC 5321 §4.5.1).
    Postmaster,
    /// An address.
    Address(Address),
}

#[allow(unused)]
fn _unused(_: Domain) {}
