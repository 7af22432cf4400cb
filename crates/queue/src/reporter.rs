//! Puts reports into the commits that make them necessary: neither can be there without the other.
//!
//! ```text
//! what is to be reported --Report--> content, filed for a sender here, or an entry for his host; its own story
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use directory::{Directory, Resolution};
use mail::{
    Address, Domain, ForwardPath, Host, MessageParameters, Notify, QueueId, RecipientParameters, Return,
    ReversePath, Timestamp,
};
use policy::{Delivered, Story, What};
use store::change::{QueueEntry, QueuedRecipient};
use store::{Change, Commit, ContentId, ContentRef, Error, NewContent, Store};

use crate::accept::{LOCAL, ReceivedMessage, accept, file, succeeded};
use crate::diagnostic::Diagnostic;
use crate::limits::{REPORT_HEADER_OCTETS_MAX, REPORT_RECIPIENTS_MAX, REPORT_WHOLE_OCTETS_MAX};
use crate::properties::InForce;
use crate::report::{Kind, Report, Reported, Returned};
use crate::settle::Success;
use crate::{Handle, Properties, QueueIds};

/// Writes reports. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// Where originals are.
    pub store: Store,
    /// Who receives mail here.
    pub directory: Arc<Directory>,
    /// Names for reports.
    pub queue_ids: Arc<QueueIds>,
    in_force: InForce,
}

/// A commit that grows.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) commit: Commit,
    /// Destinations of reports, and when they are due.
    pub(crate) due: Vec<(String, Timestamp)>,
}

/// The message of which something is reported.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Original<'a> {
    pub(crate) queue_id: QueueId,
    /// Who took it.
    pub(crate) virtual_server: &'a str,
    /// Who gets the report.
    pub(crate) sender: &'a Address,
    pub(crate) parameters: &'a MessageParameters,
    pub(crate) accepted: Timestamp,
    /// What stands before its content.
    pub(crate) prefix: &'a [u8],
    pub(crate) content: Content<'a>,
}

/// Where the content of an original is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content<'a> {
    Here(&'a [u8]),
    Stored(ContentId),
}

/// What is reported, when, of whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finding<'a> {
    pub(crate) kind: Kind,
    pub(crate) at: Timestamp,
    /// At most [`REPORT_RECIPIENTS_MAX`].
    pub(crate) recipients: &'a [Reported],
}

impl Reporter {
    /// A reporter for whatever properties `handle` has in force.
    pub fn new(store: Store, directory: Arc<Directory>, queue_ids: Arc<QueueIds>, handle: &Handle) -> Self {
        Self { store, directory, queue_ids, in_force: handle.in_force().clone() }
    }

    /// The properties in force.
    pub(crate) fn properties(&self) -> Arc<Properties> {
        self.in_force.now()
    }

    /// The commit after which 250 may be sent: the message filed or queued, the reports of success that its sender asked for,
    /// and the explanation.
    ///
    /// # Errors
    /// The store's: records that a report needs cannot be read.
    pub async fn accept(&self, message: ReceivedMessage, mut story: Story) -> Result<Commit, Error> {
        let (queue_id, at) = (message.queue_id, message.at);
        let (sender, parameters) = (message.reverse_path.clone(), message.parameters.clone());
        let virtual_server = message.virtual_server.clone();
        let (content, successes) = (message.content.clone(), succeeded(&message));
        tell_request(&mut story, &message);
        let mut draft = Draft { commit: accept(message), due: Vec::new() };
        if let ReversePath::Address(sender) = &sender {
            let content = match &content {
                NewContent::Inline { bytes, .. } => Content::Here(bytes),
                NewContent::Staged(staged) => Content::Stored(staged.id),
            };
            let parameters = &parameters;
            let virtual_server = virtual_server.as_str();
            let original =
                Original { queue_id, virtual_server, sender, parameters, accepted: at, prefix: b"", content };
            self.successes(&mut draft, &mut story, &original, successes, at).await?;
        }
        draft.commit.changes.push(story.explanation(at));
        Ok(draft.commit)
    }

    /// Adds the reports of success, one for each way in which it came about.
    pub(crate) async fn successes(
        &self,
        draft: &mut Draft,
        story: &mut Story,
        original: &Original<'_>,
        successes: Vec<(Success, Reported)>,
        at: Timestamp,
    ) -> Result<(), Error> {
        let mut by_kind = BTreeMap::<Success, Vec<Reported>>::new();
        for (how, reported) in successes {
            by_kind.entry(how).or_default().push(reported);
        }
        for (how, reported) in by_kind {
            let kind = match how {
                Success::Delivered => Kind::Delivered,
                Success::Relayed => Kind::Relayed,
                Success::Expanded => Kind::Expanded,
            };
            self.report_all(draft, story, original, (kind, at), &reported).await?;
        }
        Ok(())
    }

    /// The reports to a sender whose message an administrator deletes, and when and where they are due. Nobody is told where
    /// there is no sender, or where he does not want it (RFC 3461 §4.1).
    ///
    /// # Errors
    /// The store's: records that a report needs cannot be read.
    pub async fn deleted(
        &self,
        entries: &[QueueEntry],
        at: Timestamp,
    ) -> Result<(Commit, Vec<(String, Timestamp)>), Error> {
        let mut draft = Draft::default();
        for entry in entries {
            let (Ok(sender), ContentRef::Known(content)) = (entry.reverse_path.parse(), entry.content) else {
                continue;
            };
            let original = Original {
                queue_id: entry.queue_id,
                virtual_server: &entry.virtual_server,
                sender: &sender,
                parameters: &entry.parameters,
                accepted: entry.accepted,
                prefix: &entry.prefix,
                content: Content::Stored(content),
            };
            let reported: Vec<Reported> =
                entry.recipients.iter().filter(|one| one.parameters.wants_failure()).map(given_up).collect();
            let mut story = Story::new(entry.queue_id);
            self.report_all(&mut draft, &mut story, &original, (Kind::Failed, at), &reported).await?;
            draft.commit.changes.push(story.explanation(at));
        }
        Ok((draft.commit, draft.due))
    }

    /// Adds as many reports as these recipients need, and tells the original's story of them.
    pub(crate) async fn report_all(
        &self,
        draft: &mut Draft,
        story: &mut Story,
        original: &Original<'_>,
        (kind, at): (Kind, Timestamp),
        reported: &[Reported],
    ) -> Result<(), Error> {
        for recipients in reported.chunks(REPORT_RECIPIENTS_MAX) {
            let report = self.report(draft, original, Finding { kind, at, recipients }).await?;
            let names = || recipients.iter().map(|reported| reported.recipient.clone()).collect();
            let sender = original.sender;
            let what = match kind {
                Kind::Delayed { .. } => What::Notify { recipients: names(), report: report.to_string() },
                _ => {
                    let how = format!("reported to <{sender}> by the message {report}");
                    What::End { how, misuses: Vec::new() }
                }
            };
            story.hop(at, what);
        }
        Ok(())
    }

    /// Adds a report to the commit. The report's queue id.
    async fn report(
        &self,
        draft: &mut Draft,
        original: &Original<'_>,
        finding: Finding<'_>,
    ) -> Result<QueueId, Error> {
        let Finding { kind, at, recipients } = finding;
        let queue_id = self.queue_ids.next(at);
        let properties = self.properties();
        let mut to = vec![original.sender];
        let copy = &properties.of(original.virtual_server).copy_reports_to;
        if let (Kind::Failed, Some(copy)) = (kind, copy) {
            to.extend(Some(copy).filter(|copy| copy.canonical() != original.sender.canonical()));
        }
        let (content, complete) = self.returned(original, kind, &to).await?;
        let report = Report {
            host_name: &properties.host_name,
            postmaster_at: &self.postmaster_at(original.sender, recipients).await?,
            to: original.sender,
            queue_id,
            original: original.queue_id,
            arrived: original.accepted,
            at,
            kind,
            recipients,
            envelope_id: original.parameters.envelope_id.as_deref(),
            utf8: original.parameters.utf8,
            returned: if complete { Returned::Whole(&content) } else { Returned::Header(&content) },
        };
        let bytes = Bytes::from(report.message());
        let mut story = Story::new(queue_id);
        story.hop(at, What::Spool { size: bytes.len() as u64, message_id: Some(report.message_id()) });
        draft.commit.content.push(NewContent::Inline { label: Bytes::new(), bytes });
        self.send(draft, &mut story, &to, at).await?;
        let how = format!("made here, a report about the message {}", original.queue_id);
        story.hop(at, What::End { how, misuses: Vec::new() });
        draft.commit.changes.push(story.explanation(at));
        Ok(queue_id)
    }

    /// What a report to these returns of the original, and whether that is all of it.
    ///
    /// What is not ASCII is returned whole only to mailboxes here: no transfer encoding may be put over a message in a
    /// message (RFC 2046 §5.2.1), and at a host without 8BITMIME the report, about which nobody is told, would be lost.
    async fn returned(
        &self,
        original: &Original<'_>,
        kind: Kind,
        to: &[&Address],
    ) -> Result<(Bytes, bool), Error> {
        let whole = kind == Kind::Failed && original.parameters.ret == Some(Return::Full);
        let (content, complete) = self.content(original, whole).await?;
        let arrives = complete && (content.is_ascii() || self.are_here(to).await?);
        Ok((content, arrives))
    }

    /// Whether all of them have mailboxes here.
    async fn are_here(&self, all: &[&Address]) -> Result<bool, Error> {
        for &one in all {
            let resolution = self.directory.resolve(&ForwardPath::Address(one.clone())).await?;
            if !matches!(resolution, Resolution::Recipients(_)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The beginning of a message with its header, or all of it if it is wanted, not too large and lines. A damaged one is
    /// reported without.
    async fn content(&self, original: &Original<'_>, whole: bool) -> Result<(Bytes, bool), Error> {
        let most = if whole { REPORT_WHOLE_OCTETS_MAX } else { REPORT_HEADER_OCTETS_MAX };
        let mut content = original.prefix.to_vec();
        let complete = match original.content {
            Content::Here(bytes) => {
                content.extend_from_slice(&bytes[..bytes.len().min(most)]);
                bytes.len() <= most
            }
            Content::Stored(id) => match self.read(&mut content, id, whole).await {
                Err(error @ Error::Corrupt(_)) => {
                    let queue_id = original.queue_id;
                    tracing::error!(%queue_id, %error, "a report goes out without the header");
                    content.clear();
                    false
                }
                read => read?,
            },
        };
        let returned = whole && complete && is_lines(&content);
        Ok((content.into(), returned))
    }

    /// Reads the whole, or the header, which is in what one read gives. Whether it is the whole for certain.
    async fn read(&self, content: &mut Vec<u8>, id: ContentId, whole: bool) -> Result<bool, Error> {
        if !whole {
            let start = self.store.read_content(id, 0, REPORT_HEADER_OCTETS_MAX).await?;
            content.extend_from_slice(&start);
            return Ok(false);
        }
        let mut offset = 0;
        while offset < REPORT_WHOLE_OCTETS_MAX {
            let max = REPORT_WHOLE_OCTETS_MAX - offset;
            let piece = self.store.read_content(id, offset as u64, max).await?;
            if piece.is_empty() {
                return Ok(true);
            }
            offset += piece.len();
            content.extend_from_slice(&piece);
        }
        Ok(self.store.read_content(id, offset as u64, 1).await?.is_empty())
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
        Ok(found.map_or_else(|| self.properties().host_name.clone(), |domain| domain.as_str().to_owned()))
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
                Resolution::NotLocal | Resolution::HandedOn => {
                    self.properties().ours().destinations.of(&recipient.host)
                }
            };
            let mut entry = self.entry(story.queue_id, destination, recipient, content, at);
            // Its text is UTF-8 for everybody if it is for one.
            entry.parameters.utf8 = to.iter().any(|one| !one.is_ascii());
            draft.enqueue(entry);
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
            due: self.properties().ours().rules(&destination).first_due(at),
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

/// RFC 3463 §3.8: 5.7.0, other security status; what it is, the administrator may tell.
fn given_up(recipient: &QueuedRecipient) -> Reported {
    let diagnostic = Diagnostic::ours((5, 7, 0), "an administrator of this server deleted the message");
    let (recipient, original) = (recipient.address.clone(), recipient.parameters.original.clone());
    Reported { recipient, original, status: diagnostic.status, diagnostic }
}

/// What the envelope asked for, for the story; nothing where it asked for nothing.
fn tell_request(story: &mut Story, message: &ReceivedMessage) {
    let mut asked = Vec::new();
    for recipient in message.recipients.iter().filter(|recipient| !recipient.parameters.is_default()) {
        let what = (recipient.named.to_string(), recipient.parameters.clone());
        if asked.last() != Some(&what) {
            asked.push(what);
        }
    }
    if let Some(what) = What::request(&message.parameters, &asked) {
        let enqueue = story.hops.iter().position(|hop| matches!(hop.what, What::Enqueue { .. }));
        let at = enqueue.unwrap_or(story.hops.len());
        story.hops.insert(at, policy::Hop { at: message.at, what, because: Vec::new() });
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

/// Whether content can stand in another message: lines that any host takes, with their ends (RFC 5322 §2.1.1).
fn is_lines(content: &[u8]) -> bool {
    content.split_inclusive(|octet| *octet == b'\n').all(|line| {
        line.strip_suffix(b"\r\n").is_some_and(|line| line.len() <= 998 && !line.contains(&b'\r'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_are_returned_whole() {
        for (content, expected) in [
            (&b"A: b\r\n\r\nx\r\n"[..], true),
            (b"A: b\r\n\r\nx", false),
            (b"A: b\r\n\nx\r\n", false),
            (b"A: b\r\n\rx\r\n", false),
        ] {
            assert_eq!(is_lines(content), expected, "{content:?}");
        }
        assert!(!is_lines(&[&[b'x'; 999][..], b"\r\n"].concat()));
    }
}
