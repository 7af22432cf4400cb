//! What an envelope says beside its addresses: the parameters of MAIL and RCPT that travel with a message (RFC 3461,
//! 6152, 3030, 6531, 6533), and xtext, the way they are written.

use std::fmt;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::limits::{ENVELOPE_ID_OCTETS_MAX, ORIGINAL_RECIPIENT_OCTETS_MAX};

/// Parameters of MAIL.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MessageParameters {
    /// BODY.
    #[serde(default, skip_serializing_if = "is_default")]
    pub body: BodyType,
    /// SMTPUTF8 (RFC 6531 §3.4).
    #[serde(default, skip_serializing_if = "is_default")]
    pub utf8: bool,
    /// RET, if it was given.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ret: Option<Return>,
    /// ENVID, decoded: printable ASCII (RFC 3461 §4.4).
    #[serde(default, skip_serializing_if = "is_default")]
    pub envelope_id: Option<String>,
}

/// BODY= (RFC 6152 §2, RFC 3030 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum BodyType {
    /// Lines of ASCII.
    #[default]
    #[serde(rename = "7BIT")]
    SevenBit,
    /// Lines of octets.
    #[serde(rename = "8BITMIME")]
    EightBit,
    /// Octets of any kind; only BDAT can carry them.
    #[serde(rename = "BINARYMIME")]
    Binary,
}

/// RET= (RFC 3461 §4.3): what a report of failure returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Return {
    /// The whole message.
    #[serde(rename = "FULL")]
    Full,
    /// Its header.
    #[serde(rename = "HDRS")]
    Headers,
}

/// Parameters of RCPT.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct RecipientParameters {
    /// NOTIFY, if it was given. Without it, failures are reported, and delays as a server likes (RFC 3461 §4.1).
    #[serde(default, skip_serializing_if = "is_default")]
    pub notify: Option<Notify>,
    /// ORCPT, if it was given.
    #[serde(default, skip_serializing_if = "is_default")]
    pub original: Option<OriginalRecipient>,
}

/// NOTIFY= (RFC 3461 §4.1): of what its sender wants to hear. All false: NEVER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Notify {
    /// SUCCESS.
    #[serde(default, skip_serializing_if = "is_default")]
    pub success: bool,
    /// FAILURE.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failure: bool,
    /// DELAY.
    #[serde(default, skip_serializing_if = "is_default")]
    pub delay: bool,
}

/// ORCPT= (RFC 3461 §4.2): whom the sender named first, before anybody forwarded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OriginalRecipient {
    /// The address type as it was written, because it is relayed so (RFC 3461 §5.2.1): `rfc822`, `utf-8` (RFC 6533 §3).
    pub kind: String,
    /// The address, decoded: printable, UTF-8 only where the type is `utf-8`.
    pub address: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl MessageParameters {
    /// Whether nothing was said.
    pub fn is_default(&self) -> bool {
        is_default(self)
    }
}

impl RecipientParameters {
    /// Whether nothing was said.
    pub fn is_default(&self) -> bool {
        is_default(self)
    }

    /// Whether success is to be reported. Not unless it was asked for (RFC 3461 §4.1).
    pub fn wants_success(&self) -> bool {
        self.notify.is_some_and(|notify| notify.success)
    }

    /// Whether failure is to be reported. Yes, unless something else was said.
    pub fn wants_failure(&self) -> bool {
        self.notify.is_none_or(|notify| notify.failure)
    }

    /// Whether delay may be reported. Yes, unless something else was said.
    pub fn wants_delay(&self) -> bool {
        self.notify.is_none_or(|notify| notify.delay)
    }
}

impl BodyType {
    /// Reads the value of BODY.
    pub fn parse(value: &str) -> Option<Self> {
        let all = [Self::SevenBit, Self::EightBit, Self::Binary];
        all.into_iter().find(|body| body.to_string().eq_ignore_ascii_case(value))
    }
}

impl fmt::Display for BodyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SevenBit => "7BIT",
            Self::EightBit => "8BITMIME",
            Self::Binary => "BINARYMIME",
        })
    }
}

impl Return {
    /// Reads the value of RET.
    pub fn parse(value: &str) -> Option<Self> {
        [Self::Full, Self::Headers].into_iter().find(|ret| ret.to_string().eq_ignore_ascii_case(value))
    }
}

impl fmt::Display for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        })
    }
}

impl Notify {
    /// `NOTIFY=NEVER`: no report, whatever happens.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };

    /// Reads the value of NOTIFY: NEVER alone, or a list of the others, none of them twice (RFC 3461 §4.1).
    pub fn parse(value: &str) -> Option<Self> {
        let mut notify = Self::NEVER;
        if value.eq_ignore_ascii_case("NEVER") {
            return Some(notify);
        }
        for word in value.split(',') {
            let said = match word.to_ascii_uppercase().as_str() {
                "SUCCESS" => &mut notify.success,
                "FAILURE" => &mut notify.failure,
                "DELAY" => &mut notify.delay,
                _ => return None,
            };
            if std::mem::replace(said, true) {
                return None;
            }
        }
        Some(notify)
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let said: Vec<&str> = words.iter().filter(|(said, _)| *said).map(|(_, word)| *word).collect();
        f.write_str(if said.is_empty() { "NEVER".to_owned() } else { said.join(",") }.as_str())
    }
}

/// The address type of UTF-8 addresses (RFC 6533 §3).
const UTF8: &str = "utf-8";
/// The address type of the others (RFC 3461 §5).
const RFC822: &str = "rfc822";

impl OriginalRecipient {
    /// An address that we know, with the type that it has.
    pub fn of(address: &str) -> Self {
        let kind = if address.is_ascii() { RFC822 } else { UTF8 };
        Self { kind: kind.to_owned(), address: address.to_owned() }
    }

    /// Reads the value of ORCPT: `type;address`, the address in xtext, or in one of the forms of RFC 6533 §3.
    pub fn parse(value: &str) -> Option<Self> {
        if value.len() > ORIGINAL_RECIPIENT_OCTETS_MAX {
            return None;
        }
        let (kind, address) = value.split_once(';')?;
        let atom = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.!#$%&'*/?^`{|}~".contains(&octet);
        if kind.is_empty() || !kind.bytes().all(atom) {
            return None;
        }
        let is_utf8 = kind.eq_ignore_ascii_case(UTF8);
        let address = if is_utf8 { unitext(address) } else { xtext_decoded(address) }?;
        Some(Self { kind: kind.to_owned(), address })
    }

    fn is_utf8(&self) -> bool {
        self.kind.eq_ignore_ascii_case(UTF8)
    }

    /// The value of ORCPT for a server that announces SMTPUTF8, or for one that does not.
    pub fn parameter(&self, utf8: bool) -> String {
        let address = if self.is_utf8() { to_unitext(&self.address, utf8) } else { xtext(&self.address) };
        format!("{};{address}", self.kind)
    }

    /// The value of a field of a report, for one in UTF-8 or in ASCII (RFC 3464 §2.3.1, RFC 6533 §3).
    pub fn field(&self, utf8: bool) -> String {
        let encoded = self.is_utf8() && !utf8;
        let address = if encoded { to_unitext(&self.address, false) } else { self.address.clone() };
        format!("{}; {address}", self.kind)
    }
}

/// Reads the value of ENVID (RFC 3461 §4.4).
pub fn envelope_id(value: &str) -> Option<String> {
    (value.len() <= ENVELOPE_ID_OCTETS_MAX).then(|| xtext_decoded(value)).flatten()
}

/// Writes printable ASCII as xtext (RFC 3461 §4): what may not stand in a parameter becomes `+HH`.
pub fn xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'+' | b'=' | 0..=b' ' | 0x7F.. => write!(out, "+{octet:02X}").expect("a String takes all"),
            plain => out.push(char::from(plain)),
        }
    }
    out
}

/// Decodes xtext. What is decoded must be printable ASCII, and something.
pub fn xtext_decoded(value: &str) -> Option<String> {
    let mut decoded = String::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        let (octet, tail) = match (first, tail) {
            (b'+', [high, low, tail @ ..]) => (upper_hex(*high)? * 16 + upper_hex(*low)?, tail),
            (b'+' | b'=', _) => return None,
            (octet, tail) => (*octet, tail),
        };
        if !matches!(octet, b' '..=b'~') {
            return None;
        }
        decoded.push(char::from(octet));
        rest = tail;
    }
    (!decoded.is_empty()).then_some(decoded)
}

fn upper_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Whether a character must be embedded (RFC 6533 §3: CTLs, SP, `\`, `+`, `=`).
fn is_embedded(char: char, utf8: bool) -> bool {
    char.is_control() || matches!(char, ' ' | '\\' | '+' | '=') || (!utf8 && !char.is_ascii())
}

fn to_unitext(address: &str, utf8: bool) -> String {
    let mut out = String::with_capacity(address.len());
    for char in address.chars() {
        match is_embedded(char, utf8) {
            true => write!(out, "\\x{{{:02X}}}", u32::from(char)).expect("a String takes all"),
            false => out.push(char),
        }
    }
    out
}

/// Decodes any of the forms of RFC 6533 §3. What is decoded must be printable, and something.
fn unitext(value: &str) -> Option<String> {
    let mut decoded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(char) = rest.chars().next() {
        let char = if char == '\\' {
            let (point, tail) = rest.strip_prefix("\\x{")?.split_once('}')?;
            let is_hex =
                (2..=6).contains(&point.len()) && point.bytes().all(|digit| digit.is_ascii_hexdigit());
            rest = tail;
            u32::from_str_radix(point, 16).ok().filter(|_| is_hex).and_then(char::from_u32)?
        } else {
            rest = &rest[char.len_utf8()..];
            if is_embedded(char, true) {
                return None;
            }
            char
        };
        if char.is_control() {
            return None;
        }
        decoded.push(char);
    }
    (!decoded.is_empty()).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn notify_is_never_or_a_list() {
        for (value, expected) in [
            ("NEVER", Some(Notify::NEVER)),
            ("success", Some(Notify { success: true, ..Notify::NEVER })),
            ("FAILURE,DELAY", Some(Notify { failure: true, delay: true, ..Notify::NEVER })),
            ("", None),
            ("NEVER,DELAY", None),
            ("DELAY,DELAY", None),
            ("DELAY,", None),
            ("SUCCESS FAILURE", None),
        ] {
            assert_eq!(Notify::parse(value), expected, "{value:?}");
        }
    }

    #[test]
    fn without_notify_failure_and_delay_are_reported_and_success_is_not() {
        let wants = |value: Option<&str>| {
            let notify = value.map(|value| Notify::parse(value).unwrap());
            let parameters = RecipientParameters { notify, original: None };
            (parameters.wants_success(), parameters.wants_failure(), parameters.wants_delay())
        };
        assert_eq!(wants(None), (false, true, true));
        assert_eq!(wants(Some("NEVER")), (false, false, false));
        assert_eq!(wants(Some("SUCCESS,DELAY")), (true, false, true));
    }

    #[test]
    fn original_recipients_in_every_form() {
        let check = |value: &str, expected: Option<(&str, &str)>| {
            let found = OriginalRecipient::parse(value);
            let found = found.as_ref().map(|it| (it.kind.as_str(), it.address.as_str()));
            assert_eq!(found, expected, "{value:?}");
        };
        check("rfc822;bob+2Bx@example.org", Some(("rfc822", "bob+x@example.org")));
        check("RFC822;b", Some(("RFC822", "b")));
        check("x400;/S=a", None);
        check("x400;/S+3Da", Some(("x400", "/S=a")));
        check("utf-8;jürgen@example.org", Some(("utf-8", "jürgen@example.org")));
        check(r"UTF-8;j\x{FC}rgen\x{2B}x@example.org", Some(("UTF-8", "jürgen+x@example.org")));
        for malformed in
            ["", "rfc822", "rfc822;", ";a", "a b;c", "rfc822;ü@x", "rfc822;+0D", r"utf-8;\x{D800}"]
        {
            check(malformed, None);
        }
        for malformed in [r"utf-8;\x{0A}", r"utf-8;\xFC", r"utf-8;\x{1}", "utf-8;a+2Bb", "utf-8;a=b"] {
            check(malformed, None);
        }
        check(&format!("rfc822;{}", "a".repeat(494)), None);
        let jürgen = OriginalRecipient::of("jürgen@example.org");
        assert_eq!(jürgen.parameter(true), "utf-8;jürgen@example.org");
        assert_eq!(jürgen.parameter(false), r"utf-8;j\x{FC}rgen@example.org");
        assert_eq!(jürgen.field(false), r"utf-8; j\x{FC}rgen@example.org");
    }

    #[test]
    fn envelope_ids_are_xtext() {
        assert_eq!(envelope_id("QQ314159+2B"), Some("QQ314159+".into()));
        assert_eq!(envelope_id(""), None);
        assert_eq!(envelope_id(&"a".repeat(101)), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "[ -~]{1,40}") {
            prop_assert_eq!(xtext_decoded(&xtext(&text)), Some(text));
        }

        #[test]
        fn what_is_written_of_original_recipients_is_read(
            address in r"[ -~]{1,20}|[ -~äß漢]{1,20}", utf8 in any::<bool>()
        ) {
            let original = OriginalRecipient::of(&address);
            let written = original.parameter(utf8);
            prop_assert!(utf8 || written.is_ascii());
            prop_assert!(!written.contains([' ', '=']));
            prop_assert_eq!(OriginalRecipient::parse(&written), Some(original));
        }

        #[test]
        fn no_value_makes_it_panic_or_lets_a_control_in(value in r"(rfc822|utf-8);([+\\x{}0-9A-F]|\PC){0,20}") {
            if let Some(original) = OriginalRecipient::parse(&value) {
                prop_assert!(!original.address.chars().any(char::is_control));
            }
        }
    }
}
