//! What each answer does.

use std::sync::Arc;

use mail::{Address, BodyType, Reply};

use super::{Asked, ServerSession, State, Transaction};
use crate::limits;
use crate::misuse::Misuse;
use crate::sasl::SignIn;
use crate::smtp::content::Content;
use crate::smtp::dialect::Dialect;
use crate::smtp::replies::{self, Canned};
use crate::smtp::server::{Answer, Hello};

impl ServerSession {
    pub(super) fn answered(&mut self, asked: Asked, answer: Answer) {
        match (asked, answer) {
            (Asked::SignIn(exchange), Answer::SignIn(told)) => self.sasl_told(exchange, told),
            (Asked::SignIn(_), _) => self.signed_in(SignIn::Unavailable),
            (Asked::Chunk, _) => {}
            (Asked::Refused(reply, recipients), _) => self.content_refused(&reply, recipients),
            (Asked::Client(named), answer) => self.client_decided(named, answer),
            (Asked::Finish, answer) => self.content_decided(answer),
            (Asked::BeginChunks, Answer::Reply(reply)) => self.chunks_decided(reply),
            (Asked::BeginChunks, _) => self.chunks_decided(replies::UNAVAILABLE.reply()),
            (Asked::Abandoned(then), _) => self.then(then),
            (asked, Answer::Reply(reply)) => self.replied(&asked, &reply),
            (asked, _) => self.replied(&asked, &replies::UNAVAILABLE.reply()),
        }
    }

    /// The application's reply to a command is said as it is. 421 closes, whoever says it (RFC 5321 §3.8).
    fn replied(&mut self, asked: &Asked, reply: &Reply) {
        match asked {
            Asked::Lookup { utf8: true } => self.say_as(reply, Reply::render_utf8),
            _ => self.say(reply),
        }
        match asked {
            Asked::Sender { body, utf8 } if reply.is_positive() => self.sender_accepted(*body, *utf8),
            Asked::Sender { .. } => {
                self.refused_by_application(reply);
            }
            Asked::Recipient => self.recipient_decided(reply),
            // RFC 5321 §4.1.1.4: only 354 lets content come; else the transaction stays as it is.
            Asked::Begin if reply.code == 354 => self.begin_content(),
            _ => {}
        }
        if reply.code == 421 {
            self.state = State::Closing;
        }
    }

    fn sender_accepted(&mut self, body: BodyType, utf8: bool) {
        self.counts.transactions += 1;
        self.transaction = Some(Transaction { body, utf8, ..Transaction::default() });
        self.stopped = "after MAIL";
    }

    fn recipient_decided(&mut self, reply: &Reply) {
        match &mut self.transaction {
            Some(transaction) if reply.is_positive() => {
                transaction.recipients += 1;
                self.stopped = "after RCPT";
            }
            _ => self.refused_by_application(reply),
        }
    }

    /// What is deferred is held against nobody, but moves no mail either.
    fn refused_by_application(&mut self, reply: &Reply) {
        if self.count_idle_command() && (500..600).contains(&reply.code) {
            self.count_refusal();
        }
    }

    /// The session itself has refused a content.
    fn content_refused(&mut self, reply: &Reply, recipients: usize) {
        (0..recipients).for_each(|_| self.say(reply));
        if reply.code == 421 {
            self.state = State::Closing;
        }
    }

    fn begin_content(&mut self) {
        self.state = State::Content(Content::new(self.config.message_size_max.min(self.session_room())));
        self.clock.content_renewed = 0;
        self.clock.content_ends = Some(self.clock.now + limits::SMTP_CONTENT_TIME_MAX);
        self.stopped = "in content";
    }

    /// RFC 2033 §4.2: in LMTP each recipient that was accepted has a reply of its own.
    fn content_decided(&mut self, answer: Answer) {
        let mut replies = match answer {
            Answer::Replies(replies) => replies,
            Answer::Reply(reply) if reply.code == 421 => vec![reply],
            Answer::Reply(reply) => vec![reply; self.replies_to_content()],
            _ => Vec::new(),
        };
        if replies.first().is_none_or(|reply| reply.code != 421) {
            replies.resize(self.replies_to_content(), replies::UNAVAILABLE.reply());
        }
        for reply in &replies {
            self.say(reply);
            if reply.code == 421 {
                self.state = State::Closing;
                break;
            }
        }
        self.finished(replies.iter().any(Reply::is_positive));
    }

    /// How many replies the end of a content has.
    pub(super) fn replies_to_content(&self) -> usize {
        match (self.dialect, &self.transaction) {
            (Dialect::Lmtp, Some(transaction)) => transaction.recipients,
            _ => 1,
        }
    }

    fn finished(&mut self, accepted: bool) {
        self.transaction = None;
        self.forwarded = None;
        if accepted {
            self.counts.messages += 1;
            self.counts.refusals = 0;
            self.counts.idle_commands = 0;
            self.counts.octets_dropped = 0;
        }
    }

    pub(super) fn signed_in(&mut self, sign_in: SignIn) {
        match sign_in {
            SignIn::Accepted(address) => {
                self.remember(address);
                self.say_canned(replies::SIGNED_IN);
                self.stopped = "after AUTH";
            }
            SignIn::Unavailable => self.sign_in_failed(replies::SIGN_IN_UNAVAILABLE),
            SignIn::Refused => {
                self.misuses.note(Misuse::SignInFailed);
                self.sign_in_failed(replies::SIGN_IN_REFUSED);
            }
        }
    }

    /// It counts, whatever the reason: whoever is put off again and again would keep his place for ever.
    fn sign_in_failed(&mut self, reply: Canned) {
        self.counts.sign_in_failures += 1;
        if self.counts.sign_in_failures >= self.config.bounds.sign_in_failures_max {
            self.misuses.note(Misuse::TooManySignInFailures);
            self.close(replies::TOO_MANY_SIGN_IN_FAILURES);
        } else {
            self.say_canned(reply);
        }
    }

    /// What was said of the peer now bears its account; without a SASL security layer EHLO need not be repeated
    /// (RFC 4954 §4).
    fn remember(&mut self, address: Address) {
        if let Some(hello) = &self.hello {
            self.hello = Some(Arc::new(Hello { account: Some(address.clone()), ..Hello::clone(hello) }));
        }
        self.account = Some(address);
    }
}
