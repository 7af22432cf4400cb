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
use settings::{DomainPattern, NextHop, NextProtocol, OutboundSignIn, OutboundTls, RemoteDomain, Settings};

use crate::accept::LOCAL;
use crate::route::SmartHost;

/// What the settings say about where mail goes.
#[derive(Debug, Clone)]
pub struct Destinations {
    local: HashMap<Domain, Fixed>,
    /// Most specific first.
    remote: Vec<(DomainPattern, Onward)>,
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
    /// Tells them from others of the same settings: connections are shared by those with the same number alone.
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
    /// Reads the settings; none of the passwords that they name is known. See [`with_passwords`](Self::with_passwords).
    pub fn new(settings: &Settings) -> Self {
        Self::with_passwords(settings, |_| None)
    }

    /// Reads the settings. `password` gives what a password file holds, if it can be read.
    pub fn with_passwords(settings: &Settings, password: impl Fn(&Path) -> Option<Password>) -> Self {
        let mut reading = Reading { password, number: 0 };
        let delivery = &settings.delivery;
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
        let host = Host::parse(destination.strip_suffix('.').unwrap_or(destination)).ok()?;
        let Some(domain) = host.domain() else { return Some(self.otherwise.way(host)) };
        if let Some(Fixed { hosts, terms }) = self.local.get(domain) {
            return Some(Way::Lmtp(hosts.clone(), terms.clone()));
        }
        let named = self.remote.iter().find(|(pattern, _)| pattern.matches(domain));
        let onward = named.map_or(&self.otherwise, |(_, onward)| onward);
        Some(onward.way(host.clone()))
    }
}

/// Whether it is delivered into mailboxes here: `local`, and `local/1` for a second due time.
pub fn is_local(destination: &str) -> bool {
    destination.strip_prefix(LOCAL).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
    number: usize,
}

impl<P: Fn(&Path) -> Option<Password>> Reading<P> {
    fn terms(&mut self, dialect: Dialect, tls: OutboundTls, sign_in: Option<&OutboundSignIn>) -> Arc<Terms> {
        self.number += 1;
        let sign_in = sign_in.map(|OutboundSignIn { user, password_file }| SignIn {
            login: user.clone(),
            password: (self.password)(password_file),
        });
        Arc::new(Terms { number: self.number, dialect, tls, sign_in })
    }

    fn remote(&mut self, domain: &RemoteDomain) -> Vec<(DomainPattern, Onward)> {
        let dialect = match domain.protocol {
            NextProtocol::Smtp => Dialect::Smtp,
            NextProtocol::Lmtp => Dialect::Lmtp,
        };
        let terms = self.terms(dialect, domain.tls, domain.sign_in.as_ref());
        let onward = Onward::new(&domain.smart_hosts, terms);
        domain.domains.iter().map(|pattern| (pattern.clone(), onward.clone())).collect()
    }
}

fn smart_hosts(hosts: &[NextHop]) -> Arc<[SmartHost]> {
    hosts.iter().map(|NextHop { host, port }| SmartHost { host: host.clone(), port: *port }).collect()
}
