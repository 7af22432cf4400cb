//! Where mail goes next: from what the DNS says about a host to an ordered list of next hops (RFC 5321 §5.1, RFC 7505).
//!
//! ```text
//! Domain  --MX-->  Candidates  --A, AAAA-->  Route: hops in the order to be tried, or why there are none
//! ```
//!
//! Everything here is a function of values, but [`find`], which asks. Each choice leaves a reason for the journal.
//!
//! What the standards leave open is decided so:
//! - An exchanger whose name is an alias is used. RFC 5321 §5.1 puts it outside the standard and RFC 2181 §10.3 forbids
//!   it to the zone's owner, but nobody is harmed by following it, and mail that others deliver would fail here.
//! - The families of a multihomed host take turns, IPv6 first (RFC 8305 §4), so that one that leads nowhere costs one
//!   attempt. Within a family the resolver's order stays (RFC 5321 §5.1).
//! - A smart host that cannot be found is our own mistake or its own trouble: mail waits for it and never fails.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mail::{AddressLiteral, Domain, Host};
use settings::{Delivery, Protocol, Settings};
use world::resolver::{Answer, LookupError, Mx, Name, Security};

use crate::diagnostic::Diagnostic;
use crate::limits::{EXCHANGERS_MAX, HOPS_MAX, HOST_ADDRESSES_MAX};

mod find;

pub use find::find;
pub use world::reach::Reach;

/// What holds for all mail of a server.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Names by which we are known as an exchanger.
    pub names: BTreeSet<Name>,
    /// Addresses at which mail would come back to us.
    pub addresses: BTreeSet<IpAddr>,
    /// Where exchangers listen: 25, but for tests.
    pub port: u16,
    /// What our network speaks.
    pub families: Families,
    /// How far inside a stranger's DNS may lead us.
    pub reach: Reach,
}

impl Rules {
    /// The rules of a server with these settings for what is delivered so. `ours` are the addresses of this machine's interfaces.
    ///
    /// Mail would come back to us at each address that a virtual server for SMTP is bound to; to be bound to all means to
    /// be bound to `ours`. IPv6 is used where there is an address for it that others can reach, or the settings name one.
    pub fn of(settings: &Settings, delivery: &Delivery, ours: &[IpAddr]) -> Self {
        let receiving = settings.virtual_servers.iter().filter(|server| server.protocol == Protocol::Smtp);
        let mut addresses = BTreeSet::new();
        for binding in receiving.flat_map(|server| &server.bindings) {
            // Who listens elsewhere is not met by mail that follows the DNS.
            if binding.address.port() != delivery.port {
                continue;
            }
            match binding.address.ip().to_canonical() {
                IpAddr::V4(v4) if v4.is_unspecified() => {
                    addresses.extend(ours.iter().filter(|ip| ip.is_ipv4()));
                }
                // A socket for all of IPv6 takes IPv4, too.
                IpAddr::V6(v6) if v6.is_unspecified() => addresses.extend(ours),
                ip => drop(addresses.insert(ip)),
            }
        }
        let reach = match delivery.reach {
            settings::Reach::Public => Reach::Public,
            settings::Reach::Private => Reach::Private,
            settings::Reach::Anywhere => Reach::Anywhere,
        };
        let names = BTreeSet::from([Name::from(&settings.host_name)]);
        let families = Families::of(&delivery.source_addresses, ours, reach);
        Self { names, addresses, port: delivery.port, families, reach }
    }
}

impl Families {
    /// Those for which there is an address to leave from: one that the settings name, or one that leads out.
    fn of(sources: &[IpAddr], ours: &[IpAddr], reach: Reach) -> Self {
        let leads_out = |ip: &&IpAddr| match ip {
            _ if reach == Reach::Anywhere => true,
            IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
            IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
        };
        let usable: Vec<&IpAddr> = sources.iter().chain(ours.iter().filter(leads_out)).collect();
        match (usable.iter().any(|ip| ip.is_ipv4()), usable.iter().any(|ip| ip.is_ipv6())) {
            (true, true) => Self::Both,
            (false, true) => Self::Ipv6,
            _ => Self::Ipv4,
        }
    }
}

/// Address families that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// IPv6 and IPv4.
    Both,
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

/// A host that takes all our mail, as the settings name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmartHost {
    /// Its name is not looked up as a mail domain: addresses alone count.
    pub host: Host,
    /// Where it listens: 25, 587, or another.
    pub port: u16,
}

/// One address to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Where to connect.
    pub address: SocketAddr,
    /// The name of the host: the MX target or the smart host, before any alias. None for an address literal.
    pub name: Option<Name>,
    /// Of its MX record, or its place among the smart hosts; hops of equal preference are one group.
    pub preference: u16,
    /// Whether the way from the domain to this address is proven.
    pub security: Security,
}

/// Where to, with the reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The decision.
    pub end: End,
    /// What led to it, in order, one sentence each; names of strangers in them are printable ASCII.
    pub reasons: Vec<String>,
}

/// The end of a search for a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// At least one, in the order to be tried.
    Hops(Vec<Hop>),
    /// Search again later.
    Deferred(Diagnostic),
    /// There will never be a way.
    Failed(Diagnostic),
}

/// What was found out about a candidate's name. A family that [`Families`] leaves out need not be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// IPv4.
    pub a: Result<Answer<Ipv4Addr>, LookupError>,
    /// IPv6.
    pub aaaa: Result<Answer<Ipv6Addr>, LookupError>,
}

/// Hosts in the order to be tried, some of which still need their addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    /// The domain, the literal, or "the smart hosts".
    whose: String,
    source: Source,
    security: Security,
    list: Vec<Candidate>,
    reasons: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Exchangers,
    /// The domain's own addresses, or an address literal.
    Itself,
    SmartHosts,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    preference: u16,
    target: Target,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Name(Name),
    Address(IpAddr),
}

/// Reads the answer to the question for a domain's exchangers. `throw` gives 64 random bits a call.
///
/// # Errors
/// The route, where it has ended already.
pub fn exchangers(
    domain: &Domain,
    answer: Result<Answer<Mx>, LookupError>,
    rules: &Rules,
    throw: &mut dyn FnMut() -> u64,
) -> Result<Candidates, Box<Route>> {
    match answer {
        Ok(answer) => listed(domain, answer, rules, throw),
        Err(LookupError::NoRecords) => implicit(domain, rules),
        Err(LookupError::NoSuchDomain) => {
            Err(Box::new(Route::failed((5, 1, 2), format!("the domain {domain} does not exist"), Vec::new())))
        }
        Err(error @ (LookupError::Temporary(_) | LookupError::Malformed)) => {
            let because = format!("the mail exchangers of {domain} cannot be found out: {error}");
            Err(Box::new(Route::deferred((4, 4, 3), because, Vec::new())))
        }
    }
}

/// Reads an address literal, which needs no question.
///
/// # Errors
/// The route, where it has ended already.
pub fn literal(literal: &AddressLiteral, rules: &Rules) -> Result<Candidates, Box<Route>> {
    let AddressLiteral::Ip(address) = literal else {
        // RFC 5321 §4.1.3: a tag that we do not know.
        let because = format!("{} is no kind of address that is known here", Host::Literal(literal.clone()));
        return Err(Box::new(Route::failed((5, 1, 2), because, Vec::new())));
    };
    let list = vec![Candidate { preference: 0, target: Target::Address(*address), port: rules.port }];
    let reasons = vec![format!("{literal} is an address itself")];
    let (whose, security) = (literal.to_string(), Security::Indeterminate);
    Ok(Candidates { whose, source: Source::Itself, security, list, reasons })
}

/// Takes smart hosts in the order to be tried.
pub fn smart_hosts(hosts: &[SmartHost]) -> Candidates {
    let mut reasons = vec!["the settings say where this mail goes".to_owned()];
    let mut list = Vec::new();
    for (SmartHost { host, port }, preference) in hosts.iter().zip(0..) {
        let target = match host {
            Host::Domain(domain) => Target::Name(domain.into()),
            Host::Literal(AddressLiteral::Ip(address)) => Target::Address(*address),
            Host::Literal(AddressLiteral::General(..)) => {
                reasons.push(format!("{host} is left out: it is no kind of address that is known here"));
                continue;
            }
        };
        list.push(Candidate { preference, target, port: *port });
    }
    let (whose, source) = ("the smart hosts".to_owned(), Source::SmartHosts);
    // The settings name them, so only their addresses need proof.
    Candidates { whose, source, security: Security::Secure, list, reasons }.bounded()
}

fn listed(
    domain: &Domain,
    answer: Answer<Mx>,
    rules: &Rules,
    throw: &mut dyn FnMut() -> u64,
) -> Result<Candidates, Box<Route>> {
    let mut reasons = Vec::new();
    if answer.name != Name::from(domain) {
        // RFC 5321 §5.1: the name that an alias leads to is processed as if it were the initial one.
        reasons.push(format!("{domain} is an alias of {}", answer.name));
    }
    let mut records = answer.records;
    let named = exchangers_text(records.len());
    records.retain(|mx| !mx.exchanger.is_root());
    if records.is_empty() {
        // RFC 7505 §4.1.
        return Err(Box::new(Route::failed(
            (5, 1, 10),
            format!("the domain {domain} takes no mail (null MX)"),
            reasons,
        )));
    }
    reasons.push(format!("{domain} names {named}"));
    if let Some(us) = records.iter().filter(|mx| rules.names.contains(&mx.exchanger)).min() {
        let (name, cut) = (us.exchanger.clone(), us.preference);
        discard(&mut records, |mx| mx.preference, cut, &name.to_string(), &mut reasons);
    }
    if records.is_empty() {
        return Err(Box::new(returned(&domain.to_string(), reasons)));
    }
    let mut seen = BTreeSet::new();
    records.sort();
    records.retain(|mx| seen.insert(mx.exchanger.clone()));
    // RFC 5321 §5.1: equal preference in random order. The sort is stable, so it keeps that order.
    shuffle(&mut records, throw);
    records.sort_by_key(|mx| mx.preference);
    let candidate = |mx: Mx| Candidate {
        preference: mx.preference,
        target: Target::Name(mx.exchanger),
        port: rules.port,
    };
    let list = records.into_iter().map(candidate).collect();
    let (whose, security) = (domain.to_string(), answer.security);
    Ok(Candidates { whose, source: Source::Exchangers, security, list, reasons }.bounded())
}

/// RFC 5321 §5.1: without MX records, the domain is its own exchanger with preference 0.
fn implicit(domain: &Domain, rules: &Rules) -> Result<Candidates, Box<Route>> {
    let name = Name::from(domain);
    let reasons = vec![format!("{domain} names no mail exchanger, so its own addresses are used")];
    if rules.names.contains(&name) {
        return Err(Box::new(returned(&domain.to_string(), reasons)));
    }
    let list = vec![Candidate { preference: 0, target: Target::Name(name), port: rules.port }];
    // That there is no MX record is not proven here.
    let (whose, security) = (domain.to_string(), Security::Indeterminate);
    Ok(Candidates { whose, source: Source::Itself, security, list, reasons })
}

impl Candidates {
    /// Names whose addresses are needed, best first.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.list.iter().filter_map(|candidate| match &candidate.target {
            Target::Name(name) => Some(name),
            Target::Address(_) => None,
        })
    }

    /// Puts in the addresses. A name that is not among them is in doubt, as one whose lookup failed.
    pub fn resolved(mut self, found: &BTreeMap<Name, Found>, rules: &Rules) -> Route {
        self.stop_at_us(found, rules);
        if self.list.is_empty() && self.source != Source::SmartHosts {
            return returned(&self.whose, self.reasons);
        }
        let reach = if self.source == Source::SmartHosts { Reach::Anywhere } else { rules.reach };
        let mut search = Search {
            families: rules.families,
            reach,
            security: self.security,
            hops: Vec::new(),
            seen: BTreeSet::new(),
            doubt: false,
            reasons: self.reasons,
        };
        for candidate in &self.list {
            search.visit(candidate, found);
            if search.is_full() {
                break;
            }
        }
        search.end(&self.whose, self.source)
    }

    /// RFC 5321 §5.1: "any of the names or addresses by which it might be known".
    fn stop_at_us(&mut self, found: &BTreeMap<Name, Found>, rules: &Rules) {
        if self.source == Source::SmartHosts {
            return;
        }
        let ours = |candidate: &&Candidate| {
            known_addresses(candidate, found).iter().any(|ip| rules.addresses.contains(ip))
        };
        let us = self.list.iter().filter(ours).min_by_key(|candidate| candidate.preference);
        if let Some(us) = us.cloned() {
            let shown = us.target.to_string();
            discard(&mut self.list, |c| c.preference, us.preference, &shown, &mut self.reasons);
        }
    }

    fn bounded(mut self) -> Self {
        if self.list.len() > EXCHANGERS_MAX {
            let rest = self.list.len() - EXCHANGERS_MAX;
            self.reasons.push(format!("the last {rest} are left out: {EXCHANGERS_MAX} hosts are enough"));
            self.list.truncate(EXCHANGERS_MAX);
        }
        self
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

fn known_addresses(candidate: &Candidate, found: &BTreeMap<Name, Found>) -> Vec<IpAddr> {
    let name = match &candidate.target {
        Target::Address(address) => return vec![*address],
        Target::Name(name) => name,
    };
    let Some(Found { a, aaaa }) = found.get(name) else { return Vec::new() };
    let v4 = a.iter().flat_map(|answer| &answer.records).map(|&v4| IpAddr::V4(v4));
    let v6 = aaaa.iter().flat_map(|answer| &answer.records).map(|&v6| IpAddr::V6(v6).to_canonical());
    v4.chain(v6).collect()
}

/// Takes away everything of this preference and worse.
fn discard<T>(
    list: &mut Vec<T>,
    preference: impl Fn(&T) -> u16,
    cut: u16,
    us: &str,
    reasons: &mut Vec<String>,
) {
    list.retain(|entry| preference(entry) < cut);
    reasons.push(format!("we are {us}, so hosts of preference {cut} and above are left out"));
}

/// RFC 5321 §5.1: no record left is an error, and the message is returned.
fn returned(whose: &str, mut reasons: Vec<String>) -> Route {
    if !whose.starts_with('[') {
        // The administrator's most frequent mistake.
        reasons.push(format!("{whose} is none of our domains; if it should be: waxseal domain add {whose}"));
    }
    Route::failed((5, 4, 6), format!("mail for {whose} would come back to this server"), reasons)
}

fn exchangers_text(count: usize) -> String {
    if count == 1 { "one mail exchanger".into() } else { format!("{count} mail exchangers") }
}

fn shuffle<T>(list: &mut [T], throw: &mut dyn FnMut() -> u64) {
    for end in (1..list.len()).rev() {
        let place = throw() % (end as u64 + 1);
        list.swap(end, usize::try_from(place).expect("it is no more than `end`"));
    }
}

/// The second half of a search: addresses.
struct Search {
    families: Families,
    reach: Reach,
    security: Security,
    hops: Vec<Hop>,
    seen: BTreeSet<SocketAddr>,
    /// Something may be found later that was not found now.
    doubt: bool,
    reasons: Vec<String>,
}

impl Search {
    fn visit(&mut self, candidate: &Candidate, found: &BTreeMap<Name, Found>) {
        match &candidate.target {
            Target::Address(address) => self.add(candidate, &[(*address, Security::Secure)]),
            Target::Name(name) => match found.get(name) {
                Some(found) => {
                    let addresses = self.addresses(name, found);
                    self.add(candidate, &addresses);
                }
                None => {
                    self.doubt = true;
                    self.reasons.push(format!("{name} is left out: it was not looked up"));
                }
            },
        }
    }

    fn is_full(&mut self) -> bool {
        if self.hops.len() < HOPS_MAX {
            return false;
        }
        self.hops.truncate(HOPS_MAX);
        self.reasons.push(format!("no more than {HOPS_MAX} addresses are tried"));
        true
    }

    /// The addresses of a name in the order to be tried.
    fn addresses(&mut self, name: &Name, found: &Found) -> Vec<(IpAddr, Security)> {
        let told = self.reasons.len();
        let (mut v6, mut v4) = (Vec::new(), Vec::new());
        if self.families != Families::Ipv4 {
            v6 = self.read(name, "IPv6", &found.aaaa, |&v6| IpAddr::V6(v6).to_canonical());
        }
        if self.families != Families::Ipv6 {
            v4 = self.read(name, "IPv4", &found.a, |&v4| IpAddr::V4(v4));
        }
        let mut addresses = interleaved(v6, v4);
        if addresses.is_empty() && self.reasons.len() == told {
            self.reasons.push(format!("{name} is left out: {}", self.nothing(found)));
        }
        if addresses.len() > HOST_ADDRESSES_MAX {
            let count = addresses.len();
            self.reasons
                .push(format!("of {count} addresses of {name} the first {HOST_ADDRESSES_MAX} are used"));
            addresses.truncate(HOST_ADDRESSES_MAX);
        }
        addresses
    }

    fn nothing(&self, found: &Found) -> &'static str {
        let absent = [
            (Families::Ipv6, found.a.as_ref().err()), // Asked for IPv4 unless IPv6 is all we speak.
            (Families::Ipv4, found.aaaa.as_ref().err()),
        ];
        let mut asked = absent.into_iter().filter(|(not_with, _)| self.families != *not_with);
        if asked.any(|(_, error)| error == Some(&LookupError::NoSuchDomain)) {
            "the name does not exist"
        } else {
            match self.families {
                Families::Both => "it has no address",
                Families::Ipv4 => "it has no IPv4 address, and no other is used here",
                Families::Ipv6 => "it has no IPv6 address, and no other is used here",
            }
        }
    }

    fn read<T>(
        &mut self,
        name: &Name,
        family: &str,
        found: &Result<Answer<T>, LookupError>,
        address: impl Fn(&T) -> IpAddr,
    ) -> Vec<(IpAddr, Security)> {
        match found {
            Ok(answer) => {
                if answer.name != *name {
                    let target = &answer.name;
                    self.tell_once(format!(
                        "{name} is an alias of {target}, which is followed though RFC 5321 does not provide for it"
                    ));
                }
                answer.records.iter().map(|record| (address(record), answer.security)).collect()
            }
            Err(LookupError::NoRecords | LookupError::NoSuchDomain) => Vec::new(),
            Err(error @ (LookupError::Temporary(_) | LookupError::Malformed)) => {
                self.doubt = true;
                self.reasons.push(format!("{family} addresses of {name} cannot be found out: {error}"));
                Vec::new()
            }
        }
    }

    fn add(&mut self, candidate: &Candidate, addresses: &[(IpAddr, Security)]) {
        for &(ip, security) in addresses {
            if let Some(why) = self.reach.refuses(ip) {
                self.reasons.push(match &candidate.target {
                    Target::Name(name) => format!("{ip} of {name} is left out: {why}"),
                    Target::Address(_) => format!("{ip} is left out: {why}"),
                });
                continue;
            }
            let address = SocketAddr::new(ip, candidate.port);
            if !self.seen.insert(address) {
                continue;
            }
            let name = match &candidate.target {
                Target::Name(name) => Some(name.clone()),
                Target::Address(_) => None,
            };
            let security = self.security.min(security);
            self.hops.push(Hop { address, name, preference: candidate.preference, security });
        }
    }

    /// Both families say the same of an alias.
    fn tell_once(&mut self, reason: String) {
        if self.reasons.last() != Some(&reason) {
            self.reasons.push(reason);
        }
    }

    fn end(self, whose: &str, source: Source) -> Route {
        if !self.hops.is_empty() {
            return Route { end: End::Hops(self.hops), reasons: self.reasons };
        }
        let last = self.reasons.last().cloned().unwrap_or_default();
        match source {
            _ if self.doubt => {
                Route::deferred((4, 4, 3), format!("no way to {whose} was found: {last}"), self.reasons)
            }
            Source::SmartHosts => {
                Route::deferred((4, 3, 5), format!("no smart host can be used: {last}"), self.reasons)
            }
            // RFC 3463 §3.2: "does not exist or is incapable of accepting mail".
            Source::Itself => {
                Route::failed((5, 1, 2), format!("{whose} cannot take mail: {last}"), self.reasons)
            }
            // RFC 3463 §3.5: "unable to determine the next-hop".
            Source::Exchangers => Route::failed(
                (5, 4, 4),
                format!("none of the mail exchangers of {whose} can be used: {last}"),
                self.reasons,
            ),
        }
    }
}

/// One of each in turn, IPv6 first; each keeps its order.
fn interleaved<T>(v6: Vec<T>, v4: Vec<T>) -> Vec<T> {
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut all = Vec::with_capacity(v6.len() + v4.len());
    loop {
        let pair = [v6.next(), v4.next()];
        if pair.iter().all(Option::is_none) {
            return all;
        }
        all.extend(pair.into_iter().flatten());
    }
}

impl Route {
    fn deferred(status: (u8, u16, u16), because: String, mut reasons: Vec<String>) -> Self {
        reasons.push(because.clone());
        Self { end: End::Deferred(Diagnostic::ours(status, because)), reasons }
    }

    fn failed(status: (u8, u16, u16), because: String, mut reasons: Vec<String>) -> Self {
        reasons.push(because.clone());
        Self { end: End::Failed(Diagnostic::ours(status, because)), reasons }
    }
}

#[cfg(test)]
mod tests;
