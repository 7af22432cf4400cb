//! The door in use: the [`Gate`] of this process, its bans in the store, the turns behind it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use mail::{Address, Timestamp};
use settings::{Network, SignInLimits};
use store::{BanRecord, Change, Commit, Error};

use crate::Directory;
use crate::gate::{Closed, Consequence, Gate, Later};
use crate::limits::LATER_WAITS;
use crate::sign_in::Origin;
use crate::turns::{Full, Standing, Turn};

/// The door that all sign-ins share.
pub(crate) type Door = Arc<Mutex<Gate>>;

/// What the door did to itself: told to the log and the store when the reply is due.
pub(crate) type Consequences = Option<Consequence>;

impl Directory {
    /// From now on these limits hold.
    pub fn limit_sign_ins(&self, limits: SignInLimits) {
        self.gate().apply(limits);
    }

    /// Whether a sign-in may be looked at now; asked before any work is done for it, and answered by
    /// [`settle`](Self::settle). A refusal comes late: whoever asks again at once learns nothing by it.
    ///
    /// # Errors
    /// The network is banned, or too many tried this login.
    pub async fn admit(&self, origin: &Origin, login: &str) -> Result<(), Later> {
        let admitted = self.is_admitted(origin, login);
        if let Err(later) = admitted {
            self.world.clock.sleep(later.after.min(LATER_WAITS)).await;
        }
        admitted
    }

    /// Whether a sign-in may be looked at now, said at once.
    pub(crate) fn is_admitted(&self, origin: &Origin, login: &str) -> Result<(), Later> {
        if is_exempt(origin) {
            return Ok(());
        }
        let key = self.login_key(login);
        self.gate().admit(origin.peer, key, self.world.clock.now())
    }

    /// Waits before the reply to a sign-in that was admitted and that nobody looked at.
    pub(crate) async fn put_off(&self, origin: &Origin) {
        if !is_exempt(origin) {
            self.world.clock.sleep(LATER_WAITS).await;
        }
    }

    /// Tells how a sign-in went that was admitted. After a failure it returns when the reply may be sent: the wait is the
    /// same whether the account is there or not.
    pub async fn settle(&self, origin: &Origin, login: &str, success: bool) {
        let consequence = self.note(origin, login)(success);
        self.bear(origin, consequence).await;
    }

    /// What counts how a sign-in went, on whatever thread that comes to light.
    pub(crate) fn note(
        &self,
        origin: &Origin,
        login: &str,
    ) -> impl FnOnce(bool) -> Consequences + Send + 'static {
        let (door, key, clock, origin) =
            (self.door.clone(), self.login_key(login), self.world.clock.clone(), *origin);
        move |success| {
            let mut gate = door.lock().expect("nobody panics with the lock");
            match success {
                true => gate.succeed(origin.peer, clock.now()),
                false if !is_exempt(&origin) => return Some(gate.fail(origin.peer, key, clock.now())),
                false => {}
            }
            None
        }
    }

    /// Keeps a new ban, and waits as long as the reply must.
    pub(crate) async fn bear(&self, origin: &Origin, consequence: Consequences) {
        let Some(Consequence { delay, ban }) = consequence else { return };
        if let Some(until) = ban {
            let network = Network::of_customer(origin.peer);
            let time = until.saturating_duration_since(self.world.clock.now());
            tracing::warn!(%network, seconds = time.as_secs(), "banned: too many sign-ins failed");
            // That it is not kept is no reason to let anybody in: it holds in memory.
            if let Err(error) = self.keep_ban(network, time, "too many sign-ins failed").await {
                tracing::warn!(%error, "a ban could not be kept");
            }
        }
        self.world.clock.sleep(delay).await;
    }

    /// Waits until this network may hash.
    pub(crate) async fn turn(&self, origin: &Origin) -> Result<Turn, Full> {
        let is_known = is_exempt(origin) || self.gate().is_known(origin.peer, self.world.clock.now());
        let standing = if is_known { Standing::Known } else { Standing::Stranger };
        self.turns.turn(Network::of_customer(origin.peer), standing).await
    }

    /// Until when connections from this address are refused, if they are.
    pub fn banned(&self, peer: IpAddr) -> Option<Instant> {
        if peer.to_canonical().is_loopback() {
            return None;
        }
        self.gate().banned(peer, self.world.clock.now())
    }

    /// Bans a network for some time.
    ///
    /// # Errors
    /// The store's: it is banned until the next start.
    pub async fn ban(&self, network: Network, time: Duration, reason: &str) -> Result<(), Error> {
        let now = self.world.clock.now();
        self.gate().ban(network, now + time, now);
        self.keep_ban(network, time, reason).await
    }

    async fn keep_ban(&self, network: Network, time: Duration, reason: &str) -> Result<(), Error> {
        let now = self.world.clock.wall();
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let until = Timestamp(now.0.saturating_add(millis));
        let change = Change::Ban { network: network.to_string(), until, reason: reason.to_owned(), now };
        self.store.commit(Commit { content: Vec::new(), changes: vec![change] }).await?;
        Ok(())
    }

    /// Lifts a ban; whether there was one.
    ///
    /// # Errors
    /// The store's: it is banned again from the next start on.
    pub async fn pardon(&self, network: Network) -> Result<bool, Error> {
        let name = network.to_string();
        let was_banned = self.bans().await?.iter().any(|ban| ban.network == name);
        self.gate().pardon(network);
        let change = Change::Unban { network: name };
        self.store.commit(Commit { content: Vec::new(), changes: vec![change] }).await?;
        Ok(was_banned)
    }

    /// Every ban that is not over.
    ///
    /// # Errors
    /// The store's.
    pub async fn bans(&self) -> Result<Vec<BanRecord>, Error> {
        let now = self.world.clock.wall();
        let bans = self.store.bans().await?;
        Ok(bans.into_iter().filter(|ban| now < ban.until).collect())
    }

    /// Takes up the bans of before the start.
    ///
    /// # Errors
    /// The store's.
    pub async fn recall_bans(&self) -> Result<(), Error> {
        let (now, wall) = (self.world.clock.now(), self.world.clock.wall());
        for ban in self.bans().await? {
            let left = Duration::from_millis(u64::try_from(ban.until.0 - wall.0).unwrap_or(0));
            let network = ban.network.parse::<Network>();
            let network = network
                .map_err(|_| Error::Corrupt(format!("{:?} is banned, and no network", ban.network)))?;
            self.gate().ban(network, now + left, now);
        }
        Ok(())
    }

    /// One key for all spellings of a login, as far as that can be said without the store.
    fn login_key(&self, login: &str) -> u64 {
        let whole = |login: &str| Address::parse(login).ok().map(|address| address.canonical().to_string());
        let name = whole(login).or_else(|| {
            let domain = self.domains_known()?.first()?.clone();
            whole(&format!("{login}@{domain}"))
        });
        self.remembered.login_key(&name.unwrap_or_else(|| login.to_owned()))
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.door.lock().expect("nobody panics with the lock")
    }
}

/// Trusted networks and this machine are never banned, and their replies do not wait: they are who administers, and what
/// speaks for others, such as a web mail program.
fn is_exempt(origin: &Origin) -> bool {
    origin.trusted || origin.peer.to_canonical().is_loopback()
}

impl From<Full> for Later {
    fn from(Full: Full) -> Self {
        Self { why: Closed::Full, after: LATER_WAITS }
    }
}
