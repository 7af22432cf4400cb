//! All virtual servers of the process, under the settings in force; how others take their place.
//!
//! ```text
//! settings --prepare--> Prepared: files read, ports bound, nothing changed      here it may fail
//!                          '--put_in_force--> doors lead elsewhere, what is gone is closed      here it cannot
//! ```

mod prepared;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result};
use queue::Properties;
use settings::{Protocol, ServerState, Settings, Tls};
use tokio::sync::{Mutex, MutexGuard};
use wire::accept;
use wire::registry::Registry;
use world::net::Listener;

use crate::apply::{Plan, Port};
use crate::certificates::Keeper;
use crate::connect::Endpoint;
use crate::limits::STOP_GRACE;
use crate::protocol_log::ProtocolLogs;
use crate::shared::Shared;
use crate::virtual_server::{Door, Entrance, Service};

use prepared::Prepared;

/// All virtual servers.
#[derive(Debug)]
pub(crate) struct VirtualServers {
    pub(crate) shared: Arc<Shared>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) certificates: Arc<Keeper>,
    /// Whoever changes something has it: one after the other.
    objects: Mutex<Objects>,
    /// The same for all who only look.
    view: RwLock<Arc<View>>,
}

/// What is changed.
#[derive(Debug)]
pub(crate) struct Objects {
    services: Vec<Service>,
    logs: ProtocolLogs,
    /// The server stops: no door opens again.
    closed: bool,
}

/// How the virtual servers are.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// The settings in force.
    pub(crate) settings: Arc<Settings>,
    /// In the order of the settings.
    pub(crate) services: Vec<ServiceView>,
}

/// How a virtual server is.
#[derive(Debug, Clone)]
pub(crate) struct ServiceView {
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    pub(crate) state: ServerState,
    /// One for each binding, in their order.
    pub(crate) doors: Vec<DoorView>,
}

/// How a binding is.
#[derive(Debug, Clone)]
pub(crate) struct DoorView {
    /// `imap`, and `imaps` with implicit TLS.
    pub(crate) protocol: String,
    pub(crate) tls: Tls,
    pub(crate) address: SocketAddr,
    pub(crate) entrance: Arc<Entrance>,
}

/// What a change of the settings did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Virtual servers that are new or different.
    pub(crate) changed: Vec<String>,
    /// Virtual servers that are gone.
    pub(crate) removed: Vec<String>,
    /// Keys that hold from the next start of the program only.
    pub(crate) at_next_start: Vec<&'static str>,
}

/// Why a virtual server was not started, stopped or paused.
#[derive(Debug)]
pub(crate) enum SwitchError {
    /// None has this name.
    Unknown,
    /// A port cannot be had: where, and why.
    Port(SocketAddr, std::io::Error),
    /// The whole server stops.
    Stopping,
}

impl VirtualServers {
    /// None yet. `settings` are those by which `shared` and `certificates` were made.
    pub(crate) fn new(
        shared: Arc<Shared>,
        registry: Arc<Registry>,
        certificates: Arc<Keeper>,
        settings: Settings,
    ) -> Self {
        let settings = Arc::new(Settings { virtual_servers: Vec::new(), ..settings });
        let view = RwLock::new(Arc::new(View { settings, services: Vec::new() }));
        let objects =
            Mutex::new(Objects { services: Vec::new(), logs: ProtocolLogs::default(), closed: false });
        Self { shared, registry, certificates, objects, view }
    }

    /// How they are now.
    pub(crate) fn view(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// These settings are in force when it returns. Connections that are there go on as they began, but for those of a
    /// virtual server that is no more, which are told to end.
    ///
    /// # Errors
    /// What is in the way: a port that is taken, a file that cannot be read. Nothing has changed then.
    pub(crate) async fn apply(&self, settings: Settings) -> Result<Applied> {
        let mut objects = self.objects.lock().await;
        anyhow::ensure!(!objects.closed, "the server stops");
        let prepared = self.prepare(&objects, settings)?;
        Ok(self.put_in_force(&mut objects, prepared).await)
    }

    /// Starts, stops or pauses one. It stays so when the settings change, until they say otherwise in its `state`, and
    /// until the program starts again.
    ///
    /// # Errors
    /// There is none of this name; to start one: a port cannot be had.
    pub(crate) async fn switch(&self, name: &str, state: ServerState) -> Result<(), SwitchError> {
        let mut objects = self.objects.lock().await;
        if objects.closed {
            return Err(SwitchError::Stopping);
        }
        let ours: Vec<_> = objects.listeners().collect();
        let service = objects.services.iter_mut().find(|service| service.name == name);
        let service = service.ok_or(SwitchError::Unknown)?;
        match state {
            ServerState::Stopped => {
                close(&mut service.doors).await;
                self.drain(name).await;
            }
            ServerState::Running | ServerState::Paused => self.open(service, &ours)?,
        }
        service.doors.iter_mut().for_each(Door::tell);
        service.set(state);
        self.publish(&objects, self.view().settings.clone());
        Ok(())
    }

    /// Closes all doors, and waits until all connections are gone; those that are left after the grace period are
    /// terminated.
    pub(crate) async fn close(&self) {
        let mut objects = self.objects.lock().await;
        objects.closed = true;
        for service in &mut objects.services {
            close(&mut service.doors).await;
        }
        let drains: Vec<_> = objects.services.iter().map(|service| self.drain(&service.name)).collect();
        for drained in drains {
            drained.await;
        }
        objects.logs.finish().await;
    }

    /// Whether the server stops.
    pub(crate) async fn is_closed(&self) -> bool {
        self.objects.lock().await.closed
    }

    /// Opens the doors that are shut, all or none.
    fn open(&self, service: &mut Service, ours: &[Arc<Listener>]) -> Result<(), SwitchError> {
        let bound = service.doors.iter().map(|door| match door.listener() {
            Some(_) => Ok(None),
            None => self
                .bind(door.address, ours.iter().cloned())
                .map(Some)
                .map_err(|error| SwitchError::Port(door.address, error)),
        });
        let bound: Vec<_> = bound.collect::<Result<_, _>>()?;
        for (door, listener) in service.doors.iter_mut().zip(bound) {
            if let Some(listener) = listener {
                self.open_door(door, listener);
            }
        }
        Ok(())
    }

    fn open_door(&self, door: &mut Door, listener: Arc<Listener>) {
        if let Ok(address) = listener.address() {
            door.address = address;
        }
        door.open(listener, &self.shared.world, &self.registry);
    }

    /// Has the log say where there is something new to connect to.
    pub(crate) async fn tell(&self) {
        self.objects
            .lock()
            .await
            .services
            .iter_mut()
            .flat_map(|service| &mut service.doors)
            .for_each(Door::tell);
    }

    /// Binds a port, beside those of ours that have it under another address: only equal ones clash.
    fn bind(
        &self,
        address: SocketAddr,
        ours: impl Iterator<Item = Arc<Listener>>,
    ) -> std::io::Result<Arc<Listener>> {
        let is_beside = |listener: &Arc<Listener>| {
            listener.address().is_ok_and(|its| its.port() == address.port() && its != address)
        };
        let others: Vec<_> = ours.filter(is_beside).collect();
        let others: Vec<_> = others.iter().map(|listener| &**listener).collect();
        self.shared.world.sockets.bind_beside(address, &others).map(Arc::new)
    }

    /// Tells the sessions of a virtual server to end, at once; what is returned waits until they have.
    fn drain(&self, name: &str) -> impl Future<Output = ()> + Send + 'static {
        let (world, registry, name) = (self.shared.world.clone(), self.registry.clone(), name.to_owned());
        registry.stop_all(Some(&name));
        async move { accept::drain(&world, &registry, &name, STOP_GRACE).await }
    }

    /// Puts what is prepared in the place of what there is. Nothing of it can fail.
    async fn put_in_force(&self, objects: &mut MutexGuard<'_, Objects>, prepared: Prepared) -> Applied {
        let Prepared { settings, plan, certificates, properties, issuer, mut bound, mut endpoints } =
            prepared;
        objects.logs.follow(&settings, &self.shared.world).await;
        self.certificates.adopt(certificates);
        self.deliver_by(properties);
        self.shared.directory.apply(&settings);
        issuer.put_in_force(&self.shared.world, &self.shared.directory);
        self.shared.pressure.apply(settings.back_pressure);
        let states: Vec<_> =
            settings.virtual_servers.iter().map(|server| self.state_of(objects, server)).collect();
        let mut former = Former::of(std::mem::take(&mut objects.services));
        let mut services = Vec::new();
        for (place, (server, state)) in settings.virtual_servers.iter().zip(states).enumerate() {
            let log = objects.logs.of(&server.name);
            let mut doors = Vec::new();
            for (number, binding) in server.bindings.iter().enumerate() {
                let prepared = endpoints.remove(&(place, number)).expect("one was made for each binding");
                let endpoint = Arc::new(prepared.with_log(log.clone()));
                let door = former.take(plan.ports[place][number].as_ref());
                let bound = bound.remove(&(place, number));
                doors.push(self.door(*binding, endpoint, door, bound).await);
            }
            let mut service = Service { name: server.name.clone(), protocol: server.protocol, state, doors };
            if state == ServerState::Stopped {
                close(&mut service.doors).await;
                // Nobody waits for those who are inside.
                self.shared.world.workers.spawn(self.drain(&service.name));
            }
            service.set(state);
            services.push(service);
        }
        close(&mut former.left()).await;
        for name in &plan.removed {
            self.shared.world.workers.spawn(self.drain(name));
        }
        objects.services = services;
        self.publish(objects, settings);
        let Plan { removed, changed, at_next_start, .. } = plan;
        Applied { changed, removed, at_next_start }
    }

    /// Mail is delivered by these properties from now on, also what waited for an ETRN that is not awaited any more.
    fn deliver_by(&self, properties: Arc<Properties>) {
        let (shared, before) = (self.shared.clone(), self.shared.queue.properties());
        shared.queue.apply(properties);
        self.shared.world.workers.spawn(async move {
            let now = shared.world.clock.wall();
            if let Err(error) = shared.queue.let_go(&shared.store, &before, now).await {
                tracing::error!(%error, "mail that waited for ETRN waits until its time is over");
            }
        });
    }

    /// The door of a binding: the one that has its port, or a new one.
    async fn door(
        &self,
        binding: settings::Binding,
        endpoint: Arc<Endpoint>,
        former: Option<Door>,
        bound: Option<Arc<Listener>>,
    ) -> Door {
        let of = |endpoint: &Endpoint| (endpoint.properties().name.clone(), endpoint.properties().protocol);
        let mut door = match former {
            // Connections are listed and limited by name and protocol; only under the same ones the loop goes on.
            Some(mut door) if of(&door.entrance.endpoint()) == of(&endpoint) => {
                door.binding = binding;
                door.entrance.lead_to(endpoint);
                door
            }
            Some(mut door) => {
                let listener = door.listener();
                door.close().await;
                let mut taken_over = Door::shut(binding, door.address, Entrance::new(endpoint));
                if let Some(listener) = listener {
                    self.open_door(&mut taken_over, listener);
                }
                taken_over
            }
            None => Door::shut(binding, binding.address, Entrance::new(endpoint)),
        };
        if let Some(listener) = bound {
            self.open_door(&mut door, listener);
        }
        door
    }

    fn publish(&self, objects: &Objects, settings: Arc<Settings>) {
        let services = objects.services.iter().map(ServiceView::of).collect();
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(View { settings, services });
    }
}

async fn close(doors: &mut [Door]) {
    for door in doors {
        door.close().await;
    }
}

/// The virtual servers as they were, while their doors find their new places.
struct Former(BTreeMap<String, Vec<Option<Door>>>);

impl Former {
    fn of(services: Vec<Service>) -> Self {
        let doors = |service: Service| (service.name, service.doors.into_iter().map(Some).collect());
        Self(services.into_iter().map(doors).collect())
    }

    fn take(&mut self, port: Option<&Port>) -> Option<Door> {
        let Port { virtual_server, binding } = port?;
        self.0.get_mut(virtual_server)?.get_mut(*binding)?.take()
    }

    fn left(self) -> Vec<Door> {
        self.0.into_values().flatten().flatten().collect()
    }
}

impl ServiceView {
    fn of(service: &Service) -> Self {
        let door = |door: &Door| DoorView {
            protocol: door.protocol_name(service.protocol),
            tls: door.binding.tls,
            address: door.address,
            entrance: door.entrance.clone(),
        };
        let (name, protocol, state) = (service.name.clone(), service.protocol, service.state);
        Self { name, protocol, state, doors: service.doors.iter().map(door).collect() }
    }
}

impl View {
    /// A virtual server.
    pub(crate) fn service(&self, name: &str) -> Option<&ServiceView> {
        self.services.iter().find(|service| service.name == name)
    }

    /// Any endpoint of a virtual server.
    ///
    /// # Errors
    /// There is no such virtual server.
    pub(crate) fn endpoint(&self, virtual_server: &str) -> Result<Arc<Endpoint>> {
        let service = self.service(virtual_server);
        let door = service.and_then(|service| service.doors.first());
        door.map(|door| door.entrance.endpoint())
            .with_context(|| format!("there is no virtual server {virtual_server:?}"))
    }
}
