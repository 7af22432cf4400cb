//! One seed: nodes over one disk, peers in a weather, administrators; a jump to the next event as clock.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use mail::{QueueId, Timestamp};
use queue::schedule::{
    Bounce, DOOMED, Delivery, Destination, Drawn, Key, Limits, News, Outcome, RecipientId, Recorded, Routed,
    Row, Rules, Site, Step, Transition,
};

use crate::disk::Disk;
use crate::ledger::{Ledger, Violation};
use crate::node::{Attempt, Node};
use crate::weather::{Dice, Fault, Fired, Mood};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The storm ends, the administrators go home, and what can be delivered is delivered.
const CLEARS: Duration = HOUR.saturating_mul(5);
/// What never can, has expired and had its last attempt.
const OVER: Duration = HOUR.saturating_mul(48);
/// A due destination with room everywhere is served in this time: a lease of a dead node, a survey, some failing answers.
const SERVED_WITHIN: Duration = MINUTE.saturating_mul(12);
/// A due destination is served in this time even if all places are contended by peers that stall.
const NEVER_STARVES: Duration = HOUR.saturating_mul(4);

type Life = u64;

#[derive(Debug)]
enum Event {
    Accept,
    Storm,
    Administrator,
    Inspect,
    Clear,
    Restart(usize),
    Wake(usize),
    Surveyed(usize, Life, Vec<Row>),
    Drawn(usize, Life, Destination, Drawn),
    Recorded(usize, Life, Key, Recorded),
    Routed(usize, Key, u64),
    FinalDot(usize, Key, u64),
    Ended(usize, Key, u64),
}

/// How a seed went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) fired: Fired,
    /// Every step at its time, hashed.
    pub(crate) trace: u64,
    pub(crate) violation: Option<Violation>,
}

pub(crate) struct Simulation {
    now: Timestamp,
    dice: Dice,
    disk: Disk,
    ledger: Ledger,
    nodes: Vec<Node>,
    sites: Vec<(Site, Mood)>,
    destinations: Vec<Destination>,
    /// What must be true for a while: since when each destination is due and not served, with room and at all.
    due_with_room: BTreeMap<Destination, Timestamp>,
    due_at_all: BTreeMap<Destination, Timestamp>,
    rules: Rules,
    events: BTreeMap<(Timestamp, u64), Event>,
    number: u64,
    clear: bool,
    fired: Fired,
    trace: DefaultHasher,
    tells: Tells,
}

/// What a run prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tells {
    Nothing,
    Steps,
}

/// Runs one seed to its end or its first violation.
pub(crate) fn run(seed: u64, tells: Tells) -> Report {
    let mut simulation = Simulation::new(seed, tells);
    let violation = simulation.run().err().map(|violation| format!("{violation} (at {})", simulation.now));
    Report { fired: simulation.fired, trace: simulation.trace.finish(), violation }
}

impl Simulation {
    fn new(seed: u64, tells: Tells) -> Self {
        let mut dice = Dice(seed);
        let start = Timestamp(0);
        let limits = limits(&mut dice);
        let nodes = (0..dice.between(1, 3)).map(|_| Node::new(limits.clone(), start)).collect();
        let sites = (0..dice.between(2, 5))
            .map(|number| (Site::of([format!("mx{number}.example").as_str()]), Mood::Fine))
            .collect();
        let destinations =
            (0..dice.between(2, 9)).map(|number| format!("d{number}.example").as_str().into()).collect();
        let mut simulation = Self {
            now: start,
            dice,
            disk: Disk::default(),
            ledger: Ledger::default(),
            nodes,
            sites,
            destinations,
            due_with_room: BTreeMap::new(),
            due_at_all: BTreeMap::new(),
            rules: rules(),
            events: BTreeMap::new(),
            number: 0,
            clear: false,
            fired: Fired::default(),
            trace: DefaultHasher::new(),
            tells,
        };
        simulation.plan();
        simulation
    }

    /// What will happen whatever the schedules do.
    fn plan(&mut self) {
        for _ in 0..self.dice.between(20, 60) {
            let at = self.dice.duration(Duration::ZERO, HOUR * 3);
            self.at(at, Event::Accept);
        }
        for _ in 0..self.dice.between(10, 30) {
            let at = self.dice.duration(Duration::ZERO, CLEARS - SECOND);
            self.at(at, Event::Storm);
        }
        for _ in 0..self.dice.between(5, 20) {
            let at = self.dice.duration(Duration::ZERO, CLEARS - SECOND);
            self.at(at, Event::Administrator);
        }
        self.at(CLEARS, Event::Clear);
        self.at(MINUTE, Event::Inspect);
        for node in 0..self.nodes.len() {
            self.at(Duration::ZERO, Event::Wake(node));
        }
    }

    fn at(&mut self, after: Duration, event: Event) {
        self.number += 1;
        self.events.insert((plus(self.now, after), self.number), event);
    }

    fn run(&mut self) -> Result<(), Violation> {
        while let Some(((at, _), event)) = self.events.pop_first() {
            self.now = at;
            if (self.clear && self.disk.rows.is_empty()) || at > plus(Timestamp(0), OVER) {
                break;
            }
            self.happen(event)?;
        }
        self.ledger.conclude()
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Accept => self.accept(),
            Event::Storm => self.storm(),
            Event::Administrator => self.administrate(),
            Event::Clear => self.clear(),
            Event::Restart(node) => self.nodes[node].up = true,
            Event::Inspect => return self.inspect(),
            Event::Wake(node) => self.nodes[node].wakes_at = None,
            Event::Surveyed(node, life, rows) if self.lives(node, life) => {
                self.nodes[node].schedule.surveyed(self.now, rows);
            }
            Event::Drawn(node, life, destination, drawn) if self.lives(node, life) => {
                self.nodes[node].schedule.drawn(self.now, &destination, drawn);
            }
            Event::Recorded(node, life, key, recorded) if self.lives(node, life) => {
                self.nodes[node].schedule.recorded(self.now, &key, recorded);
            }
            Event::Routed(node, key, number) if self.is_under_way(node, &key, number) => {
                self.route(node, &key)?
            }
            Event::FinalDot(node, key, number) if self.is_under_way(node, &key, number) => {
                self.final_dot(node, &key)?;
            }
            Event::Ended(node, key, number) if self.is_under_way(node, &key, number) => self.end(node, &key),
            _ => return Ok(()),
        }
        (0..self.nodes.len()).try_for_each(|node| self.work(node))
    }

    fn lives(&self, node: usize, life: Life) -> bool {
        self.nodes[node].life == life
    }

    fn is_under_way(&self, node: usize, key: &Key, number: u64) -> bool {
        self.nodes[node].attempts.get(key).is_some_and(|attempt| attempt.number == number)
    }

    /// Takes every step that a node's schedule wants now.
    fn work(&mut self, node: usize) -> Result<(), Violation> {
        if !self.nodes[node].up {
            return Ok(());
        }
        while let Some(step) = self.nodes[node].schedule.next(self.now) {
            let line = format!("{} node {node}: {step:?}", self.now);
            line.hash(&mut self.trace);
            if self.tells == Tells::Steps {
                println!("{line}");
            }
            self.step(node, step)?;
        }
        let wakeup = self.nodes[node].schedule.next_wakeup();
        if wakeup.is_some_and(|at| at <= self.now) {
            return Err("a schedule wants to be woken for nothing".into());
        }
        if let Some(at) = wakeup.filter(|at| self.nodes[node].wakes_at.is_none_or(|known| *at < known)) {
            self.nodes[node].wakes_at = Some(at);
            self.number += 1;
            self.events.insert((at, self.number), Event::Wake(node));
        }
        Ok(())
    }

    fn step(&mut self, node: usize, step: Step) -> Result<(), Violation> {
        let now = self.now;
        match step {
            Step::Survey { limit } => {
                let rows = if self.store_fails(node) { vec![] } else { self.disk.survey(node, now, limit) };
                self.answer(|life| Event::Surveyed(node, life, rows), node);
            }
            Step::Draw { destination, until, limit } => {
                let drawn = if self.store_fails(node) {
                    Drawn::Unavailable
                } else {
                    self.note_loser(node, &destination);
                    self.disk.draw(node, now, &destination, until, limit)
                };
                self.note_draw(node, &drawn);
                self.answer(|life| Event::Drawn(node, life, destination, drawn), node);
            }
            Step::Start(delivery) => self.start(node, delivery)?,
            Step::Cut(key) => self.cut(node, &key),
            Step::Settle { delivery, transitions } => self.settle(node, &delivery, &transitions)?,
            Step::Release(destination) if self.store_fails(node) => drop(destination),
            Step::Release(destination) => self.disk.release(node, &destination),
        }
        Ok(())
    }

    fn answer(&mut self, event: impl FnOnce(Life) -> Event, node: usize) {
        let event = event(self.nodes[node].life);
        let after = self.dice.duration(Duration::from_millis(1), Duration::from_millis(3000));
        self.at(after, event);
    }

    fn store_fails(&mut self, node: usize) -> bool {
        let out = self.now < self.nodes[node].outage_until;
        let fails = out || (!self.clear && self.dice.percent(2));
        if fails {
            self.fired.fire(Fault::StoreUnavailable);
        }
        fails
    }

    /// A node whose store did not answer until its lease was over may have delivered what it could not record.
    fn note_loser(&mut self, node: usize, destination: &Destination) {
        if let Some(loser) = self.disk.loser(node, self.now, destination)
            && self.ledger.excuse_all(loser, Some(destination))
        {
            self.fired.fire(Fault::LeaseLostAfterFinalDot);
        }
    }

    fn note_draw(&mut self, node: usize, drawn: &Drawn) {
        if matches!(drawn, Drawn::Taken { .. }) {
            self.fired.fire(Fault::LeaseOfAnother);
        }
        let node = &self.nodes[node];
        if node.schedule.window_len() == node.limits.window_deliveries_max {
            self.fired.fire(Fault::WindowFull);
        }
    }

    fn start(&mut self, node: usize, delivery: Delivery) -> Result<(), Violation> {
        let key = delivery.key.clone();
        if self.nodes.iter().any(|node| node.attempts.contains_key(&key)) {
            return Err(format!("a delivery is started twice: {key}"));
        }
        self.due_with_room.remove(&key.destination);
        self.due_at_all.remove(&key.destination);
        self.number += 1;
        let number = self.number;
        let attempt = Attempt { number, delivery, site: None, outcomes: BTreeMap::new() };
        self.nodes[node].attempts.insert(key.clone(), attempt);
        self.nodes[node].check_limits(&key.destination, None)?;
        let after = self.dice.duration(Duration::from_millis(1), SECOND * 2);
        self.at(after, Event::Routed(node, key, number));
        Ok(())
    }

    /// Which site serves a destination.
    fn site(&self, destination: &Destination) -> usize {
        let place = self.destinations.iter().position(|known| known == destination);
        place.expect("mail goes to known destinations") % self.sites.len()
    }

    fn route(&mut self, node: usize, key: &Key) -> Result<(), Violation> {
        let (site, mood) = self.sites[self.site(&key.destination)].clone();
        if self.nodes[node].schedule.routed(self.now, key, &site) == Routed::StepBack {
            self.fired.fire(Fault::SiteFull);
            self.nodes[node].attempts.remove(key);
            return Ok(());
        }
        let attempt = self.nodes[node].attempts.get_mut(key).expect("the caller saw it");
        attempt.site = Some(site.clone());
        let number = attempt.number;
        self.nodes[node].check_limits(&key.destination, Some(&site))?;
        let (after, fault) = match mood {
            Mood::Fine => {
                let after = self.dice.duration(Duration::from_millis(50), MINUTE);
                self.at(after, Event::FinalDot(node, key.clone(), number));
                return Ok(());
            }
            Mood::Refusing => (SECOND, Fault::ConnectionRefused),
            Mood::Deferring => (SECOND * 3, Fault::Deferred),
            Mood::Stalling => (self.dice.duration(MINUTE, MINUTE * 10), Fault::Stalled),
            Mood::Vanished => (OVER, Fault::Vanished),
        };
        self.fired.fire(fault);
        self.at(after, Event::Ended(node, key.clone(), number));
        Ok(())
    }

    /// The peer decides about each recipient and may keep its replies to itself.
    fn final_dot(&mut self, node: usize, key: &Key) -> Result<(), Violation> {
        let attempt = &self.nodes[node].attempts[key];
        let (number, recipients) = (attempt.number, attempt.delivery.recipients.clone());
        let mut outcomes = BTreeMap::new();
        for id in recipients {
            let outcome = match self.dice.below(100) {
                0..5 => Outcome::Failed,
                5..15 => Outcome::Deferred,
                _ => Outcome::Delivered,
            };
            match outcome {
                Outcome::Failed => {
                    self.ledger.refuse(key, id);
                    self.fired.fire(Fault::RecipientRefused);
                }
                Outcome::Deferred => self.fired.fire(Fault::RecipientDeferred),
                Outcome::Delivered => {}
            }
            outcomes.insert(id, outcome);
        }
        let taken: Vec<RecipientId> =
            outcomes.iter().filter(|(_, it)| **it == Outcome::Delivered).map(|(id, _)| *id).collect();
        self.ledger.take(node, key, &taken)?;
        if !self.clear && self.dice.percent(5) && !taken.is_empty() {
            // RFC 1047: the peer has it, and we do not know.
            self.fired.fire(Fault::LostReply);
            self.ledger.excuse(node, key);
            outcomes.clear();
        }
        self.nodes[node].attempts.get_mut(key).expect("seen above").outcomes = outcomes;
        let after = self.dice.duration(Duration::from_millis(1), SECOND * 120);
        self.at(after, Event::Ended(node, key.clone(), number));
        Ok(())
    }

    fn end(&mut self, node: usize, key: &Key) {
        let Some(attempt) = self.nodes[node].attempts.remove(key) else { return };
        let jitter = self.dice.duration(Duration::ZERO, MINUTE);
        self.nodes[node].schedule.ended(self.now, key, &attempt.outcomes, &self.rules, jitter);
    }

    fn cut(&mut self, node: usize, key: &Key) {
        let Some(attempt) = self.nodes[node].attempts.get_mut(key) else { return };
        self.fired.fire(Fault::AttemptCut);
        attempt.outcomes.clear();
        self.ledger.excuse(node, key);
        self.end(node, key);
    }

    fn settle(&mut self, node: usize, seen: &Delivery, transitions: &[Transition]) -> Result<(), Violation> {
        let recorded = if self.store_fails(node) {
            Recorded::Unavailable
        } else {
            self.disk.settle(node, seen, transitions)
        };
        match recorded {
            Recorded::Kept => {
                self.ledger.settle(node, self.now, seen, transitions, &self.rules)?;
                self.note_settlement(transitions);
            }
            Recorded::Lost => {
                self.fired.fire(Fault::SettlementLost);
                self.ledger.excuse(node, &seen.key);
            }
            Recorded::Unavailable => {}
        }
        let key = seen.key.clone();
        self.answer(|life| Event::Recorded(node, life, key, recorded), node);
        Ok(())
    }

    fn note_settlement(&mut self, transitions: &[Transition]) {
        for transition in transitions {
            match transition {
                Transition::Bounce(_, Bounce::Expired) => self.fired.fire(Fault::Expired),
                Transition::NotifyDelay(_) => self.fired.fire(Fault::DelayNotified),
                _ => {}
            }
        }
    }

    fn accept(&mut self) {
        let destination = self.dice.pick(&self.destinations).expect("there are destinations");
        self.number += 1;
        let delivery = Delivery {
            key: Key { destination: destination.clone(), queue_id: QueueId(self.number) },
            recipients: (0..self.dice.between(1, 4))
                .map(|id| RecipientId(u32::try_from(id).expect("few")))
                .collect(),
            accepted: self.now,
            due: self.rules.first_due(self.now),
            attempts: 0,
            notified: false,
        };
        self.ledger.accept(&delivery);
        let due = delivery.due;
        self.disk.enqueue(delivery);
        self.tell(&News::Due(destination, due));
    }

    /// Tells all nodes, or only the first that is up: the others find it in a survey.
    fn tell(&mut self, news: &News) {
        let all = self.dice.percent(50);
        for node in self.nodes.iter_mut().filter(|node| node.up) {
            node.schedule.tell(self.now, news.clone());
            if !all {
                break;
            }
        }
    }

    fn storm(&mut self) {
        match self.dice.below(10) {
            0..6 => self.turn_weather(),
            6..8 => self.crash(),
            _ => {
                let node = self.pick_node();
                let time = self.dice.duration(SECOND * 10, MINUTE * 12);
                self.nodes[node].outage_until = plus(self.now, time);
                self.fired.fire(Fault::StoreOutage);
            }
        }
    }

    fn pick_node(&mut self) -> usize {
        let len = u64::try_from(self.nodes.len()).expect("few nodes");
        usize::try_from(self.dice.below(len)).expect("few nodes")
    }

    fn turn_weather(&mut self) {
        let moods = [Mood::Fine, Mood::Refusing, Mood::Deferring, Mood::Stalling, Mood::Vanished];
        let mood = self.dice.pick(&moods).expect("there are moods");
        let len = u64::try_from(self.sites.len()).expect("few sites");
        let site = usize::try_from(self.dice.below(len)).expect("few sites");
        if mood == Mood::Fine && self.sites[site].1 != Mood::Fine {
            self.fired.fire(Fault::CameBack);
        }
        self.sites[site].1 = mood;
    }

    fn crash(&mut self) {
        let node = self.pick_node();
        if !self.nodes[node].up {
            return;
        }
        self.fired.fire(Fault::Crash);
        if self.ledger.excuse_all(node, None) {
            self.fired.fire(Fault::CrashAfterFinalDot);
        }
        let fresh = Node::new(self.nodes[node].limits.clone(), self.now);
        let (life, outage_until) = (self.nodes[node].life + 1, self.nodes[node].outage_until);
        self.nodes[node] = Node { life, outage_until, up: false, ..fresh };
        let time = self.dice.duration(SECOND, MINUTE * 12);
        self.at(time, Event::Restart(node));
    }

    /// One of the sites, perhaps, never comes back; every other one does.
    fn clear(&mut self) {
        self.clear = true;
        for place in 0..self.sites.len() {
            let lost = self.sites[place].1 != Mood::Fine && self.dice.percent(40);
            if lost {
                self.fired.fire(Fault::VanishedForEver);
                self.sites[place].1 = if self.dice.percent(50) { Mood::Vanished } else { Mood::Refusing };
            } else {
                self.sites[place].1 = Mood::Fine;
            }
        }
        self.disk.rows.values_mut().for_each(|row| row.held = false);
        self.disk.places.values_mut().for_each(|place| place.held = false);
        for destination in self.destinations.clone() {
            let news = News::DestinationReleased(destination, self.now);
            self.tell(&news);
        }
    }

    fn administrate(&mut self) {
        let keys: Vec<Key> = self.disk.rows.keys().cloned().collect();
        let destination = self.dice.pick(&self.destinations).expect("there are destinations");
        match (self.dice.below(6), self.dice.pick(&keys)) {
            (0, Some(key)) => self.hold(key),
            (1, Some(key)) => self.release(&key),
            (2, Some(key)) => self.force(&key),
            (3, Some(key)) => self.delete(key),
            (4, _) => self.hold_destination(destination),
            (_, _) => self.release_destination(destination),
        }
    }

    fn hold(&mut self, key: Key) {
        self.disk.rows.get_mut(&key).expect("picked from there").held = true;
        self.fired.fire(Fault::Held);
        self.tell(&News::Held(key));
    }

    /// Releases everything on hold at the destination.
    fn release(&mut self, key: &Key) {
        let here = self.disk.rows.values_mut().filter(|row| row.delivery.key.destination == key.destination);
        here.for_each(|row| row.held = false);
        self.fired.fire(Fault::Released);
        let news = News::Due(key.destination.clone(), self.now);
        self.tell(&news);
    }

    fn force(&mut self, key: &Key) {
        let row = self.disk.rows.get_mut(key).expect("picked from there");
        if row.delivery.due != DOOMED {
            row.delivery.due = self.now;
        }
        self.fired.fire(Fault::Forced);
        let news = News::Due(key.destination.clone(), self.now);
        self.tell(&news);
    }

    fn delete(&mut self, key: Key) {
        self.disk.rows.get_mut(&key).expect("picked from there").delivery.due = DOOMED;
        self.ledger.doom(&key);
        let running = self.nodes.iter().any(|node| node.attempts.contains_key(&key));
        self.fired.fire(if running { Fault::DeletedWhileRunning } else { Fault::Deleted });
        self.tell(&News::Doomed(key));
    }

    fn hold_destination(&mut self, destination: Destination) {
        self.disk.places.entry(destination.clone()).or_default().held = true;
        self.fired.fire(Fault::DestinationHeld);
        self.tell(&News::DestinationHeld(destination));
    }

    /// As ETRN does it: released, and all of it due now (RFC 1985).
    fn release_destination(&mut self, destination: Destination) {
        self.disk.places.entry(destination.clone()).or_default().held = false;
        let here = self.disk.rows.values_mut().filter(|row| row.delivery.key.destination == destination);
        here.filter(|row| !row.delivery.is_doomed()).for_each(|row| row.delivery.due = self.now);
        self.fired.fire(Fault::DestinationReleased);
        let news = News::DestinationReleased(destination, self.now);
        self.tell(&news);
    }

    /// Nothing starves: looks once a minute who is due, and for how long nobody has served it.
    fn inspect(&mut self) -> Result<(), Violation> {
        self.at(MINUTE, Event::Inspect);
        let healthy = |node: &Node| node.up && self.now >= node.outage_until;
        // More destinations due at once than a node may know: those due last wait, which is what that limit means.
        let known = self.disk.survey(usize::MAX, self.now, usize::MAX);
        let due_count = known.iter().filter(|row| row.next_due <= self.now).count();
        let all_known = due_count < self.nodes[0].limits.destinations_max;
        let all_healthy = all_known && self.nodes.iter().all(healthy);
        let one_healthy = all_known && self.nodes.iter().any(healthy);
        for destination in self.destinations.clone() {
            let site = &self.sites[self.site(&destination)].0;
            let room =
                self.nodes.iter().all(|node| node.has_room(site) && node.running_at(&destination) == 0);
            let due = self.is_due(&destination);
            let since = |seen: &mut BTreeMap<Destination, Timestamp>, holds: bool, now: Timestamp| {
                if !holds {
                    seen.remove(&destination);
                }
                holds.then(|| *seen.entry(destination.clone()).or_insert(now))
            };
            let with_room = since(&mut self.due_with_room, due && all_healthy && room, self.now);
            let at_all = since(&mut self.due_at_all, due && one_healthy, self.now);
            let too_long =
                |since: Option<Timestamp>, most| since.is_some_and(|since| plus(since, most) < self.now);
            if too_long(with_room, SERVED_WITHIN) {
                return Err(format!("a due destination with room is not served: {destination}"));
            }
            if too_long(at_all, NEVER_STARVES) {
                return Err(format!("a due destination starves: {destination}"));
            }
        }
        Ok(())
    }

    fn is_due(&self, destination: &Destination) -> bool {
        let held = self.disk.places.get(destination).is_some_and(|place| place.held);
        let mut rows = self.disk.rows.values().filter(|row| row.delivery.key.destination == *destination);
        !held && rows.any(|row| !row.held && !row.delivery.is_doomed() && row.delivery.due <= self.now)
    }
}

/// Small, so that every bound is met.
fn limits(dice: &mut Dice) -> Limits {
    let mut count = |from, to| usize::try_from(dice.between(from, to)).expect("small");
    let attempts_max = count(2, 6);
    Limits {
        window_deliveries_max: attempts_max + count(1, 6),
        share_deliveries_max: count(1, 5),
        destinations_max: count(4, 12),
        attempts_max,
        destination_attempts_max: count(1, 3),
        site_attempts_max: count(1, 3),
        lease: MINUTE * 5,
        survey_interval: MINUTE * 2,
        store_pause: SECOND * 5,
        attempt: MINUTE * 15,
    }
}

fn rules() -> Rules {
    Rules {
        retry: vec![MINUTE * 5, MINUTE * 10],
        then: Some(MINUTE * 30),
        notify_after: Some(HOUR),
        expire_after: HOUR * 4,
    }
}

fn plus(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp(time.0 + i64::try_from(by.as_millis()).expect("test times are short"))
}
