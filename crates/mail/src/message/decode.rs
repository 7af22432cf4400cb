//! Text as people read it: encoded words of header fields (RFC 2047), and bodies with their transfer encoding (RFC 2045 §6)
//! and charset taken off. For search and for display, where a best guess is better than none; never for what is sent on.
//!
//! Of a charset that is not known only ASCII is taken, the rest becomes U+FFFD.

use super::header::Header;
use super::structure::{Part, Structure};
use super::transfer::{TransferDecoder, hex};
use crate::charset::Charset;
use crate::limits;

/// A field's value with its encoded words decoded; what is none stays, read as UTF-8 or, if it is none, as Windows-1252.
///
/// ```
/// assert_eq!(mail::message::decode::words(b"=?ISO-8859-1?Q?Gr=FC=DFe?= =?utf-8?b?4pi6?= !"), "Grüße☺ !");
/// ```
pub fn words(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    // Consecutive words of one charset are decoded together: some writers cut characters in two.
    let mut pending: Option<(Option<Charset>, Vec<u8>)> = None;
    let mut rest = value;
    while !rest.is_empty() {
        let start = memchr::memmem::find(rest, b"=?").unwrap_or(rest.len());
        let (plain, from) = rest.split_at(start);
        let word = encoded_word(from);
        // RFC 2047 §6.2: blanks between two encoded words are left out.
        let joins = word.is_some() && pending.is_some() && plain.trim_ascii().is_empty();
        if !joins {
            flush(&mut out, pending.take());
            out.push_str(&Charset::UNLABELLED.guess(plain));
        }
        match word {
            Some(word) => {
                match &mut pending {
                    Some((charset, octets)) if *charset == word.charset => octets.extend(word.octets),
                    _ => flush(&mut out, pending.replace((word.charset, word.octets))),
                }
                rest = word.rest;
            }
            None => {
                flush(&mut out, pending.take());
                let skipped = from.len().min(2);
                out.push_str(&String::from_utf8_lossy(&from[..skipped]));
                rest = &from[skipped..];
            }
        }
    }
    flush(&mut out, pending);
    out
}

fn flush(out: &mut String, word: Option<(Option<Charset>, Vec<u8>)>) {
    if let Some((charset, octets)) = word {
        decode_into(out, charset, &octets);
    }
}

struct EncodedWord<'a> {
    /// None: it is not known.
    charset: Option<Charset>,
    octets: Vec<u8>,
    rest: &'a [u8],
}

/// RFC 2047 §2: `=?charset?encoding?text?=`, the charset perhaps with a language (RFC 2231 §5).
fn encoded_word(text: &[u8]) -> Option<EncodedWord<'_>> {
    let text = text.strip_prefix(b"=?")?;
    let (charset, text) = split_at_octet(text, b'?')?;
    let (encoding, text) = split_at_octet(text, b'?')?;
    let (encoded, text) = split_at_octet(text, b'?')?;
    let rest = text.strip_prefix(b"=")?;
    let octets = match encoding {
        b"B" | b"b" => TransferDecoder::named("BASE64")?.decode(encoded),
        b"Q" | b"q" => q_encoded(encoded),
        _ => return None,
    };
    let charset = charset.split(|&octet| octet == b'*').next().unwrap_or_default();
    Some(EncodedWord { charset: Charset::named(charset), octets, rest })
}

fn split_at_octet(text: &[u8], octet: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(octet, text)?;
    Some((&text[..at], &text[at + 1..]))
}

/// All text of a message's body: its parts of type text, and the headers of the messages in it. At most
/// `SEARCHED_OCTETS_MAX` octets of it are looked at.
pub fn text(message: &[u8]) -> String {
    let structure = Structure::parse(message);
    let mut out = String::new();
    let mut room = limits::SEARCHED_OCTETS_MAX;
    let mut todo = vec![&structure.root];
    while let Some(part) = todo.pop().filter(|_| room > 0) {
        if part.parts.is_empty() {
            if part.is("text") {
                let read = &message[part.body.clone()];
                let read = &read[..read.len().min(room)];
                room -= read.len();
                out.push_str(&decoded(part, read));
                out.push('\n');
            }
            continue;
        }
        if let (true, Some(inner)) = (part.is_message(), part.parts.first()) {
            let read = &message[inner.header.clone()];
            let read = &read[..read.len().min(room)];
            room -= read.len();
            push_header(&mut out, &Header::parse(read));
        }
        todo.extend(part.parts.iter().rev());
    }
    out
}

fn push_header(out: &mut String, header: &Header<'_>) {
    for field in header.fields() {
        out.push_str(&String::from_utf8_lossy(field.name));
        out.push_str(": ");
        out.push_str(&words(&field.unfolded()));
        out.push('\n');
    }
}

/// The text of a part, of which the body is given as it stands in the message.
pub fn decoded(part: &Part, body: &[u8]) -> String {
    let charset = part.parameter("charset").map_or(Some(Charset::UNLABELLED), Charset::named);
    let mut out = String::with_capacity(body.len());
    match TransferDecoder::named(&part.encoding).filter(|decoder| !decoder.is_identity()) {
        Some(decoder) => decode_into(&mut out, charset, &decoder.decode(body)),
        None => decode_into(&mut out, charset, body),
    }
    out
}

/// RFC 2047 §4.2: as quoted-printable, but without lines.
fn q_encoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match (octet, after) {
            (b'_', _) => out.push(b' '),
            (b'=', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => out.push(octet),
        }
    }
    out
}

fn decode_into(out: &mut String, charset: Option<Charset>, octets: &[u8]) {
    match charset {
        Some(charset) => out.push_str(&charset.guess(octets)),
        None => out.extend(octets.iter().map(|&octet| match octet {
            0..=0x7f => char::from(octet),
            _ => char::REPLACEMENT_CHARACTER,
        })),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_decoded() {
        for (value, expected) in [
            // RFC 2047 §8.
            ("(=?ISO-8859-1?Q?a?=)", "(a)"),
            ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
            ("=?US-ASCII*en?q?x?=", "x"),
            ("=?utf-8?B?w6Q=?=", "ä"),
            ("=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "ä"),
            ("=?windows-1252?q?=80?= =?iso-8859-15?q?=A4?=", "€€"),
            ("=?koi8-r?q?a=C1?=", "aа"),
            ("=?x-none?q?a=C1?=", "a\u{fffd}"),
            ("plain ä", "plain ä"),
            ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
            ("=?utf-8?q?open", "=?utf-8?q?open"),
            ("=?=?utf-8?q?a?=", "=?a"),
            ("=?", "=?"),
            ("=", "="),
            ("", ""),
        ] {
            assert_eq!(words(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn the_text_of_a_message_is_that_of_its_parts() {
        let message = "Subject: outside\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\
            Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=\r\n\u{df}e\r\n\
            --b\r\nContent-Type: application/x\r\n\r\nhidden\r\n\
            --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?b?w6Q=?=\r\n\r\ninner\r\n\
            --b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+aGk8L2I+\r\n--b--\r\n";
        let message: Vec<u8> = message.chars().map(|c| c as u8).collect();
        assert_eq!(text(&message), "Grüße\nSubject: ä\ninner\n<b>hi</b>\n");
    }

    proptest! {
        #[test]
        fn no_text_harms(value in "[=?_ bqBQ\u{e4}A-C0-9utf-]{0,60}") {
            let _ = words(value.as_bytes());
            let _ = text(value.as_bytes());
        }
    }
}
