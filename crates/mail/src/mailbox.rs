//! Paths of mailboxes.

use serde::{Deserialize, Serialize};

/// A mailbox's path within its account: UTF-8, levels separated by `/`, `INBOX` in upper case however it was written
/// (RFC 3501 §5.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MailboxPath(String);

impl MailboxPath {
    /// The mailbox where mail arrives.
    pub fn inbox() -> Self {
        Self("INBOX".into())
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
