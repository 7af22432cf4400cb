//! Properties as they hold: what is written or inherited, and defaults by protocol.

use std::collections::BTreeSet;

use mail::Domain;

use super::delivery::OfServers;
use super::or;
use crate::limits::{IMAP_TIME_OUT_MIN, POP3_TIME_OUT_MIN, SMTP_TIME_OUT_MIN};
use crate::raw::{RawConnectionControl, RawKeywords, RawProperties, RawServer, RawWhen};
use crate::read::{Found, Reader};
use crate::resolved::{
    Binding, Commands, ConnectionControl, ConnectionLimits, Errors, Keywords, ProtocolLog, Relay, Reports,
    SendingLimits, VirtualServer, When,
};
use crate::values::{
    ClientCertificates, MaySendAs, Mechanism, Network, Networks, Protocol, ServerState, Size, Switch,
    TimeSpan, Tls, TlsVersion,
};

/// What all virtual servers inherit of what is no property.
pub(super) struct Top<'a> {
    pub(super) host_name: &'a Domain,
    pub(super) delivery: &'a OfServers<'a>,
    pub(super) reports: &'a Reports,
}

/// The virtual server, with what it is for some peers.
pub(super) fn virtual_server(reader: &mut Reader<'_>, server: RawServer, top: &Top<'_>) -> VirtualServer {
    let RawServer { name, service, bindings, state, operators, properties, whens, .. } = server;
    let protocol = service.protocol;
    let tls = if service.implicit {
        Tls::Implicit
    } else {
        properties.tls.as_ref().map_or(tls_default(protocol), |tls| tls.value)
    };
    let bindings = bindings.unwrap_or_default().into_iter();
    let as_named = Named {
        name,
        protocol,
        bindings: bindings.map(|b| Binding { address: b.address, tls: or(b.tls, tls) }).collect(),
        state: or(state, ServerState::Running),
        operators,
    };
    let own_tls = properties.tls.clone();
    let mut server = with_properties(reader, as_named.clone(), properties, top);
    server.when = whens.into_iter().map(|raw| when(reader, raw, &as_named, own_tls.as_ref(), top)).collect();
    server
}

/// What a virtual server has that is no property.
#[derive(Clone)]
struct Named {
    name: String,
    protocol: Protocol,
    bindings: Vec<Binding>,
    state: ServerState,
    operators: Vec<String>,
}

fn when(
    reader: &mut Reader<'_>,
    raw: RawWhen,
    named: &Named,
    tls: Option<&Found<Tls>>,
    top: &Top<'_>,
) -> When {
    let mut named = named.clone();
    // What is inherited has been told to the bindings; what is written here is for all of them that leave a choice.
    let is_own = |own: &&Found<Tls>| tls.is_none_or(|tls| (tls.line, &tls.place) != (own.line, &own.place));
    if let Some(own) = raw.properties.tls.as_ref().filter(is_own) {
        for binding in named.bindings.iter_mut().filter(|binding| binding.tls != Tls::Implicit) {
            binding.tls = own.value;
        }
    }
    When {
        clients: networks(raw.clients),
        server_names: raw.server_names.into_iter().map(|found| found.value).collect(),
        properties: Box::new(with_properties(reader, named, raw.properties, top)),
    }
}

fn with_properties(
    reader: &mut Reader<'_>,
    named: Named,
    properties: RawProperties,
    top: &Top<'_>,
) -> VirtualServer {
    let Named { name, protocol, bindings, state, operators } = named;
    let delivery = top.delivery.of(reader, properties.delivery.0.as_ref());
    VirtualServer {
        name,
        protocol,
        bindings,
        state,
        operators,
        host_name: properties.host_name.as_ref().map_or(top.host_name, |name| &name.value).clone(),
        authentication: mechanisms(properties.authentication.clone(), protocol),
        sign_in_failures: or(properties.sign_in_failures.clone(), 5),
        tls_minimum_version: or(properties.tls_minimum_version.clone(), TlsVersion::V1_2),
        client_certificates: or(properties.client_certificates.clone(), ClientCertificates::Off),
        connection_control: connection_control(properties.connection_control.clone()),
        reverse_lookup: is_on(properties.reverse_lookup.as_ref(), true),
        relay: relay(&properties, protocol),
        may_send_as: or(properties.may_send_as.clone(), MaySendAs::Own),
        sending: sending(&properties),
        message_size_limit: or(properties.message_size_limit.clone(), Size(50 << 20)),
        session_size_limit: or(properties.session_size_limit.clone(), None),
        recipients_per_message: or(properties.recipients_per_message.clone(), 1000),
        messages_per_connection: or(properties.messages_per_connection.clone(), 100),
        maximum_hop_count: or(properties.maximum_hop_count.clone(), 100),
        message_rate: or(properties.message_rate.clone(), None),
        connections: connections(&properties),
        connection_time_out: or(properties.connection_time_out.clone(), time_out_default(protocol)),
        sign_in_time_out: or(properties.sign_in_time_out.clone(), TimeSpan::from_secs(60)),
        sign_in_interval: or(properties.sign_in_interval.clone(), TimeSpan::from_secs(0)),
        greeting_delay: or(properties.greeting_delay.clone(), TimeSpan::from_secs(0)),
        banner: or(properties.banner.clone(), String::new()),
        errors: errors(&properties),
        commands: commands(&properties),
        keywords: keywords(&properties.keywords),
        proxy_protocol: networks(properties.proxy_protocol.clone().unwrap_or_default()),
        xclient: networks(properties.xclient.clone().unwrap_or_default()),
        xforward: networks(properties.xforward.clone().unwrap_or_default()),
        magic_recipients: is_on(properties.magic_recipients.as_ref(), false),
        protocol_log: protocol_log(&properties),
        delivery,
        reports: Reports {
            copy_to: properties.copy_to.map(|found| found.value).or_else(|| top.reports.copy_to.clone()),
            ..top.reports.clone()
        },
        when: Vec::new(),
    }
}

fn is_on(switch: Option<&Found<Switch>>, default: bool) -> bool {
    switch.map_or(default, |switch| switch.value.0)
}

fn networks(found: Vec<Found<Network>>) -> Networks {
    Networks(found.into_iter().map(|found| found.value).collect())
}

fn connection_control(raw: Option<RawConnectionControl>) -> ConnectionControl {
    match raw.map(|raw| (raw.only, raw.except)) {
        Some((Some(only), _)) => ConnectionControl::Only(only.value),
        Some((None, Some(except))) => ConnectionControl::Except(except.value),
        Some((None, None)) | None => ConnectionControl::All,
    }
}

fn relay(properties: &RawProperties, protocol: Protocol) -> Relay {
    let raw = &properties.relay;
    Relay {
        allow: networks(raw.allow.clone().unwrap_or_default()),
        except: raw.except.as_ref().map(|except| Networks(except.value.clone())),
        authenticated: is_on(raw.authenticated.as_ref(), protocol == Protocol::Submission),
    }
}

fn sending(properties: &RawProperties) -> SendingLimits {
    let raw = properties.sending.clone();
    SendingLimits {
        recipients_per_hour: or(raw.recipients_per_hour, Some(1000)),
        recipients_per_day: or(raw.recipients_per_day, Some(10_000)),
        new_recipients_per_day: or(raw.new_recipients_per_day, Some(1000)),
        hold_factor: or(raw.hold_factor, Some(10)),
        hold_recipients: or(raw.hold_recipients, Some(100)),
    }
}

fn connections(properties: &RawProperties) -> ConnectionLimits {
    let raw = properties.connections.clone();
    let per_source = or(raw.per_source, 50);
    ConnectionLimits {
        limit: or(raw.limit, 1000),
        per_source,
        // A source lies in its network.
        per_network: or(raw.per_network, per_source.max(200)),
        rate: or(raw.rate, None),
    }
}

fn errors(properties: &RawProperties) -> Errors {
    let raw = properties.errors.clone();
    Errors {
        slow: or(raw.slow, 10),
        limit: or(raw.limit, 20),
        tarpit: or(raw.tarpit, TimeSpan::from_secs(1)),
    }
}

fn commands(properties: &RawProperties) -> Commands {
    let raw = &properties.commands;
    Commands {
        vrfy: is_on(raw.vrfy.as_ref(), true),
        expn: is_on(raw.expn.as_ref(), true),
        help: is_on(raw.help.as_ref(), true),
        verb: is_on(raw.verb.as_ref(), true),
        etrn: is_on(raw.etrn.as_ref(), true),
    }
}

/// What needs another is off where that is.
fn keywords(raw: &RawKeywords) -> Keywords {
    let chunking = is_on(raw.chunking.as_ref(), true);
    let eight_bit_mime = is_on(raw.eight_bit_mime.as_ref(), true);
    Keywords {
        dsn: is_on(raw.dsn.as_ref(), true),
        chunking,
        // RFC 3030 §3.
        binarymime: chunking && is_on(raw.binarymime.as_ref(), true),
        eight_bit_mime,
        pipelining: is_on(raw.pipelining.as_ref(), true),
        size: is_on(raw.size.as_ref(), true),
        // RFC 6531 §3.1, item 4.
        smtputf8: eight_bit_mime && is_on(raw.smtputf8.as_ref(), true),
        limits: is_on(raw.limits.as_ref(), true),
    }
}

fn protocol_log(properties: &RawProperties) -> Option<ProtocolLog> {
    let raw = properties.protocol_log.clone();
    raw.file.map(|file| ProtocolLog {
        file: file.value,
        size_limit: or(raw.size_limit, Size(100 << 20)),
        keep: or(raw.keep, 7),
    })
}

/// When connections are secured where nothing says so.
pub(crate) fn tls_default(protocol: Protocol) -> Tls {
    match protocol {
        Protocol::Submission => Tls::Required,
        Protocol::Smtp | Protocol::Lmtp | Protocol::Pop3 | Protocol::Imap => Tls::Offered,
    }
}

/// How clients sign in where nothing says so.
pub(crate) fn mechanisms_default(protocol: Protocol) -> Vec<Mechanism> {
    match protocol {
        Protocol::Smtp | Protocol::Lmtp => Vec::new(),
        // Programs built with GNU SASL take a bound form because it is the strongest, find that they cannot bind, and lose
        // step with the server; IMAP's tags save them there (decision 13).
        Protocol::Submission | Protocol::Pop3 => Mechanism::UNBOUND.to_vec(),
        Protocol::Imap => Mechanism::BY_PASSWORD.to_vec(),
    }
}

/// Each once, in order of preference as written.
fn mechanisms(written: Option<Vec<Found<Mechanism>>>, protocol: Protocol) -> Vec<Mechanism> {
    let Some(written) = written else { return mechanisms_default(protocol) };
    let mut seen = BTreeSet::new();
    let written = written.into_iter().map(|found| found.value);
    written.filter(|mechanism| seen.insert(*mechanism)).collect()
}

/// The idle time where nothing says so: what the protocol's standard asks for.
pub(crate) fn time_out_default(protocol: Protocol) -> TimeSpan {
    let floor = match protocol {
        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => SMTP_TIME_OUT_MIN,
        Protocol::Pop3 => POP3_TIME_OUT_MIN,
        Protocol::Imap => IMAP_TIME_OUT_MIN,
    };
    TimeSpan::from_secs(floor.as_secs())
}
