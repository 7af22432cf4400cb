//! The keys of the issuer (RFC 7517), and signatures by them (RFC 7515, RFC 7518).

use std::collections::HashSet;
use std::time::Instant;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use settings::Url;
use store::Error;
use world::World;
use world::fetch::Request;

use super::claims::Claims;
use super::{fetched, unclear};
use crate::limits::{KEYS_AGE_MAX, KEYS_ASKED_EVERY, KEYS_MAX};

/// What tokens may be signed with. Not `none`, and nothing where the verifier could sign as well (RFC 8725 §3.1).
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The issuer's keys, as they were when it was asked last.
#[derive(Default)]
pub(super) struct Keys {
    known: Vec<Jwk>,
    /// When they came.
    since: Option<Instant>,
    /// When they were asked for last.
    asked: Option<Instant>,
}

impl Keys {
    /// What a token says, if a key of the issuer has signed it.
    ///
    /// # Errors
    /// The keys are needed and cannot be had.
    pub(super) async fn verify(
        &mut self,
        world: &World,
        url: &Url,
        token: &str,
    ) -> Result<Option<Claims>, Error> {
        let Ok(header) = jsonwebtoken::decode_header(token) else { return Ok(None) };
        // RFC 7515 §4.1.11: we understand no extension. Tokens that bring their own key are not asked for it.
        if !ALGORITHMS.contains(&header.alg) || has_extensions(token) {
            return Ok(None);
        }
        let now = world.clock.now();
        let is_missing = self.find(header.kid.as_deref()).next().is_none();
        let is_old = self.since.is_none_or(|since| now >= since + KEYS_AGE_MAX);
        if is_missing || is_old {
            self.ask(world, url, is_old).await?;
        }
        let signed = self.find(header.kid.as_deref()).find_map(|key| said(token, key, header.alg));
        Ok(signed.map(Claims::signed))
    }

    /// Those that may have signed it: the one of this name, or all where no name is told.
    fn find<'a>(&'a self, name: Option<&'a str>) -> impl Iterator<Item = &'a Jwk> {
        self.known.iter().filter(move |key| name.is_none() || key.common.key_id.as_deref() == name)
    }

    /// Asks for the keys, if that was not done a moment ago. Keys that are too old are no longer used.
    async fn ask(&mut self, world: &World, url: &Url, is_old: bool) -> Result<(), Error> {
        let now = world.clock.now();
        if self.asked.is_some_and(|asked| now < asked + KEYS_ASKED_EVERY) {
            let why = "its keys were asked for in vain a moment ago";
            return if is_old { Err(unclear(why)) } else { Ok(()) };
        }
        self.asked = Some(now);
        let request = Request::get(url.as_str()).with("Accept", "application/json".to_owned());
        let response = fetched(world, request).await?;
        let keys = serde_json::from_slice::<JwkSet>(&response.body)
            .map_err(|_| unclear("its keys are no JSON Web Key Set"))?;
        self.known = keys.keys.into_iter().filter(is_for_signatures).take(KEYS_MAX).collect();
        self.since = Some(now);
        Ok(())
    }
}

/// RFC 7517 §4.2: not for encryption; and not one that is as secret as a password.
fn is_for_signatures(key: &Jwk) -> bool {
    !matches!(key.algorithm, AlgorithmParameters::OctetKey(_))
        && !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption))
}

/// What the token says, if this key has signed it by this algorithm. When it ends and whom it is for is looked at later, by
/// our own clock.
fn said(token: &str, key: &Jwk, algorithm: Algorithm) -> Option<Value> {
    // RFC 8725 §3.1: a key that names its algorithm is for no other.
    let named = key.common.key_algorithm.map(|named| named.to_string());
    if named.is_some_and(|named| named != format!("{algorithm:?}")) {
        return None;
    }
    let mut validation = Validation::new(algorithm);
    (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
    validation.required_spec_claims = HashSet::new();
    let key = DecodingKey::from_jwk(key).ok()?;
    jsonwebtoken::decode::<Value>(token, &key, &validation).ok().map(|data| data.claims)
}

fn has_extensions(token: &str) -> bool {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header = token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let header = header.and_then(|header| serde_json::from_slice::<Value>(&header).ok());
    header.is_none_or(|header| header.get("crit").is_some())
}
