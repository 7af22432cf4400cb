//! Joins one session to one stream. The same loop serves SMTP, LMTP, POP3, IMAP and ManageSieve.
//!
//! ```text
//! input (answer | order | bytes | news | time) --> session --> next() until Await or Close --> one write
//! ```
//!
//! The driver decides nothing about the protocol and knows nothing about mail. What it owes each connection:
//!
//! - Deadlines are absolute: no byte and no news moves one unless the session says so.
//! - An open question is polled beside everything else, and dropped when the connection ends.
//! - A peer that reads slowly holds up its own session only, and not for ever ([`End::WriteDeadline`]).
//! - When TLS ends, the connection ends; nothing is read in clear text after it (THREATS: TLS close_notify inside
//!   BDAT).
//! - While it waits it holds neither a read buffer (that is the thread's) nor an empty write buffer.
//! - A panic in session or handler ends this connection alone.

use std::any::Any;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::ops::ControlFlow::{self, Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::{End, Session, Step, TlsFacts, Upgrade};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use world::{Clock, Timer};

use crate::limits;
use crate::output::Output;
use crate::registry::{Entry, Order};
use crate::stream::Stream;
use crate::tap::{Event, Tap};
use crate::tls::{Certificates, Towards};

/// How a question is decided: at once, or later.
pub enum Decision<A> {
    /// Known already; costs nothing.
    Now(A),
    /// The driver polls it beside input, news and deadline, and drops it when the connection closes. A commit once
    /// handed to the store goes on without it.
    Later(Pin<Box<dyn Future<Output = A> + Send>>),
}

/// The application's side of one connection.
pub trait Handler<S: Session>: Send {
    /// Decides a question. What a later decision needs it takes with it (shared state is in `Arc`s).
    fn decide(&mut self, question: S::Question) -> Decision<S::Answer>;

    /// Ready when there is news for the session. Polled whenever the driver waits.
    fn poll_news(&mut self, _cx: &mut task::Context<'_>) -> Poll<S::News> {
        Poll::Pending
    }

    /// A TLS handshake is done, and the session is about to be told: the name that the peer asked for may mean other terms.
    fn secured(&mut self, _session: &mut S, _facts: &TlsFacts) {}

    /// Asked once, before the session's first step and after implicit TLS: whether its first words are held back.
    fn holds_back(&self) -> Option<HoldBack> {
        None
    }

    /// The connection is over. The transport may still be closing.
    fn ended(&mut self, _outcome: S::Outcome, _end: End) {}
}

/// How a session's first words are held back: a peer that must wait for them, and does not, is none that we talk with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldBack {
    /// For so long.
    pub time: Duration,
    /// What a peer that talks meanwhile is told before the connection is closed.
    pub refusal: Bytes,
}

/// When TLS begins, and on which side we are.
#[derive(Debug, Clone)]
pub enum Tls {
    /// Never; a session that asks for it is cut off.
    Off,
    /// When the session asks for it (STARTTLS, STLS).
    Offered(Arc<Certificates>),
    /// Before the session's first step (RFC 8314 §3: implicit TLS).
    Implicit(Arc<Certificates>),
    /// As client: when the session asks for it.
    Towards(Towards),
    /// As client: before the session's first step.
    TowardsImplicit(Towards),
}

impl Tls {
    fn is_implicit(&self) -> bool {
        matches!(self, Self::Implicit(_) | Self::TowardsImplicit(_))
    }

    /// The handshake; none where TLS is off.
    fn handshake(&self, stream: Stream) -> Option<Handshake> {
        match self {
            Self::Off => None,
            Self::Offered(certificates) | Self::Implicit(certificates) => {
                let certificates = certificates.clone();
                Some(Box::pin(async move { stream.secure(&certificates).await }))
            }
            Self::Towards(towards) | Self::TowardsImplicit(towards) => {
                let towards = towards.clone();
                Some(Box::pin(async move { stream.secure_towards(&towards).await }))
            }
        }
    }
}

/// What surrounds one connection.
#[derive(Debug)]
pub struct Context {
    /// What time it is.
    pub clock: Clock,
    /// When TLS begins, and with which certificates.
    pub tls: Tls,
    /// The connection's place in the registry; held until the transport is closed.
    pub entry: Entry,
    /// How long the peer may take to read what waits for it.
    pub write_deadline: Duration,
    /// Octets read at once, 1 to [`limits::READ_CHUNK`]. A test cuts the input with it.
    pub read_chunk: usize,
    /// Who is told what is said, if anybody.
    pub tap: Option<Tap>,
}

impl Context {
    /// A context with the bounds of [`limits`].
    pub fn new(clock: Clock, tls: Tls, entry: Entry) -> Self {
        let (write_deadline, read_chunk) = (limits::WRITE_DEADLINE, limits::READ_CHUNK);
        Self { clock, tls, entry, write_deadline, read_chunk, tap: None }
    }
}

/// Serves one connection to its end; then calls [`Session::ended`] and [`Handler::ended`], once each.
///
/// After an orderly end of input in clear text ([`End::HalfClosed`]) what arrived before it is still worked off and
/// answered: the session ends when it next waits for bytes with no question open. One that does not outlive its input
/// ([`Session::outlives_input`]) ends at once.
///
/// The future owns everything but the context; whoever spawns it lets the task own that:
///
/// ```no_run
/// # use wire::{Context, Handler, Stream};
/// # fn spawn<S, H>(world: &world::World, session: S, handler: H, stream: Stream, context: Context)
/// # where S: protocol::Session + Send + 'static, H: Handler<S> + 'static {
/// world.workers.spawn(async move { wire::drive(session, handler, stream, &context).await });
/// # }
/// ```
///
/// Dropping the future closes the connection at once, with neither `ended` called: what the handler owes it owes in
/// its own drop, too. A decision that was open is dropped with it.
pub fn drive<'a, S, H>(
    session: S,
    handler: H,
    stream: Stream,
    context: &'a Context,
) -> impl Future<Output = ()> + Send + use<'a, S, H>
where
    S: Session + Send,
    H: Handler<S>,
{
    // Built here and not inside the async block, which would keep the arguments beside it for the connection's life.
    let mut connection = Connection {
        session,
        handler,
        context,
        stream: Some(stream),
        question: None,
        output: Output::default(),
        timer: Timer::new(),
        wants: Wants::Room,
        input_ended: false,
        told_to_stop: false,
    };
    async move {
        let end = match contained(connection.run()).await {
            Ok(end) => end,
            Err(_) => connection.failed(),
        };
        if catch_unwind(AssertUnwindSafe(|| connection.over(end))).is_err() {
            connection.failed();
        }
        if let (Some(stream), End::Closed | End::HalfClosed) = (connection.stream.take(), end) {
            close(stream, &context.clock).await;
        }
    }
}

/// Turns a panic in `task` into an error. What was half changed then is not used again but to be told of its end.
///
/// # Errors
/// What the task panicked with.
pub async fn contained<T>(task: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut task = pin!(task);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))) {
        Ok(progress) => progress.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

struct Connection<'a, S: Session, H> {
    session: S,
    handler: H,
    context: &'a Context,
    /// Absent during a handshake only, and after one that failed.
    stream: Option<Stream>,
    question: Option<Pin<Box<dyn Future<Output = S::Answer> + Send>>>,
    output: Output,
    timer: Timer,
    wants: Wants,
    /// The peer has closed its side; nothing more is read.
    input_ended: bool,
    told_to_stop: bool,
}

/// What the session waits for, after its last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// [`Step::Await`].
    Input { until: Instant, read: bool },
    /// The peer to read: too much waits already. The session has more to say.
    Room,
    /// Everything written, then the handshake.
    Handshake,
    /// Everything written, then compression.
    Deflate,
    /// Everything written, then the end.
    Close,
}

/// Why the loop stops.
enum Pause {
    Handshake,
    Over(End),
}

impl<S: Session + Send, H: Handler<S>> Connection<'_, S, H> {
    async fn run(&mut self) -> End {
        if let Some(tap) = &self.context.tap {
            self.session.overhear();
            tap.tell(Event::Connected);
        }
        if self.context.tls.is_implicit()
            && let Err(end) = self.secure().await
        {
            return end;
        }
        if let Some(held) = self.handler.holds_back()
            && let Err(end) = self.hold_back(held).await
        {
            return end;
        }
        self.advance();
        loop {
            match poll_fn(|cx| self.poll(cx)).await {
                Pause::Over(end) => return end,
                Pause::Handshake => match self.secure().await {
                    Ok(()) => self.advance(),
                    Err(end) => return end,
                },
            }
        }
    }

    /// The handshake. An order ends it: there is no way to say anything to the peer meanwhile.
    async fn secure(&mut self) -> Result<(), End> {
        let stream = self.stream.take().expect("no handshake has begun or failed");
        let mut handshake = self.context.tls.handshake(stream).ok_or(End::Cut)?;
        let until = self.context.clock.now() + limits::HANDSHAKE_DEADLINE;
        let secured = poll_fn(|cx| self.poll_handshake(cx, &mut handshake, until)).await;
        let (stream, facts) = secured.inspect_err(|_| self.tell(Event::HandshakeFailed))?;
        self.stream = Some(stream);
        self.context.entry.secured(self.context.clock.now(), &facts);
        self.tell(Event::Secured(&facts));
        self.handler.secured(&mut self.session, &facts);
        self.session.secured(self.context.clock.now(), facts);
        Ok(())
    }

    /// Waits before the session's first words. An order ends the wait; the session then hears it as ever.
    async fn hold_back(&mut self, HoldBack { time, refusal }: HoldBack) -> Result<(), End> {
        let until = self.context.clock.now() + time;
        let (context, stream, timer) = (self.context, &mut self.stream, &mut self.timer);
        let stream = stream.as_mut().expect("no handshake has begun or failed");
        let talked = poll_fn(|cx| {
            context.entry.live().watch(cx);
            if context.entry.live().ordered() != Order::GoOn {
                return Poll::Ready(None);
            }
            match poll_read_with(cx, stream, context.read_chunk, |_| {}) {
                Poll::Ready(read) => Poll::Ready(Some(read)),
                Poll::Pending => timer.poll_until(cx, until).map(|()| None),
            }
        })
        .await;
        match talked {
            None => Ok(()),
            Some(Ok(0)) if !stream.is_tls() => Err(End::HalfClosed),
            Some(Ok(0) | Err(_)) => Err(End::Cut),
            Some(Ok(_)) => {
                self.output.push(refusal);
                let _ = poll_fn(|cx| {
                    let written = self.poll_write(cx).map(|_| ());
                    if written.is_ready() { written } else { self.poll_write_due(cx) }
                })
                .await;
                Err(End::Closed)
            }
        }
    }

    fn poll_write_due(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        self.output.due().map_or(Poll::Pending, |due| self.timer.poll_until(cx, due))
    }

    fn poll_handshake(
        &mut self,
        cx: &mut task::Context<'_>,
        handshake: &mut Handshake,
        until: Instant,
    ) -> Poll<Result<(Stream, TlsFacts), End>> {
        let live = self.context.entry.live();
        live.watch(cx);
        if live.ordered() != Order::GoOn {
            return Poll::Ready(Err(End::Terminated));
        }
        if let Poll::Ready(secured) = handshake.as_mut().poll(cx) {
            return Poll::Ready(secured.map_err(|_| End::Cut));
        }
        self.timer.poll_until(cx, until).map(|()| Err(End::Cut))
    }

    /// Works while there is something to do, but not for ever: other connections have their turn.
    fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<Pause> {
        self.context.entry.live().watch(cx);
        for _ in 0..limits::TURNS_MAX {
            match self.poll_turn(cx) {
                Poll::Ready(Continue(())) => {}
                Poll::Ready(Break(pause)) => return Poll::Ready(pause),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// At most one input to the session. The order is fixed: what is being decided, then what is to be written, then
    /// orders, then bytes, then news, then time.
    fn poll_turn(&mut self, cx: &mut task::Context<'_>) -> Poll<ControlFlow<Pause>> {
        if self.answered(cx) {
            return self.again();
        }
        let written = self.poll_write(cx);
        let written_all = matches!(written, Poll::Ready(Ok(())));
        if self.wants == Wants::Room
            && self.session.hears_while_sending()
            && let Poll::Ready(turn) = self.poll_read(cx)
        {
            return Poll::Ready(turn);
        }
        match (written, self.wants) {
            (Poll::Ready(Err(_)), _) => return over(End::Cut),
            (Poll::Ready(Ok(())), Wants::Close) => return over(End::Closed),
            (Poll::Ready(Ok(())), Wants::Handshake) => return Poll::Ready(Break(Pause::Handshake)),
            (Poll::Ready(Ok(())), Wants::Deflate) => return self.deflate(),
            (_, Wants::Room) if !self.output.is_full() => return self.again(),
            _ => {}
        }
        if let Some(turn) = self.obey() {
            return turn;
        }
        if let Wants::Input { read, .. } = self.wants {
            if read && let Poll::Ready(turn) = self.poll_read(cx) {
                return Poll::Ready(turn);
            }
            if read && self.input_ended && self.has_done_its_duty(written_all) {
                return over(End::HalfClosed);
            }
            if let Poll::Ready(news) = self.handler.poll_news(cx) {
                self.session.tell(self.context.clock.now(), news);
                return self.again();
            }
        }
        self.poll_deadline(cx)
    }

    /// Compression begins. One that was not reserved is a defect of the handler, and has no place.
    fn deflate(&mut self) -> Poll<ControlFlow<Pause>> {
        if !self.context.entry.live().reserve_compression() {
            return over(End::Cut);
        }
        self.stream = self.stream.take().map(Stream::deflated);
        self.again()
    }

    /// Gives the session the answer that has come, if one has.
    ///
    /// Before the write, so that a decision that needs no waiting sends its reply together with those before it.
    fn answered(&mut self, cx: &mut task::Context<'_>) -> bool {
        let (Some(question), Wants::Input { .. }) = (&mut self.question, self.wants) else { return false };
        let Poll::Ready(answer) = question.as_mut().poll(cx) else { return false };
        self.question = None;
        self.context.entry.live().busy(false);
        self.session.answer(self.context.clock.now(), answer);
        true
    }

    fn poll_write(&mut self, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.stream.as_mut().expect("no handshake has begun or failed");
        let before = self.output.written;
        let progress = self.output.poll_write(cx, stream, &self.context.clock, self.context.write_deadline);
        if self.output.written != before {
            self.context.entry.sent(self.context.clock.now(), self.output.written);
        }
        progress
    }

    /// An order to stop waits until the session can hear it; one to terminate waits for nothing.
    fn obey(&mut self) -> Option<Poll<ControlFlow<Pause>>> {
        match (self.context.entry.live().ordered(), self.wants) {
            (Order::Terminate, _) => Some(over(End::Terminated)),
            (Order::Stop, Wants::Input { .. }) if !self.told_to_stop => {
                self.told_to_stop = true;
                self.session.stopping(self.context.clock.now());
                Some(self.again())
            }
            _ => None,
        }
    }

    fn poll_read(&mut self, cx: &mut task::Context<'_>) -> Poll<ControlFlow<Pause>> {
        if self.input_ended {
            return Poll::Pending;
        }
        let stream = self.stream.as_mut().expect("no handshake has begun or failed");
        let (session, context) = (&mut self.session, self.context);
        let read = ready!(poll_read_with(cx, stream, context.read_chunk, |bytes| {
            let now = context.clock.now();
            context.entry.received(now, bytes.len());
            session.receive(now, bytes);
        }));
        match read {
            Ok(0) if stream.is_tls() => Poll::Ready(Break(Pause::Over(End::Cut))),
            Ok(0) => {
                self.input_ended = true;
                if self.has_done_its_duty(false) { over(End::HalfClosed) } else { Poll::Pending }
            }
            Ok(_) => self.again(),
            Err(_) => Poll::Ready(Break(Pause::Over(End::Cut))),
        }
    }

    /// Whether nothing is left to be done for a peer that has closed its side.
    fn has_done_its_duty(&self, written_all: bool) -> bool {
        !self.session.outlives_input() || written_all && self.question.is_none()
    }

    fn poll_deadline(&mut self, cx: &mut task::Context<'_>) -> Poll<ControlFlow<Pause>> {
        let until = match self.wants {
            Wants::Input { until, .. } => Some(until),
            Wants::Room | Wants::Handshake | Wants::Deflate | Wants::Close => None,
        };
        let write_due = self.output.due();
        let Some(first) = until.into_iter().chain(write_due).min() else { return Poll::Pending };
        ready!(self.timer.poll_until(cx, first));
        let now = self.context.clock.now();
        if write_due.is_some_and(|due| due <= now) {
            return over(End::WriteDeadline);
        }
        if until.is_some_and(|until| until <= now) {
            self.session.woken(now);
            return self.again();
        }
        Poll::Ready(Continue(()))
    }

    fn again(&mut self) -> Poll<ControlFlow<Pause>> {
        self.advance();
        Poll::Ready(Continue(()))
    }

    /// Takes the session's steps until it waits, or until the peer must read first.
    fn advance(&mut self) {
        self.wants = loop {
            if self.output.is_full() {
                break Wants::Room;
            }
            let step = self.session.next();
            self.overhear();
            match step {
                Step::Send(bytes) => self.output.push(bytes),
                Step::Ask(question) => self.ask(question),
                Step::Upgrade(Upgrade::Tls) => break Wants::Handshake,
                Step::Upgrade(Upgrade::Deflate) => break Wants::Deflate,
                Step::Await { until, read } => break Wants::Input { until, read },
                Step::Close => {
                    self.question = None;
                    break Wants::Close;
                }
            }
        };
    }

    /// Tells the tap what was said since the last time.
    fn overhear(&mut self) {
        if let Some(tap) = &self.context.tap {
            self.session.overheard().iter().for_each(|line| tap.tell(Event::Said(line)));
        }
    }

    fn tell(&self, event: Event<'_>) {
        if let Some(tap) = &self.context.tap {
            tap.tell(event);
        }
    }

    fn ask(&mut self, question: S::Question) {
        debug_assert!(self.question.is_none(), "at most one question is open");
        match self.handler.decide(question) {
            Decision::Now(answer) => self.session.answer(self.context.clock.now(), answer),
            Decision::Later(question) => {
                self.question = Some(question);
                self.context.entry.live().busy(true);
            }
        }
    }

    fn over(&mut self, end: End) {
        self.question = None;
        let outcome = self.session.ended(self.context.clock.now(), end);
        self.overhear();
        self.tell(Event::Ended(end));
        self.handler.ended(outcome, end);
    }

    fn failed(&mut self) -> End {
        self.context.entry.registry().panicked();
        End::Terminated
    }
}

type Handshake = Pin<Box<dyn Future<Output = io::Result<(Stream, TlsFacts)>> + Send>>;

fn over(end: End) -> Poll<ControlFlow<Pause>> {
    Poll::Ready(Break(Pause::Over(end)))
}

thread_local! {
    /// What is read passes through here. Taken and put back within one poll, so that a connection that waits has none.
    static READ: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads once, and shows `take` what came, unless it is the end.
fn poll_read_with(
    cx: &mut task::Context<'_>,
    stream: &mut Stream,
    at_most: usize,
    take: impl FnOnce(&[u8]),
) -> Poll<io::Result<usize>> {
    let mut buffer = READ.take();
    buffer.resize(limits::READ_CHUNK, 0);
    let mut filled = ReadBuf::new(&mut buffer[..at_most.clamp(1, limits::READ_CHUNK)]);
    let read = Pin::new(stream).poll_read(cx, &mut filled);
    let count = filled.filled().len();
    if count > 0 {
        take(&buffer[..count]);
    }
    READ.set(buffer);
    read.map_ok(|()| count)
}

/// Closes our side, and takes from a peer that is still sending what it sends, for a while: closing with unread input
/// resets the connection, and a reset takes our last reply from the peer (RFC 1122 §4.2.2.13). Nothing is made of it.
async fn close(mut stream: Stream, clock: &Clock) {
    let (until, mut timer) = (clock.now() + limits::LINGER, Timer::new());
    let (mut shut, mut taken) = (false, 0);
    poll_fn(|cx| {
        shut = shut || Pin::new(&mut stream).poll_shutdown(cx).is_ready();
        while taken < limits::LINGER_OCTETS {
            match poll_read_with(cx, &mut stream, limits::READ_CHUNK, |_| {}) {
                Poll::Ready(Ok(count @ 1..)) => taken += count,
                // Nothing was unread: close without waiting for the peer.
                Poll::Pending if shut && taken == 0 => return Poll::Ready(()),
                Poll::Pending => return timer.poll_until(cx, until),
                Poll::Ready(_) => break,
            }
        }
        if shut { Poll::Ready(()) } else { timer.poll_until(cx, until) }
    })
    .await;
}
