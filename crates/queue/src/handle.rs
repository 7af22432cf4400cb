//! How the rest of the program tells the runner that the queue has changed.
//!
//! A hint, never the truth: what is told was written to the store before, and a survey finds it a minute later if nobody
//! tells. So news merges, and too much of it becomes "read this destination again".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use mail::Timestamp;
use tokio::sync::Notify;

use crate::limits::{DESTINATIONS_MAX, NEWS_MAX};
use crate::properties::{InForce, Properties};
use crate::schedule::{Destination, Key, News};

/// Tells the runner. Cheap to clone and to call; nothing waits.
#[derive(Debug, Clone)]
pub struct Handle {
    inbox: Arc<Inbox>,
    in_force: InForce,
}

#[derive(Debug, Default)]
struct Inbox {
    unread: Mutex<Unread>,
    changed: Notify,
}

/// What was told since the runner last looked.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    due: BTreeMap<String, Timestamp>,
    news: Vec<News>,
    /// Destinations of which there was more than [`NEWS_MAX`] leaves room for.
    again: BTreeSet<Destination>,
    /// Whether the properties changed.
    applied: bool,
}

impl Handle {
    /// A queue that delivers by these properties.
    pub fn new(properties: Arc<Properties>) -> Self {
        Self { inbox: Arc::default(), in_force: InForce::new(properties) }
    }

    /// These properties hold from the next attempt on. What is under way ends as it began.
    pub fn apply(&self, properties: Arc<Properties>) {
        self.in_force.replace(properties);
        self.unread().applied = true;
        self.inbox.changed.notify_one();
    }

    /// The properties in force.
    pub fn properties(&self) -> Arc<Properties> {
        self.in_force.now()
    }

    /// The same for whoever asks again and again.
    pub(crate) fn in_force(&self) -> &InForce {
        &self.in_force
    }

    /// The properties, if they changed since this was asked.
    pub(crate) fn take_applied(&self) -> Option<Arc<Properties>> {
        std::mem::take(&mut self.unread().applied).then(|| self.properties())
    }

    /// Something of this destination is due then: accepted, released, to be tried now. Written to the store before.
    pub fn due(&self, destination: &str, at: Timestamp) {
        self.unread().due(destination, at);
        self.inbox.changed.notify_one();
    }

    /// What an administrator changed, after it was written to the store.
    pub fn tell(&self, news: News) {
        self.unread().tell(news);
        self.inbox.changed.notify_one();
    }

    /// Waits until there is something unread. Cancellation-safe.
    pub(crate) async fn changed(&self) {
        self.inbox.changed.notified().await;
    }

    fn unread(&self) -> MutexGuard<'_, Unread> {
        self.inbox.unread.lock().expect("no holder panics")
    }

    /// Takes what is unread.
    pub(crate) fn read(&self) -> Unread {
        let mut unread = self.unread();
        let applied = unread.applied;
        std::mem::replace(&mut *unread, Unread { applied, ..Unread::default() })
    }
}

impl Unread {
    fn due(&mut self, destination: &str, at: Timestamp) {
        if let Some(due) = self.due.get_mut(destination) {
            *due = at.min(*due);
        } else if self.due.len() < DESTINATIONS_MAX {
            self.due.insert(destination.to_owned(), at);
        }
        // What is left out, the next survey finds.
    }

    fn tell(&mut self, news: News) {
        if let News::Due(destination, at) = news {
            self.due(destination.as_str(), at);
        } else if self.news.len() < NEWS_MAX {
            self.news.push(news);
        } else if self.again.len() < DESTINATIONS_MAX {
            self.again.insert(destination(news));
        }
    }

    /// As the schedule is told it. A destination that was told of too often goes back to the store as a whole: what is read
    /// there again is as the administrator left it.
    pub(crate) fn into_news(self, now: Timestamp) -> impl Iterator<Item = News> {
        let due = self.due.into_iter().map(|(name, at)| News::Due(Destination::from(name.as_str()), at));
        let again = self.again.into_iter().flat_map(move |destination| {
            [News::DestinationHeld(destination.clone()), News::DestinationReleased(destination, now)]
        });
        due.chain(self.news).chain(again)
    }
}

fn destination(news: News) -> Destination {
    match news {
        News::Held(Key { destination, .. }) | News::Doomed(Key { destination, .. }) => destination,
        News::Due(destination, _)
        | News::DestinationHeld(destination)
        | News::DestinationReleased(destination, _) => destination,
    }
}

#[cfg(test)]
mod tests {
    use mail::QueueId;

    use super::*;

    fn handle() -> Handle {
        let settings = settings::resolve("host-name = 'mx.example.org'").unwrap();
        Handle::new(Arc::new(Properties::without_network(&settings)))
    }

    fn told(handle: &Handle) -> Vec<News> {
        handle.read().into_news(Timestamp(9)).collect()
    }

    #[test]
    fn dues_of_one_destination_become_the_earliest() {
        let handle = handle();
        for at in [7, 3, 5] {
            handle.due("example.net", Timestamp(at));
        }
        handle.tell(News::Due("example.net".into(), Timestamp(4)));
        assert!(matches!(&told(&handle)[..], [News::Due(to, Timestamp(3))] if to.as_str() == "example.net"));
        assert!(told(&handle).is_empty());
    }

    #[test]
    fn what_is_too_much_becomes_reading_again() {
        let handle = handle();
        for number in 0..NEWS_MAX as u64 + 5 {
            handle.tell(News::Held(Key { destination: "example.net".into(), queue_id: QueueId(number) }));
        }
        let told = told(&handle);
        assert_eq!(told.len(), NEWS_MAX + 2);
        assert!(matches!(
            &told[NEWS_MAX..],
            [News::DestinationHeld(_), News::DestinationReleased(_, Timestamp(9))]
        ));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_by_what_was_told_before() {
        let handle = handle();
        handle.due("example.net", Timestamp(1));
        handle.changed().await;
    }
}
