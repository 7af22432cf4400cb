//! Passwords: argon2id verifiers (RFC 9106), and passwords made here.

use std::fmt;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use world::Dice;

use crate::limits::{ARGON2_LANES, ARGON2_MEMORY_KIB, ARGON2_PASSES, PASSWORD_OCTETS_MAX};

/// A password in clear text. `Debug` does not show it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The verifier to store for a password: argon2id as a PHC string. It takes tens of milliseconds and 19 MiB: call it in
/// `workers.run_slow`.
///
/// # Errors
/// The password is empty or longer than [`PASSWORD_OCTETS_MAX`].
pub fn hash_password(dice: &Dice, password: &Password) -> Result<String, Unfit> {
    if password.0.is_empty() {
        return Err(Unfit::Empty);
    }
    if password.0.len() > PASSWORD_OCTETS_MAX {
        return Err(Unfit::TooLong);
    }
    let mut salt = [0; 16];
    dice.fill(&mut salt);
    let salt = SaltString::encode_b64(&salt).expect("16 octets are a salt's recommended length");
    let verifier = argon2id().hash_password(password.0.as_bytes(), &salt).expect("lengths are within bounds");
    Ok(verifier.to_string())
}

/// Why a password cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is empty.
    Empty,
    /// It is longer than [`PASSWORD_OCTETS_MAX`].
    TooLong,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Empty => f.write_str("the password is empty"),
            Unfit::TooLong => write!(f, "the password is longer than {PASSWORD_OCTETS_MAX} octets"),
        }
    }
}

impl std::error::Error for Unfit {}

/// Whether the password fits the verifier. As slow as [`hash_password`]. A verifier that cannot be read fits nothing.
pub(crate) fn fits(verifier: &str, password: &Password) -> bool {
    password.0.len() <= PASSWORD_OCTETS_MAX
        && PasswordHash::new(verifier)
            .is_ok_and(|hash| argon2id().verify_password(password.0.as_bytes(), &hash).is_ok())
}

/// A verifier with the same parameters that fits nothing: its salt and hash were never computed.
pub(crate) fn nobody() -> String {
    let (salt, hash) = ("A".repeat(22), "A".repeat(43));
    format!("$argon2id$v=19$m={ARGON2_MEMORY_KIB},t={ARGON2_PASSES},p={ARGON2_LANES}${salt}${hash}")
}

/// A password of 100 random bits that can be read aloud: four groups of five of Crockford's digits, which leave out i, l,
/// o and u.
pub fn generate_password(dice: &Dice) -> Password {
    let mut throw = [0; GROUPS * GROUP_DIGITS];
    dice.fill(&mut throw);
    let groups: Vec<String> = throw
        .chunks(GROUP_DIGITS)
        .map(|group| group.iter().map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect())
        .collect();
    Password(groups.join("-"))
}

const GROUPS: usize = 4;
const GROUP_DIGITS: usize = 5;
/// 32 of them, so that the remainder of a byte is unbiased.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn argon2id() -> Argon2<'static> {
    let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, None)
        .expect("the limits are within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_fits_its_password_alone() {
        let dice = Dice::seeded(1);
        let verifier = hash_password(&dice, &Password("secret".into())).unwrap();
        assert!(verifier.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{verifier}");
        assert!(fits(&verifier, &Password("secret".into())));
        assert!(!fits(&verifier, &Password("Secret".into())));
        assert!(!fits("", &Password("secret".into())));
        assert!(!fits(&nobody(), &Password("secret".into())));
        assert!(
            PasswordHash::new(&nobody()).is_ok_and(|hash| hash.hash.is_some_and(|hash| hash.len() == 32))
        );
        assert_ne!(verifier, hash_password(&dice, &Password("secret".into())).unwrap(), "the salt differs");
    }

    #[test]
    fn passwords_have_bounds() {
        let hash = |password: String| hash_password(&Dice::seeded(1), &Password(password));
        assert_eq!(hash(String::new()), Err(Unfit::Empty));
        assert_eq!(hash("x".repeat(PASSWORD_OCTETS_MAX + 1)), Err(Unfit::TooLong));
    }

    #[test]
    fn generated_passwords_are_readable_and_not_shown() {
        let password = generate_password(&Dice::seeded(1));
        assert_eq!(password.0.len(), 23);
        assert!(password.0.split('-').all(|group| group.len() == 5));
        assert_ne!(password, generate_password(&Dice::seeded(2)));
        assert_eq!(format!("{password:?}"), "Password(…)");
    }
}
