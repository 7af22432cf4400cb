//! Properties that `[defaults]`, virtual servers and their `when` have.

use std::path::PathBuf;

use mail::{Address, Domain};

use super::delivery::{self, OwnDelivery};
use super::inherit::{Inherit, inherited};
use crate::keys::Section;
use crate::named_file::FileKind;
use crate::read::{
    Found, Read, Reader, Scope, address, count, count_or_none, host_name, line_of_text, parsed,
    parsed_or_none, word,
};
use crate::values::{
    ClientCertificates, MaySendAs, Mechanism, Network, Pattern, Rate, Size, Switch, TimeSpan, Tls, TlsVersion,
};

inherited! {
    /// All of them.
    struct RawProperties {
        host_name: Option<Found<Domain>>,
        tls: Option<Found<Tls>>,
        tls_minimum_version: Option<Found<TlsVersion>>,
        client_certificates: Option<Found<ClientCertificates>>,
        authentication: Option<Vec<Found<Mechanism>>>,
        sign_in_failures: Option<Found<u32>>,
        connection_control: Option<RawConnectionControl>,
        reverse_lookup: Option<Found<Switch>>,
        relay: RawRelay,
        may_send_as: Option<Found<MaySendAs>>,
        sending: RawSending,
        message_size_limit: Option<Found<Size>>,
        session_size_limit: Option<Found<Option<Size>>>,
        recipients_per_message: Option<Found<u32>>,
        messages_per_connection: Option<Found<u32>>,
        maximum_hop_count: Option<Found<u32>>,
        message_rate: Option<Found<Option<Rate>>>,
        connections: RawConnections,
        connection_time_out: Option<Found<TimeSpan>>,
        sign_in_time_out: Option<Found<TimeSpan>>,
        sign_in_interval: Option<Found<TimeSpan>>,
        greeting_delay: Option<Found<TimeSpan>>,
        banner: Option<Found<String>>,
        errors: RawErrors,
        commands: RawCommands,
        keywords: RawKeywords,
        proxy_protocol: Option<Vec<Found<Network>>>,
        xclient: Option<Vec<Found<Network>>>,
        xforward: Option<Vec<Found<Network>>>,
        magic_recipients: Option<Found<Switch>>,
        protocol_log: RawProtocolLog,
        delivery: OwnDelivery,
        copy_to: Option<Found<Address>>,
    }

    /// `sending`
    struct RawSending {
        recipients_per_hour: Option<Found<Option<u32>>>,
        recipients_per_day: Option<Found<Option<u32>>>,
        new_recipients_per_day: Option<Found<Option<u32>>>,
        hold_factor: Option<Found<Option<u32>>>,
        hold_recipients: Option<Found<Option<u32>>>,
    }

    /// `connections`
    struct RawConnections {
        limit: Option<Found<u32>>,
        per_source: Option<Found<u32>>,
        per_network: Option<Found<u32>>,
        rate: Option<Found<Option<Rate>>>,
    }

    /// `errors`
    struct RawErrors {
        slow: Option<Found<u32>>,
        limit: Option<Found<u32>>,
        tarpit: Option<Found<TimeSpan>>,
    }

    /// `commands`
    struct RawCommands {
        vrfy: Option<Found<Switch>>,
        expn: Option<Found<Switch>>,
        help: Option<Found<Switch>>,
        verb: Option<Found<Switch>>,
        etrn: Option<Found<Switch>>,
    }

    /// `keywords`
    struct RawKeywords {
        dsn: Option<Found<Switch>>,
        chunking: Option<Found<Switch>>,
        binarymime: Option<Found<Switch>>,
        eight_bit_mime: Option<Found<Switch>>,
        pipelining: Option<Found<Switch>>,
        size: Option<Found<Switch>>,
        smtputf8: Option<Found<Switch>>,
        limits: Option<Found<Switch>>,
    }

    /// `protocol-log`
    struct RawProtocolLog {
        file: Option<Found<PathBuf>>,
        size_limit: Option<Found<Size>>,
        keep: Option<Found<u32>>,
    }
}

/// `relay`
#[derive(Debug, Clone, Default)]
pub(crate) struct RawRelay {
    pub(crate) allow: Option<Vec<Found<Network>>>,
    pub(crate) except: Option<Found<Vec<Network>>>,
    pub(crate) authenticated: Option<Found<Switch>>,
    pub(crate) open: Option<Found<Switch>>,
}

impl Inherit for RawRelay {
    /// Of the two lists there is one.
    fn or_of(self, others: &Self) -> Self {
        let others = others.clone();
        let (allow, except) = match (self.allow, self.except) {
            (None, None) => (others.allow, others.except),
            own => own,
        };
        Self {
            allow,
            except,
            authenticated: self.authenticated.or(others.authenticated),
            open: self.open.or(others.open),
        }
    }
}

/// `connection-control`: one of the two lists.
#[derive(Debug, Clone)]
pub(crate) struct RawConnectionControl {
    pub(crate) only: Option<Found<Vec<Pattern>>>,
    pub(crate) except: Option<Found<Vec<Pattern>>>,
}

/// Reads the properties of a table.
pub(super) fn properties(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawProperties {
    RawProperties {
        host_name: reader.value(scope, "host-name", host_name),
        tls: reader.value(scope, "tls", word),
        tls_minimum_version: reader.value(scope, "tls-minimum-version", word),
        client_certificates: reader.value(scope, "client-certificates", word),
        authentication: reader.each(scope, "authentication", word),
        sign_in_failures: reader.value(scope, "sign-in-failures", count),
        connection_control: connection_control(reader, scope),
        reverse_lookup: reader.value(scope, "reverse-lookup", word),
        relay: relay(reader, scope),
        may_send_as: reader.value(scope, "may-send-as", word),
        sending: sending(reader, scope),
        message_size_limit: reader.value(scope, "message-size-limit", parsed),
        session_size_limit: reader.value(scope, "session-size-limit", parsed_or_none),
        recipients_per_message: reader.value(scope, "recipients-per-message", count),
        messages_per_connection: reader.value(scope, "messages-per-connection", count),
        maximum_hop_count: reader.value(scope, "maximum-hop-count", count),
        message_rate: reader.value(scope, "message-rate", parsed_or_none),
        connections: connections(reader, scope),
        connection_time_out: reader.value(scope, "connection-time-out", parsed),
        sign_in_time_out: reader.value(scope, "sign-in-time-out", parsed),
        sign_in_interval: reader.value(scope, "sign-in-interval", parsed),
        greeting_delay: reader.value(scope, "greeting-delay", parsed),
        banner: reader.value(scope, "banner", line_of_text),
        errors: errors(reader, scope),
        commands: commands(reader, scope),
        keywords: keywords(reader, scope),
        proxy_protocol: reader.each(scope, "proxy-protocol", parsed),
        xclient: reader.each(scope, "xclient", parsed),
        xforward: reader.each(scope, "xforward", parsed),
        magic_recipients: reader.value(scope, "magic-recipients", word),
        protocol_log: protocol_log(reader, scope),
        delivery: delivery::of_virtual_server(reader, scope),
        copy_to: copy_to(reader, scope),
    }
}

fn connection_control(reader: &mut Reader<'_>, scope: &Scope<'_>) -> Option<RawConnectionControl> {
    let table = reader.subtable(scope, "connection-control", Section::ConnectionControl)?;
    let mut list = |key| {
        let known = reader.mistakes.len();
        let list = reader.list(&table, key, parsed::<Pattern>)?;
        if list.value.is_empty() && reader.mistakes.len() == known {
            reader.mistaken(&list, "names none; such as [\"192.0.2.0/24\", \"*.office.example.org\"]");
        }
        Some(list)
    };
    let (only, except) = (list("only"), list("except"));
    if let (Some(_), Some(except)) = (&only, &except) {
        reader.mistaken(except, "stands beside only: it is all but some, or only some");
    }
    Some(RawConnectionControl { only, except })
}

fn relay(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawRelay {
    let Some(table) = reader.subtable(scope, "relay", Section::Relay) else { return RawRelay::default() };
    let allow = reader.each(&table, "allow", parsed);
    let except = reader.list(&table, "except", parsed);
    if let Some(except) = except.as_ref().filter(|_| allow.is_some()) {
        reader.mistaken(except, "stands beside allow: it is all but some, or only some");
    }
    RawRelay {
        allow,
        except,
        authenticated: reader.value(&table, "authenticated", word),
        open: reader.value(&table, "open", word),
    }
}

fn sending(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawSending {
    let mut value = values(reader, scope, "sending", Section::Sending, count_or_none);
    RawSending {
        recipients_per_hour: value("recipients-per-hour"),
        recipients_per_day: value("recipients-per-day"),
        new_recipients_per_day: value("new-recipients-per-day"),
        hold_factor: value("hold-factor"),
        hold_recipients: value("hold-recipients"),
    }
}

fn connections(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawConnections {
    let Some(table) = reader.subtable(scope, "connections", Section::Connections) else {
        return RawConnections::default();
    };
    RawConnections {
        limit: reader.value(&table, "limit", count),
        per_source: reader.value(&table, "per-source", count),
        per_network: reader.value(&table, "per-network", count),
        rate: reader.value(&table, "rate", parsed_or_none),
    }
}

fn errors(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawErrors {
    let Some(table) = reader.subtable(scope, "errors", Section::Errors) else { return RawErrors::default() };
    RawErrors {
        slow: reader.value(&table, "slow", count),
        limit: reader.value(&table, "limit", count),
        tarpit: reader.value(&table, "tarpit", parsed),
    }
}

fn commands(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawCommands {
    let mut value = values(reader, scope, "commands", Section::Commands, word);
    RawCommands {
        vrfy: value("vrfy"),
        expn: value("expn"),
        help: value("help"),
        verb: value("verb"),
        etrn: value("etrn"),
    }
}

fn keywords(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawKeywords {
    let mut value = values(reader, scope, "keywords", Section::Keywords, word);
    RawKeywords {
        dsn: value("dsn"),
        chunking: value("chunking"),
        binarymime: value("binarymime"),
        eight_bit_mime: value("8bitmime"),
        pipelining: value("pipelining"),
        size: value("size"),
        smtputf8: value("smtputf8"),
        limits: value("limits"),
    }
}

/// Reads the values of a table that are all of a kind; none of them if it is not there.
fn values<'r, T: 'static>(
    reader: &'r mut Reader<'_>,
    scope: &'r Scope<'_>,
    key: &'static str,
    section: Section,
    read: Read<T>,
) -> impl FnMut(&'static str) -> Option<Found<T>> + 'r {
    let table = reader.subtable(scope, key, section);
    move |key| reader.value(table.as_ref()?, key, read)
}

fn protocol_log(reader: &mut Reader<'_>, scope: &Scope<'_>) -> RawProtocolLog {
    let Some(log) = reader.subtable(scope, "protocol-log", Section::ProtocolLog) else {
        return RawProtocolLog::default();
    };
    RawProtocolLog {
        file: reader.file(&log, "file", FileKind::ProtocolLog),
        size_limit: reader.value(&log, "size-limit", parsed),
        keep: reader.value(&log, "keep", count),
    }
}

fn copy_to(reader: &mut Reader<'_>, scope: &Scope<'_>) -> Option<Found<Address>> {
    let table = reader.subtable(scope, "reports", Section::ReportsOfServer)?;
    reader.value(&table, "copy-to", address)
}
