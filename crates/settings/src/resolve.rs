//! From what is written to what holds: inheritance, defaults, and the rules that span several keys.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use mail::Domain;
use toml_edit::Document;

use crate::DEFAULT_TEXT;
use crate::limits::{
    IMAP_TIME_OUT_MIN, MESSAGE_SIZE_MIN, MISTAKES_MAX, POP3_TIME_OUT_MIN, RECIPIENTS_MIN, SMTP_TIME_OUT_MIN,
    TEXT_OCTETS_MAX,
};
use crate::mistake::Mistake;
use crate::raw::{self, Raw, RawBinding, RawProperties, RawServer};
use crate::read::{Found, Reader, Scope};
use crate::resolved::{
    Binding, Commands, ConnectionLimits, Delivery, Journal, LocalDelivery, Log, OutboundConnections, Relay,
    Reports, Resolvers, Settings, VirtualServer,
};
use crate::values::{
    LogFormat, LogLevel, Mechanism, Networks, OutboundTls, Protocol, Reach, Size, Switch, TimeSpan, Tls,
    Wrong, word_of,
};

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
    let mut reader = Reader::new(text);
    if text.len() > TEXT_OCTETS_MAX {
        reader.mistake(1, "", "", Wrong::new(format!("longer than {}", Size(TEXT_OCTETS_MAX as u64))));
        return Err(reader.mistakes);
    }
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let line = reader.line(error.span());
            let message = error.message().lines().collect::<Vec<_>>().join(": ");
            reader.mistake(line, "", "", Wrong::new(message));
            return Err(reader.mistakes);
        }
    };
    let raw = raw::settings(&mut reader, &Scope::top(document.as_table()));
    let settings = all(&mut reader, raw);
    let mut mistakes = reader.mistakes;
    mistakes.sort();
    mistakes.dedup();
    mistakes.truncate(MISTAKES_MAX);
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
}

fn all(reader: &mut Reader<'_>, raw: Raw) -> Settings {
    let servers = raw.virtual_servers.unwrap_or_else(default_servers);
    Settings {
        host_name: or(raw.host_name, Domain::parse("localhost").expect("it is a domain name")),
        certificates: raw.certificates,
        trusted_networks: Networks(or(raw.trusted_networks, Vec::new())),
        authentication_without_tls: Networks(or(raw.authentication_without_tls, Vec::new())),
        virtual_servers: virtual_servers(reader, servers, &raw.defaults),
        delivery: delivery_default(),
        remote_domains: Vec::new(),
        local_domains: Vec::new(),
        reports: Reports::default(),
        journal: Journal {
            keep: or(raw.journal_keep, TimeSpan::from_secs(30 * 86_400)),
            size_limit: or(raw.journal_size_limit, Size(1 << 30)),
        },
        log: Log { level: or(raw.log_level, LogLevel::Info), format: or(raw.log_format, LogFormat::Text) },
    }
}

/// What holds for `[delivery]` when the text says nothing.
fn delivery_default() -> Delivery {
    let minutes = |minutes: u64| TimeSpan::from_secs(minutes * 60);
    let days = |days: u64| TimeSpan::from_secs(days * 86_400);
    Delivery {
        retry: [15, 30, 60].map(minutes).into(),
        then: Some(minutes(240)),
        local: LocalDelivery {
            retry: [1, 5, 15].map(minutes).into(),
            then: Some(minutes(60)),
            expiration: days(2),
        },
        delay_notification: Some(minutes(240)),
        expiration: days(5),
        connections: OutboundConnections {
            limit: 1000,
            per_destination: 100,
            messages: 100,
            time_out: TimeSpan::from_secs(30),
        },
        source_addresses: Vec::new(),
        resolvers: Resolvers::System,
        dns_validation: false,
        dns_trust_anchors: None,
        port: 25,
        smart_hosts: Vec::new(),
        sign_in: None,
        tls: OutboundTls::Offered,
        certificate_authorities: Vec::new(),
        reach: Reach::Public,
        dkim: true,
    }
}

fn or<T>(found: Option<Found<T>>, default: T) -> T {
    found.map_or(default, |found| found.value)
}

/// The virtual servers of [`DEFAULT_TEXT`].
fn default_servers() -> Vec<RawServer> {
    let document = Document::parse(DEFAULT_TEXT).expect("the default text is TOML");
    let mut reader = Reader::new(DEFAULT_TEXT);
    raw::virtual_servers(&mut reader, &Scope::top(document.as_table())).expect("it has virtual servers")
}

fn virtual_servers(
    reader: &mut Reader<'_>,
    servers: Vec<RawServer>,
    defaults: &RawProperties,
) -> Vec<VirtualServer> {
    let mut names = BTreeMap::new();
    let mut identities = BTreeMap::new();
    servers
        .into_iter()
        .map(|server| {
            if let Some(line) = names.insert(server.name.clone(), server.line) {
                let problem = format!("there is another of this name (line {line})");
                reader.mistake(server.line, &server.place, "name", Wrong::new(problem));
            }
            let server = virtual_server_bindings(reader, server, &mut identities);
            virtual_server(reader, server, defaults)
        })
        .collect()
}

/// Who listens where, to find those who listen at the same place.
type Identities = BTreeMap<(IpAddr, u16), (String, usize)>;

/// Its bindings, each at a place where nobody else listens.
fn virtual_server_bindings(
    reader: &mut Reader<'_>,
    mut server: RawServer,
    identities: &mut Identities,
) -> RawServer {
    let everywhere = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), server.service.port);
    let by_default = || vec![RawBinding { line: server.line, address: everywhere, tls: None }];
    let bindings = server.bindings.take().unwrap_or_else(by_default);
    for RawBinding { line, address, .. } in &bindings {
        let Some(identity) = identity(*address) else { continue };
        if let Some((other, other_line)) = identities.get(&identity) {
            let problem = format!("{address} is bound by \"{other}\" already (line {other_line})");
            reader.mistake(*line, &server.place, "bind", Wrong::new(problem));
        } else {
            identities.insert(identity, (server.name.clone(), *line));
        }
    }
    server.bindings = Some(bindings);
    server
}

/// What must be unique. A specific address and "every address" are two; `[::]` and `0.0.0.0` are one, because `[::]`
/// takes IPv4 as well. Port 0 is a different one each time.
fn identity(address: SocketAddr) -> Option<(IpAddr, u16)> {
    let ip = if address.ip().is_unspecified() { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { address.ip() };
    (address.port() != 0).then_some((ip, address.port()))
}

fn virtual_server(reader: &mut Reader<'_>, server: RawServer, defaults: &RawProperties) -> VirtualServer {
    contradiction(reader, &server);
    let RawServer { place, name, service, bindings, properties, .. } = server;
    let protocol = service.protocol;
    let properties = properties.or(defaults);
    floors(reader, &place, protocol, &properties);
    let tls = if service.implicit { Tls::Implicit } else { or(properties.tls, tls_default(protocol)) };
    let bindings = bindings.unwrap_or_default().into_iter();
    VirtualServer {
        name,
        protocol,
        bindings: bindings.map(|b| Binding { address: b.address, tls: or(b.tls, tls) }).collect(),
        relay: Relay { allow: Networks::default(), authenticated: protocol == Protocol::Submission },
        authentication: mechanisms(or(properties.authentication, mechanisms_default(protocol))),
        message_size_limit: or(properties.message_size_limit, Size(50 << 20)),
        recipients_per_message: or(properties.recipients_per_message, 1000),
        messages_per_connection: or(properties.messages_per_connection, 100),
        connections: ConnectionLimits {
            limit: or(properties.connections_limit, 1000),
            per_source: or(properties.connections_per_source, 50),
        },
        connection_time_out: or(properties.connection_time_out, time_out_default(protocol)),
        sign_in_time_out: or(properties.sign_in_time_out, TimeSpan::from_secs(60)),
        banner: or(properties.banner, String::new()),
        commands: Commands {
            vrfy: or(properties.vrfy, Switch(true)).0,
            expn: or(properties.expn, Switch(true)).0,
        },
        magic_recipients: or(properties.magic_recipients, Switch(false)).0,
        protocol_log: None,
    }
}

/// `imaps` and the like leave no choice of TLS.
fn contradiction(reader: &mut Reader<'_>, server: &RawServer) {
    let own = server.properties.tls.iter();
    let of_bindings = server.bindings.iter().flatten().filter_map(|binding| binding.tls.as_ref());
    if server.service.implicit {
        for tls in own.chain(of_bindings).filter(|tls| tls.value != Tls::Implicit) {
            let protocol = word_of(server.service);
            reader.mistaken(
                tls,
                &format!("contradicts protocol = \"{protocol}\", which is TLS from the first byte"),
            );
        }
    }
}

/// Values below what the protocols' standards ask for.
fn floors(reader: &mut Reader<'_>, place: &str, protocol: Protocol, properties: &RawProperties) {
    let (title, floor, clause) = match protocol {
        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => {
            ("SMTP", SMTP_TIME_OUT_MIN, "RFC 5321 §4.5.3.2.7")
        }
        Protocol::Pop3 => ("POP3", POP3_TIME_OUT_MIN, "RFC 1939 §3"),
        Protocol::Imap => ("IMAP", IMAP_TIME_OUT_MIN, "RFC 9051 §5.4"),
    };
    if let Some(found) =
        properties.connection_time_out.as_ref().filter(|found| found.value.duration() < floor)
    {
        let span = TimeSpan::from_secs(floor.as_secs());
        below(reader, place, found, &format!("{span} that {title} asks for ({clause})"));
    }
    if matches!(protocol, Protocol::Pop3 | Protocol::Imap) {
        return;
    }
    if let Some(found) =
        properties.message_size_limit.as_ref().filter(|found| found.value.0 < MESSAGE_SIZE_MIN)
    {
        below(
            reader,
            place,
            found,
            &format!("{} that SMTP asks for (RFC 5321 §4.5.3.1.7)", Size(MESSAGE_SIZE_MIN)),
        );
    }
    if let Some(found) =
        properties.recipients_per_message.as_ref().filter(|found| found.value < RECIPIENTS_MIN)
    {
        below(reader, place, found, &format!("{RECIPIENTS_MIN} that SMTP asks for (RFC 5321 §4.5.3.1.8)"));
    }
}

fn below<T>(reader: &mut Reader<'_>, place: &str, found: &Found<T>, floor: &str) {
    if found.place == place {
        reader.mistaken(found, &format!("is below the {floor}"));
    } else {
        reader.mistaken(found, &format!("is below the {floor}; {place} inherits it"));
    }
}

fn tls_default(protocol: Protocol) -> Tls {
    match protocol {
        Protocol::Submission => Tls::Required,
        Protocol::Smtp | Protocol::Lmtp | Protocol::Pop3 | Protocol::Imap => Tls::Offered,
    }
}

fn mechanisms_default(protocol: Protocol) -> Vec<Mechanism> {
    match protocol {
        Protocol::Smtp | Protocol::Lmtp => Vec::new(),
        Protocol::Submission | Protocol::Pop3 | Protocol::Imap => vec![Mechanism::Plain, Mechanism::Login],
    }
}

/// Each once, in order of preference as written.
fn mechanisms(written: Vec<Mechanism>) -> Vec<Mechanism> {
    let mut seen = BTreeSet::new();
    written.into_iter().filter(|mechanism| seen.insert(*mechanism)).collect()
}

fn time_out_default(protocol: Protocol) -> TimeSpan {
    let floor = match protocol {
        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => SMTP_TIME_OUT_MIN,
        Protocol::Pop3 => POP3_TIME_OUT_MIN,
        Protocol::Imap => IMAP_TIME_OUT_MIN,
    };
    TimeSpan::from_secs(floor.as_secs())
}
