//! Every key there is. A key that is not here is a mistake; the reference page is made from this slice.

mod delivery;
mod server;
mod system;

/// A key and its manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Where it may stand.
    pub section: Section,
    /// As it is written.
    pub name: &'static str,
    /// What may stand behind it, for people.
    pub kind: &'static str,
    /// What holds if it is not there, for people.
    pub default: &'static str,
    /// A value, as it is written.
    pub example: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// Where a key may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// At the top.
    Top,
    /// `[tls]`
    Tls,
    /// An entry of `certificates`.
    Certificate,
    /// `acme` of `[tls]`
    Acme,
    /// `[sign-in]`
    SignIn,
    /// `[oauth]`
    OAuth,
    /// `[fetch]`
    Fetch,
    /// `[back-pressure]`
    BackPressure,
    /// `[pickup]`
    Pickup,
    /// `[[virtual-server]]` alone.
    VirtualServer,
    /// `[[virtual-server]]`, and `[defaults]` for all of them.
    Property,
    /// `connection-control` of `[[virtual-server]]` and `[defaults]`
    ConnectionControl,
    /// An entry of `bind` written as a table.
    Binding,
    /// `[[virtual-server.when]]`, beside properties
    When,
    /// `connections`
    Connections,
    /// `errors` of `[[virtual-server]]` and `[defaults]`
    Errors,
    /// `commands`
    Commands,
    /// `keywords` of `[[virtual-server]]` and `[defaults]`
    Keywords,
    /// `relay`
    Relay,
    /// `sending` of `[[virtual-server]]` and `[defaults]`
    Sending,
    /// `protocol-log`
    ProtocolLog,
    /// `reports` of `[[virtual-server]]` and `[defaults]`
    ReportsOfServer,
    /// `[delivery]`
    Delivery,
    /// `[delivery.local]`
    LocalDelivery,
    /// `connections` of `[delivery]`
    OutboundConnections,
    /// `authentication` of `[delivery]` and `[[remote-domain]]`
    OutboundSignIn,
    /// `masquerade` of `[delivery]` and `[[remote-domain]]`
    Masquerade,
    /// `[[remote-domain]]`
    RemoteDomain,
    /// `[[local-domain]]`
    LocalDomain,
    /// `[reports]`
    Reports,
    /// `[journal]`
    Journal,
    /// `[log]`
    Log,
}

impl Section {
    /// How the manual calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Top => "At the top",
            Self::Tls => "`[tls]`",
            Self::Certificate => "`certificates` of `[tls]`",
            Self::Acme => "`acme` of `[tls]`",
            Self::SignIn => "`[sign-in]`",
            Self::OAuth => "`[oauth]`",
            Self::Fetch => "`[fetch]`",
            Self::BackPressure => "`[back-pressure]`",
            Self::Pickup => "`[pickup]`",
            Self::VirtualServer => "`[[virtual-server]]`",
            Self::Binding => "`bind` of `[[virtual-server]]`, written as a table",
            Self::When => "`[[virtual-server.when]]`, beside properties",
            Self::Property => {
                "`[[virtual-server]]`, `[[virtual-server.when]]`, and `[defaults]` for all of them"
            }
            Self::ConnectionControl => "`connection-control` of `[[virtual-server]]` and `[defaults]`",
            Self::Relay => "`relay` of `[[virtual-server]]` and `[defaults]`",
            Self::Sending => "`sending` of `[[virtual-server]]` and `[defaults]`",
            Self::Connections => "`connections` of `[[virtual-server]]` and `[defaults]`",
            Self::Errors => "`errors` of `[[virtual-server]]` and `[defaults]`",
            Self::Commands => "`commands` of `[[virtual-server]]` and `[defaults]`",
            Self::Keywords => "`keywords` of `[[virtual-server]]` and `[defaults]`",
            Self::ProtocolLog => "`protocol-log` of `[[virtual-server]]` and `[defaults]`",
            Self::ReportsOfServer => "`reports` of `[[virtual-server]]` and `[defaults]`",
            Self::Delivery => "`[delivery]`",
            Self::LocalDelivery => "`[delivery.local]`",
            Self::OutboundConnections => "`connections` of `[delivery]`",
            Self::OutboundSignIn => "`authentication` of `[delivery]` and `[[remote-domain]]`",
            Self::Masquerade => "`masquerade` of `[delivery]` and `[[remote-domain]]`",
            Self::RemoteDomain => "`[[remote-domain]]`",
            Self::LocalDomain => "`[[local-domain]]`",
            Self::Reports => "`[reports]`",
            Self::Journal => "`[journal]`",
            Self::Log => "`[log]`",
        }
    }
}

/// Every key, in the order of the manual.
pub static KEYS: &[Key] = &ALL;

const PARTS: [&[Key]; 3] = [system::KEYS, server::KEYS, delivery::KEYS];
static ALL: [Key; PARTS[0].len() + PARTS[1].len() + PARTS[2].len()] = joined();

const fn joined<const N: usize>() -> [Key; N] {
    let mut all = [PARTS[0][0]; N];
    let (mut at, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut key = 0;
        while key < PARTS[part].len() {
            all[at] = PARTS[part][key];
            at += 1;
            key += 1;
        }
        part += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_documented_and_unique() {
        let mut seen = BTreeSet::new();
        for key in KEYS {
            assert!(seen.insert((key.section, key.name)), "{key:?}");
            assert!(
                key.doc.ends_with('.')
                    && !key.kind.is_empty()
                    && !key.default.is_empty()
                    && !key.example.is_empty(),
                "{key:?}"
            );
        }
    }
}
