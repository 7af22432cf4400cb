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
        let required = |name| tags.find(name).ok_or(Fault::MissingTag);
        let [version, algorithm, signature, body_hash, domain_text, names, selector] = [
            required("v")?,
            required("a")?,
            required("b")?,
            required("bh")?,
            required("d")?,
            required("h")?,
            required("s")?,
        ];
        if version != b"1" {
            return Err(Fault::Version);
        }
        let (header_form, body_form) = forms(tags.find("c"))?;
        let signing_domain =
            domain(domain_text).filter(|name| name.as_str().contains('.')).ok_or(Fault::Syntax)?;
        let (identity, identity_domain) = identity(tags.find("i"), &signing_domain)?;
        check_query(tags.find("q"))?;
        check_times(tags.find("t"), tags.find("x"), now)?;
        Ok(Self {
            algorithm: Algorithm::parse(algorithm).ok_or(Fault::Algorithm)?,
            header_form,
            body_form,
            key_name: KeyName { selector: self::selector(selector)?, domain: signing_domain },
            identity_domain,
            identity,
            names: signed_names(names)?,
            length: tags.find("l").map(|text| number(text).ok_or(Fault::Syntax)).transpose()?,
            body_hash: base64(body_hash)?,
            signature: base64(signature)?,
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
