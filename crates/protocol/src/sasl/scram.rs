//! SCRAM (RFC 5802, RFC 7677): each side proves that it knows the password, or what was made from it, and shows nothing
//! of it; with -PLUS also that there is nobody between them.
//!
//! ```text
//! C: n,,n=user,r=nonce                      gs2-header, client-first-message-bare
//!         ──► Ask::Keys ──► Told::Keys
//! S: r=nonce+ours,s=salt,i=rounds           server-first-message
//! C: c=header and binding,r=…,p=proof       client-final-message
//!         ──► Ask::Disproved                if it does not fit
//! S: v=signature   or e=error               server-final-message
//! C: (empty)       or anything
//!         ──► Ask::Proved                   or Settled(Refused)
//! ```
//!
//! None of our protocols can send data with success, so the last message of the server is a challenge that the client
//! answers with an empty response (RFC 4422 §5, RFC 4954 §4, RFC 5034 §4, RFC 3501 §6.2.2).

mod messages;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use self::messages::{ClientFinal, ClientFirst};
use super::gs2::Flag;
use super::{Ask, Binding, Dialogue, Grounds, KeysWanted, Mechanism, Needs, Progress, Proved};
use super::{ScramHash, ScramKeys, SignIn, Told};
use crate::misuse::Misuse;

/// One of the family.
#[derive(Debug)]
pub(super) struct Scram {
    name: &'static str,
    hash: ScramHash,
    binds: bool,
}

pub(super) const SHA_256_PLUS: Scram =
    Scram { name: "SCRAM-SHA-256-PLUS", hash: ScramHash::Sha256, binds: true };
pub(super) const SHA_1_PLUS: Scram = Scram { name: "SCRAM-SHA-1-PLUS", hash: ScramHash::Sha1, binds: true };
pub(super) const SHA_256: Scram = Scram { name: "SCRAM-SHA-256", hash: ScramHash::Sha256, binds: false };
pub(super) const SHA_1: Scram = Scram { name: "SCRAM-SHA-1", hash: ScramHash::Sha1, binds: false };

impl Mechanism for Scram {
    fn name(&self) -> &'static str {
        self.name
    }

    fn needs(&self) -> Needs {
        if self.binds { Needs::Bindings } else { Needs::Nothing }
    }

    fn start(&self, grounds: Grounds) -> Box<dyn Dialogue> {
        let Self { name, hash, binds } = *self;
        Box::new(Run { mechanism: Scram { name, hash, binds }, grounds, state: State::First })
    }
}

/// One exchange.
#[derive(Debug)]
struct Run {
    mechanism: Scram,
    grounds: Grounds,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waits for the client's first message.
    First,
    /// Waits for the keys.
    Wanted(ClientFirst),
    /// Waits for the client's final message, after this one of ours.
    Challenged(ClientFirst, String, ScramKeys),
    /// Waits for the empty response to our signature.
    Proved(Proved),
    /// Waits until the client may be told of this error.
    Disproved(&'static str),
    /// Waits for whatever the client says to our error.
    Failed,
}

impl Dialogue for Run {
    /// RFC 5802 §5.2: the client begins.
    fn open(&mut self) -> Progress {
        Progress::Challenge(Vec::new())
    }

    fn respond(&mut self, response: &[u8]) -> Result<Progress, Misuse> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::First => self.first(response),
            State::Challenged(first, challenge, keys) => self.last(first, &challenge, keys, response),
            State::Proved(proved) if response.is_empty() => Ok(Progress::Ask(Ask::Proved(proved))),
            State::Proved(_) | State::Wanted(_) | State::Disproved(_) => Err(Misuse::SaslMalformed),
            State::Failed => Ok(Progress::Settled(SignIn::Refused)),
        }
    }

    fn told(&mut self, told: Told) -> Progress {
        match (std::mem::replace(&mut self.state, State::Failed), told) {
            (State::Wanted(first), Told::Keys(keys)) => self.challenge(first, keys),
            (State::Disproved(error), _) => Progress::Challenge(format!("e={error}").into_bytes()),
            // Nobody is let in who has proved nothing.
            (State::Wanted(_), Told::SignIn(SignIn::Accepted(_))) => Progress::Settled(SignIn::Unavailable),
            (_, told) => Progress::Settled(told.sign_in()),
        }
    }

    fn verdict(&self) -> Option<SignIn> {
        matches!(self.state, State::Failed).then_some(SignIn::Refused)
    }
}

impl Run {
    fn first(&mut self, message: &[u8]) -> Result<Progress, Misuse> {
        let first = ClientFirst::parse(message)?;
        match &first.flag {
            // RFC 5802 §6: somebody has taken our -PLUS out of the list that the client saw.
            Flag::ServerCannot if self.grounds.binding_offered => return Err(Misuse::ChannelBindingDenied),
            Flag::Bound(kind) if self.mechanism.binds && bound(&self.grounds.binding, kind).is_none() => {
                return Err(Misuse::UnknownChannelBinding);
            }
            // RFC 5801 §5: the name of the mechanism and the flag say the same.
            flag if matches!(flag, Flag::Bound(_)) != self.mechanism.binds => {
                return Err(Misuse::SaslMalformed);
            }
            _ => {}
        }
        let wanted = KeysWanted { hash: self.mechanism.hash, login: first.login.clone() };
        self.state = State::Wanted(first);
        Ok(Progress::Ask(Ask::Keys(wanted)))
    }

    /// The server's first message.
    fn challenge(&mut self, first: ClientFirst, keys: ScramKeys) -> Progress {
        let (theirs, ours) = (&first.nonce, &self.grounds.binding.nonce);
        let (salt, rounds) = (STANDARD.encode(&keys.salt), keys.iterations);
        let challenge = format!("r={theirs}{ours},s={salt},i={rounds}");
        let octets = challenge.clone().into_bytes();
        self.state = State::Challenged(first, challenge, keys);
        Progress::Challenge(octets)
    }

    fn last(
        &mut self,
        first: ClientFirst,
        challenge: &str,
        keys: ScramKeys,
        message: &[u8],
    ) -> Result<Progress, Misuse> {
        let last = ClientFinal::parse(message)?;
        let authenticated = format!("{},{challenge},{}", first.bare, last.without_proof);
        if let Err(error) = self.verify(&first, &last, &keys, &authenticated) {
            self.state = State::Disproved(error);
            return Ok(Progress::Ask(Ask::Disproved(first.login)));
        }
        let signature = self.mechanism.hash.hmac(&keys.server_key, authenticated.as_bytes());
        self.state = State::Proved(Proved {
            mechanism: self.mechanism.name,
            authorization: first.authorization,
            login: first.login,
            hash: self.mechanism.hash,
            keys,
        });
        Ok(Progress::Challenge(format!("v={}", STANDARD.encode(signature)).into_bytes()))
    }

    /// RFC 5802 §3, §5.1 and §6; the error is a server-error-value (§7). Who is not known cannot prove anything: that is
    /// `invalid-proof`, too.
    fn verify(
        &self,
        first: &ClientFirst,
        last: &ClientFinal,
        keys: &ScramKeys,
        authenticated: &str,
    ) -> Result<(), &'static str> {
        if last.has_mandatory_extension {
            return Err("extensions-not-supported");
        }
        if last.nonce != format!("{}{}", first.nonce, self.grounds.binding.nonce) {
            return Err("other-error");
        }
        let mut binding = first.header.clone().into_bytes();
        if let Flag::Bound(kind) = &first.flag {
            binding.extend_from_slice(bound(&self.grounds.binding, kind).unwrap_or_default());
        }
        if last.binding != binding {
            return Err("channel-bindings-dont-match");
        }
        if !self.mechanism.hash.proves(keys, authenticated.as_bytes(), &last.proof) {
            return Err("invalid-proof");
        }
        Ok(())
    }
}

/// What a channel binding of this name is here.
fn bound<'a>(binding: &'a Binding, kind: &str) -> Option<&'a [u8]> {
    match kind {
        "tls-exporter" => binding.tls_exporter.as_deref(),
        "tls-server-end-point" => binding.tls_server_end_point.as_deref(),
        // RFC 9266 §4: tls-unique is not defined for TLS 1.3; and rustls does not tell it under TLS 1.2, which departs
        // from RFC 5802 §6.1.
        _ => None,
    }
}

impl ScramHash {
    fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec()
    }

    fn digest(self, message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        };
        digest::digest(algorithm, message).as_ref().to_vec()
    }

    /// RFC 5802 §3: `ClientProof XOR HMAC(StoredKey, AuthMessage)` is the ClientKey, whose hash is the StoredKey.
    fn proves(self, keys: &ScramKeys, authenticated: &[u8], proof: &[u8]) -> bool {
        let signature = self.hmac(&keys.stored_key, authenticated);
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(proof, sign)| proof ^ sign).collect();
        proof.len() == signature.len()
            && verify_slices_are_equal(&self.digest(&client_key), &keys.stored_key).is_ok()
    }
}

#[cfg(test)]
mod tests;
