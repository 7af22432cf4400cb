//! Mailboxes and subscriptions.

use mail::{MailboxPath, ModSeq};

use super::directory::changed_one;
use super::{Apply, Scope};
use crate::Error;
use crate::change::{Applied, Change};
use crate::content::ContentId;
use crate::sql::{self, narrow, values};

impl Apply<'_> {
    pub(super) fn mailbox(&mut self, scope: &Scope<'_>, change: &Change) -> Result<Applied, Error> {
        match change {
            Change::AddMailbox { account, path, uid_validity, special_use, subscribed } => {
                let account = scope.account(*account)?;
                self.add_mailbox(account, path, *uid_validity, special_use.as_deref(), *subscribed)
            }
            Change::RemoveMailbox { mailbox } => self.remove_mailbox(*mailbox),
            Change::RenameMailbox { mailbox, path } => self.rename_mailbox(*mailbox, path),
            Change::Subscribe { account, path, subscribed } => self.subscribe(*account, path, *subscribed),
            _ => unreachable!("the caller chose by kind"),
        }
    }

    fn add_mailbox(
        &mut self,
        account: i64,
        path: &MailboxPath,
        uid_validity: u32,
        special_use: Option<&str>,
        subscribed: bool,
    ) -> Result<Applied, Error> {
        if sql::number(self.sql, "SELECT COUNT(*) FROM accounts WHERE id = ?1", values![account])? == 0 {
            return Err(Error::Conflict(format!("there is no account {account}")));
        }
        self.require_path_free(account, path)?;
        let id = self.new_id();
        self.sql.execute(
            "INSERT INTO mailboxes (id, account, path, uid_validity, special_use) VALUES (?1, ?2, ?3, ?4, ?5)",
            values![id, account, path.as_str(), uid_validity, special_use],
        )?;
        self.sql.execute(
            "INSERT INTO tallies (mailbox, uid_next, modseq, messages, unseen, size, history)
             VALUES (?1, 1, 1, 0, 0, 0, 0)",
            values![id],
        )?;
        self.new_tally(id, account, uid_validity);
        self.mailboxes_changed(account, id);
        if subscribed {
            self.subscribe(account, path, true)?;
        }
        Ok(Applied::Made(id))
    }

    /// Removes a mailbox with its emails; what they held is let go.
    pub(super) fn remove_mailbox(&mut self, mailbox: i64) -> Result<Applied, Error> {
        let account = self.tally(mailbox)?.account;
        let held = sql::rows(
            self.sql,
            "SELECT segment, start, COUNT(*) FROM emails WHERE mailbox = ?1 GROUP BY segment, start",
            values![mailbox],
            |row| {
                let id = ContentId { segment: narrow(row.int(0)?)?, offset: narrow(row.int(1)?)? };
                Ok((id, row.int(2)?))
            },
        )?;
        for (id, count) in held {
            self.hold(id, -count)?;
        }
        self.sql.execute("DELETE FROM emails WHERE mailbox = ?1", values![mailbox])?;
        self.sql.execute("DELETE FROM history WHERE mailbox = ?1", values![mailbox])?;
        self.sql.execute("DELETE FROM tallies WHERE mailbox = ?1", values![mailbox])?;
        self.sql.execute("DELETE FROM mailboxes WHERE id = ?1", values![mailbox])?;
        self.forget_tally(mailbox);
        self.mailboxes_changed(account, mailbox);
        Ok(Applied::Done)
    }

    fn rename_mailbox(&mut self, mailbox: i64, path: &MailboxPath) -> Result<Applied, Error> {
        let account = self.tally(mailbox)?.account;
        self.require_path_free(account, path)?;
        let changed = self
            .sql
            .execute("UPDATE mailboxes SET path = ?2 WHERE id = ?1", values![mailbox, path.as_str()])?;
        self.mailboxes_changed(account, mailbox);
        changed_one(changed, || format!("there is no mailbox {mailbox}"))
    }

    fn subscribe(&mut self, account: i64, path: &MailboxPath, subscribed: bool) -> Result<Applied, Error> {
        let text = if subscribed {
            "INSERT INTO subscriptions (account, path) VALUES (?1, ?2) ON CONFLICT (account, path) DO NOTHING"
        } else {
            "DELETE FROM subscriptions WHERE account = ?1 AND path = ?2"
        };
        self.sql.execute(text, values![account, path.as_str()])?;
        Ok(Applied::Done)
    }

    fn require_path_free(&mut self, account: i64, path: &MailboxPath) -> Result<(), Error> {
        let taken = sql::number(
            self.sql,
            "SELECT COUNT(*) FROM mailboxes WHERE account = ?1 AND path = ?2",
            values![account, path.as_str()],
        )?;
        if taken > 0 {
            return Err(Error::Conflict(format!("there is a mailbox {} already", path.as_str())));
        }
        Ok(())
    }

    fn mailboxes_changed(&mut self, account: i64, mailbox: i64) {
        self.books.touched.directory = true;
        self.touch(account, mailbox, ModSeq(0));
    }
}
