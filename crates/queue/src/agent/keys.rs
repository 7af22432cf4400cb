//! The keys with which our domains sign (RFC 6376), remembered for as long as they are true.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use directory::Directory;
use mail::Domain;
use mail::message::{EnvelopeFields, Header};
use message_auth::dkim::{Algorithm, Identity, KeyName, Selector, SigningKey};
use store::read::DkimKeyRecord;
use store::{Error, Store};
use world::Clock;

use crate::Destinations;

use super::limits::{KEYS_DOMAINS_MAX, KEYS_KEPT};

/// Who signs for which of our domains.
#[derive(Debug)]
pub(super) struct Keys {
    store: Store,
    directory: Arc<Directory>,
    clock: Clock,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The store's directory generation that it belongs to.
    generation: u64,
    by_domain: HashMap<Domain, (Instant, Arc<[Identity]>)>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("domains", &self.by_domain.len()).finish_non_exhaustive()
    }
}

impl Keys {
    pub(super) fn new(store: Store, directory: Arc<Directory>, clock: Clock) -> Self {
        Self { store, directory, clock, known: Mutex::default() }
    }

    /// Our domains, those whose mail is handed on among them.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn domains(&self, destinations: &Destinations) -> Result<Vec<Domain>, Error> {
        let ours = self.directory.domains().await?;
        Ok(ours.iter().chain(destinations.handed_on()).cloned().collect())
    }

    /// The identities that sign a message with this beginning: those of its author's domain, if it is one of ours and has
    /// keys. The trace header has no author.
    ///
    /// # Errors
    /// The store's: unsigned, the message could be taken for a forgery, so it waits.
    pub(super) async fn of_author(&self, beginning: &[u8]) -> Result<Option<Arc<[Identity]>>, Error> {
        let ours = self.directory.domains().await?;
        if ours.is_empty() {
            return Ok(None);
        }
        let Some(domain) = author_domain(beginning).filter(|domain| ours.contains(domain)) else {
            return Ok(None);
        };
        let identities = self.of(&domain).await?;
        Ok((!identities.is_empty()).then_some(identities))
    }

    async fn of(&self, domain: &Domain) -> Result<Arc<[Identity]>, Error> {
        // Before the look-up: what is found after a change must not be remembered as found before it.
        let (generation, now) = (self.store.directory_generation(), self.clock.now());
        if let Some(identities) = self.remembered(domain, generation, now) {
            return Ok(identities);
        }
        let records = self.store.dkim_keys(domain.as_str()).await?;
        let identities = identities(domain, &records);
        let mut known = self.known.lock().expect("nobody panics with the lock");
        if known.by_domain.len() >= KEYS_DOMAINS_MAX {
            known.by_domain.clear();
        }
        if known.generation == generation {
            known.by_domain.insert(domain.clone(), (now + KEYS_KEPT, identities.clone()));
        }
        Ok(identities)
    }

    fn remembered(&self, domain: &Domain, generation: u64, now: Instant) -> Option<Arc<[Identity]>> {
        let mut known = self.known.lock().expect("nobody panics with the lock");
        if known.generation != generation {
            *known = Known { generation, by_domain: HashMap::new() };
        }
        known
            .by_domain
            .get(domain)
            .filter(|(until, _)| *until > now)
            .map(|(_, identities)| identities.clone())
    }
}

/// RSA first: a verifier that knows no other algorithm may look at the first signature alone. A key that cannot be used
/// signs nothing, and says so in the log.
fn identities(domain: &Domain, records: &[DkimKeyRecord]) -> Arc<[Identity]> {
    let mut identities: Vec<Identity> =
        records.iter().filter_map(|record| identity(domain, record)).collect();
    identities.sort_by_key(|identity| identity.key.algorithm() != Algorithm::Rsa);
    identities.into()
}

fn identity(domain: &Domain, record: &DkimKeyRecord) -> Option<Identity> {
    let key = SigningKey::from_pkcs8(&record.key).ok();
    let selector = Selector::parse(&record.selector).ok();
    let (Some(key), Some(selector)) = (key, selector) else {
        tracing::error!(%domain, selector = %mail::printable(&record.selector), "a DKIM key cannot be used");
        return None;
    };
    Some(Identity { name: KeyName { selector, domain: domain.clone() }, key: Arc::new(key) })
}

/// The domain of the one address of the one From field. What has more authors is not signed for one of them alone.
fn author_domain(beginning: &[u8]) -> Option<Domain> {
    let header = Header::parse(beginning);
    let mut fields = header.find_all("From");
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    let envelope = EnvelopeFields::of(&Header::parse(&beginning[field.range.clone()]));
    let [author] = &envelope.from[..] else { return None };
    Domain::parse(std::str::from_utf8(author.host.as_deref()?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_author_is_the_one_of_from() {
        for (message, expected) in [
            ("From: a@example.org\r\n\r\n", Some("example.org")),
            (
                "Received: x\r\nfrom: Ann <a@EXAMPLE.org>\r\nTo: b@example.net\r\n\r\nFrom: c@example.com",
                Some("example.org"),
            ),
            ("From: \"b@example.net\"\r\n <a@example.org>\r\n", Some("example.org")),
            ("From: a@b\u{fc}cher.example\r\n", Some("xn--bcher-kva.example")),
            ("From: a@example.org, b@example.net\r\n\r\n", None),
            ("From: a@example.org\r\nFrom: b@example.net\r\n\r\n", None),
            ("From: nobody\r\n\r\n", None),
            ("Sender: a@example.org\r\n\r\n", None),
            ("", None),
        ] {
            let domain = author_domain(message.as_bytes());
            assert_eq!(domain.as_ref().map(Domain::as_str), expected, "{message:?}");
        }
    }
}
