//! Mail for other domains: nothing is relayed.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::{Facts, Standing};
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct Relay;

impl Check for Relay {
    fn name(&self) -> &'static str {
        "relay"
    }

    fn stage(&self) -> Stage {
        Stage::Recipient
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let recipient = facts.recipient.as_ref()?;
        if recipient.standing != Standing::NotLocal {
            return None;
        }
        let account = facts.hello.as_ref().and_then(|hello| hello.account.as_deref());
        let reason = Reason::new(self.name(), "the recipient's domain is not one of ours");
        // RFC 5321 §3.6.2 and §7.8: a server may refuse to relay. RFC 3463 §3.8: 5.7.1, not authorized.
        Some(match account {
            None => Finding::Refuse(
                Reply::new(550, (5, 7, 1), "relaying denied: this server takes mail for its own domains"),
                reason,
            ),
            Some(account) => Finding::Refuse(
                Reply::new(
                    550,
                    (5, 7, 1),
                    "relaying denied: this server sends no mail to other domains, even for those signed in",
                ),
                reason.with("signed-in", account),
            ),
        })
    }
}
