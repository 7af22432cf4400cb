//! What the exchanges of one connection stand on: nonces that nobody can foretell, and the TLS layer beneath.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::limits::SASL_NONCE_OCTETS;
use crate::session::{ClientCertificate, TlsFacts};

/// Random octets for the nonces of one connection, drawn for it alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// What an exchange may bind itself to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Binding {
    /// `tls-exporter` (RFC 9266).
    pub tls_exporter: Option<Vec<u8>>,
    /// `tls-server-end-point` (RFC 5929 §4).
    pub tls_server_end_point: Option<Vec<u8>>,
    /// For this exchange alone: printable ASCII without a comma (RFC 5802 §5.1).
    pub nonce: String,
    /// For this exchange alone: digits, a dot, digits, and our host name, as RFC 2195 §2 writes a challenge.
    pub message_id: String,
    /// The certificate that the client has shown in the handshake.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// Its chain leads to an authority we trust.
    pub certificate_verified: bool,
}

/// A connection, as its sign-ins see it.
#[derive(Debug, Clone)]
pub struct Channel {
    seed: Seed,
    /// Exchanges that were begun.
    begun: u64,
    exporter: Option<[u8; 32]>,
    end_point: Option<Vec<u8>>,
    certificate: Option<Arc<ClientCertificate>>,
    certificate_verified: bool,
}

impl Channel {
    /// A connection without TLS, until [`secured`](Self::secured).
    pub fn new(seed: Seed) -> Self {
        Self {
            seed,
            begun: 0,
            exporter: None,
            end_point: None,
            certificate: None,
            certificate_verified: false,
        }
    }

    /// What its nonces are made from.
    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// The connection is TLS now.
    pub fn secured(&mut self, tls: &TlsFacts) {
        self.exporter = tls.exporter;
        self.end_point = tls.end_point.clone();
        self.certificate = tls.certificate.clone();
        self.certificate_verified = tls.verified;
    }

    /// What the next exchange stands on, on the server of this name.
    pub fn binding(&mut self, host_name: &str) -> Binding {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.seed.0);
        let tag = hmac::sign(&key, &self.begun.to_be_bytes());
        self.begun += 1;
        Binding {
            tls_exporter: self.exporter.map(|octets| octets.to_vec()),
            tls_server_end_point: self.end_point.clone(),
            nonce: STANDARD.encode(&tag.as_ref()[..SASL_NONCE_OCTETS]),
            message_id: message_id(tag.as_ref(), host_name),
            certificate: self.certificate.clone(),
            certificate_verified: self.certificate_verified,
        }
    }
}

/// RFC 2195 §2 has a time stamp after the first dot, so that no challenge is met twice; here, too, it is chance that sees
/// to that, because a session has no clock that another server has not.
fn message_id(tag: &[u8], host_name: &str) -> String {
    let number = |octets: &[u8]| octets.iter().fold(0u64, |number, &octet| number << 8 | u64::from(octet));
    format!("<{}.{}@{host_name}>", number(&tag[..8]), number(&tag[8..16]))
}
