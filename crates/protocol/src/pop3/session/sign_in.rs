//! CAPA, and what leads to the maildrop: USER and PASS (RFC 1939 §7), AUTH (RFC 5034), STLS (RFC 2595 §4).

use super::{Asked, Doing, ServerSession, State};
use crate::lines::Line;
use crate::misuse::Misuse;
use crate::overheard::BLANKED;
use crate::pop3::Question;
use crate::pop3::limits::LINE_MAX;
use crate::sasl::{self, Ask, Credentials, Exchange, Password, Progress, SignIn, Stop, Told};

impl ServerSession {
    /// RFC 2449 §5: what may be used now.
    pub(super) fn capabilities(&mut self) {
        self.ok("capabilities follow");
        let before_sign_in = matches!(self.state, State::Authorization(_));
        let signs_in = self.may_show_secrets() && !self.offer.is_empty();
        let mechanisms: Vec<_> = self.offer.mechanisms().map(|mechanism| mechanism.name()).collect();
        let delay = self.config.login_delay.as_secs();
        for (offered, capability) in [
            (true, "TOP".to_owned()),
            (true, "UIDL".to_owned()),
            (!before_sign_in || self.takes_passwords(), "USER".to_owned()),
            (signs_in, format!("SASL {}", mechanisms.join(" "))),
            (before_sign_in && self.tls_offered(), "STLS".to_owned()),
            (true, "RESP-CODES".to_owned()),
            (true, "AUTH-RESP-CODE".to_owned()),
            (true, "PIPELINING".to_owned()),
            (true, "UTF8 USER".to_owned()),
            (true, "LANG".to_owned()),
            (true, "EXPIRE NEVER".to_owned()),
            (delay > 0, format!("LOGIN-DELAY {delay}")),
            // Not the version: it is nobody's business.
            (true, "IMPLEMENTATION Waxseal".to_owned()),
        ] {
            if offered {
                self.out_line(&capability);
            }
        }
        self.out_line(".");
    }

    fn tls_offered(&self) -> bool {
        self.config.starttls && !self.secure
    }

    fn may_show_secrets(&self) -> bool {
        self.secure || self.config.auth_without_tls
    }

    fn takes_passwords(&self) -> bool {
        self.offer.shows_password() && self.may_show_secrets()
    }

    pub(super) fn user(&mut self, name: &str) -> Result<(), Misuse> {
        self.may_sign_in()?;
        if !self.offer.shows_password() {
            return Err(Misuse::SignInNotOffered);
        }
        // RFC 6856 §2.2: a name that SASLprep prohibits is refused.
        let name = sasl::user_name(name).ok_or(Misuse::CommandSyntax)?;
        self.state = State::Authorization(Some(name));
        // The same for every name: who has an account is not told (RFC 1939 §13).
        self.ok("send PASS");
        Ok(())
    }

    /// The password is compared as it was set, octet by octet: that departs from RFC 6856 §2.2, which would have it
    /// prepared, as no other protocol does with a password in clear text.
    pub(super) fn password(&mut self, password: Password) -> Result<(), Misuse> {
        self.may_sign_in()?;
        let State::Authorization(Some(login)) =
            std::mem::replace(&mut self.state, State::Authorization(None))
        else {
            return Err(Misuse::PassBeforeUser);
        };
        let credentials = Credentials { mechanism: "USER", authorization: String::new(), login, password };
        self.ask(Question::Authenticate(Ask::Password(credentials)), Asked::SignIn(None));
        Ok(())
    }

    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&str>) -> Result<(), Misuse> {
        self.may_sign_in()?;
        let binding = self.channel.binding(&self.config.host_name);
        let initial = initial.map(str::as_bytes);
        let begun = Exchange::begin(mechanism.as_bytes(), initial, self.offer, binding);
        self.sasl_progress(begun.map(|(exchange, progress)| (Box::new(exchange), progress)));
        Ok(())
    }

    /// The client's next line in an exchange of AUTH.
    pub(super) fn sasl_line(&mut self, mut exchange: Box<Exchange>, line: Line) {
        self.renew_deadline();
        self.lines.set_line_max(LINE_MAX);
        let progress = match line {
            Line::Text(line) => {
                self.overhear_response(&line);
                exchange.take(&line)
            }
            Line::Bad(misuse) => {
                if let Some(notes) = &mut self.notes {
                    notes.broken(misuse);
                }
                let misuse = if misuse == Misuse::LineTooLong { Misuse::SaslTooLong } else { misuse };
                Err(Stop::Misuse(misuse))
            }
        };
        self.sasl_progress(progress.map(|progress| (exchange, progress)));
    }

    fn overhear_response(&mut self, line: &[u8]) {
        if let Some(notes) = &mut self.notes {
            notes.peer(if line == b"*" { line } else { BLANKED.as_bytes() });
        }
    }

    pub(super) fn sign_in_told(&mut self, exchange: Option<Box<Exchange>>, told: Told) {
        match exchange {
            Some(mut exchange) => {
                let progress = exchange.told(told);
                self.sasl_progress(Ok((exchange, progress)));
            }
            None => self.signed_in(&told.sign_in()),
        }
    }

    fn sasl_progress(&mut self, progress: Result<(Box<Exchange>, Progress), Stop>) {
        match progress {
            Ok((exchange, Progress::Challenge(challenge))) => {
                self.out_secret(&format!("+ {}", sasl::encode(&challenge)), &sasl::shown(&challenge));
                self.lines.set_line_max(crate::limits::SASL_RESPONSE_MAX);
                self.doing = Doing::Sasl(exchange);
            }
            Ok((exchange, Progress::Ask(ask))) => {
                self.ask(Question::Authenticate(ask), Asked::SignIn(Some(exchange)));
            }
            Ok((_, Progress::Settled(sign_in))) => self.signed_in(&sign_in),
            // RFC 5034 §4: rejected.
            Err(Stop::Cancelled) => self.err("cancelled"),
            Err(Stop::Misuse(misuse)) => self.refuse(misuse),
        }
    }

    fn may_sign_in(&self) -> Result<(), Misuse> {
        match self.state {
            State::Transaction(_) => Err(Misuse::SignInTwice),
            State::Authorization(_) if self.offer.is_empty() => Err(Misuse::SignInNotOffered),
            State::Authorization(_) if self.may_show_secrets() => Ok(()),
            State::Authorization(_) => Err(Misuse::SignInWithoutTls),
        }
    }

    pub(super) fn stls(&mut self) -> Result<(), Misuse> {
        if matches!(self.state, State::Transaction(_)) {
            return Err(Misuse::TlsAfterSignIn);
        }
        if !self.tls_offered() {
            return Err(Misuse::TlsNotOffered);
        }
        if !self.lines.is_empty() {
            return Err(Misuse::InputBeforeTls);
        }
        self.ok("begin TLS");
        self.doing = Doing::Upgrading;
        Ok(())
    }

    fn signed_in(&mut self, sign_in: &SignIn) {
        match sign_in {
            SignIn::Accepted(_) => self.ask(Question::Open, Asked::Open),
            SignIn::Refused => self.refuse(Misuse::SignInFailed),
            // It counts, too: whoever is put off again and again would keep his place for ever.
            SignIn::Unavailable => {
                self.unavailable();
                self.sign_in_failures += 1;
                self.has_failed_too_often();
            }
        }
    }
}
