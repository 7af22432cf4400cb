//! An answer comes: what it says becomes responses, and the command ends or asks on.

use mail::{Flag, UidSet};

use super::{Job, Missing, Mode, Poll, Selected, ServerSession, State, Then};
use crate::imap::command::Access;
use crate::imap::responses::{Text, Writer};
use crate::imap::sequence::{self, Numbers};
use crate::imap::server::{self, Answer, Copied, FetchRow, Question};
use crate::imap::status;
use crate::imap::view::{self, View};

impl ServerSession {
    pub(super) fn answered(&mut self, job: Job, then: Then, answer: Answer) {
        match then {
            Then::SignIn(exchange) => self.sign_in_told(job, exchange, answer),
            Then::Changed(text) => self.changed(job, text, answer),
            Then::IdleChanged => self.idle_changed(job, answer),
            Then::Fetch(fetching) => self.fetched(job, fetching, answer),
            Then::AppendBegun(append, announced) => self.append_begun(append, announced, answer),
            Then::AppendTaken(append) => self.append_taken(append, answer),
            Then::AppendNext(append, announced) => self.append_next(append, announced, answer),
            Then::AppendFinished => self.append_finished(job, answer),
            Then::AppendAbandoned(text) => self.complete(job, text, Poll::IfNews),
            Then::ClosedAfterExpunge | Then::Unselected(_) | Then::Reselect(..) | Then::Selected(_) => {
                self.selection_answered(job, then, answer);
            }
            Then::ListStatus(rows) => self.list_status(job, rows, &answer),
            Then::Created { with_use } => self.created(job, with_use, &answer),
            Then::Plain { done, missing } => match answer {
                Answer::Done => self.complete(job, Text::ok(done), Poll::IfNews),
                other => self.failed(job, &other, missing),
            },
            then => self.data_answered(job, then, answer),
        }
    }

    /// CLOSE, UNSELECT, SELECT, EXAMINE.
    fn selection_answered(&mut self, job: Job, then: Then, answer: Answer) {
        match (then, answer) {
            (Then::ClosedAfterExpunge, Answer::Done) => {
                self.ask(job, Then::Unselected("CLOSE completed"), Question::Unselect);
            }
            (Then::Unselected(done), _) => {
                self.state = State::SignedIn;
                self.complete(job, Text::ok(done), Poll::IfNews);
            }
            // RFC 3501 §6.3.1: whatever comes of the new selection, the old one is over.
            (Then::Reselect(path, access), _) => self.select(job, path, access),
            (Then::Selected(access), Answer::Selected(selected)) => self.opened(job, access, selected),
            (_, other) => self.failed(job, &other, Missing::NonExistent),
        }
    }

    /// LIST, STATUS, SEARCH, STORE, COPY, MOVE, EXPUNGE.
    fn data_answered(&mut self, job: Job, then: Then, answer: Answer) {
        match (then, answer) {
            (Then::List(listing), Answer::Mailboxes(mailboxes)) => self.listed(job, listing, &mailboxes),
            (Then::Status(path, items), Answer::Status(status)) => {
                status::write(&path, &items, &status, self.names(), &mut self.out);
                self.complete(job, Text::ok("STATUS completed"), Poll::IfNews);
            }
            (Then::Found(numbers), Answer::Found { uids, .. }) => {
                self.write_found(numbers, &uids);
                self.complete(job, Text::ok("SEARCH completed"), Poll::IfNews);
            }
            (Then::Stored { silent, numbers, asked }, Answer::Stored { rows, .. }) => {
                let missing = asked.saturating_sub(rows.len() as u64);
                self.write_stored(silent, numbers, &rows);
                self.complete(job, done_but_for("STORE completed", missing, numbers), Poll::IfNews);
            }
            // RFC 3501 §6.3.11 and §6.4.7: a copy into the selected mailbox is to be seen at once.
            (Then::Copied, Answer::Copied(copied)) => {
                let text = match copy_uid(&copied) {
                    Some(code) => Text::ok("COPY completed").with_code(code),
                    None => Text::ok("COPY completed"),
                };
                self.complete(job, text, Poll::Always);
            }
            (Then::Moved, Answer::Copied(copied)) => {
                // RFC 6851 §4.3: COPYUID comes before the EXPUNGEs of what it names.
                if let Some(code) = copy_uid(&copied) {
                    Writer::new(&mut self.out).untagged(&format!("OK [{code}] Moved"));
                }
                self.complete(job, Text::ok("MOVE completed"), Poll::Always);
            }
            (Then::Expunged, Answer::Done) => self.complete(job, Text::ok("EXPUNGE completed"), Poll::Always),
            (Then::Copied | Then::Moved, other) => self.failed(job, &other, Missing::TryCreate),
            (_, other) => self.failed(job, &other, Missing::NonExistent),
        }
    }

    /// The command could not be done.
    pub(super) fn failed(&mut self, job: Job, answer: &Answer, missing: Missing) {
        self.complete(job, failure(answer, missing), Poll::IfNews);
    }

    /// The mailbox is open (RFC 3501 §6.3.1).
    fn opened(&mut self, job: Job, access: Access, selected: server::Selected) {
        let count = selected.uids.len();
        let unseen = selected.first_unseen.and_then(|uid| selected.uids.rank(uid));
        let system = Flag::SYSTEM.map(|(flag, _)| flag).to_vec();
        let flags = [system.clone(), selected.keywords].concat();
        let mut writer = Writer::new(&mut self.out);
        writer.raw("* FLAGS ").flags(&flags).end();
        writer.untagged(&format!("{count} EXISTS"));
        // No email is \Recent here (see the module's page).
        writer.untagged("0 RECENT");
        if let Some(number) = unseen {
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
        let view = View::new(selected.uids, selected.highest_modseq);
        self.state = State::Selected(Box::new(Selected { view, access }));
        let text = match access {
            Access::ReadWrite => Text::ok("SELECT completed").with_code("READ-WRITE"),
            Access::ReadOnly => Text::ok("EXAMINE completed").with_code("READ-ONLY"),
        };
        self.conclude(job, text);
    }

    /// What happened while the command ran.
    fn changed(&mut self, job: Job, text: Text, answer: Answer) {
        if self.merge(answer) {
            self.conclude(job, text);
        }
    }

    fn idle_changed(&mut self, job: Job, answer: Answer) {
        if self.merge(answer) {
            self.release();
            self.mode = Mode::Idle(job);
        }
    }

    /// Writes what may be said at once. False: the mailbox is gone, and the connection ends (RFC 2180 §3.3).
    fn merge(&mut self, answer: Answer) -> bool {
        match (answer, &mut self.state) {
            (Answer::Changes(changes), State::Selected(selected)) => {
                view::write(&selected.view.merge(changes), &mut self.out);
            }
            (Answer::NoSuchMailbox, _) => {
                self.bye("The selected mailbox was deleted");
                return false;
            }
            _ => {}
        }
        true
    }

    fn write_found(&mut self, numbers: Numbers, found: &UidSet) {
        let Some(selected) = self.selected() else { return };
        let map = selected.view.uids();
        let found: Vec<u32> = match numbers {
            Numbers::Sequence => sequence::ranks_of(map, found),
            Numbers::Uid => found.intersection(map).iter().map(|uid| uid.0).collect(),
        };
        let mut text = String::from("SEARCH");
        for number in found {
            text.push(' ');
            text.push_str(&number.to_string());
        }
        Writer::new(&mut self.out).untagged(&text);
    }

    fn write_stored(&mut self, silent: bool, numbers: Numbers, rows: &[FetchRow]) {
        let mut out = std::mem::take(&mut self.out);
        let Some(selected) = self.selected_mut() else { return };
        for row in rows {
            selected.view.tell(row.uid, row.modseq);
            let Some(sequence) = selected.view.uids().rank(row.uid).filter(|_| !silent) else { continue };
            let mut writer = Writer::new(&mut out);
            writer.raw(&format!("* {sequence} FETCH ("));
            if numbers == Numbers::Uid {
                // RFC 3501 §6.4.8: a UID command's answers say the UID.
                writer.raw(&format!("UID {} ", row.uid));
            }
            writer.raw("FLAGS ").flags(&row.flags).raw(")").end();
        }
        self.out = out;
    }

    pub(super) fn append_finished(&mut self, job: Job, answer: Answer) {
        match answer {
            Answer::Appended { validity, uids } => {
                let text = Text::ok("APPEND completed").with_code(format!("APPENDUID {validity} {uids}"));
                self.complete(job, text, Poll::Always);
            }
            other => self.failed(job, &other, Missing::TryCreate),
        }
    }
}

/// OK, with a hint if some of the messages were gone. UIDs that are gone need no hint (RFC 3501 §6.4.8).
pub(super) fn done_but_for(done: &'static str, missing: u64, numbers: Numbers) -> Text {
    match (missing, numbers) {
        (0, _) | (_, Numbers::Uid) => Text::ok(done),
        _ => Text::ok("Some of the messages are gone").with_code("EXPUNGEISSUED"),
    }
}

/// The one place where a failure of ours becomes a response.
pub(super) fn failure(answer: &Answer, missing: Missing) -> Text {
    match (answer, missing) {
        (Answer::NoSuchMailbox, Missing::TryCreate) => Text::no("TRYCREATE", "There is no such mailbox"),
        (Answer::NoSuchMailbox, Missing::NonExistent) => Text::no("NONEXISTENT", "There is no such mailbox"),
        (Answer::Exists, _) => Text::no("ALREADYEXISTS", "There is such a mailbox already"),
        (Answer::Cannot(why), _) => Text::no("CANNOT", why),
        (Answer::TooBig, _) => Text::no("OVERQUOTA", "There is no room for this"),
        _ => Text::no("UNAVAILABLE", "Not possible now, try again later"),
    }
}

/// `COPYUID` (RFC 4315 §3); none if nothing was copied.
fn copy_uid(copied: &Copied) -> Option<String> {
    let some = !copied.source.is_empty() && !copied.target.is_empty();
    some.then(|| format!("COPYUID {} {} {}", copied.validity, copied.source, copied.target))
}
