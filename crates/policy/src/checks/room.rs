//! Room on the disk, before content is sent in vain (RFC 1870 §6.1).

use mail::Reply;

use super::{Check, Finding};
use crate::facts::Facts;
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct Room;

impl Check for Room {
    fn name(&self) -> &'static str {
        "room"
    }

    fn stage(&self) -> Stage {
        Stage::Sender
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let sender = facts.sender.as_ref()?;
        let needed = sender.size_announced.unwrap_or(0).max(1);
        let room = sender.room.filter(|&room| room < needed)?;
        // RFC 1870 §6.1 (2): 452, because there may be room later; RFC 3463 §3.4: 4.3.1, mail system full.
        let reply = Reply::new(452, (4, 3, 1), "no room for more mail at this moment, try again later");
        let reason = Reason::new(self.name(), "the disk has no room for it beyond what is kept free")
            .with("room", room);
        let reason = match sender.size_announced {
            Some(announced) => reason.with("announced", announced),
            None => reason,
        };
        Some(Finding::Defer(reply, reason))
    }
}
