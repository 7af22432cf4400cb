//! Whether a recipient of ours is known.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::{Facts, Service, Standing};
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct Recipient;

impl Check for Recipient {
    fn name(&self) -> &'static str {
        "recipient"
    }

    fn stage(&self) -> Stage {
        Stage::Recipient
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let recipient = facts.recipient.as_ref()?;
        match recipient.standing {
            // Another check's matter.
            Standing::NotLocal | Standing::RelayedTo => None,
            Standing::HandedOn if facts.connection.service == Service::Lmtp => Some(Finding::Refuse(
                Reply::new(550, (5, 7, 1), "another server has the mailboxes of this domain"),
                Reason::new(self.name(), "what comes by LMTP is filed here or not taken"),
            )),
            Standing::HandedOn => Some(Finding::Accept(Reason::new(
                self.name(),
                "the domain is ours, and the server that has its mailboxes will say who is known",
            ))),
            // RFC 5321 §4.2.2: 550, no such mailbox. RFC 3463 §3.2: 5.1.1, bad destination mailbox address.
            Standing::Unknown => Some(Finding::Refuse(
                Reply::new(550, (5, 1, 1), "no such recipient here"),
                Reason::new(self.name(), "neither account nor alias has this address"),
            )),
            Standing::Local(mailboxes) => Some(Finding::Accept(
                Reason::new(self.name(), "the recipient is ours").with("mailboxes", mailboxes),
            )),
            // RFC 5321 §4.5.1: postmaster is never refused; while nobody could read his mail, it has to wait.
            Standing::Unattended => Some(Finding::Defer(
                Reply::new(451, (4, 2, 1), "nobody reads postmaster's mail here yet; try again later"),
                Reason::new(self.name(), "postmaster is always accepted, but there is no account yet"),
            )),
            Standing::Unavailable => Some(Finding::Defer(
                Reply::new(451, (4, 3, 0), "recipients cannot be looked up now; try again later"),
                Reason::new(self.name(), "the directory could not be asked"),
            )),
        }
    }
}
