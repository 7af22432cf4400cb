//! The keys by which a domain signs what it sends (RFC 6376, RFC 8463): made, kept, published.
//!
//! Private keys stay in the store: what is answered is what the DNS tells everybody.

use bytes::Bytes;
use mail::{Domain, Timestamp};
use message_auth::dkim::{Algorithm, KeyName, SigningKey};
use store::{Change, DkimKeyRecord};

use crate::response::{Refusal, Response, TxtRecord};
use crate::service::{Admin, domain};

/// A new domain gets one of each: RSA is checked by everyone, Ed25519 by a few, and better.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::Rsa, Algorithm::Ed25519];

impl Admin {
    pub(crate) async fn domain_dkim(&self, name: &str, make: bool) -> Result<Response, Refusal> {
        let name = domain(name)?;
        self.require_ours(&name).await?;
        let keys = self.store.dkim_keys(name.as_str()).await?;
        let said = match (keys.is_empty(), make) {
            (false, false) => String::new(),
            (true, true) => {
                self.commit(self.new_keys(&name).await).await?;
                format!("{name} has keys now")
            }
            (false, true) => {
                let remedy = format!("see what to publish: waxseal domain dkim {name}");
                return Err(Refusal::new(format!("the domain {name} has keys already"), remedy));
            }
            (true, false) => {
                let remedy = format!("make them: waxseal domain dkim {name} --make");
                return Err(Refusal::new(format!("the domain {name} has no keys yet"), remedy));
            }
        };
        self.dkim_response(&name, said).await
    }

    /// What is to be published for a domain.
    pub(crate) async fn dkim_response(&self, name: &Domain, said: String) -> Result<Response, Refusal> {
        let keys = self.store.dkim_keys(name.as_str()).await?;
        let mut records = keys.iter().map(record).collect::<Result<Vec<_>, _>>()?;
        // RSA first, as in what is sent.
        records.reverse();
        Ok(Response::Dkim { said, domain: name.to_string(), records })
    }

    /// Keys for a domain, to be stored.
    pub(crate) async fn new_keys(&self, name: &Domain) -> Vec<Change> {
        let at = self.world.clock.wall();
        let name = name.clone();
        // Finding the primes of RSA takes a tenth of a second.
        let make = move || ALGORITHMS.map(|algorithm| new_key(&name, algorithm, at)).to_vec();
        self.world.workers.run_slow(make).await
    }
}

fn new_key(name: &Domain, algorithm: Algorithm, at: Timestamp) -> Change {
    let key = SigningKey::generate(algorithm);
    Change::AddDkimKey {
        domain: name.to_string(),
        selector: key.selector(at).as_str().to_owned(),
        algorithm: algorithm.as_str().to_owned(),
        key: Bytes::from(key.to_pkcs8()),
        at,
    }
}

/// What others need to check signatures by this key.
fn record(kept: &DkimKeyRecord) -> Result<TxtRecord, Refusal> {
    let DkimKeyRecord { domain, selector, key, .. } = kept;
    let damaged = || {
        let message = format!("the key {selector} of {domain} cannot be read");
        Refusal::new(message, "look what else is damaged: waxseal store check")
    };
    let key = SigningKey::from_pkcs8(key).map_err(|_| damaged())?;
    let name = KeyName {
        selector: message_auth::dkim::Selector::parse(selector).map_err(|_| damaged())?,
        domain: Domain::parse(domain).map_err(|_| damaged())?,
    };
    Ok(TxtRecord { name: name.query(), value: key.record().text() })
}
