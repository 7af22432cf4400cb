//! TLS 1.2 and 1.3, by rustls, which knows no renegotiation and no compression. Here for servers: certificates by
//! server name, resumption by tickets, no early data. [`Towards`] is the client's side.

mod binding;
mod towards;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use protocol::TlsFacts;
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ParsedCertificate, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CommonState, ServerConfig, ServerConnection, SupportedProtocolVersion};
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
    installed: RwLock<Arc<Installed>>,
    provider: Arc<CryptoProvider>,
    tickets: Arc<dyn ProducesTickets>,
}

/// What a handshake takes.
struct Installed {
    config: Arc<ServerConfig>,
    keys: Arc<ByServerName>,
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
        let installed = configure(pems, &provider, &tickets)?;
        Ok(Self { installed: RwLock::new(Arc::new(installed)), provider, tickets })
    }

    /// Puts other certificates in their place.
    ///
    /// # Errors
    /// As [`new`](Self::new); the present ones stay.
    pub fn replace(&self, pems: &[Pem]) -> Result<(), Error> {
        let installed = configure(pems, &self.provider, &self.tickets)?;
        *self.installed.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(installed);
        Ok(())
    }

    /// The server's side of a handshake.
    pub(crate) fn handshake(&self) -> Handshake {
        Handshake(self.installed.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// A handshake, with the certificates that there were when it began.
pub(crate) struct Handshake(Arc<Installed>);

impl Handshake {
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.0.config.clone().into()
    }

    /// What the session is told when it is done.
    pub(crate) fn facts(&self, connection: &ServerConnection) -> TlsFacts {
        let server_name = connection.server_name().map(str::to_ascii_lowercase);
        let served = self.0.keys.choose(connection.server_name());
        TlsFacts {
            exporter: binding::exporter(connection),
            // In a resumed session it is the certificate of the first handshake that counts (RFC 5929 §4). If that was
            // replaced since, such a sign-in fails, and the next connection does not resume.
            end_point: served.and_then(|served| served.end_point.clone()),
            ..facts(connection, server_name, false)
        }
    }
}

fn configure(
    pems: &[Pem],
    provider: &Arc<CryptoProvider>,
    tickets: &Arc<dyn ProducesTickets>,
) -> Result<Installed, Error> {
    let served: Result<Vec<_>, _> =
        pems.iter().enumerate().map(|(index, pem)| Served::new(index, pem, provider)).collect();
    let keys = Arc::new(ByServerName(served?));
    if keys.0.is_empty() {
        return Err(Error::Empty);
    }
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(VERSIONS)
        .map_err(Error::Crypto)?
        .with_no_client_auth()
        .with_cert_resolver(keys.clone());
    config.ticketer = tickets.clone();
    // Early data could be replayed: a MAIL or STORE executed twice (RFC 8446 §8).
    config.max_early_data_size = 0;
    Ok(Installed { config: Arc::new(config), keys })
}

/// A certificate, and what a sign-in may bind itself to by it.
#[derive(Debug)]
struct Served {
    key: Arc<CertifiedKey>,
    end_point: Option<Vec<u8>>,
}

impl Served {
    fn new(index: usize, pem: &Pem, provider: &CryptoProvider) -> Result<Self, Error> {
        let chain: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_slice_iter(&pem.chain).collect();
        let chain = chain.map_err(|_| Error::Chain { index })?;
        let end_point = binding::end_point(chain.first().ok_or(Error::Chain { index })?);
        let key = PrivateKeyDer::from_pem_slice(&pem.key).map_err(|_| Error::Key { index })?;
        let refused = |reason| Error::Refused { index, reason };
        Ok(Self { key: Arc::new(CertifiedKey::from_der(chain, key, provider).map_err(refused)?), end_point })
    }
}

/// The certificate says itself which names it is good for (RFC 9525), so no list beside it can disagree.
#[derive(Debug)]
struct ByServerName(Vec<Served>);

impl ByServerName {
    fn choose(&self, name: Option<&str>) -> Option<&Served> {
        let named = name.and_then(|name| {
            let name = ServerName::try_from(name).ok()?;
            self.0.iter().find(|served| is_good_for(&served.key, &name))
        });
        named.or(self.0.first())
    }
}

impl ResolvesServerCert for ByServerName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name()).map(|served| served.key.clone())
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
        ..TlsFacts::default()
    }
}

/// The name that a client tells. An address is not told (RFC 6066 §3).
pub(crate) fn sni(name: &ServerName<'_>) -> Option<String> {
    match name {
        ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
        _ => None,
    }
}
