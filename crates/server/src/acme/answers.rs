//! The answers to an authority that asks whether a name is ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use instant_acme::KeyAuthorization;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use settings::Challenge;
use web::Challenges;
use wire::tls::{Certificates, Pem};

use super::Failure;

/// Where both kinds are given: over HTTP, and in a TLS handshake on every TLS binding.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    pub(crate) http: Arc<Challenges>,
    pub(crate) tls: Arc<Certificates>,
}

/// Answers of one order. Dropped, they are given no longer.
pub(super) struct Given<'a> {
    answers: &'a Answers,
    http: BTreeMap<String, String>,
    tls: Vec<(String, Pem)>,
}

impl Answers {
    pub(super) fn begin(&self) -> Given<'_> {
        Given { answers: self, http: BTreeMap::new(), tls: Vec::new() }
    }
}

impl Given<'_> {
    /// Gives one more answer.
    pub(super) fn give(
        &mut self,
        kind: Challenge,
        name: &str,
        token: &str,
        answer: &KeyAuthorization,
    ) -> Result<(), Failure> {
        match kind {
            Challenge::Http01 => {
                self.http.insert(token.to_owned(), answer.as_str().to_owned());
                self.answers.http.answer(self.http.clone());
            }
            Challenge::TlsAlpn01 => {
                let internal = |error: &dyn std::fmt::Display| {
                    Failure::new(format!("no answer can be made for {name}: {error}"), "tell its makers")
                };
                let pem = certificate(name, answer.digest().as_ref()).map_err(|error| internal(&error))?;
                self.tls.push((name.to_owned(), pem));
                self.answers.tls.answer_challenges(&self.tls).map_err(|error| internal(&error))?;
            }
        }
        Ok(())
    }
}

impl Drop for Given<'_> {
    fn drop(&mut self) {
        self.answers.http.answer(BTreeMap::new());
        self.answers.tls.answer_challenges(&[]).expect("there is nothing in it that could be wrong");
    }
}

/// RFC 8737 §3: self-signed, for this name alone, with the digest of the key authorization in a critical acmeIdentifier.
fn certificate(name: &str, digest: &[u8]) -> Result<Pem, rcgen::Error> {
    let mut parameters = CertificateParams::new(vec![name.to_owned()])?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    Ok(Pem { chain: certificate.pem().into_bytes(), key: key.serialize_pem().into_bytes() })
}
