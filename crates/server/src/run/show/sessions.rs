//! Virtual servers, and the sessions in them.

use admin::{ConnectionRow, VirtualServerRow};

use super::table::table;
use super::time;

/// `waxseal virtual-server list`, and a part of `waxseal status`.
pub(super) fn virtual_servers(rows: &[VirtualServerRow]) -> String {
    let head = ["virtual server", "protocol", "state", "connections", "listens on"];
    table(&head, rows, |row| {
        let connections = row.connections.to_string();
        vec![row.name.clone(), row.protocol.clone(), row.state.clone(), connections, row.bindings.join(", ")]
    })
}

/// `waxseal virtual-server show`.
pub(super) fn virtual_server(row: &VirtualServerRow, properties: &[String]) -> String {
    let properties: String = properties.iter().map(|line| format!("  {line}\n")).collect();
    format!("{}\n{properties}", virtual_servers(std::slice::from_ref(row)))
}

/// `waxseal sessions`.
pub(super) fn connections(rows: &[ConnectionRow]) -> String {
    if rows.is_empty() {
        return "Nobody is connected.\n".into();
    }
    let head =
        ["id", "virtual server", "protocol", "peer", "since", "user", "tls", "in", "out", "messages", "does"];
    table(&head, rows, |row| {
        vec![
            row.id.to_string(),
            row.virtual_server.clone(),
            row.protocol.clone(),
            row.peer.to_string(),
            time::moment(row.since),
            mail::printable(&row.account),
            row.tls.clone(),
            row.received.to_string(),
            row.sent.to_string(),
            row.messages.to_string(),
            mail::printable(&row.doing),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use mail::Timestamp;

    #[test]
    fn sessions_are_shown_with_all_that_is_known() {
        let row = ConnectionRow {
            id: 7,
            virtual_server: "internet".into(),
            protocol: "smtp".into(),
            peer: "192.0.2.1:4711".parse().unwrap(),
            since: Timestamp(1_795_348_800_000),
            account: "ann@example.org".into(),
            tls: "TLS1.3".into(),
            doing: "waits".into(),
            received: 120,
            sent: 3400,
            messages: 2,
        };
        expect![[r#"
            id  virtual server  protocol  peer            since                    user             tls     in   out   messages  does
            7   internet        smtp      192.0.2.1:4711  2026-11-22 12:00:00 UTC  ann@example.org  TLS1.3  120  3400  2         waits
        "#]]
        .assert_eq(&connections(&[row]));
        assert_eq!(connections(&[]), "Nobody is connected.\n");
    }
}
