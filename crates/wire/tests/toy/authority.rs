//! A certificate authority of the test's own.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use wire::Trust;
use wire::tls::Pem;

pub struct Authority {
    pub root: CertificateDer<'static>,
    root_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        Self { root: root.der().clone(), root_pem: root.pem(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for a domain or an address.
    pub fn certify(&self, name: &str) -> Pem {
        self.sign(CertificateParams::new(vec![name.to_owned()]).unwrap())
    }

    /// One whose time has passed.
    pub fn certify_expired(&self, name: &str) -> Pem {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Pem {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Pem { chain: certificate.pem().into(), key: key.serialize_pem().into() }
    }

    /// A client that trusts this authority, and is none of ours.
    pub fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config).into()
    }

    /// Our clients, trusting this authority alone.
    pub fn trust(&self) -> Arc<Trust> {
        Arc::new(Trust::only(&[self.root_pem.clone().into_bytes()]).unwrap())
    }
}

/// Its own authority, as many mail servers' certificates are.
pub fn self_signed(name: &str) -> Pem {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    Pem { chain: certificate.pem().into(), key: key.serialize_pem().into() }
}

/// A server that is none of ours, and shows the chain of one with the key of the other.
pub fn server(
    chain: &Pem,
    key: &Pem,
    versions: &[&'static SupportedProtocolVersion],
    tickets: bool,
) -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(&chain.chain).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(&key.key).unwrap();
    let key = provider().key_provider.load_private_key(key).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Shows(Arc::new(CertifiedKey::new(chain, key)))));
    if tickets {
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
    }
    Arc::new(config).into()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

impl Authority {
    /// As [`client`](Self::client); it shows this certificate when it is asked for one, whoever is said to be trusted.
    pub fn client_showing(&self, pem: &Pem, versions: &[&'static SupportedProtocolVersion]) -> TlsConnector {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem.chain).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(&pem.key).unwrap();
        let key = CertifiedKey::from_der(chain, key, &provider()).unwrap();
        let mut config = (**self.client(versions).config()).clone();
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(key));
        config.resumption = Resumption::in_memory_sessions(8);
        Arc::new(config).into()
    }

    /// What servers have to trust, to trust the certificates of clients.
    pub fn authorities(&self) -> wire::tls::Authorities {
        wire::tls::Authorities::new(&[self.root_pem.clone().into_bytes()]).unwrap()
    }
}
