//! Content-Transfer-Encodings taken off (RFC 2045 §6), piece by piece, so that no part need be held whole.

/// Decodes the body of a part. What is wrongly encoded is taken as well as can be, as readers of mail expect it.
///
/// ```
/// use mail::message::TransferDecoder;
/// let (mut decoder, mut decoded) = (TransferDecoder::named("BASE64").unwrap(), Vec::new());
/// for piece in ["SGVs\r", "\nbG8="] {
///     decoder.push(piece.as_bytes(), &mut decoded);
/// }
/// decoder.finish(&mut decoded);
/// assert_eq!(decoded, b"Hello");
/// assert_eq!(TransferDecoder::named("X-UUENCODE"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferDecoder(Encoding);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Encoding {
    Identity,
    Base64 {
        bits: u32,
        count: u32,
    },
    /// What cannot be judged without the octets to come: blanks that may end a line, or an escape.
    QuotedPrintable {
        held: Vec<u8>,
    },
}

/// Blanks held back to see whether a line ends with them (RFC 2045 §6.7 (3)); its lines have 76 octets.
const HELD_OCTETS_MAX: usize = 1_000;

impl TransferDecoder {
    /// For a value of Content-Transfer-Encoding, without case; none if it is not known.
    pub fn named(encoding: &str) -> Option<Self> {
        let is = |name: &str| encoding.eq_ignore_ascii_case(name);
        if ["7BIT", "8BIT", "BINARY"].into_iter().any(is) {
            Some(Self(Encoding::Identity))
        } else if is("BASE64") {
            Some(Self(Encoding::Base64 { bits: 0, count: 0 }))
        } else if is("QUOTED-PRINTABLE") {
            Some(Self(Encoding::QuotedPrintable { held: Vec::new() }))
        } else {
            None
        }
    }

    /// Whether what it decodes is what it is given.
    pub fn is_identity(&self) -> bool {
        self.0 == Encoding::Identity
    }

    /// Appends what the next piece stands for.
    pub fn push(&mut self, encoded: &[u8], decoded: &mut Vec<u8>) {
        match &mut self.0 {
            Encoding::Identity => decoded.extend_from_slice(encoded),
            Encoding::Base64 { bits, count } => base64(encoded, (bits, count), decoded),
            Encoding::QuotedPrintable { held } => quoted_printable(encoded, held, decoded),
        }
    }

    /// The part is complete: appends what was held back.
    pub fn finish(&mut self, decoded: &mut Vec<u8>) {
        if let Encoding::QuotedPrintable { held } = &mut self.0 {
            // A part ends before a line end, which is the boundary's: blanks and a lone `=` end its last line.
            let held = std::mem::take(held);
            let line = held.strip_suffix(b"\r").unwrap_or(&held);
            let dropped = line.iter().all(|&octet| is_blank(octet))
                || line.strip_prefix(b"=").is_some_and(|rest| rest.iter().all(|&octet| is_blank(octet)));
            decoded.extend_from_slice(if dropped { &held[line.len()..] } else { &held });
        }
    }

    /// All of a body at once.
    pub fn decode(mut self, encoded: &[u8]) -> Vec<u8> {
        let mut decoded = Vec::with_capacity(encoded.len());
        self.push(encoded, &mut decoded);
        self.finish(&mut decoded);
        decoded
    }
}

/// RFC 2045 §6.8: whatever is not of the alphabet is skipped; padding too, because some join encoded pieces.
fn base64(encoded: &[u8], (bits, count): (&mut u32, &mut u32), decoded: &mut Vec<u8>) {
    decoded.reserve(encoded.len() / 4 * 3 + 3);
    for &octet in encoded {
        match VALUES[usize::from(octet)] {
            // The bits left over before padding stand for nothing.
            PADDING => *count = 0,
            NONE => {}
            value => {
                *bits = *bits << 6 | u32::from(value);
                *count += 6;
                if *count >= 8 {
                    *count -= 8;
                    decoded.push((*bits >> *count) as u8);
                }
            }
        }
    }
}

const NONE: u8 = 255;
const PADDING: u8 = 254;

/// What each octet stands for in base64.
const VALUES: [u8; 256] = {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values[b'=' as usize] = PADDING;
    values
};

/// RFC 2045 §6.7: `=` and two digits, or `=` at the end of a line, which joins it to the next; blanks at the end of a line
/// are dropped. A wrong `=` stays.
fn quoted_printable(encoded: &[u8], held: &mut Vec<u8>, decoded: &mut Vec<u8>) {
    let mut rest = encoded;
    while !rest.is_empty() {
        if held.is_empty() {
            let plain = rest.iter().position(|&octet| octet == b'=' || is_blank(octet));
            let (plain, after) = rest.split_at(plain.unwrap_or(rest.len()));
            decoded.extend_from_slice(plain);
            let Some((&first, after)) = after.split_first() else { return };
            held.push(first);
            rest = after;
            continue;
        }
        let octet = rest[0];
        match judge(held, octet) {
            Next::Hold => held.push(octet),
            Next::Becomes(octet) => {
                held.clear();
                decoded.push(octet);
            }
            Next::LineEnd => {
                let line_end: &[u8] = if held.ends_with(b"\r") { b"\r\n" } else { b"\n" };
                held.clear();
                decoded.extend_from_slice(line_end);
            }
            Next::Joined => held.clear(),
            Next::Literal => {
                decoded.append(held);
                continue;
            }
        }
        rest = &rest[1..];
    }
}

/// What the next octet makes of what is held.
enum Next {
    /// Still open.
    Hold,
    /// An escape is complete.
    Becomes(u8),
    /// Blanks ended a line.
    LineEnd,
    /// A line is joined to the next.
    Joined,
    /// What is held stands for itself; the octet is still to be judged.
    Literal,
}

fn judge(held: &[u8], octet: u8) -> Next {
    match (held, octet) {
        (_, _) if held.len() >= HELD_OCTETS_MAX => Next::Literal,
        ([b'=', high], low) if high.is_ascii_hexdigit() => match low.is_ascii_hexdigit() {
            true => Next::Becomes(hex(*high) << 4 | hex(low)),
            false => Next::Literal,
        },
        ([b'=', ..], b'\n') => Next::Joined,
        ([.., b'\r'], b'\n') | (_, b'\n') => Next::LineEnd,
        ([.., b'\r'], _) => Next::Literal,
        (_, b'\r' | b' ' | b'\t') => Next::Hold,
        ([b'='], octet) if octet.is_ascii_hexdigit() => Next::Hold,
        _ => Next::Literal,
    }
}

fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// The value of a hexadecimal digit.
pub(super) fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use ::base64::Engine;
    use proptest::prelude::*;

    use super::*;

    fn decoded(encoding: &str, text: &[u8]) -> Vec<u8> {
        TransferDecoder::named(encoding).unwrap().decode(text)
    }

    #[test]
    fn quoted_printable_is_taken_off() {
        for (text, expected) in [
            ("a=3D=\r\nb=\nc\r\n", "a=bc\r\n"),
            ("=C3=a4 = =X1 =4", "ä = =X1 =4"),
            // RFC 2045 §6.7 (3): blanks at the end of a line were added on the way.
            ("a \t\r\nb \nc d", "a\r\nb\nc d"),
            ("a= \t\r\nb=\t\nc", "abc"),
            ("a \rb\r", "a \rb\r"),
            ("a=\rb=\r=41", "a=\rb=\rA"),
            ("end \t", "end"),
            ("end=", "end"),
            ("=", ""),
            ("", ""),
        ] {
            let found = decoded("Quoted-Printable", text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), expected, "{text:?}");
        }
        let blanks = [b' '; 3 * HELD_OCTETS_MAX];
        assert_eq!(decoded("quoted-printable", &[&blanks[..], b"x"].concat()).len(), blanks.len() + 1);
    }

    #[test]
    fn base64_is_taken_off() {
        assert_eq!(decoded("base64", b"SGVs\r\nbG8="), b"Hello");
        assert_eq!(decoded("BASE64", b"SGVsbG8=SGVsbG8"), b"HelloHello");
        assert_eq!(decoded("BASE64", b"S-G*V s"), b"Hel");
    }

    #[test]
    fn some_encodings_encode_nothing() {
        for name in ["7bit", "8BIT", "Binary"] {
            assert!(TransferDecoder::named(name).unwrap().is_identity());
            assert_eq!(decoded(name, b"=41 \r\n\0"), b"=41 \r\n\0");
        }
        assert_eq!(TransferDecoder::named(""), None);
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(text in "[=A-F0-9 \t\r\nx]{0,60}", cuts in prop::collection::vec(0_usize..9, 1..20)) {
            for name in ["BASE64", "QUOTED-PRINTABLE", "8BIT"] {
                let mut decoder = TransferDecoder::named(name).unwrap();
                let (mut found, mut rest) = (Vec::new(), text.as_bytes());
                for &cut in cuts.iter() {
                    let (piece, after) = rest.split_at(cut.min(rest.len()));
                    decoder.push(piece, &mut found);
                    rest = after;
                }
                decoder.push(rest, &mut found);
                decoder.finish(&mut found);
                prop_assert_eq!(found, decoded(name, text.as_bytes()));
            }
        }

        #[test]
        fn what_is_encoded_is_decoded(octets: Vec<u8>) {
            let encoded = ::base64::engine::general_purpose::STANDARD.encode(&octets);
            prop_assert_eq!(decoded("BASE64", encoded.as_bytes()), octets.clone());
            let escaped: String = octets.iter().map(|octet| format!("={octet:02X}")).collect();
            prop_assert_eq!(decoded("QUOTED-PRINTABLE", escaped.as_bytes()), octets);
        }
    }
}
