//! CAPABILITY (RFC 3501 §7.2.1): one slice of what there is, and when it is said.

use crate::sasl::Offer;

/// What the list depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) signed_in: bool,
    /// STARTTLS would be taken.
    pub(super) starttls: bool,
    /// What AUTHENTICATE would take.
    pub(super) offer: Offer,
}

/// A capability.
struct Capability {
    name: &'static str,
    said: fn(Facts) -> bool,
}

const fn capability(name: &'static str, said: fn(Facts) -> bool) -> Capability {
    Capability { name, said }
}

fn always(_: Facts) -> bool {
    true
}

fn signed_in(facts: Facts) -> bool {
    facts.signed_in
}

/// IMAP4rev1 comes first; what is of no use before sign-in is said after it.
const CAPABILITIES: &[Capability] = &[
    capability("IMAP4rev1", always),
    capability("LITERAL+", always),
    capability("SASL-IR", always),
    capability("ID", always),
    capability("STARTTLS", |facts| facts.starttls),
    capability("LOGINDISABLED", |facts| !facts.signed_in && facts.offer.is_empty()),
    capability("IDLE", signed_in),
    capability("NAMESPACE", signed_in),
    capability("CHILDREN", signed_in),
    capability("UIDPLUS", signed_in),
    capability("UNSELECT", signed_in),
    capability("MOVE", signed_in),
    capability("STATUS=SIZE", signed_in),
];

/// `CAPABILITY IMAP4rev1 ...`, for the response and for the response code.
pub(super) fn list(facts: Facts) -> String {
    let mut text = String::from("CAPABILITY");
    for capability in CAPABILITIES.iter().filter(|capability| (capability.said)(facts)) {
        text.push(' ');
        text.push_str(capability.name);
    }
    if !facts.signed_in {
        for mechanism in facts.offer.mechanisms() {
            text.push_str(" AUTH=");
            text.push_str(mechanism.name());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_when() {
        let clear = Facts { signed_in: false, starttls: true, offer: Offer::NONE };
        assert_eq!(list(clear), "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID STARTTLS LOGINDISABLED");
        let secure = Facts { signed_in: false, starttls: false, offer: Offer::ALL };
        assert_eq!(list(secure), "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID AUTH=PLAIN AUTH=LOGIN");
        let signed_in = Facts { signed_in: true, starttls: false, offer: Offer::ALL };
        assert_eq!(
            list(signed_in),
            "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID IDLE NAMESPACE CHILDREN UIDPLUS UNSELECT MOVE STATUS=SIZE"
        );
    }
}
