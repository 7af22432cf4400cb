//! Aliases.

use std::collections::BTreeSet;

use directory::Resolution;
use directory::limits::ALIAS_MEMBERS_MAX;
use mail::{Address, ForwardPath};
use store::Change;

use crate::response::{AliasRow, Refusal, Response};
use crate::service::{Admin, address};

impl Admin {
    pub(crate) async fn alias_add(&self, alias: &str, targets: &[String]) -> Result<Response, Refusal> {
        let alias = self.our_address(alias).await?;
        self.require_free(&alias).await?;
        let targets = self.targets(targets).await?;
        let at = self.world.clock.wall();
        let change = Change::AddAlias { address: alias.to_string(), targets: targets.clone(), at };
        self.commit(vec![change]).await?;
        Ok(Response::Done { said: format!("mail for {alias} goes to {} now", targets.join(", ")) })
    }

    pub(crate) async fn alias_list(&self) -> Result<Response, Refusal> {
        let aliases = self.store.aliases().await?.into_iter();
        let aliases = aliases.map(|record| AliasRow { address: record.address, targets: record.targets });
        Ok(Response::Aliases { aliases: aliases.collect() })
    }

    pub(crate) async fn alias_remove(&self, alias: &str) -> Result<Response, Refusal> {
        let alias = address(alias)?;
        if self.store.alias(&alias.to_string()).await?.is_none() {
            return Err(Refusal::new(
                format!("there is no alias {alias}"),
                "see the list: waxseal alias list",
            ));
        }
        self.commit(vec![Change::RemoveAlias { address: alias.to_string() }]).await?;
        Ok(Response::Done { said: format!("the alias {alias} is gone") })
    }

    async fn targets(&self, texts: &[String]) -> Result<Vec<String>, Refusal> {
        if texts.is_empty() || texts.len() >= ALIAS_MEMBERS_MAX {
            let message = format!("an alias leads to 1 to {} addresses", ALIAS_MEMBERS_MAX - 1);
            return Err(Refusal::new(message, "name them after the alias"));
        }
        let mut targets = BTreeSet::new();
        for text in texts {
            let target = address(text)?;
            self.require_target(&target).await?;
            targets.insert(target.to_string());
        }
        Ok(targets.into_iter().collect())
    }

    /// What an alias leads to must receive mail already.
    async fn require_target(&self, target: &Address) -> Result<(), Refusal> {
        match self.directory.resolve(&ForwardPath::Address(target.clone())).await? {
            Resolution::Recipients(_) => Ok(()),
            Resolution::UnknownHere | Resolution::Unattended => {
                let remedy = format!("add it first: waxseal account add {target}");
                Err(Refusal::new(format!("{target} leads to no account"), remedy))
            }
            Resolution::NotLocal | Resolution::HandedOn => {
                let message = format!("{target} has no mailbox here, and aliases lead to mailboxes here");
                Err(Refusal::new(message, "choose an address of an account"))
            }
        }
    }
}
