//! Simple Authentication and Security Layer (RFC 4422): the mechanisms, and the exchange around them.
//!
//! ```text
//! Exchange::begin ──► Challenge ──► client's line ──► Exchange::take ──► Challenge | Ask | Settled
//!                     Ask ──► the application's decision ──► Exchange::told ──► Challenge | Ask | Settled
//! ```
//!
//! A mechanism is a pure state machine. Whether a password is right, and which keys an account has, is the
//! application's business; whether a proof fits keys is decided here.

mod bearer;
mod channel;
mod cram;
mod external;
mod gs2;
mod login;
mod plain;
mod prepare;
mod scram;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail::Address;

pub use bearer::{Bearer, Discovery, Token};
pub use channel::{Binding, Channel, Seed};
pub use cram::Challenged;
pub use external::External;
use login::Login;
use plain::Plain;
pub(crate) use prepare::user_name;

use crate::limits::{SASL_FIELD_MAX, SASL_RESPONSE_MAX};
use crate::misuse::Misuse;
use crate::overheard::BLANKED;
use crate::session::TlsFacts;

/// A password that is never printed: not by `Debug`, not in a log, not in the journal.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What the application decides for a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Is this the password? Answered by [`Told::SignIn`].
    Password(Credentials),
    /// By which keys can this login prove itself? Answered by [`Told::Keys`], for whoever it is.
    Keys(KeysWanted),
    /// It has proved itself by those keys. Answered by [`Told::SignIn`].
    Proved(Proved),
    /// This login has failed to prove itself by those keys; that is known, and the answer says only when the client may be
    /// told. Whatever it is, it is a refusal.
    Disproved(String),
    /// Whose token is this? Answered by [`Told::SignIn`] or [`Told::TokenRefused`].
    Token(Token),
    /// Whose certificate is this? Answered by [`Told::SignIn`].
    Certificate(External),
    /// Does this fit the challenge and the secret? Answered by [`Told::SignIn`].
    Challenged(Challenged),
}

/// How the application decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// How the sign-in went. It answers any question; [`SignIn::Accepted`] does not answer [`Ask::Keys`].
    SignIn(SignIn),
    /// The keys of the account, or invented ones that fit nothing.
    Keys(ScramKeys),
    /// The token is not good, and what would be.
    TokenRefused(Discovery),
}

impl From<SignIn> for Told {
    fn from(sign_in: SignIn) -> Self {
        Self::SignIn(sign_in)
    }
}

impl Told {
    /// How a sign-in by password went, where there is no exchange: USER and PASS, LOGIN.
    pub fn sign_in(self) -> SignIn {
        match self {
            Self::SignIn(sign_in) => sign_in,
            Self::TokenRefused(_) => SignIn::Refused,
            Self::Keys(_) => SignIn::Unavailable,
        }
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

/// A login whose SCRAM keys are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysWanted {
    /// The keys of which hash function.
    pub hash: ScramHash,
    /// Whose: an address, or a local part of the default domain; prepared by SASLprep (RFC 4013).
    pub login: String,
}

/// The hash function of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScramHash {
    /// RFC 7677.
    Sha256,
    /// RFC 5802.
    Sha1,
}

/// What a server keeps of a password for SCRAM (RFC 5802 §3). With it the password can be guessed at, and the server be
/// played towards the client, so it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// The salt, in octets.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// `H(ClientKey)`, as long as the hash.
    pub stored_key: Vec<u8>,
    /// `HMAC(SaltedPassword, "Server Key")`, as long as the hash.
    pub server_key: Vec<u8>,
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(…)")
    }
}

/// Who proved to know the password without showing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// The mechanism's IANA name.
    pub mechanism: &'static str,
    /// Whom it wants to act as; empty means the same as `login`.
    pub authorization: String,
    /// Whose keys they were.
    pub login: String,
    /// The hash function of the mechanism.
    pub hash: ScramHash,
    /// The keys by which it proved it: they must still be the account's.
    pub keys: ScramKeys,
}

/// How a sign-in went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// The account's canonical address.
    Accepted(Address),
    /// Wrong password or unknown account, which cannot be told apart.
    Refused,
    /// The server could not find out; try again later.
    Unavailable,
}

/// A SASL mechanism.
pub trait Mechanism: fmt::Debug + Sync {
    /// Its IANA name, upper case.
    fn name(&self) -> &'static str;

    /// What it needs of the connection.
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    /// Whether the client shows its password.
    fn shows_password(&self) -> bool {
        false
    }

    /// A new exchange.
    fn start(&self, grounds: Grounds) -> Box<dyn Dialogue>;
}

/// What a mechanism needs of the connection, beside the right to sign in over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// TLS, whatever the settings allow without.
    Tls,
    /// TLS whose bindings are known: the sign-in is bound to the channel.
    Bindings,
    /// A certificate of the client.
    Certificate,
}

impl Needs {
    fn are_met(self, tls: Option<&TlsFacts>) -> bool {
        match self {
            Self::Nothing => true,
            Self::Tls => tls.is_some(),
            Self::Bindings => tls.is_some_and(TlsFacts::has_bindings),
            Self::Certificate => tls.is_some_and(|tls| tls.certificate.is_some()),
        }
    }
}

/// What an exchange stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grounds {
    /// The channel and the nonce.
    pub binding: Binding,
    /// A mechanism that binds the channel was offered.
    pub binding_offered: bool,
}

/// One run of a mechanism, on the server's side.
pub trait Dialogue: fmt::Debug + Send {
    /// What follows when the client has sent no initial response: the first challenge.
    fn open(&mut self) -> Progress;

    /// Takes the client's response, base64 removed; [`Misuse::SaslMalformed`] if it is not what the mechanism asks for.
    fn respond(&mut self, response: &[u8]) -> Result<Progress, Misuse>;

    /// Takes the application's decision.
    fn told(&mut self, told: Told) -> Progress {
        Progress::Settled(told.sign_in())
    }

    /// How it ends whatever the client says next, if that has been decided.
    fn verdict(&self) -> Option<SignIn> {
        None
    }
}

/// Where an exchange stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Send this challenge, which is not yet in base64.
    Challenge(Vec<u8>),
    /// The application decides.
    Ask(Ask),
    /// The exchange is over.
    Settled(SignIn),
}

/// The mechanisms, in the order in which they are offered: first what shows no secret, the strongest first of all.
pub const MECHANISMS: &[&dyn Mechanism] = &[
    &scram::SHA_256_PLUS,
    &scram::SHA_1_PLUS,
    &scram::SHA_256,
    &scram::SHA_1,
    &external::TheCertificate,
    &bearer::Form::OAuthBearer,
    &bearer::Form::XOAuth2,
    &cram::CramMd5,
    &Plain,
    &Login,
];

/// Which of [`MECHANISMS`] a virtual server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offer(u16);

impl Offer {
    /// Nobody can sign in.
    pub const NONE: Self = Self(0);
    /// Every mechanism there is.
    pub const ALL: Self = Self((1 << MECHANISMS.len()) - 1);
    /// What an account with a password needs, and nothing else: SCRAM, PLAIN and LOGIN.
    pub const USUAL: Self = Self(0b11_0000_1111);

    /// The mechanisms of these names, in any case; unknown names are left out.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let place = |name: &str| MECHANISMS.iter().position(|it| it.name().eq_ignore_ascii_case(name));
        Self(names.into_iter().filter_map(place).fold(0, |bits, place| bits | 1 << place))
    }

    /// Those of them that are possible here: what needs TLS, its bindings or a certificate of the client, is not without.
    #[must_use]
    pub fn over(self, tls: Option<&TlsFacts>) -> Self {
        let places = MECHANISMS.iter().enumerate().filter(|(_, mechanism)| mechanism.needs().are_met(tls));
        Self(self.0 & places.fold(0, |bits, (place, _)| bits | 1 << place))
    }

    /// Whether one of them shows the password, so that commands that do so may be taken, too.
    pub fn shows_password(self) -> bool {
        self.mechanisms().any(Mechanism::shows_password)
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

/// One exchange, from the command that begins it to the decision.
///
/// ```
/// use protocol::sasl::{Ask, Binding, Exchange, Offer, Progress};
///
/// let (mut exchange, progress) = Exchange::begin(b"PLAIN", None, Offer::ALL, Binding::default())?;
/// assert_eq!(progress, Progress::Challenge(Vec::new()));
/// let Progress::Ask(Ask::Password(credentials)) = exchange.take(b"AGJvYgBzZWNyZXQ=")? else { panic!() };
/// assert_eq!(credentials.login, "bob");
/// # Ok::<(), protocol::sasl::Stop>(())
/// ```
pub struct Exchange {
    mechanism: &'static dyn Mechanism,
    dialogue: Box<dyn Dialogue>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was said holds secrets.
        f.debug_struct("Exchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// Why an exchange ended without a decision.
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
    pub fn begin(
        name: &[u8],
        initial: Option<&[u8]>,
        offer: Offer,
        binding: Binding,
    ) -> Result<(Self, Progress), Stop> {
        let mechanism = offer
            .mechanisms()
            .find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
            .ok_or(Misuse::UnknownMechanism)?;
        let binding_offered = offer.mechanisms().any(|mechanism| mechanism.needs() == Needs::Bindings);
        let mut exchange =
            Self { mechanism, dialogue: mechanism.start(Grounds { binding, binding_offered }) };
        let progress = match initial {
            None => exchange.dialogue.open(),
            Some(b"=") => exchange.dialogue.respond(b"")?,
            Some(initial) => exchange.dialogue.respond(&decode(initial)?)?,
        };
        Ok((exchange, progress))
    }

    /// Takes the client's next line, without its CRLF.
    pub fn take(&mut self, line: &[u8]) -> Result<Progress, Stop> {
        if let Some(verdict) = self.dialogue.verdict() {
            return Ok(Progress::Settled(verdict));
        }
        if line == b"*" {
            return Err(Stop::Cancelled);
        }
        Ok(self.dialogue.respond(&decode(line)?)?)
    }

    /// Takes the application's decision.
    pub fn told(&mut self, told: Told) -> Progress {
        self.dialogue.told(told)
    }
}

/// A challenge as a log may show it: what the prompts of LOGIN are, everybody knows; from the messages of SCRAM a password
/// can be guessed at.
pub fn shown(challenge: &[u8]) -> String {
    match challenge {
        b"" | b"Username:" | b"Password:" => encode(challenge),
        _ => BLANKED.to_owned(),
    }
}

/// A challenge as it is sent: base64.
pub fn encode(challenge: impl AsRef<[u8]>) -> String {
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
            Ok(Progress::Challenge(text)) => format!("challenge {:?}", String::from_utf8(text).unwrap()),
            Ok(Progress::Ask(Ask::Password(c))) => {
                format!("{:?} {:?} {:?}", c.authorization, c.login, c.password.0)
            }
            Ok(other) => format!("{other:?}"),
            Err(stop) => format!("{stop:?}"),
        }
    }

    /// Lines of one exchange, the first of which is mechanism and initial response, to its last step.
    fn check(lines: &[&str], expected: &str) {
        let mut words = lines[0].split(' ').map(str::as_bytes);
        let begun =
            Exchange::begin(words.next().unwrap_or_default(), words.next(), Offer::ALL, Binding::default());
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
        check(&["NTLM"], "Misuse(UnknownMechanism)");
        check(&["PLAIN", "*"], "Cancelled");
        check(&["LOGIN", &base64("bob"), "*"], "Cancelled");
        for wrong in ["=AAA", "AAA=BBB", "AAA", "AA=", "A A=", "AAA-", "AB==", "="] {
            check(&["LOGIN", wrong], "Misuse(SaslNotBase64)");
        }
        check(&["LOGIN", &"A".repeat(SASL_RESPONSE_MAX + 1)], "Misuse(SaslTooLong)");
    }

    #[test]
    fn usual_mechanisms_and_what_each_needs() {
        let names = |offer: Offer| offer.mechanisms().map(Mechanism::name).collect::<Vec<_>>().join(" ");
        let usual = "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN";
        assert_eq!(names(Offer::USUAL), usual);
        assert_eq!(names(Offer::ALL.over(None)), "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN");
        let tls = TlsFacts {
            exporter: Some([0; 32]),
            certificate: Some(Default::default()),
            ..TlsFacts::default()
        };
        assert_eq!(Offer::ALL.over(Some(&tls)), Offer::ALL);
    }

    #[test]
    fn secrets_are_not_printed() {
        let (mut exchange, _) = Exchange::begin(b"LOGIN", None, Offer::ALL, Binding::default()).unwrap();
        exchange.take(base64("swordfish").as_bytes()).unwrap();
        let done = exchange.take(base64("swordfish2").as_bytes()).unwrap();
        assert!(!format!("{exchange:?}").contains("115"));
        assert!(!format!("{done:?}").contains("swordfish2"));
    }
}
