//! What a SASL exchange yields (RFC 4422): the mechanisms themselves come here, one file a member.

use std::fmt;

/// A password that is never printed: not by `Debug`, not in a log, not in the journal.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What a client presented to prove who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The mechanism's IANA name, or `USER`, `LOGIN` for the commands of POP3 and IMAP.
    pub mechanism: &'static str,
    /// Whom it wants to act as (RFC 4616 authzid); empty means the same as `login`.
    pub authorization: String,
    /// Whose password it is: an address, or a local part of the default domain.
    pub login: String,
    /// The password in clear text.
    pub password: Password,
}

/// How a sign-in went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// The account's canonical address.
    Accepted(mail::Address),
    /// Wrong password or unknown account, which cannot be told apart.
    Refused,
    /// The server could not find out; try again later.
    Unavailable,
}
