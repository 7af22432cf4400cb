//! What a sign-in may bind itself to (channel bindings, RFC 5056): the handshake itself and the server's certificate.

use aws_lc_rs::digest;
use rustls::{ProtocolVersion, ServerConnection};

/// `tls-exporter` (RFC 9266 §3). Under TLS 1.2 it would need the extended master secret (§4.1), of which rustls does not
/// tell, so it is left to TLS 1.3.
pub(super) fn exporter(connection: &ServerConnection) -> Option<[u8; 32]> {
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    // RFC 9266 §3: the context is empty.
    connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok()
}

/// `tls-server-end-point` (RFC 5929 §4.1): the hash of the certificate, by the hash function of its own signature, or by
/// SHA-256 if that is MD5 or SHA-1. None where the signature knows no hash, as with Ed25519, or one that we do not.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = hash(signature_algorithm(certificate)?)?;
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

/// The contents of signatureAlgorithm in `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }`
/// (RFC 5280 §4.1).
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = element(SEQUENCE, certificate)?;
    let (_, rest) = element(SEQUENCE, certificate)?;
    Some(element(SEQUENCE, rest)?.0)
}

/// The hash function of an `AlgorithmIdentifier ::= SEQUENCE { algorithm, parameters }` that signs.
fn hash(identifier: &[u8]) -> Option<&'static digest::Algorithm> {
    let (algorithm, parameters) = element(OBJECT_IDENTIFIER, identifier)?;
    if algorithm == RSA_PSS {
        return pss_hash(parameters);
    }
    named(SIGNATURES, algorithm)
}

/// RFC 4055 §3.1: `RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] DEFAULT sha1, ... }`.
fn pss_hash(parameters: &[u8]) -> Option<&'static digest::Algorithm> {
    let (parameters, _) = element(SEQUENCE, parameters)?;
    let Some((tagged, _)) = element(CONTEXT_0, parameters) else { return Some(&digest::SHA256) };
    let (identifier, _) = element(SEQUENCE, tagged)?;
    named(HASHES, element(OBJECT_IDENTIFIER, identifier)?.0)
}

fn named(table: &[(&[u8], &'static digest::Algorithm)], name: &[u8]) -> Option<&'static digest::Algorithm> {
    table.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const CONTEXT_0: u8 = 0xa0;

/// id-RSASSA-PSS (RFC 4055 §3.1).
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];

/// Signature algorithms (RFC 8017 Appendix C, RFC 5758 §3) with the hash that RFC 5929 §4.1 takes.
const SIGNATURES: &[(&[u8], &digest::Algorithm)] = &[
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04], &digest::SHA256), // md5WithRSAEncryption
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05], &digest::SHA256), // sha1WithRSAEncryption
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b], &digest::SHA256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c], &digest::SHA384),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d], &digest::SHA512),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01], &digest::SHA256), // ecdsa-with-SHA1
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02], &digest::SHA256),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03], &digest::SHA384),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04], &digest::SHA512),
];

/// Hash functions by their own names (RFC 4055 §2.1).
const HASHES: &[(&[u8], &digest::Algorithm)] = &[
    (&[0x2b, 0x0e, 0x03, 0x02, 0x1a], &digest::SHA256), // id-sha1
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01], &digest::SHA256),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02], &digest::SHA384),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03], &digest::SHA512),
];

/// The contents of the DER element of this tag with which the octets begin, and what follows it.
fn element(tag: u8, octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, octets) = octets.split_first()?;
    let (&first, octets) = octets.split_first()?;
    if found != tag {
        return None;
    }
    let (length, octets) = match usize::from(first) {
        short @ 0..=0x7f => (short, octets),
        // A certificate has fewer than 2^24 octets.
        long @ 0x81..=0x83 => {
            let (length, octets) = octets.split_at_checked(long - 0x80)?;
            (length.iter().fold(0, |sum, &octet| sum << 8 | usize::from(octet)), octets)
        }
        _ => return None,
    };
    octets.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA512};

    use super::*;

    #[test]
    fn the_hash_is_that_of_the_signature() {
        for (signature, expected) in [
            (&PKCS_ECDSA_P256_SHA256, Some(&digest::SHA256)),
            (&PKCS_ECDSA_P384_SHA384, Some(&digest::SHA384)),
            (&PKCS_RSA_SHA512, Some(&digest::SHA512)),
            (&PKCS_ED25519, None),
        ] {
            let key = KeyPair::generate_for(signature).unwrap();
            let names = vec!["mx.example.org".to_owned()];
            let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
            let expected = expected.map(|hash| digest::digest(hash, certificate.der()).as_ref().to_vec());
            assert_eq!(end_point(certificate.der()), expected, "{signature:?}");
        }
    }

    #[test]
    fn hashes_of_pss_are_in_its_parameters() {
        let sha384 = [0x30, 0x0f, 0xa0, 0x0d, 0x30, 0x0b, 0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
        let identifier = |parameters: &[u8]| [&[0x06, 9], RSA_PSS, parameters].concat();
        assert_eq!(hash(&identifier(&sha384)), Some(&digest::SHA384));
        assert_eq!(hash(&identifier(&[0x30, 0])), Some(&digest::SHA256), "SHA-1 where nothing is said");
        assert_eq!(hash(&identifier(&[])), None);
    }

    #[test]
    fn what_is_no_certificate_has_no_hash() {
        for octets in [
            &b""[..],
            b"0",
            b"\x30\x80",
            b"\x30\x82\xff\xff",
            b"\x30\x84\0\0\0\0",
            b"\x31\x00",
            b"\x30\x02\x30\x00",
        ] {
            assert_eq!(end_point(octets), None, "{octets:?}");
        }
    }
}
