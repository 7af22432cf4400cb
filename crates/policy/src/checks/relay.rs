//! Mail for other domains: sent for those that `relay` names, and to those domains whose `[[remote-domain]]` says so;
//! refused to everybody else.
//!
//! What counts is the domain behind the last `@` of the recipient, after a source route was dropped: `%` and `!` in a local
//! part mean nothing here (RFC 5321 §2.3.11: only the host of the domain may interpret it). Neither the sender nor the name
//! in HELO is looked at, since anybody can choose them.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::{Facts, RelayFacts, Service, Standing};
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
        let is_open = match recipient.standing {
            Standing::NotLocal => false,
            Standing::RelayedTo => true,
            _ => return None,
        };
        let account = facts.hello.as_ref().and_then(|hello| hello.account.as_deref());
        // LMTP has no queue (RFC 2033 §3), so that nothing could be sent on from there.
        let relays = facts.connection.service != Service::Lmtp;
        if relays && is_open {
            let because = "anyone may send to this domain through this server";
            return Some(Finding::Accept(Reason::new(self.name(), because)));
        }
        let permitted = relays.then(|| self.permission(&facts.connection.relay, account)).flatten();
        Some(permitted.map_or_else(|| self.refusal(account), Finding::Accept))
    }
}

impl Relay {
    fn permission(&self, relay: &RelayFacts, account: Option<&str>) -> Option<Reason> {
        if let Some(network) = &relay.network {
            let because = "the client is in a network that may send to other domains";
            return Some(Reason::new(self.name(), because).with("network", network.as_str()));
        }
        let account = account.filter(|_| relay.authenticated)?;
        let because = "who signed in may send to other domains";
        Some(Reason::new(self.name(), because).with("signed-in", account))
    }

    /// RFC 5321 §3.6.2 and §7.8: a server may refuse to relay. RFC 3463 §3.8: 5.7.1, not authorized.
    fn refusal(&self, account: Option<&str>) -> Finding {
        let reason = Reason::new(self.name(), "the recipient's domain is not one of ours");
        let (text, reason) = match account {
            None => ("relaying denied: this server takes mail for its own domains", reason),
            Some(account) => (
                "relaying denied: this server sends no mail to other domains, even for those signed in",
                reason.with("signed-in", account),
            ),
        };
        Finding::Refuse(Reply::new(550, (5, 7, 1), text), reason)
    }
}
