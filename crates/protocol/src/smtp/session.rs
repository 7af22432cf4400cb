//! The SMTP and LMTP server session (RFC 5321 §3, §4.1.4; RFC 2033): what is allowed when, and what follows.
//!
//! ```text
//! Banner ──► Commands ◄──► Sasl         AUTH, line by line
//!            │      ▲ ▲
//!            │      │ ├──── Content     after 354, up to CRLF.CRLF
//!            │      │ └──── Chunk       after BDAT, so many octets; Discard where it is refused
//!            ▼      │
//!           Handshake                   after STARTTLS; all that was said before is forgotten
//! ```
//!
//! A transaction is a value beside the state: MAIL makes it, content, RSET, EHLO, QUIT and STARTTLS end it. The session
//! goes on through pipelined commands until it must ask; replies are gathered and leave together (RFC 2920 §3.2).
//!
//! Here: input, time and output. [`commands`] decides what a command does, [`chunks`] what BDAT does, [`introduced`] what is
//! said beside mail, [`answers`] what an answer does, [`errors`] what errors lead to.

mod answers;
mod chunks;
mod commands;
mod errors;
mod introduced;

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use mail::{Address, BodyType, Reply};

use self::chunks::Discard;
use self::introduced::Named;
use super::chunks::Chunks;
use super::command::Refusal;
use super::content::Content;
use super::dialect::Dialect;
use super::introductions::Forwarded;
use super::overheard;
use super::replies::{self, Canned};
use super::server::{Answer, Config, Hello, Hop, Outcome, Question};
use crate::limits;
use crate::lines::{Line, Lines};
use crate::misuse::{Misuse, Misuses};
use crate::overheard::{BLANKED, Notes, Overheard, Speaker};
use crate::sasl::{self, Channel, Exchange, Seed};
use crate::session::{End, Session, Step, TlsFacts, Upgrade};

/// The server's side of one SMTP connection.
///
/// ```
/// # use std::{sync::Arc, time::{Duration, Instant}};
/// use protocol::{Session, Step, smtp};
///
/// # let config = Arc::new(smtp::Config {
/// #     host_name: "mx.example.org".into(), banner: "ESMTP".into(), message_size_max: 1000, recipients_max: 10,
/// #     timeout: Duration::from_secs(300), starttls: false, tls_required: false,
/// #     auth: protocol::sasl::Offer::NONE, commands: smtp::Commands::STRANGER,
/// #     auth_without_tls: false, auth_required: false, messages_max: 10, keywords: smtp::Keywords::ALL,
/// #     bounds: smtp::Bounds::USUAL,
/// # });
/// # let now = Instant::now();
/// let mut session = smtp::ServerSession::new(config, now, protocol::sasl::Seed([0; 32]));
/// assert_eq!(session.next(), Step::Send("220 mx.example.org ESMTP\r\n".into()));
/// assert!(matches!(session.next(), Step::Await { read: true, .. }));
/// session.receive(now, b"NOOP\r\n");
/// assert_eq!(session.next(), Step::Send("250 2.0.0 OK\r\n".into()));
/// ```
#[derive(Debug)]
pub struct ServerSession {
    config: Arc<Config>,
    dialect: Dialect,
    state: State,
    /// After the last HELO or EHLO.
    hello: Option<Arc<Hello>>,
    tls: Option<TlsFacts>,
    /// What exchanges of AUTH stand on.
    channel: Channel,
    pub(super) account: Option<Address>,
    transaction: Option<Transaction>,
    /// What XFORWARD has said of the next transaction.
    forwarded: Option<Box<Forwarded>>,
    pub(super) lines: Lines,
    /// Replies that wait to be sent.
    pub(super) out: BytesMut,
    /// A question to be asked next; then `asked` tells what it was about.
    question: Option<Question>,
    asked: Option<Asked>,
    clock: Clock,
    counts: Counts,
    misuses: Misuses,
    /// Where the client stopped, for the outcome.
    stopped: &'static str,
    /// VERB was said.
    verbose: bool,
    /// What is said, if somebody asked for it.
    notes: Option<Box<Notes>>,
}

#[derive(Debug)]
enum State {
    /// The banner has not been sent.
    Banner,
    Commands,
    Sasl(Box<Exchange>),
    Content(Content),
    /// Octets of a chunk; the reader is the transaction's.
    Chunk,
    /// Octets of a chunk that was refused.
    Discard(Discard),
    /// The driver has to begin a TLS handshake.
    StartTls,
    /// The handshake is under way.
    Handshake,
    /// Replies are sent, then the connection is closed.
    Closing,
}

/// An open mail transaction.
#[derive(Debug, Default)]
struct Transaction {
    /// Recipients accepted.
    recipients: usize,
    /// Recipients beyond the limit.
    excess: usize,
    body: BodyType,
    utf8: bool,
    /// The content that comes by BDAT.
    chunks: Option<Chunks>,
    /// Octets of the content are lost: only RSET or a greeting ends the transaction.
    failed: bool,
    /// Chunks that came then.
    chunks_lost: usize,
}

/// What the open question is about, with what is needed when the answer comes.
#[derive(Debug)]
enum Asked {
    SignIn(Box<Exchange>),
    Sender {
        body: BodyType,
        utf8: bool,
    },
    Recipient,
    Begin,
    /// The first chunk, whose octets come whatever is answered.
    BeginChunks,
    Chunk,
    Finish,
    /// With the number of recipients that wait for a reply.
    Refused(Reply, usize),
    Abandoned(Then),
    Lookup {
        utf8: bool,
    },
    Release,
    Client(Named),
}

/// What follows once the application knows that the transaction is over.
#[derive(Debug)]
enum Then {
    Hello(Arc<Hello>),
    Reset,
    StartTls,
    Quit,
}

#[derive(Debug)]
struct Clock {
    now: Instant,
    /// When the client must have gone on. Only a complete command, progress of content, or an answer of ours moves it.
    deadline: Instant,
    /// When the content under way must be complete.
    content_ends: Option<Instant>,
    /// Octets of content that have renewed the deadline.
    content_renewed: u64,
    /// Set when the server is stopping: until then a transaction may go on.
    stops: Option<Instant>,
    /// Until when replies wait, if they do.
    held: Option<Instant>,
}

#[derive(Debug, Default)]
struct Counts {
    transactions: usize,
    messages: usize,
    /// Misuses that count against the client.
    mistakes: usize,
    /// What was refused for good, since the last message.
    refusals: usize,
    /// Octets of contents that have come.
    content_octets: u64,
    sign_in_failures: usize,
    /// Commands since the last message that move no mail.
    idle_commands: usize,
    /// Octets sent by BDAT and dropped, since the last message.
    octets_dropped: u64,
}

impl Clock {
    /// When `woken` is due.
    fn until(&self) -> Instant {
        [Some(self.deadline), self.content_ends, self.stops].into_iter().flatten().min().expect("one is set")
    }

    /// While a question is open the time is ours, not the client's: what is due is put off.
    fn forgive(&mut self, later: Instant) {
        let due = [Some(&mut self.deadline), self.content_ends.as_mut(), self.stops.as_mut()];
        for due in due.into_iter().flatten().filter(|due| **due <= self.now) {
            *due = later;
        }
    }
}

impl ServerSession {
    /// A session on a new connection. Where TLS comes first, [`secured`](Session::secured) must be called before
    /// [`next`](Session::next).
    /// `seed` is random, for this connection alone.
    pub fn new(config: Arc<Config>, now: Instant, seed: Seed) -> Self {
        Self::with_dialect(config, Dialect::Smtp, now, seed)
    }

    /// The same for LMTP.
    pub(crate) fn lmtp(config: Arc<Config>, now: Instant, seed: Seed) -> Self {
        Self::with_dialect(config, Dialect::Lmtp, now, seed)
    }

    fn with_dialect(config: Arc<Config>, dialect: Dialect, now: Instant, seed: Seed) -> Self {
        let deadline = now + config.timeout;
        Self {
            config,
            dialect,
            state: State::Banner,
            hello: None,
            tls: None,
            channel: Channel::new(seed),
            account: None,
            transaction: None,
            forwarded: None,
            lines: Lines::new(limits::SMTP_COMMAND_LINE_MAX),
            out: BytesMut::new(),
            question: None,
            asked: None,
            clock: Clock { now, deadline, content_ends: None, content_renewed: 0, stops: None, held: None },
            counts: Counts::default(),
            misuses: Misuses::default(),
            stopped: match dialect {
                Dialect::Smtp => "before HELO",
                Dialect::Lmtp => "before LHLO",
            },
            verbose: false,
            notes: None,
        }
    }

    /// Other terms hold from now on, because of the name that the client asked for in TLS. To be called before
    /// [`secured`](Session::secured) tells of that handshake, at which all that was said before is forgotten.
    pub fn adopt(&mut self, config: Arc<Config>) {
        self.config = config;
    }

    /// Goes on as far as the input allows.
    fn proceed(&mut self) {
        while self.asked.is_none() && self.held().is_none() && self.out.len() < limits::SMTP_REPLIES_MAX {
            let may_stop =
                self.transaction.is_none() && matches!(self.state, State::Commands | State::Sasl(_));
            if self.clock.stops.is_some() && may_stop {
                self.close(replies::STOPPING);
            }
            let went_on = match self.state {
                State::Banner => self.greet(),
                State::Commands | State::Sasl(_) => self.read_line(),
                State::Content(_) => self.read_content(),
                State::Chunk => self.read_chunk(),
                State::Discard(_) => self.read_discarded(),
                State::StartTls | State::Handshake | State::Closing => false,
            };
            if !went_on {
                return;
            }
        }
    }

    fn greet(&mut self) -> bool {
        if self.lines.waiting() > 0 {
            // RFC 5321 §3.1: the client waits for the banner. Noted, and served: it may be a probe.
            self.misuses.note(Misuse::EarlyTalker);
        }
        self.say(&replies::banner(&self.config.host_name, &self.config.banner));
        self.state = State::Commands;
        true
    }

    fn read_line(&mut self) -> bool {
        let Some(line) = self.lines.next_line() else { return false };
        self.renew_deadline();
        if self.notes.is_some() {
            self.overhear_line(&line);
        }
        match line {
            Line::Bad(misuse) => self.bad_line(misuse),
            Line::Text(line) => match std::mem::replace(&mut self.state, State::Commands) {
                State::Sasl(exchange) => self.sasl_line(exchange, &line),
                _ => self.command(&line),
            },
        }
        true
    }

    /// A line that is none. It ends a SASL exchange.
    fn bad_line(&mut self, misuse: Misuse) {
        let in_sasl = matches!(self.state, State::Sasl(_));
        self.state = State::Commands;
        let (misuse, reply) = match misuse {
            Misuse::BareLineFeed => (misuse, replies::BARE_LINE_FEED),
            Misuse::BareCarriageReturn => (misuse, replies::BARE_CARRIAGE_RETURN),
            Misuse::NulOctet => (misuse, replies::NUL_OCTET),
            _ if in_sasl => (Misuse::SaslTooLong, replies::SASL_TOO_LONG),
            _ => (misuse, replies::LINE_TOO_LONG),
        };
        self.refuse(Refusal::new(misuse, reply));
    }

    // Output.

    fn say(&mut self, reply: &Reply) {
        self.say_as(reply, Reply::render);
    }

    fn say_as(&mut self, reply: &Reply, render: fn(&Reply, &mut BytesMut)) {
        let from = self.out.len();
        render(reply, &mut self.out);
        self.hold_back(reply);
        if let Some(notes) = &mut self.notes {
            String::from_utf8_lossy(&self.out[from..]).lines().for_each(|line| notes.we(line));
        }
    }

    /// A challenge, of which the log sees another form.
    fn say_challenge(&mut self, challenge: &[u8]) {
        replies::challenge(sasl::encode(challenge)).render(&mut self.out);
        if let Some(notes) = &mut self.notes {
            notes.we(format!("334 {}", sasl::shown(challenge)));
        }
    }

    fn overhear_line(&mut self, line: &Line) {
        let Some(notes) = &mut self.notes else { return };
        match line {
            Line::Bad(misuse) => notes.broken(*misuse),
            Line::Text(line) if !matches!(self.state, State::Sasl(_)) => notes.peer(overheard::shown(line)),
            // RFC 4954 §4: the client cancels; anything else is a response.
            Line::Text(line) if line.as_ref() == b"*" => notes.peer(line),
            Line::Text(_) => notes.peer(BLANKED),
        }
    }

    /// Content has ended, here or with the connection.
    fn overhear_content(&mut self) {
        let size = match (&self.state, &self.transaction) {
            (State::Content(content), _) => content.size(),
            (State::Discard(discard), _) => discard.come(),
            (State::Chunk, Some(Transaction { chunks: Some(chunks), .. })) => chunks.come(),
            _ => return,
        };
        if let Some(notes) = &mut self.notes {
            notes.content(Speaker::Peer, size);
        }
    }

    /// As other servers have told of hops since Sendmail did: in lines with the code 050, before the reply. They go out while
    /// the question is open, so few wait.
    fn tell_hop(&mut self, hop: &str) {
        for line in hop.lines() {
            let mut line = format!("050 {}", mail::printable(line));
            while line.len() > mail::limits::REPLY_LINE_OCTETS_MAX - 2 {
                line.pop();
            }
            if let Some(notes) = &mut self.notes {
                notes.we(&line);
            }
            self.out.extend_from_slice(line.as_bytes());
            self.out.extend_from_slice(b"\r\n");
        }
    }

    fn say_canned(&mut self, reply: Canned) {
        self.say(&reply.reply());
    }

    fn ask(&mut self, question: Question, asked: Asked) {
        self.question = Some(question);
        self.asked = Some(asked);
    }

    /// Notes a misuse and answers it. Too many end the connection.
    fn refuse(&mut self, Refusal { misuse, reply }: Refusal) {
        self.misuses.note(misuse);
        self.say(&reply);
        if reply.code == 421 {
            self.state = State::Closing;
            return;
        }
        self.count_mistake();
    }

    /// Counts a command that moves no mail. False if it was one too many.
    fn count_idle_command(&mut self) -> bool {
        self.counts.idle_commands += 1;
        let many = self.counts.idle_commands > limits::SMTP_IDLE_COMMANDS_MAX;
        if many {
            self.misuses.note(Misuse::TooManyIdleCommands);
            self.close(replies::TOO_MANY_IDLE_COMMANDS);
        }
        !many
    }

    /// Says a last word and closes. A transaction that is open stays so, for the outcome to tell.
    fn close(&mut self, reply: Canned) {
        self.say_canned(reply);
        self.state = State::Closing;
    }

    fn octets_by_chunks(&self) -> u64 {
        self.transaction.as_ref().and_then(|it| it.chunks.as_ref()).map_or(0, Chunks::size)
    }

    // Time.

    fn renew_deadline(&mut self) {
        self.clock.deadline = self.clock.now + self.config.timeout;
    }

    /// RFC 5321 §4.5.3.2.5: content is timed by blocks.
    fn renew_by(&mut self, octets_come: u64) {
        if octets_come >= self.clock.content_renewed + limits::SMTP_CONTENT_PROGRESS {
            self.clock.content_renewed = octets_come;
            self.renew_deadline();
        }
    }
}

impl Session for ServerSession {
    type Question = Question;
    type Answer = Answer;
    type News = Hop;
    type Outcome = Outcome;

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.clock.now = now;
        match self.state {
            // RFC 3207 §4.2: what was sent in clear text must not be read as if it had come through TLS.
            State::StartTls | State::Handshake => {
                self.misuses.note(Misuse::InputBeforeTls);
                self.state = State::Closing;
            }
            State::Closing => {}
            _ => self.lines.push(bytes),
        }
    }

    fn answer(&mut self, now: Instant, answer: Answer) {
        self.clock.now = now;
        if let Some(asked) = self.asked.take() {
            // The client was not heard while we decided.
            self.renew_deadline();
            self.answered(asked, answer);
        }
    }

    fn tell(&mut self, now: Instant, Hop(hop): Hop) {
        self.clock.now = now;
        if self.verbose && matches!(self.asked, Some(Asked::Finish)) {
            self.tell_hop(&hop);
        }
    }

    fn woken(&mut self, now: Instant) {
        self.clock.now = now;
        if matches!(self.state, State::Closing) {
            return;
        }
        if self.asked.is_some() {
            self.clock.forgive(now + self.config.timeout);
        } else if let Some(held) = self.held() {
            if held <= now {
                self.release();
            }
        } else if self.clock.stops.is_some_and(|stops| stops <= now) {
            self.close(replies::STOPPING);
        } else if self.clock.until() <= now {
            self.misuses.note(Misuse::TooSlow);
            self.close(replies::TOO_SLOW);
        }
    }

    fn secured(&mut self, now: Instant, facts: TlsFacts) {
        self.clock.now = now;
        self.renew_deadline();
        // RFC 3207 §4.2: all that the client said before is forgotten.
        self.hello = None;
        self.account = None;
        self.verbose = false;
        self.forwarded = None;
        self.channel.secured(&facts);
        self.tls = Some(facts);
        if matches!(self.state, State::Handshake) {
            self.state = State::Commands;
            self.stopped = "after the TLS handshake";
        }
    }

    fn stopping(&mut self, now: Instant) {
        self.clock.now = now;
        self.clock.stops = Some(now + limits::SMTP_STOPPING_GRACE);
        self.clock.held = None;
    }

    fn ended(&mut self, now: Instant, _end: End) -> Outcome {
        self.clock.now = now;
        self.overhear_content();
        let stopped = match &self.state {
            State::Content(content) => format!("in content after {} octets", content.size()),
            State::Chunk => format!("in content after {} octets", self.octets_by_chunks()),
            State::Discard(_) => "in a chunk that was refused".into(),
            State::Sasl(_) => "in AUTH".into(),
            State::Handshake => "in the TLS handshake".into(),
            _ => self.stopped.into(),
        };
        Outcome {
            messages: self.counts.messages,
            cut_in_transaction: self.transaction.is_some(),
            stopped,
            misuses: self.misuses.take(),
        }
    }

    fn overhear(&mut self) {
        self.notes = Some(Box::default());
    }

    fn overheard(&mut self) -> Vec<Overheard> {
        self.notes.as_mut().map(|notes| notes.take()).unwrap_or_default()
    }

    fn next(&mut self) -> Step<Question> {
        self.proceed();
        if let Some(question) = self.question.take() {
            // Asked before the replies are sent: if it is decided at once, they leave together with its own.
            return Step::Ask(question);
        }
        if let Some(until) = self.held() {
            return Step::Await { until, read: false };
        }
        if !self.out.is_empty() {
            return Step::Send(std::mem::take(&mut self.out).freeze());
        }
        match self.state {
            State::StartTls => {
                self.state = State::Handshake;
                Step::Upgrade(Upgrade::Tls)
            }
            State::Closing => Step::Close,
            _ => {
                let waiting = self.asked.is_some() && self.lines.waiting() >= limits::SMTP_INPUT_WAITING_MAX;
                Step::Await { until: self.clock.until(), read: !waiting }
            }
        }
    }
}
