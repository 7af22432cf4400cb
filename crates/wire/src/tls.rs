//! TLS 1.2 and 1.3, by rustls, which knows no renegotiation and no compression. Here for servers: certificates by
//! server name, resumption by tickets, no early data. [`Towards`] is the client's side.

mod towards;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use protocol::TlsFacts;
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ParsedCertificate, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CommonState, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::TlsAcceptor;

pub use towards::{Towards, Trust, Verification};

/// What we speak, as server and as client.
const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// A certificate chain, the server's own first, and its private key, both as PEM.
#[derive(Clone)]
pub struct Pem {
    /// One or more `CERTIFICATE` blocks.
    pub chain: Vec<u8>,
    /// A `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY` block.
    pub key: Vec<u8>,
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pem").finish_non_exhaustive()
    }
}

/// Why certificates cannot be used. `index` counts from 0 in the order given.
#[derive(Debug)]
pub enum Error {
    /// There is none.
    Empty,
    /// The chain is not PEM, or has no certificate.
    Chain {
        /// Which one.
        index: usize,
    },
    /// The key is not PEM, or of no kind we know.
    Key {
        /// Which one.
        index: usize,
    },
    /// rustls refuses it: the key does not belong to the certificate, for instance.
    Refused {
        /// Which one.
        index: usize,
        /// In rustls's words.
        reason: rustls::Error,
    },
    /// The extra authorities are not PEM, or one of them cannot be an authority.
    Authority {
        /// Which file.
        index: usize,
    },
    /// The cryptographic library cannot work.
    Crypto(rustls::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "no certificate is given"),
            Self::Chain { index } => {
                write!(f, "certificate {index}: the chain has no certificate in PEM form")
            }
            Self::Key { index } => write!(f, "certificate {index}: the key is no private key in PEM form"),
            Self::Refused { index, reason } => write!(f, "certificate {index}: {reason}"),
            Self::Authority { index } => write!(f, "authority {index}: no certificate authority in PEM form"),
            Self::Crypto(reason) => write!(f, "TLS cannot work: {reason}"),
        }
    }
}

impl std::error::Error for Error {}

/// The certificates of a virtual server. They can be replaced while connections live: the next handshake sees the new
/// ones, and tickets given out before stay good.
pub struct Certificates {
    config: RwLock<Arc<ServerConfig>>,
    provider: Arc<CryptoProvider>,
    tickets: Arc<dyn ProducesTickets>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// A client that asks for a name gets the first certificate that is good for it. Without a name, or where none is
    /// good, it gets the first of all.
    ///
    /// # Errors
    /// The first certificate that cannot be used.
    pub fn new(pems: &[Pem]) -> Result<Self, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tickets = aws_lc_rs::Ticketer::new().map_err(Error::Crypto)?;
        let config = configure(pems, &provider, &tickets)?;
        Ok(Self { config: RwLock::new(config), provider, tickets })
    }

    /// Puts other certificates in their place.
    ///
    /// # Errors
    /// As [`new`](Self::new); the present ones stay.
    pub fn replace(&self, pems: &[Pem]) -> Result<(), Error> {
        let config = configure(pems, &self.provider, &self.tickets)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone().into()
    }
}

fn configure(
    pems: &[Pem],
    provider: &Arc<CryptoProvider>,
    tickets: &Arc<dyn ProducesTickets>,
) -> Result<Arc<ServerConfig>, Error> {
    let keys: Result<Vec<_>, _> =
        pems.iter().enumerate().map(|(index, pem)| certified_key(index, pem, provider)).collect();
    let keys = keys?;
    if keys.is_empty() {
        return Err(Error::Empty);
    }
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(VERSIONS)
        .map_err(Error::Crypto)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByServerName(keys)));
    config.ticketer = tickets.clone();
    // Early data could be replayed: a MAIL or STORE executed twice (RFC 8446 §8).
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

fn certified_key(index: usize, pem: &Pem, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, Error> {
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&pem.chain).collect();
    let chain = chain.map_err(|_| Error::Chain { index })?;
    if chain.is_empty() {
        return Err(Error::Chain { index });
    }
    let key = PrivateKeyDer::from_pem_slice(&pem.key).map_err(|_| Error::Key { index })?;
    let refused = |reason| Error::Refused { index, reason };
    Ok(Arc::new(CertifiedKey::from_der(chain, key, provider).map_err(refused)?))
}

/// The certificate says itself which names it is good for (RFC 9525), so no list beside it can disagree.
#[derive(Debug)]
struct ByServerName(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByServerName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| {
            let name = ServerName::try_from(name).ok()?;
            self.0.iter().find(|key| is_good_for(key, &name))
        });
        named.or(self.0.first()).cloned()
    }
}

fn is_good_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let certificate = key.end_entity_cert().and_then(ParsedCertificate::try_from);
    certificate.is_ok_and(|certificate| verify_server_name(&certificate, name).is_ok())
}

/// What a session and the Received line are told of a connection whose handshake is done.
pub(crate) fn facts(connection: &CommonState, server_name: Option<String>, verified: bool) -> TlsFacts {
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS1.2",
        _ => "",
    };
    let cipher = connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
    TlsFacts {
        version: version.to_owned(),
        // rustls writes TLS13_AES_128_GCM_SHA256 for what IANA's registry calls TLS_AES_128_GCM_SHA256.
        cipher: cipher.unwrap_or_default().replacen("TLS13_", "TLS_", 1),
        server_name,
        verified,
    }
}

/// The name that a client tells. An address is not told (RFC 6066 §3).
pub(crate) fn sni(name: &ServerName<'_>) -> Option<String> {
    match name {
        ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
        _ => None,
    }
}
