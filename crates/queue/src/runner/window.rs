//! What the runner keeps of each delivery in its window: the row as it was drawn, the attempt, how that ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use store::change::QueueEntry;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::agent::{Attempted, Word};
use crate::schedule::{Destination, Key};

/// A delivery that is attempted or being settled.
#[derive(Debug)]
pub(super) struct Work {
    /// The row as it was drawn.
    pub(super) entry: Arc<QueueEntry>,
    /// How the attempt ended; none before, and none of a delivery that is deleted without one.
    pub(super) attempted: Option<Arc<Attempted>>,
    attempt: Option<Running>,
}

/// An attempt under way; dropped, it is gone.
#[derive(Debug)]
pub(super) struct Running {
    /// Which attempt of this process.
    pub(super) number: u64,
    cut: watch::Sender<Word>,
    task: Option<JoinHandle<()>>,
}

impl Running {
    /// An attempt, which ends with this value.
    pub(super) fn new(number: u64, cut: watch::Sender<Word>, task: JoinHandle<()>) -> Self {
        Self { number, cut, task: Some(task) }
    }

    /// What it was told before and is more counts. If nobody listens, it is ending by itself.
    fn tell(&self, word: Word) {
        self.cut.send_modify(|told| *told = word.max(*told));
    }

    /// The attempt ends by itself.
    fn leave(mut self) {
        self.task = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// The rows that were drawn and may start, and the deliveries under way.
#[derive(Debug, Default)]
pub(super) struct Window {
    drawn: BTreeMap<Key, Arc<QueueEntry>>,
    under_way: BTreeMap<Key, Work>,
}

impl Window {
    /// Remembers a row that was read. One under way stays as it was when it began.
    pub(super) fn put(&mut self, key: Key, entry: QueueEntry) {
        if !self.under_way.contains_key(&key) {
            self.drawn.insert(key, Arc::new(entry));
        }
    }

    /// The row that starts now.
    pub(super) fn take(&mut self, key: &Key) -> Option<Arc<QueueEntry>> {
        self.drawn.remove(key)
    }

    /// An attempt has begun.
    pub(super) fn start(&mut self, key: Key, entry: Arc<QueueEntry>, running: Running) {
        self.under_way.insert(key, Work { entry, attempted: None, attempt: Some(running) });
    }

    /// An attempt steps back: it was none, and its row may start again.
    pub(super) fn step_back(&mut self, key: &Key, number: u64) {
        if self.is_running(key, number)
            && let Some(work) = self.under_way.remove(key)
        {
            self.drawn.insert(key.clone(), work.entry.clone());
            // Its task ends by itself; to abort it would break a session off in the middle.
            if let Some(running) = work.attempt {
                running.leave();
            }
        }
    }

    /// An attempt has ended; its delivery, if it was under way.
    pub(super) fn ended(&mut self, key: &Key, number: u64, attempted: Attempted) -> Option<&Work> {
        if !self.is_running(key, number) {
            return None;
        }
        let work = self.under_way.get_mut(key)?;
        work.attempted = Some(Arc::new(attempted));
        if let Some(running) = work.attempt.take() {
            running.leave();
        }
        Some(work)
    }

    /// What is to be settled; a delivery that is deleted before an attempt comes under way by it.
    pub(super) fn settle(&mut self, key: &Key) -> Option<&Work> {
        if let Some(entry) = self.drawn.remove(key) {
            let work = Work { entry, attempted: None, attempt: None };
            self.under_way.entry(key.clone()).or_insert(work);
        }
        self.under_way.get(key)
    }

    /// It is settled.
    pub(super) fn settled(&mut self, key: &Key) {
        self.under_way.remove(key);
    }

    /// Tells an attempt to end at once.
    pub(super) fn cut(&self, key: &Key) {
        if let Some(running) = self.under_way.get(key).and_then(|work| work.attempt.as_ref()) {
            running.tell(Word::End);
        }
    }

    /// Tells all attempts that the server stops.
    pub(super) fn stop_all(&self) {
        let running = self.under_way.values().filter_map(|work| work.attempt.as_ref());
        running.for_each(|running| running.tell(Word::Stop));
    }

    /// Tells all attempts to end at once.
    pub(super) fn cut_all(&self) {
        self.under_way.keys().for_each(|key| self.cut(key));
    }

    /// Forgets the rows of a destination.
    pub(super) fn forget(&mut self, destination: &Destination) {
        let from = Key { destination: destination.clone(), queue_id: mail::QueueId(0) };
        let here = self.drawn.range(from..).take_while(|(key, _)| key.destination == *destination);
        let here: Vec<Key> = here.map(|(key, _)| key.clone()).collect();
        for key in here {
            self.drawn.remove(&key);
        }
    }

    /// Forgets rows that went back to the store, when there are more than `most`.
    pub(super) fn forget_all_but(&mut self, most: usize, waits: impl Fn(&Key) -> bool) {
        if self.drawn.len() > most {
            self.drawn.retain(|key, _| waits(key));
        }
    }

    /// Whether this attempt is the one under way.
    pub(super) fn is_running(&self, key: &Key, number: u64) -> bool {
        let running = self.under_way.get(key).and_then(|work| work.attempt.as_ref());
        running.is_some_and(|running| running.number == number)
    }

    /// Whether nothing is attempted or being settled.
    pub(super) fn is_quiet(&self) -> bool {
        self.under_way.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use mail::{QueueId, Timestamp};
    use store::{ContentId, ContentRef};

    use super::*;

    fn key(destination: &str, number: u64) -> Key {
        Key { destination: destination.into(), queue_id: QueueId(number) }
    }

    fn entry(number: u64) -> QueueEntry {
        QueueEntry {
            queue_id: QueueId(number),
            destination: "a".into(),
            virtual_server: String::new(),
            reverse_path: String::new(),
            parameters: mail::MessageParameters::default(),
            recipients: vec!["bob@a.example".into()],
            content: ContentRef::Known(ContentId { segment: 1, offset: 64 }),
            prefix: bytes::Bytes::new(),
            accepted: Timestamp(0),
            due: Timestamp(0),
            attempts: 0,
            notified: false,
            held: false,
            last: String::new(),
        }
    }

    fn attempted() -> Attempted {
        Attempted { outcomes: Vec::new(), hops: Vec::new() }
    }

    /// A window with one attempt under way, and the receiver of its cut.
    async fn started(number: u64) -> (Window, watch::Receiver<Word>) {
        let mut window = Window::default();
        window.put(key("a", 1), entry(1));
        let row = window.take(&key("a", 1)).unwrap();
        let (cut, told) = watch::channel(Word::GoOn);
        let task = world::Workers::Inline.spawn(std::future::pending());
        window.start(key("a", 1), row, Running::new(number, cut, task));
        (window, told)
    }

    #[tokio::test]
    async fn an_attempt_ends_once_and_only_the_one_under_way() {
        let (mut window, told) = started(7).await;
        assert!(window.take(&key("a", 1)).is_none() && !window.is_quiet());
        window.stop_all();
        assert_eq!(*told.borrow(), Word::Stop);
        window.cut(&key("a", 1));
        window.stop_all();
        assert_eq!(*told.borrow(), Word::End);
        assert!(window.ended(&key("a", 1), 6, attempted()).is_none());
        assert!(window.ended(&key("a", 1), 7, attempted()).is_some());
        assert!(window.ended(&key("a", 1), 7, attempted()).is_none());
        assert!(window.settle(&key("a", 1)).unwrap().attempted.is_some());
        window.settled(&key("a", 1));
        assert!(window.is_quiet());
    }

    #[tokio::test]
    async fn who_steps_back_may_start_again() {
        let (mut window, _told) = started(7).await;
        window.step_back(&key("a", 1), 6);
        assert!(window.is_running(&key("a", 1), 7));
        window.step_back(&key("a", 1), 7);
        assert!(window.is_quiet() && window.take(&key("a", 1)).is_some());
    }

    #[tokio::test]
    async fn a_row_under_way_stays_as_it_began() {
        let (mut window, _told) = started(7).await;
        window.put(key("a", 1), QueueEntry { attempts: 9, ..entry(1) });
        assert_eq!(window.settle(&key("a", 1)).unwrap().entry.attempts, 0);
    }

    #[test]
    fn rows_are_forgotten_by_destination_or_when_there_are_too_many() {
        let mut window = Window::default();
        for (destination, number) in [("a", 1), ("a", 2), ("b", 3), ("c", 4)] {
            window.put(key(destination, number), entry(number));
        }
        window.forget(&"a".into());
        window.forget_all_but(2, |_| false);
        assert!(window.take(&key("a", 2)).is_none() && window.take(&key("b", 3)).is_some());
        window.forget_all_but(0, |_| false);
        assert!(window.take(&key("c", 4)).is_none());
    }
}
