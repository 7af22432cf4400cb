//! Virtual servers: inheritance, defaults by protocol, and who may not stand beside whom.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use toml_edit::Document;

use super::rules::below;
use super::{mistaken_at, rules};
use crate::DEFAULT_TEXT;
use crate::limits::{PROTOCOL_LOG_MIN, SMTP_PORT};
use crate::raw::{self, Inherit, RawBinding, RawProperties, RawProtocolLog, RawServer};
use crate::read::{Reader, Scope};
use crate::values::{Protocol, Size, Tls, Wrong, word_of};

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
    has: rules::Has,
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
            server.properties = server.properties.or_of(defaults);
            contradiction(reader, &server);
            lmtp(reader, &server);
            own_file(reader, &server, &mut files);
            for when in &mut server.whens {
                when.properties = std::mem::take(&mut when.properties).or_of(&server.properties);
            }
            rules::of_properties(reader, &server, has);
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
