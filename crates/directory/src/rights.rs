//! As whom an account may send.

use mail::{Address, ForwardPath};
use store::Error;

use crate::{Directory, Principal, Resolution};

impl Directory {
    /// Whether an account may send as this address: its own, one whose mail it receives (an alias, postmaster), or one that
    /// it was given, or whose domain it was given. Without case.
    ///
    /// # Errors
    /// The store's: it cannot be said now.
    pub async fn may_send_as(&self, principal: &Principal, address: &Address) -> Result<bool, Error> {
        let address = address.canonical();
        if principal.address == address {
            return Ok(true);
        }
        if let Resolution::Recipients(recipients) =
            self.resolve(&ForwardPath::Address(address.clone())).await?
            && recipients.iter().any(|recipient| recipient.account == principal.account)
        {
            return Ok(true);
        }
        let (whole, domain) = (address.to_string(), address.domain().map(|domain| format!("@{domain}")));
        let given = self.store.send_as(principal.account).await?;
        Ok(given.iter().any(|given| *given == whole || Some(given) == domain.as_ref()))
    }
}
