//! How mail leaves.

use std::path::PathBuf;

use mail::{Address, Domain};
use toml_edit::Value;

use crate::keys::Section;
use crate::named_file::FileKind;
use crate::read::{Found, Reader, Scope, count, domain, parsed, port, text, word};
use crate::resolved::{OutboundSignIn, Reports};
use crate::values::{
    DomainPattern, Hop, NameServer, NextProtocol, Notification, OutboundTls, Pause, Reach, Switch, TimeSpan,
    Unicast, Wrong,
};

/// `[delivery]`
#[derive(Debug, Default)]
pub(crate) struct RawDelivery {
    pub(crate) retry: RawRetry,
    pub(crate) local: RawRetry,
    pub(crate) connections_limit: Option<Found<u32>>,
    pub(crate) connections_per_destination: Option<Found<u32>>,
    pub(crate) connection_messages: Option<Found<u32>>,
    pub(crate) connection_time_out: Option<Found<TimeSpan>>,
    pub(crate) source_addresses: Option<Vec<Found<Unicast>>>,
    pub(crate) resolvers: Option<Vec<Found<NameServer>>>,
    pub(crate) dns_validation: Option<Found<Switch>>,
    pub(crate) dns_trust_anchors: Option<Found<PathBuf>>,
    pub(crate) port: Option<Found<u16>>,
    pub(crate) next: RawNext,
    pub(crate) certificate_authorities: Option<Vec<Found<PathBuf>>>,
    pub(crate) reach: Option<Found<Reach>>,
    pub(crate) dkim: Option<Found<Switch>>,
}

/// When something is tried again, when its sender is told of a delay, and when it is given up: `[delivery]`, `[delivery.local]`.
#[derive(Debug, Default)]
pub(crate) struct RawRetry {
    pub(crate) pauses: Option<Vec<Found<Pause>>>,
    pub(crate) delay_notification: Option<Found<Notification>>,
    pub(crate) expiration: Option<Found<TimeSpan>>,
}

/// Where mail goes and how: `[delivery]`, `[[remote-domain]]`.
#[derive(Debug, Default)]
pub(crate) struct RawNext {
    pub(crate) smart_hosts: Vec<Found<Hop>>,
    /// Whether one is written, even if it cannot be read.
    pub(crate) names_smart_host: bool,
    /// At `authentication`.
    pub(crate) sign_in: Option<Found<OutboundSignIn>>,
    pub(crate) tls: Option<Found<OutboundTls>>,
}

/// `[[remote-domain]]`
#[derive(Debug)]
pub(crate) struct RawRemoteDomain {
    pub(crate) domains: Vec<Found<DomainPattern>>,
    pub(crate) protocol: Option<Found<NextProtocol>>,
    pub(crate) next: RawNext,
}

/// `[[local-domain]]`
#[derive(Debug)]
pub(crate) struct RawLocalDomain {
    pub(crate) domains: Vec<Found<Domain>>,
    pub(crate) lmtp: Vec<Found<Hop>>,
}

/// Reads `[delivery]`.
pub(super) fn delivery(reader: &mut Reader<'_>, top: &Scope<'_>) -> RawDelivery {
    let Some(scope) = reader.table(top, "delivery", "[delivery]".into()) else {
        return RawDelivery::default();
    };
    reader.check_keys(&scope, &[Section::Delivery]);
    let local = reader.table(&scope, "local", "[delivery.local]".into());
    if let Some(local) = &local {
        reader.check_keys(local, &[Section::LocalDelivery]);
    }
    let connections = reader.table(&scope, "connections", scope.place.clone());
    if let Some(connections) = &connections {
        reader.check_keys(connections, &[Section::OutboundConnections]);
    }
    let mut number = |key| reader.value(connections.as_ref()?, key, count);
    RawDelivery {
        connections_limit: number("limit"),
        connections_per_destination: number("per-destination"),
        connection_messages: number("messages"),
        connection_time_out: connections.as_ref().and_then(|table| reader.value(table, "time-out", parsed)),
        retry: retry(reader, &scope),
        local: local.map(|local| retry(reader, &local)).unwrap_or_default(),
        source_addresses: reader.each(&scope, "source-address", parsed),
        resolvers: reader.some(&scope, "resolvers", parsed, "[\"system\"]"),
        dns_validation: reader.value(&scope, "dns-validation", word),
        dns_trust_anchors: reader.file(&scope, "dns-trust-anchors", FileKind::TrustAnchors),
        port: reader.value(&scope, "outbound-port", port),
        next: next(reader, &scope),
        certificate_authorities: reader.files(&scope, "certificate-authorities", FileKind::Authorities),
        reach: reader.value(&scope, "allow-private-exchangers", word),
        dkim: reader.value(&scope, "dkim", word),
    }
}

fn retry(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawRetry {
    RawRetry {
        pauses: reader.some(scope, "retry", parsed, "[\"15 min\", \"then every 4 h\"]"),
        delay_notification: reader.value(scope, "delay-notification", parsed),
        expiration: reader.value(scope, "expiration", parsed),
    }
}

fn next(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawNext {
    RawNext {
        smart_hosts: reader.each(scope, "smart-host", parsed).unwrap_or_default(),
        names_smart_host: scope.has("smart-host"),
        sign_in: sign_in(reader, scope),
        tls: reader.value(scope, "tls", word),
    }
}

fn sign_in(reader: &mut Reader<'_>, scope: &Scope<'_>) -> Option<Found<OutboundSignIn>> {
    let table = reader.table(scope, "authentication", scope.place.clone())?;
    reader.check_keys(&table, &[Section::OutboundSignIn]);
    let needed = [("user", "\"example-org\""), ("password-file", "\"/etc/waxseal/relay.secret\"")];
    reader.needs(&table, &needed);
    let user = reader.value(&table, "user", text);
    let password_file = reader.file(&table, "password-file", FileKind::Password);
    let (line, place) = (reader.line_of_key(scope, "authentication"), scope.place.clone());
    let value = OutboundSignIn { user: user?.value, password_file: password_file?.value };
    Some(Found { value, line, place, key: "authentication", written: String::new() })
}

/// Reads `[[remote-domain]]`.
pub(super) fn remote_domains(reader: &mut Reader<'_>, top: &Scope<'_>) -> Vec<RawRemoteDomain> {
    let scopes = reader.tables(top, "remote-domain", "remote-domain").unwrap_or_default();
    scopes.into_iter().map(|scope| remote_domain(reader, scope)).collect()
}

fn remote_domain(reader: &mut Reader<'_>, mut scope: Scope<'_>) -> RawRemoteDomain {
    scope.name_by("domain");
    reader.check_keys(&scope, &[Section::RemoteDomain]);
    reader.needs(&scope, &[("domain", "\"partner.example\"")]);
    let domains = reader.some(&scope, "domain", parsed, "\"partner.example\"");
    RawRemoteDomain {
        domains: domains.unwrap_or_default(),
        protocol: reader.value(&scope, "protocol", word),
        next: next(reader, &scope),
    }
}

/// Reads `[[local-domain]]`.
pub(super) fn local_domains(reader: &mut Reader<'_>, top: &Scope<'_>) -> Vec<RawLocalDomain> {
    let scopes = reader.tables(top, "local-domain", "local-domain").unwrap_or_default();
    scopes.into_iter().map(|scope| local_domain(reader, scope)).collect()
}

fn local_domain(reader: &mut Reader<'_>, mut scope: Scope<'_>) -> RawLocalDomain {
    scope.name_by("domain");
    reader.check_keys(&scope, &[Section::LocalDomain]);
    reader.needs(&scope, &[("domain", "\"lists.example.org\""), ("lmtp", "\"127.0.0.1:2424\"")]);
    let domains = reader.some(&scope, "domain", domain, "\"lists.example.org\"");
    let lmtp = reader.some(&scope, "lmtp", parsed, "\"127.0.0.1:2424\"");
    RawLocalDomain { domains: domains.unwrap_or_default(), lmtp: lmtp.unwrap_or_default() }
}

/// Reads `[reports]`.
pub(super) fn reports(reader: &mut Reader<'_>, top: &Scope<'_>) -> Reports {
    let Some(scope) = reader.table(top, "reports", "[reports]".into()) else { return Reports::default() };
    reader.check_keys(&scope, &[Section::Reports]);
    Reports { copy_to: reader.value(&scope, "copy-to", address).map(|found| found.value), badmail: None }
}

fn address(value: &Value) -> Result<Address, Wrong> {
    let text = value.as_str().unwrap_or_default();
    Address::parse(text).map_err(|_| Wrong::new("is no address such as \"postmaster@example.org\""))
}
