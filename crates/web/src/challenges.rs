//! The answers to challenges, by token.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::limits::TOKEN_MAX;

/// Where an authority looks (RFC 8555 §8.3).
const PREFIX: &str = "/.well-known/acme-challenge/";

/// What is answered to whom: a token of an authority's, and the key authorization that shows it who we are.
#[derive(Debug, Default)]
pub struct Challenges(RwLock<BTreeMap<String, String>>);

impl Challenges {
    /// Answers these from now on, and no others.
    pub fn answer(&self, challenges: BTreeMap<String, String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = challenges;
    }

    /// The key authorization that a path leads to. A path is taken as it stands: nothing in it is decoded, and no file is
    /// opened.
    pub(crate) fn at(&self, path: &str) -> Option<String> {
        let token = path.strip_prefix(PREFIX).filter(|token| is_token(token))?;
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}

/// RFC 8555 §8.3: base64url without padding.
fn is_token(text: &str) -> bool {
    let octet = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    (1..=TOKEN_MAX).contains(&text.len()) && text.bytes().all(octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_to_its_answer_and_nothing_else_does() {
        let challenges = Challenges::default();
        challenges.answer(
            [("evaGxfADs6pSRb2LAv9IZ".into(), "ours.thumb".into()), (String::new(), "x".into())].into(),
        );
        for (path, found) in [
            ("/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZ", true),
            ("/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZ/", false),
            ("/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9I", false),
            ("/.well-known/acme-challenge/", false),
            ("/.well-known/acme-challenge/../../etc/passwd", false),
            ("/.well-known/acme-challenge/%65vaGxfADs6pSRb2LAv9IZ", false),
            ("/.well-known//acme-challenge/evaGxfADs6pSRb2LAv9IZ", false),
            ("/evaGxfADs6pSRb2LAv9IZ", false),
            ("evaGxfADs6pSRb2LAv9IZ", false),
            ("", false),
        ] {
            assert_eq!(challenges.at(path).is_some(), found, "{path}");
        }
        challenges.answer(BTreeMap::new());
        assert_eq!(challenges.at("/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZ"), None);
    }

    #[test]
    fn tokens_are_bounded() {
        assert!(is_token(&"a".repeat(TOKEN_MAX)) && !is_token(&"a".repeat(TOKEN_MAX + 1)));
    }
}
