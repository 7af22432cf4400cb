//! As whom an account may send.

use mail::{Address, ForwardPath};
use store::Error;

use crate::{Directory, Principal, Resolution};

/// What right an account has to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// It is the account's own, or its mail comes to the account: an alias, postmaster.
    Own,
    /// It was given, by itself or with its whole domain.
    Given,
    /// None.
    None,
}

impl Directory {
    /// Whether an account may send as this address. Without case.
    ///
    /// # Errors
    /// The store's: it cannot be said now.
    pub async fn may_send_as(&self, principal: &Principal, address: &Address) -> Result<bool, Error> {
        Ok(self.right_to(principal, address).await? != Right::None)
    }

    /// By which right an account may send as this address, if it may. Without case.
    ///
    /// # Errors
    /// The store's: it cannot be said now.
    pub async fn right_to(&self, principal: &Principal, address: &Address) -> Result<Right, Error> {
        let address = address.canonical();
        if principal.address == address {
            return Ok(Right::Own);
        }
        if let Resolution::Recipients(recipients) =
            self.resolve(&ForwardPath::Address(address.clone())).await?
            && recipients.iter().any(|recipient| recipient.account == principal.account)
        {
            return Ok(Right::Own);
        }
        let (whole, domain) = (address.to_string(), address.domain().map(|domain| format!("@{domain}")));
        let given = self.store.send_as(principal.account).await?;
        let is_given = given.iter().any(|given| *given == whole || Some(given) == domain.as_ref());
        Ok(if is_given { Right::Given } else { Right::None })
    }
}
