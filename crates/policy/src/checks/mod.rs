//! The checks: one file a check, one line here.

mod content_loop;
mod content_size;
mod magic;
mod message_rate;
mod neighbour;
mod pressure;
mod qualified;
mod recipient;
mod relay;
mod room;
mod routing;
mod send_as;
mod sender_size;
mod sending;
mod submission;

use mail::Reply;

use crate::facts::Facts;
use crate::reason::Reason;
use crate::story::Stage;

/// Every check. Those of a stage are asked in this order, until one decides.
pub const CHECKS: &[&dyn Check] = &[
    &neighbour::Neighbour,
    &qualified::QualifiedSender,
    &send_as::SendAsPath,
    &sender_size::SenderSize,
    &message_rate::MessageRate,
    &pressure::BackPressure,
    &room::Room,
    &qualified::QualifiedRecipient,
    &relay::Relay,
    &routing::Routing,
    &sending::SendingLimit,
    &magic::MagicRecipient,
    &recipient::Recipient,
    &content_size::ContentSize,
    &content_loop::ContentLoop,
    &send_as::SendAsAuthor,
    &sending::SendingLimitAgain,
    &submission::Submission,
];

/// One rule: a pure function of the facts.
pub trait Check: Sync {
    /// Its name in reasons: lower case, with hyphens.
    fn name(&self) -> &'static str;
    /// When it is asked.
    fn stage(&self) -> Stage;
    /// What it finds; nothing if it has nothing to say.
    fn find(&self, facts: &Facts) -> Option<Finding>;
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Take it; no later check of this stage is asked.
    Accept(Reason),
    /// Refuse it for good with this 5yz reply.
    Refuse(Reply, Reason),
    /// Refuse it for now with this 4yz reply.
    Defer(Reply, Reason),
}
