//! Domains.

use store::Change;

use crate::response::{DomainRow, Refusal, Response};
use crate::service::{Admin, domain};

impl Admin {
    pub(crate) async fn domain_add(&self, name: &str, alias_of: Option<&str>) -> Result<Response, Refusal> {
        let name = domain(name)?;
        if self.store.has_domain(name.as_str()).await? {
            return Err(Refusal::new(format!("the domain {name} is ours already"), ""));
        }
        let at = self.world.clock.wall();
        let (first, said) = match alias_of {
            None => (
                Change::AddDomain { name: name.to_string(), at },
                format!(
                    "mail for {name} is received here now; add its accounts: waxseal account add NAME@{name}"
                ),
            ),
            Some(of) => {
                let of = self.domain_itself(of).await?;
                let said = format!("mail for {name} goes to the same names at {of} now");
                (Change::AddAliasDomain { name: name.to_string(), of, at }, said)
            }
        };
        let mut changes = vec![first];
        changes.extend(self.new_keys(&name).await);
        self.commit(changes).await?;
        self.dkim_response(&name, said).await
    }

    /// A domain of ours that stands for itself.
    async fn domain_itself(&self, name: &str) -> Result<String, Refusal> {
        let name = domain(name)?;
        self.require_ours(&name).await?;
        let records = self.store.domains().await?;
        match records.into_iter().find(|record| record.name == name.as_str()).and_then(|it| it.alias_of) {
            None => Ok(name.to_string()),
            Some(of) => {
                let remedy = format!("say: --alias-of {of}");
                Err(Refusal::new(format!("{name} stands for {of} itself"), remedy))
            }
        }
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
        let records = self.store.domains().await?;
        if let Some(alias) = records.iter().find(|record| record.alias_of.as_deref() == Some(name.as_str())) {
            let remedy = format!("remove that first: waxseal domain remove {}", alias.name);
            return Err(Refusal::new(format!("the domain {} stands for {name}", alias.name), remedy));
        }
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
