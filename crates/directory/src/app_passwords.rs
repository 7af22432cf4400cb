//! App passwords: made here, each for one program of a person.
//!
//! Their verifier is a keyed hash, not argon2id. A person's password can be guessed, so guessing must be dear; one of these
//! has 100 random bits, and who steals the store guesses at it for longer than there will be stars. So one fast hash is
//! compared with all that an account has, and neither how many there are nor which comes close can be told by the time.

use mail::Timestamp;
use store::read::AccountRecord;
use store::{AppPasswordRecord, Change, Commit, Error};
use subtle::ConstantTimeEq;

use crate::Directory;
use crate::directory::parsed;
use crate::limits::APP_PASSWORD_USE_KEPT;
use crate::passwords::{Password, generate_password, is_generated};
use crate::sign_in::{Principal, Scope};

/// A new app password: shown once, kept as its verifier.
#[derive(Debug)]
pub struct NewAppPassword {
    /// To show.
    pub password: Password,
    /// To keep.
    pub secret: String,
}

/// Every scope, in the order in which they are written.
pub const SCOPES: [Scope; 3] = [Scope::Smtp, Scope::Imap, Scope::Pop3];

impl Scope {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
        }
    }

    /// The scope of this name.
    pub fn named(name: &str) -> Option<Self> {
        SCOPES.into_iter().find(|scope| scope.name() == name)
    }
}

impl Directory {
    /// Makes one for an account; the caller commits its verifier.
    pub fn new_app_password(&self, account: i64) -> NewAppPassword {
        let password = generate_password(&self.world.dice);
        let secret = self.app_secret(account, &password);
        NewAppPassword { password, secret }
    }

    /// Who it is, if this is one of the account's app passwords, for this service, and not expired. The store is asked
    /// whether or not there is such an account.
    pub(crate) async fn find_app_password(
        &self,
        account: Option<&AccountRecord>,
        password: &Password,
        service: Scope,
    ) -> Result<Option<Principal>, Error> {
        let id = account.map_or(NOBODY, |account| account.id);
        let presented = self.app_secret(id, password);
        let now = self.world.clock.wall();
        let mut found = None;
        // All are looked at, also after one has fitted.
        for kept in self.store.app_passwords(id).await? {
            if bool::from(kept.secret.as_bytes().ct_eq(presented.as_bytes())) && is_for(&kept, service, now) {
                found = Some(kept);
            }
        }
        let (Some(kept), Some(account)) = (found, account) else { return Ok(None) };
        if !is_generated(password) {
            return Ok(None);
        }
        self.note_use(&kept, now).await;
        Ok(Some(Principal {
            account: account.id,
            address: parsed(&account.address)?,
            app_password: Some(kept.name),
        }))
    }

    /// At most once an hour: whoever reads mail each minute writes nothing by that. That it could not be noted is no reason
    /// to refuse the sign-in.
    async fn note_use(&self, kept: &AppPasswordRecord, now: Timestamp) {
        let before = kept.last_used.map_or(i64::MIN, |used| used.0);
        if now.0.saturating_sub(before) < APP_PASSWORD_USE_KEPT {
            return;
        }
        let changes = vec![Change::UseAppPassword { id: kept.id, at: now }];
        self.store.commit(Commit { content: Vec::new(), changes }).await.ok();
    }

    /// The verifier: keyed with the store's secret, and of this account alone.
    fn app_secret(&self, account: i64, password: &Password) -> String {
        let key = blake3::derive_key("waxseal app passwords, 1", &self.store.secret());
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(&account.to_be_bytes());
        hasher.update(password.0.as_bytes());
        format!("blake3:{}", hasher.finalize().to_hex())
    }
}

/// No account has this number.
const NOBODY: i64 = -1;

fn is_for(kept: &AppPasswordRecord, service: Scope, now: Timestamp) -> bool {
    kept.scope.split(' ').any(|scope| scope == service.name())
        && kept.expires.is_none_or(|expires| now < expires)
}
