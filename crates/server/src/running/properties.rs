//! What the properties of a virtual server are, a line each, by the names that they have in the settings.

use settings::{ConnectionControl, Networks, VirtualServer};

/// Those that an administrator asks for first; all of them stand in the settings text.
pub(super) fn lines(server: &VirtualServer) -> Vec<String> {
    let VirtualServer { connections, relay, errors, .. } = server;
    let limits =
        [connections.limit, connections.per_source, connections.per_network].map(|most| most.to_string());
    let lines = [
        ("host-name", server.host_name.to_string()),
        ("authentication", some(server.authentication.iter().map(|mechanism| mechanism.name().to_owned()))),
        ("relay", format!("{}; authenticated {}", relayed(relay), on(relay.authenticated))),
        ("message-size-limit", server.message_size_limit.to_string()),
        ("recipients-per-message", server.recipients_per_message.to_string()),
        ("messages-per-connection", server.messages_per_connection.to_string()),
        ("maximum-hop-count", server.maximum_hop_count.to_string()),
        ("connections", format!("{} in all, {} a source, {} a network", limits[0], limits[1], limits[2])),
        ("connection-time-out", server.connection_time_out.to_string()),
        ("connection-control", control(&server.connection_control)),
        (
            "errors",
            format!("slow from {}, closed at {}, tarpit {}", errors.slow, errors.limit, errors.tarpit),
        ),
        ("proxy-protocol", networks(&server.proxy_protocol)),
        ("operators", some(server.operators.iter().cloned())),
        ("when", format!("{} other sets of properties", server.when.len())),
    ];
    lines.into_iter().map(|(name, value)| format!("{name}: {}", mail::printable(&value))).collect()
}

fn on(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

fn some(items: impl Iterator<Item = String>) -> String {
    let items: Vec<_> = items.collect();
    if items.is_empty() { "none".into() } else { items.join(", ") }
}

fn networks(networks: &Networks) -> String {
    some(networks.0.iter().map(ToString::to_string))
}

fn relayed(relay: &settings::Relay) -> String {
    match &relay.except {
        Some(except) => format!("all but {}", networks(except)),
        None => networks(&relay.allow),
    }
}

fn control(control: &ConnectionControl) -> String {
    match control {
        ConnectionControl::All => "all".into(),
        ConnectionControl::Only(patterns) => format!("only {} entries", patterns.len()),
        ConnectionControl::Except(patterns) => format!("all but {} entries", patterns.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_have_the_names_of_the_settings() {
        let text = "host-name = 'mx.example.org'\n[[virtual-server]]\nname = 'internet'\nprotocol = 'smtp'\n\
                    bind = '127.0.0.1:25'\nmessage-size-limit = '7 MiB'\noperators = ['anna']";
        let settings = settings::resolve(text).unwrap();
        let lines = lines(&settings.virtual_servers[0]);
        for expected in ["host-name: mx.example.org", "message-size-limit: 7 MiB", "operators: anna"] {
            assert!(lines.iter().any(|line| line == expected), "{expected}: {lines:?}");
        }
    }
}
