//! What has to be done so that other settings hold: worked out from the two alone.

use std::collections::BTreeSet;

use settings::{Binding, Settings, VirtualServer};

/// The way from the settings in force to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// For each binding of each virtual server of the new settings, in their order: whose port it takes over. None: it has to
    /// be bound.
    pub(crate) ports: Vec<Vec<Option<Port>>>,
    /// Virtual servers that are there no more.
    pub(crate) removed: Vec<String>,
    /// Virtual servers that are new, or different from before.
    pub(crate) changed: Vec<String>,
    /// Keys that are different, but hold from the next start of the program only.
    pub(crate) at_next_start: Vec<&'static str>,
}

/// A port of the settings in force: which virtual server has it, for which of its bindings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port {
    pub(crate) virtual_server: String,
    pub(crate) binding: usize,
}

/// Finds the way. A binding goes on with the port that it had, or that another virtual server had under the same address; so
/// nobody else can take it meanwhile, and connections that wait there are not lost.
pub(crate) fn plan(old: &Settings, new: &Settings) -> Plan {
    let former = |name: &str| old.virtual_servers.iter().find(|server| server.name == name);
    let is_there = |name: &str| new.virtual_servers.iter().any(|server| server.name == name);
    // What concerns all of them is no change of one, but is in each: certificates, trusted networks.
    let everywhere = concerns_all(old) != concerns_all(new);
    let is_changed = |server: &&VirtualServer| everywhere || former(&server.name) != Some(*server);
    let names = |server: &VirtualServer| server.name.clone();
    Plan {
        ports: ports(old, new),
        removed: old.virtual_servers.iter().map(names).filter(|name| !is_there(name)).collect(),
        changed: new.virtual_servers.iter().filter(is_changed).map(names).collect(),
        at_next_start: at_next_start(old, new),
    }
}

/// The settings that are outside of the virtual servers and yet change what their clients see.
fn concerns_all(settings: &Settings) -> impl PartialEq {
    (
        settings.certificates.clone(),
        settings.client_certificate_authorities.clone(),
        settings.trusted_networks.clone(),
        settings.authentication_without_tls.clone(),
    )
}

fn ports(old: &Settings, new: &Settings) -> Vec<Vec<Option<Port>>> {
    let mut given = BTreeSet::new();
    // Equal ones first: a binding of port 0 is known by what else is said of it.
    let mut ports: Vec<Vec<Option<Port>>> = Vec::new();
    for server in &new.virtual_servers {
        let same =
            |binding: &Binding| take(old, &mut given, |other, its| other == server.name && its == binding);
        ports.push(server.bindings.iter().map(same).collect());
    }
    for (server, ports) in new.virtual_servers.iter().zip(&mut ports) {
        for (binding, port) in server.bindings.iter().zip(ports).filter(|(_, port)| port.is_none()) {
            *port = take(old, &mut given, |other, its| {
                its.address == binding.address && (binding.address.port() != 0 || other == server.name)
            });
        }
    }
    ports
}

/// The first port of the settings in force that fits and is not given away yet.
fn take(old: &Settings, given: &mut BTreeSet<Port>, fits: impl Fn(&str, &Binding) -> bool) -> Option<Port> {
    let all = old.virtual_servers.iter().flat_map(|server| {
        let port = |binding| Port { virtual_server: server.name.clone(), binding };
        server.bindings.iter().enumerate().map(move |(place, binding)| (port(place), binding))
    });
    let mut fitting =
        all.filter(|(port, binding)| fits(&port.virtual_server, binding) && !given.contains(port));
    let (port, _) = fitting.next()?;
    given.insert(port.clone());
    Some(port)
}

/// Whether nothing differs but virtual servers of these names, and of them nothing that reaches further: who operates them,
/// who may speak for others, and what names files, which the program reads and writes with its own rights.
pub(crate) fn changes_only(old: &Settings, new: &Settings, names: &[String]) -> bool {
    let rest = |settings: &Settings| Settings { virtual_servers: Vec::new(), ..settings.clone() };
    let reaches_no_further = |(old, new): (&VirtualServer, &VirtualServer)| {
        old == new
            || (old.name == new.name
                && names.contains(&old.name)
                && old.operators == new.operators
                && old.protocol_log == new.protocol_log
                // Who is on these lists speaks for any address, and for any account.
                && old.proxy_protocol == new.proxy_protocol
                && old.xclient == new.xclient
                && old.delivery == new.delivery
                && old.reports == new.reports)
    };
    rest(old) == rest(new)
        && old.virtual_servers.len() == new.virtual_servers.len()
        && old.virtual_servers.iter().zip(&new.virtual_servers).all(reaches_no_further)
}

fn at_next_start(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let keys = [
        ("user", old.user != new.user),
        ("confinement", old.confinement != new.confinement),
        ("log", old.log != new.log),
    ];
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        settings::resolve(&format!("host-name = 'mx.example.org'\n{text}")).unwrap()
    }

    fn server(name: &str, bind: &str, more: &str) -> String {
        format!("[[virtual-server]]\nname = '{name}'\nprotocol = 'smtp'\nbind = [{bind}]\n{more}\n")
    }

    fn port(virtual_server: &str, binding: usize) -> Option<Port> {
        Some(Port { virtual_server: virtual_server.into(), binding })
    }

    #[test]
    fn nothing_is_done_where_nothing_differs() {
        let same = settings(&server("internet", "'127.0.0.1:25', '127.0.0.1:0'", ""));
        let plan = plan(&same, &same);
        assert_eq!(plan.ports, [[port("internet", 0), port("internet", 1)]]);
        assert!(plan.removed.is_empty() && plan.changed.is_empty() && plan.at_next_start.is_empty());
    }

    #[test]
    fn a_property_changes_its_virtual_server_alone_and_no_port() {
        let other = server("other", "'127.0.0.1:26'", "");
        let old = settings(&(server("internet", "'127.0.0.1:25'", "") + &other));
        let new = settings(&(server("internet", "'127.0.0.1:25'", "message-size-limit = '1 MiB'") + &other));
        let plan = plan(&old, &new);
        assert_eq!(plan.changed, ["internet"]);
        assert_eq!(plan.ports, [[port("internet", 0)], [port("other", 0)]]);
    }

    #[test]
    fn what_concerns_all_changes_all() {
        let text = server("internet", "'127.0.0.1:25'", "") + &server("other", "'127.0.0.1:26'", "");
        let plan = plan(&settings(&text), &settings(&format!("trusted-networks = '192.0.2.0/24'\n{text}")));
        assert_eq!(plan.changed, ["internet", "other"]);
    }

    #[test]
    fn ports_go_on_with_whoever_has_their_address() {
        // (before, after, whose port each binding takes over)
        let cases = [
            ("'127.0.0.1:25'", "'127.0.0.1:26'", vec![None]),
            ("'127.0.0.1:25'", "'127.0.0.1:26', '127.0.0.1:25'", vec![None, port("internet", 0)]),
            ("'127.0.0.1:25', '127.0.0.1:26'", "'127.0.0.1:26'", vec![port("internet", 1)]),
            ("'127.0.0.1:25'", "{ address = '127.0.0.1:25', tls = 'implicit' }", vec![port("internet", 0)]),
            // Of two that took a free port, each goes on as what it was.
            (
                "'127.0.0.1:0', { address = '127.0.0.1:0', tls = 'implicit' }",
                "{ address = '127.0.0.1:0', tls = 'implicit' }, '127.0.0.1:0'",
                vec![port("internet", 1), port("internet", 0)],
            ),
        ];
        for (before, after, expected) in cases {
            let (old, new) =
                (settings(&server("internet", before, "")), settings(&server("internet", after, "")));
            assert_eq!(plan(&old, &new).ports, [expected], "{before} -> {after}");
        }
    }

    #[test]
    fn another_virtual_server_takes_over_a_port_but_no_free_one() {
        let old = settings(&server("old", "'127.0.0.1:25', '127.0.0.1:0'", ""));
        let new = settings(&server("new", "'127.0.0.1:25', '127.0.0.1:0'", ""));
        let plan = plan(&old, &new);
        assert_eq!(plan.ports, [[port("old", 0), None]]);
        assert_eq!((plan.removed, plan.changed), (vec!["old".to_owned()], vec!["new".to_owned()]));
    }

    #[test]
    fn an_operator_changes_his_section_and_nothing_that_reaches_further() {
        let office = |more: &str| server("office", "'127.0.0.1:25'", more);
        let internet = |more: &str| server("internet", "'127.0.0.1:26'", more);
        let old = settings(&(office("operators = ['anna']") + &internet("")));
        for (new, expected) in [
            (office("operators = ['anna']\nmessage-size-limit = '1 MiB'") + &internet(""), true),
            (office("operators = ['anna']") + &internet("message-size-limit = '1 MiB'"), false),
            (office("operators = ['anna', 'berta']") + &internet(""), false),
            (office("operators = ['anna']\nprotocol-log = { file = '/tmp/log' }") + &internet(""), false),
            (office("operators = ['anna']\nxclient = '192.0.2.1'") + &internet(""), false),
            (office("operators = ['anna']\nproxy-protocol = '192.0.2.1'") + &internet(""), false),
            (
                office("operators = ['anna']\ndelivery = { smart-host = 'relay.example' }") + &internet(""),
                false,
            ),
            (office("operators = ['anna']"), false),
            (
                format!(
                    "trusted-networks = '192.0.2.0/24'\n{}{}",
                    office("operators = ['anna']"),
                    internet("")
                ),
                false,
            ),
        ] {
            assert_eq!(changes_only(&old, &settings(&new), &["office".into()]), expected, "{new}");
        }
    }

    #[test]
    fn what_waits_for_the_next_start_is_named() {
        let plan = plan(&settings(""), &settings("log.level = 'debug'"));
        assert_eq!(plan.at_next_start, ["log"]);
    }
}
