//! Networks of IP addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::Wrong;
use crate::limits::{CUSTOMER_V4_PREFIX, CUSTOMER_V6_PREFIX, WIDE_V4_PREFIX, WIDE_V6_PREFIX};

/// An IP prefix: `192.0.2.0/24`, `2001:db8::/32`, or one address. An IPv4-mapped one is the IPv4 network it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// Several networks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks(pub Vec<Network>);

const PROBLEM: &str = "is no network such as \"192.0.2.0/24\" or \"2001:db8::/32\"";

impl Network {
    /// Whether the address lies in it. An IPv4-mapped address is the IPv4 address it means.
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == Some(self.base)
    }

    /// What one customer has whose address this is: the /24 of IPv4, the /56 of IPv6.
    pub fn of_customer(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let prefix = if address.is_ipv4() { CUSTOMER_V4_PREFIX } else { CUSTOMER_V6_PREFIX };
        let base = masked(address, prefix).expect("the prefix is shorter than the address");
        Self { base, prefix }
    }

    /// Whether it is what one customer has, no more and no less.
    pub fn is_of_customer(&self) -> bool {
        self.prefix == if self.base.is_ipv4() { CUSTOMER_V4_PREFIX } else { CUSTOMER_V6_PREFIX }
    }

    /// How many bits its addresses have in common: at most 32 for IPv4, 128 for IPv6.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether it holds more of the Internet than one organisation has.
    pub fn is_wide(&self) -> bool {
        match self.base {
            IpAddr::V4(_) => self.prefix < WIDE_V4_PREFIX,
            IpAddr::V6(v6) => {
                let is_private = v6.is_unique_local() || v6.is_unicast_link_local();
                self.prefix < WIDE_V6_PREFIX && !is_private
            }
        }
    }

    /// Its size, in the widest networks that are not wide: 1.0 for a /8 of IPv4 or a /16 of IPv6. Nothing of what no
    /// stranger has (RFC 1918, loopback, link-local, unique local).
    fn share(&self) -> f64 {
        let is_strangers = match self.base {
            IpAddr::V4(first) => {
                let beyond = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                let last = Ipv4Addr::from_bits(first.to_bits() | beyond);
                [first, last].iter().any(|v4| !(v4.is_private() || v4.is_loopback() || v4.is_link_local()))
            }
            IpAddr::V6(v6) => !(v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback()),
        };
        let widest = if self.base.is_ipv4() { WIDE_V4_PREFIX } else { WIDE_V6_PREFIX };
        if is_strangers { 2f64.powi(i32::from(widest) - i32::from(self.prefix)) } else { 0.0 }
    }

    /// The network of a base and a prefix; none if the base has bits beyond the prefix, or the prefix is too long.
    fn new(base: IpAddr, prefix: u8) -> Option<Self> {
        let (base, prefix) = match (base, base.to_canonical()) {
            (IpAddr::V6(_), mapped @ IpAddr::V4(_)) => (mapped, prefix.checked_sub(96)?),
            (same, _) => (same, prefix),
        };
        (masked(base, prefix) == Some(base)).then_some(Self { base, prefix })
    }
}

impl Networks {
    /// Whether the address lies in one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether they hold more of the Internet than one organisation has: one of them does, or all of a family together.
    /// Sizes are added up, also those of networks that overlap.
    pub fn are_wide(&self) -> bool {
        let share = |is_ipv4| -> f64 {
            self.0.iter().filter(|network| network.base.is_ipv4() == is_ipv4).map(Network::share).sum()
        };
        self.0.iter().any(Network::is_wide) || share(true) > 1.0 || share(false) > 1.0
    }
}

/// The address without the bits beyond the prefix; none if the address has fewer bits than the prefix.
fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let host = 32u32.checked_sub(prefix)?;
            let mask = u32::MAX.checked_shl(host).unwrap_or(0);
            Some(IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask)))
        }
        IpAddr::V6(v6) => {
            let host = 128u32.checked_sub(prefix)?;
            let mask = u128::MAX.checked_shl(host).unwrap_or(0);
            Some(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask)))
        }
    }
}

impl FromStr for Network {
    type Err = Wrong;

    /// Reads an address, with or without a prefix length. Bits beyond the prefix are a mistake, because one of the two
    /// is not what was meant.
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong = || Wrong::new(PROBLEM);
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (base, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let bits = if base.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
            None => bits,
        };
        Self::new(base, prefix).ok_or_else(|| match masked(base, prefix) {
            Some(base) => {
                Wrong::near(format!("has bits beyond its prefix of {prefix}"), format!("{base}/{prefix}"))
            }
            None => wrong(),
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.base.is_ipv4() { 32 } else { 128 };
        if self.prefix == bits { self.base.fmt(f) } else { write!(f, "{}/{}", self.base, self.prefix) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_customer_has_a_network() {
        for (address, expected) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2ff::1", "2001:db8:1:200::/56"),
        ] {
            assert_eq!(Network::of_customer(address.parse().unwrap()).to_string(), expected);
        }
    }

    #[test]
    fn networks_hold_their_addresses() {
        for (network, address, expected) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.0/120", "192.0.2.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("::1", "::1", true),
            ("::1", "::2", false),
            ("2001:db8::/33", "2001:db8:8000::", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), expected, "{network} {address}");
        }
    }

    #[test]
    fn what_no_organisation_has_is_wide() {
        for (network, expected) in [
            ("0.0.0.0/0", true),
            ("128.0.0.0/1", true),
            ("10.0.0.0/8", false),
            ("::/0", true),
            ("2000::/3", true),
            ("2001:db8::/32", false),
            ("fc00::/7", false),
            ("fe80::/10", false),
            ("8000::/1", true),
        ] {
            assert_eq!(network.parse::<Network>().unwrap().is_wide(), expected, "{network}");
        }
    }

    #[test]
    fn many_networks_are_as_wide_as_one() {
        let halves =
            |second: u8| (0..=255).map(|first| format!("{first}.{second}.0.0/16")).collect::<Vec<_>>();
        for (networks, expected) in [
            (vec!["0.0.0.0/0".to_owned()], true),
            ((1..=223).map(|first| format!("{first}.0.0.0/8")).collect(), true),
            (vec!["198.0.0.0/8".into(), "203.0.113.0/24".into()], true),
            (vec!["198.0.0.0/8".into(), "2001::/16".into()], false),
            (halves(1), false),
            ([halves(1), halves(2)].concat(), true),
            (vec!["2001::/16".into(), "2002::/16".into()], true),
            // Everything that is private, and one network more.
            (
                [
                    "10.0.0.0/8",
                    "172.16.0.0/12",
                    "192.168.0.0/16",
                    "127.0.0.0/8",
                    "169.254.0.0/16",
                    "198.0.0.0/8",
                ]
                .map(str::to_owned)
                .into(),
                false,
            ),
            (vec!["fc00::/7".into(), "fe80::/10".into(), "::1".into(), "2001::/16".into()], false),
            (vec![], false),
        ] {
            let read = Networks(networks.iter().map(|network| network.parse().unwrap()).collect());
            assert_eq!(read.are_wide(), expected, "{networks:?}");
        }
    }

    #[test]
    fn what_is_no_network_says_why() {
        for (text, suggestion) in [
            ("192.0.2.1/24", "192.0.2.0/24"),
            ("192.0.2.0/33", ""),
            ("192.0.2.0/+8", ""),
            ("192.0.2.0/", ""),
            ("example.org", ""),
            ("", ""),
        ] {
            assert_eq!(text.parse::<Network>().unwrap_err().suggestion, suggestion, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_the_same(address: IpAddr, prefix in 0u8..=128) {
            let address = address.to_canonical();
            let prefix = if address.is_ipv4() { prefix / 4 } else { prefix };
            let network = masked(address, prefix).and_then(|base| Network::new(base, prefix));
            if let Some(network) = network {
                prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
                prop_assert!(network.contains(address));
            }
        }
    }
}
