//! What is said of a token, and what must be true of it (RFC 7519 §4.1, RFC 7662 §2.2). Pure.

use serde_json::Value;
use settings::OAuth;

use crate::limits::TOKEN_LEEWAY_SECS;

/// What a token says of itself, or its issuer of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Claims {
    said: Value,
    /// The issuer itself has said it, in answer to our question.
    by_issuer: bool,
}

impl Claims {
    /// What a token says of itself, whose signature was verified.
    pub(super) fn signed(said: Value) -> Self {
        Self { said, by_issuer: false }
    }

    /// An answer of the issuer.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        let said: Value = serde_json::from_slice(json).ok()?;
        said.is_object().then_some(Self { said, by_issuer: false })
    }

    /// The same, as the issuer's own word.
    pub(super) fn said_by_the_issuer(self) -> Self {
        Self { by_issuer: true, ..self }
    }

    /// RFC 7662 §2.2.
    pub(super) fn is_active(&self) -> bool {
        self.said["active"] == Value::Bool(true)
    }

    /// The account that the token is for, if it is good now (in seconds since 1970).
    pub(super) fn account(&self, oauth: &OAuth, now: i64) -> Option<String> {
        let is_good = self.is_of(&oauth.issuer)
            && self.is_for(&oauth.audience)
            && self.is_in_time(now)
            && oauth.scope.as_deref().is_none_or(|scope| self.allows(scope));
        // An address that the issuer has not verified is what anybody may have told it (OpenID Connect Core §5.1).
        // Some issuers write the truth of it as text.
        let says_no = |claim: &Value| *claim == Value::Bool(false) || claim == "false";
        let is_unverified = oauth.account_claim == "email" && says_no(&self.said["email_verified"]);
        let account = self.said[oauth.account_claim.as_str()].as_str()?;
        (is_good && !is_unverified).then(|| account.to_owned())
    }

    /// RFC 7519 §4.1.1. The issuer need not say who it is.
    fn is_of(&self, issuer: &str) -> bool {
        match &self.said["iss"] {
            Value::Null => self.by_issuer,
            claim => claim == issuer,
        }
    }

    /// RFC 7519 §4.1.3: a text, or several. A token for somebody else must not open anything here; an issuer
    /// that was asked (RFC 7662 §2.2) has to say for whom it is, too, for it knows tokens of all its clients.
    fn is_for(&self, audience: &str) -> bool {
        match &self.said["aud"] {
            Value::Array(several) => several.iter().any(|one| one == audience),
            one => one == audience,
        }
    }

    /// RFC 7519 §4.1.4 and §4.1.5. One that never ends is not taken; how long it lives the issuer knows itself.
    fn is_in_time(&self, now: i64) -> bool {
        let time = |name: &str| self.said[name].as_f64();
        let now = now as f64;
        let has_ended = match &self.said["exp"] {
            Value::Null => !self.by_issuer,
            _ => time("exp").is_none_or(|end| now >= end + TOKEN_LEEWAY_SECS),
        };
        let has_begun = match &self.said["nbf"] {
            Value::Null => true,
            _ => time("nbf").is_some_and(|begin| now + TOKEN_LEEWAY_SECS >= begin),
        };
        has_begun && !has_ended
    }

    /// RFC 9068 §2.2.3: `scope`, words with spaces between them; Microsoft and others write `scp`, also as a list.
    fn allows(&self, scope: &str) -> bool {
        ["scope", "scp"].into_iter().any(|name| match &self.said[name] {
            Value::String(words) => words.split(' ').any(|word| word == scope),
            Value::Array(words) => words.iter().any(|word| word == scope),
            _ => false,
        })
    }
}
