//! Virtual servers: inheritance, defaults by protocol, and who may not stand beside whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use mail::Domain;
use toml_edit::Document;

use super::{mistaken_at, or};
use crate::DEFAULT_TEXT;
use crate::limits::{
    IMAP_TIME_OUT_MIN, MESSAGE_SIZE_MIN, POP3_TIME_OUT_MIN, PROTOCOL_LOG_MIN, RECIPIENTS_MIN, SMTP_PORT,
    SMTP_TIME_OUT_MIN,
};
use crate::raw::{self, RawBinding, RawProperties, RawProtocolLog, RawServer};
use crate::read::{Found, Reader, Scope};
use crate::resolved::{
    Binding, Commands, ConnectionControl, ConnectionLimits, Delivery, Errors, Keywords, ProtocolLog, Relay,
    Reports, SendingLimits, VirtualServer,
};
use crate::values::{
    ClientCertificates, MaySendAs, Mechanism, Networks, Protocol, ServerState, Size, Switch, TimeSpan, Tls,
    TlsVersion, Wrong, word_of,
};

/// The virtual servers of [`DEFAULT_TEXT`].
pub(super) fn by_default() -> Vec<RawServer> {
    let document = Document::parse(DEFAULT_TEXT).expect("the default text is TOML");
    let mut reader = Reader::new(DEFAULT_TEXT);
    raw::virtual_servers(&mut reader, &Scope::top(document.as_table())).expect("it has virtual servers")
}

/// What is served, each under a name of its own, at places and with files of its own, and with all that it inherits.
pub(super) fn inherited(
    reader: &mut Reader<'_>,
    servers: Vec<RawServer>,
    defaults: &RawProperties,
) -> Vec<RawServer> {
    let (mut names, mut identities, mut files) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    servers
        .into_iter()
        .map(|server| {
            if let Some(line) = names.insert(server.name.clone(), server.line) {
                let problem = format!("there is another of this name (line {line})");
                reader.mistake(server.line, &server.place, "name", Wrong::new(problem));
            }
            let mut server = with_bindings(reader, server, &mut identities);
            server.properties = server.properties.or(defaults);
            contradiction(reader, &server);
            floors(reader, &server.place, server.service.protocol, &server.properties);
            lmtp(reader, &server);
            open_relay(reader, &server);
            own_file(reader, &server, &mut files);
            server
        })
        .collect()
}

/// Who listens where, to find those who listen at the same place.
type Identities = BTreeMap<(IpAddr, u16), (String, usize)>;

/// Its bindings, each at a place where nobody else listens.
fn with_bindings(reader: &mut Reader<'_>, mut server: RawServer, identities: &mut Identities) -> RawServer {
    let by_default = || {
        let ip = match server.service.protocol {
            // It is for this machine, unless the text says otherwise.
            Protocol::Lmtp => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        vec![RawBinding { line: server.line, address: SocketAddr::new(ip, server.service.port), tls: None }]
    };
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

/// What all virtual servers inherit of what is not a property.
pub(super) struct Top<'a> {
    pub(super) host_name: &'a Domain,
    pub(super) delivery: &'a Delivery,
    pub(super) reports: &'a Reports,
}

pub(super) fn virtual_server(server: RawServer, top: &Top<'_>) -> VirtualServer {
    let RawServer { name, service, bindings, properties, .. } = server;
    let protocol = service.protocol;
    let tls = if service.implicit { Tls::Implicit } else { or(properties.tls, tls_default(protocol)) };
    let bindings = bindings.unwrap_or_default().into_iter();
    VirtualServer {
        name,
        protocol,
        bindings: bindings.map(|b| Binding { address: b.address, tls: or(b.tls, tls) }).collect(),
        relay: Relay {
            allow: Networks(properties.relay.allow.into_iter().flatten().map(|found| found.value).collect()),
            except: None,
            authenticated: or(properties.relay.authenticated, Switch(protocol == Protocol::Submission)).0,
        },
        authentication: mechanisms(or(properties.authentication, mechanisms_default(protocol))),
        message_size_limit: or(properties.message_size_limit, Size(50 << 20)),
        recipients_per_message: or(properties.recipients_per_message, 1000),
        messages_per_connection: or(properties.messages_per_connection, 100),
        connections: ConnectionLimits {
            limit: or(properties.connections_limit, 1000),
            per_source: or(properties.connections_per_source, 50),
            per_network: 200,
            rate: None,
        },
        connection_time_out: or(properties.connection_time_out, time_out_default(protocol)),
        sign_in_interval: or(properties.sign_in_interval, TimeSpan::from_secs(0)),
        sign_in_time_out: or(properties.sign_in_time_out, TimeSpan::from_secs(60)),
        banner: or(properties.banner, String::new()),
        commands: Commands {
            vrfy: or(properties.vrfy, Switch(true)).0,
            expn: or(properties.expn, Switch(true)).0,
            ..Commands::default()
        },
        host_name: top.host_name.clone(),
        state: ServerState::Running,
        operators: Vec::new(),
        sign_in_failures: 5,
        tls_minimum_version: TlsVersion::V1_2,
        client_certificates: ClientCertificates::Off,
        connection_control: ConnectionControl::All,
        reverse_lookup: true,
        may_send_as: MaySendAs::Own,
        sending: SendingLimits {
            recipients_per_hour: Some(1000),
            recipients_per_day: Some(10_000),
            new_recipients_per_day: Some(1000),
            hold_factor: Some(10),
            hold_recipients: Some(100),
        },
        session_size_limit: None,
        message_rate: None,
        greeting_delay: TimeSpan::from_secs(0),
        errors: Errors { slow: 10, limit: 20, tarpit: TimeSpan::from_secs(1) },
        keywords: Keywords::default(),
        proxy_protocol: Networks::default(),
        xclient: Networks::default(),
        xforward: Networks::default(),
        delivery: top.delivery.clone(),
        reports: top.reports.clone(),
        when: Vec::new(),
        magic_recipients: or(properties.magic_recipients, Switch(false)).0,
        protocol_log: properties.protocol_log.file.map(|file| ProtocolLog {
            file: file.value,
            size_limit: or(properties.protocol_log.size_limit, Size(100 << 20)),
            keep: or(properties.protocol_log.keep, 7),
        }),
    }
}

/// `imaps` and the like leave no choice of TLS.
fn contradiction(reader: &mut Reader<'_>, server: &RawServer) {
    let own = server.properties.tls.iter().filter(|tls| tls.place == server.place);
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
    mistaken_at(reader, place, found, &format!("is below the {floor}"));
}

/// LMTP is for this machine and for peers that are named: it is not for port 25 and should not go over wide area networks
/// (RFC 2033 §5), and what comes by it has been judged by whoever sends it.
fn lmtp(reader: &mut Reader<'_>, server: &RawServer) {
    if server.service.protocol != Protocol::Lmtp {
        return;
    }
    let names_peers = server.properties.relay.allow.as_ref().is_some_and(|allow| !allow.is_empty());
    for RawBinding { line, address, .. } in server.bindings.iter().flatten() {
        let problem = if address.port() == SMTP_PORT {
            format!("bind = {address}: LMTP must not be used on port 25 (RFC 2033 §5)")
        } else if !address.ip().is_loopback() && !names_peers {
            format!(
                "bind = {address} is open to others than this machine, and LMTP delivers without authentication: it is \
                 not for wide area networks (RFC 2033 §5); bind a loopback address, or name the peers: relay = {{ allow \
                 = [\"192.0.2.5\"] }}"
            )
        } else {
            continue;
        };
        reader.mistake(*line, &server.place, "bind", Wrong::new(problem));
    }
}

/// Relaying for networks of strangers, or taking mail from them by LMTP, has to be meant.
fn open_relay(reader: &mut Reader<'_>, server: &RawServer) {
    let relay = &server.properties.relay;
    let is_meant = relay.open.as_ref().is_some_and(|open| open.value.0);
    if is_meant || matches!(server.service.protocol, Protocol::Pop3 | Protocol::Imap) {
        return;
    }
    let what = match server.service.protocol {
        Protocol::Lmtp => "would let strangers deliver to every mailbox unjudged",
        _ => "would make this an open relay, for strangers to send through",
    };
    let problem = format!("{what}; if that is meant, say so: relay = {{ allow = [...], open = \"on\" }}");
    let allow = relay.allow.as_deref().unwrap_or_default();
    let mut wide = allow.iter().filter(|network| network.value.is_wide()).peekable();
    if wide.peek().is_none() && Networks(allow.iter().map(|network| network.value).collect()).are_wide() {
        let problem = format!("and the other networks of this list together {problem}");
        mistaken_at(reader, &server.place, &allow[0], &problem);
    }
    for network in wide {
        mistaken_at(reader, &server.place, network, &problem);
    }
}

/// Which files are written by whom.
type Files = BTreeMap<PathBuf, (String, usize)>;

/// A protocol log is written by one virtual server.
fn own_file(reader: &mut Reader<'_>, server: &RawServer, files: &mut Files) {
    let (log, place) = (&server.properties.protocol_log, &server.place);
    if let Some(size) = log.size_limit.as_ref().filter(|size| size.value.0 < PROTOCOL_LOG_MIN) {
        below(reader, place, size, &format!("{} that a protocol log has at least", Size(PROTOCOL_LOG_MIN)));
    }
    let Some(file) = &log.file else { return log_without_file(reader, log, place) };
    match files.get(&file.value) {
        Some((other, line)) => {
            mistaken_at(reader, place, file, &format!("is written by \"{other}\" already (line {line})"));
        }
        None => {
            files.insert(file.value.clone(), (server.name.clone(), file.line));
        }
    }
}

/// What is said of a log that is written nowhere; `[defaults]` may say it for those that are.
fn log_without_file(reader: &mut Reader<'_>, log: &RawProtocolLog, place: &str) {
    let size_limit = log.size_limit.as_ref().map(|found| (found.line, &found.place));
    let keep = log.keep.as_ref().map(|found| (found.line, &found.place));
    if let Some((line, _)) = size_limit.or(keep).filter(|(_, at)| *at == place) {
        let problem = "protocol-log needs a file, such as file = \"/var/log/waxseal/internet.log\"";
        reader.mistake(line, place, "protocol-log", Wrong::new(problem));
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
        // Programs built with GNU SASL take a bound form because it is the strongest, find that they cannot bind, and lose
        // step with the server; IMAP's tags save them there (decision 13).
        Protocol::Submission | Protocol::Pop3 => Mechanism::UNBOUND.to_vec(),
        Protocol::Imap => Mechanism::BY_PASSWORD.to_vec(),
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
