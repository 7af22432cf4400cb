//! CAPABILITY (RFC 3501 §7.2.1): one slice of what there is, and when it is said; and ENABLE (RFC 5161), what the client
//! has switched on.

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

/// What the client has switched on, for the rest of the connection. None of it can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Enabled {
    /// By ENABLE, or by any command of RFC 7162 §3.1 that speaks of mod-sequences.
    pub(super) condstore: bool,
    /// VANISHED in place of EXPUNGE (RFC 7162 §3.2.3).
    pub(super) qresync: bool,
    /// RFC 6855 §3
    pub(super) utf8_accept: bool,
    /// RFC 9051, where it differs from RFC 3501.
    pub(super) rev2: bool,
}

impl Enabled {
    /// UTF-8 in quoted strings and names, without modified UTF-7 (RFC 6855 §3, RFC 9051 §5.1).
    pub(super) fn utf8(self) -> bool {
        self.utf8_accept || self.rev2
    }

    /// Switches on what a word of ENABLE names; its name if it is one that can be (RFC 5161 §3.1).
    ///
    /// `selected`: UTF8=ACCEPT changes the names and the answers of mailboxes that are open, and is passed over then
    /// (RFC 6855 §3: only in authenticated state); IMAP4rev2 likewise (RFC 9051 §6.3.1).
    pub(super) fn enable(&mut self, word: &str, selected: bool) -> Option<&'static str> {
        let (name, switch) = ENABLING.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
        let before_select = matches!(*name, "UTF8=ACCEPT" | "IMAP4rev2");
        if before_select && selected {
            return None;
        }
        switch(self);
        Some(name)
    }
}

/// Switches something on.
type Switch = fn(&mut Enabled);

/// What ENABLE takes.
const ENABLING: &[(&str, Switch)] = &[
    ("CONDSTORE", |enabled| enabled.condstore = true),
    // RFC 7162 §3.2.3: it is CONDSTORE as well.
    ("QRESYNC", |enabled| (enabled.qresync, enabled.condstore) = (true, true)),
    ("UTF8=ACCEPT", |enabled| enabled.utf8_accept = true),
    // RFC 9051, appendix D: to a server of both revisions the client says which it speaks.
    ("IMAP4rev2", |enabled| enabled.rev2 = true),
];

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
    capability("IMAP4rev2", always),
    capability("LITERAL+", always),
    capability("SASL-IR", always),
    capability("ID", always),
    capability("STARTTLS", |facts| facts.starttls),
    // RFC 3501 §6.2.3: LOGIN shows the password.
    capability("LOGINDISABLED", |facts| !facts.signed_in && !facts.offer.shows_password()),
    capability("IDLE", signed_in),
    capability("NAMESPACE", signed_in),
    capability("CHILDREN", signed_in),
    capability("UIDPLUS", signed_in),
    capability("UNSELECT", signed_in),
    capability("MOVE", signed_in),
    capability("STATUS=SIZE", signed_in),
    capability("ENABLE", signed_in),
    capability("CONDSTORE", signed_in),
    capability("QRESYNC", signed_in),
    capability("ESEARCH", signed_in),
    capability("SEARCHRES", signed_in),
    capability("UTF8=ACCEPT", signed_in),
    capability("LIST-EXTENDED", signed_in),
    capability("LIST-STATUS", signed_in),
    capability("SPECIAL-USE", signed_in),
    capability("CREATE-SPECIAL-USE", signed_in),
    capability("MULTIAPPEND", signed_in),
    capability("BINARY", signed_in),
    capability("COMPRESS=DEFLATE", signed_in),
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
        assert_eq!(list(clear), "CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID STARTTLS LOGINDISABLED");
        let secure = Facts { signed_in: false, starttls: false, offer: Offer::USUAL };
        assert_eq!(
            list(secure),
            "CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1 AUTH=PLAIN AUTH=LOGIN"
        );
        let proofs = Facts { offer: Offer::of(["SCRAM-SHA-256"]), ..secure };
        let expected = "CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID LOGINDISABLED AUTH=SCRAM-SHA-256";
        assert_eq!(list(proofs), expected);
        let signed_in = Facts { signed_in: true, starttls: false, offer: Offer::USUAL };
        assert_eq!(
            list(signed_in),
            "CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID IDLE NAMESPACE CHILDREN UIDPLUS UNSELECT MOVE STATUS=SIZE \
             ENABLE CONDSTORE QRESYNC ESEARCH SEARCHRES UTF8=ACCEPT LIST-EXTENDED \
             LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE MULTIAPPEND BINARY COMPRESS=DEFLATE"
        );
    }

    #[test]
    fn what_can_be_enabled() {
        let mut enabled = Enabled::default();
        for unknown in ["", "IDLE", "X-GOOD-IDEA", "QRESYNC,"] {
            assert_eq!(enabled.enable(unknown, false), None, "{unknown}");
        }
        assert_eq!(enabled, Enabled::default());
        assert_eq!(enabled.enable("utf8=accept", true), None);
        assert_eq!(enabled.enable("utf8=accept", false), Some("UTF8=ACCEPT"));
        assert_eq!(enabled.enable("Condstore", true), Some("CONDSTORE"));
        assert_eq!(enabled, Enabled { utf8_accept: true, condstore: true, ..Enabled::default() });
        let mut enabled = Enabled::default();
        assert_eq!(enabled.enable("QRESYNC", true), Some("QRESYNC"));
        assert!(enabled.condstore && enabled.qresync && !enabled.utf8());
    }
}
