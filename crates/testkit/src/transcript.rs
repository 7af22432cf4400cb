//! The text of a transcript becomes steps. Pure; the format is described in `tests/transcripts/README.md`.
//!
//! ```
//! use testkit::transcript::{Act, Transcript};
//!
//! let text = "# The greeting.  RFC 1939 §4\nS: +OK *\nC: QUIT\nS: +OK *\nS: <closed>\n";
//! let transcript = Transcript::parse(text).unwrap();
//! assert_eq!(transcript.title, "The greeting.  RFC 1939 §4");
//! assert_eq!(transcript.steps.len(), 4);
//! assert_eq!(transcript.steps[3].act, Act::ExpectClosed);
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use protocol::sasl::ScramHash;

mod escape;
mod given;
mod pattern;

pub use escape::show;
pub use given::{Fixture, Protocol};
pub use pattern::{Bindings, Pattern, Piece};

/// A parsed transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// The first comment: what is shown, and the clauses.
    pub title: String,
    /// Every `given`.
    pub fixture: Fixture,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// The variants of `Misuse` that this transcript shows, from its `# misuse: NAME...` comments.
    pub misuses: Vec<String>,
}

/// One line that does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number in the file, from 1.
    pub line: usize,
    /// As it is written.
    pub text: String,
    /// Which client acts; 1 where no number is written or none can be.
    pub client: usize,
    /// What happens.
    pub act: Act,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// `C:` (with CRLF) and `C~`: the client sends this.
    Send(Pattern),
    /// `C*`: the client sends this, so many times.
    SendMany(usize, Vec<u8>),
    /// `S:` the server sends this line.
    Expect(Pattern),
    /// `...` any lines, until the next `S:` of the same client matches.
    AnyLines,
    /// `S~` the server has sent nothing more.
    ExpectSilence,
    /// `S: <closed>` the server has closed.
    ExpectClosed,
    /// `tls` a handshake; as the first step of a client, TLS from the first byte. With a name, the client shows a
    /// certificate for this email.
    Tls(Option<String>),
    /// `tls cut` TLS is ended by the client, which goes on in clear text.
    TlsCut,
    /// `scram HASH PASSWORD FIRST $challenge` what a client of SCRAM says to that challenge is `$proof` from here on, and what
    /// it then expects `$signature`.
    Prove(Prove),
    /// `cram-md5 LOGIN PASSWORD $challenge` what a client of CRAM-MD5 answers to that challenge is `$proof` from here on.
    Answer(Digest),
    /// `deflate` from here on what the client sends and gets is compressed.
    Deflate,
    /// `close` and `close write`.
    Close(Side),
    /// `wait` the clock moves.
    Wait(Duration),
    /// `stop` the server gets SIGTERM.
    Stop,
    /// `then` what must be true afterwards.
    Then(Check),
}

/// What a client of SCRAM knows when it is to prove a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prove {
    /// The mechanism's hash function.
    pub hash: ScramHash,
    /// The password.
    pub password: String,
    /// Its first message, in base64.
    pub first: String,
    /// The variable that holds the server's first message, in base64.
    pub challenge: String,
}

/// What a client of CRAM-MD5 knows when it is to answer a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Who it says it is.
    pub login: String,
    /// The password.
    pub password: String,
    /// The variable that holds the challenge, in base64.
    pub challenge: String,
}

/// What the client closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Both directions.
    Both,
    /// Its own writing; it still reads.
    Write,
}

/// What must be true afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// INBOX of the account holds this many emails.
    Mail(String, usize),
    /// The newest story holds these words in this order.
    Story(Vec<String>),
}

/// Why a text is no transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for ParseError {}

/// More waiting than this in one transcript is for a virtual clock only.
const REAL_WAIT_MAX: Duration = Duration::from_secs(5);

impl Transcript {
    /// Parses a whole file. The error names the first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut reader = Reader::default();
        for (index, line) in text.lines().enumerate() {
            reader.line(index + 1, line).map_err(|problem| ParseError { line: index + 1, problem })?;
        }
        reader.finish(text.lines().count())
    }

    /// Whether it can be played against a server whose clock is the world's.
    pub fn plays_in_real_time(&self) -> bool {
        self.waiting() <= REAL_WAIT_MAX
    }

    /// How long all of its `wait`s are.
    pub fn waiting(&self) -> Duration {
        self.steps.iter().map(|step| if let Act::Wait(time) = step.act { time } else { Duration::ZERO }).sum()
    }
}

#[derive(Default)]
struct Reader {
    title: Option<String>,
    fixture: Fixture,
    steps: Vec<Step>,
    misuses: Vec<String>,
    bound: BTreeSet<String>,
}

impl Reader {
    fn line(&mut self, number: usize, text: &str) -> Result<(), String> {
        if let Some(comment) = text.strip_prefix('#') {
            self.comment(comment.trim());
            return Ok(());
        }
        if text.trim().is_empty() {
            return Ok(());
        }
        if self.title.is_none() {
            return Err("begin with a comment that says what is shown and names the clauses".into());
        }
        if let Some(given) = text.strip_prefix("given ") {
            if !self.steps.is_empty() {
                return Err("`given` stands before the first step".into());
            }
            return self.fixture.add(given);
        }
        let (client, rest) = client_number(text)?;
        let act = parse_act(rest)?;
        if client.is_some() && matches!(act, Act::Wait(_) | Act::Stop | Act::Then(_)) {
            return Err("this line belongs to no client: write it without a number".into());
        }
        let client = client.unwrap_or(1);
        self.in_order(client, &act)?;
        self.steps.push(Step { line: number, text: text.into(), client, act });
        Ok(())
    }

    fn comment(&mut self, text: &str) {
        if self.title.is_none() {
            self.title = Some(text.into());
        } else if let Some(names) = text.strip_prefix("misuse:") {
            self.misuses.extend(names.split([' ', ',']).filter(|name| !name.is_empty()).map(String::from));
        }
    }

    /// Rules about what may follow what.
    fn in_order(&mut self, client: usize, act: &Act) -> Result<(), String> {
        match act {
            Act::Expect(pattern) => self.bound.extend(pattern.variables().map(String::from)),
            Act::Answer(_) => {
                self.bound.insert("proof".to_owned());
            }
            Act::Prove(_) => self.bound.extend(["proof".to_owned(), "signature".to_owned()]),
            Act::Send(pattern) => {
                if let Some(name) = pattern.variables().find(|name| !self.bound.contains(*name)) {
                    return Err(format!(
                        "`${name}` was not bound by an `S:` line before (a dollar sign itself is `\\$`)"
                    ));
                }
            }
            _ => {}
        }
        let Some(last) = self.steps.last() else { return Ok(()) };
        if last.act == Act::AnyLines
            && !(last.client == client && matches!(act, Act::Expect(_) | Act::ExpectClosed))
        {
            return Err("after `...` comes the `S:` line of the same client that ends it".into());
        }
        if matches!(last.act, Act::Then(_)) && !matches!(act, Act::Then(_)) {
            return Err("`then` lines stand at the end".into());
        }
        Ok(())
    }

    fn finish(self, lines: usize) -> Result<Transcript, ParseError> {
        let problem = match self.steps.last().map(|step| &step.act) {
            None => "nothing happens in this file",
            Some(Act::AnyLines) => "after `...` comes the `S:` line that ends it",
            Some(_) => {
                let Self { title, fixture, steps, misuses, .. } = self;
                return Ok(Transcript { title: title.unwrap_or_default(), fixture, steps, misuses });
            }
        };
        Err(ParseError { line: lines.max(1), problem: problem.into() })
    }
}

/// `2C: x` is `(Some(2), "C: x")`.
fn client_number(text: &str) -> Result<(Option<usize>, &str), String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Ok((None, text));
    }
    match text[..digits].parse() {
        Ok(client @ 1..=9) => Ok((Some(client), &text[digits..])),
        _ => Err("clients are numbered 1 to 9".into()),
    }
}

fn parse_act(text: &str) -> Result<Act, String> {
    if let Some(rest) = after_mark(text, "C:") {
        return Ok(Act::Send(Pattern::parse_sent(rest)?.with_line_end()));
    }
    if let Some(rest) = after_mark(text, "C~") {
        return Ok(Act::Send(Pattern::parse_sent(rest)?));
    }
    if let Some(rest) = after_mark(text, "C*") {
        return parse_many(rest);
    }
    if let Some(rest) = after_mark(text, "S:") {
        return Ok(if rest.trim_end() == "<closed>" {
            Act::ExpectClosed
        } else {
            Act::Expect(Pattern::parse_expected(rest)?)
        });
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["..."] => Ok(Act::AnyLines),
        ["S~"] => Ok(Act::ExpectSilence),
        ["tls"] => Ok(Act::Tls(None)),
        ["tls", "cut"] => Ok(Act::TlsCut),
        ["tls", email] if email.contains('@') => Ok(Act::Tls(Some(email.to_string()))),
        ["deflate"] => Ok(Act::Deflate),
        ["scram", hash, password, first, challenge] => {
            let (hash, password, first) = (parse_hash(hash)?, password.to_string(), first.to_string());
            Ok(Act::Prove(Prove { hash, password, first, challenge: variable(challenge)? }))
        }
        ["cram-md5", login, password, challenge] => {
            let (login, password) = (login.to_string(), password.to_string());
            Ok(Act::Answer(Digest { login, password, challenge: variable(challenge)? }))
        }
        ["close"] => Ok(Act::Close(Side::Both)),
        ["close", "write"] => Ok(Act::Close(Side::Write)),
        ["wait", time] => parse_time(time).map(Act::Wait),
        ["stop"] => Ok(Act::Stop),
        ["then", rest @ ..] => parse_then(rest).map(Act::Then),
        _ => Err("not a line of a transcript; the README beside the transcripts lists them".into()),
    }
}

/// The text after `C: `. The space may be missing if the text is empty or begins with an escape.
fn after_mark<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(mark)?;
    if rest.is_empty() || rest.starts_with('\\') { Some(rest) } else { rest.strip_prefix(' ') }
}

fn variable(text: &str) -> Result<String, String> {
    let name = text.strip_prefix('$').ok_or("this line ends with the variable of the challenge")?;
    Ok(name.to_owned())
}

fn parse_hash(text: &str) -> Result<ScramHash, String> {
    match text {
        "sha-256" => Ok(ScramHash::Sha256),
        "sha-1" => Ok(ScramHash::Sha1),
        _ => Err("`scram sha-256` or `scram sha-1`".into()),
    }
}

fn parse_many(text: &str) -> Result<Act, String> {
    let (count, text) = text.split_once(' ').ok_or("`C* N text`: N times the text")?;
    let count = count.parse().map_err(|_| "`C* N text`: N is a number")?;
    Ok(Act::SendMany(count, escape::unescape(text)?))
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let wrong = || "a time is a number with s, m or h: `wait 31m`".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(wrong()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(count.saturating_mul(seconds)))
}

fn parse_then(words: &[&str]) -> Result<Check, String> {
    match words {
        ["mail", address, count] => {
            let count = count.parse().map_err(|_| "`then mail ADDRESS N`: N is a number")?;
            Ok(Check::Mail((*address).into(), count))
        }
        ["story", words @ ..] if !words.is_empty() => {
            Ok(Check::Story(words.iter().map(|w| (*w).into()).collect()))
        }
        _ => Err("`then mail ADDRESS N` or `then story WORD...`".into()),
    }
}

#[cfg(test)]
mod tests;
