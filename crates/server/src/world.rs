//! The world as the settings have it: whom we ask about names, whom we believe, with what we sign in elsewhere.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use protocol::sasl::Password;
use queue::Destinations;
use settings::limits::FILE_OCTETS_MAX;
use settings::{Resolvers, Settings, Size};
use wire::Trust;
use wire::tls::Error as TlsError;
use world::resolver::{Options, Validation};
use world::{Clock, Dice, Resolver, Workers, World};

/// The machine's world. Call it inside a runtime.
///
/// # Errors
/// The system's list of name servers or the trust anchors cannot be read.
pub(crate) fn real(settings: &Settings) -> Result<World> {
    Ok(World::real(
        processors(),
        resolver(settings).map_err(|error| anyhow!("{error} (settings, [delivery])"))?,
    ))
}

/// The machine's world without its network: for `waxseal try`, which never sends to strangers, and for commands, which
/// send to nobody.
pub(crate) fn without_network() -> World {
    World::without_network(Clock::Real, Dice::Real, Workers::threads(processors()))
}

/// As many slow workers as processors, so that password hashing cannot starve mail of more than its share.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Who is asked about names.
///
/// # Errors
/// In words.
pub(crate) fn resolver(settings: &Settings) -> Result<Resolver, String> {
    Resolver::real(&options(settings))
}

fn options(settings: &Settings) -> Options {
    let delivery = &settings.delivery;
    let validation = match (delivery.dns_validation, &delivery.dns_trust_anchors) {
        (false, _) => Validation::Off,
        (true, None) => Validation::Root,
        (true, Some(path)) => Validation::Anchors(path.clone()),
    };
    let servers = match &delivery.resolvers {
        Resolvers::System => Vec::new(),
        Resolvers::Servers(servers) => servers.clone(),
    };
    Options { servers, validation, ..Options::default() }
}

/// Whether validation can start from this file.
///
/// # Errors
/// Why not, to follow the name of the file.
pub(crate) fn anchors(path: &Path) -> Result<(), String> {
    readable(path)?;
    // Nobody is asked: a server is named so that the system's are not looked up.
    let servers = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 53))];
    let options = Options { servers, validation: Validation::Anchors(path.to_owned()), ..Options::default() };
    Resolver::real(&options).map(drop).map_err(|error| format!("cannot be used: {error}"))
}

/// Whom our connections to others believe: the system's authorities, and those of `certificate-authorities`.
///
/// # Errors
/// A file that cannot be read or holds no authority, by name.
pub(crate) fn trust(settings: &Settings) -> Result<Trust> {
    let files = &settings.delivery.certificate_authorities;
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
pub(crate) fn destinations(settings: &Settings) -> Result<Destinations> {
    let everywhere = std::iter::once(("[delivery]".to_owned(), settings.delivery.sign_in.as_ref()));
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
    Ok(Destinations::with_passwords(settings, |file| password(file).ok()))
}

/// What is in a file that the settings name. Nothing else is opened, for a device or a pipe may never end.
///
/// # Errors
/// Why it cannot be read, to follow its name.
pub(crate) fn readable(file: &Path) -> Result<Vec<u8>, String> {
    let problem = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => "is not there".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    let kind = fs::metadata(file).map_err(problem)?;
    if kind.is_dir() {
        return Err("is a directory".to_owned());
    }
    if !kind.is_file() {
        return Err("is no file, but a device, pipe or socket".to_owned());
    }
    let mut content = Vec::new();
    let open = fs::File::open(file).map_err(problem)?;
    open.take(FILE_OCTETS_MAX + 1).read_to_end(&mut content).map_err(problem)?;
    if content.len() as u64 > FILE_OCTETS_MAX {
        return Err(format!("is longer than {}", Size(FILE_OCTETS_MAX)));
    }
    Ok(content)
}

/// The password in a file. The line end that an editor leaves is no part of it.
///
/// # Errors
/// Why there is none, to follow the name of the file.
pub(crate) fn password(file: &Path) -> Result<Password, String> {
    let mut text = String::from_utf8(readable(file)?).map_err(|_| "is not UTF-8".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.ends_with('\r') {
        text.pop();
    }
    match text {
        text if text.is_empty() => Err("is empty".to_owned()),
        // RFC 4616 §2 allows no NUL; the others are no part of what somebody can type.
        text if text.contains(char::is_control) => {
            Err("has more than one line, or control characters".to_owned())
        }
        text => Ok(Password(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(directory: &tempfile::TempDir, content: &[u8]) -> PathBuf {
        let path = directory.path().join("secret");
        crate::files::write_private(&path, content).unwrap();
        path
    }

    #[test]
    fn a_password_is_what_stands_before_the_line_end() {
        let directory = tempfile::tempdir().unwrap();
        for (content, expected) in [
            (&b"tele phone"[..], Ok("tele phone")),
            (b"telephone\n", Ok("telephone")),
            (b"telephone\r\n", Ok("telephone")),
            ("t\u{e9}l\n".as_bytes(), Ok("t\u{e9}l")),
            (b"telephone\n\n", Err("has more than one line, or control characters")),
            (b"tele\0phone", Err("has more than one line, or control characters")),
            (b"\n", Err("is empty")),
            (b"", Err("is empty")),
            (b"\xff", Err("is not UTF-8")),
        ] {
            let read = password(&file(&directory, content));
            assert_eq!(read.as_ref().map(|read| read.0.as_str()).map_err(String::as_str), expected);
        }
        let long = vec![b'x'; usize::try_from(FILE_OCTETS_MAX).unwrap() + 1];
        assert_eq!(password(&file(&directory, &long)), Err("is longer than 1 MiB".to_owned()));
        for (path, expected) in [
            ("/nonexistent", "is not there"),
            ("/dev/zero", "is no file, but a device, pipe or socket"),
            ("/", "is a directory"),
        ] {
            assert_eq!(password(Path::new(path)), Err(expected.to_owned()), "{path}");
        }
    }

    fn settings(text: &str) -> Settings {
        settings::resolve(text).unwrap()
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let secret = file(&directory, b"telephone");
        let sign_in = |path: &Path| {
            settings(&format!(
                "[[remote-domain]]\ndomain = 'partner.example'\nsmart-host = 'relay.example.net:587'\n\
                 authentication = {{ user = 'us', password-file = {path:?} }}"
            ))
        };
        let known = destinations(&sign_in(&secret)).unwrap().way("partner.example");
        let Some(queue::destinations::Way::SmartHosts(_, terms)) = known else { panic!("{known:?}") };
        assert_eq!(terms.sign_in.as_ref().unwrap().password, Some(Password("telephone".into())));

        let error = destinations(&sign_in(Path::new("/nonexistent"))).unwrap_err().to_string();
        assert_eq!(
            error,
            "the password file /nonexistent is not there (settings, remote-domain \"partner.example\")"
        );

        let authority =
            |path: &Path| trust(&settings(&format!("[delivery]\ncertificate-authorities = {path:?}")));
        let error = authority(&secret).unwrap_err().to_string();
        assert_eq!(error, format!("{} {NO_AUTHORITY} (settings, certificate-authorities)", secret.display()));
        assert!(authority(Path::new("/nonexistent")).is_err());
    }

    #[test]
    fn the_resolver_is_asked_as_the_settings_say() {
        let read = |text: &str| options(&settings(&format!("[delivery]\n{text}")));
        assert_eq!(read(""), Options::default());
        let named = read("resolvers = ['192.0.2.53', '[2001:db8::53]:5353']");
        assert_eq!(named.servers, ["192.0.2.53:53".parse().unwrap(), "[2001:db8::53]:5353".parse().unwrap()]);
        assert_eq!(read("dns-validation = 'on'").validation, Validation::Root);
        let anchors = read("dns-validation = 'on'\ndns-trust-anchors = '/etc/anchors'").validation;
        assert_eq!(anchors, Validation::Anchors("/etc/anchors".into()));
        let missing = settings("[delivery]\ndns-validation = 'on'\ndns-trust-anchors = '/nonexistent'");
        let error = real(&missing).unwrap_err().to_string();
        assert!(error.contains("trust anchors cannot be read"), "{error}");
    }
}
