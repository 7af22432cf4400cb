//! SEARCH (RFC 3501 §6.4.4): sets of UIDs where they suffice, then records, then headers, then text, each only for the
//! emails that what came before left open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mail::{Flag, SearchKey, Timestamp, UidSet};
use store::read::EmailRecord;

use crate::email::Email;
use crate::error::Result;
use crate::limits;
use crate::text::{Fields, body_text, holds, lowered};
use crate::view::{Open, after};

impl Open {
    /// The emails that a key means.
    ///
    /// # Errors
    /// The store's.
    pub async fn search(&self, key: &SearchKey) -> Result<UidSet> {
        let all = self.uids().await?;
        let key = Arc::new(lowered(key));
        let mut flagged = BTreeMap::new();
        for flag in flags(&key) {
            let uids = self.store().uids_by_flag(self.mailbox(), flag, true).await?;
            flagged.insert(flag.clone(), uids);
        }
        let Bounds { mut sure, possible } = Sets { all: &all, flagged: &flagged }.bounds(&key);
        let mut open = possible.difference(&sure);
        while !open.is_empty() {
            let records = self.store().emails(self.mailbox(), &open, limits::ANSWER_ROWS_MAX).await?;
            let Some(last) = records.last() else { break };
            open = open.intersection(&after(last.uid));
            for record in &records {
                if self.matches(&key, record).await? {
                    sure.insert(record.uid);
                }
            }
        }
        Ok(sure)
    }

    async fn matches(&self, key: &Arc<SearchKey>, record: &EmailRecord) -> Result<bool> {
        if let Some(verdict) = (Known { record, header: None, text: None }).judge(key) {
            return Ok(verdict);
        }
        let email = Email { store: self.store(), record };
        let header = Fields::decode(&email.header().await?);
        if let Some(verdict) = (Known { record, header: Some(&header), text: None }).judge(key) {
            return Ok(verdict);
        }
        self.text_matches(key.clone(), header, &email).await
    }

    /// Reads and judges the text of an email's body, within the process's budget.
    async fn text_matches(&self, key: Arc<SearchKey>, header: Fields, email: &Email<'_>) -> Result<bool> {
        let size = email.record.size.min(mail::limits::SEARCHED_OCTETS_MAX as u64);
        // What is read, what it is decoded to, and that in lower case.
        let permit = self.mailboxes().parsing_permit(3 * size).await;
        let content = email.read_all(0, size).await?;
        let record = email.record.clone();
        let judge = move || {
            let _permit = permit;
            let known = Known { record: &record, header: Some(&header), text: Some(&body_text(&content)) };
            known.judge(&key).expect("nothing is unknown now")
        };
        if size <= limits::PARSED_AGAIN_OCTETS_MAX {
            return Ok(judge());
        }
        Ok(self.mailboxes().world.workers.run(judge).await)
    }
}

/// The flags that a key names.
fn flags(key: &SearchKey) -> BTreeSet<&Flag> {
    match key {
        SearchKey::Flag(flag) => BTreeSet::from([flag]),
        SearchKey::And(keys) => keys.iter().flat_map(flags).collect(),
        SearchKey::Or(a, b) => flags(a).into_iter().chain(flags(b)).collect(),
        SearchKey::Not(key) => flags(key),
        _ => BTreeSet::new(),
    }
}

/// What is known without reading a record.
struct Sets<'a> {
    all: &'a UidSet,
    flagged: &'a BTreeMap<Flag, UidSet>,
}

/// A key's emails lie between these two.
struct Bounds {
    sure: UidSet,
    possible: UidSet,
}

impl Sets<'_> {
    fn bounds(&self, key: &SearchKey) -> Bounds {
        let exact = |set: UidSet| Bounds { sure: set.clone(), possible: set };
        match key {
            SearchKey::All => exact(self.all.clone()),
            SearchKey::Uids(uids) => exact(self.all.intersection(uids)),
            SearchKey::Flag(flag) => {
                exact(self.flagged.get(flag).map_or_else(UidSet::default, |set| self.all.intersection(set)))
            }
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

/// What is known of one email so far.
struct Known<'a> {
    record: &'a EmailRecord,
    header: Option<&'a Fields>,
    /// Of its body, in lower case.
    text: Option<&'a str>,
}

impl Known<'_> {
    /// Whether it is meant; `None`: more must be known. Texts of the key are in lower case.
    fn judge(&self, key: &SearchKey) -> Option<bool> {
        let record = self.record;
        match key {
            SearchKey::All => Some(true),
            SearchKey::And(keys) => every(keys.iter().map(|key| self.judge(key))),
            SearchKey::Or(a, b) => either(self.judge(a), || self.judge(b)),
            SearchKey::Not(key) => self.judge(key).map(|verdict| !verdict),
            SearchKey::Uids(uids) => Some(uids.contains(record.uid)),
            SearchKey::Flag(flag) => Some(record.flags.contains(flag)),
            SearchKey::Larger(octets) => Some(record.size > *octets),
            SearchKey::Smaller(octets) => Some(record.size < *octets),
            SearchKey::Before(midnight) => Some(record.date < *midnight),
            SearchKey::Since(midnight) => Some(record.date >= *midnight),
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
        self.header.map(|header| header.sent.is_some_and(fits))
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
        let flagged = BTreeMap::from([(Flag::Seen, set(&[1, 2, 9]))]);
        let sets = Sets { all: &all, flagged: &flagged };
        let check = |key: SearchKey, sure: &[u32], possible: &[u32]| {
            let bounds = sets.bounds(&key);
            assert_eq!((bounds.sure, bounds.possible), (set(sure), set(possible)), "{key:?}");
        };
        let seen = || SearchKey::Flag(Flag::Seen);
        let body = || SearchKey::Body("x".into());
        let not = |key| SearchKey::Not(Box::new(key));
        check(seen(), &[1, 2], &[1, 2]);
        check(not(seen()), &[3, 4], &[3, 4]);
        check(body(), &[], &[1, 2, 3, 4]);
        check(SearchKey::And(vec![seen(), body()]), &[], &[1, 2]);
        check(not(SearchKey::And(vec![seen(), body()])), &[3, 4], &[1, 2, 3, 4]);
        check(SearchKey::Or(Box::new(seen()), Box::new(body())), &[1, 2], &[1, 2, 3, 4]);
        check(SearchKey::And(vec![]), &[1, 2, 3, 4], &[1, 2, 3, 4]);
    }
}
