//! Facts in, judgement out.

use mail::{Reply, Timestamp};

use crate::checks::{CHECKS, Finding};
use crate::facts::Facts;
use crate::reason::Reason;
use crate::story::{Hop, Ruling, Stage, What};

/// A decision, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What was decided.
    pub verdict: Verdict,
    /// Why. Empty where nothing spoke against it.
    pub reasons: Vec<Reason>,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Take it; what is answered is the caller's matter.
    Accept,
    /// Refuse it for good; the reply is 5yz.
    Refuse(Reply),
    /// Refuse it for now; the reply is 4yz.
    Defer(Reply),
}

/// Judges a stage: its checks are asked in their order until one decides; if none does, it is accepted.
///
/// ```
/// use policy::{ConnectionFacts, Facts, RecipientFacts, Stage, Standing, Verdict, judge};
///
/// let connection = ConnectionFacts {
///     peer: "192.0.2.1".parse().unwrap(),
///     virtual_server: "internet".into(),
///     trusted: false,
/// };
/// let mut facts = Facts::new(connection);
/// facts.recipient = Some(RecipientFacts {
///     recipient: "someone@elsewhere.example".into(),
///     standing: Standing::NotLocal,
///     magic: None,
/// });
/// let judgement = judge(Stage::Recipient, &facts);
/// assert!(matches!(judgement.verdict, Verdict::Refuse(reply) if reply.code == 550));
/// assert_eq!(judgement.reasons[0].check, "relay");
/// ```
pub fn judge(stage: Stage, facts: &Facts) -> Judgement {
    let decisive = CHECKS.iter().filter(|check| check.stage() == stage).find_map(|check| check.find(facts));
    match decisive {
        None => Judgement { verdict: Verdict::Accept, reasons: Vec::new() },
        Some(Finding::Accept(reason)) => Judgement { verdict: Verdict::Accept, reasons: vec![reason] },
        Some(Finding::Refuse(reply, reason)) => {
            Judgement { verdict: Verdict::Refuse(reply), reasons: vec![reason] }
        }
        Some(Finding::Defer(reply, reason)) => {
            Judgement { verdict: Verdict::Defer(reply), reasons: vec![reason] }
        }
    }
}

impl Judgement {
    /// The hop of the story that tells of it. `subject` is what was judged: the reverse-path (empty for null), the
    /// recipient, or nothing.
    pub fn into_hop(self, at: Timestamp, stage: Stage, subject: impl Into<String>) -> Hop {
        let (verdict, reply) = match self.verdict {
            Verdict::Accept => (Ruling::Accept, String::new()),
            Verdict::Refuse(reply) => (Ruling::Refuse, reply.to_string()),
            Verdict::Defer(reply) => (Ruling::Defer, reply.to_string()),
        };
        Hop {
            at,
            what: What::Judge { stage, subject: subject.into(), verdict, reply },
            because: self.reasons,
        }
    }

    /// The reply of a refusal or deferral.
    pub fn reply(&self) -> Option<&Reply> {
        match &self.verdict {
            Verdict::Accept => None,
            Verdict::Refuse(reply) | Verdict::Defer(reply) => Some(reply),
        }
    }
}
