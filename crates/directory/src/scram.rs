//! What is kept of a password for SCRAM (RFC 5802 §3, RFC 7677), and what is told of accounts that keep nothing.
//!
//! Beside argon2id, because a server that speaks SCRAM needs PBKDF2: whoever steals the store guesses at the weaker of
//! the two. So an account's policy may be argon2id alone.

use std::fmt;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use store::read::AccountRecord;
use store::{Change, Commit, Error};
use subtle::ConstantTimeEq;
use world::Dice;

use crate::limits::{PASSWORD_OCTETS_MAX, SCRAM_ROUNDS, SCRAM_SALT_OCTETS};
use crate::passwords::{Password, Unfit, hash_password};
use crate::sign_in::{Principal, SignIn};
use crate::{Directory, cram, directory};

/// What an account keeps of its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kept {
    /// argon2id and keys for SCRAM.
    #[default]
    Argon2idAndScram,
    /// argon2id alone: the password must be shown at each sign-in.
    Argon2idAlone,
    /// argon2id, keys for SCRAM, and what takes the place of the password in CRAM-MD5.
    WithCramMd5,
}

/// The text of an account that keeps no keys, and is to get none.
const NOTHING: &str = "none";

impl Kept {
    /// The policy of an account.
    pub fn of(account: &AccountRecord) -> Self {
        match account.scram.as_str() {
            _ if !account.cram.is_empty() => Self::WithCramMd5,
            NOTHING => Self::Argon2idAlone,
            _ => Self::Argon2idAndScram,
        }
    }
}

/// What the store keeps of a password, as `AddAccount` and `SetSecret` want it. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifiers {
    /// argon2id, as a PHC string.
    pub secret: String,
    /// Keys for SCRAM, or that there are none.
    pub scram: String,
    /// What CRAM-MD5 needs; empty: it is not for this account.
    pub cram: String,
}

impl fmt::Debug for Verifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifiers(…)")
    }
}

impl Verifiers {
    /// Of a password. It takes tens of milliseconds and 19 MiB: call it in `workers.run_slow`.
    ///
    /// # Errors
    /// The password is empty or longer than [`PASSWORD_OCTETS_MAX`].
    pub fn new(dice: &Dice, password: &Password, kept: Kept) -> Result<Self, Unfit> {
        let secret = hash_password(dice, password)?;
        let scram = match kept {
            Kept::Argon2idAndScram | Kept::WithCramMd5 => stored(dice, password),
            Kept::Argon2idAlone => NOTHING.to_owned(),
        };
        let cram = if kept == Kept::WithCramMd5 { cram::stored(password) } else { String::new() };
        Ok(Self { secret, scram, cram })
    }
}

/// The hash function of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScramHash {
    /// RFC 7677.
    Sha256,
    /// RFC 5802.
    Sha1,
}

/// The hash functions, in the order in which their keys are stored.
const HASHES: [ScramHash; 2] = [ScramHash::Sha256, ScramHash::Sha1];

/// What a server knows of a password by SCRAM. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// The salt.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// `H(ClientKey)`.
    pub stored_key: Vec<u8>,
    /// `HMAC(SaltedPassword, "Server Key")`.
    pub server_key: Vec<u8>,
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(…)")
    }
}

impl ScramHash {
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha1 => "SCRAM-SHA-1",
        }
    }

    /// Octets of its output.
    fn size(self) -> usize {
        match self {
            Self::Sha256 => digest::SHA256_OUTPUT_LEN,
            Self::Sha1 => digest::SHA1_OUTPUT_LEN,
        }
    }

    /// RFC 5802 §3.
    pub fn keys(self, password: &Password, salt: &[u8], iterations: std::num::NonZeroU32) -> ScramKeys {
        let (derivation, mac, hash) = match self {
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, hmac::HMAC_SHA256, &digest::SHA256),
            Self::Sha1 => (
                pbkdf2::PBKDF2_HMAC_SHA1,
                hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                &digest::SHA1_FOR_LEGACY_USE_ONLY,
            ),
        };
        let mut salted = vec![0; self.size()];
        pbkdf2::derive(derivation, iterations, salt, normalized(password).as_bytes(), &mut salted);
        let salted = hmac::Key::new(mac, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        ScramKeys {
            salt: salt.to_vec(),
            iterations: iterations.get(),
            stored_key: digest::digest(hash, client_key.as_ref()).as_ref().to_vec(),
            server_key: hmac::sign(&salted, b"Server Key").as_ref().to_vec(),
        }
    }

    /// The keys among the stored ones.
    fn find(self, stored: &str) -> Option<ScramKeys> {
        stored.split(' ').find_map(|keys| self.read(keys))
    }

    /// RFC 5803 §3: `SCRAM-SHA-1$rounds:salt$stored:server`.
    fn write(self, keys: &ScramKeys) -> String {
        let [salt, stored, server] =
            [&keys.salt, &keys.stored_key, &keys.server_key].map(|octets| STANDARD.encode(octets));
        format!("{}${}:{salt}${stored}:{server}", self.name(), keys.iterations)
    }

    fn read(self, text: &str) -> Option<ScramKeys> {
        let (rounds, keys) = text.strip_prefix(self.name())?.strip_prefix('$')?.split_once('$')?;
        let ((rounds, salt), (stored, server)) = (rounds.split_once(':')?, keys.split_once(':')?);
        let octets = |text: &str| STANDARD.decode(text).ok();
        Some(ScramKeys {
            salt: octets(salt)?,
            iterations: rounds.parse().ok()?,
            stored_key: octets(stored).filter(|key| key.len() == self.size())?,
            server_key: octets(server).filter(|key| key.len() == self.size())?,
        })
    }

    /// For a login that has no keys: as they would look, the same at each question, and nobody knows what fits them.
    fn invented(self, secret: &[u8; 32], login: &str) -> ScramKeys {
        let mut hasher = blake3::Hasher::new_keyed(secret);
        hasher.update(self.name().as_bytes());
        hasher.update(b"\0");
        hasher.update(login.as_bytes());
        let mut octets = hasher.finalize_xof();
        let mut draw = |size| {
            let mut drawn = vec![0; size];
            octets.fill(&mut drawn);
            drawn
        };
        ScramKeys {
            salt: draw(SCRAM_SALT_OCTETS),
            iterations: SCRAM_ROUNDS.get(),
            stored_key: draw(self.size()),
            server_key: draw(self.size()),
        }
    }
}

/// RFC 5802 §2.2: SASLprep, by which clients go, too. A password that it prohibits is taken as it is, as by them.
fn normalized(password: &Password) -> std::borrow::Cow<'_, str> {
    match stringprep::saslprep(&password.0) {
        Ok(prepared) if !prepared.is_empty() => prepared,
        _ => password.0.as_str().into(),
    }
}

/// Keys for each hash function, as the store keeps them.
fn stored(dice: &Dice, password: &Password) -> String {
    let keys = HASHES.map(|hash| {
        let mut salt = [0; SCRAM_SALT_OCTETS];
        dice.fill(&mut salt);
        hash.write(&hash.keys(password, &salt, SCRAM_ROUNDS))
    });
    keys.join(" ")
}

impl Directory {
    /// By which keys this login can prove itself. Whoever has none, or is not known, gets invented ones; which it is
    /// cannot be told, nor by the time.
    ///
    /// # Errors
    /// The store's.
    pub async fn scram_keys(&self, login: &str, hash: ScramHash) -> Result<ScramKeys, Error> {
        let address = self.login(login).await?.map(|address| address.to_string());
        let invented = hash.invented(&self.store.secret(), address.as_deref().unwrap_or(login));
        let Some(address) = address else { return Ok(invented) };
        let account = self.store.account_by_address(&address).await?;
        Ok(account.and_then(|account| hash.find(&account.scram)).unwrap_or(invented))
    }

    /// Who it is that has proved itself by these keys, if they are still the account's.
    pub async fn proved(&self, login: &str, acts_as: &str, hash: ScramHash, keys: &ScramKeys) -> SignIn {
        match self.find_proved(login, acts_as, hash, keys).await {
            Ok(Some(principal)) => SignIn::Accepted(principal),
            Ok(None) => SignIn::Refused,
            Err(error) => SignIn::Unavailable(error),
        }
    }

    async fn find_proved(
        &self,
        login: &str,
        acts_as: &str,
        hash: ScramHash,
        keys: &ScramKeys,
    ) -> Result<Option<Principal>, Error> {
        let Some(login) = self.login(login).await? else { return Ok(None) };
        // RFC 5802 §5.1: acting as another needs a right that nobody has here.
        if !acts_as.is_empty() && self.login(acts_as).await?.as_ref() != Some(&login) {
            return Ok(None);
        }
        let Some(account) = self.store.account_by_address(&login.to_string()).await? else { return Ok(None) };
        let same = |now: ScramKeys| bool::from(now.stored_key.ct_eq(&keys.stored_key));
        if !hash.find(&account.scram).is_some_and(same) {
            return Ok(None);
        }
        let address = directory::parsed(&account.address)?;
        Ok(Some(Principal { account: account.id, address, app_password: None }))
    }

    /// Gives an account of an older store its keys, now that its password is known. That it fails is no reason to refuse
    /// the sign-in: the next one tries again.
    pub(crate) async fn add_scram_keys(&self, account: &AccountRecord, password: Password) {
        if !account.scram.is_empty() || password.0.len() > PASSWORD_OCTETS_MAX {
            return;
        }
        let dice = self.world.dice.clone();
        let scram = self.world.workers.run_slow(move || stored(&dice, &password)).await;
        let change = Change::SetScram { account: account.id, secret: account.secret.clone(), scram };
        self.store.commit(Commit { content: Vec::new(), changes: vec![change] }).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password(text.into())
    }

    /// The examples of RFC 5802 §5 and RFC 7677 §3, as other programs store them.
    #[test]
    fn keys_are_those_of_others() {
        let rounds = 4096.try_into().unwrap();
        for (hash, salt, expected) in [
            (
                ScramHash::Sha1,
                "QSXCR+Q6sek8bf92",
                "SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE=",
            ),
            (
                ScramHash::Sha256,
                "W22ZaJ0SNY7soEsUEjb6gQ==",
                "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
                 wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
            ),
        ] {
            let keys = hash.keys(&password("pencil"), &STANDARD.decode(salt).unwrap(), rounds);
            assert_eq!(hash.write(&keys), expected);
            assert_eq!(hash.find(&format!("x {expected}")), Some(keys));
        }
    }

    #[test]
    fn one_password_has_one_spelling() {
        let keys = |text: &str| ScramHash::Sha256.keys(&password(text), b"salt", 2.try_into().unwrap());
        assert_eq!(keys("I\u{ad}X"), keys("IX"));
        assert_ne!(keys("ix"), keys("IX"));
        assert_ne!(keys("\u{7}"), keys("\u{8}"), "prohibited, and taken as they are");
        assert_ne!(keys("\u{ad}"), keys("\u{ad}\u{ad}"), "nothing would be left of them");
    }

    #[test]
    fn what_is_stored_is_read() {
        let verifiers = |kept| Verifiers::new(&Dice::seeded(1), &password("secret"), kept).unwrap();
        let both = verifiers(Kept::Argon2idAndScram);
        for hash in HASHES {
            let keys = hash.find(&both.scram).unwrap();
            assert_eq!((keys.salt.len(), keys.iterations), (16, 15_000));
            assert_eq!(hash.keys(&password("secret"), &keys.salt, SCRAM_ROUNDS), keys);
        }
        let alone = verifiers(Kept::Argon2idAlone);
        assert!(HASHES.iter().all(|hash| hash.find(&alone.scram).is_none()));
        for damaged in ["", "SCRAM-SHA-1", "SCRAM-SHA-1$1:AA==$AA==:AA==", "SCRAM-SHA-1$x:AA==$$", "$", ":"] {
            assert!(HASHES.iter().all(|hash| hash.find(damaged).is_none()), "{damaged}");
        }
        assert_eq!(format!("{both:?}"), "Verifiers(…)");
    }

    #[test]
    fn what_is_invented_stays_and_differs() {
        let invented = |hash: ScramHash, secret, login| hash.invented(&[secret; 32], login);
        let one = invented(ScramHash::Sha256, 1, "bob@x.example");
        assert_eq!((one.salt.len(), one.iterations, one.stored_key.len()), (16, 15_000, 32));
        assert_eq!(one, invented(ScramHash::Sha256, 1, "bob@x.example"));
        for other in [
            invented(ScramHash::Sha256, 1, "ann@x.example"),
            invented(ScramHash::Sha256, 2, "bob@x.example"),
            invented(ScramHash::Sha1, 1, "bob@x.example"),
        ] {
            assert_ne!(one.salt, other.salt);
        }
        assert_eq!(format!("{one:?}"), "ScramKeys(…)");
    }
}
