//! The task that owns the schedule: steps become tasks, events become answers.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use mail::{Address, ReversePath, Timestamp};
use store::change::QueueEntry;
use store::read::Draw;
use tokio::sync::{mpsc, watch};
use world::{Clock, Dice, Timer};

use super::gate::{Gate, Passage};
use super::leases::{Ask, Leases};
use super::record::{self, Clerk, Settlement};
use super::task::{self, Event, Lease, Teller};
use super::window::{Running, Window};
use super::{Attempts, Runner};
use crate::Handle;
use crate::agent::{Attempt, Attempted, Cut, Ended, Outcome, Word};
use crate::diagnostic::Diagnostic;
use crate::limits::{CUT_GRACE, EVENTS_MAX, SLEEP_MAX, STOP_CUT, STOP_GRACE};
use crate::reporter::Reporter;
use crate::schedule::{
    self, Delivery, Destination, Drawn, Key, RecipientId, Recorded, Routed, Schedule, Step,
};

/// The runner at work.
#[derive(Debug)]
pub(super) struct Engine<A> {
    clerk: Arc<Clerk>,
    agents: Arc<A>,
    handle: Handle,
    schedule: Schedule,
    leases: Leases,
    window: Window,
    events: mpsc::UnboundedReceiver<Event>,
    tell: mpsc::UnboundedSender<Event>,
    passages: mpsc::UnboundedReceiver<Passage>,
    asked: mpsc::UnboundedSender<Passage>,
    timer: Timer,
    /// Attempts so far.
    attempts: u64,
    phase: Phase,
}

/// How far the runner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Working,
    /// Nothing new begins.
    Stopping,
    /// What is still under way has been told to end at once.
    Cutting,
}

impl<A: Attempts> Engine<A> {
    pub(super) fn new(runner: &Runner<A>) -> Self {
        let Runner { world, store, directory, queue_ids, agents, handle } = runner.clone();
        let properties = handle.properties();
        let schedule = Schedule::new(properties.limits.clone(), world.clock.wall());
        let leases = Leases::new(properties.limits.lease);
        let reporter = Reporter::new(store, directory, queue_ids, &handle);
        let clerk = Arc::new(Clerk { world, reporter, handle: handle.clone() });
        let (tell, events) = mpsc::unbounded_channel();
        let (asked, passages) = mpsc::unbounded_channel();
        let window = Window::default();
        Self {
            clerk,
            agents,
            handle,
            schedule,
            leases,
            window,
            events,
            tell,
            passages,
            asked,
            timer: Timer::new(),
            attempts: 0,
            phase: Phase::Working,
        }
    }

    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            self.work();
            let until = self.clerk.world.clock.now() + self.pause();
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some(event) = self.events.recv() => self.hear(event),
                Some(passage) = self.passages.recv() => self.pass(passage),
                () = self.handle.changed() => {}
                () = poll_fn(|cx| self.timer.poll_until(cx, until)) => {}
            }
            self.hear_all();
        }
        self.stop().await;
    }

    /// Nothing new begins; a transaction under way may end, then it is cut, then it is dropped.
    async fn stop(mut self) {
        let clock = self.clerk.world.clock.clone();
        for (phase, grace) in [(Phase::Stopping, STOP_GRACE), (Phase::Cutting, STOP_CUT)] {
            self.phase = phase;
            match phase {
                Phase::Cutting => self.window.cut_all(),
                Phase::Working | Phase::Stopping => self.window.stop_all(),
            }
            let until = clock.now() + grace;
            while !self.window.is_quiet() && clock.now() < until {
                self.work();
                let pause = self.pause().min(until - clock.now());
                tokio::select! {
                    biased;
                    Some(event) = self.events.recv() => self.hear(event),
                    Some(passage) = self.passages.recv() => self.pass(passage),
                    () = clock.sleep(pause) => {}
                }
                self.hear_all();
            }
        }
        task::release_all(&self.clerk.reporter.store, self.leases.into_ours()).await;
    }

    fn now(&self) -> Timestamp {
        self.clerk.world.clock.wall()
    }

    /// How long there is nothing to do if nothing happens.
    fn pause(&self) -> Duration {
        let now = self.now();
        // When it stops, leases are given up all together.
        let leases = self.leases.next_wakeup().filter(|_| self.phase == Phase::Working);
        let wakeups = [self.schedule.next_wakeup(), leases];
        let Some(at) = wakeups.into_iter().flatten().min() else { return SLEEP_MAX };
        span(now, at).min(SLEEP_MAX)
    }

    /// Hears what else there is, so that one look at the schedule serves many events.
    fn hear_all(&mut self) {
        for _ in 0..EVENTS_MAX {
            let Ok(event) = self.events.try_recv() else { break };
            self.hear(event);
        }
        while let Ok(passage) = self.passages.try_recv() {
            self.pass(passage);
        }
        let now = self.now();
        if let Some(properties) = self.handle.take_applied() {
            self.schedule.limit(now, properties.limits.clone());
        }
        for news in self.handle.read().into_news(now) {
            self.schedule.tell(now, news);
        }
    }

    /// Does what the schedule wants done now.
    fn work(&mut self) {
        let now = self.now();
        while let Some(step) = self.schedule.next(now) {
            match step {
                Step::Cut(key) => self.window.cut(&key),
                Step::Settle { delivery, transitions } => self.settle(&delivery, transitions, now),
                // Whatever begins would be dropped again.
                _ if self.phase != Phase::Working => {}
                Step::Survey { limit } => {
                    let store = self.clerk.reporter.store.clone();
                    self.spawn(Event::Surveyed(Vec::new()), task::survey(store, now, limit));
                }
                Step::Draw { destination, until, limit } => {
                    if let Some(ask) = self.leases.ask(Ask { destination, until, limit }) {
                        self.draw(ask, now);
                    }
                }
                Step::Start(delivery) => self.start(delivery, now),
                Step::Release(destination) => {
                    self.window.forget(&destination);
                    self.leases.let_go(destination, now);
                }
            }
        }
        if self.phase == Phase::Working {
            self.lease(now);
        }
    }

    fn lease(&mut self, now: Timestamp) {
        let Some(batch) = self.leases.next_batch(now) else { return };
        let until = batch.lease.iter().map(|ask| self.leases.stored_until(ask)).collect();
        let unless = batch.lease.iter().map(|ask| (ask.clone(), Lease::Unavailable)).collect();
        let store = self.clerk.reporter.store.clone();
        self.spawn(Event::Leased(unless), task::lease(store, now, batch, until));
    }

    fn draw(&mut self, ask: Ask, now: Timestamp) {
        let (store, clock) = (self.clerk.reporter.store.clone(), self.clerk.world.clock.clone());
        let unless = Event::Drawn(ask.destination.clone(), None);
        let pause = span(now, self.leases.draws_at(&ask.destination, now));
        self.spawn(unless, task::draw(store, clock, pause, ask.destination, ask.limit));
    }

    fn start(&mut self, delivery: Delivery, now: Timestamp) {
        let Some(entry) = self.window.take(&delivery.key) else {
            tracing::error!(delivery = %delivery.key, "a delivery is to start whose row is not there");
            let properties = self.handle.properties();
            let rules = properties.ours().rules(delivery.key.destination.as_str());
            self.schedule.ended(now, &delivery.key, &BTreeMap::new(), rules, Duration::ZERO);
            return;
        };
        self.attempts += 1;
        let (number, key) = (self.attempts, delivery.key);
        let unless = Event::Ended(key.clone(), number, None);
        let (cutter, told) = watch::channel(Word::GoOn);
        let task = match addresses(&entry) {
            Ok((reverse_path, recipients)) => {
                let made = entry.attempts.saturating_add(1);
                let attempt = Attempt { entry: entry.clone(), reverse_path, recipients, number: made };
                let gate = Gate::kept(self.asked.clone(), key.clone(), number);
                let (agents, ended) = (self.agents.clone(), key.clone());
                let (cut, clock) = (Cut::when(told), self.clerk.world.clock.clone());
                let attempt = async move {
                    let how = tokio::select! {
                        biased;
                        how = agents.attempt(attempt, gate, cut.clone()) => Some(how),
                        () = overdue(cut, clock) => None,
                    };
                    Event::Ended(ended, number, how)
                };
                self.spawn(unless, attempt)
            }
            Err(error) => {
                tracing::error!(queue_id = %entry.queue_id, %error, "a delivery cannot be attempted");
                let (ended, how) = (key.clone(), damaged(entry.recipients.len()));
                self.spawn(unless, async move { Event::Ended(ended, number, Some(how)) })
            }
        };
        self.window.start(key, entry, Running::new(number, cutter, task));
    }

    fn settle(&mut self, delivery: &Delivery, transitions: Vec<schedule::Transition>, now: Timestamp) {
        let key = delivery.key.clone();
        let Some(work) = self.window.settle(&key) else {
            tracing::error!(delivery = %key, "a delivery is to be settled whose row is not there");
            // It is read again, and goes on from what the store says. We listen: nobody else can.
            let _ = self.tell.send(Event::Recorded(key, Recorded::Lost));
            return;
        };
        let settlement = Settlement {
            key: key.clone(),
            entry: work.entry.clone(),
            attempted: work.attempted.clone(),
            transitions,
            at: now,
        };
        let unless = Event::Recorded(key, Recorded::Unavailable);
        self.spawn(unless, record::record(self.clerk.clone(), settlement));
    }

    fn spawn(
        &self,
        unless: Event,
        task: impl Future<Output = Event> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        let teller = Teller::new(self.tell.clone(), unless);
        self.clerk.world.workers.spawn(teller.tell(task))
    }

    fn hear(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Surveyed(rows) => {
                self.leases.let_go_of_old(now);
                self.schedule.surveyed(now, rows);
            }
            Event::Leased(answers) => {
                self.leases.answered();
                for (ask, lease) in answers {
                    self.leased(ask, lease, now);
                }
            }
            Event::Drawn(destination, draw) => self.drawn(&destination, draw, now),
            Event::Ended(key, number, ended) => self.ended(&key, number, ended, now),
            Event::Recorded(key, recorded) => {
                match recorded {
                    Recorded::Kept => self.window.settled(&key),
                    Recorded::Lost => {
                        self.window.settled(&key);
                        self.leases.doubt(&key.destination);
                    }
                    Recorded::Unavailable => {}
                }
                self.schedule.recorded(now, &key, recorded);
            }
        }
    }

    fn leased(&mut self, ask: Ask, lease: Lease, now: Timestamp) {
        let drawn = match lease {
            Lease::Granted => {
                self.leases.granted(&ask);
                self.draw(ask, now);
                return;
            }
            Lease::Taken(until) => Drawn::Taken { until },
            Lease::Unavailable => Drawn::Unavailable,
        };
        self.leases.doubt(&ask.destination);
        self.schedule.drawn(now, &ask.destination, drawn);
    }

    fn drawn(&mut self, destination: &Destination, draw: Option<Draw>, now: Timestamp) {
        let Some(Draw { entries, next_due, held }) = draw else {
            self.schedule.drawn(now, destination, Drawn::Unavailable);
            return;
        };
        let mut deliveries = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = Key { destination: destination.clone(), queue_id: entry.queue_id };
            deliveries.push(delivery(key.clone(), &entry));
            self.window.put(key, entry);
        }
        self.schedule.drawn(now, destination, Drawn::Granted { deliveries, next_due, held });
        let Self { window, schedule, .. } = self;
        window.forget_all_but(schedule.limits().window_deliveries_max * 2, |key| schedule.has(key));
    }

    fn ended(&mut self, key: &Key, number: u64, ended: Option<Ended>, now: Timestamp) {
        let attempted = match ended {
            Some(Ended::Attempted(attempted)) => attempted,
            // It has stepped back already, when the gate said so.
            Some(Ended::SteppedBack) if !self.window.is_running(key, number) => return,
            // The row stays as it is, and the next runner tries it at once.
            Some(Ended::SteppedBack) if self.phase != Phase::Working => {
                self.window.step_back(key, number);
                return;
            }
            Some(Ended::SteppedBack) | None => {
                tracing::error!(delivery = %key, "an attempt has ended without an outcome");
                Attempted { outcomes: Vec::new(), hops: Vec::new() }
            }
        };
        let outcomes = outcomes(&attempted);
        let Some(work) = self.window.ended(key, number, attempted) else { return };
        let deferred = |outcome: &schedule::Outcome| *outcome == schedule::Outcome::Deferred;
        if self.phase == Phase::Cutting && outcomes.values().all(deferred) {
            // Our own doing, not the next hop's: the row stays as it is, and the next runner tries it at once.
            self.window.settled(key);
            return;
        }
        let properties = self.handle.properties();
        let rules = properties.of(&work.entry.virtual_server).rules(key.destination.as_str());
        if !outcomes.values().any(deferred) && outcomes.len() == work.entry.recipients.len() {
            self.schedule.ended(now, key, &outcomes, rules, Duration::ZERO);
            return;
        }
        let jitter = jitter(&self.clerk.world.dice, rules.jitter_max(work.entry.attempts));
        match addresses(&work.entry) {
            Ok(_) => self.schedule.ended(now, key, &outcomes, rules, jitter),
            Err(_) => self.schedule.ended(now, key, &outcomes, &rules.without_end(), jitter),
        }
    }

    /// An attempt knows where it goes.
    fn pass(&mut self, passage: Passage) {
        let Passage { key, attempt, site, answer } = passage;
        let routed = match self.window.is_running(&key, attempt) && self.phase == Phase::Working {
            true => self.schedule.routed(self.now(), &key, &site),
            false => Routed::StepBack,
        };
        if routed == Routed::StepBack {
            self.window.step_back(&key, attempt);
        }
        // It may have been cut.
        let _ = answer.send(routed);
    }
}

/// The addresses of a row.
fn addresses(entry: &QueueEntry) -> Result<(ReversePath, Vec<Address>), store::Error> {
    Ok((task::reverse_path(entry)?, task::recipients(entry)?))
}

/// An attempt was cut and has not ended.
async fn overdue(mut cut: Cut, clock: Clock) {
    cut.wait().await;
    clock.sleep(CUT_GRACE).await;
}

/// From one time to another; none if that is past.
fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0))
}

/// A time span up to this.
fn jitter(dice: &Dice, most: Duration) -> Duration {
    let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX - 1);
    Duration::from_millis(dice.throw() % most.saturating_add(1))
}

fn delivery(key: Key, entry: &QueueEntry) -> Delivery {
    let recipients = u32::try_from(entry.recipients.len()).unwrap_or(u32::MAX);
    Delivery {
        key,
        recipients: (0..recipients).map(RecipientId).collect(),
        accepted: entry.accepted,
        due: entry.due,
        attempts: entry.attempts,
        notified: entry.notified,
    }
}

/// As the schedule has them, by place in the row.
fn outcomes(attempted: &Attempted) -> BTreeMap<RecipientId, schedule::Outcome> {
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::Filed { .. } | Outcome::Relayed { .. } => schedule::Outcome::Delivered,
        Outcome::Deferred(_) => schedule::Outcome::Deferred,
        Outcome::Failed(_) => schedule::Outcome::Failed,
    };
    (0..).map(RecipientId).zip(attempted.outcomes.iter().map(outcome)).collect()
}

/// What there is to say of a row that cannot be read.
fn damaged(recipients: usize) -> Ended {
    let because = "its entry in the queue is damaged; run `waxseal store check`";
    let outcome = Outcome::Deferred(Diagnostic::ours((4, 3, 0), because));
    Ended::Attempted(Attempted { outcomes: vec![outcome; recipients], hops: Vec::new() })
}
