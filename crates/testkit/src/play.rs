//! Plays a transcript against a stage, and says in full what was different.
//!
//! Lines that one client sends without waiting for anything between them leave in one write, so a transcript can show
//! pipelining, and what must not arrive before a TLS handshake. A [`Cut`] divides the writes elsewhere: the server must
//! say the same.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cram;
use crate::scram::{self, Proof};
use crate::transcript::{Act, Bindings, Check, Digest, Pattern, Protocol, Prove, Side, Step, Transcript};

mod deflated;
mod report;

pub use deflated::Deflated;
pub use report::{Dialogue, Failure};

/// What a transcript is played on. An error is a sentence for the failure message.
pub trait Stage {
    /// Opens a connection; `tls`: with TLS from its first byte.
    fn open(&mut self, client: usize, protocol: Protocol, tls: bool) -> Result<(), String>;
    /// The handshakes of this client are made with a certificate for this email, which is good here.
    fn present(&mut self, _client: usize, _email: &str) -> Result<(), String> {
        Err("no client has a certificate here".into())
    }
    /// Sends bytes. Sending to a server that has closed is no error: the transcript says what is to be seen.
    fn send(&mut self, client: usize, bytes: &[u8]) -> Result<(), String>;
    /// What has arrived since the last call, as far as `patience` reaches.
    fn read(&mut self, client: usize, patience: Patience) -> Result<Arrived, String>;
    /// Makes a TLS handshake.
    fn start_tls(&mut self, client: usize) -> Result<(), String>;
    /// Ends TLS; what the client sends later goes in clear text.
    fn end_tls(&mut self, client: usize) -> Result<(), String>;
    /// Closes one side or both.
    fn close(&mut self, client: usize, side: Side) -> Result<(), String>;
    /// Moves the clock, or waits.
    fn wait(&mut self, time: Duration) -> Result<(), String>;
    /// Tells the server to stop, as SIGTERM does.
    fn stop(&mut self) -> Result<(), String>;
    /// Looks whether this is true now.
    fn check(&mut self, check: &Check) -> Result<(), String>;
    /// Whether what lies under the sessions compresses, if they say so.
    fn compresses(&self) -> bool {
        true
    }
    /// Whether the server now waits for a handshake, or for compressed input, so that a byte in clear text is part of
    /// none. Only stages that are played cut need to know.
    fn awaits_handshake(&self, _client: usize) -> bool {
        false
    }
}

/// How long a stage waits for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// As long as a reply may take.
    Reply,
    /// Just long enough to see whether something is there.
    Glance,
}

/// What a stage has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrived {
    /// At least one octet.
    Bytes(Vec<u8>),
    /// The server has closed.
    Closed,
    /// Nothing came in time.
    Nothing,
}

/// Where the client's writes are divided, beside the places that the transcript has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nowhere.
    Whole,
    /// After so many octets, counted over all clients.
    At(usize),
    /// After every octet.
    Everywhere,
}

/// A play that went as the transcript says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// Everything said.
    pub dialogue: Dialogue,
    /// What the server sent to each client.
    pub output: BTreeMap<usize, Vec<u8>>,
    /// Octet counts where [`Cut::At`] divides a write. Inside a long `C*` only some.
    pub cut_points: Vec<usize>,
    /// Whether the play went to the end. A cut play stops where the cut itself leaves clear text in front of a
    /// handshake, which is another dialogue than the transcript's.
    pub finished: bool,
}

/// Plays a transcript; `protocol` is what its clients speak if it does not say otherwise.
pub fn play(
    transcript: &Transcript,
    protocol: Protocol,
    stage: &mut dyn Stage,
    cut: Cut,
) -> Result<Played, Box<Failure>> {
    let mut player = Player {
        transcript,
        protocol,
        stage,
        cut,
        clients: BTreeMap::new(),
        bindings: Bindings::new(),
        dialogue: Dialogue::default(),
        sent: 0,
        cut_points: Vec::new(),
    };
    let finished = player.steps()?;
    let output = player.clients.into_iter().map(|(number, client)| (number, client.output)).collect();
    Ok(Played { dialogue: player.dialogue, output, cut_points: player.cut_points, finished })
}

/// Repeated text longer than this is cut only near its ends, and in pieces of [`PIECE`]: a message of a megabyte would
/// otherwise be played a million times.
const CUT_ALL_MAX: usize = 256;
/// A prime, so that pieces fall differently in every line.
const PIECE: usize = 1009;

struct Player<'a> {
    transcript: &'a Transcript,
    protocol: Protocol,
    stage: &'a mut dyn Stage,
    cut: Cut,
    clients: BTreeMap<usize, Client>,
    bindings: Bindings,
    dialogue: Dialogue,
    sent: usize,
    cut_points: Vec<usize>,
}

/// The client's side of one connection.
#[derive(Default)]
struct Client {
    output: Vec<u8>,
    /// How much of `output` has been compared.
    read: usize,
    /// The server has closed.
    closed: bool,
    /// The client has closed: it sees nothing more.
    left: bool,
    /// `...` was said: lines may be skipped until one matches.
    any_lines: bool,
    /// From `deflate` on.
    compression: Compression,
}

#[derive(Default)]
enum Compression {
    #[default]
    Off,
    /// The stage plays without.
    Pretended,
    On(Box<Deflated>),
}

impl Client {
    fn arrived(&mut self, bytes: Vec<u8>) -> Result<(), String> {
        let bytes = match &mut self.compression {
            Compression::On(deflated) => deflated.decompress(&bytes)?,
            Compression::Off | Compression::Pretended => bytes,
        };
        self.output.extend(bytes);
        Ok(())
    }
}

/// One thing that a client sees.
enum Seen {
    Line(Vec<u8>),
    Closed,
    Nothing,
}

type Played1 = Result<(), Box<Failure>>;

impl Player<'_> {
    /// Plays every step; whether the end was reached.
    fn steps(&mut self) -> Result<bool, Box<Failure>> {
        let steps = &self.transcript.steps;
        let mut index = 0;
        let mut checked_rest = false;
        while let Some(step) = steps.get(index) {
            if matches!(step.act, Act::Then(_)) && !checked_rest {
                self.nothing_is_left(step)?;
                checked_rest = true;
            }
            self.open(step)?;
            let batch = steps[index..]
                .iter()
                .take_while(|next| next.client == step.client && sends(&next.act))
                .count();
            if batch > 0 {
                if !self.send(&steps[index..index + batch])? {
                    return Ok(false);
                }
                index += batch;
            } else {
                self.step(step)?;
                index += 1;
            }
        }
        if let (Some(last), false) = (steps.last(), checked_rest) {
            self.nothing_is_left(last)?;
        }
        Ok(true)
    }

    /// A connection opens at the first line of its client.
    fn open(&mut self, step: &Step) -> Played1 {
        if self.clients.contains_key(&step.client)
            || matches!(step.act, Act::Wait(_) | Act::Stop | Act::Then(_))
        {
            return Ok(());
        }
        let protocol = self.transcript.fixture.clients.get(&step.client).copied().unwrap_or(self.protocol);
        let presented = self.present(step);
        self.done(step, presented)?;
        let opened = self.stage.open(step.client, protocol, matches!(step.act, Act::Tls(_)));
        self.clients.insert(step.client, Client::default());
        self.done(step, opened)
    }

    fn present(&mut self, step: &Step) -> Result<(), String> {
        match &step.act {
            Act::Tls(Some(email)) => self.stage.present(step.client, email),
            _ => Ok(()),
        }
    }

    fn step(&mut self, step: &Step) -> Played1 {
        let first = self.dialogue.is_new(step.client);
        match &step.act {
            Act::Send(_) | Act::SendMany(..) => unreachable!("sent in a batch"),
            Act::Expect(pattern) => return self.expect(step, pattern),
            Act::ExpectClosed => return self.expect_closed(step),
            Act::ExpectSilence => return self.expect_silence(step),
            Act::AnyLines => {
                self.client(step).any_lines = true;
                return Ok(());
            }
            _ => self.dialogue.note(step.client, &step.text),
        }
        let done = match &step.act {
            Act::Tls(_) if first => Ok(()), // The connection was opened so.
            Act::Tls(_) => self.present(step).and_then(|()| self.stage.start_tls(step.client)),
            Act::TlsCut => self.stage.end_tls(step.client),
            Act::Prove(prove) => self.prove(prove),
            Act::Answer(digest) => self.answer(digest),
            Act::Deflate => {
                self.deflate(step);
                Ok(())
            }
            Act::Close(side) => {
                self.client(step).left = *side == Side::Both;
                self.stage.close(step.client, *side)
            }
            Act::Wait(time) => self.stage.wait(*time),
            Act::Stop => self.stage.stop(),
            Act::Then(check) => self.stage.check(check),
            _ => Ok(()),
        };
        self.done(step, done)
    }

    fn prove(&mut self, prove: &Prove) -> Result<(), String> {
        let Prove { hash, password, first, challenge } = prove;
        let challenge = self.bindings.get(challenge).ok_or("the challenge is not bound")?;
        let Proof { last, signature } = scram::prove(*hash, password, first.as_bytes(), challenge)?;
        // The same names serve for each exchange of a transcript.
        self.bindings.insert("proof".into(), last);
        self.bindings.insert("signature".into(), signature);
        Ok(())
    }

    fn answer(&mut self, digest: &Digest) -> Result<(), String> {
        let Digest { login, password, challenge } = digest;
        let challenge = self.bindings.get(challenge).ok_or("the challenge is not bound")?;
        let answer = cram::answer(login, password, challenge)?;
        self.bindings.insert("proof".into(), answer);
        Ok(())
    }

    fn deflate(&mut self, step: &Step) {
        let compresses = self.stage.compresses();
        self.client(step).compression =
            if compresses { Compression::On(Box::default()) } else { Compression::Pretended };
    }

    fn client(&mut self, step: &Step) -> &mut Client {
        self.clients.get_mut(&step.client).expect("opened before its first step")
    }

    fn done(&self, step: &Step, done: Result<(), String>) -> Played1 {
        done.map_err(|problem| self.failure(step, problem))
    }

    fn failure(&self, step: &Step, problem: String) -> Box<Failure> {
        Box::new(Failure {
            line: step.line,
            text: step.text.clone(),
            problem,
            cut: self.cut,
            dialogue: self.dialogue.clone(),
        })
    }

    /// Sends what these steps say, in one write if nothing is cut. False: the rest is not comparable.
    fn send(&mut self, steps: &[Step]) -> Result<bool, Box<Failure>> {
        let step = &steps[0];
        let mut bytes = Vec::new();
        let mut cuts = Vec::new();
        for step in steps {
            self.dialogue.note(step.client, &step.text);
            match &step.act {
                Act::Send(pattern) => {
                    let line = pattern.fill(&self.bindings);
                    cuts.extend(bytes.len()..bytes.len() + line.len());
                    bytes.extend(line);
                }
                Act::SendMany(count, text) => {
                    let length = count * text.len();
                    cuts.extend(
                        (0..length).filter(|&at| cut_in_repeated(at, length)).map(|at| bytes.len() + at),
                    );
                    bytes.extend(text.iter().cycle().take(length));
                }
                _ => unreachable!("a batch only sends"),
            }
        }
        self.cut_points.extend(cuts.iter().filter(|&&at| at > 0).map(|at| self.sent + at));
        let ends = match self.cut {
            Cut::Whole => Vec::new(),
            Cut::At(at) => at.checked_sub(self.sent).into_iter().collect(),
            Cut::Everywhere => cuts,
        };
        self.sent += bytes.len();
        self.send_cut(step, &bytes, &ends)
    }

    fn send_cut(&mut self, step: &Step, bytes: &[u8], ends: &[usize]) -> Result<bool, Box<Failure>> {
        let mut start = 0;
        for &end in ends.iter().filter(|&&end| end > 0 && end < bytes.len()).chain([&bytes.len()]) {
            let sent = match &mut self.client(step).compression {
                Compression::On(deflated) => {
                    let compressed = deflated.compress(&bytes[start..end]);
                    self.stage.send(step.client, &compressed)
                }
                Compression::Off | Compression::Pretended => self.stage.send(step.client, &bytes[start..end]),
            };
            self.done(step, sent)?;
            start = end;
            let clear = matches!(self.client(step).compression, Compression::Off);
            if clear && start < bytes.len() && self.stage.awaits_handshake(step.client) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The next line that the server sent.
    fn see(&mut self, step: &Step, patience: Patience) -> Result<Seen, Box<Failure>> {
        loop {
            let client = self.client(step);
            let unread = &client.output[client.read..];
            let line_end = unread.windows(2).position(|two| two == b"\r\n");
            if let Some(length) =
                line_end.or_else(|| (client.closed && !unread.is_empty()).then_some(unread.len()))
            {
                let line = unread[..length].to_vec();
                client.read += (length + 2).min(unread.len());
                return Ok(Seen::Line(line));
            }
            if client.closed || client.left {
                return Ok(Seen::Closed);
            }
            match self.stage.read(step.client, patience) {
                Ok(Arrived::Bytes(bytes)) => {
                    let arrived = self.client(step).arrived(bytes);
                    self.done(step, arrived)?;
                }
                Ok(Arrived::Closed) => self.client(step).closed = true,
                Ok(Arrived::Nothing) => return Ok(Seen::Nothing),
                Err(problem) => return Err(self.failure(step, problem)),
            }
        }
    }

    fn expect(&mut self, step: &Step, pattern: &Pattern) -> Played1 {
        let any_lines = std::mem::take(&mut self.client(step).any_lines);
        loop {
            match self.see(step, Patience::Reply)? {
                Seen::Line(line) => {
                    self.dialogue.heard(step.client, &line);
                    if let Some(bindings) = pattern.matches(&line, &self.bindings) {
                        self.bindings = bindings;
                        return Ok(());
                    }
                    if !any_lines {
                        let expected = pattern.fill(&self.bindings);
                        return Err(self.failure(step, report::other_line(&expected, &line)));
                    }
                }
                Seen::Closed => return Err(self.failure(step, "the server closed".into())),
                Seen::Nothing => return Err(self.failure(step, "the server sent nothing".into())),
            }
        }
    }

    fn expect_closed(&mut self, step: &Step) -> Played1 {
        let any_lines = std::mem::take(&mut self.client(step).any_lines);
        loop {
            match self.see(step, Patience::Reply)? {
                Seen::Closed => {
                    self.dialogue.note(step.client, "S: <closed>");
                    return Ok(());
                }
                Seen::Nothing => return Err(self.failure(step, "the connection is still open".into())),
                Seen::Line(line) => {
                    self.dialogue.heard(step.client, &line);
                    if !any_lines {
                        return Err(self.failure(step, report::other_line(b"<closed>", &line)));
                    }
                }
            }
        }
    }

    fn expect_silence(&mut self, step: &Step) -> Played1 {
        match self.see(step, Patience::Glance)? {
            Seen::Nothing => Ok(()),
            Seen::Closed => Err(self.failure(step, "the server closed".into())),
            Seen::Line(line) => {
                self.dialogue.heard(step.client, &line);
                Err(self.failure(step, report::other_line(b"", &line)))
            }
        }
    }

    /// At the end every line of the server has been asked for.
    fn nothing_is_left(&mut self, last: &Step) -> Played1 {
        let numbers: Vec<usize> = self.clients.keys().copied().collect();
        for client in numbers {
            let step = Step { client, ..last.clone() };
            if let Seen::Line(line) = self.see(&step, Patience::Glance)? {
                self.dialogue.heard(client, &line);
                return Err(
                    self.failure(&step, "the server sent a line that the transcript does not have".into())
                );
            }
        }
        Ok(())
    }
}

fn sends(act: &Act) -> bool {
    matches!(act, Act::Send(_) | Act::SendMany(..))
}

/// Whether repeated text of this length is cut at this place.
fn cut_in_repeated(at: usize, length: usize) -> bool {
    length <= CUT_ALL_MAX || at < 8 || at + 8 > length || at.is_multiple_of(PIECE) && length / PIECE <= 64
}

#[cfg(test)]
mod tests;
