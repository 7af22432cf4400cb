//! Writes down how a delivery ended: one commit with what is filed, what waits on, what is reported, and the story.

use std::sync::Arc;

use mail::{Address, ReversePath, Timestamp};
use policy::{Story, What};
use store::change::QueueEntry;
use store::{Commit, ContentRef, Error};
use world::World;

use super::task::{self, Event};
use crate::Handle;
use crate::agent::Attempted;
use crate::badmail::{self, Badmail};
use crate::limits::STORE_PAUSE;
use crate::report::Kind;
use crate::reporter::{Content, Draft, Original, Reporter};
use crate::schedule::{Key, Recorded, Transition};
use crate::settle::{Settled, settle};

/// What settlements need of the program.
#[derive(Debug)]
pub(super) struct Clerk {
    pub(super) world: World,
    pub(super) reporter: Reporter,
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

impl Clerk {
    async fn settle(&self, settlement: &Settlement) -> Result<(), Error> {
        let Settlement { entry, attempted, transitions, at, .. } = settlement;
        // Of a damaged row nothing is filed or reported: every attempt at it is deferred, without end.
        let reverse_path = task::reverse_path(entry).unwrap_or(ReversePath::Null);
        let settled = settle(entry, &reverse_path, attempted.as_deref(), transitions, *at);
        let Settled { changes, mut story, failed, delayed, succeeded } = settled;
        let mut draft = Draft { commit: Commit { content: Vec::new(), changes }, due: Vec::new() };
        if let ReversePath::Address(sender) = &reverse_path {
            let (reporter, original) = (&self.reporter, original(entry, sender)?);
            let (draft, story) = (&mut draft, &mut story);
            reporter.report_all(draft, story, &original, (Kind::Failed, *at), &failed).await?;
            let properties = self.reporter.properties();
            let rules = properties.of(&entry.virtual_server).rules(&entry.destination);
            let until = rules.expiry(entry.accepted);
            let late = (Kind::Delayed { until }, *at);
            reporter.report_all(draft, story, &original, late, &delayed).await?;
            reporter.successes(draft, story, &original, succeeded, *at).await?;
        } else {
            self.keep_badmail(settlement, &mut story).await;
        }
        draft.commit.changes.push(story.explanation(*at));
        self.reporter.store.commit(draft.commit).await?;
        for (destination, due) in draft.due {
            self.handle.due(&destination, due);
        }
        Ok(())
    }
}

impl Clerk {
    /// What has no sender to be told of it is kept for the administrator. Where that fails, it goes as it would without.
    async fn keep_badmail(&self, settlement: &Settlement, story: &mut Story) {
        let Settlement { entry, attempted, transitions, at, .. } = settlement;
        let Some(badmail) = Badmail::of(entry, attempted.as_deref(), transitions, *at) else { return };
        let (store, workers) = (&self.reporter.store, &self.world.workers);
        let directory = self.reporter.properties().badmail.clone();
        let directory = directory.unwrap_or_else(|| badmail::directory(store.path()));
        let how = match badmail.keep(store, workers, &directory).await {
            Ok(name) => format!("it could not be returned and is kept as badmail: {name}"),
            Err(error) => {
                tracing::error!(queue_id = %entry.queue_id, %error, "badmail cannot be kept");
                "it could not be returned, and not be kept as badmail".to_owned()
            }
        };
        story.hop(*at, What::End { how, misuses: Vec::new() });
    }
}

fn original<'a>(entry: &'a QueueEntry, sender: &'a Address) -> Result<Original<'a>, Error> {
    let ContentRef::Known(content) = entry.content else {
        return Err(Error::Corrupt(format!("the content of {}", entry.queue_id)));
    };
    Ok(Original {
        queue_id: entry.queue_id,
        virtual_server: &entry.virtual_server,
        sender,
        parameters: &entry.parameters,
        accepted: entry.accepted,
        prefix: &entry.prefix,
        content: Content::Stored(content),
    })
}
