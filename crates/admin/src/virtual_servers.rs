//! The virtual servers and the sessions in them.

use crate::operators::Rights;
use crate::request::Switch;
use crate::running::{ConnectionRow, VirtualServerRow};
use crate::{Admin, Caller, Refusal, Response};

impl Admin {
    pub(crate) fn virtual_server_list(&self, rights: &Rights) -> Response {
        let mut virtual_servers = self.running.virtual_servers();
        virtual_servers.retain(|row| rights.cover(&row.name));
        Response::VirtualServers { virtual_servers }
    }

    pub(crate) fn virtual_server_show(&self, name: &str) -> Result<Response, Refusal> {
        let virtual_server = self.virtual_server(name)?;
        let properties = self.running.properties(name);
        Ok(Response::VirtualServer { virtual_server, properties })
    }

    pub(crate) async fn virtual_server_switch(
        &self,
        name: &str,
        to: Switch,
        caller: &Caller,
    ) -> Result<Response, Refusal> {
        let before = self.virtual_server(name)?.state;
        self.running.switch(name, to).await.map_err(|why| Refusal::new(why, ""))?;
        let user = mail::printable(&caller.user);
        tracing::info!(
            by = user,
            virtual_server = name,
            from = before,
            to = to.state(),
            "a virtual server was switched"
        );
        Ok(Response::Done { said: format!("{name} is {}", to.state()) })
    }

    pub(crate) fn connection_list(&self, rights: &Rights) -> Response {
        let mut connections = self.running.connections();
        connections.retain(|row| rights.cover(&row.virtual_server));
        Response::Connections { connections }
    }

    pub(crate) fn terminate(&self, id: u64, caller: &Caller) -> Result<Response, Refusal> {
        let ended = self.running.connections().into_iter().find(|row| row.id == id);
        let Some(ConnectionRow { virtual_server, peer, account, .. }) =
            ended.filter(|_| self.running.terminate(id))
        else {
            return Err(Refusal::new(
                format!("there is no connection {id}"),
                "see the list: waxseal sessions",
            ));
        };
        let user = mail::printable(&caller.user);
        tracing::info!(by = user, virtual_server, id, %peer, account, "a session was ended");
        Ok(Response::Done { said: format!("connection {id} is being ended") })
    }

    pub(crate) fn terminate_all(&self, virtual_server: &str, caller: &Caller) -> Result<Response, Refusal> {
        let name = self.virtual_server(virtual_server)?.name;
        let count = self.running.terminate_all(&name);
        tracing::info!(
            by = mail::printable(&caller.user),
            virtual_server = name,
            count,
            "all sessions were ended"
        );
        let plural = if count == 1 { "connection is" } else { "connections are" };
        Ok(Response::Done { said: format!("{count} {plural} being ended") })
    }

    fn virtual_server(&self, name: &str) -> Result<VirtualServerRow, Refusal> {
        let found = self.running.virtual_servers().into_iter().find(|row| row.name == name);
        let remedy = "see the list: waxseal virtual-server list";
        found.ok_or_else(|| Refusal::new(format!("there is no virtual server {name:?} here"), remedy))
    }
}
