//! Rules of properties: what standards ask for, what needs another, and what would let strangers in.

use super::mistaken_at;
use crate::limits::{
    GREETING_DELAY_MAX, IMAP_TIME_OUT_MIN, MESSAGE_SIZE_MIN, POP3_TIME_OUT_MIN, RECIPIENTS_MIN,
    SMTP_TIME_OUT_MIN,
};
use crate::raw::{RawProperties, RawServer, RawWhen};
use crate::read::{Found, Reader};
use crate::values::{ClientCertificates, Mechanism, Networks, Protocol, Size, Switch, TimeSpan, Tls, Wrong};

/// What the text has elsewhere, which properties may need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Has {
    /// `[oauth]`
    pub(super) oauth: bool,
    /// `tls.client-certificate-authorities`
    pub(super) client_certificate_authorities: bool,
}

/// What a virtual server is for all peers, and for some.
pub(super) fn of_properties(reader: &mut Reader<'_>, server: &RawServer, has: Has) {
    let protocol = server.service.protocol;
    let all = [(&server.place, &server.properties)];
    let whens = server.whens.iter().map(|when| (&when.place, &when.properties));
    for (place, properties) in all.into_iter().chain(whens) {
        let at = At { place, protocol, properties };
        floors(reader, place, protocol, properties);
        open_relay(reader, &at);
        who_speaks_for_others(reader, &at);
        keywords(reader, &at);
        sizes(reader, &at);
        mechanisms(reader, &at, has);
        greeting_delay(reader, &at);
    }
    whens_differ(reader, &server.whens);
    for when in &server.whens {
        let own = when.properties.tls.as_ref().filter(|tls| tls.place == when.place);
        if let Some(tls) = own.filter(|tls| tls.value == Tls::Implicit) {
            reader.mistaken(tls, "is for all who connect there: it stands at bind");
        }
    }
}

/// Properties, and whose they are.
struct At<'a> {
    place: &'a str,
    protocol: Protocol,
    properties: &'a RawProperties,
}

/// Of two that are for the same peers, one would never hold.
fn whens_differ(reader: &mut Reader<'_>, whens: &[RawWhen]) {
    let conditions = |when: &RawWhen| {
        let mut clients: Vec<_> = when.clients.iter().map(|found| found.value).collect();
        let mut names: Vec<_> = when.server_names.iter().map(|found| found.value.clone()).collect();
        clients.sort();
        names.sort();
        (clients, names)
    };
    for (place, when) in whens.iter().enumerate() {
        let same = whens[..place].iter().find(|other| conditions(other) == conditions(when));
        if let Some(other) = same {
            let problem = format!("is for the same peers as the one of line {}", other.line);
            reader.mistake(when.line, &when.place, "when", Wrong::new(problem));
        }
    }
}

/// Whoever may say for whom he speaks could say anything: strangers may not.
fn who_speaks_for_others(reader: &mut Reader<'_>, at: &At<'_>) {
    let properties = at.properties;
    for list in [&properties.proxy_protocol, &properties.xclient, &properties.xforward].into_iter().flatten()
    {
        let all = Networks(list.iter().map(|network| network.value).collect());
        let wide = list.iter().find(|network| network.value.is_wide());
        if let Some(network) = wide.or_else(|| list.first().filter(|_| all.are_wide())) {
            mistaken_at(reader, at.place, network, "would let strangers say that they are somebody else");
        }
    }
}

fn keywords(reader: &mut Reader<'_>, at: &At<'_>) {
    let keywords = &at.properties.keywords;
    let off = |switch: &Option<Found<Switch>>| switch.as_ref().is_some_and(|switch| !switch.value.0);
    let on = |switch: &Option<Found<Switch>>| switch.clone().filter(|switch| switch.value.0);
    if let Some(binarymime) = on(&keywords.binarymime).filter(|_| off(&keywords.chunking)) {
        mistaken_at(reader, at.place, &binarymime, "needs chunking (RFC 3030 §3), which is off");
    }
    if let Some(smtputf8) = on(&keywords.smtputf8).filter(|_| off(&keywords.eight_bit_mime)) {
        mistaken_at(reader, at.place, &smtputf8, "needs 8bitmime (RFC 6531 §3.1), which is off");
    }
}

/// A connection can bring one message of the size that is announced.
fn sizes(reader: &mut Reader<'_>, at: &At<'_>) {
    let message = at.properties.message_size_limit.as_ref().map_or(Size(50 << 20), |found| found.value);
    let Some(session) = &at.properties.session_size_limit else { return };
    if session.value.is_some_and(|session| session.0 < message.0) {
        let problem = format!("is below the message-size-limit of {message}");
        mistaken_at(reader, at.place, session, &problem);
    }
}

/// EXTERNAL is by the certificate that a client shows, tokens are by an issuer.
fn mechanisms(reader: &mut Reader<'_>, at: &At<'_>, has: Has) {
    let asked = at.properties.client_certificates.as_ref();
    let asked = asked.filter(|asked| asked.value != ClientCertificates::Off);
    if let Some(asked) = asked.filter(|_| !has.client_certificate_authorities) {
        mistaken_at(reader, at.place, asked, "needs client-certificate-authorities in [tls]");
    }
    for mechanism in at.properties.authentication.iter().flatten() {
        match mechanism.value {
            Mechanism::External if asked.is_none() => {
                let problem = "needs client-certificates = \"wanted\" or \"required\"";
                mistaken_at(reader, at.place, mechanism, problem);
            }
            Mechanism::OauthBearer | Mechanism::Xoauth2 if !has.oauth => {
                mistaken_at(reader, at.place, mechanism, "needs [oauth], which says who gives the tokens");
            }
            _ => {}
        }
    }
}

/// Honest clients wait for the banner, but not for ever.
fn greeting_delay(reader: &mut Reader<'_>, at: &At<'_>) {
    let Some(delay) = &at.properties.greeting_delay else { return };
    if delay.value.duration() > GREETING_DELAY_MAX {
        let max = TimeSpan::from_secs(GREETING_DELAY_MAX.as_secs());
        mistaken_at(
            reader,
            at.place,
            delay,
            &format!("is above the {max} that honest clients can be asked to wait"),
        );
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

pub(super) fn below<T>(reader: &mut Reader<'_>, place: &str, found: &Found<T>, floor: &str) {
    mistaken_at(reader, place, found, &format!("is below the {floor}"));
}

/// Relaying for networks of strangers, or taking mail from them by LMTP, has to be meant.
fn open_relay(reader: &mut Reader<'_>, at: &At<'_>) {
    let relay = &at.properties.relay;
    let is_meant = relay.open.as_ref().is_some_and(|open| open.value.0);
    if is_meant || matches!(at.protocol, Protocol::Pop3 | Protocol::Imap) {
        return;
    }
    let what = match at.protocol {
        Protocol::Lmtp => "would let strangers deliver to every mailbox unjudged",
        _ => "would make this an open relay, for strangers to send through",
    };
    let consent =
        |list: &str| format!("{what}; if that is meant, say so: relay = {{ {list} = [...], open = \"on\" }}");
    if let Some(except) = &relay.except {
        mistaken_at(reader, at.place, except, &consent("except"));
    }
    let (problem, allow) = (consent("allow"), relay.allow.as_deref().unwrap_or_default());
    let mut wide = allow.iter().filter(|network| network.value.is_wide()).peekable();
    if wide.peek().is_none() && Networks(allow.iter().map(|network| network.value).collect()).are_wide() {
        let problem = format!("and the other networks of this list together {problem}");
        mistaken_at(reader, at.place, &allow[0], &problem);
    }
    for network in wide {
        mistaken_at(reader, at.place, network, &problem);
    }
}
