//! Who may sign in: a password against its verifier, and what is remembered of that.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use mail::{Address, Host, LocalPart};
use store::Error;
use store::read::AccountRecord;
use subtle::ConstantTimeEq;
use world::Dice;

use crate::Directory;
use crate::directory::parsed;
use crate::limits::{PASSWORD_REMEMBERED, REMEMBERED_MAX, SIGN_IN_QUEUES};
use crate::passwords::{self, Password};

/// What a client presented to prove who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whose password it is: an address, or a local part of the oldest domain. Without case.
    pub login: String,
    /// Whom it wants to act as; empty means the same as `login`.
    pub authorization: String,
    /// The password.
    pub password: Password,
}

/// How a sign-in went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// It is this account.
    Accepted(Principal),
    /// Wrong password, unknown account, or not allowed to act as another; these cannot be told apart, nor by their time.
    Refused,
    /// The store could not be asked, for this reason (not for the peer).
    Unavailable(Error),
}

/// Who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account's number.
    pub account: i64,
    /// Its canonical address.
    pub address: Address,
}

impl Directory {
    /// Verifies credentials. One verification takes tens of milliseconds in the slow workers; a password that was verified
    /// minutes ago takes microseconds.
    pub async fn sign_in(&self, credentials: Credentials) -> SignIn {
        match self.verify(credentials).await {
            Ok(Some(principal)) => SignIn::Accepted(principal),
            Ok(None) => SignIn::Refused,
            Err(error) => SignIn::Unavailable(error),
        }
    }

    async fn verify(&self, credentials: Credentials) -> Result<Option<Principal>, Error> {
        let Credentials { login, authorization, password } = credentials;
        let login = self.login(&login).await?;
        let acts_as = match authorization.as_str() {
            "" => login.clone(),
            other => self.login(other).await?,
        };
        let principal = match &login {
            Some(login) => self.verify_password(login, password).await?,
            None => self.verify_nobody(password).await,
        };
        // RFC 4616 §2: acting as another needs a right that nobody has here.
        Ok(principal.filter(|_| acts_as == login))
    }

    /// The address that a login means; none if it cannot be one.
    pub(crate) async fn login(&self, text: &str) -> Result<Option<Address>, Error> {
        if let Ok(address) = Address::parse(text) {
            return Ok(Some(address.canonical()));
        }
        let (Ok(local), Some(domain)) = (LocalPart::parse(text), self.domains().await?.first().cloned())
        else {
            return Ok(None);
        };
        Ok(Address::new(local, Host::Domain(domain)).ok().map(|address| address.canonical()))
    }

    async fn verify_password(&self, login: &Address, password: Password) -> Result<Option<Principal>, Error> {
        if let Some(principal) = self.recall(login, &password) {
            return Ok(Some(principal));
        }
        // One at a time: whoever waited here finds the password remembered.
        let _turn = self.doorkeeper.turn(login).lock().await;
        if let Some(principal) = self.recall(login, &password) {
            return Ok(Some(principal));
        }
        let generation = self.store.directory_generation();
        match self.store.account_by_address(&login.to_string()).await? {
            Some(account) if !account.secret.is_empty() => {
                self.verify_account(account, password, generation).await
            }
            _ => Ok(self.verify_nobody(password).await),
        }
    }

    async fn verify_account(
        &self,
        account: AccountRecord,
        password: Password,
        generation: u64,
    ) -> Result<Option<Principal>, Error> {
        let address = parsed(&account.address)?;
        let principal = Principal { account: account.id, address };
        let unchanged = |verified: &mut Verified| verified.confirm(&account, generation);
        if let Some(principal) =
            self.doorkeeper.recall(&principal.address, &password, self.world.clock.now(), unchanged)
        {
            return Ok(Some(principal));
        }
        let digest = self.doorkeeper.digest(&principal.address, &password);
        let (secret, presented) = (account.secret.clone(), password.clone());
        if !self.world.workers.run_slow(move || passwords::fits(&secret, &presented)).await {
            return Ok(None);
        }
        self.add_scram_keys(&account, password).await;
        let now = self.world.clock.now();
        let verified = Verified {
            generation,
            until: now + PASSWORD_REMEMBERED,
            digest,
            secret: account.secret,
            principal: principal.clone(),
        };
        self.doorkeeper.remember(verified, now);
        Ok(Some(principal))
    }

    /// The same work for an account that is not there.
    async fn verify_nobody(&self, password: Password) -> Option<Principal> {
        self.world.workers.run_slow(move || passwords::fits(&passwords::nobody(), &password)).await;
        None
    }

    fn recall(&self, login: &Address, password: &Password) -> Option<Principal> {
        let generation = self.store.directory_generation();
        let unchanged = |verified: &mut Verified| verified.generation == generation;
        self.doorkeeper.recall(login, password, self.world.clock.now(), unchanged)
    }
}

/// What is remembered of verified passwords: keyed hashes, for minutes, in memory alone.
pub(crate) struct Doorkeeper {
    /// Of this process alone.
    key: [u8; 32],
    verified: Mutex<HashMap<Address, Verified>>,
    turns: [tokio::sync::Mutex<()>; SIGN_IN_QUEUES],
}

/// A password that was verified.
struct Verified {
    /// The store's directory generation before it was, or when the account was last seen unchanged.
    generation: u64,
    until: Instant,
    digest: [u8; 32],
    /// The verifier that it fitted.
    secret: String,
    principal: Principal,
}

impl Verified {
    /// Whether the account is as it was; if so, it counts as seen in this generation.
    fn confirm(&mut self, account: &AccountRecord, generation: u64) -> bool {
        let unchanged = self.principal.account == account.id && self.secret == account.secret;
        if unchanged {
            self.generation = generation;
        }
        unchanged
    }
}

impl Doorkeeper {
    pub(crate) fn new(dice: &Dice) -> Self {
        let mut key = [0; 32];
        dice.fill(&mut key);
        let turns = std::array::from_fn(|_| tokio::sync::Mutex::new(()));
        Self { key, verified: Mutex::default(), turns }
    }

    fn turn(&self, login: &Address) -> &tokio::sync::Mutex<()> {
        let hash = blake3::keyed_hash(&self.key, login.to_string().as_bytes());
        &self.turns[usize::from(hash.as_bytes()[0]) % SIGN_IN_QUEUES]
    }

    /// An address holds no NUL, so no two pairs have the same text.
    fn digest(&self, address: &Address, password: &Password) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(address.to_string().as_bytes());
        hasher.update(b"\0");
        hasher.update(password.0.as_bytes());
        *hasher.finalize().as_bytes()
    }

    fn recall(
        &self,
        login: &Address,
        password: &Password,
        now: Instant,
        unchanged: impl FnOnce(&mut Verified) -> bool,
    ) -> Option<Principal> {
        let digest = self.digest(login, password);
        let mut verified = self.verified();
        let found = verified.get_mut(login).filter(|found| now < found.until)?;
        (unchanged(found) && bool::from(found.digest.ct_eq(&digest))).then(|| found.principal.clone())
    }

    fn remember(&self, new: Verified, now: Instant) {
        let mut verified = self.verified();
        if verified.len() >= REMEMBERED_MAX {
            verified.retain(|_, old| now < old.until);
        }
        if verified.len() >= REMEMBERED_MAX {
            verified.clear();
        }
        verified.insert(new.principal.address.clone(), new);
    }

    fn verified(&self) -> MutexGuard<'_, HashMap<Address, Verified>> {
        self.verified.lock().expect("nobody panics with the lock")
    }
}

impl fmt::Debug for Doorkeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Doorkeeper(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn password(text: &str) -> Password {
        Password(text.into())
    }

    fn verified(doorkeeper: &Doorkeeper, of: &str, secret: &str, until: Instant) -> Verified {
        let principal = Principal { account: 1, address: address(of) };
        let digest = doorkeeper.digest(&principal.address, &password(secret));
        Verified { generation: 1, until, digest, secret: String::new(), principal }
    }

    #[test]
    fn a_verified_password_is_remembered_for_a_while() {
        let doorkeeper = Doorkeeper::new(&Dice::seeded(1));
        let now = world::Clock::Real.now();
        let until = now + PASSWORD_REMEMBERED;
        doorkeeper.remember(verified(&doorkeeper, "bob@x.example", "secret", until), now);
        let recall = |login: &str, secret: &str, generation: u64, now: Instant| {
            let unchanged = |verified: &mut Verified| verified.generation == generation;
            doorkeeper.recall(&address(login), &password(secret), now, unchanged).is_some()
        };
        assert!(recall("bob@x.example", "secret", 1, now));
        assert!(!recall("bob@x.example", "Secret", 1, now));
        assert!(!recall("ann@x.example", "secret", 1, now));
        assert!(!recall("bob@x.example", "secret", 2, now), "the directory has changed");
        assert!(recall("bob@x.example", "secret", 1, until - Duration::from_millis(1)));
        assert!(!recall("bob@x.example", "secret", 1, until), "minutes have passed");
    }

    #[test]
    fn memory_is_bounded() {
        let doorkeeper = Doorkeeper::new(&Dice::seeded(1));
        let now = world::Clock::Real.now();
        for n in 0..=REMEMBERED_MAX {
            let until = now + PASSWORD_REMEMBERED;
            doorkeeper.remember(verified(&doorkeeper, &format!("u{n}@x.example"), "secret", until), now);
        }
        assert!(doorkeeper.verified().len() <= REMEMBERED_MAX);
    }

    #[test]
    fn nothing_secret_is_shown() {
        let doorkeeper = Doorkeeper::new(&Dice::seeded(1));
        assert_eq!(format!("{doorkeeper:?}"), "Doorkeeper(…)");
        let credentials =
            Credentials { login: "bob".into(), authorization: String::new(), password: password("secret") };
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}
