//! `[[remote-domain]]` and `[[local-domain]]`: each domain has one place.

use std::collections::BTreeMap;

use super::delivery::Resolved;
use super::next::{self, Next, Ourselves};
use crate::limits::LMTP_PORT;
use crate::raw::{RawLocalDomain, RawRemoteDomain};
use crate::read::{Found, Reader};
use crate::resolved::{LocalDomain, RemoteDomain};
use crate::values::{DomainPattern, NextProtocol};

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
    let Next { smart_hosts, sign_in, tls } =
        next::resolve(reader, raw.next, protocol, port, delivery.tls.as_ref(), ourselves);
    let domains = raw.domains.into_iter().map(|domain| domain.value).collect();
    RemoteDomain {
        domains,
        smart_hosts,
        protocol,
        direct_first: false,
        hello: crate::values::Hello::Ehlo,
        relay: false,
        hold_until_etrn: crate::values::Networks::default(),
        masquerade: None,
        recipients_per_message: None,
        sign_in,
        tls,
    }
}

pub(super) fn local(reader: &mut Reader<'_>, raw: RawLocalDomain, ourselves: &Ourselves) -> LocalDomain {
    let hops = next::hops(reader, raw.lmtp, NextProtocol::Lmtp, LMTP_PORT, ourselves);
    LocalDomain {
        domains: raw.domains.into_iter().map(|domain| domain.value).collect(),
        lmtp: hops.into_iter().map(|hop| hop.value).collect(),
        drop: None,
    }
}
