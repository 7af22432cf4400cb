//! The registry of live connections: who is connected, since when, doing what; how many may be; and the way to end
//! them.
//!
//! ```text
//! admit --> Entry (one a connection; leaves on drop) --> Live (shared with handler and administrator)
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use mail::Timestamp;
use protocol::TlsFacts;
use tokio::sync::Notify;
use world::Clock;

use crate::limits::{CANDIDATES_MAX, COMPRESSING_MAX, IDLE_MIN, LEAVING_MAX, OCTET_WORTH};
use crate::rates::{Rate, Rates};

/// Names a connection of this process; counts up from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// How many connections a virtual server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub total_max: usize,
    /// From one source: an IPv4 address, or the /64 of an IPv6 address, which one host can have whole. `None` for the
    /// trusted, whom this limit does not bind.
    pub per_source_max: Option<usize>,
    /// From one network: the /24 of an IPv4 address, the /56 of an IPv6 address, which is what one customer has. `None`
    /// for the trusted.
    pub per_network_max: Option<usize>,
    /// New ones from one source, if they are counted.
    pub rate: Option<Rate>,
}

impl Limits {
    /// None.
    pub const NONE: Self =
        Self { total_max: usize::MAX, per_source_max: None, per_network_max: None, rate: None };
}

/// A connection that asks to be admitted.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Whose it is; not in the IPv4-mapped form.
    pub peer: SocketAddr,
    /// Which virtual server it came to; limits and counts are kept by this name.
    pub virtual_server: Arc<str>,
    /// What is spoken: `smtp`, `imaps`.
    pub protocol: &'static str,
    /// The limits of that virtual server for this peer, now.
    pub limits: Limits,
}

/// The virtual server of connections that we make.
pub const OUTBOUND: &str = "outbound";

impl Arrival {
    /// A connection that we make, `smtp` or `lmtp`. It is always admitted, and makes room for no other: how many there
    /// are is the queue's affair.
    pub fn outgoing(peer: SocketAddr, protocol: &'static str) -> Self {
        Self { peer, virtual_server: OUTBOUND.into(), protocol, limits: Limits::NONE }
    }
}

/// Why a connection is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The limit of all is reached, and none of those looked at was idle without having signed in.
    Total,
    /// The limit of this source is reached.
    Source,
    /// The limit of its network is reached.
    Network,
    /// This source came too often.
    Rate,
}

/// One connection as an administrator sees it. Control characters, which a peer may have put into its name, are
/// replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// To terminate it by.
    pub id: ConnectionId,
    /// The peer.
    pub peer: SocketAddr,
    /// The virtual server.
    pub virtual_server: Arc<str>,
    /// What is spoken.
    pub protocol: &'static str,
    /// When it began.
    pub since: Timestamp,
    /// The TLS layer, if any.
    pub tls: Option<TlsFacts>,
    /// Who signed in, if anyone.
    pub user: Option<String>,
    /// What it is doing, in the handler's words.
    pub state: String,
    /// Octets from the peer, inside TLS.
    pub received: u64,
    /// Octets to the peer, inside TLS.
    pub sent: u64,
    /// Messages taken or given, as the handler counts them.
    pub messages: u64,
}

/// Numbers since the process began, but for `live`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections now.
    pub live: u64,
    /// Admitted.
    pub admitted: u64,
    /// Refused by the limit of all.
    pub refused_total: u64,
    /// Refused by the limit of a source.
    pub refused_source: u64,
    /// Refused by the limit of a network.
    pub refused_network: u64,
    /// Refused because their source came too often.
    pub refused_rate: u64,
    /// Told to make room.
    pub made_room: u64,
    /// Ended by a panic in their own task.
    pub panics: u64,
    /// Connections that compress, now.
    pub compressing: u64,
}

/// All live connections of the process.
#[derive(Debug)]
pub struct Registry {
    clock: Clock,
    began: Instant,
    panics: AtomicU64,
    compressing: Arc<AtomicU64>,
    emptied: Notify,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last_id: u64,
    counts: Counts,
    groups: BTreeMap<Arc<str>, Group>,
    /// How often sources came, by virtual server; of those alone that limit it.
    rates: BTreeMap<Arc<str>, Rates>,
}

/// The connections of one virtual server.
#[derive(Debug, Default)]
struct Group {
    live: BTreeMap<ConnectionId, Arc<Live>>,
    sources: Counted,
    networks: Counted,
    /// How many of `live` were told to make room.
    leaving: usize,
    /// Where the last search for one that makes room ended.
    searched: u64,
}

impl Registry {
    /// An empty one.
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            began: clock.now(),
            clock,
            panics: AtomicU64::default(),
            compressing: Arc::default(),
            emptied: Notify::new(),
            inner: Mutex::default(),
        })
    }

    /// Takes a connection in, or says which limit it meets. At the limit of all, the connection that has been silent, or as
    /// good as silent, longest without having signed in is told to stop (its session says so and closes) and no longer counts.
    ///
    /// # Errors
    /// The limit.
    pub fn admit(self: &Arc<Self>, arrival: Arrival) -> Result<Entry, Refused> {
        let now = self.millis(self.clock.now());
        let since = self.clock.wall();
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.check_rate(&arrival, now).inspect_err(|refused| inner.counts.refused(*refused))?;
        let group = inner.groups.entry(arrival.virtual_server.clone()).or_default();
        let leaver = group.room_for(&arrival, now).inspect_err(|refused| inner.counts.refused(*refused))?;
        if let Some(leaver) = leaver {
            inner.counts.made_room += 1;
            leaver.order(Order::Stop);
        }
        inner.last_id += 1;
        inner.counts.admitted += 1;
        let live = Arc::new(Live::new(ConnectionId(inner.last_id), &arrival, (since, now), self));
        group.live.insert(live.id, live.clone());
        group.remember(arrival.peer);
        drop(guard);
        Ok(Entry { registry: self.clone(), live })
    }

    /// All connections, in the order of their coming; of one virtual server, if one is named.
    pub fn list(&self, virtual_server: Option<&str>) -> Vec<Row> {
        let mut rows: Vec<Row> = self.chosen(virtual_server).iter().map(|live| live.row()).collect();
        rows.sort_by_key(|row| row.id);
        rows
    }

    /// Ends one connection without a word. False if it is gone already.
    pub fn terminate(&self, id: ConnectionId) -> bool {
        self.order_one(id, Order::Terminate)
    }

    /// Tells the session of one connection that the server stops. False if it is gone already.
    pub fn stop(&self, id: ConnectionId) -> bool {
        self.order_one(id, Order::Stop)
    }

    /// Ends all, or all of one virtual server, without a word; says how many.
    pub fn terminate_all(&self, virtual_server: Option<&str>) -> usize {
        self.order_all(virtual_server, Order::Terminate)
    }

    /// Tells all sessions, or all of one virtual server, that the server stops: what is under way ends, nothing new
    /// begins. Says how many.
    pub fn stop_all(&self, virtual_server: Option<&str>) -> usize {
        self.order_all(virtual_server, Order::Stop)
    }

    /// Ready when this virtual server has no connection. Cancellation-safe.
    pub async fn emptied(&self, virtual_server: &str) {
        loop {
            let mut emptied = std::pin::pin!(self.emptied.notified());
            emptied.as_mut().enable();
            if self.lock().groups.get(virtual_server).is_none_or(|group| group.live.is_empty()) {
                return;
            }
            emptied.await;
        }
    }

    /// The numbers of this process.
    pub fn counts(&self) -> Counts {
        let inner = self.lock();
        let live = inner.groups.values().map(|group| group.live.len() as u64).sum();
        Counts {
            live,
            panics: self.panics.load(Relaxed),
            compressing: self.compressing.load(Relaxed),
            ..inner.counts
        }
    }

    /// Counts a connection as that of another client, within the limits for it.
    fn reckon(&self, live: &Live, client: SocketAddr, limits: Limits) -> Result<(), Refused> {
        let now = self.millis(self.clock.now());
        let mut guard = self.lock();
        let inner = &mut *guard;
        let virtual_server = live.virtual_server.clone();
        // It is there already, so that the limit of all does not concern it.
        let limits = Limits { total_max: usize::MAX, ..limits };
        let arrival = Arrival { peer: client, virtual_server, protocol: live.protocol, limits };
        inner.check_rate(&arrival, now).inspect_err(|refused| inner.counts.refused(*refused))?;
        let Some(group) = inner.groups.get_mut(&live.virtual_server) else { return Ok(()) };
        group.forget(live.client());
        let room = group.room_for(&arrival, now);
        if room.is_ok() {
            live.told().client = Some(client);
        }
        group.remember(live.client());
        room.map(drop).inspect_err(|refused| inner.counts.refused(*refused))
    }

    pub(crate) fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    fn order_one(&self, id: ConnectionId, order: Order) -> bool {
        let found = self.lock().groups.values().find_map(|group| group.live.get(&id).cloned());
        found.inspect(|live| live.order(order)).is_some()
    }

    fn order_all(&self, virtual_server: Option<&str>, order: Order) -> usize {
        let chosen = self.chosen(virtual_server);
        chosen.iter().for_each(|live| live.order(order));
        chosen.len()
    }

    fn chosen(&self, virtual_server: Option<&str>) -> Vec<Arc<Live>> {
        let inner = self.lock();
        let groups =
            inner.groups.iter().filter(|(name, _)| virtual_server.is_none_or(|wanted| wanted == &***name));
        groups.flat_map(|(_, group)| group.live.values().cloned()).collect()
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove(&self, live: &Live) {
        let mut inner = self.lock();
        let Some(group) = inner.groups.get_mut(&live.virtual_server) else { return };
        group.remove(live);
        if group.live.is_empty() {
            inner.groups.remove(&live.virtual_server);
            drop(inner);
            self.emptied.notify_waiters();
        }
    }
}

impl Counts {
    fn refused(&mut self, refused: Refused) {
        *match refused {
            Refused::Total => &mut self.refused_total,
            Refused::Source => &mut self.refused_source,
            Refused::Network => &mut self.refused_network,
            Refused::Rate => &mut self.refused_rate,
        } += 1;
    }
}

impl Inner {
    fn check_rate(&mut self, arrival: &Arrival, now: u64) -> Result<(), Refused> {
        let Some(rate) = arrival.limits.rate else { return Ok(()) };
        let rates = self.rates.entry(arrival.virtual_server.clone()).or_default();
        let taken = rates.take(source(arrival.peer), rate, Duration::from_millis(now));
        if taken { Ok(()) } else { Err(Refused::Rate) }
    }
}

impl Group {
    /// Whether the arrival may come in, and who leaves for it.
    fn room_for(&mut self, arrival: &Arrival, now: u64) -> Result<Option<Arc<Live>>, Refused> {
        let Limits { per_source_max, per_network_max, .. } = arrival.limits;
        if per_source_max.is_some_and(|most| self.sources.of(source(arrival.peer)) >= most) {
            return Err(Refused::Source);
        }
        if per_network_max.is_some_and(|most| self.networks.of(network(arrival.peer)) >= most) {
            return Err(Refused::Network);
        }
        if self.live.len() - self.leaving < arrival.limits.total_max {
            return Ok(None);
        }
        if self.leaving >= LEAVING_MAX {
            return Err(Refused::Total);
        }
        let leaver = self.longest_idle(now).ok_or(Refused::Total)?;
        leaver.leaving.store(true, Relaxed);
        self.leaving += 1;
        Ok(Some(leaver))
    }

    /// Among the next [`CANDIDATES_MAX`] connections in the order of their coming, round and round.
    fn longest_idle(&mut self, now: u64) -> Option<Arc<Live>> {
        let from = ConnectionId(self.searched);
        let after = self.live.range((Bound::Excluded(from), Bound::Unbounded));
        let candidates = after.chain(self.live.range(..=from)).take(CANDIDATES_MAX);
        let mut longest: Option<&Arc<Live>> = None;
        for (id, live) in candidates {
            self.searched = id.0;
            let active = live.active.load(Relaxed);
            if live.may_make_room(now) && longest.is_none_or(|other| active < other.active.load(Relaxed)) {
                longest = Some(live);
            }
        }
        longest.cloned()
    }

    fn remove(&mut self, live: &Live) {
        self.live.remove(&live.id);
        self.leaving -= usize::from(live.leaving.load(Relaxed));
        self.forget(live.client());
    }

    fn remember(&mut self, client: SocketAddr) {
        self.sources.add(source(client));
        self.networks.add(network(client));
    }

    fn forget(&mut self, client: SocketAddr) {
        self.sources.subtract(source(client));
        self.networks.subtract(network(client));
    }
}

/// How many connections there are, by what they are counted by.
#[derive(Debug, Default)]
struct Counted(BTreeMap<IpAddr, usize>);

impl Counted {
    fn of(&self, key: IpAddr) -> usize {
        self.0.get(&key).copied().unwrap_or_default()
    }

    fn add(&mut self, key: IpAddr) {
        *self.0.entry(key).or_default() += 1;
    }

    fn subtract(&mut self, key: IpAddr) {
        if let Some(count) = self.0.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&key);
            }
        }
    }
}

/// What the limit for a source counts by.
fn source(peer: SocketAddr) -> IpAddr {
    match peer.ip() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// What the limit for a network counts by.
fn network(peer: SocketAddr) -> IpAddr {
    match peer.ip() {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8)).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 72)).into(),
    }
}

/// A connection's place in the registry; gives it up when dropped.
#[derive(Debug)]
pub struct Entry {
    registry: Arc<Registry>,
    live: Arc<Live>,
}

impl Entry {
    /// What the handler says about its connection goes here.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(crate) fn received(&self, now: Instant, octets: usize) {
        self.live.received.fetch_add(octets as u64, Relaxed);
        let worth = u64::try_from(OCTET_WORTH.as_millis()).unwrap_or(u64::MAX).saturating_mul(octets as u64);
        let active = self.live.active.load(Relaxed).saturating_add(worth);
        self.live.active.store(active.min(self.registry.millis(now)), Relaxed);
    }

    /// So many octets were sent by now: there was something to say, to a peer that takes it.
    pub(crate) fn sent(&self, now: Instant, octets_in_all: u64) {
        self.live.sent.store(octets_in_all, Relaxed);
        self.live.active.store(self.registry.millis(now), Relaxed);
    }

    /// The peer did its part of a TLS handshake.
    pub(crate) fn secured(&self, now: Instant, facts: &TlsFacts) {
        self.live.told().tls = Some(facts.clone());
        self.live.active.store(self.registry.millis(now), Relaxed);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.live.release_compression();
        self.registry.remove(&self.live);
    }
}

/// What a connection has been told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Order {
    GoOn,
    Stop,
    Terminate,
}

/// A live connection: what is known of it, and the way to end it.
#[derive(Debug)]
pub struct Live {
    /// Where it is counted.
    registry: Weak<Registry>,
    id: ConnectionId,
    peer: SocketAddr,
    virtual_server: Arc<str>,
    protocol: &'static str,
    since: Timestamp,
    /// When the dialogue last went on, in milliseconds since the registry began: the peer took something or was secured, or,
    /// as far as its octets are worth it ([`OCTET_WORTH`]), sent something.
    active: AtomicU64,
    /// A question is open.
    busy: AtomicBool,
    signed_in: AtomicBool,
    /// Told to make room.
    leaving: AtomicBool,
    /// Has a place among those that compress.
    compresses: AtomicBool,
    /// How many have one, in the whole registry.
    all_compressing: Arc<AtomicU64>,
    received: AtomicU64,
    sent: AtomicU64,
    messages: AtomicU64,
    order: AtomicU8,
    waker: Mutex<Option<Waker>>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// For whom the peer speaks, if not for itself.
    client: Option<SocketAddr>,
    tls: Option<TlsFacts>,
    user: Option<String>,
    state: Cow<'static, str>,
}

impl Live {
    fn new(
        id: ConnectionId,
        arrival: &Arrival,
        (since, now): (Timestamp, u64),
        registry: &Arc<Registry>,
    ) -> Self {
        Self {
            id,
            peer: arrival.peer,
            virtual_server: arrival.virtual_server.clone(),
            protocol: arrival.protocol,
            since,
            active: AtomicU64::new(now),
            busy: AtomicBool::default(),
            signed_in: AtomicBool::default(),
            leaving: AtomicBool::default(),
            compresses: AtomicBool::default(),
            all_compressing: registry.compressing.clone(),
            registry: Arc::downgrade(registry),
            received: AtomicU64::default(),
            sent: AtomicU64::default(),
            messages: AtomicU64::default(),
            order: AtomicU8::new(Order::GoOn as u8),
            waker: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Which connection this is.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The peer's address, not IPv4-mapped.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// When it began.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// The client that it counts as: its peer, or whom that speaks for.
    pub fn client(&self) -> SocketAddr {
        self.told().client.unwrap_or(self.peer)
    }

    /// From now on the peer speaks for this client: the connection is counted and shown as the client's.
    ///
    /// # Errors
    /// The limit that the client meets; then all is as before.
    pub fn speaks_for(&self, client: SocketAddr, limits: Limits) -> Result<(), Refused> {
        self.registry.upgrade().map_or(Ok(()), |registry| registry.reckon(self, client, limits))
    }

    /// The virtual server that it came to.
    pub fn virtual_server(&self) -> &Arc<str> {
        &self.virtual_server
    }

    /// Somebody signed in. From now on the connection makes no room for others.
    pub fn signed_in(&self, user: impl Into<String>) {
        self.told().user = Some(user.into());
        self.signed_in.store(true, Relaxed);
    }

    /// What the connection is doing now.
    pub fn doing(&self, state: impl Into<Cow<'static, str>>) {
        self.told().state = state.into();
    }

    /// One more message was taken or given.
    pub fn count_message(&self) {
        self.messages.fetch_add(1, Relaxed);
    }

    /// Takes a place among the connections that compress, to be had before [`Upgrade::Deflate`](protocol::Upgrade)
    /// and kept until the connection ends. False: there are [`COMPRESSING_MAX`] already, and this one goes on as it is.
    pub fn reserve_compression(&self) -> bool {
        if self.compresses.swap(true, Relaxed) {
            return true;
        }
        let grown = |count| (count < COMPRESSING_MAX as u64).then_some(count + 1);
        let reserved = self.all_compressing.fetch_update(Relaxed, Relaxed, grown).is_ok();
        self.compresses.store(reserved, Relaxed);
        reserved
    }

    fn release_compression(&self) {
        if self.compresses.swap(false, Relaxed) {
            self.all_compressing.fetch_sub(1, Relaxed);
        }
    }

    /// What an administrator is shown.
    pub fn row(&self) -> Row {
        let told = self.told();
        Row {
            id: self.id,
            peer: told.client.unwrap_or(self.peer),
            virtual_server: self.virtual_server.clone(),
            protocol: self.protocol,
            since: self.since,
            tls: told.tls.clone(),
            user: told.user.as_deref().map(printable),
            state: printable(&told.state),
            received: self.received.load(Relaxed),
            sent: self.sent.load(Relaxed),
            messages: self.messages.load(Relaxed),
        }
    }

    pub(crate) fn busy(&self, busy: bool) {
        self.busy.store(busy, Relaxed);
    }

    /// The task of `cx` is woken when an order comes.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
    }

    /// The order in force. Ask after [`watch`](Self::watch).
    pub(crate) fn ordered(&self) -> Order {
        match self.order.load(SeqCst) {
            0 => Order::GoOn,
            1 => Order::Stop,
            _ => Order::Terminate,
        }
    }

    /// Whether the connection is to end: what takes long and can be left out is better left out.
    pub fn is_told_to_stop(&self) -> bool {
        self.ordered() != Order::GoOn
    }

    fn order(&self, order: Order) {
        self.order.fetch_max(order as u8, SeqCst);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn may_make_room(&self, now: u64) -> bool {
        let silent = now.saturating_sub(self.active.load(Relaxed));
        let held = [&self.busy, &self.signed_in, &self.leaving].iter().any(|held| held.load(Relaxed));
        !held && u128::from(silent) >= IDLE_MIN.as_millis()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_octet_a_second_keeps_no_place() {
        let clock = Clock::simulated(Timestamp(0));
        let registry = Registry::new(clock.clone());
        let limits = Limits { total_max: 2, ..Limits::NONE };
        let admit = || {
            let arrival = Arrival {
                peer: "192.0.2.1:1".parse().expect("an address"),
                virtual_server: "default".into(),
                protocol: "smtp",
                limits,
            };
            registry.admit(arrival)
        };
        let (slow, quick) = (admit().expect("room"), admit().expect("room"));
        for _ in 0..10 {
            clock.sleep(Duration::from_secs(1)).await;
            slow.received(clock.now(), 1);
            quick.received(clock.now(), 100);
        }
        let _next = admit().expect("the slow one makes room");
        assert!(slow.live.is_told_to_stop() && !quick.live.is_told_to_stop());
        assert_eq!(admit().unwrap_err(), Refused::Total, "the others go on");

        // Who is answered is in a dialogue, however little it says.
        clock.sleep(Duration::from_secs(10)).await;
        quick.received(clock.now(), 6);
        quick.sent(clock.now(), 8);
        let _last = admit().expect("the silent one makes room");
        assert!(!quick.live.is_told_to_stop());
    }
}
