//! Tokens that an issuer gave (RFC 7628, RFC 6750): whose they are, by their signature or by asking the issuer.
//!
//! ```text
//! token ──► signature by a key of the issuer (RFC 7515, RFC 7517) ┐
//!       └─► the issuer's answer (RFC 7662) ───────────────────────┴──► Claims ──► account
//! ```
//!
//! The issuer is asked for keys only when one is missing, and at most once a minute, so that no flood of forged tokens
//! becomes a flood of requests; what it said to a token is remembered for a minute at most.

mod claims;
mod keys;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use settings::{Introspection, OAuth, TokenCheck};
use store::Error;
use tokio::sync::Semaphore;
use world::World;
use world::fetch::{FetchError, Request, Response};

use self::claims::Claims;
use self::keys::Keys;
use crate::Directory;
use crate::limits::{INTROSPECTIONS_MAX, TOKEN_REMEMBERED, TOKENS_REMEMBERED_MAX};
use crate::passwords::Password;
use crate::sign_in::{Origin, Principal, SignIn};

/// Who gives tokens, and how we ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The settings.
    pub oauth: OAuth,
    /// Our secret there, if it is asked about tokens.
    pub client_secret: Option<Password>,
}

/// A token that a client has shown. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Presented {
    /// Whom it wants to act as; empty means whose token it is.
    pub authorization: String,
    /// The token; empty if it only asks which would be right.
    pub token: String,
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("authorization", &self.authorization).finish_non_exhaustive()
    }
}

/// What a client is told whose token is not good (RFC 7628 §3.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needed {
    /// The scope of good ones.
    pub scope: Option<String>,
    /// Where the issuer describes itself, if it is an `https` URL.
    pub openid_configuration: Option<String>,
}

/// What is known of tokens.
pub(crate) struct Tokens {
    issuer: RwLock<Option<Arc<Asked>>>,
    /// Of this process alone: keys the hashes of remembered tokens.
    key: [u8; 32],
}

/// An issuer, and what it has said.
struct Asked {
    issuer: Issuer,
    keys: tokio::sync::Mutex<Keys>,
    answers: Mutex<HashMap<[u8; 32], Answer>>,
    /// Requests that are on their way at a time.
    asking: Semaphore,
}

/// What the issuer said to a token.
#[derive(Clone)]
struct Answer {
    until: Instant,
    /// None: it is not good.
    claims: Option<Claims>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(…)")
    }
}

impl Tokens {
    pub(crate) fn new(dice: &world::Dice) -> Self {
        let mut key = [0; 32];
        dice.fill(&mut key);
        Self { issuer: RwLock::new(None), key }
    }

    fn asked(&self) -> Option<Arc<Asked>> {
        self.issuer.read().expect("nobody panics with the lock").clone()
    }

    fn digest(&self, token: &str) -> [u8; 32] {
        *blake3::keyed_hash(&self.key, token.as_bytes()).as_bytes()
    }
}

impl Directory {
    /// From now on tokens of this issuer are good, and of no other. What the same one has said is kept.
    pub fn trust_issuer(&self, issuer: Option<Issuer>) {
        let mut trusted = self.tokens.issuer.write().expect("nobody panics with the lock");
        if trusted.as_ref().map(|asked| &asked.issuer) == issuer.as_ref() {
            return;
        }
        *trusted = issuer.map(|issuer| {
            Arc::new(Asked {
                issuer,
                keys: tokio::sync::Mutex::default(),
                answers: Mutex::default(),
                asking: Semaphore::new(INTROSPECTIONS_MAX),
            })
        });
    }

    /// What a good token needs.
    pub fn token_needed(&self) -> Needed {
        let Some(asked) = self.tokens.asked() else { return Needed::default() };
        let OAuth { issuer, scope, .. } = &asked.issuer.oauth;
        let described = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        Needed {
            scope: scope.clone(),
            openid_configuration: issuer.starts_with("https://").then_some(described),
        }
    }

    /// Whose token this is: of an account here, and of whom the client wants to act as.
    pub async fn token(&self, presented: Presented, origin: &Origin) -> SignIn {
        // A client that asks what it needs has not failed.
        if presented.token.is_empty() {
            return SignIn::Refused;
        }
        // Failures count for the token where nobody is named: all others who name nobody must not wait for them.
        let login = match presented.authorization.as_str() {
            "" => blake3::Hash::from(self.tokens.digest(&presented.token)).to_hex().to_string(),
            named => named.to_owned(),
        };
        self.through_the_door(origin, &login, self.find_token(presented)).await
    }

    async fn find_token(&self, presented: Presented) -> Result<Option<Principal>, Error> {
        let Presented { authorization, token } = presented;
        let Some(asked) = self.tokens.asked() else { return Ok(None) };
        let claims = match &asked.issuer.oauth.check {
            TokenCheck::Keys(url) => {
                let mut keys = asked.keys.lock().await;
                keys.verify(&self.world, url, &token).await?
            }
            TokenCheck::Introspection(how) => {
                self.introspect(&asked, how, &token).await?.map(Claims::said_by_the_issuer)
            }
        };
        let now = self.world.clock.wall().0 / 1000;
        let account = claims.and_then(|claims| claims.account(&asked.issuer.oauth, now));
        match account {
            Some(account) => self.principal(&account, &authorization).await,
            None => Ok(None),
        }
    }

    /// RFC 7662 §2. None: the token is not active.
    async fn introspect(
        &self,
        asked: &Asked,
        how: &Introspection,
        token: &str,
    ) -> Result<Option<Claims>, Error> {
        let digest = self.tokens.digest(token);
        if let Some(answer) = asked.recall(&digest, self.world.clock.now()) {
            return Ok(answer);
        }
        let _permit = asked.asking.acquire().await.expect("it is never closed");
        // Whoever waited for the permit with the same token finds the answer.
        if let Some(answer) = asked.recall(&digest, self.world.clock.now()) {
            return Ok(answer);
        }
        let request = question(how, asked.issuer.client_secret.as_ref(), token);
        let response = fetched(&self.world, request).await?;
        let claims = Claims::read(&response.body).ok_or_else(|| unclear("the issuer's answer is no JSON"))?;
        let claims = claims.is_active().then_some(claims);
        let now = self.world.clock.now();
        asked.remember(digest, Answer { until: now + TOKEN_REMEMBERED, claims: claims.clone() }, now);
        Ok(claims)
    }
}

impl Asked {
    #[expect(clippy::option_option, reason = "known or not, and what is known")]
    fn recall(&self, digest: &[u8; 32], now: Instant) -> Option<Option<Claims>> {
        let answers = self.answers.lock().expect("nobody panics with the lock");
        answers.get(digest).filter(|answer| now < answer.until).map(|answer| answer.claims.clone())
    }

    fn remember(&self, digest: [u8; 32], answer: Answer, now: Instant) {
        let mut answers = self.answers.lock().expect("nobody panics with the lock");
        if answers.len() >= TOKENS_REMEMBERED_MAX {
            answers.retain(|_, old| now < old.until);
        }
        if answers.len() >= TOKENS_REMEMBERED_MAX {
            answers.clear();
        }
        answers.insert(digest, answer);
    }
}

/// RFC 7662 §2.1; we say who we are by RFC 6749 §2.3.1.
fn question(how: &Introspection, secret: Option<&Password>, token: &str) -> Request {
    let body = format!("token={}&token_type_hint=access_token", form(token));
    let secret = secret.map_or("", |secret| secret.0.as_str());
    let credentials = STANDARD.encode(format!("{}:{}", form(&how.client), form(secret)));
    Request::post(how.url.as_str(), "application/x-www-form-urlencoded", body.into_bytes())
        .with("Accept", "application/json".to_owned())
        .with("Authorization", format!("Basic {credentials}"))
}

/// A value as forms have it.
fn form(text: &str) -> String {
    let octet = |octet: u8| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(octet).to_string(),
        _ => format!("%{octet:02X}"),
    };
    text.bytes().map(octet).collect()
}

/// What the issuer says, if it says it with 200.
async fn fetched(world: &World, request: Request) -> Result<Response, Error> {
    let url = request.url.clone();
    let told = |error: FetchError| unclear(&format!("{url}: {error}"));
    let response = world.fetch.send(request).await.map_err(told)?;
    match response.status {
        200 => Ok(response),
        status => Err(unclear(&format!("{url}: status {status}"))),
    }
}

/// Whether a token is good cannot be said now.
fn unclear(why: &str) -> Error {
    Error::Unavailable(format!("the issuer of tokens: {why}"))
}
