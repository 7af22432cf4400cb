//! What is submitted names domains in full (RFC 6409 §4.2: the MSA "MUST ensure that all domains in the SMTP envelope are
//! fully qualified"). A domain of ours may be what we like: who is known there is known.
//!
//! Departure from the second sentence of §4.2: addresses in header fields are left as they are. Nobody routes by them, and a
//! program that writes `To: root` would be refused although its mail arrives.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::{Facts, Service, Standing};
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct QualifiedSender;
pub(super) struct QualifiedRecipient;

impl Check for QualifiedSender {
    fn name(&self) -> &'static str {
        "sender-domain"
    }

    fn stage(&self) -> Stage {
        Stage::Sender
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let domain = bare_domain(facts, &facts.sender.as_ref()?.reverse_path)?;
        let account = facts.hello.as_ref().and_then(|hello| hello.account.as_deref());
        let is_own =
            account.and_then(|account| account.rsplit_once('@')).is_some_and(|(_, own)| own == domain);
        // RFC 3463 §3.2: 5.1.8, bad sender's system address.
        let refusal =
            || refuse((5, 1, 8), "the sender's domain must be written in full", self.name(), domain);
        (!is_own).then(refusal)
    }
}

impl Check for QualifiedRecipient {
    fn name(&self) -> &'static str {
        "recipient-domain"
    }

    fn stage(&self) -> Stage {
        Stage::Recipient
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let recipient = facts.recipient.as_ref().filter(|it| it.standing == Standing::NotLocal)?;
        let domain = bare_domain(facts, &recipient.recipient)?;
        // RFC 3463 §3.2: 5.1.2, bad destination system address.
        Some(refuse((5, 1, 2), "the recipient's domain must be written in full", self.name(), domain))
    }
}

/// The domain of a submitted address, if it is one word. Address literals are complete.
fn bare_domain<'a>(facts: &Facts, address: &'a str) -> Option<&'a str> {
    let (_, domain) = address.rsplit_once('@').filter(|_| facts.connection.service == Service::Submission)?;
    (!domain.contains('.') && !domain.starts_with('[')).then_some(domain)
}

/// RFC 6409 §4.2: 554.
fn refuse(status: (u8, u16, u16), text: &'static str, name: &'static str, domain: &str) -> Finding {
    let reason = Reason::new(name, "a domain of one word is none in the world").with("domain", domain);
    Finding::Refuse(Reply::new(554, status, text), reason)
}
