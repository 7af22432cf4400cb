//! The size of the content that came.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::Facts;
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct ContentSize;

impl Check for ContentSize {
    fn name(&self) -> &'static str {
        "content-size"
    }

    fn stage(&self) -> Stage {
        Stage::Content
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let content = facts.content.as_ref().filter(|content| content.size > content.size_max)?;
        // RFC 1870 §6.3: 552 after content that is larger than the fixed maximum.
        let reply = Reply::new(552, (5, 3, 4), "the message is larger than this server takes");
        let reason = Reason::new(self.name(), "the content is larger than the limit")
            .with("size", content.size)
            .with("limit", content.size_max);
        Some(Finding::Refuse(reply, reason))
    }
}
