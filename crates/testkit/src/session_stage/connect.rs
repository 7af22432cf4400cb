//! From a fixture's options to a session's configuration.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::sasl::{Offer, Seed};
use protocol::{imap, lmtp, pop3, smtp};

use super::link::{Connection, Link};
use crate::fake::{ImapSide, LmtpSide, Pop3Side, Shared, SmtpSide};
use crate::transcript::{Fixture, Protocol};

/// What the server calls itself.
const HOST_NAME: &str = "mx.example";

/// The nonces of every connection are the same, so that a transcript can hold them.
const SEED: Seed = Seed(*b"transcripts know what comes next");

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
            let session = smtp::ServerSession::new(Arc::new(options.smtp()), now, SEED);
            let side = match protocol {
                Protocol::Submission => SmtpSide::submission(fake.clone()),
                _ => SmtpSide::new(fake.clone()),
            };
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
    auth: bool,
    auth_without_tls: bool,
    auth_required: bool,
    message_size_max: u64,
    recipients_max: usize,
    messages_max: usize,
    verb: bool,
    sign_in_failures_max: usize,
    login_delay: u64,
}

const KNOWN: [&str; 11] = [
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
            auth: switch(given, "authentication", true)?,
            auth_without_tls: switch(given, "authentication-without-tls", false)?,
            auth_required: switch(given, "authentication-required", protocol == Protocol::Submission)?,
            message_size_max: number(given, "message-size-limit", 50 << 20)?,
            recipients_max: number(given, "recipients-per-message", 1000)?,
            verb: switch(given, "trusted", false)?,
            messages_max: number(given, "messages-per-connection", 1000)?,
            sign_in_failures_max: number(given, "sign-in-failures", 3)?,
            login_delay: number(given, "login-delay", 0)?,
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
            auth: if self.auth { Offer::USUAL } else { Offer::NONE },
            expn: true,
            auth_without_tls: self.auth_without_tls,
            auth_required: self.auth_required,
            messages_max: self.messages_max,
            verb: self.verb,
        }
    }

    fn pop3(&self) -> pop3::Config {
        pop3::Config {
            host_name: HOST_NAME.into(),
            timeout: Duration::from_secs(600),
            timeout_before_sign_in: Duration::from_secs(60),
            starttls: self.tls_offered,
            auth_without_tls: self.auth_without_tls,
            auth: if self.auth { Offer::USUAL } else { Offer::NONE },
            login_delay: Duration::from_secs(self.login_delay),
            sign_in_failures_max: self.sign_in_failures_max,
        }
    }

    fn imap(&self) -> imap::Config {
        imap::Config {
            host_name: HOST_NAME.into(),
            timeout: Duration::from_secs(1800),
            timeout_before_sign_in: Duration::from_secs(60),
            starttls: self.tls_offered,
            auth_without_tls: self.auth_without_tls,
            auth: if self.auth { Offer::USUAL } else { Offer::NONE },
            sign_in_failures_max: self.sign_in_failures_max,
            append_size_max: self.message_size_max,
        }
    }
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
