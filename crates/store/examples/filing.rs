//! How fast mail is filed: messages a second, the slowest hundredth, CPU a message, by how many wait at a time.
//!
//!     cargo run --release -p waxseal-store --example filing -- [messages] [mailboxes] [directory]

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mail::{MailboxPath, QueueId, Timestamp};
use store::{AccountRef, Change, Commit, ContentRef, MailboxRef, NewContent, Options, Store};
use world::{Clock, Dice, Workers, World};

const CONTENT_OCTETS: usize = 4096;
const PREFIX_OCTETS: usize = 300;
const STORY_OCTETS: usize = 800;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let messages: u64 = arguments.next().map_or(Ok(40_000), |text| text.parse())?;
    let mailboxes: u64 = arguments.next().map_or(Ok(1_000), |text| text.parse())?;
    let dir = arguments.next().map_or_else(|| std::env::temp_dir().join("waxseal-filing"), PathBuf::from);
    let world = World::without_network(Clock::Real, Dice::Real, Workers::threads(2));
    println!(
        "{:>6} {:>10} {:>8} {:>8} {:>12} {:>12}",
        "tasks", "messages/s", "p50 ms", "p99 ms", "CPU us/msg", "octets/msg"
    );
    for tasks in [1, 8, 32, 64] {
        let _ = std::fs::remove_dir_all(&dir);
        let store = Store::open(&dir, &world, Options::default())?;
        let ids = mailboxes_made(&store, mailboxes).await?;
        let count = if tasks == 1 { messages / 10 } else { messages };
        measure(&store, &world, tasks, count, ids).await?;
        println!(" {:>12}", octets_below(&dir)? / count);
        drop(store);
    }
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

async fn mailboxes_made(store: &Store, count: u64) -> Result<Arc<[i64]>, store::Error> {
    let at = Timestamp(0);
    let mut changes = vec![Change::AddDomain { name: "example.org".into(), at }];
    for number in 0..count {
        let account = AccountRef::New(changes.len());
        let address = format!("user{number}@example.org");
        changes.push(Change::AddAccount {
            address,
            name: String::new(),
            secret: String::new(),
            scram: String::new(),
            at,
        });
        let (path, uid_validity) = (MailboxPath::inbox(), 1);
        changes.push(Change::AddMailbox { account, path, uid_validity, special_use: None, subscribed: true });
    }
    let receipt = store.commit(Commit { content: Vec::new(), changes }).await?;
    let made = receipt.results.iter().skip(2).step_by(2);
    Ok(made
        .filter_map(|applied| if let store::Applied::Made(id) = applied { Some(*id) } else { None })
        .collect())
}

async fn measure(
    store: &Store,
    world: &World,
    tasks: u64,
    count: u64,
    ids: Arc<[i64]>,
) -> Result<(), store::Error> {
    let next = Arc::new(AtomicU64::new(0));
    let (began, cpu) = (world.clock.now(), cpu_time());
    let handles: Vec<_> = (0..tasks)
        .map(|_| {
            world.workers.spawn(file_some(store.clone(), world.clone(), next.clone(), count, ids.clone()))
        })
        .collect();
    let mut times = Vec::new();
    for handle in handles {
        times.extend(handle.await.expect("no task panics")?);
    }
    let (wall, cpu) = (world.clock.now() - began, cpu_time() - cpu);
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    print!(
        "{tasks:>6} {:>10.0} {:>8.2} {:>8.2} {:>12.1}",
        count as f64 / wall.as_secs_f64(),
        at(0.5),
        at(0.99),
        cpu.as_secs_f64() * 1e6 / count as f64
    );
    Ok(())
}

async fn file_some(
    store: Store,
    world: World,
    next: Arc<AtomicU64>,
    count: u64,
    ids: Arc<[i64]>,
) -> Result<Vec<Duration>, store::Error> {
    let content = Bytes::from(vec![b'x'; CONTENT_OCTETS]);
    let prefix = Bytes::from(vec![b'p'; PREFIX_OCTETS]);
    let story = "s".repeat(STORY_OCTETS);
    let mut times = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(times);
        }
        let began = world.clock.now();
        let at = world.clock.wall();
        let mailbox = ids[(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) as usize % ids.len()];
        let (mailbox, content_ref) = (MailboxRef::Known(mailbox), ContentRef::New(0));
        let commit = Commit {
            content: vec![NewContent::Inline { label: Bytes::from_static(b"label"), bytes: content.clone() }],
            changes: vec![
                Change::File {
                    mailbox,
                    content: content_ref,
                    prefix: prefix.clone(),
                    flags: Vec::new(),
                    date: at,
                },
                Change::Explain { queue_id: QueueId(number), at, story: story.clone() },
            ],
        };
        store.commit(commit).await?;
        times.push(world.clock.now() - began);
    }
}

/// CPU time of the whole process, user and system.
fn cpu_time() -> Duration {
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(clock.tv_sec.try_into().unwrap_or(0), clock.tv_nsec.try_into().unwrap_or(0))
}

fn octets_below(dir: &std::path::Path) -> std::io::Result<u64> {
    let mut octets = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        octets +=
            if entry.file_type()?.is_dir() { octets_below(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(octets)
}
