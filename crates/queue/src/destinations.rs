//! Which way mail goes, as the settings say it: to a mailbox here, to fixed hosts, or to the exchangers of its domain.
//!
//! What says most about a domain decides: a `[[local-domain]]` that names it, then the `[[remote-domain]]` with the most
//! specific pattern, then the smart hosts of `[delivery]`, then the DNS.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use mail::{Domain, Host};
use protocol::sasl::Password;
use protocol::smtp::Dialect;
use settings::{
    Delivery, DomainPattern, Networks, NextHop, NextProtocol, OutboundSignIn, OutboundTls, RemoteDomain,
    Settings,
};

use crate::accept::LOCAL;
use crate::properties::number;
use crate::route::SmartHost;

/// What the settings say about where mail goes.
#[derive(Debug, Clone)]
pub struct Destinations {
    local: HashMap<Domain, Fixed>,
    /// Most specific first.
    remote: Vec<(DomainPattern, Remote)>,
    otherwise: Onward,
}

/// The way of one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Into mailboxes here.
    Local,
    /// By LMTP to one of these, in order.
    Lmtp(Arc<[SmartHost]>, Arc<Terms>),
    /// By SMTP to one of these, in order.
    SmartHosts(Arc<[SmartHost]>, Arc<Terms>),
    /// By SMTP to whom the DNS names.
    Exchangers(Host, Arc<Terms>),
}

/// How the next hop is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Tells them from all others of this process: connections are shared by those with the same number alone.
    pub number: usize,
    /// SMTP or LMTP.
    pub dialect: Dialect,
    /// When connections are secured.
    pub tls: OutboundTls,
    /// With what to sign in, if at all.
    pub sign_in: Option<SignIn>,
}

/// User name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// As the next hop knows it.
    pub login: String,
    /// None where its file could not be read: mail waits.
    pub password: Option<Password>,
}

/// What a `[[remote-domain]]` says.
#[derive(Debug, Clone)]
struct Remote {
    onward: Onward,
    /// Whether anyone may send there.
    relay: bool,
    /// Whose ETRN sends what waits; nobody's where it does not wait.
    collectors: Networks,
}

#[derive(Debug, Clone)]
struct Fixed {
    hosts: Arc<[SmartHost]>,
    terms: Arc<Terms>,
}

#[derive(Debug, Clone)]
enum Onward {
    Fixed(Fixed),
    Exchangers(Arc<Terms>),
}

impl Destinations {
    /// Reads the settings for what is delivered so; none of the passwords that they name is known. See
    /// [`with_passwords`](Self::with_passwords).
    pub fn new(settings: &Settings, delivery: &Delivery) -> Self {
        Self::with_passwords(settings, delivery, |_| None)
    }

    /// Reads the settings. `password` gives what a password file holds, if it can be read.
    pub fn with_passwords(
        settings: &Settings,
        delivery: &Delivery,
        password: impl Fn(&Path) -> Option<Password>,
    ) -> Self {
        let mut reading = Reading { password };
        let terms = reading.terms(Dialect::Smtp, delivery.tls, delivery.sign_in.as_ref());
        let otherwise = Onward::new(&delivery.smart_hosts, terms);
        let mut remote: Vec<_> =
            settings.remote_domains.iter().flat_map(|domain| reading.remote(domain)).collect();
        remote.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.specificity()));
        let mut local = HashMap::new();
        for domain in &settings.local_domains {
            let terms = reading.terms(Dialect::Lmtp, OutboundTls::Offered, None);
            let fixed = Fixed { hosts: smart_hosts(&domain.lmtp), terms };
            local.extend(domain.domains.iter().map(|name| (name.clone(), fixed.clone())));
        }
        Self { local, remote, otherwise }
    }

    /// The key of the destination of a host's mail: the domain in A-labels and lower case, or the literal in brackets. A
    /// domain named `local` gets a dot, because that name alone means here.
    pub fn of(&self, host: &Host) -> String {
        let name = host.to_string().to_ascii_lowercase();
        if name == LOCAL { format!("{name}.") } else { name }
    }

    /// Whether mail for this domain is handed on by LMTP although the domain is ours.
    pub fn hands_on(&self, domain: &Domain) -> bool {
        self.local.contains_key(domain)
    }

    /// Which way a destination's mail goes; none if its name cannot be read.
    pub fn way(&self, destination: &str) -> Option<Way> {
        if is_local(destination) {
            return Some(Way::Local);
        }
        let name = without_turn(destination);
        let host = Host::parse(name.strip_suffix('.').unwrap_or(name)).ok()?;
        let Some(domain) = host.domain() else { return Some(self.otherwise.way(host)) };
        if let Some(Fixed { hosts, terms }) = self.local.get(domain) {
            return Some(Way::Lmtp(hosts.clone(), terms.clone()));
        }
        let onward = self.remote(domain).map_or(&self.otherwise, |remote| &remote.onward);
        Some(onward.way(host.clone()))
    }

    /// Whether anyone may send to this domain through us.
    pub fn relays_to(&self, domain: &Domain) -> bool {
        self.remote(domain).is_some_and(|remote| remote.relay)
    }

    /// Whose ETRN sends what waits for this domain; none where nothing waits for ETRN (RFC 1985).
    pub fn collectors(&self, domain: &Domain) -> Option<&Networks> {
        let remote = self.remote(domain).filter(|_| !self.local.contains_key(domain))?;
        Some(&remote.collectors).filter(|networks| !networks.0.is_empty())
    }

    /// Whether the mail of a destination waits for ETRN.
    pub fn is_collected(&self, destination: &str) -> bool {
        let name = without_turn(destination);
        let host = Host::parse(name.strip_suffix('.').unwrap_or(name)).ok();
        let domain = host.as_ref().and_then(Host::domain).filter(|_| !is_local(destination));
        domain.is_some_and(|domain| self.collectors(domain).is_some())
    }

    fn remote(&self, domain: &Domain) -> Option<&Remote> {
        self.remote.iter().find(|(pattern, _)| pattern.matches(domain)).map(|(_, remote)| remote)
    }
}

/// Whether it is delivered into mailboxes here: `local`, and `local/1` for a second due time.
pub fn is_local(destination: &str) -> bool {
    without_turn(destination) == LOCAL
}

/// A destination's name without the number that tells deliveries of one message apart that are due at different times:
/// `example.net/1`. No domain has a slash, and a literal ends with its bracket.
fn without_turn(destination: &str) -> &str {
    match destination.rsplit_once('/') {
        Some((name, turn)) if !turn.is_empty() && turn.bytes().all(|octet| octet.is_ascii_digit()) => name,
        _ => destination,
    }
}

impl Onward {
    fn new(hosts: &[NextHop], terms: Arc<Terms>) -> Self {
        if hosts.is_empty() {
            Self::Exchangers(terms)
        } else {
            Self::Fixed(Fixed { hosts: smart_hosts(hosts), terms })
        }
    }

    fn way(&self, host: Host) -> Way {
        match self {
            Self::Exchangers(terms) => Way::Exchangers(host, terms.clone()),
            Self::Fixed(Fixed { hosts, terms }) if terms.dialect == Dialect::Lmtp => {
                Way::Lmtp(hosts.clone(), terms.clone())
            }
            Self::Fixed(Fixed { hosts, terms }) => Way::SmartHosts(hosts.clone(), terms.clone()),
        }
    }
}

/// The settings as they are read.
struct Reading<P> {
    password: P,
}

impl<P: Fn(&Path) -> Option<Password>> Reading<P> {
    fn terms(&mut self, dialect: Dialect, tls: OutboundTls, sign_in: Option<&OutboundSignIn>) -> Arc<Terms> {
        let sign_in = sign_in.map(|OutboundSignIn { user, password_file }| SignIn {
            login: user.clone(),
            password: (self.password)(password_file),
        });
        Arc::new(Terms { number: number(), dialect, tls, sign_in })
    }

    fn remote(&mut self, domain: &RemoteDomain) -> Vec<(DomainPattern, Remote)> {
        let dialect = match domain.protocol {
            NextProtocol::Smtp => Dialect::Smtp,
            NextProtocol::Lmtp => Dialect::Lmtp,
        };
        let terms = self.terms(dialect, domain.tls, domain.sign_in.as_ref());
        let onward = Onward::new(&domain.smart_hosts, terms);
        let remote = Remote { onward, relay: domain.relay, collectors: domain.hold_until_etrn.clone() };
        domain.domains.iter().map(|pattern| (pattern.clone(), remote.clone())).collect()
    }
}

fn smart_hosts(hosts: &[NextHop]) -> Arc<[SmartHost]> {
    hosts.iter().map(|NextHop { host, port }| SmartHost { host: host.clone(), port: *port }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        host-name = "out.example.org"

        [delivery]
        smart-host = ["relay.example.org:587", "192.0.2.1"]
        authentication = { user = "me", password-file = "/known" }

        [[remote-domain]]
        domain = ["*.partner.example", "direct.example"]
        tls = "verified"

        [[remote-domain]]
        domain = "deep.partner.example"
        smart-host = "192.0.2.9:26"
        authentication = { user = "you", password-file = "/unknown" }

        [[remote-domain]]
        domain = "lists.example"
        smart-host = "192.0.2.10:24"
        protocol = "lmtp"

        [[local-domain]]
        domain = "ours.example"
        lmtp = ["192.0.2.11:24", "192.0.2.12:24"]
    "#;

    fn destinations() -> Destinations {
        let settings = settings::resolve(TEXT).unwrap();
        let password = |path: &Path| (path == Path::new("/known")).then(|| Password("secret".into()));
        Destinations::with_passwords(&settings, &settings.delivery, password)
    }

    /// In words: how, to whom, on which terms.
    fn shown(way: Option<Way>) -> String {
        let Some(way) = way else { return "none".into() };
        let names = |hosts: &[SmartHost]| {
            hosts.iter().map(|host| format!(" {}:{}", host.host, host.port)).collect::<String>()
        };
        let terms = |terms: &Terms| {
            let sign_in = terms.sign_in.as_ref();
            let sign_in = sign_in.map(|it| format!(", {} {}", it.login, it.password.is_some()));
            format!(", tls {}{}", terms.tls.name(), sign_in.unwrap_or_default())
        };
        match way {
            Way::Local => "local".into(),
            Way::Lmtp(hosts, with) => format!("lmtp{}{}", names(&hosts), terms(&with)),
            Way::SmartHosts(hosts, with) => format!("smtp{}{}", names(&hosts), terms(&with)),
            Way::Exchangers(host, with) => format!("exchangers of {host}{}", terms(&with)),
        }
    }

    #[test]
    fn what_says_most_about_a_domain_decides() {
        let destinations = destinations();
        let default = "smtp relay.example.org:587 [192.0.2.1]:25, tls verified, me true";
        for (destination, expected) in [
            ("local", "local"),
            ("local/1", "local"),
            ("local.", default),
            ("local./1", default),
            ("example.net/1", default),
            ("example.net/", "none"),
            ("direct.example/12", "exchangers of direct.example, tls verified"),
            ("[192.0.2.7]/1", default),
            ("local.example", default),
            ("example.net", default),
            ("[192.0.2.7]", default),
            ("partner.example", default),
            ("mx.partner.example", "exchangers of mx.partner.example, tls verified"),
            ("direct.example", "exchangers of direct.example, tls verified"),
            ("deep.partner.example", "smtp [192.0.2.9]:26, tls verified, you false"),
            ("lists.example", "lmtp [192.0.2.10]:24, tls offered"),
            ("ours.example", "lmtp [192.0.2.11]:24 [192.0.2.12]:24, tls offered"),
            ("a b", "none"),
        ] {
            assert_eq!(shown(destinations.way(destination)), expected, "{destination}");
        }
        let settings = settings::resolve("host-name = \"out.example.org\"").unwrap();
        let plain = Destinations::new(&settings, &settings.delivery);
        assert_eq!(shown(plain.way("example.net")), "exchangers of example.net, tls offered");
        assert_eq!(shown(plain.way("[192.0.2.7]")), "exchangers of [192.0.2.7], tls offered");
    }

    #[test]
    fn only_those_with_the_same_terms_share_connections() {
        let destinations = destinations();
        let number = |destination| match destinations.way(destination).unwrap() {
            Way::Local => 0,
            Way::Lmtp(_, terms) | Way::SmartHosts(_, terms) | Way::Exchangers(_, terms) => terms.number,
        };
        assert_eq!(number("example.net"), number("example.com"));
        assert_eq!(number("mx.partner.example"), number("direct.example"));
        let all = ["example.net", "direct.example", "deep.partner.example", "lists.example", "ours.example"];
        let numbers: std::collections::BTreeSet<usize> = all.into_iter().map(number).collect();
        assert_eq!(numbers.len(), all.len());
    }

    #[test]
    fn each_host_has_a_key_that_leads_back_to_it() {
        let destinations = destinations();
        for (host, expected) in [
            ("Example.NET", "example.net"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("[192.0.2.7]", "[192.0.2.7]"),
            ("[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"),
            ("local", "local."),
        ] {
            let host = Host::parse(host).unwrap();
            let key = destinations.of(&host);
            assert_eq!(key, expected);
            assert_ne!(destinations.way(&key), None);
            assert_ne!(destinations.way(&key), Some(Way::Local));
        }
        assert!(destinations.hands_on(&Domain::parse("ours.example").unwrap()));
        assert!(!destinations.hands_on(&Domain::parse("lists.example").unwrap()));
    }
}
