//! An SMTP server that takes everything and keeps nothing: where mail is relayed to.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::connection::Connection;
use super::latency::Latency;
use super::message::{TIME_FIELD, nanoseconds};

const HELLO: &[u8] =
    b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 104857600\r\n";

/// What has arrived.
#[derive(Debug, Default, Clone)]
pub struct Received {
    /// Recipients: a relay may split or join messages.
    pub recipients: u64,
    /// When the last message was there.
    pub last: Option<Instant>,
    /// From the making of a message to its arrival.
    pub latency: Latency,
}

/// A sink that listens until it is dropped.
#[derive(Debug)]
pub struct Sink {
    received: Arc<Mutex<Received>>,
    listener: JoinHandle<()>,
}

impl Sink {
    /// Listens.
    pub async fn listen(address: &str) -> Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let received = Arc::new(Mutex::new(Received::default()));
        let seen = received.clone();
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = seen.clone();
                // A relay that ends a connection in its own way is no failure.
                tokio::spawn(async move { drop(serve(stream, &seen).await) });
            }
        });
        Ok(Self { received, listener })
    }

    /// Waits for this many recipients, at most so long.
    pub async fn wait(&self, recipients: u64, time_max: Duration) -> Result<Received> {
        let until = Instant::now() + time_max;
        loop {
            let received = self.received.lock().expect("no holder panics").clone();
            if received.recipients >= recipients {
                return Ok(received);
            }
            if Instant::now() > until {
                bail!("{} of {recipients} messages were relayed in {time_max:?}", received.recipients);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn serve(stream: TcpStream, received: &Mutex<Received>) -> Result<()> {
    let mut connection = Connection::over(stream)?;
    connection.write(b"220 sink ESMTP\r\n").await?;
    let (mut recipients, mut replies) = (0, Vec::new());
    loop {
        // Replies wait while more commands are here already.
        if memchr::memchr(b'\n', connection.unread()).is_none() {
            connection.write(&replies).await?;
            replies.clear();
        }
        let verb: [u8; 4] = std::array::from_fn(|_| b' ');
        let line = connection.line().await?;
        let verb = line.get(..4).map_or(verb, |start| [start[0], start[1], start[2], start[3]]);
        match &verb.map(|octet| octet.to_ascii_uppercase()) {
            b"EHLO" => replies.extend_from_slice(HELLO),
            b"DATA" => {
                replies.extend_from_slice(b"354 go\r\n");
                connection.write(&replies).await?;
                replies.clear();
                let made = content(&mut connection).await?;
                count(received, recipients, made);
                recipients = 0;
                replies.extend_from_slice(b"250 2.0.0 taken\r\n");
            }
            b"QUIT" => return connection.write(b"221 2.0.0 bye\r\n").await,
            verb => {
                recipients += u64::from(verb == b"RCPT");
                replies.extend_from_slice(b"250 2.0.0 ok\r\n");
            }
        }
    }
}

/// Reads up to the final dot; when the message was made, if it says so.
async fn content(connection: &mut Connection) -> Result<Option<u128>> {
    let mut made = None;
    loop {
        let line = connection.line().await?;
        if line == b".\r\n" {
            return Ok(made);
        }
        if made.is_none() && line.starts_with(TIME_FIELD.as_bytes()) {
            made =
                std::str::from_utf8(&line[TIME_FIELD.len()..]).ok().and_then(|at| at.trim_end().parse().ok());
        }
    }
}

fn count(received: &Mutex<Received>, recipients: u64, made: Option<u128>) {
    let mut received = received.lock().expect("no holder panics");
    received.recipients += recipients;
    received.last = Some(Instant::now());
    if let Some(made) = made {
        let nanoseconds = nanoseconds().saturating_sub(made);
        received.latency.add(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)));
    }
}
