//! How mail leaves: by which way, when it is tried again, when it is given up.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use mail::{Address, Domain};

use crate::values::{DomainPattern, Hello, Networks, NextHop, NextProtocol, OutboundTls, Reach, TimeSpan};

/// `[delivery]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The pauses after the first attempts, in order.
    pub retry: Vec<TimeSpan>,
    /// The pause after all later ones. Some in whatever a text means: the last of its list.
    pub then: Option<TimeSpan>,
    /// When the sender is told that a message still waits; none for never. Less than the expiration.
    pub delay_notification: Option<TimeSpan>,
    /// When a message is given up, counted from its acceptance. Not less than the first pause.
    pub expiration: TimeSpan,
    /// The same for mailboxes here.
    pub local: LocalDelivery,
    /// How many connections at a time.
    pub connections: OutboundConnections,
    /// Addresses of ours that connections leave from: at most one of each family; of a family without one the system
    /// chooses.
    pub source_addresses: Vec<IpAddr>,
    /// Who is asked about names.
    pub resolvers: Resolvers,
    /// Whether answers about names are validated here (DNSSEC).
    pub dns_validation: bool,
    /// DNSKEY records that validation starts from, instead of the root's.
    pub dns_trust_anchors: Option<PathBuf>,
    /// The port of other servers.
    pub port: u16,
    /// Where all mail for others goes, in this order; empty: to the exchangers of its domain.
    pub smart_hosts: Vec<NextHop>,
    /// Whether the exchangers are tried before the smart hosts.
    pub direct_first: bool,
    /// How we sign in there.
    pub sign_in: Option<OutboundSignIn>,
    /// When connections are secured.
    pub tls: OutboundTls,
    /// What others see instead of our domains.
    pub masquerade: Option<Masquerade>,
    /// Recipients of one transaction; the rest goes in further ones.
    pub recipients_per_message: u32,
    /// PEM files with authorities that are believed beside the system's.
    pub certificate_authorities: Vec<PathBuf>,
    /// How far inside a stranger's DNS may lead us.
    pub reach: Reach,
    /// Whether what we send is signed, if its domain has keys (RFC 6376).
    pub dkim: bool,
}

/// `[delivery.local]`: mail for mailboxes here that could not be filed at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDelivery {
    /// As [`Delivery::retry`].
    pub retry: Vec<TimeSpan>,
    /// As [`Delivery::then`].
    pub then: Option<TimeSpan>,
    /// As [`Delivery::delay_notification`].
    pub delay_notification: Option<TimeSpan>,
    /// As [`Delivery::expiration`].
    pub expiration: TimeSpan,
}

/// How many connections we make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboundConnections {
    /// In all.
    pub limit: u32,
    /// To the same set of exchangers.
    pub per_destination: u32,
    /// Messages over one connection.
    pub messages: u32,
    /// How long an attempt to connect may take.
    pub time_out: TimeSpan,
    /// How long another server may be silent when we wait for its reply. Where RFC 5321 §4.5.3.2 asks for less, it is less.
    pub idle_time_out: TimeSpan,
}

/// What others see instead of our domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masquerade {
    /// It stands in reverse-paths instead of every domain of ours.
    pub domain: Domain,
    /// In From and the rest of the header, too.
    pub header: bool,
}

/// Who is asked about names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolvers {
    /// Whom the system asks.
    System,
    /// These: at least one.
    Servers(Vec<SocketAddr>),
}

/// How we sign in at a smart host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundSignIn {
    /// The name.
    pub user: String,
    /// The file with the password. A line end after it is not part of it.
    pub password_file: PathBuf,
}

/// `[[remote-domain]]`: a way of their own for some domains. The most specific pattern wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteDomain {
    /// Which: at least one, and no other remote domain has the same.
    pub domains: Vec<DomainPattern>,
    /// Where their mail goes, in this order; empty: to the exchangers of the domain.
    pub smart_hosts: Vec<NextHop>,
    /// What is spoken there. LMTP only with smart hosts.
    pub protocol: NextProtocol,
    /// Whether the exchangers are tried before the smart hosts.
    pub direct_first: bool,
    /// How we greet.
    pub hello: Hello,
    /// Whether anyone may send there through us.
    pub relay: bool,
    /// Whose ETRN sends what waits for these domains; empty: it does not wait for ETRN.
    pub hold_until_etrn: Networks,
    /// What they see instead of our domains; none: as [`Delivery::masquerade`] says.
    pub masquerade: Option<Masquerade>,
    /// Recipients of one transaction; none: as [`Delivery::recipients_per_message`] says.
    pub recipients_per_message: Option<u32>,
    /// How we sign in there. Only with smart hosts.
    pub sign_in: Option<OutboundSignIn>,
    /// When connections are secured.
    pub tls: OutboundTls,
}

/// `[[local-domain]]`: domains that are ours, whose mail is handed on by LMTP or written as files. Recipients are not
/// checked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDomain {
    /// Which: at least one, and named nowhere else.
    pub domains: Vec<Domain>,
    /// Where their mail goes, in this order: at least one, or there is a directory.
    pub lmtp: Vec<NextHop>,
    /// The directory that their mail is written to, if it is.
    pub drop: Option<PathBuf>,
}

/// `[reports]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reports {
    /// Who gets a copy of each report of failure.
    pub copy_to: Option<Address>,
    /// Where what can be neither delivered nor returned is kept; none: `badmail` under the data directory.
    pub badmail: Option<PathBuf>,
}
