//! What all connections share, and what one connection is.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use directory::Directory;
use mail::Address;
use mailboxes::Mailboxes;
use policy::{ConnectionFacts, RelayFacts, Service, Story};
use queue::QueueIds;
use store::{Commit, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::registry::Live;
use world::World;

use crate::arrive::name::{ClientName, Lookups};
use crate::check::Checks;
use crate::limits::{CONTENT_IN_MEMORY_MAX, CONTENT_PERMIT, DEFERRALS_MAX};
use crate::pressure;
use crate::smtp::rates::Rates;

/// What all connections of a process share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) world: World,
    pub(crate) store: Store,
    pub(crate) directory: Arc<Directory>,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) queue_ids: Arc<QueueIds>,
    /// Told when the queue has changed; has the delivery properties in force.
    pub(crate) queue: queue::Handle,
    pub(crate) host_name: String,
    /// Adds reports of success to commits that accept mail.
    pub(crate) reporter: queue::Reporter,
    pub(crate) deferrals: Deferrals,
    /// What the server is short of.
    pub(crate) pressure: pressure::Watch,
    /// How often sources send.
    pub(crate) rates: Rates,
    /// Names of clients that are looked up.
    pub(crate) lookups: Lookups,
    /// Connections that the server makes to itself, to see whether it serves.
    pub(crate) checks: Arc<Checks>,
    budget: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(
        world: World,
        store: Store,
        directory: Arc<Directory>,
        mailboxes: Mailboxes,
        properties: Arc<queue::Properties>,
    ) -> Self {
        let queue_ids = Arc::new(QueueIds::new(&world.dice));
        let host_name = properties.host_name.clone();
        let queue = queue::Handle::new(properties);
        let reporter = queue::Reporter::new(store.clone(), directory.clone(), queue_ids.clone(), &queue);
        Self {
            queue_ids,
            world,
            store,
            directory,
            mailboxes,
            queue,
            host_name,
            reporter,
            deferrals: Deferrals::default(),
            pressure: pressure::Watch::new(),
            rates: Rates::default(),
            lookups: Lookups::default(),
            checks: Arc::default(),
            budget: Arc::new(Semaphore::new(CONTENT_IN_MEMORY_MAX / CONTENT_PERMIT)),
        }
    }

    /// Room for the content that one transaction holds in memory; `None` when there is none.
    pub(crate) fn content_permit(&self) -> Option<OwnedSemaphorePermit> {
        self.budget.clone().try_acquire_owned().ok()
    }

    /// Keeps the story of a transaction that ended without mail. Nobody waits for it: what it tells of did not change
    /// anything that was promised.
    pub(crate) fn tell_journal(&self, story: Story) {
        let (store, at) = (self.store.clone(), self.world.clock.wall());
        let commit = Commit { content: Vec::new(), changes: vec![story.explanation(at)] };
        self.world.workers.spawn(async move {
            if let Err(error) = store.commit(commit).await {
                tracing::warn!(queue_id = %story.queue_id, %error, "a story could not be kept");
            }
        });
    }
}

/// How often `deferred@` was tried, by address.
#[derive(Debug, Default)]
pub(crate) struct Deferrals(Mutex<BTreeMap<Address, u32>>);

impl Deferrals {
    /// Counts a try and says how many there were before.
    pub(crate) fn count(&self, address: &Address) -> u32 {
        let mut tries = self.0.lock().expect("no holder panics");
        if tries.len() >= DEFERRALS_MAX {
            tries.clear();
        }
        let count = tries.entry(address.canonical()).or_default();
        *count += 1;
        *count - 1
    }
}

/// The virtual server that a connection came to, as far as its handlers ask.
#[derive(Debug)]
pub(crate) struct VirtualServer {
    pub(crate) name: Arc<str>,
    pub(crate) service: Service,
    /// What it calls itself; none: as the program does.
    pub(crate) host_name: Option<Arc<str>>,
    /// Who may send to other domains; for LMTP, who may deliver here.
    pub(crate) relay: settings::Relay,
    /// Octets of one message.
    pub(crate) message_size_max: u64,
    /// Received fields of one message.
    pub(crate) hops_max: usize,
    /// Messages from one source.
    pub(crate) message_rate: Option<settings::Rate>,
    /// Some recipients fail on purpose.
    pub(crate) magic: bool,
    /// Commands that are switched on.
    pub(crate) commands: settings::Commands,
    /// How long a maildrop stays closed after it was opened.
    pub(crate) sign_in_interval: std::time::Duration,
    /// What accounts may send here.
    pub(crate) rights: crate::smtp::account::Rules,
}

/// One connection as its handler knows it.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    /// What the DNS calls it, once it is known.
    pub(crate) name: ClientName,
    /// It is neither limited by its source nor banned.
    pub(crate) free: bool,
    pub(crate) trusted: bool,
    pub(crate) relay: RelayFacts,
    pub(crate) server: Arc<VirtualServer>,
    pub(crate) live: Arc<Live>,
}

impl VirtualServer {
    /// What its `relay` means for a peer.
    pub(crate) fn relay_facts(&self, peer: IpAddr) -> RelayFacts {
        RelayFacts { network: self.relay.allows(peer), authenticated: self.relay.authenticated }
    }
}

impl Connection {
    /// Where its sign-ins come from, and for what.
    pub(crate) fn origin(&self, service: directory::Scope) -> directory::Origin {
        directory::Origin { peer: self.peer.ip(), trusted: self.free, service }
    }

    /// What policy is told of it.
    pub(crate) fn facts(&self) -> ConnectionFacts {
        ConnectionFacts {
            peer: self.peer.ip(),
            virtual_server: self.server.name.to_string(),
            trusted: self.trusted,
            service: self.server.service,
            relay: self.relay.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_counted_by_address_without_case() {
        let deferrals = Deferrals::default();
        let address = |text: &str| text.parse::<Address>().unwrap();
        assert_eq!(deferrals.count(&address("deferred@example.org")), 0);
        assert_eq!(deferrals.count(&address("DEFERRED@example.org")), 1);
        assert_eq!(deferrals.count(&address("deferred@example.net")), 0);
    }
}
