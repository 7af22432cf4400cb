//! dkimpy, an independent implementation, checks what we sign, and we check what it signs.
//!
//! It is installed from PyPI into a virtual environment under `target/`, once. Needs `python3` with `venv`.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mail::{Domain, Timestamp};
use message_auth::dkim::{
    Algorithm, Canonicalization, Identity, KeyAnswer, KeyName, Outcome, Selector, Signer, SigningKey, Terms,
    verify,
};

const REQUIREMENTS: [&str; 2] = ["dkimpy==1.1.8", "PyNaCl"];
const FORMS: [Canonicalization; 2] = [Canonicalization::Simple, Canonicalization::Relaxed];
const SEED: [u8; 32] = *b"a seed of an Ed25519 key, tests.";

/// Checks every signature of each message, a line of results for each. Standard input: the messages, before each its length
/// on a line; arguments: names and records by turns.
const VERIFY: &str = r#"
import sys, dkim
records = dict(zip(sys.argv[1::2], sys.argv[2::2]))
lookup = lambda name, timeout=5: records.get(name.decode().rstrip("."), "").encode()
def verify(message, index):
    try:
        return dkim.DKIM(message).verify(idx=index, dnsfunc=lookup)
    except dkim.ValidationError:
        return False
while length := sys.stdin.buffer.readline():
    message = sys.stdin.buffer.read(int(length))
    count = len([field for field in dkim.DKIM(message).headers if field[0].lower() == b"dkim-signature"])
    print(*[verify(message, index) for index in range(count)])
"#;
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

/// The Python of the virtual environment, which is made if it is not there.
fn python() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dkimpy-1.1.8");
    let lock = OpenOptions::new().create(true).append(true).open(home.with_extension("lock")).unwrap();
    // Each test is a process; the first makes it, the others wait.
    lock.lock().unwrap();
    let (python, done) = (home.join("bin/python"), home.join("installed"));
    if !done.exists() {
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home), "python3 -m venv");
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(REQUIREMENTS);
        succeed(&mut pip, "pip cannot install dkimpy: is its registry (PyPI) in reach?");
        fs::copy(home.join("pyvenv.cfg"), done).unwrap();
    }
    python
}

fn succeed(command: &mut Command, what: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
    checked(output, what);
}

fn checked(output: Output, what: &str) -> Vec<u8> {
    assert!(output.status.success(), "{what}\n{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn run(script: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(python());
    command.arg("-c").arg(script).args(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    checked(child.wait_with_output().unwrap(), "dkimpy")
}

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
    let (mut input, mut expected) = (Vec::new(), Vec::new());
    let mut send = |message: &[u8], told: &'static str| {
        input.extend_from_slice(format!("{}\n", message.len()).as_bytes());
        input.extend_from_slice(message);
        expected.push(told);
    };
    each_form(|header, body, message| {
        let mut signer = Signer::new(Terms { header, body, lifetime_secs: Some(1_000_000_000) });
        message.as_bytes().chunks(7).for_each(|piece| signer.update(piece));
        let mut signed = signer.finish(&identities(), Timestamp(1_700_000_000_000)).unwrap();
        signed.extend_from_slice(message.as_bytes());
        send(&signed, "True True");
        // The check is one.
        send(&[&signed, &b"!"[..]].concat(), "False False");
    });
    let records = records();
    let arguments: Vec<_> =
        records.iter().flat_map(|(name, record)| [name.as_str(), record.as_str()]).collect();
    let told = String::from_utf8(run(VERIFY, &arguments, &input)).unwrap();
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        expected,
        "header simple, body simple, each message; body relaxed; ..."
    );
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
