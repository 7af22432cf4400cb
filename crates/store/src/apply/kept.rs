//! What is refused, what the settings were, and small secrets.

use super::Apply;
use crate::Error;
use crate::change::{Applied, Change};
use crate::sql::{self, values};

impl Apply<'_> {
    pub(super) fn kept(&mut self, change: &Change) -> Result<Applied, Error> {
        match change {
            Change::Ban { network, until, reason, now } => {
                self.sql.execute("DELETE FROM bans WHERE until <= ?1", values![now.0])?;
                let text = "INSERT INTO bans (network, until, reason) VALUES (?1, ?2, ?3)
                    ON CONFLICT (network) DO UPDATE SET until = excluded.until, reason = excluded.reason";
                self.done(text, values![network, until.0, reason])
            }
            Change::Unban { network } => self.done("DELETE FROM bans WHERE network = ?1", values![network]),
            Change::AddRevision { number, at, author, reason, text } => {
                let last = sql::number(self.sql, "SELECT MAX(number) FROM revisions", &[])?;
                if *number != last + 1 {
                    return Err(Error::Conflict(format!("the last revision is {last}")));
                }
                let insert =
                    "INSERT INTO revisions (number, at, author, reason, text) VALUES (?1, ?2, ?3, ?4, ?5)";
                self.done(insert, values![*number, at.0, author, reason, text])
            }
            Change::Keep { name, value } => {
                let text = "INSERT INTO kept (name, value) VALUES (?1, ?2)
                    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                self.done(text, values![name, value])
            }
            Change::Forget { name } => self.done("DELETE FROM kept WHERE name = ?1", values![name]),
            _ => unreachable!("the caller chose by kind"),
        }
    }
}
