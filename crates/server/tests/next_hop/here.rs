//! The whole server in a simulated world, with one next hop in it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use server::serve::{Server, open_store};
use testkit::peer::Peer;
use testkit::transcript::{Check, Fixture};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::Runtime;
use world::dialer::Harbour;
use world::resolver::{Simulated, Zone};
use world::{Dialer, Resolver, World};

use crate::stage::place::{BEGINNING, Place, nobody_spawns, simulation};

/// Who sends, and is told what became of it.
pub(crate) const SENDER: &str = "ann@here.example";

/// A next hop is tried again after a minute, and a message given up after an hour.
const SETTINGS: &str = r#"
host-name = "mx.here.example"

[[virtual-server]]
name = "internet"
protocol = "smtp"
bind = "127.0.0.1:0"
relay = { allow = ["127.0.0.0/8"] }

[delivery]
retry = ["1 min", "then every 5 min"]
expiration = "1 h"
delay-notification = "never"
allow-private-exchangers = "on"
"#;

/// A data directory to be copied: an account for [`SENDER`].
pub(crate) fn place() -> Place {
    let accounts = vec![(SENDER.to_owned(), "secret".to_owned())];
    Place::new(&Fixture { accounts, ..Fixture::default() }).unwrap()
}

/// What became of everything.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Transactions in which a peer took a message.
    pub(crate) taken: usize,
    /// Reports in the sender's INBOX.
    pub(crate) reports: usize,
    /// Messages still in the queue.
    pub(crate) waiting: u64,
}

/// Submits this content to each of these lists of recipients, lets the time pass, and says what became of it. The peers
/// are the exchangers of there.example, in order of preference.
pub(crate) fn play(
    place: &Place,
    peers: &[&Peer],
    more: &str,
    letters: &[&[&str]],
    content: &[u8],
    time: Duration,
) -> Ledger {
    let place = place.copy().unwrap();
    let runtime = simulation().unwrap();
    let world = runtime.block_on(async { outside(peers) });
    serve(&runtime, &place, &world, more, async |server| {
        for recipients in letters {
            submit(server, &world, recipients, content).await;
        }
        world.clock.sleep(time).await;
    });
    let waiting = waiting(&place);
    let taken = peers.iter().map(|peer| peer.taken().len()).sum();
    Ledger { taken, reports: reports(&place), waiting }
}

/// A world in which mail for there.example goes to these peers. Each is at home on the port of LMTP, too.
fn outside(peers: &[&Peer]) -> World {
    let mut world = World::simulated(BEGINNING, 7);
    let (mut zone, harbour) = (Zone::new(), Harbour::new());
    for (number, peer) in (1_u8..).zip(peers) {
        let address = IpAddr::from([192, 0, 2, number]);
        // The first is called mx.
        let name = format!("mx{}.there.example", "x".repeat(usize::from(number) - 1));
        zone = zone.mx("there.example", 10 * u16::from(number), &name).address(&name, address);
        for port in [24, 25] {
            peer.dock(&world.clock, &harbour, SocketAddr::new(address, port));
        }
    }
    world.dialer = Dialer::Simulated(harbour);
    world.resolver = Resolver::Simulated(Simulated::new(world.clock.clone(), zone));
    world
}

fn serve(runtime: &Runtime, place: &Place, world: &World, more: &str, work: impl AsyncFnOnce(&Server)) {
    let settings =
        settings::resolve(&format!("{SETTINGS}{more}")).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let server = runtime.block_on(async {
        let server = Server::start(&place.data(), settings, world.clone()).await.unwrap();
        work(&server).await;
        server
    });
    let _none = nobody_spawns();
    runtime.block_on(server.stop());
}

/// One message, over a connection of its own.
async fn submit(server: &Server, world: &World, recipients: &[&str], content: &[u8]) {
    let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
    let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
    drop(world.workers.spawn(server.attach("internet", theirs.into(), peer).unwrap()));
    read(&mut ours).await;
    let recipients = recipients.iter().map(|to| format!("RCPT TO:<{to}>"));
    let begin = ["EHLO client.example".to_owned(), format!("MAIL FROM:<{SENDER}>")];
    for command in begin.into_iter().chain(recipients).chain(["DATA".into()]) {
        ours.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        let reply = read(&mut ours).await;
        assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
    }
    let stuffed = String::from_utf8(content.to_vec()).unwrap().replace("\r\n.", "\r\n..");
    ours.write_all(format!("{stuffed}.\r\n").as_bytes()).await.unwrap();
    let reply = read(&mut ours).await;
    assert!(reply.starts_with("250 "), "{reply}");
}

/// A whole reply.
async fn read(stream: &mut DuplexStream) -> String {
    let mut reply = Vec::new();
    loop {
        reply.push(stream.read_u8().await.unwrap());
        let last = reply.rsplit(|&byte| byte == b'\n').find(|line| !line.is_empty()).unwrap_or_default();
        if reply.ends_with(b"\r\n") && last.get(3) == Some(&b' ') {
            return String::from_utf8(reply).unwrap();
        }
    }
}

fn waiting(place: &Place) -> u64 {
    let runtime = simulation().unwrap();
    runtime.block_on(async {
        let world = World::simulated(BEGINNING, 1);
        let store = open_store(&place.data(), &world).unwrap();
        let length = store.queue_length().await.unwrap();
        let _none = nobody_spawns();
        drop(store);
        length
    })
}

fn reports(place: &Place) -> usize {
    (0..10)
        .find(|&count| place.check(&Check::Mail(SENDER.into(), count)).is_ok())
        .expect("there are few reports")
}
