//! As whom an account may send (RFC 6409 §6.1): as itself, as an address whose mail it gets, or as one that it was given.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::Facts;
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct SendAsPath;
pub(super) struct SendAsAuthor;

impl Check for SendAsPath {
    fn name(&self) -> &'static str {
        "may-send-as"
    }

    fn stage(&self) -> Stage {
        Stage::Sender
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        facts.account.as_ref().filter(|account| account.foreign_path)?;
        let path = &facts.sender.as_ref()?.reverse_path;
        Some(refuse(self.name(), "MAIL FROM names an address", path, facts))
    }
}

impl Check for SendAsAuthor {
    fn name(&self) -> &'static str {
        "may-send-as-author"
    }

    fn stage(&self) -> Stage {
        Stage::Content
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        // What has no From, or several, is refused for that: nobody can say who its author is.
        facts.content.as_ref()?.submission.as_ref().filter(|submission| submission.from == 1)?;
        let foreign = facts.account.as_ref()?.foreign.first()?;
        Some(refuse(self.name(), "From or Sender names an address", foreign, facts))
    }
}

/// RFC 6409 §6.1: 550 with 5.7.1. What the sender may do is said; which addresses there are is not.
fn refuse(name: &'static str, what: &'static str, address: &str, facts: &Facts) -> Finding {
    let account = facts.hello.as_ref().and_then(|hello| hello.account.as_deref()).unwrap_or_default();
    let text = format!(
        "{what} that is not yours: send as your own address, one of its aliases, or one you were given"
    );
    let reason = Reason::new(name, "the account may not send as this address").with("address", address);
    Finding::Refuse(Reply::new(550, (5, 7, 1), text), reason.with("account", account))
}
