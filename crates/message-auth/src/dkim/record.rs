//! Key records: what a domain publishes in the DNS (RFC 6376 §3.6.1, RFC 8463 §4.2).

use std::fmt;

use aws_lc_rs::digest::Digest;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::Algorithm;
use super::tags::{TagList, colon_separated, without_blanks};
use crate::limits;

/// A key record.
///
/// ```
/// use message_auth::dkim::{Algorithm, KeyRecord};
/// let record = KeyRecord::parse(b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=").unwrap();
/// assert_eq!(record.algorithm(), Algorithm::Ed25519);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    algorithm: Algorithm,
    /// As p= has it, decoded.
    key: Vec<u8>,
    /// t=y: the domain is only testing.
    testing: bool,
    /// t=s: i= must have the domain of d=.
    strict: bool,
}

/// Why a key record does not serve (RFC 6376 §6.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordError {
    /// Against the grammar, of another version, without p=, or longer than `limits` allow.
    Syntax,
    /// h= leaves SHA-256 out.
    Hash,
    /// s= leaves mail out.
    Service,
    /// k= names a key type that is neither RSA nor Ed25519, or p= holds no such key.
    KeyType,
    /// p= is empty: the key has been withdrawn.
    Revoked,
    /// RSA of less than 1,024 bits (RFC 8301 §3.2).
    TooShort,
    /// RSA of more than 4,096 bits.
    TooLong,
}

impl KeyRecord {
    /// For a key of ours.
    pub(crate) fn new(algorithm: Algorithm, key: Vec<u8>) -> Self {
        Self { algorithm, key, testing: false, strict: false }
    }

    /// Reads a record, the strings of its TXT record joined with nothing between (RFC 6376 §3.6.2.2).
    pub fn parse(text: &[u8]) -> Result<Self, RecordError> {
        if text.len() > limits::KEY_RECORD_OCTETS_MAX {
            return Err(RecordError::Syntax);
        }
        let tags = TagList::parse(text).ok_or(RecordError::Syntax)?;
        // RFC 6376 §3.6.1: v= stands first or nowhere.
        match tags.find("v") {
            Some(b"DKIM1") if tags.first() == Some(b"v") => {}
            None => {}
            Some(_) => return Err(RecordError::Syntax),
        }
        let lists = |tag, any: &[&[u8]]| {
            tags.find(tag).is_none_or(|value| colon_separated(value).any(|item| any.contains(&item)))
        };
        if !lists("h", &[b"sha256"]) {
            return Err(RecordError::Hash);
        }
        if !lists("s", &[b"*", b"email"]) {
            return Err(RecordError::Service);
        }
        let flag =
            |name: &[u8]| tags.find("t").is_some_and(|value| colon_separated(value).any(|flag| flag == name));
        let key = BASE64_STANDARD
            .decode(without_blanks(tags.find("p").ok_or(RecordError::Syntax)?))
            .map_err(|_| RecordError::Syntax)?;
        let algorithm = match tags.find("k").unwrap_or(b"rsa") {
            b"rsa" => Algorithm::Rsa,
            b"ed25519" => Algorithm::Ed25519,
            _ => return Err(RecordError::KeyType),
        };
        let record = Self { algorithm, key, testing: flag(b"y"), strict: flag(b"s") };
        record.check_key()?;
        Ok(record)
    }

    /// What signatures the key is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The size of the key: 256 for Ed25519, the modulus of RSA.
    pub fn bits(&self) -> usize {
        match self.algorithm {
            Algorithm::Ed25519 => 256,
            Algorithm::Rsa => rsa_bits(&self.key).expect("the key was checked"),
        }
    }

    /// Whether the domain says that it is only testing (t=y).
    pub fn is_testing(&self) -> bool {
        self.testing
    }

    /// Whether i= must have the very domain of d= (t=s).
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// The record's text, `v=DKIM1; k=rsa; p=...`.
    pub fn text(&self) -> String {
        let flags = match (self.testing, self.strict) {
            (false, false) => "",
            (true, false) => " t=y;",
            (false, true) => " t=s;",
            (true, true) => " t=y:s;",
        };
        format!("v=DKIM1; k={};{flags} p={}", self.algorithm.key_type(), BASE64_STANDARD.encode(&self.key))
    }

    /// The text, cut into the strings of a TXT record, each of at most 255 octets.
    pub fn strings(&self) -> Vec<String> {
        let text = self.text();
        let string = |octets: &[u8]| String::from_utf8(octets.to_vec()).expect("the record is ASCII");
        text.as_bytes().chunks(limits::TXT_STRING_OCTETS_MAX).map(string).collect()
    }

    /// The strings as a zone file has them (RFC 1035 §5.1): quoted, with blanks between. Nothing in them needs escaping.
    pub fn zone_text(&self) -> String {
        let quoted: Vec<_> = self.strings().iter().map(|string| format!("\"{string}\"")).collect();
        quoted.join(" ")
    }

    /// Whether the signature was made over this hash with this key.
    pub(crate) fn verifies(&self, hash: &Digest, signature: &[u8]) -> bool {
        match self.algorithm {
            // RFC 8463 §3: the hash is what is signed.
            Algorithm::Ed25519 => {
                UnparsedPublicKey::new(&ED25519, &self.key).verify(hash.as_ref(), signature)
            }
            Algorithm::Rsa => {
                UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, &self.key)
                    .verify_digest(hash, signature)
            }
        }
        .is_ok()
    }

    fn check_key(&self) -> Result<(), RecordError> {
        match self.algorithm {
            _ if self.key.is_empty() => Err(RecordError::Revoked),
            // RFC 8032 §5.1.5.
            Algorithm::Ed25519 if self.key.len() == 32 => Ok(()),
            Algorithm::Ed25519 => Err(RecordError::KeyType),
            Algorithm::Rsa => match rsa_bits(&self.key).ok_or(RecordError::KeyType)? {
                ..limits::RSA_BITS_MIN => Err(RecordError::TooShort),
                limits::RSA_BITS_MIN..=limits::RSA_BITS_MAX => Ok(()),
                _ => Err(RecordError::TooLong),
            },
        }
    }
}

impl std::error::Error for RecordError {}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "the key record is not well formed",
            Self::Hash => "the key record does not allow SHA-256",
            Self::Service => "the key record is not for mail",
            Self::KeyType => "the key record holds no RSA or Ed25519 key",
            Self::Revoked => "the key has been revoked",
            Self::TooShort => "the key is too short",
            Self::TooLong => "the key is too long",
        })
    }
}

/// The size of an RSA key, as RSAPublicKey or as SubjectPublicKeyInfo.
fn rsa_bits(der: &[u8]) -> Option<usize> {
    let key = rsa::PublicKey::from_der(der).ok()?;
    let modulus = key.modulus();
    let modulus = modulus.big_endian_without_leading_zero();
    Some(modulus.len() * 8 - modulus.first()?.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dkim::SigningKey;

    const ED25519_KEY: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    #[test]
    fn records_are_read_strictly() {
        let ed25519 = Ok((Algorithm::Ed25519, false, false));
        for (text, expected) in [
            ("v=DKIM1; k=ed25519; p=KEY", ed25519),
            ("v=DKIM1; k=ed25519; p=KEY;", ed25519),
            ("k=ed25519;p=KEY", ed25519),
            ("p=KEY; k=ed25519; x=unknown; g=*; n=a note", ed25519),
            ("k=ed25519; p=KEY; h=sha1:sha256; s=other:email", ed25519),
            ("k=ed25519; p=KEY; h= sha256 : sha1; s=*", ed25519),
            ("k=ed25519; p=KEY; t=y", Ok((Algorithm::Ed25519, true, false))),
            ("k=ed25519; p=KEY; t=z : s:y", Ok((Algorithm::Ed25519, true, true))),
            ("", Err(RecordError::Syntax)),
            ("v=spf1 -all", Err(RecordError::Syntax)),
            ("v=DKIM2; k=ed25519; p=KEY", Err(RecordError::Syntax)),
            ("v=dkim1; k=ed25519; p=KEY", Err(RecordError::Syntax)),
            ("k=ed25519; v=DKIM1; p=KEY", Err(RecordError::Syntax)),
            ("v=DKIM1; k=ed25519", Err(RecordError::Syntax)),
            ("k=ed25519; p=KEY; p=KEY", Err(RecordError::Syntax)),
            ("k=ed25519; p=***", Err(RecordError::Syntax)),
            ("k=ed25519; p=", Err(RecordError::Revoked)),
            ("v=DKIM1; p=", Err(RecordError::Revoked)),
            ("k=ed25519; p=KEY; h=sha1", Err(RecordError::Hash)),
            ("k=ed25519; p=KEY; s=tlsrpt", Err(RecordError::Service)),
            ("k=dsa; p=KEY", Err(RecordError::KeyType)),
            ("k=ed25519; p=AAAA", Err(RecordError::KeyType)),
            ("k=rsa; p=KEY", Err(RecordError::KeyType)),
            ("p=KEY", Err(RecordError::KeyType)),
        ] {
            let read = KeyRecord::parse(text.replace("KEY", ED25519_KEY).as_bytes());
            let read = read.map(|record| (record.algorithm(), record.is_testing(), record.is_strict()));
            assert_eq!(read, expected, "{text}");
        }
        let long = format!("k=ed25519; p={ED25519_KEY}; n={}", "x".repeat(limits::KEY_RECORD_OCTETS_MAX));
        assert_eq!(KeyRecord::parse(long.as_bytes()), Err(RecordError::Syntax));
    }

    #[test]
    fn records_are_cut_for_the_dns() {
        let record = SigningKey::generate(Algorithm::Rsa).record();
        let strings = record.strings();
        assert_eq!(strings.iter().map(String::len).collect::<Vec<_>>(), [255, record.text().len() - 255]);
        assert_eq!(strings.concat(), record.text());
        assert_eq!(record.zone_text(), format!("\"{}\" \"{}\"", strings[0], strings[1]));
        assert_eq!(KeyRecord::parse(record.text().as_bytes()), Ok(record.clone()));
        assert_eq!(record.bits(), 2_048);
    }

    #[test]
    fn flags_are_written() {
        for text in ["t=y;", "t=s;", "t=y:s;"] {
            let text = format!("v=DKIM1; k=ed25519; {text} p={ED25519_KEY}");
            assert_eq!(KeyRecord::parse(text.as_bytes()).unwrap().text(), text);
        }
    }
}
