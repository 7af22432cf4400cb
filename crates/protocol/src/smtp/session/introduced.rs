//! XCLIENT, XFORWARD and ETRN: what a peer says beside mail.

use std::sync::Arc;

use super::{Asked, ServerSession, State};
use crate::misuse::Misuse;
use crate::smtp::command::{self, Refusal, Verb};
use crate::smtp::introductions::{self, Client};
use crate::smtp::replies;
use crate::smtp::server::{Answer, Hello, Introduced, Question};

/// What XCLIENT said of the client's HELO. Kept, because it is not forgotten with what was said before.
#[derive(Debug, Default)]
pub(super) struct Named {
    name: Option<String>,
    extended: Option<bool>,
}

impl Named {
    fn of(client: &Client) -> Self {
        let name = client.hello.as_ref().and_then(|hello| hello.known().cloned());
        Self { name, extended: client.extended }
    }
}

impl ServerSession {
    /// Whether a command that only some virtual servers have, or have for some, is there. Who is not told of XCLIENT and
    /// XFORWARD learns nothing of them: they are commands that nobody knows.
    pub(super) fn is_there(&self, verb: Verb) -> Result<(), Refusal> {
        let refusal = match verb {
            _ if verb.is_there(&self.config) => return Ok(()),
            Verb::Xclient | Verb::Xforward => Refusal::new(Misuse::UnknownCommand, replies::UNKNOWN_COMMAND),
            Verb::Verbose => Refusal::new(Misuse::VerbNotOffered, replies::VERB_NOT_OFFERED),
            _ => Refusal::new(Misuse::CommandNotOffered, replies::NOT_OFFERED),
        };
        Err(refusal)
    }

    /// RFC 1985 §5, and what Postfix documents of the others: not within a transaction.
    pub(super) fn may_introduce(&self, verb: Verb) -> Result<(), Refusal> {
        if verb == Verb::Etrn && self.hello.is_none() {
            return Err(Refusal::new(Misuse::EtrnBeforeHello, replies::HELLO_FIRST));
        }
        if self.transaction.is_some() {
            return Err(Refusal::new(Misuse::CommandInTransaction, replies::IN_TRANSACTION));
        }
        Ok(())
    }

    pub(super) fn etrn(&mut self, argument: &str) -> Result<(), Refusal> {
        let whose = command::etrn(argument)?;
        self.ask(Question::Release(whose), Asked::Release);
        Ok(())
    }

    pub(super) fn xforward(&mut self, argument: &str) -> Result<(), Refusal> {
        let before = self.forwarded.take().unwrap_or_default();
        let said = introductions::forwarded(argument, (*before).clone());
        self.forwarded = Some(match &said {
            Ok(said) => Box::new(said.clone()),
            Err(_) => before,
        });
        said.map(|_| self.say_canned(replies::OK))
    }

    pub(super) fn xclient(&mut self, argument: &str) -> Result<(), Refusal> {
        let client = introductions::client(argument)?;
        let named = Named::of(&client);
        self.ask(Question::Client(Box::new(client)), Asked::Client(named));
        Ok(())
    }

    /// Whether the peer is believed was decided. If it is, the session is as at its beginning (the TLS layer stays), and the
    /// banner is said again.
    pub(super) fn client_decided(&mut self, named: Named, answer: Answer) {
        match answer {
            Answer::Introduced(introduced) => self.begin_anew(named, *introduced),
            Answer::Reply(reply) => {
                // Whoever the peer means now, it is not the one before.
                (self.account, self.hello) = (None, None);
                self.say(&reply);
                if reply.code == 421 {
                    self.state = State::Closing;
                }
            }
            _ => self.say_canned(replies::UNAVAILABLE),
        }
    }

    fn begin_anew(&mut self, named: Named, Introduced { config, account }: Introduced) {
        self.config = config;
        self.counts = Default::default();
        self.verbose = false;
        self.forwarded = None;
        self.account = account;
        let hello = |name| Hello {
            name,
            extended: named.extended.unwrap_or(true),
            tls: self.tls.clone(),
            account: self.account.clone(),
        };
        self.hello = named.name.map(hello).map(Arc::new);
        self.say(&replies::banner(&self.config.host_name, &self.config.banner));
        self.stopped = "after XCLIENT";
    }
}
