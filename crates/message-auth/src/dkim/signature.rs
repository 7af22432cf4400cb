//! The DKIM-Signature field (RFC 6376 §3.5), read and checked as §6.1.1 wants it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mail::{Domain, Timestamp};

use super::tags::{TagList, colon_separated, number, without_blanks};
use super::{Algorithm, Canonicalization, Fault, KeyName, Selector};
use crate::limits;

/// What a signature says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) algorithm: Algorithm,
    pub(crate) header_form: Canonicalization,
    pub(crate) body_form: Canonicalization,
    pub(crate) key_name: KeyName,
    /// The domain of i=.
    pub(crate) identity_domain: Domain,
    /// i= as written, decoded.
    pub(crate) identity: Option<String>,
    /// h=.
    pub(crate) names: Vec<Vec<u8>>,
    /// l=.
    pub(crate) length: Option<u64>,
    /// bh=.
    pub(crate) body_hash: Vec<u8>,
    /// b=.
    pub(crate) signature: Vec<u8>,
}

/// What can be told of a signature even when the rest is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) domain: Option<Domain>,
    pub(crate) selector: Option<Selector>,
    pub(crate) algorithm: Option<Algorithm>,
}

impl Claim {
    /// From the value of the field.
    pub(crate) fn parse(value: &[u8]) -> Self {
        if value.len() > limits::SIGNATURE_FIELD_OCTETS_MAX {
            return Self::default();
        }
        let Some(tags) = TagList::parse(value) else { return Self::default() };
        Self {
            domain: tags.find("d").and_then(domain),
            selector: tags.find("s").and_then(|text| Selector::parse(std::str::from_utf8(text).ok()?).ok()),
            algorithm: tags.find("a").and_then(Algorithm::parse),
        }
    }
}

impl Signature {
    /// Reads the value of the field.
    pub(crate) fn parse(value: &[u8], now: Timestamp) -> Result<Self, Fault> {
        if value.len() > limits::SIGNATURE_FIELD_OCTETS_MAX {
            return Err(Fault::FieldTooLong);
        }
        let tags = TagList::parse(value).ok_or(Fault::Syntax)?;
        for name in ["v", "a", "b", "bh", "d", "h", "s"] {
            tags.find(name).ok_or(Fault::MissingTag)?;
        }
        let required = |name| tags.find(name).expect("it was looked for");
        if required("v") != b"1" {
            return Err(Fault::Version);
        }
        let (header_form, body_form) = forms(tags.find("c"))?;
        let domain = domain(required("d")).filter(|name| name.as_str().contains('.')).ok_or(Fault::Syntax)?;
        let (identity, identity_domain) = identity(tags.find("i"), &domain)?;
        check_query(tags.find("q"))?;
        check_times(tags.find("t"), tags.find("x"), now)?;
        Ok(Self {
            algorithm: Algorithm::parse(required("a")).ok_or(Fault::Algorithm)?,
            header_form,
            body_form,
            key_name: KeyName { selector: selector(required("s"))?, domain },
            identity_domain,
            identity,
            names: signed_names(required("h"))?,
            length: tags.find("l").map(|text| number(text).ok_or(Fault::Syntax)).transpose()?,
            body_hash: base64(required("bh"))?,
            signature: base64(required("b"))?,
        })
    }
}

/// The field, name and all, as it was signed: without the value of b= (RFC 6376 §3.7).
pub(crate) fn unsigned_field(field: &[u8], value: &[u8]) -> Vec<u8> {
    let mut unsigned = field[..field.len() - value.len()].to_vec();
    let value = value.strip_suffix(b"\r\n").unwrap_or(value);
    unsigned.extend(TagList::parse(value).expect("it was parsed before").without_value("b"));
    unsigned
}

fn domain(text: &[u8]) -> Option<Domain> {
    Domain::parse(std::str::from_utf8(text).ok()?).ok()
}

fn selector(text: &[u8]) -> Result<Selector, Fault> {
    let text = std::str::from_utf8(text).map_err(|_| Fault::Syntax)?;
    Selector::parse(text).map_err(|_| Fault::Syntax)
}

fn base64(value: &[u8]) -> Result<Vec<u8>, Fault> {
    let octets = BASE64_STANDARD.decode(without_blanks(value)).map_err(|_| Fault::Syntax)?;
    if octets.is_empty() { Err(Fault::Syntax) } else { Ok(octets) }
}

/// c=: the header's form, then the body's; both are simple unless said.
fn forms(value: Option<&[u8]>) -> Result<(Canonicalization, Canonicalization), Fault> {
    let mut names = value.unwrap_or(b"simple/simple").splitn(2, |&octet| octet == b'/');
    let mut next = || names.next().map(|name| Canonicalization::parse(name).ok_or(Fault::Canonicalization));
    let header = next().transpose()?.unwrap_or(Canonicalization::Simple);
    let body = next().transpose()?.unwrap_or(Canonicalization::Simple);
    Ok((header, body))
}

/// h=: names, with From among them.
fn signed_names(value: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    let names: Vec<_> =
        colon_separated(value).take(limits::SIGNED_NAMES_MAX + 1).map(<[u8]>::to_vec).collect();
    // RFC 5322 §3.6.8: ftext.
    let is_name = |name: &Vec<u8>| !name.is_empty() && name.iter().all(|octet| matches!(octet, b'!'..=b'~'));
    match names {
        _ if names.len() > limits::SIGNED_NAMES_MAX || !names.iter().all(is_name) => Err(Fault::Syntax),
        _ if !names.iter().any(|name| name.eq_ignore_ascii_case(b"from")) => Err(Fault::FromNotSigned),
        _ => Ok(names),
    }
}

/// i=: an address whose local part may be missing, in the domain of d= or below it.
fn identity(value: Option<&[u8]>, signing: &Domain) -> Result<(Option<String>, Domain), Fault> {
    let Some(value) = value else { return Ok((None, signing.clone())) };
    let text = String::from_utf8(quoted_printable(value).ok_or(Fault::Syntax)?).map_err(|_| Fault::Syntax)?;
    let (_, name) = text.rsplit_once('@').ok_or(Fault::Syntax)?;
    let name = Domain::parse(name).map_err(|_| Fault::Syntax)?;
    let below = name
        .as_str()
        .strip_suffix(signing.as_str())
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if below { Ok((Some(text), name)) } else { Err(Fault::DomainMismatch) }
}

/// DKIM-Quoted-Printable (RFC 6376 §2.11).
fn quoted_printable(value: &[u8]) -> Option<Vec<u8>> {
    let value = without_blanks(value);
    let mut rest = value.as_slice();
    let mut out = Vec::with_capacity(value.len());
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != b'=' {
            out.push(octet);
            continue;
        }
        let (hex, after) = rest.split_at_checked(2)?;
        // Upper case alone, by the clause; `from_str_radix` would take a sign.
        if !hex.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F')) {
            return None;
        }
        out.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
        rest = after;
    }
    Some(out)
}

/// q=: unknown methods are passed over, but the one that there is must be among them.
fn check_query(value: Option<&[u8]>) -> Result<(), Fault> {
    let known = value.is_none_or(|value| colon_separated(value).any(|method| method == b"dns/txt"));
    if known { Ok(()) } else { Err(Fault::Query) }
}

/// t= and x=, seconds since 1970. A t= ahead of our clock is let pass: clocks differ.
fn check_times(made: Option<&[u8]>, expires: Option<&[u8]>, now: Timestamp) -> Result<(), Fault> {
    let seconds = |text: Option<&[u8]>| text.map(|text| number(text).ok_or(Fault::Syntax)).transpose();
    let (made, expires) = (seconds(made)?, seconds(expires)?);
    match (made, expires) {
        // RFC 6376 §3.5: x= is later than t=.
        (Some(made), Some(expires)) if expires <= made => Err(Fault::Syntax),
        (_, Some(expires)) if i128::from(expires) * 1_000 < i128::from(now.0) => Err(Fault::Expired),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_600_000_000_000);
    const GOOD: &str = "v=1; a=rsa-sha256; d=example.com; s=sel; h=from:to; bh=AAAA; b=BBBB";

    fn read(from: &str, to: &str) -> Result<Signature, Fault> {
        assert!(GOOD.contains(from));
        Signature::parse(GOOD.replace(from, to).as_bytes(), NOW)
    }

    #[test]
    fn a_good_field_is_read() {
        let signature = read("", "").unwrap();
        assert_eq!(signature.key_name.query(), "sel._domainkey.example.com");
        assert_eq!(
            (signature.header_form, signature.body_form),
            (Canonicalization::Simple, Canonicalization::Simple)
        );
        assert_eq!(signature.names, [b"from".to_vec(), b"to".to_vec()]);
        assert_eq!((signature.length, signature.identity), (None, None));
        assert_eq!(signature.identity_domain, signature.key_name.domain);
    }

    #[test]
    fn each_fault_has_its_name() {
        let many = format!("h=from{}", ":to".repeat(limits::SIGNED_NAMES_MAX));
        for (from, to, fault) in [
            ("v=1; ", "", Fault::MissingTag),
            ("; bh=AAAA", "", Fault::MissingTag),
            ("; b=BBBB", "", Fault::MissingTag),
            ("d=example.com; ", "", Fault::MissingTag),
            ("v=1", "v=2", Fault::Version),
            ("v=1", "v=1.0", Fault::Version),
            ("rsa-sha256", "rsa-sha1", Fault::Algorithm),
            ("rsa-sha256", "RSA-SHA256", Fault::Algorithm),
            ("b=BBBB", "b=", Fault::Syntax),
            ("b=BBBB", "b=B*B", Fault::Syntax),
            ("b=BBBB", "b=BBBB; b=BBBB", Fault::Syntax),
            ("d=example.com", "d=com", Fault::Syntax),
            ("d=example.com", "d=[192.0.2.1]", Fault::Syntax),
            ("s=sel", "s=", Fault::Syntax),
            ("s=sel", "s=a b", Fault::Syntax),
            ("h=from:to", "h=", Fault::Syntax),
            ("h=from:to", "h=from::to", Fault::Syntax),
            ("h=from:to", "h=to:x-from", Fault::FromNotSigned),
            ("h=from:to", many.as_str(), Fault::Syntax),
            ("v=1", "v=1; c=other", Fault::Canonicalization),
            ("v=1", "v=1; c=simple/other", Fault::Canonicalization),
            ("v=1", "v=1; c=simple/simple/simple", Fault::Canonicalization),
            ("v=1", "v=1; q=http", Fault::Query),
            ("v=1", "v=1; l=-1", Fault::Syntax),
            ("v=1", "v=1; i=a@example.org", Fault::DomainMismatch),
            ("v=1", "v=1; i=a@notexample.com", Fault::DomainMismatch),
            ("v=1", "v=1; i=@com", Fault::DomainMismatch),
            ("v=1", "v=1; i=example.com", Fault::Syntax),
            ("v=1", "v=1; i==4a@example.com", Fault::Syntax),
            ("v=1", "v=1; i==4@example.com", Fault::Syntax),
            ("v=1", "v=1; x=1599999999", Fault::Expired),
            ("v=1", "v=1; t=9; x=9", Fault::Syntax),
            ("v=1", "v=1; t=soon", Fault::Syntax),
        ] {
            assert_eq!(read(from, to), Err(fault), "{to}");
        }
        let long = format!("{GOOD}; z={}", "x".repeat(limits::SIGNATURE_FIELD_OCTETS_MAX));
        assert_eq!(Signature::parse(long.as_bytes(), NOW), Err(Fault::FieldTooLong));
    }

    #[test]
    fn what_is_allowed_is_read() {
        let forms =
            |text: &str| read("v=1", text).map(|read| (read.header_form.as_str(), read.body_form.as_str()));
        assert_eq!(forms("v=1; c=relaxed"), Ok(("relaxed", "simple")));
        assert_eq!(forms("v=1; c=simple/relaxed"), Ok(("simple", "relaxed")));
        let identity = |text: &str| read("v=1", text).map(|read| read.identity.unwrap());
        assert_eq!(identity("v=1; i=a=3Bb=20c@Sub.Example.com"), Ok("a;b c@Sub.Example.com".into()));
        assert_eq!(identity("v=1; i=a\r\n b@example.com"), Ok("ab@example.com".into()));
        for allowed in
            ["l=5", "q=http : dns/txt", "t=1700000000", "x=1600000000", "x=99999999999999", "unknown=1"]
        {
            assert!(read("v=1", &format!("v=1; {allowed}")).is_ok(), "{allowed}");
        }
        assert_eq!(
            read("d=example.com", "d=größe.example").unwrap().key_name.domain.as_str(),
            "xn--gre-6ka8i.example"
        );
    }

    #[test]
    fn a_claim_survives_other_faults() {
        let claim = Claim::parse(b"v=9; d=example.com; s=sel; a=rsa-sha1");
        assert_eq!(claim.domain.unwrap().as_str(), "example.com");
        assert_eq!(claim.selector.unwrap().as_str(), "sel");
        assert_eq!(claim.algorithm, None);
        assert_eq!(Claim::parse(b"d=example.com; d=example.org"), Claim::default());
    }
}
