//! SELECT, EXAMINE, CLOSE and UNSELECT (RFC 3501 §6.3.1, §6.3.2, §6.4.2; RFC 3691; RFC 7162 §3.2.5, §3.2.11).

use mail::{Flag, MailboxPath, ModSeq, UidSet};

use super::fetching::Fetching;
use super::refusals::Missing;
use super::searching::{Poured, PouringOn};
use super::{Job, Poll, Selected, ServerSession, State, Then};
use crate::imap::command::{Access, Command};
use crate::imap::found::Pouring;
use crate::imap::responses::{Text, Writer};
use crate::imap::select::{Parameters, Resync};
use crate::imap::server::{self, Answer, Question};
use crate::imap::view::View;
use crate::misuse::Misuse;

/// A mailbox that is being selected.
pub(super) struct Selecting {
    path: MailboxPath,
    access: Access,
    parameters: Parameters,
}

/// What a client that comes back is told after SELECT's own responses.
pub(super) struct Resyncing {
    since: ModSeq,
    /// It wants to hear of these.
    known: UidSet,
    /// Those of them that may have vanished without its knowledge.
    doubtful: UidSet,
    /// The end of SELECT.
    text: Text,
}

impl ServerSession {
    /// What is selected is left first.
    pub(super) fn start_selecting(&mut self, job: Job, command: Command) {
        let access = self.selected().map(|selected| selected.access);
        let (then, question) = match (command, access) {
            // RFC 3501 §6.4.2: CLOSE removes what is \Deleted, silently, unless the mailbox is read-only.
            (Command::Close, Some(Access::ReadWrite)) => (Then::ClosedAfterExpunge, Question::Expunge(None)),
            (Command::Select { path, access, parameters }, _) => {
                return self.start_select(job, Box::new(Selecting { path, access, parameters }));
            }
            (Command::Close, _) => (Then::Unselected("CLOSE completed"), Question::Unselect),
            _ => (Then::Unselected("UNSELECT completed"), Question::Unselect),
        };
        self.ask(job, then, question);
    }

    fn start_select(&mut self, job: Job, selecting: Box<Selecting>) {
        let Parameters { condstore, qresync } = &selecting.parameters;
        if qresync.is_some() && !self.enabled.qresync {
            return self.wrong(job, Misuse::NotEnabled);
        }
        let condstore = *condstore;
        if self.selected().is_some() {
            return self.ask(job, Then::Reselect(selecting), Question::Unselect);
        }
        self.enabled.condstore |= condstore;
        self.select(job, selecting);
    }

    fn select(&mut self, job: Job, selecting: Box<Selecting>) {
        self.state = State::SignedIn;
        self.news = false;
        let question = Question::Select(selecting.path.clone());
        self.ask(job, Then::Selected(selecting), question);
    }

    pub(super) fn selection_answered(&mut self, job: Job, then: Then, answer: Answer) {
        match (then, answer) {
            (Then::ClosedAfterExpunge, Answer::Done) => {
                self.ask(job, Then::Unselected("CLOSE completed"), Question::Unselect);
            }
            (Then::Unselected(done), _) => {
                self.state = State::SignedIn;
                self.complete(job, Text::ok(done), Poll::IfNews);
            }
            // RFC 3501 §6.3.1: whatever comes of the new selection, the old one is over.
            (Then::Reselect(selecting), _) => {
                // RFC 7162 §3.2.11: what comes after this is the new mailbox's.
                Writer::new(&mut self.out).untagged("OK [CLOSED] The previous mailbox is closed");
                self.enabled.condstore |= selecting.parameters.condstore;
                self.select(job, selecting);
            }
            (Then::Selected(selecting), Answer::Selected(selected)) => self.opened(job, *selecting, selected),
            (Then::Resync(resyncing), answer) => self.resync(job, *resyncing, answer),
            (_, other) => self.failed(job, &other, Missing::NonExistent),
        }
    }

    /// The mailbox is open.
    fn opened(&mut self, job: Job, selecting: Selecting, selected: server::Selected) {
        let Selecting { path, access, parameters } = selecting;
        self.write_opened(&path, access, &selected);
        let text = match access {
            Access::ReadWrite => Text::ok("SELECT completed").with_code("READ-WRITE"),
            Access::ReadOnly => Text::ok("EXAMINE completed").with_code("READ-ONLY"),
        };
        let resyncing = parameters.qresync.and_then(|resync| Resyncing::of(&resync, &selected, text.clone()));
        let view = View::new(selected.uids, selected.highest_modseq);
        self.state = State::Selected(Box::new(Selected { view, access, saved: UidSet::new() }));
        match resyncing {
            None => self.conclude(job, text),
            Some(resyncing) => {
                let question =
                    Question::Vanished { since: resyncing.since, among: resyncing.doubtful.clone() };
                self.ask(job, Then::Resync(Box::new(resyncing)), question);
            }
        }
    }

    /// RFC 3501 §6.3.1; RFC 9051 §6.3.2 has no RECENT and no UNSEEN, but LIST.
    fn write_opened(&mut self, path: &MailboxPath, access: Access, selected: &server::Selected) {
        let (names, rev2) = (self.names(), self.enabled.rev2);
        let unseen = selected.first_unseen.and_then(|uid| selected.uids.rank(uid));
        let system = Flag::SYSTEM.map(|(flag, _)| flag).to_vec();
        let flags = [system, selected.keywords.clone()].concat();
        let mut writer = Writer::new(&mut self.out);
        writer.raw("* FLAGS ").flags(&flags).end();
        writer.untagged(&format!("{} EXISTS", selected.uids.len()));
        if rev2 {
            writer.raw(r#"* LIST () "/" "#).mailbox(path, names).end();
        } else {
            // No email is \Recent here (see the module's page).
            writer.untagged("0 RECENT");
        }
        if let Some(number) = unseen.filter(|_| !rev2) {
            writer.untagged(&format!("OK [UNSEEN {number}] First unseen message"));
        }
        match access {
            Access::ReadWrite => {
                writer.untagged(
                    r"OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags kept",
                );
            }
            Access::ReadOnly => writer.untagged("OK [PERMANENTFLAGS ()] No flag can be changed"),
        }
        writer.untagged(&format!("OK [UIDVALIDITY {}] UIDs are valid", selected.uid_validity));
        writer.untagged(&format!("OK [UIDNEXT {}] Predicted next UID", selected.uid_next));
        // RFC 7162 §3.1.2.1: after a command that speaks of mod-sequences; it may always be said.
        let modseq = selected.highest_modseq.0.max(1);
        writer.untagged(&format!("OK [HIGHESTMODSEQ {modseq}] Highest"));
    }

    /// Tells a client that comes back what has vanished, then what has changed (RFC 7162 §3.2.5.1).
    fn resync(&mut self, job: Job, resyncing: Resyncing, answer: Answer) {
        let Some(selected) = self.selected() else { return };
        let Resyncing { since, known, doubtful, text } = resyncing;
        let vanished = match answer {
            Answer::Found { uids, .. } => uids.intersection(&doubtful),
            // More may be told than has vanished since (RFC 7162 §5.1), if only it is not there.
            _ => doubtful,
        };
        let pouring = Pouring::vanished(vanished.difference(selected.view.uids()));
        let changed = known.intersection(selected.view.uids());
        let then = Poured::Fetch(Box::new(Fetching::resync(since, text)), changed);
        self.pour(PouringOn { pouring, job, then });
    }
}

impl Resyncing {
    /// What is to be told; nothing, if the client knows all there is, or knew another mailbox of this name.
    fn of(resync: &Resync, selected: &server::Selected, text: Text) -> Option<Self> {
        // RFC 7162 §3.2.5: with another UIDVALIDITY nothing else of it has a meaning.
        if resync.uid_validity != selected.uid_validity || resync.since >= selected.highest_modseq {
            return None;
        }
        let ever = UidSet::from_runs(
            selected.uid_next.checked_sub(1).filter(|&last| last > 0).map(|last| (1, last)),
        );
        let known = resync.known.as_ref().map_or_else(|| ever.clone(), |known| known.intersection(&ever));
        let matched = resync.matched(&selected.uids);
        let doubtful = match matched {
            0 => known.clone(),
            matched => known.difference(&UidSet::from_runs([(1, matched)])),
        };
        Some(Self { since: resync.since, known, doubtful, text })
    }
}
