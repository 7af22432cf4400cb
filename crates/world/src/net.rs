//! Sockets: listening and accepting.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};

/// A TCP listener. `[::]` is dual-stack whatever the system's default.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Binds and listens. Port 0 takes a free one. Call it inside a runtime.
    ///
    /// # Errors
    /// The system's: the port is taken, or not permitted.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        use socket2::{Domain, Protocol, Socket, Type};
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self(TcpListener::from_std(socket.into())?))
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
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, canonical(peer)))
    }
}

/// The peer without IPv4-mapping.
pub fn canonical(peer: SocketAddr) -> SocketAddr {
    match peer.ip() {
        IpAddr::V6(v6) => SocketAddr::new(v6.to_canonical(), peer.port()),
        IpAddr::V4(_) => peer,
    }
}

/// Connections the kernel holds for us while we are busy; Linux's own default limit.
const BACKLOG: i32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_become_ipv4() {
        assert_eq!(canonical("[::ffff:192.0.2.7]:25".parse().unwrap()).to_string(), "192.0.2.7:25");
        assert_eq!(canonical("[2001:db8::1]:25".parse().unwrap()).to_string(), "[2001:db8::1]:25");
    }
}
