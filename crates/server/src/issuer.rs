//! What the settings say about fetching, and about who gives tokens: read first, then in force.

use anyhow::{Result, anyhow};
use directory::{Directory, Issuer, Password};
use settings::{OAuth, Settings, TokenCheck};
use world::{Fetch, World};

/// Read, and not in force.
pub(crate) struct Prepared {
    allow_private: bool,
    authorities: Vec<Vec<u8>>,
    issuer: Option<Issuer>,
}

impl Prepared {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// One that cannot be read, by name.
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        let read = |path: &std::path::PathBuf| {
            crate::world::readable(path).map_err(|why| anyhow!("{}: {why}", path.display()))
        };
        let authorities = settings.fetch.authorities.iter().map(read).collect::<Result<_>>()?;
        let issuer = settings.oauth.as_ref().map(|oauth| issuer(oauth, read)).transpose()?;
        Ok(Self { allow_private: settings.fetch.allow_private, authorities, issuer })
    }

    /// From now on it holds.
    pub(crate) fn put_in_force(self, world: &World, directory: &Directory) {
        if let Fetch::Real(client) = &world.fetch {
            client.trust(self.allow_private, self.authorities);
        }
        directory.trust_issuer(self.issuer);
    }
}

fn issuer(oauth: &OAuth, read: impl Fn(&std::path::PathBuf) -> Result<Vec<u8>>) -> Result<Issuer> {
    let client_secret = match &oauth.check {
        TokenCheck::Keys(_) => None,
        TokenCheck::Introspection(how) => {
            let path = &how.client_secret_file;
            let text = String::from_utf8(read(path)?);
            let text = text.map_err(|_| anyhow!("{}: this is no text", path.display()))?;
            Some(Password(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
    };
    Ok(Issuer { oauth: oauth.clone(), client_secret })
}
