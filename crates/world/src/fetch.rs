//! What we fetch by HTTP: an issuer's keys, what it says to a token, certificates (ACME).
//!
//! ```text
//! Request ──► address (public, or allowed) ──► connection, TLS ──► Response, within the limits
//! ```
//!
//! Where a URL leads is somebody else's word, at times a stranger's: so addresses of private networks are refused unless
//! the settings allow them (the address that was looked at is the one that is connected to), nothing is redirected, and
//! time and size have an end.

mod client;
mod simulated;

use std::fmt;
use std::time::Duration;

use hyper::Uri;

pub use client::Client;
pub use simulated::Web;

use crate::dialer::DialError;
use crate::resolver::LookupError;

/// Who fetches.
#[derive(Debug, Clone)]
pub enum Fetch {
    /// We do, by HTTP/1.1.
    Real(Client),
    /// Pages in memory.
    Simulated(Web),
}

impl Fetch {
    /// Fetches. A status of refusal is a response, too; a redirection is not followed.
    ///
    /// # Errors
    /// See [`FetchError`].
    ///
    /// # Cancellation
    /// Dropping the future gives it up and closes the connection. Whether the request had its effect is not known.
    pub async fn send(&self, request: Request) -> Result<Response, FetchError> {
        match self {
            Self::Real(client) => client.send(request).await,
            Self::Simulated(web) => web.send(&request),
        }
    }
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// How.
    pub method: Method,
    /// An absolute `http` or `https` URL.
    pub url: String,
    /// Fields beside Host, Content-Length and User-Agent, which are ours.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// What it may cost.
    pub limits: Limits,
}

impl Request {
    /// Gets a page, within the usual limits.
    pub fn get(url: &str) -> Self {
        let (headers, body) = (Vec::new(), Vec::new());
        Self { method: Method::Get, url: url.to_owned(), headers, body, limits: Limits::default() }
    }

    /// Posts a body of this media type, within the usual limits.
    pub fn post(url: &str, media_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![("Content-Type".to_owned(), media_type.to_owned())];
        Self { method: Method::Post, url: url.to_owned(), headers, body, limits: Limits::default() }
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: String) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Fields and body hold secrets.
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// The methods that we need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
}

/// What a request may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the look-up of the name to the last octet.
    pub time: Duration,
    /// Octets of the body.
    pub octets: usize,
}

impl Default for Limits {
    /// Ten seconds: a client waits for its sign-in. 256 KiB: what we fetch are keys, answers and certificates.
    fn default() -> Self {
        Self { time: Duration::from_secs(10), octets: 256 * 1024 }
    }
}

/// What came.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// RFC 9110 §15.
    pub status: u16,
    /// The fields, their names in lower case; values that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first field of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("octets", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why nothing came. All but the first two may pass.
#[derive(Debug)]
pub enum FetchError {
    /// The URL is none that can be fetched, or a field of the request is none.
    Url,
    /// The host is at an address that is not asked, for this reason.
    Inside(&'static str),
    /// The host's name leads nowhere at the moment.
    Name(LookupError),
    /// The host has no address.
    NoAddress,
    /// There is no connection.
    Dial(DialError),
    /// No TLS, or a certificate that is not good for the host; the library's words.
    Tls(String),
    /// What came is no HTTP; the library's words.
    Http(String),
    /// The time is up.
    TimedOut,
    /// The body is longer than the limit.
    TooLarge,
}

impl std::error::Error for FetchError {}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("this is no URL that can be fetched"),
            Self::Inside(why) => write!(f, "the address is not asked: {why}"),
            Self::Name(error) => write!(f, "the name of the host cannot be looked up: {error}"),
            Self::NoAddress => f.write_str("the host has no address"),
            Self::Dial(error) => write!(f, "{error}"),
            Self::Tls(error) => write!(f, "no TLS connection: {error}"),
            Self::Http(error) => write!(f, "no HTTP response: {error}"),
            Self::TimedOut => f.write_str("no response in time"),
            Self::TooLarge => f.write_str("the response is too large"),
        }
    }
}

/// Where a URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    /// A name, or an address without brackets.
    host: String,
    port: u16,
    is_secure: bool,
    /// What Host says (RFC 9110 §7.2).
    authority: String,
    /// Path and query.
    path: String,
}

impl Target {
    fn parse(url: &str) -> Result<Self, FetchError> {
        Self::of(url).ok_or(FetchError::Url)
    }

    /// RFC 9110 §4.2: nobody's name and password stand in it.
    fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let is_secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        (!bare.is_empty()).then(|| Self {
            host: bare.to_owned(),
            port: authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 }),
            is_secure,
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
