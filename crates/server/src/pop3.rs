//! The application's side of a POP3 connection: INBOX of the account, for one session at a time.

use std::sync::{Arc, Mutex};

use mailboxes::maildrop::{Busy, Pace};
use mailboxes::{Error, Mailboxes, Maildrop, Result};
use protocol::pop3::ServerSession;
use protocol::pop3::{Answer, Listing, Outcome, Question};
use protocol::sasl::{Ask, Told};
use wire::{Decision, Handler};

use crate::replies;
use crate::shared::{self, Shared};

/// One POP3 connection. The maildrop is free again when it has ended, or is dropped.
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

    /// Whose it is.
    pub(crate) fn connection(&self) -> &Arc<shared::Connection> {
        &self.0.live
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
        // RFC 1939 §6: the lock goes before the connection is closed, so that whoever sees the end may come again.
        self.0.state().maildrop = None;
        let Outcome { retrieved, removed, misuses } = outcome;
        tracing::debug!(retrieved, removed, ?misuses, ?end, "a POP3 connection ended");
    }
}

/// What the session is told when something failed. POP3 makes no difference: nothing was changed.
fn refusal(error: Error) -> Answer {
    match error {
        Error::NoSuchMailbox | Error::Exists | Error::Cannot(_) | Error::TooBig | Error::Store(_) => {
            Answer::Unavailable
        }
    }
}

impl Connection {
    async fn answer(&self, question: Question) -> Result<Answer> {
        match question {
            Question::Authenticate(ask) => Ok(Answer::SignIn(self.sign_in(ask).await)),
            Question::Open => self.open().await,
            Question::Read { uid, offset } => Ok(Answer::Content(self.maildrop()?.read(uid, offset).await?)),
            Question::Remove(uids) => {
                self.maildrop()?.remove(uids).await?;
                Ok(Answer::Removed)
            }
        }
    }

    async fn sign_in(&self, ask: Ask) -> Told {
        let origin = self.live.origin(directory::Scope::Pop3);
        let (told, principal) = replies::sign_in(&self.shared.directory, &origin, ask).await;
        if let Some(principal) = principal {
            self.live.live.signed_in(principal.address.to_string());
            self.state().account = Some(principal.account);
        }
        told
    }

    async fn open(&self) -> Result<Answer> {
        let account = self.state().account.ok_or(Error::Cannot("Sign in first"))?;
        let pace = Pace { now: self.shared.world.clock.now(), interval: self.live.server.sign_in_interval };
        let maildrop = match self.mailboxes.maildrop(account, pace).await? {
            Ok(maildrop) => maildrop,
            Err(Busy::InUse) => return Ok(Answer::InUse),
            Err(Busy::TooSoon) => return Ok(Answer::TooSoon),
        };
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mail::{MailboxPath, Uid};
    use protocol::sasl::SignIn;

    use super::*;
    use crate::imap::tests::{Place, credentials, decided, run};

    async fn ask(handler: &mut Pop3Handler, question: Question) -> Answer {
        decided(handler.decide(question)).await
    }

    async fn signed_in(place: &Place) -> Pop3Handler {
        let mailboxes = place.shared.mailboxes.clone();
        let mut handler = Pop3Handler::new(place.shared.clone(), place.live.clone(), mailboxes);
        let answer = ask(&mut handler, Question::Authenticate(credentials("secret"))).await;
        assert!(matches!(answer, Answer::SignIn(Told::SignIn(SignIn::Accepted(_)))), "{answer:?}");
        handler
    }

    async fn file(place: &Place, content: &'static str) {
        let account = place.shared.store.account_by_address("ann@example.org").await.unwrap().unwrap().id;
        let size = content.len() as u64;
        let mut append = place.shared.mailboxes.append(account, &MailboxPath::inbox(), size).await.unwrap();
        append.push(content.into()).await.unwrap();
        append.finish(vec![], None).await.unwrap();
    }

    #[test]
    fn a_maildrop_is_read_and_emptied() {
        run(async |place: Place| {
            file(&place, "Subject: one\r\n\r\n1\r\n").await;
            file(&place, "Subject: two\r\n\r\n2\r\n").await;
            let mut handler = signed_in(&place).await;
            let emails = [Listing { uid: Uid(1), size: 19 }, Listing { uid: Uid(2), size: 19 }];
            let maildrop = Answer::Maildrop { validity: 7, emails: emails.clone().into() };
            assert_eq!(ask(&mut handler, Question::Open).await, maildrop);
            let read = ask(&mut handler, Question::Read { uid: Uid(2), offset: 9 }).await;
            assert_eq!(read, Answer::Content("two\r\n\r\n2\r\n".into()));
            let end = ask(&mut handler, Question::Read { uid: Uid(2), offset: 19 }).await;
            assert_eq!(end, Answer::Content(Bytes::new()));
            assert_eq!(ask(&mut handler, Question::Remove(vec![Uid(1)])).await, Answer::Removed);
            drop(handler);
            let mut next = signed_in(&place).await;
            let rest = Answer::Maildrop { validity: 7, emails: [emails[1].clone()].into() };
            assert_eq!(ask(&mut next, Question::Open).await, rest);
        });
    }

    #[test]
    fn a_maildrop_is_locked_until_its_connection_is_over() {
        run(async |place: Place| {
            let (mut first, mut second) = (signed_in(&place).await, signed_in(&place).await);
            assert!(matches!(ask(&mut first, Question::Open).await, Answer::Maildrop { .. }));
            assert_eq!(ask(&mut second, Question::Open).await, Answer::InUse);
            let outcome = Outcome { retrieved: 0, removed: 0, misuses: Vec::new() };
            first.ended(outcome, protocol::End::Closed);
            assert!(matches!(ask(&mut second, Question::Open).await, Answer::Maildrop { .. }));
            drop(second);
            assert!(matches!(
                ask(&mut signed_in(&place).await, Question::Open).await,
                Answer::Maildrop { .. }
            ));
        });
    }

    #[test]
    fn nothing_is_shown_before_sign_in() {
        run(async |place: Place| {
            let mailboxes = place.shared.mailboxes.clone();
            let mut handler = Pop3Handler::new(place.shared.clone(), place.live.clone(), mailboxes);
            for question in
                [Question::Open, Question::Read { uid: Uid(1), offset: 0 }, Question::Remove(vec![])]
            {
                assert_eq!(ask(&mut handler, question).await, Answer::Unavailable);
            }
        });
    }
}
