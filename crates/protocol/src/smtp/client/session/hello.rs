//! From the banner to a connection on which mail can be sent: EHLO, STARTTLS, AUTH.

use mail::Reply;

use super::{Asked, ClientSession, State, Waiting};
use crate::sasl::{self, Password};
use crate::smtp::Dialect;
use crate::smtp::client::diagnostic::{Cause, Diagnostic, Stage};
use crate::smtp::client::interface::{Greeting, Question, SignInAs, Tls};
use crate::smtp::client::limits;
use crate::smtp::client::offers::Offers;

/// A SASL mechanism, from the client's side: the responses that it sends, in order, not yet in base64.
struct Mechanism {
    name: &'static str,
    responses: fn(&SignInAs) -> Vec<String>,
    /// Whether the first response may come with the command (RFC 4954 §4).
    initial: bool,
}

/// In the order in which they are preferred: PLAIN is a standard and takes one round trip less.
const MECHANISMS: &[Mechanism] = &[
    // RFC 4616 §2.
    Mechanism {
        name: "PLAIN",
        responses: |sign_in| vec![format!("\0{}\0{}", sign_in.login, sign_in.password.0)],
        initial: true,
    },
    // draft-murchison-sasl-login-00.
    Mechanism {
        name: "LOGIN",
        responses: |sign_in| vec![sign_in.login.clone(), sign_in.password.0.clone()],
        initial: false,
    },
];

impl ClientSession {
    pub(super) fn banner_came(&mut self, reply: Reply) {
        if reply.is_positive() {
            self.say_hello();
        } else {
            // RFC 5321 §3.1: the peer waits for QUIT.
            self.give_up(Diagnostic::replied(Stage::Banner, Cause::Reply, reply));
        }
    }

    pub(super) fn say_hello(&mut self) {
        let (verb, waiting) = match (self.policy.dialect, self.policy.greeting) {
            (Dialect::Smtp, Greeting::Extended) => ("EHLO", Waiting::Ehlo),
            (Dialect::Smtp, Greeting::Plain) => ("HELO", Waiting::Helo),
            (Dialect::Lmtp, _) => ("LHLO", Waiting::Ehlo),
        };
        self.command(waiting, &format!("{verb} {}", self.policy.hello));
    }

    pub(super) fn hello_answered(&mut self, to: Waiting, reply: Reply) {
        let extended = to == Waiting::Ehlo;
        if reply.is_positive() {
            self.offers = if extended { Offers::read(&reply) } else { Offers::default() };
            self.get_ready();
        } else if extended && reply.code >= 500 && self.policy.dialect == Dialect::Smtp {
            // RFC 5321 §3.2: a server that does not know EHLO is asked with HELO.
            self.command(Waiting::Helo, &format!("HELO {}", self.policy.hello));
        } else {
            self.give_up(Diagnostic::replied(Stage::Hello, Cause::Reply, reply));
        }
    }

    /// What is missing yet is done: TLS, then sign-in.
    fn get_ready(&mut self) {
        let in_clear = self.tls.is_none();
        match self.policy.tls {
            Tls::Off => {}
            _ if !in_clear || self.tls_refused => {}
            _ if self.offers.starttls => return self.command(Waiting::StartTls, "STARTTLS"),
            Tls::Opportunistic => {}
            Tls::Required => return self.give_up(Diagnostic::ours(Stage::Hello, Cause::TlsNotOffered)),
        }
        match self.policy.sign_in.clone() {
            Some(_) if self.signed_in => self.ready(),
            Some(_) if in_clear && !self.policy.sign_in_without_tls => {
                self.give_up(Diagnostic::ours(Stage::Hello, Cause::SignInWithoutTls));
            }
            Some(sign_in) => self.sign_in(&sign_in),
            None => self.ready(),
        }
    }

    pub(super) fn start_tls_answered(&mut self, reply: Reply) {
        if reply.is_positive() {
            self.start_tls();
        } else if self.policy.tls == Tls::Required {
            self.give_up(Diagnostic::replied(Stage::StartTls, Cause::TlsRefused, reply));
        } else {
            // RFC 3207 §4: it is the client's choice to go on.
            self.tls_refused = true;
            self.get_ready();
        }
    }

    /// The input must be empty here: what follows the reply in clear text was put there to be read after the handshake
    /// as the peer's own.
    fn start_tls(&mut self) {
        if self.replies.is_empty() {
            self.state = State::StartTls;
        } else {
            self.fail(Diagnostic::ours(Stage::Handshake, Cause::InputBeforeTls));
        }
    }

    fn sign_in(&mut self, sign_in: &SignInAs) {
        let offered = |mechanism: &&Mechanism| {
            self.offers.auth.mechanisms().any(|offered| offered.name() == mechanism.name)
        };
        let Some(mechanism) = MECHANISMS.iter().find(offered) else {
            return self.give_up(Diagnostic::ours(Stage::Hello, Cause::SignInNotOffered));
        };
        let encoded = |response: &String| Password(sasl::encode(response));
        self.responses = (mechanism.responses)(sign_in).iter().map(encoded).collect();
        let command = format!("AUTH {}", mechanism.name);
        let fits =
            |response: &Password| command.len() + response.0.len() + " \r\n".len() <= limits::AUTH_LINE_MAX;
        match self.responses.front() {
            Some(response) if mechanism.initial && fits(response) => {
                let line = format!("{command} {}", response.0);
                self.responses.pop_front();
                self.command_with_secret(Waiting::Auth, &line, &format!("{command} (secret)"));
            }
            _ => self.command(Waiting::Auth, &command),
        }
    }

    pub(super) fn auth_answered(&mut self, reply: Reply) {
        match (reply.code / 100, self.responses.pop_front()) {
            (2, _) => {
                self.signed_in = true;
                self.responses.clear();
                self.ready();
            }
            (3, Some(response)) => self.command_with_secret(Waiting::Auth, &response.0, "(secret)"),
            // RFC 4954 §4: the peer asks for more than there is; `*` ends it.
            (3, None) => self.command(Waiting::AuthCancelled, "*"),
            _ => self.give_up(Diagnostic::replied(Stage::SignIn, Cause::SignInRefused, reply)),
        }
    }

    pub(super) fn auth_cancelled(&mut self, reply: Reply) {
        if reply.code >= 400 {
            self.give_up(Diagnostic::replied(Stage::SignIn, Cause::SignInRefused, reply));
        } else {
            self.fail(Diagnostic::ours(Stage::SignIn, Cause::NotUnderstood));
        }
    }

    /// Asks for the next transaction, unless this connection has done enough.
    pub(super) fn ready(&mut self) {
        if self.clock.stops.is_some() {
            self.give_up(Diagnostic::ours(Stage::Ready, Cause::Stopped));
        } else if self.transactions
            >= self.offers.mail_max.unwrap_or(usize::MAX).min(self.policy.messages_max)
        {
            // RFC 9422 §4.1: what is more would be refused.
            self.quit();
        } else {
            self.state = State::Idle;
            self.clock.deadline = self.clock.now + self.policy.idle;
            self.ask(Question::Next, Asked::Next);
        }
    }
}
