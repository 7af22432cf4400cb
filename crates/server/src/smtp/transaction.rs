//! One mail transaction: what is known of it, what was judged, and the story it makes. No I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use directory::{LocalRecipient, Resolution};
use mail::{Address, ForwardPath, QueueId, Reply, ReversePath, Timestamp};
use policy::{
    ConnectionFacts, ContentFacts, Facts, HelloFacts, Judgement, Magic, SenderFacts, Stage, Story, Verdict,
    What, gather, judge,
};
use protocol::smtp::{Hello, Sender};
use queue::Destinations;
use queue::accept::{Handover, Recipient};
use queue::trace_header::Received;

use super::label::Label;
use super::spool::Spool;

/// An open transaction.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) queue_id: QueueId,
    pub(super) reverse_path: ReversePath,
    pub(super) spool: Spool,
    pub(super) story: Story,
    facts: Facts,
    hello: Arc<Hello>,
    peer: std::net::SocketAddr,
    began: Timestamp,
    accepted: Vec<Accepted>,
    header: Option<HeaderFacts>,
    /// A permit of the process-wide budget, held while content is in memory.
    pub(super) permit: Option<tokio::sync::OwnedSemaphorePermit>,
}

/// A recipient that was accepted.
#[derive(Debug)]
struct Accepted {
    /// As the client named it; for `<Postmaster>` the account that it means.
    named: Address,
    way: Way,
}

/// How a recipient gets the message.
#[derive(Debug)]
enum Way {
    /// Filed at once in the mailboxes of these.
    File(Vec<LocalRecipient>),
    /// Through the queue to this destination, not before this time.
    Queue { destination: String, due: Timestamp },
}

/// What the content's header says that policy or the journal wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct HeaderFacts {
    pub(super) received: usize,
    pub(super) message_id: Option<String>,
}

/// The connection below a transaction.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) address: std::net::SocketAddr,
    pub(super) facts: ConnectionFacts,
}

/// `slow@` is delivered this much later.
const SLOW_MS: i64 = 30_000;

impl Transaction {
    /// Opens a transaction, unless its sender is refused; then the story ends with the refusal.
    pub(super) fn open(
        queue_id: QueueId,
        peer: &Peer,
        sender: Sender,
        size_max: u64,
        now: Timestamp,
    ) -> (Self, Verdict) {
        let mut facts = Facts::new(peer.facts.clone());
        facts.hello = Some(hello_facts(&sender.hello));
        let reverse_path = bare_sender(&sender.path);
        facts.sender =
            Some(SenderFacts { reverse_path: reverse_path.clone(), size_announced: sender.size, size_max });
        let mut transaction = Self {
            queue_id,
            reverse_path: sender.path,
            spool: Spool::default(),
            story: Story::new(queue_id),
            facts,
            hello: sender.hello,
            peer: peer.address,
            began: now,
            accepted: Vec::new(),
            header: None,
            permit: None,
        };
        transaction.introduce(&peer.facts.virtual_server);
        let judgement = judge(Stage::Sender, &transaction.facts);
        let verdict = transaction.note(judgement, Stage::Sender, reverse_path, now);
        (transaction, verdict)
    }

    /// The first hops of the story: where it came from.
    fn introduce(&mut self, server: &str) {
        let Hello { name, extended, tls, account } = &*self.hello;
        self.story.hop(self.began, What::Accept { peer: self.peer, server: server.to_owned() });
        let what = What::Speak {
            hello: name.clone(),
            extended: *extended,
            tls: tls.as_ref().map(|tls| format!("{} {}", tls.version, tls.cipher)),
            account: account.as_ref().map(ToString::to_string),
        };
        self.story.hop(self.began, what);
    }

    /// Judges a recipient, and adds it if it is accepted.
    pub(super) fn recipient(
        &mut self,
        path: &ForwardPath,
        resolved: Result<Resolution, store::Error>,
        magic: Option<Magic>,
        destinations: &Destinations,
        now: Timestamp,
    ) -> Verdict {
        let facts = gather::recipient(path, &resolved, magic);
        let subject = facts.recipient.clone();
        self.facts.recipient = Some(facts);
        let judgement = judge(Stage::Recipient, &self.facts);
        let verdict = self.note(judgement, Stage::Recipient, subject, now);
        if let (Verdict::Accept, Ok(resolution)) = (&verdict, resolved) {
            self.accepted.extend(accepted(path, resolution, magic, destinations, now));
        }
        verdict
    }

    /// Judges the content.
    pub(super) fn content(&mut self, size: u64, size_max: u64, now: Timestamp) -> Verdict {
        let header = self.header.clone().unwrap_or_default();
        self.facts.content = Some(ContentFacts {
            size,
            size_max,
            received: header.received,
            received_here: 0,
            submission: None,
        });
        self.story.hop(now, What::Spool { size, message_id: header.message_id });
        let judgement = judge(Stage::Content, &self.facts);
        self.note(judgement, Stage::Content, String::new(), now)
    }

    /// Remembers what the header says; the first time counts.
    pub(super) fn read_header(&mut self, content: &[u8]) {
        self.header.get_or_insert_with(|| HeaderFacts::read(content));
    }

    /// The same for what the spool holds, if it holds the beginning.
    pub(super) fn read_header_of_spool(&mut self) {
        if self.header.is_none() && !self.spool.head().is_empty() {
            self.header = Some(HeaderFacts::read(self.spool.head()));
        }
    }

    fn note(&mut self, judgement: Judgement, stage: Stage, subject: String, now: Timestamp) -> Verdict {
        let verdict = judgement.verdict.clone();
        self.story.hops.push(judgement.into_hop(now, stage, subject));
        verdict
    }

    /// Our Received field.
    pub(super) fn trace_header(&self, host_name: &str, now: Timestamp) -> String {
        let Hello { name, extended, tls, account } = &*self.hello;
        let received = Received {
            hello: name,
            extended: *extended,
            peer: self.peer.ip(),
            host_name,
            tls: tls.as_ref().map(|tls| (tls.version.as_str(), tls.cipher.as_str())),
            authenticated: account.is_some(),
            queue_id: self.queue_id,
            only_recipient: match &self.accepted[..] {
                [only] => Some(&only.named),
                _ => None,
            },
            at: now,
        };
        received.field()
    }

    /// The name of the virtual server that the client came to.
    pub(super) fn virtual_server(&self) -> String {
        self.facts.connection.virtual_server.clone()
    }

    /// What the content log notes beside the content.
    pub(super) fn label(&self) -> bytes::Bytes {
        let recipients = self.accepted.iter().map(|accepted| &accepted.named);
        Label::new(self.queue_id, self.began, bare_sender(&self.reverse_path), recipients).to_bytes()
    }

    /// Everyone it goes to, aliases expanded; and the last hops of the story, which the same commit makes true.
    pub(super) fn conclude(&mut self, now: Timestamp) -> Vec<Recipient> {
        let named = self.accepted.iter().map(|accepted| accepted.named.to_string()).collect();
        let reverse_path = bare_sender(&self.reverse_path);
        self.story.hop(now, What::Enqueue { reverse_path, recipients: named });
        let mut recipients = Vec::with_capacity(self.accepted.len());
        let mut queued: BTreeMap<(String, Timestamp), Vec<String>> = BTreeMap::new();
        for Accepted { named, way } in std::mem::take(&mut self.accepted) {
            match way {
                Way::File(means) => self.file(&named, means, &mut recipients, now),
                Way::Queue { destination, due } => {
                    queued.entry((destination.clone(), due)).or_default().push(named.to_string());
                    let handover = Handover::Queue { destination, due };
                    recipients.push(Recipient { address: named, handover });
                }
            }
        }
        self.tell_of_queue(queued, now);
        self.story.hop(now, What::End { how: "250 2.0.0 kept".into(), misuses: Vec::new() });
        recipients
    }

    fn file(
        &mut self,
        named: &Address,
        means: Vec<LocalRecipient>,
        recipients: &mut Vec<Recipient>,
        now: Timestamp,
    ) {
        for LocalRecipient { address, inbox, .. } in means {
            self.story.filed(now, &address, named);
            recipients.push(Recipient { address, handover: Handover::File { mailbox: inbox } });
        }
    }

    /// One hop for each destination and time.
    fn tell_of_queue(&mut self, queued: BTreeMap<(String, Timestamp), Vec<String>>, now: Timestamp) {
        for ((destination, due), recipients) in queued {
            let what = What::Deliver {
                destination,
                recipients,
                outcome: policy::Delivered::Queued,
                diagnostic: String::new(),
                due: Some(due),
            };
            self.story.hop(now, what);
        }
    }

    /// The story's end where no content was accepted.
    pub(super) fn end(&mut self, how: String, misuses: &[&'static str], now: Timestamp) {
        let misuses = misuses.iter().map(|&name| name.to_owned()).collect();
        self.story.hop(now, What::End { how, misuses });
    }
}

impl HeaderFacts {
    fn read(content: &[u8]) -> Self {
        let header = mail::message::Header::parse(content);
        let message_id =
            header.find("Message-ID").map(|field| mail::printable(field.unfolded().trim_ascii()));
        Self { received: header.count("Received"), message_id }
    }
}

/// A recipient that was accepted, with the way that its mail goes; none where its resolution leaves none.
fn accepted(
    path: &ForwardPath,
    resolution: Resolution,
    magic: Option<Magic>,
    destinations: &Destinations,
    now: Timestamp,
) -> Option<Accepted> {
    let named = path.address().cloned();
    let (named, way) = match resolution {
        Resolution::Recipients(means) => {
            let named = named.or_else(|| means.first().map(|first| first.address.clone()))?;
            (named, local_way(Some(means), magic, now))
        }
        Resolution::NotLocal | Resolution::HandedOn => {
            let named = named?;
            let destination = destinations.of(&named.host);
            (named, Way::Queue { destination, due: now })
        }
        // Accepted on purpose although nobody has this address: the report will say so.
        Resolution::UnknownHere | Resolution::Unattended => (named?, local_way(None, magic, now)),
    };
    Some(Accepted { named, way })
}

fn local_way(means: Option<Vec<LocalRecipient>>, magic: Option<Magic>, now: Timestamp) -> Way {
    let later = |due| Way::Queue { destination: queue::accept::LOCAL.into(), due };
    match (magic, means) {
        (Some(Magic::Slow), _) => later(Timestamp(now.0 + SLOW_MS)),
        (Some(Magic::Bounces), _) | (_, None) => later(now),
        (_, Some(means)) => Way::File(means),
    }
}

/// As facts and stories have it: without angle brackets, empty for null.
fn bare_sender(path: &ReversePath) -> String {
    path.address().map(ToString::to_string).unwrap_or_default()
}

fn hello_facts(hello: &Hello) -> HelloFacts {
    HelloFacts {
        name: hello.name.clone(),
        extended: hello.extended,
        tls: hello.tls.as_ref().map(|tls| tls.version.clone()),
        account: hello.account.as_ref().map(ToString::to_string),
    }
}

/// The reply that a verdict makes, with `accepted` for acceptance.
pub(super) fn reply(verdict: Verdict, accepted: Reply) -> Reply {
    match verdict {
        Verdict::Accept => accepted,
        Verdict::Refuse(reply) | Verdict::Defer(reply) => reply,
    }
}
