//! The structured values of MIME fields (RFC 2045 §5.1, RFC 2183 §2), read leniently: `token/token; name=value; ...`.

use std::borrow::Cow;

use crate::limits;

/// Parameters in their order, names as written. Continuations of RFC 2231 stay the pieces that they are.
pub type Parameters = Vec<(String, Vec<u8>)>;

/// A value with parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Structured {
    /// What stands before the first `;`, without comments and blanks.
    pub(super) value: String,
    /// What stands behind it.
    pub(super) parameters: Parameters,
    /// There were more parameters than `limits` allow.
    pub(super) over_budget: bool,
}

impl Structured {
    /// Reads an unfolded value.
    pub(super) fn parse(text: &[u8]) -> Self {
        let end = end_of_item(text);
        let value = String::from_utf8_lossy(&without_comments(&text[..end])).into_owned();
        let mut read = Self { value, ..Self::default() };
        let mut rest = &text[end..];
        while let [b';', after @ ..] = rest {
            let end = end_of_item(after);
            let (item, next) = after.split_at(end);
            rest = next;
            let Some(parameter) = parameter(item) else { continue };
            if read.parameters.len() == limits::PARAMETERS_MAX {
                read.over_budget = true;
                break;
            }
            read.parameters.push(parameter);
        }
        read
    }
}

/// The value of a parameter, its name compared without case.
pub(super) fn find<'p>(parameters: &'p Parameters, name: &str) -> Option<&'p [u8]> {
    parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
}

/// RFC 2045 §5.1: token.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|octet| matches!(octet, b'!'..=b'~') && !b"()<>@,;:\\\"/[]?=".contains(&octet))
}

/// `name=value`, where the value is quoted, or whatever there is: names of files often lack their quotes.
fn parameter(item: &[u8]) -> Option<(String, Vec<u8>)> {
    let equals = item.iter().position(|&octet| octet == b'=')?;
    let name = without_comments(&item[..equals]);
    let name = std::str::from_utf8(&name).ok().filter(|name| is_token(name))?;
    let value = item[equals + 1..].trim_ascii_start();
    let value = match value.strip_prefix(b"\"") {
        Some(quoted) => unquoted(quoted),
        None => {
            // `charset=us-ascii (Plain text)` ends before its comment; `name=my file (1).pdf` has none.
            let value = value.trim_ascii_end();
            let comment = memchr::memmem::find(value, b" (").filter(|_| value.ends_with(b")"));
            value[..comment.unwrap_or(value.len())].trim_ascii_end().to_vec()
        }
    };
    Some((name.to_owned(), value))
}

/// What stands up to the closing quote, without quoting backslashes (RFC 5322 §3.2.4).
pub(super) fn unquoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut octets = text.iter();
    while let Some(&octet) = octets.next() {
        match octet {
            b'"' => break,
            b'\\' => out.extend(octets.next()),
            _ => out.push(octet),
        }
    }
    out
}

/// Up to the next `;` that stands in no quotes. Comments do not hide one, because names of files have odd parentheses.
fn end_of_item(text: &[u8]) -> usize {
    let mut quoted = false;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b';' if !quoted => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// A text without comments (RFC 5322 §3.2.2) and without blanks around it.
pub(super) fn without_comments(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'(') {
        return Cow::Borrowed(text.trim_ascii());
    }
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((&octet, after)) = rest.split_first() {
        match octet {
            b'(' => rest = take_comment(after).1,
            _ => {
                out.push(octet);
                rest = after;
            }
        }
    }
    Cow::Owned(out.trim_ascii().to_vec())
}

/// What follows `(`: the comment's text up to its own `)`, and the rest. Nesting is counted, not entered.
pub(super) fn take_comment(text: &[u8]) -> (&[u8], &[u8]) {
    let mut depth = 1usize;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' if depth == 1 => return (&text[..at], &text[at + 1..]),
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    (text, &[])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_read() {
        for (text, value, parameters) in [
            ("text/plain", "text/plain", vec![]),
            ("text/plain; charset=us-ascii (Plain text)", "text/plain", vec![("charset", "us-ascii")]),
            ("text/plain (a;b) ; charset=\"x;\\\"y\"", "text/plain", vec![("charset", "x;\"y")]),
            ("a; name=my file (1).pdf;B = c ;;d;=e", "a", vec![("name", "my file (1).pdf"), ("B", "c")]),
            ("a; name=a(1).pdf", "a", vec![("name", "a(1).pdf")]),
            ("a; f*0*=x''y; f*1=z", "a", vec![("f*0*", "x''y"), ("f*1", "z")]),
            ("(c) attachment", "attachment", vec![]),
            ("a; b=\"open; c=d", "a", vec![("b", "open; c=d")]),
            ("", "", vec![]),
        ] {
            let read = Structured::parse(text.as_bytes());
            let expected: Parameters = parameters
                .into_iter()
                .map(|(name, value)| (name.into(), value.as_bytes().to_vec()))
                .collect();
            assert_eq!((read.value.as_str(), read.parameters), (value, expected), "{text}");
        }
    }

    #[test]
    fn floods_of_parameters_end() {
        let flood: String = (0..100_000).map(|n| format!("; a*{n}=b")).collect();
        let read = Structured::parse(format!("text/plain{flood}").as_bytes());
        assert_eq!((read.parameters.len(), read.over_budget), (limits::PARAMETERS_MAX, true));
        assert_eq!(take_comment("(".repeat(100_000).as_bytes()).1, b"");
    }

    proptest! {
        #[test]
        fn no_text_harms(text: Vec<u8>) {
            let _ = Structured::parse(&text);
        }
    }
}
