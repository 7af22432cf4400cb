//! Which clients are meant: by address, or by the name that the DNS has for them, there and back.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use mail::Domain;

use super::{DomainPattern, Network, Wrong};

/// A network, an address, or a pattern of host names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// Clients with these addresses.
    Network(Network),
    /// Clients with these names. A name counts when a look-up of the address gives it, and a look-up of the name gives the
    /// address again: whoever has the address writes the first alone.
    Name(DomainPattern),
}

const PROBLEM: &str =
    "is neither a network such as \"192.0.2.0/24\" nor a host name such as \"*.office.example.org\"";

impl Pattern {
    /// Whether a client with this address, and these names that are confirmed there and back, is meant.
    pub fn matches(&self, address: IpAddr, names: &[Domain]) -> bool {
        match self {
            Self::Network(network) => network.contains(address),
            Self::Name(pattern) => names.iter().any(|name| pattern.matches(name)),
        }
    }
}

impl FromStr for Pattern {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '/' | ':');
        if text.contains(['/', ':']) || !text.is_empty() && text.chars().all(is_number) {
            return text.parse().map(Self::Network);
        }
        let near = |wrong: Wrong| Wrong::near(PROBLEM, wrong.suggestion);
        text.parse().map(Self::Name).map_err(near)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Name(pattern) => pattern.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn clients_are_meant_by_address_or_by_name() {
        let names = [Domain::parse("pc7.office.example.org").unwrap()];
        for (pattern, expected) in [
            ("192.0.2.0/24", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("2001:db8::/32", false),
            ("*.office.example.org", true),
            ("pc7.office.example.org", true),
            ("office.example.org", false),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches("192.0.2.7".parse().unwrap(), &names), expected, "{pattern}");
            assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, suggestion) in
            [(".example.org", "*.example.org"), ("192.0.2.1/24", "192.0.2.0/24"), ("", "")]
        {
            assert_eq!(text.parse::<Pattern>().unwrap_err().suggestion, suggestion, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_harms(text: String) {
            let _ = text.parse::<Pattern>();
        }
    }
}
