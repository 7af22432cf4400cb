//! From a fixture's options to a session's configuration.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mail::Domain;
use protocol::sasl::{Offer, Seed};
use protocol::{imap, lmtp, pop3, smtp};

use super::link::{Connection, Link};
use crate::fake::{Extras, ImapSide, LmtpSide, Pop3Side, Shared, SmtpSide};
use crate::transcript::{Fixture, Protocol};

/// What the server calls itself.
const HOST_NAME: &str = "mx.example";

/// The nonces of every connection are the same, so that a transcript can hold them.
const SEED: Seed = Seed(*b"transcripts know what comes next");

/// Wrong passwords that POP3 and IMAP take, if the fixture does not say.
const MAIL_SIGN_IN_FAILURES_MAX: usize = 3;

/// A session for a new connection.
pub(super) fn connect(
    protocol: Protocol,
    fixture: &Fixture,
    fake: &Shared,
    now: Instant,
) -> Result<Box<dyn Connection>, String> {
    let options = Options::new(fixture, protocol)?;
    match protocol {
        Protocol::Smtp | Protocol::Submission => {
            let config = Arc::new(options.smtp());
            let session = smtp::ServerSession::new(config.clone(), now, SEED);
            let side = match protocol {
                Protocol::Submission => SmtpSide::submission(fake.clone()),
                _ => SmtpSide::new(fake.clone()),
            };
            let clients = config.commands.xclient.then_some(config);
            let side = side.with(Extras { clients, held: options.held });
            Ok(Box::new(Link::new(session, side, now)))
        }
        Protocol::Lmtp => {
            let session = lmtp::server_session(Arc::new(options.smtp()), now, SEED);
            let full = fixture.options.get("full-mailbox").map(String::as_str);
            Ok(Box::new(Link::new(session, LmtpSide::new(fake.clone(), full)?, now)))
        }
        Protocol::Pop3 => {
            let session = pop3::ServerSession::new(Arc::new(options.pop3()), now, SEED);
            Ok(Box::new(Link::new(session, Pop3Side::new(fake.clone()), now)))
        }
        Protocol::Imap => {
            let session = imap::ServerSession::new(Arc::new(options.imap()), now, SEED);
            Ok(Box::new(Link::new(session, ImapSide::new(fake.clone()), now)))
        }
    }
}

/// The properties of a virtual server that a transcript may set.
struct Options {
    tls_required: bool,
    tls_offered: bool,
    auth: Offer,
    auth_without_tls: bool,
    auth_required: bool,
    message_size_max: u64,
    recipients_max: usize,
    messages_max: usize,
    verb: bool,
    sign_in_failures_max: Option<usize>,
    login_delay: u64,
    switched_off: Vec<String>,
    errors: smtp::Errors,
    session_size_max: Option<u64>,
    xclient: bool,
    xforward: bool,
    held: Vec<Domain>,
}

const KNOWN: [&str; 18] = [
    "tls",
    "authentication",
    "authentication-without-tls",
    "authentication-required",
    "message-size-limit",
    "recipients-per-message",
    "messages-per-connection",
    "sign-in-failures",
    "full-mailbox",
    "trusted",
    "login-delay",
    "off",
    "errors",
    "session-size-limit",
    "xclient",
    "xforward",
    "hold-until-etrn",
    "mechanisms",
];

impl Options {
    fn new(fixture: &Fixture, protocol: Protocol) -> Result<Self, String> {
        let given = &fixture.options;
        if let Some(name) = given.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(format!("no option is called `{name}`; there are {}", KNOWN.join(", ")));
        }
        let tls = given.get("tls").map_or("offered", String::as_str);
        if !["required", "offered", "off"].contains(&tls) {
            return Err(format!("`given option tls {tls}`: required, offered or off"));
        }
        Ok(Self {
            tls_required: tls == "required",
            tls_offered: tls != "off",
            auth: if switch(given, "authentication", true)? { offer(given) } else { Offer::NONE },
            auth_without_tls: switch(given, "authentication-without-tls", false)?,
            auth_required: switch(given, "authentication-required", protocol == Protocol::Submission)?,
            message_size_max: number(given, "message-size-limit", 50 << 20)?,
            recipients_max: number(given, "recipients-per-message", 1000)?,
            verb: switch(given, "trusted", false)?,
            messages_max: number(given, "messages-per-connection", 1000)?,
            sign_in_failures_max: optional(given, "sign-in-failures")?,
            login_delay: number(given, "login-delay", 0)?,
            switched_off: words(given, "off").map(str::to_owned).collect(),
            errors: errors(given)?,
            session_size_max: optional(given, "session-size-limit")?,
            xclient: switch(given, "xclient", false)?,
            xforward: switch(given, "xforward", false)?,
            held: words(given, "hold-until-etrn")
                .map(|name| Domain::parse(name).map_err(|error| format!("{name}: {error}")))
                .collect::<Result<_, _>>()?,
        })
    }

    fn smtp(&self) -> smtp::Config {
        smtp::Config {
            host_name: HOST_NAME.into(),
            banner: "ESMTP".into(),
            message_size_max: self.message_size_max,
            recipients_max: self.recipients_max,
            timeout: Duration::from_secs(300),
            starttls: self.tls_offered,
            tls_required: self.tls_required,
            auth: self.auth,
            auth_without_tls: self.auth_without_tls,
            auth_required: self.auth_required,
            messages_max: self.messages_max,
            commands: self.commands(),
            keywords: self.keywords(),
            bounds: smtp::Bounds {
                errors: self.errors,
                sign_in_failures_max: self
                    .sign_in_failures_max
                    .unwrap_or(smtp::Bounds::USUAL.sign_in_failures_max),
                session_size_max: self.session_size_max,
            },
        }
    }

    fn commands(&self) -> smtp::Commands {
        let is_on = |name| !self.is_off(name);
        smtp::Commands {
            expn: is_on("expn"),
            help: is_on("help"),
            verb: self.verb && is_on("verb"),
            etrn: !self.held.is_empty() && is_on("etrn"),
            xclient: self.xclient,
            xforward: self.xforward,
        }
    }

    fn keywords(&self) -> smtp::Keywords {
        let is_on = |name| !self.is_off(name);
        smtp::Keywords {
            dsn: is_on("dsn"),
            chunking: is_on("chunking"),
            binarymime: is_on("binarymime"),
            eight_bit_mime: is_on("8bitmime"),
            pipelining: is_on("pipelining"),
            size: is_on("size"),
            smtputf8: is_on("smtputf8"),
            limits: is_on("limits"),
        }
    }

    fn is_off(&self, name: &str) -> bool {
        self.switched_off.iter().any(|off| off == name)
    }

    fn pop3(&self) -> pop3::Config {
        pop3::Config {
            host_name: HOST_NAME.into(),
            timeout: Duration::from_secs(600),
            timeout_before_sign_in: Duration::from_secs(60),
            starttls: self.tls_offered,
            auth_without_tls: self.auth_without_tls,
            auth: self.auth,
            login_delay: Duration::from_secs(self.login_delay),
            sign_in_failures_max: self.sign_in_failures_max.unwrap_or(MAIL_SIGN_IN_FAILURES_MAX),
        }
    }

    fn imap(&self) -> imap::Config {
        imap::Config {
            host_name: HOST_NAME.into(),
            timeout: Duration::from_secs(1800),
            timeout_before_sign_in: Duration::from_secs(60),
            starttls: self.tls_offered,
            auth_without_tls: self.auth_without_tls,
            auth: self.auth,
            sign_in_failures_max: self.sign_in_failures_max.unwrap_or(MAIL_SIGN_IN_FAILURES_MAX),
            append_size_max: self.message_size_max,
        }
    }
}

fn offer(given: &BTreeMap<String, String>) -> Offer {
    given.get("mechanisms").map_or(Offer::USUAL, |names| Offer::of(names.split(',')))
}

fn switch(given: &BTreeMap<String, String>, name: &str, without: bool) -> Result<bool, String> {
    match given.get(name).map(String::as_str) {
        None => Ok(without),
        Some("on") => Ok(true),
        Some("off") => Ok(false),
        Some(other) => Err(format!("`given option {name} {other}`: on or off")),
    }
}

fn number<T: FromStr>(given: &BTreeMap<String, String>, name: &str, without: T) -> Result<T, String> {
    match given.get(name) {
        None => Ok(without),
        Some(text) => text.parse().map_err(|_| format!("`given option {name} {text}`: a number")),
    }
}

fn optional<T: FromStr>(given: &BTreeMap<String, String>, name: &str) -> Result<Option<T>, String> {
    let text = given.get(name);
    text.map(|text| text.parse().map_err(|_| format!("`given option {name} {text}`: a number"))).transpose()
}

/// `SLOW,LIMIT,SECONDS`; without it no reply waits.
fn errors(given: &BTreeMap<String, String>) -> Result<smtp::Errors, String> {
    let usual = smtp::Bounds::USUAL.errors;
    let Some(text) = given.get("errors") else {
        return Ok(smtp::Errors { tarpit: Duration::ZERO, ..usual });
    };
    let numbers: Vec<u64> = text.split(',').filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [slow, limit, tarpit] => Ok(smtp::Errors {
            slow: usize::try_from(slow).unwrap_or(usize::MAX),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            tarpit: Duration::from_secs(tarpit),
        }),
        _ => Err(format!("`given option errors {text}`: three numbers, slow, limit and seconds")),
    }
}

fn words<'a>(given: &'a BTreeMap<String, String>, name: &str) -> impl Iterator<Item = &'a str> {
    given.get(name).map_or("", String::as_str).split(',').filter(|word| !word.is_empty())
}
