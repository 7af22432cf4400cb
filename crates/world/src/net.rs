//! Sockets: listening and accepting; and a pair in memory that stands for a connection in simulation.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Where connections come in: ports of the system, and those that the process was started with (systemd's socket units).
#[derive(Debug, Clone, Default)]
pub struct Sockets {
    given: Arc<Mutex<Vec<std::net::TcpListener>>>,
}

impl Sockets {
    /// With these listeners, which somebody else has bound for us.
    pub fn given(listeners: Vec<std::net::TcpListener>) -> Self {
        Self { given: Arc::new(Mutex::new(listeners)) }
    }

    /// A listener on this address: the given one, if there is one, else a new one. A given one is given out once: who
    /// closes it has closed it. Call it inside a runtime.
    ///
    /// # Errors
    /// As [`Listener::bind`].
    pub fn bind(&self, address: SocketAddr) -> io::Result<Listener> {
        self.bind_beside(address, &[])
    }

    /// The same, beside others of ours on the same port.
    ///
    /// # Errors
    /// As [`Listener::bind_beside`].
    pub fn bind_beside(&self, address: SocketAddr, others: &[&Listener]) -> io::Result<Listener> {
        match self.take(address) {
            Some(listener) => Listener::adopt(listener),
            None => Listener::bind_beside(address, others),
        }
    }

    /// The addresses of those that nobody has asked for yet.
    pub fn left(&self) -> Vec<SocketAddr> {
        let given = self.given.lock().expect("no holder panics");
        given.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    fn take(&self, address: SocketAddr) -> Option<std::net::TcpListener> {
        let mut given = self.given.lock().expect("no holder panics");
        let place =
            given.iter().position(|listener| listener.local_addr().is_ok_and(|its| its == address))?;
        Some(given.swap_remove(place))
    }
}

/// A TCP listener. `[::]` is dual-stack whatever the system's default.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Binds and listens. Port 0 takes a free one. Call it inside a runtime.
    ///
    /// # Errors
    /// The system's: the port is taken, or not permitted.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::bind_beside(address, &[])
    }

    /// The same, beside others of ours that listen on the same port of other addresses. A connection goes to the one whose
    /// address fits best: a specific one before the unspecified.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn bind_beside(address: SocketAddr, others: &[&Self]) -> io::Result<Self> {
        use socket2::{Domain, Protocol, SockRef, Socket, Type};
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_reuse_address(true)?;
        // Both sides must agree (socket(7), SO_REUSEPORT); without it, any two addresses of a port clash where one is the
        // unspecified. Who comes without it is refused as ever.
        for other in others {
            SockRef::from(&other.0).set_reuse_port(true)?;
        }
        socket.set_reuse_port(!others.is_empty())?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self(TcpListener::from_std(socket.into())?))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn adopt(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self(TcpListener::from_std(listener)?))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The next connection and its peer. `::ffff:a.b.c.d` has become IPv4: no list sees the mapped form.
    ///
    /// # Errors
    /// The system's, such as too many open files; the listener stays usable.
    ///
    /// # Cancellation
    /// Dropping the future loses no connection.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        // Fails only if the peer is gone already, which the first read says better.
        let _ = stream.set_nodelay(true);
        Ok((stream, canonical(peer)))
    }
}

/// Connects.
///
/// # Errors
/// The system's: refused, unreachable. There is no time limit: race it against the clock.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection whose own address is known before it is made.
#[derive(Debug)]
pub struct Outgoing(TcpSocket);

impl Outgoing {
    /// Takes a free port of this address. Call it inside a runtime.
    ///
    /// # Errors
    /// The system's: the address is none of ours.
    pub fn of(address: IpAddr) -> io::Result<Self> {
        let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
        socket.bind(SocketAddr::new(address, 0))?;
        Ok(Self(socket))
    }

    /// From where it is made.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = self.0.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// The peer without IPv4-mapping.
pub fn canonical(peer: SocketAddr) -> SocketAddr {
    match peer.ip() {
        IpAddr::V6(v6) => SocketAddr::new(v6.to_canonical(), peer.port()),
        IpAddr::V4(_) => peer,
    }
}

/// Both ends of a simulated connection. Each direction holds `buffer` octets that the other end has not read.
pub fn pair(buffer: usize) -> (DuplexStream, DuplexStream) {
    tokio::io::duplex(buffer)
}

/// Connections the kernel holds for us while we are busy; Linux's own default limit.
const BACKLOG: i32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_unspecified_ipv6_address_serves_ipv4_and_shows_it_unmapped() {
        let listener = Listener::bind("[::]:0".parse().unwrap()).unwrap();
        let port = listener.address().unwrap().port();
        let client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert!(stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let again = Listener::bind(listener.address().unwrap()).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn a_given_listener_is_used_for_its_address_and_once() {
        let given = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = given.local_addr().unwrap();
        let sockets = Sockets::given(vec![given]);
        assert_ne!(sockets.bind("127.0.0.1:0".parse().unwrap()).unwrap().address().unwrap(), address);
        assert_eq!(sockets.left(), [address]);
        let listener = sockets.bind(address).unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        assert_eq!(listener.accept().await.unwrap().1, client.local_addr().unwrap());
        assert_eq!(sockets.bind(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn a_specific_address_wins_over_the_unspecified_one() {
        let one = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let specific = one.address().unwrap();
        let all = SocketAddr::from(([0, 0, 0, 0], specific.port()));
        assert!(Listener::bind(all).is_err(), "who is no other of ours is refused");
        let Ok(all) = Listener::bind_beside(all, &[&one]) else {
            // Somebody else has the port of another address.
            return;
        };
        let client = connect(specific).await.unwrap();
        assert_eq!(one.accept().await.unwrap().1, client.local_addr().unwrap());
        let client = connect(SocketAddr::from(([127, 0, 0, 2], specific.port()))).await.unwrap();
        assert_eq!(all.accept().await.unwrap().1, client.local_addr().unwrap());
    }

    #[tokio::test]
    async fn a_connection_comes_from_where_it_said() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let outgoing = Outgoing::of("127.0.0.1".parse().unwrap()).unwrap();
        let from = outgoing.address().unwrap();
        let connected = outgoing.connect(listener.address().unwrap()).await.unwrap();
        let (_stream, peer) = listener.accept().await.unwrap();
        assert_eq!((peer, connected.local_addr().unwrap()), (from, from));
    }

    #[test]
    fn mapped_addresses_become_ipv4() {
        assert_eq!(canonical("[::ffff:192.0.2.7]:25".parse().unwrap()).to_string(), "192.0.2.7:25");
        assert_eq!(canonical("[2001:db8::1]:25".parse().unwrap()).to_string(), "[2001:db8::1]:25");
    }
}
