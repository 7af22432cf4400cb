//! What mistakes and refusals lead to: replies that wait, and the end.
//!
//! ```text
//! 4yz or 5yz --from `slow` on--> held for `tarpit`: nothing is read or done meanwhile, what was gathered waits with it
//!            --the `limit`-th--> 421
//! ```
//!
//! A mistake is of the protocol, a refusal of ours: a recipient whom nobody knows, a wrong password. A message that was
//! taken clears the refusals; so a list that is sent over one connection may hold addresses that are gone. Nor do refusals end
//! a connection while a recipient that was accepted waits for the content: who sent the others, too, would lose it.

use std::time::Instant;

use mail::Reply;

use super::{ServerSession, State};
use crate::misuse::Misuse;
use crate::smtp::replies;

impl ServerSession {
    /// A reply was said that is no success: it waits, if there were many. The one that ends the connection does not, for it
    /// is our time, too.
    pub(super) fn hold_back(&mut self, reply: &Reply) {
        let errors = self.config.bounds.errors;
        let waits = !errors.tarpit.is_zero() && self.clock.stops.is_none();
        if reply.code >= 400 && self.errors() + 1 >= errors.slow && waits {
            self.clock.held = Some(self.clock.now + errors.tarpit);
        }
    }

    /// Until when replies are held, if they are.
    pub(super) fn held(&self) -> Option<Instant> {
        self.clock.held.filter(|_| !matches!(self.state, State::Closing))
    }

    /// What was held goes out.
    pub(super) fn release(&mut self) {
        self.clock.held = None;
        self.renew_deadline();
    }

    fn errors(&self) -> usize {
        self.counts.mistakes + self.counts.refusals
    }

    /// Counts a mistake, which was answered. Too many end the connection.
    pub(super) fn count_mistake(&mut self) {
        self.counts.mistakes += 1;
        if self.errors() >= self.config.bounds.errors.limit {
            self.end_for_errors();
        }
    }

    /// Counts a refusal for good, which was answered.
    pub(super) fn count_refusal(&mut self) {
        self.counts.refusals += 1;
        let waits_for_content = self.transaction.as_ref().is_some_and(|open| open.recipients > 0);
        if self.errors() >= self.config.bounds.errors.limit && !waits_for_content {
            self.end_for_errors();
        }
    }

    fn end_for_errors(&mut self) {
        self.misuses.note(Misuse::TooManyMisuses);
        self.close(replies::TOO_MANY_MISUSES);
    }
}
