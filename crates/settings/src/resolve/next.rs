//! Next hops that the text names: where they are, how they are spoken to, and whom a password is told.

use std::net::SocketAddr;

use mail::{Domain, Host};

use super::mistaken_at;
use crate::limits::{SMTP_PORT, SUBMISSIONS_PORT};
use crate::raw::{RawNext, RawServer};
use crate::read::{Found, Reader};
use crate::resolved::OutboundSignIn;
use crate::values::{Hop, NextHop, NextProtocol, OutboundTls, Protocol};

/// Where mail goes and how.
pub(super) struct Next {
    pub(super) smart_hosts: Vec<NextHop>,
    pub(super) direct_first: bool,
    pub(super) sign_in: Option<OutboundSignIn>,
    pub(super) tls: OutboundTls,
}

/// What this server is, to find next hops that are itself.
pub(super) struct Ourselves {
    host_names: Vec<Domain>,
    /// Where mail is taken.
    listeners: Vec<SocketAddr>,
}

impl Ourselves {
    pub(super) fn new(host_name: &Domain, servers: &[RawServer]) -> Self {
        let of_servers = servers.iter().filter_map(|server| server.properties.host_name.as_ref());
        let host_names = [host_name.clone()].into_iter().chain(of_servers.map(|name| name.value.clone()));
        let takes_mail = |server: &&RawServer| {
            matches!(server.service.protocol, Protocol::Smtp | Protocol::Submission | Protocol::Lmtp)
        };
        let bindings = servers.iter().filter(takes_mail).flat_map(|server| server.bindings.iter().flatten());
        Self {
            host_names: host_names.collect(),
            listeners: bindings.map(|binding| binding.address).collect(),
        }
    }

    /// Whether we take mail there.
    fn listen_at(&self, hop: &NextHop) -> bool {
        let is_named =
            matches!(&hop.host, Host::Domain(name) if self.host_names.contains(name)) && !hop.is_loopback();
        self.listeners.iter().filter(|address| address.port() == hop.port).any(|address| {
            let ip = address.ip();
            Some(ip) == hop.address()
                || hop.is_loopback() && (ip.is_unspecified() || ip.is_loopback() && hop.address().is_none())
                || is_named
        })
    }
}

/// The hosts, how we sign in there and how connections are secured. `inherited` is the TLS that `[delivery]` names.
pub(super) fn resolve(
    reader: &mut Reader<'_>,
    raw: RawNext,
    protocol: NextProtocol,
    port: u16,
    inherited: Option<&Found<OutboundTls>>,
    ourselves: &Ourselves,
) -> Next {
    if !raw.names_smart_host {
        without_smart_host(reader, &raw);
    }
    let hops = hops(reader, raw.smart_hosts, protocol, port, ourselves);
    let tls = secured(raw.tls.as_ref(), inherited, raw.sign_in.is_some(), &hops);
    port_without_clear_text(reader, &hops, tls);
    if let Some(sign_in) = &raw.sign_in {
        password_in_clear_text(reader, sign_in, raw.tls.as_ref().or(inherited), tls, &hops);
    }
    let smart_hosts = hops.into_iter().map(|hop| hop.value).collect();
    let direct_first = raw.direct_first.is_some_and(|switch| switch.value.0);
    Next { smart_hosts, direct_first, sign_in: raw.sign_in.map(|found| found.value), tls }
}

/// Next hops with their ports; each once, none of them ourselves.
pub(super) fn hops(
    reader: &mut Reader<'_>,
    written: Vec<Found<Hop>>,
    protocol: NextProtocol,
    port: u16,
    ourselves: &Ourselves,
) -> Vec<Found<NextHop>> {
    let mut hops: Vec<Found<NextHop>> = Vec::with_capacity(written.len());
    for hop in written {
        let hop = hop.map(|hop| hop.with_default_port(port));
        if let Some(same) = hops.iter().find(|other| other.value == hop.value) {
            reader.mistaken(&hop, &format!("is named twice (line {})", same.line));
        }
        if protocol == NextProtocol::Lmtp && hop.value.port == SMTP_PORT {
            reader.mistaken(&hop, "is port 25, on which LMTP must not be used (RFC 2033 §5)");
        }
        if ourselves.listen_at(&hop.value) {
            reader.mistaken(&hop, "is this server itself: mail would go in a circle");
        }
        hops.push(hop);
    }
    hops
}

/// What is written here; else, what these hosts need; else, what is written for all mail; else, the best that harms no
/// mail, but a password is told only to the host that it is for.
fn secured(
    written: Option<&Found<OutboundTls>>,
    inherited: Option<&Found<OutboundTls>>,
    signs_in: bool,
    hops: &[Found<NextHop>],
) -> OutboundTls {
    let all = |is: fn(&NextHop) -> bool| !hops.is_empty() && hops.iter().all(|hop| is(&hop.value));
    match (written, inherited) {
        (Some(written), _) => written.value,
        (None, _) if all(|hop| hop.port == SUBMISSIONS_PORT) => OutboundTls::Implicit,
        (None, _) if all(NextHop::is_loopback) => OutboundTls::Offered,
        (None, Some(inherited)) if inherited.value != OutboundTls::Implicit => inherited.value,
        (None, _) if signs_in => OutboundTls::Verified,
        (None, _) => OutboundTls::Offered,
    }
}

/// What only a host that the text names can be told.
fn without_smart_host(reader: &mut Reader<'_>, raw: &RawNext) {
    if let Some(tls) = raw.tls.as_ref().filter(|tls| tls.value == OutboundTls::Implicit) {
        reader.mistaken(tls, "needs a smart-host: other servers speak no TLS from the first byte on port 25");
    }
    if let Some(direct) = raw.direct_first.as_ref().filter(|switch| switch.value.0) {
        reader.mistaken(direct, "needs a smart-host: without one, mail goes to the exchangers anyway");
    }
    if let Some(sign_in) = &raw.sign_in {
        let problem =
            "needs a smart-host: a password is for a host that is named here, not for one that the DNS names";
        reader.mistaken(sign_in, problem);
    }
}

/// RFC 8314 §3.3: on port 465 nobody says a word before TLS.
fn port_without_clear_text(reader: &mut Reader<'_>, hops: &[Found<NextHop>], tls: OutboundTls) {
    let is_465 = |hop: &&Found<NextHop>| hop.value.port == SUBMISSIONS_PORT;
    for hop in hops.iter().filter(is_465).filter(|_| tls != OutboundTls::Implicit) {
        reader.mistaken(
            hop,
            "is port 465, which is TLS from the first byte (RFC 8314 §3.3): say tls = \"implicit\"",
        );
    }
}

fn password_in_clear_text(
    reader: &mut Reader<'_>,
    sign_in: &Found<OutboundSignIn>,
    written: Option<&Found<OutboundTls>>,
    tls: OutboundTls,
    hops: &[Found<NextHop>],
) {
    let away = hops.iter().find(|hop| !hop.value.is_loopback());
    let (Some(away), OutboundTls::Off | OutboundTls::Offered) = (away, tls) else { return };
    let when = if tls == OutboundTls::Off { "" } else { " whenever TLS is not offered" };
    let problem = format!(
        "would send the password to {} in clear text{when}; say tls = \"verified\", or at least \"required\"",
        away.value
    );
    match written {
        Some(written) => mistaken_at(reader, &sign_in.place, written, &problem),
        None => reader.mistaken(sign_in, &problem),
    }
}
