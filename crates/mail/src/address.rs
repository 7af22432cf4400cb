//! Addresses: `local-part@domain` (RFC 5321 §4.1.2 calls it Mailbox).
//!
//! Text becomes one of these types at the edge. What they hold has no control character, and what they write can be read
//! again. A local part may be UTF-8 (RFC 6531 §3.3); whether the peer may say such a one, or take it, is the protocol's matter
//! ([`Address::is_ascii`]). It is kept as it was written, because only its own server knows what it means (RFC 5321 §2.3.11);
//! accounts here compare by the [canonical](Address::canonical) form.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::limits;

/// A domain name as A-labels, lower case, without a final dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

/// What stands before the `@`, unquoted: `"a b"@example.org` and `"a\ b"@example.org` have one local part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalPart(String);

/// `[192.0.2.1]`, `[IPv6:2001:db8::1]`, or a general literal (RFC 5321 §4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressLiteral {
    /// IPv4 or IPv6; IPv4-mapped IPv6 becomes IPv4.
    Ip(IpAddr),
    /// Standardized-tag and content, not understood here.
    General(String, String),
}

/// What stands after the `@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name.
    Domain(Domain),
    /// A literal.
    Literal(AddressLiteral),
}

/// `local-part@host`, serialised as that text.
///
/// ```
/// let address: mail::Address = r#""o'neil"@BÜCHER.example"#.parse()?;
/// assert_eq!(address.to_string(), "o'neil@xn--bcher-kva.example");
/// # Ok::<(), mail::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// Before the `@`.
    pub local: LocalPart,
    /// After it.
    pub host: Host,
}

/// Why a text is no address. The peer or the person who wrote it has to mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressError {
    /// Against the grammar, or with a control character. 501 5.1.3 or 5.1.7.
    Syntax,
    /// A local part alone: the `@` and what follows it is missing.
    NoDomain,
    /// Longer than `limits` say.
    TooLong,
}

impl std::error::Error for AddressError {}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "the address is not well formed",
            Self::NoDomain => "the address has no domain",
            Self::TooLong => "the address is too long",
        })
    }
}

impl Domain {
    /// Reads U-labels and A-labels, in any case. A final dot is refused, as RFC 5321's grammar does, and so is `_`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        // Four octets are the most that a character of a name takes, so longer text is not worth the mapping.
        if text.len() > limits::DOMAIN_OCTETS_MAX * 4 {
            return Err(AddressError::TooLong);
        }
        let ascii = Uts46::new()
            .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Ignore)
            .map_err(|_| AddressError::Syntax)?;
        if ascii.split('.').any(str::is_empty) {
            return Err(AddressError::Syntax);
        }
        // RFC 1035 §2.3.4.
        if ascii.len() > limits::DOMAIN_OCTETS_MAX || ascii.split('.').any(|label| label.len() > 63) {
            return Err(AddressError::TooLong);
        }
        Ok(Self(ascii.into_owned()))
    }

    /// The name, lower-case A-labels.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl LocalPart {
    /// Reads a Dot-string or a Quoted-string (RFC 5321 §4.1.2).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match take_local_part(text)? {
            (local, "") => Ok(local),
            _ => Err(AddressError::Syntax),
        }
    }

    /// The text without quotes and quoting backslashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In lower case and in Unicode's form NFC: what looks the same in one keyboard's spelling and another's is one name
    /// (RFC 6530 §10.1). Letters are lowered one by one, so that the Greek sigma does not depend on where it stands.
    pub fn canonical(&self) -> Self {
        if self.0.is_ascii() {
            return Self(self.0.to_ascii_lowercase());
        }
        let lower = self.0.nfc().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c });
        Self(lower.nfc().collect())
    }

    /// Whether it is ASCII.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// Also the canonical form, which can be longer beyond ASCII, must be one that can be read again.
    fn bounded(self) -> Result<Self, AddressError> {
        let octets_max = limits::LOCAL_PART_OCTETS_MAX;
        if self.octets() > octets_max || !self.is_ascii() && self.canonical().octets() > octets_max {
            Err(AddressError::TooLong)
        } else {
            Ok(self)
        }
    }

    /// Octets as it is written.
    fn octets(&self) -> usize {
        let quoting = match is_dot_string(&self.0) {
            true => 0,
            false => 2 + self.0.bytes().filter(|&b| needs_backslash(b)).count(),
        };
        self.0.len() + quoting
    }
}

impl AddressLiteral {
    /// Reads a literal with its square brackets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).ok_or(AddressError::Syntax)?;
        if let Ok(ip) = inner.parse::<Ipv4Addr>() {
            return Ok(Self::Ip(ip.into()));
        }
        let (tag, content) = inner.split_once(':').ok_or(AddressError::Syntax)?;
        if tag.eq_ignore_ascii_case("IPv6") {
            let ip: Ipv6Addr = content.parse().map_err(|_| AddressError::Syntax)?;
            return Ok(Self::Ip(IpAddr::V6(ip).to_canonical()));
        }
        let tag_fits = tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && tag.ends_with(|c: char| c.is_ascii_alphanumeric());
        // RFC 5321 §4.1.3: dcontent.
        let content_fits = !content.is_empty() && content.bytes().all(|b| matches!(b, 33..=90 | 94..=126));
        // By the grammar `[2001:db8::1]` has the tag `2001`; it is an IPv6 address that lacks its tag.
        if !tag_fits || !content_fits || inner.parse::<Ipv6Addr>().is_ok() {
            return Err(AddressError::Syntax);
        }
        if inner.len() > limits::DOMAIN_OCTETS_MAX - 2 {
            return Err(AddressError::TooLong);
        }
        Ok(Self::General(tag.into(), content.into()))
    }
}

impl Host {
    /// Reads a domain or a literal.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.starts_with('[') {
            AddressLiteral::parse(text).map(Self::Literal)
        } else {
            Domain::parse(text).map(Self::Domain)
        }
    }

    /// The domain, if it is one.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Literal(_) => None,
        }
    }
}

impl Address {
    /// Puts two parts together, unless that is longer than a path allows.
    pub fn new(local: LocalPart, host: Host) -> Result<Self, AddressError> {
        let address = Self { local, host };
        if address.to_string().len() > limits::ADDRESS_OCTETS_MAX {
            Err(AddressError::TooLong)
        } else {
            Ok(address)
        }
    }

    /// Reads an address without angle brackets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match take_address(text)? {
            (address, "") => Ok(address),
            _ => Err(AddressError::Syntax),
        }
    }

    /// The form that accounts compare by: the local part in lower case (the domain always is).
    pub fn canonical(&self) -> Self {
        Self { local: self.local.canonical(), host: self.host.clone() }
    }

    /// The domain, if the host is one.
    pub fn domain(&self) -> Option<&Domain> {
        self.host.domain()
    }

    /// Whether it can be said to a server that does not know SMTPUTF8 (RFC 6531 §3.2). Domains always can, as A-labels.
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii()
    }
}

/// Reads an address from the beginning of a text; what follows it is left.
pub(crate) fn take_address(text: &str) -> Result<(Address, &str), AddressError> {
    let (local, rest) = take_local_part(text)?;
    let Some(rest) = rest.strip_prefix('@') else {
        return Err(if rest.is_empty() || rest.starts_with('>') {
            AddressError::NoDomain
        } else {
            AddressError::Syntax
        });
    };
    let (host, rest) = take_host(rest)?;
    Ok((Address::new(local, host)?, rest))
}

/// Reads a host from the beginning of a text. A domain ends where no domain can go on.
pub(crate) fn take_host(text: &str) -> Result<(Host, &str), AddressError> {
    let end = if text.starts_with('[') {
        text.find(']').ok_or(AddressError::Syntax)? + 1
    } else {
        text.find([' ', '>', ',', ':', '@']).unwrap_or(text.len())
    };
    Ok((Host::parse(&text[..end])?, &text[end..]))
}

fn take_local_part(text: &str) -> Result<(LocalPart, &str), AddressError> {
    if let Some(quoted) = text.strip_prefix('"') {
        return take_quoted(quoted);
    }
    let end = text.find(|c: char| c.is_ascii() && c != '.' && !is_atext(c as u8)).unwrap_or(text.len());
    let (local, rest) = text.split_at(end);
    if !is_dot_string(local) {
        return Err(AddressError::Syntax);
    }
    Ok((LocalPart(local.into()).bounded()?, rest))
}

/// What follows the opening quote of a Quoted-string: qtextSMTP and quoted-pairSMTP (RFC 5321 §4.1.2).
fn take_quoted(text: &str) -> Result<(LocalPart, &str), AddressError> {
    let mut local = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next().ok_or(AddressError::Syntax)? {
            '"' => return Ok((LocalPart(local).bounded()?, chars.as_str())),
            '\\' => local.push(quotable(chars.next().ok_or(AddressError::Syntax)?)?),
            c => local.push(quotable(c)?),
        }
    }
}

fn quotable(c: char) -> Result<char, AddressError> {
    match c {
        ' '..='~' => Ok(c),
        c if is_beyond_ascii(c) => Ok(c),
        _ => Err(AddressError::Syntax),
    }
}

/// RFC 5321 §4.1.2, with `atext` of RFC 6531 §3.3.
fn is_dot_string(text: &str) -> bool {
    let is_part = |c: char| if c.is_ascii() { is_atext(c as u8) } else { is_beyond_ascii(c) };
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_part))
}

/// UTF8-non-ascii (RFC 6532 §3.1), without what no address needs and a screen obeys: controls, line separators (RFC 5198 §2),
/// marks that turn the direction of what follows.
fn is_beyond_ascii(c: char) -> bool {
    let is_invisible = matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    !c.is_ascii() && !c.is_control() && !c.is_whitespace() && !is_invisible
}

/// RFC 5322 §3.2.3.
pub(crate) fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
}

fn needs_backslash(octet: u8) -> bool {
    matches!(octet, b'"' | b'\\')
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for LocalPart {
    /// Quotes only when needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.0) {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if c.is_ascii() && needs_backslash(c as u8) {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

impl fmt::Display for AddressLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => write!(f, "[{ip}]"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[IPv6:{ip}]"),
            Self::General(tag, content) => write!(f, "[{tag}:{content}]"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.host)
    }
}

/// `FromStr`, `TryFrom<String>` and `Into<String>` by `parse` and `Display`.
macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl FromStr for $type {
            type Err = AddressError;
            fn from_str(text: &str) -> Result<Self, AddressError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = AddressError;
            fn try_from(text: String) -> Result<Self, AddressError> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )*};
}

as_text!(Domain, LocalPart, AddressLiteral, Host, Address);

impl From<IpAddr> for AddressLiteral {
    /// IPv4-mapped IPv6 becomes IPv4.
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, expected) in [
            ("alice@example.org", "alice@example.org"),
            ("Alice@EXAMPLE.org", "Alice@example.org"),
            ("\"alice\"@example.org", "alice@example.org"),
            ("\"a b\"@example.org", "\"a b\"@example.org"),
            ("\"a\\ b\"@example.org", "\"a b\"@example.org"),
            ("\"a\\\"\\\\@>b\"@example.org", "\"a\\\"\\\\@>b\"@example.org"),
            ("\"\"@example.org", "\"\"@example.org"),
            ("a!#$%&'*+-/=?^_`{|}~@x", "a!#$%&'*+-/=?^_`{|}~@x"),
            ("a@bücher.example", "a@xn--bcher-kva.example"),
            ("a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example"),
            ("a@r3---sn.example", "a@r3---sn.example"),
            ("Älice@example.org", "Älice@example.org"),
            ("a\u{308}@bücher.example", "a\u{308}@xn--bcher-kva.example"),
            ("\"ä b\"@example.org", "\"ä b\"@example.org"),
            ("用户@例子.example", "用户@xn--fsqu00a.example"),
            ("a@[192.0.2.1]", "a@[192.0.2.1]"),
            ("a@[ipv6:2001:DB8::1]", "a@[IPv6:2001:db8::1]"),
            ("a@[IPv6:::ffff:192.0.2.1]", "a@[192.0.2.1]"),
            ("a@[x-tag:what]", "a@[x-tag:what]"),
        ] {
            let address: Address = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(address.to_string(), expected);
            assert_eq!(Address::parse(expected), Ok(address), "{expected} reads as the same");
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        use AddressError::*;
        for (text, why) in [
            ("", Syntax),
            ("alice", NoDomain),
            ("alice@", Syntax),
            ("@example.org", Syntax),
            (".alice@example.org", Syntax),
            ("alice.@example.org", Syntax),
            ("a..b@example.org", Syntax),
            ("a b@example.org", Syntax),
            ("alice@example.org.", Syntax),
            ("alice@example..org", Syntax),
            ("alice@-example.org", Syntax),
            ("alice@exa_mple.org", Syntax),
            ("alice@example.org>", Syntax),
            ("alice@exam\0ple.org", Syntax),
            ("ali\rce@example.org", Syntax),
            ("\"ali\nce\"@example.org", Syntax),
            ("\"ali\\\u{7f}ce\"@example.org", Syntax),
            ("\"alice@example.org", Syntax),
            ("\"alice\"x@example.org", Syntax),
            ("älice\u{85}@example.org", Syntax),
            ("älice\u{202e}@example.org", Syntax),
            ("\"ä\u{2028}\"@example.org", Syntax),
            ("ä\u{a0}b@example.org", Syntax),
            ("ä..b@example.org", Syntax),
            ("a@[192.0.2.300]", Syntax),
            ("a@[192.0.2.1", Syntax),
            ("a@[2001:db8::1]", Syntax),
            ("a@[IPv6:1:2]", Syntax),
            ("a@[-x-:a]", Syntax),
            ("a@[x:]", Syntax),
            ("a@[x:a\\b]", Syntax),
        ] {
            assert_eq!(Address::parse(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_bounded() {
        let label = "d".repeat(63);
        let domain = format!("{label}.{label}.{label}");
        assert!(LocalPart::parse(&"l".repeat(64)).is_ok());
        assert_eq!(LocalPart::parse(&"l".repeat(65)), Err(AddressError::TooLong));
        assert!(LocalPart::parse(&format!("\"{}\"", " ".repeat(62))).is_ok());
        assert_eq!(LocalPart::parse(&format!("\"{}\"", " ".repeat(63))), Err(AddressError::TooLong));
        assert_eq!(Domain::parse(&"d".repeat(64)), Err(AddressError::TooLong));
        assert_eq!(Domain::parse(&format!("{domain}.{label}")), Err(AddressError::TooLong));
        assert!(Domain::parse(&format!("{domain}.{}", "d".repeat(61))).is_ok());
        assert_eq!(Domain::parse(&"ü".repeat(10_000)), Err(AddressError::TooLong));
        assert!(Address::parse(&format!("{}@{domain}", "l".repeat(62))).is_ok(), "254 octets");
        assert_eq!(Address::parse(&format!("{}@{domain}", "l".repeat(63))), Err(AddressError::TooLong));
    }

    #[test]
    fn accounts_compare_without_case() {
        let address = Address::parse("\"Jane DOE\"@Example.org").unwrap();
        assert_eq!(address.canonical(), Address::parse("\"jane doe\"@example.org").unwrap());
        for (written, canonical) in
            [("Älice", "älice"), ("A\u{308}LICE", "älice"), ("ΟΔΟΣ", "οδοσ"), ("οδος", "οδοσ")]
        {
            assert_eq!(LocalPart::parse(written).unwrap().canonical().as_str(), canonical, "{written}");
        }
        let capital = "\u{130}".repeat(30);
        assert_eq!(
            LocalPart::parse(&capital),
            Err(AddressError::TooLong),
            "its small letters take 90 octets"
        );
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_so_that_it_reads_the_same(text in "[ -~ä]{0,12}@[a-z.\\[\\]:0-9ü-]{1,12}|\"([ -!#-\\[\\]-~]|\\\\[ -~]){0,20}\"@x") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()), Ok(address.clone()));
                prop_assert!(!address.to_string().contains(char::is_control));
            }
        }

        #[test]
        fn a_canonical_form_reads_as_itself(text in "[a-zA-Z\\PC;.]{1,12}|\"[ A-Z\\PC]{0,12}\"") {
            if let Ok(local) = LocalPart::parse(&text) {
                let canonical = local.canonical();
                prop_assert_eq!(canonical.canonical(), canonical.clone());
                prop_assert_eq!(LocalPart::parse(&canonical.to_string()), Ok(canonical));
            }
        }

        #[test]
        fn no_text_harms(text: String) {
            let _ = Address::parse(&text);
            let _ = Host::parse(&text);
        }
    }
}
