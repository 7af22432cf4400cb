//! CRAM-MD5 (RFC 2195): the client shows that it knows the secret by a keyed hash of our challenge.
//!
//! ```text
//! S: <digits.digits@host>
//! C: login HMAC-MD5(secret, challenge) in hexadecimal
//!         ──► Ask::Challenged ──► Settled
//! ```
//!
//! MD5 is weak, its HMAC less so; what speaks against it is that the server must keep what takes the place of the
//! password. It is for accounts that were told to keep one, and for devices that know nothing better.

use std::fmt;

use super::{Ask, Dialogue, Grounds, Mechanism, Progress, present};
use crate::misuse::Misuse;

/// A login that answered a challenge of CRAM-MD5. `Debug` does not show the digest: with the challenge, the secret can be
/// guessed at by it.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenged {
    /// Whose secret it is: an address, or a local part of the default domain.
    pub login: String,
    /// What we had sent.
    pub challenge: Vec<u8>,
    /// HMAC-MD5 of the challenge, as the client has computed it.
    pub digest: [u8; 16],
}

impl fmt::Debug for Challenged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenged").field("login", &self.login).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct CramMd5;

impl Mechanism for CramMd5 {
    fn name(&self) -> &'static str {
        "CRAM-MD5"
    }

    fn start(&self, grounds: Grounds) -> Box<dyn Dialogue> {
        Box::new(Run { challenge: grounds.binding.message_id, was_sent: false })
    }
}

#[derive(Debug)]
struct Run {
    challenge: String,
    was_sent: bool,
}

impl Dialogue for Run {
    fn open(&mut self) -> Progress {
        self.was_sent = true;
        Progress::Challenge(self.challenge.clone().into_bytes())
    }

    fn respond(&mut self, response: &[u8]) -> Result<Progress, Misuse> {
        // RFC 2195 §2: the server begins. An initial response answers nothing (RFC 4422 §5).
        if !self.was_sent {
            return Err(Misuse::SaslMalformed);
        }
        // A user name may hold spaces, a digest cannot.
        let space = response.iter().rposition(|&octet| octet == b' ').ok_or(Misuse::SaslMalformed)?;
        let (login, digest) = (&response[..space], &response[space + 1..]);
        Ok(Progress::Ask(Ask::Challenged(Challenged {
            login: present(login)?,
            challenge: self.challenge.clone().into_bytes(),
            digest: hexadecimal(digest).ok_or(Misuse::SaslMalformed)?,
        })))
    }
}

/// RFC 2195 §2: lower case, 32 digits. Upper case is no other value.
fn hexadecimal(digits: &[u8]) -> Option<[u8; 16]> {
    let mut octets = [0; 16];
    if digits.len() != 2 * octets.len() {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    for (octet, pair) in octets.iter_mut().zip(digits.chunks(2)) {
        *octet = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::super::{Binding, Exchange, Offer, Stop, encode};
    use super::*;

    const CHALLENGE: &str = "<1896.697170952@postoffice.reston.mci.net>";

    fn answered(response: &[u8]) -> Result<Progress, Stop> {
        let binding = Binding { message_id: CHALLENGE.into(), ..Binding::default() };
        let (mut exchange, progress) = Exchange::begin(b"CRAM-MD5", None, Offer::ALL, binding)?;
        assert_eq!(progress, Progress::Challenge(CHALLENGE.into()));
        exchange.take(encode(response).as_bytes())
    }

    /// RFC 2195 §2.
    #[test]
    fn the_example() {
        let Ok(Progress::Ask(Ask::Challenged(asked))) = answered(b"tim b913a602c7eda7a495b4e6e7334d3890")
        else {
            panic!("nothing was asked")
        };
        assert_eq!((asked.login.as_str(), asked.challenge.as_slice()), ("tim", CHALLENGE.as_bytes()));
        assert_eq!(asked.digest[..4], [0xb9, 0x13, 0xa6, 0x02]);
        assert!(!format!("{asked:?}").contains("185"), "{asked:?}");
    }

    #[test]
    fn responses() {
        let digits = "0123456789abcdef0123456789ABCDEF";
        for (response, login) in [
            (format!("tim {digits}"), Some("tim")),
            (format!("t i m {digits}"), Some("t i m")),
            (format!(" {digits}"), None),
            (digits.to_owned(), None),
            (format!("tim {}", &digits[1..]), None),
            (format!("tim {digits}0"), None),
            (format!("tim {}g", &digits[1..]), None),
            (format!("t\0m {digits}"), None),
            (String::new(), None),
        ] {
            let found = match answered(response.as_bytes()) {
                Ok(Progress::Ask(Ask::Challenged(asked))) => Some(asked.login),
                other => {
                    assert_eq!(other, Err(Stop::Misuse(Misuse::SaslMalformed)), "{response}");
                    None
                }
            };
            assert_eq!(found.as_deref(), login, "{response}");
        }
    }

    #[test]
    fn nothing_is_answered_before_the_challenge() {
        let initial = encode("tim b913a602c7eda7a495b4e6e7334d3890");
        let begun = Exchange::begin(b"CRAM-MD5", Some(initial.as_bytes()), Offer::ALL, Binding::default());
        assert_eq!(begun.unwrap_err(), Stop::Misuse(Misuse::SaslMalformed));
    }
}
