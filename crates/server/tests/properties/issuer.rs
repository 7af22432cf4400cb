//! Who gives tokens: its keys and its answers over HTTP, and tokens that it signs.
#![allow(clippy::disallowed_methods, reason = "the issuer is not of our world")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::abroad::PATIENCE;
use crate::certified::Pair;

/// What it calls itself in tokens.
pub(crate) const NAME: &str = "https://issuer.example";
/// Whom its tokens are for.
pub(crate) const AUDIENCE: &str = "mail.here.example";
/// What we are to it.
pub(crate) const CLIENT: &str = "waxseal";
/// Our secret there.
pub(crate) const SECRET: &str = "secret of waxseal";

/// A running issuer. Its threads end with the test program.
pub(crate) struct Issuer {
    key: Arc<EcdsaKeyPair>,
    port: u16,
    scheme: &'static str,
}

impl Issuer {
    /// In clear text, or by TLS with this certificate for 127.0.0.1.
    pub(crate) fn start(certificate: Option<&Pair>) -> Self {
        let key = Arc::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let tls = certificate.map(|pair| Arc::new(server_config(pair)));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let pages = key.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (pages, tls) = (pages.clone(), tls.clone());
                // A client that leaves early is no failure of the issuer.
                thread::spawn(move || serve(stream, &pages, tls).ok());
            }
        });
        Self { key, port, scheme }
    }

    /// Where its keys are.
    pub(crate) fn keys(&self) -> String {
        format!("{}://127.0.0.1:{}/keys", self.scheme, self.port)
    }

    /// Where it is asked about tokens.
    pub(crate) fn introspection(&self) -> String {
        format!("{}://127.0.0.1:{}/introspect", self.scheme, self.port)
    }

    /// A token for this address, good for an hour.
    pub(crate) fn token(&self, email: &str) -> String {
        self.token_for(email, AUDIENCE, 3600)
    }

    /// A token for this address and audience, good for so many seconds; its claim `login` names Bob, whoever it is for.
    pub(crate) fn token_for(&self, email: &str, audience: &str, seconds: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let end = i64::try_from(now).unwrap() + seconds;
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({ "alg": "ES256", "kid": "one", "typ": "at+jwt" }));
        let claims = part(json!({ "iss": NAME, "aud": audience, "exp": end, "email": email,
            "scope": "mail calendar", "login": "bob@here.example" }));
        let message = format!("{header}.{claims}");
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn server_config(pair: &Pair) -> ServerConfig {
    let chain = CertificateDer::pem_slice_iter(pair.chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap()
}

fn serve(stream: TcpStream, key: &EcdsaKeyPair, tls: Option<Arc<ServerConfig>>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    match tls {
        None => answer(&stream, &stream, key),
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
            let mut stream = StreamOwned::new(connection, stream);
            let mut said = Vec::new();
            answer(&mut stream, &mut said, key)?;
            stream.write_all(&said)?;
            stream.conn.send_close_notify();
            stream.flush()
        }
    }
}

/// One request, one answer.
fn answer(input: impl Read, mut output: impl Write, key: &EcdsaKeyPair) -> std::io::Result<()> {
    let mut input = BufReader::new(input);
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        let line = line.trim_end().to_owned();
        if let Some((_, value)) =
            line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        {
            length = value.parse().unwrap();
        }
        head.push(line);
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    let page = page(&head, &String::from_utf8_lossy(&body), key).to_string();
    let length = page.len();
    write!(output, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}")?;
    output.flush()
}

fn page(head: &[String], body: &str, key: &EcdsaKeyPair) -> Value {
    if head.first().is_some_and(|line| line.starts_with("GET /keys ")) {
        let point = key.public_key().as_ref();
        let base64 = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let (x, y) = (base64(&point[1..33]), base64(&point[33..]));
        return json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "one", "x": x, "y": y }] });
    }
    let form = format!("{CLIENT}:{}", SECRET.replace(' ', "%20"));
    let credentials = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(form));
    let has_secret = head.iter().any(|line| line.ends_with(&credentials));
    // Whose an opaque token is stands in it: `opaque.ann`.
    let token = body.split('&').find_map(|pair| pair.strip_prefix("token=opaque."));
    match token.filter(|_| has_secret) {
        Some(account) => {
            json!({ "active": true, "aud": AUDIENCE, "email": format!("{account}@{}", crate::harness::DOMAIN) })
        }
        None => json!({ "active": false }),
    }
}
