//! The client's session: what is sent when, and what a reply, silence or the end of the connection leads to.
//!
//! ```text
//! Talking ──► Handshake ──► Talking      commands wait for replies, in order
//!    │  ▲
//!    │  └── Idle                         Question::Next is open; any word of the peer ends it
//!    └────► Content                      Question::Content; any word of the peer ends it
//! ```
//!
//! Here: input, time and output. [`hello`] gets the connection ready, [`deliver`] moves a message.

mod deliver;
mod hello;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use mail::Reply;

use super::content::Stuffer;
use super::diagnostic::{Cause, Diagnostic, Stage};
use super::dialogue::Dialogue;
use super::interface::{Answer, Policy, Question, Report, Summary};
use super::limits;
use super::offers::Offers;
use super::replies::{Fault, Replies};
use super::transaction::Underway;
use crate::sasl::Password;
use crate::session::{End, Session, Step, TlsFacts, Upgrade};

/// The client's side of one SMTP or LMTP connection.
///
/// ```
/// # use std::{sync::Arc, time::{Duration, Instant}};
/// use protocol::smtp::{Dialect, client};
/// use protocol::{Session, Step};
///
/// # let policy = Arc::new(client::Policy {
/// #     dialect: Dialect::Smtp, hello: mail::Host::parse("out.example.org").unwrap(), tls: client::Tls::Opportunistic,
/// #     sign_in: None, sign_in_without_tls: false, messages_max: 100, idle: Duration::from_secs(5),
/// #     greeting: client::Greeting::Extended, silence_max: Duration::MAX,
/// # });
/// # let now = Instant::now();
/// let mut session = client::ClientSession::new(policy, now);
/// assert!(matches!(session.next(), Step::Await { read: true, .. }));
/// session.receive(now, b"220 mx.example.net ESMTP\r\n");
/// assert_eq!(session.next(), Step::Send("EHLO out.example.org\r\n".into()));
/// session.receive(now, b"250 mx.example.net\r\n");
/// assert_eq!(session.next(), Step::Ask(client::Question::Next));
/// ```
pub struct ClientSession {
    policy: Arc<Policy>,
    state: State,
    replies: Replies,
    out: BytesMut,
    /// What the peer has to answer, in order.
    waiting: VecDeque<Waiting>,
    /// A question to be asked next; then `asked` tells what it was about.
    question: Option<Question>,
    asked: Option<Asked>,
    clock: Clock,
    tls: Option<TlsFacts>,
    /// STARTTLS was refused, and policy goes on without it.
    tls_refused: bool,
    offers: Offers,
    signed_in: bool,
    /// SASL responses to be sent, in base64.
    responses: VecDeque<Password>,
    underway: Option<Underway>,
    /// MAIL was sent since the last end of a transaction that the peer confirmed.
    must_reset: bool,
    transactions: usize,
    dialogue: Dialogue,
    failure: Option<Diagnostic>,
}

#[derive(Debug)]
enum State {
    Talking,
    /// [`Question::Next`] is open.
    Idle,
    /// The content is asked for and sent.
    Content(Sending),
    /// The driver has to begin a TLS handshake.
    StartTls,
    Handshake,
    /// What is to be sent is sent, then the connection is closed.
    Closing,
}

/// How the content is sent.
#[derive(Debug)]
enum Sending {
    /// Between 354 and the final dot.
    Lines(Stuffer),
    /// In chunks (RFC 3030 §2): octets that the peer has taken.
    Chunks(u64),
}

/// A command that waits for its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Banner,
    /// EHLO or LHLO.
    Ehlo,
    Helo,
    StartTls,
    Auth,
    /// `*`, which ends AUTH.
    AuthCancelled,
    Reset,
    Mail,
    Recipient(usize),
    Data,
    /// BDAT, up to this octet, which is not the last.
    Chunk(u64),
    /// The final dot or the last BDAT; in LMTP, for one recipient.
    End(Option<usize>),
    /// The final dot of no content, for nobody.
    LoneDot,
    Quit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Next,
    Content,
    Report,
}

#[derive(Debug)]
struct Clock {
    now: Instant,
    /// When the first of the commands that wait must have been answered. Only its reply, or an answer of ours, moves it.
    deadline: Instant,
    /// Set when the server is stopping: until then a transaction may go on.
    stops: Option<Instant>,
}

impl fmt::Debug for ClientSession {
    /// Without what waits to be sent, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ClientSession");
        shown.field("state", &self.state).field("waiting", &self.waiting).field("asked", &self.asked);
        shown.field("underway", &self.underway).finish_non_exhaustive()
    }
}

impl Waiting {
    fn stage(self) -> Stage {
        match self {
            Self::Banner => Stage::Banner,
            Self::Ehlo | Self::Helo => Stage::Hello,
            Self::StartTls => Stage::StartTls,
            Self::Auth | Self::AuthCancelled => Stage::SignIn,
            Self::Reset => Stage::Reset,
            Self::Mail => Stage::Mail,
            Self::Recipient(_) => Stage::Recipient,
            Self::Data => Stage::Data,
            Self::Chunk(_) => Stage::Content,
            Self::End(_) | Self::LoneDot => Stage::End,
            Self::Quit => Stage::Quit,
        }
    }

    /// RFC 5321 §4.5.3.2.
    fn time(self) -> Duration {
        match self {
            Self::Banner => limits::BANNER_TIME,
            Self::Ehlo | Self::Helo | Self::StartTls | Self::Auth | Self::AuthCancelled | Self::Reset => {
                limits::COMMAND_TIME
            }
            Self::Mail => limits::MAIL_TIME,
            Self::Recipient(_) => limits::RCPT_TIME,
            Self::Data => limits::DATA_TIME,
            Self::Chunk(_) => limits::CHUNK_TIME,
            Self::End(_) | Self::LoneDot => limits::END_TIME,
            Self::Quit => limits::QUIT_TIME,
        }
    }
}

impl ClientSession {
    /// A session on a connection just made. Where TLS comes first, [`secured`](Session::secured) must be called before
    /// [`next`](Session::next).
    pub fn new(policy: Arc<Policy>, now: Instant) -> Self {
        let deadline = now + Waiting::Banner.time().min(policy.silence_max);
        Self {
            policy,
            state: State::Talking,
            replies: Replies::new(),
            out: BytesMut::new(),
            waiting: VecDeque::from([Waiting::Banner]),
            question: None,
            asked: None,
            clock: Clock { now, deadline, stops: None },
            tls: None,
            tls_refused: false,
            offers: Offers::default(),
            signed_in: false,
            responses: VecDeque::new(),
            underway: None,
            must_reset: false,
            transactions: 0,
            dialogue: Dialogue::new(now),
            failure: None,
        }
    }

    /// How long the peer has for this reply.
    fn time(&self, waiting: Waiting) -> Duration {
        waiting.time().min(self.policy.silence_max)
    }

    /// What the peer offers; nothing before its answer to EHLO.
    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// Goes on as far as the replies allow.
    fn proceed(&mut self) {
        loop {
            let went_on = match self.state {
                State::Talking => self.talk(),
                State::Idle | State::Content(_) => self.interrupted(),
                State::StartTls | State::Handshake | State::Closing => false,
            };
            if !went_on {
                return;
            }
        }
    }

    fn talk(&mut self) -> bool {
        if self.asked == Some(Asked::Report) {
            return false;
        }
        if self.send_next() {
            return true;
        }
        if self.waiting.is_empty() {
            return self.transaction_over();
        }
        match self.replies.next() {
            None => return false,
            Some(Err(fault)) => {
                let cause = self.misread(fault);
                self.fail(Diagnostic::ours(self.stage(), cause));
            }
            Some(Ok(reply)) => self.take(reply),
        }
        true
    }

    fn take(&mut self, reply: Reply) {
        let Some(waiting) = self.waiting.pop_front() else { return };
        if let Some(next) = self.waiting.front() {
            // Each command has its own time, from when its reply is the next to come.
            self.clock.deadline = self.clock.now + self.time(*next);
        }
        self.dialogue.peer(self.clock.now, &reply);
        // RFC 5321 §3.8: 421 may answer any command, and ends the connection.
        if reply.code == 421 && waiting != Waiting::Quit {
            return self.fail(Diagnostic::replied(waiting.stage(), Cause::Reply, reply));
        }
        let may_go_on = matches!(waiting, Waiting::Data | Waiting::Auth | Waiting::AuthCancelled);
        if reply.code / 100 == 3 && !may_go_on {
            return self.fail(Diagnostic::ours(waiting.stage(), Cause::NotUnderstood));
        }
        self.replied(waiting, reply);
    }

    fn replied(&mut self, waiting: Waiting, reply: Reply) {
        match waiting {
            Waiting::Banner => self.banner_came(reply),
            Waiting::Ehlo | Waiting::Helo => self.hello_answered(waiting, reply),
            Waiting::StartTls => self.start_tls_answered(reply),
            Waiting::Auth => self.auth_answered(reply),
            Waiting::AuthCancelled => self.auth_cancelled(reply),
            Waiting::Reset => self.reset_answered(&reply),
            Waiting::Quit => self.state = State::Closing,
            Waiting::Mail
            | Waiting::Recipient(_)
            | Waiting::Data
            | Waiting::Chunk(_)
            | Waiting::End(_)
            | Waiting::LoneDot => self.transaction_answered(waiting, reply),
        }
    }

    /// The peer may speak only when asked: what comes while it is not ends the connection, most often as 421.
    fn interrupted(&mut self) -> bool {
        let stage = self.stage();
        let diagnostic = match self.replies.next() {
            None => return false,
            Some(Err(fault)) => Diagnostic::ours(stage, self.misread(fault)),
            Some(Ok(reply)) => {
                self.dialogue.peer(self.clock.now, &reply);
                match reply.code {
                    400.. => Diagnostic::replied(stage, Cause::Reply, reply),
                    _ => Diagnostic::ours(stage, Cause::NotUnderstood),
                }
            }
        };
        self.fail(diagnostic);
        true
    }

    // Output.

    /// Sends a command and waits for its reply.
    fn command(&mut self, waiting: Waiting, line: &str) {
        self.command_with_secret(waiting, line, line);
    }

    /// The same, where the dialogue must show something else.
    fn command_with_secret(&mut self, waiting: Waiting, line: &str, shown: &str) {
        debug_assert!(!line.contains(['\r', '\n']), "a command is one line");
        self.dialogue.we(self.clock.now, shown);
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.expect(waiting);
    }

    fn expect(&mut self, waiting: Waiting) {
        if self.waiting.is_empty() {
            self.clock.deadline = self.clock.now + self.time(waiting);
        }
        self.waiting.push_back(waiting);
    }

    fn ask(&mut self, question: Question, asked: Asked) {
        self.question = Some(question);
        self.asked = Some(asked);
    }

    // The end.

    /// Ends the connection at once. A content whose final dot was not sent is no message for the peer.
    fn fail(&mut self, diagnostic: Diagnostic) {
        self.failure.get_or_insert(diagnostic);
        self.state = State::Closing;
        self.question = None;
        self.out.clear();
    }

    /// Nothing can be sent on this connection; it ends in good order.
    fn give_up(&mut self, diagnostic: Diagnostic) {
        self.failure = Some(diagnostic);
        self.quit();
    }

    fn quit(&mut self) {
        self.state = State::Talking;
        self.question = None;
        self.command(Waiting::Quit, "QUIT");
        if self.clock.stops.is_some() {
            // RFC 5321 §4.1.1.10: the answer should be waited for; a server that stops has no time for it.
            self.state = State::Closing;
        }
    }

    fn is_quitting(&self) -> bool {
        self.waiting.front() == Some(&Waiting::Quit)
    }

    /// Where the dialogue is.
    fn stage(&self) -> Stage {
        match (&self.state, self.waiting.front()) {
            (State::Content(_), _) => Stage::Content,
            (State::StartTls | State::Handshake, _) => Stage::Handshake,
            (_, Some(waiting)) => waiting.stage(),
            (_, None) => Stage::Ready,
        }
    }

    /// The report of the transaction under way. What is open in it gets `otherwise`.
    fn report(&mut self, otherwise: &Diagnostic) -> Option<Report> {
        let outcomes = self.underway.take()?.outcomes(otherwise);
        let (dialogue, left_out) = self.dialogue.take();
        Some(Report { outcomes, dsn: self.offers.dsn, tls: self.tls.clone(), dialogue, left_out })
    }

    /// The journal keeps what was not understood.
    fn misread(&mut self, fault: Fault) -> Cause {
        self.dialogue.misread(self.clock.now, self.replies.misread());
        match fault {
            Fault::NotAReply => Cause::NotUnderstood,
            Fault::TooLong => Cause::ReplyTooLong,
        }
    }

    fn ended_by(&self, end: End) -> Diagnostic {
        let stage = self.stage();
        let cause = match end {
            // Not the peer's doing: no reason to come again without TLS.
            End::Closed | End::Terminated => Cause::Stopped,
            _ if stage == Stage::Handshake => Cause::TlsFailed,
            End::HalfClosed | End::Cut => Cause::Closed,
            End::WriteDeadline => Cause::WriteDeadline,
        };
        Diagnostic::ours(stage, cause)
    }
}

impl Session for ClientSession {
    type Question = Question;
    type Answer = Answer;
    type News = ();
    type Outcome = Summary;

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.clock.now = now;
        match self.state {
            // RFC 3207 §4.2: what came in clear text must not be read as if it had come through TLS.
            State::StartTls | State::Handshake => {
                self.fail(Diagnostic::ours(Stage::Handshake, Cause::InputBeforeTls));
            }
            State::Closing => {}
            _ => self.replies.push(bytes),
        }
    }

    fn answer(&mut self, now: Instant, answer: Answer) {
        self.clock.now = now;
        match self.asked.take() {
            Some(Asked::Next) => self.next_decided(answer),
            Some(Asked::Content) => self.content_came(answer),
            Some(Asked::Report) => self.ready(),
            None => {}
        }
    }

    fn tell(&mut self, now: Instant, (): ()) {
        self.clock.now = now;
    }

    fn woken(&mut self, now: Instant) {
        self.clock.now = now;
        if matches!(self.state, State::Closing) {
            return;
        }
        if self.is_quitting() {
            // Its answer decides nothing.
            self.state = State::Closing;
            return;
        }
        if self.clock.stops.is_some_and(|stops| stops <= now) {
            return self.fail(Diagnostic::ours(self.stage(), Cause::Stopped));
        }
        if self.clock.deadline > now {
            return;
        }
        match (&self.state, self.asked) {
            (State::Idle, _) => self.quit(),
            (_, Some(_)) => self.clock.deadline = now + limits::OUR_TIME,
            (_, None) => self.fail(Diagnostic::ours(self.stage(), Cause::TimedOut)),
        }
    }

    fn secured(&mut self, now: Instant, facts: TlsFacts) {
        self.clock.now = now;
        let verified = if facts.verified { ", certificate verified" } else { "" };
        self.dialogue.we(now, &format!("(TLS: {} {}{verified})", facts.version, facts.cipher));
        self.tls = Some(facts);
        if let Some(first) = self.waiting.front() {
            // TLS came first; the peer's time begins now.
            self.clock.deadline = now + self.time(*first);
        }
        if matches!(self.state, State::Handshake) {
            self.state = State::Talking;
            // RFC 3207 §4.2: what the peer said before is forgotten.
            self.offers = Offers::default();
            self.say_hello();
        }
    }

    fn stopping(&mut self, now: Instant) {
        self.clock.now = now;
        self.clock.stops = Some(now + limits::STOPPING_GRACE);
        match self.state {
            State::Closing => {}
            State::Idle => self.give_up(Diagnostic::ours(Stage::Ready, Cause::Stopped)),
            _ if self.is_quitting() => self.state = State::Closing,
            // Before a transaction nothing is lost, however long the peer would take for its next reply.
            _ if self.underway.is_none() && self.asked.is_none() => {
                self.fail(Diagnostic::ours(self.stage(), Cause::Stopped));
            }
            _ => {}
        }
    }

    fn ended(&mut self, now: Instant, end: End) -> Summary {
        self.clock.now = now;
        if matches!(self.state, State::Content(_)) {
            self.interrupted();
        }
        if !matches!(self.state, State::Closing) && !self.is_quitting() {
            let diagnostic = self.ended_by(end);
            self.failure.get_or_insert(diagnostic);
        }
        let otherwise =
            self.failure.clone().unwrap_or_else(|| Diagnostic::ours(Stage::Ready, Cause::Stopped));
        let report = self.report(&otherwise);
        let (dialogue, left_out) = self.dialogue.take();
        Summary {
            transactions: self.transactions,
            report,
            failure: self.failure.take(),
            tls: self.tls.take(),
            dialogue,
            left_out,
        }
    }

    fn outlives_input(&self) -> bool {
        // A report is given once: the application is let finish with it.
        self.asked == Some(Asked::Report)
    }

    fn hears_while_sending(&self) -> bool {
        // A peer that has closed, or refuses what it has not yet seen the end of, shall not be sent the rest.
        matches!(self.state, State::Content(_)) && self.replies.waiting() < limits::INPUT_WAITING_MAX
    }

    fn next(&mut self) -> Step<Question> {
        self.proceed();
        if !self.out.is_empty() {
            // Before the question: the peer gets one piece of content while the next is read.
            return Step::Send(std::mem::take(&mut self.out).freeze());
        }
        if let Some(question) = self.question.take() {
            return Step::Ask(question);
        }
        match self.state {
            State::StartTls => {
                self.state = State::Handshake;
                Step::Upgrade(Upgrade::Tls)
            }
            State::Closing => Step::Close,
            _ => {
                let until =
                    self.clock.stops.map_or(self.clock.deadline, |stops| stops.min(self.clock.deadline));
                Step::Await { until, read: self.replies.waiting() < limits::INPUT_WAITING_MAX }
            }
        }
    }
}
