//! The server's check of itself: whether a virtual server does what a client expects.
//!
//! ```text
//! TCP to the binding --> (TLS) --> greeting --> EHLO, CAPA or CAPABILITY --> (STARTTLS, the same again) --> NOOP --> QUIT
//!                         '-- the certificate is good for its name --'
//! ```

mod dialogue;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use settings::{ClientCertificates, ServerState, Tls, VirtualServer};
use world::World;
use world::net::Outgoing;

use crate::limits::CHECK_TIME_MAX;
use crate::virtual_servers::{DoorView, ServiceView};

use dialogue::{Dialogue, Secured};

/// Where the connections come from that the server makes to itself. They are neither limited nor asked for a PROXY header,
/// or a virtual server that demands one of its own host could not be checked. Nobody else can come from there: the port is
/// ours before it is written here, until after it is taken away again.
#[derive(Debug, Default)]
pub(crate) struct Checks(Mutex<BTreeSet<SocketAddr>>);

impl Checks {
    /// Whether a connection is one of these.
    pub(crate) fn are_made_from(&self, peer: SocketAddr) -> bool {
        self.sources().contains(&peer)
    }

    fn announce(&self, source: SocketAddr) -> Announced<'_> {
        self.sources().insert(source);
        Announced { checks: self, source }
    }

    fn sources(&self) -> MutexGuard<'_, BTreeSet<SocketAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A source while it is ours.
struct Announced<'a> {
    checks: &'a Checks,
    source: SocketAddr,
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        self.checks.sources().remove(&self.source);
    }
}

/// What a virtual server does not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) virtual_server: String,
    /// In words, with the address; for an administrator.
    pub(crate) what: String,
}

/// Checks every binding of a virtual server. One that is stopped is not looked at.
pub(crate) async fn check(world: &World, checks: &Arc<Checks>, service: &ServiceView) -> Vec<Failure> {
    if service.state == ServerState::Stopped {
        return Vec::new();
    }
    let looks: Vec<_> = service.doors.iter().cloned().map(|door| look(world, checks, door)).collect();
    let mut failures = Vec::new();
    for look in looks {
        // A check that panics has found nothing wrong with the virtual server.
        if let Ok(Err(what)) = look.await {
            failures.push(Failure { virtual_server: service.name.clone(), what });
        }
    }
    failures
}

/// Looks at one binding, beside the others.
fn look(world: &World, checks: &Arc<Checks>, door: DoorView) -> tokio::task::JoinHandle<Result<(), String>> {
    let (world, checks) = (world.clone(), checks.clone());
    world.workers.clone().spawn(async move {
        let properties = door.entrance.endpoint().properties().clone();
        let time_max = CHECK_TIME_MAX + properties.greeting_delay.duration();
        let looked = tokio::select! {
            biased;
            looked = talk(&checks, &door, &properties) => looked,
            () = world.clock.sleep(time_max) => Err(slow(time_max)),
        };
        looked.map_err(|what| format!("{} ({}): {what}", door.address, door.protocol))
    })
}

fn slow(time_max: Duration) -> String {
    format!("did not do all that was asked of it within {} seconds", time_max.as_secs())
}

async fn talk(checks: &Checks, door: &DoorView, properties: &VirtualServer) -> Result<(), String> {
    let address = reachable(door.address);
    let cannot = |error| format!("cannot be reached: {error}");
    let outgoing = Outgoing::of(address.ip()).map_err(cannot)?;
    let _announced = checks.announce(outgoing.address().map_err(cannot)?);
    let stream = outgoing.connect(address).await.map_err(cannot)?;
    let properties = properties.for_peer(address.ip(), None);
    let mut dialogue = Dialogue::new(stream.into(), properties);
    if door.tls == Tls::Implicit && secure(&mut dialogue, properties).await? == Secured::NoFurther {
        return Ok(());
    }
    dialogue.greeting().await?;
    let offered = dialogue.offers().await?;
    if matches!(door.tls, Tls::Offered | Tls::Required) {
        if !offered {
            return Err("does not offer STARTTLS".into());
        }
        dialogue.start_tls().await?;
        if secure(&mut dialogue, properties).await? == Secured::NoFurther {
            return Ok(());
        }
        dialogue.offers().await?;
    }
    dialogue.noop().await?;
    dialogue.quit().await
}

async fn secure(dialogue: &mut Dialogue, properties: &VirtualServer) -> Result<Secured, String> {
    dialogue.secure(properties.client_certificates == ClientCertificates::Required).await
}

/// Where a connection of this machine can go: a binding of all addresses is tried at the loopback address. `[::]` takes IPv4,
/// too, and there are machines without IPv6.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_ours_while_it_is_announced() {
        let (checks, source) = (Checks::default(), "127.0.0.1:4711".parse().unwrap());
        assert!(!checks.are_made_from(source));
        let announced = checks.announce(source);
        assert!(checks.are_made_from(source));
        drop(announced);
        assert!(!checks.are_made_from(source));
    }

    #[test]
    fn all_addresses_are_tried_at_loopback() {
        for (address, expected) in [
            ("0.0.0.0:25", "127.0.0.1:25"),
            ("[::]:25", "127.0.0.1:25"),
            ("192.0.2.1:25", "192.0.2.1:25"),
            ("[2001:db8::1]:25", "[2001:db8::1]:25"),
        ] {
            assert_eq!(reachable(address.parse().unwrap()).to_string(), expected);
        }
    }
}
