//! Addresses: of name servers, and of our own host.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::Wrong;
use crate::limits::DNS_PORT;
use crate::mistake::nearest;

/// Who is asked about names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameServer {
    /// Whom the system asks.
    System,
    /// This one.
    At(SocketAddr),
}

/// An address that one host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unicast(pub(crate) IpAddr);

impl FromStr for NameServer {
    type Err = Wrong;

    /// Reads `system`, `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53` or `[2001:db8::53]:5353`.
    fn from_str(text: &str) -> Result<Self, Wrong> {
        if text == "system" {
            return Ok(Self::System);
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let with_default_port = |ip| SocketAddr::new(ip, DNS_PORT);
        let address = text.parse().or_else(|_| bare.parse().map(with_default_port)).map_err(|_| {
            let problem =
                "is neither system nor an address such as \"192.0.2.53\" or \"[2001:db8::53]:5353\"";
            Wrong::near(problem, nearest(text, ["system"]).unwrap_or_default())
        })?;
        if address.port() == 0 {
            return Err(Wrong::new("has no port that can be asked"));
        }
        let ip = unicast(address.ip())?;
        Ok(Self::At(SocketAddr::new(ip, address.port())))
    }
}

impl FromStr for Unicast {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        match text.parse() {
            Ok(ip) => unicast(ip).map(Self),
            Err(_) => {
                let with_port = text.parse::<SocketAddr>().map(|address| address.ip().to_string());
                let problem = "is no address such as \"198.51.100.7\" or \"2001:db8::7\"";
                Err(Wrong::near(problem, with_port.unwrap_or_default()))
            }
        }
    }
}

/// An IPv4-mapped address is the IPv4 address it means.
fn unicast(ip: IpAddr) -> Result<IpAddr, Wrong> {
    let ip = ip.to_canonical();
    let is_broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    match ip.is_unspecified() || ip.is_multicast() || is_broadcast {
        true => Err(Wrong::new("is no address of one host (no unicast address)")),
        false => Ok(ip),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn name_servers_are_read() {
        for (text, expected) in [
            ("192.0.2.53", Ok("192.0.2.53:53")),
            ("192.0.2.53:5353", Ok("192.0.2.53:5353")),
            ("2001:db8::53", Ok("[2001:db8::53]:53")),
            ("[2001:db8::53]", Ok("[2001:db8::53]:53")),
            ("[2001:db8::53]:5353", Ok("[2001:db8::53]:5353")),
            ("sytem", Err("system")),
            ("ns.example.org", Err("")),
            ("192.0.2.53:0", Err("")),
            ("0.0.0.0", Err("")),
            ("ff02::1", Err("")),
            ("", Err("")),
        ] {
            match (text.parse::<NameServer>(), expected) {
                (Ok(NameServer::At(address)), Ok(expected)) => assert_eq!(address.to_string(), expected),
                (Err(wrong), Err(suggestion)) => assert_eq!(wrong.suggestion, suggestion, "{text}"),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!("system".parse(), Ok(NameServer::System));
    }

    #[test]
    fn addresses_of_one_host_are_read() {
        for (text, expected) in [
            ("198.51.100.7", Ok("198.51.100.7")),
            ("::ffff:198.51.100.7", Ok("198.51.100.7")),
            ("2001:db8::7", Ok("2001:db8::7")),
            ("198.51.100.7:25", Err("198.51.100.7")),
            ("0.0.0.0", Err("")),
            ("::", Err("")),
            ("224.0.0.1", Err("")),
            ("255.255.255.255", Err("")),
            ("mail.example.org", Err("")),
        ] {
            let read = text.parse::<Unicast>().map(|unicast| unicast.0.to_string());
            let read = read.as_deref().map_err(|wrong| wrong.suggestion.as_str());
            assert_eq!(read, expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_harms(text: String) {
            let _ = (text.parse::<NameServer>(), text.parse::<Unicast>());
        }
    }
}
