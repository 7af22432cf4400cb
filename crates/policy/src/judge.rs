//! Facts in, judgement out.

use mail::{Reply, Timestamp};

use crate::checks::{CHECKS, Finding};
use crate::facts::Facts;
use crate::reason::Reason;
use crate::recorded::Recorded;
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
///     service: policy::Service::Smtp,
///     relay: policy::RelayFacts::default(),
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
    /// recipient, or nothing; `facts` are what was judged by.
    pub fn into_hop(self, at: Timestamp, stage: Stage, subject: impl Into<String>, facts: &Facts) -> Hop {
        let facts = Some(Recorded::of(stage, facts, &self.verdict));
        let (verdict, reply) = match self.verdict {
            Verdict::Accept => (Ruling::Accept, String::new()),
            Verdict::Refuse(reply) => (Ruling::Refuse, reply.to_string()),
            Verdict::Defer(reply) => (Ruling::Defer, reply.to_string()),
        };
        Hop {
            at,
            what: What::Judge { stage, subject: subject.into(), verdict, reply, facts },
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
        ConnectionFacts, ContentFacts, HelloFacts, Magic, PressureFacts, RateFacts, RecipientFacts,
        RelayFacts, SenderFacts, Service, Standing, SubmissionFacts,
    };
    use crate::limits::{RECEIVED_HERE_MAX, RECEIVED_MAX};
    use crate::pressure::Level;

    fn facts() -> Facts {
        Facts::new(ConnectionFacts {
            peer: "192.0.2.1".parse().unwrap(),
            virtual_server: "internet".into(),
            trusted: false,
            service: Service::Smtp,
            relay: RelayFacts::default(),
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
        let sender = |size_announced| SenderFacts {
            reverse_path: String::new(),
            size_announced,
            size_max: 1000,
            ..SenderFacts::default()
        };
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
    fn a_disk_without_room_defers() {
        let no_room = expect![
            "452 4.3.1 no room for more mail at this moment, try again later; room: the disk has no room for it beyond what is kept free (room 0)"
        ];
        let too_little = expect![
            "452 4.3.1 no room for more mail at this moment, try again later; room: the disk has no room for it beyond what is kept free (announced 500, room 499)"
        ];
        for (room, size_announced, expected) in [
            (1, None, expect!["accepted"]),
            (0, None, no_room),
            (500, Some(500), expect!["accepted"]),
            (499, Some(500), too_little),
        ] {
            let sender =
                SenderFacts { size_announced, size_max: 1000, room: Some(room), ..SenderFacts::default() };
            check(Stage::Sender, &Facts { sender: Some(sender), ..facts() }, expected);
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
            Standing::HandedOn,
            Some(Magic::Refused),
            expect![
                "accepted; recipient: the domain is ours, and the server that has its mailboxes will say who is known"
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

    fn check_relay(relay: RelayFacts, account: Option<&str>, expected: Expect) {
        let recipient = RecipientFacts {
            recipient: "a@elsewhere.example".into(),
            standing: Standing::NotLocal,
            magic: None,
        };
        let hello = HelloFacts {
            name: "client".into(),
            extended: true,
            tls: Some("TLS1.3".into()),
            account: account.map(Into::into),
        };
        let mut facts = Facts { recipient: Some(recipient), hello: Some(hello), ..facts() };
        facts.connection.relay = relay;
        check(Stage::Recipient, &facts, expected);
    }

    #[test]
    fn who_may_relay_is_who_the_settings_name() {
        let authenticated = RelayFacts { network: None, authenticated: true };
        let network = RelayFacts { network: Some("192.0.2.0/24".into()), authenticated: false };
        check_relay(
            RelayFacts::default(),
            Some("bob@example.org"),
            expect![
                "550 5.7.1 relaying denied: this server sends no mail to other domains, even for those signed in; relay: the recipient's domain is not one of ours (signed-in bob@example.org)"
            ],
        );
        check_relay(
            authenticated.clone(),
            None,
            expect![
                "550 5.7.1 relaying denied: this server takes mail for its own domains; relay: the recipient's domain is not one of ours"
            ],
        );
        check_relay(
            authenticated.clone(),
            Some("bob@example.org"),
            expect!["accepted; relay: who signed in may send to other domains (signed-in bob@example.org)"],
        );
        check_relay(
            network.clone(),
            None,
            expect![
                "accepted; relay: the client is in a network that may send to other domains (network 192.0.2.0/24)"
            ],
        );
        for (relay, account, expected) in [
            (RelayFacts::default(), Some("bob@example.org"), false),
            (authenticated.clone(), None, false),
            (authenticated, Some("bob@example.org"), true),
            (network, None, true),
        ] {
            assert_eq!(relay.permit(account), expected, "{relay:?}");
        }
    }

    #[test]
    fn what_is_submitted_names_domains_in_full() {
        let mut facts = facts();
        facts.connection.service = Service::Submission;
        facts.connection.relay.authenticated = true;
        facts.hello = Some(HelloFacts {
            name: "client".into(),
            extended: true,
            tls: None,
            account: Some("bob@home".into()),
        });
        let reply =
            |stage, facts: &Facts| judge(stage, facts).reply().map(|reply| (reply.code, reply.enhanced));
        let status = |code, (class, subject, detail)| {
            Some((code, Reply::new(code, (class, subject, detail), "").enhanced))
        };
        for (sender, expected) in [
            ("", None),
            ("bob@home", None),
            ("root@localhost", status(554, (5, 1, 8))),
            ("bob@example.org", None),
            ("bob@[192.0.2.1]", None),
        ] {
            facts.sender = Some(SenderFacts {
                reverse_path: sender.into(),
                size_announced: None,
                size_max: 1000,
                ..SenderFacts::default()
            });
            assert_eq!(reply(Stage::Sender, &facts), expected, "{sender}");
        }
        for (recipient, standing, expected) in [
            ("joe@sales", Standing::NotLocal, status(554, (5, 1, 2))),
            ("bob@home", Standing::Local(1), None),
            ("postmaster", Standing::Local(1), None),
            ("joe@elsewhere.example", Standing::NotLocal, None),
            ("joe@[IPv6:2001:db8::1]", Standing::NotLocal, None),
        ] {
            facts.recipient = Some(RecipientFacts { recipient: recipient.into(), standing, magic: None });
            assert_eq!(reply(Stage::Recipient, &facts), expected, "{recipient}");
        }
        // Whoever takes mail from anywhere does not ask for it.
        facts.connection.service = Service::Smtp;
        facts.recipient.as_mut().unwrap().recipient = "joe@sales".into();
        assert_eq!(reply(Stage::Recipient, &facts), None);
    }

    #[test]
    fn anyone_may_send_to_a_domain_that_the_settings_relay_to() {
        let mut facts = facts();
        let recipient = "joe@partner.example".to_owned();
        facts.recipient = Some(RecipientFacts { recipient, standing: Standing::RelayedTo, magic: None });
        for (service, taken) in [(Service::Smtp, true), (Service::Lmtp, false)] {
            facts.connection.service = service;
            let verdict = judge(Stage::Recipient, &facts).verdict;
            assert_eq!(verdict == Verdict::Accept, taken, "{service:?}: {verdict:?}");
        }
    }

    #[test]
    fn lmtp_is_for_neighbours_and_for_mailboxes_here() {
        let network = RelayFacts { network: Some("192.0.2.0/24".into()), authenticated: true };
        let sender = SenderFacts { size_max: 1000, ..SenderFacts::default() };
        let mut facts = Facts { sender: Some(sender), ..facts() };
        facts.connection.service = Service::Lmtp;
        check(
            Stage::Sender,
            &facts,
            expect![
                "550 5.7.1 this server takes mail by LMTP from its neighbours only; neighbour: the client is neither this machine nor in a network that may deliver here"
            ],
        );
        facts.connection.relay = network;
        check(Stage::Sender, &facts, expect!["accepted"]);
        facts.connection.relay = RelayFacts::default();
        facts.connection.peer = "::1".parse().unwrap();
        check(Stage::Sender, &facts, expect!["accepted"]);

        facts.connection.relay = RelayFacts { network: Some("::1".into()), authenticated: true };
        let recipient = |standing| RecipientFacts { recipient: "a@b".into(), standing, magic: None };
        facts.recipient = Some(recipient(Standing::NotLocal));
        check(
            Stage::Recipient,
            &facts,
            expect![
                "550 5.7.1 relaying denied: this server takes mail for its own domains; relay: the recipient's domain is not one of ours"
            ],
        );
        facts.recipient = Some(recipient(Standing::HandedOn));
        check(
            Stage::Recipient,
            &facts,
            expect![
                "550 5.7.1 another server has the mailboxes of this domain; recipient: what comes by LMTP is filed here or not taken"
            ],
        );
        facts.recipient = Some(recipient(Standing::Local(1)));
        check(Stage::Recipient, &facts, expect!["accepted; recipient: the recipient is ours (mailboxes 1)"]);
    }

    #[test]
    fn what_is_handed_on_asks_for_no_way_of_its_own() {
        let refused = |recipient: &str, relay: RelayFacts, account: Option<&str>| {
            let hello = |account: &str| HelloFacts {
                name: "client".into(),
                extended: true,
                tls: None,
                account: Some(account.into()),
            };
            let standing = Standing::HandedOn;
            let recipient = Some(RecipientFacts { recipient: recipient.into(), standing, magic: None });
            let mut facts = Facts { recipient, hello: account.map(hello), ..facts() };
            facts.connection.relay = relay;
            judge(Stage::Recipient, &facts).reasons[0].check == "routing"
        };
        for (recipient, expected) in [
            ("joe%elsewhere.example@lists.example", true),
            ("elsewhere.example!joe@lists.example", true),
            ("\"joe@elsewhere.example\"@lists.example", true),
            ("joe+tag=one/two@lists.example", false),
            ("\"joe cool\"@lists.example", false),
        ] {
            assert_eq!(refused(recipient, RelayFacts::default(), None), expected, "{recipient}");
        }
        let recipient = "joe%elsewhere.example@lists.example";
        let network = RelayFacts { network: Some("192.0.2.0/24".into()), authenticated: false };
        let authenticated = RelayFacts { network: None, authenticated: true };
        assert!(!refused(recipient, network, None));
        assert!(!refused(recipient, authenticated.clone(), Some("bob@example.org")));
        assert!(refused(recipient, authenticated, None));
        assert!(refused(recipient, RelayFacts::default(), Some("bob@example.org")));

        let recipient =
            Some(RecipientFacts { recipient: recipient.into(), standing: Standing::HandedOn, magic: None });
        check(
            Stage::Recipient,
            &Facts { recipient, ..facts() },
            expect![
                "550 5.7.1 relaying denied: the local part asks for a way of its own; routing: the server behind this domain could send it on by %, ! or @ in the local part (local-part joe%elsewhere.example)"
            ],
        );
    }

    #[test]
    fn facts_of_before_relaying_was_possible_are_read_and_allow_nothing() {
        let stored = r#"{
            "connection":{"peer":"192.0.2.1","virtual_server":"submission","trusted":true},
            "hello":{"name":"client","extended":true,"tls":null,"account":"bob@example.org"},"sender":null,
            "recipient":{"recipient":"a@elsewhere.example","standing":"not-local","magic":null},
            "content":{"size":1,"size_max":2,"received":3}
        }"#;
        let facts: Facts = serde_json::from_str(stored).unwrap();
        assert_eq!(facts.connection.relay, RelayFacts::default());
        assert!(matches!(judge(Stage::Recipient, &facts).verdict, Verdict::Refuse(_)));
        assert_eq!(judge(Stage::Content, &facts).verdict, Verdict::Accept);
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

    fn check_content(content: ContentFacts, expected: Expect) {
        check(Stage::Content, &Facts { content: Some(content), ..facts() }, expected);
    }

    fn content() -> ContentFacts {
        ContentFacts { size: 1, size_max: 1000, ..ContentFacts::default() }
    }

    #[test]
    fn content_has_limits() {
        check_content(
            ContentFacts {
                size: 1000,
                received: RECEIVED_MAX,
                received_here: RECEIVED_HERE_MAX,
                ..content()
            },
            expect!["accepted"],
        );
        check_content(
            ContentFacts { size: 1001, ..content() },
            expect![
                "552 5.3.4 the message is larger than this server takes; content-size: the content is larger than the limit (limit 1000, size 1001)"
            ],
        );
        check_content(
            ContentFacts { received: RECEIVED_MAX + 1, ..content() },
            expect![
                "554 5.4.6 too many hops: this message goes in circles; loop: the header has more Received fields than a message can need (limit 100, received 101)"
            ],
        );
        check_content(
            ContentFacts { received: 30, received_here: RECEIVED_HERE_MAX + 1, ..content() },
            expect![
                "554 5.4.6 too many hops: this message goes in circles; loop: the message has been here again and again (limit 10, received 11)"
            ],
        );
    }

    #[test]
    fn what_is_submitted_is_a_message() {
        let submission = |from, whole| SubmissionFacts { from, whole, ..SubmissionFacts::default() };
        let submitted = |submission| ContentFacts { submission: Some(submission), ..content() };
        check_content(submitted(submission(1, true)), expect!["accepted"]);
        check_content(
            submitted(submission(0, true)),
            expect!["554 5.6.0 this message has no From field; submission: RFC 5322 asks for a From field"],
        );
        check_content(
            submitted(submission(2, true)),
            expect![
                "554 5.6.0 this message has more than one From field; submission: RFC 5322 asks for one From field"
            ],
        );
        check_content(
            submitted(submission(1, false)),
            expect![
                "554 5.6.0 the header of this message is too large; submission: the header has more octets or fields than any mail needs"
            ],
        );
        let mended = SubmissionFacts {
            added: vec!["Date".into(), "Message-ID".into()],
            removed: vec!["Bcc".into()],
            ..submission(1, true)
        };
        check_content(
            submitted(mended),
            expect![
                "accepted; submission: the message was made what RFC 6409 wants (added Date, Message-ID, removed Bcc)"
            ],
        );
    }

    #[test]
    fn a_server_that_is_short_defers_and_a_busy_source_waits() {
        let check_sender = |sender: SenderFacts, trusted, expected: Expect| {
            let mut facts = Facts { sender: Some(sender), ..facts() };
            facts.connection.trusted = trusted;
            check(Stage::Sender, &facts, expected);
        };
        let short = |level| SenderFacts {
            size_max: 1000,
            pressure: Some(PressureFacts { level, because: "queue: 7 waiting".into() }),
            ..SenderFacts::default()
        };
        check_sender(short(Level::Slow), false, expect!["accepted"]);
        let refused = expect![[
            r#"452 4.3.1 no room for more mail at this moment, try again later; back-pressure: the server is short of what mail needs (reading queue: 7 waiting)"#
        ]];
        check_sender(short(Level::Refusing), true, refused);
        let busy = |messages| {
            let rate = Some(RateFacts { messages, most: 100, within_secs: 60 });
            SenderFacts { size_max: 1000, rate, ..SenderFacts::default() }
        };
        check_sender(busy(100), false, expect!["accepted"]);
        check_sender(busy(101), true, expect!["accepted"]);
        let refused = expect![
            "450 4.7.1 too many messages from your address, try again later; message-rate: this address sends more often than it may (limit 100, messages 101, seconds 60)"
        ];
        check_sender(busy(101), false, refused);
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
        let hop = judge(Stage::Recipient, &facts).into_hop(
            Timestamp(5),
            Stage::Recipient,
            "nobody@example.org",
            &facts,
        );
        expect![[r#"{"at":5,"hop":"judge","stage":"recipient","subject":"nobody@example.org","verdict":"refuse","reply":"550 5.1.1 no such recipient here","facts":{"recipient":{"standing":"unknown"}},"because":[{"check":"recipient","because":"neither account nor alias has this address"}]}"#]].assert_eq(&serde_json::to_string(&hop).unwrap());
    }
}
