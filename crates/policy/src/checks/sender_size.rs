//! The announced size, before content is sent in vain (RFC 1870 §6.1).

use mail::Reply;

use super::{Check, Finding};
use crate::facts::Facts;
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct SenderSize;

impl Check for SenderSize {
    fn name(&self) -> &'static str {
        "announced-size"
    }

    fn stage(&self) -> Stage {
        Stage::Sender
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let sender = facts.sender.as_ref()?;
        let announced = sender.size_announced.filter(|&size| size > sender.size_max)?;
        // RFC 1870 §6.1 (1): 552; RFC 3463 §3.4: 5.3.4, message too big for system.
        let reply = Reply::new(552, (5, 3, 4), "the message is larger than this server takes");
        let reason = Reason::new(self.name(), "the announced size is above the limit")
            .with("announced", announced)
            .with("limit", sender.size_max);
        Some(Finding::Refuse(reply, reason))
    }
}
