//! Checks the signatures of a message (RFC 6376 §6).
//!
//! ```text
//! Verifier --update(piece)*--> --end()--> Hashed --conclude(keys)--> a finding for each signature
//! ```
//!
//! The header is read when it is complete, the body hashed as it comes; `key_names` says what to ask the DNS for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use mail::message::{Field, Header};
use mail::{Domain, Timestamp};

use super::body_hash::BodyHash;
use super::field::{chosen, header_input, read_header};
use super::intake::Intake;
use super::signature::{Claim, Signature, unsigned_field};
use super::{Algorithm, Canonicalization, KeyName, KeyRecord, RecordError, Selector};
use crate::limits;

/// What is found about one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// d=: who answers for the message, if the outcome is `Pass`.
    pub domain: Option<Domain>,
    /// s=.
    pub selector: Option<Selector>,
    /// a=, if it is one of ours.
    pub algorithm: Option<Algorithm>,
    /// i=, decoded, if it was given and is well formed. A stranger's text: show it through `mail::printable`.
    pub identity: Option<String>,
    /// Whether the domain says that it is only testing (t=y): then a failure counts as no signature.
    pub testing: bool,
    /// How it went.
    pub outcome: Outcome,
}

/// How the check of a signature ended, in the words of RFC 8601 §2.7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The domain of the finding answers for the fields and the body.
    Pass {
        /// Canonical octets at the end of the body that l= leaves out: anyone may have written them.
        unsigned_octets: u64,
    },
    /// The message is not what was signed.
    Fail(Fault),
    /// The signature cannot be checked, now or later.
    PermError(Fault),
    /// The signature cannot be checked now.
    TempError(Fault),
}

/// Why a signature is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The header has lines that are no fields, or bare CR or LF, or is longer than `limits` allow.
    Header,
    /// More signatures stand above this one than are checked; those below it are not looked at.
    TooManySignatures,
    /// The field is longer than `limits` allow.
    FieldTooLong,
    /// The field is against the grammar.
    Syntax,
    /// v= is not 1.
    Version,
    /// One of v=, a=, b=, bh=, d=, h= and s= is missing.
    MissingTag,
    /// a= is unknown, or rsa-sha1, which is history (RFC 8301 §3.1).
    Algorithm,
    /// c= is unknown.
    Canonicalization,
    /// q= has no method that is known.
    Query,
    /// i= is not in the domain of d=, or (t=s) below it.
    DomainMismatch,
    /// h= lacks From.
    FromNotSigned,
    /// The message has more From fields than are signed (RFC 6376 §8.15).
    FromAmbiguous,
    /// x= is over.
    Expired,
    /// The DNS gave no answer about the key.
    KeyUnavailable,
    /// There is no key.
    NoKey,
    /// The key record is of no use.
    Key(RecordError),
    /// The key is for another algorithm than a= says.
    KeyMismatch,
    /// l= is more than the body has.
    BodyTooShort,
    /// The body's hash is not that of bh=.
    BodyHash,
    /// The signature does not fit header and key.
    Signature,
}

/// What the DNS answered about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAnswer {
    /// The TXT records of the name, the strings of each joined with nothing between.
    Records(Vec<Vec<u8>>),
    /// The name does not exist, or has no TXT record.
    Missing,
    /// No answer, or a failure that may pass.
    Unavailable,
}

/// Takes a message in pieces. Memory: the header, and a few KiB for each signature.
#[derive(Clone)]
pub struct Verifier {
    now: Timestamp,
    intake: Intake,
    /// Filled when the header has come.
    checks: Option<Checks>,
}

/// A message that has come whole, and whose signatures wait for their keys.
#[derive(Clone)]
pub struct Hashed(Checks);

#[derive(Clone, Default)]
struct Checks {
    checks: Vec<Check>,
    /// One for each form and length that some signature names.
    bodies: Vec<BodyHash>,
}

/// One signature field.
#[derive(Debug, Clone)]
struct Check {
    claim: Claim,
    state: Result<Ready, Fault>,
}

/// A signature that is well formed.
#[derive(Debug, Clone)]
struct Ready {
    signature: Signature,
    header_hash: Digest,
    /// Which of the body's hashes it needs.
    body: usize,
}

/// Checks a message that is at hand as a whole. `now` is compared with x=: best the time when the message came (RFC 6376
/// §3.5). `ask` is called once for each name.
///
/// ```
/// use message_auth::dkim::{KeyAnswer, verify};
/// let findings = verify(b"From: a@example.com\r\n\r\nHello", mail::Timestamp(0), |_| KeyAnswer::Missing);
/// assert!(findings.is_empty(), "no signature, no finding");
/// ```
pub fn verify(message: &[u8], now: Timestamp, mut ask: impl FnMut(&KeyName) -> KeyAnswer) -> Vec<Finding> {
    let mut verifier = Verifier::new(now);
    verifier.update(message);
    let hashed = verifier.end();
    let answers: BTreeMap<_, _> =
        hashed.key_names().into_iter().map(|name| (name.clone(), ask(&name))).collect();
    hashed.conclude(|name| answers[name].clone())
}

impl Verifier {
    /// Begins. `now` as for `verify`.
    pub fn new(now: Timestamp) -> Self {
        Self { now, intake: Intake::new(), checks: None }
    }

    /// Takes the next piece of the message.
    pub fn update(&mut self, piece: &[u8]) {
        let body = self.intake.take(piece);
        if self.intake.is_past_header() {
            let checks = self.checks.get_or_insert_with(|| Checks::of(&self.intake, self.now));
            checks.bodies.iter_mut().for_each(|hash| hash.update(body));
        }
    }

    /// The keys that are needed, as soon as the header has come; none before. To ask for them while the body comes.
    pub fn key_names(&self) -> BTreeSet<KeyName> {
        self.checks.as_ref().map(Checks::key_names).unwrap_or_default()
    }

    /// The message has come whole.
    pub fn end(self) -> Hashed {
        Hashed(self.checks.unwrap_or_else(|| Checks::of(&self.intake, self.now)))
    }
}

impl Hashed {
    /// The keys that are needed.
    pub fn key_names(&self) -> BTreeSet<KeyName> {
        self.0.key_names()
    }

    /// A finding for each signature, from the top; none for a message without.
    pub fn conclude(self, answer: impl Fn(&KeyName) -> KeyAnswer) -> Vec<Finding> {
        let bodies: Vec<_> = self.0.bodies.into_iter().map(BodyHash::finish).collect();
        let finding = |Check { claim, state }| match state {
            Err(fault) => Finding::new(claim, fault.outcome()),
            Ok(ready) => {
                let (hash, octets) = &bodies[ready.body];
                ready.conclude(claim, hash, *octets, answer(&ready.signature.key_name))
            }
        };
        self.0.checks.into_iter().map(finding).collect()
    }
}

impl Checks {
    fn of(intake: &Intake, now: Timestamp) -> Self {
        let mut checks = Self::default();
        match intake.header() {
            Some(text) => checks.read(text, now),
            // Which signatures it had is not known.
            None => checks.checks.push(Check { claim: Claim::default(), state: Err(Fault::Header) }),
        }
        checks
    }

    fn read(&mut self, text: &[u8], now: Timestamp) {
        let strict = read_header(text);
        let header = strict.clone().unwrap_or_else(|| Header::parse(text));
        for (at, field) in header.find_all("DKIM-Signature").take(limits::SIGNATURES_MAX + 1).enumerate() {
            let claim = Claim::parse(field.value);
            let state = match at {
                _ if strict.is_none() => Err(Fault::Header),
                limits::SIGNATURES_MAX => Err(Fault::TooManySignatures),
                _ => Signature::parse(field.value, now)
                    .and_then(|read| self.prepare(text, &header, field, read)),
            };
            self.checks.push(Check { claim, state });
        }
    }

    /// Hashes the header, and has the body hashed as the signature needs it.
    fn prepare(
        &mut self,
        text: &[u8],
        header: &Header<'_>,
        field: &Field<'_>,
        signature: Signature,
    ) -> Result<Ready, Fault> {
        let from_signed = signature.names.iter().filter(|name| name.eq_ignore_ascii_case(b"from")).count();
        if header.count("From") > from_signed {
            return Err(Fault::FromAmbiguous);
        }
        let unsigned = unsigned_field(&text[field.range.clone()], field.value);
        let fields = chosen(header.fields(), &signature.names);
        let input = header_input(signature.header_form, text, &fields, &unsigned);
        let body = self.body(signature.body_form, signature.length);
        Ok(Ready { header_hash: digest(&SHA256, &input), body, signature })
    }

    fn body(&mut self, form: Canonicalization, length: Option<u64>) -> usize {
        self.bodies.iter().position(|hash| hash.fits(form, length)).unwrap_or_else(|| {
            self.bodies.push(BodyHash::new(form, length));
            self.bodies.len() - 1
        })
    }

    fn key_names(&self) -> BTreeSet<KeyName> {
        let ready = self.checks.iter().filter_map(|check| check.state.as_ref().ok());
        ready.map(|ready| ready.signature.key_name.clone()).collect()
    }
}

impl Ready {
    fn conclude(&self, claim: Claim, body_hash: &Digest, octets: u64, answer: KeyAnswer) -> Finding {
        let (testing, outcome) = match self.key(answer) {
            Ok(key) => (key.is_testing(), self.check(&key, body_hash, octets).unwrap_or_else(Fault::outcome)),
            Err(fault) => (false, fault.outcome()),
        };
        let identity = self.signature.identity.clone();
        Finding { identity, testing, ..Finding::new(claim, outcome) }
    }

    /// RFC 6376 §6.1.2. Of several records the first that serves counts; if none does, the last fault that is more than
    /// being a stranger's text.
    fn key(&self, answer: KeyAnswer) -> Result<KeyRecord, Fault> {
        let records = match answer {
            KeyAnswer::Unavailable => return Err(Fault::KeyUnavailable),
            KeyAnswer::Missing => return Err(Fault::NoKey),
            KeyAnswer::Records(records) => records,
        };
        let mut fault = Fault::NoKey;
        for record in records.iter().take(limits::KEY_RECORDS_MAX) {
            match self.key_from(record) {
                Ok(key) => return Ok(key),
                Err(Fault::Key(RecordError::Syntax)) if fault != Fault::NoKey => {}
                Err(other) => fault = other,
            }
        }
        Err(fault)
    }

    fn key_from(&self, record: &[u8]) -> Result<KeyRecord, Fault> {
        let key = KeyRecord::parse(record).map_err(Fault::Key)?;
        if key.algorithm() != self.signature.algorithm {
            return Err(Fault::KeyMismatch);
        }
        // RFC 6376 §3.6.1, t=s.
        if key.is_strict() && self.signature.identity_domain != self.signature.key_name.domain {
            return Err(Fault::DomainMismatch);
        }
        Ok(key)
    }

    /// RFC 6376 §6.1.3.
    fn check(&self, key: &KeyRecord, body_hash: &Digest, octets: u64) -> Result<Outcome, Fault> {
        // RFC 6376 §3.5: l= is not more than there is.
        let unsigned_octets =
            octets.checked_sub(self.signature.length.unwrap_or(octets)).ok_or(Fault::BodyTooShort)?;
        if body_hash.as_ref() != self.signature.body_hash {
            return Err(Fault::BodyHash);
        }
        match key.verifies(&self.header_hash, &self.signature.signature) {
            true => Ok(Outcome::Pass { unsigned_octets }),
            false => Err(Fault::Signature),
        }
    }
}

impl Finding {
    fn new(claim: Claim, outcome: Outcome) -> Self {
        let Claim { domain, selector, algorithm } = claim;
        Self { domain, selector, algorithm, identity: None, testing: false, outcome }
    }
}

impl Fault {
    fn outcome(self) -> Outcome {
        match self {
            Self::BodyTooShort | Self::BodyHash | Self::Signature => Outcome::Fail(self),
            Self::KeyUnavailable => Outcome::TempError(self),
            _ => Outcome::PermError(self),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "the header is not well formed",
            Self::TooManySignatures => "too many signatures",
            Self::FieldTooLong => "the signature field is too long",
            Self::Syntax => "the signature field is not well formed",
            Self::Version => "unknown version",
            Self::MissingTag => "a required tag is missing",
            Self::Algorithm => "unknown or historic algorithm",
            Self::Canonicalization => "unknown canonicalization",
            Self::Query => "unknown query method",
            Self::DomainMismatch => "the identity is not in the signing domain",
            Self::FromNotSigned => "From is not signed",
            Self::FromAmbiguous => "not every From is signed",
            Self::Expired => "the signature has expired",
            Self::KeyUnavailable => "no answer about the key",
            Self::NoKey => "no key for the signature",
            Self::Key(error) => return error.fmt(f),
            Self::KeyMismatch => "the key is for another algorithm",
            Self::BodyTooShort => "the body is shorter than was signed",
            Self::BodyHash => "the body hash did not verify",
            Self::Signature => "the signature did not verify",
        })
    }
}
