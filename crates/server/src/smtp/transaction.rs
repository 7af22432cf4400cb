//! One mail transaction: what is known of it, what was judged, and the story it makes. No I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use directory::{Directory, LocalRecipient, Resolution};
use mail::{
    Address, ForwardPath, MessageParameters, QueueId, RecipientParameters, Reply, ReversePath, Timestamp,
};
use policy::{
    AccountFacts, ConnectionFacts, ContentFacts, Facts, HelloFacts, Judgement, Magic, PressureFacts,
    RateFacts, Reason, SenderFacts, SentFacts, Service, Stage, Standing, Story, Verdict, What, gather, judge,
};
use protocol::smtp::{Dialect, Forwarded, Hello, Sender};
use queue::accept::{Handover, Recipient};
use queue::properties::Profile;
use queue::trace_header::Received;

use super::account::{Account, Rights};
use super::header::{Authors, HeaderFacts, Origin, Submitted};
use super::label::Label;
use super::lmtp::Filing;
use super::spool::{Head, Spool};
use crate::shared::{Connection, Shared};

/// An open transaction.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) queue_id: QueueId,
    pub(super) reverse_path: ReversePath,
    /// What MAIL said beside it.
    pub(super) parameters: MessageParameters,
    pub(super) spool: Spool,
    pub(super) story: Story,
    facts: Facts,
    hello: Arc<Hello>,
    peer: std::net::SocketAddr,
    client_name: Option<String>,
    /// What the virtual server calls itself.
    host_name: Arc<str>,
    began: Timestamp,
    accepted: Vec<Accepted>,
    /// Those of them to whom the account had not written before.
    new: u64,
    /// Why it is held, if it is.
    held: Option<String>,
    header: Option<HeaderFacts>,
    /// The account that signed in.
    account: Option<Account>,
    /// A permit of the process-wide budget, held while content is in memory.
    pub(super) permit: Option<tokio::sync::OwnedSemaphorePermit>,
}

/// A recipient that was accepted.
#[derive(Debug)]
struct Accepted {
    /// As the client named it; for `<Postmaster>` the account that it means.
    named: Address,
    /// What RCPT said beside it.
    parameters: RecipientParameters,
    way: Way,
}

/// How a recipient gets the message.
#[derive(Debug)]
enum Way {
    /// Filed at once in the mailboxes of these.
    File(Vec<LocalRecipient>),
    /// Through the queue to this destination, not before this time.
    Queue { destination: String, due: Timestamp },
    /// Not any more: something changed since it was accepted.
    Gone,
}

/// How much may come, octets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The virtual server's limit.
    pub(super) size_max: u64,
    /// What the store has room for.
    pub(super) room: u64,
}

/// What content may be like, by the properties of the virtual server.
#[derive(Debug, Clone, Copy)]
pub(super) struct ContentBounds {
    /// Octets.
    pub(super) size_max: u64,
    /// Received fields.
    pub(super) hops_max: usize,
}

/// What is judged at MAIL beside what the client said.
#[derive(Debug, Clone)]
pub(super) struct Conditions {
    pub(super) bounds: Bounds,
    /// What the server is short of.
    pub(super) pressure: Option<PressureFacts>,
    /// How often the source sends.
    pub(super) rate: Option<RateFacts>,
    /// What the DNS calls it.
    pub(super) client_name: Option<String>,
    /// The account that signed in, and what is known of it.
    pub(super) account: Option<(Account, AccountFacts)>,
}

/// What is judged at RCPT beside what the client and the directory say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Particulars {
    /// It fails on purpose.
    pub(super) magic: Option<Magic>,
    /// The account has never written to it.
    pub(super) is_new: bool,
}

/// The connection below a transaction.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) address: std::net::SocketAddr,
    pub(super) facts: ConnectionFacts,
    /// What the virtual server calls itself.
    pub(super) host_name: Arc<str>,
}

impl Peer {
    pub(super) fn of(shared: &Shared, connection: &Connection) -> Self {
        let host_name = connection.server.host_name.clone();
        Self {
            address: connection.peer,
            facts: connection.facts(),
            host_name: host_name.unwrap_or_else(|| shared.host_name.as_str().into()),
        }
    }
}

/// `slow@` is delivered this much later.
const SLOW_MS: i64 = 30_000;

impl Transaction {
    /// Opens a transaction, unless its sender is refused; then the story ends with the refusal.
    pub(super) fn open(
        queue_id: QueueId,
        peer: &Peer,
        sender: Sender,
        conditions: Conditions,
        now: Timestamp,
    ) -> (Self, Verdict) {
        let mut facts = Facts::new(peer.facts.clone());
        facts.hello = Some(hello_facts(&sender.hello));
        let (account, known) = conditions.account.unzip();
        facts.account = known;
        let reverse_path = bare_sender(&sender.path);
        facts.sender = Some(SenderFacts {
            reverse_path: reverse_path.clone(),
            size_announced: sender.size,
            size_max: conditions.bounds.size_max,
            room: Some(conditions.bounds.room),
            pressure: conditions.pressure,
            rate: conditions.rate,
        });
        let mut transaction = Self {
            queue_id,
            reverse_path: sender.path,
            parameters: sender.parameters,
            spool: Spool::default(),
            story: Story::new(queue_id),
            facts,
            hello: sender.hello,
            peer: peer.address,
            client_name: conditions.client_name,
            host_name: peer.host_name.clone(),
            began: now,
            accepted: Vec::new(),
            new: 0,
            held: None,
            header: None,
            account,
            permit: None,
        };
        transaction.introduce(&peer.facts.virtual_server, sender.forwarded.as_deref());
        let judgement = judge(Stage::Sender, &transaction.facts);
        let verdict = transaction.note(judgement, Stage::Sender, reverse_path, now);
        (transaction, verdict)
    }

    /// The first hops of the story: where it came from.
    fn introduce(&mut self, server: &str, forwarded: Option<&Forwarded>) {
        let Hello { name, extended, tls, account } = &*self.hello;
        self.story.hop(
            self.began,
            What::Accept { peer: self.peer, server: server.to_owned(), name: self.client_name.clone() },
        );
        let what = What::Speak {
            hello: name.clone(),
            extended: *extended,
            tls: tls.as_ref().map(|tls| format!("{} {}", tls.version, tls.cipher)),
            account: account.as_ref().map(ToString::to_string),
        };
        self.story.hop(self.began, what);
        if let Some(said) = forwarded.map(said).filter(|said| !said.is_empty()) {
            self.story.hop(self.began, What::Forward { said });
        }
    }

    /// Judges a recipient, and adds it if it is accepted.
    pub(super) fn recipient(
        &mut self,
        named: protocol::smtp::Recipient,
        resolved: Result<Resolution, store::Error>,
        Particulars { magic, is_new }: Particulars,
        profile: &Profile,
        now: Timestamp,
    ) -> Verdict {
        let mut facts = gather::recipient(&named.path, &resolved, magic);
        let domain = named.path.address().and_then(Address::domain);
        if facts.standing == Standing::NotLocal && domain.is_some_and(|to| profile.destinations.relays_to(to))
        {
            facts.standing = Standing::RelayedTo;
        }
        let subject = facts.recipient.clone();
        self.facts.recipient = Some(facts);
        let before = self.facts.account.as_ref().map(|account| account.sent);
        self.count(is_new);
        let judgement = judge(Stage::Recipient, &self.facts);
        let verdict = self.note(judgement, Stage::Recipient, subject, now);
        if let (Verdict::Accept, Ok(resolution)) = (&verdict, resolved) {
            self.new += u64::from(is_new);
            let times = Times { began: self.began, now };
            self.accepted.extend(accepted(named, resolution, magic, profile, times));
        } else if let Some((account, before)) = self.facts.account.as_mut().zip(before) {
            account.sent = before;
        }
        verdict
    }

    /// One recipient more.
    fn count(&mut self, is_new: bool) {
        if let Some(account) = &mut self.facts.account {
            account.sent.hour += 1;
            account.sent.day += 1;
            account.sent.new += u64::from(is_new);
        }
    }

    /// The account that sends, if one does.
    pub(super) fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// What the account has sent meanwhile, without this message.
    pub(super) fn count_again(&mut self, sent: SentFacts) {
        if let Some(account) = &mut self.facts.account {
            let recipients = self.accepted.len() as u64;
            let (hour, day) = (sent.hour + recipients, sent.day + recipients);
            account.sent = SentFacts { hour, day, new: sent.new + self.new, ..sent };
        }
    }

    /// Whom the header names as its authors, once it was read, if that matters.
    pub(super) fn authors(&self) -> Option<(&Account, &Authors)> {
        let header = self.header.as_ref().filter(|header| header.submission.is_some())?;
        Some((self.account.as_ref()?, &header.authors))
    }

    /// What the account may do as those.
    pub(super) fn note_rights(&mut self, rights: Rights) {
        let (Some(facts), Some(header), Some(account)) =
            (&mut self.facts.account, &mut self.header, &self.account)
        else {
            return;
        };
        facts.foreign = rights.foreign;
        let is_writable = account.address().is_ascii() || self.parameters.utf8;
        if rights.unnamed && is_writable && !header.authors.all.is_empty() {
            header.name_sender(account.address());
        }
        // They are looked at once.
        header.authors = Authors { has_sender: true, all: Vec::new() };
    }

    /// Why the message is to be held, if the account suddenly sends otherwise.
    pub(super) fn sudden(&self) -> Option<Reason> {
        self.facts.account.as_ref()?.sudden()
    }

    /// Everything waits in the queue on hold, for this reason: nothing is filed at once.
    pub(super) fn detain(&mut self, reason: String, now: Timestamp) {
        self.held = Some(reason);
        for accepted in &mut self.accepted {
            if matches!(accepted.way, Way::File(_)) {
                accepted.way = Way::Queue { destination: queue::accept::LOCAL.into(), due: now };
            }
        }
    }

    /// The recipients that were accepted, as named.
    pub(super) fn named(&self) -> impl Iterator<Item = &Address> + Clone {
        self.accepted.iter().map(|accepted| &accepted.named)
    }

    /// Judges the content.
    pub(super) fn content(&mut self, size: u64, bounds: ContentBounds, now: Timestamp) -> Verdict {
        let ContentBounds { size_max, hops_max } = bounds;
        let HeaderFacts { received, received_here, message_id, submission, .. } =
            self.header.clone().unwrap_or_default();
        self.facts.content = Some(ContentFacts {
            size,
            size_max,
            received,
            received_here,
            hops_max: Some(hops_max),
            submission,
        });
        self.story.hop(now, What::Spool { size, message_id });
        let judgement = judge(Stage::Content, &self.facts);
        self.note(judgement, Stage::Content, String::new(), now)
    }

    /// Remembers what the header says; the first time counts.
    pub(super) fn read_header(&mut self, content: &[u8], now: Timestamp) {
        if self.header.is_none() {
            self.header = Some(self.header_facts(content, now));
        }
    }

    /// The same for what the spool holds, if it holds the beginning.
    pub(super) fn read_header_of_spool(&mut self, now: Timestamp) {
        let head = self.spool.head();
        if self.header.is_none() && !head.is_empty() {
            self.header = Some(self.header_facts(head, now));
        }
    }

    fn header_facts(&self, content: &[u8], at: Timestamp) -> HeaderFacts {
        let origin = Origin { host_name: &self.host_name, queue_id: self.queue_id, at };
        HeaderFacts::read(content, self.submitted(), origin)
    }

    /// Whether we are the first server that this message comes to.
    fn submitted(&self) -> Submitted {
        let account = self.facts.hello.as_ref().and_then(|hello| hello.account.as_deref());
        match self.facts.connection.service {
            Service::Submission => Submitted::Yes,
            // Whoever may send as himself alone is the author: Received fields are only his word for another server.
            Service::Smtp if self.account.as_ref().is_some_and(Account::sends_as_itself) => Submitted::Yes,
            Service::Smtp if self.facts.connection.relay.permit(account) => Submitted::Unmarked,
            Service::Smtp | Service::Lmtp => Submitted::No,
        }
    }

    fn note(&mut self, judgement: Judgement, stage: Stage, subject: String, now: Timestamp) -> Verdict {
        let verdict = judgement.verdict.clone();
        self.story.hops.push(judgement.into_hop(now, stage, subject, &self.facts));
        verdict
    }

    /// What is kept with the content.
    pub(super) fn head(&self, now: Timestamp) -> Head {
        let mending = self.header.as_ref().map(|header| header.mending.clone()).unwrap_or_default();
        let before = self.trace_header(now) + &mending.added;
        Head { label: self.label(), before, mending }
    }

    /// Our Received field.
    fn trace_header(&self, now: Timestamp) -> String {
        let Hello { name, extended, tls, account } = &*self.hello;
        let received = Received {
            dialect: if self.is_lmtp() { Dialect::Lmtp } else { Dialect::Smtp },
            hello: name,
            extended: *extended,
            peer: self.peer.ip(),
            peer_name: self.client_name.as_deref(),
            host_name: &self.host_name,
            tls: tls.as_ref().map(|tls| (tls.version.as_str(), tls.cipher.as_str())),
            authenticated: account.is_some(),
            queue_id: self.queue_id,
            utf8: self.parameters.utf8,
            only_recipient: match &self.accepted[..] {
                // RFC 6531 §3.7.3: without SMTPUTF8 the field is ASCII, but the account of `<Postmaster>` may not be.
                [only] if self.parameters.utf8 || only.named.is_ascii() => Some(&only.named),
                _ => None,
            },
            at: now,
        };
        received.field()
    }

    /// Whether it is an LMTP client's.
    pub(super) fn is_lmtp(&self) -> bool {
        self.facts.connection.service == Service::Lmtp
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
        self.story.hop(now, self.enqueued());
        let mut recipients = Vec::with_capacity(self.accepted.len());
        let mut queued: BTreeMap<(String, Timestamp), Vec<String>> = BTreeMap::new();
        for Accepted { named, parameters, way } in std::mem::take(&mut self.accepted) {
            match way {
                Way::File(means) => {
                    recipients.extend(filed(&mut self.story, &named, &parameters, &means, now));
                }
                Way::Queue { destination, due } => {
                    // Nothing is due before it is kept: recipients of one destination, whose RCPTs came one after the other,
                    // are one delivery.
                    let due = due.max(now);
                    queued.entry((destination.clone(), due)).or_default().push(named.to_string());
                    let handover = Handover::Queue { destination, due };
                    recipients.push(Recipient { address: named.clone(), named, parameters, handover });
                }
                Way::Gone => unreachable!("only LMTP looks again"),
            }
        }
        self.tell_of_queue(queued, now);
        self.story.hop(now, What::End { how: "250 2.0.0 kept".into(), misuses: Vec::new() });
        recipients
    }

    /// The same where nothing may wait in a queue.
    pub(super) fn file(&self, now: Timestamp) -> Filing {
        let (mut story, mut recipients) = (self.story.clone(), Vec::with_capacity(self.accepted.len()));
        story.hop(now, self.enqueued());
        let mut replies = Vec::with_capacity(self.accepted.len());
        for Accepted { named, parameters, way } in &self.accepted {
            let reply = match way {
                Way::File(means) => {
                    recipients.extend(filed(&mut story, named, parameters, means, now));
                    Reply::new(250, (2, 0, 0), format!("{} kept", self.queue_id))
                }
                // RFC 3463 §3.3: X.2.0, other or undefined mailbox status.
                Way::Queue { .. } => {
                    Reply::new(450, (4, 2, 0), "this cannot be filed at once, try again later")
                }
                Way::Gone => crate::replies::changed(),
            };
            if !reply.is_positive() {
                story.hop(now, left(named, &reply));
            }
            replies.push(reply);
        }
        let kept = replies.iter().filter(|reply| reply.is_positive()).count();
        let how = format!("kept for {kept} of {} recipients", replies.len());
        story.hop(now, What::End { how, misuses: Vec::new() });
        Filing { recipients, replies, story }
    }

    /// Looks again who receives mail here, since something changed after RCPT.
    ///
    /// # Errors
    /// The directory's.
    pub(super) async fn resolve_again(&mut self, directory: &Directory) -> Result<(), store::Error> {
        for Accepted { named, way, .. } in &mut self.accepted {
            if matches!(way, Way::File(_)) {
                *way = match directory.resolve(&ForwardPath::Address(named.clone())).await? {
                    Resolution::Recipients(means) => Way::File(means),
                    _ => Way::Gone,
                };
            }
        }
        Ok(())
    }

    /// The hop that says for whom the message was accepted.
    fn enqueued(&self) -> What {
        let recipients = self.accepted.iter().map(|accepted| accepted.named.to_string()).collect();
        What::Enqueue { reverse_path: bare_sender(&self.reverse_path), recipients }
    }

    /// One hop for each destination and time.
    fn tell_of_queue(&mut self, queued: BTreeMap<(String, Timestamp), Vec<String>>, now: Timestamp) {
        for ((destination, due), recipients) in queued {
            let what = What::Deliver {
                destination,
                recipients,
                outcome: policy::Delivered::Queued,
                diagnostic: self.held.clone().unwrap_or_default(),
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

/// Whom a recipient's mail is filed for; the story is told so.
fn filed(
    story: &mut Story,
    named: &Address,
    parameters: &RecipientParameters,
    means: &[LocalRecipient],
    now: Timestamp,
) -> Vec<Recipient> {
    let filed = means.iter().map(|LocalRecipient { address, inbox, .. }| {
        story.filed(now, address, named);
        let (address, parameters) = (address.clone(), parameters.clone());
        let handover = Handover::File { mailbox: *inbox };
        Recipient { address, named: named.clone(), parameters, handover }
    });
    filed.collect()
}

/// A recipient whose mail stays with the client.
fn left(named: &Address, reply: &Reply) -> What {
    What::Deliver {
        destination: queue::accept::LOCAL.into(),
        recipients: vec![named.to_string()],
        outcome: policy::Delivered::Deferred,
        diagnostic: reply.to_string(),
        due: None,
    }
}

/// When a transaction began, and when one of its recipients was named.
#[derive(Debug, Clone, Copy)]
struct Times {
    began: Timestamp,
    now: Timestamp,
}

/// A recipient that was accepted, with the way that its mail goes; none where its resolution leaves none.
fn accepted(
    recipient: protocol::smtp::Recipient,
    resolution: Resolution,
    magic: Option<Magic>,
    profile: &Profile,
    Times { began, now }: Times,
) -> Option<Accepted> {
    let protocol::smtp::Recipient { path, parameters } = recipient;
    let named = path.address().cloned();
    let (named, way) = match resolution {
        Resolution::Recipients(means) => {
            let named = named.or_else(|| means.first().map(|first| first.address.clone()))?;
            (named, local_way(Some(means), magic, now))
        }
        Resolution::NotLocal | Resolution::HandedOn => {
            let named = named?;
            let destination = profile.destinations.of(&named.host);
            // Of the transaction, not of its RCPT: what waits for ETRN is due days later, and is one delivery, too.
            let due = profile.rules(&destination).first_due(began);
            (named, Way::Queue { destination, due })
        }
        // Accepted on purpose although nobody has this address: the report will say so.
        Resolution::UnknownHere | Resolution::Unattended => (named?, local_way(None, magic, now)),
    };
    Some(Accepted { named, parameters, way })
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

/// What XFORWARD said, as it was said.
fn said(forwarded: &Forwarded) -> Vec<String> {
    let Forwarded { name, address, port, protocol, hello, ident, source } = forwarded;
    let named = [
        ("NAME", name),
        ("ADDR", address),
        ("PORT", port),
        ("PROTO", protocol),
        ("HELO", hello),
        ("IDENT", ident),
        ("SOURCE", source),
    ];
    named.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?))).collect()
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
