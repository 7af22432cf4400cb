//! Mail to other hosts, by SMTP and LMTP (RFC 5321 §5.1, RFC 2033).
//!
//! ```text
//! Attempt --Lines--> Line: hosts in order, terms, lane
//!     |                        |
//!     |--Gate: has the site room?
//!     |--Letter: read, surveyed, signed
//!     '--Lane--> an idle connection, or a seat: dial the hosts in order --> Done --judge--> the next host, or the end
//! ```
//!
//! A connection is a [`ClientSession`] on the driver of `wire`, in a task of its own. An attempt gives it a job and hears
//! how it ended; the connection then serves other attempts of its lane, until it is idle too long or has done enough.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mail::{Domain, Host};
use protocol::smtp::Dialect;
use protocol::smtp::client::{ClientSession, Policy, SignInAs, Tls};
use settings::{Delivery, OutboundTls};
use store::Store;
use wire::registry::{Arrival, ConnectionId};
use wire::{Registry, Stream, Towards, Trust, Verification};
use world::World;
use world::dialer::{Call, DialError};

use super::keys::Keys;
use super::letter::{Letter, Signing};
use super::limits::{IDLE, STALE_MAX};
use super::{Attempt, Attempted, Cut, Ended, Outcome, Parts};
use crate::destinations::{Terms, Way};
use crate::masquerade::Mask;
use crate::properties::{InForce, Profile};
use crate::runner::gate::Gate;
use crate::schedule::Routed;
use connection::Caller;
use job::{Done, Errand, Job, Peer, Revoked, Ticket, Told};
use judge::Then;
use lane::{Given, Seat};
use line::{Leg, Line, Lines, NoLine};
use quiet::Quiet;
use trip::{Onward, Trip};

mod connection;
mod job;
mod judge;
mod lane;
mod line;
mod quiet;
#[cfg(test)]
mod tests;
mod trip;

/// Takes mail to other hosts.
#[derive(Debug)]
pub(super) struct Courier {
    world: World,
    store: Store,
    registry: Arc<Registry>,
    in_force: InForce,
    keys: Keys,
    lines: Lines,
    quiet: Quiet,
}

/// What the settings say of all connections of a profile.
#[derive(Debug)]
pub(crate) struct Habits {
    hello: Host,
    messages_max: usize,
    /// At a time, to one site.
    connections_max: usize,
    time_out: Duration,
    /// While we wait for a reply.
    silence_max: Duration,
    sources: Vec<IpAddr>,
    dkim: bool,
}

/// One attempt, with what it holds on its way.
struct Journey<'a> {
    profile: &'a Profile,
    leg: Leg,
    line: Arc<Line>,
    errand: Arc<Errand>,
    trip: Trip<'a>,
    cut: Cut,
}

/// What an attempt hears of its job.
enum Heard {
    Done(Done),
    /// There is room for a connection.
    Turn(Seat),
    /// The connection was gone before it could begin.
    Gone,
    /// The attempt was ended, and its job taken back.
    Cut,
}

impl Courier {
    pub(super) fn new(parts: &Parts) -> Self {
        let Parts { world, store, directory, registry, handle, .. } = parts;
        Self {
            world: world.clone(),
            store: store.clone(),
            registry: registry.clone(),
            keys: Keys::new(store.clone(), directory.clone(), world.clock.clone()),
            in_force: handle.in_force().clone(),
            lines: Lines::new(world.clone()),
            quiet: Quiet::default(),
        }
    }

    pub(super) async fn attempt(&self, attempt: Attempt, gate: Gate, mut cut: Cut) -> Ended {
        let entry = attempt.entry.clone();
        let destination = entry.destination.as_str();
        let profile = self.in_force.now().of(&entry.virtual_server).clone();
        let (leg, line) = match self.first_line(&profile, destination, &mut cut).await {
            Some((leg, Ok(line))) => (leg, line),
            Some((_, Err(none))) => return Ended::Attempted(self.no_line(&attempt, none)),
            None => return Ended::SteppedBack,
        };
        if gate.pass(line.site.clone()).await == Routed::StepBack {
            return Ended::SteppedBack;
        }
        let now = self.world.clock.wall();
        let count = attempt.recipients.len();
        let (peers, mut reasons) = self.order(&line);
        if leg == Leg::Second {
            reasons
                .insert(0, "the exchangers cannot be found out now, so the smart hosts are tried".to_owned());
        }
        let mut trip = Trip::new((destination, attempt.number), count, peers, reasons, now);
        let errand = match self.errand(attempt, &profile, &line.terms).await {
            Ok((errand, signing)) => {
                trip.signed(signing, now);
                errand
            }
            Err(error) => {
                tracing::error!(queue_id = %entry.queue_id, %error, "a message cannot be read");
                return Ended::Attempted(trip.unread());
            }
        };
        let mut journey = Journey { profile: &profile, leg, line, errand, trip, cut };
        self.travel(&mut journey, destination).await;
        if leg == Leg::First && journey.is_unreached() {
            self.by_second_line(&mut journey, destination).await;
        }
        journey.end()
    }

    /// The way that is tried first: where nothing is known of the exchangers now, that is the second.
    async fn first_line(
        &self,
        profile: &Profile,
        destination: &str,
        cut: &mut Cut,
    ) -> Option<(Leg, Result<Arc<Line>, NoLine>)> {
        let first = self.line(profile, destination, Leg::First, cut).await?;
        let second = matches!(&first, Err(none) if !none.forever) && has_second(profile, destination);
        if !second {
            return Some((Leg::First, first));
        }
        Some((Leg::Second, self.line(profile, destination, Leg::Second, cut).await?))
    }

    /// Whom the exchangers were not reached with, the smart hosts get.
    async fn by_second_line(&self, journey: &mut Journey<'_>, destination: &str) {
        if !has_second(journey.profile, destination) {
            return;
        }
        let mut cut = journey.cut.clone();
        let line = self.line(journey.profile, destination, Leg::Second, &mut cut).await;
        let Some(Ok(line)) = line else { return };
        let (peers, mut reasons) = self.order(&line);
        reasons.insert(0, "the exchangers could not be reached, so the smart hosts are tried".to_owned());
        journey.trip.go_on(peers, reasons, self.world.clock.wall());
        (journey.leg, journey.line) = (Leg::Second, line);
        self.travel(journey, destination).await;
    }

    async fn travel(&self, journey: &mut Journey<'_>, destination: &str) {
        if let Some(seat) = self.by_lane(journey).await {
            self.by_dialling(journey, destination, seat).await;
        }
    }

    /// The message as these terms want it, and what the story is told of its signatures.
    async fn errand(
        &self,
        mut attempt: Attempt,
        profile: &Profile,
        terms: &Terms,
    ) -> Result<(Arc<Errand>, Option<policy::What>), store::Error> {
        let now = self.world.clock.wall();
        let signs = profile.habits.dkim && terms.dialect == Dialect::Smtp;
        let signing = signs.then_some(Signing { keys: &self.keys, workers: &self.world.workers, now });
        let ours = match terms.masquerade {
            Some(_) => self.keys.domains(&profile.destinations).await?,
            None => Vec::new(),
        };
        let mask = terms.masquerade.as_ref().map(|masquerade| Mask { masquerade, ours: &ours });
        if let Some(mask) = &mask {
            attempt.reverse_path = mask.reverse_path(attempt.reverse_path);
        }
        let mut letter = Letter::read(&self.store, &attempt.entry, mask, signing).await?;
        let told = letter.take_signing();
        Ok((Errand::new(attempt, letter, terms.recipients_max), told))
    }

    /// The way; none if the server stops before it is found.
    async fn line(
        &self,
        profile: &Profile,
        destination: &str,
        leg: Leg,
        cut: &mut Cut,
    ) -> Option<Result<Arc<Line>, NoLine>> {
        let mut line = pin!(self.lines.line(profile, destination, leg));
        tokio::select! {
            biased;
            line = &mut line => return Some(line),
            () = cut.wait_stop() => {}
        }
        if cut.is_stop() { None } else { Some(line.await) }
    }

    /// The hosts as they are tried now, and why so.
    fn order(&self, line: &Line) -> (Vec<Arc<Peer>>, Vec<String>) {
        let peers = line.spread(|| self.world.dice.throw());
        let (peers, late) = self.quiet.order(peers, self.world.clock.now());
        let mut reasons = line.reasons.clone();
        for peer in &peers[peers.len() - late..] {
            reasons.push(format!("{} could not be reached a moment ago and is tried last", peer.shown()));
        }
        (peers, reasons)
    }

    /// There is no way, now or for good.
    fn no_line(&self, attempt: &Attempt, none: NoLine) -> Attempted {
        let count = attempt.recipients.len();
        let name = (attempt.entry.destination.as_str(), attempt.number);
        let trip = Trip::new(name, count, Vec::new(), none.reasons, self.world.clock.wall());
        let outcome = if none.forever { Outcome::Failed } else { Outcome::Deferred };
        trip.all(outcome(none.diagnostic))
    }

    /// Has the connections of the lane do it, as far as they do. A seat, where one must be made.
    async fn by_lane(&self, journey: &mut Journey<'_>) -> Option<Seat> {
        let mut stale = 0;
        while stale <= STALE_MAX {
            let (job, ticket) = journey.job();
            let heard = match journey.line.lane.give(job, self.world.clock.now()) {
                Given::Seat(job, seat) => {
                    journey.trip.open = job.places;
                    return Some(seat);
                }
                Given::Taken => self.hear(journey, ticket).await,
            };
            match heard {
                Heard::Turn(seat) => return Some(seat),
                Heard::Cut => return None,
                Heard::Gone => stale += 1,
                Heard::Done(done) => {
                    let peer = done.peer.clone();
                    match journey.trip.note(done, self.world.clock.wall()) {
                        _ if journey.trip.over => return None,
                        Onward::Nowhere => return None,
                        Onward::SameHost => stale += 1,
                        Onward::NextHost => {
                            journey.trip.leave(&peer);
                            break;
                        }
                    }
                }
            }
        }
        Some(journey.line.lane.seat())
    }

    /// Calls the hosts in their order, until nobody is left to be tried.
    async fn by_dialling(&self, journey: &mut Journey<'_>, destination: &str, seat: Seat) {
        let mut seat = Some(seat);
        while !journey.trip.over && !journey.trip.open.is_empty() {
            let Some(peer) = journey.trip.next_host() else { break };
            self.one_host(journey, &peer, &mut seat).await;
        }
        if !journey.trip.open.is_empty() && !journey.trip.over {
            self.lines.forget(journey.profile, destination, journey.leg);
        }
    }

    /// Calls one host, again if it is as good as before or may do without TLS.
    async fn one_host(&self, journey: &mut Journey<'_>, peer: &Arc<Peer>, seat: &mut Option<Seat>) {
        let mut secured = true;
        loop {
            let Some(done) = self.call(journey, peer, secured, seat).await else { return };
            let failure = done.failure.clone();
            let onward = journey.trip.note(done, self.world.clock.wall());
            let then = failure.map(|failure| judge::then(&failure, journey.line.terms.tls));
            match (onward, then) {
                _ if journey.trip.over => return,
                (Onward::Nowhere, _) => return,
                (_, Some(Then::Stop)) => {
                    journey.trip.over = true;
                    return;
                }
                (_, Some(Then::WithoutTls)) if secured => {
                    secured = false;
                    journey.trip.add("; tried again without TLS");
                }
                (Onward::SameHost, None) => {}
                _ => return,
            }
        }
    }

    /// Connects, and has the connection do the job. The seat goes with the connection, if there is one.
    async fn call(
        &self,
        journey: &mut Journey<'_>,
        peer: &Arc<Peer>,
        secured: bool,
        seat: &mut Option<Seat>,
    ) -> Option<Done> {
        let habits = &journey.profile.habits;
        let call =
            Call { to: peer.address, from: habits.source(peer.address.ip()), timeout: habits.time_out };
        let connected = tokio::select! {
            biased;
            () = journey.cut.wait_stop() => {
                journey.trip.cut();
                return None;
            }
            connected = self.world.dialer.connect(&self.world.clock, &call) => connected,
        };
        self.quiet.note(peer.address, connected.is_ok(), self.world.clock.now());
        let stream = match connected {
            Ok(connected) => Stream::from(connected),
            Err(error) => {
                let now = self.world.clock.wall();
                journey.trip.unreachable(peer, status(&error), error.to_string(), now);
                return None;
            }
        };
        let (job, ticket) = journey.job();
        // The first went with a connection that has ended since.
        let seat = seat.take().unwrap_or_else(|| journey.line.lane.seat());
        self.start(stream, peer, journey, secured, (seat, job));
        match self.hear(journey, ticket).await {
            Heard::Done(done) => Some(done),
            Heard::Turn(_) | Heard::Gone | Heard::Cut => None,
        }
    }

    /// Lets a connection live in a task of its own, with its first job.
    fn start(
        &self,
        stream: Stream,
        peer: &Arc<Peer>,
        journey: &Journey<'_>,
        secured: bool,
        (seat, job): (Seat, Job),
    ) {
        let (profile, terms) = (journey.profile, &*journey.line.terms);
        let protocol = match terms.dialect {
            Dialect::Smtp => "smtp",
            Dialect::Lmtp => "lmtp",
        };
        let Ok(entry) = self.registry.admit(Arrival::outgoing(peer.address, protocol)) else { return };
        let (store, live) = (self.store.clone(), entry.live().clone());
        let caller = Caller::new(store, seat, live, peer.clone(), profile.habits.messages_max, job);
        let policy = profile.habits.policy(terms, peer, secured);
        let session = ClientSession::new(Arc::new(policy), self.world.clock.now());
        let tls = towards(&profile.trust, terms.tls, peer, secured);
        let context = wire::Context::new(self.world.clock.clone(), tls, entry);
        // It ends by itself: the session has a deadline for each of its states.
        drop(self.world.workers.spawn(async move { wire::drive(session, caller, stream, &context).await }));
    }

    /// Waits for the end of the job. When the attempt is cut, the job is taken back, or the connection that does it is told
    /// to stop, or ended.
    async fn hear(&self, journey: &mut Journey<'_>, mut ticket: Ticket) -> Heard {
        tokio::select! {
            biased;
            told = &mut ticket.told => return Heard::of(told.ok()),
            () = journey.cut.wait_stop() => {}
        }
        let held = match ticket.revoke() {
            Revoked::InTime => {
                journey.trip.cut();
                return Heard::Cut;
            }
            Revoked::Held(connection) => Some(ConnectionId(connection)),
            Revoked::Over => None,
        };
        // It ends at once unless a transaction is under way.
        if let Some(connection) = held {
            self.registry.stop(connection);
        }
        tokio::select! {
            biased;
            told = &mut ticket.told => return Heard::of(told.ok()),
            () = journey.cut.wait() => {}
        }
        journey.trip.cut();
        if let Some(connection) = held {
            self.registry.terminate(connection);
        }
        Heard::of(ticket.told.await.ok())
    }
}

/// Whether the smart hosts take what the exchangers are not reached with.
fn has_second(profile: &Profile, destination: &str) -> bool {
    matches!(profile.destinations.way(destination), Some(Way::ExchangersFirst(..)))
}

impl Journey<'_> {
    /// Whether somebody is left of whom no host has said anything.
    fn is_unreached(&self) -> bool {
        !self.trip.over && !self.trip.open.is_empty() && self.trip.open_are_untold()
    }

    /// A job for those who are open.
    fn job(&self) -> (Job, Ticket) {
        Job::new(self.errand.clone(), self.trip.open.clone())
    }

    /// What came of it. One that the server's stop broke off before anybody decided anything was none.
    fn end(self) -> Ended {
        if self.cut.is_stop() && self.trip.over && self.trip.has_told_nothing() {
            return Ended::SteppedBack;
        }
        Ended::Attempted(self.trip.conclude())
    }
}

impl Heard {
    fn of(told: Option<Told>) -> Self {
        match told {
            Some(Told::Done(done)) => Self::Done(*done),
            Some(Told::YourTurn(seat)) => Self::Turn(seat),
            None => Self::Gone,
        }
    }
}

impl Habits {
    /// Those of what is delivered so.
    pub(crate) fn new(host_name: &Domain, delivery: &Delivery) -> Self {
        let most = |count: u32| usize::try_from(count).unwrap_or(usize::MAX).max(1);
        Self {
            hello: Host::Domain(host_name.clone()),
            messages_max: most(delivery.connections.messages),
            connections_max: most(delivery.connections.per_destination),
            time_out: delivery.connections.time_out.duration(),
            silence_max: delivery.connections.idle_time_out.duration(),
            sources: delivery.source_addresses.clone(),
            dkim: delivery.dkim,
        }
    }

    /// The address that a connection leaves from.
    fn source(&self, to: IpAddr) -> Option<IpAddr> {
        self.sources.iter().copied().find(|source| source.is_ipv4() == to.is_ipv4())
    }

    fn policy(&self, terms: &Terms, peer: &Peer, secured: bool) -> Policy {
        let tls = match terms.tls {
            OutboundTls::Off => Tls::Off,
            _ if !secured => Tls::Off,
            OutboundTls::Offered => Tls::Opportunistic,
            OutboundTls::Required | OutboundTls::Verified | OutboundTls::Implicit => Tls::Required,
        };
        let sign_in = terms.sign_in.as_ref().and_then(|sign_in| {
            Some(SignInAs { login: sign_in.login.clone(), password: sign_in.password.clone()? })
        });
        Policy {
            dialect: terms.dialect,
            hello: self.hello.clone(),
            tls,
            sign_in,
            // The password stays on this machine, or the settings say that TLS is not wanted there.
            sign_in_without_tls: terms.tls == OutboundTls::Off || peer.address.ip().is_loopback(),
            messages_max: self.messages_max,
            greeting: terms.greeting,
            idle: IDLE,
            silence_max: self.silence_max,
        }
    }
}

/// How a connection is secured, or not.
fn towards(trust: &Arc<Trust>, tls: OutboundTls, peer: &Peer, secured: bool) -> wire::Tls {
    let verification = match tls {
        OutboundTls::Verified | OutboundTls::Implicit => Verification::Certificate,
        OutboundTls::Off | OutboundTls::Offered | OutboundTls::Required => Verification::None,
    };
    let towards = Towards { trust: trust.clone(), name: peer.certified(), verification };
    match tls {
        OutboundTls::Off => wire::Tls::Off,
        _ if !secured => wire::Tls::Off,
        OutboundTls::Implicit => wire::Tls::TowardsImplicit(towards),
        _ => wire::Tls::Towards(towards),
    }
}

/// RFC 3463: what a connection that was not made says.
fn status(error: &DialError) -> (u8, u16, u16) {
    match error {
        DialError::Refused | DialError::Unreachable(_) | DialError::TimedOut => (4, 4, 1),
        DialError::NoSource(_) => (4, 3, 5),
        DialError::Exhausted(_) => (4, 3, 0),
    }
}
