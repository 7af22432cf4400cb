//! Dialogues with a session, in memory, and the rules that they show.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mail::Reply;

use super::{Answer, Bounds, Commands, Config, Errors, Hop, Keywords, Outcome, Question, ServerSession};
use crate::limits;
use crate::sasl::{Ask, Offer, SignIn};
use crate::session::{End, Session, Step, TlsFacts, Upgrade};

mod chunks;
mod content;
mod cuts;
mod order;
mod sign_in;
mod time;

/// A virtual server for tests: everything is offered, nothing is required.
pub(crate) fn config() -> Config {
    Config {
        host_name: "mx.example.org".into(),
        banner: "ESMTP".into(),
        message_size_max: 1_000,
        recipients_max: 3,
        timeout: Duration::from_secs(300),
        starttls: true,
        tls_required: false,
        auth: Offer::USUAL,
        auth_without_tls: false,
        auth_required: false,
        messages_max: 3,
        commands: Commands::STRANGER,
        keywords: Keywords::ALL,
        bounds: Bounds { errors: Errors { tarpit: Duration::ZERO, ..Bounds::USUAL.errors }, ..Bounds::USUAL },
    }
}

/// An application that knows `bob@example.org` with the password `secret`, refuses what begins with `no`, and defers
/// what begins with `later`.
fn decide(question: &Question) -> Answer {
    let answer = match question {
        Question::Authenticate(ask) => return Answer::SignIn(sign_in(ask).into()),
        Question::Sender(sender) => by_name(&sender.path.to_string(), "2.1.0"),
        Question::Recipient(recipient) => by_name(&recipient.path.to_string(), "2.1.5"),
        Question::Begin => Reply::plain(354, "Go on"),
        Question::Finish { last, .. } if last.starts_with(b"no") => Reply::new(550, (5, 7, 1), "No"),
        Question::Finish { .. } => Reply::new(250, (2, 0, 0), "Kept"),
        Question::Verify(_) | Question::Expand(_) => Reply::new(252, (2, 1, 5), "Perhaps"),
        Question::Release(_) => Reply::new(250, (2, 0, 0), "Begun"),
        Question::Client(_) => Reply::new(550, (5, 7, 1), "No"),
        Question::Chunk(_) | Question::Refused(_) | Question::Abandoned => return Answer::Taken,
    };
    Answer::Reply(answer)
}

fn sign_in(ask: &Ask) -> SignIn {
    let Ask::Password(credentials) = ask else { return SignIn::Refused };
    match (credentials.login.as_str(), credentials.password.0.as_str()) {
        ("bob@example.org", "secret") => SignIn::Accepted("bob@example.org".parse().unwrap()),
        ("later", _) => SignIn::Unavailable,
        _ => SignIn::Refused,
    }
}

fn by_name(path: &str, _enhanced: &str) -> Reply {
    match path {
        _ if path.starts_with("<no") => Reply::new(550, (5, 1, 1), "No"),
        _ if path.starts_with("<later") => Reply::new(451, (4, 7, 1), "Later"),
        _ => Reply::new(250, (2, 1, 0), "Yes"),
    }
}

/// One connection: what was sent, what was asked, and how it ended.
pub(super) struct Dialogue {
    session: ServerSession,
    now: Instant,
    /// Whether the application decides at once.
    prompt: bool,
    open: Option<Question>,
    /// What the session has sent and that was not looked at.
    heard: String,
    writes: usize,
    asked: Vec<String>,
    /// Content of the messages that were complete.
    contents: Vec<Vec<u8>>,
    content: Vec<u8>,
    until: Instant,
    reading: bool,
    upgrading: bool,
    closed: bool,
}

impl Dialogue {
    /// A connection in clear text, banner taken.
    fn new(config: Config) -> Self {
        Self::begin(config, None)
    }

    fn begin(config: Config, tls: Option<TlsFacts>) -> Self {
        // A test has no simulated clock to ask; only differences matter.
        #[allow(clippy::disallowed_methods)]
        let now = Instant::now();
        let mut session = ServerSession::new(Arc::new(config), now, crate::sasl::Seed([0; 32]));
        if let Some(facts) = tls {
            session.secured(now, facts);
        }
        let mut dialogue = Self {
            session,
            now,
            prompt: true,
            open: None,
            heard: String::new(),
            writes: 0,
            asked: Vec::new(),
            contents: Vec::new(),
            content: Vec::new(),
            until: now,
            reading: false,
            upgrading: false,
            closed: false,
        };
        dialogue.run();
        assert_eq!(dialogue.hear(), "220 mx.example.org ESMTP\n");
        dialogue
    }

    /// A connection on which EHLO was said.
    fn greeted(config: Config) -> Self {
        let mut dialogue = Self::new(config);
        dialogue.check("EHLO client.example", "250-mx.example.org...");
        dialogue
    }

    /// A connection under TLS on which EHLO was said.
    fn secure(config: Config) -> Self {
        let mut dialogue = Self::begin(config, Some(TlsFacts::default()));
        dialogue.check("EHLO client.example", "250-mx.example.org...");
        dialogue
    }

    /// As the driver does: steps until the session waits or closes.
    fn run(&mut self) {
        let mut wrote = false;
        loop {
            match self.session.next() {
                Step::Send(bytes) => {
                    self.writes += usize::from(!wrote);
                    wrote = true;
                    self.heard.push_str(std::str::from_utf8(&bytes).unwrap());
                }
                Step::Ask(question) => {
                    assert!(self.open.is_none(), "one question at a time");
                    self.note(&question);
                    self.open = Some(question);
                    if self.prompt {
                        self.answer();
                    }
                }
                Step::Upgrade(upgrade) => {
                    assert_eq!(upgrade, Upgrade::Tls);
                    self.upgrading = true;
                    return;
                }
                Step::Await { until, read } => {
                    self.until = until;
                    self.reading = read;
                    return;
                }
                Step::Close => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    fn note(&mut self, question: &Question) {
        match question {
            Question::Chunk(chunk) => {
                assert!(chunk.len() <= limits::SMTP_CHUNK_MAX);
                self.content.extend_from_slice(chunk);
                return;
            }
            Question::Finish { last, size, .. } => {
                self.content.extend_from_slice(last);
                assert_eq!(self.content.len() as u64, *size);
                self.contents.push(std::mem::take(&mut self.content));
            }
            Question::Refused(_) | Question::Abandoned => self.content.clear(),
            _ => {}
        }
        let text = format!("{question:?}");
        self.asked.push(text.split(['(', ' ']).next().unwrap().to_owned());
    }

    /// Gives the answer to the open question; the caller runs on.
    fn answer(&mut self) {
        let question = self.open.take().expect("a question is open");
        self.session.answer(self.now, decide(&question));
    }

    /// Sends octets as they are.
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.session.receive(self.now, bytes.as_ref());
        self.run();
    }

    /// What the server said since the last look, with LF line ends.
    fn hear(&mut self) -> String {
        std::mem::take(&mut self.heard).replace("\r\n", "\n")
    }

    /// Sends lines (LF becomes CRLF) and compares the answer; `...` at its end stands for its rest, and each line may
    /// leave out its text after the codes.
    #[track_caller]
    fn check(&mut self, lines: &str, expected: &str) {
        self.send(format!("{lines}\n").replace('\n', "\r\n"));
        let heard = self.hear();
        if let Some(beginning) = expected.strip_suffix("...") {
            assert!(heard.starts_with(beginning), "{lines:?}: {heard:?}");
            return;
        }
        let codes: Vec<_> = heard.lines().map(codes).collect();
        assert_eq!(codes.join(", "), expected, "{lines:?}: {heard:?}");
    }

    /// Lets time pass; the session is woken whenever it asked to be.
    fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.until <= end && !self.closed {
            self.now = self.now.max(self.until);
            self.session.woken(self.now);
            self.run();
        }
        self.now = end;
    }

    fn secured(&mut self) {
        assert!(std::mem::take(&mut self.upgrading));
        self.session.secured(self.now, TlsFacts::default());
        self.run();
    }

    fn end(mut self) -> Outcome {
        self.session.ended(self.now, End::Cut)
    }
}

/// `250 2.1.0` of `250 2.1.0 Yes`; `354` of `354 Go on`.
fn codes(line: &str) -> &str {
    let words: Vec<_> = line.splitn(3, ' ').collect();
    match words[..] {
        [code, enhanced, _] if enhanced.split('.').count() == 3 => &line[..code.len() + 1 + enhanced.len()],
        [code, ..] => code,
        [] => line,
    }
}
