//! A command begins: what can be answered is answered, the rest is asked.

use super::{Job, Life, Mode, Poll, ServerSession, Then};
use crate::imap::command::{Access, Command};
use crate::imap::responses::{Text, Writer};
use crate::imap::server::{Answer, Question};
use crate::imap::status::StatusItem;
use crate::misuse::Misuse;
use crate::session::Upgrade;

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
            Command::Enable(words) => self.enable(job, &words),
            Command::Compress => self.compress(job),
            Command::Status(path, items) => {
                // RFC 7162 §3.1: whoever asks for it follows mod-sequences.
                if items.contains(&StatusItem::HighestModSeq) {
                    self.enable_condstore();
                }
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

    /// ENABLE (RFC 5161).
    fn enable(&mut self, job: Job, words: &[String]) {
        let selected = self.selected().is_some();
        let followed = self.enabled.condstore;
        let mut text = String::from("ENABLED");
        for name in words.iter().filter_map(|word| self.enabled.enable(word, selected)) {
            if !text.split(' ').any(|said| said == name) {
                text.push(' ');
                text.push_str(name);
            }
        }
        Writer::new(&mut self.out).untagged(&text);
        if self.enabled.condstore && !followed {
            self.say_highest_modseq();
        }
        self.complete(job, Text::ok("ENABLE completed"), Poll::IfNews);
    }

    /// COMPRESS (RFC 4978).
    fn compress(&mut self, job: Job) {
        if self.compressed {
            return self.complete(
                job,
                Text::no("COMPRESSIONACTIVE", "Compression is on already"),
                Poll::IfNews,
            );
        }
        self.ask(Job { moves_numbers: false, ..job }, Then::Compress, Question::Compress);
    }

    pub(super) fn compress_allowed(&mut self, job: Job, answer: &Answer) {
        if *answer != Answer::Done {
            return self.complete(job, Text::no("LIMIT", "Too many connections compress"), Poll::IfNews);
        }
        if !self.lines.is_empty() {
            // RFC 4978 §3: no command follows before the answer; what has come may be either form.
            self.wrong(job, Misuse::InputBeforeCompression);
            return self.close();
        }
        self.conclude(job, Text::ok("DEFLATE active"));
        self.compressed = true;
        self.life = Life::Upgrade(Upgrade::Deflate);
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
            Command::Search(program, numbers) => self.search(job, program, numbers),
            Command::Fetch { uids, request, vanished, numbers } => {
                self.fetch(job, uids, (*request, vanished), numbers);
            }
            Command::Store { uids, store, numbers } => self.store(job, &uids, store, numbers),
            Command::Copy { uids, .. } | Command::Move { uids, .. } if uids.is_empty() => {
                self.complete(job, Text::ok("Nothing to do"), Poll::IfNews);
            }
            Command::Copy { uids, to } => self.ask(job, Then::Copied, Question::Copy { uids, to }),
            Command::Move { uids, to } => self.ask(job, Then::Moved, Question::Move { uids, to }),
            _ => unreachable!("start() sends no other command here"),
        }
    }

    pub(super) fn may_write(&self) -> bool {
        self.selected().is_some_and(|selected| selected.access == Access::ReadWrite)
    }
}
