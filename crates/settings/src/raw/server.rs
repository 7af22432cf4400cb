//! Virtual servers and their properties.

use std::net::SocketAddr;

use toml_edit::Value;

use super::properties::{RawProperties, properties};
use crate::keys::Section;
use crate::read::{Found, Reader, Scope, line_of_text, parsed, socket_address, text, word};
use crate::values::{DomainPattern, Network, ServerState, Service, Tls, Wrong};

/// A virtual server that has a name and a protocol.
#[derive(Debug)]
pub(crate) struct RawServer {
    pub(crate) line: usize,
    pub(crate) place: String,
    pub(crate) name: String,
    pub(crate) service: Service,
    pub(crate) bindings: Option<Vec<RawBinding>>,
    pub(crate) state: Option<Found<ServerState>>,
    pub(crate) operators: Vec<String>,
    pub(crate) properties: RawProperties,
    pub(crate) whens: Vec<RawWhen>,
}

/// A binding.
#[derive(Debug, Clone)]
pub(crate) struct RawBinding {
    pub(crate) line: usize,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Found<Tls>>,
}

/// Properties for some peers.
#[derive(Debug, Clone)]
pub(crate) struct RawWhen {
    pub(crate) line: usize,
    pub(crate) place: String,
    pub(crate) clients: Vec<Found<Network>>,
    pub(crate) server_names: Vec<Found<DomainPattern>>,
    pub(crate) properties: RawProperties,
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
    let state = reader.value(&scope, "state", word);
    let operators = reader.each(&scope, "operators", text).unwrap_or_default();
    let properties = properties(reader, &scope);
    let whens = whens(reader, &scope);
    reader.needs(&scope, &[("name", "\"internet\""), ("protocol", "\"smtp\"")]);
    let (line, place) = (scope.line, scope.place);
    Some(RawServer {
        line,
        place,
        name: name?.value,
        service: service?.value,
        bindings,
        state,
        operators: operators.into_iter().map(|operator| operator.value).collect(),
        properties,
        whens,
    })
}

/// What follows the virtual server where mistakes name a `when`.
pub(crate) const WHEN: &str = " when";

/// Reads `[[virtual-server.when]]`.
fn whens(reader: &mut Reader<'_>, scope: &Scope<'_>) -> Vec<RawWhen> {
    let place = format!("{}{WHEN}", scope.place);
    let scopes = reader.tables(scope, "when", &place).unwrap_or_default();
    scopes.iter().map(|scope| when(reader, scope)).collect()
}

fn when(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawWhen {
    reader.check_keys(scope, &[Section::When, Section::Property]);
    for key in scope.keys().into_iter().filter(|key| OF_ALL_PEERS.contains(key)) {
        let problem = format!("{key} is for all peers: it stands in [[virtual-server]] itself");
        reader.mistake(reader.line_of_key(scope, key), &scope.place, key, Wrong::new(problem));
    }
    if !scope.has("client") && !scope.has("server-name") {
        let problem = "needs the key `client` or `server-name`, such as client = \"192.0.2.77\"";
        reader.mistake(scope.line, &scope.place, "client", Wrong::new(problem));
    }
    RawWhen {
        line: scope.line,
        place: scope.place.clone(),
        clients: reader.some(scope, "client", parsed, "\"192.0.2.77\"").unwrap_or_default(),
        server_names: reader.some(scope, "server-name", parsed, "\"mail.example.org\"").unwrap_or_default(),
        properties: properties(reader, scope),
    }
}

/// Properties that are asked before it is known who the peer is, or that are one for the whole virtual server.
const OF_ALL_PEERS: [&str; 2] = ["proxy-protocol", "protocol-log"];

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

fn server_name(value: &Value) -> Result<String, Wrong> {
    match line_of_text(value)? {
        name if name.trim().is_empty() => Err(Wrong::new("is empty")),
        name => Ok(name),
    }
}
