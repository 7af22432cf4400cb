//! Values that are one of a few words.

use super::Wrong;
use crate::limits::LMTP_PORT;
use crate::mistake::nearest;

/// A value that is one of a few words.
pub(crate) trait Word: Copy + 'static {
    /// Each word with what it means, in the order they are told.
    const WORDS: &'static [(&'static str, Self)];

    /// Reads a word.
    fn from_word(text: &str) -> Result<Self, Wrong> {
        match Self::WORDS.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(*value),
            None => {
                let words: Vec<&str> = Self::WORDS.iter().map(|(word, _)| *word).collect();
                let suggestion = nearest(text, words.iter().copied()).unwrap_or_default();
                Err(Wrong::near(format!("is none of {}", words.join(", ")), suggestion))
            }
        }
    }
}

/// The word for a value.
pub(crate) fn word_of<T: Word + PartialEq>(value: T) -> &'static str {
    T::WORDS.iter().find(|(_, known)| *known == value).map(|(word, _)| *word).unwrap_or_default()
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// SMTP between servers (RFC 5321).
    Smtp,
    /// Message submission (RFC 6409).
    Submission,
    /// LMTP, from a server that keeps a queue of its own (RFC 2033).
    Lmtp,
    /// POP3 (RFC 1939).
    Pop3,
    /// IMAP (RFC 3501).
    Imap,
}

/// A protocol's name as written: `imaps` is `imap` with implicit TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) protocol: Protocol,
    pub(crate) implicit: bool,
    pub(crate) port: u16,
}

const fn service(protocol: Protocol, implicit: bool, port: u16) -> Service {
    Service { protocol, implicit, port }
}

impl Word for Service {
    // RFC 5321 §4.5.4.2, RFC 6409 §3.1, RFC 8314 §7, RFC 1939 §3, RFC 3501 §2.1. LMTP has no port of its own (RFC 2033 §5);
    // 24 is for any private mail system.
    const WORDS: &'static [(&'static str, Self)] = &[
        ("smtp", service(Protocol::Smtp, false, 25)),
        ("submission", service(Protocol::Submission, false, 587)),
        ("submissions", service(Protocol::Submission, true, 465)),
        ("lmtp", service(Protocol::Lmtp, false, LMTP_PORT)),
        ("pop3", service(Protocol::Pop3, false, 110)),
        ("pop3s", service(Protocol::Pop3, true, 995)),
        ("imap", service(Protocol::Imap, false, 143)),
        ("imaps", service(Protocol::Imap, true, 993)),
    ];
}

impl Protocol {
    /// As it is written: `smtp`.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Smtp => "smtp",
            Protocol::Submission => "submission",
            Protocol::Lmtp => "lmtp",
            Protocol::Pop3 => "pop3",
            Protocol::Imap => "imap",
        }
    }
}

/// When a connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tls {
    /// Never.
    Off,
    /// If the client asks for it.
    Offered,
    /// Before anything that matters.
    Required,
    /// From the first byte (RFC 8314 §3).
    Implicit,
}

impl Word for Tls {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", Tls::Off),
        ("offered", Tls::Offered),
        ("required", Tls::Required),
        ("implicit", Tls::Implicit),
    ];
}

/// When a connection that we make is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutboundTls {
    /// Never.
    Off,
    /// If the next hop offers it; whose certificate it shows does not matter (RFC 7435).
    Offered,
    /// Always; whose certificate it is does not matter. Mail waits where there is none.
    Required,
    /// Always, with a certificate for the name of the next hop. Mail waits where there is none.
    Verified,
    /// From the first byte (RFC 8314 §3.3), with a certificate for the name of the next hop.
    Implicit,
}

impl Word for OutboundTls {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", OutboundTls::Off),
        ("offered", OutboundTls::Offered),
        ("required", OutboundTls::Required),
        ("verified", OutboundTls::Verified),
        ("implicit", OutboundTls::Implicit),
    ];
}

impl OutboundTls {
    /// As it is written: `offered`.
    pub fn name(self) -> &'static str {
        word_of(self)
    }
}

/// What is spoken with a next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NextProtocol {
    /// SMTP (RFC 5321).
    Smtp,
    /// LMTP (RFC 2033).
    Lmtp,
}

impl Word for NextProtocol {
    const WORDS: &'static [(&'static str, Self)] =
        &[("smtp", NextProtocol::Smtp), ("lmtp", NextProtocol::Lmtp)];
}

impl NextProtocol {
    /// As it is written: `smtp`.
    pub fn name(self) -> &'static str {
        word_of(self)
    }
}

/// Addresses that mail may be taken to when a stranger's DNS names them. What the settings name is not asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Those of the Internet.
    Public,
    /// Those of private networks, too.
    Private,
    /// This machine, too.
    Anywhere,
}

impl Word for Reach {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Reach::Public), ("networks", Reach::Private), ("on", Reach::Anywhere)];
}

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mechanism {
    /// RFC 7677, bound to the TLS channel.
    ScramSha256Plus,
    /// RFC 5802, bound to the TLS channel.
    ScramSha1Plus,
    /// RFC 7677.
    ScramSha256,
    /// RFC 5802.
    ScramSha1,
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login, for old mail programs.
    Login,
    /// RFC 7628: a token of an issuer that the settings name.
    OauthBearer,
    /// The older form of the same, which large providers' mail programs speak.
    Xoauth2,
    /// RFC 4422, appendix A: the certificate that the client showed in TLS.
    External,
    /// RFC 2195, for accounts that keep a secret for it.
    CramMd5,
}

impl Mechanism {
    /// Those that need but a password, the strongest first.
    pub const BY_PASSWORD: [Self; 6] = [
        Self::ScramSha256Plus,
        Self::ScramSha1Plus,
        Self::ScramSha256,
        Self::ScramSha1,
        Self::Plain,
        Self::Login,
    ];

    /// Those of them that are not bound to the TLS channel, the strongest first.
    pub const UNBOUND: [Self; 4] = [Self::ScramSha256, Self::ScramSha1, Self::Plain, Self::Login];

    /// Its name: IANA's, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "scram-sha-256-plus",
            Self::ScramSha1Plus => "scram-sha-1-plus",
            Self::ScramSha256 => "scram-sha-256",
            Self::ScramSha1 => "scram-sha-1",
            Self::Plain => "plain",
            Self::Login => "login",
            Self::OauthBearer => "oauthbearer",
            Self::Xoauth2 => "xoauth2",
            Self::External => "external",
            Self::CramMd5 => "cram-md5",
        }
    }
}

impl Word for Mechanism {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("scram-sha-256-plus", Mechanism::ScramSha256Plus),
        ("scram-sha-1-plus", Mechanism::ScramSha1Plus),
        ("scram-sha-256", Mechanism::ScramSha256),
        ("scram-sha-1", Mechanism::ScramSha1),
        ("plain", Mechanism::Plain),
        ("login", Mechanism::Login),
        ("oauthbearer", Mechanism::OauthBearer),
        ("xoauth2", Mechanism::Xoauth2),
        ("external", Mechanism::External),
        ("cram-md5", Mechanism::CramMd5),
    ];
}

/// The oldest TLS that is spoken (RFC 8996 has buried those before).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

impl Word for TlsVersion {
    const WORDS: &'static [(&'static str, Self)] = &[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];
}

/// Whether clients are asked for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientCertificates {
    /// They are not.
    Off,
    /// They are, and may have none.
    Wanted,
    /// They are, and without one TLS fails.
    Required,
}

impl Word for ClientCertificates {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", ClientCertificates::Off),
        ("wanted", ClientCertificates::Wanted),
        ("required", ClientCertificates::Required),
    ];
}

/// Whether a virtual server takes connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerState {
    /// It does.
    Running,
    /// It takes no new ones; those that are there go on.
    Paused,
    /// It has none, and does not listen.
    Stopped,
}

impl Word for ServerState {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("running", ServerState::Running),
        ("paused", ServerState::Paused),
        ("stopped", ServerState::Stopped),
    ];
}

/// As whom an account may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MaySendAs {
    /// As itself, its aliases, and who it was given.
    Own,
    /// As anyone.
    Anyone,
}

impl Word for MaySendAs {
    const WORDS: &'static [(&'static str, Self)] = &[("own", MaySendAs::Own), ("anyone", MaySendAs::Anyone)];
}

/// How we prove to a certificate authority that names are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Challenge {
    /// RFC 8555 §8.3: it fetches a file from port 80.
    Http01,
    /// RFC 8737: it asks for a certificate of a special kind on port 443.
    TlsAlpn01,
}

impl Word for Challenge {
    const WORDS: &'static [(&'static str, Self)] =
        &[("http-01", Challenge::Http01), ("tls-alpn-01", Challenge::TlsAlpn01)];
}

/// How we greet another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hello {
    /// With EHLO, and HELO if it does not know that.
    Ehlo,
    /// With HELO: without any extension, TLS among them.
    Helo,
}

impl Word for Hello {
    const WORDS: &'static [(&'static str, Self)] = &[("ehlo", Hello::Ehlo), ("helo", Hello::Helo)];
}

macro_rules! named {
    ($($word:ty),*) => {
        $(impl $word {
            /// As it is written.
            pub fn name(self) -> &'static str {
                word_of(self)
            }
        })*
    };
}

named!(Challenge, ClientCertificates, Hello, MaySendAs, ServerState, Tls, TlsVersion);

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Switch(pub(crate) bool);

impl Word for Switch {
    const WORDS: &'static [(&'static str, Self)] = &[("on", Switch(true)), ("off", Switch(false))];
}

/// What is logged: this and what is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What an administrator must mend.
    Error,
    /// What he should look at.
    Warn,
    /// What happens.
    Info,
    /// How it happens.
    Debug,
    /// Every step.
    Trace,
}

impl Word for LogLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Word for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
}
