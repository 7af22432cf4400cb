//! Recipients that fail on purpose, so that a sender's behaviour can be tried. Off unless a virtual server has them on.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::{Facts, Magic, Standing};
use crate::limits::MAGIC_DEFERRALS;
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct MagicRecipient;

impl Check for MagicRecipient {
    fn name(&self) -> &'static str {
        "magic-recipient"
    }

    fn stage(&self) -> Stage {
        Stage::Recipient
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let recipient = facts.recipient.as_ref()?;
        let magic = recipient.magic.filter(|_| {
            !matches!(recipient.standing, Standing::NotLocal | Standing::RelayedTo | Standing::HandedOn)
        })?;
        Some(match magic {
            Magic::Refused => Finding::Refuse(
                Reply::new(550, (5, 1, 1), "no such recipient here"),
                Reason::new(self.name(), "refused@ is refused on purpose"),
            ),
            Magic::Deferred { tries_before } => self.deferred(tries_before),
            Magic::Slow => Finding::Accept(Reason::new(self.name(), "slow@ is delivered late on purpose")),
            Magic::Bounces => Finding::Accept(Reason::new(self.name(), "bounces@ is reported on purpose")),
        })
    }
}

impl MagicRecipient {
    fn deferred(&self, tries_before: u32) -> Finding {
        let reason = Reason::new(self.name(), "deferred@ is deferred on purpose until the third try")
            .with("tries-before", u64::from(tries_before));
        if tries_before < MAGIC_DEFERRALS {
            Finding::Defer(Reply::new(451, (4, 7, 1), "not yet; try again later"), reason)
        } else {
            Finding::Accept(reason)
        }
    }
}
