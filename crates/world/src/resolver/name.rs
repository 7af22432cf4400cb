//! Names in the DNS. Wider than [`mail::Domain`]: `_dmarc.example.org` and the root are names too.

use std::fmt;
use std::net::IpAddr;

use mail::Domain;

use super::limits::{LABEL_OCTETS_MAX, NAME_OCTETS_MAX};

/// A name: printable ASCII in lower case, without a final dot. The root is empty, and shown as `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// The text is no name: an empty or long label, too long as a whole, or with characters that no name here has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameError;

impl std::error::Error for NameError {}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no name that the DNS could know")
    }
}

impl Name {
    /// Reads a name that stands for itself: no search list is ever tried. A final dot is taken away.
    ///
    /// # Errors
    /// See [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Ok(Self::root());
        }
        let fits = |label: &str| {
            (1..=LABEL_OCTETS_MAX).contains(&label.len())
                && label.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'\\')
        };
        if text.len() > NAME_OCTETS_MAX || !text.split('.').all(fits) {
            return Err(NameError);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The root, which as an exchanger means "no mail here" (RFC 7505 §3).
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Where the name of an address is looked up (RFC 1035 §3.5, RFC 3596 §2.5).
    pub fn reverse(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                Self(format!("{d}.{c}.{b}.{a}.in-addr.arpa"))
            }
            IpAddr::V6(v6) => {
                let nibbles = v6.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
                let mut text: String = nibbles.map(|nibble| format!("{nibble:x}.")).collect();
                text.push_str("ip6.arpa");
                Self(text)
            }
        }
    }

    /// The text, without a final dot; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `domain` or stands below it.
    pub fn is_within(&self, domain: &Self) -> bool {
        domain.is_root()
            || self.0.strip_suffix(&domain.0).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// A name as an answer wrote it. Octets that no name of ours has stay escaped, `\\032`, and so are as harmless in a
    /// log as any other.
    pub(super) fn answered(text: &str) -> Self {
        Self(text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase())
    }
}

impl From<&Domain> for Name {
    fn from(domain: &Domain) -> Self {
        Self(domain.as_str().into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if self.is_root() { "." } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_one_form() {
        for (text, expected) in [
            ("Example.ORG.", Some("example.org")),
            ("_dmarc.example.org", Some("_dmarc.example.org")),
            (".", Some("")),
            ("", Some("")),
            ("a..b", None),
            (".a", None),
            ("a b", None),
            ("a\\046b", None),
            ("a\nb", None),
            ("bücher.example", None),
        ] {
            assert_eq!(Name::parse(text).ok().as_ref().map(Name::as_str), expected, "{text:?}");
        }
        assert!(Name::parse(&"a".repeat(63)).is_ok() && Name::parse(&"a".repeat(64)).is_err());
        assert!(Name::parse(&"a.".repeat(126)).is_ok() && Name::parse(&"a.".repeat(128)).is_err());
        assert_eq!(Name::root().to_string(), ".");
    }

    #[test]
    fn addresses_have_names() {
        for (address, expected) in [
            ("192.0.2.7", "7.2.0.192.in-addr.arpa"),
            ("2001:db8::a1", "1.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),
        ] {
            assert_eq!(Name::reverse(address.parse().unwrap()).as_str(), expected);
        }
    }

    #[test]
    fn a_name_is_within_its_own_ancestors_only() {
        let name = |text| Name::parse(text).unwrap();
        let mx = name("mx.example.org");
        assert!(["mx.example.org", "example.org", "org", "."].iter().all(|text| mx.is_within(&name(text))));
        assert!(
            ["ample.org", "a.mx.example.org", "example.com"].iter().all(|text| !mx.is_within(&name(text)))
        );
    }
}
