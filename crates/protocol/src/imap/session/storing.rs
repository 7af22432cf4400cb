//! STORE under way (RFC 3501 §6.4.6, RFC 7162 §3.1.3): slice by slice.
//!
//! A client that stores silently reckons itself what the flags are now. It reckons wrong if somebody else has changed
//! them and it was not told, and the change, which it made itself, would not be announced. So a silent STORE touches at
//! first only what has not changed since the client knows it, and says of the rest what it has become:
//!
//! ```text
//! known since 7, 9 ─► Store, unchanged since 7 or 9 ─► silent
//!                              └─ modified ─► Store ─► FETCH FLAGS
//! ```

use std::collections::VecDeque;

use mail::{ModSeq, UidSet};

use super::answered::done_but_for;
use super::refusals::Missing;
use super::{Job, Poll, ServerSession, State, Then};
use crate::imap::command::Store;
use crate::imap::fetch::{self, Item};
use crate::imap::limits::STORED_AT_ONCE;
use crate::imap::responses::{Condition, Text};
use crate::imap::sequence::{self, Numbers};
use crate::imap::server::{Answer, FetchRow, Question, StoreMode};

/// A STORE that is not complete.
pub(super) struct Storing {
    store: Store,
    numbers: Numbers,
    /// Still to be done; the first is under way.
    slices: VecDeque<Slice>,
    /// What was asked for and is not there.
    missing: u64,
    /// What the client's own guard has kept.
    modified: UidSet,
}

/// Emails that are changed by one question.
#[derive(Debug, Clone)]
struct Slice {
    uids: UidSet,
    unchanged_since: Option<ModSeq>,
    /// The answer says all flags.
    says_flags: bool,
}

impl Storing {
    fn new(store: Store, numbers: Numbers, known: Vec<(ModSeq, UidSet)>) -> Self {
        let mut storing =
            Self { store, numbers, slices: VecDeque::new(), missing: 0, modified: UidSet::new() };
        for (modseq, uids) in known {
            // What is set does not depend on what was there.
            let reckons = storing.store.silent && storing.store.mode != StoreMode::Set;
            let guard = storing.store.unchanged_since;
            let unchanged_since =
                if reckons { Some(guard.map_or(modseq, |guard| guard.min(modseq))) } else { guard };
            storing.add(&Slice { uids, unchanged_since, says_flags: !storing.store.silent });
        }
        storing
    }

    fn add(&mut self, slice: &Slice) {
        let mut rest = slice.uids.clone();
        while !rest.is_empty() {
            let (uids, after) = rest.split_at(STORED_AT_ONCE);
            self.slices.push_back(Slice { uids, ..slice.clone() });
            rest = after;
        }
    }

    /// A slice is done.
    fn done(&mut self, slice: &Slice, rows: &[FetchRow], modified: UidSet) {
        let there = rows.len() as u64 + modified.len();
        self.missing += slice.uids.len().saturating_sub(there);
        if slice.unchanged_since == self.store.unchanged_since {
            self.modified = self.modified.union(&modified);
        } else {
            let unchanged_since = self.store.unchanged_since;
            self.add(&Slice { uids: modified, unchanged_since, says_flags: true });
        }
    }

    /// The tagged response.
    fn text(&self, map: &UidSet) -> Text {
        if self.modified.is_empty() {
            return done_but_for("STORE completed", self.missing, self.numbers);
        }
        let modified = match self.numbers {
            Numbers::Sequence => sequence::ranks(map, &self.modified),
            Numbers::Uid => self.modified.clone(),
        };
        let text = Text::ok("Some of the messages were changed before");
        let text = match (self.missing, self.numbers) {
            (0, _) | (_, Numbers::Uid) => text,
            // RFC 7162 §3.1.3, example 11.
            _ => Text { condition: Condition::No, text: "Some of the messages are gone", ..text },
        };
        text.with_code(format!("MODIFIED {modified}"))
    }
}

impl ServerSession {
    pub(super) fn store(&mut self, job: Job, uids: &UidSet, store: Store, numbers: Numbers) {
        if store.unchanged_since.is_some() {
            self.enable_condstore();
        }
        let known = self.selected().map(|selected| selected.view.known(uids)).unwrap_or_default();
        self.store_on(job, Box::new(Storing::new(store, numbers, known)));
    }

    fn store_on(&mut self, job: Job, storing: Box<Storing>) {
        if let Some(slice) = storing.slices.front().cloned() {
            let question = Question::Store {
                uids: slice.uids,
                mode: storing.store.mode,
                flags: storing.store.flags.clone(),
                unchanged_since: slice.unchanged_since,
            };
            return self.ask(job, Then::Stored(storing), question);
        }
        let Some(selected) = self.selected() else { return };
        let text = storing.text(selected.view.uids());
        // RFC 7162 §3.1.3: what has changed is told, so that the client need not ask.
        let poll = if storing.modified.is_empty() { Poll::IfNews } else { Poll::Always };
        self.complete(job, text, poll);
    }

    pub(super) fn stored(&mut self, job: Job, mut storing: Box<Storing>, answer: Answer) {
        let Answer::Stored { rows, modified } = answer else {
            return self.failed(job, &answer, Missing::NonExistent);
        };
        if let Some(slice) = storing.slices.pop_front() {
            self.write_stored(&rows, slice.says_flags, storing.numbers);
            storing.done(&slice, &rows, modified);
        }
        self.store_on(job, storing);
    }

    fn write_stored(&mut self, rows: &[FetchRow], says_flags: bool, numbers: Numbers) {
        let condstore = self.enabled.condstore;
        // RFC 3501 §6.4.8: a UID command's answers say the UID. RFC 7162 §3.2.4: so do all that say MODSEQ.
        let said = [
            (Item::Uid, numbers == Numbers::Uid || condstore),
            (Item::Flags, says_flags),
            (Item::ModSeq, condstore),
        ];
        let items: Vec<_> = said.into_iter().filter(|(_, says)| *says).map(|(item, _)| item).collect();
        let State::Selected(selected) = &mut self.state else { return };
        let sequence_numbers = selected.view.numbers(rows);
        for row in rows {
            selected.view.tell(row.uid, row.modseq);
            let sequence = sequence_numbers.get(&row.uid).filter(|_| says_flags || condstore);
            let Some(sequence) = sequence else { continue };
            if condstore {
                selected.view.show(row.modseq);
            }
            fetch::write_facts(&mut self.out, *sequence, row, &items);
        }
    }
}
