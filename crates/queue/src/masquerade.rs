//! What others see instead of our domains: one domain for all, in the reverse-path and, if wished, in the header.
//!
//! A machine's own name is of no use outside: `ann@build7.office.example.org` becomes `ann@example.org`. The local part stays, so
//! the domain that is shown must know the same people. Nothing else of a field is touched: names, comments, groups and folds
//! stay octet by octet.

use std::borrow::Cow;

use mail::message::Header;
use mail::{Address, Domain, Host, ReversePath};
use settings::Masquerade;

/// Fields of RFC 5322 §3.6.2, §3.6.3 and §3.6.6 that hold addresses.
const FIELDS: [&str; 10] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Resent-From",
    "Resent-Sender",
    "Resent-Reply-To",
    "Resent-To",
    "Resent-Cc",
];

/// A masquerade, and whom it hides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mask<'a> {
    pub(crate) masquerade: &'a Masquerade,
    /// Domains of ours.
    pub(crate) ours: &'a [Domain],
}

impl Mask<'_> {
    /// The reverse-path as others see it.
    pub(crate) fn reverse_path(&self, path: ReversePath) -> ReversePath {
        match path {
            ReversePath::Address(Address { local, host: Host::Domain(domain) }) if self.hides(&domain) => {
                ReversePath::Address(Address { local, host: Host::Domain(self.masquerade.domain.clone()) })
            }
            path => path,
        }
    }

    /// The beginning of a message as others see it: the same where nothing of its header is hidden, or where the header does
    /// not end in it.
    pub(crate) fn beginning<'c>(&self, content: &'c [u8]) -> Cow<'c, [u8]> {
        let header = Header::parse(content);
        let whole = header.octets() < content.len() && !header.over_budget();
        if !self.masquerade.header || !whole {
            return Cow::Borrowed(content);
        }
        let (mut seen, mut from) = (Vec::new(), 0);
        for field in header.fields().iter().filter(|field| FIELDS.iter().any(|name| field.is(name))) {
            let range = field.range.clone();
            for hidden in domains(&content[range.clone()]) {
                let hidden = range.start + hidden.start..range.start + hidden.end;
                let text = std::str::from_utf8(&content[hidden.clone()]).ok();
                if text.and_then(|text| Domain::parse(text).ok()).is_some_and(|domain| self.hides(&domain)) {
                    seen.extend_from_slice(&content[from..hidden.start]);
                    seen.extend_from_slice(self.masquerade.domain.as_str().as_bytes());
                    from = hidden.end;
                }
            }
        }
        if from == 0 {
            return Cow::Borrowed(content);
        }
        seen.extend_from_slice(&content[from..]);
        Cow::Owned(seen)
    }

    fn hides(&self, domain: &Domain) -> bool {
        *domain != self.masquerade.domain && self.ours.contains(domain)
    }
}

/// Where the domains of addresses stand in a field: what follows an `@` outside of quoted strings and comments (RFC 5322
/// §3.2.2, §3.2.4, §3.4.1).
fn domains(field: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let (mut at, mut depth, mut quoted) = (0, 0_usize, false);
    while at < field.len() {
        match field[at] {
            // A quoted pair: what follows means nothing.
            b'\\' if quoted || depth > 0 => at += 1,
            b'"' if depth == 0 => quoted = !quoted,
            _ if quoted => {}
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'@' if depth == 0 => {
                let is_part =
                    |octet: &u8| octet.is_ascii_alphanumeric() || *octet >= 0x80 || b"-._".contains(octet);
                let length = field[at + 1..].iter().take_while(|octet| is_part(octet)).count();
                found.push(at + 1..at + 1 + length);
                at += length;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ours() -> Vec<Domain> {
        ["a.example.org", "b.example.org", "example.org"].map(|name| Domain::parse(name).unwrap()).to_vec()
    }

    fn masquerade(header: bool) -> Masquerade {
        Masquerade { domain: Domain::parse("example.org").unwrap(), header }
    }

    #[test]
    fn reverse_paths_of_ours_are_hidden() {
        let (masquerade, ours) = (masquerade(false), ours());
        let mask = Mask { masquerade: &masquerade, ours: &ours };
        for (path, expected) in [
            ("ann@a.example.org", "ann@example.org"),
            ("ann@A.Example.org", "ann@example.org"),
            ("ann@example.org", "ann@example.org"),
            ("ann@c.example.org", "ann@c.example.org"),
            ("ann@elsewhere.example", "ann@elsewhere.example"),
            ("ann@[192.0.2.1]", "ann@[192.0.2.1]"),
        ] {
            let seen = mask.reverse_path(ReversePath::Address(path.parse().unwrap()));
            assert_eq!(seen.address().unwrap().to_string(), expected, "{path}");
        }
        assert_eq!(mask.reverse_path(ReversePath::Null), ReversePath::Null);
        let content = b"From: ann@a.example.org\r\n\r\n.";
        assert_eq!(mask.beginning(content), &content[..]);
    }

    #[test]
    fn fields_with_addresses_are_hidden_and_nothing_else() {
        let (masquerade, ours) = (masquerade(true), ours());
        let mask = Mask { masquerade: &masquerade, ours: &ours };
        for (content, expected) in [
            (
                "From: Ann <ann@a.example.org>\r\n\r\nx@a.example.org",
                "From: Ann <ann@example.org>\r\n\r\nx@a.example.org",
            ),
            (
                "To: ann@a.example.org,\r\n bob@B.example.org (at a@b.example.org), joe@elsewhere.example\r\n\r\n.",
                "To: ann@example.org,\r\n bob@example.org (at a@b.example.org), joe@elsewhere.example\r\n\r\n.",
            ),
            (
                "cc: \"x@a.example.org\" <ann@a.example.org>, g: c@b.example.org;\r\n\r\n.",
                "cc: \"x@a.example.org\" <ann@example.org>, g: c@example.org;\r\n\r\n.",
            ),
            ("Sender: \"a\\\"@\"@a.example.org\r\n\r\n.", "Sender: \"a\\\"@\"@example.org\r\n\r\n."),
            ("Subject: ann@a.example.org\r\n\r\n.", "Subject: ann@a.example.org\r\n\r\n."),
            ("Message-ID: <1@a.example.org>\r\n\r\n.", "Message-ID: <1@a.example.org>\r\n\r\n."),
            ("From: ann@xa.example.org\r\n\r\n.", "From: ann@xa.example.org\r\n\r\n."),
            // A header without an end may go on elsewhere.
            ("From: ann@a.example.org\r\n", "From: ann@a.example.org\r\n"),
        ] {
            let seen = mask.beginning(content.as_bytes());
            assert_eq!(String::from_utf8_lossy(&seen), expected, "{content:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_not_ours_stays_as_it_is(field in "[ -~]{0,80}", body in "[ -~\r\n]{0,40}") {
            let content = format!("From: {field}\r\n\r\n{body}");
            let masquerade = masquerade(true);
            let mask = Mask { masquerade: &masquerade, ours: &[] };
            prop_assert_eq!(mask.beginning(content.as_bytes()), content.as_bytes());
        }
    }
}
