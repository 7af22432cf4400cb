//! What the exchanges of one connection stand on: nonces that nobody can foretell, and the TLS layer beneath.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::limits::SASL_NONCE_OCTETS;
use crate::session::TlsFacts;

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
}

/// A connection, as its sign-ins see it.
#[derive(Debug, Clone)]
pub struct Channel {
    seed: Seed,
    /// Exchanges that were begun.
    begun: u64,
    exporter: Option<[u8; 32]>,
    end_point: Option<Vec<u8>>,
}

impl Channel {
    /// A connection without TLS, until [`secured`](Self::secured).
    pub fn new(seed: Seed) -> Self {
        Self { seed, begun: 0, exporter: None, end_point: None }
    }

    /// What its nonces are made from.
    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// The connection is TLS now.
    pub fn secured(&mut self, tls: &TlsFacts) {
        self.exporter = tls.exporter;
        self.end_point = tls.end_point.clone();
    }

    /// What the next exchange stands on.
    pub fn binding(&mut self) -> Binding {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.seed.0);
        let tag = hmac::sign(&key, &self.begun.to_be_bytes());
        self.begun += 1;
        Binding {
            tls_exporter: self.exporter.map(|octets| octets.to_vec()),
            tls_server_end_point: self.end_point.clone(),
            nonce: STANDARD.encode(&tag.as_ref()[..SASL_NONCE_OCTETS]),
        }
    }
}
