//! TLS towards a server that we call: whom we trust, and what of the peer's certificate is verified.
//!
//! Between mail servers TLS is opportunistic (RFC 7435): against one who only listens it helps whatever the certificate
//! says, and refusing a bad one would mean to send in clear text. Where the settings want more, the certificate must
//! lead to an authority we trust and be good for the name that was asked for (RFC 9525).

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme, WantsVerifier,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;

use super::{Error, VERSIONS};
use crate::limits::RESUMPTIONS_MAX;

/// What of a server's certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// Nothing: any certificate will do. The handshake is still checked to have been made with that certificate's key.
    None,
    /// The name, whoever vouches for it: for a server that looks at itself.
    Name,
    /// The chain, to an authority we trust, its dates, and the name.
    Certificate,
}

/// Whom our clients trust, and what they keep to resume their TLS sessions with. Shared by all of them.
#[derive(Clone)]
pub struct Trust {
    opportunistic: Arc<ClientConfig>,
    naming: Arc<ClientConfig>,
    verifying: Arc<ClientConfig>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

impl Trust {
    /// Trusts the authorities that the system trusts, and those in `extra_roots_pem`: files of one or more
    /// `CERTIFICATE` blocks each. A system that has no authorities, or some that cannot be read, is no error. Reads
    /// files: call it once.
    ///
    /// # Errors
    /// [`Error::Authority`], with the place in `extra_roots_pem`; [`Error::Crypto`].
    pub fn new(extra_roots_pem: &[Vec<u8>]) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::with_roots(roots, extra_roots_pem)
    }

    /// Trusts these authorities alone, whatever the system says.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn only(roots_pem: &[Vec<u8>]) -> Result<Self, Error> {
        Self::with_roots(RootCertStore::empty(), roots_pem)
    }

    fn with_roots(mut roots: RootCertStore, extra_roots_pem: &[Vec<u8>]) -> Result<Self, Error> {
        for (index, pem) in extra_roots_pem.iter().enumerate() {
            add(&mut roots, pem).ok_or(Error::Authority { index })?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let [opportunistic, naming] = [Names::Any, Names::Its].map(|names| {
            let anyone = Arc::new(Anyone { provider: provider.clone(), names });
            Ok(builder(&provider)?.dangerous().with_custom_certificate_verifier(anyone))
        });
        let verifying = builder(&provider)?.with_root_certificates(roots);
        Ok(Self {
            opportunistic: finish(opportunistic?),
            naming: finish(naming?),
            verifying: finish(verifying),
        })
    }
}

/// Adds all certificates of a file; none if there is none, or one that cannot be an authority.
pub(super) fn add(roots: &mut RootCertStore, pem: &[u8]) -> Option<()> {
    let certificates: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.ok().filter(|certificates| !certificates.is_empty())?;
    certificates.into_iter().try_for_each(|certificate| roots.add(certificate)).ok()
}

fn builder(provider: &Arc<CryptoProvider>) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(VERSIONS)
        .map_err(Error::Crypto)
}

fn finish(builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> Arc<ClientConfig> {
    let mut config = builder.with_no_client_auth();
    // A store of its own for each verifier: no certificate is looked at when a session is resumed.
    config.resumption = Resumption::in_memory_sessions(RESUMPTIONS_MAX);
    // Early data could be replayed: a message sent twice (RFC 8446 §8).
    config.enable_early_data = false;
    Arc::new(config)
}

/// TLS towards one server.
#[derive(Debug, Clone)]
pub struct Towards {
    /// Whom we trust.
    pub trust: Arc<Trust>,
    /// The name that the server must have, and is told (SNI): a domain, or an address, which is not told (RFC 6066 §3).
    pub name: String,
    /// What is verified.
    pub verification: Verification,
}

impl Towards {
    pub(crate) fn verifies(&self) -> bool {
        self.verification == Verification::Certificate
    }

    /// For the handshake. Without verification the name matters little: one that cannot stand in a certificate is not
    /// told, and the unspecified address takes its place.
    pub(crate) fn server_name(&self) -> io::Result<ServerName<'static>> {
        let name = self.name.strip_suffix('.').unwrap_or(&self.name);
        match ServerName::try_from(name.to_ascii_lowercase()) {
            Ok(name) => Ok(name),
            Err(error) if self.verification != Verification::None => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, error))
            }
            Err(_) => Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into()),
        }
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        let config = match self.verification {
            Verification::None => &self.trust.opportunistic,
            Verification::Name => &self.trust.naming,
            Verification::Certificate => &self.trust.verifying,
        };
        config.clone().into()
    }
}

/// Takes any certificate, whoever signed it. That the peer has its key is checked as ever: without that, whoever is in the middle could
/// show the true server's certificate and nobody could tell later.
#[derive(Debug)]
struct Anyone {
    provider: Arc<CryptoProvider>,
    names: Names,
}

/// What a certificate must be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Any,
    /// The name that was asked for.
    Its,
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.names == Names::Its {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
