//! How many messages come from one source address.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::Facts;
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct MessageRate;

impl Check for MessageRate {
    fn name(&self) -> &'static str {
        "message-rate"
    }

    fn stage(&self) -> Stage {
        Stage::Sender
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let rate = facts.sender.as_ref()?.rate.filter(|rate| rate.messages > rate.most)?;
        if facts.connection.trusted {
            return None;
        }
        // As others say it who have such a limit; RFC 3463 §3.8: 4.7.1, not authorized now.
        let reply = Reply::new(450, (4, 7, 1), "too many messages from your address, try again later");
        let reason = Reason::new(self.name(), "this address sends more often than it may")
            .with("messages", u64::from(rate.messages))
            .with("limit", u64::from(rate.most))
            .with("seconds", rate.within_secs);
        Some(Finding::Defer(reply, reason))
    }
}
