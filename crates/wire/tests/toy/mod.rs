//! A small line protocol that has every step of the contract, its handler, and a client in memory.
//!
//! | line | does |
//! |---|---|
//! | `ECHO text` | sends the text |
//! | `NOW text` | asks; answered at once |
//! | `LATER n text` | asks; answered after n seconds |
//! | `BIG n` | sends n octets |
//! | `ASKBIG n k` | asks n times in a row, answered later but ready; each answer is k octets |
//! | `HOLD n` | takes no input for n seconds |
//! | `STARTTLS` | refuses if there is input beyond it |
//! | `DEFLATE` | compresses from then on |
//! | `PANIC` | the handler panics |
//! | `QUIT` | says bye |
//!
//! A line moves the deadline, a byte does not.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

pub mod authority;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mail::Timestamp;
use protocol::{End, Overheard, Session, Speaker, Step, TlsFacts, Upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use wire::registry::{Arrival, Limits, Live};
use wire::{Context, Decision, Handler, HoldBack, Registry, Stream, Tap, Tls};
use world::Clock;

pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Toy {
    input: Vec<u8>,
    steps: VecDeque<Step<Question>>,
    asked: bool,
    more: usize,
    size: usize,
    until: Instant,
    held_until: Option<Instant>,
    stopping: bool,
    log: Vec<String>,
    /// What is said, once it is asked for.
    overheard: Option<Vec<Overheard>>,
}

pub enum Question {
    Now(String),
    Later(u64, String),
    Ready(usize),
    Panic,
}

impl Toy {
    pub fn new(now: Instant) -> Self {
        let mut toy = Self {
            input: Vec::new(),
            steps: VecDeque::new(),
            asked: false,
            more: 0,
            size: 0,
            until: now + PATIENCE,
            held_until: None,
            stopping: false,
            log: Vec::new(),
            overheard: None,
        };
        toy.send("hi");
        toy
    }

    fn note(&mut self, by: Speaker, text: &str) {
        if let Some(overheard) = &mut self.overheard {
            overheard.push(Overheard { by, text: text.to_owned() });
        }
    }

    fn send(&mut self, text: &str) {
        self.note(Speaker::We, text);
        self.steps.push_back(Step::Send(Bytes::from(format!("{text}\r\n"))));
    }

    fn ask(&mut self, question: Question) {
        self.asked = true;
        self.steps.push_back(Step::Ask(question));
    }

    fn line(&mut self, now: Instant, line: &str) {
        self.log.push(line.to_owned());
        self.note(Speaker::Peer, line);
        self.until = now + PATIENCE;
        let mut words = line.splitn(3, ' ');
        let command = words.next().unwrap_or_default();
        let number = |word: Option<&str>| word.and_then(|word| word.parse::<usize>().ok()).unwrap_or(0);
        match command {
            "ECHO" => self.send(&line[5..]),
            "NOW" => self.ask(Question::Now(line[4..].to_owned())),
            "LATER" => {
                let seconds = number(words.next()) as u64;
                self.ask(Question::Later(seconds, words.next().unwrap_or_default().to_owned()));
            }
            "BIG" => self.steps.push_back(Step::Send(Bytes::from(vec![b'b'; number(words.next())]))),
            "ASKBIG" => {
                self.more = number(words.next()) - 1;
                self.size = number(words.next());
                self.ask(Question::Ready(self.size));
            }
            "HOLD" => self.held_until = Some(now + Duration::from_secs(number(words.next()) as u64)),
            "STARTTLS" if self.input.is_empty() => {
                self.send("go");
                self.steps.push_back(Step::Upgrade(Upgrade::Tls));
            }
            "STARTTLS" => {
                self.send("refused");
                self.steps.push_back(Step::Close);
            }
            "DEFLATE" => {
                self.send("go");
                self.steps.push_back(Step::Upgrade(Upgrade::Deflate));
            }
            "PANIC" => self.ask(Question::Panic),
            "QUIT" => {
                self.send("bye");
                self.steps.push_back(Step::Close);
            }
            _ => self.send("what?"),
        }
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.input.windows(2).position(|pair| pair == b"\r\n")?;
        let line = String::from_utf8_lossy(&self.input[..end]).into_owned();
        self.input.drain(..end + 2);
        Some(line)
    }

    fn work(&mut self, now: Instant) {
        while !self.asked && self.held_until.is_none() && !matches!(self.steps.back(), Some(Step::Close)) {
            if self.stopping {
                self.send("stopping");
                self.steps.push_back(Step::Close);
                return;
            }
            let Some(line) = self.take_line() else { return };
            self.line(now, &line);
        }
    }
}

impl Session for Toy {
    type Question = Question;
    type Answer = String;
    type News = String;
    type Outcome = Vec<String>;

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.work(now);
    }

    fn answer(&mut self, now: Instant, answer: String) {
        self.asked = false;
        self.send(&answer);
        if self.more > 0 {
            self.more -= 1;
            self.ask(Question::Ready(self.size));
        }
        self.work(now);
    }

    fn tell(&mut self, _now: Instant, news: String) {
        self.send(&format!("* {news}"));
    }

    fn woken(&mut self, now: Instant) {
        if self.held_until.is_some_and(|until| until <= now) {
            self.held_until = None;
            self.work(now);
        }
        if self.until <= now {
            self.send("timeout");
            self.steps.push_back(Step::Close);
        }
    }

    fn secured(&mut self, _now: Instant, facts: TlsFacts) {
        self.log.push(format!("secured {facts:?}"));
    }

    fn stopping(&mut self, now: Instant) {
        self.stopping = true;
        self.work(now);
    }

    fn ended(&mut self, _now: Instant, end: End) -> Vec<String> {
        self.log.push(format!("ended {end:?}"));
        std::mem::take(&mut self.log)
    }

    fn overhear(&mut self) {
        self.overheard = Some(Vec::new());
    }

    fn overheard(&mut self) -> Vec<Overheard> {
        self.overheard.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn next(&mut self) -> Step<Question> {
        let until = self.held_until.unwrap_or(self.until).min(self.until);
        self.steps.pop_front().unwrap_or(Step::Await { until, read: self.held_until.is_none() })
    }
}

/// What the handler was told at the end.
pub type Endings = Arc<Mutex<Vec<(Vec<String>, End)>>>;

pub struct ToyHandler {
    pub clock: Clock,
    pub news: mpsc::UnboundedReceiver<String>,
    pub endings: Endings,
    /// Counts later decisions that are alive.
    pub open: Arc<()>,
    pub held: Option<HoldBack>,
}

impl Handler<Toy> for ToyHandler {
    fn decide(&mut self, question: Question) -> Decision<String> {
        match question {
            Question::Now(text) => Decision::Now(text),
            Question::Later(seconds, text) => {
                let (clock, open) = (self.clock.clone(), self.open.clone());
                Decision::Later(Box::pin(async move {
                    let _open = open;
                    clock.sleep(Duration::from_secs(seconds)).await;
                    text
                }))
            }
            Question::Ready(size) => Decision::Later(Box::pin(async move { "r".repeat(size) })),
            Question::Panic => panic!("planted"),
        }
    }

    fn poll_news(&mut self, cx: &mut std::task::Context<'_>) -> Poll<String> {
        match self.news.poll_recv(cx) {
            Poll::Ready(Some(news)) => Poll::Ready(news),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn secured(&mut self, session: &mut Toy, facts: &TlsFacts) {
        session.log.push(format!("for {}", facts.server_name.as_deref().unwrap_or("nobody")));
    }

    fn holds_back(&self) -> Option<HoldBack> {
        self.held.clone()
    }

    fn ended(&mut self, outcome: Vec<String>, end: End) {
        self.endings.lock().unwrap().push((outcome, end));
    }
}

/// A connection in memory under a paused clock, seen from its client.
pub struct Pair {
    pub clock: Clock,
    pub registry: Arc<Registry>,
    pub live: Arc<Live>,
    pub client: Option<DuplexStream>,
    pub news: mpsc::UnboundedSender<String>,
    pub endings: Endings,
    pub open: Arc<()>,
    pub task: tokio::task::JoinHandle<()>,
}

pub struct Setup {
    pub tls: Tls,
    pub buffer: usize,
    pub read_chunk: usize,
    pub tap: Option<Tap>,
    pub held: Option<HoldBack>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { tls: Tls::Off, buffer: 1024, read_chunk: wire::limits::READ_CHUNK, tap: None, held: None }
    }
}

pub const LIMITS: Limits = Limits { total_max: 1000, per_source_max: Some(50), ..Limits::NONE };

pub fn arrival(peer: &str) -> Arrival {
    let peer = peer.parse().unwrap();
    Arrival { peer, virtual_server: "default".into(), protocol: "toy", limits: LIMITS }
}

impl Pair {
    pub fn new(setup: Setup) -> Self {
        let clock = Clock::simulated(Timestamp(0));
        let registry = Registry::new(clock.clone());
        let entry = registry.admit(arrival("192.0.2.1:1000")).unwrap();
        let live = entry.live().clone();
        let (client, server) = world::net::pair(setup.buffer);
        let (news, receiver) = mpsc::unbounded_channel();
        let (endings, open) = (Endings::default(), Arc::new(()));
        let handler = ToyHandler {
            clock: clock.clone(),
            news: receiver,
            endings: endings.clone(),
            open: open.clone(),
            held: setup.held,
        };
        let mut context = Context::new(clock.clone(), setup.tls, entry);
        context.read_chunk = setup.read_chunk;
        context.tap = setup.tap;
        let toy = Toy::new(clock.now());
        let task = world::Workers::Inline
            .spawn(async move { wire::drive(toy, handler, Stream::Memory(server), &context).await });
        Self { clock, registry, live, client: Some(client), news, endings, open, task }
    }

    pub fn client(&mut self) -> &mut DuplexStream {
        self.client.as_mut().unwrap()
    }

    pub async fn send(&mut self, text: &str) {
        self.client().write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads one line, without its CRLF.
    pub async fn line(&mut self) -> String {
        line_of(self.client()).await
    }

    pub async fn expect(&mut self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.line().await, *line);
        }
    }

    /// Lets the server come to rest, a moment of virtual time later.
    pub async fn rest(&self) {
        self.clock.sleep(Duration::from_millis(1)).await;
    }

    /// Whether the server has sent anything; takes it if so.
    pub async fn silent(&mut self) -> bool {
        self.rest().await;
        let clock = self.clock.clone();
        tokio::select! {
            biased;
            _ = self.client().read_u8() => false,
            () = clock.sleep(Duration::from_millis(1)) => true,
        }
    }

    /// Waits for the end, which must be told once, to the session first, and leave the registry empty.
    pub async fn ended(mut self) -> (End, Vec<String>) {
        (&mut self.task).await.unwrap();
        assert_eq!(self.registry.counts().live, 0);
        assert_eq!(Arc::strong_count(&self.open), 1, "no question is open");
        let mut endings = self.endings.lock().unwrap();
        assert_eq!(endings.len(), 1, "told once: {endings:?}");
        let (mut log, end) = endings.remove(0);
        assert_eq!(log.pop(), Some(format!("ended {end:?}")), "told last");
        (end, log)
    }
}

pub async fn line_of(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.expect("a whole line"));
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).unwrap()
}
