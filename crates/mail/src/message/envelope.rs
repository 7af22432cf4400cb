//! What IMAP's ENVELOPE shows of a header (RFC 3501 §7.4.2).

use serde::{Deserialize, Serialize};

use super::addresses;
use super::header::{Field, Header};

/// What IMAP's ENVELOPE shows (RFC 3501 §7.4.2), raw: encoded words stay encoded. No value holds CR, LF or NUL; octets
/// beyond ASCII are as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EnvelopeFields {
    /// Date, as written.
    pub date: Option<Vec<u8>>,
    /// Subject, unfolded.
    pub subject: Option<Vec<u8>>,
    /// From.
    pub from: Vec<EnvelopeAddress>,
    /// Sender; From where missing.
    pub sender: Vec<EnvelopeAddress>,
    /// Reply-To; From where missing.
    pub reply_to: Vec<EnvelopeAddress>,
    /// To.
    pub to: Vec<EnvelopeAddress>,
    /// Cc.
    pub cc: Vec<EnvelopeAddress>,
    /// Bcc.
    pub bcc: Vec<EnvelopeAddress>,
    /// In-Reply-To, as written.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID, as written.
    pub message_id: Option<Vec<u8>>,
}

/// One address structure of ENVELOPE. A group starts with only `mailbox` set (its name) and ends with all empty. A real
/// address has a host always, empty where none was written, because a missing one would make it a group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EnvelopeAddress {
    /// Display name, unquoted, encoded words untouched.
    pub name: Option<Vec<u8>>,
    /// Local part.
    pub mailbox: Option<Vec<u8>>,
    /// Domain.
    pub host: Option<Vec<u8>>,
}

/// The envelope of a message, of which at least the header is given.
///
/// ```
/// let envelope = mail::message::envelope(b"From: \"Ann B.\" <ann@example.org>\r\nSubject: Hi\r\n\r\n");
/// assert_eq!(envelope.subject.as_deref(), Some(&b"Hi"[..]));
/// assert_eq!(envelope.reply_to[0].host.as_deref(), Some(&b"example.org"[..]));
/// ```
pub fn envelope(message: &[u8]) -> EnvelopeFields {
    EnvelopeFields::of(&Header::parse(message))
}

impl EnvelopeFields {
    /// The envelope that a header makes.
    pub fn of(header: &Header<'_>) -> Self {
        let text = |name| header.find(name).map(|field| field.unfolded().into_owned());
        let list = |name| addresses::read(header.find_all(name).map(Field::unfolded));
        let from: Vec<EnvelopeAddress> = list("From");
        // RFC 3501 §7.4.2: absent or empty, they are the same as From.
        let or_from = |list: Vec<EnvelopeAddress>| if list.is_empty() { from.clone() } else { list };
        Self {
            date: text("Date"),
            subject: text("Subject"),
            sender: or_from(list("Sender")),
            reply_to: or_from(list("Reply-To")),
            to: list("To"),
            cc: list("Cc"),
            bcc: list("Bcc"),
            in_reply_to: text("In-Reply-To"),
            message_id: text("Message-ID"),
            from,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_of_a_header() {
        let read = envelope(
            b"From: a@x\r\nFROM: b@y\r\nSubject: =?utf-8?q?H=C3=A4?=\r\n hm\r\nReply-To:\r\nSender: c@z\r\nDate: today\r\n\r\nTo: no@where\r\n",
        );
        let one = |mailbox: &[u8], host: &[u8]| EnvelopeAddress {
            name: None,
            mailbox: Some(mailbox.to_vec()),
            host: Some(host.to_vec()),
        };
        let from = vec![one(b"a", b"x"), one(b"b", b"y")];
        let expected = EnvelopeFields {
            date: Some(b"today".to_vec()),
            subject: Some(b"=?utf-8?q?H=C3=A4?= hm".to_vec()),
            reply_to: from.clone(),
            from,
            sender: vec![one(b"c", b"z")],
            ..EnvelopeFields::default()
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn empty_fields_are_there() {
        let read = envelope(b"Subject:\r\n\r\n");
        assert_eq!((read.subject.as_deref(), read.date), (Some(&b""[..]), None));
    }
}
