//! The delivery properties of settings, with what the settings only name: passwords, authorities, resolvers, interfaces.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use queue::properties::Given;
use queue::route::Rules;
use queue::{Destinations, Properties};
use settings::{Delivery, Settings};
use wire::Trust;
use wire::tls::Error as TlsError;
use world::{Resolver, World};

use crate::world::{options, password, readable};

/// How mail of each virtual server is delivered. Everything that can be in the way is met here, before anything changes:
/// `queue::Handle::apply` cannot fail.
///
/// `before` is what holds until now; its resolvers, which remember what they were told, go on where the settings ask the
/// same ones. Without it, `world` was made for these settings.
///
/// # Errors
/// A password file, an authority, the system's list of name servers: by name and place.
pub(crate) fn properties(
    settings: &Settings,
    world: &World,
    before: Option<(&Settings, &Properties)>,
) -> Result<Properties> {
    let ours = ::world::interfaces::addresses();
    Properties::new(settings, |delivery| {
        Ok(Given {
            destinations: destinations(settings, delivery)?,
            rules: Rules::of(settings, delivery, &ours),
            resolver: resolver(settings, delivery, world, before)?,
            trust: Arc::new(trust(delivery)?),
        })
    })
}

/// Who is asked about names for what is delivered so.
fn resolver(
    settings: &Settings,
    delivery: &Delivery,
    world: &World,
    before: Option<(&Settings, &Properties)>,
) -> Result<Resolver> {
    // `waxseal try` and tests have a world of their own, and ask nobody else.
    let Resolver::Real(_) = world.resolver else { return Ok(world.resolver.clone()) };
    let wanted = options(delivery);
    match before {
        None if options(&settings.delivery) == wanted => return Ok(world.resolver.clone()),
        Some((settings, properties)) if options(&settings.delivery) == wanted => {
            return Ok(properties.ours().resolver().clone());
        }
        _ => {}
    }
    Resolver::real(&wanted).map_err(|error| anyhow!("{error} (settings, delivery)"))
}

/// Whom connections to others believe: the system's authorities, and those of `certificate-authorities`.
///
/// # Errors
/// A file that cannot be read or holds no authority, by name.
fn trust(delivery: &Delivery) -> Result<Trust> {
    let files = &delivery.certificate_authorities;
    let read = |path: &PathBuf| {
        readable(path)
            .map_err(|problem| anyhow!("{} {problem} (settings, certificate-authorities)", path.display()))
    };
    let pems = files.iter().map(read).collect::<Result<Vec<_>>>()?;
    Trust::new(&pems).map_err(|error| match error {
        TlsError::Authority { index } => {
            anyhow!("{} {NO_AUTHORITY} (settings, certificate-authorities)", files[index].display())
        }
        error => anyhow!(error),
    })
}

pub(crate) const NO_AUTHORITY: &str = "holds no authority's certificate in PEM form";

/// Which way mail goes, with the passwords that it takes.
///
/// # Errors
/// A password file that cannot be used, by name and place.
fn destinations(settings: &Settings, delivery: &Delivery) -> Result<Destinations> {
    let everywhere = std::iter::once(("[delivery]".to_owned(), delivery.sign_in.as_ref()));
    let remote = settings.remote_domains.iter().map(|remote| {
        let first = remote.domains.first().map(ToString::to_string).unwrap_or_default();
        (format!("remote-domain \"{first}\""), remote.sign_in.as_ref())
    });
    for (place, sign_in) in everywhere.chain(remote) {
        let Some(sign_in) = sign_in else { continue };
        let file = &sign_in.password_file;
        password(file).map_err(|problem| {
            anyhow!("the password file {} {problem} (settings, {place})", file.display())
        })?;
    }
    Ok(Destinations::with_passwords(settings, delivery, |file| password(file).ok()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use protocol::sasl::Password;

    use super::*;

    #[test]
    fn what_cannot_be_used_is_named_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("secret");
        crate::files::write_private(&secret, b"telephone").unwrap();
        let sign_in = |path: &Path| {
            settings::resolve(&format!(
                "[[remote-domain]]\ndomain = 'partner.example'\nsmart-host = 'relay.example.net:587'\n\
                 authentication = {{ user = 'us', password-file = {path:?} }}"
            ))
            .unwrap()
        };
        let destinations = |settings: &Settings| destinations(settings, &settings.delivery);
        let known = destinations(&sign_in(&secret)).unwrap().way("partner.example");
        let Some(queue::destinations::Way::SmartHosts(_, terms)) = known else { panic!("{known:?}") };
        assert_eq!(terms.sign_in.as_ref().unwrap().password, Some(Password("telephone".into())));

        let error = destinations(&sign_in(Path::new("/nonexistent"))).unwrap_err().to_string();
        assert_eq!(
            error,
            "the password file /nonexistent is not there (settings, remote-domain \"partner.example\")"
        );

        let authority = |path: &Path| {
            let text = format!("[delivery]\ncertificate-authorities = {path:?}");
            trust(&settings::resolve(&text).unwrap().delivery)
        };
        let error = authority(&secret).unwrap_err().to_string();
        assert_eq!(error, format!("{} {NO_AUTHORITY} (settings, certificate-authorities)", secret.display()));
        assert!(authority(Path::new("/nonexistent")).is_err());
    }
}
