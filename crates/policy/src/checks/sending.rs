//! How much an account may send.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::Facts;
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct SendingLimit;
/// Once more at the end: of transactions that ran side by side none has counted the others.
pub(super) struct SendingLimitAgain;

impl Check for SendingLimit {
    fn name(&self) -> &'static str {
        "sending-limit"
    }

    fn stage(&self) -> Stage {
        Stage::Recipient
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        exceeded(self.name(), facts)
    }
}

impl Check for SendingLimitAgain {
    fn name(&self) -> &'static str {
        "sending-limit-again"
    }

    fn stage(&self) -> Stage {
        Stage::Content
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        exceeded(self.name(), facts)
    }
}

fn exceeded(name: &'static str, facts: &Facts) -> Option<Finding> {
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
    let reason = Reason::new(name, "the account has sent as much as it may");
    Some(Finding::Defer(reply, reason.with("count", count).with("limit", u64::from(most))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{ConnectionFacts, RelayFacts, Service};
    use crate::{AccountFacts, LimitFacts, SentFacts};

    #[test]
    fn what_ran_side_by_side_is_counted_at_the_end() {
        let mut facts = Facts::new(ConnectionFacts {
            peer: [192, 0, 2, 1].into(),
            virtual_server: "submission".into(),
            trusted: false,
            service: Service::Submission,
            relay: RelayFacts::default(),
        });
        assert_eq!(SendingLimitAgain.find(&facts), None, "nobody signed in");
        let limits = LimitFacts { hour: Some(10), ..LimitFacts::default() };
        for (hour, is_over) in [(0, false), (10, false), (11, true)] {
            let sent = SentFacts { hour, ..SentFacts::default() };
            facts.account = Some(AccountFacts { sent, limits, ..AccountFacts::default() });
            for check in [&SendingLimit as &dyn Check, &SendingLimitAgain] {
                assert_eq!(check.find(&facts).is_some(), is_over, "{} {hour}", check.name());
            }
        }
        assert_eq!((SendingLimit.stage(), SendingLimitAgain.stage()), (Stage::Recipient, Stage::Content));
    }
}
