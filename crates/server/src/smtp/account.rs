//! The account that sends: as whom it may, how much it has sent, and whether that is held.
//!
//! Looked at once at MAIL, for each recipient and at the end of content; what was sent is counted in the commit that makes
//! the message ours, so nothing is counted that was not taken.

use directory::{Principal, Right};
use mail::{Address, ForwardPath, QueueId, ReversePath, Timestamp};
use policy::{AccountFacts, LimitFacts, SentFacts};
use protocol::smtp::Sender;
use settings::MaySendAs;
use store::{Change, Commit, Error, SendingRecord, Store};

use super::header::Authors;
use super::transaction::Transaction;
use crate::shared::Shared;

/// What a virtual server lets accounts send.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    /// As anyone, not only as themselves.
    pub(crate) as_anyone: bool,
    /// How much.
    pub(crate) limits: LimitFacts,
}

impl From<&settings::VirtualServer> for Rules {
    fn from(server: &settings::VirtualServer) -> Self {
        Self { as_anyone: server.may_send_as == MaySendAs::Anyone, limits: server.sending.into() }
    }
}

/// The account of a transaction.
#[derive(Debug, Clone)]
pub(super) struct Account {
    principal: Principal,
    as_anyone: bool,
}

/// What was found of the authors in a header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rights {
    /// Addresses as which the account may not send.
    pub(super) foreign: Vec<String>,
    /// The field From names nobody whom the account is known to be, and no field Sender says who sends.
    pub(super) unnamed: bool,
}

/// What MAIL must know of the account that signed in; nothing if nobody did.
///
/// # Errors
/// The store's.
pub(super) async fn at_mail(
    shared: &Shared,
    rules: Rules,
    sender: &Sender,
    now: Timestamp,
) -> Result<Option<(Account, AccountFacts)>, Error> {
    let Some(address) = &sender.hello.account else { return Ok(None) };
    let record = shared.store.account_by_address(&address.canonical().to_string()).await?;
    // One that is gone since it signed in may send as nobody.
    let id = record.map_or(GONE, |record| record.id);
    let principal = Principal { account: id, address: address.canonical(), app_password: None };
    let foreign_path = match &sender.path {
        _ if id == GONE => true,
        ReversePath::Address(path) if !rules.as_anyone => {
            !shared.directory.may_send_as(&principal, path).await?
        }
        _ => false,
    };
    let sent = sent(&shared.store, id, now).await?;
    let facts = AccountFacts { foreign_path, foreign: Vec::new(), sent, limits: rules.limits };
    Ok(Some((Account { principal, as_anyone: rules.as_anyone }, facts)))
}

/// No account has this number.
const GONE: i64 = -1;

/// Recipients of an account up to now.
///
/// # Errors
/// The store's.
pub(super) async fn sent(store: &Store, account: i64, now: Timestamp) -> Result<SentFacts, Error> {
    let this_hour = hour(now);
    let hours = store.sending(account, this_hour - store::limits::SENDING_HOURS_KEPT).await?;
    let day = Timestamp((this_hour - DAY + 1) * HOUR_MS);
    let new = store.new_correspondents(account, day).await?;
    let recipients = |record: &SendingRecord| record.recipients;
    Ok(SentFacts {
        hour: hours.iter().filter(|record| record.hour == this_hour).map(recipients).sum(),
        day: hours.iter().filter(|record| record.hour > this_hour - DAY).map(recipients).sum(),
        new,
        highest: hours.iter().filter(|record| record.hour < this_hour).map(recipients).max().unwrap_or(0),
    })
}

const HOUR_MS: i64 = 3600 * 1000;
/// Hours of a day.
const DAY: i64 = 24;

fn hour(now: Timestamp) -> i64 {
    now.0.div_euclid(HOUR_MS)
}

/// That a message is to be held.
#[derive(Debug)]
pub(super) struct Hold {
    /// Why.
    pub(super) reason: String,
    /// This message is the first.
    pub(super) is_first: bool,
}

/// Whether what is about to be kept is to be held.
///
/// # Errors
/// The store's.
pub(super) async fn hold(
    shared: &Shared,
    transaction: &Transaction,
    now: Timestamp,
) -> Result<Option<Hold>, Error> {
    let Some(account) = transaction.account() else { return Ok(None) };
    if let Some(hold) = shared.store.hold_of(account.id()).await? {
        let reason =
            format!("on hold until an administrator releases {}: {}", account.address(), hold.reason);
        return Ok(Some(Hold { reason, is_first: false }));
    }
    let Some(reason) = transaction.sudden() else { return Ok(None) };
    // Whoever released it has seen what it sent in this hour, which later counts as its highest.
    let released = shared.store.released_at(account.id()).await?;
    if released.is_some_and(|at| hour(at) == hour(now)) {
        return Ok(None);
    }
    Ok(Some(Hold { reason: reason.to_string(), is_first: true }))
}

impl Account {
    /// Its number.
    pub(super) fn id(&self) -> i64 {
        self.principal.account
    }

    /// Whether it may send as itself alone, and as those that it was given.
    pub(super) fn sends_as_itself(&self) -> bool {
        !self.as_anyone
    }

    /// Its address.
    pub(super) fn address(&self) -> &Address {
        &self.principal.address
    }

    /// Whether it has never written to this recipient.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn is_new_to(&self, store: &Store, path: &ForwardPath) -> Result<bool, Error> {
        let Some(address) = path.address() else { return Ok(false) };
        let unknown = store.unknown_to(self.id(), vec![address.canonical().to_string()]).await?;
        Ok(!unknown.is_empty())
    }

    /// Whether it may send as those whom a header names as its authors (RFC 6409 §6.1).
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn rights(&self, shared: &Shared, authors: &Authors) -> Result<Rights, Error> {
        let mut rights = Rights { foreign: Vec::new(), unnamed: !authors.has_sender };
        for (text, address) in &authors.all {
            let right = match address {
                Some(address) => shared.directory.right_to(&self.principal, address).await?,
                // What is no address is nobody's.
                None => Right::None,
            };
            match right {
                Right::Own => rights.unnamed = false,
                Right::Given => {}
                Right::None if self.as_anyone => {}
                Right::None => rights.foreign.push(text.clone()),
            }
        }
        Ok(rights)
    }

    /// What the commit that accepts a message counts.
    pub(super) fn count<'a>(
        &self,
        recipients: impl Iterator<Item = &'a Address> + Clone,
        now: Timestamp,
    ) -> Vec<Change> {
        let account = self.id();
        let number = u32::try_from(recipients.clone().count()).unwrap_or(u32::MAX);
        let wrote =
            |to: &Address| Change::Correspond { account, address: to.canonical().to_string(), at: now };
        let sent = Change::CountSending { account, hour: hour(now), messages: 1, recipients: number };
        std::iter::once(sent).chain(recipients.map(wrote)).collect()
    }

    /// Makes a commit one of a message that is held: its entries wait, and the account is on hold from now on.
    pub(super) fn detain(&self, commit: &mut Commit, queue_id: QueueId, reason: String, now: Timestamp) {
        for change in &mut commit.changes {
            if let Change::Enqueue(entry) = change {
                entry.held = true;
            }
        }
        let account = self.id();
        commit.changes.push(Change::HoldAccount { account, at: now, reason });
        commit.changes.push(Change::NoteHeld { account, queue_id });
    }
}
