//! Who can sign in by CRAM-MD5, by a token and by a certificate.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{self, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use directory::{
    Answer, Credentials, Directory, Fingerprint, Issuer, Kept, Origin, Password, Presented, Scope, Shown,
    SignIn, Verifiers,
};
use hmac::{Hmac, KeyInit, Mac};
use mail::Timestamp;
use serde_json::{Value, json};
use settings::{Introspection, OAuth, TokenCheck};
use store::{AccountRef, Change, Commit, Store};
use world::fetch::{FetchError, Response, Web};
use world::{Dice, Fetch, World};

/// When the world begins, in seconds.
const NOW: i64 = 1_795_341_600;

struct Here {
    directory: Directory,
    store: Store,
    world: World,
    web: Web,
    _place: tempfile::TempDir,
}

/// `ann` keeps what CRAM-MD5 needs, `bob` does not.
async fn here() -> Here {
    let place = tempfile::tempdir().unwrap();
    let mut world = World::simulated(Timestamp(NOW * 1000), 1);
    let web = Web::new();
    world.fetch = Fetch::Simulated(web.clone());
    let store = Store::open(&place.path().join("data"), &world, store::Options::default()).unwrap();
    let dice = Dice::seeded(2);
    let password = Password("secret".into());
    let of = |kept| Verifiers::new(&dice, &password, kept).unwrap();
    let account = |local: &str, verifiers: &Verifiers| Change::AddAccount {
        address: format!("{local}@a.example"),
        name: String::new(),
        secret: verifiers.secret.clone(),
        scram: verifiers.scram.clone(),
        at: Timestamp(0),
    };
    let (ann, bob) = (of(Kept::WithCramMd5), of(Kept::Argon2idAndScram));
    let cram =
        Change::SetCram { account: AccountRef::New(1), secret: ann.secret.clone(), cram: ann.cram.clone() };
    let changes = vec![
        Change::AddDomain { name: "a.example".into(), at: Timestamp(0) },
        account("ann", &ann),
        cram,
        account("bob", &bob),
    ];
    store.commit(Commit { content: Vec::new(), changes }).await.unwrap();
    Here { directory: Directory::new(store.clone(), world.clone()), store, world, web, _place: place }
}

fn origin() -> Origin {
    Origin { peer: IpAddr::from([127, 0, 0, 1]), trusted: true, service: Scope::Imap }
}

/// The local part of whoever was accepted; `-` if nobody; `?` if that cannot be said.
fn who(sign_in: SignIn) -> String {
    match sign_in {
        SignIn::Accepted(principal) => principal.address.local.to_string(),
        SignIn::Refused => "-".into(),
        SignIn::Later => "later".into(),
        SignIn::Unavailable(_) => "?".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_opens_the_account_that_keeps_what_it_needs() {
    let here = here().await;
    let challenge = b"<1.2@mx.example>".to_vec();
    let digest = |secret: &str| -> [u8; 16] {
        let mut hmac = Hmac::<md5::Md5>::new_from_slice(secret.as_bytes()).unwrap();
        hmac.update(&challenge);
        hmac.finalize().into_bytes().into()
    };
    for (login, secret, expected) in [
        ("ann@a.example", "secret", "ann"),
        ("ANN", "secret", "ann"),
        ("ann", "Secret", "-"),
        ("bob", "secret", "-"),
        ("nobody", "secret", "-"),
        ("nobody@elsewhere.example", "secret", "-"),
        ("no address at all@", "secret", "-"),
        ("", "", "-"),
    ] {
        let answer = Answer { login: login.into(), challenge: challenge.clone(), digest: digest(secret) };
        assert_eq!(who(here.directory.answered(answer, &origin()).await), expected, "{login} {secret}");
    }
    let ann = here.store.account_by_address("ann@a.example").await.unwrap().unwrap();
    assert!(!ann.cram.contains("secret"), "{}", ann.cram);
    assert_eq!(Kept::of(&ann), Kept::WithCramMd5);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_opens_the_account_that_it_was_given_to_or_names() {
    let here = here().await;
    let given = Fingerprint([1; 32]);
    let several = Fingerprint([2; 32]);
    let id = async |local: &str| {
        here.store.account_by_address(&format!("{local}@a.example")).await.unwrap().unwrap().id
    };
    let (ann, bob) = (id("ann").await, id("bob").await);
    let name =
        |account, fingerprint: Fingerprint| Change::AddCertificate { account, name: fingerprint.to_string() };
    let changes = vec![name(ann, given), name(ann, several), name(bob, several)];
    here.store.commit(Commit { content: Vec::new(), changes }).await.unwrap();
    for (fingerprint, names, authorization, expected) in [
        (given, &[][..], "", "ann"),
        (given, &[], "ann@a.example", "ann"),
        (given, &[], "bob", "-"),
        (several, &[], "", "-"),
        (several, &[], "bob", "bob"),
        (Fingerprint([3; 32]), &[], "", "-"),
        (Fingerprint([3; 32]), &[], "ann", "-"),
        (Fingerprint([3; 32]), &["mx.a.example", "Bob@A.example"], "", "bob"),
        (Fingerprint([3; 32]), &["bob@a.example"], "bob", "bob"),
        (Fingerprint([3; 32]), &["bob@a.example"], "ann", "-"),
        (Fingerprint([3; 32]), &["ann@a.example", "bob@a.example"], "", "-"),
        (Fingerprint([3; 32]), &["ann@a.example", "bob@a.example"], "ann@a.example", "ann"),
        (Fingerprint([3; 32]), &["ann"], "", "-"),
        (Fingerprint([3; 32]), &["nobody@a.example"], "", "-"),
    ] {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let shown = Shown { fingerprint, names: names.clone(), authorization: authorization.into() };
        let found = who(here.directory.shown(shown, &origin()).await);
        assert_eq!(found, expected, "{names:?} {authorization}");
    }
}

/// An issuer with a key of each kind, and what it signs.
struct Signer {
    rsa: rsa::KeyPair,
    ec: signature::EcdsaKeyPair,
    ed: signature::Ed25519KeyPair,
}

impl Signer {
    fn new() -> Self {
        let ec = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        Self {
            rsa: rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap(),
            ec: signature::EcdsaKeyPair::generate(ec).unwrap(),
            ed: signature::Ed25519KeyPair::generate().unwrap(),
        }
    }

    fn keys(&self) -> Value {
        let base64 = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let point = self.ec.public_key().as_ref();
        let rsa = self.rsa.public_key();
        let (n, e) = (rsa.modulus().big_endian_without_leading_zero(), rsa.exponent());
        json!({ "keys": [
            { "kty": "RSA", "kid": "rsa", "alg": "RS256", "use": "sig", "n": base64(n),
              "e": base64(e.big_endian_without_leading_zero()) },
            { "kty": "EC", "kid": "ec", "crv": "P-256", "x": base64(&point[1..33]), "y": base64(&point[33..]) },
            { "kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": base64(self.ed.public_key().as_ref()) },
            { "kty": "oct", "kid": "oct", "k": base64(b"a secret that is in the list of public keys") },
        ]})
    }

    fn token(&self, header: Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(claims));
        let random = SystemRandom::new();
        let signature = match header["alg"].as_str().unwrap() {
            "ES256" => self.ec.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed.sign(message.as_bytes()).as_ref().to_vec(),
            "HS256" => {
                let key = aws_lc_rs::hmac::Key::new(
                    aws_lc_rs::hmac::HMAC_SHA256,
                    b"a secret that is in the list of public keys",
                );
                aws_lc_rs::hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
            }
            "none" => Vec::new(),
            algorithm => {
                let padding: &'static dyn signature::RsaEncoding = match algorithm {
                    "PS256" => &signature::RSA_PSS_SHA256,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(padding, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn oauth(check: TokenCheck) -> Issuer {
    let oauth = OAuth {
        issuer: "https://issuer.example".into(),
        audience: "mail".into(),
        scope: Some("mail.read".into()),
        account_claim: "email".into(),
        check,
    };
    Issuer { oauth, client_secret: Some(Password("s: %".into())) }
}

/// Claims that are good, but for what is changed.
fn claims(change: Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.example", "aud": "mail", "exp": NOW + 300, "scope": "openid mail.read",
        "email": "ann@a.example",
    });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn serve(
    web: &Web,
    url: &str,
    says: impl Fn(&world::fetch::Request) -> Value + Send + Sync + 'static,
) -> Arc<AtomicUsize> {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    web.put(url, move |request| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(Response { status: 200, headers: Vec::new(), body: says(request).to_string().into_bytes() })
    });
    asked
}

async fn token(here: &Here, token: &str, authorization: &str) -> String {
    let presented = Presented { authorization: authorization.into(), token: token.into() };
    who(here.directory.token(presented, &origin()).await)
}

const KEYS: &str = "https://issuer.example/keys";

#[tokio::test(start_paused = true)]
async fn a_signed_token_opens_its_account() {
    let here = here().await;
    let signer = Signer::new();
    let keys = signer.keys();
    serve(&here.web, KEYS, move |_| keys.clone());
    assert_eq!(
        token(&here, &signer.token(json!({"alg": "ES256", "kid": "ec"}), &claims(json!({}))), "").await,
        "-"
    );
    here.directory.trust_issuer(Some(oauth(TokenCheck::Keys(KEYS.parse().unwrap()))));
    for (header, expected) in [
        (json!({"alg": "RS256", "kid": "rsa"}), "ann"),
        (json!({"alg": "ES256", "kid": "ec"}), "ann"),
        (json!({"alg": "EdDSA", "kid": "ed"}), "ann"),
        (json!({"alg": "ES256"}), "ann"),
        // The key says that it is for another algorithm; another's key; none that is known; none at all; an extension.
        (json!({"alg": "PS256", "kid": "rsa"}), "-"),
        (json!({"alg": "ES256", "kid": "ed"}), "-"),
        (json!({"alg": "ES256", "kid": "new"}), "-"),
        (json!({"alg": "none"}), "-"),
        (json!({"alg": "HS256", "kid": "oct"}), "-"),
        (json!({"alg": "ES256", "kid": "ec", "crit": ["b64"], "b64": true}), "-"),
    ] {
        let signed = signer.token(header.clone(), &claims(json!({})));
        assert_eq!(token(&here, &signed, "").await, expected, "{header}");
    }
    let signed = signer.token(json!({"alg": "ES256", "kid": "ec"}), &claims(json!({})));
    let (message, signature) = signed.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let others = URL_SAFE_NO_PAD.encode(claims(json!({"email": "bob@a.example"})).to_string());
    for forged in
        [format!("{header}.{others}.{signature}"), format!("{message}."), message.into(), "x".into()]
    {
        assert_eq!(token(&here, &forged, "").await, "-", "{forged}");
    }
    for (authorization, expected) in [("ann", "ann"), ("ANN@a.example", "ann"), ("bob", "-"), ("@", "-")] {
        assert_eq!(token(&here, &signed, authorization).await, expected, "{authorization}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_token_must_say() {
    let here = here().await;
    let signer = Signer::new();
    let keys = signer.keys();
    serve(&here.web, KEYS, move |_| keys.clone());
    here.directory.trust_issuer(Some(oauth(TokenCheck::Keys(KEYS.parse().unwrap()))));
    for (change, expected) in [
        (json!({}), "ann"),
        (json!({"aud": ["other", "mail"]}), "ann"),
        (json!({"aud": "other"}), "-"),
        (json!({"aud": null}), "-"),
        (json!({"iss": "https://other.example"}), "-"),
        (json!({"iss": null}), "-"),
        (json!({"exp": NOW - 59}), "ann"),
        (json!({"exp": NOW - 60}), "-"),
        (json!({"exp": null}), "-"),
        (json!({"exp": "later"}), "-"),
        (json!({"nbf": NOW + 60}), "ann"),
        (json!({"nbf": NOW + 61}), "-"),
        (json!({"scope": "openid"}), "-"),
        (json!({"scope": "mail.read2"}), "-"),
        (json!({"scope": null, "scp": ["a", "mail.read"]}), "ann"),
        (json!({"scope": null}), "-"),
        (json!({"email": "nobody@a.example"}), "-"),
        (json!({"email": 1}), "-"),
        (json!({"email": null}), "-"),
        (json!({"email_verified": true}), "ann"),
        (json!({"email_verified": false}), "-"),
    ] {
        let signed = signer.token(json!({"alg": "EdDSA", "kid": "ed"}), &claims(change.clone()));
        assert_eq!(token(&here, &signed, "").await, expected, "{change}");
    }
    let needed = here.directory.token_needed();
    assert_eq!(needed.scope.as_deref(), Some("mail.read"));
    let described = "https://issuer.example/.well-known/openid-configuration";
    assert_eq!(needed.openid_configuration.as_deref(), Some(described));
}

#[tokio::test(start_paused = true)]
async fn keys_are_asked_for_once_a_minute_and_grow_old() {
    let here = here().await;
    let (first, second) = (Signer::new(), Signer::new());
    let keys = first.keys();
    let asked = serve(&here.web, KEYS, move |_| keys.clone());
    here.directory.trust_issuer(Some(oauth(TokenCheck::Keys(KEYS.parse().unwrap()))));
    let far = claims(json!({"exp": NOW + 100_000}));
    let old = first.token(json!({"alg": "ES256", "kid": "ec"}), &far);
    let unknown = second.token(json!({"alg": "ES256", "kid": "new"}), &far);
    for _ in 0..10 {
        assert_eq!(token(&here, &old, "").await, "ann");
        assert_eq!(token(&here, &unknown, "").await, "-");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // The issuer has a new key, and the old one no longer.
    let mut keys = second.keys();
    keys["keys"][1]["kid"] = json!("new");
    serve(&here.web, KEYS, move |_| keys.clone());
    here.world.clock.sleep(Duration::from_secs(61)).await;
    assert_eq!(token(&here, &old, "").await, "ann", "nobody asked");
    assert_eq!(token(&here, &unknown, "").await, "ann");
    assert_eq!(token(&here, &old, "").await, "-");
    // Nobody answers any more: in an hour the keys are too old.
    here.web.put(KEYS, |_| Err(FetchError::TimedOut));
    here.world.clock.sleep(Duration::from_secs(3500)).await;
    assert_eq!(token(&here, &unknown, "").await, "ann");
    here.world.clock.sleep(Duration::from_secs(100)).await;
    assert_eq!(token(&here, &unknown, "").await, "?");
    // Another issuer: what the first has said counts no longer.
    here.directory.trust_issuer(None);
    assert_eq!(token(&here, &unknown, "").await, "-");
}

const INTROSPECTION: &str = "https://issuer.example/introspect";

#[tokio::test(start_paused = true)]
async fn the_issuer_is_asked_about_a_token() {
    let here = here().await;
    let asked = serve(&here.web, INTROSPECTION, |request| {
        let credentials = request.headers.iter().find(|(name, _)| name == "Authorization").unwrap();
        // waxseal:s%3A%20%25
        assert_eq!(credentials.1, "Basic d2F4c2VhbDpzJTNBJTIwJTI1");
        match String::from_utf8_lossy(&request.body).as_ref() {
            "token=good%2F1&token_type_hint=access_token" => claims(json!({"active": true})),
            "token=short&token_type_hint=access_token" => {
                json!({"active": true, "aud": "mail", "scope": "mail.read", "email": "bob@a.example"})
            }
            "token=anyone&token_type_hint=access_token" => json!({"active": true, "email": "bob@a.example"}),
            "token=other&token_type_hint=access_token" => claims(json!({"active": true, "aud": "other"})),
            "token=late&token_type_hint=access_token" => claims(json!({"active": true, "exp": NOW - 100})),
            "token=odd&token_type_hint=access_token" => json!("odd"),
            _ => json!({"active": false}),
        }
    });
    let introspection = Introspection {
        url: INTROSPECTION.parse().unwrap(),
        client: "waxseal".into(),
        client_secret_file: "unused".into(),
    };
    here.directory.trust_issuer(Some(oauth(TokenCheck::Introspection(introspection))));
    for (presented, expected) in [
        ("good/1", "ann"),
        ("short", "bob"),
        ("other", "-"),
        ("anyone", "-"),
        ("late", "-"),
        ("bad", "-"),
        ("odd", "?"),
    ] {
        assert_eq!(token(&here, presented, "").await, expected, "{presented}");
    }
    // What it said is remembered for a minute, and not longer.
    let before = asked.load(Ordering::Relaxed);
    assert_eq!(token(&here, "good/1", "").await, "ann");
    assert_eq!(token(&here, "bad", "").await, "-");
    assert_eq!(asked.load(Ordering::Relaxed), before);
    here.web.put(INTROSPECTION, |_| Err(FetchError::TimedOut));
    here.world.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(token(&here, "good/1", "").await, "?");
}

/// RFC 7628 §4.3: a client that asks what it needs has not failed; one that guesses has.
#[tokio::test(start_paused = true)]
async fn failures_count_at_the_door() {
    let here = here().await;
    let stranger = Origin { peer: IpAddr::from([192, 0, 2, 1]), trusted: false, service: Scope::Smtp };
    let by = async |token: &str| {
        let presented = Presented { authorization: "ann".into(), token: token.into() };
        who(here.directory.token(presented, &stranger).await)
    };
    for _ in 0..20 {
        assert_eq!(by("").await, "-");
    }
    let mut guesses = 0;
    while by("x").await == "-" {
        guesses += 1;
        assert!(guesses < 1_000, "nobody counts");
    }
    assert_eq!(by("x").await, "later");
}

/// A stranger of this network.
fn stranger(network: u8) -> Origin {
    Origin { peer: IpAddr::from([10, 0, network, 1]), trusted: false, service: Scope::Imap }
}

/// A door that closes an account to strangers after so many failures, and does nothing else.
fn besieged_after(failures: u32) -> settings::SignInLimits {
    settings::SignInLimits {
        failures: None,
        within: settings::TimeSpan::from_secs(600),
        ban: settings::TimeSpan::from_secs(3600),
        delay: None,
        delay_limit: settings::TimeSpan::from_secs(16),
        account_failures: Some(failures),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_opens_nothing_where_the_door_is_closed() {
    let here = here().await;
    here.directory.limit_sign_ins(besieged_after(2));
    let credentials = |password: &str| Credentials {
        login: "ann@a.example".into(),
        authorization: String::new(),
        password: Password(password.into()),
    };
    for (network, password, expected) in [
        (1, "secret", "ann"),
        (2, "secret", "ann"),
        (3, "wrong", "-"),
        (4, "wrong", "-"),
        (5, "wrong", "later"),
        (5, "secret", "later"),
        (1, "secret", "ann"),
    ] {
        let signed_in = here.directory.sign_in(credentials(password), &stranger(network)).await;
        assert_eq!(who(signed_in), expected, "{network} {password}");
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_that_name_nobody_keep_no_others_out() {
    let here = here().await;
    here.directory.limit_sign_ins(besieged_after(1));
    for (network, authorization, token, expected) in [
        (1, "", "a.b.c", "-"),
        (2, "", "d.e.f", "-"),
        (3, "", "a.b.c", "later"),
        (4, "ann@a.example", "g.h.i", "-"),
        (5, "ann@a.example", "j.k.l", "later"),
    ] {
        let presented = Presented { authorization: authorization.into(), token: token.into() };
        let signed_in = here.directory.token(presented, &stranger(network)).await;
        assert_eq!(who(signed_in), expected, "{network} {token}");
    }
}
