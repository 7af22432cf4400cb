//! A message that a client submits must be one (RFC 6409 §6.3); what was mended in it is told (§8).

use mail::Reply;

use super::{Check, Finding};
use crate::facts::{Facts, SubmissionFacts};
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct Submission;

impl Check for Submission {
    fn name(&self) -> &'static str {
        "submission"
    }

    fn stage(&self) -> Stage {
        Stage::Content
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let submission = facts.content.as_ref()?.submission.as_ref()?;
        self.refusal(submission).or_else(|| self.mended(submission))
    }
}

impl Submission {
    /// RFC 6409 §6.3: 554 for what is wrong in the content. RFC 3463 §3.7: 5.6.0, other or undefined media error.
    fn refusal(&self, submission: &SubmissionFacts) -> Option<Finding> {
        let (text, because) = if !submission.whole {
            (
                "the header of this message is too large",
                "the header has more octets or fields than any mail needs",
            )
        } else {
            // RFC 5322 §3.6: From must be there, once. RFC 6409 §3.2: it is better to refuse than to guess; the address
            // that a person wrote as is nobody's but the client's to say.
            match submission.from {
                1 => return None,
                0 => ("this message has no From field", "RFC 5322 asks for a From field"),
                _ => ("this message has more than one From field", "RFC 5322 asks for one From field"),
            }
        };
        Some(Finding::Refuse(Reply::new(554, (5, 6, 0), text), Reason::new(self.name(), because)))
    }

    fn mended(&self, submission: &SubmissionFacts) -> Option<Finding> {
        let SubmissionFacts { added, removed, .. } = submission;
        let mut reason = Reason::new(self.name(), "the message was made what RFC 6409 wants");
        if !added.is_empty() {
            reason = reason.with("added", added.join(", ").as_str());
        }
        if !removed.is_empty() {
            reason = reason.with("removed", removed.join(", ").as_str());
        }
        (!reason.facts.is_empty()).then_some(Finding::Accept(reason))
    }
}
