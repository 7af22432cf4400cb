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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::facts::{
        ConnectionFacts, ContentFacts, HelloFacts, Magic, RecipientFacts, SenderFacts, Standing,
    };
    use crate::limits::RECEIVED_MAX;

    fn facts() -> Facts {
        Facts::new(ConnectionFacts {
            peer: "192.0.2.1".parse().unwrap(),
            virtual_server: "internet".into(),
            trusted: false,
        })
    }

    /// The reply, if there is one, and the reasons.
    fn check(stage: Stage, facts: &Facts, expected: Expect) {
        let judgement = judge(stage, facts);
        let reply = judgement.reply().map_or("accepted".to_owned(), Reply::to_string);
        let reasons: Vec<String> = judgement.reasons.iter().map(|reason| format!("; {reason}")).collect();
        expected.assert_eq(&(reply + &reasons.concat()));
        let json = serde_json::to_string(facts).unwrap();
        assert_eq!(
            judge(stage, &serde_json::from_str(&json).unwrap()),
            judgement,
            "facts survive being stored"
        );
    }

    fn check_recipient(standing: Standing, magic: Option<Magic>, expected: Expect) {
        let recipient = RecipientFacts { recipient: "bob@example.org".into(), standing, magic };
        check(Stage::Recipient, &Facts { recipient: Some(recipient), ..facts() }, expected);
    }

    #[test]
    fn a_stage_without_facts_is_accepted() {
        for stage in [Stage::Connection, Stage::Hello, Stage::Sender, Stage::Recipient, Stage::Content] {
            check(stage, &facts(), expect!["accepted"]);
        }
    }

    #[test]
    fn the_announced_size_has_a_limit() {
        let sender =
            |size_announced| SenderFacts { reverse_path: String::new(), size_announced, size_max: 1000 };
        for (size, expected) in [
            (None, expect!["accepted"]),
            (Some(1000), expect!["accepted"]),
            (
                Some(1001),
                expect![
                    "552 5.3.4 the message is larger than this server takes; announced-size: the announced size is above the limit (announced 1001, limit 1000)"
                ],
            ),
        ] {
            check(Stage::Sender, &Facts { sender: Some(sender(size)), ..facts() }, expected);
        }
    }

    #[test]
    fn recipients_are_ours_or_refused() {
        check_recipient(
            Standing::Local(2),
            None,
            expect!["accepted; recipient: the recipient is ours (mailboxes 2)"],
        );
        check_recipient(
            Standing::Unknown,
            None,
            expect![
                "550 5.1.1 no such recipient here; recipient: neither account nor alias has this address"
            ],
        );
        check_recipient(
            Standing::Unattended,
            None,
            expect![
                "451 4.2.1 nobody reads postmaster's mail here yet; try again later; recipient: postmaster is always accepted, but there is no account yet"
            ],
        );
        check_recipient(
            Standing::Unavailable,
            None,
            expect![
                "451 4.3.0 recipients cannot be looked up now; try again later; recipient: the directory could not be asked"
            ],
        );
        check_recipient(
            Standing::NotLocal,
            None,
            expect![
                "550 5.7.1 relaying denied: this server takes mail for its own domains; relay: the recipient's domain is not one of ours"
            ],
        );
    }

    #[test]
    fn nothing_is_relayed_for_those_signed_in_either() {
        let recipient = RecipientFacts {
            recipient: "a@elsewhere.example".into(),
            standing: Standing::NotLocal,
            magic: None,
        };
        let hello = HelloFacts {
            name: "client".into(),
            extended: true,
            tls: Some("TLS1.3".into()),
            account: Some("bob@example.org".into()),
        };
        let facts = Facts { recipient: Some(recipient), hello: Some(hello), ..facts() };
        check(
            Stage::Recipient,
            &facts,
            expect![
                "550 5.7.1 relaying denied: this server sends no mail to other domains, even for those signed in; relay: the recipient's domain is not one of ours (signed-in bob@example.org)"
            ],
        );
    }

    #[test]
    fn magic_recipients_fail_on_purpose() {
        check_recipient(
            Standing::Local(1),
            Some(Magic::Refused),
            expect!["550 5.1.1 no such recipient here; magic-recipient: refused@ is refused on purpose"],
        );
        check_recipient(
            Standing::Unknown,
            Some(Magic::Deferred { tries_before: 0 }),
            expect![
                "451 4.7.1 not yet; try again later; magic-recipient: deferred@ is deferred on purpose until the third try (tries-before 0)"
            ],
        );
        check_recipient(
            Standing::Unknown,
            Some(Magic::Deferred { tries_before: 1 }),
            expect![
                "451 4.7.1 not yet; try again later; magic-recipient: deferred@ is deferred on purpose until the third try (tries-before 1)"
            ],
        );
        check_recipient(
            Standing::Unknown,
            Some(Magic::Deferred { tries_before: 2 }),
            expect![
                "accepted; magic-recipient: deferred@ is deferred on purpose until the third try (tries-before 2)"
            ],
        );
        check_recipient(
            Standing::Unknown,
            Some(Magic::Slow),
            expect!["accepted; magic-recipient: slow@ is delivered late on purpose"],
        );
        check_recipient(
            Standing::Unknown,
            Some(Magic::Bounces),
            expect!["accepted; magic-recipient: bounces@ is reported on purpose"],
        );
        check_recipient(
            Standing::NotLocal,
            Some(Magic::Bounces),
            expect![
                "550 5.7.1 relaying denied: this server takes mail for its own domains; relay: the recipient's domain is not one of ours"
            ],
        );
    }

    #[test]
    fn content_has_limits() {
        let content = |size, received| Facts {
            content: Some(ContentFacts { size, size_max: 1000, received }),
            ..facts()
        };
        check(Stage::Content, &content(1000, RECEIVED_MAX), expect!["accepted"]);
        check(
            Stage::Content,
            &content(1001, 0),
            expect![
                "552 5.3.4 the message is larger than this server takes; content-size: the content is larger than the limit (limit 1000, size 1001)"
            ],
        );
        check(
            Stage::Content,
            &content(1, RECEIVED_MAX + 1),
            expect![
                "554 5.4.6 too many hops: this message goes in circles; loop: the header has more Received fields than a message can need (limit 100, received 101)"
            ],
        );
    }

    #[test]
    fn checks_have_names_of_their_own() {
        let names: std::collections::BTreeSet<&str> = CHECKS.iter().map(|check| check.name()).collect();
        assert_eq!(names.len(), CHECKS.len());
    }

    #[test]
    fn a_judgement_becomes_a_hop() {
        let recipient = RecipientFacts {
            recipient: "nobody@example.org".into(),
            standing: Standing::Unknown,
            magic: None,
        };
        let facts = Facts { recipient: Some(recipient), ..facts() };
        let hop =
            judge(Stage::Recipient, &facts).into_hop(Timestamp(5), Stage::Recipient, "nobody@example.org");
        expect![[r#"{"at":5,"hop":"judge","stage":"recipient","subject":"nobody@example.org","verdict":"refuse","reply":"550 5.1.1 no such recipient here","because":[{"check":"recipient","because":"neither account nor alias has this address"}]}"#]].assert_eq(&serde_json::to_string(&hop).unwrap());
    }
}
