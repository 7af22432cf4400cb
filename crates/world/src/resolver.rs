//! Names to addresses: lookups in the DNS, with what they say about themselves (RFC 1034, 1035, 2308, 4035).
//!
//! A lookup follows aliases and ends in records, in an absence that is certain ([`LookupError::NoSuchDomain`],
//! [`LookupError::NoRecords`]), or in trouble that may pass. Mail fails for good on what is certain alone, so whatever
//! is in doubt is trouble.
//!
//! ```
//! # use world::resolver::{Name, Resolver, Simulated, Zone};
//! # let clock = world::Clock::Real;
//! let zone = Zone::new().mx("example.org", 10, "mx.example.org");
//! let resolver = Resolver::Simulated(Simulated::new(clock, zone));
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let answer = resolver.mx(&Name::parse("example.org")?).await?;
//! assert_eq!(answer.records[0].exchanger.as_str(), "mx.example.org");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

pub mod limits;
pub mod name;
pub mod real;
pub mod simulated;

pub use name::{Name, NameError};
pub use real::{Options, Real, Validation};
pub use simulated::{Simulated, Weather, Zone};

/// Who answers questions about names.
#[derive(Debug, Clone)]
pub enum Resolver {
    /// Servers on the network.
    Real(Real),
    /// A table with weather.
    Simulated(Simulated),
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// At least one, in the order of the server.
    pub records: Vec<T>,
    /// Whose records they are: the name asked for, or the one that it is an alias of.
    pub name: Name,
    /// How long all of it may be kept.
    pub ttl: Duration,
    /// Whether it is proven.
    pub security: Security,
}

/// A mail exchanger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mx {
    /// Lower is better.
    pub preference: u16,
    /// Its name, or the root (RFC 7505).
    pub exchanger: Name,
}

/// DNSSEC state of an answer (RFC 4035 §4.3). What is bogus is no answer: [`Trouble::Bogus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Security {
    /// Not looked at.
    Indeterminate,
    /// Proven to be unsigned.
    Insecure,
    /// Signed, up to a trust anchor, aliases included.
    Secure,
}

/// Why there are no records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupError {
    /// The name does not exist (NXDOMAIN), nor does anything below it (RFC 8020).
    NoSuchDomain,
    /// The name exists and has no records of this type.
    NoRecords,
    /// Ask again later.
    Temporary(Trouble),
    /// The answer makes no sense, or the name cannot be asked for. Asking again later may help.
    Malformed,
}

/// What keeps an answer away for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The server could not find out (SERVFAIL).
    ServerFailed,
    /// The server does not answer such questions, or not ours.
    Refused,
    /// No answer in time.
    TimedOut,
    /// No server could be reached.
    Unreachable,
    /// More questions at a time than a server is asked.
    Busy,
    /// DNSSEC says that the answer is not what the zone's owner signed.
    Bogus,
}

impl std::error::Error for LookupError {}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchDomain => "the name does not exist",
            Self::NoRecords => "the name has no such records",
            Self::Malformed => "the answer made no sense",
            Self::Temporary(Trouble::ServerFailed) => "the name server failed",
            Self::Temporary(Trouble::Refused) => "the name server refused to answer",
            Self::Temporary(Trouble::TimedOut) => "the name servers did not answer in time",
            Self::Temporary(Trouble::Unreachable) => "no name server could be reached",
            Self::Temporary(Trouble::Busy) => "too many questions are open at the name server",
            Self::Temporary(Trouble::Bogus) => "the answer failed DNSSEC validation",
        })
    }
}

/// A type of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mx,
    A,
    Aaaa,
    Txt,
    Ptr,
}

/// A record's data.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Data {
    Mx(Mx),
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Txt(Vec<u8>),
    Ptr(Name),
}

impl Data {
    fn kind(&self) -> Kind {
        match self {
            Self::Mx(_) => Kind::Mx,
            Self::A(_) => Kind::A,
            Self::Aaaa(_) => Kind::Aaaa,
            Self::Txt(_) => Kind::Txt,
            Self::Ptr(_) => Kind::Ptr,
        }
    }
}

impl<T> Answer<T> {
    fn keep<U>(self, take: impl FnMut(T) -> Option<U>) -> Answer<U> {
        let records = self.records.into_iter().filter_map(take).collect();
        Answer { records, name: self.name, ttl: self.ttl, security: self.security }
    }
}

/// All lookups give up after [`limits::LOOKUP_TIMEOUT`]; dropping one forgets the question.
impl Resolver {
    /// A resolver that asks servers.
    ///
    /// # Errors
    /// In words, for whoever wrote the settings: the list of servers or the trust anchors cannot be read.
    pub fn real(options: &Options) -> Result<Self, String> {
        Real::new(options).map(Self::Real)
    }

    /// Mail exchangers, not sorted.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn mx(&self, name: &Name) -> Result<Answer<Mx>, LookupError> {
        let answer = self.ask(name, Kind::Mx).await?;
        Ok(answer.keep(|data| if let Data::Mx(mx) = data { Some(mx) } else { None }))
    }

    /// IPv4 addresses.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn a(&self, name: &Name) -> Result<Answer<Ipv4Addr>, LookupError> {
        let answer = self.ask(name, Kind::A).await?;
        Ok(answer.keep(|data| if let Data::A(address) = data { Some(address) } else { None }))
    }

    /// IPv6 addresses.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn aaaa(&self, name: &Name) -> Result<Answer<Ipv6Addr>, LookupError> {
        let answer = self.ask(name, Kind::Aaaa).await?;
        Ok(answer.keep(|data| if let Data::Aaaa(address) = data { Some(address) } else { None }))
    }

    /// Texts, the strings of each record put together without space (RFC 7208 §3.3, RFC 6376 §3.6.2.2). They are octets
    /// of a stranger.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn txt(&self, name: &Name) -> Result<Answer<Vec<u8>>, LookupError> {
        let answer = self.ask(name, Kind::Txt).await?;
        Ok(answer.keep(|data| if let Data::Txt(text) = data { Some(text) } else { None }))
    }

    /// Names of an address; see [`Name::reverse`]. Whoever has the address can claim any name.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn ptr(&self, name: &Name) -> Result<Answer<Name>, LookupError> {
        let answer = self.ask(name, Kind::Ptr).await?;
        Ok(answer.keep(|data| if let Data::Ptr(name) = data { Some(name) } else { None }))
    }

    async fn ask(&self, name: &Name, kind: Kind) -> Result<Answer<Data>, LookupError> {
        match self {
            Self::Real(real) => real.ask(name, kind).await,
            Self::Simulated(simulated) => simulated.ask(name, kind).await,
        }
    }
}
