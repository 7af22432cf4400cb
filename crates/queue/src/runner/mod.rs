//! Works the queue: takes what is due, has the agent attempt it, commits what that changes.
//!
//! One runner a process. An entry is attempted by one attempt at a time, because the runner waits for each round.

use std::sync::Arc;
use std::time::Duration;

use directory::Directory;
use mail::{Address, ForwardPath, QueueId, ReversePath, Timestamp};
use store::change::QueueEntry;
use store::{Change, Commit, ContentRef, Error, NewContent, Store};
use tokio::sync::watch;
use world::World;

use crate::accept::{LOCAL, file, path_text};
use crate::agent::local::{self, Magic};
use crate::agent::{Attempt, Cut, Diagnostic, Ended, Outcome};
use crate::limits::{DUE_ENTRIES_MAX, LOCAL_EXPIRATION, REPORT_HEADER_OCTETS_MAX, SLEEP_MAX};
use crate::report::{FailedRecipient, Report};
use crate::settle::settle;
use crate::{Agents, Handle, QueueIds};

pub mod gate;
mod terms;

pub use gate::Gate;
pub use terms::Terms;

/// The queue's worker.
#[derive(Debug)]
pub struct Runner {
    /// Time and dice.
    pub world: World,
    /// Where the queue is.
    pub store: Store,
    /// Who receives mail here.
    pub directory: Arc<Directory>,
    /// Names for reports.
    pub queue_ids: Arc<QueueIds>,
    /// Who makes attempts.
    pub agents: Arc<Agents>,
    /// What the settings say.
    pub terms: Terms,
    /// Where the rest of the program tells what has changed; it keeps a clone.
    pub handle: Handle,
}

impl Runner {
    /// Works until told to stop. An attempt under way is finished first; dropped in the middle of one, the entry stays in
    /// the queue as it was.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            let pause = match self.round().await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::error!(%error, "the queue cannot be worked");
                    SLEEP_MAX
                }
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.handle.changed() => {}
                () = self.world.clock.sleep(pause) => {}
            }
        }
    }

    /// Attempts everything that is due; how long there is nothing to do afterwards. An entry that cannot be worked, because
    /// it is damaged or something changed meanwhile, stays as it is and holds up no other.
    async fn round(&self) -> Result<Duration, Error> {
        loop {
            let now = self.world.clock.wall();
            let due = self.store.queue_due(now, DUE_ENTRIES_MAX).await?;
            if due.is_empty() {
                let next = self.store.queue_next_due().await?;
                return Ok(next.map_or(SLEEP_MAX, |next| until(now, next)));
            }
            let mut failures = 0;
            for entry in due {
                let queue_id = entry.queue_id;
                if let Err(error) = self.attempt(entry).await {
                    tracing::error!(%queue_id, %error, "a delivery could not be attempted");
                    failures += 1;
                }
            }
            if failures > 0 {
                return Ok(SLEEP_MAX);
            }
        }
    }

    async fn attempt(&self, entry: QueueEntry) -> Result<(), Error> {
        let now = self.world.clock.wall();
        if !entry.destination.starts_with(LOCAL) {
            return self.keep_waiting(entry, now).await;
        }
        let recipients: Vec<Address> =
            entry.recipients.iter().map(|text| recipient(&entry, text)).collect::<Result<_, _>>()?;
        let reverse_path = reverse_path(&entry)?;
        let attempt = Attempt {
            entry: Arc::new(entry.clone()),
            reverse_path: reverse_path.clone(),
            recipients: recipients.clone(),
            number: entry.attempts.saturating_add(1),
        };
        let Ended::Attempted(attempted) = self.agents.attempt(attempt, Gate::open(), Cut::never()).await
        else {
            return Ok(());
        };
        let outcomes = recipients.into_iter().zip(attempted.outcomes).collect();
        let settled = settle(&entry, &reverse_path, outcomes, now);
        let (mut commit, mut story) =
            (Commit { content: Vec::new(), changes: settled.changes }, settled.story);
        if let (ReversePath::Address(sender), false) = (&reverse_path, settled.report.is_empty()) {
            let report = self.report(&entry, sender, &settled.report, now, &mut commit).await?;
            let how = format!("reported to <{sender}> by the message {report}");
            story.hop(now, policy::What::End { how, misuses: Vec::new() });
        }
        commit.changes.push(story.explanation(now));
        self.store.commit(commit).await.map(drop)
    }

    /// Adds the report to the commit that gives up on its recipients: neither can be there without the other. The report's
    /// own queue id.
    async fn report(
        &self,
        entry: &QueueEntry,
        sender: &Address,
        failed: &[FailedRecipient],
        now: Timestamp,
        commit: &mut Commit,
    ) -> Result<QueueId, Error> {
        let ContentRef::Known(content) = entry.content else {
            return Err(Error::Corrupt(format!("the content of {}", entry.queue_id)));
        };
        let header = self.store.read_content(content, 0, REPORT_HEADER_OCTETS_MAX).await?;
        let queue_id = self.queue_ids.next(now);
        let report = Report {
            host_name: &self.terms.host_name,
            to: sender,
            queue_id,
            original: entry.queue_id,
            arrived: entry.accepted,
            at: now,
            failed,
            header: &header,
        };
        commit
            .content
            .push(NewContent::Inline { label: bytes::Bytes::new(), bytes: report.message().into() });
        let content = ContentRef::New(commit.content.len() - 1);
        let resolution = self.directory.resolve(&ForwardPath::Address(sender.clone())).await?;
        let mut story = policy::Story::new(queue_id);
        let what =
            policy::What::Enqueue { reverse_path: String::new(), recipients: vec![sender.to_string()] };
        story.hop(now, what);
        match local::attempt(sender, resolution, Magic::Off) {
            Outcome::Filed { mailboxes } => {
                for (mailbox, address) in mailboxes {
                    commit.changes.push(file(mailbox, content, &ReversePath::Null, &address, now));
                    story.filed(now, &address, sender);
                }
            }
            Outcome::Relayed(because) | Outcome::Deferred(because) | Outcome::Failed(because) => {
                commit.changes.push(Change::Enqueue(waiting_report(queue_id, sender, content, now)));
                story.hop(now, waits(sender, &because));
            }
        }
        commit.changes.push(story.explanation(now));
        Ok(queue_id)
    }

    /// What must leave this host stays in the queue: nothing is relayed yet, and nothing is lost.
    async fn keep_waiting(&self, entry: QueueEntry, now: Timestamp) -> Result<(), Error> {
        let QueueEntry { queue_id, destination, attempts, last, .. } = entry;
        let due = later(now);
        let change = Change::Defer { queue_id, destination, due, attempts, last };
        self.store.commit(Commit { content: Vec::new(), changes: vec![change] }).await.map(drop)
    }
}

/// A recipient that cannot be read is never left out: its mail would be lost without a word.
fn recipient(entry: &QueueEntry, text: &str) -> Result<Address, Error> {
    text.parse().map_err(|_| Error::Corrupt(format!("a recipient of {}", entry.queue_id)))
}

fn reverse_path(entry: &QueueEntry) -> Result<ReversePath, Error> {
    if entry.reverse_path.is_empty() {
        return Ok(ReversePath::Null);
    }
    let address = entry.reverse_path.parse();
    address
        .map(ReversePath::Address)
        .map_err(|_| Error::Corrupt(format!("the reverse-path of {}", entry.queue_id)))
}

/// A report to somebody elsewhere, until mail can be sent there.
fn waiting_report(queue_id: QueueId, to: &Address, content: ContentRef, now: Timestamp) -> QueueEntry {
    QueueEntry {
        queue_id,
        destination: to.host.to_string(),
        virtual_server: String::new(),
        reverse_path: path_text(&ReversePath::Null),
        recipients: vec![to.to_string()],
        content,
        prefix: bytes::Bytes::new(),
        accepted: now,
        due: later(now),
        attempts: 0,
        notified: false,
        held: false,
        last: "mail to other hosts is not sent yet".into(),
    }
}

fn waits(to: &Address, because: &Diagnostic) -> policy::What {
    policy::What::Deliver {
        destination: to.host.to_string(),
        recipients: vec![to.to_string()],
        outcome: policy::Delivered::Queued,
        diagnostic: format!("{} {}; it waits in the queue", because.status, because.because),
        due: None,
    }
}

fn later(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_add(i64::try_from(LOCAL_EXPIRATION.as_millis()).unwrap_or(i64::MAX)))
}

fn until(now: Timestamp, next: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(next.0.saturating_sub(now.0)).unwrap_or(0)).min(SLEEP_MAX)
}
