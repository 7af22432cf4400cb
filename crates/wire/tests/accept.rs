//! The accept loop on real sockets.
#![allow(clippy::unwrap_used, reason = "a test may unwrap, and so may what helps it")]

mod toy;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use toy::{Endings, Toy, ToyHandler, line_of};
use wire::accept::{Binding, serve};
use wire::registry::Limits;
use wire::{Context, Registry, Tls};
use world::net::Listener;
use world::{Clock, Dice, Workers, World};

struct Server {
    address: SocketAddr,
    registry: std::sync::Arc<Registry>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

/// Who may not come in.
const BARRED: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 66));

fn server(total_max: usize, grace: Duration) -> Server {
    serve_for(total_max, grace, false)
}

/// Where connections of this machine are a proxy's, if `proxies`.
fn serve_for(total_max: usize, grace: Duration, proxies: bool) -> Server {
    let world = World::without_network(Clock::Real, Dice::Real, Workers::threads(1));
    let registry = Registry::new(Clock::Real);
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.address().unwrap();
    let binding = Binding {
        listener: listener.into(),
        registry: registry.clone(),
        virtual_server: "default".into(),
        protocol: "toy",
        is_proxy: Box::new(move |peer| proxies && peer.ip().is_loopback()),
        welcome: Box::new(move |peer| match peer.ip() {
            BARRED => Err(Bytes::from_static(b"barred\r\n")),
            // The proxy itself is not limited.
            _ if peer.ip().is_loopback() => Ok(Limits { total_max, per_source_max: None, ..Limits::NONE }),
            _ => Ok(Limits { total_max, per_source_max: Some(1), ..Limits::NONE }),
        }),
        refusal: Box::new(|refused| Bytes::from(format!("{refused:?}\r\n"))),
    };
    let (stop, stopped) = watch::channel(false);
    let connect = |stream: TcpStream, entry| async move {
        let (_sender, news) = tokio::sync::mpsc::unbounded_channel();
        let handler = ToyHandler {
            clock: Clock::Real,
            news,
            endings: Endings::default(),
            open: Default::default(),
            held: None,
        };
        let context = Context::new(Clock::Real, Tls::Off, entry);
        wire::drive(Toy::new(Clock::Real.now()), handler, stream.into(), &context).await;
    };
    let workers = world.workers.clone();
    let task = workers.spawn(async move { serve(&world, binding, stopped, grace, connect).await });
    Server { address, registry, stop, task }
}

#[expect(clippy::disallowed_methods, reason = "the client is no part of the simulated world")]
async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

#[tokio::test]
async fn connections_are_served_until_the_limit_and_the_next_is_told() {
    let server = server(2, Duration::from_secs(5));
    let mut clients = [connect(server.address).await, connect(server.address).await];
    for client in &mut clients {
        assert_eq!(line_of(client).await, "hi");
        client.write_all(b"NOW here\r\n").await.unwrap();
        assert_eq!(line_of(client).await, "here");
    }
    let mut refused = String::new();
    connect(server.address).await.read_to_string(&mut refused).await.unwrap();
    assert_eq!(refused, "Total\r\n");
    assert_eq!(server.registry.counts().refused_total, 1);
}

#[tokio::test]
async fn stopping_closes_the_port_and_lets_what_is_under_way_end() {
    let server = server(10, Duration::from_secs(20));
    let mut client = connect(server.address).await;
    assert_eq!(line_of(&mut client).await, "hi");
    client.write_all(b"LATER 1 kept\r\n").await.unwrap();
    while server.registry.list(None)[0].received == 0 {
        Clock::Real.sleep(Duration::from_millis(5)).await;
    }
    server.stop.send(true).unwrap();
    assert_eq!(line_of(&mut client).await, "kept");
    assert_eq!(line_of(&mut client).await, "stopping");
    server.task.await.unwrap();
    let again = Listener::bind(server.address);
    assert!(again.is_ok(), "the port is free: {again:?}");
}

#[tokio::test]
async fn what_does_not_end_in_the_grace_period_is_terminated() {
    let server = server(10, Duration::from_millis(50));
    let mut client = connect(server.address).await;
    assert_eq!(line_of(&mut client).await, "hi");
    client.write_all(b"LATER 50 never\r\n").await.unwrap();
    while server.registry.list(None)[0].received == 0 {
        Clock::Real.sleep(Duration::from_millis(5)).await;
    }
    server.stop.send(true).unwrap();
    server.task.await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(server.registry.counts().live, 0);
}

/// What a connection that begins with these octets hears until the end of its first line.
async fn hears(server: &Server, octets: &[u8]) -> (TcpStream, String) {
    let mut client = connect(server.address).await;
    client.write_all(octets).await.unwrap();
    let line = line_of(&mut client).await;
    (client, line)
}

#[tokio::test]
async fn a_proxy_says_whose_connection_it_is() {
    let server = serve_for(10, Duration::from_secs(5), true);
    let (_client, line) = hears(&server, b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 25\r\n").await;
    assert_eq!(line, "hi");
    assert_eq!(server.registry.list(None)[0].peer, "192.0.2.7:40000".parse().unwrap());
    let (_, line) = hears(&server, b"PROXY TCP4 192.0.2.7 192.0.2.1 40001 25\r\n").await;
    assert_eq!(line, "Source", "the client is limited");
    let (_, line) = hears(&server, b"PROXY TCP4 192.0.2.66 192.0.2.1 40001 25\r\n").await;
    assert_eq!(line, "barred");
}

#[tokio::test]
async fn a_proxy_that_speaks_for_itself_is_not_limited() {
    let server = serve_for(10, Duration::from_secs(5), true);
    let mut clients = Vec::new();
    for octets in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let (client, line) = hears(&server, octets).await;
        assert_eq!((line.as_str(), client.local_addr().unwrap().ip().is_loopback()), ("hi", true));
        clients.push(client);
    }
    assert!(server.registry.list(None).iter().all(|row| row.peer.ip().is_loopback()));
}

#[tokio::test]
async fn a_proxy_that_says_no_header_is_not_heard() {
    let server = serve_for(10, Duration::from_secs(5), true);
    let mut client = connect(server.address).await;
    client.write_all(b"NOW somebody else\r\n").await.unwrap();
    // With what was not read the close may be a reset.
    let heard = client.read(&mut [0]).await;
    assert!(matches!(heard, Ok(0) | Err(_)), "{heard:?}");
    assert_eq!(server.registry.counts().admitted, 0);
}

#[tokio::test]
async fn a_header_from_anybody_else_is_protocol_like_all_octets() {
    let server = server(10, Duration::from_secs(5));
    let (client, line) = hears(&server, b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 25\r\n").await;
    assert_eq!(line, "hi");
    assert_eq!(server.registry.list(None)[0].peer, client.local_addr().unwrap());
}

#[tokio::test]
async fn connections_whose_header_is_awaited_end_with_the_loop() {
    let server = serve_for(10, Duration::from_secs(5), true);
    let mut client = connect(server.address).await;
    client.write_all(b"PROXY TCP4 ").await.unwrap();
    server.stop.send(true).unwrap();
    server.task.await.unwrap();
    let heard = client.read(&mut [0]).await;
    assert!(matches!(heard, Ok(0) | Err(_)), "{heard:?}");
}
