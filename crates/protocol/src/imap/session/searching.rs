//! SEARCH under way (RFC 3501 §6.4.4, RFC 4731, RFC 5182), and long answers while they are written.

use mail::{ModSeq, UidSet};

use super::fetching::Fetching;
use super::refusals::Missing;
use super::{Job, Mode, Poll, ServerSession, Then};
use crate::imap::found::Pouring;
use crate::imap::responses::Text;
use crate::imap::search::{Charset, Program, Returns};
use crate::imap::sequence::{self, Numbers};
use crate::imap::server::{Answer, FetchWants, Question};
use crate::misuse::Misuse;

/// A SEARCH that is not answered.
pub(super) struct Searching {
    numbers: Numbers,
    /// `None`: the older response.
    returns: Option<Returns>,
    modseq: bool,
}

/// A long answer that is being written, and what comes after it.
pub(super) struct PouringOn {
    pub(super) pouring: Pouring,
    pub(super) job: Job,
    pub(super) then: Poured,
}

pub(super) enum Poured {
    /// The command ends.
    Complete(Text),
    /// What is there of these is fetched.
    Fetch(Box<Fetching>, UidSet),
}

impl Searching {
    fn saves(&self) -> bool {
        self.returns.is_some_and(|returns| returns.save)
    }

    /// Only the ends of what is found matter.
    fn ends_only(&self) -> bool {
        self.returns.is_some_and(Returns::ends_only)
    }
}

impl ServerSession {
    pub(super) fn search(&mut self, mut job: Job, program: Program, numbers: Numbers) {
        // RFC 9051 §6.4.4: SEARCH without RETURN is answered by ESEARCH.
        let returns = program.returns.or(self.enabled.rev2.then_some(Returns::ALL));
        let searching = Searching { numbers, returns, modseq: program.modseq };
        match program.charset {
            Charset::Unknown => {
                self.save(&searching, UidSet::new());
                return self.wrong(job, Misuse::UnknownCharset);
            }
            // RFC 6855 §3: all is UTF-8 already.
            Charset::Known(_) if self.enabled.utf8_accept => return self.wrong(job, Misuse::CommandSyntax),
            _ => {}
        }
        if program.modseq {
            self.enable_condstore();
        }
        // RFC 7162 §3.2.10.2: not even UID SEARCH may move numbers that it was asked by.
        job.moves_numbers &= !program.by_number;
        let modseq = program.modseq && !searching.ends_only();
        let question = Question::Search { key: program.key, modseq };
        self.ask(job, Then::Found(Box::new(searching)), question);
    }

    /// Remembers what was found, if that is wished. RFC 5182 §2.1: a NO empties what was saved.
    fn save(&mut self, searching: &Searching, found: UidSet) {
        if let Some(selected) = self.selected_mut().filter(|_| searching.saves()) {
            selected.saved = found;
        }
    }

    pub(super) fn found(&mut self, job: Job, searching: Box<Searching>, answer: Answer) {
        let (Answer::Found { uids, modseq }, Some(selected)) = (&answer, self.selected()) else {
            self.save(&searching, UidSet::new());
            return self.failed(job, &answer, Missing::NonExistent);
        };
        let (found, modseq) = (uids.intersection(selected.view.uids()), *modseq);
        let meant = searching.returns.map_or_else(UidSet::new, |returns| returns.meant(&found));
        self.save(&searching, meant.clone());
        if searching.modseq && searching.ends_only() && !meant.is_empty() {
            let question = Question::Fetch { uids: meant, wants: FetchWants::default() };
            return self.ask(job, Then::FoundEnds(searching, found), question);
        }
        self.write_found(job, &searching, found, modseq);
    }

    /// RFC 4731 §3.2: the mod-sequence is that of the first or the last email found, or the higher of both.
    pub(super) fn found_ends(&mut self, job: Job, searching: &Searching, found: UidSet, answer: Answer) {
        match answer {
            Answer::Rows { rows, .. } => {
                let modseq = rows.iter().map(|row| row.modseq).max();
                self.write_found(job, searching, found, modseq);
            }
            other => {
                self.save(searching, UidSet::new());
                self.failed(job, &other, Missing::NonExistent);
            }
        }
    }

    fn write_found(&mut self, job: Job, searching: &Searching, found: UidSet, modseq: Option<ModSeq>) {
        let text = Text::ok("SEARCH completed");
        let Some(selected) = self.selected() else { return self.conclude(job, text) };
        let found = match searching.numbers {
            Numbers::Sequence => sequence::ranks(selected.view.uids(), &found),
            Numbers::Uid => found,
        };
        let pouring = match searching.returns {
            Some(returns) if returns.is_silent() => return self.complete(job, text, Poll::IfNews),
            Some(returns) => Pouring::esearch(&job.tag, searching.numbers, returns, found, modseq),
            None => Pouring::search(found, modseq),
        };
        self.pour(PouringOn { pouring, job, then: Poured::Complete(text) });
    }

    /// Begins a long answer.
    pub(super) fn pour(&mut self, pouring: PouringOn) {
        self.mode = Mode::Pouring(Box::new(pouring));
    }

    /// Writes the next piece; then goes on.
    pub(super) fn pour_on(&mut self, mut on: Box<PouringOn>) -> bool {
        if !on.pouring.pour(&mut self.out) {
            self.mode = Mode::Pouring(on);
            return true;
        }
        let PouringOn { job, then, .. } = *on;
        match then {
            Poured::Complete(text) => self.complete(job, text, Poll::IfNews),
            Poured::Fetch(fetching, uids) => self.fetch_from(job, fetching, uids),
        }
        true
    }
}
