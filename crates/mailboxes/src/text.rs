//! Text of emails as SEARCH compares it (RFC 3501 §6.4.4): decoded, and without case.

use mail::message::Header;
use mail::{Timestamp, message};

/// A text that is looked for.
pub(crate) struct Needle(String);

impl Needle {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_lowercase())
    }

    /// Whether a text holds it. Every text holds the empty one.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        memchr::memmem::find(text.to_lowercase().as_bytes(), self.0.as_bytes()).is_some()
    }
}

/// Whether a field of this name holds the text, its encoded words (RFC 2047) decoded.
pub(crate) fn field_holds(header: &Header<'_>, name: &str, needle: &Needle) -> bool {
    header.find_all(name).any(|field| needle.is_in(&message::decode::words(&field.unfolded())))
}

/// Whether any field holds the text, its name included.
pub(crate) fn header_holds(header: &Header<'_>, needle: &Needle) -> bool {
    header.fields().iter().any(|field| {
        let name = String::from_utf8_lossy(field.name);
        needle.is_in(&format!("{name}: {}", message::decode::words(&field.unfolded())))
    })
}

/// The Date field as it was written, its zone disregarded (RFC 3501 §6.4.4, SENTON).
pub(crate) fn sent(header: &Header<'_>) -> Option<Timestamp> {
    let field = header.find("Date")?;
    Timestamp::parse_rfc5322(std::str::from_utf8(&field.unfolded()).ok()?).map(|date| date.as_written)
}

/// The text of an email's body.
pub(crate) fn decoded_text(content: &[u8]) -> String {
    message::decode::text(content)
}
