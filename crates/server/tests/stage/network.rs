//! Who can be found and reached from a simulated world.

use std::net::SocketAddr;
use std::sync::Arc;

use testkit::peer::{Peer, Script};
use world::dialer::Harbour;
use world::resolver::{Simulated, Zone};
use world::{Dialer, Resolver, World};

/// Names, and next hops at addresses.
#[derive(Default)]
pub(crate) struct Network {
    zone: Zone,
    hosts: Vec<(SocketAddr, Arc<Peer>)>,
}

impl Network {
    /// A network with these names, and nobody in it.
    pub(crate) fn new(zone: Zone) -> Self {
        Self { zone, hosts: Vec::new() }
    }

    /// A next hop that does as this script says.
    pub(crate) fn host(&mut self, address: &str, script: Script) -> Arc<Peer> {
        let peer = Arc::new(Peer::new(script));
        self.hosts.push((address.parse().expect("an address and a port"), peer.clone()));
        peer
    }

    /// The same world with this network around it. Call it inside its runtime.
    pub(crate) fn around(&self, world: World) -> World {
        let harbour = Harbour::new();
        for (address, peer) in &self.hosts {
            peer.dock(&world.clock, &harbour, *address);
        }
        let names = Simulated::new(world.clock.clone(), self.zone.clone());
        World { resolver: Resolver::Simulated(names), dialer: Dialer::Simulated(harbour), ..world }
    }
}
