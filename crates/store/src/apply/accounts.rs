//! What accounts may do beside receiving mail, and what they sent.

use mail::{QueueId, Timestamp};

use super::Apply;
use super::directory::changed_one;
use crate::Error;
use crate::change::{Applied, Change};
use crate::limits::{CORRESPONDENTS_KEPT, SENDING_HOURS_KEPT};
use crate::sql::{Value, values};

const HOUR: i64 = 3600 * 1000;

impl Apply<'_> {
    pub(super) fn rights(&mut self, change: &Change) -> Result<Applied, Error> {
        // That a password was used changes nothing that anybody remembers of the directory.
        self.books.touched.directory |= !matches!(change, Change::UseAppPassword { .. });
        match change {
            Change::AddAppPassword { account, name, secret, scope, at, expires } => {
                self.add_app_password(*account, name, (secret, scope), *at, *expires)
            }
            Change::RemoveAppPassword { account, name } => {
                let text = "DELETE FROM app_passwords WHERE account = ?1 AND name = ?2";
                let removed = self.sql.execute(text, values![*account, name])?;
                changed_one(removed, || format!("account {account} has no app password {name}"))
            }
            Change::UseAppPassword { id, at } => {
                let text = "UPDATE app_passwords SET last_used = ?2 WHERE id = ?1";
                self.sql.execute(text, values![*id, at.0])?;
                Ok(Applied::Done)
            }
            Change::AddSendAs { account, address } => self.give(
                *account,
                "INSERT INTO send_as (account, address) VALUES (?1, ?2) ON CONFLICT (account, address) DO NOTHING",
                address,
            ),
            Change::RemoveSendAs { account, address } => {
                let text = "DELETE FROM send_as WHERE account = ?1 AND address = ?2";
                let removed = self.sql.execute(text, values![*account, address])?;
                changed_one(removed, || format!("account {account} may not send as {address}"))
            }
            Change::AddCertificate { account, name } => self.give(
                *account,
                "INSERT INTO certificates_of (account, name) VALUES (?1, ?2) ON CONFLICT (name, account) DO NOTHING",
                name,
            ),
            Change::RemoveCertificate { account, name } => {
                let text = "DELETE FROM certificates_of WHERE account = ?1 AND name = ?2";
                let removed = self.sql.execute(text, values![*account, name])?;
                changed_one(removed, || format!("account {account} has no certificate {name}"))
            }
            _ => unreachable!("the caller chose by kind"),
        }
    }

    fn add_app_password(
        &mut self,
        account: i64,
        name: &str,
        (secret, scope): (&str, &str),
        at: Timestamp,
        expires: Option<Timestamp>,
    ) -> Result<Applied, Error> {
        self.require_account(account)?;
        let (id, expires) = (self.new_id(), expires.map_or(Value::Null, |at| Value::Int(at.0)));
        let added = self.sql.execute(
            "INSERT INTO app_passwords (id, account, name, secret, scope, created, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (account, name) DO NOTHING",
            &[id.into(), account.into(), name.into(), secret.into(), scope.into(), at.0.into(), expires],
        )?;
        changed_one(added, || format!("account {account} has an app password {name} already"))?;
        Ok(Applied::Made(id))
    }

    fn give(&mut self, account: i64, text: &'static str, what: &str) -> Result<Applied, Error> {
        self.require_account(account)?;
        self.sql.execute(text, values![account, what])?;
        Ok(Applied::Done)
    }

    fn require_account(&mut self, account: i64) -> Result<(), Error> {
        let text = "SELECT COUNT(*) FROM accounts WHERE id = ?1";
        match crate::sql::number(self.sql, text, values![account])? {
            0 => Err(Error::Conflict(format!("there is no account {account}"))),
            _ => Ok(()),
        }
    }

    pub(super) fn sending(&mut self, change: &Change) -> Result<Applied, Error> {
        match change {
            Change::CountSending { account, hour, messages, recipients } => {
                self.count_sending(*account, *hour, *messages, *recipients)
            }
            Change::Correspond { account, address, at } => {
                let text = "INSERT INTO correspondents (account, address, first) VALUES (?1, ?2, ?3)
                    ON CONFLICT (account, address) DO NOTHING";
                self.done(text, values![*account, address, at.0])
            }
            Change::HoldAccount { account, at, reason } => {
                let text = "INSERT INTO holds (account, since, reason) VALUES (?1, ?2, ?3)
                    ON CONFLICT (account) DO UPDATE SET since = excluded.since, reason = excluded.reason
                    WHERE holds.reason = ''";
                self.done(text, values![*account, at.0, reason])
            }
            // The row stays, to tell when: what led to the hold does not lead to another at once.
            Change::ReleaseAccount { account, at } => {
                let text = "UPDATE holds SET since = ?2, reason = '' WHERE account = ?1 AND reason <> ''";
                self.done(text, values![*account, at.0])
            }
            Change::NoteHeld { account, queue_id: QueueId(id) } => {
                let text = "INSERT INTO held_messages (account, queue_id) VALUES (?1, ?2)
                    ON CONFLICT (account, queue_id) DO NOTHING";
                self.done(text, values![*account, *id])
            }
            Change::ForgetHeld { account, queue_id: QueueId(id) } => {
                let text = "DELETE FROM held_messages WHERE account = ?1 AND queue_id = ?2";
                self.done(text, values![*account, *id])
            }
            _ => unreachable!("the caller chose by kind"),
        }
    }

    fn count_sending(
        &mut self,
        account: i64,
        hour: i64,
        messages: u32,
        recipients: u32,
    ) -> Result<Applied, Error> {
        self.sql.execute(
            "INSERT INTO sending (account, hour, messages, recipients) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (account, hour) DO UPDATE SET
             messages = sending.messages + excluded.messages, recipients = sending.recipients + excluded.recipients",
            values![account, hour, messages, recipients],
        )?;
        let oldest = hour.saturating_sub(SENDING_HOURS_KEPT);
        self.sql.execute("DELETE FROM sending WHERE account = ?1 AND hour < ?2", values![account, oldest])?;
        let oldest = hour.saturating_mul(HOUR).saturating_sub(CORRESPONDENTS_KEPT);
        self.done("DELETE FROM correspondents WHERE account = ?1 AND first < ?2", values![account, oldest])
    }

    pub(super) fn done(&mut self, text: &'static str, values: &[Value<'_>]) -> Result<Applied, Error> {
        self.sql.execute(text, values)?;
        Ok(Applied::Done)
    }
}
