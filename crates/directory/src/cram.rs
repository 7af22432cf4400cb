//! What is kept of a password for CRAM-MD5 (RFC 2195), and how an answer is compared with it.
//!
//! HMAC-MD5 hashes one block made of the key before the message, twice. What MD5 has become after those two blocks is
//! enough to verify, so that is kept, and not the password. Whoever steals it can sign in by CRAM-MD5, and guess at the
//! password faster than by anything else that is kept: hence only for accounts that are told to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::block_api::compress;
use subtle::ConstantTimeEq;

use crate::Directory;
use crate::passwords::Password;
use crate::sign_in::{Origin, Principal, SignIn};
use store::Error;

/// A login that answered a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whom it says it is: an address, or a local part of the oldest domain.
    pub login: String,
    /// What it was sent.
    pub challenge: Vec<u8>,
    /// What it answered.
    pub digest: [u8; 16],
}

/// Octets that MD5 takes at a time.
const BLOCK: usize = 64;
/// RFC 1321 §3.3.
const BEGINNING: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// MD5 after the inner block of the key, and after the outer one (RFC 2104 §2).
#[derive(Clone, PartialEq, Eq)]
struct Key {
    inner: [u32; 4],
    outer: [u32; 4],
}

impl Key {
    fn of(password: &Password) -> Self {
        let mut block = [0; BLOCK];
        match password.0.as_bytes() {
            long if long.len() > BLOCK => block[..16].copy_from_slice(&finish(BEGINNING, 0, long)),
            key => block[..key.len()].copy_from_slice(key),
        }
        let after = |pad: u8| {
            let mut state = BEGINNING;
            compress(&mut state, &[block.map(|octet| octet ^ pad)]);
            state
        };
        Self { inner: after(0x36), outer: after(0x5c) }
    }

    /// For a login that keeps none: the same at each question, and nobody knows what fits it.
    fn invented(secret: &[u8; 32], login: &str) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(secret);
        hasher.update(b"CRAM-MD5\0");
        hasher.update(login.as_bytes());
        let mut octets = [0; 32];
        hasher.finalize_xof().fill(&mut octets);
        Self::from_octets(&octets)
    }

    fn digest(&self, challenge: &[u8]) -> [u8; 16] {
        finish(self.outer, 1, &finish(self.inner, 1, challenge))
    }

    fn from_octets(octets: &[u8; 32]) -> Self {
        let word = |place: usize| {
            let octets = octets[4 * place..][..4].try_into().expect("four octets are four octets");
            u32::from_le_bytes(octets)
        };
        Self { inner: std::array::from_fn(word), outer: std::array::from_fn(|place| word(place + 4)) }
    }

    fn read(stored: &str) -> Option<Self> {
        let octets = STANDARD.decode(stored).ok()?;
        Some(Self::from_octets(octets.as_slice().try_into().ok()?))
    }

    fn write(&self) -> String {
        STANDARD.encode([octets_of(self.inner), octets_of(self.outer)].concat())
    }
}

/// MD5 of what came before, so many blocks, and of this (RFC 1321 §3.1 to §3.5).
fn finish(mut state: [u32; 4], blocks_before: usize, message: &[u8]) -> [u8; 16] {
    let bits = 8 * (blocks_before * BLOCK + message.len()) as u64;
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(BLOCK) - 8, 0);
    padded.extend(bits.to_le_bytes());
    let (blocks, _) = padded.as_chunks::<BLOCK>();
    compress(&mut state, blocks);
    octets_of(state)
}

fn octets_of(state: [u32; 4]) -> [u8; 16] {
    let mut octets = [0; 16];
    for (octets, word) in octets.chunks_mut(4).zip(state) {
        octets.copy_from_slice(&word.to_le_bytes());
    }
    octets
}

/// What the store keeps of a password for CRAM-MD5.
pub(crate) fn stored(password: &Password) -> String {
    Key::of(password).write()
}

impl Directory {
    /// Who it is that has answered a challenge. Whoever keeps nothing for CRAM-MD5, or is not known, is compared with what
    /// was invented for it: the same work, the same reply.
    pub async fn answered(&self, answer: Answer, origin: &Origin) -> SignIn {
        let login = answer.login.clone();
        self.through_the_door(origin, &login, self.find_answered(answer)).await
    }

    async fn find_answered(&self, answer: Answer) -> Result<Option<Principal>, Error> {
        let Answer { login, challenge, digest } = answer;
        let address = self.login(&login).await?.map_or(login, |address| address.to_string());
        let account = self.store.account_by_address(&address).await?;
        let kept = account.as_ref().and_then(|account| Key::read(&account.cram));
        let is_kept = kept.is_some();
        let key = kept.unwrap_or_else(|| Key::invented(&self.store.secret(), &address));
        let fits = bool::from(key.digest(&challenge).ct_eq(&digest));
        if fits && is_kept { self.principal(&address, "").await } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digest: [u8; 16]) -> String {
        digest.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// RFC 2195 §2, RFC 2202 §2.
    #[test]
    fn digests_are_those_of_others() {
        let challenge = "<1896.697170952@postoffice.reston.mci.net>";
        let long = "\u{aa}".repeat(80);
        assert_eq!(long.len(), 160);
        for (password, challenge, digest) in [
            ("tanstaaftanstaaf", challenge, "b913a602c7eda7a495b4e6e7334d3890"),
            ("Jefe", "what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"),
        ] {
            let key = Key::of(&Password(password.into()));
            assert_eq!(hex(key.digest(challenge.as_bytes())), digest);
            assert_eq!(hex(Key::read(&key.write()).unwrap().digest(challenge.as_bytes())), digest);
        }
    }

    #[test]
    fn messages_of_every_length_and_long_passwords() {
        use hmac::{Hmac, KeyInit, Mac};
        for length in 0..200 {
            let message = vec![b'x'; length];
            let password = "p".repeat(length.max(1));
            let mut hmac = Hmac::<md5::Md5>::new_from_slice(password.as_bytes()).unwrap();
            hmac.update(&message);
            let expected: [u8; 16] = hmac.finalize().into_bytes().into();
            assert_eq!(Key::of(&Password(password)).digest(&message), expected, "{length}");
        }
    }

    #[test]
    fn what_is_invented_stays_and_differs() {
        let digest = |secret, login| Key::invented(&[secret; 32], login).digest(b"<1.2@x.example>");
        assert_eq!(digest(1, "bob@x.example"), digest(1, "bob@x.example"));
        assert_ne!(digest(1, "bob@x.example"), digest(1, "ann@x.example"));
        assert_ne!(digest(1, "bob@x.example"), digest(2, "bob@x.example"));
        for damaged in ["", "AA==", "!", "none"] {
            assert!(Key::read(damaged).is_none());
        }
    }
}
