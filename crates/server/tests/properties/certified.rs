//! Certificates of the test's own authorities, for servers and clients.
#![allow(clippy::disallowed_methods, reason = "files of a test")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mail::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use world::Clock;

/// Who certifies.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// For a server of these names or addresses, or a client.
    pub(crate) fn certify(&self, names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    /// The same for a server, for three months.
    pub(crate) fn certify_as_usual(&self, names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        let now = Clock::Real.wall();
        let [begin, end] = [-1, 90].map(|days| day(now.plus_days(days)));
        params.not_before = date_time_ymd(begin.0, begin.1, begin.2);
        params.not_after = date_time_ymd(end.0, end.1, end.2);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { chain, key: key.serialize_pem() }
    }

    /// For a person, by the address of his mail.
    pub(crate) fn certify_person(&self, email: &str) -> Pair {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::Rfc822Name(email.try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    /// A client that believes this authority alone.
    pub(crate) fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        client(&self.pem, versions)
    }
}

/// A client that believes this authority alone, and resumes nothing.
pub(crate) fn believing(pem: &str) -> Arc<ClientConfig> {
    client(pem, rustls::DEFAULT_VERSIONS)
}

fn client(pem: &str, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_protocol_versions(versions)
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

impl Pair {
    /// Writes `NAME.pem` and `NAME.key`, each whole, as somebody who renews certificates does.
    pub(crate) fn write(&self, directory: &Path, name: &str) {
        put(&directory.join(format!("{name}.pem")), &self.chain);
        put(&directory.join(format!("{name}.key")), &self.key);
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        CertificateDer::from_pem_slice(self.chain.as_bytes()).unwrap().to_vec()
    }
}

/// Year, month and day of a moment.
fn day(at: Timestamp) -> (i32, u8, u8) {
    let text = at.to_string();
    let number = |range: std::ops::Range<usize>| text[range].parse::<u16>().expect("digits");
    let [month, day] = [number(5..7), number(8..10)].map(|number| u8::try_from(number).expect("two digits"));
    (i32::from(number(0..4)), month, day)
}

/// Writes a file whole.
pub(crate) fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// What a client shows when it is asked for a certificate, and whether it was asked.
#[derive(Debug)]
pub(crate) struct Shows {
    key: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
}

impl Shows {
    /// The same client, which shows this certificate, or has none.
    pub(crate) fn by(client: &ClientConfig, pair: Option<&Pair>) -> (Arc<ClientConfig>, Arc<Self>) {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = pair.map(|pair| {
            let chain = CertificateDer::pem_slice_iter(pair.chain.as_bytes()).map(Result::unwrap).collect();
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            Arc::new(CertifiedKey::from_der(chain, key, &provider).unwrap())
        });
        let shows = Arc::new(Self { key, asked: AtomicBool::new(false) });
        let mut config = client.clone();
        config.client_auth_cert_resolver = shows.clone();
        (Arc::new(config), shows)
    }

    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::SeqCst);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}
