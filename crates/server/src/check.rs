//! The server's check of itself: whether a virtual server does what a client expects.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

    fn sources(&self) -> MutexGuard<'_, BTreeSet<SocketAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
