//! The certificates that the server shows: those of the settings, or one of its own in the data directory.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use settings::Settings;
use wire::tls::{Certificates, Pem};

use crate::{certificate, files};

/// Where the authority's certificate of a data directory lies: what a client of its own certificate has to trust.
pub fn authority(data: &Path) -> PathBuf {
    data.join("tls").join("ca.pem")
}

/// Reads or makes them.
///
/// # Errors
/// A file that cannot be read or is no certificate, by name.
pub(crate) fn load(data: &Path, settings: &Settings) -> Result<Certificates> {
    let pems = match settings.certificates.is_empty() {
        true => vec![own(data, settings.host_name.as_str())?],
        false => named(settings)?,
    };
    Certificates::new(&pems).context("the certificates cannot be used")
}

fn named(settings: &Settings) -> Result<Vec<Pem>> {
    let read = |path: &Path| {
        let bytes = files::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        bytes.with_context(|| format!("{} is not there (settings, [tls] certificates)", path.display()))
    };
    let pem = |files: &settings::CertificateFiles| {
        Ok(Pem { chain: read(&files.certificate)?, key: read(&files.key)? })
    };
    settings.certificates.iter().map(pem).collect()
}

/// The certificate of the data directory, made at the first start and whenever the host has another name.
fn own(data: &Path, host_name: &str) -> Result<Pem> {
    let directory = data.join("tls");
    let (chain, key) =
        (directory.join(format!("{host_name}.pem")), directory.join(format!("{host_name}.key")));
    if let (Some(chain), Some(key)) = (files::read(&chain)?, files::read(&key)?) {
        return Ok(Pem { chain, key });
    }
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let names = [host_name.to_owned(), "localhost".to_owned()];
    let made =
        certificate::make(&names, &[IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])])
            .with_context(|| format!("cannot make a certificate for {host_name}"))?;
    files::write_private(&authority(data), made.authority.as_bytes())?;
    files::write_private(&key, made.key.as_bytes())?;
    files::write_private(&chain, made.chain.as_bytes())?;
    Ok(Pem { chain: made.chain.into_bytes(), key: made.key.into_bytes() })
}
