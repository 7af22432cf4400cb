//! What settings mean: for people in a few lines, for programs as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};
use settings::{
    Binding, Delivery, LocalDomain, NextHop, NextProtocol, OutboundSignIn, OutboundTls, Protocol,
    RemoteDomain, Resolvers, Settings, TimeSpan, Tls, VirtualServer,
};

/// A whole line.
const WIDTH: usize = 80;

/// For people.
pub(super) fn text(settings: &Settings) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{} serves", settings.host_name);
    for server in &settings.virtual_servers {
        let bindings =
            list(&server.bindings, ", ", |binding| format!("{} (TLS {})", binding.address, tls(binding)));
        let name = mail::printable(&server.name);
        write_line(&mut text, "  ", &format!("{name}: {} on {bindings}", server.protocol.name()));
        for line in access(server) {
            write_line(&mut text, "    ", &line);
        }
    }
    let certificates = match settings.certificates.len() {
        0 => "a certificate that it makes itself".to_owned(),
        1 => "the certificate named".to_owned(),
        number => format!("the {number} certificates named"),
    };
    let _ = writeln!(text, "  with {certificates}\n\nMail leaves");
    for line in leaving(settings) {
        write_line(&mut text, "  ", &line);
    }
    text
}

/// A line, or several where it gets too long for a terminal; those that go on stand further in.
fn write_line(text: &mut String, indent: &str, line: &str) {
    let mut width = 0;
    for word in line.split(' ') {
        let length = word.chars().count();
        let before = match width {
            0 => indent.to_owned(),
            _ if width + 1 + length > WIDTH => format!("\n{indent}    "),
            _ => " ".to_owned(),
        };
        let start = if before.starts_with('\n') { 0 } else { width };
        width = start + before.trim_start_matches('\n').len() + length;
        text.push_str(&before);
        text.push_str(word);
    }
    text.push('\n');
}

fn list<T>(items: &[T], between: &str, show: impl Fn(&T) -> String) -> String {
    items.iter().map(show).collect::<Vec<_>>().join(between)
}

/// `off`, `offered`, `required` or `implicit`.
fn tls(binding: &Binding) -> &'static str {
    match binding.tls {
        Tls::Off => "off",
        Tls::Offered => "offered",
        Tls::Required => "required",
        Tls::Implicit => "implicit",
    }
}

/// Who may do what at a virtual server.
fn access(server: &VirtualServer) -> Vec<String> {
    let mut lines = Vec::new();
    if !server.authentication.is_empty() {
        let mechanisms = list(&server.authentication, ", ", |mechanism| mechanism.name().to_owned());
        lines.push(format!("sign-in by {mechanisms}"));
    }
    match server.protocol {
        Protocol::Smtp | Protocol::Submission => lines.push(relays_for(server)),
        Protocol::Lmtp => lines.push(neighbours(server)),
        Protocol::Pop3 | Protocol::Imap => {}
    }
    if let Some(log) = &server.protocol_log {
        let file = mail::printable(log.file.to_string_lossy().as_ref());
        lines.push(format!("protocol log in {file}, {} older ones of {}", log.keep, log.size_limit));
    }
    lines
}

fn neighbours(server: &VirtualServer) -> String {
    let networks = list(&server.relay.allow.0, ", ", ToString::to_string);
    let and = if networks.is_empty() { String::new() } else { format!(" and {networks}") };
    format!("takes mail for mailboxes here from this machine{and}")
}

fn relays_for(server: &VirtualServer) -> String {
    let networks = match &server.relay.except {
        Some(except) if except.0.is_empty() => "everybody".to_owned(),
        Some(except) => format!("everybody but {}", list(&except.0, ", ", ToString::to_string)),
        None => list(&server.relay.allow.0, ", ", ToString::to_string),
    };
    let signed_in = server.relay.authenticated && !server.authentication.is_empty();
    let is_open = server.relay.except.is_some() || server.relay.allow.are_wide();
    let open = if is_open { ": an OPEN RELAY" } else { "" };
    match (signed_in, networks.is_empty()) {
        (false, true) => "relays for nobody".to_owned(),
        (true, true) => "relays for who has signed in".to_owned(),
        (false, false) => format!("relays for {networks}{open}"),
        (true, false) => format!("relays for who has signed in, and for {networks}{open}"),
    }
}

/// How mail leaves, a line a matter.
fn leaving(settings: &Settings) -> Vec<String> {
    let delivery = &settings.delivery;
    let mut lines = Vec::new();
    for LocalDomain { domains, lmtp, drop } in &settings.local_domains {
        let domains = list(domains, ", ", ToString::to_string);
        let way = match drop {
            Some(directory) => {
                format!("as files in {}", mail::printable(directory.to_string_lossy().as_ref()))
            }
            None => format!("by LMTP to {}", hosts(lmtp)),
        };
        lines.push(format!("for {domains} (ours) {way}"));
    }
    for RemoteDomain { domains, smart_hosts, protocol, sign_in, tls, .. } in &settings.remote_domains {
        let domains = list(domains, ", ", ToString::to_string);
        lines.push(format!(
            "for {domains} {}",
            next(smart_hosts, *protocol, delivery.port, sign_in.as_ref(), *tls)
        ));
    }
    let Delivery { smart_hosts, port, sign_in, tls, .. } = delivery;
    let others = if lines.is_empty() { "others" } else { "all others" };
    lines.push(format!(
        "for {others} {}",
        next(smart_hosts, NextProtocol::Smtp, *port, sign_in.as_ref(), *tls)
    ));
    lines.extend(connections(delivery));
    let again = pauses(&delivery.retry, delivery.then);
    lines.push(format!("tried again {again}; {}", ends(delivery.delay_notification, delivery.expiration)));
    let local = &delivery.local;
    let again = pauses(&local.retry, local.then);
    let ends = ends(local.delay_notification, local.expiration);
    lines.push(format!("for mailboxes here tried again {again}; {ends}"));
    lines.extend(
        settings.reports.copy_to.iter().map(|to| format!("with a copy of each report of failure to {to}")),
    );
    lines
}

/// What becomes of mail that waits.
fn ends(delay_notification: Option<TimeSpan>, expiration: TimeSpan) -> String {
    let told = delay_notification.map(|after| format!("the sender is told after {after}, "));
    format!("{}given up after {expiration}", told.unwrap_or_default())
}

fn connections(delivery: &Delivery) -> Vec<String> {
    let mut lines = Vec::new();
    if !delivery.source_addresses.is_empty() {
        lines.push(format!("from {}", list(&delivery.source_addresses, " and ", ToString::to_string)));
    }
    let names = match &delivery.resolvers {
        Resolvers::System => "the system's name servers".to_owned(),
        Resolvers::Servers(servers) => list(servers, ", ", ToString::to_string),
    };
    let validated = if delivery.dns_validation { ", validated (DNSSEC)" } else { "" };
    lines.push(format!("with names from {names}{validated}"));
    let signed =
        if delivery.dkim { "signed, where its author's domain has keys (DKIM)" } else { "not signed (DKIM)" };
    lines.push(signed.to_owned());
    lines
}

/// `to relay1.example.net:587, else relay2.example.net:587; TLS verified; signed in as "example-org"`
fn next(
    smart_hosts: &[NextHop],
    protocol: NextProtocol,
    port: u16,
    sign_in: Option<&OutboundSignIn>,
    tls: OutboundTls,
) -> String {
    let to = match (smart_hosts.is_empty(), protocol) {
        (true, _) => format!("to the exchangers of the domain, port {port}"),
        (false, NextProtocol::Smtp) => format!("to {}", hosts(smart_hosts)),
        (false, NextProtocol::Lmtp) => format!("by LMTP to {}", hosts(smart_hosts)),
    };
    let signed_in = sign_in.map(|sign_in| format!("; signed in as \"{}\"", mail::printable(&sign_in.user)));
    format!("{to}; TLS {}{}", tls.name(), signed_in.unwrap_or_default())
}

fn hosts(hosts: &[NextHop]) -> String {
    list(hosts, ", else ", ToString::to_string)
}

/// `after 15 min, 30 min, then every 4 h`
fn pauses(retry: &[TimeSpan], then: Option<TimeSpan>) -> String {
    let first = if retry.is_empty() {
        String::new()
    } else {
        format!("after {}, then ", list(retry, ", ", ToString::to_string))
    };
    match then {
        Some(then) => format!("{first}every {then}"),
        None => first,
    }
}

/// For programs.
pub(super) fn json(settings: &Settings) -> Value {
    json!({
        "mistakes": [],
        "host_name": settings.host_name.as_str(),
        "virtual_servers": settings.virtual_servers.iter().map(server_json).collect::<Vec<_>>(),
        "delivery": delivery_json(&settings.delivery),
        "remote_domains": settings.remote_domains.iter().map(remote_json).collect::<Vec<_>>(),
        "local_domains": settings.local_domains.iter().map(local_json).collect::<Vec<_>>(),
        "copy_to": settings.reports.copy_to.as_ref().map(ToString::to_string),
    })
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn server_json(server: &VirtualServer) -> Value {
    let binding = |binding: &Binding| json!({ "address": binding.address, "tls": tls(binding) });
    let mechanisms: Vec<&str> = server.authentication.iter().map(|mechanism| mechanism.name()).collect();
    let log = server.protocol_log.as_ref();
    json!({
        "name": server.name,
        "protocol": server.protocol.name(),
        "bindings": server.bindings.iter().map(binding).collect::<Vec<_>>(),
        "authentication": mechanisms,
        "relay": {
            "allow": texts(&server.relay.allow.0),
            "except": server.relay.except.as_ref().map(|except| texts(&except.0)),
            "authenticated": server.relay.authenticated,
        },
        "message_size_limit": server.message_size_limit.0,
        "protocol_log": log.map(|log| json!({ "file": log.file, "size_limit": log.size_limit.0, "keep": log.keep })),
    })
}

fn delivery_json(delivery: &Delivery) -> Value {
    let secs = |span: TimeSpan| span.duration().as_secs_f64();
    let retry: Vec<f64> = delivery.retry.iter().copied().map(secs).collect();
    let local: Vec<f64> = delivery.local.retry.iter().copied().map(secs).collect();
    let resolvers = match &delivery.resolvers {
        Resolvers::System => vec!["system".to_owned()],
        Resolvers::Servers(servers) => texts(servers),
    };
    json!({
        "retry_secs": retry,
        "then_secs": delivery.then.map(secs),
        "delay_notification_secs": delivery.delay_notification.map(secs),
        "expiration_secs": secs(delivery.expiration),
        "local": {
            "retry_secs": local,
            "then_secs": delivery.local.then.map(secs),
            "expiration_secs": secs(delivery.local.expiration),
        },
        "source_addresses": texts(&delivery.source_addresses),
        "resolvers": resolvers,
        "dns_validation": delivery.dns_validation,
        "outbound_port": delivery.port,
        "smart_hosts": texts(&delivery.smart_hosts),
        "user": delivery.sign_in.as_ref().map(|sign_in| &sign_in.user),
        "tls": delivery.tls.name(),
        "dkim": delivery.dkim,
    })
}

fn remote_json(remote: &RemoteDomain) -> Value {
    json!({
        "domains": texts(&remote.domains),
        "smart_hosts": texts(&remote.smart_hosts),
        "protocol": remote.protocol.name(),
        "user": remote.sign_in.as_ref().map(|sign_in| &sign_in.user),
        "tls": remote.tls.name(),
    })
}

fn local_json(local: &LocalDomain) -> Value {
    json!({ "domains": texts(&local.domains), "lmtp": texts(&local.lmtp), "drop": local.drop })
}
