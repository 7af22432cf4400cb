//! The client against scripted peers and against our own server, in memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mail::{ForwardPath, Host, ReversePath};

use super::*;
use crate::sasl::Password;
use crate::session::{End, Session, Step, TlsFacts, Upgrade};
use crate::smtp::Dialect;

mod classes;
mod cuts;
mod extensions;
mod pair;
mod scripted;
mod time;

/// A route for tests: in clear text, nobody signs in.
fn policy() -> Policy {
    Policy {
        dialect: Dialect::Smtp,
        hello: Host::parse("out.example.org").unwrap(),
        tls: Tls::Opportunistic,
        sign_in: None,
        sign_in_without_tls: false,
        messages_max: 10,
        greeting: Greeting::Extended,
        silence_max: Duration::MAX,
        idle: Duration::from_secs(30),
    }
}

fn sign_in() -> Option<SignInAs> {
    Some(SignInAs { login: "bob@example.org".into(), password: Password("secret".into()) })
}

/// A message to be sent.
#[derive(Debug, Clone)]
struct Letter {
    transaction: Transaction,
    content: Vec<u8>,
}

fn letter(recipients: &[&str], content: impl AsRef<[u8]>) -> Letter {
    let path = |name: &&str| ForwardPath::parse(&format!("<{name}@example.org>")).unwrap();
    let transaction = Transaction {
        sender: ReversePath::parse("<ann@example.com>").unwrap(),
        parameters: Default::default(),
        recipients: recipients
            .iter()
            .map(|name| Recipient { path: path(name), parameters: Default::default() })
            .collect(),
        content: ContentFacts::of(content.as_ref()),
    };
    Letter { transaction, content: content.as_ref().to_vec() }
}

/// The client's end: the session, and an application that sends letters.
struct Caller {
    session: ClientSession,
    now: Instant,
    letters: VecDeque<Letter>,
    /// The content under way.
    content: Vec<u8>,
    /// Octets of content in one answer.
    chunk: usize,
    /// Whether [`Question::Next`] stays open when there is no letter.
    keeps: bool,
    reports: Vec<Report>,
    /// What the session has sent and the peer has not seen.
    sent: Vec<u8>,
    until: Instant,
    upgrading: bool,
    closed: bool,
}

impl Caller {
    fn new(policy: Policy, letters: Vec<Letter>) -> Self {
        // A test has no simulated clock to ask; only differences matter.
        #[allow(clippy::disallowed_methods)]
        let now = Instant::now();
        Self {
            session: ClientSession::new(Arc::new(policy), now),
            now,
            letters: letters.into(),
            content: Vec::new(),
            chunk: 64 * 1024,
            keeps: false,
            reports: Vec::new(),
            sent: Vec::new(),
            until: now,
            upgrading: false,
            closed: false,
        }
    }

    /// As the driver does: steps until the session waits or closes.
    fn run(&mut self) {
        loop {
            match self.session.next() {
                Step::Send(bytes) => self.sent.extend_from_slice(&bytes),
                Step::Ask(question) => match self.decide(question) {
                    Some(answer) => self.session.answer(self.now, answer),
                    None => assert!(self.keeps),
                },
                Step::Upgrade(upgrade) => {
                    assert_eq!(upgrade, Upgrade::Tls);
                    self.upgrading = true;
                    return;
                }
                Step::Await { until, read } => {
                    assert!(read, "nothing is open for long");
                    self.until = until;
                    return;
                }
                Step::Close => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    fn decide(&mut self, question: Question) -> Option<Answer> {
        Some(match question {
            Question::Next => match self.letters.pop_front() {
                Some(letter) => {
                    self.content = letter.content;
                    Answer::Transaction(Box::new(letter.transaction))
                }
                None if self.keeps => return None,
                None => Answer::Nothing,
            },
            Question::Content { offset } => {
                let rest = &self.content[usize::try_from(offset).unwrap()..];
                let piece = Bytes::copy_from_slice(&rest[..rest.len().min(self.chunk)]);
                Answer::Content { last: piece.len() == rest.len(), piece }
            }
            Question::Report(report) => {
                self.reports.push(*report);
                Answer::Noted
            }
        })
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.session.receive(self.now, bytes);
        self.run();
    }

    fn secured(&mut self) {
        assert!(std::mem::take(&mut self.upgrading));
        self.session.secured(self.now, TlsFacts::default());
        self.run();
    }

    /// Lets the deadline pass.
    fn wait(&mut self) {
        self.now = self.until;
        self.session.woken(self.now);
        self.run();
    }

    /// All that is known when the connection is over.
    fn over(mut self, end: End) -> Seen {
        let end = if self.closed { End::Closed } else { end };
        let summary = self.session.ended(self.now, end);
        let mut reports = self.reports;
        reports.extend(summary.report.clone());
        Seen { reports, summary }
    }
}

/// What a connection came to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    reports: Vec<Report>,
    summary: Summary,
}

impl Seen {
    /// One word for each recipient and its diagnostic, reports apart; or why there is none.
    fn text(&self) -> String {
        if self.reports.is_empty() {
            return match &self.summary.failure {
                Some(failure) => format!("none: {failure}"),
                None => "none".into(),
            };
        }
        let outcomes = |report: &Report| report.outcomes.iter().map(word).collect::<Vec<_>>().join("; ");
        self.reports.iter().map(outcomes).collect::<Vec<_>>().join(" | ")
    }

    /// The dialogue of all reports, one line each.
    fn dialogue(&self) -> Vec<String> {
        let said = self.reports.iter().flat_map(|report| &report.dialogue).chain(&self.summary.dialogue);
        said.map(|said| format!("{} {}", if said.by == Speaker::We { ">" } else { "<" }, said.text)).collect()
    }
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered(_) => "delivered".into(),
        Outcome::Deferred(diagnostic) => format!("deferred {} {diagnostic}", diagnostic.status),
        Outcome::Failed(diagnostic) => format!("failed {} {diagnostic}", diagnostic.status),
    }
}
