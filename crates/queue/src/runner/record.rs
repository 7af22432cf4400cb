//! Writes down how a delivery ended: one commit with what is filed, what waits on, what is reported, and the story.

use std::sync::Arc;

use bytes::Bytes;
use directory::{Directory, Resolution};
use mail::{
    Address, Domain, ForwardPath, Host, MessageParameters, Notify, QueueId, RecipientParameters, ReversePath,
    Timestamp,
};
use policy::{Delivered, Story, What};
use store::change::{QueueEntry, QueuedRecipient};
use store::{Change, Commit, ContentRef, Error, NewContent, Store};
use world::World;

use super::task::{self, Event};
use super::terms::Terms;
use crate::accept::{LOCAL, file};
use crate::agent::Attempted;
use crate::limits::{REPORT_HEADER_OCTETS_MAX, REPORT_RECIPIENTS_MAX, STORE_PAUSE};
use crate::report::{Kind, Report, Reported};
use crate::schedule::{Key, Recorded, Transition};
use crate::settle::{Settled, settle};
use crate::{Handle, QueueIds};

/// What settlements need of the program.
#[derive(Debug)]
pub(super) struct Clerk {
    pub(super) world: World,
    pub(super) store: Store,
    pub(super) directory: Arc<Directory>,
    pub(super) queue_ids: Arc<QueueIds>,
    pub(super) terms: Terms,
    pub(super) handle: Handle,
}

/// What is to be written down.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) key: Key,
    /// The row as it was drawn.
    pub(super) entry: Arc<QueueEntry>,
    /// How the attempt ended; none if there was none.
    pub(super) attempted: Option<Arc<Attempted>>,
    pub(super) transitions: Vec<Transition>,
    /// When it ended.
    pub(super) at: Timestamp,
}

/// Commits a settlement.
pub(super) async fn record(clerk: Arc<Clerk>, settlement: Settlement) -> Event {
    let recorded = match clerk.settle(&settlement).await {
        Ok(()) => Recorded::Kept,
        Err(Error::Conflict(detail)) => {
            tracing::warn!(delivery = %settlement.key, detail, "how a delivery ended is not written down");
            // Another node or an administrator came first, or a mailbox has gone: it is looked at anew. Should that end in
            // the same way, a peer is not to be sent the same message again and again without a pause.
            clerk.world.clock.sleep(STORE_PAUSE).await;
            Recorded::Lost
        }
        Err(error) => {
            tracing::error!(delivery = %settlement.key, %error, "how a delivery ended cannot be written down");
            Recorded::Unavailable
        }
    };
    Event::Recorded(settlement.key, recorded)
}

/// A commit that grows.
#[derive(Debug, Default)]
struct Draft {
    commit: Commit,
    /// Destinations of reports, and when they are due.
    due: Vec<(String, Timestamp)>,
}

impl Clerk {
    async fn settle(&self, settlement: &Settlement) -> Result<(), Error> {
        let Settlement { entry, attempted, transitions, at, .. } = settlement;
        // Of a damaged row nothing is filed or reported: every attempt at it is deferred, without end.
        let reverse_path = task::reverse_path(entry).unwrap_or(ReversePath::Null);
        let settled = settle(entry, &reverse_path, attempted.as_deref(), transitions, *at);
        let Settled { changes, mut story, failed, delayed } = settled;
        let mut draft = Draft { commit: Commit { content: Vec::new(), changes }, due: Vec::new() };
        if let ReversePath::Address(sender) = &reverse_path {
            for failed in failed.chunks(REPORT_RECIPIENTS_MAX) {
                let report = self.report(&mut draft, settlement, sender, Kind::Failed, failed).await?;
                let how = format!("reported to <{sender}> by the message {report}");
                story.hop(*at, What::End { how, misuses: Vec::new() });
            }
            for delayed in delayed.chunks(REPORT_RECIPIENTS_MAX) {
                let until = self.terms.rules(&entry.destination).expiry(entry.accepted);
                let kind = Kind::Delayed { until };
                let report = self.report(&mut draft, settlement, sender, kind, delayed).await?;
                let recipients = delayed.iter().map(|reported| reported.recipient.clone()).collect();
                story.hop(*at, What::Notify { recipients, report: report.to_string() });
            }
        }
        draft.commit.changes.push(story.explanation(*at));
        self.store.commit(draft.commit).await?;
        for (destination, due) in draft.due {
            self.handle.due(&destination, due);
        }
        Ok(())
    }

    /// Adds a report to the commit that makes it necessary: neither can be there without the other. The report's queue id.
    async fn report(
        &self,
        draft: &mut Draft,
        settlement: &Settlement,
        sender: &Address,
        kind: Kind,
        recipients: &[Reported],
    ) -> Result<QueueId, Error> {
        let (entry, at) = (&settlement.entry, settlement.at);
        let queue_id = self.queue_ids.next(at);
        let header = self.header(entry).await?;
        let report = Report {
            host_name: &self.terms.host_name,
            postmaster_at: &self.postmaster_at(sender, recipients).await?,
            to: sender,
            queue_id,
            original: entry.queue_id,
            arrived: entry.accepted,
            at,
            kind,
            recipients,
            header: &header,
        };
        let bytes = Bytes::from(report.message());
        let mut story = Story::new(queue_id);
        story.hop(at, What::Spool { size: bytes.len() as u64, message_id: Some(report.message_id()) });
        draft.commit.content.push(NewContent::Inline { label: Bytes::new(), bytes });
        let mut to = vec![sender];
        if let (Kind::Failed, Some(copy)) = (kind, &self.terms.copy_reports_to) {
            to.extend(Some(copy).filter(|copy| copy.canonical() != sender.canonical()));
        }
        self.send(draft, &mut story, &to, at).await?;
        let how = format!("made here, a report about the message {}", entry.queue_id);
        story.hop(at, What::End { how, misuses: Vec::new() });
        draft.commit.changes.push(story.explanation(at));
        Ok(queue_id)
    }

    /// The header of a message. A damaged one is reported without it.
    async fn header(&self, entry: &QueueEntry) -> Result<Bytes, Error> {
        let ContentRef::Known(content) = entry.content else {
            return Err(Error::Corrupt(format!("the content of {}", entry.queue_id)));
        };
        let content = match self.store.read_content(content, 0, REPORT_HEADER_OCTETS_MAX).await {
            Ok(content) => content,
            Err(error @ Error::Corrupt(_)) => {
                tracing::error!(queue_id = %entry.queue_id, %error, "a report goes out without the header");
                Bytes::new()
            }
            Err(error) => return Err(error),
        };
        Ok([&entry.prefix[..], &content[..]].concat().into())
    }

    /// Where answers to a report reach somebody: a domain of ours that has to do with the message, or this host.
    async fn postmaster_at(&self, sender: &Address, recipients: &[Reported]) -> Result<String, Error> {
        let ours = self.directory.domains().await?;
        let is_ours = |domain: &Domain| ours.iter().any(|ours| ours == domain);
        let recipients = recipients.iter().filter_map(|reported| reported.recipient.parse::<Address>().ok());
        let hosts = std::iter::once(sender.host.clone()).chain(recipients.map(|address| address.host));
        let domains = hosts.filter_map(|host| match host {
            Host::Domain(domain) => Some(domain),
            Host::Literal(_) => None,
        });
        let found = domains.into_iter().find(is_ours);
        Ok(found.map_or_else(|| self.terms.host_name.clone(), |domain| domain.as_str().to_owned()))
    }

    /// Files the newest content of the commit for recipients here, and puts it into the queue for others, with the null
    /// reverse-path: no report is made about a report (RFC 5321 §4.5.5).
    async fn send(
        &self,
        draft: &mut Draft,
        story: &mut Story,
        to: &[&Address],
        at: Timestamp,
    ) -> Result<(), Error> {
        let content = ContentRef::New(draft.commit.content.len() - 1);
        let recipients = to.iter().map(ToString::to_string).collect();
        story.hop(at, What::Enqueue { reverse_path: String::new(), recipients });
        for &recipient in to {
            let resolution = self.directory.resolve(&ForwardPath::Address(recipient.clone())).await?;
            let destination = match resolution {
                Resolution::Recipients(accounts) => {
                    for account in accounts {
                        let (inbox, path) = (account.inbox, ReversePath::Null);
                        draft.commit.changes.push(file(inbox, content, &path, &account.address, at));
                        story.filed(at, &account.address, recipient);
                    }
                    continue;
                }
                Resolution::UnknownHere => {
                    story.hop(at, nobody(recipient));
                    continue;
                }
                Resolution::Unattended => LOCAL.to_owned(),
                Resolution::NotLocal | Resolution::HandedOn => self.terms.destinations.of(&recipient.host),
            };
            draft.enqueue(self.entry(story.queue_id, destination, recipient, content, at));
        }
        Ok(())
    }

    fn entry(
        &self,
        queue_id: QueueId,
        destination: String,
        recipient: &Address,
        content: ContentRef,
        at: Timestamp,
    ) -> QueueEntry {
        QueueEntry {
            queue_id,
            due: self.terms.rules(&destination).first_due(at),
            destination,
            virtual_server: String::new(),
            reverse_path: String::new(),
            parameters: MessageParameters::default(),
            recipients: vec![QueuedRecipient { address: recipient.to_string(), parameters: never() }],
            content,
            prefix: Bytes::new(),
            accepted: at,
            attempts: 0,
            notified: false,
            held: false,
            last: String::new(),
        }
    }
}

impl Draft {
    /// One message has one entry for each destination.
    fn enqueue(&mut self, entry: QueueEntry) {
        for change in &mut self.commit.changes {
            if let Change::Enqueue(known) = change
                && (known.queue_id, &known.destination) == (entry.queue_id, &entry.destination)
            {
                known.recipients.extend(entry.recipients);
                return;
            }
        }
        self.due.push((entry.destination.clone(), entry.due));
        self.commit.changes.push(Change::Enqueue(entry));
    }
}

/// RFC 3461 §6.1: nobody hears what becomes of a report.
fn never() -> RecipientParameters {
    RecipientParameters { notify: Some(Notify::NEVER), original: None }
}

/// A report to somebody who is not here any more: nobody is told (RFC 5321 §6.1).
fn nobody(recipient: &Address) -> What {
    What::Deliver {
        destination: LOCAL.into(),
        recipients: vec![recipient.to_string()],
        outcome: Delivered::Discarded,
        diagnostic: "5.1.1 there is no such account here".into(),
        due: None,
    }
}
