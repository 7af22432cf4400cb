//! The settings as they hold, each value with where it comes from: as a settings text of its own, which means the same.

use std::fmt::Write as _;

use toml_edit::{Document, Item, TableLike};

use crate::DEFAULT_TEXT;
use crate::keys::{KEYS, Key, Section};
use crate::mistake::Mistake;
use crate::read::line_at;
use crate::resolve::{mechanisms_default, resolve, time_out_default, tls_default};
use crate::resolved::{Settings, VirtualServer};

/// The whole of what a settings text means. What has no value of its own stands in a comment.
///
/// # Errors
/// Every mistake in the text, as [`resolve`] has them.
///
/// ```
/// let text = "host-name = \"mail.example.org\"";
/// let whole = settings::explain(text).unwrap();
/// assert!(whole.contains("host-name = \"mail.example.org\"  # line 1\n"));
/// assert!(whole.contains("message-size-limit = \"50 MiB\"  # default\n"));
/// assert_eq!(settings::resolve(&whole), settings::resolve(text));
/// ```
pub fn explain(text: &str) -> Result<String, Vec<Mistake>> {
    let settings = resolve(text)?;
    let document = Document::parse(text).expect("what is resolved is TOML");
    let ours = Document::parse(DEFAULT_TEXT).expect("the default text is TOML");
    let top = Place { table: document.as_table(), origin: Origin::Text(text) };
    let mut page = Page { out: String::new(), settings: &settings };
    page.section(Section::Top, &[top], "", None);
    page.tables(&top, SYSTEM);
    let (source, origin) = match document.get("virtual-server") {
        Some(_) => (document.as_table(), Origin::Text(text)),
        None => (ours.as_table(), Origin::Ours),
    };
    let servers = tables(source.get("virtual-server")).into_iter().map(|table| Place { table, origin });
    let defaults = document.get("defaults").and_then(Item::as_table_like);
    let defaults = defaults.map(|table| Place { table, origin: Origin::Defaults(text) });
    for (server, resolved) in servers.zip(&settings.virtual_servers) {
        page.virtual_server(server, defaults, resolved);
    }
    page.tables(&top, MAIL);
    page.list(&top, "remote-domain", Section::RemoteDomain);
    page.list(&top, "local-domain", Section::LocalDomain);
    Ok(page.out)
}

/// Tables of the text before the virtual servers, and after them.
const SYSTEM: &[(&str, Section)] = &[
    ("tls", Section::Tls),
    ("sign-in", Section::SignIn),
    ("oauth", Section::OAuth),
    ("fetch", Section::Fetch),
    ("back-pressure", Section::BackPressure),
    ("pickup", Section::Pickup),
];
const MAIL: &[(&str, Section)] = &[
    ("delivery", Section::Delivery),
    ("reports", Section::Reports),
    ("journal", Section::Journal),
    ("log", Section::Log),
];

/// The tables within tables.
const INNER: &[(Section, &str, Section)] = &[
    (Section::Tls, "acme", Section::Acme),
    (Section::Property, "connection-control", Section::ConnectionControl),
    (Section::Property, "relay", Section::Relay),
    (Section::Property, "sending", Section::Sending),
    (Section::Property, "connections", Section::Connections),
    (Section::Property, "errors", Section::Errors),
    (Section::Property, "commands", Section::Commands),
    (Section::Property, "keywords", Section::Keywords),
    (Section::Property, "protocol-log", Section::ProtocolLog),
    (Section::Property, "delivery", Section::Delivery),
    (Section::Property, "reports", Section::ReportsOfServer),
    (Section::Delivery, "local", Section::LocalDelivery),
    (Section::Delivery, "connections", Section::OutboundConnections),
    (Section::Delivery, "authentication", Section::OutboundSignIn),
    (Section::Delivery, "masquerade", Section::Masquerade),
    (Section::RemoteDomain, "authentication", Section::OutboundSignIn),
    (Section::RemoteDomain, "masquerade", Section::Masquerade),
];

/// What is not there if it is not written: none of its keys has a meaning then.
const ONLY_IF_WRITTEN: &[Section] = &[
    Section::Acme,
    Section::OAuth,
    Section::OutboundSignIn,
    Section::Masquerade,
    Section::ProtocolLog,
    Section::ConnectionControl,
    Section::ReportsOfServer,
];

/// Of two keys that exclude each other, the one that is not written is not shown.
const EXCLUDED: &[(Section, &str, &str)] = &[(Section::Relay, "allow", "except")];

/// A table, and whose it is.
#[derive(Clone, Copy)]
struct Place<'a> {
    table: &'a dyn TableLike,
    origin: Origin<'a>,
}

#[derive(Clone, Copy)]
enum Origin<'a> {
    Text(&'a str),
    Defaults(&'a str),
    /// [`DEFAULT_TEXT`].
    Ours,
}

impl Origin<'_> {
    fn of(self, item: &Item, key: Option<&toml_edit::Key>) -> String {
        let span = item.span().or_else(|| key.and_then(toml_edit::Key::span));
        match self {
            Self::Text(text) => format!("line {}", line_at(text, span)),
            Self::Defaults(text) => format!("line {}, [defaults]", line_at(text, span)),
            Self::Ours => "default".to_owned(),
        }
    }
}

/// What is written so far.
struct Page<'s> {
    out: String,
    settings: &'s Settings,
}

impl Page<'_> {
    /// Tables of the text, each under its header.
    fn tables(&mut self, top: &Place<'_>, sections: &[(&str, Section)]) {
        for &(name, section) in sections {
            let written = inner(top, name);
            if written.is_none() && ONLY_IF_WRITTEN.contains(&section) {
                continue;
            }
            let _ = write!(self.out, "\n[{name}]\n");
            self.section(section, written.as_slice(), "", None);
        }
    }

    fn list(&mut self, top: &Place<'_>, name: &str, section: Section) {
        for table in tables(top.table.get(name)) {
            let _ = write!(self.out, "\n[[{name}]]\n");
            self.section(section, &[Place { table, ..*top }], "", None);
        }
    }

    fn virtual_server(&mut self, own: Place<'_>, defaults: Option<Place<'_>>, resolved: &VirtualServer) {
        self.out.push_str("\n[[virtual-server]]\n");
        self.section(Section::VirtualServer, &[own], "", Some(resolved));
        let places: Vec<Place<'_>> = [own].into_iter().chain(defaults).collect();
        self.section(Section::Property, &places, "", Some(resolved));
        for table in tables(own.table.get("when")) {
            self.out.push_str("\n[[virtual-server.when]]\n");
            for (name, item) in table.iter() {
                let origin = own.origin.of(item, table.key(name));
                let _ = writeln!(self.out, "{name} = {}  # {origin}", written(item));
            }
        }
    }

    /// The keys of a section, from the first of the places that has them.
    fn section(
        &mut self,
        section: Section,
        places: &[Place<'_>],
        prefix: &str,
        server: Option<&VirtualServer>,
    ) {
        let has = |name: &str| places.iter().any(|place| place.table.contains_key(name));
        let excluded = |name: &str| {
            EXCLUDED.iter().any(|&(of, one, other)| {
                of == section && (one == name && has(other) || other == name && has(one))
            })
        };
        for key in KEYS.iter().filter(|key| key.section == section && !excluded(key.name)) {
            match INNER.iter().find(|(outer, name, _)| *outer == section && *name == key.name) {
                Some(&(_, name, inside)) => {
                    self.inside(inside, places, &format!("{prefix}{name}."), name, server)
                }
                None => self.key(key, places, prefix, server),
            }
        }
    }

    /// A table within, its keys with its name before them.
    fn inside(
        &mut self,
        section: Section,
        places: &[Place<'_>],
        prefix: &str,
        name: &str,
        server: Option<&VirtualServer>,
    ) {
        let within: Vec<Place<'_>> = places.iter().filter_map(|place| inner(place, name)).collect();
        // Delivery of a virtual server is what [delivery] says, but for what is written.
        let is_inherited = server.is_some() && prefix.starts_with("delivery.");
        if is_inherited {
            self.only_written(section, &within, prefix, server);
        } else if !within.is_empty() || !ONLY_IF_WRITTEN.contains(&section) {
            self.section(section, &within, prefix, server);
        }
    }

    fn only_written(
        &mut self,
        section: Section,
        places: &[Place<'_>],
        prefix: &str,
        server: Option<&VirtualServer>,
    ) {
        for key in KEYS.iter().filter(|key| key.section == section) {
            if !places.iter().any(|place| place.table.contains_key(key.name)) {
                continue;
            }
            match INNER.iter().find(|(outer, name, _)| *outer == section && *name == key.name) {
                Some(&(_, name, inside)) => {
                    self.inside(inside, places, &format!("{prefix}{name}."), name, server)
                }
                None => self.key(key, places, prefix, server),
            }
        }
    }

    fn key(&mut self, key: &Key, places: &[Place<'_>], prefix: &str, server: Option<&VirtualServer>) {
        let name = key.name;
        let found = places.iter().find_map(|place| Some((place, place.table.get(name)?)));
        let _ = match found {
            // It has a header of its own, further down.
            _ if key.section == Section::Top && is_table(name) => Ok(()),
            _ if key.section == Section::VirtualServer && name == "when" => Ok(()),
            Some((place, item)) => {
                let origin = place.origin.of(item, place.table.key(name));
                writeln!(self.out, "{prefix}{name} = {}  # {origin}", written(item))
            }
            None => match self.default(key, server) {
                Ok(value) => writeln!(self.out, "{prefix}{name} = {value}  # default"),
                Err(prose) => writeln!(self.out, "# {prefix}{name}: {prose}"),
            },
        };
    }

    /// What holds where nothing is written: a value, or what the manual says.
    fn default(&self, key: &Key, server: Option<&VirtualServer>) -> Result<String, String> {
        let by_protocol = server.and_then(|server| self.by_protocol(key, server));
        by_protocol.map_or_else(|| literal(key).ok_or_else(|| key.default.to_owned()), Ok)
    }

    /// Defaults that hang on what the virtual server is.
    fn by_protocol(&self, key: &Key, server: &VirtualServer) -> Option<String> {
        let protocol = server.protocol;
        Some(match (key.section, key.name) {
            (Section::Property, "host-name") => format!("\"{}\"", self.settings.host_name),
            (Section::Property, "tls") => {
                let is_implicit = server.bindings.iter().all(|binding| binding.tls == crate::Tls::Implicit);
                let tls = if is_implicit { crate::Tls::Implicit } else { tls_default(protocol) };
                format!("\"{}\"", tls.name())
            }
            (Section::Property, "authentication") => {
                let names = mechanisms_default(protocol).into_iter();
                let names: Vec<String> = names.map(|mechanism| format!("\"{}\"", mechanism.name())).collect();
                format!("[{}]", names.join(", "))
            }
            (Section::Property, "connection-time-out") => format!("\"{}\"", time_out_default(protocol)),
            (Section::Relay, "authenticated") => {
                let word = if server.relay.authenticated { "on" } else { "off" };
                format!("\"{word}\"")
            }
            (Section::Connections, "per-network") => server.connections.per_network.to_string(),
            (Section::Keywords, "binarymime") => on(server.keywords.binarymime),
            (Section::Keywords, "smtputf8") => on(server.keywords.smtputf8),
            (Section::VirtualServer, "bind") => {
                let addresses = server.bindings.iter().map(|binding| format!("\"{}\"", binding.address));
                format!("[{}]", addresses.collect::<Vec<_>>().join(", "))
            }
            _ => return None,
        })
    }
}

fn on(on: bool) -> String {
    if on { "\"on\"".to_owned() } else { "\"off\"".to_owned() }
}

/// Whether a key at the top is a table, or several.
fn is_table(name: &str) -> bool {
    let lists = ["defaults", "virtual-server", "remote-domain", "local-domain"];
    lists.contains(&name) || SYSTEM.iter().chain(MAIL).any(|(table, _)| *table == name)
}

/// A default as the manual has it, as TOML: a value, or a word without its quotes.
fn literal(key: &Key) -> Option<String> {
    let of_word =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    match key.default {
        "none" if !key.kind.ends_with("or none") => None,
        value if value.parse::<toml_edit::Value>().is_ok() => Some(value.to_owned()),
        word if word.bytes().all(of_word) => Some(format!("\"{word}\"")),
        _ => None,
    }
}

fn inner<'a>(place: &Place<'a>, name: &str) -> Option<Place<'a>> {
    let table = place.table.get(name)?.as_table_like()?;
    Some(Place { table, origin: place.origin })
}

fn tables(item: Option<&Item>) -> Vec<&dyn TableLike> {
    match item {
        Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| table as &dyn TableLike).collect(),
        Some(item) => {
            let list = item.as_array().into_iter().flatten();
            list.filter_map(|value| value.as_inline_table()).map(|table| table as &dyn TableLike).collect()
        }
        None => Vec::new(),
    }
}

/// A value as it is written, tables in a line.
fn written(item: &Item) -> String {
    let value = item.clone().into_value().map(|value| value.to_string());
    value.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        host-name = "mail.example.org"
        trusted-networks = "192.0.2.0/24"
        reports = { copy-to = "postmaster@example.org" }
        [tls]
        acme = { contact = "postmaster@example.org" }
        [[tls.certificates]]
        certificate = "/a"
        key = "/b"
        [defaults]
        connections = { limit = 7 }
        delivery = { local = { expiration = "1 day" } }
        [oauth]
        issuer = "a"
        audience = "b"
        keys = "https://auth.example.org/keys"
        [[virtual-server]]
        name = "internet"
        protocol = "smtp"
        connections.per-source = 3
        relay = { except = ["192.0.2.0/24"], open = "on" }
        keywords = { chunking = "off" }
        [[virtual-server.when]]
        client = "192.0.2.77"
        banner = "hello"
        [[virtual-server]]
        name = "mailboxes"
        protocol = "imaps"
        bind = ["[::]:993", { address = "[::]:994" }]
        protocol-log = { file = "/c" }
        delivery = { smart-host = "relay.example.net", authentication = { user = "a", password-file = "/d" } }
        [delivery]
        retry = ["1 min", "then every 2 h"]
        [[remote-domain]]
        domain = ["a.example", "*.b.example"]
        hello = "helo"
        masquerade = { domain = "example.org" }
        [[local-domain]]
        domain = "c.example"
        drop = "/e"
    "#;

    #[test]
    fn what_is_explained_means_the_same() {
        for text in ["", DEFAULT_TEXT, "[[virtual-server]]\nname = 'a'\nprotocol = 'lmtp'\n", WHOLE] {
            let whole = explain(text).unwrap();
            assert_eq!(resolve(&whole), resolve(text), "{whole}");
        }
    }

    #[test]
    fn each_value_says_where_it_comes_from() {
        let whole = explain(WHOLE).unwrap();
        for line in [
            "host-name = \"mail.example.org\"  # line 2",
            "trusted-networks = \"192.0.2.0/24\"  # line 3",
            "connections.limit = 7  # line 11, [defaults]",
            "connections.per-source = 3  # line 20",
            "connections.rate = \"none\"  # default",
            "delivery.local.expiration = \"1 day\"  # line 12, [defaults]",
            "connection-time-out = \"30 min\"  # default",
            "session-size-limit = \"none\"  # default",
            "# user: none, and the owner of the data directory",
            "hello = \"helo\"  # line 36",
        ] {
            assert!(whole.lines().any(|known| known == line), "{line}\n{whole}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_good_text_is_explained(at in 0usize..1800, cut in 0usize..30, new in "[a-z0-9'\" =\\[\\]{}.,#\n]{0,8}") {
            let mut text: Vec<char> = WHOLE.chars().collect();
            let start = at.min(text.len());
            let end = (start + cut).min(text.len());
            text.splice(start..end, new.chars());
            let text: String = text.into_iter().collect();
            if let Ok(whole) = explain(&text) {
                proptest::prop_assert_eq!(resolve(&whole), resolve(&text), "{}\n{}", text, whole);
            }
        }
    }

    /// What the manual calls the default is the default: without the comments, the page is all defaults.
    #[test]
    fn the_manual_knows_the_defaults() {
        let whole = explain("").unwrap();
        let values = whole.lines().filter(|line| line.ends_with("# default")).count();
        assert!(values > 150, "{values} values have a default\n{whole}");
    }
}
