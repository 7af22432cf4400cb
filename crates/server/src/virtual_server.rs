//! A virtual server as an object: it is started, stopped and paused, and what its doors lead to is swapped when the settings
//! change.
//!
//! ```text
//! Service --doors--> Door: a bound port --entrance--> Endpoint of the settings in force
//!                      '--accepting--> the loop that takes connections and hands them to the endpoint of the moment
//! ```
//!
//! - Running: doors are open.
//! - Paused: the ports stay bound, so that nobody else takes them, and a newcomer is told at once to come again (421, -ERR,
//!   BYE; under implicit TLS the connection is closed). Who is inside goes on.
//! - Stopped: the ports are free, and who was inside was told to end.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use settings::{Binding, Protocol, ServerState, Tls};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wire::registry::Registry;
use wire::{Stream, accept};
use world::World;
use world::net::Listener;

use crate::connect::Endpoint;

/// A virtual server of this process.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    pub(crate) state: ServerState,
    /// One for each binding, in their order.
    pub(crate) doors: Vec<Door>,
}

/// One binding of a virtual server.
#[derive(Debug)]
pub(crate) struct Door {
    /// As it is written.
    pub(crate) binding: Binding,
    /// Where it listens, or did when it last was open: port 0 has become a real one.
    pub(crate) address: SocketAddr,
    pub(crate) entrance: Arc<Entrance>,
    /// None while it is stopped.
    open: Option<Open>,
    /// Whether the log has said where it listens.
    told: bool,
}

/// What a door leads to.
#[derive(Debug)]
pub(crate) struct Entrance {
    endpoint: RwLock<Arc<Endpoint>>,
    paused: AtomicBool,
}

/// A port that is bound, and the loop behind it.
#[derive(Debug)]
struct Open {
    listener: Arc<Listener>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Service {
    /// Is in this state from now on, as far as newcomers see it.
    pub(crate) fn set(&mut self, state: ServerState) {
        self.state = state;
        for door in &self.doors {
            door.entrance.pause(state == ServerState::Paused);
        }
    }
}

impl Entrance {
    pub(crate) fn new(endpoint: Arc<Endpoint>) -> Arc<Self> {
        Arc::new(Self { endpoint: RwLock::new(endpoint), paused: AtomicBool::default() })
    }

    /// Where the next connection goes.
    pub(crate) fn endpoint(&self) -> Arc<Endpoint> {
        self.endpoint.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From the next connection on it leads there.
    pub(crate) fn lead_to(&self, endpoint: Arc<Endpoint>) {
        *self.endpoint.write().unwrap_or_else(PoisonError::into_inner) = endpoint;
    }

    /// Whether newcomers are sent away.
    fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
    }

    fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }
}

impl Door {
    /// A door that is shut; `address` is where it will listen.
    pub(crate) fn shut(binding: Binding, address: SocketAddr, entrance: Arc<Entrance>) -> Self {
        Self { binding, address, entrance, open: None, told: false }
    }

    /// Takes connections from now on.
    pub(crate) fn open(&mut self, listener: Arc<Listener>, world: &World, registry: &Arc<Registry>) {
        let (stop, stopped) = watch::channel(false);
        let binding = self.accepted(listener.clone(), registry);
        let (entrance, world, workers) = (self.entrance.clone(), world.clone(), world.workers.clone());
        let task = workers.spawn(async move {
            let connect = |stream, entry| entrance.endpoint().serve(Stream::from(stream), entry);
            accept::accept(&world, binding, stopped, connect).await;
        });
        self.open = Some(Open { listener, stop, task });
        self.told = false;
    }

    fn accepted(&self, listener: Arc<Listener>, registry: &Arc<Registry>) -> accept::Binding {
        let [of_proxies, of_limits, of_refusals] = std::array::from_fn(|_| self.entrance.clone());
        let properties = self.entrance.endpoint().properties().clone();
        accept::Binding {
            listener,
            registry: registry.clone(),
            virtual_server: properties.name.as_str().into(),
            protocol: properties.protocol.name(),
            is_proxy: Box::new(move |peer| of_proxies.endpoint().is_proxy(peer)),
            welcome: Box::new(move |peer| of_limits.endpoint().welcome(peer, of_limits.is_paused())),
            refusal: Box::new(move |refused| of_refusals.endpoint().refusal(refused)),
        }
    }

    /// Has the log say where it listens, once.
    pub(crate) fn tell(&mut self) {
        if self.open.is_none() || std::mem::replace(&mut self.told, true) {
            return;
        }
        let properties = self.entrance.endpoint().properties().clone();
        let (address, protocol) = (self.address, self.protocol_name(properties.protocol));
        tracing::info!(
            virtual_server = properties.name,
            protocol,
            %address,
            port = address.port(),
            "listening"
        );
    }

    /// The port, for who takes it over.
    pub(crate) fn listener(&self) -> Option<Arc<Listener>> {
        self.open.as_ref().map(|open| open.listener.clone())
    }

    /// Takes no more connections; those that it took go on. The port is free when this returns, unless somebody else holds
    /// the listener.
    pub(crate) async fn close(&mut self) {
        if let Some(Open { listener, stop, task }) = self.open.take() {
            stop.send_replace(true);
            // It cannot panic, and a loop that is gone is a door that is closed.
            let _ = task.await;
            drop(listener);
        }
    }

    /// `imap`, and `imaps` with implicit TLS.
    pub(crate) fn protocol_name(&self, protocol: Protocol) -> String {
        let implicit = if self.binding.tls == Tls::Implicit { "s" } else { "" };
        format!("{}{implicit}", protocol.name())
    }
}
