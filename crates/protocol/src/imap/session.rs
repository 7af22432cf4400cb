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
mod arriving;
mod fetching;
mod listing;
mod naming;
mod refusals;
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
use self::refusals::reproach;
use self::searching::{PouringOn, Searching};
use self::selecting::{Resyncing, Selecting};
use self::storing::Storing;
use super::capability::Enabled;
use super::command::Access;
use super::intake::Intake;
use super::limits;
use super::list::Listing;
use super::names::NameForm;
use super::overheard::Ear;
use super::responses::{Text, Writer};
use super::server::{Answer, Config, News, Outcome, Question};
use super::status::StatusItem;
use super::syntax::Announced;
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

    /// Other terms hold from now on, because of the name that the client asked for in TLS. To be called before
    /// [`secured`](Session::secured) tells of that handshake, at which all that was said before is forgotten.
    pub fn adopt(&mut self, config: Arc<Config>) {
        self.config = config;
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

    /// Notes a line that is no part of a command.
    fn overhear_line(&mut self, line: &Line, note: impl FnOnce(&mut Ear, &[u8])) {
        let Some(ear) = &mut self.ear else { return };
        ear.response(&self.out);
        match line {
            Line::Bad(misuse) => ear.broken(*misuse),
            Line::Text(text) => note(ear, text),
        }
    }

    /// How the client writes and reads names of mailboxes.
    fn names(&self) -> NameForm {
        if self.enabled.utf8() { NameForm::Utf8 } else { NameForm::Utf7 }
    }

    fn is_signed_in(&self) -> bool {
        !matches!(self.state, State::BeforeSignIn)
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

    /// The last word is why a command is refused, of which more is on its way than is read.
    fn bye_refusing(&mut self, text: &Text) {
        let code = text.code.as_ref().map(|code| format!("[{code}] ")).unwrap_or_default();
        self.bye(&format!("{code}{}", text.text));
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
