//! Delivery into mailboxes here. It returns what should be filed; it does not write.

use directory::Resolution;
use mail::Address;

use super::Outcome;
use crate::diagnostic::Diagnostic;

/// Whether the recipients that fail on purpose exist (`waxseal try`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Magic {
    /// `bounces@` and `slow@` mean what `try` says they mean.
    On,
    /// They are addresses like others.
    Off,
}

/// Decides one recipient.
pub fn attempt(address: &Address, resolution: Resolution, magic: Magic) -> Outcome {
    if magic == Magic::On && address.local.as_str().eq_ignore_ascii_case("bounces") {
        return failed((5, 2, 1), "this recipient always fails, as `waxseal try` promises");
    }
    match resolution {
        Resolution::Recipients(recipients) => Outcome::Filed {
            mailboxes: recipients.into_iter().map(|recipient| (recipient.inbox, recipient.address)).collect(),
        },
        Resolution::UnknownHere => failed((5, 1, 1), "there is no such account here any more"),
        Resolution::NotLocal => failed((5, 1, 2), "this domain is not ours any more"),
        Resolution::HandedOn => failed((5, 1, 2), "the mail of this domain is kept by another server now"),
        Resolution::Unattended => {
            let because = "no account exists yet that could take mail for postmaster";
            Outcome::Deferred(Diagnostic::ours((4, 2, 1), because))
        }
    }
}

fn failed(status: (u8, u16, u16), because: &str) -> Outcome {
    Outcome::Failed(Diagnostic::ours(status, because))
}
