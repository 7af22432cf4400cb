//! XCLIENT: whom a listed peer speaks for, and what that makes of the connection.
//!
//! A peer is listed because it is believed. What it says replaces its own address in policy, limits and Received; the account
//! that it names is signed in as if it had shown its password here, with the rights of that account and no others. It may
//! therefore act as any account: only a proxy that checks passwords itself belongs on that list.

use std::net::SocketAddr;
use std::sync::Arc;

use mail::{Address, Reply};
use protocol::smtp::{Answer, Client, Config, Introduced, Said};
use wire::registry::Live;

use crate::arrive::name::ClientName;
use crate::shared::{Connection, Shared};

/// The address and port that a connection from `before` has from now on. What is not said, or not known, stays as it was.
pub(super) fn address(before: SocketAddr, client: &Client) -> SocketAddr {
    let ip = client.address.as_ref().and_then(Said::known).copied();
    let port = client.port.as_ref().and_then(Said::known).copied();
    SocketAddr::new(ip.unwrap_or(before.ip()), port.unwrap_or(before.port()))
}

/// The same connection with what the peer calls the client, if it has said that.
pub(super) fn named(connection: Arc<Connection>, name: Option<&Said<String>>) -> Arc<Connection> {
    let Some(name) = name else { return connection };
    let name = ClientName::told(name.known().map(String::as_str));
    Arc::new(Connection { name, ..Connection::clone(&connection) })
}

/// The answer for a client that is admitted: its account must be one of ours.
pub(super) async fn introduced(
    shared: &Shared,
    live: &Live,
    config: Arc<Config>,
    login: Option<Said<String>>,
) -> Answer {
    let account = match login.as_ref().and_then(Said::known) {
        None => None,
        Some(_) if config.auth.is_empty() => return Answer::Reply(not_believed()),
        Some(login) => match known(shared, login).await {
            Ok(account) => Some(account),
            Err(reply) => return Answer::Reply(reply),
        },
    };
    if let Some(account) = &account {
        live.signed_in(account.to_string());
    }
    Answer::Introduced(Box::new(Introduced { config, account }))
}

/// Of whom we do not know, or who may not say so. XCLIENT's own code for it is 550.
pub(super) fn not_believed() -> Reply {
    Reply::new(550, (5, 7, 1), "this client cannot be spoken for here")
}

async fn known(shared: &Shared, login: &str) -> Result<Address, Reply> {
    let address: Address = login.parse().map_err(|_| not_believed())?;
    let address = address.canonical();
    match shared.store.account_by_address(&address.to_string()).await {
        Ok(Some(_)) => Ok(address),
        Ok(None) => Err(not_believed()),
        Err(error) => Err(crate::replies::failed(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_stays_as_it_was() {
        let check = |client: Client, expected: &str| {
            assert_eq!(address("192.0.2.1:25".parse().unwrap(), &client).to_string(), expected);
        };
        check(Client::default(), "192.0.2.1:25");
        let named = Some(Said::Is("2001:db8::7".parse().unwrap()));
        check(Client { address: named.clone(), ..Client::default() }, "[2001:db8::7]:25");
        check(Client { address: named, port: Some(Said::Is(7)), ..Client::default() }, "[2001:db8::7]:7");
        check(
            Client { address: Some(Said::Unknown), port: Some(Said::Unknown), ..Client::default() },
            "192.0.2.1:25",
        );
    }
}
