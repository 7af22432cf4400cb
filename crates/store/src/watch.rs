//! News: "mailbox M of your account is at mod-sequence S". It merges; whoever is told asks what changed.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};

use mail::ModSeq;

/// Mailboxes that changed since the last time, by id, with where they are now. A mod-sequence of 0: the mailbox was
/// made, renamed or removed.
pub type News = BTreeMap<i64, ModSeq>;

/// Tells of changes in the mailboxes of one account, from the moment it was made.
#[derive(Debug)]
pub struct Watch {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    news: News,
    waker: Option<Waker>,
}

impl Watch {
    /// Waits for news and takes them. Cancellation safe: what was not taken stays.
    pub async fn changed(&mut self) -> News {
        poll_fn(|cx| self.poll_changed(cx)).await
    }

    /// Takes the news, if there are any; else the task is woken when there are.
    pub fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        let mut state = self.state.lock().expect("no holder panics");
        if !state.news.is_empty() {
            return Poll::Ready(std::mem::take(&mut state.news));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Who watches what, and how often the mailboxes of accounts changed.
#[derive(Debug)]
pub(crate) struct Watchers {
    by_account: Mutex<BTreeMap<i64, Vec<Weak<Mutex<State>>>>>,
    /// Each counts the changes of several accounts.
    generations: [AtomicU64; GENERATIONS],
}

/// Enough that the traffic of others seldom counts as a change of one's own mailboxes.
const GENERATIONS: usize = 1024;

impl Default for Watchers {
    fn default() -> Self {
        Self { by_account: Mutex::default(), generations: [const { AtomicU64::new(0) }; GENERATIONS] }
    }
}

impl Watchers {
    /// Goes up after each commit that changed mailboxes of this account, before anybody is told of it.
    pub(crate) fn generation(&self, account: i64) -> u64 {
        self.counter(account).load(Ordering::Acquire)
    }

    fn counter(&self, account: i64) -> &AtomicU64 {
        &self.generations[account.unsigned_abs() as usize % GENERATIONS]
    }

    pub(crate) fn watch(&self, account: i64) -> Watch {
        let state = Arc::new(Mutex::new(State::default()));
        let mut by_account = self.by_account.lock().expect("no holder panics");
        let watchers = by_account.entry(account).or_default();
        watchers.retain(|watcher| watcher.strong_count() > 0);
        watchers.push(Arc::downgrade(&state));
        Watch { state }
    }

    /// Tells everybody who watches one of these accounts.
    pub(crate) fn tell(&self, changed: &BTreeMap<i64, News>) {
        for account in changed.keys() {
            self.counter(*account).fetch_add(1, Ordering::Release);
        }
        let mut by_account = self.by_account.lock().expect("no holder panics");
        for (account, news) in changed {
            let Some(watchers) = by_account.get_mut(account) else { continue };
            watchers.retain(|watcher| watcher.upgrade().map(|state| tell_one(&state, news)).is_some());
            if watchers.is_empty() {
                by_account.remove(account);
            }
        }
    }
}

fn tell_one(state: &Mutex<State>, news: &News) {
    let mut state = state.lock().expect("no holder panics");
    state.news.extend(news);
    if let Some(waker) = state.waker.take() {
        waker.wake();
    }
}
