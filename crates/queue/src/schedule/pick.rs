//! What is done next: time first, then leases, then attempts, then reading.

use std::collections::BTreeSet;

use mail::Timestamp;

use super::line::{Asked, Lease, Place};
use super::value::{Destination, Key, Site};
use super::{Schedule, Slot, Step, plus};
use crate::limits;

impl Schedule {
    /// The next step, if there is one now. To be called until there is none, after each answer and at
    /// [`next_wakeup`](Self::next_wakeup).
    pub fn next(&mut self, now: Timestamp) -> Option<Step> {
        self.pass_time(now);
        self.steps
            .pop_front()
            .or_else(|| self.survey(now))
            .or_else(|| self.renew(now))
            .or_else(|| self.start(now))
            .or_else(|| self.draw(now))
    }

    /// When there may be a step although nothing was answered or told; none if never.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let survey = (!self.survey_asked).then_some(self.survey_at);
        let firsts = [
            self.deadlines.first().map(|(at, _)| *at),
            self.again.first().map(|(at, _)| *at),
            self.index.future.first().map(|(at, _)| *at),
            self.index.leases.first().map(|(at, _)| *at),
        ];
        firsts.into_iter().flatten().chain(survey).min()
    }

    fn pass_time(&mut self, now: Timestamp) {
        while let Some((_, key)) = self.deadlines.pop_first_before(now) {
            self.steps.push_back(Step::Cut(key));
        }
        while let Some((_, key)) = self.again.pop_first_before(now) {
            self.settle_again(&key);
        }
        while let Some((at, destination)) = self.index.future.first().cloned() {
            if at > now {
                break;
            }
            self.reindex(&destination, now);
        }
        self.end_leases(now);
    }

    /// Leases that are over: another node may have the destination from now on.
    fn end_leases(&mut self, now: Timestamp) {
        let wanting = self.index.leases.iter().take_while(|(at, _)| *at <= now);
        let over: Vec<Destination> = wanting
            .filter(|(_, destination)| matches!(self.lines[destination].lease, Lease::Ours(until) if until <= now))
            .map(|(_, destination)| destination.clone())
            .collect();
        for destination in over {
            self.lose(&destination, Lease::Free);
            self.reindex(&destination, now);
        }
    }

    fn settle_again(&mut self, key: &Key) {
        if let Some(Slot::Settling { delivery, transitions }) = self.window.get(key) {
            let (delivery, transitions) = (delivery.clone(), transitions.clone());
            self.steps.push_back(Step::Settle { delivery, transitions });
        }
    }

    fn survey(&mut self, now: Timestamp) -> Option<Step> {
        if self.survey_asked || now < self.survey_at {
            return None;
        }
        self.survey_asked = true;
        Some(Step::Survey { limit: self.limits.destinations_max })
    }

    fn renew(&mut self, now: Timestamp) -> Option<Step> {
        let (at, destination) = self.index.leases.first().cloned()?;
        (at <= now).then(|| self.ask(&destination, self.room(), now))
    }

    fn start(&mut self, now: Timestamp) -> Option<Step> {
        if self.running >= self.limits.attempts_max {
            return None;
        }
        self.unpark(now);
        let destination = self.next_to_start(now)?;
        let line = self.lines.get_mut(&destination).expect("the index has known lines");
        let (_, queue_id) = line.waiting.pop_first().expect("startable means that something waits");
        line.running += 1;
        self.turn += 1;
        line.start_turn = self.turn;
        let silent = line.silent;
        let key = Key { destination, queue_id };
        let Some(Slot::Waiting(delivery)) = self.window.remove(&key) else {
            unreachable!("what a line has waiting, waits in the window")
        };
        let deadline = plus(now, self.limits.attempt);
        self.running += 1;
        self.running_silent += usize::from(silent);
        self.deadlines.insert((deadline, key.clone()));
        // It goes where the last one went, until it says otherwise: else all that wait for one place would start at once,
        // and all but one step back.
        let site = self.lines[&key.destination].site.clone();
        if let Some(site) = &site {
            *self.sites.entry(site.clone()).or_default() += 1;
        }
        let slot = Slot::Running { delivery: delivery.clone(), site, deadline, silent };
        self.window.insert(key.clone(), slot);
        self.reindex(&key.destination, now);
        Some(Step::Start(delivery))
    }

    /// Whose turn it is; that of silent destinations only while there is room for them.
    fn next_to_start(&mut self, now: Timestamp) -> Option<Destination> {
        let silent_max = self.limits.attempts_max.div_ceil(limits::SILENT_ATTEMPTS_PART);
        let answering = self.next_of(false, now);
        let silent = (self.running_silent < silent_max).then(|| self.next_of(true, now)).flatten();
        answering.into_iter().chain(silent).min().map(|(_, destination)| destination)
    }

    /// Whose turn it is among those that are silent or are not. Those before it whose site is full are parked, so that they
    /// are not looked at again and again.
    fn next_of(&mut self, silent: bool, now: Timestamp) -> Option<(u64, Destination)> {
        let (mut found, mut full) = (None, Vec::new());
        let from = (silent, 0, Destination::from(""));
        let these = self.index.startable.range(from..).take_while(|(other, ..)| *other == silent);
        for (_, turn, destination) in these {
            let line = &self.lines[destination];
            match &line.site {
                Some(site) if !self.has_room(site) => full.push((site.clone(), *turn, destination.clone())),
                _ if line.lease_is_fresh(&self.limits, now) => {
                    found = Some((*turn, destination.clone()));
                    break;
                }
                _ => {}
            }
        }
        for (site, turn, destination) in full {
            let line = self.lines.get_mut(&destination).expect("the index has known lines");
            let place = Place { startable: None, ..line.place.clone() };
            self.index.put(&destination, &line.place, &place);
            line.place = place;
            self.parked.entry(site).or_default().insert((turn, destination));
        }
        found
    }

    /// Of each site that has room again, the first that is parked gets its turn back.
    fn unpark(&mut self, now: Timestamp) {
        let open: Vec<Site> = self.parked.keys().filter(|site| self.has_room(site)).cloned().collect();
        for site in open {
            while let Some((_, destination)) = self.parked.get_mut(&site).and_then(BTreeSet::pop_first) {
                self.reindex(&destination, now);
                // It may have gone, or nothing of it waits any more.
                if self.lines.get(&destination).is_some_and(|line| line.place.startable.is_some()) {
                    break;
                }
            }
            if self.parked.get(&site).is_some_and(BTreeSet::is_empty) {
                self.parked.remove(&site);
            }
        }
    }

    pub(super) fn has_room(&self, site: &Site) -> bool {
        self.sites.get(site).is_none_or(|running| *running < self.limits.site_attempts_max)
    }

    fn draw(&mut self, now: Timestamp) -> Option<Step> {
        let (_, _, first) = self.index.due.first()?;
        let destination = if self.room() > 0 { first.clone() } else { self.make_room(now)? };
        Some(self.ask(&destination, self.room(), now))
    }

    fn room(&self) -> usize {
        self.limits.window_deliveries_max.saturating_sub(self.window.len() + self.reserved)
    }

    /// In a full window, makes room for a destination that has nothing there and could start something: what is due last
    /// where most waits goes back to the store, or what waits alone and could not start. Looks at as many destinations as
    /// are due or in the window at most.
    fn make_room(&mut self, now: Timestamp) -> Option<Destination> {
        if self.running >= self.limits.attempts_max {
            return None;
        }
        let mut without = self.index.due.iter().take_while(|(slots, _, _)| *slots == 0);
        let (_, _, gains) = without.find(|(_, _, destination)| self.could_start(destination))?;
        let mut crowded = self.index.crowded.iter().rev();
        let (_, gives) = crowded.find(|(waiting, gives)| *waiting > 1 || !self.could_start(gives))?;
        let (gains, gives) = (gains.clone(), gives.clone());
        let (_, queue_id) = *self.lines[&gives].waiting.last().expect("crowded means that some wait");
        self.put_back(&Key { destination: gives.clone(), queue_id });
        self.reindex(&gives, now);
        Some(gains)
    }

    /// Whether destination and site, as far as it is known, have room for one more attempt.
    fn could_start(&self, destination: &Destination) -> bool {
        let line = &self.lines[destination];
        line.has_room(&self.limits) && line.site.as_ref().is_none_or(|site| self.has_room(site))
    }

    fn ask(&mut self, destination: &Destination, room: usize, now: Timestamp) -> Step {
        let until = plus(now, self.limits.lease);
        let line = self.lines.get_mut(destination).expect("the index has known lines");
        let take = self.limits.share_deliveries_max.saturating_sub(line.waiting.len()).min(room);
        let limit = line.slots + take;
        line.asked = Some(Asked { take, until, touched: None, stale: false });
        self.reserved += take;
        self.turn += 1;
        line.draw_turn = self.turn;
        self.reindex(destination, now);
        Step::Draw { destination: destination.clone(), until, limit }
    }
}

trait PopFirstBefore<T> {
    /// Takes the first, if its time has come.
    fn pop_first_before(&mut self, now: Timestamp) -> Option<(Timestamp, T)>;
}

impl<T: Ord> PopFirstBefore<T> for std::collections::BTreeSet<(Timestamp, T)> {
    fn pop_first_before(&mut self, now: Timestamp) -> Option<(Timestamp, T)> {
        if self.first()?.0 > now {
            return None;
        }
        self.pop_first()
    }
}
