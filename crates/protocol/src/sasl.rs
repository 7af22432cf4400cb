//! Simple Authentication and Security Layer (RFC 4422): PLAIN (RFC 4616) and LOGIN, and the exchange around them.
//!
//! ```text
//! Exchange::begin ──► Challenge ──► client's line ──► Exchange::take ──► Challenge | Done(Credentials)
//! ```
//!
//! A mechanism is a pure function of the responses so far. Whether a password is right is the application's business.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::limits::{SASL_FIELD_MAX, SASL_RESPONSE_MAX};
use crate::misuse::Misuse;

/// A password that is never printed: not by `Debug`, not in a log, not in the journal.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What a client presented to prove who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The mechanism's IANA name, or `USER`, `LOGIN` for the commands of POP3 and IMAP.
    pub mechanism: &'static str,
    /// Whom it wants to act as (RFC 4616 authzid); empty means the same as `login`.
    pub authorization: String,
    /// Whose password it is: an address, or a local part of the default domain.
    pub login: String,
    /// The password in clear text.
    pub password: Password,
}

/// How a sign-in went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// The account's canonical address.
    Accepted(mail::Address),
    /// Wrong password or unknown account, which cannot be told apart.
    Refused,
    /// The server could not find out; try again later.
    Unavailable,
}

/// A SASL mechanism.
pub trait Mechanism: fmt::Debug + Sync {
    /// Its IANA name, upper case.
    fn name(&self) -> &'static str;

    /// What follows from the client's responses so far; [`Misuse::SaslMalformed`] if they are not what the mechanism
    /// asks for.
    fn advance(&self, responses: &[Vec<u8>]) -> Result<Progress, Misuse>;
}

/// Where an exchange stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Send this challenge, which is not yet in base64.
    Challenge(&'static str),
    /// Nothing more is needed from the client.
    Done(Credentials),
}

/// The mechanisms, in the order in which they are offered. All of them show the password to whoever reads the line.
pub const MECHANISMS: &[&dyn Mechanism] = &[&Plain, &Login];

/// Which of [`MECHANISMS`] a virtual server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offer(u8);

impl Offer {
    /// Nobody can sign in.
    pub const NONE: Self = Self(0);
    /// Every mechanism there is.
    pub const ALL: Self = Self((1 << MECHANISMS.len()) - 1);

    /// The mechanisms of these names, in any case; unknown names are left out.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let place = |name: &str| MECHANISMS.iter().position(|it| it.name().eq_ignore_ascii_case(name));
        Self(names.into_iter().filter_map(place).fold(0, |bits, place| bits | 1 << place))
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Those that are offered, in their order.
    pub fn mechanisms(self) -> impl Iterator<Item = &'static dyn Mechanism> {
        MECHANISMS.iter().enumerate().filter(move |(place, _)| self.0 >> place & 1 == 1).map(|(_, it)| *it)
    }
}

/// RFC 4616: authorization identity, NUL, authentication identity, NUL, password.
#[derive(Debug)]
struct Plain;

impl Mechanism for Plain {
    fn name(&self) -> &'static str {
        "PLAIN"
    }

    fn advance(&self, responses: &[Vec<u8>]) -> Result<Progress, Misuse> {
        let Some(message) = responses.first() else { return Ok(Progress::Challenge("")) };
        let mut fields = message.split(|&octet| octet == 0);
        let (Some(authorization), Some(login), Some(password), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(Misuse::SaslMalformed);
        };
        // RFC 4616 §2: authcid and passwd have one character or more; authzid may be missing.
        Ok(Progress::Done(Credentials {
            mechanism: self.name(),
            authorization: text(authorization)?,
            login: present(login)?,
            password: Password(present(password)?),
        }))
    }
}

/// The mechanism of draft-murchison-sasl-login-00, never a standard and still what old mail programs and devices
/// speak: the server asks for the user name, then for the password.
#[derive(Debug)]
struct Login;

impl Mechanism for Login {
    fn name(&self) -> &'static str {
        "LOGIN"
    }

    fn advance(&self, responses: &[Vec<u8>]) -> Result<Progress, Misuse> {
        match responses {
            [] => Ok(Progress::Challenge("Username:")),
            [_] => Ok(Progress::Challenge("Password:")),
            [login, password, ..] => Ok(Progress::Done(Credentials {
                mechanism: self.name(),
                authorization: String::new(),
                login: present(login)?,
                password: Password(present(password)?),
            })),
        }
    }
}

/// UTF-8 without NUL, within the budget.
fn text(field: &[u8]) -> Result<String, Misuse> {
    let text = std::str::from_utf8(field).map_err(|_| Misuse::SaslMalformed)?;
    if text.contains('\0') || text.len() > SASL_FIELD_MAX {
        return Err(Misuse::SaslMalformed);
    }
    Ok(text.to_owned())
}

/// The same, and not empty.
fn present(field: &[u8]) -> Result<String, Misuse> {
    if field.is_empty() {
        return Err(Misuse::SaslMalformed);
    }
    text(field)
}

/// One exchange, from the command that begins it to credentials.
///
/// ```
/// use protocol::sasl::{Exchange, Offer, Progress};
///
/// let (mut exchange, progress) = Exchange::begin(b"PLAIN", None, Offer::ALL)?;
/// assert_eq!(progress, Progress::Challenge(""));
/// let Progress::Done(credentials) = exchange.take(b"AGJvYgBzZWNyZXQ=")? else { panic!() };
/// assert_eq!(credentials.login, "bob");
/// # Ok::<(), protocol::sasl::Stop>(())
/// ```
pub struct Exchange {
    mechanism: &'static dyn Mechanism,
    responses: Vec<Vec<u8>>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The responses hold a password.
        f.debug_struct("Exchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// Why an exchange ended without credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The client sent `*`; its right (RFC 4954 §4).
    Cancelled,
    /// [`Misuse::UnknownMechanism`], [`Misuse::SaslNotBase64`], [`Misuse::SaslMalformed`] or
    /// [`Misuse::SaslTooLong`].
    Misuse(Misuse),
}

impl From<Misuse> for Stop {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl Exchange {
    /// Begins an exchange with the mechanism of this name, in any case. `initial` is the argument after the name, if
    /// there is one: base64, or `=` for an empty response (RFC 4954 §4; RFC 4959 §3 and RFC 5034 §4 say the same).
    ///
    /// LOGIN takes an initial response although the server begins it: widely used clients send the user name so.
    pub fn begin(name: &[u8], initial: Option<&[u8]>, offer: Offer) -> Result<(Self, Progress), Stop> {
        let mechanism = offer
            .mechanisms()
            .find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
            .ok_or(Misuse::UnknownMechanism)?;
        let mut exchange = Self { mechanism, responses: Vec::new() };
        let progress = match initial {
            None => exchange.mechanism.advance(&[])?,
            Some(b"=") => exchange.respond(Vec::new())?,
            Some(initial) => exchange.respond(decode(initial)?)?,
        };
        Ok((exchange, progress))
    }

    /// Takes the client's next line, without its CRLF.
    pub fn take(&mut self, line: &[u8]) -> Result<Progress, Stop> {
        if line == b"*" {
            return Err(Stop::Cancelled);
        }
        Ok(self.respond(decode(line)?)?)
    }

    fn respond(&mut self, response: Vec<u8>) -> Result<Progress, Misuse> {
        self.responses.push(response);
        self.mechanism.advance(&self.responses)
    }
}

/// A challenge as it is sent: base64.
pub fn encode(challenge: &str) -> String {
    STANDARD.encode(challenge)
}

/// Strict base64: padding only at the end and complete, no other character, no white space (RFC 4954 §4).
fn decode(line: &[u8]) -> Result<Vec<u8>, Misuse> {
    if line.len() > SASL_RESPONSE_MAX {
        return Err(Misuse::SaslTooLong);
    }
    STANDARD.decode(line).map_err(|_| Misuse::SaslNotBase64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(result: Result<Progress, Stop>) -> String {
        match result {
            Ok(Progress::Challenge(text)) => format!("challenge {text:?}"),
            Ok(Progress::Done(c)) => format!("{:?} {:?} {:?}", c.authorization, c.login, c.password.0),
            Err(stop) => format!("{stop:?}"),
        }
    }

    /// Lines of one exchange, the first of which is mechanism and initial response, to its last step.
    fn check(lines: &[&str], expected: &str) {
        let mut words = lines[0].split(' ').map(str::as_bytes);
        let begun = Exchange::begin(words.next().unwrap_or_default(), words.next(), Offer::ALL);
        let last = begun.and_then(|(mut exchange, mut progress)| {
            for line in &lines[1..] {
                progress = exchange.take(line.as_bytes())?;
            }
            Ok(progress)
        });
        assert_eq!(show(last), expected, "{lines:?}");
    }

    fn base64(raw: impl AsRef<[u8]>) -> String {
        STANDARD.encode(raw)
    }

    #[test]
    fn plain() {
        check(&["PLAIN"], "challenge \"\"");
        check(&["plain dGVzdAB0ZXN0ADEyMzQ="], r#""test" "test" "1234""#);
        check(&["PLAIN", "dGVzdAB0ZXN0ADEyMzQ="], r#""test" "test" "1234""#);
        check(&[&format!("PLAIN {}", base64("\0bob@example.org\0ünder"))], r#""" "bob@example.org" "ünder""#);
        for malformed in ["", "\0", "\0\0", "\0bob\0", "\0\0secret", "bob\0secret", "\0bob\0sec\0ret"] {
            check(&["PLAIN", &base64(malformed)], "Misuse(SaslMalformed)");
        }
        check(&["PLAIN", &base64(b"\0bob\0\xff")], "Misuse(SaslMalformed)");
        check(
            &["PLAIN", &base64(format!("\0bob\0{}", "x".repeat(SASL_FIELD_MAX + 1)))],
            "Misuse(SaslMalformed)",
        );
        check(&["PLAIN ="], "Misuse(SaslMalformed)");
    }

    #[test]
    fn login() {
        check(&["LOGIN"], "challenge \"Username:\"");
        check(&["LOGIN", &base64("bob")], "challenge \"Password:\"");
        check(&["LOGIN", &base64("bob"), &base64("secret")], r#""" "bob" "secret""#);
        check(&[&format!("LOGIN {}", base64("bob")), &base64("secret")], r#""" "bob" "secret""#);
        check(&["LOGIN", &base64("bob"), ""], "Misuse(SaslMalformed)");
        check(&["LOGIN", "", &base64("secret")], "Misuse(SaslMalformed)");
        check(&["LOGIN", &base64("b\0b"), &base64("secret")], "Misuse(SaslMalformed)");
    }

    #[test]
    fn the_exchange_is_strict() {
        check(&["CRAM-MD5"], "Misuse(UnknownMechanism)");
        check(&["PLAIN", "*"], "Cancelled");
        check(&["LOGIN", &base64("bob"), "*"], "Cancelled");
        for wrong in ["=AAA", "AAA=BBB", "AAA", "AA=", "A A=", "AAA-", "AB==", "="] {
            check(&["LOGIN", wrong], "Misuse(SaslNotBase64)");
        }
        check(&["LOGIN", &"A".repeat(SASL_RESPONSE_MAX + 1)], "Misuse(SaslTooLong)");
    }

    #[test]
    fn secrets_are_not_printed() {
        let (mut exchange, _) = Exchange::begin(b"LOGIN", None, Offer::ALL).unwrap();
        exchange.take(base64("swordfish").as_bytes()).unwrap();
        let done = exchange.take(base64("swordfish2").as_bytes()).unwrap();
        assert!(!format!("{exchange:?}").contains("115"));
        assert!(!format!("{done:?}").contains("swordfish2"));
    }
}
