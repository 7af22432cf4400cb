//! DKIM (RFC 6376, with RFC 8301 on key sizes and RFC 8463 on Ed25519): a domain answers for a message by a signature over
//! chosen header fields and the body, checked with a key that it publishes in the DNS.
//!
//! ```text
//! message --> Intake --header--> fields that h= names, canonical --\
//!                \----body-----> BodyHash --bh=--> signature field --> hash --> b=
//! ```
//!
//! `Signer` and `Verifier` take the message in pieces and keep its header only; cutting it anywhere changes nothing.
//! Messages are taken as SMTP carries them: lines end with CRLF, no dot is doubled.

mod body_hash;
mod field;
mod intake;
mod key;
mod record;
mod selector;
mod sign;
mod signature;
mod tags;
mod verify;

pub use field::Canonicalization;
pub use key::{Algorithm, KeyError, SigningKey};
pub use record::{KeyRecord, RecordError};
pub use selector::{KeyName, Selector, SelectorError};
pub use sign::{Identity, SignError, Signer, Terms};
pub use verify::{Fault, Finding, Hashed, KeyAnswer, Outcome, Verifier, verify};
