//! SEARCH (RFC 3501 §6.4.4): sets of UIDs where they suffice, then facts, then headers, then text, each only for the
//! emails that what came before left open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use mail::{Flag, ModSeq, SearchKey, Timestamp, UidSet};

use crate::email::Email;
use crate::error::Result;
use crate::facts::Facts;
use crate::limits;
use crate::look::Look;
use crate::roll::Roll;
use crate::text::{Fields, body_text, folded_key, holds};
use crate::view::Open;

impl Open {
    /// The emails that a key means.
    ///
    /// # Errors
    /// The store's.
    pub async fn search(&self, key: &SearchKey) -> Result<UidSet> {
        let Some(roll) = self.roll().await? else { return Ok(UidSet::default()) };
        let key = folded_key(key);
        let search = Arc::new(Search { sets: Sets::of(&roll, &key), key });
        let Bounds { mut sure, possible } = search.sets.bounds(&search.key);
        let open: Vec<_> = possible.difference(&sure).iter().collect();
        for uids in open.chunks(limits::ANSWER_ROWS_MAX) {
            let facts = self.facts(uids).await?;
            let mut learned = Vec::new();
            for facts in facts.into_iter().flatten() {
                let mut look = Look::new(self, facts);
                if self.matches(&search, &mut look).await? {
                    sure.insert(look.uid());
                }
                learned.extend(look.learned());
            }
            self.mailboxes().packs.keep(self.mailbox(), learned.iter());
            // What is in memory is not waited for: others must have their turn.
            tokio::task::yield_now().await;
        }
        Ok(sure)
    }

    /// The highest mod-sequence among these, if any is there (RFC 7162 §3.1.5).
    ///
    /// # Errors
    /// The store's.
    pub async fn highest_modseq(&self, uids: &UidSet) -> Result<Option<ModSeq>> {
        Ok(self.roll().await?.and_then(|roll| roll.highest(uids)))
    }

    async fn matches(&self, search: &Arc<Search>, look: &mut Look<'_>) -> Result<bool> {
        let known = Known { search, facts: look.all_facts(), header: None, text: None };
        if let Some(verdict) = known.judge(&search.key) {
            return Ok(verdict);
        }
        let header = look.header().await?;
        let fields = Fields::read(&header);
        let known = Known { search, facts: look.all_facts(), header: Some(&fields), text: None };
        if let Some(verdict) = known.judge(&search.key) {
            return Ok(verdict);
        }
        self.text_matches(search.clone(), look.all_facts().clone(), header).await
    }

    /// Reads and judges the text of an email's body, within the process's budget.
    async fn text_matches(&self, search: Arc<Search>, facts: Arc<Facts>, header: Bytes) -> Result<bool> {
        let size = facts.size.min(mail::limits::SEARCHED_OCTETS_MAX as u64);
        // What is read, what it is decoded to (three octets for one of an older charset), and that folded.
        let permit = self.mailboxes().searching_permit(4 * size).await;
        let content = Email { store: self.store(), facts: &facts }.read_all(0, size).await?;
        let judge = move || {
            let _permit = permit;
            let (fields, text) = (Fields::read(&header), body_text(&content));
            let known = Known { search: &search, facts: &facts, header: Some(&fields), text: Some(&text) };
            known.judge(&search.key).expect("nothing is unknown now")
        };
        if size <= limits::SMALL_OCTETS_MAX {
            return Ok(judge());
        }
        Ok(self.mailboxes().world.workers.run(judge).await)
    }
}

/// A search under way.
struct Search {
    key: SearchKey,
    sets: Sets,
}

/// What a key names of which the roll knows sets.
#[derive(Default)]
struct Named<'a> {
    flags: BTreeSet<&'a Flag>,
    modseqs: BTreeSet<ModSeq>,
}

impl<'a> Named<'a> {
    fn add(&mut self, key: &'a SearchKey) {
        match key {
            SearchKey::Flag(flag) => drop(self.flags.insert(flag)),
            SearchKey::ModSeq(least) => drop(self.modseqs.insert(*least)),
            SearchKey::And(keys) => keys.iter().for_each(|key| self.add(key)),
            SearchKey::Or(a, b) => [a, b].into_iter().for_each(|key| self.add(key)),
            SearchKey::Not(key) => self.add(key),
            _ => {}
        }
    }
}

/// What is known without reading a record.
#[derive(Default)]
struct Sets {
    all: UidSet,
    flagged: BTreeMap<Flag, UidSet>,
    /// By the least mod-sequence.
    changed: BTreeMap<ModSeq, UidSet>,
}

/// A key's emails lie between these two.
struct Bounds {
    sure: UidSet,
    possible: UidSet,
}

impl Sets {
    fn of(roll: &Roll, key: &SearchKey) -> Self {
        let mut named = Named::default();
        named.add(key);
        Self {
            all: roll.uids.clone(),
            flagged: named.flags.into_iter().map(|flag| (flag.clone(), roll.flagged(flag))).collect(),
            changed: named.modseqs.into_iter().map(|least| (least, roll.changed_from(least))).collect(),
        }
    }

    fn bounds(&self, key: &SearchKey) -> Bounds {
        let exact = |set: UidSet| Bounds { sure: set.clone(), possible: set };
        match key {
            SearchKey::All => exact(self.all.clone()),
            SearchKey::Uids(uids) => exact(self.all.intersection(uids)),
            SearchKey::Flag(flag) => exact(known(self.flagged.get(flag))),
            SearchKey::ModSeq(least) => exact(known(self.changed.get(least))),
            SearchKey::And(keys) => keys.iter().fold(exact(self.all.clone()), |bounds, key| {
                let other = self.bounds(key);
                Bounds {
                    sure: bounds.sure.intersection(&other.sure),
                    possible: bounds.possible.intersection(&other.possible),
                }
            }),
            SearchKey::Or(a, b) => {
                let (a, b) = (self.bounds(a), self.bounds(b));
                Bounds { sure: a.sure.union(&b.sure), possible: a.possible.union(&b.possible) }
            }
            SearchKey::Not(key) => {
                let of = self.bounds(key);
                Bounds { sure: self.all.difference(&of.possible), possible: self.all.difference(&of.sure) }
            }
            _ => Bounds { sure: UidSet::default(), possible: self.all.clone() },
        }
    }
}

fn known(set: Option<&UidSet>) -> UidSet {
    set.cloned().unwrap_or_default()
}

/// What is known of one email so far.
struct Known<'a> {
    search: &'a Search,
    facts: &'a Facts,
    header: Option<&'a Fields<'a>>,
    /// Of its body, folded.
    text: Option<&'a str>,
}

impl Known<'_> {
    /// Whether it is meant; `None`: more must be known. Texts of the key are folded.
    fn judge(&self, key: &SearchKey) -> Option<bool> {
        let (facts, sets) = (self.facts, &self.search.sets);
        match key {
            SearchKey::All => Some(true),
            SearchKey::And(keys) => every(keys.iter().map(|key| self.judge(key))),
            SearchKey::Or(a, b) => either(self.judge(a), || self.judge(b)),
            SearchKey::Not(key) => self.judge(key).map(|verdict| !verdict),
            SearchKey::Uids(uids) => Some(uids.contains(facts.uid)),
            SearchKey::Flag(flag) => sets.flagged.get(flag).map(|set| set.contains(facts.uid)),
            SearchKey::ModSeq(least) => sets.changed.get(least).map(|set| set.contains(facts.uid)),
            SearchKey::Larger(octets) => Some(facts.size > *octets),
            SearchKey::Smaller(octets) => Some(facts.size < *octets),
            SearchKey::Before(midnight) => Some(facts.date < *midnight),
            SearchKey::Since(midnight) => Some(facts.date >= *midnight),
            SearchKey::SentBefore(midnight) => self.sent(|sent| sent < *midnight),
            SearchKey::SentSince(midnight) => self.sent(|sent| sent >= *midnight),
            SearchKey::Header(name, text) => self.header.map(|header| header.hold(name, text)),
            SearchKey::Body(text) => self.text.map(|body| holds(body, text)),
            SearchKey::Text(text) => {
                let in_header = self.header.map(|header| header.hold_anywhere(text));
                either(in_header, || self.text.map(|body| holds(body, text)))
            }
        }
    }

    /// An email without a Date that can be read was sent neither before nor since.
    fn sent(&self, fits: impl Fn(Timestamp) -> bool) -> Option<bool> {
        self.header.map(|header| header.sent().is_some_and(fits))
    }
}

/// Whether one is true, which decides; if it does not and one is unknown, that is open.
fn either(one: Option<bool>, other: impl FnOnce() -> Option<bool>) -> Option<bool> {
    match one {
        Some(true) => Some(true),
        Some(false) => other(),
        None => other().filter(|&verdict| verdict),
    }
}

/// Whether all are true; one that is false decides, one that is unknown leaves it open.
fn every(verdicts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for verdict in verdicts {
        match verdict {
            Some(false) => return Some(false),
            Some(true) => {}
            None => all = None,
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_left_open_only_if_it_matters() {
        let (yes, no, open) = (Some(true), Some(false), None);
        for (verdicts, expected) in
            [([yes, yes], yes), ([yes, no], no), ([open, no], no), ([open, yes], open), ([open, open], open)]
        {
            assert_eq!(every(verdicts.into_iter()), expected, "{verdicts:?}");
            let not = |verdict: Option<bool>| verdict.map(|verdict| !verdict);
            assert_eq!(either(not(verdicts[0]), || not(verdicts[1])), not(expected), "{verdicts:?}");
            assert_eq!(either(not(verdicts[1]), || not(verdicts[0])), not(expected), "{verdicts:?}");
        }
    }

    #[test]
    fn sets_decide_where_they_can() {
        let set = |uids: &[u32]| uids.iter().copied().map(mail::Uid).collect::<UidSet>();
        let all = set(&[1, 2, 3, 4]);
        let flagged = BTreeMap::from([(Flag::Seen, set(&[1, 2]))]);
        let changed = BTreeMap::from([(ModSeq(7), set(&[4]))]);
        let sets = Sets { all, flagged, changed };
        let check = |key: SearchKey, sure: &[u32], possible: &[u32]| {
            let bounds = sets.bounds(&key);
            assert_eq!((bounds.sure, bounds.possible), (set(sure), set(possible)), "{key:?}");
        };
        let seen = || SearchKey::Flag(Flag::Seen);
        let body = || SearchKey::Body("x".into());
        let not = |key| SearchKey::Not(Box::new(key));
        check(seen(), &[1, 2], &[1, 2]);
        check(SearchKey::ModSeq(ModSeq(7)), &[4], &[4]);
        check(not(seen()), &[3, 4], &[3, 4]);
        check(body(), &[], &[1, 2, 3, 4]);
        check(SearchKey::And(vec![seen(), body()]), &[], &[1, 2]);
        check(not(SearchKey::And(vec![seen(), body()])), &[3, 4], &[1, 2, 3, 4]);
        check(SearchKey::Or(Box::new(seen()), Box::new(body())), &[1, 2], &[1, 2, 3, 4]);
        check(SearchKey::And(vec![]), &[1, 2, 3, 4], &[1, 2, 3, 4]);
    }
}
