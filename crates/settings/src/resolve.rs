//! From what is written to what holds: inheritance, defaults, and the rules that span several keys.

mod delivery;
mod domains;
mod next;
mod properties;
mod rules;
mod servers;
mod system;

pub(crate) use properties::{mechanisms_default, time_out_default, tls_default};

use mail::Domain;
use toml_edit::Document;

use crate::limits::{MISTAKES_MAX, TEXT_OCTETS_MAX};
use crate::mistake::Mistake;
use crate::named_file::NamedFile;
use crate::raw::{self, Raw, WHEN};
use crate::read::{Found, Reader, Scope};
use crate::resolved::{Journal, Log, Settings, VirtualServer};
use crate::values::{LogFormat, LogLevel, Networks, Size, TimeSpan, Wrong};

/// Reads the settings text.
///
/// # Errors
/// Every mistake in it, by line. One that leaves the text unreadable as TOML stands alone.
///
/// ```
/// let settings = settings::resolve("host-name = \"mail.example.org\"").unwrap();
/// assert_eq!(settings.host_name.as_str(), "mail.example.org");
/// assert_eq!(settings.virtual_servers.len(), 4);
///
/// let mistakes = settings::resolve("hostname = \"mail.example.org\"").unwrap_err();
/// assert_eq!(mistakes[0].to_string(), "1: unknown key `hostname`; did you mean `host-name`?");
/// ```
pub fn resolve(text: &str) -> Result<Settings, Vec<Mistake>> {
    let (settings, reader) = read(text);
    let mut mistakes = reader.mistakes;
    mistakes.sort();
    mistakes.dedup();
    mistakes.truncate(MISTAKES_MAX);
    if mistakes.is_empty() { settings.ok_or(mistakes) } else { Err(mistakes) }
}

/// The files that the text names, in the order of reading: what [`resolve`] cannot look at, for it does no I/O.
///
/// ```
/// let text = "[delivery]\ncertificate-authorities = \"/etc/office.pem\"";
/// let files = settings::files(text);
/// assert_eq!((files[0].line, files[0].place.as_str()), (2, "[delivery]"));
/// ```
pub fn files(text: &str) -> Vec<NamedFile> {
    read(text).1.files
}

/// Nothing is read of what is no TOML; there is a mistake then.
fn read(text: &str) -> (Option<Settings>, Reader<'_>) {
    let mut reader = Reader::new(text);
    if text.len() > TEXT_OCTETS_MAX {
        reader.mistake(1, "", "", Wrong::new(format!("longer than {}", Size(TEXT_OCTETS_MAX as u64))));
        return (None, reader);
    }
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let line = reader.line(error.span());
            let message = error.message().lines().collect::<Vec<_>>().join(": ");
            reader.mistake(line, "", "", Wrong::new(message));
            return (None, reader);
        }
    };
    let raw = raw::settings(&mut reader, &Scope::top(document.as_table()));
    let settings = all(&mut reader, raw);
    (Some(settings), reader)
}

fn all(reader: &mut Reader<'_>, raw: Raw) -> Settings {
    let host_name = or(raw.host_name, Domain::parse("localhost").expect("it is a domain name"));
    let servers = raw.virtual_servers.unwrap_or_else(servers::by_default);
    let has = rules::Has {
        oauth: raw.system.oauth.is_some(),
        client_certificate_authorities: !raw.system.client_certificate_authorities.is_empty(),
    };
    let servers = servers::inherited(reader, servers, &raw.defaults, has);
    domains::each_once(reader, &raw.remote_domains, &raw.local_domains);
    let ourselves = next::Ourselves::new(&host_name, &servers);
    let delivery = delivery::resolve(reader, raw.delivery.clone(), &ourselves);
    let remote = |raw| domains::remote(reader, raw, &delivery, &ourselves);
    let remote_domains = raw.remote_domains.into_iter().map(remote).collect();
    let local = |raw| domains::local(reader, raw, &ourselves);
    let local_domains = raw.local_domains.into_iter().map(local).collect();
    let of_servers =
        delivery::OfServers { written: &raw.delivery, resolved: &delivery.resolved, ourselves: &ourselves };
    let top = properties::Top { host_name: &host_name, delivery: &of_servers, reports: &raw.reports };
    let server = |server| properties::virtual_server(reader, server, &top);
    let virtual_servers: Vec<VirtualServer> = servers.into_iter().map(server).collect();
    let system = system::resolve(reader, raw.system, &host_name, &virtual_servers);
    Settings {
        user: system.user,
        confinement: system.confinement,
        acme: system.acme,
        client_certificate_authorities: system.client_certificate_authorities,
        sign_in: system.sign_in,
        oauth: system.oauth,
        fetch: system.fetch,
        back_pressure: system.back_pressure,
        pickup: system.pickup,
        certificates: raw.certificates,
        trusted_networks: Networks(or(raw.trusted_networks, Vec::new())),
        authentication_without_tls: Networks(or(raw.authentication_without_tls, Vec::new())),
        delivery: delivery.resolved,
        remote_domains,
        local_domains,
        reports: raw.reports,
        journal: Journal {
            keep: or(raw.journal_keep, TimeSpan::from_secs(30 * 86_400)),
            size_limit: or(raw.journal_size_limit, Size(1 << 30)),
        },
        log: Log { level: or(raw.log_level, LogLevel::Info), format: or(raw.log_format, LogFormat::Text) },
        virtual_servers,
        host_name,
    }
}

/// Notes a mistake in a value that a table has itself or inherits. What a `when` inherits has been told of its virtual
/// server already.
fn mistaken_at<T>(reader: &mut Reader<'_>, place: &str, found: &Found<T>, problem: &str) {
    if found.place == place {
        return reader.mistaken(found, problem);
    }
    let is_same = |mistake: &Mistake| {
        (mistake.line, mistake.key.as_str()) == (found.line, found.key) && mistake.message.contains(problem)
    };
    if !(place.ends_with(WHEN) && reader.mistakes.iter().any(is_same)) {
        reader.mistaken(found, &format!("{problem}; {place} inherits it"));
    }
}

fn or<T>(found: Option<Found<T>>, default: T) -> T {
    found.map_or(default, |found| found.value)
}
