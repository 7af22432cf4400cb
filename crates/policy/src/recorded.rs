//! What a story keeps of the facts, so that last week's mail can be judged by new rules.
//!
//! Most of it the story tells anyway: peer, virtual server, HELO, account, addresses, size. Kept beside each judgement is only
//! the rest, and of that nothing which a setting gives; a message with one recipient grows by less than 150 octets.

use mail::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::AccountFacts;
use crate::facts::{
    ConnectionFacts, ContentFacts, Facts, HelloFacts, RecipientFacts, RelayFacts, SenderFacts, Service,
    SubmissionFacts,
};
use crate::judge::Verdict;
use crate::story::{Ruling, Stage, Story, What};

/// What a judgement stood on and no other hop of its story tells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recorded {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sender: Option<SenderFacts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipient: Option<RecipientFacts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<ContentFacts>,
    /// Only where it may have decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<AccountFacts>,
}

/// A judgement of a story, with what it stood on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// When.
    pub at: Timestamp,
    /// Which stage.
    pub stage: Stage,
    /// Of what: the reverse-path (empty for null), the recipient; nothing for content.
    pub subject: String,
    /// How.
    pub verdict: Ruling,
    /// What the peer was answered, where it was not accepted.
    pub reply: String,
    /// The facts, for [`rejudge`](fn@crate::rejudge). What a setting gives is at its default in them.
    pub facts: Facts,
}

impl Recorded {
    /// What is kept of these facts.
    pub(crate) fn of(stage: Stage, facts: &Facts, verdict: &Verdict) -> Box<Self> {
        let mut recorded = Self::default();
        match stage {
            Stage::Connection | Stage::Hello => {}
            Stage::Sender => recorded.sender = facts.sender.as_ref().map(|it| sender(it, verdict)),
            Stage::Recipient => {
                let bare = |it: &RecipientFacts| RecipientFacts { recipient: String::new(), ..it.clone() };
                recorded.recipient = facts.recipient.as_ref().map(bare);
            }
            Stage::Content => recorded.content = facts.content.as_ref().map(content),
        }
        recorded.account = facts.account.clone().filter(|_| *verdict != Verdict::Accept);
        Box::new(recorded)
    }
}

/// How full the disk was and how busy the server matters only where it decided.
fn sender(facts: &SenderFacts, verdict: &Verdict) -> SenderFacts {
    let mut kept = SenderFacts { reverse_path: String::new(), size_max: 0, ..facts.clone() };
    if *verdict == Verdict::Accept {
        (kept.room, kept.pressure) = (None, None);
    }
    kept
}

/// What was mended stands in the reasons.
fn content(facts: &ContentFacts) -> ContentFacts {
    let bare =
        |it: &SubmissionFacts| SubmissionFacts { added: Vec::new(), removed: Vec::new(), ..it.clone() };
    let submission = facts.submission.as_ref().map(bare);
    ContentFacts { size: 0, size_max: 0, hops_max: None, submission, ..facts.clone() }
}

impl Story {
    /// Its judgements, in order, each with the facts that it stood on. Those of before facts were kept are left out.
    pub fn judged(&self) -> Vec<Judged> {
        let mut known: Option<Facts> = None;
        let mut size = 0;
        let mut judged = Vec::new();
        for hop in &self.hops {
            match &hop.what {
                What::Accept { peer, server, .. } => known = Some(Facts::new(connection(peer.ip(), server))),
                What::Speak { hello, extended, tls, account } => {
                    let Some(facts) = &mut known else { continue };
                    let tls = tls.as_ref().and_then(|tls| tls.split(' ').next()).map(str::to_owned);
                    let (name, account) = (hello.clone(), account.clone());
                    facts.hello = Some(HelloFacts { name, extended: *extended, tls, account });
                }
                What::Spool { size: octets, .. } => size = *octets,
                What::Judge { stage, subject, verdict, reply, facts: Some(recorded) } => {
                    let Some(facts) = &mut known else { continue };
                    restore(facts, recorded, subject, size);
                    judged.push(Judged {
                        at: hop.at,
                        stage: *stage,
                        subject: subject.clone(),
                        verdict: *verdict,
                        reply: reply.clone(),
                        facts: facts.clone(),
                    });
                }
                _ => {}
            }
        }
        judged
    }
}

/// What settings make of a connection is not known here.
fn connection(peer: std::net::IpAddr, server: &str) -> ConnectionFacts {
    ConnectionFacts {
        peer,
        virtual_server: server.to_owned(),
        trusted: false,
        service: Service::default(),
        relay: RelayFacts::default(),
    }
}

fn restore(facts: &mut Facts, recorded: &Recorded, subject: &str, size: u64) {
    let Recorded { sender, recipient, content, account } = recorded.clone();
    facts.account = account;
    if let Some(sender) = sender {
        facts.sender = Some(SenderFacts { reverse_path: subject.to_owned(), ..sender });
    }
    if let Some(recipient) = recipient {
        facts.recipient = Some(RecipientFacts { recipient: subject.to_owned(), ..recipient });
    }
    if let Some(content) = content {
        facts.content = Some(ContentFacts { size, ..content });
    }
}
