//! Hosts that could not be reached a moment ago. They are tried after the others of their route, so that a host that is
//! down costs a burst of mail one time-out and not one for each message (RFC 5321 §4.5.4.1).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::job::Peer;
use crate::agent::limits::{HOST_QUIET, QUIET_HOSTS_MAX};

/// Until when each is taken to be down.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<HashMap<SocketAddr, Instant>>);

impl Quiet {
    /// Whether a host could be reached just now.
    pub(super) fn note(&self, address: SocketAddr, reached: bool, now: Instant) {
        let mut hosts = self.hosts();
        if reached {
            hosts.remove(&address);
            return;
        }
        if hosts.len() >= QUIET_HOSTS_MAX {
            hosts.retain(|_, until| *until > now);
        }
        if hosts.len() < QUIET_HOSTS_MAX {
            hosts.insert(address, now + HOST_QUIET);
        }
    }

    /// The hosts of a route as they are tried now, and how many of them, at the end, are out of their turn.
    pub(super) fn order(&self, peers: Vec<Arc<Peer>>, now: Instant) -> (Vec<Arc<Peer>>, usize) {
        let hosts = self.hosts();
        if hosts.is_empty() {
            return (peers, 0);
        }
        let is_up = |peer: &Arc<Peer>| hosts.get(&peer.address).is_none_or(|until| *until <= now);
        let (up, down): (Vec<_>, Vec<_>) = peers.into_iter().partition(is_up);
        // Where all are down, none is out of its turn.
        let late = if up.is_empty() { 0 } else { down.len() };
        (up.into_iter().chain(down).collect(), late)
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<SocketAddr, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
