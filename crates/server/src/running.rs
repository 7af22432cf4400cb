//! What the administration asks of the running server.

use std::sync::Arc;

use admin::{ConnectionRow, VirtualServerRow};
use settings::{Settings, VirtualServer};
use wire::registry::{ConnectionId, Registry, Row};

/// The live state behind `admin`'s port.
#[derive(Debug)]
pub(crate) struct Running {
    registry: Arc<Registry>,
    servers: Vec<VirtualServer>,
}

impl Running {
    pub(crate) fn new(registry: Arc<Registry>, settings: &Settings) -> Self {
        Self { registry, servers: settings.virtual_servers.clone() }
    }
}

impl admin::Running for Running {
    fn virtual_servers(&self) -> Vec<VirtualServerRow> {
        let row = |server: &VirtualServer| VirtualServerRow {
            name: server.name.clone(),
            protocol: server.protocol.name().to_owned(),
            bindings: server.bindings.iter().map(|binding| binding.address.to_string()).collect(),
            state: "running".into(),
            connections: self.registry.list(Some(&server.name)).len(),
        };
        self.servers.iter().map(row).collect()
    }

    fn connections(&self) -> Vec<ConnectionRow> {
        self.registry.list(None).into_iter().map(connection).collect()
    }

    fn terminate(&self, id: u64) -> bool {
        self.registry.terminate(ConnectionId(id))
    }
}

fn connection(row: Row) -> ConnectionRow {
    ConnectionRow {
        id: row.id.0,
        virtual_server: row.virtual_server.to_string(),
        peer: row.peer,
        since: row.since,
        account: row.user.unwrap_or_default(),
        tls: row.tls.map(|tls| tls.version).unwrap_or_default(),
        doing: row.state,
    }
}
