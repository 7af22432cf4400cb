//! Ways to sign in that cost no hash: proofs, certificates, tokens. They go through the same door as passwords.

use store::Error;

use crate::Directory;
use crate::directory::parsed;
use crate::sign_in::{Origin, Principal, SignIn};

impl Directory {
    /// Looks, if the door lets it in, and tells the door how it went. `login` is whom the client says it is.
    pub(crate) async fn through_the_door(
        &self,
        origin: &Origin,
        login: &str,
        look: impl Future<Output = Result<Option<Principal>, Error>>,
    ) -> SignIn {
        if self.admit(origin, login).await.is_err() {
            return SignIn::Later;
        }
        match look.await {
            Ok(found) => {
                self.settle(origin, login, found.is_some()).await;
                found.map_or(SignIn::Refused, SignIn::Accepted)
            }
            Err(error) => SignIn::Unavailable(error),
        }
    }

    /// A client has failed to prove that it has the password, and nobody else was asked. It returns when the reply may be
    /// sent.
    pub async fn disproved(&self, login: &str, origin: &Origin) -> SignIn {
        self.settle(origin, login, false).await;
        SignIn::Refused
    }

    /// Who it is that has this address, if it is the address of an account and the client may act as `acts_as` with it:
    /// acting as another needs a right that nobody has here (RFC 4422 §2).
    pub(crate) async fn principal(&self, address: &str, acts_as: &str) -> Result<Option<Principal>, Error> {
        let Some(address) = self.login(address).await? else { return Ok(None) };
        if !acts_as.is_empty() && self.login(acts_as).await?.as_ref() != Some(&address) {
            return Ok(None);
        }
        let Some(account) = self.store.account_by_address(&address.to_string()).await? else {
            return Ok(None);
        };
        Ok(Some(Principal { account: account.id, address: parsed(&account.address)?, app_password: None }))
    }
}
