//! Domains.

use store::Change;

use crate::response::{DomainRow, Refusal, Response};
use crate::service::{Admin, domain};

impl Admin {
    pub(crate) async fn domain_add(&self, name: &str) -> Result<Response, Refusal> {
        let name = domain(name)?;
        if self.store.has_domain(name.as_str()).await? {
            return Err(Refusal::new(format!("the domain {name} is ours already"), ""));
        }
        let at = self.world.clock.wall();
        let mut changes = vec![Change::AddDomain { name: name.to_string(), at }];
        changes.extend(self.new_keys(&name).await);
        self.commit(changes).await?;
        let said = format!(
            "mail for {name} is received here now; add its accounts: waxseal account add NAME@{name}"
        );
        self.dkim_response(&name, said).await
    }

    pub(crate) async fn domain_list(&self) -> Result<Response, Refusal> {
        let accounts = self.store.accounts().await?;
        let aliases = self.store.aliases().await?;
        let row = |name: String| DomainRow {
            accounts: accounts.iter().filter(|account| lies_in(&account.address, &name)).count(),
            aliases: aliases.iter().filter(|alias| lies_in(&alias.address, &name)).count(),
            name,
        };
        let domains = self.store.domains().await?.into_iter().map(|record| row(record.name)).collect();
        Ok(Response::Domains { domains })
    }

    pub(crate) async fn domain_remove(&self, name: &str) -> Result<Response, Refusal> {
        let name = domain(name)?;
        self.require_ours(&name).await?;
        if let Some(account) =
            self.store.accounts().await?.iter().find(|account| lies_in(&account.address, name.as_str()))
        {
            let remedy = format!("remove its accounts first: waxseal account remove {}", account.address);
            return Err(Refusal::new(format!("the domain {name} has accounts"), remedy));
        }
        if let Some(alias) =
            self.store.aliases().await?.iter().find(|alias| lies_in(&alias.address, name.as_str()))
        {
            let remedy = format!("remove its aliases first: waxseal alias remove {}", alias.address);
            return Err(Refusal::new(format!("the domain {name} has aliases"), remedy));
        }
        self.commit(vec![Change::RemoveDomain { name: name.to_string() }]).await?;
        Ok(Response::Done { said: format!("mail for {name} is refused now") })
    }
}

/// Whether an address is of a domain; both in canonical form. A quoted local part may hold an `@`, a domain may not.
fn lies_in(address: &str, domain: &str) -> bool {
    address.rsplit_once('@').is_some_and(|(_, of)| of == domain)
}
