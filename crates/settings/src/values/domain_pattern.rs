//! Which domains are meant: one, all below one, or all.

use std::fmt;
use std::str::FromStr;

use mail::Domain;

use super::Wrong;

/// `partner.example`, `*.partner.example` or `*`.
///
/// ```
/// use settings::DomainPattern;
/// let pattern: DomainPattern = "*.partner.example".parse().unwrap();
/// assert!(pattern.matches(&mail::Domain::parse("mail.partner.example")?));
/// assert!(!pattern.matches(&mail::Domain::parse("partner.example")?));
/// # Ok::<(), mail::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DomainPattern {
    /// This domain alone.
    Is(Domain),
    /// Every domain below this one, at any depth; not itself.
    Below(Domain),
    /// Every domain.
    Any,
}

const PROBLEM: &str = "is no domain such as \"partner.example\", \"*.partner.example\" or \"*\"";

impl DomainPattern {
    /// Whether the domain is meant.
    pub fn matches(&self, domain: &Domain) -> bool {
        match self {
            Self::Is(this) => this == domain,
            Self::Below(parent) => {
                domain.as_str().strip_suffix(parent.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }
            Self::Any => true,
        }
    }

    /// Of two patterns that match a domain, the one with the higher value says more about it.
    pub fn specificity(&self) -> usize {
        match self {
            Self::Is(_) => usize::MAX,
            Self::Below(parent) => parent.as_str().len(),
            Self::Any => 0,
        }
    }
}

impl FromStr for DomainPattern {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let domain = |text: &str| Domain::parse(text).ok();
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(parent) = text.strip_prefix("*.") {
            return domain(parent).map(Self::Below).ok_or_else(|| Wrong::new(PROBLEM));
        }
        domain(text).map(Self::Is).ok_or_else(|| match text.strip_prefix('.').and_then(domain) {
            Some(parent) => Wrong::near(PROBLEM, format!("*.{parent}")),
            None => Wrong::new(PROBLEM),
        })
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(domain) => domain.fmt(f),
            Self::Below(parent) => write!(f, "*.{parent}"),
            Self::Any => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_mean_their_domains() {
        for (pattern, domain, expected) in [
            ("partner.example", "partner.example", true),
            ("Partner.EXAMPLE", "partner.example", true),
            ("partner.example", "mail.partner.example", false),
            ("*.partner.example", "mail.partner.example", true),
            ("*.partner.example", "a.b.partner.example", true),
            ("*.partner.example", "partner.example", false),
            ("*.partner.example", "notpartner.example", false),
            ("*", "partner.example", true),
        ] {
            let pattern: DomainPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&Domain::parse(domain).unwrap()), expected, "{pattern} {domain}");
        }
    }

    #[test]
    fn the_more_a_pattern_says_the_more_specific_it_is() {
        let patterns = ["*", "*.example", "*.partner.example", "partner.example"];
        let specificity = |text: &str| text.parse::<DomainPattern>().unwrap().specificity();
        assert!(patterns.map(specificity).is_sorted_by(|less, more| less < more));
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, suggestion) in
            [(".partner.example", "*.partner.example"), ("", ""), ("*.", ""), ("a.*.example", ""), ("**", "")]
        {
            assert_eq!(text.parse::<DomainPattern>(), Err(Wrong::near(PROBLEM, suggestion)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_the_same(text in "(\\*\\.)?[a-z]{1,5}(\\.[a-z]{1,5}){0,2}|\\*") {
            let pattern: DomainPattern = text.parse().unwrap();
            prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }

        #[test]
        fn no_text_harms(text: String) {
            let _ = text.parse::<DomainPattern>();
        }
    }
}
