//! Greeting, STARTTLS, AUTHENTICATE and LOGIN (RFC 3501 §6.2, RFC 4959).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Job, Life, Mode, ServerSession, State, Then, reproach};
use crate::imap::capability::{self, Facts};
use crate::imap::limits;
use crate::imap::overheard::Ear;
use crate::imap::responses::{Text, Writer};
use crate::imap::server::{Answer, Question};
use crate::lines::Line;
use crate::misuse::Misuse;
use crate::sasl::{Credentials, Exchange, Offer, Password, Progress, SignIn, Stop};

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
            offer: if self.takes_passwords() { self.config.auth } else { Offer::NONE },
        })
    }

    fn takes_passwords(&self) -> bool {
        !self.config.auth.is_empty() && (self.tls || self.config.auth_without_tls)
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
        self.life = Life::Upgrade;
    }

    pub(super) fn login(&mut self, job: Job, login: String, password: Password) {
        if !self.takes_passwords() {
            return self.wrong(job, Misuse::SignInWithoutTls);
        }
        let credentials = Credentials { mechanism: "LOGIN", authorization: String::new(), login, password };
        self.ask(job, Then::SignIn, Question::Authenticate(credentials));
    }

    pub(super) fn authenticate(&mut self, job: Job, mechanism: &str, initial: Option<&str>) {
        if !self.takes_passwords() {
            return self.wrong(job, Misuse::SignInWithoutTls);
        }
        match Exchange::begin(mechanism.as_bytes(), initial.map(str::as_bytes), self.config.auth) {
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
                Writer::new(&mut self.out).raw("+ ").raw(&STANDARD.encode(challenge)).end();
                self.mode = Mode::Sasl(job, exchange);
            }
            Progress::Done(credentials) => {
                self.ask(job, Then::SignIn, Question::Authenticate(credentials));
            }
        }
    }

    fn sasl_stopped(&mut self, job: Job, stop: Stop) {
        match stop {
            // RFC 3501 §6.2.2: `*` is answered BAD, and is the client's right.
            Stop::Cancelled => self.conclude(job, Text::bad("Cancelled")),
            Stop::Misuse(misuse) => self.wrong(job, misuse),
        }
    }

    pub(super) fn signed_in(&mut self, job: Job, answer: Answer) {
        match answer {
            Answer::SignIn(SignIn::Accepted(_)) => {
                self.state = State::SignedIn;
                self.lines.set_line_max(limits::LINE_MAX);
                let text = Text::ok("Signed in").with_code(self.capabilities());
                self.conclude(job, text);
            }
            Answer::SignIn(SignIn::Refused) => self.sign_in_refused(job),
            _ => self.conclude(job, Text::no("UNAVAILABLE", "Cannot sign in now, try again later")),
        }
    }

    fn sign_in_refused(&mut self, job: Job) {
        self.misuses.note(Misuse::SignInFailed);
        // RFC 3501 §11.2: not said which of name and password was wrong.
        self.conclude(job, Text::no("AUTHENTICATIONFAILED", "Wrong name or password"));
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
