//! Where something is on the web.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use mail::Domain;

use super::Wrong;

/// An `https` URL, or an `http` one of this machine, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url(String);

const PROBLEM: &str = "is no URL such as \"https://auth.example.org/keys\"";

impl Url {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Url {
    type Err = Wrong;

    /// Reads `https://host[:port]/...` without a user and without a fragment. Clear text does not leave this machine.
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong = || Wrong::new(PROBLEM);
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['#', '@', '\\', '"']) {
            return Err(wrong());
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let is_here = here(authority).ok_or_else(wrong)?;
        match scheme {
            "https" => Ok(Self(text.to_owned())),
            "http" if is_here => Ok(Self(text.to_owned())),
            "http" => {
                Err(Wrong::near("is clear text for everybody on the way to read", format!("https://{rest}")))
            }
            _ => Err(wrong()),
        }
    }
}

/// Whether a host and port is this machine; none if it is no host and port.
fn here(authority: &str) -> Option<bool> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, port)| (host, port.strip_prefix(':')))?,
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    if !port.is_none_or(is_port) {
        return None;
    }
    match host.parse::<IpAddr>() {
        Ok(ip) => Some(ip.is_loopback()),
        Err(_) => Domain::parse(host).ok().map(|name| name.as_str() == "localhost"),
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_are_read() {
        for (text, expected) in [
            ("https://auth.example.org/keys", None),
            ("https://auth.example.org:8443", None),
            ("https://[2001:db8::1]/a?b=c", None),
            ("http://127.0.0.1:4000/keys", None),
            ("http://localhost/keys", None),
            ("http://[::1]:4000", None),
            ("http://auth.example.org/keys", Some("https://auth.example.org/keys")),
            ("https://", Some("")),
            ("https://a:b@c.example/", Some("")),
            ("https://c.example:0/", Some("")),
            ("ftp://c.example/", Some("")),
            ("auth.example.org", Some("")),
            ("", Some("")),
        ] {
            let wrong = text.parse::<Url>().err().map(|wrong| wrong.suggestion);
            assert_eq!(wrong.as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_harms(text: String) {
            let _ = text.parse::<Url>();
        }
    }
}
