//! The selected mailbox as the client sees it (RFC 3501 §5.2, §5.5, §7.4.1; RFC 7162 §3.2.10, §6): sequence numbers, and
//! what may be said when.
//!
//! The mailbox changes at any time; the client's numbers change only when it is told:
//!
//! ```text
//! Changes ──► merge ──► EXISTS, FETCH FLAGS    at once
//!                 └───► vanished, held ──► release ──► EXPUNGE or VANISHED    when numbers may move
//! ```
//!
//! Numbers may not move while FETCH, STORE or SEARCH is answered, or when no command is in progress. IDLE is a command
//! in progress.
//!
//! A client that is cut off goes on from the highest mod-sequence it was shown. So it must not believe one beyond what
//! was announced in full: see [`View::settle`].

use std::collections::BTreeMap;

use mail::{Flag, ModSeq, Uid, UidSet};

use super::capability::Enabled;
use super::limits::RELEASED_AT_ONCE;
use super::responses::Writer;
use super::sequence;
use super::server::{Changes, FetchRow};

/// What the client is told, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Announcement {
    /// The email with this sequence number is gone, and those above move down.
    Expunge(u32),
    /// These are gone, and the numbers of others move down: to a client that has enabled QRESYNC.
    Vanished(UidSet),
    /// So many emails are there now.
    Exists(u32),
    /// Flags were changed by somebody else.
    Flags { sequence: u32, uid: Uid, flags: Vec<Flag>, modseq: ModSeq },
}

/// The client's numbers, and what it does not know yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// What the client counts: with what is gone but not announced.
    uids: UidSet,
    /// Gone, not announced.
    vanished: UidSet,
    /// Everything up to here was merged.
    modseq: ModSeq,
    /// Everything up to here was announced: below `modseq` while something is held.
    announced: ModSeq,
    /// The highest mod-sequence shown since the last tagged response.
    shown: ModSeq,
    /// Flags the client knows beyond `modseq`, because a command of its own showed or made them.
    told: BTreeMap<ModSeq, UidSet>,
}

impl View {
    /// A mailbox just selected: the client is told all of it.
    pub(super) fn new(uids: UidSet, modseq: ModSeq) -> Self {
        Self {
            uids,
            vanished: UidSet::new(),
            modseq,
            announced: modseq,
            shown: ModSeq(0),
            told: BTreeMap::new(),
        }
    }

    /// The UIDs in the order of sequence numbers.
    pub(super) fn uids(&self) -> &UidSet {
        &self.uids
    }

    /// What the next question for changes starts from.
    pub(super) fn modseq(&self) -> ModSeq {
        self.modseq
    }

    /// What a client that goes on from here will learn anew is all that it has missed. Never 0, which the syntax does not
    /// have (RFC 7162 §7, mod-sequence-value).
    pub(super) fn announced(&self) -> ModSeq {
        self.announced.max(ModSeq(1))
    }

    /// The client has learned or made the flags of this email as they were at this moment.
    pub(super) fn tell(&mut self, uid: Uid, modseq: ModSeq) {
        if modseq > self.modseq {
            self.told.entry(modseq).or_default().insert(uid);
        }
    }

    /// Since when the client knows the flags of these, as far as it does: each UID stands at one moment.
    pub(super) fn known(&self, uids: &UidSet) -> Vec<(ModSeq, UidSet)> {
        let mut rest = uids.clone();
        let mut known = Vec::new();
        for (modseq, told) in self.told.iter().rev() {
            let here = rest.intersection(told);
            if !here.is_empty() {
                rest = rest.difference(&here);
                known.push((*modseq, here));
            }
        }
        if !rest.is_empty() {
            known.push((self.modseq, rest));
        }
        known
    }

    /// The client was shown this mod-sequence.
    pub(super) fn show(&mut self, modseq: ModSeq) {
        self.shown = self.shown.max(modseq);
    }

    /// Whether flags of this moment are news to this view.
    pub(super) fn is_news(&self, modseq: ModSeq) -> bool {
        modseq > self.modseq
    }

    /// Whether the client was shown a mod-sequence beyond what was merged.
    pub(super) fn is_ahead(&self) -> bool {
        self.shown > self.modseq
    }

    /// Takes what changed; what is gone is held until [`release`](Self::release).
    pub(super) fn merge(&mut self, changes: Changes) -> Vec<Announcement> {
        self.vanished = self.vanished.union(&changes.vanished.intersection(&self.uids));
        let mut announcements = Vec::new();
        // UIDs only ascend (RFC 3501 §2.3.1.1): what is not above all others was seen before.
        let last = self.uids.last().map_or(0, |uid| uid.0);
        let above = UidSet::from_runs([(last.saturating_add(1), u32::MAX)]);
        let arrived = changes.arrived.intersection(&above).difference(&changes.vanished);
        if !arrived.is_empty() {
            self.uids = self.uids.union(&arrived);
            announcements.push(Announcement::Exists(self.count()));
        }
        announcements.extend(self.flags(changes.flags));
        self.modseq = self.modseq.max(changes.highest_modseq);
        if self.vanished.is_empty() {
            self.announced = self.modseq;
        }
        self.told = self.told.split_off(&ModSeq(self.modseq.0.saturating_add(1)));
        announcements
    }

    /// Flags that changed: announcements, of those that the client does not know and that are there.
    pub(super) fn flags(&mut self, rows: Vec<FetchRow>) -> Vec<Announcement> {
        let numbers = self.numbers(&rows);
        rows.into_iter().filter_map(|row| self.flags_of(row, &numbers)).collect()
    }

    fn flags_of(&mut self, row: FetchRow, numbers: &BTreeMap<Uid, u32>) -> Option<Announcement> {
        let known = self.told.get(&row.modseq).is_some_and(|uids| uids.contains(row.uid));
        if known || self.vanished.contains(row.uid) {
            return None;
        }
        let &sequence = numbers.get(&row.uid)?;
        self.tell(row.uid, row.modseq);
        self.show(row.modseq);
        Some(Announcement::Flags { sequence, uid: row.uid, flags: row.flags, modseq: row.modseq })
    }

    /// The sequence numbers of these: all of an answer at once, because to find one is a pass over the mailbox.
    pub(super) fn numbers(&self, rows: &[FetchRow]) -> BTreeMap<Uid, u32> {
        let uids: UidSet = rows.iter().map(|row| row.uid).collect();
        let (uids, numbers) = (uids.intersection(&self.uids), sequence::ranks(&self.uids, &uids));
        uids.iter().zip(numbers.iter().map(|number| number.0)).collect()
    }

    /// Whether something is held.
    pub(super) fn holds(&self) -> bool {
        !self.vanished.is_empty()
    }

    /// Lets out some of what was held, the last emails first: the numbers move. Until nothing [`is held`](Self::holds).
    pub(super) fn release(&mut self, enabled: Enabled) -> Vec<Announcement> {
        let runs = self.vanished.runs();
        let some = UidSet::from_runs(runs[runs.len().saturating_sub(RELEASED_AT_ONCE)..].iter().copied());
        let (announcements, released) = if enabled.qresync && !some.is_empty() {
            (vec![Announcement::Vanished(some.clone())], some)
        } else {
            // Highest first, so that each number is the one the client knows.
            let (_, some) = some.split_at(some.len().saturating_sub(RELEASED_AT_ONCE as u64));
            let numbers = sequence::ranks(&self.uids, &some);
            (numbers.iter().rev().map(|number| Announcement::Expunge(number.0)).collect(), some)
        };
        self.uids = self.uids.difference(&released);
        self.vanished = self.vanished.difference(&released);
        if self.vanished.is_empty() {
            self.announced = self.modseq;
        }
        announcements
    }

    /// A tagged response is due, after which the client takes the highest mod-sequence it was shown for the mailbox's
    /// (RFC 7162 §6): which one it must take instead, if that would pass over something it was not told.
    pub(super) fn settle(&mut self) -> Option<ModSeq> {
        let shown = std::mem::take(&mut self.shown);
        (shown > self.announced).then(|| self.announced())
    }

    /// How many emails the client counts.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.uids.len()).unwrap_or(u32::MAX)
    }
}

/// Writes announcements as responses.
pub(super) fn write(announcements: &[Announcement], enabled: Enabled, out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    for announcement in announcements {
        match announcement {
            Announcement::Expunge(number) => writer.untagged(&format!("{number} EXPUNGE")),
            Announcement::Vanished(uids) => writer.untagged(&format!("VANISHED {uids}")),
            Announcement::Exists(count) => {
                writer.untagged(&format!("{count} EXISTS"));
                // RFC 3501 §7.3.2: sent with EXISTS; no email is \Recent here. RFC 9051 has no RECENT.
                if !enabled.rev2 {
                    writer.untagged("0 RECENT");
                }
            }
            Announcement::Flags { sequence, uid, flags, modseq } => {
                writer.raw(&format!("* {sequence} FETCH (UID {uid} FLAGS ")).flags(flags);
                if enabled.condstore {
                    writer.raw(&format!(" MODSEQ ({modseq})"));
                }
                writer.raw(")").end();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(uids: &[u32]) -> UidSet {
        uids.iter().copied().map(Uid).collect()
    }

    fn row(uid: u32, modseq: u64) -> FetchRow {
        FetchRow {
            uid: Uid(uid),
            flags: vec![Flag::Seen],
            modseq: ModSeq(modseq),
            facts: None,
            envelope: None,
            structure: None,
            sections: Vec::new(),
            binary_sizes: Vec::new(),
        }
    }

    fn changes(highest: u64, vanished: &[u32], arrived: &[u32], flags: &[(u32, u64)]) -> Changes {
        Changes {
            highest_modseq: ModSeq(highest),
            vanished: set(vanished),
            arrived: set(arrived),
            flags: flags.iter().map(|&(uid, modseq)| row(uid, modseq)).collect(),
            rest: UidSet::new(),
        }
    }

    fn shown(announcements: &[Announcement]) -> String {
        let mut out = Vec::new();
        write(announcements, Enabled::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn view() -> View {
        View::new(set(&[1, 2, 3, 7, 8]), ModSeq(10))
    }

    #[test]
    fn expunges_are_held_and_the_rest_is_not() {
        let mut view = view();
        let told = shown(&view.merge(changes(12, &[2, 7], &[9], &[(8, 11), (7, 11)])));
        assert_eq!(told, "* 6 EXISTS\r\n* 0 RECENT\r\n* 5 FETCH (UID 8 FLAGS (\\Seen))\r\n");
        assert_eq!(view.uids().rank(Uid(8)), Some(5));
        assert_eq!(shown(&view.release(Enabled::default())), "* 4 EXPUNGE\r\n* 2 EXPUNGE\r\n");
        assert_eq!(view.uids(), &set(&[1, 3, 8, 9]));
        assert_eq!(view.release(Enabled::default()), []);
        assert_eq!(view.modseq(), ModSeq(12));
    }

    #[test]
    fn numbers_are_those_of_what_is_there() {
        let numbers = view().numbers(&[row(8, 1), row(4, 1), row(2, 1), row(9, 1)]);
        assert_eq!(numbers.into_iter().collect::<Vec<_>>(), [(Uid(2), 2), (Uid(8), 5)]);
    }

    #[test]
    fn what_the_client_did_itself_is_no_news() {
        let mut view = view();
        view.tell(Uid(1), ModSeq(11));
        let told = view.merge(changes(12, &[], &[], &[(1, 11), (2, 11), (3, 12)]));
        assert_eq!(shown(&told), "* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n* 3 FETCH (UID 3 FLAGS (\\Seen))\r\n");
        assert!(view.told.is_empty());
        // Told at 13, changed again at 14 by somebody else: that is news.
        view.tell(Uid(1), ModSeq(13));
        assert_eq!(view.merge(changes(14, &[], &[], &[(1, 14)])).len(), 1);
    }

    #[test]
    fn strangers_are_passed_over() {
        let mut view = view();
        // Gone before it was seen; unknown; seen before.
        assert_eq!(view.merge(changes(12, &[5, 9], &[9, 2], &[(40, 11)])), []);
        assert_eq!(view.release(Enabled::default()), []);
        assert_eq!(view, View { modseq: ModSeq(12), announced: ModSeq(12), ..super::tests::view() });
    }

    /// What happens: somebody else's doing, then a question for changes, then perhaps the moment for EXPUNGE.
    #[derive(Debug, Clone)]
    enum Event {
        Arrive,
        Remove(usize),
        Ask,
        Release,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Arrive),
            any::<prop::sample::Index>().prop_map(|at| Event::Remove(at.index(1000))),
            Just(Event::Ask),
            Just(Event::Release),
        ]
    }

    /// A mailbox that remembers what it has not told.
    #[derive(Default)]
    struct Truth {
        uids: Vec<u32>,
        next: u32,
        vanished: Vec<u32>,
        arrived: Vec<u32>,
    }

    impl Truth {
        fn happen(&mut self, event: &Event) {
            match event {
                Event::Arrive => {
                    self.next += 3;
                    self.uids.push(self.next);
                    self.arrived.push(self.next);
                }
                Event::Remove(at) if !self.uids.is_empty() => {
                    self.vanished.push(self.uids.remove(at % self.uids.len()));
                }
                _ => {}
            }
        }

        fn changes(&mut self) -> Changes {
            let (vanished, arrived) = (std::mem::take(&mut self.vanished), std::mem::take(&mut self.arrived));
            changes(1, &vanished, &arrived, &[])
        }
    }

    /// A client believes what it is told, and nothing else.
    fn believe(numbers: &mut Vec<Option<u32>>, announcements: &[Announcement]) {
        for announcement in announcements {
            match announcement {
                Announcement::Expunge(number) => _ = numbers.remove(*number as usize - 1),
                Announcement::Vanished(uids) => {
                    let before = numbers.len();
                    numbers.retain(|number| number.is_none_or(|number| !uids.contains(Uid(number))));
                    // RFC 7162 §3.2.10.2: each UID takes one off the count.
                    assert_eq!(before - numbers.len(), uids.len() as usize);
                }
                Announcement::Exists(count) => {
                    assert!(*count as usize >= numbers.len(), "EXISTS never shrinks a mailbox");
                    numbers.resize(*count as usize, None);
                }
                Announcement::Flags { .. } => {}
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_the_client_ends_with_the_true_mailbox(
            events in proptest::collection::vec(event(), 0..60),
            qresync: bool,
        ) {
            let enabled = Enabled { qresync, condstore: qresync, ..Enabled::default() };
            let (mut truth, mut view, mut client) =
                (Truth::default(), View::new(UidSet::new(), ModSeq(0)), Vec::new());
            for event in events.iter().chain([&Event::Ask, &Event::Release]) {
                truth.happen(event);
                match event {
                    Event::Ask => {
                        let told = view.merge(truth.changes());
                        let moves = |told: &Announcement| matches!(told, Announcement::Expunge(_) | Announcement::Vanished(_));
                        prop_assert!(!told.iter().any(moves));
                        believe(&mut client, &told);
                    }
                    Event::Release => believe(&mut client, &view.release(enabled)),
                    _ => {}
                }
                // The client learns UIDs by FETCH: a number, once known, never names another email.
                prop_assert_eq!(client.len() as u64, view.uids().len());
                for (known, uid) in client.iter_mut().zip(view.uids().iter()) {
                    prop_assert_eq!(*known.get_or_insert(uid.0), uid.0);
                }
            }
            prop_assert_eq!(client.into_iter().flatten().collect::<Vec<_>>(), truth.uids);
        }
    }
}
