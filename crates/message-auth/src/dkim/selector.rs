//! Selectors and the names under which keys are published (RFC 6376 §3.1, §3.6.2.1).

use std::fmt;

use mail::Domain;

use crate::limits;

/// Which of a domain's keys.
///
/// ```
/// use message_auth::dkim::Selector;
/// assert_eq!(Selector::parse("March2005.reykjavik").unwrap().as_str(), "march2005.reykjavik");
/// assert!(Selector::parse("a..b").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector(String);

/// The text is no selector: labels of letters, digits, hyphens and underscores, at most 63 octets each, with dots between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelectorError;

/// Where a key is published.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName {
    /// Which of the domain's keys, s=.
    pub selector: Selector,
    /// Whose key, d=.
    pub domain: Domain,
}

impl Selector {
    /// Reads a selector. U-labels become A-labels (RFC 8616 §3).
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        if !text.is_ascii() {
            // What is looked up is bound to the same length, however it was written.
            let name = Domain::parse(text).map_err(|_| SelectorError)?;
            return if name.as_str().is_ascii() { Self::parse(name.as_str()) } else { Err(SelectorError) };
        }
        // Looser than RFC 6376 §3.1: `_` is no letter of host names, but stands in selectors that are in use.
        let label_fits = |label: &str| {
            matches!(label.len(), 1..=63)
                && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        match text.len() <= limits::SELECTOR_OCTETS_MAX && text.split('.').all(label_fits) {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err(SelectorError),
        }
    }

    /// The selector, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyName {
    /// The name to ask the DNS for, type TXT: `selector._domainkey.domain`, without a final dot.
    pub fn query(&self) -> String {
        format!("{}._domainkey.{}", self.selector.as_str(), self.domain.as_str())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SelectorError {}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a selector is letters, digits, hyphens and underscores, in labels with dots between")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_labels() {
        let long = "a".repeat(64);
        let longer = format!("{0}.{0}", &long[1..]);
        for (text, expected) in [
            ("brisbane", Some("brisbane")),
            ("Foo.Bar", Some("foo.bar")),
            ("s1_2048", Some("s1_2048")),
            ("2026-11", Some("2026-11")),
            ("größe", Some("xn--gre-6ka8i")),
            ("", None),
            (".", None),
            ("a.", None),
            ("-a", None),
            ("a-", None),
            ("a b", None),
            ("a;b", None),
            (long.as_str(), None),
            (longer.as_str(), Some(longer.as_str())),
            (&format!("{longer}.cd"), None),
        ] {
            assert_eq!(Selector::parse(text).ok().as_ref().map(Selector::as_str), expected, "{text}");
        }
    }

    #[test]
    fn keys_have_names() {
        // RFC 6376 §3.6.2.1.
        let name = KeyName {
            selector: Selector::parse("foo.bar").unwrap(),
            domain: Domain::parse("example.com").unwrap(),
        };
        assert_eq!(name.query(), "foo.bar._domainkey.example.com");
    }
}
