//! Passwords: argon2id verifiers (RFC 9106), and passwords made here.

use std::cell::RefCell;
use std::fmt;

use argon2::password_hash::{Output, PasswordHash, PasswordHasher, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;
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
    password.0.len() <= PASSWORD_OCTETS_MAX && hash_again(verifier, password).unwrap_or(false)
}

thread_local! {
    /// The memory in which this thread hashes, kept from one hash to the next. Asked for anew each time, 19 MiB go back to
    /// the system and come again page by page, or stay with the allocator many times over.
    static BLOCKS: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Hashes the password as the verifier says and compares; none if the verifier cannot be read.
fn hash_again(verifier: &str, password: &Password) -> Option<bool> {
    let verifier = PasswordHash::new(verifier).ok()?;
    let (algorithm, params) =
        (Algorithm::try_from(verifier.algorithm).ok()?, Params::try_from(&verifier).ok()?);
    let version = verifier.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
    let mut salt = [0; Salt::MAX_LENGTH];
    let salt = verifier.salt?.decode_b64(&mut salt).ok()?;
    let expected: Output = verifier.hash?;
    let mut found = [0; Output::MAX_LENGTH];
    let found = found.get_mut(..expected.len())?;
    let blocks_max = argon2id().params().block_count();
    BLOCKS.with_borrow_mut(|blocks| {
        blocks.resize(params.block_count().max(blocks_max), Block::default());
        let argon2 = Argon2::new(algorithm, version, params);
        let hashed =
            argon2.hash_password_into_with_memory(password.0.as_bytes(), salt, found, &mut blocks[..]);
        // A verifier from elsewhere may have wanted more.
        blocks.truncate(blocks_max);
        blocks.shrink_to_fit();
        hashed.ok()
    })?;
    Some(found.ct_eq(expected.as_bytes()).into())
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

/// Whether it looks like one that [`generate_password`] made.
pub(crate) fn is_generated(password: &Password) -> bool {
    let is_group = |group: &str| group.len() == GROUP_DIGITS && group.bytes().all(|b| DIGITS.contains(&b));
    password.0.split('-').count() == GROUPS && password.0.split('-').all(is_group)
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
        assert!(is_generated(&password));
        assert!(!is_generated(&Password("abcde-abcde-abcde".into())));
        assert!(!is_generated(&Password("abcde-abcde-abcde-abcdi".into())));
        assert_ne!(password, generate_password(&Dice::seeded(2)));
        assert_eq!(format!("{password:?}"), "Password(…)");
    }
}
