//! Hosts that mail is handed to: a name or an address, and a port.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use mail::{AddressLiteral, Host};

use super::Wrong;

/// A host that the settings name as the next one on the way, and its port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHop {
    /// A name, whose addresses are asked for (never its exchangers), or an address; never a general literal.
    pub host: Host,
    /// From 1 on.
    pub port: u16,
}

impl NextHop {
    /// The address, if it is named by one.
    pub fn address(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Literal(AddressLiteral::Ip(ip)) => Some(*ip),
            _ => None,
        }
    }

    /// Whether it is this machine for certain: a loopback address, or `localhost` (RFC 6761 §6.3).
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name.as_str() == "localhost" || name.as_str().ends_with(".localhost"),
            Host::Literal(_) => self.address().is_some_and(|ip| ip.is_loopback()),
        }
    }
}

/// A next hop as written: the port may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hop {
    host: Host,
    port: Option<u16>,
}

const PROBLEM: &str = "is no host and port such as \"relay.example.net:587\" or \"[192.0.2.1]:25\"";

impl Hop {
    /// The same with a port.
    pub(crate) fn with_default_port(self, port: u16) -> NextHop {
        NextHop { host: self.host, port: self.port.unwrap_or(port) }
    }
}

impl FromStr for Hop {
    type Err = Wrong;

    /// Reads `relay.example.net`, `relay.example.net:587`, `192.0.2.1:25`, `[192.0.2.1]` or `[2001:db8::1]:25`.
    fn from_str(text: &str) -> Result<Self, Wrong> {
        if let Ok(bare) = text.parse::<Ipv6Addr>() {
            // Its last group could be meant as a port.
            return Err(Wrong::near("needs square brackets", format!("[{bare}]")));
        }
        let (host, digits) = match text.rsplit_once(':') {
            Some((host, digits)) if !digits.ends_with(']') => (host, Some(digits)),
            _ => (text, None),
        };
        let wrong = || Wrong::new(PROBLEM);
        let host = read_host(host).ok_or_else(wrong)?;
        let port = digits.map(|digits| read_port(digits).ok_or_else(wrong)).transpose()?;
        Ok(Self { host, port })
    }
}

fn read_port(digits: &str) -> Option<u16> {
    let port = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?;
    port.filter(|&port| port != 0)
}

/// An address with or without square brackets, or a name. `192.0.2.300` would be a name by its grammar, and is none.
fn read_host(text: &str) -> Option<Host> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = inner.map(|inner| inner.strip_prefix("IPv6:").unwrap_or(inner)).unwrap_or(text);
    if let Ok(ip) = address.parse::<IpAddr>() {
        let fits = inner.is_some() || ip.is_ipv4();
        return fits.then(|| Host::Literal(AddressLiteral::Ip(ip.to_canonical())));
    }
    // RFC 1123 §2.1: the last label of a name is never all digits.
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_name = inner.is_none() && !last.bytes().all(|b| b.is_ascii_digit());
    is_name.then(|| Host::parse(text).ok()).flatten()
}

/// `relay.example.net:587`, `192.0.2.1:25` or `[2001:db8::1]:25`.
impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(ip) => SocketAddr::new(ip, self.port).fmt(f),
            None => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn next_hop(text: &str) -> Result<NextHop, Wrong> {
        text.parse::<Hop>().map(|hop| hop.with_default_port(25))
    }

    #[test]
    fn hosts_are_read() {
        for (text, expected) in [
            ("relay.example.net", "relay.example.net:25"),
            ("Relay.example.NET:587", "relay.example.net:587"),
            ("localhost:2424", "localhost:2424"),
            ("192.0.2.1", "192.0.2.1:25"),
            ("192.0.2.1:587", "192.0.2.1:587"),
            ("[192.0.2.1]", "192.0.2.1:25"),
            ("[192.0.2.1]:587", "192.0.2.1:587"),
            ("[2001:db8::1]", "[2001:db8::1]:25"),
            ("[2001:db8::1]:587", "[2001:db8::1]:587"),
            ("[IPv6:2001:db8::1]:587", "[2001:db8::1]:587"),
            ("[::ffff:192.0.2.1]:587", "192.0.2.1:587"),
        ] {
            assert_eq!(next_hop(text).map(|hop| hop.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_says_why() {
        for (text, suggestion) in [
            ("2001:db8::1", "[2001:db8::1]"),
            ("", ""),
            (":25", ""),
            ("relay.example.net:", ""),
            ("relay.example.net:0", ""),
            ("relay.example.net:+5", ""),
            ("relay.example.net:65536", ""),
            ("relay.example.net:smtp", ""),
            ("192.0.2.300", ""),
            ("192.0.2.1.5:25", ""),
            ("[relay.example.net]:25", ""),
            ("[tag:content]", ""),
            ("user@relay.example.net", ""),
            ("ö:ö", ""),
        ] {
            let wrong = next_hop(text).unwrap_err();
            assert_eq!(wrong.suggestion, suggestion, "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, expected) in [
            ("127.0.0.1", true),
            ("127.9.9.9:24", true),
            ("[::1]:24", true),
            ("[::ffff:127.0.0.1]:24", true),
            ("localhost", true),
            ("mail.localhost", true),
            ("localhost.example.org", false),
            ("notlocalhost", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(next_hop(text).unwrap().is_loopback(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_the_same(address: IpAddr, name in "[a-z]{1,9}(\\.[a-z]{1,9}){0,2}", port in 1u16..) {
            for host in [Host::Literal(AddressLiteral::Ip(address.to_canonical())), Host::parse(&name).unwrap()] {
                let hop = NextHop { host, port };
                prop_assert_eq!(next_hop(&hop.to_string()), Ok(hop));
            }
        }

        #[test]
        fn no_text_harms(text: String) {
            let _ = next_hop(&text);
        }
    }
}
