//! Where ACME authorities are answered, beside the virtual servers: over HTTP on port 80 (HTTP-01), or in a TLS handshake on
//! port 443 (TLS-ALPN-01). Nothing else is served there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use settings::{Acme, Challenge};
use tokio::net::TcpStream;
use tokio::sync::watch;
use web::limits::{CONNECTIONS_MAX, CONNECTIONS_PER_SOURCE_MAX};
use wire::limits::HANDSHAKE_DEADLINE;
use wire::registry::{Limits, Registry};
use wire::{Stream, accept};
use world::net::Listener;
use world::{Clock, World};

use crate::acme::Answers;

/// The virtual server of its connections in lists of them.
const NAME: &str = "acme";

/// The listeners that there are. Each goes when its sender is dropped.
#[derive(Debug)]
pub(super) struct WebListeners {
    world: World,
    registry: Arc<Registry>,
    open: Mutex<BTreeMap<Place, watch::Sender<bool>>>,
}

/// Where, and how it is asked there.
type Place = (SocketAddr, Challenge);

/// What other settings ask for: bound where it was not before, and not yet served.
#[derive(Debug)]
pub(super) struct Bound {
    wanted: Vec<Place>,
    new: Vec<(Place, Listener)>,
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
        let places = |acme: &Acme| acme.bindings.iter().map(|address| (*address, acme.challenge)).collect();
        let wanted: Vec<Place> = acme.map_or_else(Vec::new, places);
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        for (address, challenge) in wanted.iter().filter(|place| !open.contains_key(place)) {
            let listener = self.world.sockets.bind(*address);
            let listener = listener.with_context(|| format!("tls.acme.bind: cannot listen on {address}"))?;
            new.push(((*address, *challenge), listener));
        }
        Ok(Bound { wanted, new })
    }

    /// Serves what was bound; what is not asked for any longer is closed.
    pub(super) fn adopt(&self, bound: Bound, answers: &Answers) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|place, _| bound.wanted.contains(place));
        for (place, listener) in bound.new {
            open.insert(place, self.serve(place, listener, answers));
        }
    }

    /// Closes all of them.
    pub(super) fn stop(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn serve(
        &self,
        (address, challenge): Place,
        listener: Listener,
        answers: &Answers,
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
        let (world, answers) = (self.world.clone(), answers.clone());
        tracing::info!(%address, "ACME authorities are answered here");
        self.world.workers.spawn(async move {
            let clock = world.clock.clone();
            let connect = |stream, entry| {
                let (answers, clock) = (answers.clone(), clock.clone());
                async move {
                    connected(stream, challenge, &answers, &clock).await;
                    drop(entry);
                }
            };
            accept::accept(&world, binding, stopped, connect).await;
        });
        stop
    }
}

async fn connected(stream: TcpStream, challenge: Challenge, answers: &Answers, clock: &Clock) {
    let stream = Stream::from(stream);
    match challenge {
        Challenge::Http01 => web::serve(stream, answers.http.clone(), clock).await,
        Challenge::TlsAlpn01 => {
            tokio::select! {
                biased;
                // The handshake is the answer (RFC 8737 §3). Who makes another one is told that nothing is here.
                secured = stream.secure(&answers.tls) => if let Ok((stream, _)) = secured {
                    web::serve(stream, answers.http.clone(), clock).await;
                },
                () = clock.sleep(HANDSHAKE_DEADLINE) => {}
            }
        }
    }
}
