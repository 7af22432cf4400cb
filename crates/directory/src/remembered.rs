//! What is remembered of verified passwords: keyed hashes, for minutes, in memory alone.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Instant;

use store::read::AccountRecord;
use tokio::sync::OwnedMutexGuard;
use world::Dice;

use crate::limits::REMEMBERED_MAX;
use crate::passwords::Password;
use crate::sign_in::Principal;

/// A login and a password, hashed under a key of this process alone.
pub(crate) type Digest = [u8; 32];

/// The memory.
pub(crate) struct Remembered {
    key: [u8; 32],
    verified: Mutex<HashMap<Digest, Verified>>,
    /// Sign-ins that are looked at: who presents the same waits for the first.
    flights: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
}

/// A password that was verified.
pub(crate) struct Verified {
    /// The store's directory generation before it was, or when the account was last seen unchanged.
    pub(crate) generation: u64,
    pub(crate) until: Instant,
    /// The verifier that it fitted.
    pub(crate) secret: String,
    pub(crate) principal: Principal,
}

impl Verified {
    /// Whether the account is as it was; if so, it counts as seen in this generation.
    pub(crate) fn confirm(&mut self, account: &AccountRecord, generation: u64) -> bool {
        let unchanged = self.principal.account == account.id && self.secret == account.secret;
        if unchanged {
            self.generation = generation;
        }
        unchanged
    }
}

impl Remembered {
    pub(crate) fn new(dice: &Dice) -> Self {
        let mut key = [0; 32];
        dice.fill(&mut key);
        Self { key, verified: Mutex::default(), flights: Mutex::default() }
    }

    /// Of a login, which holds no NUL where it is an address, and a password.
    pub(crate) fn digest(&self, login: impl AsRef<str>, password: &Password) -> Digest {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(login.as_ref().as_bytes());
        hasher.update(b"\0");
        hasher.update(password.0.as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// A login as the door knows it.
    pub(crate) fn login_key(&self, login: &str) -> u64 {
        let hash = blake3::keyed_hash(&self.key, login.as_bytes());
        let (first, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 octets");
        u64::from_be_bytes(*first)
    }

    /// Who it is, if this was verified and nothing has changed. Looked up by a hash under a secret key: how long that takes
    /// says nothing about what is nearly right.
    pub(crate) fn recall(
        &self,
        digest: &Digest,
        now: Instant,
        unchanged: impl FnOnce(&mut Verified) -> bool,
    ) -> Option<Principal> {
        let mut verified = self.verified();
        let found = verified.get_mut(digest).filter(|found| now < found.until)?;
        unchanged(found).then(|| found.principal.clone())
    }

    pub(crate) fn remember(&self, digest: Digest, new: Verified, now: Instant) {
        let mut verified = self.verified();
        if verified.len() >= REMEMBERED_MAX {
            verified.retain(|_, old| now < old.until);
        }
        if verified.len() >= REMEMBERED_MAX {
            verified.clear();
        }
        verified.insert(digest, new);
    }

    /// Waits until nobody else looks at the same. There are no more of these than sign-ins under way.
    pub(crate) async fn flight(&self, digest: Digest) -> OwnedMutexGuard<()> {
        let flight = {
            let mut flights = self.flights.lock().expect("nobody panics with the lock");
            flights.retain(|_, flight| flight.strong_count() > 0);
            let known = flights.get(&digest).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let new = Arc::default();
                flights.insert(digest, Arc::downgrade(&new));
                new
            })
        };
        flight.lock_owned().await
    }

    fn verified(&self) -> MutexGuard<'_, HashMap<Digest, Verified>> {
        self.verified.lock().expect("nobody panics with the lock")
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limits::PASSWORD_REMEMBERED;

    fn password(text: &str) -> Password {
        Password(text.into())
    }

    fn verified(until: Instant) -> Verified {
        let principal =
            Principal { account: 1, address: "bob@x.example".parse().unwrap(), app_password: None };
        Verified { generation: 1, until, secret: String::new(), principal }
    }

    #[test]
    fn a_verified_password_is_remembered_for_a_while() {
        let remembered = Remembered::new(&Dice::seeded(1));
        let now = world::Clock::Real.now();
        let until = now + PASSWORD_REMEMBERED;
        let digest = remembered.digest("bob@x.example", &password("secret"));
        remembered.remember(digest, verified(until), now);
        let recall = |login: &str, secret: &str, generation: u64, now: Instant| {
            let unchanged = |verified: &mut Verified| verified.generation == generation;
            let digest = remembered.digest(login, &password(secret));
            remembered.recall(&digest, now, unchanged).is_some()
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
        let remembered = Remembered::new(&Dice::seeded(1));
        let now = world::Clock::Real.now();
        for n in 0..=REMEMBERED_MAX {
            let digest = remembered.digest(format!("u{n}@x.example"), &password("secret"));
            remembered.remember(digest, verified(now + PASSWORD_REMEMBERED), now);
        }
        assert!(remembered.verified().len() <= REMEMBERED_MAX);
    }

    #[tokio::test]
    async fn the_same_is_looked_at_once_and_nothing_of_it_stays() {
        let remembered = Remembered::new(&Dice::seeded(1));
        let first = remembered.flight([1; 32]).await;
        let other = remembered.flight([2; 32]).await;
        let mut same = std::pin::pin!(remembered.flight([1; 32]));
        let now = std::future::poll_fn(|cx| std::task::Poll::Ready(same.as_mut().poll(cx).is_pending()));
        assert!(now.await, "the first is looked at");
        drop(first);
        drop(same.await);
        drop(other);
        drop(remembered.flight([3; 32]).await);
        assert_eq!(remembered.flights.lock().unwrap().len(), 1);
    }

    #[test]
    fn nothing_secret_is_shown() {
        assert_eq!(format!("{:?}", Remembered::new(&Dice::seeded(1))), "Remembered(…)");
        let login = "bob".to_owned();
        let credentials =
            crate::Credentials { login, authorization: String::new(), password: password("secret") };
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}
