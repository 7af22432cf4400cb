//! Whole exchanges: the examples of the RFCs, and what goes wrong.

use aws_lc_rs::pbkdf2;

use super::*;
use crate::sasl::{Exchange, Offer, Stop};

/// RFC 5802 §3.
fn salted(hash: ScramHash, password: &str, salt: &[u8], rounds: u32) -> Vec<u8> {
    let (algorithm, size) = match hash {
        ScramHash::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
        ScramHash::Sha1 => (pbkdf2::PBKDF2_HMAC_SHA1, 20),
    };
    let mut salted = vec![0; size];
    pbkdf2::derive(algorithm, rounds.try_into().unwrap(), salt, password.as_bytes(), &mut salted);
    salted
}

fn keys(hash: ScramHash, password: &str, salt: &[u8], rounds: u32) -> ScramKeys {
    let salted = salted(hash, password, salt, rounds);
    ScramKeys {
        salt: salt.to_vec(),
        iterations: rounds,
        stored_key: hash.digest(&hash.hmac(&salted, b"Client Key")),
        server_key: hash.hmac(&salted, b"Server Key"),
    }
}

fn bytes(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

/// A client, and an application that knows one password.
#[derive(Debug)]
struct Talk {
    exchange: Exchange,
    progress: Progress,
}

fn binding(nonce: &str) -> Binding {
    Binding {
        tls_exporter: Some(b"exported".to_vec()),
        tls_server_end_point: Some(b"certificate".to_vec()),
        nonce: nonce.into(),
        ..Binding::default()
    }
}

/// Begins, with keys of `pencil`.
fn begin(mechanism: &str, offer: Offer, binding: Binding, first: &str) -> Result<Talk, Stop> {
    let first = STANDARD.encode(first);
    let (mut exchange, progress) =
        Exchange::begin(mechanism.as_bytes(), Some(first.as_bytes()), offer, binding)?;
    let Progress::Ask(Ask::Keys(wanted)) = progress else { panic!("{progress:?}") };
    let salt = match wanted.hash {
        ScramHash::Sha1 => bytes("QSXCR+Q6sek8bf92"),
        ScramHash::Sha256 => bytes("W22ZaJ0SNY7soEsUEjb6gQ=="),
    };
    let progress = exchange.told(Told::Keys(keys(wanted.hash, "pencil", &salt, 4096)));
    Ok(Talk { exchange, progress })
}

impl Talk {
    fn challenge(&self) -> String {
        let Progress::Challenge(challenge) = &self.progress else { panic!("{:?}", self.progress) };
        String::from_utf8(challenge.clone()).unwrap()
    }

    fn send(&mut self, message: &str) -> Result<(), Stop> {
        self.progress = self.exchange.take(STANDARD.encode(message).as_bytes())?;
        Ok(())
    }

    fn proved(&mut self) -> Proved {
        self.send("").unwrap();
        let Progress::Ask(Ask::Proved(proved)) = self.progress.clone() else { panic!("{:?}", self.progress) };
        proved
    }
}

/// RFC 5802 §5.
#[test]
fn the_example_of_sha_1() {
    let first = "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL";
    let offer = Offer::of(["scram-sha-1"]);
    let mut talk = begin("SCRAM-SHA-1", offer, binding("3rfcNHYJY1ZVvWVs7j"), first).unwrap();
    let challenge = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
    assert_eq!(talk.challenge(), challenge);
    let last = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
    talk.send(last).unwrap();
    assert_eq!(talk.challenge(), "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
    let proved = talk.proved();
    assert_eq!((proved.mechanism, proved.login.as_str()), ("SCRAM-SHA-1", "user"));
}

/// RFC 7677 §3.
#[test]
fn the_example_of_sha_256() {
    let first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    let nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let mut talk = begin("SCRAM-SHA-256", Offer::ALL, binding(nonce), first).unwrap();
    let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    assert_eq!(talk.challenge(), challenge);
    let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    talk.send(last).unwrap();
    assert_eq!(talk.challenge(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    let accepted = SignIn::Accepted("user@example.org".parse().unwrap());
    talk.proved();
    assert_eq!(talk.exchange.told(accepted.clone().into()), Progress::Settled(accepted));
}

/// cbind-input, nonce and extensions, proof (empty: the right one).
type Parts = [Vec<u8>; 3];

/// A client's final message as the rules ask for it, but for what `change` makes of it.
fn last(first: &str, challenge: &str, bound: &[u8], change: fn(&mut Parts)) -> String {
    let hash = ScramHash::Sha256;
    let bare = first.splitn(3, ',').nth(2).unwrap();
    let header = &first[..first.len() - bare.len()];
    let nonce = challenge.split(',').next().unwrap();
    let mut parts = [[header.as_bytes(), bound].concat(), nonce.as_bytes().to_vec(), Vec::new()];
    change(&mut parts);
    let without_proof = format!("c={},{}", STANDARD.encode(&parts[0]), String::from_utf8_lossy(&parts[1]));
    let keys = keys(hash, "pencil", &bytes("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096);
    let signature = hash.hmac(&keys.stored_key, format!("{bare},{challenge},{without_proof}").as_bytes());
    let key = hash.hmac(&salted(hash, "pencil", &keys.salt, 4096), b"Client Key");
    let proof: Vec<u8> = key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();
    let proof = if parts[2].is_empty() { proof } else { parts[2].clone() };
    format!("{without_proof},p={}", STANDARD.encode(proof))
}

/// What follows the final message: `proved`, or the error.
fn check(mechanism: &str, first: &str, bound: &[u8], change: fn(&mut Parts), expected: &str) {
    let mut talk = begin(mechanism, Offer::ALL, binding("ours"), first).unwrap();
    let message = last(first, &talk.challenge(), bound, change);
    talk.send(&message).unwrap();
    if let Progress::Ask(Ask::Disproved(login)) = &talk.progress {
        assert_eq!(login, "user");
        // Even if somebody errs.
        let accepted = SignIn::Accepted("user@example.org".parse().unwrap());
        talk.progress = talk.exchange.told(accepted.into());
    }
    let answer = talk.challenge();
    assert_eq!(if answer.starts_with("v=") { "proved" } else { &answer }, expected, "{first} {bound:?}");
    if expected != "proved" {
        // Whatever the client says to that.
        for line in ["", "*", "!"] {
            assert_eq!(talk.exchange.take(line.as_bytes()), Ok(Progress::Settled(SignIn::Refused)), "{line}");
        }
    }
}

#[test]
fn proofs_and_bindings() {
    let as_they_are: fn(&mut Parts) = |_| {};
    let (plus, plain) = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256");
    check(plain, "n,,n=user,r=x", b"", as_they_are, "proved");
    check(plain, "n,a=user,n=user,r=x,e=1", b"", as_they_are, "proved");
    check(plus, "p=tls-exporter,,n=user,r=x", b"exported", as_they_are, "proved");
    check(plus, "p=tls-server-end-point,,n=user,r=x", b"certificate", as_they_are, "proved");
    let mismatch = "e=channel-bindings-dont-match";
    check(plus, "p=tls-exporter,,n=user,r=x", b"certificate", as_they_are, mismatch);
    check(plus, "p=tls-exporter,,n=user,r=x", b"", as_they_are, mismatch);
    check(plain, "n,,n=user,r=x", b"exported", as_they_are, mismatch);
    check(plain, "n,,n=user,r=x", b"", |parts| parts[0] = b"y,,".to_vec(), mismatch);
    check(plain, "n,,n=user,r=x", b"", |parts| parts[1] = b"r=xtheirs".to_vec(), "e=other-error");
    check(plain, "n,,n=user,r=x", b"", |parts| parts[1].extend(b",m=x"), "e=extensions-not-supported");
    check(plain, "n,,n=user,r=x", b"", |parts| parts[1].extend(b",z=x"), "proved");
    check(plain, "n,,n=user,r=x", b"", |parts| parts[2] = vec![0; 32], "e=invalid-proof");
    check(plain, "n,,n=user,r=x", b"", |parts| parts[2] = vec![0; 31], "e=invalid-proof");
}

#[test]
fn first_messages_that_end_the_exchange() {
    let (plus, plain) = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256");
    let unbound = Offer::of(["SCRAM-SHA-256"]);
    for (mechanism, offer, first, misuse) in [
        (plain, Offer::ALL, "y,,n=user,r=x", Misuse::ChannelBindingDenied),
        (plain, Offer::ALL, "p=tls-exporter,,n=user,r=x", Misuse::SaslMalformed),
        (plus, Offer::ALL, "n,,n=user,r=x", Misuse::SaslMalformed),
        (plus, Offer::ALL, "y,,n=user,r=x", Misuse::ChannelBindingDenied),
        (plus, Offer::ALL, "p=tls-unique,,n=user,r=x", Misuse::UnknownChannelBinding),
        (plus, unbound, "p=tls-exporter,,n=user,r=x", Misuse::UnknownMechanism),
        (plain, Offer::ALL, "n,,m=x,n=user,r=x", Misuse::SaslMalformed),
    ] {
        let stopped = begin(mechanism, offer, binding("ours"), first).unwrap_err();
        assert_eq!(stopped, Stop::Misuse(misuse), "{mechanism} {first}");
    }
    assert!(begin(plain, unbound, binding("ours"), "y,,n=user,r=x").is_ok(), "-PLUS was not offered");
}

#[test]
fn nobody_is_let_in_without_a_proof() {
    let first = STANDARD.encode("n,,n=user,r=x");
    let accepted = SignIn::Accepted("user@example.org".parse().unwrap());
    for (told, settled) in [
        (SignIn::Unavailable, SignIn::Unavailable),
        (SignIn::Refused, SignIn::Refused),
        (accepted, SignIn::Unavailable),
    ] {
        let begun = Exchange::begin(b"SCRAM-SHA-1", Some(first.as_bytes()), Offer::ALL, binding("ours"));
        let (mut exchange, _) = begun.unwrap();
        assert_eq!(exchange.told(told.into()), Progress::Settled(settled));
    }
}

#[test]
fn a_signature_is_answered_by_nothing() {
    let first = "n,,n=user,r=x";
    let mut talk = begin("SCRAM-SHA-256", Offer::ALL, binding("ours"), first).unwrap();
    let message = last(first, &talk.challenge(), b"", |_| {});
    talk.send(&message).unwrap();
    assert_eq!(talk.send("more"), Err(Stop::Misuse(Misuse::SaslMalformed)));
}

#[test]
fn nothing_secret_is_shown() {
    let first = "n,,n=user,r=x";
    let mut talk = begin("SCRAM-SHA-256", Offer::ALL, binding("ours"), first).unwrap();
    let shown = format!("{:?}", talk.exchange);
    assert!(shown.ends_with("name: \"SCRAM-SHA-256\", hash: Sha256, binds: false }, .. }"), "{shown}");
    let message = last(first, &talk.challenge(), b"", |_| {});
    talk.send(&message).unwrap();
    assert!(format!("{:?}", talk.proved()).contains("keys: ScramKeys(…)"));
}
