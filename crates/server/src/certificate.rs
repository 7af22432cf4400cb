//! A certificate of our own, until the settings name one: a small authority, and a certificate it signed for this host.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};

/// What our own authority is called: whose certificates it signed, nobody else believes.
pub const AUTHORITY_NAME: &str = "Waxseal local authority";

/// PEM texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCertificate {
    /// The authority's certificate: what a client has to trust.
    pub authority: String,
    /// The host's certificate, followed by the authority's.
    pub chain: String,
    /// The host's private key.
    pub key: String,
}

/// Makes an authority and a certificate for these names and addresses.
///
/// # Errors
/// A name that cannot stand in a certificate.
pub fn make(names: &[String], addresses: &[IpAddr]) -> Result<OwnCertificate, rcgen::Error> {
    let authority_key = KeyPair::generate()?;
    let authority = authority_parameters()?.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority_parameters()?, authority_key);
    let key = KeyPair::generate()?;
    let certificate = host_parameters(names, addresses)?.signed_by(&key, &issuer)?;
    Ok(OwnCertificate {
        chain: certificate.pem() + &authority.pem(),
        authority: authority.pem(),
        key: key.serialize_pem(),
    })
}

fn authority_parameters() -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters.distinguished_name = name(AUTHORITY_NAME);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(parameters)
}

fn host_parameters(names: &[String], addresses: &[IpAddr]) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(names.to_vec())?;
    parameters.subject_alt_names.extend(addresses.iter().map(|&address| SanType::IpAddress(address)));
    parameters.distinguished_name = name(names.first().map_or("localhost", String::as_str));
    parameters.use_authority_key_identifier_extension = true;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(parameters)
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_has_its_chain_and_key() {
        let made = make(&["mx.example.org".into()], &["127.0.0.1".parse().unwrap()]).unwrap();
        assert_eq!(made.chain.matches("BEGIN CERTIFICATE").count(), 2);
        assert!(made.chain.contains(&made.authority) && made.key.contains("PRIVATE KEY"));
    }
}
