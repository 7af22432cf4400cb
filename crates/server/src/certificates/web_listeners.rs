//! Where ACME authorities are answered by HTTP-01.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use settings::{Acme, Challenge};
use tokio::sync::watch;
use web::Challenges;
use web::limits::{CONNECTIONS_MAX, CONNECTIONS_PER_SOURCE_MAX};
use wire::accept;
use wire::registry::{Limits, Registry};
use world::World;
use world::net::Listener;

/// The virtual server of its connections in lists of them.
const NAME: &str = "acme";

/// The listeners that there are. Each goes when its sender is dropped.
#[derive(Debug)]
pub(super) struct WebListeners {
    world: World,
    registry: Arc<Registry>,
    open: Mutex<BTreeMap<SocketAddr, watch::Sender<bool>>>,
}

/// What other settings ask for: bound where it was not before, and not yet served.
#[derive(Debug)]
pub(super) struct Bound {
    wanted: Vec<SocketAddr>,
    new: Vec<(SocketAddr, Listener)>,
}

impl WebListeners {
    pub(super) fn new(world: &World, registry: &Arc<Registry>) -> Self {
        Self { world: world.clone(), registry: registry.clone(), open: Mutex::default() }
    }

    /// Binds what is asked for and not bound yet.
    ///
    /// # Errors
    /// An address that cannot be bound.
    pub(super) fn bind(&self, acme: Option<&Acme>) -> Result<Bound> {
        let wanted = acme.filter(|acme| acme.challenge == Challenge::Http01);
        let wanted = wanted.map_or_else(Vec::new, |acme| acme.bindings.clone());
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        for address in wanted.iter().filter(|address| !open.contains_key(address)) {
            let listener = self.world.sockets.bind(*address);
            let listener = listener.with_context(|| format!("tls.acme.bind: cannot listen on {address}"))?;
            new.push((*address, listener));
        }
        Ok(Bound { wanted, new })
    }

    /// Serves what was bound; what is not asked for any longer is closed.
    pub(super) fn adopt(&self, bound: Bound, challenges: &Arc<Challenges>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|address, _| bound.wanted.contains(address));
        for (address, listener) in bound.new {
            open.insert(address, self.serve(address, listener, challenges.clone()));
        }
    }

    /// Closes all of them.
    pub(super) fn stop(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn serve(
        &self,
        address: SocketAddr,
        listener: Listener,
        challenges: Arc<Challenges>,
    ) -> watch::Sender<bool> {
        let (stop, stopped) = watch::channel(false);
        let binding = accept::Binding {
            listener: Arc::new(listener),
            registry: self.registry.clone(),
            virtual_server: NAME.into(),
            protocol: "http",
            is_proxy: Box::new(|_| false),
            welcome: Box::new(|_| {
                Ok(Limits {
                    total_max: CONNECTIONS_MAX,
                    per_source_max: Some(CONNECTIONS_PER_SOURCE_MAX),
                    ..Limits::NONE
                })
            }),
            refusal: Box::new(|_| Bytes::new()),
        };
        let world = self.world.clone();
        tracing::info!(%address, "ACME authorities are answered here");
        self.world.workers.spawn(async move {
            let clock = world.clock.clone();
            let connect = |stream, entry| {
                let (challenges, clock) = (challenges.clone(), clock.clone());
                async move {
                    web::serve(stream, challenges, &clock).await;
                    drop(entry);
                }
            };
            accept::accept(&world, binding, stopped, connect).await;
        });
        stop
    }
}
