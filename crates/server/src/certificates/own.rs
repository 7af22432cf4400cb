//! The certificate of the data directory: until the settings name one, or an authority gives one.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use settings::Settings;
use wire::tls::{Pem, Shown};

use crate::certificate::{self, OwnCertificate};
use crate::files::write_private;

/// What it is for: the host, the host names of virtual servers, and this machine. The first one names its files.
pub(super) fn names(settings: &Settings) -> Vec<String> {
    let mut names = vec![settings.host_name.as_str().to_owned()];
    let servers = settings.virtual_servers.iter().map(|server| server.host_name.as_str().to_owned());
    for name in servers.chain(["localhost".to_owned()]) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A certificate that is in the data directory, or was made and is not there yet.
pub(super) struct Own {
    pub(super) pem: Pem,
    made: Option<OwnCertificate>,
    host_name: String,
}

impl Own {
    /// Reads it; makes it at the first start and whenever the host has another name.
    ///
    /// # Errors
    /// The system's; a name that cannot stand in a certificate.
    pub(super) fn new(data: &Path, names: &[String]) -> Result<Self> {
        let host_name = names[0].clone();
        let [chain, key] = files(data, &host_name);
        if let (Some(chain), Some(key)) = (crate::files::read(&chain)?, crate::files::read(&key)?)
            && Shown::of_pem(&chain).is_some_and(|shown| names.iter().all(|name| shown.names.contains(name)))
        {
            return Ok(Self { pem: Pem { chain, key }, made: None, host_name });
        }
        let here = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
        let made = certificate::make(names, &here)
            .with_context(|| format!("cannot make a certificate for {host_name}"))?;
        let pem = Pem { chain: made.chain.clone().into_bytes(), key: made.key.clone().into_bytes() };
        Ok(Self { pem, made: Some(made), host_name })
    }

    /// Puts it into the data directory, with the authority that its clients have to trust.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn keep(&self, data: &Path) -> Result<()> {
        let Some(made) = &self.made else { return Ok(()) };
        let [chain, key] = files(data, &self.host_name);
        let directory = data.join("tls");
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        write_private(&super::authority(data), made.authority.as_bytes())?;
        write_private(&key, made.key.as_bytes())?;
        write_private(&chain, made.chain.as_bytes())?;
        Ok(())
    }
}

/// Chain and key.
fn files(data: &Path, host_name: &str) -> [PathBuf; 2] {
    let directory = data.join("tls");
    [directory.join(format!("{host_name}.pem")), directory.join(format!("{host_name}.key"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_again_for_further_names() {
        let directory = tempfile::tempdir().unwrap();
        let own = |names: &[&str], keep: bool| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let own = Own::new(directory.path(), &names).unwrap();
            if keep {
                own.keep(directory.path()).unwrap();
            }
            own.pem
        };
        let names = ["mx.example.org", "localhost"];
        let further = ["mx.example.org", "imap.example.org", "localhost"];
        let made = own(&names, true);
        assert!(made == own(&names, true));
        // What is not kept leaves no trace.
        assert!(made != own(&further, false) && made == own(&names, false));
        let again = own(&further, true);
        assert!(made != again && again == own(&further, false));
    }
}
