//! FETCH under way: slice by slice, and long sections piece by piece.

use std::collections::VecDeque;

use mail::UidSet;

use super::answered::done_but_for;
use super::{Job, Missing, Poll, ServerSession, Then};
use crate::imap::fetch::{self, Item, Piece, Request, Stretch};
use crate::imap::responses::Text;
use crate::imap::sequence::Numbers;
use crate::imap::server::{Answer, FetchRow, Question};

/// A FETCH that is not complete.
pub(super) struct Fetching {
    request: Request,
    numbers: Numbers,
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
        Self {
            request,
            numbers,
            missing: uids.len(),
            undecodable: false,
            rest: UidSet::new(),
            pieces: VecDeque::new(),
        }
    }
}

impl ServerSession {
    pub(super) fn fetched(&mut self, job: Job, mut fetching: Box<Fetching>, answer: Answer) {
        match answer {
            Answer::Rows { rows, rest } => {
                // Each answer must come nearer to the end.
                if rows.is_empty() && rest.len() >= fetching.rest.len() && !fetching.rest.is_empty() {
                    return self.failed(job, &Answer::Unavailable, Missing::NonExistent);
                }
                fetching.rest = rest;
                rows.into_iter().for_each(|row| self.row(&mut fetching, row));
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
        let text = match fetching.undecodable {
            // RFC 3516 §4.3: what could be said was said.
            true => Text::no("UNKNOWN-CTE", "The encoding of some parts is not known"),
            false => done_but_for("FETCH completed", fetching.missing, fetching.numbers),
        };
        self.complete(job, text, Poll::IfNews);
    }

    fn row(&mut self, fetching: &mut Fetching, row: FetchRow) {
        let Some(selected) = self.selected_mut() else { return };
        let Some(sequence) = selected.view.uids().rank(row.uid) else { return };
        fetching.missing = fetching.missing.saturating_sub(1);
        fetching.undecodable |= fetch::is_undecodable(&row);
        // RFC 3501 §6.4.5: if \Seen was set, the changed flags are part of the answer.
        let flags_too = fetching.request.wants.mark_seen && selected.view.is_news(row.modseq);
        if flags_too || fetching.request.items.contains(&Item::Flags) {
            selected.view.tell(row.uid, row.modseq);
        }
        fetching.pieces.extend(fetch::pieces(&fetching.request, sequence, row, flags_too));
    }
}
