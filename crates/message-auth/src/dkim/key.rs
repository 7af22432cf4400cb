//! Keys that sign: made, kept as PKCS#8, published.

use std::fmt;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mail::Timestamp;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

use super::{KeyRecord, Selector};

/// How a signature is made. Both hash with SHA-256: SHA-1 is history (RFC 8301 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `ed25519-sha256` (RFC 8463): short and fast, not yet checked by everyone.
    Ed25519,
    /// `rsa-sha256` (RFC 6376 §3.3.2): checked by everyone.
    Rsa,
}

/// A private key. Its debug form shows its algorithm alone.
pub struct SigningKey(Pair);

enum Pair {
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// A private key is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// Neither PKCS#8 nor (in PEM) PKCS#1, or damaged.
    Malformed,
    /// Neither Ed25519 nor RSA of 2,048 to 8,192 bits. RFC 8301 §3.2 would allow 1,024 and advises against it.
    Unsuitable,
}

impl Algorithm {
    /// Its name in a=.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519-sha256",
            Self::Rsa => "rsa-sha256",
        }
    }

    /// The key's type in k=.
    pub fn key_type(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
        }
    }

    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        [Self::Ed25519, Self::Rsa].into_iter().find(|algorithm| algorithm.as_str().as_bytes() == name)
    }
}

impl SigningKey {
    /// Makes a key: Ed25519, or RSA of 2,048 bits, which takes a tenth of a second and more.
    ///
    /// # Panics
    /// When the kernel has no randomness to give, which Linux excludes after boot.
    pub fn generate(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Ed25519 => {
                Pair::Ed25519(Ed25519KeyPair::generate().expect("the kernel gives randomness"))
            }
            Algorithm::Rsa => {
                Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("the kernel gives randomness"))
            }
        })
    }

    /// Reads PKCS#8 (RFC 5208; RFC 8410 for Ed25519).
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            return Ok(Self(Pair::Ed25519(pair)));
        }
        RsaKeyPair::from_pkcs8(der).map(|pair| Self(Pair::Rsa(pair))).map_err(|_| KeyError::Unsuitable)
    }

    /// Reads PEM: `PRIVATE KEY` (PKCS#8), or `RSA PRIVATE KEY` (PKCS#1), which other signers' tools write.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
            Ok(PrivateKeyDer::Pkcs8(der)) => Self::from_pkcs8(der.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(der)) => RsaKeyPair::from_der(der.secret_pkcs1_der())
                .map(|pair| Self(Pair::Rsa(pair)))
                .map_err(|_| KeyError::Unsuitable),
            Ok(_) => Err(KeyError::Unsuitable),
            Err(_) => Err(KeyError::Malformed),
        }
    }

    /// Reads the 32 octets of an Ed25519 key (RFC 8032 §5.1.5), which is how RFC 8463 and dkimpy keep it, in base64.
    pub fn from_ed25519_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(|pair| Self(Pair::Ed25519(pair)))
            .map_err(|_| KeyError::Unsuitable)
    }

    /// The key as PKCS#8, version 1, in DER: a secret.
    pub fn to_pkcs8(&self) -> Vec<u8> {
        match &self.0 {
            Pair::Ed25519(pair) => pair.to_pkcs8v1().expect("a key can be written").as_ref().to_vec(),
            Pair::Rsa(pair) => pair.as_der().expect("a key can be written").as_ref().to_vec(),
        }
    }

    /// The key as PKCS#8 in PEM (RFC 7468 §10), lines ended by LF: a secret.
    pub fn to_pem(&self) -> String {
        let text = BASE64_STANDARD.encode(self.to_pkcs8());
        let lines =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is ASCII"));
        let lines: String = lines.flat_map(|line| [line, "\n"]).collect();
        format!("-----BEGIN PRIVATE KEY-----\n{lines}-----END PRIVATE KEY-----\n")
    }

    /// How this key signs.
    pub fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Pair::Ed25519(_) => Algorithm::Ed25519,
            Pair::Rsa(_) => Algorithm::Rsa,
        }
    }

    /// What the domain must publish for it.
    pub fn record(&self) -> KeyRecord {
        KeyRecord::new(self.algorithm(), self.public_key())
    }

    /// A selector for a key made at this time, such as `ed25519-20261122-5f3a9c`. The end comes from the public key, so that no
    /// second key ever gets the name of another (RFC 6376 §3.1 advises against reuse).
    pub fn selector(&self, made: Timestamp) -> Selector {
        let day: String = made.to_string().chars().take(10).filter(char::is_ascii_digit).collect();
        let print = digest(&SHA256, &self.public_key());
        let [a, b, c] = [0, 1, 2].map(|at| print.as_ref()[at]);
        let text = format!("{}-{day}-{a:02x}{b:02x}{c:02x}", self.algorithm().key_type());
        Selector::parse(&text).expect("letters, digits and hyphens")
    }

    /// The signature over a hash (RFC 6376 §3.3.2; RFC 8463 §3 signs the hash as if it were the text). Always the same for
    /// the same hash.
    pub(crate) fn sign(&self, hash: &Digest) -> Vec<u8> {
        match &self.0 {
            Pair::Ed25519(pair) => pair.sign(hash.as_ref()).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(&RSA_PKCS1_SHA256, hash, &mut signature).expect("the hash fits the key");
                signature
            }
        }
    }

    /// As p= has it. RFC 6376 §3.6.1 says RSAPublicKey, its appendix C and everyone write SubjectPublicKeyInfo.
    fn public_key(&self) -> Vec<u8> {
        match &self.0 {
            Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Rsa(pair) => pair.public_key().as_der().expect("a key can be written").as_ref().to_vec(),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm().key_type())
    }
}

impl std::error::Error for KeyError {}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the text is no private key in PEM",
            Self::Unsuitable => "the key is neither Ed25519 nor RSA of 2,048 to 8,192 bits",
        })
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8463 appendix A.1.
    const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    /// RFC 8410 §10.3, version 1.
    const RFC_8410: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";

    fn rfc_8463() -> SigningKey {
        SigningKey::from_ed25519_seed(&BASE64_STANDARD.decode(SEED).unwrap().try_into().unwrap()).unwrap()
    }

    #[test]
    fn keys_come_back_from_where_they_are_kept() {
        for algorithm in [Algorithm::Ed25519, Algorithm::Rsa] {
            let key = SigningKey::generate(algorithm);
            let hash = digest(&SHA256, b"text");
            for other in [
                SigningKey::from_pkcs8(&key.to_pkcs8()).unwrap(),
                SigningKey::from_pem(&key.to_pem()).unwrap(),
            ] {
                assert_eq!((other.algorithm(), other.record()), (algorithm, key.record()));
                assert_eq!(other.sign(&hash), key.sign(&hash));
            }
            assert!(key.record().verifies(&hash, &key.sign(&hash)));
            assert!(!key.record().verifies(&digest(&SHA256, b"other"), &key.sign(&hash)));
            assert_ne!(SigningKey::generate(algorithm).record(), key.record());
            assert!(!format!("{key:?}").contains(&BASE64_STANDARD.encode(key.to_pkcs8())[40..60]));
        }
    }

    #[test]
    fn pem_is_written_as_others_write_it() {
        assert_eq!(SigningKey::from_pem(RFC_8410).unwrap().to_pem(), RFC_8410);
        let rsa = SigningKey::generate(Algorithm::Rsa);
        assert!(rsa.to_pem().lines().all(|line| line.len() <= 64));
        for (pem, expected) in [
            ("", KeyError::Malformed),
            ("-----BEGIN PRIVATE KEY-----\n", KeyError::Malformed),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", KeyError::Unsuitable),
            ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", KeyError::Unsuitable),
        ] {
            assert_eq!(SigningKey::from_pem(pem).unwrap_err(), expected, "{pem}");
        }
        assert_eq!(SigningKey::from_pkcs8(b"").unwrap_err(), KeyError::Unsuitable);
    }

    #[test]
    fn the_key_of_rfc_8463() {
        let key = rfc_8463();
        let text = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        assert_eq!(key.record().text(), text);
        assert_eq!(key.record().strings(), [text]);
    }

    #[test]
    fn selectors_tell_keys_apart() {
        let made = Timestamp(1_795_359_600_000);
        assert_eq!(rfc_8463().selector(made).as_str(), "ed25519-20261122-21fe31");
        let other = SigningKey::generate(Algorithm::Rsa);
        assert!(other.selector(made).as_str().starts_with("rsa-20261122-"));
        assert_ne!(other.selector(made), SigningKey::generate(Algorithm::Rsa).selector(made));
    }
}
