//! Everything that can fail about other settings, done before anything changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use queue::Properties;
use settings::{Settings, VirtualServer};
use world::net::Listener;

use super::{Objects, VirtualServers};
use crate::apply::{Plan, Port, plan};
use crate::certificates;
use crate::connect::Endpoint;
use crate::issuer;
use crate::virtual_server::Door;

/// Which binding of which virtual server, by their places.
type Place = (usize, usize);

/// Settings that can be put in force.
pub(super) struct Prepared {
    pub(super) settings: Arc<Settings>,
    pub(super) plan: Plan,
    pub(super) certificates: certificates::Prepared,
    pub(super) properties: Arc<Properties>,
    pub(super) issuer: issuer::Prepared,
    /// Ports that were not bound before.
    pub(super) bound: BTreeMap<Place, Arc<Listener>>,
    /// One for each binding.
    pub(super) endpoints: BTreeMap<Place, Endpoint>,
}

impl VirtualServers {
    /// Reads and binds what the settings name. Dropped, it leaves no trace.
    ///
    /// # Errors
    /// What is in the way.
    pub(super) fn prepare(&self, objects: &Objects, settings: Settings) -> Result<Prepared> {
        let old = self.view().settings.clone();
        let plan = plan(&old, &settings);
        let certificates = self.certificates.prepare(&settings)?;
        let before = self.shared.queue.properties();
        let properties = crate::delivery::properties(&settings, &self.shared.world, Some((&old, &before)))?;
        let issuer = issuer::Prepared::read(&settings)?;
        let settings = Arc::new(settings);
        let endpoints = self.endpoints(&settings, &certificates)?;
        let bound = self.bind_all(objects, &settings, &plan)?;
        let properties = Arc::new(properties);
        Ok(Prepared { settings, plan, certificates, properties, issuer, bound, endpoints })
    }

    fn endpoints(
        &self,
        settings: &Arc<Settings>,
        prepared: &certificates::Prepared,
    ) -> Result<BTreeMap<Place, Endpoint>> {
        let mut endpoints = BTreeMap::new();
        for (place, server) in settings.virtual_servers.iter().enumerate() {
            let properties = Arc::new(server.clone());
            let view = |server: &VirtualServer| self.certificates.view(prepared, server);
            for (number, binding) in server.bindings.iter().enumerate() {
                let (settings, properties) = (settings.clone(), properties.clone());
                let endpoint = Endpoint::new(self.shared.clone(), settings, properties, binding.tls, view)?;
                endpoints.insert((place, number), endpoint);
            }
        }
        Ok(endpoints)
    }

    /// The ports that are needed and nobody here has.
    fn bind_all(
        &self,
        objects: &Objects,
        settings: &Settings,
        plan: &Plan,
    ) -> Result<BTreeMap<Place, Arc<Listener>>> {
        let mut bound = BTreeMap::<Place, Arc<Listener>>::new();
        for (place, server) in settings.virtual_servers.iter().enumerate() {
            if self.state_of(objects, server) == settings::ServerState::Stopped {
                continue;
            }
            for (number, binding) in server.bindings.iter().enumerate() {
                let former = plan.ports[place][number].as_ref().and_then(|port| objects.door(port));
                if former.is_some_and(|door| door.listener().is_some()) {
                    continue;
                }
                let address = former.map_or(binding.address, |door| door.address);
                let ours = objects.listeners().chain(bound.values().cloned());
                let listener = self.bind(address, ours).with_context(|| {
                    format!("virtual server {:?} cannot listen on {}", server.name, binding.address)
                })?;
                bound.insert((place, number), listener);
            }
        }
        Ok(bound)
    }

    /// Which state a virtual server gets: it keeps its own, unless the settings have changed their mind.
    pub(super) fn state_of(&self, objects: &Objects, server: &VirtualServer) -> settings::ServerState {
        let old = self.view();
        let before = old.settings.virtual_servers.iter().find(|other| other.name == server.name);
        let present = objects.services.iter().find(|service| service.name == server.name);
        match (before, present) {
            (Some(before), Some(present)) if before.state == server.state => present.state,
            _ => server.state,
        }
    }
}

impl Objects {
    /// The ports that are bound.
    pub(super) fn listeners(&self) -> impl Iterator<Item = Arc<Listener>> + '_ {
        self.services.iter().flat_map(|service| &service.doors).filter_map(Door::listener)
    }

    fn door(&self, port: &Port) -> Option<&Door> {
        let service = self.services.iter().find(|service| service.name == port.virtual_server)?;
        service.doors.get(port.binding)
    }
}
