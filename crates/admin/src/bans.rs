//! Networks that are refused.

use std::net::IpAddr;
use std::time::Duration;

use settings::Network;

use crate::response::{BanRow, Refusal, Response};
use crate::service::Admin;

impl Admin {
    pub(crate) async fn ban_list(&self) -> Result<Response, Refusal> {
        let row =
            |ban: store::BanRecord| BanRow { network: ban.network, until: ban.until, reason: ban.reason };
        Ok(Response::Bans { bans: self.directory.bans().await?.into_iter().map(row).collect() })
    }

    pub(crate) async fn ban_add(&self, network: &str, hours: u32, reason: &str) -> Result<Response, Refusal> {
        let network = parsed(network)?;
        if hours == 0 || reason.chars().any(char::is_control) {
            return Err(Refusal::new("this ban cannot be kept", "at least an hour, no control characters"));
        }
        let reason = if reason.is_empty() { "by an administrator" } else { reason };
        self.directory.ban(network, Duration::from_secs(u64::from(hours) * 3600), reason).await?;
        Ok(Response::Done { said: format!("{network} is refused for {hours} h") })
    }

    pub(crate) async fn ban_remove(&self, network: &str) -> Result<Response, Refusal> {
        let network = parsed(network)?;
        if !self.directory.pardon(network).await? {
            return Err(Refusal::new(format!("{network} is not banned"), "see the list: waxseal ban list"));
        }
        Ok(Response::Done { said: format!("{network} is let in again") })
    }
}

/// A network as it is written, or the network that a customer has whose address this is: so are bans made.
fn parsed(text: &str) -> Result<Network, Refusal> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Network::of_customer(address));
    }
    text.parse().map_err(|_| {
        Refusal::new(format!("{text:?} is no network"), "such as 192.0.2.0/24, or an address in it")
    })
}
