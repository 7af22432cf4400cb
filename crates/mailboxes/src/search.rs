//! SEARCH (RFC 3501 §6.4.4): sets of UIDs where they suffice, then records, then headers, then text, each only for the
//! emails that what came before left open.

use std::collections::BTreeMap;

use mail::message::Header;
use mail::{Flag, SearchKey, UidSet};
use store::read::EmailRecord;

use crate::email::Email;
use crate::error::Result;
use crate::limits;
use crate::text::{Needle, decoded_text, field_holds, header_holds, sent};
use crate::view::{Open, after};

impl Open {
    /// The emails that a key means.
    ///
    /// # Errors
    /// The store's.
    pub async fn search(&self, key: &SearchKey) -> Result<UidSet> {
        let all = self.uids().await?;
        let mut flagged = BTreeMap::new();
        for flag in flags(key) {
            flagged.insert(flag.clone(), self.store().uids_by_flag(self.mailbox(), flag, true).await?);
        }
        let sets = Sets { all: &all, flagged: &flagged };
        let Bounds { mut sure, possible } = sets.bounds(key);
        let mut open = possible.difference(&sure);
        while !open.is_empty() {
            let records = self.store().emails(self.mailbox(), &open, limits::ANSWER_ROWS_MAX).await?;
            let Some(last) = records.last() else { break };
            open = open.intersection(&after(last.uid));
            for record in &records {
                if self.matches(key, record).await? {
                    sure.insert(record.uid);
                }
            }
        }
        Ok(sure)
    }

    async fn matches(&self, key: &SearchKey, record: &EmailRecord) -> Result<bool> {
        let mut known = Known { record, header: None, text: None };
        if let Some(verdict) = known.judge(key) {
            return Ok(verdict);
        }
        let email = Email { store: self.store(), record };
        let header = email.header().await?;
        let header = Header::parse(&header);
        known.header = Some(&header);
        if let Some(verdict) = known.judge(key) {
            return Ok(verdict);
        }
        let text = self.text(&email).await?;
        known.text = Some(&text);
        Ok(known.judge(key).expect("nothing is unknown now"))
    }

    /// The decoded text of an email's body, within the process's budget.
    async fn text(&self, email: &Email<'_>) -> Result<String> {
        let size = email.record.size.min(mail::limits::SEARCHED_OCTETS_MAX as u64);
        // What is read and what it is decoded to.
        let _permit = self.mailboxes().parsing_permit(2 * size).await;
        let content = email.read_all(0, size).await?;
        if size <= limits::PARSED_AGAIN_OCTETS_MAX {
            return Ok(decoded_text(&content));
        }
        Ok(self.mailboxes().world.workers.run(move || decoded_text(&content)).await)
    }
}

/// The flags that a key names.
fn flags(key: &SearchKey) -> Vec<&Flag> {
    match key {
        SearchKey::Flag(flag) => vec![flag],
        SearchKey::And(keys) => keys.iter().flat_map(flags).collect(),
        SearchKey::Or(a, b) => flags(a).into_iter().chain(flags(b)).collect(),
        SearchKey::Not(key) => flags(key),
        _ => Vec::new(),
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
#[derive(Clone, Copy)]
struct Known<'a> {
    record: &'a EmailRecord,
    header: Option<&'a Header<'a>>,
    text: Option<&'a str>,
}

impl Known<'_> {
    /// Whether it is meant; `None`: more must be known.
    fn judge(&self, key: &SearchKey) -> Option<bool> {
        let record = self.record;
        match key {
            SearchKey::All => Some(true),
            SearchKey::And(keys) => every(keys.iter().map(|key| self.judge(key))),
            SearchKey::Or(a, b) => {
                every([a, b].into_iter().map(|key| self.judge(key).map(|v| !v))).map(|v| !v)
            }
            SearchKey::Not(key) => self.judge(key).map(|verdict| !verdict),
            SearchKey::Uids(uids) => Some(uids.contains(record.uid)),
            SearchKey::Flag(flag) => Some(record.flags.contains(flag)),
            SearchKey::Larger(octets) => Some(record.size > *octets),
            SearchKey::Smaller(octets) => Some(record.size < *octets),
            SearchKey::Before(midnight) => Some(record.date < *midnight),
            SearchKey::Since(midnight) => Some(record.date >= *midnight),
            SearchKey::SentBefore(midnight) => {
                self.header.map(|header| sent(header).is_some_and(|sent| sent < *midnight))
            }
            SearchKey::SentSince(midnight) => {
                self.header.map(|header| sent(header).is_some_and(|sent| sent >= *midnight))
            }
            SearchKey::Header(name, text) => {
                self.header.map(|header| field_holds(header, name, &Needle::new(text)))
            }
            SearchKey::Body(text) => self.text.map(|body| Needle::new(text).is_in(body)),
            SearchKey::Text(text) => {
                let needle = Needle::new(text);
                let in_header = self.header.map(|header| header_holds(header, &needle));
                let in_text = self.text.map(|body| needle.is_in(body));
                every([in_header, in_text].map(|verdict| verdict.map(|v| !v)).into_iter()).map(|v| !v)
            }
        }
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
