//! What never changes of an email: where it lies, and what was read of it. A mailbox's number and a UID name an email for
//! ever, so what is kept here is never wrong, and may be dropped at any time.
//!
//! ```text
//! packs of 256 consecutive UIDs: Facts { date, size, prefix, content | header, envelope, structure once they were needed }
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use mail::message::{EnvelopeFields, Part};
use mail::{Timestamp, Uid, UidSet};
use store::content::ContentId;
use store::read::EmailRecord;

use crate::error::Result;
use crate::view::Open;
use crate::{limits, weight};

/// What never changes of an email.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) uid: Uid,
    pub(crate) date: Timestamp,
    /// Octets of prefix and content together.
    pub(crate) size: u64,
    pub(crate) prefix: Bytes,
    pub(crate) content: ContentId,
    pub(crate) header: OnceLock<Bytes>,
    pub(crate) envelope: OnceLock<Arc<EnvelopeFields>>,
    pub(crate) structure: OnceLock<Arc<Part>>,
}

impl Facts {
    fn new(record: EmailRecord) -> Self {
        Self {
            uid: record.uid,
            date: record.date,
            size: record.size,
            prefix: record.prefix,
            content: record.content,
            header: OnceLock::new(),
            envelope: OnceLock::new(),
            structure: OnceLock::new(),
        }
    }

    /// Octets of memory, about.
    fn weight(&self) -> usize {
        let envelope = self.envelope.get().map_or(0, |envelope| 400 + weight::of_envelope(envelope));
        let structure = self.structure.get().map_or(0, |part| 4 * weight::of_part(part));
        size_of::<Self>() + self.prefix.len() + self.header.get().map_or(0, Bytes::len) + envelope + structure
    }
}

/// The packs that are kept. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packs(Arc<Mutex<Kept>>);

/// A mailbox, and UIDs divided by 256.
type Key = (i64, u32);

#[derive(Debug, Default)]
struct Kept {
    packs: BTreeMap<Key, Pack>,
    /// Packs by when they were used last.
    order: BTreeMap<u64, Key>,
    uses: u64,
    octets: usize,
}

#[derive(Debug, Default)]
struct Pack {
    used: u64,
    octets: usize,
    facts: BTreeMap<u32, Arc<Facts>>,
}

fn key(mailbox: i64, uid: Uid) -> Key {
    (mailbox, uid.0 / 256)
}

impl Packs {
    /// What is kept of these, in their order.
    fn find(&self, mailbox: i64, uids: impl Iterator<Item = Uid>) -> Vec<Option<Arc<Facts>>> {
        let mut kept = self.0.lock().expect("no holder panics");
        let mut last = None;
        let mut found = Vec::new();
        for uid in uids {
            let key = key(mailbox, uid);
            if last != Some(key) {
                kept.touch(key);
                last = Some(key);
            }
            found.push(kept.packs.get(&key).and_then(|pack| pack.facts.get(&uid.0).cloned()));
        }
        found
    }

    /// Keeps these, or takes note that more is known of them.
    pub(crate) fn keep<'f>(&self, mailbox: i64, facts: impl Iterator<Item = &'f Arc<Facts>>) {
        let mut kept = self.0.lock().expect("no holder panics");
        let mut keys = Vec::new();
        for one in facts {
            let key = key(mailbox, one.uid);
            kept.packs.entry(key).or_default().facts.insert(one.uid.0, one.clone());
            if keys.last() != Some(&key) {
                keys.push(key);
            }
        }
        for key in keys {
            kept.weigh(key);
        }
        kept.shrink();
    }
}

impl Kept {
    fn touch(&mut self, key: Key) {
        if let Some(pack) = self.packs.get_mut(&key) {
            self.uses += 1;
            self.order.remove(&pack.used);
            pack.used = self.uses;
            self.order.insert(self.uses, key);
        }
    }

    fn weigh(&mut self, key: Key) {
        if let Some(pack) = self.packs.get_mut(&key) {
            let octets = size_of::<Pack>() + pack.facts.values().map(|facts| facts.weight()).sum::<usize>();
            self.octets = self.octets - pack.octets + octets;
            pack.octets = octets;
        }
        self.touch(key);
    }

    /// Forgets the packs that were not used for longest.
    fn shrink(&mut self) {
        while self.octets > limits::FACTS_OCTETS_MAX
            && let Some((_, key)) = self.order.pop_first()
        {
            self.octets -= self.packs.remove(&key).map_or(0, |pack| pack.octets);
        }
    }
}

impl Open {
    /// The facts of these emails, at most [`limits::ANSWER_ROWS_MAX`], in their order; none of one that is gone.
    pub(crate) async fn facts(&self, uids: &[Uid]) -> Result<Vec<Option<Arc<Facts>>>> {
        let packs = &self.mailboxes().packs;
        let mut found = packs.find(self.mailbox(), uids.iter().copied());
        let missing = uids.iter().zip(&found).filter(|(_, facts)| facts.is_none()).map(|(uid, _)| *uid);
        let missing: UidSet = match uids {
            // Whoever reads one email reads those after it.
            [only] if found[0].is_none() => {
                UidSet::from_runs([(only.0, only.0.saturating_add(limits::FACTS_AHEAD - 1))])
            }
            _ => missing.collect(),
        };
        if missing.is_empty() {
            return Ok(found);
        }
        let records = self.store().emails(self.mailbox(), &missing, limits::ANSWER_ROWS_MAX).await?;
        let read: Vec<_> = records.into_iter().map(|record| Arc::new(Facts::new(record))).collect();
        packs.keep(self.mailbox(), read.iter());
        let mut read = read.into_iter().peekable();
        for (uid, facts) in uids.iter().zip(&mut found).filter(|(_, facts)| facts.is_none()) {
            *facts = read.next_if(|facts| facts.uid == *uid);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(uid: u32, header: usize) -> Arc<Facts> {
        let record = EmailRecord {
            uid: Uid(uid),
            modseq: mail::ModSeq(1),
            flags: vec![],
            date: Timestamp(0),
            size: 1,
            prefix: Bytes::new(),
            content: ContentId { segment: 1, offset: 0 },
        };
        let facts = Facts::new(record);
        facts.header.set(vec![b'x'; header].into()).unwrap();
        Arc::new(facts)
    }

    #[test]
    fn packs_are_kept_within_their_bound() {
        let packs = Packs::default();
        let has = |uid: u32| packs.find(1, [Uid(uid)].into_iter())[0].is_some();
        let third = limits::FACTS_OCTETS_MAX / 3;
        packs.keep(1, [facts(1, 10), facts(2, third)].iter());
        packs.keep(1, [facts(300, third)].iter());
        assert!(has(1) && has(2) && has(300) && !has(3));
        assert!(packs.find(2, [Uid(1)].into_iter())[0].is_none());
        packs.keep(1, [facts(2, third)].iter());
        packs.keep(1, [facts(600, third)].iter());
        assert!(has(1) && !has(300) && has(600), "the pack that was not used for longest went");
        packs.keep(1, [facts(900, 2 * limits::FACTS_OCTETS_MAX)].iter());
        assert!(!has(1) && !has(600) && !has(900));
        let kept = packs.0.lock().unwrap();
        assert_eq!((kept.octets, kept.packs.len(), kept.order.len()), (0, 0, 0));
    }
}
