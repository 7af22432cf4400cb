//! `[delivery]`

use std::net::{IpAddr, SocketAddr};

use super::next::{self, Next, Ourselves};
use super::or;
use crate::limits::{CONNECT_TIME_OUT_MIN, RETRY_MIN};
use crate::raw::{Inherit, RawDelivery, RawOutboundConnections, RawRetry};
use crate::read::{Found, Reader};
use crate::resolved::{Delivery, LocalDelivery, OutboundConnections, Resolvers};
use crate::values::{
    NameServer, NextProtocol, Notification, OutboundTls, Pause, Reach, Switch, TimeSpan, Unicast,
};

/// What holds, and what remote domains inherit of it.
pub(super) struct Resolved {
    pub(super) resolved: Delivery,
    /// As it is written, if it is.
    pub(super) tls: Option<Found<OutboundTls>>,
}

pub(super) fn resolve(reader: &mut Reader<'_>, raw: RawDelivery, ourselves: &Ourselves) -> Resolved {
    let port = or(raw.port, 25);
    let tls = raw.next.tls.clone();
    let inherited_tls = raw.next.inherited_tls.clone();
    let Next { smart_hosts, direct_first, sign_in, tls: secured } =
        next::resolve(reader, raw.next, NextProtocol::Smtp, port, inherited_tls.as_ref(), ourselves);
    let Retry { pauses: retry, then, delay_notification, expiration } =
        retry(reader, raw.retry, Retry::of_others());
    let local = retry_of_local(reader, raw.local);
    if let Some(anchors) = raw.dns_trust_anchors.as_ref().filter(|_| !is_on(raw.dns_validation.as_ref())) {
        reader.mistaken(anchors, "is used with dns-validation = \"on\" only");
    }
    let resolved = Delivery {
        retry,
        then,
        delay_notification,
        expiration,
        local,
        connections: connections(reader, raw.connections),
        source_addresses: source_addresses(reader, raw.source_addresses.unwrap_or_default()),
        resolvers: resolvers(reader, raw.resolvers.unwrap_or_default()),
        dns_validation: is_on(raw.dns_validation.as_ref()),
        dns_trust_anchors: raw.dns_trust_anchors.map(|found| found.value),
        port,
        smart_hosts,
        direct_first,
        masquerade: raw.masquerade,
        recipients_per_message: or(raw.recipients_per_message, 100),
        sign_in,
        tls: secured,
        certificate_authorities: raw
            .certificate_authorities
            .into_iter()
            .flatten()
            .map(|found| found.value)
            .collect(),
        reach: or(raw.reach, Reach::Public),
        dkim: or(raw.dkim, Switch(true)).0,
    };
    Resolved { resolved, tls }
}

/// What virtual servers inherit, key by key.
pub(super) struct OfServers<'a> {
    pub(super) written: &'a RawDelivery,
    pub(super) resolved: &'a Delivery,
    pub(super) ourselves: &'a Ourselves,
}

impl OfServers<'_> {
    /// The delivery properties of a virtual server that names these.
    pub(super) fn of(&self, reader: &mut Reader<'_>, own: Option<&RawDelivery>) -> Delivery {
        match own {
            Some(own) => resolve(reader, own.clone().or_of(self.written), self.ourselves).resolved,
            None => self.resolved.clone(),
        }
    }
}

fn is_on(switch: Option<&Found<Switch>>) -> bool {
    switch.is_some_and(|switch| switch.value.0)
}

const fn minutes(minutes: u64) -> TimeSpan {
    TimeSpan::from_secs(minutes * 60)
}

/// A retry list, when its sender is told, and its end.
struct Retry {
    pauses: Vec<TimeSpan>,
    then: Option<TimeSpan>,
    delay_notification: Option<TimeSpan>,
    expiration: TimeSpan,
}

impl Retry {
    /// Mail for others. The first pause is shorter than RFC 5321 §4.5.4.1 asks for, because greylisting is usual.
    fn of_others() -> Self {
        let pauses = [15, 30, 60].map(minutes).into();
        Self::new(pauses, minutes(4 * 60), minutes(5 * 24 * 60))
    }

    /// Mail for mailboxes here: what is in the way is ours to mend, and no stranger is asked again and again.
    fn of_local() -> Self {
        let pauses = [1, 5, 15].map(minutes).into();
        Self::new(pauses, minutes(60), minutes(2 * 24 * 60))
    }

    fn new(pauses: Vec<TimeSpan>, then: TimeSpan, expiration: TimeSpan) -> Self {
        Self { pauses, then: Some(then), delay_notification: None, expiration }
    }

    fn first(&self) -> Option<TimeSpan> {
        self.pauses.first().copied().or(self.then)
    }
}

fn retry_of_local(reader: &mut Reader<'_>, raw: RawRetry) -> LocalDelivery {
    let Retry { pauses: retry, then, delay_notification, expiration } = retry(reader, raw, Retry::of_local());
    LocalDelivery { retry, then, delay_notification, expiration }
}

fn retry(reader: &mut Reader<'_>, raw: RawRetry, default: Retry) -> Retry {
    let mut retry = default;
    let first = raw.pauses.as_ref().and_then(|pauses| pauses.first()).cloned();
    if let Some(pauses) = raw.pauses.filter(|pauses| !pauses.is_empty()) {
        (retry.pauses, retry.then) = self::pauses(reader, pauses);
    }
    if let Some(expiration) = &raw.expiration {
        retry.expiration = expiration.value;
    }
    retry.delay_notification = delay_notification(reader, raw.delay_notification, retry.expiration);
    let Some(pause) = retry.first().filter(|pause| *pause > retry.expiration) else { return retry };
    match (raw.expiration, first) {
        (Some(expiration), _) => {
            reader.mistaken(&expiration, &format!("is before the first retry, after {pause}"));
        }
        (None, Some(first)) => {
            reader.mistaken(&first, &format!("is after the expiration of {}", retry.expiration));
        }
        (None, None) => {}
    }
    retry
}

/// The pauses, and what comes after them: the last one, again and again.
fn pauses(reader: &mut Reader<'_>, written: Vec<Found<Pause>>) -> (Vec<TimeSpan>, Option<TimeSpan>) {
    let (mut spans, last) = (Vec::with_capacity(written.len()), written.len().saturating_sub(1));
    for (place, pause) in written.iter().enumerate() {
        let span = match pause.value {
            Pause::Once(span) | Pause::ThenEvery(span) => span,
        };
        if matches!(pause.value, Pause::ThenEvery(_)) && place != last {
            reader.mistaken(pause, "is not the last of the list, and nothing comes after it");
        }
        if span.duration() < RETRY_MIN {
            reader.mistaken(pause, "is below the 1 s between two attempts, for no peer is hammered");
        }
        spans.push(span);
    }
    let then = spans.pop();
    (spans, then)
}

fn delay_notification(
    reader: &mut Reader<'_>,
    written: Option<Found<Notification>>,
    expiration: TimeSpan,
) -> Option<TimeSpan> {
    let Some(written) = written else { return Some(minutes(4 * 60)).filter(|&delay| delay < expiration) };
    if written.value.0.is_some_and(|delay| delay >= expiration) {
        let problem = format!(
            "is not before the expiration of {expiration}, so that nobody would be told; if that is meant, say \"never\""
        );
        reader.mistaken(&written, &problem);
    }
    written.value.0
}

fn connections(reader: &mut Reader<'_>, raw: RawOutboundConnections) -> OutboundConnections {
    for short in [&raw.time_out, &raw.idle_time_out].into_iter().flatten() {
        if short.value.duration() < CONNECT_TIME_OUT_MIN {
            reader.mistaken(short, "is below the 1 s that a connection may take at least");
        }
    }
    OutboundConnections {
        limit: or(raw.limit, 1000),
        per_destination: or(raw.per_destination, 100),
        messages: or(raw.messages, 100),
        time_out: or(raw.time_out, TimeSpan::from_secs(30)),
        idle_time_out: or(raw.idle_time_out, minutes(10)),
    }
}

/// One of a family: with two, nothing would say which is meant.
fn source_addresses(reader: &mut Reader<'_>, written: Vec<Found<Unicast>>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in written {
        let ip = address.value.0;
        if let Some(other) = addresses.iter().find(|other| other.is_ipv4() == ip.is_ipv4()) {
            let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
            let problem = format!(
                "is a second {family} address beside {other}; connections leave from one of each family"
            );
            reader.mistaken(&address, &problem);
        }
        addresses.push(ip);
    }
    addresses
}

fn resolvers(reader: &mut Reader<'_>, written: Vec<Found<NameServer>>) -> Resolvers {
    let address = |found: &Found<NameServer>| match found.value {
        NameServer::System => None,
        NameServer::At(address) => Some(address),
    };
    let servers: Vec<SocketAddr> = written.iter().filter_map(address).collect();
    if servers.is_empty() {
        return Resolvers::System;
    }
    for system in written.iter().filter(|found| found.value == NameServer::System) {
        reader.mistaken(system, "stands alone, or not at all: these servers are asked, or the system's");
    }
    Resolvers::Servers(servers)
}
