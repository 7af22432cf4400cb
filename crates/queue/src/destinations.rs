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
use protocol::smtp::client::Greeting;
use settings::{
    Delivery, DomainPattern, Hello, Masquerade, Networks, NextHop, NextProtocol, OutboundSignIn, OutboundTls,
    RemoteDomain, Settings,
};

use crate::accept::LOCAL;
use crate::agent::limits::LMTP_RECIPIENTS_MAX as RECIPIENTS;
use crate::properties::number;
use crate::route::SmartHost;

/// What the settings say about where mail goes.
#[derive(Debug, Clone)]
pub struct Destinations {
    local: HashMap<Domain, Kept>,
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
    /// By SMTP to whom the DNS names; where none of them can be reached, to one of these, in order.
    ExchangersFirst((Host, Arc<Terms>), (Arc<[SmartHost]>, Arc<Terms>)),
    /// Into this directory, as files.
    Drop(Arc<Path>),
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
    /// How we greet.
    pub greeting: Greeting,
    /// Recipients of one transaction.
    pub recipients_max: usize,
    /// What they see instead of our domains.
    pub masquerade: Option<Masquerade>,
}

/// User name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// As the next hop knows it.
    pub login: String,
    /// None where its file could not be read: mail waits.
    pub password: Option<Password>,
}

/// What a `[[local-domain]]` says.
#[derive(Debug, Clone)]
enum Kept {
    Lmtp(Fixed),
    Drop(Arc<Path>),
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
    ExchangersFirst(Arc<Terms>, Fixed),
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
        let ways = Ways::of(delivery);
        let otherwise = reading.onward(&ways);
        let mut remote: Vec<_> =
            settings.remote_domains.iter().flat_map(|domain| reading.remote(&ways, domain)).collect();
        remote.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.specificity()));
        let mut local = HashMap::new();
        for domain in &settings.local_domains {
            let kept = match &domain.drop {
                Some(path) => Kept::Drop(path.as_path().into()),
                None => Kept::Lmtp(Fixed {
                    hosts: smart_hosts(&domain.lmtp),
                    terms: reading.terms(&Ways::local(), None),
                }),
            };
            local.extend(domain.domains.iter().map(|name| (name.clone(), kept.clone())));
        }
        Self { local, remote, otherwise }
    }

    /// The key of the destination of a host's mail: the domain in A-labels and lower case, or the literal in brackets. A
    /// domain named `local` gets a dot, because that name alone means here.
    pub fn of(&self, host: &Host) -> String {
        let name = host.to_string().to_ascii_lowercase();
        if name == LOCAL { format!("{name}.") } else { name }
    }

    /// Whether mail for this domain is handed on by LMTP, or written as files, although the domain is ours.
    pub fn hands_on(&self, domain: &Domain) -> bool {
        self.local.contains_key(domain)
    }

    /// Domains of ours whose mail is handed on.
    pub(crate) fn handed_on(&self) -> impl Iterator<Item = &Domain> {
        self.local.keys()
    }

    /// Which way a destination's mail goes; none if its name cannot be read.
    pub fn way(&self, destination: &str) -> Option<Way> {
        if is_local(destination) {
            return Some(Way::Local);
        }
        let name = without_turn(destination);
        let host = Host::parse(name.strip_suffix('.').unwrap_or(name)).ok()?;
        let Some(domain) = host.domain() else { return Some(self.otherwise.way(host)) };
        match self.local.get(domain) {
            Some(Kept::Lmtp(Fixed { hosts, terms })) => return Some(Way::Lmtp(hosts.clone(), terms.clone())),
            Some(Kept::Drop(path)) => return Some(Way::Drop(path.clone())),
            None => {}
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

    /// Whether there are domains whose mail waits for ETRN.
    pub(crate) fn collect_any(&self) -> bool {
        self.remote.iter().any(|(_, remote)| !remote.collectors.0.is_empty())
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
    fn way(&self, host: Host) -> Way {
        match self {
            Self::Exchangers(terms) => Way::Exchangers(host, terms.clone()),
            Self::ExchangersFirst(first, Fixed { hosts, terms }) => {
                Way::ExchangersFirst((host, first.clone()), (hosts.clone(), terms.clone()))
            }
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
    fn terms(&mut self, ways: &Ways<'_>, sign_in: Option<&OutboundSignIn>) -> Arc<Terms> {
        let sign_in = sign_in.map(|OutboundSignIn { user, password_file }| SignIn {
            login: user.clone(),
            password: (self.password)(password_file),
        });
        let greeting = match ways.hello {
            Hello::Ehlo => Greeting::Extended,
            Hello::Helo => Greeting::Plain,
        };
        Arc::new(Terms {
            number: number(),
            dialect: ways.dialect,
            tls: ways.tls,
            sign_in,
            greeting,
            recipients_max: usize::try_from(ways.recipients).unwrap_or(usize::MAX).max(1),
            masquerade: ways.masquerade.cloned(),
        })
    }

    fn onward(&mut self, ways: &Ways<'_>) -> Onward {
        // Whom the DNS names is a stranger: our password is for the smart hosts alone.
        if ways.hosts.is_empty() {
            return Onward::Exchangers(self.terms(ways, ways.sign_in));
        }
        let fixed = Fixed { hosts: smart_hosts(ways.hosts), terms: self.terms(ways, ways.sign_in) };
        if ways.direct_first && ways.dialect == Dialect::Smtp {
            Onward::ExchangersFirst(self.terms(ways, None), fixed)
        } else {
            Onward::Fixed(fixed)
        }
    }

    fn remote(&mut self, otherwise: &Ways<'_>, domain: &RemoteDomain) -> Vec<(DomainPattern, Remote)> {
        let ways = Ways {
            dialect: match domain.protocol {
                NextProtocol::Smtp => Dialect::Smtp,
                NextProtocol::Lmtp => Dialect::Lmtp,
            },
            hosts: &domain.smart_hosts,
            direct_first: domain.direct_first,
            sign_in: domain.sign_in.as_ref(),
            tls: domain.tls,
            hello: domain.hello,
            recipients: domain.recipients_per_message.unwrap_or(otherwise.recipients),
            masquerade: domain.masquerade.as_ref().or(otherwise.masquerade),
        };
        let onward = self.onward(&ways);
        let remote = Remote { onward, relay: domain.relay, collectors: domain.hold_until_etrn.clone() };
        domain.domains.iter().map(|pattern| (pattern.clone(), remote.clone())).collect()
    }
}

/// What `[delivery]` and `[[remote-domain]]` both say.
struct Ways<'a> {
    dialect: Dialect,
    hosts: &'a [NextHop],
    direct_first: bool,
    sign_in: Option<&'a OutboundSignIn>,
    tls: OutboundTls,
    hello: Hello,
    recipients: u32,
    masquerade: Option<&'a Masquerade>,
}

impl<'a> Ways<'a> {
    fn of(delivery: &'a Delivery) -> Self {
        Self {
            dialect: Dialect::Smtp,
            hosts: &delivery.smart_hosts,
            direct_first: delivery.direct_first,
            sign_in: delivery.sign_in.as_ref(),
            tls: delivery.tls,
            hello: Hello::Ehlo,
            recipients: delivery.recipients_per_message,
            masquerade: delivery.masquerade.as_ref(),
        }
    }

    /// To a server of ours, which knows us by all names.
    fn local() -> Self {
        Self {
            dialect: Dialect::Lmtp,
            hosts: &[],
            direct_first: false,
            sign_in: None,
            tls: OutboundTls::Offered,
            hello: Hello::Ehlo,
            recipients: RECIPIENTS,
            masquerade: None,
        }
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
            Way::ExchangersFirst((host, first), (hosts, with)) => {
                format!("exchangers of {host}{}; then{}{}", terms(&first), names(&hosts), terms(&with))
            }
            Way::Drop(path) => format!("files in {}", path.display()),
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
        let mut settings = settings::resolve(TEXT).unwrap();
        settings.delivery.direct_first = true;
        settings.local_domains[0].drop = Some("/srv/drop".into());
        let first = Destinations::new(&settings, &settings.delivery);
        assert_eq!(shown(first.way("ours.example")), "files in /srv/drop");
        assert_eq!(
            shown(first.way("example.net")),
            "exchangers of example.net, tls verified; then relay.example.org:587 [192.0.2.1]:25, tls verified, me false"
        );
        let settings = settings::resolve("host-name = \"out.example.org\"").unwrap();
        let plain = Destinations::new(&settings, &settings.delivery);
        assert_eq!(shown(plain.way("example.net")), "exchangers of example.net, tls offered");
        assert_eq!(shown(plain.way("[192.0.2.7]")), "exchangers of [192.0.2.7], tls offered");
    }

    #[test]
    fn only_those_with_the_same_terms_share_connections() {
        let destinations = destinations();
        let number = |destination| match destinations.way(destination).unwrap() {
            Way::Local | Way::Drop(_) | Way::ExchangersFirst(..) => 0,
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
