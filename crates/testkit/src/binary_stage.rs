//! Plays on a server that listens on ports, over TCP and TLS, in real time.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::play::{Arrived, Patience, Stage};
use crate::transcript::{Check, Protocol, Side};

/// A running server, and what only its owner can do. It has the fixture already.
pub trait Server {
    /// Where it listens; `tls`: with TLS from the first byte. None: not there.
    fn address(&self, protocol: Protocol, tls: bool) -> Option<SocketAddr>;
    /// The name in its certificate.
    fn name(&self) -> String;
    /// Sends SIGTERM.
    fn stop(&mut self) -> Result<(), String>;
    /// Looks whether this is true now.
    fn check(&mut self, check: &Check) -> Result<(), String>;
}

/// A server with the clients of one play.
pub struct BinaryStage<S> {
    server: S,
    tls: Arc<ClientConfig>,
    connections: BTreeMap<usize, Transport>,
}

enum Transport {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Left,
}

/// A reply takes longer than this only if something is wrong; password hashing on a busy machine takes a second.
const REPLY_TIME_MAX: Duration = Duration::from_secs(20);
/// Silence is believed after this long.
const GLANCE_TIME: Duration = Duration::from_millis(50);
/// How much is read at once.
const READ_MAX: usize = 16 * 1024;

impl<S: Server> BinaryStage<S> {
    /// Clients that trust the authority whose certificate is in `ca`, in PEM.
    pub fn new(server: S, ca: &[u8]) -> Result<Self, String> {
        Ok(Self { server, tls: client_config(ca)?, connections: BTreeMap::new() })
    }

    /// The server, while its clients are connected.
    pub fn server(&mut self) -> &mut S {
        &mut self.server
    }

    /// Gives the server back; every connection is closed.
    pub fn into_server(self) -> S {
        self.server
    }

    fn transport(&mut self, client: usize) -> &mut Transport {
        self.connections.get_mut(&client).expect("the player opens first")
    }

    fn handshake(&self, mut socket: TcpStream) -> Result<Transport, String> {
        let name = ServerName::try_from(self.server.name()).map_err(|error| error.to_string())?;
        let mut tls = ClientConnection::new(self.tls.clone(), name).map_err(|error| error.to_string())?;
        socket.set_read_timeout(Some(REPLY_TIME_MAX)).map_err(|error| error.to_string())?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).map_err(|error| format!("the handshake failed: {error}"))?;
        }
        Ok(Transport::Tls(Box::new(StreamOwned::new(tls, socket))))
    }
}

impl<S: Server> Stage for BinaryStage<S> {
    fn open(&mut self, client: usize, protocol: Protocol, tls: bool) -> Result<(), String> {
        let address = self.server.address(protocol, tls);
        let address = address.ok_or_else(|| format!("the server has no port for {}", protocol.name()))?;
        let socket = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
        socket.set_nodelay(true).map_err(|error| error.to_string())?;
        let transport = if tls { self.handshake(socket)? } else { Transport::Clear(socket) };
        self.connections.insert(client, transport);
        Ok(())
    }

    fn send(&mut self, client: usize, bytes: &[u8]) -> Result<(), String> {
        let sent = match self.transport(client) {
            Transport::Clear(socket) => socket.write_all(bytes),
            Transport::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Transport::Left => return Err("this client has left".into()),
        };
        match sent {
            Err(error) if !is_closed(&error) => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    fn read(&mut self, client: usize, patience: Patience) -> Result<Arrived, String> {
        let time = match patience {
            Patience::Reply => REPLY_TIME_MAX,
            Patience::Glance => GLANCE_TIME,
        };
        let mut buffer = vec![0; READ_MAX];
        let read = match self.transport(client) {
            Transport::Clear(socket) => {
                socket.set_read_timeout(Some(time)).and_then(|()| socket.read(&mut buffer))
            }
            Transport::Tls(stream) => {
                stream.sock.set_read_timeout(Some(time)).and_then(|()| stream.read(&mut buffer))
            }
            Transport::Left => Ok(0),
        };
        match read {
            Ok(0) => Ok(Arrived::Closed),
            Ok(length) => {
                buffer.truncate(length);
                Ok(Arrived::Bytes(buffer))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(Arrived::Nothing)
            }
            Err(error) if is_closed(&error) => Ok(Arrived::Closed),
            Err(error) => Err(error.to_string()),
        }
    }

    fn start_tls(&mut self, client: usize) -> Result<(), String> {
        let transport = match std::mem::replace(self.transport(client), Transport::Left) {
            Transport::Clear(socket) => self.handshake(socket)?,
            Transport::Tls(_) | Transport::Left => return Err("there is no clear text to end".into()),
        };
        self.connections.insert(client, transport);
        Ok(())
    }

    fn end_tls(&mut self, client: usize) -> Result<(), String> {
        let Transport::Tls(stream) = std::mem::replace(self.transport(client), Transport::Left) else {
            return Err("there is no TLS to end".into());
        };
        let (mut tls, mut socket) = stream.into_parts();
        tls.send_close_notify();
        tls.write_tls(&mut socket).map_err(|error| error.to_string())?;
        self.connections.insert(client, Transport::Clear(socket));
        Ok(())
    }

    fn close(&mut self, client: usize, side: Side) -> Result<(), String> {
        if side == Side::Both {
            *self.transport(client) = Transport::Left;
            // The server learns of it in its own time, before whatever another client does next.
            return self.wait(GLANCE_TIME);
        }
        let closed = match self.transport(client) {
            Transport::Clear(socket) => socket.shutdown(Shutdown::Write),
            Transport::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush().and_then(|()| stream.sock.shutdown(Shutdown::Write))
            }
            Transport::Left => Ok(()),
        };
        closed.map_err(|error| error.to_string())
    }

    #[expect(clippy::disallowed_methods, reason = "a client outside the server waits in real time")]
    fn wait(&mut self, time: Duration) -> Result<(), String> {
        std::thread::sleep(time);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), String> {
        self.server.stop()
    }

    fn check(&mut self, check: &Check) -> Result<(), String> {
        self.server.check(check)
    }
}

/// What a TLS client has to know to trust the authority whose certificate is in `ca`, in PEM, and no other.
pub fn client_config(ca: &[u8]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        let certificate = certificate.map_err(|error| format!("the authority's certificate: {error:?}"))?;
        roots.add(certificate).map_err(|error| format!("the authority's certificate: {error}"))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Whether an error only says that the server has closed. What it closed with is not a transcript's business.
fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::NotConnected
    )
}

#[cfg(test)]
mod tests;
