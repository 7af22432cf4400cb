//! The next hop: an SMTP server in the test's own process, which outlives every kill and keeps the book.
//!
//! It does all that a next hop may do. It takes its time before the content, and before the reply to the final dot. Half of
//! what comes it takes at the final dot, whether the client hears its 250 or not; the other half only if the client is
//! still there to hear it. Either way the client is rid of a message with the 250 and not before (RFC 1047).

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::added::fields_before;
use super::chance::Chance;
use super::letters::{self, Fate};
use super::message::numbers_in;

/// A message that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) recipients: Vec<String>,
    /// Which process brought it, counted from 0.
    pub(crate) life: u32,
    /// When its 250 was written; none if there was nobody left to hear it.
    pub(crate) answered: Option<Instant>,
}

/// What the sink has seen.
#[derive(Debug, Default, Clone)]
pub(crate) struct Book {
    pub(crate) taken: Vec<Taken>,
    /// Transactions that the client did not end.
    pub(crate) cut: usize,
    /// Messages that had come whole and were let fall, because nobody was left to hear the 250.
    pub(crate) let_fall: usize,
    /// Recipients that were refused for now, once.
    deferred: BTreeSet<String>,
    /// What must not be.
    pub(crate) faults: Vec<String>,
}

/// The server. It ends with the process.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    book: Mutex<Book>,
    life: AtomicU32,
    open: AtomicUsize,
}

/// So long that at every kill some messages are between their final dot and its reply.
const PAUSE_MS_MAX: u64 = 150;
/// A killed client's connections end at once; a pause of ours ends soon.
const QUIET_TIME_MAX: Duration = Duration::from_secs(20);

impl Sink {
    /// Listens on a port of its own.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::<Shared>::default();
        let sink = Self { port, shared: shared.clone() };
        std::thread::spawn(move || {
            for (number, socket) in (0..).zip(listener.incoming().map_while(Result::ok)) {
                shared.open.fetch_add(1, Ordering::SeqCst);
                let (shared, life) = (shared.clone(), shared.life.load(Ordering::SeqCst));
                std::thread::spawn(move || Session::new(shared, socket, life, Chance::new(number)).run());
            }
        });
        sink
    }

    /// The process has been killed: all that it brought is read and counted as its own, and what comes from now on as the next
    /// one's. The life that begins.
    pub(crate) fn next_life(&self) -> u32 {
        // Connections are accepted in their order: when ours is greeted, none of the dead process's waits to be.
        let mut greeting = String::new();
        let own = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("the sink listens");
        BufReader::new(own).read_line(&mut greeting).expect("the sink greets");
        let begun = Instant::now();
        while self.shared.open.load(Ordering::SeqCst) > 0 {
            assert!(begun.elapsed() < QUIET_TIME_MAX, "a connection of a dead process stays");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.shared.life.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// What it has seen so far.
    pub(crate) fn book(&self) -> Book {
        self.shared.book().clone()
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no holder panics")
    }
}

/// A connection.
struct Session {
    shared: Arc<Shared>,
    socket: BufReader<TcpStream>,
    life: u32,
    chance: Chance,
    /// The transaction, from MAIL on: the reverse-path and the recipients that were taken.
    transaction: Option<(String, Vec<String>)>,
}

impl Session {
    fn new(shared: Arc<Shared>, socket: TcpStream, life: u32, chance: Chance) -> Self {
        let socket = BufReader::with_capacity(64 * 1024, socket);
        Self { shared, socket, life, chance, transaction: None }
    }

    fn run(mut self) {
        // However it ends: what was open then was cut.
        let _ = self.converse();
        if self.transaction.is_some() {
            self.shared.book().cut += 1;
        }
        let Self { shared, socket, .. } = self;
        drop(socket);
        shared.open.fetch_sub(1, Ordering::SeqCst);
    }

    fn converse(&mut self) -> io::Result<()> {
        self.say("220 sink.test ESMTP")?;
        loop {
            let line = String::from_utf8_lossy(&self.line()?).trim_end().to_owned();
            match line.split(' ').next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "EHLO" => {
                    self.say("250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")?
                }
                "MAIL" => {
                    self.transaction = Some((path(&line), Vec::new()));
                    self.say("250 2.1.0 go on")?;
                }
                "RCPT" => self.recipient(path(&line))?,
                "DATA" => self.content()?,
                "RSET" => {
                    self.transaction = None;
                    self.say("250 2.0.0 forgotten")?;
                }
                "QUIT" => {
                    self.transaction = None;
                    return self.say("221 2.0.0 bye");
                }
                _ => {
                    self.shared.book().faults.push(format!("the sink was told {line:?}"));
                    self.say("500 5.5.2 what")?;
                }
            }
        }
    }

    fn recipient(&mut self, recipient: String) -> io::Result<()> {
        let fate = letters::read(&recipient).map(|(fate, _)| fate);
        match fate {
            None => {
                self.shared.book().faults.push(format!("the sink was to take mail for {recipient}"));
                self.say("550 5.1.1 who")
            }
            Some(Fate::Never) => self.say("550 5.1.1 nobody"),
            Some(Fate::Later) if self.shared.book().deferred.insert(recipient.clone()) => {
                self.say("450 4.2.1 busy")
            }
            Some(_) => {
                self.transaction.get_or_insert_default().1.push(recipient);
                self.say("250 2.1.5 go on")
            }
        }
    }

    fn content(&mut self) -> io::Result<()> {
        let (sender, recipients) = self.transaction.clone().unwrap_or_default();
        if recipients.is_empty() {
            return self.say("554 5.5.1 nobody is left");
        }
        self.say("354 go on")?;
        if self.chance.between(0, 4) == 0 {
            self.pause();
        }
        let content = self.read_content()?;
        if let Err(fault) = compare(&sender, &recipients, &content) {
            self.shared.book().faults.push(fault);
        }
        let at_the_dot = self.chance.between(0, 2) == 0;
        let taken = Taken { recipients, life: self.life, answered: None };
        let mut place = at_the_dot.then(|| self.take(taken.clone()));
        self.pause();
        if place.is_none() && self.is_alone() {
            self.shared.book().let_fall += 1;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let place = *place.get_or_insert_with(|| self.take(taken));
        self.say("250 2.0.0 taken")?;
        self.shared.book().taken[place].answered = Some(Instant::now());
        self.transaction = None;
        Ok(())
    }

    /// Writes it into the book: where.
    fn take(&self, taken: Taken) -> usize {
        let mut book = self.shared.book();
        book.taken.push(taken);
        book.taken.len() - 1
    }

    fn pause(&mut self) {
        std::thread::sleep(Duration::from_millis(self.chance.between(0, PAUSE_MS_MAX)));
    }

    /// Whether the client has gone.
    fn is_alone(&self) -> bool {
        let socket = self.socket.get_ref();
        let peeked = socket.set_nonblocking(true).and_then(|()| socket.peek(&mut [0]));
        let _ = socket.set_nonblocking(false);
        match peeked {
            Ok(octets) => octets == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Content up to the final dot, dots at the beginning of lines undoubled (RFC 5321 §4.5.2).
    fn read_content(&mut self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let line = self.line()?;
            if line == b".\r\n" {
                return Ok(content);
            }
            content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.socket.read_until(b'\n', &mut line)?;
        if line.ends_with(b"\r\n") { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        self.socket.get_mut().write_all(format!("{text}\r\n").as_bytes())
    }
}

/// What stands between the angle brackets.
fn path(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(path, _)| path.to_owned()).unwrap_or_default()
}

/// Whether this is what was sent, by whom and to whom it was sent, behind our Received field.
fn compare(sender: &str, recipients: &[String], content: &[u8]) -> Result<(), String> {
    let number = numbers_in(content).next().ok_or("the sink got content without a mark")?;
    let message = letters::message(number);
    let mark = message.mark();
    let names =
        fields_before(&message.content(), content).map_err(|fault| format!("{mark} at the sink {fault}"))?;
    if names != ["Received"] {
        return Err(format!("{mark} has other fields before it at the sink: {names:?}"));
    }
    if sender != letters::sender(number) {
        return Err(format!("{mark} came to the sink from <{sender}>"));
    }
    let wrong = recipients.iter().find(|one| letters::read(one).is_none_or(|(_, its)| its != number));
    wrong.map_or(Ok(()), |wrong| Err(format!("{mark} came to the sink for <{wrong}>")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_what_was_sent_is_a_fault() {
        let content = |number| letters::message(number).content();
        let (sender, recipients) = (letters::sender(3), letters::recipients(3));
        let whole = [b"Received: from a\r\n\tby b\r\n", &content(3)[..]].concat();
        assert_eq!(compare(&sender, &recipients, &whole), Ok(()));
        let bare = compare(&sender, &recipients, &content(3)).unwrap_err();
        assert!(bare.contains("other fields"), "{bare}");
        let short = compare(&sender, &recipients, &whole[..whole.len() - 1]).unwrap_err();
        assert!(short.contains("is not what was sent"), "{short}");
        let from = compare("ann@else.test", &recipients, &whole).unwrap_err();
        assert!(from.contains("from <ann@else.test>"), "{from}");
        let to = compare(&sender, &letters::recipients(4), &whole).unwrap_err();
        assert!(to.contains("came to the sink for"), "{to}");
        assert!(compare(&sender, &recipients, b"Subject: none\r\n").unwrap_err().contains("without a mark"));
    }
}
