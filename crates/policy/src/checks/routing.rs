//! Local parts that ask for another way, at domains of ours whose mail is handed on: `joe%elsewhere.example@ours`,
//! `elsewhere.example!joe@ours`, `"joe@elsewhere.example"@ours`.
//!
//! Here they mean nothing (RFC 5321 §2.3.11), but the program that the mail is handed to may route by them. It sees a
//! neighbour whom it trusts, and would be an open relay in our name. Postfix and Exim refuse the same by default. Who may
//! send anywhere gains nothing by it, and is not asked.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::{Facts, Standing};
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct Routing;

impl Check for Routing {
    fn name(&self) -> &'static str {
        "routing"
    }

    fn stage(&self) -> Stage {
        Stage::Recipient
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let recipient = facts.recipient.as_ref().filter(|it| it.standing == Standing::HandedOn)?;
        let (local_part, _) = recipient.recipient.rsplit_once('@')?;
        let account = facts.hello.as_ref().and_then(|hello| hello.account.as_deref());
        if !local_part.contains(['%', '!', '@']) || facts.connection.relay.permit(account) {
            return None;
        }
        // RFC 3463 §3.8: 5.7.1, not authorized.
        let reply = Reply::new(550, (5, 7, 1), "relaying denied: the local part asks for a way of its own");
        let because = "the server behind this domain could send it on by %, ! or @ in the local part";
        Some(Finding::Refuse(reply, Reason::new(self.name(), because).with("local-part", local_part)))
    }
}
