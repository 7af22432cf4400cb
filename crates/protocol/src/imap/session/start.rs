//! A command begins: what can be answered is answered, the rest is asked.

use mail::{Flag, MailboxPath, UidSet};

use super::fetching::Fetching;
use super::{Job, Mode, Poll, ServerSession, State, Then};
use crate::imap::command::{Access, Command};
use crate::imap::fetch;
use crate::imap::responses::{Text, Writer};
use crate::imap::sequence::Numbers;
use crate::imap::server::{Question, StoreMode};

impl ServerSession {
    pub(super) fn start(&mut self, job: Job, command: Command) {
        match command {
            Command::Capability => {
                let capabilities = self.capabilities();
                self.say(job, &capabilities, "CAPABILITY completed");
            }
            Command::Noop => self.complete(job, Text::ok("NOOP completed"), Poll::Always),
            Command::Logout => self.logout(job),
            Command::Id => self.say(job, r#"ID ("name" "Waxseal")"#, "ID completed"),
            Command::StartTls => self.start_tls(job),
            Command::Authenticate { mechanism, initial } => {
                self.authenticate(job, &mechanism, initial.as_deref());
            }
            Command::Login { login, password } => self.login(job, login, password),
            // RFC 2342 §5: one personal namespace, its names begin with nothing.
            Command::Namespace => {
                self.say(job, r#"NAMESPACE (("" "/")) NIL NIL"#, "NAMESPACE completed");
            }
            Command::List(listing) => self.list(job, listing),
            Command::Status(path, items) => {
                self.ask(job, Then::Status(path.clone(), items), Question::Status(path));
            }
            Command::Idle => self.idle(job),
            Command::Select { .. } | Command::Close | Command::Unselect => self.start_selecting(job, command),
            Command::Create { .. } | Command::Delete(_) | Command::Rename(..) | Command::Subscribe(..) => {
                self.start_naming(job, command);
            }
            command => self.start_in_mailbox(job, command),
        }
    }

    /// An untagged response and OK.
    fn say(&mut self, job: Job, untagged: &str, done: &'static str) {
        Writer::new(&mut self.out).untagged(untagged);
        self.complete(job, Text::ok(done), Poll::IfNews);
    }

    fn logout(&mut self, job: Job) {
        // RFC 3501 §6.1.3: BYE comes before the tagged OK.
        Writer::new(&mut self.out).untagged("BYE Logging out");
        self.conclude(Job { moves_numbers: false, ..job }, Text::ok("LOGOUT completed"));
        self.close();
    }

    fn idle(&mut self, job: Job) {
        self.out.extend_from_slice(b"+ idling\r\n");
        // What happened before is told at once.
        self.news = true;
        self.renew_deadline();
        self.mode = Mode::Idle(job);
    }

    /// SELECT, EXAMINE, CLOSE, UNSELECT: what is selected is left first.
    fn start_selecting(&mut self, job: Job, command: Command) {
        let access = self.selected().map(|selected| selected.access);
        let (then, question) = match (command, access) {
            // RFC 3501 §6.4.2: CLOSE removes what is \Deleted, silently, unless the mailbox is read-only.
            (Command::Close, Some(Access::ReadWrite)) => (Then::ClosedAfterExpunge, Question::Expunge(None)),
            (Command::Select { path, access }, None) => return self.select(job, path, access),
            (Command::Select { path, access }, Some(_)) => (Then::Reselect(path, access), Question::Unselect),
            (Command::Close, _) => (Then::Unselected("CLOSE completed"), Question::Unselect),
            _ => (Then::Unselected("UNSELECT completed"), Question::Unselect),
        };
        self.ask(job, then, question);
    }

    pub(super) fn select(&mut self, job: Job, path: MailboxPath, access: Access) {
        self.state = State::SignedIn;
        self.news = false;
        self.ask(job, Then::Selected(access), Question::Select(path));
    }

    /// What needs a selected mailbox.
    fn start_in_mailbox(&mut self, job: Job, command: Command) {
        let changes = matches!(command, Command::Store { .. } | Command::Expunge(_) | Command::Move { .. });
        if changes && !self.may_write() {
            return self.complete(job, Text::no("CANNOT", "Mailbox is read-only"), Poll::IfNews);
        }
        match command {
            Command::Check => self.complete(job, Text::ok("CHECK completed"), Poll::Always),
            Command::Expunge(uids) => self.ask(job, Then::Expunged, Question::Expunge(uids)),
            Command::Search(key, numbers) => {
                self.ask(job, Then::Found(numbers), Question::Search { key, modseq: false });
            }
            Command::Fetch { uids, request, numbers } => self.fetch(job, uids, *request, numbers),
            Command::Store { uids, mode, silent, flags, numbers } => {
                self.store(job, uids, (mode, flags), silent, numbers);
            }
            Command::Copy { uids, .. } | Command::Move { uids, .. } if uids.is_empty() => {
                self.complete(job, Text::ok("Nothing to do"), Poll::IfNews);
            }
            Command::Copy { uids, to } => self.ask(job, Then::Copied, Question::Copy { uids, to }),
            Command::Move { uids, to } => self.ask(job, Then::Moved, Question::Move { uids, to }),
            _ => unreachable!("start() sends no other command here"),
        }
    }

    fn may_write(&self) -> bool {
        self.selected().is_some_and(|selected| selected.access == Access::ReadWrite)
    }

    fn fetch(&mut self, job: Job, uids: UidSet, mut request: fetch::Request, numbers: Numbers) {
        if uids.is_empty() {
            return self.complete(job, Text::ok("FETCH completed"), Poll::IfNews);
        }
        // RFC 3501 §6.3.2: EXAMINE changes nothing.
        request.wants.mark_seen &= self.may_write();
        let question = Question::Fetch { uids: uids.clone(), wants: request.wants.clone() };
        let fetching = Box::new(Fetching::new(request, numbers, &uids));
        self.ask(job, Then::Fetch(fetching), question);
    }

    fn store(&mut self, job: Job, uids: UidSet, how: (StoreMode, Vec<Flag>), silent: bool, numbers: Numbers) {
        if uids.is_empty() {
            return self.complete(job, Text::ok("STORE completed"), Poll::IfNews);
        }
        let (mode, flags) = how;
        let then = Then::Stored { silent, numbers, asked: uids.len() };
        self.ask(job, then, Question::Store { uids, mode, flags, unchanged_since: None });
    }
}
