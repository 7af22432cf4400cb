//! The delivery properties in force: those of each virtual server, and those of `[delivery]` for what has none.
//!
//! ```text
//! Settings, what is outside of them --Properties::new--> Properties --Handle::apply--> in force from the next attempt on
//!                                                            '-- of(virtual server) --> Profile
//! ```
//!
//! A message is delivered by the properties of the virtual server that took it. Its name stands in the queue; where no
//! virtual server has it any more, and for reports, `[delivery]` holds.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use mail::{Address, Domain};
use settings::{Delivery, Reports, Settings, TimeSpan, VirtualServer};
use wire::Trust;
use world::{Clock, Dice, Resolver, Workers, World};

use crate::accept::LOCAL;
use crate::agent::Habits;
use crate::destinations::Destinations;
use crate::schedule::{Limits, Rules};
use crate::{limits, route};

/// All delivery properties of one state of the settings.
#[derive(Debug)]
pub struct Properties {
    /// Our name in reports.
    pub host_name: String,
    /// Where badmail is kept; none: in [`badmail::directory`](crate::badmail::directory) of the data.
    pub badmail: Option<PathBuf>,
    /// Where files are put down to be sent; none: `pickup` under the data directory.
    pub pickup: Option<PathBuf>,
    /// How much at once, over all virtual servers.
    pub limits: Limits,
    otherwise: Arc<Profile>,
    by_server: HashMap<String, Arc<Profile>>,
}

/// How mail of one virtual server is delivered.
#[derive(Debug)]
pub struct Profile {
    /// No other profile of this process has the same: what is remembered for one holds for no other.
    pub(crate) number: usize,
    /// When what goes elsewhere is tried again, told of, given up.
    pub outbound: Rules,
    /// The same for mailboxes here.
    pub local: Rules,
    /// The same for what waits for ETRN.
    pub collected: Rules,
    /// Who gets a copy of each failure report.
    pub copy_reports_to: Option<Address>,
    /// Which way mail goes.
    pub destinations: Arc<Destinations>,
    pub(crate) route: route::Rules,
    pub(crate) resolver: Resolver,
    pub(crate) trust: Arc<Trust>,
    pub(crate) habits: Habits,
}

/// What a profile needs that is not in the settings themselves, but in files and interfaces that they name.
#[derive(Debug)]
pub struct Given {
    /// Which way mail goes, with the passwords that it takes.
    pub destinations: Destinations,
    /// How routes are found.
    pub rules: route::Rules,
    /// Who is asked about names.
    pub resolver: Resolver,
    /// Whom connections to others believe.
    pub trust: Arc<Trust>,
}

/// The properties in force, for all who need them. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct InForce(Arc<RwLock<Arc<Properties>>>);

impl InForce {
    pub(crate) fn new(properties: Arc<Properties>) -> Self {
        Self(Arc::new(RwLock::new(properties)))
    }

    /// As they are now. Whoever has begun with them goes on with them.
    pub(crate) fn now(&self) -> Arc<Properties> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn replace(&self, properties: Arc<Properties>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = properties;
    }
}

impl Properties {
    /// The properties that these settings mean. `given` is asked once for each different `delivery`.
    ///
    /// # Errors
    /// Those of `given`.
    pub fn new<E>(
        settings: &Settings,
        mut given: impl FnMut(&Delivery) -> Result<Given, E>,
    ) -> Result<Self, E> {
        let otherwise = Arc::new(Profile::new(&Whose::of_all(settings), given(&settings.delivery)?));
        let mut by_server = HashMap::new();
        for server in &settings.virtual_servers {
            let whose = Whose::of(server);
            // Those that differ in nothing share what is known of routes, and connections.
            if whose != Whose::of_all(settings) {
                by_server
                    .insert(server.name.clone(), Arc::new(Profile::new(&whose, given(&server.delivery)?)));
            }
        }
        let host_name = settings.host_name.as_str().to_owned();
        let badmail = settings.reports.badmail.clone();
        let pickup = settings.pickup.directory.clone();
        Ok(Self { host_name, badmail, pickup, limits: bounds(&settings.delivery), otherwise, by_server })
    }

    /// The same for a process that makes no connections: it knows no name, no password and no authority.
    pub fn without_network(settings: &Settings) -> Self {
        let trust = Arc::new(Trust::only(&[]).expect("no authority is read"));
        let world = World::without_network(Clock::Real, Dice::Real, Workers::Inline);
        let given = |delivery: &Delivery| {
            Ok::<_, Infallible>(Given {
                destinations: Destinations::new(settings, delivery),
                rules: route::Rules::of(settings, delivery, &[]),
                resolver: world.resolver.clone(),
                trust: trust.clone(),
            })
        };
        let Ok(properties) = Self::new(settings, given);
        properties
    }

    /// The profile of a virtual server; that of `[delivery]` if none has this name.
    pub fn of(&self, virtual_server: &str) -> &Arc<Profile> {
        self.by_server.get(virtual_server).unwrap_or(&self.otherwise)
    }

    /// The profile of what no virtual server took: our own reports.
    pub fn ours(&self) -> &Arc<Profile> {
        &self.otherwise
    }
}

/// What a profile is made of.
#[derive(PartialEq, Eq)]
struct Whose<'a> {
    host_name: &'a Domain,
    delivery: &'a Delivery,
    reports: &'a Reports,
}

impl<'a> Whose<'a> {
    fn of_all(settings: &'a Settings) -> Self {
        let Settings { host_name, delivery, reports, .. } = settings;
        Self { host_name, delivery, reports }
    }

    fn of(server: &'a VirtualServer) -> Self {
        let VirtualServer { host_name, delivery, reports, .. } = server;
        Self { host_name, delivery, reports }
    }
}

impl Profile {
    fn new(whose: &Whose<'_>, given: Given) -> Self {
        let Whose { host_name, delivery, reports } = *whose;
        let Given { destinations, rules, resolver, trust } = given;
        Self {
            number: number(),
            outbound: outbound(delivery),
            local: local(delivery),
            collected: Rules { retry: Vec::new(), then: None, ..outbound(delivery) },
            copy_reports_to: reports.copy_to.clone(),
            destinations: Arc::new(destinations),
            route: rules,
            resolver,
            trust,
            habits: Habits::new(host_name, delivery),
        }
    }

    /// Who is asked about names.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// The rules of a destination.
    pub fn rules(&self, destination: &str) -> &Rules {
        match () {
            () if is_local(destination) => &self.local,
            () if self.destinations.is_collected(destination) => &self.collected,
            () => &self.outbound,
        }
    }
}

/// Numbers that nothing had before in this process.
pub(crate) fn number() -> usize {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Whether mail of this destination goes into mailboxes here.
pub(crate) fn is_local(destination: &str) -> bool {
    // A message with several due times has a destination for each.
    destination.strip_prefix(LOCAL).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn outbound(delivery: &Delivery) -> Rules {
    Rules {
        retry: spans(&delivery.retry),
        then: delivery.then.map(TimeSpan::duration),
        notify_after: delivery.delay_notification.map(TimeSpan::duration),
        expire_after: delivery.expiration.duration(),
    }
}

fn local(delivery: &Delivery) -> Rules {
    Rules {
        retry: spans(&delivery.local.retry),
        then: delivery.local.then.map(TimeSpan::duration),
        notify_after: delivery.local.delay_notification.map(TimeSpan::duration),
        expire_after: delivery.local.expiration.duration(),
    }
}

fn spans(spans: &[TimeSpan]) -> Vec<std::time::Duration> {
    spans.iter().map(|span| span.duration()).collect()
}

fn bounds(delivery: &Delivery) -> Limits {
    let at_least_one = |count: u32| usize::try_from(count).unwrap_or(usize::MAX).max(1);
    let attempts_max = at_least_one(delivery.connections.limit);
    let per_destination = at_least_one(delivery.connections.per_destination);
    Limits {
        attempts_max,
        destination_attempts_max: per_destination,
        site_attempts_max: per_destination,
        // More than can be under way, or the window would be the limit.
        window_deliveries_max: limits::WINDOW_DELIVERIES_MAX.max(attempts_max.saturating_mul(2)),
        // The store is asked for twice as long: `leases`.
        lease: limits::LEASE / 2,
        ..Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn properties(text: &str) -> Properties {
        let settings = settings::resolve(&format!("host-name = \"mx.example.org\"\n{text}")).unwrap();
        Properties::without_network(&settings)
    }

    #[test]
    fn what_the_settings_say_is_what_the_schedule_does() {
        let properties = properties(
            r#"
            [delivery]
            retry = ["1 min", "then every 2 min"]
            delay-notification = "never"
            expiration = "1 h"
            connections = { limit = 20000, per-destination = 7 }
            [delivery.local]
            retry = ["3 min", "then every 3 min"]
            expiration = "30 min"
            [reports]
            copy-to = "postmaster@example.org"
            "#,
        );
        let rules = |retry: u32, then: u32, expire: u32| Rules {
            retry: vec![MINUTE * retry],
            then: Some(MINUTE * then),
            notify_after: None,
            expire_after: MINUTE * expire,
        };
        let profile = properties.of("nobody");
        assert_eq!(profile.rules("example.net"), &rules(1, 2, 60));
        for local in ["local", "local/1"] {
            assert_eq!(profile.rules(local), &rules(3, 3, 30), "{local}");
        }
        assert_eq!(profile.rules("local."), &rules(1, 2, 60), "a domain that is called local");
        let Limits { attempts_max, destination_attempts_max, site_attempts_max, .. } = properties.limits;
        assert_eq!((attempts_max, destination_attempts_max, site_attempts_max), (20_000, 7, 7));
        assert!(properties.limits.window_deliveries_max > attempts_max);
        assert_eq!(profile.copy_reports_to.as_ref().unwrap().to_string(), "postmaster@example.org");
    }

    #[test]
    fn without_a_word_about_it_senders_are_told_after_four_hours_and_mail_is_given_up_after_days() {
        let properties = properties("");
        let profile = properties.ours();
        assert_eq!(profile.outbound, Rules::default());
        assert_eq!((profile.local.notify_after, profile.local.retry.is_empty()), (Some(MINUTE * 240), false));
    }
}
