//! What accounts may do beside receiving mail: app passwords, as whom they send, whether it is held.

use directory::limits::APP_PASSWORDS_MAX;
use directory::{SCOPES, Scope};
use mail::Timestamp;
use policy::{Story, What};
use queue::schedule::{Destination, News};
use store::{AppPasswordRecord, Change, HoldRecord, QueueEntry};

use crate::limits::{NAME_OCTETS_MAX, QUEUE_CHANGES_MAX};
use crate::request::Secret;
use crate::response::{AppPasswordRow, HeldAccountRow, Refusal, Response};
use crate::service::{Admin, address, domain};

impl Admin {
    pub(crate) async fn app_password_add(
        &self,
        address: &str,
        name: String,
        scopes: &[String],
        days: Option<u32>,
    ) -> Result<Response, Refusal> {
        let account = self.account(address).await?;
        if name.is_empty() || name.len() > NAME_OCTETS_MAX || name.chars().any(char::is_control) {
            let remedy = format!("1 to {NAME_OCTETS_MAX} octets, no control characters");
            return Err(Refusal::new("an app password cannot have that name", remedy));
        }
        let there = self.store.app_passwords(account.id).await?;
        if there.iter().any(|kept| kept.name == name) {
            let remedy =
                "choose another name, or remove the old one first: waxseal account app-password remove";
            return Err(Refusal::new(
                format!("{} has an app password {name} already", account.address),
                remedy,
            ));
        }
        if there.len() >= APP_PASSWORDS_MAX {
            let remedy = "remove one that is not used: waxseal account app-password list";
            return Err(Refusal::new(
                format!("an account has at most {APP_PASSWORDS_MAX} app passwords"),
                remedy,
            ));
        }
        let scope = scope(scopes)?;
        let at = self.world.clock.wall();
        let expires = days.map(|days| Timestamp(at.0.saturating_add(i64::from(days) * DAY_MS)));
        let made = self.directory.new_app_password(account.id);
        let (secret, password) = (made.secret, Secret(made.password.0));
        let change = Change::AddAppPassword { account: account.id, name, secret, scope, at, expires };
        self.commit(vec![change]).await?;
        Ok(Response::Password { address: account.address, password })
    }

    pub(crate) async fn app_password_list(&self, address: &str) -> Result<Response, Refusal> {
        let account = self.account(address).await?;
        let row = |kept: AppPasswordRecord| {
            let AppPasswordRecord { name, scope, created, expires, last_used, .. } = kept;
            AppPasswordRow { name, scope, created, expires, last_used }
        };
        let passwords = self.store.app_passwords(account.id).await?.into_iter().map(row).collect();
        Ok(Response::AppPasswords { passwords })
    }

    pub(crate) async fn app_password_remove(&self, address: &str, name: &str) -> Result<Response, Refusal> {
        let account = self.account(address).await?;
        if !self.store.app_passwords(account.id).await?.iter().any(|kept| kept.name == name) {
            let remedy = format!("see the list: waxseal account app-password list {}", account.address);
            return Err(Refusal::new(format!("{} has no app password {name}", account.address), remedy));
        }
        let said = format!("the app password {name} opens {} no longer", account.address);
        self.commit(vec![Change::RemoveAppPassword { account: account.id, name: name.to_owned() }]).await?;
        Ok(Response::Done { said })
    }

    pub(crate) async fn send_as_add(&self, account: &str, what: &str) -> Result<Response, Refusal> {
        let account = self.account(account).await?;
        let what = sender(what)?;
        let said = format!("{} may send as {what} now", account.address);
        self.commit(vec![Change::AddSendAs { account: account.id, address: what }]).await?;
        Ok(Response::Done { said })
    }

    pub(crate) async fn send_as_list(&self, account: &str) -> Result<Response, Refusal> {
        let account = self.account(account).await?;
        Ok(Response::SendAs { addresses: self.store.send_as(account.id).await? })
    }

    pub(crate) async fn send_as_remove(&self, account: &str, what: &str) -> Result<Response, Refusal> {
        let account = self.account(account).await?;
        let what = sender(what)?;
        if !self.store.send_as(account.id).await?.contains(&what) {
            let remedy = format!("see the list: waxseal account send-as list {}", account.address);
            return Err(Refusal::new(format!("{} was not given {what}", account.address), remedy));
        }
        let said = format!("{} may send as {what} no longer", account.address);
        self.commit(vec![Change::RemoveSendAs { account: account.id, address: what }]).await?;
        Ok(Response::Done { said })
    }

    /// Accounts whose messages are on hold.
    pub(crate) async fn held_accounts(&self) -> Result<Vec<HeldAccountRow>, Refusal> {
        let mut held = Vec::new();
        for HoldRecord { account, since, reason } in self.store.holds().await? {
            if let Some(account) = self.store.account(account).await? {
                held.push(HeldAccountRow { address: account.address, since, reason });
            }
        }
        Ok(held)
    }

    /// Lets the messages of an account go that are on hold for its sake, and the account go on.
    pub(crate) async fn account_release(&self, address: &str) -> Result<Response, Refusal> {
        let account = self.account(address).await?;
        let was_held = self.store.hold_of(account.id).await?.is_some();
        // First the account: what comes now goes. A release that ends halfway is asked for again.
        let at = self.world.clock.wall();
        self.commit(vec![Change::ReleaseAccount { account: account.id, at }]).await?;
        let mut messages = 0;
        loop {
            let held = self.store.held_messages(account.id, QUEUE_CHANGES_MAX).await?;
            if held.is_empty() {
                break;
            }
            for queue_id in held {
                let mut changes = vec![Change::ForgetHeld { account: account.id, queue_id }];
                let entries = self.store.queue_entries(queue_id).await?;
                let now = self.world.clock.wall();
                changes.extend(entries.iter().flat_map(|entry| released(entry, now)));
                self.commit(changes).await?;
                for entry in &entries {
                    self.tell(News::Due(Destination::from(entry.destination.as_str()), entry.due.max(now)));
                }
                messages += usize::from(!entries.is_empty());
            }
        }
        if !was_held && messages == 0 {
            return Err(Refusal::new(format!("nothing of {} is on hold", account.address), ""));
        }
        let said = format!("{} goes on; messages released: {messages}", account.address);
        Ok(Response::Done { said })
    }
}

const DAY_MS: i64 = 24 * 3600 * 1000;

/// What is written of a delivery that is on hold no more.
fn released(entry: &QueueEntry, now: Timestamp) -> Vec<Change> {
    let (queue_id, destination) = (entry.queue_id, entry.destination.clone());
    let mut story = Story::new(queue_id);
    story.hop(now, What::Hold { destination: destination.clone(), held: false });
    vec![Change::Hold { queue_id, destination, held: false, now }, story.explanation(now)]
}

/// Scopes as they are kept; without any, all.
fn scope(names: &[String]) -> Result<String, Refusal> {
    let scope = |name: &String| {
        Scope::named(name).ok_or_else(|| {
            let all: Vec<&str> = SCOPES.iter().map(|scope| scope.name()).collect();
            Refusal::new(format!("there is no scope {name:?}"), format!("one of: {}", all.join(", ")))
        })
    };
    let asked: Vec<Scope> = names.iter().map(scope).collect::<Result<_, _>>()?;
    let kept = SCOPES.iter().filter(|scope| asked.is_empty() || asked.contains(scope));
    Ok(kept.map(|scope| scope.name()).collect::<Vec<_>>().join(" "))
}

/// An address, or a whole domain: `@example.org`.
fn sender(text: &str) -> Result<String, Refusal> {
    match text.strip_prefix('@') {
        Some(name) => Ok(format!("@{}", domain(name)?)),
        None => Ok(address(text)?.canonical().to_string()),
    }
}
