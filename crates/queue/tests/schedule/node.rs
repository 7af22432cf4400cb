//! A node: a schedule, the attempts under way, and the limits seen from outside.

use std::collections::BTreeMap;

use mail::Timestamp;
use queue::schedule::{Delivery, Destination, Key, Limits, Outcome, RecipientId, Schedule, Site};

use crate::ledger::Violation;

/// An attempt under way.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// Tells it from a later attempt at the same delivery.
    pub(crate) number: u64,
    pub(crate) delivery: Delivery,
    pub(crate) site: Option<Site>,
    /// What will be told of it when it ends.
    pub(crate) outcomes: BTreeMap<RecipientId, Outcome>,
}

/// A node, up or down.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) schedule: Schedule,
    pub(crate) limits: Limits,
    /// Answers to an earlier life are lost.
    pub(crate) life: u64,
    pub(crate) up: bool,
    /// Its store does not answer before.
    pub(crate) outage_until: Timestamp,
    pub(crate) attempts: BTreeMap<Key, Attempt>,
    /// When it is to be woken, as scheduled.
    pub(crate) wakes_at: Option<Timestamp>,
}

impl Node {
    pub(crate) fn new(limits: Limits, now: Timestamp) -> Self {
        Self {
            schedule: Schedule::new(limits.clone(), now),
            limits,
            life: 0,
            up: true,
            outage_until: now,
            attempts: BTreeMap::new(),
            wakes_at: None,
        }
    }

    pub(crate) fn running_at(&self, destination: &Destination) -> usize {
        self.attempts.keys().filter(|key| key.destination == *destination).count()
    }

    pub(crate) fn running_at_site(&self, site: &Site) -> usize {
        self.attempts.values().filter(|attempt| attempt.site.as_ref() == Some(site)).count()
    }

    /// The limits, counted in what is really under way.
    pub(crate) fn check_limits(
        &self,
        destination: &Destination,
        site: Option<&Site>,
    ) -> Result<(), Violation> {
        let too_many = |what: &str| Err(format!("a limit is exceeded: {what}"));
        if self.attempts.len() > self.limits.attempts_max {
            return too_many("attempts in all");
        }
        if self.running_at(destination) > self.limits.destination_attempts_max {
            return too_many(&format!("attempts at destination {destination}"));
        }
        if site.is_some_and(|site| self.running_at_site(site) > self.limits.site_attempts_max) {
            return too_many("attempts at a site");
        }
        if self.schedule.window_len() > self.limits.window_deliveries_max {
            return too_many("deliveries in the window");
        }
        Ok(())
    }

    /// Whether it could begin an attempt at a destination of this site, even at one that seems not to answer.
    pub(crate) fn has_room(&self, site: &Site) -> bool {
        self.attempts.len() < self.limits.attempts_max.div_ceil(queue::limits::SILENT_ATTEMPTS_PART)
            && self.running_at_site(site) < self.limits.site_attempts_max
    }
}
