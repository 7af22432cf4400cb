//! What the DNS answers, limits, and lengths: what is found about a signature beside good and bad.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::sync::Arc;

use mail::{Domain, Timestamp};
use message_auth::dkim::{
    Algorithm, Fault, Identity, KeyAnswer, KeyName, Outcome, RecordError, Signer, SigningKey, Terms, verify,
};
use message_auth::limits;

const NOW: Timestamp = Timestamp(1_795_359_600_000);
const PASS: Outcome = Outcome::Pass { unsigned_octets: 0 };
const MESSAGE: &str = "From: a@example.com\r\n\r\nHello\r\n";

/// A key and a signature of it over `MESSAGE`.
fn signed(lifetime_secs: Option<u32>) -> (SigningKey, String) {
    let key = Arc::new(SigningKey::generate(Algorithm::Ed25519));
    let name = KeyName { selector: key.selector(NOW), domain: Domain::parse("example.com").unwrap() };
    let mut signer = Signer::new(Terms { lifetime_secs, ..Terms::default() });
    signer.update(MESSAGE.as_bytes());
    let identity = Identity { name, key: Arc::clone(&key) };
    let fields = signer.finish(&[identity], NOW).unwrap();
    (Arc::into_inner(key).unwrap(), String::from_utf8(fields).unwrap())
}

fn outcomes(text: &str, now: Timestamp, answer: &KeyAnswer) -> Vec<Outcome> {
    verify(text.as_bytes(), now, |_| answer.clone()).iter().map(|finding| finding.outcome).collect()
}

#[test]
fn answers_of_the_dns() {
    let (key, fields) = signed(None);
    let text = fields + MESSAGE;
    let good = key.record().text();
    let records =
        |records: &[&str]| KeyAnswer::Records(records.iter().map(|record| (*record).into()).collect());
    let other = SigningKey::generate(Algorithm::Rsa).record().text();
    let stranger = SigningKey::generate(Algorithm::Ed25519).record().text();
    for (answer, expected) in [
        (records(&[&good]), PASS),
        (records(&["v=spf1 -all", &good]), PASS),
        (records(&["v=DKIM1; k=ed25519; p=", &good]), PASS),
        (KeyAnswer::Unavailable, Outcome::TempError(Fault::KeyUnavailable)),
        (KeyAnswer::Missing, Outcome::PermError(Fault::NoKey)),
        (records(&[]), Outcome::PermError(Fault::NoKey)),
        (records(&["v=spf1 -all"]), Outcome::PermError(Fault::Key(RecordError::Syntax))),
        (records(&["p=", "v=spf1 -all"]), Outcome::PermError(Fault::Key(RecordError::Revoked))),
        (records(&[&other]), Outcome::PermError(Fault::KeyMismatch)),
        (records(&[&stranger]), Outcome::Fail(Fault::Signature)),
        (records(&["p=", "p=", "p=", "p=", &good]), Outcome::PermError(Fault::Key(RecordError::Revoked))),
    ] {
        assert_eq!(outcomes(&text, NOW, &answer), [expected], "{answer:?}");
    }
    let testing = records(&[&good.replace("; p", "; t=y; p")]);
    let findings = verify(text.as_bytes(), NOW, |_| testing.clone());
    assert!(findings[0].testing && findings[0].outcome == PASS);
}

#[test]
fn signatures_expire_when_they_say_so() {
    let after = |secs: i64| Timestamp(NOW.0 + secs * 1_000);
    for (lifetime_secs, now, expected) in [
        (None, after(1_000_000), PASS),
        (Some(60), after(60), PASS),
        (Some(60), after(61), Outcome::PermError(Fault::Expired)),
        (Some(0), after(1), PASS),
    ] {
        let (key, fields) = signed(lifetime_secs);
        let answer = KeyAnswer::Records(vec![key.record().text().into_bytes()]);
        assert_eq!(outcomes(&(fields + MESSAGE), now, &answer), [expected], "{lifetime_secs:?} {now}");
    }
}

#[test]
fn signatures_beyond_the_limit_are_not_checked() {
    let (key, field) = signed(None);
    let answer = KeyAnswer::Records(vec![key.record().text().into_bytes()]);
    let outcomes = outcomes(&(field.repeat(limits::SIGNATURES_MAX + 5) + MESSAGE), NOW, &answer);
    let (checked, rest) = outcomes.split_at(limits::SIGNATURES_MAX);
    assert!(checked.iter().all(|outcome| *outcome == PASS));
    assert_eq!(rest, [Outcome::PermError(Fault::TooManySignatures)]);
}

#[test]
fn a_header_beyond_the_limit_is_not_checked() {
    let text = format!("X: {}\r\n{MESSAGE}", "x".repeat(limits::HEADER_OCTETS_MAX));
    assert_eq!(outcomes(&text, NOW, &KeyAnswer::Missing), [Outcome::PermError(Fault::Header)]);
}

#[test]
fn a_length_beyond_the_body_is_a_failure() {
    let (key, field) = signed(None);
    let answer = KeyAnswer::Records(vec![key.record().text().into_bytes()]);
    let outcome = |length: &str| {
        outcomes(&(field.replace(" bh=", &format!(" l={length}; bh=")) + MESSAGE), NOW, &answer)
    };
    assert_eq!(outcome("8"), [Outcome::Fail(Fault::BodyTooShort)]);
    assert_eq!(outcome("99999999999999999999999"), [Outcome::Fail(Fault::BodyTooShort)]);
    assert_eq!(outcome("6"), [Outcome::Fail(Fault::BodyHash)]);
    assert_eq!(outcome("7"), [Outcome::Fail(Fault::Signature)], "l= itself is signed");
}
