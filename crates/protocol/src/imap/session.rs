//! The session: what has arrived becomes commands, commands become questions, answers become responses.
//!
//! ```text
//! receive ─► intake ─► dispatch ─► start ─► Ask ─► answered ─► complete ─► tagged response
//!                                                      ▲           │
//!                                                      └─ Changes ─┘  news of the mailbox, first
//! ```
//!
//! One command runs at a time, in the order of the client (RFC 3501 §5.5); what is pipelined waits as bytes.

mod announcing;
mod answered;
mod append;
mod fetching;
mod listing;
mod naming;
mod searching;
mod selecting;
mod sign_in;
mod start;
mod storing;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use mail::UidSet;

use self::announcing::After;
use self::append::Append;
use self::fetching::Fetching;
use self::listing::Rows;
use self::naming::Naming;
use self::searching::{PouringOn, Searching};
use self::selecting::{Resyncing, Selecting};
use self::storing::Storing;
use super::capability::Enabled;
use super::command::{self, Access, Allowed, Entry};
use super::intake::{Event, Intake};
use super::limits;
use super::list::Listing;
use super::message;
use super::names::NameForm;
use super::overheard::Ear;
use super::responses::{Text, Writer};
use super::sequence::Known;
use super::server::{Answer, Config, News, Outcome, Question};
use super::status::StatusItem;
use super::syntax::{Announced, Cursor};
use super::view::View;
use crate::lines::{Line, Lines};
use crate::misuse::{Misuse, Misuses};
use crate::overheard::Overheard;
use crate::sasl::{Channel, Exchange, Offer, Seed};
use crate::session::{End, Session, Step, TlsFacts, Upgrade};

/// The server's side of one IMAP connection.
///
/// ```
/// use std::{sync::Arc, time::{Duration, Instant}};
/// use protocol::{Session, Step, imap};
/// let config = imap::Config {
///     host_name: "mx.example.org".into(),
///     timeout: Duration::from_secs(1800),
///     timeout_before_sign_in: Duration::from_secs(60),
///     starttls: true,
///     auth_without_tls: false,
///     auth: protocol::sasl::Offer::ALL,
///     sign_in_failures_max: 3,
///     append_size_max: 50_000_000,
/// };
/// # #[allow(clippy::disallowed_methods)]
/// let now = Instant::now();
/// let mut session = imap::ServerSession::new(Arc::new(config), now, protocol::sasl::Seed([0; 32]));
/// let Step::Send(greeting) = session.next() else { panic!("a server speaks first") };
/// assert!(greeting.starts_with(b"* OK [CAPABILITY IMAP4rev1 "));
/// session.receive(now, b"a1 NOOP\r\n");
/// assert_eq!(session.next(), Step::Send("a1 OK NOOP completed\r\n".into()));
/// ```
pub struct ServerSession {
    config: Arc<Config>,
    lines: Lines,
    intake: Intake,
    out: Vec<u8>,
    life: Life,
    state: State,
    mode: Mode,
    /// What the open question's answer continues.
    running: Option<Box<Running>>,
    /// To be asked; then it is open until `running` is taken.
    question: Option<Box<Question>>,
    tls: bool,
    /// What exchanges of AUTHENTICATE stand on.
    channel: Box<Channel>,
    /// What AUTHENTICATE takes on this connection.
    offer: Offer,
    /// The selected mailbox has changed, and we have not asked how.
    news: bool,
    /// What the client has switched on.
    enabled: Enabled,
    /// COMPRESS was answered.
    compressed: bool,
    stopping: bool,
    now: Instant,
    deadline: Instant,
    sign_in_failures: usize,
    /// BADs in a row.
    mistakes: usize,
    misuses: Misuses,
    commands: usize,
    /// Notes what is said, if somebody asked for it.
    ear: Option<Box<Ear>>,
}

impl fmt::Debug for ServerSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What has arrived may hold a password.
        f.debug_struct("ServerSession").field("life", &self.life).finish_non_exhaustive()
    }
}

/// Where the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// The greeting was not sent.
    Fresh,
    Open,
    /// STARTTLS or COMPRESS was answered; the switch is to be asked for.
    Upgrade(Upgrade),
    Handshake,
    Closing,
}

/// RFC 3501 §3.
enum State {
    BeforeSignIn,
    SignedIn,
    Selected(Box<Selected>),
}

/// The selected mailbox.
struct Selected {
    view: View,
    access: Access,
    /// What SEARCH has saved (RFC 5182).
    saved: UidSet,
}

/// What the next line is.
enum Mode {
    Commands,
    /// A SASL response.
    Sasl(Job, Box<Exchange>),
    /// DONE.
    Idle(Job),
    /// Nothing: a long answer is being written.
    Pouring(Box<PouringOn>),
    /// Nothing: a command ends, with much to say.
    Concluding(Box<(Job, Text)>),
    /// APPEND's literal.
    Append(Box<Append>),
}

/// A command that is being answered.
struct Job {
    tag: String,
    /// Whether EXPUNGE may be said at its end.
    moves_numbers: bool,
}

/// A command that waits for an answer.
struct Running {
    job: Job,
    then: Then,
}

/// What the answer continues.
enum Then {
    SignIn(Option<Box<Exchange>>),
    List(Listing),
    /// LIST with STATUS of each.
    ListStatus(Box<Rows>),
    /// CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE.
    Named(Naming),
    Status(mail::MailboxPath, Vec<StatusItem>),
    /// CLOSE has expunged.
    ClosedAfterExpunge,
    /// No mailbox is selected any more.
    Unselected(&'static str),
    /// No mailbox is selected any more, and this one will be.
    Reselect(Box<Selecting>),
    Selected(Box<Selecting>),
    /// The mailbox is open to a client that was here before.
    Resync(Box<Resyncing>),
    Found(Box<Searching>),
    /// The mod-sequences of the first and last of these.
    FoundEnds(Box<Searching>, UidSet),
    Fetch(Box<Fetching>),
    /// What has vanished among the last; then the first are fetched.
    FetchVanished(Box<Fetching>, UidSet, UidSet),
    Stored(Box<Storing>),
    Compress,
    Copied,
    Moved,
    Expunged,
    /// What happened meanwhile.
    Changed(After),
    /// What more happened: flags of so many emails.
    MoreFlags(After, u64),
    AppendBegun(Box<Append>, Announced),
    AppendTaken(Box<Append>),
    AppendNext(Box<Append>, Announced),
    AppendFinished,
    AppendAbandoned(Text),
}

/// What a missing mailbox means for the command (RFC 3501 §7.1: TRYCREATE for APPEND and COPY).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    NonExistent,
    TryCreate,
}

/// Whether to ask what changed although no news came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Poll {
    IfNews,
    Always,
}

impl ServerSession {
    /// A session on a new connection. Where TLS comes first, [`secured`](Session::secured) must be called before
    /// [`next`](Session::next).
    /// `seed` is random, for this connection alone.
    pub fn new(config: Arc<Config>, now: Instant, seed: Seed) -> Self {
        let deadline = now + config.timeout_before_sign_in;
        let offer = config.auth.over(None);
        Self {
            config,
            lines: Lines::new(limits::LINE_BEFORE_SIGN_IN_MAX),
            intake: Intake::default(),
            out: Vec::new(),
            life: Life::Fresh,
            state: State::BeforeSignIn,
            mode: Mode::Commands,
            running: None,
            question: None,
            tls: false,
            channel: Box::new(Channel::new(seed)),
            offer,
            news: false,
            enabled: Enabled::default(),
            compressed: false,
            stopping: false,
            now,
            deadline,
            sign_in_failures: 0,
            mistakes: 0,
            misuses: Misuses::default(),
            commands: 0,
            ear: None,
        }
    }

    /// Does the next thing that needs no answer. False: nothing can be done now.
    fn proceed(&mut self) -> bool {
        if self.life == Life::Fresh {
            self.greet();
            return true;
        }
        if self.life != Life::Open || self.running.is_some() {
            return false;
        }
        match std::mem::replace(&mut self.mode, Mode::Commands) {
            Mode::Append(append) => self.append_on(append),
            Mode::Pouring(pouring) => self.pour_on(pouring),
            Mode::Concluding(ending) => {
                let (job, text) = *ending;
                self.conclude(job, text);
                true
            }
            _ if self.stopping => {
                self.bye("Server is shutting down");
                true
            }
            Mode::Commands => self.command_on(),
            Mode::Sasl(job, exchange) => self.sasl_on(job, exchange),
            Mode::Idle(job) => self.idle_on(job),
        }
    }

    fn command_on(&mut self) -> bool {
        let Some(event) = self.intake.next(&mut self.lines) else { return false };
        self.overhear_command(&event);
        match event {
            Event::Broken(misuse) => self.broken(misuse),
            _ if self.is_over_budget() => self.over_budget(),
            Event::Announced(announced) => self.announced(announced),
            Event::Complete => self.dispatch(),
        }
        true
    }

    fn overhear_command(&mut self, event: &Event) {
        let Some(ear) = &mut self.ear else { return };
        // What was answered before stands before.
        ear.response(&self.out);
        match event {
            Event::Broken(misuse) => ear.broken(*misuse),
            _ if self.intake.refusal().is_some() => ear.refused_line(),
            Event::Announced(_) => ear.command(self.intake.text(), self.intake.line(), true),
            Event::Complete => ear.command(self.intake.text(), self.intake.line(), false),
        }
    }

    /// Notes a line that is no part of a command.
    fn overhear_line(&mut self, line: &Line, note: impl FnOnce(&mut Ear, &[u8])) {
        let Some(ear) = &mut self.ear else { return };
        ear.response(&self.out);
        match line {
            Line::Bad(misuse) => ear.broken(*misuse),
            Line::Text(text) => note(ear, text),
        }
    }

    fn is_over_budget(&self) -> bool {
        !self.is_signed_in() && self.intake.taken() > limits::OCTETS_BEFORE_SIGN_IN_MAX
    }

    fn over_budget(&mut self) {
        self.misuses.note(Misuse::TooMuchBeforeSignIn);
        self.bye("Too much input before sign-in");
    }

    /// How the client writes and reads names of mailboxes.
    fn names(&self) -> NameForm {
        if self.enabled.utf8() { NameForm::Utf8 } else { NameForm::Utf7 }
    }

    fn is_signed_in(&self) -> bool {
        !matches!(self.state, State::BeforeSignIn)
    }

    /// A line that is none. The connection ends, because its end may have announced a literal whose octets must not be
    /// read as commands.
    fn broken(&mut self, misuse: Misuse) {
        self.misuses.note(misuse);
        self.bye(match misuse {
            Misuse::LineTooLong => "Line too long",
            Misuse::NulOctet => "NUL in a line",
            _ => "Lines must end with CRLF",
        });
    }

    /// A literal is announced: decided by its size, before it is read.
    fn announced(&mut self, announced: Announced) {
        if let Some(refusal) = self.intake.refusal().cloned() {
            return self.refuse(announced, refusal);
        }
        if let Some(head) = message::first(self.intake.text(), self.names()) {
            return self.append_announced(announced, head);
        }
        let (literal_max, command_max) = match self.is_signed_in() {
            true => (limits::LITERAL_MAX, limits::COMMAND_MAX),
            false => (limits::LITERAL_BEFORE_SIGN_IN_MAX, limits::COMMAND_BEFORE_SIGN_IN_MAX),
        };
        if announced.octets > literal_max {
            self.misuses.note(Misuse::LiteralTooLarge);
            return self.refuse(announced, Text::bad("Literal too large").with_code("TOOBIG"));
        }
        if self.intake.text().len() as u64 + announced.octets > command_max as u64 {
            self.misuses.note(Misuse::CommandTooLarge);
            return self.refuse(announced, Text::bad("Command too large").with_code("TOOBIG"));
        }
        if announced.waits {
            self.out.extend_from_slice(b"+ OK\r\n");
        }
        self.intake.accept(announced.octets);
    }

    /// Refuses the command that announces this literal. A client that waits is answered at once; what is on its way
    /// already is read and dropped, or the connection ends (RFC 7888 §4).
    fn refuse(&mut self, announced: Announced, refusal: Text) {
        let discard_max = if self.is_signed_in() { limits::DISCARD_MAX } else { 0 };
        if announced.waits {
            let job = self.job();
            self.intake.take();
            self.conclude(job, refusal);
        } else if self.intake.discarded().saturating_add(announced.octets) <= discard_max {
            self.intake.refuse(announced.octets, refusal);
        } else {
            let code = refusal.code.map(|code| format!("[{code}] ")).unwrap_or_default();
            self.bye(&format!("{code}{}", refusal.text));
        }
    }

    /// The command under way, before its name is known.
    fn job(&self) -> Job {
        Job { tag: self.intake.tag().unwrap_or("*").to_owned(), moves_numbers: false }
    }

    /// A command is complete: finds it, checks whether it is allowed now, reads its arguments and starts it.
    fn dispatch(&mut self) {
        let mut job = self.job();
        let refusal = self.intake.refusal().cloned();
        let text = self.intake.take();
        if let Some(refusal) = refusal {
            return self.conclude(job, refusal);
        }
        let mut cursor = Cursor::new(&text).with_names(self.names());
        if cursor.tag().and_then(|_| cursor.space()).is_err() {
            job.tag = "*".to_owned();
            return self.wrong(job, Misuse::MalformedTag);
        }
        let Some(entry) = command::find(&mut cursor) else { return self.wrong(job, Misuse::UnknownCommand) };
        if let Err(misuse) = self.check(entry) {
            return self.wrong(job, misuse);
        }
        job.moves_numbers = entry.moves_numbers;
        let empty = UidSet::new();
        let known = self.selected().map_or(Known { map: &empty, saved: &empty }, |selected| Known {
            map: selected.view.uids(),
            saved: &selected.saved,
        });
        match entry.read(cursor, known) {
            Ok(command) => self.start(job, command),
            Err(misuse) => self.wrong(job, misuse),
        }
    }

    /// Is the command allowed in this state (RFC 3501 §3)?
    fn check(&self, entry: &Entry) -> Result<(), Misuse> {
        match (entry.allowed, &self.state) {
            (Allowed::Always, _)
            | (Allowed::BeforeSignIn, State::BeforeSignIn)
            | (Allowed::AfterSignIn, State::SignedIn | State::Selected(_))
            | (Allowed::Selected, State::Selected(_)) => Ok(()),
            (Allowed::BeforeSignIn, _) if entry.name == "STARTTLS" => Err(Misuse::TlsAfterSignIn),
            (Allowed::BeforeSignIn, _) => Err(Misuse::SignInTwice),
            _ => Err(Misuse::CommandInWrongState),
        }
    }

    fn selected(&self) -> Option<&Selected> {
        match &self.state {
            State::Selected(selected) => Some(selected),
            _ => None,
        }
    }

    fn selected_mut(&mut self) -> Option<&mut Selected> {
        match &mut self.state {
            State::Selected(selected) => Some(selected),
            _ => None,
        }
    }

    /// The client erred: notes it, and answers the command.
    fn wrong(&mut self, job: Job, misuse: Misuse) {
        self.misuses.note(misuse);
        self.conclude(Job { moves_numbers: false, ..job }, reproach(misuse));
    }

    /// Asks; the answer continues with `then`.
    fn ask(&mut self, job: Job, then: Then, question: Question) {
        debug_assert!(self.running.is_none(), "one question at a time");
        self.running = Some(Box::new(Running { job, then }));
        self.question = Some(Box::new(question));
    }

    /// Ends the connection after a last word.
    fn bye(&mut self, text: &str) {
        Writer::new(&mut self.out).untagged(&format!("BYE {text}"));
        self.close();
    }

    fn close(&mut self) {
        self.life = Life::Closing;
        self.running = None;
        self.question = None;
        self.lines.clear();
    }

    /// RFC 3501 §5.4: the autologout begins anew with each command. Before sign-in nothing moves the deadline.
    fn renew_deadline(&mut self) {
        if self.is_signed_in() {
            self.deadline = self.now + self.config.timeout;
        }
    }

    /// IDLE (RFC 2177): the news go out as they come; DONE ends it.
    fn idle_on(&mut self, job: Job) -> bool {
        if self.selected().is_some_and(|selected| selected.view.holds()) {
            self.release();
            self.mode = Mode::Idle(job);
            return true;
        }
        if self.news && self.selected().is_some() {
            self.ask_changes(job, After::Idle);
            return true;
        }
        let Some(line) = self.lines.next_line() else {
            self.mode = Mode::Idle(job);
            return false;
        };
        self.overhear_line(&line, Ear::idle);
        match line {
            Line::Bad(misuse) => self.broken(misuse),
            Line::Text(line) if line.eq_ignore_ascii_case(b"DONE") => {
                self.complete(job, Text::ok("IDLE terminated"), Poll::IfNews);
            }
            Line::Text(_) => self.wrong(job, Misuse::IdleNotDone),
        }
        true
    }
}

/// What a client is told that erred.
fn reproach(misuse: Misuse) -> Text {
    match misuse {
        Misuse::MalformedTag => Text::bad("A command begins with a tag"),
        Misuse::UnknownCommand => Text::bad("Unknown command"),
        Misuse::CommandInWrongState => Text::bad("Command is not valid in this state"),
        Misuse::SignInTwice => Text::bad("Already signed in"),
        Misuse::TlsAfterSignIn => Text::bad("TLS comes before sign-in"),
        Misuse::TlsNotOffered => Text::bad("TLS is not offered or in use already"),
        Misuse::SequenceOutOfRange => Text::bad("There is no message with that number"),
        Misuse::UnknownCharset => Text::no("BADCHARSET (US-ASCII UTF-8)", "Charset is not supported"),
        Misuse::MailboxName => Text::no("CANNOT", "That can be no mailbox's name"),
        Misuse::MailboxNameNotUtf7 => {
            Text::no("CANNOT", "That name is no modified UTF-7 (RFC 3501 section 5.1.3)")
        }
        Misuse::MailboxNameTooLong => Text::no("CANNOT", "That name is too long or has too many levels"),
        Misuse::Utf8NotEnabled => Text::no("CANNOT", "ENABLE UTF8=ACCEPT comes first"),
        Misuse::TooDeep => Text::bad("Search keys are nested too deep").with_code("LIMIT"),
        Misuse::TooManyItems => Text::bad("Too many items in the command").with_code("LIMIT"),
        Misuse::NulOctet => Text::bad("NUL in a literal"),
        Misuse::IdleNotDone => Text::bad("Expected DONE"),
        Misuse::ContentTooLarge => Text::no("TOOBIG", "Message is too large"),
        Misuse::SignInWithoutTls => Text::no("PRIVACYREQUIRED", "Use TLS first"),
        Misuse::UnknownMechanism => Text::no("CANNOT", "Mechanism is not supported"),
        Misuse::SaslNotBase64 => Text::bad("Response is not base64"),
        Misuse::SaslMalformed => Text::bad("Response is malformed"),
        Misuse::SaslTooLong => Text::bad("Response is too long"),
        Misuse::ChannelBindingDenied => Text::no("AUTHENTICATIONFAILED", "Channel binding was offered"),
        Misuse::UnknownChannelBinding => Text::no("CANNOT", "Channel binding is not known"),
        Misuse::InputBeforeTls => Text::bad("Input before TLS"),
        Misuse::InputBeforeCompression => Text::bad("Input before compression"),
        Misuse::NotEnabled => Text::bad("ENABLE QRESYNC comes first"),
        _ => Text::bad("Syntax error in arguments"),
    }
}

impl Session for ServerSession {
    type Question = Question;
    type Answer = Answer;
    type News = News;
    type Outcome = Outcome;

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.now = now;
        match self.life {
            Life::Closing => {}
            // RFC 3501 §6.2.1: no command may follow STARTTLS before the handshake; whoever put it there is not the
            // client that will be heard through TLS.
            Life::Upgrade(Upgrade::Tls) | Life::Handshake => {
                self.misuses.note(Misuse::InputBeforeTls);
                self.close();
            }
            Life::Upgrade(Upgrade::Deflate) => {
                self.misuses.note(Misuse::InputBeforeCompression);
                self.close();
            }
            Life::Fresh | Life::Open => self.lines.push(bytes),
        }
    }

    fn answer(&mut self, now: Instant, answer: Answer) {
        self.now = now;
        if let Some(running) = self.running.take() {
            self.question = None;
            self.answered(running.job, running.then, answer);
        }
    }

    fn tell(&mut self, now: Instant, News: News) {
        self.now = now;
        self.news = true;
    }

    fn woken(&mut self, now: Instant) {
        self.now = now;
        if now < self.deadline || self.life == Life::Closing {
            return;
        }
        if self.running.is_some() {
            // The time is ours, not the client's.
            self.deadline = now + limits::GRACE;
            return;
        }
        self.misuses.note(Misuse::TooSlow);
        if matches!(self.life, Life::Upgrade(_) | Life::Handshake) {
            self.close()
        } else {
            self.bye("Too slow")
        }
    }

    fn secured(&mut self, now: Instant, facts: TlsFacts) {
        // RFC 3501 §6.2.1: all that was learned in clear text is forgotten.
        let greeted = self.life != Life::Fresh;
        let kept = (self.sign_in_failures, std::mem::take(&mut self.misuses), self.commands, self.stopping);
        // But not that nonces were given out.
        let mut channel = self.channel.clone();
        channel.secured(&facts);
        let offer = self.config.auth.over(Some(&facts));
        let fresh = Self::new(self.config.clone(), now, channel.seed().clone());
        *self = Self { ear: self.ear.take(), channel, offer, ..fresh };
        (self.sign_in_failures, self.misuses, self.commands, self.stopping) = kept;
        self.tls = true;
        if greeted {
            self.life = Life::Open;
        }
    }

    fn stopping(&mut self, now: Instant) {
        self.now = now;
        self.stopping = true;
    }

    fn ended(&mut self, now: Instant, _: End) -> Outcome {
        self.now = now;
        if let (Some(ear), Mode::Append(append)) = (&mut self.ear, &self.mode) {
            ear.cut(append.received());
        }
        Outcome { commands: self.commands, misuses: self.misuses.take() }
    }

    fn overhear(&mut self) {
        self.ear = Some(Box::default());
    }

    fn overheard(&mut self) -> Vec<Overheard> {
        self.ear.as_mut().map(|ear| ear.take()).unwrap_or_default()
    }

    fn next(&mut self) -> Step<Question> {
        while self.out.len() < limits::OUTPUT_MAX && self.proceed() {}
        if !self.out.is_empty() {
            if let Some(ear) = &mut self.ear {
                ear.response(&self.out);
                ear.sent();
            }
            return Step::Send(Bytes::from(std::mem::take(&mut self.out)));
        }
        if let Some(question) = self.question.take() {
            return Step::Ask(*question);
        }
        match self.life {
            Life::Closing => Step::Close,
            Life::Upgrade(upgrade) => {
                self.life = if upgrade == Upgrade::Tls { Life::Handshake } else { Life::Open };
                Step::Upgrade(upgrade)
            }
            _ => Step::Await { until: self.deadline, read: self.lines.waiting() < limits::INPUT_MAX },
        }
    }
}

#[cfg(test)]
mod tests;
