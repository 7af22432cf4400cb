//! OAUTHBEARER (RFC 7628), and XOAUTH2, which came before it and is what Google and Microsoft document
//! (<https://developers.google.com/workspace/gmail/imap/xoauth2-protocol>): the client shows a token that an issuer gave it.
//!
//! ```text
//! C: n,a=login,^Ahost=…^Aport=…^Aauth=Bearer token^A^A     OAUTHBEARER
//! C: user=login^Aauth=Bearer token^A^A                     XOAUTH2
//!         ──► Ask::Token ──► Settled
//! S: {"status":"invalid_token"}                            if it is refused
//! C: ^A   or anything
//!         ──► Settled(Refused)
//! ```

use std::fmt;

use super::gs2::{self, Flag};
use super::{Ask, Dialogue, Grounds, Mechanism, Needs, Progress, SignIn, Told, present};
use crate::limits::SASL_TOKEN_MAX;
use crate::misuse::Misuse;

/// A token that is never printed: whoever has it is the account.
#[derive(Clone, PartialEq, Eq)]
pub struct Bearer(pub String);

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

/// A token that a client has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The mechanism's IANA name; XOAUTH2 has none registered.
    pub mechanism: &'static str,
    /// Whom it wants to act as; empty means whose token it is.
    pub authorization: String,
    /// The token. Empty if the client only asks what a token should be good for (RFC 7628 §4.3).
    pub token: Bearer,
}

/// What a client is told whose token was refused, so that it can ask for a better one (RFC 7628 §3.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Discovery {
    /// The scope that a token must have.
    pub scope: Option<String>,
    /// Where the issuer describes itself; an `https` URL.
    pub openid_configuration: Option<String>,
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// RFC 7628.
    OAuthBearer,
    /// The older one.
    XOAuth2,
}

impl Mechanism for Form {
    fn name(&self) -> &'static str {
        match self {
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
        }
    }

    /// RFC 7628 §3: TLS must be used, whatever the settings allow for passwords.
    fn needs(&self) -> Needs {
        Needs::Tls
    }

    fn start(&self, _: Grounds) -> Box<dyn Dialogue> {
        Box::new(Run { form: *self, has_failed: false })
    }
}

#[derive(Debug)]
struct Run {
    form: Form,
    /// The client has been told what is wrong.
    has_failed: bool,
}

impl Dialogue for Run {
    fn open(&mut self) -> Progress {
        Progress::Challenge(Vec::new())
    }

    fn respond(&mut self, response: &[u8]) -> Result<Progress, Misuse> {
        let token = match self.form {
            Form::OAuthBearer => oauth_bearer(response),
            Form::XOAuth2 => xoauth2(response),
        };
        Ok(Progress::Ask(Ask::Token(token?)))
    }

    fn told(&mut self, told: Told) -> Progress {
        let discovery = match told {
            Told::TokenRefused(discovery) => discovery,
            Told::SignIn(SignIn::Refused) => Discovery::default(),
            other => return Progress::Settled(other.sign_in()),
        };
        self.has_failed = true;
        Progress::Challenge(self.form.failure(&discovery).into_bytes())
    }

    /// RFC 7628 §3.2.3: ^A follows, or `*`; Google's clients send an empty line. Whatever it is, it has failed.
    fn verdict(&self) -> Option<SignIn> {
        self.has_failed.then_some(SignIn::Refused)
    }
}

impl Form {
    /// RFC 7628 §3.2.2; the codes are those of RFC 6750 §3.1 and, for XOAUTH2, of HTTP.
    fn failure(self, discovery: &Discovery) -> String {
        let scope = discovery.scope.as_deref();
        let members = match self {
            Self::OAuthBearer => [
                ("status", Some("invalid_token")),
                ("scope", scope),
                ("openid-configuration", discovery.openid_configuration.as_deref()),
            ],
            Self::XOAuth2 => [("status", Some("401")), ("schemes", Some("bearer")), ("scope", scope)],
        };
        let members =
            members.iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", json((*value)?))));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

/// A string of JSON (RFC 8259 §7).
fn json(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// RFC 7628 §3.1. The host and port that a client may tell are not compared: a virtual server has many names.
fn oauth_bearer(response: &[u8]) -> Result<Token, Misuse> {
    let response = std::str::from_utf8(response).map_err(|_| Misuse::SaslMalformed)?;
    let (header, pairs) = response.split_once('\u{1}').ok_or(Misuse::SaslMalformed)?;
    let header = gs2::header(header).ok_or(Misuse::SaslMalformed)?;
    // No token is bound to the channel.
    if matches!(header.flag, Flag::Bound(_)) {
        return Err(Misuse::SaslMalformed);
    }
    let token = token(&pairs_of(pairs)?)?;
    Ok(Token { mechanism: "OAUTHBEARER", authorization: header.authorization, token })
}

/// `user=login^Aauth=Bearer token^A^A`.
fn xoauth2(response: &[u8]) -> Result<Token, Misuse> {
    let response = std::str::from_utf8(response).map_err(|_| Misuse::SaslMalformed)?;
    let pairs = pairs_of(response)?;
    let user = pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case("user")).ok_or(Misuse::SaslMalformed)?;
    let authorization = present(user.1.as_bytes())?;
    Ok(Token { mechanism: "XOAUTH2", authorization, token: token(&pairs)? })
}

/// `*kvpair kvsep`: each pair ends with ^A, and one more ^A ends them all. Unknown keys are taken and not looked at.
fn pairs_of(text: &str) -> Result<Vec<(&str, &str)>, Misuse> {
    let pairs = text.strip_suffix("\u{1}\u{1}").ok_or(Misuse::SaslMalformed)?;
    let is_key = |key: &str| !key.is_empty() && key.bytes().all(|octet| octet.is_ascii_alphabetic());
    let is_value = |value: &str| {
        value.bytes().all(|octet| matches!(octet, b' '..=b'~' | b'\t' | b'\r' | b'\n' | 0x80..))
    };
    let pair = |pair: &'_ str| match pair.split_once('=') {
        Some((key, value)) if is_key(key) && is_value(value) => Ok(()),
        _ => Err(Misuse::SaslMalformed),
    };
    pairs.split('\u{1}').try_for_each(pair)?;
    Ok(pairs.split('\u{1}').filter_map(|pair| pair.split_once('=')).collect())
}

/// RFC 6750 §2.1: `Bearer`, in any case (RFC 7628 §4), and a b64token. An empty value asks what is needed.
fn token(pairs: &[(&str, &str)]) -> Result<Bearer, Misuse> {
    let mut values = pairs.iter().filter(|(key, _)| key.eq_ignore_ascii_case("auth")).map(|(_, value)| value);
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Misuse::SaslMalformed) };
    if value.is_empty() {
        return Ok(Bearer(String::new()));
    }
    let (scheme, token) = value.split_once(' ').ok_or(Misuse::SaslMalformed)?;
    let token = token.trim_start_matches(' ');
    let is_token = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~+/=".contains(&octet);
    let fits = !token.is_empty() && token.len() <= SASL_TOKEN_MAX && token.bytes().all(is_token);
    if !scheme.eq_ignore_ascii_case("bearer") || !fits {
        return Err(Misuse::SaslMalformed);
    }
    Ok(Bearer(token.to_owned()))
}

#[cfg(test)]
mod tests;
