//! What was promised, what the peers have, and how each recipient ended: the invariants.

use std::collections::{BTreeMap, BTreeSet};

use mail::{QueueId, Timestamp};
use queue::schedule::{Bounce, Delivery, Destination, Key, RecipientId, Rules, Transition};

type Recipient = (QueueId, RecipientId);

/// A broken invariant.
pub(crate) type Violation = String;

/// Seen from outside the schedule.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    accepted: BTreeMap<Recipient, Timestamp>,
    /// Copies that peers have.
    copies: BTreeMap<Recipient, u32>,
    /// Copies that a lost reply, a crash, a cut or a lost lease excuses.
    excused: BTreeMap<Recipient, u32>,
    /// Taken by a peer in an attempt that has not been settled.
    in_doubt: BTreeMap<(usize, Key), Vec<RecipientId>>,
    refused: BTreeSet<Recipient>,
    doomed: BTreeSet<Key>,
    told: BTreeSet<Recipient>,
    ended: BTreeSet<Recipient>,
}

impl Ledger {
    pub(crate) fn accept(&mut self, delivery: &Delivery) {
        for id in &delivery.recipients {
            self.accepted.insert((delivery.key.queue_id, *id), delivery.accepted);
        }
    }

    pub(crate) fn doom(&mut self, key: &Key) {
        self.doomed.insert(key.clone());
    }

    pub(crate) fn refuse(&mut self, key: &Key, id: RecipientId) {
        self.refused.insert((key.queue_id, id));
    }

    /// A peer has taken the message for these.
    pub(crate) fn take(&mut self, node: usize, key: &Key, ids: &[RecipientId]) -> Result<(), Violation> {
        for id in ids {
            let recipient = (key.queue_id, *id);
            let copies = self.copies.entry(recipient).or_default();
            *copies += 1;
            if *copies > 1 + self.excused.get(&recipient).copied().unwrap_or(0) {
                return Err(format!("a duplicate that nothing excuses: {key} recipient {}", id.0));
            }
        }
        self.in_doubt.insert((node, key.clone()), ids.to_vec());
        Ok(())
    }

    /// The attempt's end will not be known or not be recorded; whether a peer had taken anything.
    pub(crate) fn excuse(&mut self, node: usize, key: &Key) -> bool {
        let Some(ids) = self.in_doubt.remove(&(node, key.clone())) else { return false };
        for id in &ids {
            *self.excused.entry((key.queue_id, *id)).or_default() += 1;
        }
        true
    }

    /// The node is gone, and with it what it knew; or, for one destination, its lease went to another node.
    pub(crate) fn excuse_all(&mut self, node: usize, destination: Option<&Destination>) -> bool {
        let here = |key: &Key| destination.is_none_or(|destination| key.destination == *destination);
        let in_doubt = self.in_doubt.keys().filter(|(whose, key)| *whose == node && here(key));
        let keys: Vec<Key> = in_doubt.map(|(_, key)| key.clone()).collect();
        keys.iter().filter(|key| self.excuse(node, key)).count() > 0
    }

    /// A settlement is on stable storage.
    pub(crate) fn settle(
        &mut self,
        node: usize,
        now: Timestamp,
        seen: &Delivery,
        transitions: &[Transition],
        rules: &Rules,
    ) -> Result<(), Violation> {
        self.in_doubt.remove(&(node, seen.key.clone()));
        let key = &seen.key;
        let mut named = BTreeSet::new();
        for transition in transitions {
            let ids = match transition {
                Transition::Done(ids) | Transition::Bounce(ids, _) | Transition::Deleted(ids) => ids,
                Transition::Retry { recipients, .. } => recipients,
                Transition::NotifyDelay(ids) => {
                    self.tell(key, ids)?;
                    continue;
                }
            };
            let is_end = !matches!(transition, Transition::Retry { .. });
            for id in ids {
                self.fits(now, key, *id, transition, rules)?;
                if !named.insert(*id) || (is_end && !self.ended.insert((key.queue_id, *id))) {
                    return Err(format!("a recipient ends twice: {key} recipient {}", id.0));
                }
            }
        }
        match seen.recipients.iter().find(|id| !named.contains(id)) {
            Some(id) => Err(format!("a recipient is forgotten: {key} recipient {}", id.0)),
            None => Ok(()),
        }
    }

    fn fits(
        &self,
        now: Timestamp,
        key: &Key,
        id: RecipientId,
        transition: &Transition,
        rules: &Rules,
    ) -> Result<(), Violation> {
        let recipient = (key.queue_id, id);
        let (fits, what) = match transition {
            Transition::Done(_) => (self.copies.contains_key(&recipient), "done, and no peer has it"),
            Transition::Bounce(_, Bounce::Refused) => {
                (self.refused.contains(&recipient), "bounced, and no peer refused it")
            }
            Transition::Bounce(_, Bounce::Expired) => {
                let age = now.0 - self.accepted[&recipient].0;
                (
                    u128::try_from(age).is_ok_and(|age| age >= rules.expire_after.as_millis()),
                    "expired before its time",
                )
            }
            Transition::Deleted(_) => (self.doomed.contains(key), "deleted, and nobody said so"),
            Transition::Retry { .. } | Transition::NotifyDelay(_) => (true, ""),
        };
        if fits { Ok(()) } else { Err(format!("{what}: {key} recipient {}", id.0)) }
    }

    fn tell(&mut self, key: &Key, ids: &[RecipientId]) -> Result<(), Violation> {
        match ids.iter().find(|id| !self.told.insert((key.queue_id, **id))) {
            Some(id) => Err(format!("told of its delay twice: {key} recipient {}", id.0)),
            None => Ok(()),
        }
    }

    /// At the end everybody has ended.
    pub(crate) fn conclude(&self) -> Result<(), Violation> {
        match self.accepted.keys().find(|recipient| !self.ended.contains(recipient)) {
            Some((queue_id, id)) => Err(format!(
                "a recipient never ends, neither drained nor expired: {queue_id} recipient {}",
                id.0
            )),
            None => Ok(()),
        }
    }
}
