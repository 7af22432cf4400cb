//! The POP3 server session.

mod sign_in;

use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use mail::Uid;

use super::command::Command;
use super::limits::{COMMANDS_BEFORE_SIGN_IN_MAX, INPUT_WAITING_MAX, LINE_MAX, MISUSES_MAX, OUTPUT_MAX};
use super::maildrop::Maildrop;
use super::multiline::{Stuffing, Top};
use super::overheard;
use super::{Answer, Config, Outcome, Question};
use crate::lines::{Line, Lines};
use crate::misuse::{Misuse, Misuses};
use crate::overheard::{Notes, Overheard, Speaker};
use crate::sasl::{Channel, Exchange, Offer, Seed};
use crate::session::{End, Session, Step, TlsFacts, Upgrade};

/// The server's side of one POP3 connection.
///
/// The first step is the greeting. Each command of RFC 1939 is answered in order; commands may be pipelined (RFC 2449
/// §6.6).
///
/// ```
/// use std::{sync::Arc, time::{Duration, Instant}};
/// use protocol::{Session, Step, pop3::{Config, ServerSession}};
///
/// let now = Instant::now();
/// let config = Config {
///     host_name: "mx.example".into(),
///     timeout: Duration::from_secs(600),
///     timeout_before_sign_in: Duration::from_secs(60),
///     starttls: true,
///     auth_without_tls: false,
///     auth: protocol::sasl::Offer::ALL,
///     login_delay: Duration::ZERO,
///     sign_in_failures_max: 3,
/// };
/// let mut session = ServerSession::new(Arc::new(config), now, protocol::sasl::Seed([0; 32]));
/// assert_eq!(session.next(), Step::Send("+OK mx.example POP3 server ready\r\n".into()));
/// assert_eq!(session.next(), Step::Await { until: now + Duration::from_secs(60), read: true });
/// session.receive(now, b"QUIT\r\n");
/// assert_eq!(session.next(), Step::Send("+OK goodbye\r\n".into()));
/// assert_eq!(session.next(), Step::Close);
/// ```
#[derive(Debug)]
pub struct ServerSession {
    config: Arc<Config>,
    lines: Lines,
    out: BytesMut,
    state: State,
    doing: Doing,
    /// Under TLS.
    secure: bool,
    /// What exchanges of AUTH stand on.
    channel: Channel,
    /// What AUTH takes on this connection.
    offer: Offer,
    /// Text may be UTF-8 (RFC 6856 §2.1).
    utf8: bool,
    /// The server stops: no further command begins.
    stopping: bool,
    /// Of the last input.
    now: Instant,
    deadline: Instant,
    commands_before_sign_in: usize,
    sign_in_failures: usize,
    misuses: Misuses,
    outcome: Outcome,
    /// What is said, if somebody asked for it.
    notes: Option<Box<Notes>>,
}

/// The states of RFC 1939 §3. UPDATE is [`Doing::Removing`].
#[derive(Debug)]
enum State {
    /// Holds the name that USER gave.
    Authorization(Option<String>),
    Transaction(Maildrop),
}

/// What is under way.
#[derive(Debug)]
enum Doing {
    /// Waiting for a command.
    Commands,
    /// A question is to be asked. Boxed, because an idle session has none.
    Asking(Box<(Question, Asked)>),
    /// It has been asked.
    Waiting(Asked),
    /// Lines of LIST or UIDL are being sent, from this number on.
    Listing(List, u32),
    /// The next line is a response in this exchange of AUTH.
    Sasl(Box<Exchange>),
    /// STLS was answered.
    Upgrading,
    /// The handshake is under way.
    Handshake,
    /// The connection ends.
    Closing,
}

/// What the open question was about.
#[derive(Debug)]
enum Asked {
    /// In an exchange of AUTH, or by USER and PASS.
    SignIn(Option<Box<Exchange>>),
    Open,
    Read(Box<Reading>),
    Removing(usize),
}

#[derive(Debug, Clone, Copy)]
enum List {
    Scan,
    UniqueIds,
}

/// Content on its way out.
#[derive(Debug)]
struct Reading {
    uid: Uid,
    /// Its size, and how much of it came.
    size: u64,
    offset: u64,
    /// Of TOP.
    top: Option<Top>,
    stuffing: Stuffing,
    /// How much of it was wanted and sent.
    sent: u64,
}

impl Reading {
    fn new(uid: Uid, size: u64, top: Option<Top>) -> Box<Self> {
        Box::new(Self { uid, size, offset: 0, top, stuffing: Stuffing::new(), sent: 0 })
    }
}

impl ServerSession {
    /// A session for a new connection. If it is TLS from its first byte, [`secured`](Session::secured) follows at once.
    /// `seed` is random, for this connection alone.
    pub fn new(config: Arc<Config>, now: Instant, seed: Seed) -> Self {
        let offer = config.auth.over(None);
        let mut session = Self {
            lines: Lines::new(LINE_MAX),
            out: BytesMut::new(),
            state: State::Authorization(None),
            doing: Doing::Commands,
            secure: false,
            channel: Channel::new(seed),
            offer,
            utf8: false,
            stopping: false,
            now,
            deadline: now + config.timeout_before_sign_in,
            commands_before_sign_in: 0,
            sign_in_failures: 0,
            misuses: Misuses::default(),
            outcome: Outcome::default(),
            notes: None,
            config,
        };
        session.greet();
        session
    }

    /// Other terms hold from now on, because of the name that the client asked for in TLS. To be called before
    /// [`secured`](Session::secured) tells of that handshake, at which all that was said before is forgotten.
    pub fn adopt(&mut self, config: Arc<Config>) {
        self.config = config;
        if !matches!(self.doing, Doing::Handshake) {
            // Under implicit TLS nothing has been sent yet.
            self.out.clear();
            self.greet();
            self.renew_deadline();
        }
    }

    fn greet(&mut self) {
        // No timestamp in angle brackets: it would offer APOP (RFC 1939 §7), which needs passwords in clear text here.
        let greeting = format!("{} POP3 server ready", self.config.host_name);
        self.ok(&greeting);
    }

    /// A command, or a line that is none.
    fn line(&mut self, line: Line) {
        self.renew_deadline();
        if let Some(notes) = &mut self.notes {
            match &line {
                Line::Text(text) => notes.peer(overheard::shown(text)),
                Line::Bad(misuse) => notes.broken(*misuse),
            }
        }
        let command = match line {
            Line::Text(text) => Command::parse(&text),
            Line::Bad(misuse) => Err(misuse),
        };
        if matches!(self.state, State::Authorization(_)) {
            self.commands_before_sign_in += 1;
        }
        if let Err(misuse) = command.and_then(|command| self.command(command)) {
            self.refuse(misuse);
        }
        if self.commands_before_sign_in > COMMANDS_BEFORE_SIGN_IN_MAX && matches!(self.doing, Doing::Commands)
        {
            self.give_up();
        }
    }

    /// Answers a command, or says why it is not allowed.
    fn command(&mut self, command: Command) -> Result<(), Misuse> {
        match command {
            Command::Capa => self.capabilities(),
            Command::Quit => self.quit(),
            Command::User(name) => self.user(&name)?,
            Command::Pass(password) => self.password(password)?,
            Command::Auth(mechanism, initial) => self.auth(&mechanism, initial.as_deref())?,
            Command::Stls => self.stls()?,
            Command::Utf8 => {
                // More lenient than RFC 6856 §2.1, which has it before sign-in alone: who is told [UTF8] by RETR may say it then.
                self.utf8 = true;
                self.ok("text may be UTF-8");
            }
            Command::Lang(range) => self.language(range.as_deref())?,
            Command::Noop => {
                self.maildrop()?;
                self.ok("");
            }
            Command::Stat => {
                let (count, octets) = self.maildrop()?.totals();
                self.ok(&format!("{count} {octets}"));
            }
            Command::List(number) => self.list(List::Scan, number)?,
            Command::Uidl(number) => self.list(List::UniqueIds, number)?,
            Command::Retr(number) => self.read(number, None)?,
            Command::Top(number, lines) => self.read(number, Some(Top::new(lines)))?,
            Command::Dele(number) => {
                self.maildrop()?.delete(number)?;
                self.ok(&format!("message {number} is marked"));
            }
            Command::Rset => {
                self.maildrop()?.reset();
                self.ok("no message is marked");
            }
        }
        Ok(())
    }

    fn maildrop(&mut self) -> Result<&mut Maildrop, Misuse> {
        match &mut self.state {
            State::Transaction(maildrop) => Ok(maildrop),
            State::Authorization(_) => Err(Misuse::CommandBeforeSignIn),
        }
    }

    /// RFC 6856 §3.2. There is one language; whatever else is asked for, it stays.
    fn language(&mut self, range: Option<&str>) -> Result<(), Misuse> {
        match range {
            None => {
                self.ok("languages follow");
                self.out_line("en English");
                self.out_line(".");
            }
            Some(range) if range == "*" || range.eq_ignore_ascii_case("en") => self.ok("en this is English"),
            Some(_) => return Err(Misuse::UnknownLanguage),
        }
        Ok(())
    }

    fn opened(&mut self, maildrop: Maildrop) {
        let (count, octets) = maildrop.totals();
        self.state = State::Transaction(maildrop);
        self.ok(&format!("maildrop has {count} messages ({octets} octets)"));
    }

    // TRANSACTION

    /// LIST and UIDL, of one email or of all.
    fn list(&mut self, list: List, number: Option<u32>) -> Result<(), Misuse> {
        let maildrop = self.maildrop()?;
        if let Some(number) = number {
            let line = list_line(maildrop, list, number)?;
            self.ok(&line);
        } else {
            let (count, octets) = maildrop.totals();
            self.ok(&format!("{count} messages ({octets} octets)"));
            self.doing = Doing::Listing(list, 1);
        }
        Ok(())
    }

    /// Some lines of LIST or UIDL, then its end.
    fn list_more(&mut self, list: List, mut number: u32) {
        let State::Transaction(maildrop) = &self.state else { return };
        while self.out.len() < OUTPUT_MAX {
            match maildrop.next_number(number) {
                Some(next) => {
                    let line = list_line(maildrop, list, next).expect("the next number is an email's");
                    self.out.put_slice(line.as_bytes());
                    self.out.put_slice(b"\r\n");
                    if let Some(notes) = &mut self.notes {
                        notes.we(&line);
                    }
                    number = next + 1;
                }
                None => {
                    self.doing = Doing::Commands;
                    self.out_line(".");
                    return;
                }
            }
        }
        self.doing = Doing::Listing(list, number);
    }

    /// RETR and TOP: nothing is promised before the first piece is there.
    fn read(&mut self, number: u32, top: Option<Top>) -> Result<(), Misuse> {
        let email = self.maildrop()?.find(number)?;
        let reading = Reading::new(email.uid, email.size, top);
        self.ask_content(reading);
        Ok(())
    }

    fn ask_content(&mut self, reading: Box<Reading>) {
        let question = Question::Read { uid: reading.uid, offset: reading.offset };
        self.ask(question, Asked::Read(reading));
    }

    fn content(&mut self, mut reading: Box<Reading>, piece: &[u8]) {
        if piece.is_empty() && reading.offset < reading.size {
            return self.content_missing(&reading);
        }
        if reading.offset == 0 && !self.utf8 && has_utf8_header(piece) {
            return self.refuse(Misuse::Utf8NotAsked);
        }
        if reading.offset == 0 {
            self.ok(&if reading.top.is_none() { format!("{} octets", reading.size) } else { String::new() });
        }
        reading.offset += piece.len() as u64;
        let wanted = reading.top.as_mut().map_or(piece, |top| top.take(piece));
        reading.stuffing.push(wanted, &mut self.out);
        reading.sent += wanted.len() as u64;
        if reading.offset < reading.size && !reading.top.is_some_and(|top| top.is_done()) {
            return self.ask_content(reading);
        }
        reading.stuffing.finish(&mut self.out);
        self.overhear_content(&reading);
        self.outcome.retrieved += usize::from(reading.top.is_none());
    }

    /// The content is not there, or not all of it.
    fn content_missing(&mut self, reading: &Reading) {
        if reading.offset == 0 {
            self.unavailable();
        } else {
            // Half a message must not look like a whole one: no dot, but the end of the connection.
            self.overhear_content(reading);
            self.doing = Doing::Closing;
        }
    }

    // UPDATE

    /// RFC 1939 §4 and §6.
    fn quit(&mut self) {
        let removals = match &self.state {
            State::Transaction(maildrop) => maildrop.removals(),
            State::Authorization(_) => Vec::new(),
        };
        if removals.is_empty() {
            self.goodbye();
        } else {
            let count = removals.len();
            self.ask(Question::Remove(removals), Asked::Removing(count));
        }
    }

    fn goodbye(&mut self) {
        self.ok("goodbye");
        self.doing = Doing::Closing;
    }

    // Replies

    fn ask(&mut self, question: Question, asked: Asked) {
        self.doing = Doing::Asking(Box::new((question, asked)));
    }

    /// Settles the open question. An answer that does not fit it counts as "the server could not".
    fn settle(&mut self, asked: Asked, answer: Answer) {
        match (asked, answer) {
            (Asked::SignIn(exchange), Answer::SignIn(told)) => self.sign_in_told(exchange, told),
            (Asked::Open, Answer::Maildrop { validity, emails }) => {
                self.opened(Maildrop::new(validity, emails))
            }
            (Asked::Open, Answer::InUse) => self.err("[IN-USE] another session has this maildrop"),
            // RFC 2449 §8.1.1.
            (Asked::Open, Answer::TooSoon) => self.err("[LOGIN-DELAY] come back later"),
            (Asked::Read(reading), Answer::Content(piece)) => self.content(reading, &piece),
            (Asked::Read(reading), _) => self.content_missing(&reading),
            (Asked::Removing(count), Answer::Removed) => {
                self.outcome.removed = count;
                self.goodbye();
            }
            // RFC 1939 §6: "-ERR some deleted messages not removed".
            (Asked::Removing(_), _) => {
                self.err("[SYS/TEMP] no message was removed");
                self.doing = Doing::Closing;
            }
            (Asked::SignIn(_) | Asked::Open, _) => self.unavailable(),
        }
    }

    /// Tells the client what it did wrong.
    fn refuse(&mut self, misuse: Misuse) {
        self.misuses.note(misuse);
        self.err(reply_to(misuse));
        if misuse == Misuse::SignInFailed {
            self.sign_in_failures += 1;
        }
        if self.has_failed_too_often() {
            return;
        }
        if misuse == Misuse::InputBeforeTls {
            self.doing = Doing::Closing;
        } else if self.misuses.count() >= MISUSES_MAX {
            self.give_up();
        }
    }

    /// Ends the connection of a client whose sign-ins failed as often as they may.
    fn has_failed_too_often(&mut self) -> bool {
        let too_often = self.sign_in_failures >= self.config.sign_in_failures_max.max(1);
        if too_often {
            self.misuses.note(Misuse::TooManySignInFailures);
            self.doing = Doing::Closing;
        }
        too_often
    }

    fn give_up(&mut self) {
        self.misuses.note(Misuse::TooManyMisuses);
        self.err("too many mistakes, closing the connection");
        self.doing = Doing::Closing;
    }

    /// RFC 3206 §4: the client may try again with the same credentials.
    fn unavailable(&mut self) {
        self.err("[SYS/TEMP] not possible now, try again later");
    }

    fn ok(&mut self, text: &str) {
        self.out_line(&if text.is_empty() { "+OK".to_owned() } else { format!("+OK {text}") });
    }

    fn err(&mut self, text: &str) {
        self.out_line(&format!("-ERR {text}"));
    }

    fn overhear_content(&mut self, reading: &Reading) {
        if let Some(notes) = &mut self.notes {
            notes.content(Speaker::We, reading.sent);
        }
    }

    fn out_line(&mut self, line: &str) {
        if let Some(notes) = &mut self.notes {
            notes.we(line);
        }
        self.out.put_slice(line.as_bytes());
        self.out.put_slice(b"\r\n");
    }

    /// A line of which the log sees another form.
    fn out_secret(&mut self, line: &str, shown: &str) {
        if let Some(notes) = &mut self.notes {
            notes.we(format!("+ {shown}"));
        }
        self.out.put_slice(line.as_bytes());
        self.out.put_slice(b"\r\n");
    }

    // Time

    /// Idle time begins anew: a command has come, or an answer.
    fn renew_deadline(&mut self) {
        let signed_in = matches!(self.state, State::Transaction(_));
        self.deadline =
            self.now + if signed_in { self.config.timeout } else { self.config.timeout_before_sign_in };
    }

    fn wait(&self, read: bool) -> Step<Question> {
        Step::Await { until: self.deadline, read }
    }

    /// The next step of what is under way; none if something else is now.
    fn advance(&mut self) -> Option<Step<Question>> {
        match std::mem::replace(&mut self.doing, Doing::Commands) {
            Doing::Commands if self.stopping => self.doing = Doing::Closing,
            Doing::Commands => match self.lines.next_line() {
                Some(line) => self.line(line),
                None => return Some(self.wait(true)),
            },
            Doing::Sasl(_) if self.stopping => self.doing = Doing::Closing,
            Doing::Sasl(exchange) => match self.lines.next_line() {
                Some(line) => self.sasl_line(exchange, line),
                None => {
                    self.doing = Doing::Sasl(exchange);
                    return Some(self.wait(true));
                }
            },
            Doing::Asking(boxed) => {
                let (question, asked) = *boxed;
                self.doing = Doing::Waiting(asked);
                return Some(Step::Ask(question));
            }
            Doing::Waiting(asked) => {
                self.doing = Doing::Waiting(asked);
                return Some(self.wait(self.lines.waiting() < INPUT_WAITING_MAX));
            }
            Doing::Listing(list, number) => self.list_more(list, number),
            Doing::Upgrading => {
                self.doing = Doing::Handshake;
                return Some(Step::Upgrade(Upgrade::Tls));
            }
            Doing::Handshake => {
                self.doing = Doing::Handshake;
                return Some(self.wait(false));
            }
            Doing::Closing => {
                self.doing = Doing::Closing;
                return Some(Step::Close);
            }
        }
        None
    }
}

impl Session for ServerSession {
    type Question = Question;
    type Answer = Answer;
    type News = ();
    type Outcome = Outcome;

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.now = now;
        self.lines.push(bytes);
    }

    fn answer(&mut self, now: Instant, answer: Answer) {
        self.now = now;
        if let Doing::Waiting(asked) = std::mem::replace(&mut self.doing, Doing::Commands) {
            self.settle(asked, answer);
            self.renew_deadline();
        }
    }

    /// POP3 has no news: the maildrop is what it was at sign-in.
    fn tell(&mut self, now: Instant, (): ()) {
        self.now = now;
    }

    /// RFC 1939 §3: the idle client's connection is closed without a word, and nothing is removed.
    fn woken(&mut self, now: Instant) {
        self.now = now;
        if let Doing::Waiting(_) = self.doing {
            self.renew_deadline(); // We are slow, not the client.
        } else if now >= self.deadline {
            self.misuses.note(Misuse::TooSlow);
            self.doing = Doing::Closing;
        }
    }

    fn secured(&mut self, now: Instant, facts: TlsFacts) {
        self.now = now;
        self.secure = true;
        self.channel.secured(&facts);
        self.offer = self.config.auth.over(Some(&facts));
        if let Doing::Handshake = self.doing {
            // RFC 2595 §4: what was learnt before the handshake is forgotten.
            self.lines.clear();
            self.state = State::Authorization(None);
            self.utf8 = false;
            self.doing = Doing::Commands;
            self.renew_deadline();
        }
    }

    /// What is under way ends. Without QUIT nothing is removed, so the client loses nothing but its marks.
    fn stopping(&mut self, now: Instant) {
        self.now = now;
        self.stopping = true;
    }

    fn ended(&mut self, now: Instant, _: End) -> Outcome {
        self.now = now;
        self.outcome.misuses = self.misuses.take();
        std::mem::take(&mut self.outcome)
    }

    fn overhear(&mut self) {
        let mut notes = Box::<Notes>::default();
        // The greeting.
        String::from_utf8_lossy(&self.out).lines().for_each(|line| notes.we(line));
        self.notes = Some(notes);
    }

    fn overheard(&mut self) -> Vec<Overheard> {
        self.notes.as_mut().map(|notes| notes.take()).unwrap_or_default()
    }

    fn next(&mut self) -> Step<Question> {
        loop {
            let gathering = matches!(self.doing, Doing::Commands | Doing::Listing(..));
            if self.out.len() >= OUTPUT_MAX || !self.out.is_empty() && !gathering {
                return Step::Send(self.take_output());
            }
            match self.advance() {
                Some(Step::Await { .. }) if !self.out.is_empty() => return Step::Send(self.take_output()),
                Some(step) => return step,
                None => {}
            }
        }
    }
}

impl ServerSession {
    /// The output, leaving no allocation behind: an idle connection holds no buffer.
    fn take_output(&mut self) -> Bytes {
        std::mem::take(&mut self.out).freeze()
    }
}

/// Whether a message that begins so has a header that only a client of UTF-8 may see (RFC 6856 §2.1). A header in another
/// charset is no UTF-8 string: it is broken mail, older than the rule, and goes out as it came. So does what stands after
/// the first 64 KiB.
fn has_utf8_header(beginning: &[u8]) -> bool {
    let end = memchr::memmem::find(beginning, b"\r\n\r\n").unwrap_or(beginning.len());
    let header = &beginning[..end];
    if header.is_ascii() {
        return false;
    }
    match std::str::from_utf8(header) {
        Ok(_) => true,
        // Cut in a character.
        Err(error) => error.error_len().is_none() && !header[..error.valid_up_to()].is_ascii(),
    }
}

fn list_line(maildrop: &Maildrop, list: List, number: u32) -> Result<String, Misuse> {
    match list {
        List::Scan => maildrop.scan_listing(number),
        List::UniqueIds => maildrop.unique_id_listing(number),
    }
}

/// What the client is told, after `-ERR `.
fn reply_to(misuse: Misuse) -> &'static str {
    match misuse {
        Misuse::BareLineFeed | Misuse::BareCarriageReturn => "a line ends with CRLF",
        Misuse::NulOctet => "a line has no NUL",
        Misuse::LineTooLong => "the line is too long",
        Misuse::InputBeforeTls => "no input may come between STLS and the handshake",
        Misuse::TlsNotOffered => "TLS is not possible here",
        Misuse::TlsAfterSignIn => "STLS comes before sign-in",
        Misuse::SignInNotOffered => "not possible here",
        Misuse::SignInWithoutTls => "begin TLS before you sign in",
        // RFC 3206 §4: the credentials are wrong; the text is the same for an unknown account.
        Misuse::SignInFailed => "[AUTH] wrong name or password",
        Misuse::SignInTwice => "you are signed in",
        Misuse::PassBeforeUser => "USER comes before PASS",
        Misuse::CommandBeforeSignIn => "sign in first",
        Misuse::NoSuchMessage => "no such message",
        Misuse::MessageIsDeleted => "the message is marked as deleted",
        Misuse::UnknownCommand => "unknown command",
        Misuse::UnknownMechanism => "the mechanism is not offered",
        Misuse::SaslNotBase64 => "the response is not base64",
        Misuse::SaslMalformed => "the response is not what the mechanism asks for",
        Misuse::SaslTooLong => "the response is too long",
        // RFC 3206 §4, as after a failure: something is wrong with how the client signs in.
        Misuse::ChannelBindingDenied => "[AUTH] channel binding was offered, and somebody may have hidden it",
        Misuse::UnknownChannelBinding => "the channel binding is not known",
        Misuse::UnknownLanguage => "no such language",
        // RFC 6856 §5.
        Misuse::Utf8NotAsked => "[UTF8] the header is UTF-8: say UTF8 first",
        Misuse::EightBitCommand => "a command is UTF-8",
        _ => "wrong argument",
    }
}

#[cfg(test)]
mod tests;
