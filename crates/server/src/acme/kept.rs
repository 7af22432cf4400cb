//! What outlives a restart: the account at the authority, the certificate with its key, and what has failed.

use bytes::Bytes;
use mail::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{Change, Commit, Store};
use wire::tls::Pem;

const ACCOUNT: &str = "acme-account";
const CERTIFICATE: &str = "acme-certificate";
const ATTEMPTS: &str = "acme-attempts";

/// Our account at an authority.
#[derive(Serialize, Deserialize)]
pub(super) struct Account {
    /// Whose directory it is.
    pub(super) directory: String,
    pub(super) credentials: serde_json::Value,
}

/// A certificate that an authority has given.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Ordered {
    /// Whose directory it was.
    pub(crate) directory: String,
    /// What was ordered, in order.
    pub(crate) names: Vec<String>,
    /// PEM.
    pub(crate) chain: String,
    /// PEM.
    pub(crate) key: String,
}

/// Failures one after another, and when the last one was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempts {
    /// Since the last success.
    pub(crate) failures: u32,
    /// When the last one was.
    pub(crate) last: Timestamp,
}

impl Ordered {
    /// The one that was kept, if there is one.
    pub(crate) async fn kept(store: &Store) -> Result<Option<Self>, store::Error> {
        read(store, CERTIFICATE).await
    }

    pub(crate) async fn keep(&self, store: &Store) -> Result<(), store::Error> {
        keep(store, CERTIFICATE, self).await
    }

    /// As it is shown.
    pub(crate) fn pem(&self) -> Pem {
        Pem { chain: self.chain.clone().into_bytes(), key: self.key.clone().into_bytes() }
    }
}

impl Attempts {
    pub(crate) const NONE: Self = Self { failures: 0, last: Timestamp(0) };

    /// Those that were kept.
    pub(crate) async fn kept(store: &Store) -> Result<Self, store::Error> {
        Ok(read(store, ATTEMPTS).await?.unwrap_or(Self::NONE))
    }

    pub(crate) async fn keep(&self, store: &Store) -> Result<(), store::Error> {
        keep(store, ATTEMPTS, self).await
    }

    /// With one more failure.
    pub(crate) fn and_another(self, now: Timestamp) -> Self {
        Self { failures: self.failures.saturating_add(1), last: now }
    }
}

impl Account {
    /// The one at this authority, if there is one.
    pub(super) async fn kept(store: &Store, directory: &str) -> Result<Option<Self>, store::Error> {
        let account: Option<Self> = read(store, ACCOUNT).await?;
        Ok(account.filter(|account| account.directory == directory))
    }

    pub(super) async fn keep(&self, store: &Store) -> Result<(), store::Error> {
        keep(store, ACCOUNT, self).await
    }
}

/// What another version has written and this one cannot read is as good as nothing: it is ordered anew.
async fn read<T: DeserializeOwned>(store: &Store, name: &str) -> Result<Option<T>, store::Error> {
    Ok(store.kept(name).await?.and_then(|value| serde_json::from_slice(&value).ok()))
}

async fn keep<T: Serialize>(store: &Store, name: &str, value: &T) -> Result<(), store::Error> {
    let value = Bytes::from(serde_json::to_vec(value).expect("these are strings and numbers"));
    let changes = vec![Change::Keep { name: name.to_owned(), value }];
    store.commit(Commit { content: Vec::new(), changes }).await.map(drop)
}
