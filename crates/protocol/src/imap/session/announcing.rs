//! How a command ends (RFC 3501 §5.2, RFC 7162 §6): what happened meanwhile is asked for and announced, then the tagged
//! response goes out.
//!
//! ```text
//! complete ─► Changes ─► announce ─► Fetch, while there is more ─► conclude ─► EXPUNGE, piece by piece ─► tag OK
//! ```

use mail::UidSet;

use super::{Job, Mode, Poll, ServerSession, State, Then};
use crate::imap::limits;
use crate::imap::responses::{Condition, Text, Writer};
use crate::imap::server::{Answer, FetchWants, Question};
use crate::imap::view;
use crate::misuse::Misuse;

/// What goes on when all that happened was announced.
pub(super) enum After {
    /// The command ends.
    Conclude(Text),
    /// The command, which has removed emails, ends (RFC 7162 §3.2.7).
    Removed(Text),
    /// The client idles on.
    Idle,
}

impl ServerSession {
    /// Ends a command: first the news of the mailbox, then the tagged response.
    pub(super) fn complete(&mut self, job: Job, text: Text, poll: Poll) {
        // RFC 7162 §6: a client that was shown a mod-sequence takes all below it for announced.
        let ahead =
            self.enabled.condstore && self.selected().is_some_and(|selected| selected.view.is_ahead());
        if self.selected().is_some() && (self.news || ahead || poll == Poll::Always) {
            self.ask_changes(job, After::Conclude(text));
        } else {
            self.conclude(job, text);
        }
    }

    /// Asks what changed since the client was told.
    pub(super) fn ask_changes(&mut self, job: Job, after: After) {
        let Some(since) = self.selected().map(|selected| selected.view.modseq()) else { return };
        // News that come from now on may not be in the answer.
        self.news = false;
        self.ask(job, Then::Changed(after), Question::Changes { since });
    }

    /// Announces what may be said at once.
    pub(super) fn changed(&mut self, job: Job, after: After, answer: Answer) {
        let mut rest = UidSet::new();
        match (answer, &mut self.state) {
            (Answer::Changes(mut changes), State::Selected(selected)) => {
                rest = std::mem::take(&mut changes.rest);
                view::write(&selected.view.merge(changes), self.enabled, &mut self.out);
            }
            // RFC 2180 §3.3: the mailbox is gone, and the connection ends.
            (Answer::NoSuchMailbox, _) => return self.bye("The selected mailbox was deleted"),
            // What could not be said now is asked for with the next command.
            _ => self.news = !matches!(after, After::Idle),
        }
        self.ask_more_flags(job, after, rest);
    }

    /// More emails changed than one answer holds.
    pub(super) fn more_flags(&mut self, job: Job, after: After, asked: u64, answer: Answer) {
        let mut more = UidSet::new();
        if let (Answer::Rows { rows, rest }, State::Selected(selected)) = (answer, &mut self.state) {
            view::write(&selected.view.flags(rows), self.enabled, &mut self.out);
            // Each answer must come nearer to the end.
            more = if rest.len() < asked { rest } else { more };
        }
        self.ask_more_flags(job, after, more);
    }

    fn ask_more_flags(&mut self, job: Job, after: After, uids: UidSet) {
        if uids.is_empty() {
            return self.all_announced(job, after);
        }
        let then = Then::MoreFlags(after, uids.len());
        self.ask(job, then, Question::Fetch { uids, wants: FetchWants::default() });
    }

    fn all_announced(&mut self, job: Job, after: After) {
        match after {
            After::Conclude(text) => self.conclude(job, text),
            After::Removed(text) => {
                // All that was held goes out with this command, so that everything merged is announced.
                let modseq = self.selected().map(|selected| selected.view.modseq().0.max(1));
                let text = match modseq.filter(|_| self.enabled.qresync) {
                    Some(modseq) => text.with_code(format!("HIGHESTMODSEQ {modseq}")),
                    None => text,
                };
                self.conclude(job, text);
            }
            After::Idle => self.mode = Mode::Idle(job),
        }
    }

    /// The tagged response; before it what was held, if numbers may move.
    pub(super) fn conclude(&mut self, job: Job, text: Text) {
        if job.moves_numbers && self.release() {
            self.mode = Mode::Concluding(Box::new((job, text)));
            return;
        }
        self.settle();
        Writer::new(&mut self.out).status(&job.tag, &text);
        self.commands += 1;
        self.renew_deadline();
        if text.condition != Condition::Bad {
            self.mistakes = 0;
            return;
        }
        self.mistakes += 1;
        if self.mistakes == limits::MISTAKES_MAX {
            self.misuses.note(Misuse::TooManyMisuses);
            self.bye("Too many mistakes");
        }
    }

    /// Says of some that they are gone: sequence numbers move. True: more is held.
    pub(super) fn release(&mut self) -> bool {
        let State::Selected(selected) = &mut self.state else { return false };
        if !selected.view.holds() {
            return false;
        }
        view::write(&selected.view.release(self.enabled), self.enabled, &mut self.out);
        selected.view.holds()
    }

    fn settle(&mut self) {
        let State::Selected(selected) = &mut self.state else { return };
        if let Some(modseq) = selected.view.settle()
            && self.enabled.condstore
        {
            let text = format!("OK [HIGHESTMODSEQ {modseq}] More is to be told");
            Writer::new(&mut self.out).untagged(&text);
        }
    }

    /// A command speaks of mod-sequences: from now on all flags are told with theirs (RFC 7162 §3.1).
    pub(super) fn enable_condstore(&mut self) {
        if !std::mem::replace(&mut self.enabled.condstore, true) {
            self.say_highest_modseq();
        }
    }

    /// RFC 7162 §3.1: the first such command says the selected mailbox's.
    pub(super) fn say_highest_modseq(&mut self) {
        if let State::Selected(selected) = &self.state {
            let text = format!("OK [HIGHESTMODSEQ {}] Highest", selected.view.announced());
            Writer::new(&mut self.out).untagged(&text);
        }
    }
}
