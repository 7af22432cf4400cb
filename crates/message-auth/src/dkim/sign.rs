//! Signs a message (RFC 6376 §5) on its way out, after every conversion.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mail::Timestamp;
use mail::message::{Field, Header};

use super::body_hash::BodyHash;
use super::field::{chosen, header_input, read_header};
use super::intake::Intake;
use super::{Canonicalization, KeyName, SigningKey};
use crate::limits;

/// Sealed, whether the message has them or not: h= names them once more than they occur, so that none can be added
/// (RFC 6376 §5.4). What a reader sees, and what decides how the body is shown.
const SEALED: [&str; 12] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Reply-To",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];
/// Sealed if the message has them. Lists add them to what lacks them, and may (RFC 6376 §5.4.1, RFC 8058 §4).
const SEALED_IF_PRESENT: [&str; 10] = [
    "Sender",
    "Content-Disposition",
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
];
/// Signed as often as they occur. Another resending puts its block above, which does no harm (RFC 5322 §3.6.6).
const SIGNED: [&str; 6] =
    ["Resent-Date", "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Message-ID"];

/// Who signs.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Where the public key is published; d= and s=.
    pub name: KeyName,
    /// The private key.
    pub key: Arc<SigningKey>,
}

/// How a message is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// For the header.
    pub header: Canonicalization,
    /// For the body. All of it is always signed: l= would let others add to it (RFC 6376 §8.2).
    pub body: Canonicalization,
    /// x=, seconds after t=. `None`: for good. Mail can wait days in queues.
    pub lifetime_secs: Option<u32>,
}

impl Default for Terms {
    /// Relaxed, for good.
    fn default() -> Self {
        Self { header: Canonicalization::Relaxed, body: Canonicalization::Relaxed, lifetime_secs: None }
    }
}

/// Signs a message that comes in pieces. Memory: the header, and a few KiB.
///
/// ```
/// use std::sync::Arc;
/// use message_auth::dkim::{Algorithm, Identity, KeyAnswer, KeyName, Outcome, Signer, SigningKey, Terms, verify};
/// use mail::{Domain, Timestamp};
///
/// let now = Timestamp(1_795_359_600_000);
/// let key = Arc::new(SigningKey::generate(Algorithm::Ed25519));
/// let name = KeyName { selector: key.selector(now), domain: Domain::parse("example.com").unwrap() };
///
/// let message = b"From: a@example.com\r\nSubject: Hello\r\n\r\nHow are you?\r\n";
/// let mut signer = Signer::new(Terms::default());
/// message.chunks(10).for_each(|piece| signer.update(piece));
/// let mut signed = signer.finish(&[Identity { name, key: Arc::clone(&key) }], now).unwrap();
/// signed.extend_from_slice(message);
///
/// let record = key.record().text().into_bytes();
/// let findings = verify(&signed, now, |_| KeyAnswer::Records(vec![record.clone()]));
/// assert_eq!(findings[0].outcome, Outcome::Pass { unsigned_octets: 0 });
/// ```
#[derive(Clone)]
pub struct Signer {
    terms: Terms,
    intake: Intake,
    body: BodyHash,
}

/// The message cannot be signed. It may be sent without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignError {
    /// The header has lines that are no fields, or bare CR or LF, or is longer than `limits` allow, or repeats
    /// fields without end: others could read it differently (RFC 6376 §3.8).
    Header,
    /// Not exactly one From (RFC 5322 §3.6).
    From,
}

impl Signer {
    /// Begins.
    pub fn new(terms: Terms) -> Self {
        Self { terms, intake: Intake::new(), body: BodyHash::new(terms.body, None) }
    }

    /// Takes the next piece of the message, as it will be sent: lines ended by CRLF (RFC 6376 §5.3), no dots doubled.
    pub fn update(&mut self, piece: &[u8]) {
        self.body.update(self.intake.take(piece));
    }

    /// The DKIM-Signature fields, one for each identity in the given order, each ended by CRLF, to stand before the message.
    /// The same input gives the same fields.
    pub fn finish(self, identities: &[Identity], now: Timestamp) -> Result<Vec<u8>, SignError> {
        let text = self.intake.header().ok_or(SignError::Header)?;
        let header = read_header(text).ok_or(SignError::Header)?;
        if header.count("From") != 1 {
            return Err(SignError::From);
        }
        let names = names_to_sign(&header);
        if names.len() > limits::SIGNED_NAMES_MAX {
            return Err(SignError::Header);
        }
        let fields = chosen(header.fields(), &names);
        let (body_hash, _) = self.body.finish();
        let mut signed = Vec::new();
        for identity in identities {
            let unsigned = self.terms.field(identity, &names, &body_hash, now);
            signed.extend(sign_field(self.terms.header, text, &fields, unsigned, &identity.key));
        }
        Ok(signed)
    }
}

/// Signs a field whose b= is empty and stands last, and completes it.
fn sign_field(
    form: Canonicalization,
    header: &[u8],
    fields: &[&Field<'_>],
    unsigned: Folded,
    key: &SigningKey,
) -> Vec<u8> {
    let input = header_input(form, header, fields, unsigned.text.as_bytes());
    let signature = key.sign(&digest(&SHA256, &input));
    unsigned.base64(&signature).end()
}

impl Terms {
    /// The field as it is signed: all but the signature, without CRLF.
    fn field(self, identity: &Identity, names: &[&str], body_hash: &Digest, now: Timestamp) -> Folded {
        let KeyName { selector, domain } = &identity.name;
        let made = now.0.div_euclid(1_000).max(0);
        let mut field = Folded::new("DKIM-Signature:")
            .tag(format_args!("v=1;"))
            .tag(format_args!("a={};", identity.key.algorithm().as_str()))
            .tag(format_args!("c={}/{};", self.header.as_str(), self.body.as_str()))
            .tag(format_args!("d={};", domain.as_str()))
            .tag(format_args!("s={selector};"))
            .tag(format_args!("t={made};"));
        if let Some(secs) = self.lifetime_secs {
            // x= must be more than t=.
            field = field.tag(format_args!("x={};", made + i64::from(secs.max(1))));
        }
        field
            .names(names)
            .tag(format_args!("bh="))
            .base64(body_hash.as_ref())
            .append(";")
            .tag(format_args!("b="))
    }
}

/// h=, from the lists above.
fn names_to_sign(header: &Header<'_>) -> Vec<&'static str> {
    let mut names = Vec::new();
    let mut sign = |name: &'static str, times| names.extend(std::iter::repeat_n(name, times));
    SEALED.iter().for_each(|name| sign(name, header.count(name) + 1));
    for name in SEALED_IF_PRESENT {
        let count = header.count(name);
        sign(name, if count > 0 { count + 1 } else { 0 });
    }
    SIGNED.iter().for_each(|name| sign(name, header.count(name)));
    names
}

/// A field that is folded as it grows, so that no line is longer than `limits` allow where there is a place to fold.
struct Folded {
    text: String,
    line_start: usize,
}

impl Folded {
    fn new(name: &str) -> Self {
        Self { text: name.into(), line_start: 0 }
    }

    /// After a blank.
    fn tag(mut self, text: fmt::Arguments<'_>) -> Self {
        let text = text.to_string();
        if !self.fits(text.len() + 1) {
            self.fold();
        } else {
            self.text.push(' ');
        }
        self.append(&text)
    }

    /// Without a blank, on the same line.
    fn append(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// h=, folded before colons' followers.
    fn names(mut self, names: &[&str]) -> Self {
        self = self.tag(format_args!("h={}", names[0]));
        for name in &names[1..] {
            self.text.push(':');
            // With the colon or semicolon after it.
            if !self.fits(name.len() + 1) {
                self.fold();
            }
            self.text.push_str(name);
        }
        self.append(";")
    }

    /// Base64, folded wherever a line is full. One octet stays free for a semicolon.
    fn base64(mut self, octets: &[u8]) -> Self {
        for digit in BASE64_STANDARD.encode(octets).chars() {
            if !self.fits(2) {
                self.fold();
            }
            self.text.push(digit);
        }
        self
    }

    fn end(self) -> Vec<u8> {
        self.append("\r\n").text.into_bytes()
    }

    fn fits(&self, octets: usize) -> bool {
        self.text.len() - self.line_start + octets <= limits::LINE_OCTETS_MAX
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n");
        self.line_start = self.text.len();
        self.text.push(' ');
    }
}

impl std::error::Error for SignError {}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "the header is not well formed",
            Self::From => "there is not exactly one From field",
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use mail::Domain;

    use super::*;
    use crate::dkim::{KeyAnswer, Outcome, Selector, verify};

    const NOW: Timestamp = Timestamp(1_795_359_600_000);

    fn identity() -> Identity {
        let key = Arc::new(SigningKey::from_ed25519_seed(&[7; 32]).unwrap());
        let name = KeyName {
            selector: Selector::parse("sel").unwrap(),
            domain: Domain::parse("example.com").unwrap(),
        };
        Identity { name, key }
    }

    fn sign(terms: Terms, message: &str) -> Result<Vec<u8>, SignError> {
        let mut signer = Signer::new(terms);
        signer.update(message.as_bytes());
        signer.finish(&[identity()], NOW)
    }

    fn check(terms: Terms, message: &str, expected: Expect) {
        let signed = sign(terms, message).unwrap();
        assert_eq!(signed, sign(terms, message).unwrap(), "the same each time");
        let text = String::from_utf8(signed).unwrap();
        assert!(
            text.ends_with("\r\n") && text.split("\r\n").all(|line| line.len() <= limits::LINE_OCTETS_MAX)
        );
        let whole = format!("{text}{message}");
        let record = identity().key.record().text().into_bytes();
        let findings = verify(whole.as_bytes(), NOW, |_| KeyAnswer::Records(vec![record.clone()]));
        assert_eq!(findings[0].outcome, Outcome::Pass { unsigned_octets: 0 });
        expected.assert_eq(&text.replace("\r\n", "\n"));
    }

    #[test]
    fn fields_are_folded() {
        check(
            Terms::default(),
            "From: a@example.com\r\n\r\nHello\r\n",
            expect![[r#"
            DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com;
             s=sel; t=1795359600; h=From:From:To:Cc:Subject:Date:Reply-To:Message-ID:
             In-Reply-To:References:MIME-Version:Content-Type:Content-Transfer-Encoding;
             bh=Ba3gj8+xBPQLJTahTfzW6RbWQ/XPgESxkCi2B66PSQg=; b=ZBJDVSGt6EE9G9OYP6D2QPVN8
             Wls49WrOIJy9GiP/ZS0KScqVqtgfOKw8zWTxLLgsFDMg59Dp6HYGrvkdgveCQ==
        "#]],
        );
        check(
            Terms {
                header: Canonicalization::Simple,
                body: Canonicalization::Simple,
                lifetime_secs: Some(604_800),
            },
            "Received: x\r\nFrom: a@example.com\r\nList-Id: <l.example.com>\r\nResent-To: b@example.com\r\n\
             Resent-To: c@example.com\r\nTo: d@example.com\r\nX-Other: y\r\n\r\n",
            expect![[r#"
                DKIM-Signature: v=1; a=ed25519-sha256; c=simple/simple; d=example.com; s=sel;
                 t=1795359600; x=1795964400; h=From:From:To:To:Cc:Subject:Date:Reply-To:
                 Message-ID:In-Reply-To:References:MIME-Version:Content-Type:
                 Content-Transfer-Encoding:List-Id:List-Id:Resent-To:Resent-To; bh=frcCV1k9oG
                 9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=DYzmXSNeD5hrUDTkOmueqBstAwWyPclXvbS3OV
                 7HB0Cq6leC/ciRd+sOSs1ZBAqW6/o7Z68wAYCtS5CIf7YLAw==
            "#]],
        );
    }

    #[test]
    fn what_others_could_read_differently_is_not_signed() {
        let flood = "Resent-To: b@example.com\r\n".repeat(limits::SIGNED_NAMES_MAX);
        for (message, fault) in [
            ("To: a@example.com\r\n\r\n", SignError::From),
            ("From: a@example.com\r\nfrom: b@example.com\r\n\r\n", SignError::From),
            ("", SignError::From),
            ("From: a@example.com\r\nno field\r\n\r\n", SignError::Header),
            ("From: a@example.com\nTo: b@example.com\r\n\r\n", SignError::Header),
            (&format!("From: a@example.com\r\n{flood}\r\n"), SignError::Header),
            (&format!("From: {}\r\n\r\n", "a".repeat(limits::HEADER_OCTETS_MAX)), SignError::Header),
        ] {
            assert_eq!(sign(Terms::default(), message), Err(fault), "{}", &message[..message.len().min(60)]);
        }
    }

    /// RFC 8463 appendix A: Ed25519 is deterministic, so the same input gives the example's b=.
    #[test]
    fn the_signature_of_rfc_8463() {
        let header = "From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\n\
            Subject: Is dinner ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
            Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n";
        let field = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; \
            i=@football.example.com;\r\n q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : \
            message-id : from : subject : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";
        let seed = BASE64_STANDARD.decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap();
        let key = SigningKey::from_ed25519_seed(&seed.try_into().unwrap()).unwrap();
        let read = read_header(header.as_bytes()).unwrap();
        let names = ["from", "to", "subject", "date", "message-id", "from", "subject", "date"];
        let fields = chosen(read.fields(), names);
        let unsigned = Folded { text: field.into(), line_start: field.rfind('\n').unwrap() + 1 };
        let signed = sign_field(Canonicalization::Relaxed, header.as_bytes(), &fields, unsigned, &key);
        let signed: String = String::from_utf8(signed).unwrap().split_whitespace().collect();
        assert!(signed.ends_with(
            "b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
        ));
    }
}
