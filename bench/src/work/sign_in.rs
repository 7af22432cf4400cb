//! How long a sign-in takes while others guess at passwords: over 200 kept connections, as fast as one processor sends, from
//! one /24 and from 500 networks. Each sign-in is one that the server does not remember, so that it costs a hash.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::load::connection::Connection;
use crate::load::latency::Latency;
use crate::server::waxseal::{self, PROXIED};
use crate::server::{PASSWORD, Places, Task, USERS};

/// Connections of those who guess.
const CONNECTIONS: u64 = 200;
/// How long they guess before the first sign-in is measured.
const BEFORE: Duration = Duration::from_secs(2);
/// Fresh servers for each kind of flood: a password is remembered for minutes.
const ROUNDS: u32 = 3;

/// Where those who guess come from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Flood {
    None,
    OneNetwork,
    Networks(u64),
}

impl Flood {
    fn name(self) -> String {
        match self {
            Self::None => "nobody guesses".into(),
            Self::OneNetwork => "guesses from one /24".into(),
            Self::Networks(count) => format!("guesses from {count} networks"),
        }
    }

    /// The address of the n-th connection.
    fn source(self, number: u64) -> String {
        match self {
            Self::None | Self::OneNetwork => format!("203.0.113.{}", number % 254 + 1),
            Self::Networks(count) => {
                let network = number % count;
                format!("10.{}.{}.1", network / 256, network % 256)
            }
        }
    }
}

/// Measures and prints.
pub async fn measure(places: &Places) -> Result<()> {
    let mut alone = None;
    println!("sign-ins of another network, milliseconds:");
    for flood in [Flood::None, Flood::OneNetwork, Flood::Networks(500)] {
        let (mut latency, mut guesses) = (Latency::default(), 0);
        for _ in 0..ROUNDS {
            let server = waxseal::start(places, Task::File).await?;
            guesses += during(flood, &mut latency).await?;
            drop(server);
        }
        let quantile = |share| latency.quantile(share).context("nobody signed in");
        let (half, most) = (quantile(0.5)?, quantile(0.99)?);
        let alone = *alone.get_or_insert(most);
        println!(
            "  {:28} p50 {half:7.1}  p99 {most:7.1}  ({:.2} times)  {} sign-ins, {guesses} guesses answered",
            flood.name(),
            most / alone,
            latency.count(),
        );
    }
    Ok(())
}

/// Every account signs in once while the flood lasts.
async fn during(flood: Flood, latency: &mut Latency) -> Result<u64> {
    // From now on its network is one from which somebody signed in.
    sign_in(1).await?;
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let driver = (flood != Flood::None).then(|| {
        let (stop, answered) = (stop.clone(), answered.clone());
        std::thread::spawn(move || drive(flood, &stop, &answered))
    });
    tokio::time::sleep(BEFORE).await;
    for user in 2..=USERS {
        latency.add(sign_in(user).await?);
    }
    stop.store(true, Ordering::Relaxed);
    if let Some(driver) = driver {
        driver.join().map_err(|_| anyhow::anyhow!("the driver ended early"))??;
    }
    Ok(answered.load(Ordering::Relaxed))
}

/// From PASS to its answer.
async fn sign_in(user: u64) -> Result<Duration> {
    let mut client = connect("198.51.100.7").await?;
    client.write(format!("USER user{user}@bench.test\r\n").as_bytes()).await?;
    client.line().await?;
    let begun = Instant::now();
    client.write(format!("PASS {PASSWORD}\r\n").as_bytes()).await?;
    let reply = String::from_utf8_lossy(client.line().await?).into_owned();
    let took = begun.elapsed();
    ensure!(reply.starts_with("+OK"), "user{user}: {reply}");
    client.write(b"QUIT\r\n").await?;
    Ok(took)
}

async fn connect(source: &str) -> Result<Connection> {
    let mut client = Connection::open(PROXIED).await?;
    client.write(format!("PROXY TCP4 {source} 192.0.2.1 40000 110\r\n").as_bytes()).await?;
    client.line().await?;
    Ok(client)
}

/// Those who guess, on one processor.
fn drive(flood: Flood, stop: &Arc<AtomicBool>, answered: &Arc<AtomicU64>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let next = Arc::new(AtomicU64::new(0));
        for _ in 0..CONNECTIONS {
            let (next, answered) = (next.clone(), answered.clone());
            tokio::spawn(async move {
                loop {
                    // Closed, or refused: the next address tries.
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let _ = guess(&flood.source(number), number, &answered).await;
                    tokio::task::yield_now().await;
                }
            });
        }
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    Ok(())
}

/// One connection, for as long as the server keeps it.
async fn guess(source: &str, connection: u64, answered: &AtomicU64) -> Result<()> {
    let mut client = connect(source).await?;
    for number in 0.. {
        let user = (connection + number) % USERS + 1;
        let guess = format!("USER user{user}@bench.test\r\nPASS wrong-{connection}-{number}\r\n");
        client.write(guess.as_bytes()).await?;
        client.line().await?;
        client.line().await?;
        answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
