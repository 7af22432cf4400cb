//! Certificates with their keys: those that clients get, by the name they ask for, and those that answer ACME authorities.

use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::{Error, Pem, binding};

/// The protocol by which an ACME authority asks (RFC 8737 §6.2).
pub(super) const ACME_TLS: &[u8] = b"acme-tls/1";

/// What a handshake chooses from.
#[derive(Debug)]
pub(super) struct Keys {
    /// Never empty.
    pub(super) served: Vec<Served>,
    pub(super) challenges: Vec<Challenge>,
}

/// A certificate, and what a sign-in may bind itself to by it.
#[derive(Debug, Clone)]
pub(super) struct Served {
    key: Arc<CertifiedKey>,
    pub(super) end_point: Option<Vec<u8>>,
}

/// The answer to an ACME authority that asks whether a name is ours.
#[derive(Debug, Clone)]
pub(super) struct Challenge {
    name: String,
    key: Arc<CertifiedKey>,
}

impl Keys {
    pub(super) fn new(pems: &[Pem], provider: &CryptoProvider) -> Result<Self, Error> {
        let served: Result<Vec<_>, _> =
            pems.iter().enumerate().map(|(index, pem)| Served::new(index, pem, provider)).collect();
        let served = served?;
        if served.is_empty() {
            return Err(Error::Empty);
        }
        Ok(Self { served, challenges: Vec::new() })
    }

    /// The certificate says itself which names it is good for (RFC 9525), so no list beside it can disagree.
    pub(super) fn choose(&self, name: Option<&str>) -> Option<&Served> {
        let named = name.and_then(|name| {
            let name = ServerName::try_from(name).ok()?;
            self.served.iter().find(|served| is_good_for(&served.key, &name))
        });
        named.or(self.served.first())
    }

    /// Whether this is an ACME authority, which offers its protocol and no other (RFC 8737 §3), and asks for a name that
    /// we are ordering a certificate for.
    pub(super) fn challenge(&self, hello: &ClientHello<'_>) -> Option<Arc<Challenge>> {
        let name = hello.server_name()?;
        let only_acme = hello.alpn()?.eq([ACME_TLS]);
        let found = self.challenges.iter().find(|challenge| challenge.name.eq_ignore_ascii_case(name));
        found.filter(|_| only_acme).cloned().map(Arc::new)
    }
}

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name()).map(|served| served.key.clone())
    }
}

impl ResolvesServerCert for Challenge {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.clone())
    }
}

impl Served {
    fn new(index: usize, pem: &Pem, provider: &CryptoProvider) -> Result<Self, Error> {
        let key = certified(index, pem, provider)?;
        let end_point = key.cert.first().and_then(|certificate| binding::end_point(certificate));
        Ok(Self { key, end_point })
    }

    /// The server's own, without its chain.
    pub(super) fn certificate(&self) -> Option<&[u8]> {
        self.key.cert.first().map(AsRef::as_ref)
    }
}

pub(super) fn challenges(
    challenges: &[(String, Pem)],
    provider: &CryptoProvider,
) -> Result<Vec<Challenge>, Error> {
    let challenge = |(index, (name, pem)): (usize, &(String, Pem))| {
        let (chain, key) = read(index, pem)?;
        let refused = |reason| Error::Refused { index, reason };
        let key = provider.key_provider.load_private_key(key).map_err(refused)?;
        // Not compared with the certificate: its extension is critical and of no use but to authorities (RFC 8737 §3), so that
        // our own library would refuse to read it.
        Ok(Challenge { name: name.clone(), key: Arc::new(CertifiedKey::new(chain, key)) })
    };
    challenges.iter().enumerate().map(challenge).collect()
}

fn certified(index: usize, pem: &Pem, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, Error> {
    let (chain, key) = read(index, pem)?;
    let key = CertifiedKey::from_der(chain, key, provider);
    Ok(Arc::new(key.map_err(|reason| Error::Refused { index, reason })?))
}

type Read = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read(index: usize, pem: &Pem) -> Result<Read, Error> {
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&pem.chain).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(Error::Chain { index })?;
    let key = PrivateKeyDer::from_pem_slice(&pem.key).map_err(|_| Error::Key { index })?;
    Ok((chain, key))
}

fn is_good_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let certificate = key.end_entity_cert().and_then(ParsedCertificate::try_from);
    certificate.is_ok_and(|certificate| verify_server_name(&certificate, name).is_ok())
}
