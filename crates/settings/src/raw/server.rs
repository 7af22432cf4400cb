//! Virtual servers and their properties.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use toml_edit::Value;

use crate::keys::Section;
use crate::named_file::FileKind;
use crate::read::{Found, Reader, Scope, count, line_of_text, parsed, word};
use crate::values::{Mechanism, Network, Service, Size, Switch, TimeSpan, Tls, Wrong};

/// A virtual server that has a name and a protocol.
#[derive(Debug)]
pub(crate) struct RawServer {
    pub(crate) line: usize,
    pub(crate) place: String,
    pub(crate) name: String,
    pub(crate) service: Service,
    pub(crate) bindings: Option<Vec<RawBinding>>,
    pub(crate) properties: RawProperties,
}

/// A binding.
#[derive(Debug, Clone)]
pub(crate) struct RawBinding {
    pub(crate) line: usize,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Found<Tls>>,
}

/// Properties that `[defaults]` and virtual servers have.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawProperties {
    pub(crate) tls: Option<Found<Tls>>,
    pub(crate) authentication: Option<Found<Vec<Mechanism>>>,
    pub(crate) message_size_limit: Option<Found<Size>>,
    pub(crate) recipients_per_message: Option<Found<u32>>,
    pub(crate) messages_per_connection: Option<Found<u32>>,
    pub(crate) connections_limit: Option<Found<u32>>,
    pub(crate) connections_per_source: Option<Found<u32>>,
    pub(crate) connection_time_out: Option<Found<TimeSpan>>,
    pub(crate) sign_in_time_out: Option<Found<TimeSpan>>,
    pub(crate) sign_in_interval: Option<Found<TimeSpan>>,
    pub(crate) banner: Option<Found<String>>,
    pub(crate) vrfy: Option<Found<Switch>>,
    pub(crate) expn: Option<Found<Switch>>,
    pub(crate) magic_recipients: Option<Found<Switch>>,
    pub(crate) relay: RawRelay,
    pub(crate) protocol_log: RawProtocolLog,
}

/// `relay`
#[derive(Debug, Clone, Default)]
pub(crate) struct RawRelay {
    pub(crate) allow: Option<Vec<Found<Network>>>,
    pub(crate) authenticated: Option<Found<Switch>>,
    pub(crate) open: Option<Found<Switch>>,
}

/// `protocol-log`
#[derive(Debug, Clone, Default)]
pub(crate) struct RawProtocolLog {
    pub(crate) file: Option<Found<PathBuf>>,
    pub(crate) size_limit: Option<Found<Size>>,
    pub(crate) keep: Option<Found<u32>>,
}

impl RawProperties {
    /// These, and where they say nothing, the others.
    pub(crate) fn or(self, others: &Self) -> Self {
        let others = others.clone();
        Self {
            tls: self.tls.or(others.tls),
            authentication: self.authentication.or(others.authentication),
            message_size_limit: self.message_size_limit.or(others.message_size_limit),
            recipients_per_message: self.recipients_per_message.or(others.recipients_per_message),
            messages_per_connection: self.messages_per_connection.or(others.messages_per_connection),
            connections_limit: self.connections_limit.or(others.connections_limit),
            connections_per_source: self.connections_per_source.or(others.connections_per_source),
            connection_time_out: self.connection_time_out.or(others.connection_time_out),
            sign_in_time_out: self.sign_in_time_out.or(others.sign_in_time_out),
            sign_in_interval: self.sign_in_interval.or(others.sign_in_interval),
            banner: self.banner.or(others.banner),
            vrfy: self.vrfy.or(others.vrfy),
            expn: self.expn.or(others.expn),
            magic_recipients: self.magic_recipients.or(others.magic_recipients),
            relay: RawRelay {
                allow: self.relay.allow.or(others.relay.allow),
                authenticated: self.relay.authenticated.or(others.relay.authenticated),
                open: self.relay.open.or(others.relay.open),
            },
            protocol_log: RawProtocolLog {
                file: self.protocol_log.file.or(others.protocol_log.file),
                size_limit: self.protocol_log.size_limit.or(others.protocol_log.size_limit),
                keep: self.protocol_log.keep.or(others.protocol_log.keep),
            },
        }
    }
}

/// Reads `[[virtual-server]]`.
pub(crate) fn virtual_servers(reader: &mut Reader<'_>, top: &Scope<'_>) -> Option<Vec<RawServer>> {
    let scopes = reader.tables(top, "virtual-server", "virtual-server")?;
    Some(scopes.into_iter().filter_map(|scope| virtual_server(reader, scope)).collect())
}

fn virtual_server(reader: &mut Reader<'_>, mut scope: Scope<'_>) -> Option<RawServer> {
    let name = reader.value(&scope, "name", server_name);
    if let Some(name) = &name {
        scope.place = format!("virtual-server \"{}\"", name.value);
    }
    reader.check_keys(&scope, &[Section::VirtualServer, Section::Property]);
    let service = reader.value(&scope, "protocol", word::<Service>);
    let bindings = bindings(reader, &scope, service.as_ref().map(|service| service.value.port));
    let properties = properties(reader, &scope);
    reader.needs(&scope, &[("name", "\"internet\""), ("protocol", "\"smtp\"")]);
    let (line, place) = (scope.line, scope.place);
    Some(RawServer { line, place, name: name?.value, service: service?.value, bindings, properties })
}

fn bindings(reader: &mut Reader<'_>, scope: &Scope<'_>, port: Option<u16>) -> Option<Vec<RawBinding>> {
    if scope.has_tables("bind") {
        let tables = reader.tables(scope, "bind", &scope.place)?;
        return Some(tables.iter().filter_map(|table| binding_table(reader, table)).collect());
    }
    let entries = reader.entries(scope, "bind")?;
    if entries.is_empty() {
        let problem = "bind = [] leaves it nowhere to listen".to_owned();
        reader.mistake(scope.line, &scope.place, "bind", Wrong::new(problem));
    }
    Some(entries.into_iter().filter_map(|entry| binding(reader, scope, entry, port)).collect())
}

fn binding(
    reader: &mut Reader<'_>,
    scope: &Scope<'_>,
    entry: &Value,
    port: Option<u16>,
) -> Option<RawBinding> {
    if let Some(table) = reader.entry(entry, &scope.place) {
        return binding_table(reader, &table);
    }
    match socket_address(entry, port) {
        Ok(address) => Some(RawBinding { line: reader.line(entry.span()), address, tls: None }),
        Err(wrong) => {
            reader.wrong(scope, "bind", entry, wrong);
            None
        }
    }
}

fn binding_table(reader: &mut Reader<'_>, table: &Scope<'_>) -> Option<RawBinding> {
    reader.check_keys(table, &[Section::Binding]);
    reader.needs(table, &[("address", "\"[::]:993\"")]);
    let tls = reader.value(table, "tls", word);
    let address = reader.value(table, "address", |value| socket_address(value, None))?;
    Some(RawBinding { line: table.line, address: address.value, tls })
}

/// Reads `[defaults]`.
pub(super) fn defaults(reader: &mut Reader<'_>, top: &Scope<'_>) -> RawProperties {
    let Some(scope) = reader.table(top, "defaults", "[defaults]".into()) else {
        return RawProperties::default();
    };
    reader.check_keys(&scope, &[Section::Property]);
    properties(reader, &scope)
}

fn properties(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawProperties {
    let connections = reader.table(scope, "connections", scope.place.clone());
    let commands = reader.table(scope, "commands", scope.place.clone());
    if let Some(connections) = &connections {
        reader.check_keys(connections, &[Section::Connections]);
    }
    if let Some(commands) = &commands {
        reader.check_keys(commands, &[Section::Commands]);
    }
    let mut limit = |key| reader.value(connections.as_ref()?, key, count);
    let (connections_limit, connections_per_source) = (limit("limit"), limit("per-source"));
    let mut command = |key| reader.value(commands.as_ref()?, key, word);
    let (vrfy, expn) = (command("vrfy"), command("expn"));
    RawProperties {
        tls: reader.value(scope, "tls", word),
        authentication: reader.list(scope, "authentication", word),
        message_size_limit: reader.value(scope, "message-size-limit", parsed),
        recipients_per_message: reader.value(scope, "recipients-per-message", count),
        messages_per_connection: reader.value(scope, "messages-per-connection", count),
        connections_limit,
        connections_per_source,
        connection_time_out: reader.value(scope, "connection-time-out", parsed),
        sign_in_time_out: reader.value(scope, "sign-in-time-out", parsed),
        sign_in_interval: reader.value(scope, "sign-in-interval", parsed),
        banner: reader.value(scope, "banner", line_of_text),
        vrfy,
        expn,
        magic_recipients: reader.value(scope, "magic-recipients", word),
        relay: relay(reader, scope),
        protocol_log: protocol_log(reader, scope),
    }
}

fn relay(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawRelay {
    let Some(relay) = reader.table(scope, "relay", scope.place.clone()) else { return RawRelay::default() };
    reader.check_keys(&relay, &[Section::Relay]);
    RawRelay {
        allow: reader.each(&relay, "allow", parsed),
        authenticated: reader.value(&relay, "authenticated", word),
        open: reader.value(&relay, "open", word),
    }
}

fn protocol_log(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawProtocolLog {
    let Some(log) = reader.table(scope, "protocol-log", scope.place.clone()) else {
        return RawProtocolLog::default();
    };
    reader.check_keys(&log, &[Section::ProtocolLog]);
    RawProtocolLog {
        file: reader.file(&log, "file", FileKind::ProtocolLog),
        size_limit: reader.value(&log, "size-limit", parsed),
        keep: reader.value(&log, "keep", count),
    }
}

fn server_name(value: &Value) -> Result<String, Wrong> {
    match line_of_text(value)? {
        name if name.trim().is_empty() => Err(Wrong::new("is empty")),
        name => Ok(name),
    }
}

/// An address and port; an IPv4-mapped address is the IPv4 address it means.
fn socket_address(value: &Value, port: Option<u16>) -> Result<SocketAddr, Wrong> {
    let text = value.as_str().unwrap_or_default();
    match text.parse::<SocketAddr>() {
        Ok(address) => Ok(SocketAddr::new(address.ip().to_canonical(), address.port())),
        Err(_) => {
            let problem = "is no address and port such as \"[::]:25\" or \"192.0.2.10:25\"";
            let bare = text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
            let likely = bare.zip(port).map(|(ip, port)| SocketAddr::new(ip, port).to_string());
            Err(Wrong::near(problem, likely.unwrap_or_default()))
        }
    }
}
