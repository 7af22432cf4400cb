//! What a certificate says of itself (RFC 5280).

use std::fmt::Write as _;

use aws_lc_rs::digest;
use mail::Timestamp;
use protocol::session::ClientCertificate;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{AttributeTypeAndValue, RelativeDistinguishedName, X509Name};

/// A certificate of ours as an administrator knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The domains that it is good for, as it has them: `*.example.org` too.
    pub names: Vec<String>,
    /// Whose it is, and who signed it, as RFC 4514 writes names.
    pub subject: String,
    /// See `subject`.
    pub issuer: String,
    /// When it begins to be good.
    pub from: Timestamp,
    /// When it ceases to be good.
    pub until: Timestamp,
}

impl Shown {
    /// Reads a certificate in DER. None if it is none.
    pub fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self {
            names: names(&certificate, domain),
            subject: distinguished(certificate.subject()),
            issuer: distinguished(certificate.issuer()),
            from: timestamp(certificate.validity().not_before),
            until: timestamp(certificate.validity().not_after),
        })
    }

    /// Reads the first certificate of a chain in PEM. None if there is none.
    pub fn of_pem(chain: &[u8]) -> Option<Self> {
        Self::of(&CertificateDer::from_pem_slice(chain).ok()?)
    }
}

/// A client's certificate as sign-ins ask for it.
pub(super) fn client(der: &[u8]) -> Option<ClientCertificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let der_sha256 = digest::digest(&digest::SHA256, der);
    Some(ClientCertificate {
        der_sha256: der_sha256.as_ref().try_into().expect("SHA-256 has 32 octets"),
        subject: distinguished(certificate.subject()),
        names: names(&certificate, domain_or_email),
    })
}

fn names(certificate: &X509Certificate<'_>, wanted: fn(&GeneralName<'_>) -> Option<String>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    extension.map_or_else(Vec::new, |extension| {
        extension.value.general_names.iter().filter_map(wanted).filter(|name| is_plain(name)).collect()
    })
}

/// A name with a control character in it is meant to be taken for another one.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

fn domain(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    }
}

fn domain_or_email(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::RFC822Name(address) => Some((*address).to_owned()),
        other => domain(other),
    }
}

fn timestamp(time: ASN1Time) -> Timestamp {
    Timestamp(time.timestamp().saturating_mul(1000))
}

/// The last part first, as `openssl x509 -subject -nameopt RFC2253` prints it (RFC 4514 §2.1).
fn distinguished(name: &X509Name<'_>) -> String {
    let parts: Vec<String> = name.iter_rdn().map(relative).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

fn relative(part: &RelativeDistinguishedName<'_>) -> String {
    part.iter().map(attribute).collect::<Vec<_>>().join("+")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    match (ATTRIBUTES.iter().find(|(known, _)| *known == oid), attribute.as_str()) {
        (Some((_, key)), Ok(value)) => format!("{key}={}", escaped(value)),
        // RFC 4514 §2.4: what has no short name, or is no text, in hexadecimal.
        _ => format!("{oid}=#{}", hexadecimal(attribute.as_slice())),
    }
}

/// RFC 4514 §2.4, and every control character as octets.
fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut written = String::with_capacity(value.len());
    for (place, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => written.extend(['\\', character]),
            '#' if place == 0 => written.push_str("\\#"),
            ' ' if place == 0 || place == last => written.push_str("\\ "),
            control if control.is_control() => {
                for octet in control.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(written, "\\{octet:02X}");
                }
            }
            plain => written.push(plain),
        }
    }
    written
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02X}");
        text
    })
}

/// RFC 4514 §3, and two that are common in certificates of people.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("2.5.4.5", "serialNumber"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["mx.example.org".to_owned()]).unwrap();
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_its_names_and_its_time() {
        let der = certificate(|params| {
            params.not_before = date_time_ymd(2024, 1, 1);
            params.not_after = date_time_ymd(2024, 4, 1);
        });
        let shown = Shown::of(&der).unwrap();
        assert_eq!(shown.names, ["mx.example.org"]);
        assert_eq!((shown.from, shown.until), (Timestamp(1_704_067_200_000), Timestamp(1_711_929_600_000)));
        assert_eq!((Shown::of(b"nonsense"), Shown::of_pem(b"nonsense")), (None, None));
    }

    #[test]
    fn a_client_is_known_by_addresses_and_domains() {
        let der = certificate(|params| {
            params.subject_alt_names.push(SanType::Rfc822Name("mara@example.org".try_into().unwrap()));
            params.subject_alt_names.push(SanType::Rfc822Name("two\nlines@example.org".try_into().unwrap()));
            params.distinguished_name.push(DnType::OrganizationName, "Sorrel, Ltd.");
        });
        let client = client(&der).unwrap();
        assert_eq!(client.names, ["mx.example.org", "mara@example.org"]);
        assert!(client.subject.contains(r"O=Sorrel\, Ltd."), "{}", client.subject);
        assert_eq!(client.der_sha256, digest::digest(&digest::SHA256, &der).as_ref());
    }

    #[test]
    fn what_could_be_taken_for_another_name_is_escaped() {
        for (value, written) in [
            ("plain name", "plain name"),
            ("a,O=b", r"a\,O=b"),
            (" #", r"\ #"),
            ("#a ", r"\#a\ "),
            ("a\r\nb", r"a\0D\0Ab"),
            (r#"+"\<>;"#, r#"\+\"\\\<\>\;"#),
        ] {
            assert_eq!(escaped(value), written);
        }
    }
}
