//! `[[remote-domain]]` and `[[local-domain]]`: each domain has one place.

use std::collections::BTreeMap;

use super::delivery::Resolved;
use super::next::{self, Next, Ourselves};
use crate::limits::LMTP_PORT;
use crate::raw::{RawLocalDomain, RawRemoteDomain};
use crate::read::{Found, Reader};
use crate::resolved::{LocalDomain, RemoteDomain};
use crate::values::{DomainPattern, Hello, Networks, NextProtocol, OutboundTls};

/// Notes each domain that stands in two places.
pub(super) fn each_once(reader: &mut Reader<'_>, remote: &[RawRemoteDomain], local: &[RawLocalDomain]) {
    let remote = remote.iter().flat_map(|table| table.domains.iter().cloned());
    let local = local.iter().flat_map(|table| table.domains.iter().cloned());
    let mut seen: BTreeMap<DomainPattern, Found<DomainPattern>> = BTreeMap::new();
    for domain in remote.chain(local.map(|domain| domain.map(DomainPattern::Is))) {
        match seen.get(&domain.value) {
            Some(other) => {
                let problem = format!("is named by {} already (line {})", other.place, other.line);
                reader.mistaken(&domain, &problem);
            }
            None => {
                seen.insert(domain.value.clone(), domain);
            }
        }
    }
}

pub(super) fn remote(
    reader: &mut Reader<'_>,
    raw: RawRemoteDomain,
    delivery: &Resolved,
    ourselves: &Ourselves,
) -> RemoteDomain {
    let protocol = raw.protocol.as_ref().map_or(NextProtocol::Smtp, |protocol| protocol.value);
    let port = match protocol {
        NextProtocol::Smtp => delivery.resolved.port,
        NextProtocol::Lmtp => LMTP_PORT,
    };
    if let Some(written) =
        raw.protocol.filter(|_| protocol == NextProtocol::Lmtp && !raw.next.names_smart_host)
    {
        reader.mistaken(&written, "needs a smart-host: exchangers in the DNS speak SMTP");
    }
    let hello = raw.hello.as_ref().map_or(Hello::Ehlo, |hello| hello.value);
    let written_tls = raw.next.tls.clone();
    let is_relayed = raw.relay.as_ref().is_some_and(|relay| relay.value.0);
    if let Some(relay) =
        raw.relay.filter(|_| is_relayed && raw.domains.iter().any(|d| d.value == DomainPattern::Any))
    {
        reader.mistaken(
            &relay,
            "with domain = \"*\" would make this an open relay, for strangers to send through",
        );
    }
    let Next { smart_hosts, direct_first, sign_in, tls } =
        next::resolve(reader, raw.next, protocol, port, delivery.tls.as_ref(), ourselves);
    let helo = raw.hello.filter(|_| hello == Hello::Helo);
    let tls = helo
        .map_or(tls, |helo| without_extensions(reader, &helo, sign_in.is_some(), written_tls.as_ref(), tls));
    RemoteDomain {
        domains: raw.domains.into_iter().map(|domain| domain.value).collect(),
        smart_hosts,
        protocol,
        direct_first,
        hello,
        relay: is_relayed,
        hold_until_etrn: Networks(raw.hold_until_etrn.into_iter().map(|found| found.value).collect()),
        masquerade: raw.masquerade,
        recipients_per_message: raw.recipients_per_message.map(|found| found.value),
        sign_in,
        tls,
    }
}

/// HELO offers nothing: neither STARTTLS (RFC 3207) nor AUTH (RFC 4954).
fn without_extensions(
    reader: &mut Reader<'_>,
    helo: &Found<Hello>,
    signs_in: bool,
    written: Option<&Found<OutboundTls>>,
    tls: OutboundTls,
) -> OutboundTls {
    if signs_in {
        reader.mistaken(helo, "leaves no way to sign in: AUTH is an extension, which EHLO asks for");
    }
    match (tls, written) {
        (OutboundTls::Required | OutboundTls::Verified, _) if !signs_in => {
            reader.mistaken(helo, "leaves no way to TLS, which is asked for: STARTTLS is an extension");
            tls
        }
        (OutboundTls::Implicit, _) | (_, Some(_)) => tls,
        (_, None) => OutboundTls::Off,
    }
}

pub(super) fn local(reader: &mut Reader<'_>, raw: RawLocalDomain, ourselves: &Ourselves) -> LocalDomain {
    let hops = next::hops(reader, raw.lmtp, NextProtocol::Lmtp, LMTP_PORT, ourselves);
    LocalDomain {
        domains: raw.domains.into_iter().map(|domain| domain.value).collect(),
        lmtp: hops.into_iter().map(|hop| hop.value).collect(),
        drop: raw.drop,
    }
}
