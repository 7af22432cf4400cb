//! What each command does.

use std::sync::Arc;

use mail::{MessageParameters, Reply};

use super::{Asked, ServerSession, State, Then};
use crate::limits;
use crate::misuse::Misuse;
use crate::sasl::{Exchange, Progress, Stop, Told};
use crate::smtp::command::{self, Refusal, Verb};
use crate::smtp::content::{Fault, Piece};
use crate::smtp::dialect::Dialect;
use crate::smtp::replies::{self, Canned};
use crate::smtp::server::{Hello, Lookup, Question, Sender};
use crate::smtp::{extensions, help};

type Done = Result<(), Refusal>;

fn refused(misuse: Misuse, reply: Canned) -> Done {
    Err(Refusal::new(misuse, reply))
}

impl ServerSession {
    pub(super) fn command(&mut self, line: &[u8]) {
        let done = command::split(line, self.dialect).and_then(|(verb, argument)| match verb {
            // It says itself whether it is allowed, after its octets.
            Verb::Bdat => self.bdat(argument),
            Verb::Xclient | Verb::Xforward => {
                self.is_there(verb)?;
                self.may(verb)?;
                self.run(verb, argument)
            }
            _ => {
                self.may(verb)?;
                self.run(verb, argument)
            }
        });
        if let Err(refusal) = done {
            self.refuse(refusal);
        }
    }

    /// Whether the command is allowed now, whatever its argument.
    fn may(&self, verb: Verb) -> Done {
        use Verb::*;
        self.may_always(verb)?;
        self.may_go_on_without_chunks(verb)?;
        match verb {
            Mail => self.may_mail(),
            Auth => self.may_auth(),
            StartTls => self.may_start_tls(),
            Rcpt if self.transaction.is_none() => refused(Misuse::RcptBeforeMail, replies::MAIL_FIRST),
            Data => self.may_data(),
            Etrn => self.is_there(verb).and_then(|()| self.may_introduce(verb)),
            Xclient | Xforward => self.may_introduce(verb),
            _ => self.is_there(verb),
        }
    }

    /// Whether the connection is one on which the command is allowed.
    pub(super) fn may_always(&self, verb: Verb) -> Done {
        use Verb::*;
        // RFC 3207 §4.
        if self.config.tls_required
            && self.tls.is_none()
            && !matches!(verb, Ehlo | Lhlo | Noop | StartTls | Quit)
        {
            return refused(Misuse::CommandBeforeTls, replies::TLS_FIRST);
        }
        // RFC 4954 §6; HELP tells nothing of anybody, and STARTTLS comes before AUTH.
        // XCLIENT says who signed in, or is sent before AUTH; without that it moves nothing.
        let always = matches!(
            verb,
            Ehlo | Helo | Lhlo | Auth | Noop | Rset | Quit | Help | StartTls | Xclient | Xforward
        );
        if self.config.auth_required && self.account.is_none() && !always {
            return refused(Misuse::CommandBeforeSignIn, replies::SIGN_IN_FIRST);
        }
        Ok(())
    }

    fn may_mail(&self) -> Done {
        if self.hello.is_none() {
            return refused(Misuse::MailBeforeHello, self.hello_first());
        }
        if self.transaction.is_some() {
            return refused(Misuse::MailTwice, replies::MAIL_TWICE);
        }
        if self.counts.transactions >= self.config.messages_max {
            return refused(Misuse::TooManyMessages, replies::TOO_MANY_MESSAGES);
        }
        if self.session_room() == 0 {
            return refused(Misuse::SessionTooLarge, replies::SESSION_TOO_LARGE);
        }
        Ok(())
    }

    fn hello_first(&self) -> Canned {
        match self.dialect {
            Dialect::Smtp => replies::HELLO_FIRST,
            Dialect::Lmtp => replies::LHLO_FIRST,
        }
    }

    fn may_data(&self) -> Done {
        match &self.transaction {
            None => refused(Misuse::DataBeforeMail, replies::MAIL_FIRST),
            Some(transaction) if transaction.recipients == 0 => {
                let reply = match self.dialect {
                    Dialect::Smtp => replies::NO_RECIPIENTS,
                    Dialect::Lmtp => replies::LMTP_NO_RECIPIENTS,
                };
                refused(Misuse::DataBeforeRcpt, reply)
            }
            Some(_) => Ok(()),
        }
    }

    fn may_start_tls(&self) -> Done {
        if self.tls.is_some() {
            return refused(Misuse::TlsNotOffered, replies::TLS_ALREADY);
        }
        if !self.config.starttls {
            return refused(Misuse::TlsNotOffered, replies::TLS_NOT_OFFERED);
        }
        Ok(())
    }

    /// RFC 4954 §4.
    fn may_auth(&self) -> Done {
        if self.config.auth.is_empty() {
            return refused(Misuse::SignInNotOffered, replies::SIGN_IN_NOT_OFFERED);
        }
        let Some(hello) = &self.hello else {
            return refused(Misuse::SignInBeforeHello, self.hello_first());
        };
        if !extensions::password_may_be_shown(&self.config, hello) {
            return refused(Misuse::SignInWithoutTls, replies::SIGN_IN_NEEDS_TLS);
        }
        if self.account.is_some() {
            return refused(Misuse::SignInTwice, replies::SIGNED_IN_ALREADY);
        }
        if self.transaction.is_some() {
            return refused(Misuse::SignInInTransaction, replies::SIGN_IN_IN_TRANSACTION);
        }
        Ok(())
    }

    fn run(&mut self, verb: Verb, argument: &str) -> Done {
        let moves_mail = matches!(verb, Verb::Mail | Verb::Rcpt | Verb::Data | Verb::Quit);
        if !moves_mail && !self.count_idle_command() {
            return Ok(());
        }
        match verb {
            Verb::Helo => self.hello(argument, false),
            Verb::Ehlo | Verb::Lhlo => self.hello(argument, true),
            Verb::Mail => self.mail(argument),
            Verb::Rcpt => self.rcpt(argument),
            Verb::Data => self.data(argument),
            Verb::Bdat => self.bdat(argument),
            Verb::Rset => command::nothing(argument).map(|()| self.end_transaction(Then::Reset)),
            Verb::Quit => command::nothing(argument).map(|()| self.end_transaction(Then::Quit)),
            Verb::StartTls => command::nothing(argument).map(|()| self.end_transaction(Then::StartTls)),
            Verb::Vrfy => self.look_up(argument, Question::Verify),
            Verb::Expn => self.look_up(argument, Question::Expand),
            Verb::Noop => self.noop(),
            Verb::Help => self.help(argument),
            Verb::Verbose => self.verb(argument),
            Verb::Auth => self.auth(argument),
            Verb::Etrn => self.etrn(argument),
            Verb::Xclient => self.xclient(argument),
            Verb::Xforward => self.xforward(argument),
        }
    }

    /// RFC 5321 §4.1.4: the state is cleared as by RSET; on refusal it stays as it was.
    fn hello(&mut self, argument: &str, extended: bool) -> Done {
        let name = command::hello(argument)?.to_owned();
        let hello = Hello { name, extended, tls: self.tls.clone(), account: self.account.clone() };
        self.end_transaction(Then::Hello(Arc::new(hello)));
        Ok(())
    }

    /// RFC 5321 §4.1.1.9: an argument is ignored.
    fn noop(&mut self) -> Done {
        self.say_canned(replies::OK);
        Ok(())
    }

    fn help(&mut self, argument: &str) -> Done {
        match help::help(argument, self.dialect, &self.config) {
            Some(reply) => self.say(&reply),
            None => self.say_canned(replies::NO_HELP),
        }
        Ok(())
    }

    fn verb(&mut self, argument: &str) -> Done {
        self.verbose = command::verb(argument)?;
        self.say_canned(if self.verbose { replies::VERBOSE } else { replies::NOT_VERBOSE });
        Ok(())
    }

    fn look_up(&mut self, argument: &str, question: fn(Lookup) -> Question) -> Done {
        let (what, utf8) = command::look_up(argument)?;
        if utf8 && !self.config.keywords.has_smtputf8() {
            return refused(Misuse::UnknownParameter, replies::UNKNOWN_PARAMETER);
        }
        let lookup = Lookup { what: what.to_owned(), signed_in: self.account.is_some(), utf8 };
        self.ask(question(lookup), Asked::Lookup { utf8 });
        Ok(())
    }

    fn mail(&mut self, argument: &str) -> Done {
        let (path, parameters) = command::mail(argument, &self.config)?;
        // RFC 1870 §6.1.
        if parameters.size.is_some_and(|size| size > self.config.content_size_max()) {
            return refused(Misuse::ContentTooLarge, replies::SIZE_ANNOUNCED);
        }
        if parameters.size.is_some_and(|size| size > self.session_room()) {
            return refused(Misuse::SessionTooLarge, replies::SESSION_TOO_LARGE);
        }
        let sender = Sender {
            path,
            size: parameters.size,
            parameters: parameters.message,
            auth: parameters.auth,
            hello: self.hello.clone().expect("MAIL is refused before HELO"),
            forwarded: self.forwarded.clone(),
        };
        let MessageParameters { body, utf8, .. } = sender.parameters;
        self.ask(Question::Sender(Box::new(sender)), Asked::Sender { body, utf8 });
        Ok(())
    }

    fn rcpt(&mut self, argument: &str) -> Done {
        let utf8 = self.transaction.as_ref().is_some_and(|transaction| transaction.utf8);
        let recipient = command::rcpt(argument, utf8, &self.config)?;
        let transaction = self.transaction.as_mut().expect("RCPT is refused without MAIL");
        if transaction.recipients >= self.config.recipients_max {
            transaction.excess += 1;
            return self.excessive_recipient();
        }
        self.ask(Question::Recipient(Box::new(recipient)), Asked::Recipient);
        Ok(())
    }

    /// RFC 5321 §4.5.3.1.10: the client sends the rest in another transaction. It is told so for each, and pipelining
    /// makes that many: noted once, and not held against it for long.
    fn excessive_recipient(&mut self) -> Done {
        let excess = self.transaction.as_ref().map_or(0, |transaction| transaction.excess);
        if excess > limits::SMTP_RECIPIENTS_EXCESS_MAX {
            return refused(Misuse::TooManyRecipients, replies::TOO_MANY_RECIPIENTS);
        }
        if excess == 1 {
            self.misuses.note(Misuse::TooManyRecipients);
        }
        self.say_canned(replies::TOO_MANY_RECIPIENTS);
        Ok(())
    }

    fn data(&mut self, argument: &str) -> Done {
        command::nothing(argument)?;
        self.ask(Question::Begin, Asked::Begin);
        Ok(())
    }

    fn auth(&mut self, argument: &str) -> Done {
        let (mechanism, initial) = command::auth(argument)?;
        let offer = self.config.auth.over(self.tls.as_ref());
        let binding = self.channel.binding(&self.config.host_name);
        let begun = Exchange::begin(mechanism.as_bytes(), initial.map(str::as_bytes), offer, binding);
        self.sasl_progress(begun.map(|(exchange, progress)| (Box::new(exchange), progress)));
        Ok(())
    }

    pub(super) fn sasl_line(&mut self, mut exchange: Box<Exchange>, line: &[u8]) {
        let progress = exchange.take(line);
        self.sasl_progress(progress.map(|progress| (exchange, progress)));
    }

    pub(super) fn sasl_told(&mut self, mut exchange: Box<Exchange>, told: Told) {
        let progress = exchange.told(told);
        self.sasl_progress(Ok((exchange, progress)));
    }

    fn sasl_progress(&mut self, progress: Result<(Box<Exchange>, Progress), Stop>) {
        match progress {
            Ok((exchange, Progress::Challenge(challenge))) => {
                self.say_challenge(&challenge);
                self.state = State::Sasl(exchange);
            }
            Ok((exchange, Progress::Ask(ask))) => {
                self.ask(Question::Authenticate(ask), Asked::SignIn(exchange));
            }
            Ok((_, Progress::Settled(sign_in))) => self.signed_in(sign_in),
            Err(Stop::Cancelled) => self.say_canned(replies::SASL_CANCELLED),
            Err(Stop::Misuse(misuse)) => self.refuse(Refusal::new(misuse, sasl_reply(misuse))),
        }
    }

    /// Tells the application that the transaction is over, if there is one; then goes on.
    fn end_transaction(&mut self, then: Then) {
        self.clock.content_ends = None;
        self.counts.content_octets += self.octets_by_chunks();
        self.forwarded = None;
        match self.transaction.take() {
            Some(_) => self.ask(Question::Abandoned, Asked::Abandoned(then)),
            None => self.then(then),
        }
    }

    pub(super) fn then(&mut self, then: Then) {
        match then {
            Then::Hello(hello) => self.greeted(hello),
            Then::Reset => {
                self.say_canned(replies::OK);
                self.stopped = "after RSET";
            }
            Then::StartTls => self.start_tls(),
            Then::Quit => {
                self.stopped = "after QUIT";
                self.close(replies::GOODBYE);
            }
        }
    }

    fn greeted(&mut self, hello: Arc<Hello>) {
        let reply: Reply = if hello.extended {
            extensions::ehlo(&self.config, &hello)
        } else {
            replies::helo(&self.config.host_name)
        };
        self.say(&reply);
        self.stopped = match (self.dialect, hello.extended) {
            (Dialect::Lmtp, _) => "after LHLO",
            (Dialect::Smtp, true) => "after EHLO",
            (Dialect::Smtp, false) => "after HELO",
        };
        self.hello = Some(hello);
    }

    /// The input must be empty here: what follows STARTTLS in clear text was put there by somebody who hopes that it
    /// is executed after the handshake, as the client's own.
    fn start_tls(&mut self) {
        if !self.lines.is_empty() {
            self.misuses.note(Misuse::InputBeforeTls);
            self.close(replies::INPUT_BEFORE_TLS);
            return;
        }
        self.say_canned(replies::READY_FOR_TLS);
        self.state = State::StartTls;
    }

    pub(super) fn read_content(&mut self) -> bool {
        let State::Content(content) = &mut self.state else { return false };
        let piece = content.read(self.lines.raw());
        match piece {
            Piece::Wait => {
                let come = content.size();
                self.lines.release();
                self.renew_by(come);
                return false;
            }
            Piece::Chunk(chunk) => self.ask(Question::Chunk(chunk), Asked::Chunk),
            Piece::End { last, size } => {
                self.content_over();
                self.ask(Question::Finish { last, size, verbose: self.verbose }, Asked::Finish);
            }
            Piece::Faulty(fault) => self.content_faulty(fault),
            Piece::Endless => {
                self.overhear_content();
                self.misuses.note(Misuse::ContentTooLarge);
                self.close(replies::CONTENT_TOO_LARGE);
            }
        }
        true
    }

    /// What is said of a content with this fault. Too large for what the connection may still bring is not too large for
    /// another one.
    pub(super) fn faulty(&self, fault: Fault) -> (Misuse, Canned) {
        let another_may =
            self.counts.content_octets > 0 && self.session_room() < self.config.content_size_max();
        match fault {
            Fault::TooLarge if another_may => (Misuse::SessionTooLarge, replies::SESSION_TOO_LARGE),
            _ => replies::faulty(fault),
        }
    }

    /// Octets of content that the connection may still bring.
    pub(super) fn session_room(&self) -> u64 {
        self.config
            .bounds
            .session_size_max
            .map_or(u64::MAX, |max| max.saturating_sub(self.counts.content_octets))
    }

    pub(super) fn content_over(&mut self) {
        self.counts.content_octets += match &self.state {
            State::Content(content) => content.size(),
            _ => self.octets_by_chunks(),
        };
        self.overhear_content();
        self.state = State::Commands;
        self.clock.content_ends = None;
        self.lines.release();
        self.renew_deadline();
        self.stopped = "after the content";
    }

    fn content_faulty(&mut self, fault: Fault) {
        let (misuse, reply) = self.faulty(fault);
        self.content_over();
        let recipients = self.replies_to_content();
        self.transaction = None;
        self.misuses.note(misuse);
        self.ask(Question::Refused(reply.reply()), Asked::Refused(reply.reply(), recipients));
    }
}

fn sasl_reply(misuse: Misuse) -> Canned {
    match misuse {
        Misuse::UnknownMechanism => replies::UNKNOWN_MECHANISM,
        Misuse::SaslNotBase64 => replies::SASL_NOT_BASE64,
        Misuse::SaslTooLong => replies::SASL_TOO_LONG,
        Misuse::ChannelBindingDenied => replies::CHANNEL_BINDING_DENIED,
        Misuse::UnknownChannelBinding => replies::UNKNOWN_CHANNEL_BINDING,
        _ => replies::SASL_MALFORMED,
    }
}
