//! A client of SCRAM (RFC 5802, RFC 7677), for transcripts: what it answers depends on nonces and salts that no file can
//! hold. And the keys that a fake server has.

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::sasl::{ScramHash, ScramKeys};

/// Few, because transcripts are played hundreds of times.
const ROUNDS: u32 = 100;

/// What a client says last, and what it then expects to hear; both in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The client's final message.
    pub last: Vec<u8>,
    /// The server's final message.
    pub signature: Vec<u8>,
}

/// The proof of a password, after these first messages of client and server, in base64. Nothing is bound to the channel.
///
/// # Errors
/// A message that is not what RFC 5802 §7 asks for.
pub fn prove(hash: ScramHash, password: &str, first: &[u8], challenge: &[u8]) -> Result<Proof, String> {
    let (first, challenge) = (decoded(first)?, decoded(challenge)?);
    let bare = first.splitn(3, ',').nth(2).ok_or("the client's first message has no header")?;
    let attribute = |name: &str| {
        let found = challenge.split(',').find_map(|attribute| attribute.strip_prefix(name));
        found.ok_or(format!("{challenge:?} has no {name}"))
    };
    let salt = STANDARD.decode(attribute("s=")?).map_err(|_| "the salt is not base64")?;
    let rounds = attribute("i=")?.parse().map_err(|_| "the rounds are no number")?;
    let header = STANDARD.encode(&first[..first.len() - bare.len()]);
    let without_proof = format!("c={header},r={}", attribute("r=")?);
    let authenticated = format!("{bare},{challenge},{without_proof}");
    let salted = salted(hash, password, &salt, rounds);
    let client_key = mac(hash, &salted, b"Client Key");
    let signature = mac(hash, &digested(hash, &client_key), authenticated.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();
    let server = mac(hash, &mac(hash, &salted, b"Server Key"), authenticated.as_bytes());
    Ok(Proof {
        last: STANDARD.encode(format!("{without_proof},p={}", STANDARD.encode(proof))).into_bytes(),
        signature: STANDARD.encode(format!("v={}", STANDARD.encode(server))).into_bytes(),
    })
}

/// The keys of a password, always with the same salt.
pub(crate) fn keys(hash: ScramHash, password: &str) -> ScramKeys {
    let salt = b"sixteen octets..".to_vec();
    let salted = salted(hash, password, &salt, ROUNDS);
    ScramKeys {
        stored_key: digested(hash, &mac(hash, &salted, b"Client Key")),
        server_key: mac(hash, &salted, b"Server Key"),
        iterations: ROUNDS,
        salt,
    }
}

fn decoded(base64: &[u8]) -> Result<String, String> {
    let octets = STANDARD.decode(base64).map_err(|_| "a message is not base64")?;
    String::from_utf8(octets).map_err(|_| "a message is not UTF-8".into())
}

fn salted(hash: ScramHash, password: &str, salt: &[u8], rounds: u32) -> Vec<u8> {
    let (algorithm, size) = match hash {
        ScramHash::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
        ScramHash::Sha1 => (pbkdf2::PBKDF2_HMAC_SHA1, digest::SHA1_OUTPUT_LEN),
    };
    let rounds = rounds.try_into().unwrap_or(std::num::NonZeroU32::MIN);
    let mut salted = vec![0; size];
    pbkdf2::derive(algorithm, rounds, salt, password.as_bytes(), &mut salted);
    salted
}

fn mac(hash: ScramHash, key: &[u8], message: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        ScramHash::Sha256 => hmac::HMAC_SHA256,
        ScramHash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    };
    hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec()
}

fn digested(hash: ScramHash, message: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        ScramHash::Sha256 => &digest::SHA256,
        ScramHash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
    };
    digest::digest(algorithm, message).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677 §3.
    #[test]
    fn the_proof_is_that_of_the_example() {
        let first = STANDARD.encode("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let challenge = STANDARD.encode(format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
        let proof = prove(ScramHash::Sha256, "pencil", first.as_bytes(), challenge.as_bytes()).unwrap();
        let last = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(proof.last, STANDARD.encode(last).into_bytes());
        let signature = STANDARD.encode("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(proof.signature, signature.into_bytes());
    }
}
