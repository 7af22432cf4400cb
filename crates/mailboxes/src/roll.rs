//! The roll of a mailbox: UID, mod-sequence and flags of each of its emails, in memory, shared by all who read it.
//!
//! SELECT, FETCH of flags and SEARCH for flags look at all emails, and at nothing else of them. Whoever needs the roll asks
//! the store what changed since the kept one was true; where this process alone writes, only if the account's mailboxes
//! changed at all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use mail::{Flag, ModSeq, Uid, UidSet};
use store::read::{FlagChanges, FlagRow};

use crate::error::Result;
use crate::{Mailboxes, limits};

/// A mailbox's emails at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roll {
    pub(crate) modseq: ModSeq,
    pub(crate) uid_next: u32,
    pub(crate) uid_validity: u32,
    pub(crate) uids: UidSet,
    /// Ascending by UID.
    entries: Vec<Entry>,
    /// Different columns of keywords, each once, the empty one first; entries name them by their places.
    keywords: Vec<String>,
    places: BTreeMap<String, u32>,
}

/// One email: 16 octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) uid: Uid,
    /// The place of its keywords, and the bits of its system flags in the lowest octet.
    marks: u32,
    pub(crate) modseq: ModSeq,
}

impl Entry {
    fn bits(self) -> u8 {
        self.marks as u8
    }
}

impl Default for Roll {
    fn default() -> Self {
        Self {
            modseq: ModSeq(0),
            uid_next: 1,
            uid_validity: 0,
            uids: UidSet::new(),
            entries: Vec::new(),
            keywords: vec![String::new()],
            places: BTreeMap::from([(String::new(), 0)]),
        }
    }
}

impl Roll {
    /// The first of these emails that are there and changed after `since`, ascending, at most `max`.
    pub(crate) fn select(&self, uids: &UidSet, since: ModSeq, max: usize) -> Vec<Entry> {
        let runs = uids.runs().iter().flat_map(|&(first, last)| {
            let begin = self.entries.partition_point(|entry| entry.uid.0 < first);
            self.entries[begin..].iter().take_while(move |entry| entry.uid.0 <= last)
        });
        runs.filter(|entry| entry.modseq > since).take(max).copied().collect()
    }

    /// The flags of an email of this roll, in the order they are shown.
    pub(crate) fn flags(&self, entry: Entry) -> Vec<Flag> {
        let keywords = self.keywords[(entry.marks >> 8) as usize].split(' ');
        Flag::from_bits(entry.bits(), keywords.filter(|name| !name.is_empty()).map(str::to_owned))
    }

    /// The emails that have a flag.
    pub(crate) fn flagged(&self, flag: &Flag) -> UidSet {
        match flag.bit() {
            Some(bit) => self.those(|entry| entry.bits() & bit != 0),
            None => {
                let name = flag.to_string();
                let has = |column: &String| column.split(' ').any(|known| known.eq_ignore_ascii_case(&name));
                let columns: Vec<bool> = self.keywords.iter().map(has).collect();
                self.those(|entry| columns[(entry.marks >> 8) as usize])
            }
        }
    }

    /// The emails with this mod-sequence or a higher one.
    pub(crate) fn changed_from(&self, least: ModSeq) -> UidSet {
        self.those(|entry| entry.modseq >= least)
    }

    /// The highest mod-sequence among these.
    pub(crate) fn highest(&self, uids: &UidSet) -> Option<ModSeq> {
        self.entries.iter().filter(|entry| uids.contains(entry.uid)).map(|entry| entry.modseq).max()
    }

    /// The first email without `\Seen`.
    pub(crate) fn first_unseen(&self) -> Option<Uid> {
        let seen = Flag::Seen.bit().unwrap_or_default();
        self.entries.iter().find(|entry| entry.bits() & seen == 0).map(|entry| entry.uid)
    }

    /// The keywords in use, by name; of several spellings one.
    pub(crate) fn keywords(&self) -> Vec<Flag> {
        let mut used = vec![false; self.keywords.len()];
        self.entries.iter().for_each(|entry| used[(entry.marks >> 8) as usize] = true);
        let columns = self.keywords.iter().zip(used).filter(|(_, used)| *used);
        let names = columns.flat_map(|(column, _)| column.split(' ')).filter(|name| !name.is_empty());
        let mut names: Vec<_> = names.map(|name| (name.to_ascii_lowercase(), name)).collect();
        names.sort_unstable();
        names.dedup_by(|later, first| later.0 == first.0);
        names.into_iter().map(|(_, name)| Flag::Keyword(name.to_owned())).collect()
    }

    fn those(&self, fits: impl Fn(&Entry) -> bool) -> UidSet {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for entry in self.entries.iter().filter(|entry| fits(entry)) {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == entry.uid.0 => *last = entry.uid.0,
                _ => runs.push((entry.uid.0, entry.uid.0)),
            }
        }
        UidSet::from_runs(runs)
    }

    /// The roll as it is after system flags were added (or removed) and nothing else has changed; none if something has.
    /// `written`: the emails that have the flags (or have them not) since the change. Where there are none, the
    /// mod-sequence is of somebody else's change.
    pub(crate) fn flagging(&self, written: &UidSet, (add, bits): (bool, u8), modseq: ModSeq) -> Option<Self> {
        if written.is_empty() || modseq.0 != self.modseq.0 + 1 {
            return None;
        }
        let mut roll = Self { modseq, ..self.clone() };
        for entry in &mut roll.entries {
            let had = entry.bits();
            let has = if add { had | bits } else { had & !bits };
            if has != had && written.contains(entry.uid) {
                entry.marks = entry.marks & !0xff | u32::from(has);
                entry.modseq = modseq;
            }
        }
        Some(roll)
    }

    /// The roll as it is after these changes.
    fn apply(&mut self, changes: FlagChanges) {
        (self.modseq, self.uid_next) = (changes.mailbox.highest_modseq, changes.mailbox.uid_next);
        self.uid_validity = changes.mailbox.uid_validity;
        if !changes.vanished.is_empty() {
            self.entries.retain(|entry| !changes.vanished.contains(entry.uid));
            self.uids = self.uids.difference(&changes.vanished);
        }
        for row in changes.rows {
            self.put(row);
        }
    }

    fn put(&mut self, row: FlagRow) {
        let place = match self.places.get(&row.keywords) {
            _ if row.keywords.is_empty() => 0,
            Some(place) => *place,
            None => {
                let place = u32::try_from(self.keywords.len()).expect("fewer than emails");
                self.keywords.push(row.keywords.clone());
                self.places.insert(row.keywords, place);
                place
            }
        };
        let entry = Entry { uid: row.uid, marks: place << 8 | u32::from(row.bits), modseq: row.modseq };
        match self.entries.last() {
            Some(last) if last.uid >= row.uid => {
                match self.entries.binary_search_by_key(&row.uid, |entry| entry.uid) {
                    Ok(at) => self.entries[at] = entry,
                    Err(at) => self.entries.insert(at, entry),
                }
            }
            _ => self.entries.push(entry),
        }
        self.uids.insert(row.uid);
    }

    /// Octets of memory, about.
    fn weight(&self) -> usize {
        // An empty one has its first column, and a map for it.
        const EMPTY: usize = 512;
        // Each column stands in the list and in the map.
        let columns = self.keywords.iter().map(|column| 2 * (size_of::<String>() + column.len()));
        let entries = self.entries.len() * size_of::<Entry>();
        EMPTY + entries + size_of_val(self.uids.runs()) + columns.sum::<usize>()
    }

    /// Whether it has gathered more keywords than its emails can have: then it is read anew.
    fn is_overgrown(&self) -> bool {
        self.keywords.len() > self.entries.len() + limits::KEYWORDS_MAX
    }
}

/// The rolls that are kept. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rolls(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// By mailbox.
    rolls: BTreeMap<i64, KeptRoll>,
    uses: u64,
    octets: usize,
}

#[derive(Debug)]
struct KeptRoll {
    /// When it was used last.
    used: u64,
    /// While the account's generation is this, nothing has changed.
    generation: Option<u64>,
    octets: usize,
    roll: Arc<Roll>,
}

impl Rolls {
    /// A kept roll, and for which generation it is true.
    fn find(&self, mailbox: i64) -> Option<(Arc<Roll>, Option<u64>)> {
        let mut kept = self.0.lock().expect("no holder panics");
        kept.uses += 1;
        let uses = kept.uses;
        let known = kept.rolls.get_mut(&mailbox)?;
        known.used = uses;
        Some((known.roll.clone(), known.generation))
    }

    /// Keeps a roll, and forgets those that were not used for longest.
    fn keep(&self, mailbox: i64, roll: &Arc<Roll>, generation: Option<u64>) {
        let mut kept = self.0.lock().expect("no holder panics");
        if kept.rolls.get(&mailbox).is_some_and(|known| known.roll.modseq > roll.modseq) {
            return;
        }
        kept.forget(mailbox);
        let octets = roll.weight();
        while kept.octets + octets > limits::ROLLS_OCTETS_MAX
            && let Some(oldest) = kept.rolls.iter().min_by_key(|(_, known)| known.used).map(|(id, _)| *id)
        {
            kept.forget(oldest);
        }
        kept.uses += 1;
        kept.octets += octets;
        let used = kept.uses;
        kept.rolls.insert(mailbox, KeptRoll { used, generation, octets, roll: roll.clone() });
    }

    fn forget(&self, mailbox: i64) {
        self.0.lock().expect("no holder panics").forget(mailbox);
    }
}

impl Kept {
    fn forget(&mut self, mailbox: i64) {
        if let Some(known) = self.rolls.remove(&mailbox) {
            self.octets -= known.octets;
        }
    }
}

impl Mailboxes {
    /// Keeps a roll that a change of ours has made. Whether others came after it, the store is asked next time.
    pub(crate) fn keep_roll(&self, mailbox: i64, roll: &Arc<Roll>) {
        self.rolls.keep(mailbox, roll, None);
    }

    /// The roll of a mailbox as it is now; none if the mailbox is not there.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn roll(&self, (account, mailbox): (i64, i64)) -> Result<Option<Arc<Roll>>> {
        // Before the store is asked: what changes after that is asked for next time.
        let generation = self.store().mail_generation(account);
        let known = self.rolls.find(mailbox).filter(|(roll, _)| !roll.is_overgrown());
        if let Some((roll, at)) = &known
            && generation.is_some()
            && *at == generation
        {
            return Ok(Some(roll.clone()));
        }
        let known = known.map(|(roll, _)| roll);
        let since = known.as_ref().map(|roll| roll.modseq);
        let Some(changes) = self.store().flags_since(mailbox, since).await? else {
            self.rolls.forget(mailbox);
            return Ok(None);
        };
        let roll = match known {
            Some(known) if known.modseq == changes.mailbox.highest_modseq => known,
            known => {
                let mut roll = known.map_or_else(Roll::default, |known| known.as_ref().clone());
                roll.apply(changes);
                Arc::new(roll)
            }
        };
        self.rolls.keep(mailbox, &roll, generation);
        Ok(Some(roll))
    }
}

#[cfg(test)]
mod tests {
    use mail::MailboxPath;
    use store::read::MailboxRecord;

    use super::*;

    fn row(uid: u32, modseq: u64, bits: u8, keywords: &str) -> FlagRow {
        FlagRow { uid: Uid(uid), modseq: ModSeq(modseq), bits, keywords: keywords.into() }
    }

    fn changes(modseq: u64, vanished: &[u32], rows: Vec<FlagRow>) -> FlagChanges {
        let mailbox = MailboxRecord {
            id: 1,
            account: 1,
            path: MailboxPath::inbox(),
            uid_validity: 7,
            uid_next: 9,
            highest_modseq: ModSeq(modseq),
            messages: 0,
            unseen: 0,
            deleted: 0,
            size: 0,
            special_use: None,
        };
        FlagChanges { mailbox, vanished: set(vanished), rows }
    }

    fn set(uids: &[u32]) -> UidSet {
        uids.iter().copied().map(Uid).collect()
    }

    #[test]
    fn a_roll_follows_its_mailbox() {
        let mut roll = Roll::default();
        let rows = vec![row(1, 2, 1, ""), row(2, 3, 0, "work $Junk"), row(3, 4, 9, "WORK"), row(5, 5, 0, "")];
        roll.apply(changes(5, &[], rows));
        assert_eq!((roll.uids.clone(), roll.first_unseen()), (set(&[1, 2, 3, 5]), Some(Uid(2))));
        assert_eq!(roll.flagged(&Flag::Seen), set(&[1, 3]));
        assert_eq!(roll.flagged(&Flag::Keyword("Work".into())), set(&[2, 3]));
        assert_eq!(roll.keywords(), ["$Junk", "WORK"].map(|name| Flag::Keyword(name.into())));
        let chosen = roll.select(&UidSet::from_runs([(2, 9)]), ModSeq(3), 9);
        assert_eq!(chosen.iter().map(|entry| entry.uid.0).collect::<Vec<_>>(), [3, 5]);
        let keyword = Flag::Keyword("WORK".into());
        assert_eq!(roll.flags(chosen[0]), [Flag::Deleted, Flag::Seen, keyword]);
        assert_eq!(roll.select(&UidSet::from_runs([(1, 9)]), ModSeq(0), 2).len(), 2);

        roll.apply(changes(8, &[3], vec![row(2, 6, 1, ""), row(8, 8, 0, "")]));
        assert_eq!((roll.uids.clone(), roll.first_unseen()), (set(&[1, 2, 5, 8]), Some(Uid(5))));
        assert_eq!((roll.keywords(), roll.modseq), (vec![], ModSeq(8)));
        assert_eq!(roll.changed_from(ModSeq(6)), set(&[2, 8]));
        assert_eq!((roll.highest(&set(&[1, 2])), roll.highest(&set(&[3]))), (Some(ModSeq(6)), None));
    }

    #[test]
    fn a_change_of_ours_is_followed_without_asking() {
        let mut roll = Roll::default();
        roll.apply(changes(5, &[], vec![row(1, 2, 1, "work"), row(2, 3, 4, ""), row(3, 4, 8, "")]));
        let bit = |flag: Flag| flag.bit().unwrap();
        let change = |add, flag| roll.flagging(&set(&[1, 2]), (add, bit(flag)), ModSeq(6));
        let added = change(true, Flag::Flagged).unwrap();
        assert_eq!((added.flagged(&Flag::Flagged), added.modseq), (set(&[1, 2]), ModSeq(6)));
        assert_eq!(added.changed_from(ModSeq(6)), set(&[1]), "the other one had it");
        assert_eq!(added.flagged(&Flag::Keyword("work".into())), set(&[1]));
        let removed = change(false, Flag::Deleted).unwrap();
        assert_eq!(removed.flagged(&Flag::Deleted), set(&[3]), "it was not asked for");
        let later = roll.flagging(&set(&[1]), (true, 1), ModSeq(7));
        assert_eq!(later, None, "something else changed before");
        let nothing = roll.flagging(&UidSet::new(), (true, 1), ModSeq(6));
        assert_eq!(nothing, None, "somebody else's change");
    }

    #[test]
    fn rolls_that_were_not_used_for_longest_are_forgotten() {
        let rolls = Rolls::default();
        let many = |emails: usize| {
            let entry = Entry { uid: Uid(1), marks: 0, modseq: ModSeq(1) };
            Arc::new(Roll { modseq: ModSeq(1), entries: vec![entry; emails], ..Roll::default() })
        };
        let half = (limits::ROLLS_OCTETS_MAX / 2 - many(0).weight()) / size_of::<Entry>();
        rolls.keep(1, &many(half), None);
        rolls.keep(2, &many(half), None);
        assert!(rolls.find(1).is_some());
        rolls.keep(3, &many(half), None);
        assert!(rolls.find(1).is_some() && rolls.find(2).is_none() && rolls.find(3).is_some());
        rolls.keep(4, &many(3 * half), Some(3));
        assert!(rolls.find(1).is_none() && rolls.find(3).is_none() && rolls.find(4).is_some());
        rolls.forget(4);
        assert_eq!(rolls.0.lock().unwrap().octets, 0);
    }

    #[test]
    fn keywords_weigh_what_they_take() {
        let of = |keywords: &str| {
            let mut roll = Roll::default();
            roll.apply(changes(9, &[], vec![row(1, 2, 0, keywords), row(2, 3, 0, keywords)]));
            roll.weight()
        };
        assert_eq!(of(&"k".repeat(64)) - of("k"), 2 * 63, "kept once for both emails, in two places");
        assert!(of("k") > of(""));
    }
}
