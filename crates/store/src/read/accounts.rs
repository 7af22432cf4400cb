//! What accounts may do beside receiving mail, and what they sent.

use std::fmt;

use mail::{QueueId, Timestamp};

use crate::sql::{self, Row, narrow, values};
use crate::{Error, Store};

/// A password of an account for one program. `Debug` does not show its verifier.
#[derive(Clone, PartialEq, Eq)]
pub struct AppPasswordRecord {
    /// Its number.
    pub id: i64,
    /// What the person calls it.
    pub name: String,
    /// Its verifier, as the directory wrote it.
    pub secret: String,
    /// What it is for, as the directory wrote it.
    pub scope: String,
    /// Since when.
    pub created: Timestamp,
    /// From when it is good for nothing; none: never.
    pub expires: Option<Timestamp>,
    /// When it was used last, within an hour; none: never.
    pub last_used: Option<Timestamp>,
}

impl fmt::Debug for AppPasswordRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, secret: _, scope, created, expires, last_used } = self;
        write!(f, "AppPasswordRecord({id} {name:?}, {scope}, {created:?}, {expires:?}, {last_used:?})")
    }
}

/// What an account sent in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendingRecord {
    /// Hours since 1970.
    pub hour: i64,
    /// Messages.
    pub messages: u64,
    /// Recipients of them.
    pub recipients: u64,
}

/// An account whose messages stay on hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRecord {
    /// Whose.
    pub account: i64,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
}

/// A network that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BanRecord {
    /// Its first address and the length of its prefix.
    pub network: String,
    /// Until when, this moment not included.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

impl Store {
    /// The app passwords of an account, by name.
    ///
    /// # Errors
    /// When the records cannot be read. The same holds for every read below.
    pub async fn app_passwords(&self, account: i64) -> Result<Vec<AppPasswordRecord>, Error> {
        let text = "SELECT id, name, secret, scope, created, expires, last_used FROM app_passwords
            WHERE account = ?1";
        let mut all = self.ask(move |sql| sql::rows(sql, text, values![account], app_password)).await?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// As what an account may send beside its own addresses: `local@domain` or `@domain`, sorted.
    pub async fn send_as(&self, account: i64) -> Result<Vec<String>, Error> {
        self.texts("SELECT address FROM send_as WHERE account = ?1", account).await
    }

    /// The names of an account's certificates, sorted.
    pub async fn certificates_of(&self, account: i64) -> Result<Vec<String>, Error> {
        self.texts("SELECT name FROM certificates_of WHERE account = ?1", account).await
    }

    async fn texts(&self, text: &'static str, account: i64) -> Result<Vec<String>, Error> {
        let read = |row: &dyn Row| Ok(row.text(0)?.to_owned());
        let mut all = self.ask(move |sql| sql::rows(sql, text, values![account], read)).await?;
        all.sort();
        Ok(all)
    }

    /// The accounts that a certificate of this name opens, in their order.
    pub async fn accounts_of_certificate(&self, name: &str) -> Result<Vec<i64>, Error> {
        let name = name.to_owned();
        let text = "SELECT account FROM certificates_of WHERE name = ?1 ORDER BY account";
        self.ask(move |sql| sql::rows(sql, text, values![&name], |row| Ok(row.int(0)?))).await
    }

    /// What an account sent from this hour (since 1970) on, by hour. Hours in which it sent nothing are not there.
    pub async fn sending(&self, account: i64, from: i64) -> Result<Vec<SendingRecord>, Error> {
        let text = "SELECT hour, messages, recipients FROM sending WHERE account = ?1 AND hour >= ?2
            ORDER BY hour";
        let read = |row: &dyn Row| {
            Ok(SendingRecord {
                hour: row.int(0)?,
                messages: narrow(row.int(1)?)?,
                recipients: narrow(row.int(2)?)?,
            })
        };
        self.ask(move |sql| sql::rows(sql, text, values![account, from], read)).await
    }

    /// To how many an account wrote for the first time since then.
    pub async fn new_correspondents(&self, account: i64, since: Timestamp) -> Result<u64, Error> {
        let text = "SELECT COUNT(*) FROM correspondents WHERE account = ?1 AND first >= ?2";
        self.ask(move |sql| narrow(sql::number(sql, text, values![account, since.0])?)).await
    }

    /// Those of these (canonical) addresses that an account never wrote to, in the order given.
    pub async fn unknown_to(&self, account: i64, addresses: Vec<String>) -> Result<Vec<String>, Error> {
        let text = "SELECT COUNT(*) FROM correspondents WHERE account = ?1 AND address = ?2";
        self.ask(move |sql| {
            let mut unknown = Vec::new();
            for address in addresses {
                if sql::number(sql, text, values![account, &address])? == 0 {
                    unknown.push(address);
                }
            }
            Ok(unknown)
        })
        .await
    }

    /// Whether what an account sends stays on hold.
    pub async fn hold_of(&self, account: i64) -> Result<Option<HoldRecord>, Error> {
        let text = "SELECT account, since, reason FROM holds WHERE account = ?1 AND reason <> ''";
        self.ask(move |sql| sql::first(sql, text, values![account], hold)).await
    }

    /// When an account was last released, unless it is on hold again.
    pub async fn released_at(&self, account: i64) -> Result<Option<Timestamp>, Error> {
        let text = "SELECT since FROM holds WHERE account = ?1 AND reason = ''";
        self.ask(move |sql| sql::first(sql, text, values![account], |row| Ok(Timestamp(row.int(0)?)))).await
    }

    /// Every account whose messages stay on hold, the longest first.
    pub async fn holds(&self) -> Result<Vec<HoldRecord>, Error> {
        let text = "SELECT account, since, reason FROM holds WHERE reason <> ''";
        let mut all = self.ask(move |sql| sql::rows(sql, text, &[], hold)).await?;
        all.sort_by_key(|hold| (hold.since, hold.account));
        Ok(all)
    }

    /// At most `max` messages that are on hold for their account's sake, the oldest first.
    pub async fn held_messages(&self, account: i64, max: usize) -> Result<Vec<QueueId>, Error> {
        let text = "SELECT queue_id FROM held_messages WHERE account = ?1 ORDER BY queue_id LIMIT ?2";
        let read = |row: &dyn Row| Ok(QueueId(narrow(row.int(0)?)?));
        self.ask(move |sql| sql::rows(sql, text, values![account, max as u64], read)).await
    }

    /// Every network that is refused; also those whose time is over and that nobody has forgotten yet.
    pub async fn bans(&self) -> Result<Vec<BanRecord>, Error> {
        let text = "SELECT network, until, reason FROM bans";
        let read = |row: &dyn Row| {
            Ok(BanRecord {
                network: row.text(0)?.to_owned(),
                until: Timestamp(row.int(1)?),
                reason: row.text(2)?.to_owned(),
            })
        };
        let mut all = self.ask(move |sql| sql::rows(sql, text, &[], read)).await?;
        all.sort_by(|a, b| a.network.cmp(&b.network));
        Ok(all)
    }
}

fn app_password(row: &dyn Row) -> Result<AppPasswordRecord, Error> {
    Ok(AppPasswordRecord {
        id: row.int(0)?,
        name: row.text(1)?.to_owned(),
        secret: row.text(2)?.to_owned(),
        scope: row.text(3)?.to_owned(),
        created: Timestamp(row.int(4)?),
        expires: row.int_or_null(5)?.map(Timestamp),
        last_used: row.int_or_null(6)?.map(Timestamp),
    })
}

fn hold(row: &dyn Row) -> Result<HoldRecord, Error> {
    Ok(HoldRecord { account: row.int(0)?, since: Timestamp(row.int(1)?), reason: row.text(2)?.to_owned() })
}
