//! Whether there is disk, memory and queue for more mail. Everybody is refused alike, also who signed in: what is short is
//! short for all.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::Facts;
use crate::pressure::Level;
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct BackPressure;

impl Check for BackPressure {
    fn name(&self) -> &'static str {
        "back-pressure"
    }

    fn stage(&self) -> Stage {
        Stage::Sender
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let pressure = facts.sender.as_ref()?.pressure.as_ref()?;
        if pressure.level < Level::Refusing {
            return None;
        }
        // RFC 3463 §3.4: 4.3.1, mail system full. Of what we are short is nobody's business.
        let reply = Reply::new(452, (4, 3, 1), "no room for more mail at this moment, try again later");
        let reason = Reason::new(self.name(), "the server is short of what mail needs")
            .with("reading", pressure.because.as_str());
        Some(Finding::Defer(reply, reason))
    }
}
