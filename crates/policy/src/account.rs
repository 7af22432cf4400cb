//! What is known of an account that sends, and what follows when it suddenly sends otherwise.

use serde::{Deserialize, Serialize};
use settings::{MaySendAs, SendingLimits, VirtualServer};

use crate::reason::Reason;

/// Of the account that signed in, where it sends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AccountFacts {
    /// It may not send as the reverse-path.
    #[serde(default, skip_serializing_if = "is_not")]
    pub foreign_path: bool,
    /// Addresses of the fields From and Sender as which it may not send.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<String>,
    /// Recipients so far, with those of this message.
    #[serde(default)]
    pub sent: SentFacts,
    /// How much it may send. A setting gives it, so it is not kept.
    #[serde(skip)]
    pub limits: LimitFacts,
}

/// Recipients of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SentFacts {
    /// In this hour.
    #[serde(default)]
    pub hour: u64,
    /// In the 24 hours that end with it.
    #[serde(default)]
    pub day: u64,
    /// Of those, the ones to whom it had not written before.
    #[serde(default)]
    pub new: u64,
    /// In its highest hour of the thirty days before this one.
    #[serde(default)]
    pub highest: u64,
}

/// How much an account may send; none: as much as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitFacts {
    /// Recipients in an hour.
    pub hour: Option<u32>,
    /// In a day.
    pub day: Option<u32>,
    /// In a day, to whom it had not written before.
    pub new: Option<u32>,
    /// What is over so many times its highest hour is held ...
    pub hold_factor: Option<u32>,
    /// ... if it is over this many recipients, too.
    pub hold_recipients: Option<u32>,
}

impl From<SendingLimits> for LimitFacts {
    fn from(limits: SendingLimits) -> Self {
        Self {
            hour: limits.recipients_per_hour,
            day: limits.recipients_per_day,
            new: limits.new_recipients_per_day,
            hold_factor: limits.hold_factor,
            hold_recipients: limits.hold_recipients,
        }
    }
}

impl AccountFacts {
    /// The same under a virtual server's settings.
    #[must_use]
    pub fn under(mut self, server: &VirtualServer) -> Self {
        self.limits = server.sending.into();
        if server.may_send_as == MaySendAs::Anyone {
            self.foreign_path = false;
            self.foreign.clear();
        }
        self
    }

    /// Why what it sends is to be held, if it is: it sends much, and very much more than it ever does. Either alone is no
    /// sign: one who writes twice a year writes ten times as much at Christmas, and a list is a list every day.
    pub fn sudden(&self) -> Option<Reason> {
        let (factor, recipients) = (self.limits.hold_factor?, self.limits.hold_recipients?);
        let SentFacts { hour, highest, .. } = self.sent;
        let is_sudden = hour > recipients.into() && hour > highest.saturating_mul(factor.into());
        is_sudden.then(|| {
            Reason::new("hold", "the account suddenly sends far more than it ever did")
                .with("recipients in this hour", hour)
                .with("highest hour of 30 days", highest)
        })
    }
}

fn is_not(truth: &bool) -> bool {
    !*truth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_much_and_much_more_than_ever_is_sudden() {
        let limits =
            LimitFacts { hold_factor: Some(10), hold_recipients: Some(100), ..LimitFacts::default() };
        let sudden = |hour, highest, limits| {
            let sent = SentFacts { hour, highest, ..SentFacts::default() };
            AccountFacts { sent, limits, ..AccountFacts::default() }.sudden().is_some()
        };
        for (hour, highest, expected) in [
            (100, 0, false),
            (101, 0, true),
            (101, 10, true),
            (101, 11, false),
            (1000, 100, false),
            (1001, 100, true),
            (u64::MAX, u64::MAX, false),
        ] {
            assert_eq!(sudden(hour, highest, limits), expected, "{hour} after {highest}");
        }
        assert!(!sudden(5000, 0, LimitFacts { hold_factor: None, ..limits }));
        assert!(!sudden(5000, 0, LimitFacts { hold_recipients: None, ..limits }));
    }
}
