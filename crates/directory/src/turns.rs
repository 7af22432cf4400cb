//! Whose password is hashed next: a fair queue by network.
//!
//! A hash takes some 30 ms of a processor, and whoever connects can ask for one. Networks take turns, so that one that asks
//! a thousand times waits behind itself alone. Networks from which somebody signed in lately have threads of their own, beside
//! which those of strangers give way: five hundred strange networks together do not keep them waiting.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};

use settings::Network;
use tokio::sync::oneshot;

use crate::limits::{NETWORK_WAITS_MAX, WAITS_MAX};

/// Turns of a pool of threads.
#[derive(Debug)]
pub(crate) struct Turns(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    plan: Plan<Network, oneshot::Sender<Turn>>,
}

/// The right to hash. It goes to the next with its end.
#[derive(Debug)]
pub(crate) struct Turn {
    /// None once it was taken back.
    state: Option<Arc<Mutex<State>>>,
    standing: Standing,
}

/// No room to wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Who a network is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Somebody signed in from there lately, or it is trusted.
    Known,
    /// Nobody did.
    Stranger,
}

impl Turns {
    /// Of this many threads.
    pub(crate) fn new(threads: usize) -> Self {
        Self(Arc::new(Mutex::new(State { plan: Plan::new(threads) })))
    }

    /// Waits for a turn of this network. Whoever stops waiting gives it up.
    pub(crate) async fn turn(&self, network: Network, standing: Standing) -> Result<Turn, Full> {
        let (give, given) = oneshot::channel();
        if !lock(&self.0).plan.push(network, standing, give) {
            return Err(Full);
        }
        hand_out(&self.0);
        Ok(given.await.expect("the queue outlives who waits in it, and hands out each turn"))
    }
}

/// Gives every free thread to who is next.
fn hand_out(state: &Arc<Mutex<State>>) {
    loop {
        let next = lock(state).plan.next();
        let Some((standing, give)) = next else { return };
        if let Err(mut refused) = give.send(Turn { state: Some(state.clone()), standing }) {
            // Whoever it was for has stopped waiting. Taken back here and not by its end, which would hand out the next one:
            // of thousands who stopped, each would stand on the stack.
            refused.state = None;
            lock(state).plan.end(standing);
        }
    }
}

impl Turn {
    /// Whose it is.
    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(state) = self.state.take() else { return };
        lock(&state).plan.end(self.standing);
        hand_out(&state);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("nobody panics with the lock")
}

/// Who waits, who is next, who is at it.
#[derive(Debug)]
struct Plan<K, T> {
    threads: usize,
    known: Round<K, T>,
    strangers: Round<K, T>,
    known_at_it: usize,
    strangers_at_it: usize,
}

impl<K: Eq + Hash + Clone, T> Plan<K, T> {
    fn new(threads: usize) -> Self {
        let (known, strangers) = (Round::default(), Round::default());
        Self { threads: threads.max(1), known, strangers, known_at_it: 0, strangers_at_it: 0 }
    }

    fn push(&mut self, network: K, standing: Standing, waits: T) -> bool {
        match standing {
            Standing::Known => self.known.push(network, waits),
            Standing::Stranger => self.strangers.push(network, waits),
        }
    }

    /// Who may begin now, if a thread is free for it.
    fn next(&mut self) -> Option<(Standing, T)> {
        if self.known_at_it < self.threads
            && let Some(next) = self.known.next()
        {
            self.known_at_it += 1;
            return Some((Standing::Known, next));
        }
        // As many as there are gentle workers.
        if self.strangers_at_it >= (self.threads - 1).max(1) {
            return None;
        }
        let next = self.strangers.next()?;
        self.strangers_at_it += 1;
        Some((Standing::Stranger, next))
    }

    fn end(&mut self, standing: Standing) {
        match standing {
            Standing::Known => self.known_at_it -= 1,
            Standing::Stranger => self.strangers_at_it -= 1,
        }
    }
}

/// Networks in turn, each with those who wait there in order of arrival.
#[derive(Debug)]
struct Round<K, T> {
    /// Every network of `waiting`, once.
    order: VecDeque<K>,
    waiting: HashMap<K, VecDeque<T>>,
    len: usize,
}

impl<K, T> Default for Round<K, T> {
    fn default() -> Self {
        Self { order: VecDeque::new(), waiting: HashMap::new(), len: 0 }
    }
}

impl<K: Eq + Hash + Clone, T> Round<K, T> {
    /// Whether there was room.
    fn push(&mut self, network: K, waits: T) -> bool {
        let before = self.waiting.get(&network).map_or(0, VecDeque::len);
        if self.len >= WAITS_MAX || before >= NETWORK_WAITS_MAX {
            return false;
        }
        if before == 0 {
            self.order.push_back(network.clone());
        }
        self.waiting.entry(network).or_default().push_back(waits);
        self.len += 1;
        true
    }

    fn next(&mut self) -> Option<T> {
        let network = self.order.pop_front()?;
        let queue = self.waiting.get_mut(&network).expect("a network in the order waits");
        let next = queue.pop_front().expect("a network that waits has somebody who waits");
        if queue.is_empty() {
            self.waiting.remove(&network);
        } else {
            self.order.push_back(network);
        }
        self.len -= 1;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everybody who waits, in the order of their turns, one at a time.
    fn drain(plan: &mut Plan<u16, u32>) -> Vec<u32> {
        let mut all = Vec::new();
        while let Some((standing, next)) = plan.next() {
            all.push(next);
            plan.end(standing);
        }
        all
    }

    #[test]
    fn networks_take_turns_and_the_known_go_first() {
        let mut plan = Plan::new(1);
        for who in 0..6 {
            assert!(plan.push(1, Standing::Stranger, who));
        }
        plan.push(2, Standing::Stranger, 20);
        plan.push(2, Standing::Stranger, 21);
        plan.push(3, Standing::Known, 30);
        assert_eq!(drain(&mut plan), [30, 0, 20, 1, 21, 2, 3, 4, 5]);
    }

    #[test]
    fn strangers_never_keep_the_known_waiting() {
        let mut plan = Plan::new(2);
        for network in 0..4 {
            plan.push(network, Standing::Stranger, network);
        }
        assert_eq!(plan.next(), Some((Standing::Stranger, 0)));
        assert_eq!(plan.next(), None, "they have one thread of two");
        for who in 90..93 {
            plan.push(9, Standing::Known, who);
        }
        assert_eq!(plan.next(), Some((Standing::Known, 90)));
        assert_eq!(plan.next(), Some((Standing::Known, 91)));
        assert_eq!(plan.next(), None, "all threads are at work");
        plan.end(Standing::Stranger);
        assert_eq!(plan.next(), Some((Standing::Stranger, 1)), "the others do not keep them waiting either");
        plan.end(Standing::Known);
        assert_eq!(plan.next(), Some((Standing::Known, 92)));
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut plan = Plan::new(1);
        for who in 0..NETWORK_WAITS_MAX {
            assert!(plan.push(0, Standing::Stranger, who as u32));
        }
        assert!(!plan.push(0, Standing::Stranger, 0), "a network has its bound");
        let mut others = 1..;
        while plan.strangers.len < WAITS_MAX {
            assert!(plan.push(others.next().unwrap(), Standing::Stranger, 0));
        }
        assert!(!plan.push(others.next().unwrap(), Standing::Stranger, 0), "all have theirs");
        assert!(plan.push(0, Standing::Known, 0), "which leaves room for the known");
    }

    #[tokio::test]
    async fn a_turn_ends_and_who_stopped_waiting_is_passed_over() {
        let (turns, network) = (Turns::new(1), Network::of_customer([192, 0, 2, 1].into()));
        let first = turns.turn(network, Standing::Known).await.unwrap();
        let mut gone = Box::pin(turns.turn(network, Standing::Known));
        assert!(now(&mut gone).await.is_none());
        drop(gone);
        let mut waits = Box::pin(turns.turn(network, Standing::Known));
        assert!(now(&mut waits).await.is_none());
        drop(first);
        drop(waits.await.unwrap());
        drop(turns.turn(network, Standing::Stranger).await.unwrap());
    }

    /// What a future has now.
    async fn now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }

    proptest! {
        /// Between two turns of a network that waits, every other one of its standing has one at most: nobody waits longer
        /// than the number of networks times the number of those before it in its own.
        #[test]
        fn nobody_is_overtaken_twice(arrivals in prop::collection::vec(0u16..8, 1..200)) {
            let mut plan = Plan::new(1);
            let mut waiting: HashMap<u16, usize> = HashMap::new();
            for (who, network) in arrivals.iter().enumerate() {
                if plan.push(*network, Standing::Stranger, who as u32) {
                    *waiting.entry(*network).or_default() += 1;
                }
            }
            let order: Vec<u16> = drain(&mut plan).into_iter().map(|who| arrivals[who as usize]).collect();
            prop_assert_eq!(order.len(), waiting.values().sum::<usize>());
            let mut left = waiting.clone();
            for (place, network) in order.iter().enumerate() {
                let since = order[..place].iter().rposition(|before| before == network).map_or(0, |before| before + 1);
                for other in waiting.keys().filter(|other| *other != network) {
                    let turns = order[since..place].iter().filter(|before| before == &other).count();
                    prop_assert!(turns <= 1, "{other} had {turns} turns while {network} waited");
                }
                *left.get_mut(network).unwrap() -= 1;
            }
            prop_assert!(left.values().all(|left| *left == 0));
        }
    }
}
