//! A virtual server and its properties.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use mail::Domain;

use super::delivery::{Delivery, Reports};
use crate::values::{
    ClientCertificates, DomainPattern, MaySendAs, Mechanism, Network, Networks, Pattern, Protocol, Rate,
    ServerState, Size, TimeSpan, Tls, TlsVersion,
};

/// A named set of bindings and properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualServer {
    /// Its name, unique.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it listens: at least one.
    pub bindings: Vec<Binding>,
    /// Its name in banners, EHLO and Received.
    pub host_name: Domain,
    /// Whether it takes connections when the program starts.
    pub state: ServerState,
    /// Who may change it, beside the administrators of the program: Unix users.
    pub operators: Vec<String>,
    /// How clients may sign in; empty: not at all.
    pub authentication: Vec<Mechanism>,
    /// Failures to sign in after which a connection is closed.
    pub sign_in_failures: u32,
    /// The oldest TLS that is spoken.
    pub tls_minimum_version: TlsVersion,
    /// Whether clients are asked for a certificate.
    pub client_certificates: ClientCertificates,
    /// Who may connect.
    pub connection_control: ConnectionControl,
    /// Whether a client's name is looked up. It is noted, and refuses nobody by itself.
    pub reverse_lookup: bool,
    /// Who may send to domains that are not ours.
    pub relay: Relay,
    /// As whom an account may send.
    pub may_send_as: MaySendAs,
    /// How much an account may send.
    pub sending: SendingLimits,
    /// The largest message it takes.
    pub message_size_limit: Size,
    /// Octets of all messages of a connection; none: as many as come.
    pub session_size_limit: Option<Size>,
    /// Recipients of a message.
    pub recipients_per_message: u32,
    /// Messages that a connection may bring.
    pub messages_per_connection: u32,
    /// Received fields that a message may have.
    pub maximum_hop_count: u32,
    /// Messages from one source address; none: as many as come. Trusted networks are not limited.
    pub message_rate: Option<Rate>,
    /// How many connections it takes.
    pub connections: ConnectionLimits,
    /// Idle time after which a connection is closed.
    pub connection_time_out: TimeSpan,
    /// The same before sign-in, where reading mail needs one.
    pub sign_in_time_out: TimeSpan,
    /// How long an account must wait before its maildrop is opened again; zero: not at all. For POP3.
    pub sign_in_interval: TimeSpan,
    /// How long the banner is held back, to find clients that talk before it; zero: not at all.
    pub greeting_delay: TimeSpan,
    /// After the host name in the banner.
    pub banner: String,
    /// What becomes of clients that err.
    pub errors: Errors,
    /// Commands that can be switched.
    pub commands: Commands,
    /// Keywords of the answer to EHLO that can be switched, with what they stand for.
    pub keywords: Keywords,
    /// Peers that say in a PROXY header for whom they speak. They must.
    pub proxy_protocol: Networks,
    /// Peers that may say by XCLIENT for whom they speak.
    pub xclient: Networks,
    /// Peers that may say by XFORWARD where a message came from.
    pub xforward: Networks,
    /// Whether `refused@`, `deferred@`, `slow@` and `bounces@` fail on purpose.
    pub magic_recipients: bool,
    /// Where its dialogues are written, if they are.
    pub protocol_log: Option<ProtocolLog>,
    /// How mail that came in here leaves.
    pub delivery: Delivery,
    /// What becomes of reports about mail that came in here.
    pub reports: Reports,
    /// Other properties for some peers.
    pub when: Vec<When>,
}

/// Properties for some peers: those that fit both conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// From where they come; empty: from wherever. Not empty, or the names are not.
    pub clients: Networks,
    /// Which name they ask for in TLS (RFC 6066 §3); empty: any, or none.
    pub server_names: Vec<DomainPattern>,
    /// The virtual server as it is for them: all properties, and no further `when`.
    pub properties: Box<VirtualServer>,
}

impl VirtualServer {
    /// The virtual server as it is for a peer: of what fits, the narrowest network wins, then the most specific server
    /// name, then what stands first. No server name is known before TLS.
    pub fn for_peer(&self, address: IpAddr, server_name: Option<&str>) -> &VirtualServer {
        let name = server_name.and_then(|name| Domain::parse(name).ok());
        let mut best: Option<(Specificity, &VirtualServer)> = None;
        for when in &self.when {
            let Some(fits) = when.fits(address, name.as_ref()) else { continue };
            if best.is_none_or(|(other, _)| fits > other) {
                best = Some((fits, &when.properties));
            }
        }
        best.map_or(self, |(_, properties)| properties)
    }
}

/// How much a `when` says about a peer: the prefix of its network, and what its server name says; nothing is less than
/// anything.
type Specificity = (Option<u8>, Option<usize>);

impl When {
    /// How much it says about a peer; none if it is not for it.
    fn fits(&self, address: IpAddr, name: Option<&Domain>) -> Option<Specificity> {
        let network =
            self.clients.0.iter().filter(|network| network.contains(address)).map(Network::prefix).max();
        let of_name = |name: &Domain| {
            let patterns = self.server_names.iter().filter(|pattern| pattern.matches(name));
            patterns.map(DomainPattern::specificity).max()
        };
        let name = name.and_then(of_name);
        let is_meant = (self.clients.0.is_empty() || network.is_some())
            && (self.server_names.is_empty() || name.is_some());
        is_meant.then_some((network, name))
    }
}

/// Who may connect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ConnectionControl {
    /// Everybody.
    #[default]
    All,
    /// Nobody but these.
    Only(Vec<Pattern>),
    /// Everybody but these.
    Except(Vec<Pattern>),
}

impl ConnectionControl {
    /// Whether a client with this address, and these names that are confirmed there and back, may connect.
    pub fn admits(&self, address: IpAddr, names: &[Domain]) -> bool {
        let are_meant = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(address, names));
        match self {
            Self::All => true,
            Self::Only(patterns) => are_meant(patterns),
            Self::Except(patterns) => !are_meant(patterns),
        }
    }

    /// Whether names matter, so that they must be looked up.
    pub fn asks_for_names(&self) -> bool {
        match self {
            Self::All => false,
            Self::Only(patterns) | Self::Except(patterns) => {
                patterns.iter().any(|pattern| matches!(pattern, Pattern::Name(_)))
            }
        }
    }
}

/// Who may send to domains that are not ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Relay {
    /// Peers with these addresses. For LMTP: who may deliver here, beside this machine; nothing is relayed from there.
    pub allow: Networks,
    /// All peers but these; none: it is as [`allow`](Self::allow) says. Only one of the two is there.
    pub except: Option<Networks>,
    /// Who has signed in.
    pub authenticated: bool,
}

impl Relay {
    /// What lets a peer relay without signing in: the network, as it is written, or that it is none of the excepted; none if
    /// it may not.
    pub fn allows(&self, address: IpAddr) -> Option<String> {
        match &self.except {
            Some(except) => (!except.contain(address)).then(|| "all but the excepted".to_owned()),
            None => self.allow.0.iter().find(|network| network.contains(address)).map(ToString::to_string),
        }
    }
}

/// How much an account may send; none is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendingLimits {
    /// Recipients within an hour.
    pub recipients_per_hour: Option<u32>,
    /// Recipients within a day.
    pub recipients_per_day: Option<u32>,
    /// Recipients within a day to whom it has not sent before.
    pub new_recipients_per_day: Option<u32>,
    /// So many times its highest hour of 30 days is held, and the administrator told ...
    pub hold_factor: Option<u32>,
    /// ... if it is above this many recipients in an hour, too.
    pub hold_recipients: Option<u32>,
}

/// What becomes of clients that err, or ask for what is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errors {
    /// From this error of a connection on, the reply to each waits.
    pub slow: u32,
    /// At this one it is closed with 421.
    pub limit: u32,
    /// How long the reply waits; zero: not at all.
    pub tarpit: TimeSpan,
}

/// Where the dialogues of a virtual server are written. No other has the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolLog {
    /// The file; older ones have `.1`, `.2` and so on behind its name.
    pub file: PathBuf,
    /// Above this a new one is begun.
    pub size_limit: Size,
    /// How many older ones are kept.
    pub keep: u32,
}

/// An address and port, and when a connection to it is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Address and port. `[::]` is every address of IPv6 and IPv4; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS.
    pub tls: Tls,
}

/// How many connections at a time. Trusted networks are limited in all alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all.
    pub limit: u32,
    /// From one source address.
    pub per_source: u32,
    /// From one network: a /24 of IPv4, a /56 of IPv6.
    pub per_network: u32,
    /// New ones from one source address; none: as many as come.
    pub rate: Option<Rate>,
}

/// Commands that can be switched on and off. A server that has them on still tells strangers nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commands {
    /// VRFY.
    pub vrfy: bool,
    /// EXPN.
    pub expn: bool,
    /// HELP.
    pub help: bool,
    /// VERB, for trusted networks.
    pub verb: bool,
    /// ETRN, for the clients of `hold-until-etrn`.
    pub etrn: bool,
}

impl Default for Commands {
    /// All on.
    fn default() -> Self {
        Self { vrfy: true, expn: true, help: true, verb: true, etrn: true }
    }
}

/// Keywords of the answer to EHLO that can be switched, with what they stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keywords {
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME (RFC 3030). Off where CHUNKING is.
    pub binarymime: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// SIZE (RFC 1870).
    pub size: bool,
    /// SMTPUTF8 (RFC 6531). It needs 8BITMIME.
    pub smtputf8: bool,
    /// LIMITS (RFC 9422).
    pub limits: bool,
}

impl Default for Keywords {
    /// All on.
    fn default() -> Self {
        Self {
            dsn: true,
            chunking: true,
            binarymime: true,
            eight_bit_mime: true,
            pipelining: true,
            size: true,
            smtputf8: true,
            limits: true,
        }
    }
}
