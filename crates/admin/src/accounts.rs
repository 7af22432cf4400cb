//! Accounts.

use directory::{Kept, Password, Verifiers};
use mail::{Address, MailboxPath};
use store::read::AccountRecord;
use store::{AccountRef, Change};

use crate::limits::{NAME_OCTETS_MAX, QUEUE_CHANGES_MAX};
use crate::request::{KeptPasswords, NewPassword, Secret};
use crate::response::{AccountRow, Refusal, Response};
use crate::service::{Admin, address};

/// The mailboxes of a new account, with their special use (RFC 6154 §2).
const MAILBOXES: [(&str, Option<&str>); 6] = [
    ("INBOX", None),
    ("Sent", Some("Sent")),
    ("Drafts", Some("Drafts")),
    ("Trash", Some("Trash")),
    ("Junk", Some("Junk")),
    ("Archive", Some("Archive")),
];

impl Admin {
    pub(crate) async fn account_add(
        &self,
        address: &str,
        name: String,
        password: NewPassword,
        kept: Option<KeptPasswords>,
    ) -> Result<Response, Refusal> {
        let address = self.our_address(address).await?;
        self.require_free(&address).await?;
        if name.len() > NAME_OCTETS_MAX || name.chars().any(char::is_control) {
            let remedy = format!("at most {NAME_OCTETS_MAX} octets, no control characters");
            return Err(Refusal::new("the name cannot be kept", remedy));
        }
        let (verifiers, told) = self.verifiers(password, kept.unwrap_or_default().into()).await?;
        self.commit(self.new_account(&address, name, verifiers)).await?;
        Ok(answer(&address, told, format!("the account {address} is ready")))
    }

    pub(crate) async fn account_list(&self) -> Result<Response, Refusal> {
        let row = |AccountRecord { address, name, changed, .. }| AccountRow { address, name, changed };
        let accounts = self.store.accounts().await?.into_iter().map(row).collect();
        Ok(Response::Accounts { accounts })
    }

    pub(crate) async fn account_remove(&self, address: &str) -> Result<Response, Refusal> {
        let account = self.account(address).await?;
        let is_waited_for = self.is_waited_for(account.id).await?;
        self.commit(vec![Change::RemoveAccount { account: account.id }]).await?;
        for connection in self.running.connections() {
            if connection.account == account.address {
                self.running.terminate(connection.id);
            }
        }
        let mut said = format!("the account {} is gone, with its mailboxes and emails", account.address);
        if is_waited_for {
            let find = format!("waxseal queue find --sender {} --state frozen", account.address);
            said.push_str(&format!(
                "; messages that it sent wait on hold until you release or delete them: {find}"
            ));
        }
        let aliases = self.store.aliases().await?;
        let left = aliases.iter().filter(|alias| alias.targets.contains(&account.address));
        let left: Vec<&str> = left.map(|alias| alias.address.as_str()).collect();
        if !left.is_empty() {
            said.push_str(&format!("; aliases that still name it: {}", left.join(", ")));
        }
        Ok(Response::Done { said })
    }

    /// Whether messages that an account has sent are on hold for its sake: without it nothing releases them together.
    async fn is_waited_for(&self, account: i64) -> Result<bool, Refusal> {
        for queue_id in self.store.held_messages(account, QUEUE_CHANGES_MAX).await? {
            if !self.store.queue_entries(queue_id).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) async fn account_password(
        &self,
        address: &str,
        password: NewPassword,
        kept: Option<KeptPasswords>,
    ) -> Result<Response, Refusal> {
        let account = self.account(address).await?;
        let address = crate::service::address(&account.address)?;
        let kept = kept.map_or_else(|| Kept::of(&account), Kept::from);
        let (Verifiers { secret, scram, cram }, told) = self.verifiers(password, kept).await?;
        let at = self.world.clock.wall();
        let cram = Change::SetCram { account: AccountRef::Known(account.id), secret: secret.clone(), cram };
        self.commit(vec![Change::SetSecret { account: account.id, secret, scram, at }, cram]).await?;
        Ok(answer(&address, told, format!("{address} has a new password")))
    }

    pub(crate) async fn account(&self, text: &str) -> Result<AccountRecord, Refusal> {
        let address = address(text)?;
        self.store.account_by_address(&address.to_string()).await?.ok_or_else(|| {
            Refusal::new(format!("there is no account {address}"), "see the list: waxseal account list")
        })
    }

    /// The account and its mailboxes, in one commit.
    fn new_account(&self, address: &Address, name: String, verifiers: Verifiers) -> Vec<Change> {
        let Verifiers { secret, scram, cram } = verifiers;
        let at = self.world.clock.wall();
        // RFC 3501 §2.3.1.1 proposes the time; it must only never go back for a path.
        let uid_validity = u32::try_from(at.0 / 1000).unwrap_or(u32::MAX).max(1);
        let cram = (!cram.is_empty()).then(|| Change::SetCram {
            account: AccountRef::New(0),
            secret: secret.clone(),
            cram,
        });
        let account = Change::AddAccount { address: address.to_string(), name, secret, scram, at };
        let mailbox = |(path, special_use): (&str, Option<&str>)| Change::AddMailbox {
            account: AccountRef::New(0),
            path: MailboxPath::parse(path).expect("the names of MAILBOXES are paths"),
            uid_validity,
            special_use: special_use.map(str::to_owned),
            subscribed: true,
        };
        [account].into_iter().chain(cram).chain(MAILBOXES.into_iter().map(mailbox)).collect()
    }

    /// What is kept of a password, and the password if it was made here.
    async fn verifiers(
        &self,
        password: NewPassword,
        kept: Kept,
    ) -> Result<(Verifiers, Option<Secret>), Refusal> {
        let (password, told) = match password {
            NewPassword::Given(Secret(password)) => (Password(password), None),
            NewPassword::Generate => {
                let password = directory::generate_password(&self.world.dice);
                let told = Secret(password.0.clone());
                (password, Some(told))
            }
        };
        let dice = self.world.dice.clone();
        let verifiers = self.world.workers.run_slow(move || Verifiers::new(&dice, &password, kept)).await;
        let verifiers = verifiers.map_err(|unfit| Refusal::new(unfit.to_string(), "choose another one"))?;
        Ok((verifiers, told))
    }
}

impl From<KeptPasswords> for Kept {
    fn from(asked: KeptPasswords) -> Self {
        match asked {
            KeptPasswords::Argon2idAndScram => Self::Argon2idAndScram,
            KeptPasswords::Argon2idOnly => Self::Argon2idAlone,
            KeptPasswords::WithCramMd5 => Self::WithCramMd5,
        }
    }
}

fn answer(address: &Address, made: Option<Secret>, said: String) -> Response {
    match made {
        Some(password) => Response::Password { address: address.to_string(), password },
        None => Response::Done { said },
    }
}
