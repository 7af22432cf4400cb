//! How mail leaves.

use std::path::PathBuf;

use mail::Domain;

use super::inherit::{Inherit, inherited};
use crate::keys::Section;
use crate::named_file::FileKind;
use crate::read::{Found, Reader, Scope, address, count, domain, parsed, path, port, text, word};
use crate::resolved::{Masquerade, OutboundSignIn, Reports};
use crate::values::{
    DomainPattern, Hello, Hop, NameServer, Network, NextProtocol, Notification, OutboundTls, Pause, Reach,
    Switch, TimeSpan, Unicast, Wrong,
};

inherited! {
    /// `[delivery]`, and `delivery` of virtual servers.
    struct RawDelivery {
        retry: RawRetry,
        local: RawRetry,
        connections: RawOutboundConnections,
        source_addresses: Option<Vec<Found<Unicast>>>,
        resolvers: Option<Vec<Found<NameServer>>>,
        dns_validation: Option<Found<Switch>>,
        dns_trust_anchors: Option<Found<PathBuf>>,
        port: Option<Found<u16>>,
        next: RawNext,
        masquerade: Option<Masquerade>,
        recipients_per_message: Option<Found<u32>>,
        certificate_authorities: Option<Vec<Found<PathBuf>>>,
        reach: Option<Found<Reach>>,
        dkim: Option<Found<Switch>>,
    }

    /// When something is tried again, when its sender is told of a delay, and when it is given up: `[delivery]`,
    /// `[delivery.local]`.
    struct RawRetry {
        pauses: Option<Vec<Found<Pause>>>,
        delay_notification: Option<Found<Notification>>,
        expiration: Option<Found<TimeSpan>>,
    }

    /// `connections` of `[delivery]`
    struct RawOutboundConnections {
        limit: Option<Found<u32>>,
        per_destination: Option<Found<u32>>,
        messages: Option<Found<u32>>,
        time_out: Option<Found<TimeSpan>>,
        idle_time_out: Option<Found<TimeSpan>>,
    }
}

/// `delivery` of a virtual server, if it has one.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnDelivery(pub(crate) Option<RawDelivery>);

impl Inherit for OwnDelivery {
    fn or_of(self, others: &Self) -> Self {
        match (self.0, &others.0) {
            (Some(own), Some(others)) => Self(Some(own.or_of(others))),
            (own, others) => Self(own.or_else(|| others.clone())),
        }
    }
}

/// Where mail goes and how: `[delivery]`, `[[remote-domain]]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawNext {
    pub(crate) smart_hosts: Vec<Found<Hop>>,
    /// Whether one is written, even if it cannot be read.
    pub(crate) names_smart_host: bool,
    pub(crate) direct_first: Option<Found<Switch>>,
    /// At `authentication`.
    pub(crate) sign_in: Option<Found<OutboundSignIn>>,
    pub(crate) tls: Option<Found<OutboundTls>>,
    /// What is written for other hosts, in a more general place.
    pub(crate) inherited_tls: Option<Found<OutboundTls>>,
}

impl Inherit for RawNext {
    /// A password is for the hosts that it stands beside: who names other hosts does not inherit it.
    fn or_of(self, others: &Self) -> Self {
        let others = others.clone();
        if self.names_smart_host {
            return Self { inherited_tls: others.tls.or(others.inherited_tls), ..self };
        }
        Self {
            direct_first: self.direct_first.or(others.direct_first),
            sign_in: self.sign_in.or(others.sign_in),
            tls: self.tls.or(others.tls),
            ..others
        }
    }
}

/// `[[remote-domain]]`
#[derive(Debug)]
pub(crate) struct RawRemoteDomain {
    pub(crate) domains: Vec<Found<DomainPattern>>,
    pub(crate) protocol: Option<Found<NextProtocol>>,
    pub(crate) hello: Option<Found<Hello>>,
    pub(crate) relay: Option<Found<Switch>>,
    pub(crate) hold_until_etrn: Vec<Found<Network>>,
    pub(crate) masquerade: Option<Masquerade>,
    pub(crate) recipients_per_message: Option<Found<u32>>,
    pub(crate) next: RawNext,
}

/// `[[local-domain]]`
#[derive(Debug)]
pub(crate) struct RawLocalDomain {
    pub(crate) domains: Vec<Found<Domain>>,
    pub(crate) lmtp: Vec<Found<Hop>>,
    pub(crate) drop: Option<PathBuf>,
}

/// Reads `[delivery]`.
pub(super) fn delivery(reader: &mut Reader<'_>, top: &Scope<'_>) -> RawDelivery {
    let scope = reader.subtable(top, "delivery", Section::Delivery);
    scope.map_or_else(RawDelivery::default, |scope| keys(reader, &scope, "[delivery.local]".into()))
}

/// Reads `delivery` of a virtual server, or of `[defaults]`.
pub(super) fn of_virtual_server(reader: &mut Reader<'_>, server: &Scope<'_>) -> OwnDelivery {
    let Some(scope) = reader.subtable(server, "delivery", Section::Delivery) else {
        return OwnDelivery(None);
    };
    for key in scope.keys().into_iter().filter(|key| OF_ALL_MAIL.contains(key)) {
        let problem = format!("{key} is for all mail: it stands in [delivery] itself");
        reader.mistake(reader.line_of_key(&scope, key), &scope.place, key, Wrong::new(problem));
    }
    OwnDelivery(Some(keys(reader, &scope, scope.place.clone())))
}

/// What the program has once, whatever mail leaves.
const OF_ALL_MAIL: [&str; 5] = [
    "allow-private-exchangers",
    "certificate-authorities",
    "connections",
    "dns-trust-anchors",
    "dns-validation",
];

fn keys(reader: &mut Reader<'_>, scope: &Scope<'_>, place_of_local: String) -> RawDelivery {
    let local = reader.table(scope, "local", place_of_local);
    if let Some(local) = &local {
        reader.check_keys(local, &[Section::LocalDelivery]);
    }
    RawDelivery {
        connections: connections(reader, scope),
        retry: retry(reader, scope),
        local: local.map(|local| retry(reader, &local)).unwrap_or_default(),
        source_addresses: reader.each(scope, "source-address", parsed),
        resolvers: reader.some(scope, "resolvers", parsed, "[\"system\"]"),
        dns_validation: reader.value(scope, "dns-validation", word),
        dns_trust_anchors: reader.file(scope, "dns-trust-anchors", FileKind::TrustAnchors),
        port: reader.value(scope, "outbound-port", port),
        next: next(reader, scope),
        masquerade: masquerade(reader, scope),
        recipients_per_message: reader.value(scope, "recipients-per-message", count),
        certificate_authorities: reader.files(scope, "certificate-authorities", FileKind::Authorities),
        reach: reader.value(scope, "allow-private-exchangers", word),
        dkim: reader.value(scope, "dkim", word),
    }
}

fn connections(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawOutboundConnections {
    let Some(table) = reader.subtable(scope, "connections", Section::OutboundConnections) else {
        return RawOutboundConnections::default();
    };
    RawOutboundConnections {
        limit: reader.value(&table, "limit", count),
        per_destination: reader.value(&table, "per-destination", count),
        messages: reader.value(&table, "messages", count),
        time_out: reader.value(&table, "time-out", parsed),
        idle_time_out: reader.value(&table, "idle-time-out", parsed),
    }
}

fn masquerade(reader: &mut Reader<'_>, scope: &Scope<'_>) -> Option<Masquerade> {
    let table = reader.subtable(scope, "masquerade", Section::Masquerade)?;
    reader.needs(&table, &[("domain", "\"example.org\"")]);
    let header = reader.value(&table, "header", word::<Switch>).is_some_and(|header| header.value.0);
    Some(Masquerade { domain: reader.value(&table, "domain", domain)?.value, header })
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
        direct_first: reader.value(scope, "direct-first", word),
        sign_in: sign_in(reader, scope),
        tls: reader.value(scope, "tls", word),
        inherited_tls: None,
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
        hello: reader.value(&scope, "hello", word),
        relay: reader.value(&scope, "relay", word),
        hold_until_etrn: reader
            .some(&scope, "hold-until-etrn", parsed, "[\"192.0.2.0/24\"]")
            .unwrap_or_default(),
        masquerade: masquerade(reader, &scope),
        recipients_per_message: reader.value(&scope, "recipients-per-message", count),
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
    reader.needs(&scope, &[("domain", "\"lists.example.org\"")]);
    let domains = reader.some(&scope, "domain", domain, "\"lists.example.org\"");
    let lmtp = reader.some(&scope, "lmtp", parsed, "\"127.0.0.1:2424\"");
    let drop = reader.value(&scope, "drop", path);
    match (scope.has("lmtp"), &drop) {
        (true, Some(drop)) => reader.mistaken(drop, "stands beside lmtp: mail goes one way"),
        (false, _) if !scope.has("drop") => {
            reader.needs(&scope, &[("lmtp", "\"127.0.0.1:2424\" (or drop, a directory)")]);
        }
        _ => {}
    }
    RawLocalDomain {
        domains: domains.unwrap_or_default(),
        lmtp: lmtp.unwrap_or_default(),
        drop: drop.map(|drop| drop.value),
    }
}

/// Reads `[reports]`.
pub(super) fn reports(reader: &mut Reader<'_>, top: &Scope<'_>) -> Reports {
    let Some(scope) = reader.subtable(top, "reports", Section::Reports) else { return Reports::default() };
    Reports {
        copy_to: reader.value(&scope, "copy-to", address).map(|found| found.value),
        badmail: reader.value(&scope, "badmail", path).map(|found| found.value),
    }
}
