//! How far inside a stranger's DNS may lead a connection of ours: mail that a domain asks for, and what we fetch.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses that may be connected to when somebody else's DNS names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Those of the Internet.
    Public,
    /// Those of private networks, too.
    Private,
    /// This machine, too.
    Anywhere,
}

impl Reach {
    /// Why an address is beyond this reach.
    pub fn refuses(self, address: IpAddr) -> Option<&'static str> {
        let (needed, why) = match address.to_canonical() {
            IpAddr::V4(v4) => of_v4(v4)?,
            IpAddr::V6(v6) => of_v6(v6)?,
        };
        needed.is_none_or(|needed| self < needed).then_some(why)
    }
}

/// The reach that an address needs, and what it is; the first is none where no reach is enough. None for a public one.
type Inside = Option<(Option<Reach>, &'static str)>;

const MACHINE: Inside = Some((Some(Reach::Anywhere), "it means this machine"));
const NETWORK: Inside = Some((Some(Reach::Private), "it is an address of a private network"));
const NOWHERE: Inside = Some((None, "it is no address of a host"));

/// RFC 6890 and the registry it made.
fn of_v4(v4: Ipv4Addr) -> Inside {
    match v4.octets() {
        [0 | 127, ..] => MACHINE,
        [10, ..] | [192, 168, ..] | [169, 254, ..] => NETWORK,
        [172, second, ..] if (16..32).contains(&second) => NETWORK,
        // RFC 6598: between a carrier and its customers.
        [100, second, ..] if (64..128).contains(&second) => NETWORK,
        [224..=255, ..] => NOWHERE,
        _ => None,
    }
}

fn of_v6(v6: Ipv6Addr) -> Inside {
    let last_v4 = |[a, b]: [u16; 2]| {
        let ([a, b], [c, d]) = (a.to_be_bytes(), b.to_be_bytes());
        of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => MACHINE,
        // Forms that carry an IPv4 address lead where it leads: compatible ones, NAT64 (RFC 6052), 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => last_v4([high, low]),
        [0x2002, high, low, ..] => last_v4([high, low]),
        [0xfc00..=0xfdff | 0xfe80..=0xfeff, ..] => NETWORK,
        [0xff00..=0xffff, ..] => NOWHERE,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_address_needs_its_reach() {
        for (addresses, refused_by) in [
            (&["192.0.2.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1"][..], 0),
            (&["64:ff9b::c000:201", "2002:c000:201::1", "::ffff:192.0.2.1"], 0),
            (&["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1", "100.64.0.1"], 1),
            (&["fd00::1", "fe80::1", "fec0::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1"], 1),
            (&["127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "::", "::1"], 2),
            (&["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1"], 2),
            (&["224.0.0.1", "255.255.255.255", "240.0.0.1", "ff02::1", "::ffff:224.0.0.1"], 3),
        ] {
            for text in addresses {
                let address: IpAddr = text.parse().unwrap();
                let reaches = [Reach::Public, Reach::Private, Reach::Anywhere];
                let refused = reaches.iter().filter(|reach| reach.refuses(address).is_some()).count();
                assert_eq!(refused, refused_by, "{text}");
            }
        }
    }
}
