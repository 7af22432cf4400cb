//! The real server with its handlers and its store, in a simulated world: streams in memory, a clock that jumps, work
//! inline, dice with a seed.
//!
//! The player blocks, the server is async: each call of the player lets the server's runtime run until nothing moves
//! any more. Nobody else runs it, so a play goes the same way each time.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use admin::{Request, Response};
use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;
use server::certificates;
use server::serve::Server;
use testkit::Stage;
use testkit::play::{Arrived, Patience};
use testkit::transcript::{Check, Protocol, Side};
use tokio::io::{AsyncRead as _, AsyncWrite as _, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::runtime::Runtime;
use world::World;

use super::network::Network;
use super::place::{BEGINNING, HOST_NAME, Place, Result, nobody_spawns, simulation, virtual_server};

/// Octets that are on their way in one direction.
const PIPE: usize = 64 * 1024;
/// Turns that every task gets before the server counts as quiet. One serves a request and its decision, a few more
/// whom the decision concerns; a pipe full of content takes as many as it has chunks.
const TURNS: usize = 16;
/// Virtual time after which nothing can be under way any more but what waits for a deadline: tokio's finest.
const INSTANT: Duration = Duration::from_millis(1);

/// One play's server and its clients.
pub(crate) struct MemoryStage {
    clients: BTreeMap<usize, Client>,
    server: Option<Server>,
    world: World,
    tls: Arc<ClientConfig>,
    runtime: Runtime,
    place: Place,
}

/// The client's side of a connection.
struct Client {
    /// None: it has left.
    pipe: Option<DuplexStream>,
    tls: Option<Box<ClientConnection>>,
    arrived: Vec<u8>,
    closed: bool,
    dialogue: Dialogue,
}

/// The last lines in clear text, to see where a handshake is due.
#[derive(Default)]
struct Dialogue {
    sent: Vec<u8>,
    heard: Vec<u8>,
}

impl MemoryStage {
    /// Starts a server with this data. It can reach nobody.
    pub(crate) fn new(place: Place) -> Result<Self> {
        Self::start(place, |world| world)
    }

    /// Starts a server with this data in a network.
    pub(crate) fn within(place: Place, network: &Network) -> Result<Self> {
        Self::start(place, |world| network.around(world))
    }

    fn start(place: Place, around: impl FnOnce(World) -> World) -> Result<Self> {
        let runtime = simulation()?;
        let settings = place.resolved()?;
        let (world, server) = runtime.block_on(async {
            let world = around(place.around(World::simulated(BEGINNING, 7)));
            let server = Server::start(&place.data(), settings, world.clone()).await;
            server.map(|server| (world, server)).map_err(|error| format!("{error:#}"))
        })?;
        let authority =
            std::fs::read(certificates::authority(&place.data())).map_err(|error| error.to_string())?;
        let tls = testkit::binary_stage::client_config(&authority)?;
        Ok(Self { clients: BTreeMap::new(), server: Some(server), world, tls, runtime, place })
    }

    /// What the administration tells of a message, or why it tells nothing.
    pub(crate) fn trace(&self, what: &str) -> Result<String> {
        match self.administer(Request::Trace { what: what.into() })? {
            Response::Story { told, .. } => Ok(told),
            other => Err(format!("{other:?}")),
        }
    }

    /// What the administration answers to a request.
    pub(crate) fn administer(&self, request: Request) -> Result<Response> {
        Ok(self.runtime.block_on(self.server()?.admin().execute(request)))
    }

    fn server(&self) -> Result<&Server> {
        self.server.as_ref().ok_or_else(|| "the server has ended, its disk was looked at".into())
    }

    fn client(&mut self, client: usize) -> &mut Client {
        self.clients.get_mut(&client).expect("the player opens first")
    }

    /// Lets every task do what it has to do now; what the server sends meanwhile is taken.
    fn settle(&mut self) -> Result<()> {
        let clients = &mut self.clients;
        self.runtime.block_on(async {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
                for client in clients.values_mut() {
                    client.take().await.map_err(|error| error.to_string())?;
                }
            }
            Ok(())
        })
    }

    /// The same beyond doubt, at the price of an instant of virtual time: the clock moves only when nobody has anything
    /// to do.
    fn come_to_rest(&mut self) -> Result<()> {
        let clock = self.world.clock.clone();
        self.runtime.block_on(clock.sleep(INSTANT));
        self.settle()
    }

    /// Writes all of it, while the server makes room.
    fn write(&mut self, client: usize, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let writer = self.clients.get_mut(&client).expect("the player opens first");
            let written = self.runtime.block_on(writer.write_some(rest));
            match written {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => return Err(error.to_string()),
            }
            self.settle()?;
        }
        self.settle()
    }

    /// Sends what TLS has to send, and takes what has come, as long as `on` says so.
    fn exchange(&mut self, client: usize, on: impl Fn(&ClientConnection) -> bool) -> Result<()> {
        for _ in 0..TURNS {
            let writer = self.client(client);
            let Some(tls) = &mut writer.tls else { return Err("there is no TLS".into()) };
            if !on(tls) {
                return Ok(());
            }
            let mut records = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut records).map_err(|error| error.to_string())?;
            }
            self.write(client, &records)?;
        }
        let client = self.client(client);
        if client.closed { Ok(()) } else { Err("TLS does not come to an end".into()) }
    }

    fn handshake(&mut self, client: usize) -> Result<()> {
        let name = ServerName::try_from(HOST_NAME).map_err(|error| error.to_string())?;
        let tls = ClientConnection::new(self.tls.clone(), name).map_err(|error| error.to_string())?;
        self.client(client).tls = Some(Box::new(tls));
        self.exchange(client, |tls| tls.is_handshaking() || tls.wants_write())?;
        match &self.client(client).tls {
            Some(tls) if tls.is_handshaking() => Err("the server closed instead of a handshake".into()),
            _ => Ok(()),
        }
    }
}

impl Stage for MemoryStage {
    fn open(&mut self, client: usize, protocol: Protocol, tls: bool) -> Result<()> {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let port = 40_000 + u16::try_from(client).expect("clients have one digit");
        let peer = SocketAddr::from(([127, 0, 0, 1], port));
        let connection = self.server()?.attach(&virtual_server(protocol, tls), theirs.into(), peer);
        let connection = connection.map_err(|error| format!("{error:#}"))?;
        self.runtime.block_on(async { drop(self.world.workers.spawn(connection)) });
        let opened = Client {
            pipe: Some(ours),
            tls: None,
            arrived: Vec::new(),
            closed: false,
            dialogue: Dialogue::default(),
        };
        self.clients.insert(client, opened);
        self.settle()?;
        if tls { self.handshake(client) } else { Ok(()) }
    }

    fn send(&mut self, client: usize, bytes: &[u8]) -> Result<()> {
        self.client(client).dialogue.send(bytes);
        if self.client(client).tls.is_none() {
            return self.write(client, bytes);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let tls = self.client(client).tls.as_mut().expect("looked at above");
            let count = io::Write::write(&mut tls.writer(), rest).map_err(|error| error.to_string())?;
            rest = &rest[count..];
            self.exchange(client, |tls| tls.wants_write())?;
        }
        Ok(())
    }

    fn read(&mut self, client: usize, _: Patience) -> Result<Arrived> {
        // Deadlines are far away from one another, so an instant is patience enough.
        for rest in [Self::settle, Self::come_to_rest, Self::come_to_rest] {
            let reader = self.client(client);
            if !reader.arrived.is_empty() {
                return Ok(Arrived::Bytes(std::mem::take(&mut reader.arrived)));
            }
            if reader.closed {
                return Ok(Arrived::Closed);
            }
            rest(self)?;
        }
        let reader = self.client(client);
        Ok(match (std::mem::take(&mut reader.arrived), reader.closed) {
            (bytes, _) if !bytes.is_empty() => Arrived::Bytes(bytes),
            (_, true) => Arrived::Closed,
            (_, false) => Arrived::Nothing,
        })
    }

    fn start_tls(&mut self, client: usize) -> Result<()> {
        self.handshake(client)
    }

    fn end_tls(&mut self, client: usize) -> Result<()> {
        let Some(tls) = &mut self.client(client).tls else { return Err("there is no TLS to end".into()) };
        tls.send_close_notify();
        self.exchange(client, |tls| tls.wants_write())?;
        self.client(client).tls = None;
        Ok(())
    }

    fn close(&mut self, client: usize, side: Side) -> Result<()> {
        if self.client(client).tls.is_some() && side == Side::Write {
            self.client(client).tls.as_mut().expect("looked at").send_close_notify();
            self.exchange(client, |tls| tls.wants_write())?;
        }
        let Client { pipe, .. } = self.clients.get_mut(&client).expect("the player opens first");
        match (side, pipe.as_mut()) {
            (Side::Both, _) => *pipe = None,
            (Side::Write, Some(pipe)) => {
                self.runtime.block_on(pipe.shutdown()).map_err(|error| error.to_string())?
            }
            (Side::Write, None) => {}
        }
        self.come_to_rest()
    }

    fn wait(&mut self, time: Duration) -> Result<()> {
        let clock = self.world.clock.clone();
        self.runtime.block_on(clock.sleep(time));
        self.come_to_rest()
    }

    fn stop(&mut self) -> Result<()> {
        {
            let _entered = self.runtime.enter();
            self.server()?.tell_to_stop();
        }
        self.settle()
    }

    /// The server ends first: what is looked at is what is on disk.
    fn check(&mut self, check: &Check) -> Result<()> {
        if let Some(server) = self.server.take() {
            self.clients.clear();
            self.come_to_rest()?;
            let _none = nobody_spawns();
            self.runtime.block_on(server.stop());
            // With the tasks that it left go their handles on the store.
            self.runtime = simulation()?;
        }
        self.place.check(check)
    }

    fn awaits_handshake(&self, client: usize) -> bool {
        let client = &self.clients[&client];
        client.tls.is_none() && client.dialogue.awaits_handshake()
    }
}

impl Client {
    /// Takes what has come.
    async fn take(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else {
            self.closed = true;
            return Ok(());
        };
        let mut buffer = [0; 4096];
        loop {
            let mut read = ReadBuf::new(&mut buffer);
            let progress = poll_fn(|cx| Poll::Ready(Pin::new(&mut *pipe).poll_read(cx, &mut read))).await;
            match progress {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(())) if read.filled().is_empty() => {
                    self.closed = true;
                    return Ok(());
                }
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Err(error),
            }
            match &mut self.tls {
                None => {
                    self.dialogue.hear(read.filled());
                    self.arrived.extend_from_slice(read.filled());
                }
                Some(tls) => self.closed |= decrypt(tls, read.filled(), &mut self.arrived)?,
            }
        }
    }

    /// Writes as much as there is room for.
    async fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(pipe) = &mut self.pipe else { return Err(io::ErrorKind::BrokenPipe.into()) };
        poll_fn(|cx| match Pin::new(&mut *pipe).poll_write(cx, bytes) {
            Poll::Pending => Poll::Ready(Ok(0)),
            done => done,
        })
        .await
    }
}

/// Whether the server has ended TLS.
fn decrypt(tls: &mut ClientConnection, mut records: &[u8], clear: &mut Vec<u8>) -> io::Result<bool> {
    let mut ended = false;
    while !records.is_empty() {
        tls.read_tls(&mut records)?;
        let state = tls.process_new_packets().map_err(io::Error::other)?;
        ended |= state.peer_has_closed();
        let start = clear.len();
        clear.resize(start + state.plaintext_bytes_to_read(), 0);
        io::Read::read_exact(&mut tls.reader(), &mut clear[start..])?;
    }
    Ok(ended)
}

impl Dialogue {
    fn send(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
        self.heard.clear();
        keep_last_line(&mut self.sent);
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
        keep_last_line(&mut self.heard);
    }

    /// Whether the last command asked for TLS or compression, and was answered that it may begin.
    fn awaits_handshake(&self) -> bool {
        let text = |line: &[u8]| String::from_utf8_lossy(line).to_ascii_uppercase();
        let (sent, heard) = (text(&self.sent), text(&self.heard));
        let asked = ["STARTTLS\r\n", "STLS\r\n", "COMPRESS DEFLATE\r\n"]
            .iter()
            .any(|command| sent.ends_with(command));
        asked
            && heard.ends_with("\r\n")
            && (heard.starts_with("220 ") || heard.starts_with("+OK") || heard.contains(" OK "))
    }
}

/// Forgets all lines but the last.
fn keep_last_line(lines: &mut Vec<u8>) {
    let before = lines.strip_suffix(b"\r\n").unwrap_or(lines);
    if let Some(at) = before.windows(2).rposition(|two| two == b"\r\n") {
        lines.drain(..at + 2);
    }
}
