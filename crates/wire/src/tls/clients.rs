//! Certificates of clients: asked for, and trusted only if their chain leads to an authority that the settings name.
//!
//! A server may go on with a client whose certificate it does not trust, as with one that has shown none, or refuse it
//! (RFC 8446 §4.4.2.4). Where a certificate is *wanted* we go on: a mail server that sends to us shows whatever
//! certificate it has as soon as it is asked, and could not deliver otherwise. The session is told whose certificate it is,
//! and that it is not trusted. Where one is *required* the handshake fails.
//!
//! The client proves in either case that it has the key. Whether to trust the certificate is decided when the handshake
//! is done, also when it was resumed: rustls keeps the certificate in the ticket, and since then it may have expired.

use std::fmt;
use std::io;
use std::sync::Arc;

use protocol::session::ClientCertificate;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::{Error, shown, towards};

/// Whether clients are asked for a certificate.
#[derive(Debug, Clone, Default)]
pub enum ClientCertificates {
    /// They are not.
    #[default]
    Off,
    /// They are; who has none is served all the same. Without authorities none is trusted, but sessions are told of it.
    Wanted(Option<Authorities>),
    /// They are; who has none that is trusted is not served.
    Required(Authorities),
}

/// Whose certificates are trusted.
#[derive(Clone)]
pub struct Authorities(Arc<RootCertStore>);

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorities").field("certificates", &self.0.len()).finish()
    }
}

impl Authorities {
    /// Those in these files of one or more `CERTIFICATE` blocks each.
    ///
    /// # Errors
    /// [`Error::Authority`], with the place of the file; [`Error::Empty`] if there is none.
    pub fn new(pems: &[Vec<u8>]) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        for (index, pem) in pems.iter().enumerate() {
            towards::add(&mut roots, pem).ok_or(Error::Authority { index })?;
        }
        if roots.is_empty() {
            return Err(Error::Empty);
        }
        Ok(Self(Arc::new(roots)))
    }
}

/// [`ClientCertificates`], ready to verify.
pub(super) struct Clients {
    /// What a handshake asks.
    asks: Option<Arc<dyn ClientCertVerifier>>,
    trusts: Option<Arc<dyn ClientCertVerifier>>,
    required: bool,
}

impl Clients {
    pub(super) fn new(asked: &ClientCertificates, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let verifier = |authorities: &Authorities| -> Result<Arc<dyn ClientCertVerifier>, Error> {
            // It says no only to an empty list, which `Authorities` cannot be.
            WebPkiClientVerifier::builder_with_provider(authorities.0.clone(), provider.clone())
                .build()
                .map_err(|_| Error::Empty)
        };
        Ok(match asked {
            ClientCertificates::Off => Self { asks: None, trusts: None, required: false },
            ClientCertificates::Wanted(authorities) => Self {
                asks: Some(Arc::new(Wanted(provider.signature_verification_algorithms))),
                trusts: authorities.as_ref().map(verifier).transpose()?,
                required: false,
            },
            ClientCertificates::Required(authorities) => {
                let verifier = verifier(authorities)?;
                Self { asks: Some(verifier.clone()), trusts: Some(verifier), required: true }
            }
        })
    }

    /// What a handshake asks; none where nothing is asked for.
    pub(super) fn verifier(&self) -> Option<Arc<dyn ClientCertVerifier>> {
        self.asks.clone()
    }

    /// What is known of the client by its certificate, the first of these, and whether we trust it.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`]: one that we trust is required, and there is none.
    pub(super) fn shown(&self, chain: Option<&[CertificateDer<'static>]>) -> io::Result<(Shown, bool)> {
        let (own, others) = match chain.and_then(<[_]>::split_first) {
            Some(chain) if self.asks.is_some() => chain,
            _ if self.required => return Err(io::ErrorKind::PermissionDenied.into()),
            _ => return Ok((None, false)),
        };
        let trusts = |verifier: &Arc<dyn ClientCertVerifier>| {
            verifier.verify_client_cert(own, others, UnixTime::now()).is_ok()
        };
        let trusted = self.trusts.as_ref().is_some_and(trusts);
        if self.required && !trusted {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let certificate = shown::client(own).map(Arc::new);
        Ok((certificate.clone(), trusted && certificate.is_some()))
    }
}

/// A client's certificate, if it has shown one.
type Shown = Option<Arc<ClientCertificate>>;

/// Lets the handshake go on, whatever certificate it is and whether there is one. It names no authorities, so that a
/// client shows what it has.
#[derive(Debug)]
struct Wanted(WebPkiSupportedAlgorithms);

impl ClientCertVerifier for Wanted {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
