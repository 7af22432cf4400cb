//! Mail that goes in circles (RFC 5321 §6.3).

use mail::Reply;

use super::{Check, Finding};
use crate::facts::Facts;
use crate::limits::RECEIVED_MAX;
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct ContentLoop;

impl Check for ContentLoop {
    fn name(&self) -> &'static str {
        "loop"
    }

    fn stage(&self) -> Stage {
        Stage::Content
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let content = facts.content.as_ref().filter(|content| content.received > RECEIVED_MAX)?;
        // RFC 3463 §3.5: 5.4.6, routing loop detected.
        let reply = Reply::new(554, (5, 4, 6), "too many hops: this message goes in circles");
        let reason = Reason::new(self.name(), "the header has more Received fields than a message can need")
            .with("received", content.received)
            .with("limit", RECEIVED_MAX);
        Some(Finding::Refuse(reply, reason))
    }
}
