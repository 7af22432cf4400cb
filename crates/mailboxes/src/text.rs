//! Text of emails as SEARCH compares it (RFC 3501 §6.4.4): decoded, and without case.

use mail::charset::folded;
use mail::message::{Field, Header, decode};
use mail::{SearchKey, Timestamp};

/// A header; of its fields those are decoded that a key asks for.
pub(crate) struct Fields<'a>(Header<'a>);

impl<'a> Fields<'a> {
    /// Reads a header.
    pub(crate) fn read(header: &'a [u8]) -> Self {
        Self(Header::parse(header))
    }

    /// Whether a field of this name holds the text, which is folded; encoded words (RFC 2047) are decoded.
    pub(crate) fn hold(&self, name: &str, text: &str) -> bool {
        self.0.find_all(name).any(|field| text.is_empty() || holds(&value(field), text))
    }

    /// Whether any field holds the text, its name included.
    pub(crate) fn hold_anywhere(&self, text: &str) -> bool {
        let line = |field: &Field<'_>| {
            format!("{}: {}", folded(String::from_utf8_lossy(field.name).into_owned()), value(field))
        };
        self.0.fields().iter().any(|field| holds(&line(field), text))
    }

    /// The Date field as it was written, its zone disregarded (RFC 3501 §6.4.4, SENTON).
    pub(crate) fn sent(&self) -> Option<Timestamp> {
        let date = self.0.find("Date")?.unfolded();
        Timestamp::parse_rfc5322(std::str::from_utf8(&date).ok()?).map(|date| date.as_written)
    }
}

fn value(field: &Field<'_>) -> String {
    folded(decode::words(&field.unfolded()))
}

/// The text of an email's body, folded.
pub(crate) fn body_text(content: &[u8]) -> String {
    folded(decode::text(content))
}

/// Whether a text holds another, which every text does if it is empty. Linear.
pub(crate) fn holds(text: &str, wanted: &str) -> bool {
    memchr::memmem::find(text.as_bytes(), wanted.as_bytes()).is_some()
}

/// The key with all its texts folded, so that they need not be folded again for each email.
pub(crate) fn folded_key(key: &SearchKey) -> SearchKey {
    match key {
        SearchKey::And(keys) => SearchKey::And(keys.iter().map(folded_key).collect()),
        SearchKey::Or(a, b) => SearchKey::Or(Box::new(folded_key(a)), Box::new(folded_key(b))),
        SearchKey::Not(key) => SearchKey::Not(Box::new(folded_key(key))),
        SearchKey::Header(name, text) => SearchKey::Header(name.clone(), folded(text.clone())),
        SearchKey::Body(text) => SearchKey::Body(folded(text.clone())),
        SearchKey::Text(text) => SearchKey::Text(folded(text.clone())),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_compared_without_case() {
        let fields = Fields::read(
            b"Subject: =?utf-8?q?Gr=C3=9C=C3=9Fe?=\r\n aus Ulm\r\nDate: Fri, 21 Nov 2025 23:30:00 -0800\r\n\r\n",
        );
        assert!(
            fields.hold("subject", &folded("Grü".into()))
                && fields.hold("subject", "e aus ulm")
                && fields.hold("subject", "")
        );
        assert!(!fields.hold("to", "") && !fields.hold("subject", "nov"));
        assert!(fields.hold_anywhere("date: fri") && !fields.hold_anywhere("ulmdate"));
        assert_eq!(fields.sent().map(Timestamp::day_start), Timestamp::parse_imap_date("21-Nov-2025"));
    }

    #[test]
    fn keys_are_folded_wherever_they_stand() {
        let not = |key| SearchKey::Not(Box::new(key));
        let key = |to: &str, text: &str| {
            let header = SearchKey::Header(to.into(), text.into());
            let or = SearchKey::Or(Box::new(not(header)), Box::new(SearchKey::Text(text.into())));
            SearchKey::And(vec![SearchKey::All, or, SearchKey::Body(text.into())])
        };
        assert_eq!(folded_key(&key("To", "ÄBC")), key("To", "a\u{308}bc"));
    }
}
