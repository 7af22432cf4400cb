//! dkimpy, an independent implementation, checks what we sign, and we check what it signs.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod python;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mail::{Domain, Timestamp};
use message_auth::dkim::{
    Algorithm, Canonicalization, Identity, KeyAnswer, KeyName, Outcome, Selector, Signer, SigningKey, Terms,
    verify,
};
use python::{checks, run};

const FORMS: [Canonicalization; 2] = [Canonicalization::Simple, Canonicalization::Relaxed];
const SEED: [u8; 32] = *b"a seed of an Ed25519 key, tests.";

/// Signs a message. Arguments: algorithm, selector, domain, key, the header's form and the body's, l= or not.
const SIGN: &str = r#"
import sys, dkim
algorithm, selector, domain, key, header, body, length = [argument.encode() for argument in sys.argv[1:]]
message = sys.stdin.buffer.read()
field = dkim.sign(message, selector, domain, key, canonicalize=(header, body), signature_algorithm=algorithm,
                  length=length == b"length")
sys.stdout.buffer.write(field)
"#;

const MESSAGES: [&str; 5] = [
    "From: a@example.com\r\n\r\n",
    "From: a@example.com\r\nTo: b@example.org\r\n\r\n\r\n\r\n",
    "From:  A  Name\t<a@example.com> \r\nSubject: folded\r\n\tand \r\n more\r\nDate: Sun, 22 Nov 2026 15:00:00 +0000\r\n\
     \r\nTwo  blanks, \t a tab \r\n\r\n .dot\r\n\r\n\r\n",
    "Received: from x\r\nReceived: from y\r\nfrom: a@example.com\r\nTO: b@example.org\r\nto: c@example.org\r\n\
     Resent-To: d@example.org\r\nList-Id: <l.example.org>\r\nSender: e@example.com\r\nMIME-Version: 1.0\r\n\
     Content-Type: text/plain;\r\n charset=utf-8\r\n\r\nGr\u{fc}\u{df}e; without a last line end",
    "From: a@example.com\r\nMessage-ID: <1@example.com>\r\n\r\n \r\n\t\r\nblank lines above and below\r\n \r\n",
];

/// Keys that are always the same, and where they are published.
fn identities() -> [Identity; 2] {
    let ed25519 = SigningKey::from_ed25519_seed(&SEED).unwrap();
    let rsa = SigningKey::from_pem(include_str!("data/dkimpy/2048_testkey.key")).unwrap();
    [ed25519, rsa].map(|key| {
        let selector = Selector::parse(key.algorithm().key_type()).unwrap();
        let name = KeyName { selector, domain: Domain::parse("example.com").unwrap() };
        Identity { name, key: Arc::new(key) }
    })
}

fn records() -> BTreeMap<String, String> {
    identities().iter().map(|identity| (identity.name.query(), identity.key.record().text())).collect()
}

fn each_form(mut check: impl FnMut(Canonicalization, Canonicalization, &str)) {
    for (header, body) in FORMS.iter().flat_map(|header| FORMS.iter().map(move |body| (*header, *body))) {
        MESSAGES.iter().for_each(|message| check(header, body, message));
    }
}

#[test]
fn dkimpy_verifies_what_we_sign() {
    let (mut messages, mut expected) = (Vec::new(), Vec::new());
    each_form(|header, body, message| {
        let mut signer = Signer::new(Terms { header, body, lifetime_secs: Some(1_000_000_000) });
        message.as_bytes().chunks(7).for_each(|piece| signer.update(piece));
        let mut signed = signer.finish(&identities(), Timestamp(1_700_000_000_000)).unwrap();
        signed.extend_from_slice(message.as_bytes());
        // The check is one.
        let changed = [&signed, &b"!"[..]].concat();
        messages.extend([signed, changed]);
        expected.extend(["True True", "False False"]);
    });
    let told = checks(&records(), &messages);
    assert_eq!(told, expected, "header simple, body simple, each message; body relaxed; ...");
}

#[test]
fn we_verify_what_dkimpy_signs() {
    let records = records();
    each_form(|header, body, message| {
        for (identity, length) in identities().iter().zip(["length", "whole"]) {
            let key = match identity.key.algorithm() {
                Algorithm::Ed25519 => BASE64_STANDARD.encode(SEED),
                Algorithm::Rsa => identity.key.to_pem(),
            };
            let KeyName { selector, domain } = &identity.name;
            let algorithm = identity.key.algorithm().as_str();
            let arguments =
                [algorithm, selector.as_str(), domain.as_str(), &key, header.as_str(), body.as_str(), length];
            let mut signed = run(SIGN, &arguments, message.as_bytes());
            signed.extend_from_slice(message.as_bytes());
            let findings = verify(&signed, Timestamp(1_700_000_000_000), |name| {
                KeyAnswer::Records(vec![records[&name.query()].clone().into_bytes()])
            });
            let outcomes: Vec<_> = findings.iter().map(|finding| finding.outcome).collect();
            let text = String::from_utf8_lossy(&signed);
            assert_eq!(outcomes, [Outcome::Pass { unsigned_octets: 0 }], "{header:?} {body:?}\n{text}");
        }
    });
}
