//! Connections that we make: to an address, from an address if one is chosen, within a time.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;

use crate::{Clock, net};

/// Who connects.
#[derive(Debug, Clone)]
pub enum Dialer {
    /// The system, by TCP.
    Real,
    /// A harbour in memory.
    Simulated(Harbour),
}

/// A connection to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Whom.
    pub to: SocketAddr,
    /// From which of our addresses; with none the system chooses. The port is always the system's.
    pub from: Option<IpAddr>,
    /// How long it is tried. RFC 5321 has no word on it; the system's own patience is two minutes.
    pub timeout: Duration,
}

/// A connection that was made.
#[derive(Debug)]
pub enum Connected {
    /// By TCP, without delay for small writes.
    Tcp(TcpStream),
    /// In memory.
    Memory(DuplexStream),
}

/// Why there is no connection. Each may pass.
#[derive(Debug)]
pub enum DialError {
    /// The host is there and nobody listens.
    Refused,
    /// There is no way to the host, or it said so.
    Unreachable(io::Error),
    /// No answer within the time of the call.
    TimedOut,
    /// The source address is none of ours, or of the other family: a matter for whoever wrote the settings.
    NoSource(io::Error),
    /// We have no socket to give.
    Exhausted(io::Error),
}

impl std::error::Error for DialError {}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("the connection was refused"),
            Self::Unreachable(error) => write!(f, "the host cannot be reached: {error}"),
            Self::TimedOut => f.write_str("the host did not answer in time"),
            Self::NoSource(error) => write!(f, "the source address cannot be used: {error}"),
            Self::Exhausted(error) => write!(f, "no socket is left: {error}"),
        }
    }
}

impl Dialer {
    /// Connects.
    ///
    /// # Errors
    /// See [`DialError`].
    ///
    /// # Cancellation
    /// Dropping the future gives the attempt up.
    pub async fn connect(&self, clock: &Clock, call: &Call) -> Result<Connected, DialError> {
        let attempt = async {
            match self {
                Self::Real => tcp(call).await.map(Connected::Tcp),
                Self::Simulated(harbour) => harbour.connect(clock, call).await.map(Connected::Memory),
            }
        };
        tokio::select! {
            biased;
            connected = attempt => connected,
            () = clock.sleep(call.timeout) => Err(DialError::TimedOut),
        }
    }
}

async fn tcp(call: &Call) -> Result<TcpStream, DialError> {
    let socket = match call.to {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let socket = socket.map_err(DialError::Exhausted)?;
    if let Some(from) = call.from {
        socket.bind(SocketAddr::new(from, 0)).map_err(DialError::NoSource)?;
    }
    let stream = socket.connect(call.to).await.map_err(refusal)?;
    stream.set_nodelay(true).map_err(refusal)?;
    Ok(stream)
}

fn refusal(error: io::Error) -> DialError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DialError::Refused,
        io::ErrorKind::TimedOut => DialError::TimedOut,
        // No port of the source address is free.
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable => DialError::Exhausted(error),
        _ => DialError::Unreachable(error),
    }
}

/// Simulated hosts by address. Where nobody listens, calls are refused.
#[derive(Debug, Clone, Default)]
pub struct Harbour(Arc<Mutex<Piers>>);

#[derive(Debug, Default)]
struct Piers {
    listeners: BTreeMap<SocketAddr, mpsc::UnboundedSender<Arrival>>,
    moods: BTreeMap<SocketAddr, Mood>,
}

/// How a simulated host takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// At once, if somebody listens.
    Open,
    /// It refuses them, whoever listens.
    Refused,
    /// It says nothing at all.
    Silent,
    /// It takes them after this long.
    Slow(Duration),
    /// It takes them and is gone before the first octet: reading finds the end, writing finds the pipe broken.
    Reset,
    /// There is no way to it.
    Unreachable,
}

/// Somebody who called.
#[derive(Debug)]
pub struct Arrival {
    /// Our end of the connection.
    pub stream: DuplexStream,
    /// From which address: the call's, or the unspecified one of its family; the port says nothing.
    pub from: SocketAddr,
}

/// A simulated host's listener. When it is dropped, calls are refused.
#[derive(Debug)]
pub struct Pier(mpsc::UnboundedReceiver<Arrival>);

impl Pier {
    /// The next call.
    ///
    /// # Cancellation
    /// Dropping the future loses no call.
    pub async fn accept(&mut self) -> Option<Arrival> {
        self.0.recv().await
    }
}

impl Harbour {
    /// Nobody listens anywhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens at an address, in place of whoever did.
    pub fn listen(&self, address: SocketAddr) -> Pier {
        let (arrive, arrivals) = mpsc::unbounded_channel();
        self.piers(|piers| piers.listeners.insert(address, arrive));
        Pier(arrivals)
    }

    /// Sets how an address takes calls from now on.
    pub fn set_mood(&self, address: SocketAddr, mood: Mood) {
        self.piers(|piers| piers.moods.insert(address, mood));
    }

    fn piers<T>(&self, with: impl FnOnce(&mut Piers) -> T) -> T {
        with(&mut self.0.lock().expect("no holder panics"))
    }

    async fn connect(&self, clock: &Clock, call: &Call) -> Result<DuplexStream, DialError> {
        if call.from.is_some_and(|from| from.is_ipv4() != call.to.is_ipv4()) {
            return Err(DialError::NoSource(io::ErrorKind::InvalidInput.into()));
        }
        match self.piers(|piers| piers.moods.get(&call.to).copied()).unwrap_or(Mood::Open) {
            Mood::Open => self.arrive(call),
            Mood::Refused => Err(DialError::Refused),
            Mood::Silent => std::future::pending().await,
            Mood::Slow(delay) => {
                clock.sleep(delay).await;
                self.arrive(call)
            }
            Mood::Reset => Ok(net::pair(BUFFER_OCTETS).0),
            Mood::Unreachable => Err(DialError::Unreachable(io::ErrorKind::HostUnreachable.into())),
        }
    }

    fn arrive(&self, call: &Call) -> Result<DuplexStream, DialError> {
        let (ours, stream) = net::pair(BUFFER_OCTETS);
        let unspecified = if call.to.is_ipv4() { "0.0.0.0" } else { "::" };
        let from = call.from.unwrap_or_else(|| unspecified.parse().expect("this is an address"));
        let arrival = Arrival { stream, from: SocketAddr::new(from, 0) };
        self.piers(|piers| match piers.listeners.get(&call.to) {
            Some(listener) => listener.send(arrival).map_err(|_| DialError::Refused),
            None => Err(DialError::Refused),
        })?;
        Ok(ours)
    }
}

/// What each direction of a simulated connection holds, as a small socket buffer would.
const BUFFER_OCTETS: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn call(to: &str) -> Call {
        Call { to: to.parse().unwrap(), from: None, timeout: Duration::from_secs(30) }
    }

    #[tokio::test]
    async fn the_source_address_is_the_one_chosen() {
        let listener = net::Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let to = listener.address().unwrap();
        for from in [None, Some("127.0.0.5")] {
            let from = from.map(|text| text.parse::<IpAddr>().unwrap());
            let call = Call { from, ..call(&to.to_string()) };
            let connected = Dialer::Real.connect(&Clock::Real, &call).await.unwrap();
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(peer.ip(), from.unwrap_or(to.ip()));
            let Connected::Tcp(stream) = connected else { panic!("{connected:?}") };
            assert!(stream.nodelay().unwrap());
        }
    }

    #[tokio::test]
    async fn what_the_system_says_has_a_name() {
        let listener = net::Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let to = listener.address().unwrap().to_string();
        let foreign = Call { from: Some("192.0.2.1".parse().unwrap()), ..call(&to) };
        let other_family = Call { from: Some("::1".parse().unwrap()), ..call(&to) };
        for unusable in [foreign, other_family] {
            let error = Dialer::Real.connect(&Clock::Real, &unusable).await.unwrap_err();
            assert!(matches!(error, DialError::NoSource(_)), "{error:?}");
        }
        drop(listener);
        let error = Dialer::Real.connect(&Clock::Real, &call(&to)).await.unwrap_err();
        assert!(matches!(error, DialError::Refused), "{error:?}");
    }

    #[tokio::test]
    async fn a_host_that_takes_no_connections_is_given_up_in_time() {
        // A listener whose queue is full lets the handshake wait.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = socket.listen(0).unwrap();
        let to = full.local_addr().unwrap();
        let call = Call { to, from: None, timeout: Duration::from_millis(100) };
        let mut kept = Vec::new();
        let error = loop {
            match Dialer::Real.connect(&Clock::Real, &call).await {
                Ok(connected) if kept.len() < 16 => kept.push(connected),
                Ok(_) => panic!("a queue of none took 16 connections"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, DialError::TimedOut), "{error:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn each_mood_of_a_simulated_host() {
        let clock = Clock::simulated(mail::Timestamp(0));
        let harbour = Harbour::new();
        let dialer = Dialer::Simulated(harbour.clone());
        let call = call("192.0.2.1:25");
        let _pier = harbour.listen(call.to);
        for (mood, expected, seconds) in [
            (Mood::Open, "connected", 0),
            (Mood::Refused, "the connection was refused", 0),
            (Mood::Silent, "the host did not answer in time", 30),
            (Mood::Slow(Duration::from_secs(5)), "connected", 5),
            (Mood::Slow(Duration::from_secs(31)), "the host did not answer in time", 30),
            (Mood::Unreachable, "the host cannot be reached: host unreachable", 0),
            (Mood::Reset, "connected", 0),
        ] {
            harbour.set_mood(call.to, mood);
            let began = clock.now();
            let result = dialer.connect(&clock, &call).await;
            let shown = result.map_or_else(|error| error.to_string(), |_| "connected".into());
            assert_eq!((shown.as_str(), (clock.now() - began).as_secs()), (expected, seconds), "{mood:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn both_ends_talk_until_one_is_gone() {
        let clock = Clock::simulated(mail::Timestamp(0));
        let harbour = Harbour::new();
        let dialer = Dialer::Simulated(harbour.clone());
        let call = Call { from: Some("192.0.2.9".parse().unwrap()), ..call("192.0.2.1:25") };
        assert!(matches!(dialer.connect(&clock, &call).await, Err(DialError::Refused)));
        let mut pier = harbour.listen(call.to);
        let Ok(Connected::Memory(mut ours)) = dialer.connect(&clock, &call).await else { panic!("refused") };
        let mut arrival = pier.accept().await.unwrap();
        assert_eq!(arrival.from.ip(), call.from.unwrap());
        arrival.stream.write_all(b"220").await.unwrap();
        drop(arrival);
        let mut heard = Vec::new();
        ours.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"220");
        drop(pier);
        assert!(matches!(dialer.connect(&clock, &call).await, Err(DialError::Refused)));
        harbour.set_mood(call.to, Mood::Reset);
        let Ok(Connected::Memory(mut reset)) = dialer.connect(&clock, &call).await else { panic!("refused") };
        assert_eq!(reset.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(reset.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
