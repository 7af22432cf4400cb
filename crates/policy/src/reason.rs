//! Why a judgement fell as it did: readable without the binary that wrote it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One reason of a judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Which check found it, by its name in [`crate::checks::CHECKS`].
    pub check: Cow<'static, str>,
    /// In a sentence without a full stop.
    pub because: Cow<'static, str>,
    /// What it rests on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<Cow<'static, str>, Fact>,
}

/// A fact by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// Yes or no.
    Truth(bool),
    /// A count, or octets.
    Number(u64),
    /// A name, an address.
    Text(String),
}

impl Reason {
    /// A reason that rests on no fact but its own words.
    pub fn new(check: &'static str, because: impl Into<Cow<'static, str>>) -> Self {
        Self { check: Cow::Borrowed(check), because: because.into(), facts: BTreeMap::new() }
    }

    /// With a fact.
    #[must_use]
    pub fn with(mut self, name: &'static str, fact: impl Into<Fact>) -> Self {
        self.facts.insert(Cow::Borrowed(name), fact.into());
        self
    }
}

/// `relay: the recipient is not ours (recipient a@b)`; text from peers is not escaped here.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.because)?;
        if self.facts.is_empty() {
            return Ok(());
        }
        let facts: Vec<String> = self.facts.iter().map(|(name, fact)| format!("{name} {fact}")).collect();
        write!(f, " ({})", facts.join(", "))
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Truth(true) => f.write_str("yes"),
            Fact::Truth(false) => f.write_str("no"),
            Fact::Number(number) => number.fmt(f),
            Fact::Text(text) => f.write_str(text),
        }
    }
}

impl From<bool> for Fact {
    fn from(truth: bool) -> Self {
        Fact::Truth(truth)
    }
}

impl From<u64> for Fact {
    fn from(number: u64) -> Self {
        Fact::Number(number)
    }
}

impl From<usize> for Fact {
    fn from(number: usize) -> Self {
        Fact::Number(number as u64)
    }
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Fact::Text(text.to_owned())
    }
}
