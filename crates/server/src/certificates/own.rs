//! The certificate of the data directory: until the settings name one, or an authority gives one.

use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, Result};
use settings::Settings;
use wire::tls::{Pem, Shown};

use crate::{certificate, files};

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

/// Read, or made at the first start and whenever the host has another name.
pub(super) fn certificate(data: &Path, names: &[String]) -> Result<Pem> {
    let directory = data.join("tls");
    let host_name = &names[0];
    let (chain, key) =
        (directory.join(format!("{host_name}.pem")), directory.join(format!("{host_name}.key")));
    if let (Some(chain), Some(key)) = (files::read(&chain)?, files::read(&key)?)
        && Shown::of_pem(&chain).is_some_and(|shown| names.iter().all(|name| shown.names.contains(name)))
    {
        return Ok(Pem { chain, key });
    }
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let here = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
    let made = certificate::make(names, &here)
        .with_context(|| format!("cannot make a certificate for {host_name}"))?;
    files::write_private(&super::authority(data), made.authority.as_bytes())?;
    files::write_private(&key, made.key.as_bytes())?;
    files::write_private(&chain, made.chain.as_bytes())?;
    Ok(Pem { chain: made.chain.into_bytes(), key: made.key.into_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_again_for_further_names() {
        let directory = tempfile::tempdir().unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let made = certificate(directory.path(), &names(&["mx.example.org", "localhost"])).unwrap();
        assert!(made == certificate(directory.path(), &names(&["mx.example.org", "localhost"])).unwrap());
        let further = names(&["mx.example.org", "imap.example.org", "localhost"]);
        let again = certificate(directory.path(), &further).unwrap();
        assert!(made != again && again == certificate(directory.path(), &further).unwrap());
    }
}
