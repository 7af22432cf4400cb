//! FETCH under way: slice by slice, and long sections piece by piece. What has changed since a client was here last is
//! fetched for it in the same way.

use std::collections::VecDeque;

use mail::{ModSeq, UidSet};

use super::answered::done_but_for;
use super::refusals::Missing;
use super::searching::{Poured, PouringOn};
use super::{Job, Poll, ServerSession, Then};
use crate::imap::fetch::{self, Added, Item, Piece, Request, Stretch};
use crate::imap::found::Pouring;
use crate::imap::responses::Text;
use crate::imap::sequence::Numbers;
use crate::imap::server::{Answer, FetchRow, FetchWants, Question};
use crate::misuse::Misuse;

/// A FETCH that is not complete.
pub(super) struct Fetching {
    request: Request,
    numbers: Numbers,
    /// The end of SELECT, if that is what is going on.
    resync: Option<Text>,
    /// Rows that were asked for and did not come.
    missing: u64,
    /// Some part had an encoding that is not known.
    undecodable: bool,
    /// What is not looked at yet.
    rest: UidSet,
    /// Written, or to be read, in this order.
    pieces: VecDeque<Piece>,
}

impl Fetching {
    pub(super) fn new(request: Request, numbers: Numbers, uids: &UidSet) -> Self {
        // RFC 7162 §3.1.4.1: of what does not come, most has not changed.
        let missing = if request.wants.changed_since.is_some() { 0 } else { uids.len() };
        Self {
            request,
            numbers,
            resync: None,
            missing,
            undecodable: false,
            rest: UidSet::new(),
            pieces: VecDeque::new(),
        }
    }

    /// As if the client had said `UID FETCH known (FLAGS) (CHANGEDSINCE since)` (RFC 7162 §3.2.5.1).
    pub(super) fn resync(since: ModSeq, text: Text) -> Self {
        let wants = FetchWants { changed_since: Some(since), ..FetchWants::default() };
        let items = vec![Item::Uid, Item::Flags, Item::ModSeq];
        let request = Request { items, wants, ..Request::default() };
        Self { resync: Some(text), ..Self::new(request, Numbers::Uid, &UidSet::new()) }
    }
}

impl ServerSession {
    pub(super) fn fetch(
        &mut self,
        job: Job,
        uids: UidSet,
        (mut request, vanished): (Request, Option<UidSet>),
        numbers: Numbers,
    ) {
        if vanished.is_some() && !self.enabled.qresync {
            return self.wrong(job, Misuse::NotEnabled);
        }
        if request.items.contains(&Item::ModSeq) {
            self.enable_condstore();
        }
        request.globals = self.enabled.rev2;
        // RFC 3501 §6.3.2: EXAMINE changes nothing.
        request.wants.mark_seen &= self.may_write();
        let since = request.wants.changed_since.unwrap_or_default();
        let fetching = Box::new(Fetching::new(request, numbers, &uids));
        match vanished {
            None => self.fetch_from(job, fetching, uids),
            Some(among) => {
                let question = Question::Vanished { since, among: among.clone() };
                self.ask(job, Then::FetchVanished(fetching, uids, among), question);
            }
        }
    }

    /// RFC 7162 §3.2.6: what has vanished is told before any FETCH.
    pub(super) fn fetch_vanished(
        &mut self,
        job: Job,
        fetching: Box<Fetching>,
        (uids, among): (UidSet, UidSet),
        answer: Answer,
    ) {
        let (Answer::Found { uids: vanished, .. }, Some(selected)) = (&answer, self.selected()) else {
            return self.failed(job, &answer, Missing::NonExistent);
        };
        // What the client still counts is told as VANISHED without EARLIER, when numbers may move.
        let vanished = vanished.intersection(&among).difference(selected.view.uids());
        let then = Poured::Fetch(fetching, uids);
        self.pour(PouringOn { pouring: Pouring::vanished(vanished), job, then });
    }

    /// Begins with these.
    pub(super) fn fetch_from(&mut self, job: Job, mut fetching: Box<Fetching>, uids: UidSet) {
        if uids.is_empty() {
            return self.fetch_on(job, fetching);
        }
        let wants = fetching.request.wants.clone();
        fetching.rest = UidSet::new();
        self.ask(job, Then::Fetch(fetching), Question::Fetch { uids, wants });
    }

    pub(super) fn fetched(&mut self, job: Job, mut fetching: Box<Fetching>, answer: Answer) {
        match answer {
            Answer::Rows { rows, rest } => {
                // Each answer must come nearer to the end.
                if rows.is_empty() && rest.len() >= fetching.rest.len() && !fetching.rest.is_empty() {
                    return self.failed(job, &Answer::Unavailable, Missing::NonExistent);
                }
                fetching.rest = rest;
                self.rows(&mut fetching, &rows);
            }
            Answer::Content(content) => {
                let Some(Piece::Stretch(stretch)) = fetching.pieces.front_mut() else { return self.close() };
                let taken = content.len().min(usize::try_from(stretch.left).unwrap_or(usize::MAX));
                if taken == 0 {
                    // The email went away within a literal: only the end of the connection can say so.
                    return self.close();
                }
                self.out.extend_from_slice(&fetch::sendable(stretch.form, &content[..taken]));
                stretch.offset += taken as u64;
                stretch.left -= taken as u64;
            }
            _ if fetching.pieces.is_empty() => return self.failed(job, &answer, Missing::NonExistent),
            _ => return self.close(),
        }
        self.fetch_on(job, fetching);
    }

    /// Writes what is ready; then asks for what is not, or ends the command.
    fn fetch_on(&mut self, job: Job, mut fetching: Box<Fetching>) {
        while let Some(piece) = fetching.pieces.pop_front() {
            match piece {
                Piece::Text(text) if self.out.is_empty() => self.out = text,
                Piece::Text(text) => self.out.extend_from_slice(&text),
                Piece::Stretch(Stretch { left: 0, .. }) => {}
                Piece::Stretch(stretch) => {
                    let Stretch { uid, section, form, offset, .. } = stretch.clone();
                    fetching.pieces.push_front(Piece::Stretch(stretch));
                    let question = Question::Read { uid, section, form, offset };
                    return self.ask(job, Then::Fetch(fetching), question);
                }
            }
        }
        if !fetching.rest.is_empty() {
            let question =
                Question::Fetch { uids: fetching.rest.clone(), wants: fetching.request.wants.clone() };
            return self.ask(job, Then::Fetch(fetching), question);
        }
        if let Some(text) = fetching.resync {
            return self.complete(job, text, Poll::IfNews);
        }
        let text = match fetching.undecodable {
            // RFC 3516 §4.3: what could be said was said.
            true => Text::no("UNKNOWN-CTE", "The encoding of some parts is not known"),
            false => done_but_for("FETCH completed", fetching.missing, fetching.numbers),
        };
        self.complete(job, text, Poll::IfNews);
    }

    fn rows(&mut self, fetching: &mut Fetching, rows: &[FetchRow]) {
        let Some(selected) = self.selected() else { return };
        let numbers = selected.view.numbers(rows);
        for row in rows {
            if let Some(&sequence) = numbers.get(&row.uid) {
                self.row(fetching, sequence, row);
            }
        }
    }

    fn row(&mut self, fetching: &mut Fetching, sequence: u32, row: &FetchRow) {
        let condstore = self.enabled.condstore;
        let Some(selected) = self.selected_mut() else { return };
        fetching.missing = fetching.missing.saturating_sub(1);
        fetching.undecodable |= fetch::is_undecodable(row);
        // RFC 3501 §6.4.5: if \Seen was set, the changed flags are part of the answer.
        let changed = fetching.request.wants.mark_seen && selected.view.is_news(row.modseq);
        let added = Added { flags: changed, modseq: changed && condstore };
        let says = |item| fetching.request.items.contains(&item);
        let says_modseq = added.modseq || says(Item::ModSeq);
        // A client that follows mod-sequences learns flags and mod-sequence together, or is told again.
        if (changed || says(Item::Flags)) && (says_modseq || !condstore) {
            selected.view.tell(row.uid, row.modseq);
        }
        if says_modseq {
            selected.view.show(row.modseq);
        }
        fetch::write_row(&mut fetching.pieces, &fetching.request, sequence, row, added);
    }
}
