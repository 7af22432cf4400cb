//! Domains, accounts, aliases.

use bytes::Bytes;
use mail::Timestamp;

use super::{AccountRecord, AliasRecord, DkimKeyRecord, DomainRecord};
use crate::encode::list_from_text;
use crate::sql::{self, Row, values};
use crate::{Error, Store};

impl Store {
    /// Every domain of ours, by name.
    ///
    /// # Errors
    /// When the records cannot be read. The same holds for every read below.
    pub async fn domains(&self) -> Result<Vec<DomainRecord>, Error> {
        let text = "SELECT name, at, alias_of FROM domains";
        let read = |row: &dyn Row| {
            let alias_of = Some(row.text(2)?).filter(|of| !of.is_empty()).map(str::to_owned);
            Ok(DomainRecord { name: row.text(0)?.to_owned(), at: Timestamp(row.int(1)?), alias_of })
        };
        let mut all = self.ask(move |sql| sql::rows(sql, text, &[], read)).await?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Whether this domain is ours.
    pub async fn has_domain(&self, name: &str) -> Result<bool, Error> {
        let name = name.to_owned();
        let text = "SELECT COUNT(*) FROM domains WHERE name = ?1";
        self.ask(move |sql| Ok(sql::number(sql, text, values![&name])? > 0)).await
    }

    /// An account by its number.
    pub async fn account(&self, id: i64) -> Result<Option<AccountRecord>, Error> {
        let text = "SELECT id, address, name, secret, scram, cram, changed FROM accounts WHERE id = ?1";
        self.ask(move |sql| sql::first(sql, text, values![id], account)).await
    }

    /// An account by its canonical address.
    pub async fn account_by_address(&self, address: &str) -> Result<Option<AccountRecord>, Error> {
        let address = address.to_owned();
        let text = "SELECT id, address, name, secret, scram, cram, changed FROM accounts WHERE address = ?1";
        self.ask(move |sql| sql::first(sql, text, values![&address], account)).await
    }

    /// Every account, by address.
    pub async fn accounts(&self) -> Result<Vec<AccountRecord>, Error> {
        let text = "SELECT id, address, name, secret, scram, cram, changed FROM accounts";
        let mut all = self.ask(move |sql| sql::rows(sql, text, &[], account)).await?;
        all.sort_by(|a, b| a.address.cmp(&b.address));
        Ok(all)
    }

    /// An alias by its canonical address.
    pub async fn alias(&self, address: &str) -> Result<Option<AliasRecord>, Error> {
        let address = address.to_owned();
        let text = "SELECT address, targets, at FROM aliases WHERE address = ?1";
        self.ask(move |sql| sql::first(sql, text, values![&address], alias)).await
    }

    /// Every alias, by address.
    pub async fn aliases(&self) -> Result<Vec<AliasRecord>, Error> {
        let text = "SELECT address, targets, at FROM aliases";
        let mut all = self.ask(move |sql| sql::rows(sql, text, &[], alias)).await?;
        all.sort_by(|a, b| a.address.cmp(&b.address));
        Ok(all)
    }

    /// The keys that sign mail of a domain, by selector.
    pub async fn dkim_keys(&self, domain: &str) -> Result<Vec<DkimKeyRecord>, Error> {
        let domain = domain.to_owned();
        let text = "SELECT domain, selector, algorithm, key, at FROM dkim_keys WHERE domain = ?1";
        let mut all = self.ask(move |sql| sql::rows(sql, text, values![&domain], dkim_key)).await?;
        all.sort_by(|a, b| a.selector.cmp(&b.selector));
        Ok(all)
    }
}

fn dkim_key(row: &dyn Row) -> Result<DkimKeyRecord, Error> {
    Ok(DkimKeyRecord {
        domain: row.text(0)?.to_owned(),
        selector: row.text(1)?.to_owned(),
        algorithm: row.text(2)?.to_owned(),
        key: Bytes::copy_from_slice(row.blob(3)?),
        at: Timestamp(row.int(4)?),
    })
}

fn account(row: &dyn Row) -> Result<AccountRecord, Error> {
    Ok(AccountRecord {
        id: row.int(0)?,
        address: row.text(1)?.to_owned(),
        name: row.text(2)?.to_owned(),
        secret: row.text(3)?.to_owned(),
        scram: row.text(4)?.to_owned(),
        cram: row.text(5)?.to_owned(),
        changed: Timestamp(row.int(6)?),
    })
}

fn alias(row: &dyn Row) -> Result<AliasRecord, Error> {
    Ok(AliasRecord {
        address: row.text(0)?.to_owned(),
        targets: list_from_text(row.text(1)?)?,
        at: Timestamp(row.int(2)?),
    })
}
