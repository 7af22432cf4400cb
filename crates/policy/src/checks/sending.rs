//! How much an account may send.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::Facts;
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct SendingLimit;

impl Check for SendingLimit {
    fn name(&self) -> &'static str {
        "sending-limit"
    }

    fn stage(&self) -> Stage {
        Stage::Recipient
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let account = facts.account.as_ref()?;
        let (sent, limits) = (account.sent, account.limits);
        let counts = [
            (sent.hour, limits.hour, "recipients in an hour"),
            (sent.day, limits.day, "recipients in a day"),
            (sent.new, limits.new, "recipients in a day to whom you had not written before"),
        ];
        let (count, most, what) = counts.into_iter().find_map(|(count, limit, what)| {
            limit.filter(|limit| count > u64::from(*limit)).map(|limit| (count, limit, what))
        })?;
        // RFC 3463 §3.8: X.7.1, delivery not authorized; 4yz, because it will be again.
        let reply = Reply::new(450, (4, 7, 1), format!("you may send to {most} {what}; try again later"));
        let reason = Reason::new(self.name(), "the account has sent as much as it may");
        Some(Finding::Defer(reply, reason.with("count", count).with("limit", u64::from(most))))
    }
}
