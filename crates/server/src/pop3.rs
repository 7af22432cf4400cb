//! The application's side of a POP3 connection: INBOX of the account, for one session at a time.

use std::sync::{Arc, Mutex};

use mailboxes::{Error, Maildrop, Mailboxes, Result};
use protocol::pop3::ServerSession;
use protocol::pop3::{Answer, Listing, Outcome, Question};
use protocol::sasl::{Credentials, SignIn};
use wire::{Decision, Handler};

use crate::replies;
use crate::shared::{self, Shared};

/// One POP3 connection. The maildrop is free again when it is dropped.
pub(crate) struct Pop3Handler(Arc<Connection>);

/// What the decisions of one connection share.
struct Connection {
    shared: Arc<Shared>,
    live: Arc<shared::Connection>,
    mailboxes: Mailboxes,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    account: Option<i64>,
    maildrop: Option<Arc<Maildrop>>,
}

impl Pop3Handler {
    pub(crate) fn new(shared: Arc<Shared>, live: Arc<shared::Connection>, mailboxes: Mailboxes) -> Self {
        Self(Arc::new(Connection { shared, live, mailboxes, state: Mutex::default() }))
    }
}

impl Handler<ServerSession> for Pop3Handler {
    fn decide(&mut self, question: Question) -> Decision<Answer> {
        let connection = self.0.clone();
        Decision::Later(Box::pin(async move {
            connection.answer(question).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "a POP3 command was refused");
                refusal(error)
            })
        }))
    }

    fn ended(&mut self, outcome: Outcome, end: protocol::End) {
        let Outcome { retrieved, removed, misuses } = outcome;
        tracing::debug!(retrieved, removed, ?misuses, ?end, "a POP3 connection ended");
    }
}

/// What the session is told when something failed. POP3 makes no difference: nothing was changed.
fn refusal(error: Error) -> Answer {
    match error {
        Error::NoSuchMailbox | Error::Exists | Error::Cannot(_) | Error::TooBig | Error::Store(_) => Answer::Unavailable,
    }
}

impl Connection {
    async fn answer(&self, question: Question) -> Result<Answer> {
        match question {
            Question::Authenticate(credentials) => Ok(Answer::SignIn(self.sign_in(credentials).await)),
            Question::Open => self.open().await,
            Question::Read { uid, offset } => Ok(Answer::Content(self.maildrop()?.read(uid, offset).await?)),
            Question::Remove(uids) => {
                self.maildrop()?.remove(uids).await?;
                Ok(Answer::Removed)
            }
        }
    }

    async fn sign_in(&self, credentials: Credentials) -> SignIn {
        let signed_in = self.shared.directory.sign_in(replies::credentials(credentials)).await;
        if let directory::SignIn::Accepted(principal) = &signed_in {
            self.live.live.signed_in(principal.address.to_string());
            self.state().account = Some(principal.account);
        }
        replies::sign_in(signed_in)
    }

    async fn open(&self) -> Result<Answer> {
        let account = self.state().account.ok_or(Error::Cannot("Sign in first"))?;
        let Some(maildrop) = self.mailboxes.maildrop(account).await? else { return Ok(Answer::InUse) };
        let emails = maildrop.emails().iter().map(|&(uid, size)| Listing { uid, size }).collect();
        let validity = maildrop.validity();
        self.state().maildrop = Some(Arc::new(maildrop));
        Ok(Answer::Maildrop { validity, emails })
    }

    fn maildrop(&self) -> Result<Arc<Maildrop>> {
        self.state().maildrop.clone().ok_or(Error::Cannot("The maildrop is not open"))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}
