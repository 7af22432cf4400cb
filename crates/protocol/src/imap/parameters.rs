//! MIME parameters as BODYSTRUCTURE shows them (RFC 9051 §7.5.2): those that were cut into pieces are one again (RFC 2231 §3,
//! §4.1).
//!
//! ```text
//! name*0=ab; name*1=c           ─► name=abc
//! name*0*=koi8-r''%D0; name*1=o ─► name*=UTF-8''%D0%BFo
//! ```
//!
//! Other than RFC 9051 §7.5.2 has it in words, what was encoded stays in the form of RFC 2231 §4, in UTF-8: by that form
//! clients know a `name*` that came whole, too.

use std::borrow::Cow;

use mail::charset::Charset;

/// A parameter, its name as written.
type Parameter = (String, Vec<u8>);

/// A piece of a parameter.
struct Piece<'a> {
    base: &'a str,
    number: usize,
    /// `name*0*`: percent-encoded.
    encoded: bool,
    value: &'a [u8],
}

impl<'a> Piece<'a> {
    fn of((name, value): &'a Parameter) -> Option<Self> {
        let (base, rest) = name.split_once('*')?;
        let (digits, encoded) = match rest.strip_suffix('*') {
            Some(digits) => (digits, true),
            None => (rest, false),
        };
        let canonical = digits == "0" || !digits.starts_with(['0', '+']);
        let number = digits.parse().ok().filter(|_| canonical)?;
        Some(Self { base, number, encoded, value })
    }
}

/// The parameters, in their order, with pieces joined where the first of them stood. Pieces of which one is missing or
/// there twice are left as they are.
pub(super) fn joined(parameters: &[Parameter]) -> Cow<'_, [Parameter]> {
    let pieces: Vec<Piece<'_>> = parameters.iter().filter_map(Piece::of).collect();
    if pieces.is_empty() {
        return Cow::Borrowed(parameters);
    }
    let mut shown: Vec<Parameter> = Vec::new();
    let mut done: Vec<&str> = Vec::new();
    for parameter in parameters {
        let Some(base) = Piece::of(parameter).map(|piece| piece.base) else {
            shown.push(parameter.clone());
            continue;
        };
        if done.iter().any(|other| other.eq_ignore_ascii_case(base)) {
            continue;
        }
        match join(base, &pieces) {
            Some(whole) => {
                shown.push(whole);
                done.push(base);
            }
            None => shown.push(parameter.clone()),
        }
    }
    Cow::Owned(shown)
}

fn join(base: &str, pieces: &[Piece<'_>]) -> Option<Parameter> {
    let mut pieces: Vec<_> = pieces.iter().filter(|piece| piece.base.eq_ignore_ascii_case(base)).collect();
    pieces.sort_by_key(|piece| piece.number);
    if pieces.iter().enumerate().any(|(place, piece)| piece.number != place) {
        return None;
    }
    if !pieces.iter().any(|piece| piece.encoded) {
        return Some((base.to_owned(), pieces.iter().flat_map(|piece| piece.value).copied().collect()));
    }
    let (mut charset, mut language) = (Charset::UNLABELLED, "");
    let mut octets = Vec::new();
    for piece in pieces {
        let mut value = piece.value;
        if piece.number == 0
            && piece.encoded
            && let [label, tag, rest] = *value.splitn(3, |&octet| octet == b'\'').collect::<Vec<_>>()
        {
            charset = Charset::named(label).unwrap_or(Charset::UNLABELLED);
            language = std::str::from_utf8(tag).unwrap_or_default();
            value = rest;
        }
        octets.extend(if piece.encoded { decoded(value) } else { value.to_vec() });
    }
    let value = format!("UTF-8'{language}'{}", encoded(&charset.guess(&octets)));
    Some((format!("{base}*"), value.into_bytes()))
}

/// Without percent-encoding; what is none stays.
fn decoded(mut text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    while let Some((&octet, rest)) = text.split_first() {
        let digits =
            rest.get(..2).filter(|_| octet == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.filter(|digits| !digits.starts_with('+')).and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(value) => {
                out.push(value);
                text = &rest[2..];
            }
            None => {
                out.push(octet);
                text = rest;
            }
        }
    }
    out
}

/// RFC 2231 §7: all but attribute-char is percent-encoded.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        let plain = octet.is_ascii_graphic() && !b"*'%()<>@,;:\\\"/[]?=".contains(&octet);
        if plain { out.push(char::from(octet)) } else { out.push_str(&format!("%{octet:02X}")) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_one() {
        let parameters = |list: &[(&str, &str)]| -> Vec<Parameter> {
            list.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
        };
        let check = |given: &[(&str, &str)], expected: &[(&str, &str)]| {
            assert_eq!(joined(&parameters(given)).into_owned(), parameters(expected), "{given:?}");
        };
        check(&[("name", "a"), ("name*", "utf-8''%C3%BC")], &[("name", "a"), ("name*", "utf-8''%C3%BC")]);
        check(&[("NAME*1", "c"), ("x", "y"), ("name*0", "ab")], &[("NAME", "abc"), ("x", "y")]);
        check(
            &[("n*0*", "iso-8859-1'de'%FC"), ("n*1", "% o"), ("n*2*", "%DF")],
            &[("n*", "UTF-8'de'%C3%BC%25%20o%C3%9F")],
        );
        check(&[("n*0*", "koi8-r''%D0"), ("n*1", "o")], &[("n*", "UTF-8''%D0%BFo")]);
        check(&[("n*0*", "no quotes%41"), ("n*1*", "%4")], &[("n*", "UTF-8''no%20quotesA%254")]);
        // One is missing, or there twice, or no number.
        for odd in [
            &[("n*1", "b")][..],
            &[("n*0", "a"), ("n*2", "c")],
            &[("n*0", "a"), ("n*0", "b")],
            &[("n*01", "a")],
            &[("n*x", "a"), ("*", "b")],
        ] {
            check(odd, odd);
        }
    }
}
