//! Whose certificate it is (SASL EXTERNAL, RFC 4422 Appendix A).
//!
//! Two ways lead from a certificate to an account: its fingerprint was given to the account, whoever issued it; or an
//! authority that we trust says that it is good for an email address (RFC 5280 §4.2.1.6), and that is the account's own.

use std::collections::BTreeSet;
use std::fmt;

use store::Error;

use crate::Directory;
use crate::sign_in::{Origin, Principal, SignIn};

/// SHA-256 of a certificate's DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Reads 64 hexadecimal digits, as `openssl x509 -fingerprint -sha256` prints them: colons may stand between them, and
    /// `sha256 Fingerprint=` before them; and what [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.rsplit('=').next().unwrap_or_default();
        let digits = digits.strip_prefix("sha256:").unwrap_or(digits);
        let digits: Vec<u32> =
            digits.chars().filter(|c| *c != ':').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
        if digits.len() != 64 {
            return None;
        }
        let mut octets = [0; 32];
        for (octet, pair) in octets.iter_mut().zip(digits.chunks(2)) {
            *octet = u8::try_from(pair[0] << 4 | pair[1]).ok()?;
        }
        Some(Self(octets))
    }
}

impl fmt::Display for Fingerprint {
    /// As the store keeps it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// A client that wants to be who its certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Of its certificate.
    pub fingerprint: Fingerprint,
    /// The names in it; none where nobody we trust says that they are true.
    pub names: Vec<String>,
    /// Whom it wants to act as; empty means whose certificate it is.
    pub authorization: String,
}

/// Names of a certificate that are looked at: more emails than this are no person's.
const NAMES_MAX: usize = 16;

impl Directory {
    /// Whose certificate this is. One that opens several accounts needs to say which.
    pub async fn shown(&self, shown: Shown, origin: &Origin) -> SignIn {
        // Failures count for the certificate where nobody is named.
        let login = match shown.authorization.as_str() {
            "" => shown.fingerprint.to_string(),
            named => named.to_owned(),
        };
        self.through_the_door(origin, &login, self.find_shown(shown)).await
    }

    async fn find_shown(&self, shown: Shown) -> Result<Option<Principal>, Error> {
        let mut accounts = BTreeSet::new();
        for account in self.store.accounts_of_certificate(&shown.fingerprint.to_string()).await? {
            accounts.extend(self.store.account(account).await?.map(|account| account.address));
        }
        let emails = shown.names.iter().filter(|name| name.contains('@')).take(NAMES_MAX);
        for email in emails {
            let found = self.principal(email, "").await?;
            accounts.extend(found.map(|principal| principal.address.to_string()));
        }
        if shown.authorization.is_empty() {
            let mut accounts = accounts.into_iter();
            let (Some(only), None) = (accounts.next(), accounts.next()) else { return Ok(None) };
            return self.principal(&only, "").await;
        }
        let named = self.login(&shown.authorization).await?.map(|address| address.to_string());
        match named.filter(|named| accounts.contains(named)) {
            Some(named) => self.principal(&named, "").await,
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_as_people_have_them() {
        let digits = "0123456789abcdef".repeat(4);
        let colons: Vec<String> =
            digits.as_bytes().chunks(2).map(|two| String::from_utf8_lossy(two).to_uppercase()).collect();
        let expected = format!("sha256:{digits}");
        for text in [
            digits.clone(),
            colons.join(":"),
            format!("sha256 Fingerprint={}", colons.join(":")),
            expected.clone(),
        ] {
            assert_eq!(Fingerprint::parse(&text).unwrap().to_string(), expected, "{text}");
        }
        for wrong in [
            "",
            "0123",
            &digits[1..],
            &format!("{digits}0"),
            &digits.replace('0', "g"),
            &digits.replace('0', "-"),
        ] {
            assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
        }
    }
}
