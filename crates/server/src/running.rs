//! What the administration asks of the running server.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use admin::{AcmeRow, CertificateRow, ConnectionRow, VirtualServerRow};
use settings::ServerState;
use wire::registry::{ConnectionId, Row};

use crate::virtual_servers::{ServiceView, VirtualServers};

/// The live state behind `admin`'s port.
#[derive(Debug)]
pub(crate) struct Running {
    virtual_servers: Arc<VirtualServers>,
}

impl Running {
    pub(crate) fn new(virtual_servers: Arc<VirtualServers>) -> Self {
        Self { virtual_servers }
    }
}

impl admin::Running for Running {
    fn virtual_servers(&self) -> Vec<VirtualServerRow> {
        let registry = &self.virtual_servers.registry;
        let row = |service: &ServiceView| VirtualServerRow {
            name: service.name.clone(),
            protocol: service.protocol.name().to_owned(),
            bindings: service.doors.iter().map(|door| door.address.to_string()).collect(),
            state: state(service.state).to_owned(),
            connections: registry.list(Some(&service.name)).len(),
        };
        self.virtual_servers.view().services.iter().map(row).collect()
    }

    fn certificates(&self) -> Vec<CertificateRow> {
        self.virtual_servers.certificates.rows()
    }

    fn acme(&self) -> Option<AcmeRow> {
        self.virtual_servers.certificates.acme_row()
    }

    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<String, String>> + Send + '_>> {
        let reloaded = self.virtual_servers.certificates.reload();
        Box::pin(async { reloaded.await.map_err(|error| format!("{error:#}")) })
    }

    fn connections(&self) -> Vec<ConnectionRow> {
        self.virtual_servers.registry.list(None).into_iter().map(connection).collect()
    }

    fn terminate(&self, id: u64) -> bool {
        self.virtual_servers.registry.terminate(ConnectionId(id))
    }
}

fn state(state: ServerState) -> &'static str {
    match state {
        ServerState::Running => "running",
        ServerState::Paused => "paused",
        ServerState::Stopped => "stopped",
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
