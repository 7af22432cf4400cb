//! What the administration asks of the running server.

mod properties;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use admin::{
    AcmeRow, Applying, CertificateRow, ConnectionRow, PressureRow, SettingsChange, SettingsSource, Switch,
    Switching, VirtualServerRow,
};
use settings::ServerState;
use wire::registry::{ConnectionId, Row};

use crate::changes::Changes;
use crate::virtual_servers::{ServiceView, SwitchError, VirtualServers};

/// The live state behind `admin`'s port.
#[derive(Debug)]
pub(crate) struct Running {
    virtual_servers: Arc<VirtualServers>,
    /// None where the settings cannot be changed.
    changes: Option<Arc<Changes>>,
}

impl Running {
    pub(crate) fn new(virtual_servers: Arc<VirtualServers>, changes: Option<Arc<Changes>>) -> Self {
        Self { virtual_servers, changes }
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

    fn pressure(&self) -> Option<PressureRow> {
        let pressure = self.virtual_servers.shared.pressure.now();
        let worst = pressure.worst().copied();
        let others = pressure.gauges().iter().filter(|gauge| worst != Some(**gauge));
        let gauges: Vec<_> = worst.iter().chain(others).map(ToString::to_string).collect();
        (!gauges.is_empty()).then(|| PressureRow { level: pressure.level().to_string(), gauges })
    }

    fn connections(&self) -> Vec<ConnectionRow> {
        self.virtual_servers.registry.list(None).into_iter().map(connection).collect()
    }

    fn terminate(&self, id: u64) -> bool {
        self.virtual_servers.registry.terminate(ConnectionId(id))
    }

    fn terminate_all(&self, virtual_server: &str) -> usize {
        self.virtual_servers.registry.terminate_all(Some(virtual_server))
    }

    fn switch(&self, virtual_server: &str, to: Switch) -> Switching<'_> {
        let (name, to) = (virtual_server.to_owned(), server_state(to));
        Box::pin(async move { self.virtual_servers.switch(&name, to).await.map_err(in_words) })
    }

    fn properties(&self, virtual_server: &str) -> Vec<String> {
        let view = self.virtual_servers.view();
        let found = view.settings.virtual_servers.iter().find(|server| server.name == virtual_server);
        found.map(properties::lines).unwrap_or_default()
    }

    fn operated_by(&self, user: &str) -> Vec<String> {
        let view = self.virtual_servers.view();
        let operated = view
            .settings
            .virtual_servers
            .iter()
            .filter(|server| server.operators.iter().any(|name| name == user));
        operated.map(|server| server.name.clone()).collect()
    }

    fn changes_only(&self, text: &str, virtual_servers: &[String]) -> bool {
        let old = self.virtual_servers.view().settings.clone();
        settings::resolve(text).is_ok_and(|new| crate::apply::changes_only(&old, &new, virtual_servers))
    }

    fn settings_source(&self) -> SettingsSource {
        self.changes.as_ref().map_or(SettingsSource::Down, |changes| changes.source())
    }

    fn apply(&self, change: SettingsChange) -> Applying<'_> {
        Box::pin(async move {
            match &self.changes {
                Some(changes) => changes.apply(change).await,
                None => Err("the settings of this server cannot be changed".to_owned()),
            }
        })
    }
}

fn server_state(to: Switch) -> ServerState {
    match to {
        Switch::Running => ServerState::Running,
        Switch::Paused => ServerState::Paused,
        Switch::Stopped => ServerState::Stopped,
    }
}

fn in_words(error: SwitchError) -> String {
    match error {
        SwitchError::Unknown => "it is gone".to_owned(),
        SwitchError::Stopping => "the server stops".to_owned(),
        SwitchError::Port(address, error) => format!("it cannot listen on {address}: {error}"),
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
        protocol: row.protocol.to_owned(),
        peer: row.peer,
        since: row.since,
        account: row.user.unwrap_or_default(),
        tls: row.tls.map(|tls| tls.version).unwrap_or_default(),
        doing: row.state,
        received: row.received,
        sent: row.sent,
        messages: row.messages,
    }
}
