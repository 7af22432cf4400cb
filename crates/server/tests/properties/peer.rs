//! A next hop that remembers what it was given.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

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
