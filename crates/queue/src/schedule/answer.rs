//! What the store, the attempts and the administrators say, and what follows from it.

use std::collections::BTreeMap;
use std::time::Duration;

use mail::Timestamp;

use super::line::{Lease, Line, Place};
use super::value::{DOOMED, Delivery, Destination, Key, Outcome, RecipientId, Site, Transition};
use super::{Drawn, Limits, News, Recorded, Routed, Row, Rules, Schedule, Slot, Step, plus};

impl Schedule {
    /// Other bounds hold from now on. What is under way beyond them ends by itself.
    pub fn limit(&mut self, now: Timestamp, limits: Limits) {
        self.limits = limits;
        // Sites that were full may not be any more; whoever still finds one full is parked again.
        self.parked.clear();
        let all: Vec<Destination> = self.lines.keys().cloned().collect();
        for destination in all {
            self.reindex(&destination, now);
        }
    }

    /// Answers [`Step::Survey`]. An empty list is also the answer of a store that could not be read.
    pub fn surveyed(&mut self, now: Timestamp, rows: Vec<Row>) {
        self.survey_asked = false;
        self.survey_at = plus(now, self.limits.survey_interval);
        for row in rows {
            let Some(line) = self.line(&row.destination) else { continue };
            line.touch(row.next_due);
            if !matches!(line.lease, Lease::Ours(_)) {
                line.held = row.held;
                line.lease = row.leased_until.map_or(Lease::Free, Lease::Theirs);
            }
            self.reindex(&row.destination, now);
        }
    }

    /// Answers [`Step::Draw`].
    pub fn drawn(&mut self, now: Timestamp, destination: &Destination, drawn: Drawn) {
        let Some(line) = self.lines.get_mut(destination) else { return };
        let Some(asked) = line.asked.take() else { return };
        self.reserved -= asked.take;
        match drawn {
            Drawn::Unavailable => line.not_before = plus(now, self.limits.store_pause),
            Drawn::Taken { until } => self.lose(destination, Lease::Theirs(until)),
            Drawn::Granted { .. } if asked.stale => {
                line.lease = Lease::Ours(asked.until);
                line.touch(now);
            }
            Drawn::Granted { deliveries, next_due, held } => {
                line.lease = Lease::Ours(asked.until);
                line.held = held;
                line.next_due = next_due.into_iter().chain(asked.touched).min();
                self.take(now, deliveries, asked.take);
            }
        }
        self.forget_settled(destination);
        self.reindex(destination, now);
    }

    /// Says that an attempt has found its site; to be called before it connects.
    pub fn routed(&mut self, now: Timestamp, key: &Key, site: &Site) -> Routed {
        let free = self.has_room(site);
        let Some(Slot::Running { site: slot_site, .. }) = self.window.get_mut(key) else { return Routed::Go };
        if slot_site.as_ref() == Some(site) {
            return Routed::Go;
        }
        let line = self.lines.get_mut(&key.destination).expect("what is in the window has a line");
        line.site = Some(site.clone());
        if free {
            let before = slot_site.replace(site.clone());
            *self.sites.entry(site.clone()).or_default() += 1;
            self.leave(before);
            return Routed::Go;
        }
        if let Some(delivery) = self.stop(key) {
            self.wait(delivery);
        }
        self.reindex(&key.destination, now);
        Routed::StepBack
    }

    /// Says how an attempt ended, for each recipient; those left out are deferred. `rules` are those of the virtual server
    /// that accepted the message, `jitter` is drawn by the caller and cut to an eighth of the pause.
    pub fn ended(
        &mut self,
        now: Timestamp,
        key: &Key,
        outcomes: &BTreeMap<RecipientId, Outcome>,
        rules: &Rules,
        jitter: Duration,
    ) {
        let Some(delivery) = self.stop(key) else { return };
        let line = self.lines.get_mut(&key.destination).expect("what is in the window has a line");
        line.silent = outcomes.values().all(|outcome| *outcome == Outcome::Deferred);
        let transitions = rules.transitions(&delivery, outcomes, now, jitter);
        self.settle(delivery, transitions);
        self.reindex(&key.destination, now);
    }

    /// Answers [`Step::Settle`].
    pub fn recorded(&mut self, now: Timestamp, key: &Key, recorded: Recorded) {
        let Some(Slot::Settling { transitions, .. }) = self.window.get(key) else { return };
        let retry = transitions.iter().find_map(|transition| match transition {
            Transition::Retry { due, .. } => Some(*due),
            _ => None,
        });
        let next = match recorded {
            Recorded::Unavailable => {
                self.again.insert((plus(now, self.limits.store_pause), key.clone()));
                return;
            }
            Recorded::Kept => retry,
            // The row is there as another node or an administrator left it, or it is gone.
            Recorded::Lost => Some(now),
        };
        let line = self.lines.get_mut(&key.destination).expect("what is in the window has a line");
        if let Some(due) = next {
            line.touch(due);
        }
        if line.asked.is_some() {
            self.window.insert(key.clone(), Slot::Settled);
        } else {
            line.slots -= 1;
            self.window.remove(key);
        }
        self.reindex(&key.destination, now);
    }

    /// Tells what was written to rows.
    pub fn tell(&mut self, now: Timestamp, news: News) {
        let destination = match &news {
            News::Held(key) | News::Doomed(key) => key.destination.clone(),
            News::Due(destination, _)
            | News::DestinationHeld(destination)
            | News::DestinationReleased(destination, _) => destination.clone(),
        };
        let Some(line) = self.line(&destination) else { return };
        if let (Some(asked), false) = (&mut line.asked, matches!(news, News::Due(..))) {
            asked.stale = true;
        }
        match news {
            News::Due(_, due) => line.touch(due),
            News::DestinationReleased(_, due) => {
                line.held = false;
                line.touch(due);
            }
            News::DestinationHeld(_) => {
                line.held = true;
                self.put_all_back(&destination);
            }
            News::Held(key) => self.put_back(&key),
            News::Doomed(key) => self.doom(&key),
        }
        self.reindex(&destination, now);
    }

    /// The line of a destination, made if there is none; none if there are too many.
    fn line(&mut self, destination: &Destination) -> Option<&mut Line> {
        if !self.lines.contains_key(destination) {
            if self.lines.len() >= self.limits.destinations_max && !self.forget_the_latest() {
                return None;
            }
            self.lines.insert(destination.clone(), Line::new(self.turn));
        }
        self.lines.get_mut(destination)
    }

    /// Forgets the destination that wants something last, which the store has; whether there was one to forget.
    fn forget_the_latest(&mut self) -> bool {
        let Some((_, destination)) = self.index.future.last().cloned() else { return false };
        let line = &self.lines[&destination];
        if line.slots > 0 || line.asked.is_some() || matches!(line.lease, Lease::Ours(_)) {
            return false;
        }
        self.index.put(&destination, &line.place, &Place::default());
        self.lines.remove(&destination);
        true
    }

    /// Rows that a draw read; what is in the window already is not taken twice.
    fn take(&mut self, now: Timestamp, deliveries: Vec<Delivery>, most: usize) {
        let mut taken = 0;
        for delivery in deliveries {
            if let Some(slot) = self.window.get_mut(&delivery.key) {
                match slot {
                    Slot::Running { delivery: running, .. } if delivery.is_doomed() => running.due = DOOMED,
                    _ => {}
                }
                continue;
            }
            let line = self.lines.get_mut(&delivery.key.destination).expect("the caller has it");
            if taken == most || (line.held && !delivery.is_doomed()) {
                line.touch(delivery.due.max(now));
                continue;
            }
            taken += 1;
            line.slots += 1;
            if delivery.is_doomed() {
                self.delete(delivery);
            } else {
                self.wait(delivery);
            }
        }
    }

    /// Puts a delivery, whose place is counted, among those that wait.
    fn wait(&mut self, delivery: Delivery) {
        let line = self.lines.get_mut(&delivery.key.destination).expect("the caller has it");
        line.waiting.insert((delivery.due, delivery.key.queue_id));
        line.silent |= delivery.attempts > 0;
        self.window.insert(delivery.key.clone(), Slot::Waiting(delivery));
    }

    /// Ends the running of an attempt; its place in the window is still counted.
    fn stop(&mut self, key: &Key) -> Option<Delivery> {
        let Some(Slot::Running { .. }) = self.window.get(key) else { return None };
        let Some(Slot::Running { delivery, site, deadline, silent }) = self.window.remove(key) else {
            return None;
        };
        self.deadlines.remove(&(deadline, key.clone()));
        self.running -= 1;
        self.running_silent -= usize::from(silent);
        self.lines.get_mut(&key.destination).expect("what is in the window has a line").running -= 1;
        self.leave(site);
        Some(delivery)
    }

    fn leave(&mut self, site: Option<Site>) {
        let Some(site) = site else { return };
        let running = self.sites.get_mut(&site).expect("who leaves has come");
        *running -= 1;
        if *running == 0 {
            self.sites.remove(&site);
        }
    }

    fn settle(&mut self, delivery: Delivery, transitions: Vec<Transition>) {
        let step = Step::Settle { delivery: delivery.clone(), transitions: transitions.clone() };
        self.window.insert(delivery.key.clone(), Slot::Settling { delivery, transitions });
        self.steps.push_back(step);
    }

    fn delete(&mut self, delivery: Delivery) {
        let transitions = vec![Transition::Deleted(delivery.recipients.clone())];
        self.settle(delivery, transitions);
    }

    fn doom(&mut self, key: &Key) {
        match self.window.get_mut(key) {
            Some(Slot::Running { delivery, .. }) => delivery.due = DOOMED,
            Some(Slot::Waiting(delivery)) => {
                let mut delivery = delivery.clone();
                let line = self.lines.get_mut(&key.destination).expect("what is in the window has a line");
                line.waiting.remove(&(delivery.due, key.queue_id));
                delivery.due = DOOMED;
                self.delete(delivery);
            }
            Some(Slot::Settling { .. } | Slot::Settled) | None => {
                if let Some(line) = self.lines.get_mut(&key.destination) {
                    line.touch(DOOMED);
                }
            }
        }
    }

    /// Sends a waiting delivery back to the store, where its row still is.
    pub(super) fn put_back(&mut self, key: &Key) {
        let Some(Slot::Waiting(delivery)) = self.window.get(key) else { return };
        let due = delivery.due;
        let line = self.lines.get_mut(&key.destination).expect("what is in the window has a line");
        line.waiting.remove(&(due, key.queue_id));
        line.slots -= 1;
        line.touch(due);
        self.window.remove(key);
    }

    fn put_all_back(&mut self, destination: &Destination) {
        let waiting = self.lines.get(destination).map(|line| line.waiting.clone()).unwrap_or_default();
        for (_, queue_id) in waiting {
            self.put_back(&Key { destination: destination.clone(), queue_id });
        }
    }

    /// The lease is not ours any more: nothing waits here, and what runs is cut.
    pub(super) fn lose(&mut self, destination: &Destination, lease: Lease) {
        self.put_all_back(destination);
        let line = self.lines.get_mut(destination).expect("the caller has it");
        line.lease = lease;
        if line.running == 0 {
            return;
        }
        let from = Key { destination: destination.clone(), queue_id: mail::QueueId(0) };
        let here = self.window.range(from..).take_while(|(key, _)| key.destination == *destination);
        let running = here.filter(|(_, slot)| matches!(slot, Slot::Running { .. }));
        self.steps.extend(running.map(|(key, _)| Step::Cut(key.clone())));
    }

    /// The draw whose answer might have had them has been answered.
    fn forget_settled(&mut self, destination: &Destination) {
        let from = Key { destination: destination.clone(), queue_id: mail::QueueId(0) };
        let here = self.window.range(from..).take_while(|(key, _)| key.destination == *destination);
        let settled: Vec<Key> =
            here.filter(|(_, slot)| matches!(slot, Slot::Settled)).map(|(key, _)| key.clone()).collect();
        let line = self.lines.get_mut(destination).expect("the caller has it");
        line.slots -= settled.len();
        for key in settled {
            self.window.remove(&key);
        }
    }

    /// After every change to a line: finds its places in the index, gives up a lease that serves nothing, forgets a line
    /// that says nothing.
    pub(super) fn reindex(&mut self, destination: &Destination, now: Timestamp) {
        let Some(line) = self.lines.get_mut(destination) else { return };
        let idle = line.slots == 0 && line.asked.is_none() && matches!(line.lease, Lease::Ours(_));
        let mut place = line.place(&self.limits, now);
        if idle && place.due.is_none() {
            line.lease = Lease::Free;
            place = line.place(&self.limits, now);
            self.steps.push_back(Step::Release(destination.clone()));
        }
        self.index.put(destination, &line.place, &place);
        line.place = place;
        if line.is_empty() {
            self.lines.remove(destination);
        }
    }
}
