//! The first hop: a listener's connections are admitted and become tasks, until it stops; then they drain.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::watch;
use world::World;
use world::net::Listener;

use crate::drive::contained;
use crate::limits;
use crate::registry::{Arrival, Entry, Limits, Registry};

/// One binding of a virtual server.
pub struct Binding {
    /// Where connections come in.
    pub listener: Listener,
    /// Where they are registered.
    pub registry: Arc<Registry>,
    /// Whose they are.
    pub virtual_server: Arc<str>,
    /// What is spoken: `smtp`, `imaps`.
    pub protocol: &'static str,
    /// How many are taken; asked for each peer, so that a new revision of the settings holds from its next connection.
    pub limits: Box<dyn Fn(IpAddr) -> Limits + Send + Sync>,
    /// What a connection that is not admitted is told before it is closed, such as `421 4.3.2 ...`; nothing under
    /// implicit TLS.
    pub refusal: Bytes,
}

/// Accepts, admits and spawns until `stop` says true or its sender is gone; then closes the listener, tells the
/// sessions of the virtual server to stop, and waits until all are gone. Those that are left after `grace` are
/// terminated. `connect` gives the task of a connection; a panic in it ends it alone and is counted.
///
/// Dropping the future closes the listener and leaves the connections running.
pub async fn serve<T>(
    world: &World,
    binding: Binding,
    mut stop: watch::Receiver<bool>,
    grace: Duration,
    mut connect: impl FnMut(TcpStream, Entry) -> T,
) where
    T: Future<Output = ()> + Send + 'static,
{
    let stopped = async {
        // An error says that the sender is gone, and with it whoever could stop us.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    first(stopped, accept_all(world, &binding, &mut connect)).await;
    let Binding { listener, registry, virtual_server, .. } = binding;
    drop(listener);
    drain(world, &registry, &virtual_server, grace).await;
}

async fn accept_all<T>(
    world: &World,
    binding: &Binding,
    connect: &mut impl FnMut(TcpStream, Entry) -> T,
) -> Infallible
where
    T: Future<Output = ()> + Send + 'static,
{
    loop {
        match binding.listener.accept().await {
            Ok((stream, peer)) => {
                if let Some((stream, entry)) = admit(binding, stream, peer) {
                    spawn(world, binding, connect(stream, entry));
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            // Descriptors or memory ran out: trying again at once would only burn the processor.
            Err(_) => world.clock.sleep(limits::ACCEPT_PAUSE).await,
        }
    }
}

fn admit(binding: &Binding, stream: TcpStream, peer: SocketAddr) -> Option<(TcpStream, Entry)> {
    let arrival = Arrival {
        peer,
        virtual_server: binding.virtual_server.clone(),
        protocol: binding.protocol,
        limits: (binding.limits)(peer.ip()),
    };
    match binding.registry.admit(arrival) {
        Ok(entry) => Some((stream, entry)),
        Err(_) => {
            // A new connection's buffer takes a line; if it does not, the peer is told by the close alone.
            let _ = stream.try_write(&binding.refusal);
            None
        }
    }
}

fn spawn(world: &World, binding: &Binding, task: impl Future<Output = ()> + Send + 'static) {
    let registry = binding.registry.clone();
    world.workers.spawn(async move {
        if contained(task).await.is_err() {
            registry.panicked();
        }
    });
}

/// Errors that accept(2) passes on from the connection it would have given.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | TimedOut)
}

async fn drain(world: &World, registry: &Registry, virtual_server: &str, grace: Duration) {
    registry.stop_all(Some(virtual_server));
    first(registry.emptied(virtual_server), world.clock.sleep(grace)).await;
    registry.terminate_all(Some(virtual_server));
    first(registry.emptied(virtual_server), world.clock.sleep(limits::TERMINATE_GRACE)).await;
}

/// Waits for either, the first of them before the second.
async fn first(one: impl Future, other: impl Future) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| {
        let ready = one.as_mut().poll(cx).is_ready() || other.as_mut().poll(cx).is_ready();
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
