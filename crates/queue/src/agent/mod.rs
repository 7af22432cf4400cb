//! Delivery agents: each turns an attempt into outcomes. One file an agent.

pub mod local;

/// Temporary or permanent, and why, with the enhanced code (RFC 3463).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// `4.2.1`, `5.1.1`.
    pub status: &'static str,
    /// In words, for the sender and the administrator.
    pub because: String,
}

/// How an attempt for one recipient ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in these mailboxes once the changes are committed.
    Delivered {
        /// INBOX of each account the address means, with the account's address.
        mailboxes: Vec<(i64, mail::Address)>,
    },
    /// Try again.
    Deferred(Diagnostic),
    /// Never.
    Failed(Diagnostic),
}
