//! Lists of addresses in header fields (RFC 5322 §3.4, §4.4), read leniently and without recursion.

use std::borrow::Cow;

use super::EnvelopeAddress;
use super::field_syntax::take_comment;
use crate::limits;

/// The addresses of fields, one after the other, as ENVELOPE shows them.
pub(super) fn read<'a>(values: impl Iterator<Item = Cow<'a, [u8]>>) -> Vec<EnvelopeAddress> {
    let mut reader = Reader::default();
    for value in values {
        reader.read(&value);
    }
    reader.list
}

/// What was read of the address under way.
#[derive(Default)]
struct Reader {
    list: Vec<EnvelopeAddress>,
    /// A group is open.
    group: bool,
    /// Words before an `@`, a `<` or a `:`, joined by single blanks.
    phrase: Text,
    /// What follows the `@` of an address without angle brackets.
    host: Option<Text>,
    /// The mailbox and host between angle brackets.
    angle: Option<(Vec<u8>, Vec<u8>)>,
    /// The last comment: `ann@example.org (Ann)` is how names were once written.
    comment: Option<Vec<u8>>,
}

/// Words, joined by a blank wherever blanks stood between them.
#[derive(Default)]
struct Text {
    octets: Vec<u8>,
    blank: bool,
}

impl Text {
    fn push(&mut self, octets: &[u8]) {
        if std::mem::take(&mut self.blank) && !self.octets.is_empty() {
            self.octets.push(b' ');
        }
        self.octets.extend_from_slice(octets);
    }
}

impl Reader {
    fn read(&mut self, mut rest: &[u8]) {
        while let Some((&octet, after)) = rest.split_first() {
            if self.list.len() >= limits::ADDRESSES_MAX {
                return;
            }
            rest = after;
            match octet {
                b' ' | b'\t' => self.text().blank = true,
                b'(' => {
                    let (comment, after) = take_comment(after);
                    self.comment = Some(without_backslashes(comment));
                    rest = after;
                }
                b'"' => {
                    let (quoted, after) = take_quoted(after);
                    self.text().push(&quoted);
                    rest = after;
                }
                b'<' => {
                    let (angle, after) = take_angle(after);
                    self.angle = Some(angle);
                    rest = after;
                }
                b'@' if self.angle.is_none() && self.host.is_none() => self.host = Some(Text::default()),
                b':' if self.angle.is_none() && self.host.is_none() && !self.group => self.begin_group(),
                b',' => self.end_address(),
                b';' => self.end_group(),
                _ => self.text().push(&[octet]),
            }
        }
        self.end_group();
    }

    /// Where the next word belongs.
    fn text(&mut self) -> &mut Text {
        self.host.as_mut().unwrap_or(&mut self.phrase)
    }

    fn begin_group(&mut self) {
        self.group = true;
        let name = std::mem::take(&mut self.phrase).octets;
        self.comment = None;
        self.list.push(EnvelopeAddress { mailbox: Some(name), ..EnvelopeAddress::default() });
    }

    fn end_group(&mut self) {
        self.end_address();
        if std::mem::take(&mut self.group) {
            self.list.push(EnvelopeAddress::default());
        }
    }

    fn end_address(&mut self) {
        let phrase = std::mem::take(&mut self.phrase).octets;
        let host = self.host.take().map(|text| text.octets);
        let comment = self.comment.take();
        let some = |octets: Vec<u8>| (!octets.is_empty()).then_some(octets);
        let address = match (self.angle.take(), host) {
            (Some((mailbox, host)), None) => (some(phrase).or(comment), mailbox, host),
            // `ann@example.org <ann@example.org>`: what looks like an address is a name.
            (Some((mailbox, host)), Some(looks)) => {
                (Some([&phrase[..], b"@", &looks].concat()), mailbox, host)
            }
            (None, Some(host)) => (comment, phrase, host),
            (None, None) if phrase.is_empty() => return,
            (None, None) => (comment, phrase, Vec::new()),
        };
        let (name, mailbox, host) = address;
        self.list.push(EnvelopeAddress { name, mailbox: Some(mailbox), host: Some(host) });
    }
}

/// What follows `<`: mailbox and host, a source route left out, and the rest after `>`.
fn take_angle(text: &[u8]) -> ((Vec<u8>, Vec<u8>), &[u8]) {
    let (mut mailbox, mut host) = (Text::default(), None::<Text>);
    let mut rest = text;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        // RFC 5322 §4.4: the route `@a,@b:` goes before the address.
        if octet == b':' && mailbox.octets.is_empty() && host.is_some() {
            host = None;
            continue;
        }
        if octet == b'@' && host.is_none() {
            host = Some(Text::default());
            continue;
        }
        let target = host.as_mut().unwrap_or(&mut mailbox);
        match octet {
            b'>' => break,
            b' ' | b'\t' => target.blank = true,
            b'(' => rest = take_comment(after).1,
            b'"' => {
                let (quoted, after) = take_quoted(after);
                target.push(&quoted);
                rest = after;
            }
            _ => target.push(&[octet]),
        }
    }
    ((mailbox.octets, host.unwrap_or_default().octets), rest)
}

/// What follows an opening quote: the text up to the closing one, unquoted, and the rest.
fn take_quoted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match (octet, after) {
            (b'"', _) => break,
            (b'\\', [quoted, after @ ..]) => {
                out.push(*quoted);
                rest = after;
            }
            _ => out.push(octet),
        }
    }
    (out, rest)
}

fn without_backslashes(text: &[u8]) -> Vec<u8> {
    let mut octets = text.iter();
    let mut out = Vec::new();
    while let Some(&octet) = octets.next() {
        match octet {
            b'\\' => out.extend(octets.next()),
            _ => out.push(octet),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `name|mailbox|host` for each address; `-` for what is missing.
    fn shown(field: &[u8]) -> String {
        let part = |part: &Option<Vec<u8>>| match part {
            Some(octets) => String::from_utf8_lossy(octets).into_owned(),
            None => "-".into(),
        };
        let list = read(std::iter::once(Cow::Borrowed(field)));
        let shown: Vec<_> = list.iter().map(|a| [&a.name, &a.mailbox, &a.host].map(part).join("|")).collect();
        shown.join(", ")
    }

    #[test]
    fn lists_are_read() {
        for (field, expected) in [
            ("a@x", "-|a|x"),
            ("a@x, b@y", "-|a|x, -|b|y"),
            ("Ann <a@x>", "Ann|a|x"),
            ("Ann  B. Cee <a@x>,Dee<d@y>", "Ann B. Cee|a|x, Dee|d|y"),
            ("\"Cee, Ann\" <a@x>", "Cee, Ann|a|x"),
            ("\"A \\\"B\\\" C\" <a@x>", "A \"B\" C|a|x"),
            ("=?utf-8?q?=C3=84nn?= =?utf-8?q?B?= <a@x>", "=?utf-8?q?=C3=84nn?= =?utf-8?q?B?=|a|x"),
            ("a@x (Ann (the first))", "Ann (the first)|a|x"),
            ("(before) a (middle) @ x (Ann)", "Ann|a|x"),
            ("<@r1,@r2:a@x>", "-|a|x"),
            ("\"a b\"@x", "-|a b|x"),
            ("<\"a>b\"@x>", "-|a>b|x"),
            ("a@[192.0.2.1]", "-|a|[192.0.2.1]"),
            ("a@x <b@y>", "a@x|b|y"),
            ("Friends: a@x, B <b@y>; c@z", "-|Friends|-, -|a|x, B|b|y, -|-|-, -|c|z"),
            ("undisclosed-recipients:;", "-|undisclosed-recipients|-, -|-|-"),
            ("Open: a@x", "-|Open|-, -|a|x, -|-|-"),
            ("root", "-|root|"),
            ("Ann <>", "Ann||"),
            ("Ann <a@x", "Ann|a|x"),
            (",, ,", ""),
            ("", ""),
            ("a@x;b@y", "-|a|x, -|b|y"),
            ("A: B: c@x;", "-|A|-, -|B: c|x, -|-|-"),
        ] {
            assert_eq!(shown(field.as_bytes()), expected, "{field}");
        }
    }

    #[test]
    fn floods_of_addresses_end() {
        let flood = read(std::iter::once(Cow::Owned(b"a,".repeat(100_000))));
        assert_eq!(flood.len(), limits::ADDRESSES_MAX);
    }

    proptest! {
        #[test]
        fn no_text_harms(field in "[a@<>,:;\"\\\\() .\u{ff}]{0,40}") {
            let list = read(std::iter::once(Cow::Borrowed(field.as_bytes())));
            // Each group that begins ends.
            let begun = list.iter().filter(|a| a.mailbox.is_some() && a.host.is_none()).count();
            let ended = list.iter().filter(|a| a.mailbox.is_none()).count();
            prop_assert_eq!(begun, ended);
        }
    }
}
