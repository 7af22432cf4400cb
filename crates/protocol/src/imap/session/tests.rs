//! Dialogues with a scripted application: a mailbox in memory, of which two sessions may be told.

use std::collections::BTreeMap;
use std::time::Duration;

use mail::{Flag, MailboxPath, ModSeq, SearchKey, Timestamp, Uid};
use proptest::prelude::*;

use super::*;
use crate::imap::server::{self, Changes, Copied, FetchRow, Mailbox, Piece, Status, StoreMode};
use crate::sasl::{Ask, SignIn};

/// INBOX of bob, and an empty mailbox beside it.
#[derive(Default)]
struct Application {
    emails: BTreeMap<Uid, Email>,
    vanished: Vec<(Uid, ModSeq)>,
    next: u32,
    modseq: u64,
    appending: Vec<u8>,
    /// Every question, shortly.
    asked: Vec<String>,
}

struct Email {
    flags: Vec<Flag>,
    arrived: ModSeq,
    modseq: ModSeq,
    content: Vec<u8>,
}

impl Application {
    fn with_emails(count: u32) -> Self {
        let mut application = Self { next: 1, ..Self::default() };
        for number in 1..=count {
            application
                .deliver(format!("Subject: {number}\r\n\r\nHello {number}\r\n").as_bytes(), Vec::new());
        }
        application
    }

    fn tick(&mut self) -> ModSeq {
        self.modseq += 1;
        ModSeq(self.modseq)
    }

    fn deliver(&mut self, content: &[u8], flags: Vec<Flag>) -> Uid {
        let (uid, modseq) = (Uid(self.next), self.tick());
        self.next += 1;
        self.emails.insert(uid, Email { flags, arrived: modseq, modseq, content: content.to_vec() });
        uid
    }

    fn remove(&mut self, uid: Uid) {
        let modseq = self.tick();
        self.emails.remove(&uid);
        self.vanished.push((uid, modseq));
    }

    fn flag(&mut self, uid: Uid, mode: StoreMode, flags: &[Flag]) {
        let modseq = self.tick();
        let Some(email) = self.emails.get_mut(&uid) else { return };
        match mode {
            StoreMode::Set => email.flags = flags.to_vec(),
            StoreMode::Add => email
                .flags
                .extend(flags.iter().filter(|flag| !email.flags.contains(flag)).cloned().collect::<Vec<_>>()),
            StoreMode::Remove => email.flags.retain(|flag| !flags.contains(flag)),
        }
        email.modseq = modseq;
    }

    fn row(&self, uid: Uid) -> Option<FetchRow> {
        let email = self.emails.get(&uid)?;
        Some(FetchRow {
            uid,
            flags: email.flags.clone(),
            modseq: email.modseq,
            facts: Some((Timestamp(0), email.content.len() as u64)),
            envelope: None,
            structure: None,
            sections: Vec::new(),
            binary_sizes: Vec::new(),
        })
    }

    fn changes(&self, since: ModSeq) -> Changes {
        let new = |email: &Email| email.arrived > since;
        Changes {
            highest_modseq: ModSeq(self.modseq),
            vanished: self.vanished.iter().filter(|(_, at)| *at > since).map(|(uid, _)| *uid).collect(),
            arrived: self.emails.iter().filter(|(_, email)| new(email)).map(|(uid, _)| *uid).collect(),
            flags: self
                .emails
                .iter()
                .filter(|(_, email)| email.modseq > since && !new(email))
                .filter_map(|(uid, _)| self.row(*uid))
                .collect(),
            rest: UidSet::new(),
        }
    }

    /// Rows two at a time, and no more than ten octets of a section, so that slices and pieces are seen at work.
    fn fetch(&mut self, uids: &UidSet, wants: &server::FetchWants) -> Answer {
        let (now, rest) = uids.split_at(2);
        if wants.mark_seen {
            for uid in now.iter() {
                self.flag(uid, StoreMode::Add, &[Flag::Seen]);
            }
        }
        let mut rows: Vec<_> = now.iter().filter_map(|uid| self.row(uid)).collect();
        for row in &mut rows {
            let content = &self.emails[&row.uid].content;
            let piece = Bytes::copy_from_slice(&content[..content.len().min(10)]);
            row.sections = wants
                .sections
                .iter()
                .map(|_| Piece::Octets { length: content.len() as u64, start: piece.clone() })
                .collect();
        }
        Answer::Rows { rows, rest }
    }

    fn search(&self, key: &SearchKey) -> UidSet {
        let all = || self.emails.keys().copied();
        match key {
            SearchKey::Uids(uids) => uids.clone(),
            SearchKey::Flag(flag) => all().filter(|uid| self.emails[uid].flags.contains(flag)).collect(),
            _ => all().collect(),
        }
    }

    fn decide(&mut self, question: Question) -> Answer {
        self.asked.push(format!("{question:?}").split([' ', '(', '{']).next().unwrap_or_default().to_owned());
        match question {
            Question::Authenticate(Ask::Password(credentials)) if credentials.password.0 == "secret" => {
                Answer::SignIn(SignIn::Accepted(mail::Address::parse("bob@example.org").unwrap()).into())
            }
            Question::Authenticate(Ask::Password(credentials)) if credentials.login == "later" => {
                Answer::SignIn(SignIn::Unavailable.into())
            }
            Question::Authenticate(_) => Answer::SignIn(SignIn::Refused.into()),
            Question::Mailboxes => Answer::Mailboxes(vec![Mailbox {
                path: MailboxPath::inbox(),
                subscribed: true,
                special_use: None,
                no_select: false,
                missing: false,
            }]),
            Question::Status(path) | Question::Select(path) if !path.is_inbox() => Answer::NoSuchMailbox,
            Question::Status(_) => Answer::Status(Status {
                messages: self.emails.len() as u32,
                uid_next: self.next,
                uid_validity: 7,
                ..Status::default()
            }),
            Question::Select(_) => Answer::Selected(server::Selected {
                uids: self.emails.keys().copied().collect(),
                uid_validity: 7,
                uid_next: self.next,
                first_unseen: self
                    .emails
                    .iter()
                    .find(|(_, e)| !e.flags.contains(&Flag::Seen))
                    .map(|(uid, _)| *uid),
                highest_modseq: ModSeq(self.modseq),
                keywords: Vec::new(),
            }),
            Question::Create { path, .. } if path.is_inbox() => Answer::Exists,
            question => self.decide_in_mailbox(question),
        }
    }

    fn decide_in_mailbox(&mut self, question: Question) -> Answer {
        match question {
            Question::Changes { since } => Answer::Changes(self.changes(since)),
            Question::Fetch { uids, wants } => self.fetch(&uids, &wants),
            Question::Read { uid, offset, .. } => {
                let content = self.emails.get(&uid).map(|email| &email.content[offset as usize..]);
                let content = content.unwrap_or_default();
                Answer::Content(Bytes::copy_from_slice(&content[..content.len().min(10)]))
            }
            Question::Search { key, .. } => Answer::Found { uids: self.search(&key), modseq: None },
            Question::Store { uids, mode, flags, .. } => {
                uids.iter().for_each(|uid| self.flag(uid, mode, &flags));
                let rows = uids.iter().filter_map(|uid| self.row(uid)).collect();
                Answer::Stored { rows, modified: UidSet::new() }
            }
            Question::Copy { to, .. } | Question::Move { to, .. } if to.as_str() == "gone" => {
                Answer::NoSuchMailbox
            }
            Question::Copy { uids, .. } => {
                Answer::Copied(Copied { validity: 9, target: uids.clone(), source: uids })
            }
            Question::Move { uids, .. } => {
                uids.iter().for_each(|uid| self.remove(uid));
                Answer::Copied(Copied { validity: 9, target: uids.clone(), source: uids })
            }
            Question::Expunge(among) => {
                let deleted = self.search(&SearchKey::Flag(Flag::Deleted));
                let gone = among.map_or(deleted.clone(), |among| among.intersection(&deleted));
                gone.iter().for_each(|uid| self.remove(uid));
                Answer::Done
            }
            Question::AppendBegin { to, .. } if !to.is_inbox() => Answer::NoSuchMailbox,
            Question::AppendChunk(chunk) => {
                self.appending.extend_from_slice(&chunk);
                Answer::Done
            }
            Question::AppendFinish { last, flags, .. } => {
                let content = [std::mem::take(&mut self.appending), last.to_vec()].concat();
                Answer::Appended { validity: 7, uids: self.deliver(&content, flags).into() }
            }
            Question::AppendAbandoned => {
                self.appending.clear();
                Answer::Done
            }
            _ => Answer::Done,
        }
    }
}

/// A session and what it has said.
struct Client {
    session: ServerSession,
    heard: Vec<u8>,
    now: Instant,
    closed: bool,
}

const HALF_HOUR: Duration = Duration::from_secs(1800);

impl Client {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            host_name: "mx.example.org".into(),
            timeout: HALF_HOUR,
            timeout_before_sign_in: Duration::from_secs(60),
            starttls: true,
            auth_without_tls: true,
            auth: crate::sasl::Offer::USUAL,
            sign_in_failures_max: 3,
            append_size_max: 200_000,
        };
        change(&mut config);
        #[allow(clippy::disallowed_methods)] // any moment will do
        let now = Instant::now();
        Self {
            session: ServerSession::new(Arc::new(config), now, crate::sasl::Seed([0; 32])),
            heard: Vec::new(),
            now,
            closed: false,
        }
    }

    fn run(&mut self, application: &mut Application) {
        loop {
            match self.session.next() {
                Step::Send(bytes) => self.heard.extend_from_slice(&bytes),
                Step::Ask(question) => {
                    let answer = application.decide(question);
                    self.session.answer(self.now, answer);
                }
                Step::Upgrade(_) => self.session.secured(self.now, TlsFacts::default()),
                Step::Await { .. } => return,
                Step::Close => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    /// Says this and returns what is heard.
    fn say(&mut self, application: &mut Application, text: impl AsRef<[u8]>) -> String {
        self.session.receive(self.now, text.as_ref());
        self.run(application);
        self.listen()
    }

    fn listen(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.heard)).unwrap()
    }

    fn selected(application: &mut Application) -> Self {
        let mut client = Self::new();
        client.say(application, "a LOGIN bob secret\r\nb SELECT INBOX\r\n");
        application.asked.clear();
        client
    }

    fn wait(&mut self, application: &mut Application, time: Duration) -> String {
        self.now += time;
        self.session.woken(self.now);
        self.run(application);
        self.listen()
    }

    fn misuses(&mut self) -> Vec<&'static str> {
        self.session.ended(self.now, End::Closed).misuses
    }
}

#[test]
fn an_email_is_read() {
    let mut application = Application::with_emails(3);
    let mut client = Client::selected(&mut application);
    assert_eq!(
        client.say(&mut application, "c FETCH 1:* (UID FLAGS)\r\n"),
        "* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (UID 2 FLAGS ())\r\n* 3 FETCH (UID 3 FLAGS ())\r\n\
         c OK FETCH completed\r\n"
    );
    assert_eq!(application.asked, ["Fetch", "Fetch"]);
    assert_eq!(
        client.say(&mut application, "d UID FETCH 2 BODY[]\r\n"),
        "* 2 FETCH (UID 2 BODY[] {23}\r\nSubject: 2\r\n\r\nHello 2\r\n FLAGS (\\Seen))\r\nd OK FETCH completed\r\n"
    );
    assert_eq!(application.asked[2..], ["Fetch", "Read", "Read"]);
    // The second time \Seen is no news.
    assert!(!client.say(&mut application, "e NOOP\r\nf FETCH 2 BODY.PEEK[]\r\n").contains("FLAGS"));
}

#[test]
fn expunges_wait_for_the_right_moment() {
    let mut application = Application::with_emails(4);
    let mut client = Client::selected(&mut application);
    application.remove(Uid(2));
    client.session.tell(client.now, News);
    client.run(&mut application);
    assert_eq!(client.listen(), "", "no command is in progress");
    assert_eq!(
        client.say(&mut application, "c FETCH 1:3 FLAGS\r\n"),
        "* 1 FETCH (FLAGS ())\r\n* 3 FETCH (FLAGS ())\r\nc OK [EXPUNGEISSUED] Some of the messages are gone\r\n"
    );
    assert_eq!(
        client.say(&mut application, "d SEARCH ALL\r\n"),
        "* SEARCH 1 3 4\r\nd OK SEARCH completed\r\n"
    );
    assert_eq!(
        client.say(&mut application, "e STORE 4 +FLAGS (\\Deleted)\r\n"),
        "* 4 FETCH (FLAGS (\\Deleted))\r\ne OK STORE completed\r\n"
    );
    assert_eq!(
        client.say(&mut application, "f UID SEARCH ALL\r\n"),
        "* SEARCH 1 3 4\r\n* 2 EXPUNGE\r\nf OK SEARCH completed\r\n"
    );
    assert_eq!(client.say(&mut application, "g EXPUNGE\r\n"), "* 3 EXPUNGE\r\ng OK EXPUNGE completed\r\n");
}

/// What a client has enabled, and how it is then told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Rev1,
    Condstore,
    Qresync,
    Rev2,
}

impl Mode {
    const ALL: [Self; 4] = [Self::Rev1, Self::Condstore, Self::Qresync, Self::Rev2];

    fn enable(self) -> &'static str {
        match self {
            Self::Rev1 => "b NOOP\r\n",
            Self::Condstore => "b ENABLE CONDSTORE\r\n",
            Self::Qresync => "b ENABLE QRESYNC\r\n",
            Self::Rev2 => "b ENABLE IMAP4rev2\r\n",
        }
    }

    fn gone(self) -> &'static str {
        if self == Self::Qresync { "* VANISHED 2\r\n" } else { "* 2 EXPUNGE\r\n" }
    }

    fn arrived(self) -> &'static str {
        if self == Self::Rev2 { "* 5 EXISTS\r\n" } else { "* 5 EXISTS\r\n* 0 RECENT\r\n" }
    }

    fn flags(self) -> &'static str {
        match self {
            Self::Condstore | Self::Qresync => "* 3 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ (6))\r\n",
            _ => "* 3 FETCH (UID 3 FLAGS (\\Flagged))\r\n",
        }
    }
}

/// What may be said while a command is answered, of what somebody else did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    /// EXISTS, FETCH, and what is gone.
    All,
    /// EXISTS and FETCH: the numbers of others stay (RFC 3501 §7.4.1, RFC 7162 §3.2.10.2).
    NotGone,
    /// Nothing: there is no command, or none in this mailbox.
    Nothing,
}

#[test]
fn what_may_be_said_when() {
    for (command, may) in [
        ("", May::Nothing),
        ("c FOO\r\n", May::Nothing),
        ("c FETCH 9 UID\r\n", May::Nothing),
        ("c NOOP\r\n", May::All),
        ("c CHECK\r\n", May::All),
        ("c CAPABILITY\r\n", May::All),
        ("c STATUS INBOX (MESSAGES)\r\n", May::All),
        ("c LIST \"\" \"\"\r\n", May::All),
        ("c EXPUNGE\r\n", May::All),
        ("c UID EXPUNGE 4\r\n", May::All),
        ("c COPY 4 INBOX\r\n", May::All),
        ("c APPEND gone {1+}\r\nx\r\n", May::Nothing),
        ("c IDLE\r\n", May::All),
        ("c FETCH 4 UID\r\n", May::NotGone),
        ("c UID FETCH 4 UID\r\n", May::All),
        ("c STORE 4 FLAGS.SILENT ()\r\n", May::NotGone),
        ("c UID STORE 4 FLAGS.SILENT ()\r\n", May::All),
        ("c SEARCH UID 4\r\n", May::NotGone),
        ("c UID SEARCH UID 4\r\n", May::All),
        ("c UID SEARCH 4\r\n", May::NotGone),
        ("c UNSELECT\r\n", May::Nothing),
        ("c CLOSE\r\n", May::Nothing),
        ("c EXAMINE INBOX\r\n", May::Nothing),
        ("c LOGOUT\r\n", May::Nothing),
    ] {
        for mode in Mode::ALL {
            let mut application = Application::with_emails(4);
            let mut client = Client::new();
            client.say(&mut application, "a LOGIN bob secret\r\n");
            client.say(&mut application, mode.enable());
            client.say(&mut application, "s SELECT INBOX\r\n");
            application.remove(Uid(2));
            application.flag(Uid(3), StoreMode::Add, &[Flag::Flagged]);
            application.deliver(b"x", Vec::new());
            client.session.tell(client.now, News);
            let said = client.say(&mut application, command);
            let told = [mode.gone(), mode.arrived(), mode.flags()].map(|told| said.contains(told));
            let expected = match may {
                May::All => [true; 3],
                May::NotGone => [false, true, true],
                May::Nothing => [false; 3],
            };
            assert_eq!(told, expected, "{mode:?}, {command:?}: {said}");
            let wrong_form = if mode == Mode::Qresync { "EXPUNGE\r\n" } else { "VANISHED" };
            assert!(!said.contains(wrong_form), "{mode:?}, {command:?}: {said}");
        }
    }
}

/// A mailbox of so many emails, of which every other one has this and that.
struct Large(u32);

impl Large {
    fn odd(&self) -> UidSet {
        UidSet::from_runs((0..self.0 / 2).map(|half| (2 * half + 1, 2 * half + 1)))
    }

    fn decide(&self, question: Question) -> Answer {
        let all = UidSet::from_runs([(1, self.0)]);
        match question {
            Question::Authenticate(_) => {
                Answer::SignIn(SignIn::Accepted(mail::Address::parse("bob@example.org").unwrap()).into())
            }
            Question::Select(_) => Answer::Selected(server::Selected {
                uids: all,
                uid_validity: 7,
                uid_next: self.0 + 1,
                first_unseen: None,
                highest_modseq: ModSeq(9),
                keywords: Vec::new(),
            }),
            Question::Search { .. } => Answer::Found { uids: self.odd(), modseq: None },
            Question::Changes { .. } => Answer::Changes(Changes {
                highest_modseq: ModSeq(10),
                vanished: self.odd(),
                ..Changes::default()
            }),
            Question::Fetch { .. } => Answer::Rows { rows: Vec::new(), rest: UidSet::new() },
            _ => Answer::Done,
        }
    }

    /// Octets of the answer, and of the largest piece in which it was sent.
    fn answer(&self, commands: &str) -> (usize, usize) {
        let mut client = Client::new();
        let (mut all, mut largest) = (0, 0);
        client.session.receive(client.now, commands.as_bytes());
        loop {
            match client.session.next() {
                Step::Send(bytes) => (all, largest) = (all + bytes.len(), largest.max(bytes.len())),
                Step::Ask(question) => client.session.answer(client.now, self.decide(question)),
                _ => return (all, largest),
            }
        }
    }
}

#[test]
fn answers_about_many_emails_go_out_in_pieces() {
    let large = Large(200_000);
    for (command, least) in [
        ("SEARCH ALL", 600_000),
        ("UID SEARCH RETURN (ALL) ALL", 600_000),
        ("NOOP", 1_300_000),
        ("ENABLE QRESYNC\r\nc EXPUNGE", 600_000),
    ] {
        let (all, largest) =
            large.answer(&format!("a LOGIN bob secret\r\ns SELECT INBOX\r\nb {command}\r\n"));
        assert!(all > least, "{command}: {all}");
        assert!(largest < limits::OUTPUT_MAX + 32 * 1024, "{command}: {largest}");
    }
    let back = "a LOGIN bob secret\r\nb ENABLE QRESYNC\r\nc SELECT INBOX (QRESYNC (7 1 1:400000))\r\n";
    assert!(large.answer(back).1 < limits::OUTPUT_MAX + 32 * 1024);
}

/// RFC 5182 §2.1.
#[test]
fn a_search_that_fails_saves_nothing() {
    let large = Large(10);
    let mut client = Client::new();
    let commands =
        "a LOGIN bob secret\r\ns SELECT INBOX\r\nb SEARCH RETURN (SAVE MIN) MODSEQ 1\r\nc SEARCH $\r\n";
    client.session.receive(client.now, commands.as_bytes());
    loop {
        let answer = match client.session.next() {
            Step::Send(_) => continue,
            Step::Ask(Question::Fetch { .. }) => Answer::Unavailable,
            Step::Ask(Question::Search { key: SearchKey::Uids(saved), .. }) => {
                return assert_eq!(saved, UidSet::new());
            }
            Step::Ask(question) => large.decide(question),
            step => panic!("{step:?}"),
        };
        client.session.answer(client.now, answer);
    }
}

#[test]
fn idle_tells_at_once() {
    let mut application = Application::with_emails(1);
    let mut client = Client::selected(&mut application);
    assert_eq!(client.say(&mut application, "c IDLE\r\n"), "+ idling\r\n");
    application.deliver(b"x", Vec::new());
    application.remove(Uid(1));
    client.session.tell(client.now, News);
    client.run(&mut application);
    assert_eq!(client.listen(), "* 2 EXISTS\r\n* 0 RECENT\r\n* 1 EXPUNGE\r\n");
    assert_eq!(client.say(&mut application, "done\r\n"), "c OK IDLE terminated\r\n");
    client.say(&mut application, "d IDLE\r\n");
    assert_eq!(client.wait(&mut application, HALF_HOUR), "* BYE Too slow\r\n");
    assert!(client.closed);
}

#[test]
fn appends_arrive_in_chunks() {
    let mut application = Application::with_emails(0);
    let mut client = Client::selected(&mut application);
    assert_eq!(client.say(&mut application, "c APPEND INBOX (\\Seen) {150000}\r\n"), "+ OK\r\n");
    let content = vec![b'x'; 150_000];
    for piece in content.chunks(7_000) {
        assert_eq!(client.say(&mut application, piece), "");
    }
    assert_eq!(
        client.say(&mut application, "\r\n"),
        "* 1 EXISTS\r\n* 0 RECENT\r\nc OK [APPENDUID 7 1] APPEND completed\r\n"
    );
    assert_eq!(application.emails[&Uid(1)].content, content);
    assert_eq!(application.asked, ["AppendBegin", "AppendChunk", "AppendChunk", "AppendFinish", "Changes"]);
}

#[test]
fn appends_are_refused_before_they_are_read() {
    let mut application = Application::with_emails(0);
    let mut client = Client::selected(&mut application);
    assert_eq!(
        client.say(&mut application, "c APPEND INBOX {200001}\r\nd NOOP\r\n"),
        "c NO [TOOBIG] Message is too large\r\nd OK NOOP completed\r\n"
    );
    assert_eq!(
        client.say(&mut application, "e APPEND gone {3}\r\n"),
        "e NO [TRYCREATE] There is no such mailbox\r\n"
    );
    assert_eq!(
        client.say(&mut application, "f APPEND gone {3+}\r\nabc\r\ng NOOP\r\n"),
        "f NO [TRYCREATE] There is no such mailbox\r\ng OK NOOP completed\r\n"
    );
    let flood = format!("h APPEND INBOX {{200001+}}\r\n{}\r\n", "x".repeat(200_001));
    assert_eq!(client.say(&mut application, flood), "h NO [TOOBIG] Message is too large\r\n");
    assert_eq!(
        client.say(&mut application, "i APPEND INBOX {3}\r\nabcd\r\n"),
        "+ OK\r\ni BAD Syntax error in arguments\r\n"
    );
    assert_eq!(
        client.say(&mut application, "j APPEND INBOX {3}\r\na\0c\r\n"),
        "+ OK\r\nj BAD NUL in a literal\r\n"
    );
    assert_eq!(
        client.say(&mut application, "k APPEND INBOX {99999999+}\r\n"),
        "* BYE [TOOBIG] Message is too large\r\n"
    );
    assert!(application.emails.is_empty());
}

#[test]
fn strangers_have_little_room() {
    let mut application = Application::default();
    let check = |input: String, said: &str, misuse: &str| {
        let mut client = Client::new();
        client.say(&mut Application::default(), "");
        assert_eq!(client.say(&mut Application::default(), input), said);
        assert!(client.closed && client.misuses().contains(&misuse), "{misuse}");
    };
    check("x".repeat(13_000), "* BYE Line too long\r\n", "LineTooLong");
    check("a LOGIN {1025+}\r\n".into(), "* BYE [TOOBIG] Literal too large\r\n", "LiteralTooLarge");
    check("a NOOP\n".into(), "* BYE Lines must end with CRLF\r\n", "BareLineFeed");
    let mut client = Client::new();
    let line = format!("a ID (\"{}\" NIL)\r\n", "x".repeat(10_000));
    let said = (0..10).map(|_| client.say(&mut application, &line)).collect::<String>();
    assert!(said.ends_with("* BYE Too much input before sign-in\r\n"), "{said}");
    assert!(client.closed);
}

#[test]
fn nothing_moves_the_deadline_of_a_stranger() {
    let mut application = Application::default();
    let mut client = Client::new();
    for _ in 0..5 {
        client.now += Duration::from_secs(10);
        client.say(&mut application, "a NOOP\r\n");
    }
    assert_eq!(client.wait(&mut application, Duration::from_secs(10)), "* BYE Too slow\r\n");
    assert_eq!(client.misuses(), ["TooSlow"]);
}

#[test]
fn a_question_that_is_open_stops_the_clock() {
    let mut client = Client::new();
    client.session.receive(client.now, b"a LOGIN bob secret\r\n");
    while !matches!(client.session.next(), Step::Ask(_)) {}
    client.now += HALF_HOUR;
    client.session.woken(client.now);
    let Step::Await { until, .. } = client.session.next() else { panic!("the answer is awaited") };
    assert!(until > client.now);
}

#[test]
fn while_a_command_runs_input_is_bounded() {
    let mut client = Client::new();
    client.session.receive(client.now, b"a LOGIN bob secret\r\n");
    while !matches!(client.session.next(), Step::Ask(_)) {}
    client.session.receive(client.now, &[b'x'; limits::INPUT_MAX - 1]);
    assert!(matches!(client.session.next(), Step::Await { read: true, .. }));
    client.session.receive(client.now, b"x");
    assert!(matches!(client.session.next(), Step::Await { read: false, .. }));
}

#[test]
fn who_is_put_off_again_and_again_is_sent_away() {
    let mut client = Client::new();
    client.say(&mut Application::default(), "");
    for (number, ends) in [(1, false), (2, false), (3, true)] {
        let said = client.say(&mut Application::default(), "a LOGIN later x\r\n");
        assert!(said.starts_with("a NO [UNAVAILABLE] "), "{said:?}");
        assert_eq!(said.contains("* BYE "), ends, "{number}: {said:?}");
    }
}

#[test]
fn login_is_taken_where_passwords_may_be_shown() {
    use crate::sasl::Offer;
    for (auth, login, plain) in [
        (Offer::of(["PLAIN"]), "a OK [CAPABILITY", "a OK [CAPABILITY"),
        (Offer::of(["SCRAM-SHA-256"]), "a NO [CANNOT] That way", "a NO [CANNOT] Mechanism"),
        (Offer::NONE, "a NO [CANNOT] That way", "a NO [CANNOT] That way"),
    ] {
        for (command, expected) in
            [("a LOGIN bob secret\r\n", login), ("a AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=\r\n", plain)]
        {
            let mut client = Client::with(|config| config.auth = auth);
            client.say(&mut Application::default(), "");
            let said = client.say(&mut Application::default(), command);
            assert!(said.starts_with(expected), "{auth:?} {command:?} {said:?}");
        }
    }
}

#[test]
fn tls_begins_with_nothing_remembered() {
    let mut application = Application::default();
    let mut client = Client::with(|config| config.auth_without_tls = false);
    assert!(client.say(&mut application, "").contains("STARTTLS LOGINDISABLED]"));
    assert_eq!(
        client.say(&mut application, "a LOGIN bob secret\r\n"),
        "a NO [PRIVACYREQUIRED] Use TLS first\r\n"
    );
    assert_eq!(client.say(&mut application, "b STARTTLS\r\n"), "b OK Begin TLS now\r\n");
    assert!(client.say(&mut application, "c LOGIN bob secret\r\n").starts_with("c OK [CAPABILITY"));
    let mut injected = Client::new();
    injected.say(&mut application, "");
    assert_eq!(injected.say(&mut application, "a STARTTLS\r\nb NOOP\r\n"), "a BAD Input before TLS\r\n");
    assert!(injected.closed);
    assert_eq!(injected.misuses(), ["InputBeforeTls"]);
}

#[test]
fn stopping_lets_the_running_command_end() {
    let mut application = Application::with_emails(1);
    let mut client = Client::selected(&mut application);
    client.session.receive(client.now, b"c NOOP\r\nd NOOP\r\n");
    while !matches!(client.session.next(), Step::Ask(_)) {}
    client.session.stopping(client.now);
    client.session.answer(client.now, Answer::Changes(Changes::default()));
    client.run(&mut application);
    assert_eq!(client.listen(), "c OK NOOP completed\r\n* BYE Server is shutting down\r\n");
    let mut idle = Client::selected(&mut application);
    idle.say(&mut application, "c IDLE\r\n");
    idle.session.stopping(idle.now);
    idle.run(&mut application);
    assert_eq!(idle.listen(), "* BYE Server is shutting down\r\n");
}

#[test]
fn an_email_that_goes_away_within_a_literal_ends_the_connection() {
    let mut application = Application::with_emails(1);
    let mut client = Client::selected(&mut application);
    client.session.receive(client.now, b"c FETCH 1 BODY.PEEK[]\r\n");
    loop {
        match client.session.next() {
            Step::Ask(Question::Read { .. }) => {
                client.session.answer(client.now, Answer::Content(Bytes::new()))
            }
            Step::Ask(question) => {
                let answer = application.decide(question);
                client.session.answer(client.now, answer);
            }
            Step::Close => return,
            Step::Await { .. } => panic!("a literal was announced and cannot be completed"),
            Step::Send(_) | Step::Upgrade(_) => {}
        }
    }
}

#[test]
fn a_deleted_mailbox_ends_the_connection() {
    let mut application = Application::with_emails(1);
    let mut client = Client::selected(&mut application);
    client.session.receive(client.now, b"c NOOP\r\n");
    assert!(matches!(client.session.next(), Step::Ask(Question::Changes { .. })));
    client.session.answer(client.now, Answer::NoSuchMailbox);
    client.run(&mut application);
    assert_eq!(client.listen(), "* BYE The selected mailbox was deleted\r\n");
}

#[test]
fn an_idle_session_holds_no_buffer() {
    let mut application = Application::with_emails(3);
    let mut client = Client::selected(&mut application);
    client.say(&mut application, "c FETCH 1:* BODY.PEEK[]\r\nd IDLE\r\n");
    assert_eq!(client.session.out.capacity(), 0);
    assert_eq!(client.session.lines.waiting(), 0);
    assert!(client.session.running.is_none() && client.session.question.is_none());
    assert!(size_of::<ServerSession>() < 512, "{}", size_of::<ServerSession>());
}

/// Dialogues whose outcome must not depend on how they are cut.
const DIALOGUES: [&str; 5] = [
    "a LOGIN {3}\r\nbob {6+}\r\nsecret\r\nb SELECT inbox\r\nc FETCH 1:* (FLAGS BODY[])\r\nd LOGOUT\r\n",
    "a AUTHENTICATE PLAIN\r\nAGJvYgBzZWNyZXQ=\r\nb EXAMINE INBOX\r\nc STORE 1 FLAGS ()\r\nd IDLE\r\nDONE\r\ne FOO\r\n",
    "a LOGIN bob secret\r\nb APPEND INBOX (\\Seen) {5+}\r\na\r\nb\r\nc APPEND gone {4+}\r\nabcd\r\n\
     d SELECT INBOX\r\ne UID STORE 1:2 +FLAGS.SILENT (\\Deleted)\r\nf EXPUNGE\r\ng CLOSE\r\nh NOOP x\r\n",
    "a LOGIN bob wrong\r\nb LOGIN bob {2000}\r\nc SELECT INBOX\r\n\r\nd LOGIN bob secret\r\ne LIST \"\" *\r\nf X\n",
    "a LOGIN bob secret\r\nb SELECT INBOX\r\nc SEARCH OR (ALL) NOT SEEN\r\nd UID MOVE 2 x\r\ne APPEND INBOX {3}\r\nabcd\r\n\
     f SEARCH {70000+}\r\nxx",
];

fn outcome(dialogue: &str, cuts: &[usize]) -> (String, bool, Outcome) {
    let mut application = Application::with_emails(3);
    let mut client = Client::new();
    let mut rest = dialogue.as_bytes();
    for &cut in cuts {
        let (piece, after) = rest.split_at(cut.min(rest.len()));
        client.session.receive(client.now, piece);
        client.run(&mut application);
        rest = after;
    }
    client.session.receive(client.now, rest);
    client.run(&mut application);
    (client.listen(), client.closed, client.session.ended(client.now, End::HalfClosed))
}

#[test]
fn dialogues_cut_at_every_octet_end_alike() {
    for dialogue in DIALOGUES {
        let whole = outcome(dialogue, &[]);
        for cut in 0..dialogue.len() {
            assert_eq!(outcome(dialogue, &[cut]), whole, "{dialogue} cut at {cut}");
        }
        assert_eq!(outcome(dialogue, &vec![1; dialogue.len()]), whole, "{dialogue} octet by octet");
    }
}

proptest! {
    #[test]
    fn where_input_is_cut_does_not_matter(
        which in 0..DIALOGUES.len(),
        cuts in proptest::collection::vec(0..40_usize, 0..12),
    ) {
        prop_assert_eq!(outcome(DIALOGUES[which], &cuts), outcome(DIALOGUES[which], &[]));
    }

    #[test]
    fn no_input_makes_a_session_panic(
        input in proptest::collection::vec(
            prop_oneof![
                Just(b"a LOGIN bob secret\r\nb SELECT INBOX\r\n".to_vec()),
                Just(b" {3}\r\n".to_vec()), Just(b"{2+}\r\n".to_vec()), Just(b"\r\n".to_vec()),
                Just(b"c APPEND INBOX".to_vec()), Just(b"d UID FETCH 1:*".to_vec()), Just(b"e IDLE\r\n".to_vec()),
                Just(b"f AUTHENTICATE PLAIN".to_vec()), Just(b" BODY[1.HEADER]<0.5>".to_vec()),
                proptest::collection::vec(any::<u8>(), 0..10),
            ],
            0..20,
        ),
    ) {
        let mut application = Application::with_emails(2);
        let mut client = Client::new();
        for piece in input {
            client.session.receive(client.now, &piece);
            client.run(&mut application);
        }
    }
}
