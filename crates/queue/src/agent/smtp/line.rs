//! The line to a destination: its hosts in order, how they are spoken to, and the lane of their connections. Kept for a
//! while, so that a burst of mail to one domain asks the DNS once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use mail::Host;
use world::resolver::Name;

use super::job::Peer;
use super::lane::{Lane, Lanes};
use crate::agent::limits::{ROUTE_KEPT, ROUTES_MAX};
use crate::destinations::{Terms, Way};
use crate::diagnostic::Diagnostic;
use crate::properties::Profile;
use crate::route::{self, End, Hop, Route, SmartHost};
use crate::schedule::Site;
use world::World;

/// The line to a destination.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) terms: Arc<Terms>,
    /// At least one, in the order to be tried.
    pub(super) peers: Vec<Arc<Peer>>,
    /// Why these.
    pub(super) reasons: Vec<String>,
    pub(super) site: Site,
    pub(super) lane: Arc<Lane>,
    until: Instant,
}

/// Which of the ways to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Leg {
    /// The only one, or the one that is tried first.
    First,
    /// Where there are two: the smart hosts, for what the exchangers were not reached with.
    Second,
}

/// There is no line.
#[derive(Debug)]
pub(super) struct NoLine {
    /// Whether there never will be one.
    pub(super) forever: bool,
    pub(super) diagnostic: Diagnostic,
    pub(super) reasons: Vec<String>,
}

/// Finds lines, and remembers them.
#[derive(Debug)]
pub(super) struct Lines {
    world: World,
    lanes: Lanes,
    /// By number of the profile, because what one finds another does not.
    known: Mutex<HashMap<(usize, Leg, String), Arc<Line>>>,
}

impl Lines {
    pub(super) fn new(world: World) -> Self {
        Self { world, lanes: Lanes::default(), known: Mutex::default() }
    }

    /// The line to a destination that is not here.
    ///
    /// # Errors
    /// Why there is none, now or for good.
    pub(super) async fn line(
        &self,
        profile: &Profile,
        destination: &str,
        leg: Leg,
    ) -> Result<Arc<Line>, NoLine> {
        let now = self.world.clock.now();
        let key = (profile.number, leg, destination.to_owned());
        if let Some(line) = self.known().get(&key).filter(|line| line.until > now) {
            return Ok(line.clone());
        }
        let line = Arc::new(self.find(profile, destination, leg).await?);
        let mut known = self.known();
        if known.len() >= ROUTES_MAX {
            known.retain(|_, line| line.until > now);
        }
        if known.len() < ROUTES_MAX {
            known.insert(key, line.clone());
        }
        Ok(line)
    }

    /// Forgets a line that led nowhere: the DNS may know better now.
    pub(super) fn forget(&self, profile: &Profile, destination: &str, leg: Leg) {
        self.known().remove(&(profile.number, leg, destination.to_owned()));
    }

    async fn find(&self, profile: &Profile, destination: &str, leg: Leg) -> Result<Line, NoLine> {
        let (route, terms, fixed) = match profile.destinations.way(destination) {
            Some(Way::Exchangers(host, terms)) => (self.by_name(profile, &host).await, terms, false),
            Some(Way::ExchangersFirst((host, terms), _)) if leg == Leg::First => {
                (self.by_name(profile, &host).await, terms, false)
            }
            Some(
                Way::SmartHosts(hosts, terms)
                | Way::Lmtp(hosts, terms)
                | Way::ExchangersFirst(_, (hosts, terms)),
            ) => (self.by_settings(profile, &hosts).await, terms, true),
            Some(Way::Local | Way::Drop(_)) => return Err(NoLine::changed()),
            None => return Err(NoLine::unreadable()),
        };
        let Route { end, reasons } = route;
        let hops = match end {
            End::Hops(hops) => hops,
            End::Deferred(diagnostic) => return Err(NoLine { forever: false, diagnostic, reasons }),
            End::Failed(diagnostic) => return Err(NoLine { forever: true, diagnostic, reasons }),
        };
        if terms.sign_in.as_ref().is_some_and(|sign_in| sign_in.password.is_none()) {
            let diagnostic = Diagnostic::ours((4, 3, 5), "the password for the smart host cannot be read");
            return Err(NoLine { forever: false, diagnostic, reasons });
        }
        let site = site(&hops, fixed);
        let lane = self.lanes.lane(&site, terms.number, profile.habits.connections_max);
        let peer = |Hop { address, name, preference, .. }| Arc::new(Peer { address, name, preference });
        let peers = hops.into_iter().map(peer).collect();
        let until = self.world.clock.now() + ROUTE_KEPT;
        Ok(Line { terms, peers, reasons, site, lane, until })
    }

    async fn by_name(&self, profile: &Profile, host: &Host) -> Route {
        route::find(host, &profile.route, &profile.resolver, &self.world.dice).await
    }

    async fn by_settings(&self, profile: &Profile, hosts: &[SmartHost]) -> Route {
        route::smart_hosts(hosts).found(&profile.route, &profile.resolver).await
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(usize, Leg, String), Arc<Line>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// The hosts in an order for one attempt. RFC 5321 §5.1: those of equal preference in random order, to spread the load;
    /// the addresses of one host stay together.
    pub(super) fn spread(&self, mut throw: impl FnMut() -> u64) -> Vec<Arc<Peer>> {
        let mut peers = self.peers.clone();
        let rivals =
            |pair: &[Arc<Peer>]| pair[0].preference == pair[1].preference && pair[0].name != pair[1].name;
        if peers.windows(2).any(rivals) {
            let mut turns = BTreeMap::new();
            for peer in &self.peers {
                turns.entry(&peer.name).or_insert_with(&mut throw);
            }
            peers.sort_by_key(|peer| (peer.preference, turns[&peer.name]));
        }
        peers
    }
}

impl NoLine {
    /// The settings have changed since the attempt began: the mail goes another way now.
    fn changed() -> Self {
        let diagnostic = Diagnostic::ours((4, 3, 5), "the way to the destination has changed just now");
        Self { forever: false, reasons: vec![diagnostic.because.clone()], diagnostic }
    }

    fn unreadable() -> Self {
        let diagnostic = Diagnostic::ours((5, 1, 2), "the destination is no domain and no address");
        Self { forever: true, reasons: vec![diagnostic.because.clone()], diagnostic }
    }
}

/// Exchangers are told apart by their names; hosts of the settings by their ports, too.
fn site(hops: &[Hop], fixed: bool) -> Site {
    let names: Vec<String> = hops
        .iter()
        .map(|hop| match (&hop.name, fixed) {
            (Some(name), false) => name.to_string(),
            (Some(name), true) => format!("{name}:{}", hop.address.port()),
            (None, _) => hop.address.to_string(),
        })
        .collect();
    Site::of(names.iter().map(String::as_str))
}

impl Peer {
    /// As stories name it: `mx1.example.net [192.0.2.1]:25`.
    pub(super) fn shown(&self) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        match &self.name {
            Some(name) => format!("{name} [{ip}]:{port}"),
            None => format!("[{ip}]:{port}"),
        }
    }

    /// As reports name it (RFC 3464 §2.3.5): its name, or its address in brackets.
    pub(super) fn host(&self) -> String {
        match &self.name {
            Some(name) => name.to_string(),
            None => format!("[{}]", self.address.ip()),
        }
    }

    /// What its certificate is for.
    pub(super) fn certified(&self) -> String {
        self.name.as_ref().map_or_else(|| self.address.ip().to_string(), Name::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Properties;

    /// The settings may have said so after the attempt had asked for its agent.
    #[tokio::test(start_paused = true)]
    async fn what_is_dropped_from_now_on_is_no_failure() {
        let text = "[[local-domain]]\ndomain = 'drop.example'\ndrop = '/srv/drop'";
        let properties = Properties::without_network(&settings::resolve(text).unwrap());
        let lines = Lines::new(World::simulated(mail::Timestamp(0), 1));
        for (destination, forever) in [("drop.example", false), ("a b", true)] {
            let none = lines.line(properties.ours(), destination, Leg::First).await.unwrap_err();
            assert_eq!(none.forever, forever, "{destination}");
        }
    }
}
