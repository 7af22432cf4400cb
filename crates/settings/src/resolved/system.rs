//! What concerns the program as a whole: who it becomes, what it fetches, whom it bans, when it slows down.

use std::net::SocketAddr;
use std::path::PathBuf;

use mail::{Address, Domain};

use crate::values::{Challenge, Size, TimeSpan, Url};

/// `fetch`: what is fetched from the web.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetch {
    /// Whether addresses of private networks and of this machine are asked.
    pub allow_private: bool,
    /// PEM files with authorities that are believed beside the system's.
    pub authorities: Vec<PathBuf>,
}

/// `tls.acme`: certificates from an authority that asks for proof by ACME (RFC 8555).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// Whom the authority writes to.
    pub contact: Option<Address>,
    /// What the certificate is for: at least one.
    pub names: Vec<Domain>,
    /// Where the authority's directory is.
    pub directory: Url,
    /// How we prove that the names are ours.
    pub challenge: Challenge,
    /// Where HTTP-01 is answered: at least one. The authority comes to port 80.
    pub bindings: Vec<SocketAddr>,
    /// PEM files with authorities that are believed beside the system's, when the directory is asked.
    pub authorities: Vec<PathBuf>,
    /// How long before its end a certificate is renewed.
    pub renew_before: TimeSpan,
}

/// `oauth`: who gives the tokens that clients may sign in with (RFC 7628).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth {
    /// Its name, as it stands in tokens.
    pub issuer: String,
    /// What tokens for us are for.
    pub audience: String,
    /// What tokens must allow; none: anything.
    pub scope: Option<String>,
    /// Where the account's address stands in a token.
    pub account_claim: String,
    /// How a token is checked.
    pub check: TokenCheck,
}

/// How a token is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenCheck {
    /// By its signature, with the keys found there (RFC 7517).
    Keys(Url),
    /// By asking the issuer (RFC 7662).
    Introspection(Introspection),
}

/// How the issuer is asked about a token (RFC 7662).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspection {
    /// Where.
    pub url: Url,
    /// Our name there.
    pub client: String,
    /// The file with our secret there. A line end after it is not part of it.
    pub client_secret_file: PathBuf,
}

/// `sign-in`: what becomes of those who fail to sign in. Networks are a /24 of IPv4 and a /56 of IPv6; trusted ones are let
/// be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignInLimits {
    /// Failures of a network after which it is banned; none: never.
    pub failures: Option<u32>,
    /// Within this time.
    pub within: TimeSpan,
    /// For so long.
    pub ban: TimeSpan,
    /// How long the first failure's reply waits; each further one twice as long. None: no reply waits.
    pub delay: Option<TimeSpan>,
    /// But not longer than this.
    pub delay_limit: TimeSpan,
    /// Failures at one account, from wherever, within the time, after which strangers' networks wait; none: never.
    pub account_failures: Option<u32>,
}

/// What holds where the settings say nothing.
impl Default for SignInLimits {
    fn default() -> Self {
        Self {
            failures: Some(10),
            within: TimeSpan::from_secs(600),
            ban: TimeSpan::from_secs(3600),
            delay: Some(TimeSpan::from_secs(1)),
            delay_limit: TimeSpan::from_secs(16),
            account_failures: Some(50),
        }
    }
}

/// `back-pressure`: when mail is taken slowly, and when not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackPressure {
    /// Free space where the data are; less is worse. None: it is not looked at.
    pub disk: Option<Levels<Size>>,
    /// Memory of the program; more is worse.
    pub memory: Option<Levels<Size>>,
    /// Messages that wait; more is worse.
    pub queue: Option<Levels<u32>>,
}

/// The two levels of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels<T> {
    /// From here on each MAIL waits a little.
    pub slow: T,
    /// From here on MAIL is refused with 452 4.3.1.
    pub refuse: T,
}

/// `pickup`: a directory whose files are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pickup {
    /// Whether it is looked at.
    pub on: bool,
    /// Where it is; none: `pickup` under the data directory.
    pub directory: Option<PathBuf>,
}
