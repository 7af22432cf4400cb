//! The first hop: a listener's connections are admitted and become tasks, until it stops; then they drain.
//!
//! ```text
//! accept --> listed proxy? --> its header, within a deadline --> admit --> task
//!                   no -------------------------------------------^
//! ```

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use world::World;
use world::net::Listener;

use crate::drive::contained;
use crate::limits;
use crate::proxy_protocol::{self, Header};
use crate::registry::{Arrival, Entry, Limits, Refused, Registry};

/// One binding of a virtual server.
pub struct Binding {
    /// Where connections come in. Whoever else holds it can go on with it after the loop has ended.
    pub listener: Arc<Listener>,
    /// Where they are registered.
    pub registry: Arc<Registry>,
    /// Whose they are.
    pub virtual_server: Arc<str>,
    /// What is spoken: `smtp`, `imaps`.
    pub protocol: &'static str,
    /// Whether a peer is a proxy, which must say for whom it speaks before all else; see
    /// [`proxy_protocol`].
    pub is_proxy: Box<dyn Fn(SocketAddr) -> bool + Send + Sync>,
    /// How many are taken, asked for each client, so that a new revision of the settings holds from its next connection;
    /// or what one that may not come in at all is told before it is closed.
    pub welcome: Box<dyn Fn(SocketAddr) -> Result<Limits, Bytes> + Send + Sync>,
    /// What a connection that meets a limit is told before it is closed, such as `421 4.3.2 ...`; nothing under implicit
    /// TLS.
    pub refusal: Box<dyn Fn(Refused) -> Bytes + Send + Sync>,
}

/// Accepts, admits and spawns as [`accept`] does, until `stop` says true or its sender is gone; then [`drain`]s the
/// virtual server.
pub async fn serve<T>(
    world: &World,
    binding: Binding,
    stop: watch::Receiver<bool>,
    grace: Duration,
    connect: impl FnMut(TcpStream, Entry) -> T,
) where
    T: Future<Output = ()> + Send + 'static,
{
    let (registry, virtual_server) = (binding.registry.clone(), binding.virtual_server.clone());
    accept(world, binding, stop, connect).await;
    drain(world, &registry, &virtual_server, grace).await;
}

/// Accepts, admits and spawns until `stop` says true or its sender is gone; then lets its share of the listener go.
/// The connections live on. `connect` gives the task of a connection; a panic in it ends it alone and is counted.
///
/// # Cancellation
/// Dropping the future is a stop.
pub async fn accept<T>(
    world: &World,
    binding: Binding,
    mut stop: watch::Receiver<bool>,
    mut connect: impl FnMut(TcpStream, Entry) -> T,
) where
    T: Future<Output = ()> + Send + 'static,
{
    let stopped = async {
        // An error says that the sender is gone, and with it whoever could stop us.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    first(stopped, accept_all(world, &binding, &mut connect)).await;
}

async fn accept_all<T>(
    world: &World,
    binding: &Binding,
    connect: &mut impl FnMut(TcpStream, Entry) -> T,
) -> Infallible
where
    T: Future<Output = ()> + Send + 'static,
{
    let (introduce, mut introduced) = mpsc::channel(limits::PROXY_HEADERS_MAX);
    loop {
        let accepted = tokio::select! {
            biased;
            Some(accepted) = introduced.recv() => Ok((accepted, Introduced::Yes)),
            accepted = binding.listener.accept() => accepted.map(|accepted| (accepted, Introduced::No)),
        };
        match accepted {
            Ok(((stream, peer), Introduced::No)) if (binding.is_proxy)(peer) => {
                await_header(world, &introduce, stream, peer);
            }
            Ok(((stream, peer), _)) => {
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

/// Whether the peer of a connection is the one that a proxy has named, or the proxy itself after it has said so.
enum Introduced {
    Yes,
    No,
}

/// Hears from a proxy whom it speaks for, beside the loop, and hands the connection back to it. What does not begin with a
/// header in time is closed without a word; so is a connection for whose header there is no place.
fn await_header(
    world: &World,
    introduce: &mpsc::Sender<(TcpStream, SocketAddr)>,
    mut stream: TcpStream,
    proxy: SocketAddr,
) {
    let Ok(place) = introduce.clone().try_reserve_owned() else { return };
    let (clock, loop_over) = (world.clock.clone(), introduce.clone());
    world.workers.spawn(async move {
        tokio::select! {
            biased;
            () = loop_over.closed() => {}
            header = proxy_protocol::read(&mut stream) => if let Ok(header) = header {
                drop(place.send((stream, speaker(header, proxy))));
            },
            () = clock.sleep(limits::PROXY_HEADER_DEADLINE) => {}
        }
    });
}

/// Whose the connection is. A loopback address that another machine names is of that machine, so that it speaks for itself:
/// the rights of our own loopback are not its to give.
fn speaker(header: Header, proxy: SocketAddr) -> SocketAddr {
    match header {
        Header::For(client) if client.ip().is_loopback() && !proxy.ip().is_loopback() => proxy,
        Header::For(client) => client,
        Header::Own => proxy,
    }
}

fn admit(binding: &Binding, stream: TcpStream, peer: SocketAddr) -> Option<(TcpStream, Entry)> {
    let admitted = (binding.welcome)(peer).and_then(|limits| {
        let virtual_server = binding.virtual_server.clone();
        let arrival = Arrival { peer, virtual_server, protocol: binding.protocol, limits };
        binding.registry.admit(arrival).map_err(|refused| (binding.refusal)(refused))
    });
    match admitted {
        Ok(entry) => Some((stream, entry)),
        Err(refusal) => {
            // A new connection's buffer takes a line; if it does not, the peer is told by the close alone.
            let _ = stream.try_write(&refusal);
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

/// Tells the sessions of a virtual server to stop, and waits until all are gone. Those that are left after `grace` are
/// terminated.
pub async fn drain(world: &World, registry: &Registry, virtual_server: &str, grace: Duration) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_does_not_lend_our_loopback() {
        for (client, proxy, expected) in [
            ("192.0.2.7:1", "10.0.0.1:2", "192.0.2.7:1"),
            ("127.0.0.1:1", "10.0.0.1:2", "10.0.0.1:2"),
            ("[::1]:1", "[fd00::1]:2", "[fd00::1]:2"),
            ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:1"),
            ("192.0.2.7:1", "[::1]:2", "192.0.2.7:1"),
        ] {
            let (client, proxy) = (client.parse().unwrap(), proxy.parse().unwrap());
            assert_eq!(speaker(Header::For(client), proxy).to_string(), expected);
            assert_eq!(speaker(Header::Own, proxy), proxy);
        }
    }
}
