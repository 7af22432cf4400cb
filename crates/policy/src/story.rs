//! A message's story: what happened to it at each hop and why, as the journal keeps it.
//!
//! A story is JSON with a version, so that next year's binary can read it: fields that it does not know are passed over,
//! a hop that it does not know is shown as such. No content and no credential has a place in it. One transaction may
//! have several stories (its acceptance, later attempts); [`tell`] joins them.
//!
//! ```
//! use policy::{Story, What, story};
//!
//! let mut story = Story::new("000000000002D".parse().unwrap());
//! let message_id = Some("<one@example.org>".to_owned());
//! story.hop(mail::Timestamp(0), What::Spool { size: 1234, message_id });
//! assert_eq!(story::keys(&story.to_json()), ["one@example.org"]);
//! ```

mod tell;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use mail::{BodyType, MessageParameters, QueueId, RecipientParameters, Timestamp};
use serde::{Deserialize, Serialize};

use crate::reason::Reason;
use crate::recorded::Recorded;

pub use tell::tell;

/// The form in which stories are written now.
pub const VERSION: u16 = 1;

/// A part of a message's story, written in the commit that it explains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The form, [`VERSION`].
    pub version: u16,
    /// Of which transaction.
    #[serde(with = "queue_id_as_text")]
    pub queue_id: QueueId,
    /// What happened, in order.
    pub hops: Vec<Hop>,
}

/// One hop: when, what, why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// When it was done.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
    /// Why, where something was decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Reason>,
}

/// What happened at a hop. Text from peers is kept as it came and escaped when it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "hop", rename_all = "lowercase")]
pub enum What {
    /// A connection was accepted.
    Accept {
        /// From where.
        peer: SocketAddr,
        /// By which virtual server, by name.
        server: String,
        /// What the DNS calls the peer, there and back, if that was known by MAIL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// What the peer said of itself before the transaction.
    Speak {
        /// Its name in HELO or EHLO.
        hello: String,
        /// Whether it said EHLO.
        extended: bool,
        /// `TLS1.3` and the like; none in clear text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls: Option<String>,
        /// The canonical address of the account that signed in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
    },
    /// A stage was judged.
    Judge {
        /// Which.
        stage: Stage,
        /// Of what: the reverse-path (empty for null), the recipient; nothing for content.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        subject: String,
        /// How.
        verdict: Ruling,
        /// What the peer was answered: `550 5.1.1 no such recipient here`; nothing where it was accepted.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reply: String,
        /// What it stood on, beside what the rest of the story tells; none in stories of before that was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        facts: Option<Box<Recorded>>,
    },
    /// The peer said where it has the message from (XFORWARD). Nobody has checked it.
    Forward {
        /// What it said, each with its name: `ADDR=192.0.2.7`.
        said: Vec<String>,
    },
    /// Content was taken.
    Spool {
        /// Octets.
        size: u64,
        /// The Message-ID field as it stands in the header.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
    },
    /// Who is answerable for the message was determined.
    Authenticate {
        /// By method: `auth=pass`, `spf=none`.
        results: Vec<String>,
    },
    /// What the envelope asked for beside its addresses (RFC 3461, 6531, 3030).
    Request {
        /// Parameters of MAIL as they would be written: `ENVID=QQ314`, `RET=HDRS`, `SMTPUTF8`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        message: Vec<String>,
        /// Recipients, as addresses, each with its parameters of RCPT: `NOTIFY=SUCCESS ORCPT=rfc822;bob@example.org`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        recipients: Vec<(String, String)>,
    },
    /// The message was accepted.
    Enqueue {
        /// The reverse-path, empty for null.
        reverse_path: String,
        /// The recipients that were accepted, as addresses.
        recipients: Vec<String>,
    },
    /// Where mail to a destination goes was found out.
    Route {
        /// The destination: a domain, `local`.
        destination: String,
        /// The hosts, in the order in which they are tried: `mx1.example.net [192.0.2.1]:25`. None where there is no way.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        hops: Vec<String>,
        /// Why these: `the MX records of example.net, preference 10`, `smart-host of the settings`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reasons: Vec<String>,
    },
    /// The domain of the author has keys, so the message was signed for it on its way out (DKIM).
    Sign {
        /// The author's domain.
        domain: String,
        /// With the keys of these selectors; none where it could not be signed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        selectors: Vec<String>,
        /// Why it could not be signed; it was sent all the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
    },
    /// A next hop was spoken to, or could not be.
    Attempt {
        /// The destination.
        destination: String,
        /// Which attempt it is, from 1.
        number: u32,
        /// The next hop, as a [`What::Route`] names it.
        host: String,
        /// `TLS1.3` and the like; none in clear text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls: Option<String>,
        /// What was said, but content and credentials.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        dialogue: Vec<Line>,
        /// How many lines of the dialogue were not kept.
        #[serde(default, skip_serializing_if = "is_zero")]
        left_out: usize,
        /// How it ended: `relayed`, `the next hop cut the connection`.
        end: String,
    },
    /// A delivery was attempted, or arranged for.
    Deliver {
        /// The destination: `local`.
        destination: String,
        /// Its recipients, as addresses.
        recipients: Vec<String>,
        /// How it ended.
        outcome: Delivered,
        /// What was said: a reply, or a sentence. Nothing where there is nothing to add.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        diagnostic: String,
        /// When it is tried again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Timestamp>,
    },
    /// The sender was told that delivery takes longer than it should (RFC 3464, action "delayed").
    Notify {
        /// Which recipients still wait, as addresses.
        recipients: Vec<String>,
        /// The queue id of the report.
        report: String,
    },
    /// An administrator put it on hold in the queue, or released it.
    Hold {
        /// Its destination.
        destination: String,
        /// Whether it is on hold now.
        held: bool,
    },
    /// An email was filed in a mailbox.
    File {
        /// Whose: the account's canonical address.
        account: String,
        /// In which mailbox, its path.
        mailbox: String,
        /// For which recipients, as addresses of the envelope.
        recipients: Vec<String>,
    },
    /// The transaction ended.
    End {
        /// How: `250 2.0.0 kept`, `the client cut the connection in content after 4096 octets`.
        how: String,
        /// Ways in which the peer erred, by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        misuses: Vec<String>,
    },
    /// Written by a newer version.
    #[serde(other)]
    Unknown,
}

/// A line of a dialogue with a next hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Milliseconds since the connection began.
    pub at_ms: u32,
    /// Who said it.
    pub by: Speaker,
    /// One line, without CRLF.
    pub text: String,
}

/// Who speaks in a dialogue with a next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// This server.
    We,
    /// The next hop.
    Peer,
}

/// The stages at which policy judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// A connection was accepted.
    Connection,
    /// HELO or EHLO.
    Hello,
    /// MAIL.
    Sender,
    /// RCPT.
    Recipient,
    /// After content.
    Content,
}

/// A verdict without its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ruling {
    /// Taken.
    Accept,
    /// Refused for good, 5yz.
    Refuse,
    /// Refused for now, 4yz.
    Defer,
}

/// How an attempt at delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivered {
    /// It is where it should be.
    Done,
    /// The next hop answers for it.
    Relayed,
    /// It waits in the queue.
    Queued,
    /// It is tried again later.
    Deferred,
    /// It cannot be delivered; a report was made.
    Bounced,
    /// It cannot be delivered, and no report may be made of it.
    Discarded,
    /// It was tried for as long as the settings say; a report was made if one may be.
    Expired,
    /// An administrator deleted it from the queue.
    Deleted,
    /// Written by a newer version.
    #[serde(other)]
    Unknown,
}

impl What {
    /// What an envelope asked for: its own parameters, and recipients with theirs. Nothing where it asked for nothing that is
    /// worth a line; 8-bit text is not.
    pub fn request(
        envelope: &MessageParameters,
        recipients: &[(String, RecipientParameters)],
    ) -> Option<Self> {
        let body = (envelope.body == BodyType::Binary).then(|| "BODY=BINARYMIME".to_owned());
        let utf8 = envelope.utf8.then(|| "SMTPUTF8".to_owned());
        let ret = envelope.ret.map(|ret| format!("RET={ret}"));
        let envelope_id = envelope.envelope_id.as_ref().map(|id| format!("ENVID={id}"));
        let message: Vec<String> = [body, utf8, ret, envelope_id].into_iter().flatten().collect();
        let asked = |(recipient, parameters): &(String, RecipientParameters)| {
            let notify = parameters.notify.map(|notify| format!("NOTIFY={notify}"));
            let original = parameters.original.as_ref().map(|it| format!("ORCPT={};{}", it.kind, it.address));
            let asked: Vec<String> = [notify, original].into_iter().flatten().collect();
            (!asked.is_empty()).then(|| (recipient.clone(), asked.join(" ")))
        };
        let recipients: Vec<_> = recipients.iter().filter_map(asked).collect();
        let something = !message.is_empty() || !recipients.is_empty();
        something.then_some(Self::Request { message, recipients })
    }
}

impl Story {
    /// A story without hops.
    pub fn new(queue_id: QueueId) -> Self {
        Self { version: VERSION, queue_id, hops: Vec::with_capacity(8) }
    }

    /// Adds a hop at which nothing was decided.
    pub fn hop(&mut self, at: Timestamp, what: What) {
        self.hops.push(Hop { at, what, because: Vec::new() });
    }

    /// Adds that the INBOX of an account gets the message, for this recipient of the envelope. However many recipients lead to
    /// one mailbox, it is told of once, with all of them.
    pub fn filed(&mut self, at: Timestamp, account: &mail::Address, recipient: &mail::Address) {
        let (account, recipient) = (account.to_string(), recipient.to_string());
        let known = self.hops.iter_mut().find_map(|hop| match &mut hop.what {
            What::File { account: known, recipients, .. } if *known == account => Some(recipients),
            _ => None,
        });
        match known {
            Some(recipients) => recipients.push(recipient),
            None => {
                self.hop(at, What::File { account, mailbox: "INBOX".into(), recipients: vec![recipient] })
            }
        }
    }

    /// The form the journal keeps.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a story has string keys and finite numbers only")
    }

    /// Reads what [`to_json`](Self::to_json) wrote, in this version or another.
    ///
    /// # Errors
    /// What does not fit, in a sentence; the text is damaged, or its form is of a version that changed the frame.
    pub fn from_json(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The change that keeps it: put it into the commit that it explains.
    pub fn explanation(&self, at: Timestamp) -> store::Change {
        store::Change::Explain { queue_id: self.queue_id, at, story: self.to_json() }
    }
}

/// What a stored story can be looked up by: its addresses in lower case and its Message-ID, each as [`key`] writes it,
/// sorted, each once. Nothing for text that is no story.
pub fn keys(story: &str) -> Vec<String> {
    let Ok(story) = Story::from_json(story) else { return Vec::new() };
    let found: BTreeSet<String> =
        story.hops.iter().flat_map(|hop| names(&hop.what)).map(key).filter(|key| !key.is_empty()).collect();
    found.into_iter().collect()
}

/// How an address or a Message-ID is written as a key: without angle brackets, in lower case.
pub fn key(text: &str) -> String {
    bare(text).to_lowercase()
}

fn bare(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text)
}

/// The addresses and Message-IDs that a hop names.
fn names(what: &What) -> Vec<&str> {
    match what {
        What::Speak { account, .. } => account.iter().map(String::as_str).collect(),
        What::Judge { stage: Stage::Sender | Stage::Recipient, subject, .. } => vec![subject],
        What::Spool { message_id, .. } => message_id.iter().map(String::as_str).collect(),
        What::Enqueue { reverse_path, recipients } => {
            recipients.iter().chain([reverse_path]).map(String::as_str).collect()
        }
        What::Deliver { recipients, .. } | What::Notify { recipients, .. } => {
            recipients.iter().map(String::as_str).collect()
        }
        What::File { account, recipients, .. } => {
            recipients.iter().chain([account]).map(String::as_str).collect()
        }
        What::Accept { .. }
        | What::Judge { .. }
        | What::Forward { .. }
        | What::Authenticate { .. }
        | What::Request { .. }
        // Whom an attempt was for stands in the hop that says how it ended.
        | What::Route { .. }
        | What::Sign { .. }
        | What::Attempt { .. }
        | What::Hold { .. }
        | What::End { .. }
        | What::Unknown => Vec::new(),
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A queue id in JSON is the text that people know it by.
mod queue_id_as_text {
    use mail::QueueId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(id: &QueueId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<QueueId, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| D::Error::custom("no queue id"))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use store::read::JournalRecord;

    use super::*;

    fn whole() -> Story {
        let mut story = Story::new(QueueId(77));
        let at = |ms: i64| Timestamp(1_763_826_172_000 + ms);
        let peer = "192.0.2.1:4711".parse().unwrap();
        story.hop(at(0), What::Accept { peer, server: "internet".into(), name: None });
        story.hop(
            at(1),
            What::Speak {
                hello: "client\u{1b}[2J".into(),
                extended: true,
                tls: Some("TLS1.3".into()),
                account: None,
            },
        );
        story.hops.push(Hop {
            at: at(2),
            what: What::Judge {
                stage: Stage::Recipient,
                subject: "Bob@example.org".into(),
                verdict: Ruling::Accept,
                reply: String::new(),
                facts: None,
            },
            because: vec![Reason::new("recipient", "the recipient is ours").with("mailboxes", 1usize)],
        });
        story.hop(at(3), What::Spool { size: 1234, message_id: Some("<A.b@Example.ORG>".into()) });
        story.hop(at(3), What::Authenticate { results: vec!["auth=none".into()] });
        story.hop(
            at(4),
            What::Enqueue { reverse_path: String::new(), recipients: vec!["Bob@example.org".into()] },
        );
        story.hop(
            at(4),
            What::Deliver {
                destination: "local".into(),
                recipients: vec!["Bob@example.org".into()],
                outcome: Delivered::Done,
                diagnostic: String::new(),
                due: None,
            },
        );
        story.hop(
            at(4),
            What::File {
                account: "bob@example.org".into(),
                mailbox: "INBOX".into(),
                recipients: vec!["Bob@example.org".into()],
            },
        );
        story.hop(at(5), What::End { how: "250 2.0.0 kept".into(), misuses: vec!["BareLineFeed".into()] });
        story
    }

    /// A later part of the same story: one recipient is relayed, one must wait.
    fn relayed() -> Story {
        let mut story = Story::new(QueueId(77));
        let at = |ms: i64| Timestamp(1_763_826_174_000 + ms);
        let host = "mx1.example.net [192.0.2.1]:25".to_owned();
        let second = "mx2.example.net [192.0.2.2]:25".to_owned();
        let destination = "example.net".to_owned();
        let reasons = vec!["the MX records of example.net name 2 hosts".to_owned()];
        let what =
            What::Route { destination: destination.clone(), hops: vec![host, second.clone()], reasons };
        story.hop(at(0), what);
        let selectors = vec!["rsa-1".into(), "ed25519-1".into()];
        story.hop(at(0), What::Sign { domain: "example.org".into(), selectors, failure: None });
        let failure = Some("the header is not well formed".into());
        story.hop(at(0), What::Sign { domain: "example.org".into(), selectors: Vec::new(), failure });
        let line = |at_ms, by, text: &str| Line { at_ms, by, text: text.into() };
        let what = What::Attempt {
            destination: destination.clone(),
            number: 2,
            host: second,
            tls: Some("TLS1.3".into()),
            dialogue: vec![
                line(12, Speaker::Peer, "220 mx2.example.net ESMTP"),
                line(13, Speaker::We, "MAIL FROM:<alice@example.org>"),
                line(61_250, Speaker::Peer, "250 2.1.0 OK \u{1b}[31m"),
            ],
            left_out: 3,
            end: "relayed".into(),
        };
        story.hop(at(61_300), what);
        let deliver = |to: &str, outcome, due| What::Deliver {
            destination: destination.clone(),
            recipients: vec![to.into()],
            outcome,
            diagnostic: String::new(),
            due,
        };
        story.hop(at(61_300), deliver("Carol@example.net", Delivered::Relayed, None));
        story.hop(at(61_300), deliver("dan@example.net", Delivered::Deferred, Some(at(961_300))));
        let what =
            What::Notify { recipients: vec!["Dan@example.net".into()], report: "000000000002E".into() };
        story.hop(at(61_300), what);
        for held in [true, false] {
            story.hop(at(70_000), What::Hold { destination: destination.clone(), held });
        }
        story.hop(at(961_300), deliver("dan@example.net", Delivered::Deleted, None));
        story
    }

    fn check_told(story: &str, expected: Expect) {
        let record =
            JournalRecord { queue_id: QueueId(77), at: Timestamp(1_763_826_172_000), story: story.into() };
        expected.assert_eq(&tell(&[record]));
    }

    #[test]
    fn a_story_survives_the_journal() {
        let json = whole().to_json();
        assert_eq!(Story::from_json(&json), Ok(whole()));
        expect![[r#"{"version":1,"queue_id":"000000000002D","hops":[{"at":1763826172000,"hop":"accept","peer":"192.0.2.1:4711","server":"internet"},{"at":1763826172001,"hop":"speak","hello":"client\u001b[2J","extended":true,"tls":"TLS1.3"},{"at":1763826172002,"hop":"judge","stage":"recipient","subject":"Bob@example.org","verdict":"accept","because":[{"check":"recipient","because":"the recipient is ours","facts":{"mailboxes":1}}]},{"at":1763826172003,"hop":"spool","size":1234,"message_id":"<A.b@Example.ORG>"},{"at":1763826172003,"hop":"authenticate","results":["auth=none"]},{"at":1763826172004,"hop":"enqueue","reverse_path":"","recipients":["Bob@example.org"]},{"at":1763826172004,"hop":"deliver","destination":"local","recipients":["Bob@example.org"],"outcome":"done"},{"at":1763826172004,"hop":"file","account":"bob@example.org","mailbox":"INBOX","recipients":["Bob@example.org"]},{"at":1763826172005,"hop":"end","how":"250 2.0.0 kept","misuses":["BareLineFeed"]}]}"#]].assert_eq(&json);
    }

    #[test]
    fn a_story_is_told_in_lines() {
        check_told(
            &whole().to_json(),
            expect![[r#"
            000000000002D
              2025-11-22 15:42:52.000  accept        from 192.0.2.1:4711 by virtual server "internet"
              2025-11-22 15:42:52.001  speak         EHLO client\x1b[2J, TLS1.3
              2025-11-22 15:42:52.002  judge         recipient <Bob@example.org> accepted
              2025-11-22 15:42:52.002                because recipient: the recipient is ours (mailboxes 1)
              2025-11-22 15:42:52.003  spool         1234 octets, Message-ID <A.b@Example.ORG>
              2025-11-22 15:42:52.003  authenticate  auth=none
              2025-11-22 15:42:52.004  enqueue       from <> to <Bob@example.org>
              2025-11-22 15:42:52.004  deliver       local: <Bob@example.org> delivered
              2025-11-22 15:42:52.004  file          in INBOX of bob@example.org for <Bob@example.org>
              2025-11-22 15:42:52.005  end           250 2.0.0 kept; the peer erred: BareLineFeed
        "#]],
        );
    }

    #[test]
    fn an_attempt_survives_the_journal() {
        let json = relayed().to_json();
        assert_eq!(Story::from_json(&json), Ok(relayed()));
        expect![[r#"{"version":1,"queue_id":"000000000002D","hops":[{"at":1763826174000,"hop":"route","destination":"example.net","hops":["mx1.example.net [192.0.2.1]:25","mx2.example.net [192.0.2.2]:25"],"reasons":["the MX records of example.net name 2 hosts"]},{"at":1763826174000,"hop":"sign","domain":"example.org","selectors":["rsa-1","ed25519-1"]},{"at":1763826174000,"hop":"sign","domain":"example.org","failure":"the header is not well formed"},{"at":1763826235300,"hop":"attempt","destination":"example.net","number":2,"host":"mx2.example.net [192.0.2.2]:25","tls":"TLS1.3","dialogue":[{"at_ms":12,"by":"peer","text":"220 mx2.example.net ESMTP"},{"at_ms":13,"by":"we","text":"MAIL FROM:<alice@example.org>"},{"at_ms":61250,"by":"peer","text":"250 2.1.0 OK \u001b[31m"}],"left_out":3,"end":"relayed"},{"at":1763826235300,"hop":"deliver","destination":"example.net","recipients":["Carol@example.net"],"outcome":"relayed"},{"at":1763826235300,"hop":"deliver","destination":"example.net","recipients":["dan@example.net"],"outcome":"deferred","due":1763827135300},{"at":1763826235300,"hop":"notify","recipients":["Dan@example.net"],"report":"000000000002E"},{"at":1763826244000,"hop":"hold","destination":"example.net","held":true},{"at":1763826244000,"hop":"hold","destination":"example.net","held":false},{"at":1763827135300,"hop":"deliver","destination":"example.net","recipients":["dan@example.net"],"outcome":"deleted"}]}"#]].assert_eq(&json);
    }

    #[test]
    fn a_dialogue_is_told_below_its_attempt() {
        check_told(
            &relayed().to_json(),
            expect![[r#"
                000000000002D
                  2025-11-22 15:42:54.000  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
                  2025-11-22 15:42:54.000                because the MX records of example.net name 2 hosts
                  2025-11-22 15:42:54.000  sign          for example.org, by rsa-1, ed25519-1
                  2025-11-22 15:42:54.000  sign          not signed for example.org: the header is not well formed; sent without
                  2025-11-22 15:43:55.300  attempt       number 2 for example.net at mx2.example.net [192.0.2.2]:25, TLS1.3: relayed
                                                0.012  < 220 mx2.example.net ESMTP
                                                0.013  > MAIL FROM:<alice@example.org>
                                               61.250  < 250 2.1.0 OK \x1b[31m
                                                       (3 more lines were not kept)
                  2025-11-22 15:43:55.300  deliver       example.net: <Carol@example.net> relayed
                  2025-11-22 15:43:55.300  deliver       example.net: <dan@example.net> deferred, next try 2025-11-22 15:58:55.300
                  2025-11-22 15:43:55.300  notify        the sender is told that <Dan@example.net> must wait, by report 000000000002E
                  2025-11-22 15:44:04.000  hold          example.net: an administrator put it on hold
                  2025-11-22 15:44:04.000  release       example.net: an administrator released it
                  2025-11-22 15:58:55.300  deliver       example.net: <dan@example.net> deleted from the queue
            "#]],
        );
    }

    #[test]
    fn a_destination_without_a_way_is_told() {
        let mut story = Story::new(QueueId(77));
        let reasons = vec!["example.net says that it takes no mail (RFC 7505)".to_owned()];
        let what = What::Route { destination: "example.net".into(), hops: Vec::new(), reasons };
        story.hop(Timestamp(0), what);
        assert_eq!(Story::from_json(&story.to_json()), Ok(story.clone()));
        check_told(
            &story.to_json(),
            expect![[r#"
                000000000002D
                  1970-01-01 00:00:00.000  route         example.net: no way
                  1970-01-01 00:00:00.000                because example.net says that it takes no mail (RFC 7505)
            "#]],
        );
    }

    #[test]
    fn stories_of_before_mail_went_out_are_read() {
        let older = r#"{"version":1,"queue_id":"000000000002D","hops":[
            {"at":0,"hop":"speak","hello":"a.example","extended":true},
            {"at":1,"hop":"deliver","destination":"local","recipients":["bob@example.org"],"outcome":"deferred","due":60000},
            {"at":2,"hop":"deliver","destination":"local","recipients":["bob@example.org"],"outcome":"bounced","diagnostic":"no"},
            {"at":3,"hop":"end","how":"250 2.0.0 kept"}]}"#;
        check_told(
            older,
            expect![[r#"
            000000000002D
              1970-01-01 00:00:00.000  speak         EHLO a.example, no TLS
              1970-01-01 00:00:00.001  deliver       local: <bob@example.org> deferred, next try 1970-01-01 00:01:00.000
              1970-01-01 00:00:00.002  deliver       local: <bob@example.org> bounced: no
              1970-01-01 00:00:00.003  end           250 2.0.0 kept
        "#]],
        );
    }

    #[test]
    fn what_is_not_understood_is_shown_escaped() {
        let newer = r#"{"version":2,"queue_id":"000000000002D","tone":"sad","hops":[
            {"at":0,"hop":"accept","peer":"[2001:db8::1]:1","server":"a","mood":1},{"at":951782400000,"hop":"teleport","to":"x"},
            {"at":951782400000,"hop":"deliver","destination":"a","recipients":["b@a"],"outcome":"framed"}]}"#;
        check_told(
            newer,
            expect![[r#"
                000000000002D
                  1970-01-01 00:00:00.000  accept        from [2001:db8::1]:1 by virtual server "a"
                  2000-02-29 00:00:00.000  ?             a hop that a newer version wrote
                  2000-02-29 00:00:00.000  deliver       a: <b@a> ended in a way that a newer version knows
            "#]],
        );
        check_told(
            "no \u{1b} story",
            expect![[r#"
            000000000002D
              2025-11-22 15:42:52.000  ?             of a form unknown to this version: no \x1b story
        "#]],
        );
    }

    #[test]
    fn keys_are_addresses_and_message_ids() {
        assert_eq!(keys(&whole().to_json()), ["a.b@example.org", "bob@example.org"]);
        assert_eq!(keys(&relayed().to_json()), ["carol@example.net", "dan@example.net"]);
        assert_eq!(keys("no story"), Vec::<String>::new());
        assert_eq!(key(" <A@B> "), "a@b");
    }
}
