//! An answer comes: what it says becomes responses, and the command ends or asks on.

use super::announcing::After;
use super::refusals::{Missing, failure};
use super::{Job, Poll, ServerSession, Then};
use crate::imap::responses::{Text, Writer};
use crate::imap::sequence::Numbers;
use crate::imap::server::{Answer, Copied};
use crate::imap::status;

impl ServerSession {
    pub(super) fn answered(&mut self, job: Job, then: Then, answer: Answer) {
        match then {
            Then::SignIn(exchange) => self.sign_in_told(job, exchange, answer),
            Then::Changed(after) => self.changed(job, after, answer),
            Then::MoreFlags(after, asked) => self.more_flags(job, after, asked, answer),
            Then::Fetch(fetching) => self.fetched(job, fetching, answer),
            Then::FetchVanished(fetching, uids, among) => {
                self.fetch_vanished(job, fetching, (uids, among), answer);
            }
            Then::Found(searching) => self.found(job, searching, answer),
            Then::FoundEnds(searching, found) => self.found_ends(job, &searching, found, answer),
            Then::Stored(storing) => self.stored(job, storing, answer),
            Then::Compress => self.compress_allowed(job, &answer),
            Then::AppendBegun(append, announced) => self.append_begun(append, announced, answer),
            Then::AppendTaken(append) => self.append_taken(append, answer),
            Then::AppendNext(append, announced) => self.append_next(append, announced, answer),
            Then::AppendFinished => self.append_finished(job, answer),
            Then::AppendAbandoned(text) => self.complete(job, text, Poll::IfNews),
            Then::ClosedAfterExpunge
            | Then::Unselected(_)
            | Then::Reselect(_)
            | Then::Selected(_)
            | Then::Resync(_) => self.selection_answered(job, then, answer),
            Then::ListStatus(rows) => self.list_status(job, rows, &answer),
            Then::Named(naming) => self.named(job, &naming, &answer),
            then => self.data_answered(job, then, answer),
        }
    }

    /// LIST, STATUS, COPY, MOVE, EXPUNGE.
    fn data_answered(&mut self, job: Job, then: Then, answer: Answer) {
        match (then, answer) {
            (Then::List(listing), Answer::Mailboxes(mailboxes)) => self.listed(job, listing, &mailboxes),
            (Then::Status(path, items), Answer::Status(status)) => {
                status::write(&path, &items, &status, self.names(), &mut self.out);
                self.complete(job, Text::ok("STATUS completed"), Poll::IfNews);
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
                self.ask_changes(job, After::Removed(Text::ok("MOVE completed")));
            }
            (Then::Expunged, Answer::Done) => {
                self.ask_changes(job, After::Removed(Text::ok("EXPUNGE completed")));
            }
            (Then::Copied | Then::Moved, other) => self.failed(job, &other, Missing::TryCreate),
            (_, other) => self.failed(job, &other, Missing::NonExistent),
        }
    }

    /// The command could not be done.
    pub(super) fn failed(&mut self, job: Job, answer: &Answer, missing: Missing) {
        self.complete(job, failure(answer, missing), Poll::IfNews);
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

/// `COPYUID` (RFC 4315 §3); none if nothing was copied.
fn copy_uid(copied: &Copied) -> Option<String> {
    let some = !copied.source.is_empty() && !copied.target.is_empty();
    some.then(|| format!("COPYUID {} {} {}", copied.validity, copied.source, copied.target))
}
