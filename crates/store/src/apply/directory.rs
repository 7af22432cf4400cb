//! Domains, accounts and aliases.

use mail::Timestamp;

use super::Apply;
use crate::Error;
use crate::change::{Applied, Change};
use crate::encode::{domain_of, list_to_text};
use crate::read::DkimKeyRecord;
use crate::sql::{self, values};

/// What goes with an account, beside its mailboxes.
const OF_AN_ACCOUNT: [&str; 8] = [
    "DELETE FROM subscriptions WHERE account = ?1",
    "DELETE FROM app_passwords WHERE account = ?1",
    "DELETE FROM send_as WHERE account = ?1",
    "DELETE FROM certificates_of WHERE account = ?1",
    "DELETE FROM sending WHERE account = ?1",
    "DELETE FROM correspondents WHERE account = ?1",
    "DELETE FROM holds WHERE account = ?1",
    "DELETE FROM held_messages WHERE account = ?1",
];

impl Apply<'_> {
    pub(super) fn directory(&mut self, change: &Change) -> Result<Applied, Error> {
        self.books.touched.directory = true;
        match change {
            Change::AddDomain { name, at } => self.add_domain(name, *at),
            Change::AddAliasDomain { name, of, at } => self.add_alias_domain(name, of, *at),
            Change::RemoveDomain { name } => self.remove_domain(name),
            Change::AddAccount { address, name, secret, scram, at } => {
                self.add_account(address, name, (secret, scram), *at)
            }
            Change::SetSecret { account, secret, scram, at } => {
                self.set_secret(*account, (secret, scram), *at)
            }
            Change::SetScram { account, secret, scram } => {
                let text = "UPDATE accounts SET scram = ?3 WHERE id = ?1 AND secret = ?2 AND scram = ''";
                self.sql.execute(text, values![*account, secret, scram])?;
                Ok(Applied::Done)
            }
            Change::RemoveAccount { account } => self.remove_account(*account),
            Change::AddAlias { address, targets, at } => self.add_alias(address, targets, *at),
            Change::RemoveAlias { address } => {
                let removed = self.sql.execute("DELETE FROM aliases WHERE address = ?1", values![address])?;
                changed_one(removed, || format!("there is no alias {address}"))
            }
            Change::AddDkimKey { domain, selector, algorithm, key, at } => {
                self.add_dkim_key(&DkimKeyRecord {
                    domain: domain.clone(),
                    selector: selector.clone(),
                    algorithm: algorithm.clone(),
                    key: key.clone(),
                    at: *at,
                })
            }
            Change::RemoveDkimKey { domain, selector } => {
                let text = "DELETE FROM dkim_keys WHERE domain = ?1 AND selector = ?2";
                let removed = self.sql.execute(text, values![domain, selector])?;
                changed_one(removed, || format!("{domain} has no key {selector}"))
            }
            _ => unreachable!("the caller chose by kind"),
        }
    }

    fn add_domain(&mut self, name: &str, at: Timestamp) -> Result<Applied, Error> {
        if self.count("SELECT COUNT(*) FROM domains WHERE name = ?1", name)? > 0 {
            return Err(Error::Conflict(format!("there is a domain {name} already")));
        }
        self.sql.execute("INSERT INTO domains (name, at) VALUES (?1, ?2)", values![name, at.0])?;
        Ok(Applied::Done)
    }

    fn add_alias_domain(&mut self, name: &str, of: &str, at: Timestamp) -> Result<Applied, Error> {
        self.require_domain(of)?;
        self.add_domain(name, at)?;
        self.sql.execute("UPDATE domains SET alias_of = ?2 WHERE name = ?1", values![name, of])?;
        Ok(Applied::Done)
    }

    fn remove_domain(&mut self, name: &str) -> Result<Applied, Error> {
        if self.count("SELECT COUNT(*) FROM accounts WHERE domain = ?1", name)? > 0
            || self.count("SELECT COUNT(*) FROM aliases WHERE domain = ?1", name)? > 0
        {
            return Err(Error::Conflict(format!("the domain {name} has accounts or aliases")));
        }
        if self.count("SELECT COUNT(*) FROM domains WHERE alias_of = ?1", name)? > 0 {
            return Err(Error::Conflict(format!("another domain stands for {name}")));
        }
        self.sql.execute("DELETE FROM dkim_keys WHERE domain = ?1", values![name])?;
        let removed = self.sql.execute("DELETE FROM domains WHERE name = ?1", values![name])?;
        changed_one(removed, || format!("there is no domain {name}"))
    }

    fn add_account(
        &mut self,
        address: &str,
        name: &str,
        (secret, scram): (&str, &str),
        at: Timestamp,
    ) -> Result<Applied, Error> {
        self.require_free(address)?;
        let id = self.new_id();
        self.sql.execute(
            "INSERT INTO accounts (id, address, domain, name, secret, scram, changed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            values![id, address, domain_of(address), name, secret, scram, at.0],
        )?;
        Ok(Applied::Made(id))
    }

    fn set_secret(
        &mut self,
        account: i64,
        (secret, scram): (&str, &str),
        at: Timestamp,
    ) -> Result<Applied, Error> {
        let changed = self.sql.execute(
            "UPDATE accounts SET secret = ?2, scram = ?3, cram = '', changed = ?4 WHERE id = ?1",
            values![account, secret, scram, at.0],
        )?;
        changed_one(changed, || format!("there is no account {account}"))
    }

    pub(super) fn set_cram(&mut self, account: i64, secret: &str, cram: &str) -> Result<Applied, Error> {
        self.books.touched.directory = true;
        let text = "UPDATE accounts SET cram = ?3 WHERE id = ?1 AND secret = ?2";
        self.sql.execute(text, values![account, secret, cram])?;
        Ok(Applied::Done)
    }

    fn remove_account(&mut self, account: i64) -> Result<Applied, Error> {
        let mailboxes =
            sql::rows(self.sql, "SELECT id FROM mailboxes WHERE account = ?1", values![account], |row| {
                Ok(row.int(0)?)
            })?;
        for mailbox in mailboxes {
            self.remove_mailbox(mailbox)?;
        }
        for text in OF_AN_ACCOUNT {
            self.sql.execute(text, values![account])?;
        }
        let removed = self.sql.execute("DELETE FROM accounts WHERE id = ?1", values![account])?;
        changed_one(removed, || format!("there is no account {account}"))
    }

    fn add_alias(&mut self, address: &str, targets: &[String], at: Timestamp) -> Result<Applied, Error> {
        self.require_free(address)?;
        self.sql.execute(
            "INSERT INTO aliases (address, domain, targets, at) VALUES (?1, ?2, ?3, ?4)",
            values![address, domain_of(address), &list_to_text(targets), at.0],
        )?;
        Ok(Applied::Done)
    }

    fn add_dkim_key(&mut self, record: &DkimKeyRecord) -> Result<Applied, Error> {
        let DkimKeyRecord { domain, selector, algorithm, key, at } = record;
        if self.count("SELECT COUNT(*) FROM domains WHERE name = ?1", domain)? == 0 {
            return Err(Error::Conflict(format!("there is no domain {domain}")));
        }
        let added = self.sql.execute(
            "INSERT INTO dkim_keys (domain, selector, algorithm, key, at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (domain, selector) DO NOTHING",
            values![domain, selector, algorithm, key, at.0],
        )?;
        changed_one(added, || format!("{domain} has a key {selector} already"))
    }

    /// A new address must be of a domain of ours, and nobody's.
    fn require_free(&mut self, address: &str) -> Result<(), Error> {
        self.require_domain(domain_of(address))?;
        if self.count("SELECT COUNT(*) FROM accounts WHERE address = ?1", address)? > 0
            || self.count("SELECT COUNT(*) FROM aliases WHERE address = ?1", address)? > 0
        {
            return Err(Error::Conflict(format!("the address {address} is taken")));
        }
        Ok(())
    }

    /// A domain of ours that stands for itself.
    fn require_domain(&mut self, name: &str) -> Result<(), Error> {
        if self.count("SELECT COUNT(*) FROM domains WHERE name = ?1", name)? == 0 {
            return Err(Error::Conflict(format!("there is no domain {name}")));
        }
        if self.count("SELECT COUNT(*) FROM domains WHERE name = ?1 AND alias_of <> ''", name)? > 0 {
            return Err(Error::Conflict(format!("the domain {name} stands for another")));
        }
        Ok(())
    }

    fn count(&mut self, text: &'static str, value: &str) -> Result<i64, Error> {
        sql::number(self.sql, text, values![value])
    }
}

/// A change of one row that must be there.
pub(super) fn changed_one(rows: u64, otherwise: impl FnOnce() -> String) -> Result<Applied, Error> {
    if rows == 1 { Ok(Applied::Done) } else { Err(Error::Conflict(otherwise())) }
}
