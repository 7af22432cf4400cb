//! TLS 1.2 and 1.3, by rustls, which knows no renegotiation and no compression. Here for servers: certificates by
//! server name, resumption by tickets, no early data, clients' certificates where they are asked for, and the answer to
//! an ACME authority that asks by TLS (RFC 8737). [`Towards`] is the client's side.

mod binding;
mod clients;
mod keys;
mod shown;
mod towards;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use protocol::TlsFacts;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ProducesTickets};
use rustls::{CommonState, ServerConfig, ServerConnection, SupportedProtocolVersion};
use rustls_pki_types::ServerName;

use clients::Clients;
use keys::Keys;

pub use clients::{Authorities, ClientCertificates};
pub use shown::Shown;
pub use towards::{Towards, Trust, Verification};

/// What we speak, as server and as client.
const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// A certificate chain, the server's own first, and its private key, both as PEM.
#[derive(Clone, PartialEq, Eq)]
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

/// The oldest version of TLS that a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Minimum {
    /// TLS 1.2 (RFC 8996 has buried everything before it).
    #[default]
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// How a virtual server shakes hands.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The oldest version.
    pub minimum: Minimum,
    /// Whether clients are asked for certificates.
    pub clients: ClientCertificates,
}

/// The certificates of the server, and the terms on which a virtual server shows them. They can be replaced while
/// connections live: the next handshake sees the new ones, and tickets given out before stay good.
pub struct Certificates {
    store: Arc<Store>,
    clients: Clients,
    /// For handshakes of every kind; it lacks the keys.
    template: ServerConfig,
    /// The template with the keys that were the last ones when it was made.
    ready: Mutex<Ready>,
}

/// What all virtual servers share.
struct Store {
    keys: RwLock<Arc<Keys>>,
    provider: Arc<CryptoProvider>,
    /// Where clients are asked for nothing, one virtual server resumes what another began.
    tickets: Arc<dyn ProducesTickets>,
}

#[derive(Clone)]
struct Ready {
    keys: Arc<Keys>,
    config: Arc<ServerConfig>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// A client that asks for a name gets the first certificate that is good for it. Without a name, or where none is
    /// good, it gets the first of all. The terms are those of [`Terms::default`].
    ///
    /// # Errors
    /// The first certificate that cannot be used.
    pub fn new(pems: &[Pem]) -> Result<Self, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let keys = RwLock::new(Arc::new(Keys::new(pems, &provider)?));
        let tickets = tickets()?;
        Self::with_store(Arc::new(Store { keys, provider, tickets }), &Terms::default())
    }

    /// The same certificates on other terms: what is replaced in one is replaced in both.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn on(&self, terms: &Terms) -> Result<Self, Error> {
        Self::with_store(self.store.clone(), terms)
    }

    fn with_store(store: Arc<Store>, terms: &Terms) -> Result<Self, Error> {
        let clients = Clients::new(&terms.clients, &store.provider)?;
        let template = template(&store, terms, &clients)?;
        let ready = Mutex::new(Ready::new(&template, store.keys()));
        Ok(Self { store, clients, template, ready })
    }

    /// Puts other certificates in their place, for every virtual server.
    ///
    /// # Errors
    /// As [`new`](Self::new); the present ones stay.
    pub fn replace(&self, pems: &[Pem]) -> Result<(), Error> {
        let mut keys = Keys::new(pems, &self.store.provider)?;
        let mut present = self.store.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.challenges = present.challenges.clone();
        *present = Arc::new(keys);
        Ok(())
    }

    /// Answers ACME authorities that ask by TLS, instead of those answered before: for each name the certificate of RFC
    /// 8737 §3. None is shown to anybody else.
    ///
    /// # Errors
    /// The first certificate that cannot be used; those answered before stay.
    pub fn answer_challenges(&self, challenges: &[(String, Pem)]) -> Result<(), Error> {
        let challenges = keys::challenges(challenges, &self.store.provider)?;
        let mut present = self.store.keys.write().unwrap_or_else(PoisonError::into_inner);
        *present = Arc::new(Keys { served: present.served.clone(), challenges });
        Ok(())
    }

    /// What the certificates say of themselves, in their order.
    pub fn shown(&self) -> Vec<Shown> {
        self.store.keys().served.iter().filter_map(|served| Shown::of(served.certificate()?)).collect()
    }

    /// The server's side of a handshake.
    pub(crate) fn handshake(&self) -> Handshake<'_> {
        let keys = self.store.keys();
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&ready.keys, &keys) {
            *ready = Ready::new(&self.template, keys);
        }
        Handshake { ready: ready.clone(), clients: &self.clients }
    }
}

impl Store {
    fn keys(&self) -> Arc<Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Ready {
    fn new(template: &ServerConfig, keys: Arc<Keys>) -> Self {
        let mut config = template.clone();
        config.cert_resolver = keys.clone();
        Self { keys, config: Arc::new(config) }
    }
}

fn tickets() -> Result<Arc<dyn ProducesTickets>, Error> {
    aws_lc_rs::Ticketer::new().map_err(Error::Crypto)
}

fn template(store: &Store, terms: &Terms, clients: &Clients) -> Result<ServerConfig, Error> {
    let versions = match terms.minimum {
        Minimum::V1_2 => VERSIONS,
        Minimum::V1_3 => &VERSIONS[..1],
    };
    let builder = ServerConfig::builder_with_provider(store.provider.clone())
        .with_protocol_versions(versions)
        .map_err(Error::Crypto)?;
    let builder = match clients.verifier() {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(store.keys());
    // Who showed no certificate, because nobody asked, must not resume where one is asked for.
    config.ticketer = if clients.verifier().is_some() { tickets()? } else { store.tickets.clone() };
    // Ours is the order of strength; a client's may be whatever its library had years ago.
    config.ignore_client_order = true;
    // Early data could be replayed: a MAIL or STORE executed twice (RFC 8446 §8).
    config.max_early_data_size = 0;
    Ok(config)
}

/// A handshake, with the certificates that there were when it began.
pub(crate) struct Handshake<'a> {
    ready: Ready,
    clients: &'a Clients,
}

impl Handshake<'_> {
    /// How to go on after the client's first message.
    pub(crate) fn config(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        match self.ready.keys.challenge(hello) {
            Some(challenge) => {
                let mut config = (*self.ready.config).clone();
                config.cert_resolver = challenge;
                config.alpn_protocols = vec![keys::ACME_TLS.to_vec()];
                Arc::new(config)
            }
            None => self.ready.config.clone(),
        }
    }

    /// What the session is told when it is done.
    ///
    /// # Errors
    /// There is no session: the peer is an ACME authority that has seen what it wanted (RFC 8737 §3), or one that
    /// resumes without the certificate that is required.
    pub(crate) fn facts(&self, connection: &ServerConnection) -> io::Result<TlsFacts> {
        if connection.alpn_protocol() == Some(keys::ACME_TLS) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "an ACME authority has asked"));
        }
        let (certificate, verified) = self.clients.shown(connection.peer_certificates())?;
        let server_name = connection.server_name().map(str::to_ascii_lowercase);
        let served = self.ready.keys.choose(connection.server_name());
        Ok(TlsFacts {
            exporter: binding::exporter(connection),
            // In a resumed session it is the certificate of the first handshake that counts (RFC 5929 §4). If that was
            // replaced since, such a sign-in fails, and the next connection does not resume.
            end_point: served.and_then(|served| served.end_point.clone()),
            certificate,
            ..facts(connection, server_name, verified)
        })
    }
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
