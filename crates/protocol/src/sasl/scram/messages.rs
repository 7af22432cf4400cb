//! What the client says in SCRAM (RFC 5802 §7).

use std::fmt;

use super::super::gs2::{self, Flag, Header};
use super::super::{decode, prepare};
use crate::limits::SASL_FIELD_MAX;
use crate::misuse::Misuse;

/// client-first-message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientFirst {
    pub(super) flag: Flag,
    /// gs2-header, as it was written.
    pub(super) header: String,
    /// client-first-message-bare, as it was written: it is hashed so.
    pub(super) bare: String,
    /// authzid; empty if there is none.
    pub(super) authorization: String,
    /// The user name, prepared by SASLprep.
    pub(super) login: String,
    /// c-nonce.
    pub(super) nonce: String,
}

impl ClientFirst {
    pub(super) fn parse(message: &[u8]) -> Result<Self, Misuse> {
        let message = std::str::from_utf8(message).map_err(|_| Misuse::SaslMalformed)?;
        Self::of(message).ok_or(Misuse::SaslMalformed)
    }

    fn of(message: &str) -> Option<Self> {
        let bare = message.splitn(3, ',').nth(2)?;
        let header = &message[..message.len() - bare.len()];
        let Header { flag, authorization } = gs2::header(header)?;
        let mut attributes = bare.split(',');
        // A mandatory extension would come first; we know none, so it fails here (RFC 5802 §5.1).
        let login = gs2::name(attributes.next()?.strip_prefix("n=")?)?;
        let nonce = printable(attributes.next()?.strip_prefix("r=")?)?;
        if !attributes.all(|attribute| is_extension(attribute) && !attribute.starts_with("m=")) {
            return None;
        }
        Some(Self {
            flag,
            header: header.to_owned(),
            bare: bare.to_owned(),
            authorization,
            login: prepare::user_name(&login)?,
            nonce: nonce.to_owned(),
        })
    }
}

/// client-final-message.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ClientFinal {
    /// cbind-input, decoded.
    pub(super) binding: Vec<u8>,
    /// c-nonce and s-nonce.
    pub(super) nonce: String,
    /// `m=` stood among the extensions.
    pub(super) has_mandatory_extension: bool,
    /// client-final-message-without-proof, as it was written: it is hashed so.
    pub(super) without_proof: String,
    /// ClientProof, decoded.
    pub(super) proof: Vec<u8>,
}

impl fmt::Debug for ClientFinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // With the salt the proof lets a password be guessed at.
        f.write_str("ClientFinal(…)")
    }
}

impl ClientFinal {
    pub(super) fn parse(message: &[u8]) -> Result<Self, Misuse> {
        let message = std::str::from_utf8(message).map_err(|_| Misuse::SaslMalformed)?;
        Self::of(message).ok_or(Misuse::SaslMalformed)
    }

    fn of(message: &str) -> Option<Self> {
        let (without_proof, proof) = message.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let binding = decode(attributes.next()?.strip_prefix("c=")?.as_bytes()).ok()?;
        let nonce = printable(attributes.next()?.strip_prefix("r=")?)?;
        let extensions: Vec<&str> = attributes.collect();
        if !extensions.iter().all(|attribute| is_extension(attribute)) {
            return None;
        }
        Some(Self {
            binding,
            nonce: nonce.to_owned(),
            has_mandatory_extension: extensions.iter().any(|attribute| attribute.starts_with("m=")),
            without_proof: without_proof.to_owned(),
            proof: decode(proof.as_bytes()).ok()?,
        })
    }
}

/// Of a nonce; a comma has ended it.
fn printable(text: &str) -> Option<&str> {
    let is_printable = text.bytes().all(|octet| octet.is_ascii_graphic());
    (!text.is_empty() && text.len() <= SASL_FIELD_MAX && is_printable).then_some(text)
}

/// attr-val.
fn is_extension(text: &str) -> bool {
    let mut octets = text.bytes();
    octets.next().is_some_and(|octet| octet.is_ascii_alphabetic())
        && octets.next() == Some(b'=')
        && octets.len() > 0
        && !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `flag authorization login nonce`, or `-`.
    fn check_first(message: &str, expected: &str) {
        let shown = ClientFirst::parse(message.as_bytes()).map_or("-".into(), |first| {
            format!("{:?} {:?} {:?} {}", first.flag, first.authorization, first.login, first.nonce)
        });
        assert_eq!(shown, expected, "{message:?}");
    }

    #[test]
    fn first_messages() {
        check_first("n,,n=user,r=abc", r#"ClientCannot "" "user" abc"#);
        check_first("y,,n=user,r=abc", r#"ServerCannot "" "user" abc"#);
        check_first("p=tls-exporter,,n=user,r=abc", r#"Bound("tls-exporter") "" "user" abc"#);
        check_first("n,a=ann@a.example,n=user,r=abc", r#"ClientCannot "ann@a.example" "user" abc"#);
        check_first("n,a=x=2Cy,n=a=3D=2Cb,r=abc", r#"ClientCannot "x,y" "a=,b" abc"#);
        check_first("n,,n=b\u{f6}b,r=a=b%", "ClientCannot \"\" \"b\u{f6}b\" a=b%");
        check_first("n,,n=user,r=abc,x=1,Y=2,z==", r#"ClientCannot "" "user" abc"#);
    }

    #[test]
    fn first_messages_that_are_none() {
        for wrong in [
            "",
            ",",
            "n",
            "n,",
            "n,,",
            "n,,n=user",
            "n,,n=user,",
            "n,,n=user,r=",
            "n,,n=,r=abc",
            "n,,r=abc,n=user",
            "N,,n=user,r=abc",
            "x,,n=user,r=abc",
            "p,,n=user,r=abc",
            "p=,,n=user,r=abc",
            "p=a_b,,n=user,r=abc",
            "F,n,,n=user,r=abc",
            "n,user,n=user,r=abc",
            "n,a=,n=user,r=abc",
            "n,,n=us=er,r=abc",
            "n,,n=us=2c,r=abc",
            "n,,n=user=,r=abc",
            "n,,n=user=3,r=abc",
            "n,,n=user=\u{fc},r=abc",
            "n,,n=\u{7},r=abc",
            "n,,n=user,r=a\u{f6}c",
            "n,,n=user,r=a c",
            "n,,m=x,n=user,r=abc",
            "n,,n=user,r=abc,m=x",
            "n,,n=user,r=abc,",
            "n,,n=user,r=abc,x",
            "n,,n=user,r=abc,x=",
            "n,,n=user,r=abc,1=x",
            "n,,n=us\0er,r=abc",
        ] {
            check_first(wrong, "-");
        }
        assert_eq!(ClientFirst::parse(b"n,,n=\xff,r=abc"), Err(Misuse::SaslMalformed));
    }

    #[test]
    fn what_is_hashed_is_kept_as_it_was_written() {
        let first = ClientFirst::parse("p=tls-exporter,a=x=2Cy,n=I\u{ad}X,r=abc,x=1".as_bytes()).unwrap();
        assert_eq!(first.header, "p=tls-exporter,a=x=2Cy,");
        assert_eq!(first.bare, "n=I\u{ad}X,r=abc,x=1");
        assert_eq!(first.login, "IX");
        let last = ClientFinal::parse(b"c=biws,r=abc,x=1,p=AAAA").unwrap();
        assert_eq!(last.without_proof, "c=biws,r=abc,x=1");
        assert_eq!((last.binding.as_slice(), last.proof.as_slice()), (&b"n,,"[..], &[0, 0, 0][..]));
    }

    #[test]
    fn final_messages() {
        let parse = |message: &str| ClientFinal::parse(message.as_bytes());
        assert!(parse("c=biws,r=abc,m=x,p=AAAA").unwrap().has_mandatory_extension);
        for wrong in [
            "",
            "c=biws,r=abc",
            "c=biws,r=abc,p=AAA",
            "c=biw,r=abc,p=AAAA",
            "r=abc,c=biws,p=AAAA",
            "c=biws,p=AAAA",
            "c=biws,r=,p=AAAA",
            "c=biws,r=abc,p=AAAA,x=1",
            "c=biws,r=abc,x,p=AAAA",
            "c=biws,r=a\u{f6}c,p=AAAA",
        ] {
            assert_eq!(parse(wrong), Err(Misuse::SaslMalformed), "{wrong:?}");
        }
    }
}
