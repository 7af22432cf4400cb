//! The world as the settings have it: whom we ask about names, whom we believe, with what we sign in elsewhere.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Result, anyhow};
use protocol::sasl::Password;
use settings::limits::FILE_OCTETS_MAX;
use settings::{Delivery, Resolvers, Settings, Size};
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
    Resolver::real(&options(&settings.delivery))
}

/// How the settings ask about names for what is delivered so.
pub(crate) fn options(delivery: &Delivery) -> Options {
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

    fn file(directory: &tempfile::TempDir, content: &[u8]) -> std::path::PathBuf {
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
    fn the_resolver_is_asked_as_the_settings_say() {
        let read = |text: &str| options(&settings(&format!("[delivery]\n{text}")).delivery);
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
