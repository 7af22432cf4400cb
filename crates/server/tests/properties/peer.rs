//! A next hop that remembers what it was given.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What it does that others do not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// So many first RCPTs are deferred.
    pub(crate) defer: usize,
    /// RCPT is refused for good.
    pub(crate) refuse: bool,
    /// AUTH is offered, and everybody believed.
    pub(crate) auth: bool,
    /// It says nothing after EHLO.
    pub(crate) silent: bool,
    /// What it was given it takes when the test lets go.
    pub(crate) gate: Option<Gate>,
}

/// Where peers keep what they were given without an answer until the test lets go; several peers may share one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<Kept>, Condvar)>);

#[derive(Debug, Default)]
struct Kept {
    /// Connections that were opened, or took up a further message, and have no answer to its end yet.
    busy: usize,
    most: usize,
    /// Those of them that have sent all and wait for that answer.
    waiting: usize,
    /// So many may still pass.
    passes: usize,
    passed: usize,
}

impl Gate {
    /// So many of those that wait, or of those that will, get their answer.
    pub(crate) fn let_go(&self, count: usize) {
        self.0.0.lock().unwrap().passes += count;
        self.0.1.notify_all();
    }

    /// How many connections wait for the answer to a message.
    pub(crate) fn waiting(&self) -> usize {
        self.0.0.lock().unwrap().waiting
    }

    /// How many messages got theirs.
    pub(crate) fn passed(&self) -> usize {
        self.0.0.lock().unwrap().passed
    }

    /// How many connections were busy at once, at the most.
    pub(crate) fn most(&self) -> usize {
        self.0.0.lock().unwrap().most
    }

    fn enter(&self) -> Stay {
        let mut kept = self.0.0.lock().unwrap();
        kept.busy += 1;
        kept.most = kept.most.max(kept.busy);
        Stay(self.clone())
    }
}

/// A busy connection, until dropped.
struct Stay(Gate);

impl Stay {
    fn pass(self) {
        let (kept, let_go) = &*self.0.0;
        let mut kept = kept.lock().unwrap();
        kept.waiting += 1;
        let mut kept = let_go.wait_while(kept, |kept| kept.passes == 0).unwrap();
        kept.passes -= 1;
        kept.passed += 1;
        kept.waiting -= 1;
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.0.0.lock().unwrap().busy -= 1;
    }
}

/// A message that it was given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken {
    pub(crate) source: Source,
    /// Which connection, counted from 1.
    pub(crate) connection: usize,
    /// The whole line.
    pub(crate) hello: String,
    pub(crate) signed_in: bool,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) content: String,
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source(SocketAddr);

impl Default for Source {
    fn default() -> Self {
        Self(SocketAddr::from(([0, 0, 0, 0], 0)))
    }
}

impl Source {
    pub(crate) fn ip(self) -> std::net::IpAddr {
        self.0.ip()
    }
}

#[derive(Debug, Default)]
struct State {
    taken: Vec<Taken>,
    connections: usize,
    deferred: usize,
}

/// A next hop. Its threads end with the test's process; its port closes with it.
pub(crate) struct Peer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    closes: Arc<Mutex<bool>>,
}

impl Peer {
    pub(crate) fn start(script: Script) -> Self {
        Self::start_at("127.0.0.1:0", script)
    }

    pub(crate) fn start_at(address: &str, script: Script) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().unwrap();
        let (state, closes) = (Arc::<Mutex<State>>::default(), Arc::<Mutex<bool>>::default());
        let (known, over) = (state.clone(), closes.clone());
        std::thread::Builder::new()
            .spawn(move || {
                for stream in listener.incoming().flatten() {
                    if *over.lock().unwrap() {
                        return;
                    }
                    let (script, state) = (script.clone(), known.clone());
                    let _ = std::thread::Builder::new().spawn(move || drop(speak(stream, &script, &state)));
                }
            })
            .unwrap();
        Self { address, state, closes }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// In the order in which they came.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.state.lock().unwrap().taken.clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        *self.closes.lock().unwrap() = true;
        // Wakes the thread that accepts; then nobody listens any more.
        drop(TcpStream::connect(self.address));
        while TcpStream::connect(self.address).is_ok() {
            std::thread::yield_now();
        }
    }
}

fn speak(stream: TcpStream, script: &Script, state: &Mutex<State>) -> std::io::Result<()> {
    let mut open = Taken { source: Source(stream.peer_addr()?), ..Taken::default() };
    open.connection = {
        let mut state = state.lock().unwrap();
        state.connections += 1;
        state.connections
    };
    let mut stay = script.gate.as_ref().map(Gate::enter);
    let (mut lines, mut stream) = (BufReader::new(stream.try_clone()?), stream);
    let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes());
    say("220 peer.example")?;
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let command = line.trim_end().to_owned();
        let upper = command.to_ascii_uppercase();
        match upper.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" | "HELO" => {
                open.hello = command;
                say(match (upper.starts_with("EHLO"), script.auth) {
                    (true, true) => "250-peer.example\r\n250 AUTH PLAIN",
                    (true, false) => "250-peer.example\r\n250 8BITMIME",
                    (false, _) => "250 peer.example",
                })?;
            }
            _ if script.silent => {}
            "AUTH" => {
                open.signed_in = true;
                say("235 welcome")?;
            }
            "MAIL" => {
                stay = stay.or_else(|| script.gate.as_ref().map(Gate::enter));
                (open.from, open.to) = (path(&command), Vec::new());
                say("250 ok")?;
            }
            "RCPT" if script.refuse => say("550 5.1.1 nobody of that name")?,
            "RCPT" => {
                let deferred = {
                    let mut state = state.lock().unwrap();
                    state.deferred += 1;
                    state.deferred <= script.defer
                };
                if deferred {
                    stay = None;
                    say("451 4.2.0 not now")?;
                } else {
                    open.to.push(path(&command));
                    say("250 ok")?;
                }
            }
            "DATA" if open.to.is_empty() => say("554 nobody")?,
            "DATA" => {
                say("354 go on")?;
                open.content = content(&mut lines)?;
                if let Some(stay) = stay.take() {
                    stay.pass();
                }
                state.lock().unwrap().taken.push(open.clone());
                say("250 taken")?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
}

fn path(command: &str) -> String {
    let after = command.split_once('<').map_or("", |(_, after)| after);
    after.split_once('>').map_or("", |(path, _)| path).to_owned()
}

fn content(lines: &mut impl BufRead) -> std::io::Result<String> {
    let mut content = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 || line == ".\r\n" {
            return Ok(content);
        }
        content.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
