//! Mail that goes in circles (RFC 5321 §6.3).
//!
//! Each server that a message passes leaves a Received field. Too many of them are a loop; so are a few of our own.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::{ContentFacts, Facts};
use crate::limits::{RECEIVED_HERE_MAX, RECEIVED_MAX};
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
        let reason = self.reason(facts.content.as_ref()?)?;
        // RFC 3463 §3.5: 5.4.6, routing loop detected.
        let reply = Reply::new(554, (5, 4, 6), "too many hops: this message goes in circles");
        Some(Finding::Refuse(reply, reason))
    }
}

impl ContentLoop {
    fn reason(&self, content: &ContentFacts) -> Option<Reason> {
        let hops_max = content.hops_max.unwrap_or(RECEIVED_MAX);
        let (because, received, limit) = if content.received > hops_max {
            ("the header has more Received fields than a message can need", content.received, hops_max)
        } else if content.received_here > RECEIVED_HERE_MAX {
            ("the message has been here again and again", content.received_here, RECEIVED_HERE_MAX)
        } else {
            return None;
        };
        Some(Reason::new(self.name(), because).with("received", received).with("limit", limit))
    }
}
