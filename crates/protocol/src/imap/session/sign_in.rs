//! Greeting, STARTTLS, AUTHENTICATE and LOGIN (RFC 3501 §6.2, RFC 4959).

use super::refusals::reproach;
use super::{Job, Life, Mode, ServerSession, State, Then};
use crate::imap::capability::{self, Facts};
use crate::imap::limits;
use crate::imap::overheard::Ear;
use crate::imap::responses::{Text, Writer};
use crate::imap::server::{Answer, Question};
use crate::lines::Line;
use crate::misuse::Misuse;
use crate::sasl::{self, Ask, Credentials, Exchange, Offer, Password, Progress, SignIn, Stop};
use crate::session::Upgrade;

impl ServerSession {
    pub(super) fn greet(&mut self) {
        self.life = Life::Open;
        let text = format!("OK [{}] {} ready", self.capabilities(), self.config.host_name);
        Writer::new(&mut self.out).untagged(&text);
    }

    pub(super) fn capabilities(&self) -> String {
        capability::list(Facts {
            signed_in: self.is_signed_in(),
            starttls: self.config.starttls && !self.tls && !self.is_signed_in(),
            offer: if self.may_show_secrets() { self.offer } else { Offer::NONE },
        })
    }

    fn may_show_secrets(&self) -> bool {
        self.tls || self.config.auth_without_tls
    }

    /// May the client sign in so, if the way is offered at all?
    fn may_sign_in(&self, is_offered: bool) -> Result<(), Misuse> {
        match (is_offered, self.may_show_secrets()) {
            (false, _) => Err(Misuse::SignInNotOffered),
            (true, false) => Err(Misuse::SignInWithoutTls),
            (true, true) => Ok(()),
        }
    }

    pub(super) fn start_tls(&mut self, job: Job) {
        if self.tls || !self.config.starttls {
            return self.wrong(job, Misuse::TlsNotOffered);
        }
        if !self.lines.is_empty() {
            // RFC 3501 §6.2.1: what came in clear text must not be read as if it had come through TLS.
            self.wrong(job, Misuse::InputBeforeTls);
            return self.close();
        }
        self.conclude(job, Text::ok("Begin TLS now"));
        self.life = Life::Upgrade(Upgrade::Tls);
    }

    pub(super) fn login(&mut self, job: Job, login: String, password: Password) {
        if let Err(misuse) = self.may_sign_in(self.config.auth.shows_password()) {
            return self.wrong(job, misuse);
        }
        let credentials = Credentials { mechanism: "LOGIN", authorization: String::new(), login, password };
        self.ask(job, Then::SignIn(None), Question::Authenticate(Ask::Password(credentials)));
    }

    pub(super) fn authenticate(&mut self, job: Job, mechanism: &str, initial: Option<&str>) {
        if let Err(misuse) = self.may_sign_in(!self.config.auth.is_empty()) {
            return self.wrong(job, misuse);
        }
        let binding = self.channel.binding(&self.config.host_name);
        match Exchange::begin(mechanism.as_bytes(), initial.map(str::as_bytes), self.offer, binding) {
            Ok((exchange, progress)) => self.sasl_progress(job, Box::new(exchange), progress),
            Err(stop) => self.sasl_stopped(job, stop),
        }
    }

    /// The client's next line in the exchange.
    pub(super) fn sasl_on(&mut self, job: Job, mut exchange: Box<Exchange>) -> bool {
        let Some(line) = self.lines.next_line() else {
            self.mode = Mode::Sasl(job, exchange);
            return false;
        };
        self.overhear_line(&line, Ear::sasl);
        match line {
            Line::Bad(misuse) => self.broken(misuse),
            Line::Text(line) => {
                self.intake.count(line.len() + 2);
                match exchange.take(&line) {
                    _ if self.is_over_budget() => self.over_budget(),
                    Ok(progress) => self.sasl_progress(job, exchange, progress),
                    Err(stop) => self.sasl_stopped(job, stop),
                }
            }
        }
        true
    }

    fn sasl_progress(&mut self, job: Job, exchange: Box<Exchange>, progress: Progress) {
        match progress {
            Progress::Challenge(challenge) => {
                self.say_challenge(&challenge);
                self.mode = Mode::Sasl(job, exchange);
            }
            Progress::Ask(ask) => self.ask(job, Then::SignIn(Some(exchange)), Question::Authenticate(ask)),
            Progress::Settled(sign_in) => self.signed_in(job, &sign_in),
        }
    }

    fn say_challenge(&mut self, challenge: &[u8]) {
        if let Some(ear) = &mut self.ear {
            ear.response(&self.out);
        }
        Writer::new(&mut self.out).raw("+ ").raw(&sasl::encode(challenge)).end();
        if let Some(ear) = &mut self.ear {
            ear.challenge(self.out.len(), &sasl::shown(challenge));
        }
    }

    fn sasl_stopped(&mut self, job: Job, stop: Stop) {
        match stop {
            // RFC 3501 §6.2.2: `*` is answered BAD, and is the client's right.
            Stop::Cancelled => self.conclude(job, Text::bad("Cancelled")),
            Stop::Misuse(misuse) => self.wrong(job, misuse),
        }
    }

    pub(super) fn sign_in_told(&mut self, job: Job, exchange: Option<Box<Exchange>>, answer: Answer) {
        match (exchange, answer) {
            (Some(mut exchange), Answer::SignIn(told)) => {
                let progress = exchange.told(told);
                self.sasl_progress(job, exchange, progress);
            }
            (None, Answer::SignIn(told)) => self.signed_in(job, &told.sign_in()),
            _ => self.signed_in(job, &SignIn::Unavailable),
        }
    }

    fn signed_in(&mut self, job: Job, sign_in: &SignIn) {
        match sign_in {
            SignIn::Accepted(_) => {
                self.state = State::SignedIn;
                self.lines.set_line_max(limits::LINE_MAX);
                let text = Text::ok("Signed in").with_code(self.capabilities());
                self.conclude(job, text);
            }
            SignIn::Refused => self.sign_in_refused(job),
            SignIn::Unavailable => {
                self.conclude(job, Text::no("UNAVAILABLE", "Cannot sign in now, try again later"));
                self.count_sign_in_failure();
            }
        }
    }

    fn sign_in_refused(&mut self, job: Job) {
        self.misuses.note(Misuse::SignInFailed);
        // RFC 3501 §11.2: not said which of name and password was wrong.
        self.conclude(job, Text::no("AUTHENTICATIONFAILED", "Wrong name or password"));
        self.count_sign_in_failure();
    }

    /// It counts, whatever the reason: whoever is put off again and again would keep his place for ever.
    fn count_sign_in_failure(&mut self) {
        self.sign_in_failures += 1;
        if self.sign_in_failures >= self.config.sign_in_failures_max {
            self.misuses.note(Misuse::TooManySignInFailures);
            self.bye("Too many failures to sign in");
        }
    }

    /// A literal is refused like any command in the wrong state.
    pub(super) fn not_signed_in(&self) -> Option<(Misuse, Text)> {
        let misuse = Misuse::CommandInWrongState;
        (!self.is_signed_in()).then(|| (misuse, reproach(misuse)))
    }
}
