//! SMTP load: sessions that send one message after the other, pipelined as RFC 2920 allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use super::connection::Connection;
use super::latency::Latency;
use super::message::Messages;
use super::numbered;

/// No reply for so long is a failure.
const REPLY_MAX: Duration = Duration::from_secs(20);

/// What to send.
#[derive(Debug)]
pub struct Plan {
    /// The server.
    pub address: String,
    /// Connections.
    pub sessions: u64,
    /// Messages of all sessions together, each to one recipient.
    pub messages: u64,
    /// Octets of a message.
    pub size: usize,
    /// Recipients take turns.
    pub users: u64,
}

/// What was sent.
#[derive(Debug)]
pub struct Sent {
    /// Messages that were answered with 250.
    pub accepted: u64,
    /// When the first session began.
    pub begun: Instant,
    /// From there to the last 250.
    pub time: Duration,
    /// Of a message: from MAIL to 250.
    pub latency: Latency,
}

struct Load {
    plan: Plan,
    content: Messages,
    next: AtomicU64,
}

/// Sends it all.
///
/// # Errors
/// The first message that was not accepted ends the run.
pub async fn send(plan: Plan) -> Result<Sent> {
    let begun = Instant::now();
    let load = Arc::new(Load { content: Messages::of(plan.size), next: AtomicU64::new(0), plan });
    let sessions: Vec<_> = (0..load.plan.sessions).map(|_| tokio::spawn(session(load.clone()))).collect();
    let (mut latency, mut last) = (Latency::default(), begun);
    for session in sessions {
        let (times, ended) = session.await??;
        latency.merge(times);
        last = last.max(ended);
    }
    Ok(Sent { accepted: latency.count(), begun, time: last - begun, latency })
}

/// Latencies, and when the last 250 came.
async fn session(load: Arc<Load>) -> Result<(Latency, Instant)> {
    let mut connection = Connection::open(&load.plan.address).await?;
    greet(&mut connection).await?;
    let (mut latency, mut last) = (Latency::default(), Instant::now());
    loop {
        let number = load.next.fetch_add(1, Relaxed);
        if number >= load.plan.messages {
            connection.write(b"QUIT\r\n").await?;
            return Ok((latency, last));
        }
        let begun = Instant::now();
        tokio::time::timeout(REPLY_MAX, transaction(&load, &mut connection, number))
            .await
            .map_err(|_| anyhow!("no reply in {} s", REPLY_MAX.as_secs()))??;
        latency.add(begun.elapsed());
        last = Instant::now();
    }
}

async fn greet(connection: &mut Connection) -> Result<()> {
    connection.expect(2).await?;
    connection.write(b"EHLO bench.example\r\n").await?;
    let mut pipelining = false;
    loop {
        let line = connection.line().await?;
        pipelining |= line.get(4..).is_some_and(|keyword| keyword.starts_with(b"PIPELINING"));
        match line.get(3) {
            Some(b'-') => {}
            _ if line.starts_with(b"250") && pipelining => return Ok(()),
            _ => bail!("EHLO: {}", String::from_utf8_lossy(line).trim_end()),
        }
    }
}

async fn transaction(load: &Load, connection: &mut Connection, number: u64) -> Result<()> {
    let user = number % load.plan.users + 1;
    let (from, to) = (numbered("sender{}@bench.example", user), numbered("user{}@bench.test", user));
    let envelope = format!("MAIL FROM:<{from}>\r\nRCPT TO:<{to}>\r\nDATA\r\n");
    connection.write(envelope.as_bytes()).await?;
    let mut content = Vec::with_capacity(load.plan.size + 256);
    load.content.write(number, &from, &to, &mut content);
    content.extend_from_slice(b".\r\n");
    connection.expect(2).await?;
    connection.expect(2).await?;
    connection.expect(3).await?;
    connection.write(&content).await?;
    connection.expect(2).await
}
