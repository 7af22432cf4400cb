//! Our client, whatever a server says; and our client with our server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mail::{ForwardPath, Host, MessageParameters, RecipientParameters, ReversePath};
use protocol::sasl::Password;
use protocol::smtp::Dialect;
use protocol::smtp::client::{
    Answer, ClientSession, ContentFacts, Greeting, Outcome, Policy, Question, Recipient, Report, SignInAs,
    Tls, Transaction,
};
use protocol::{End, Session as _, Step, TlsFacts, Upgrade};

use super::cut::Cut;
use super::servers::{EVENT, lines};
use crate::play::{Arrived, Patience, Stage as _};
use crate::session_stage::SessionStage;
use crate::transcript::{Check, Fixture, Protocol, Side};

/// A session that takes this many steps for one input will take steps for ever.
const STEPS_MAX: usize = 100_000;

/// Our client's end: the session, and an application that sends one content, again and again.
struct Caller {
    session: ClientSession,
    now: Instant,
    until: Instant,
    letters: VecDeque<Transaction>,
    content: Vec<u8>,
    piece: usize,
    /// What was reported, as text that can be compared.
    reports: Vec<Report>,
    sent: Vec<u8>,
    handshake: bool,
    closed: bool,
}

fn transaction(recipients: &[&str], content: &[u8]) -> Transaction {
    let recipient = |name: &&str| Recipient {
        path: ForwardPath::parse(&format!("<{name}@example.org>")).expect("an address"),
        parameters: RecipientParameters::default(),
    };
    Transaction {
        sender: ReversePath::parse("<ann@example.com>").expect("an address"),
        parameters: MessageParameters::default(),
        recipients: recipients.iter().map(recipient).collect(),
        content: ContentFacts::of(content),
    }
}

fn policy(dialect: Dialect, choice: u8) -> Policy {
    let sign_in = SignInAs { login: "bob@example.org".into(), password: Password("secret".into()) };
    Policy {
        dialect,
        hello: Host::parse("out.example.org").expect("a host"),
        tls: [Tls::Off, Tls::Opportunistic, Tls::Required][usize::from(choice % 3)],
        sign_in: (choice & 4 != 0).then_some(sign_in),
        sign_in_without_tls: choice & 8 != 0,
        messages_max: 2,
        greeting: Greeting::Extended,
        silence_max: Duration::MAX,
        idle: Duration::from_secs(30),
    }
}

impl Caller {
    #[expect(clippy::disallowed_methods, reason = "where virtual time begins; it is never read again")]
    fn new(policy: Policy, letters: &[&[&str]], content: &[u8], piece: usize) -> Self {
        let now = Instant::now();
        let mut caller = Self {
            session: ClientSession::new(Arc::new(policy), now),
            now,
            until: now,
            letters: letters.iter().map(|names| transaction(names, content)).collect(),
            content: content.to_vec(),
            piece,
            reports: Vec::new(),
            sent: Vec::new(),
            handshake: false,
            closed: false,
        };
        caller.run();
        caller
    }

    /// As the driver does: steps until the session waits or closes.
    fn run(&mut self) {
        for _ in 0..STEPS_MAX {
            if self.closed || self.handshake {
                return;
            }
            match self.session.next() {
                Step::Send(octets) => self.sent.extend_from_slice(&octets),
                Step::Ask(question) => {
                    let answer = self.decide(question);
                    self.session.answer(self.now, answer);
                }
                Step::Upgrade(upgrade) => {
                    assert_eq!(upgrade, Upgrade::Tls);
                    self.handshake = true;
                }
                Step::Await { until, .. } => {
                    self.until = until;
                    return;
                }
                Step::Close => self.closed = true,
            }
        }
        panic!("the client does not come to rest");
    }

    fn decide(&mut self, question: Question) -> Answer {
        match question {
            Question::Next => {
                self.letters.pop_front().map_or(Answer::Nothing, |next| Answer::Transaction(Box::new(next)))
            }
            Question::Content { offset } => {
                let rest = &self.content[usize::try_from(offset).expect("little")..];
                let piece = Bytes::copy_from_slice(&rest[..rest.len().min(self.piece)]);
                Answer::Content { last: piece.len() == rest.len(), piece }
            }
            Question::Report(report) => {
                self.reports.push(*report);
                Answer::Noted
            }
        }
    }

    fn hear(&mut self, octets: &[u8]) {
        if self.handshake {
            self.over(End::Cut); // Clear text is no handshake.
        } else if !self.closed {
            self.session.receive(self.now, octets);
            self.run();
        }
    }

    fn happen(&mut self, event: u8) {
        match event % 3 {
            0 if self.handshake => {
                self.handshake = false;
                self.session.secured(self.now, TlsFacts::default());
            }
            1 if !self.closed => {
                self.now = self.until.max(self.now);
                self.session.woken(self.now);
            }
            2 if !self.closed => self.session.stopping(self.now),
            _ => {}
        }
        self.run();
    }

    fn over(&mut self, end: End) {
        if !self.closed {
            self.closed = true;
            self.ended(end);
        }
    }

    fn ended(&mut self, end: End) {
        let summary = self.session.ended(self.now, end);
        self.reports.extend(summary.report);
    }

    /// All that came of it, as text.
    fn came_to(mut self, recipients: usize) -> String {
        let end = if self.closed { End::Closed } else { End::HalfClosed };
        self.ended(end);
        for report in &self.reports {
            assert_eq!(report.outcomes.len(), recipients, "each recipient has an outcome");
        }
        // Whether the same was said: dialogues have times that the cut may change.
        let outcomes: Vec<_> = self.reports.iter().map(|report| format!("{:?}", report.outcomes)).collect();
        format!("{}\n{}", outcomes.join("\n"), String::from_utf8_lossy(&self.sent))
    }
}

/// An SMTP client, whatever the server says. The first octet is the policy.
pub fn smtp(data: &[u8]) {
    client(Dialect::Smtp, data);
}

/// An LMTP client, whatever the server says.
pub fn lmtp(data: &[u8]) {
    client(Dialect::Lmtp, data);
}

fn client(dialect: Dialect, data: &[u8]) {
    let Some((&choice, said)) = data.split_first() else { return };
    told(dialect, choice, said, Cut::Nowhere);
    let whole = told(dialect, choice, said, Cut::Lines);
    for piece in [1, 7] {
        if let (Some(cut), Some(whole)) = (told(dialect, choice, said, Cut::Pieces(piece)), &whole) {
            assert_eq!(&cut, whole, "cut every {piece} octets it does something else");
        }
    }
}

/// What becomes of two transactions; none where a cut leaves clear text before a handshake.
fn told(dialect: Dialect, choice: u8, said: &[u8], cut: Cut) -> Option<String> {
    const LETTERS: [&[&str]; 2] = [&["bob", "eve"], &["bob", "eve"]];
    let mut caller = Caller::new(policy(dialect, choice), &LETTERS, b".\r\nx\r\n", 4);
    let mut rest = said;
    while !rest.is_empty() {
        let at = rest.iter().position(|&octet| octet == EVENT).unwrap_or(rest.len());
        for line in cut.lines(&rest[..at]) {
            if !hear(&mut caller, line, cut) {
                return None;
            }
        }
        if let Some(&event) = rest.get(at + 1) {
            caller.happen(event);
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    let fault = lines(Protocol::Pop3, commands(&caller.sent));
    assert!(fault.is_none(), "{fault:?}");
    Some(caller.came_to(2))
}

/// False: a handshake is awaited with octets of this line left to be said.
fn hear(caller: &mut Caller, line: &[u8], cut: Cut) -> bool {
    let mut left = line.len();
    for octets in cut.pieces(line) {
        caller.hear(octets);
        left -= octets.len();
        if caller.handshake && left > 0 {
            return false;
        }
    }
    true
}

/// What a client sent before its first content, which begins with a dot here.
fn commands(sent: &[u8]) -> &[u8] {
    let content = memchr::memmem::find(sent, b"\r\n.").map_or(sent.len(), |at| at + 2);
    &sent[..content]
}

/// Our client delivers any content to our server: it arrives as it is, or is refused before it begins.
pub fn smtp_pair(data: &[u8]) {
    pair(Dialect::Smtp, Protocol::Smtp, data);
}

/// The same by LMTP.
pub fn lmtp_pair(data: &[u8]) {
    pair(Dialect::Lmtp, Protocol::Lmtp, data);
}

fn pair(dialect: Dialect, protocol: Protocol, data: &[u8]) {
    let (choice, content) = data.split_first().map_or((0, data), |(&choice, content)| (choice, content));
    let account = |name: &str| (format!("{name}@example.org"), "secret".to_owned());
    let fixture = Fixture {
        accounts: vec![account("bob"), account("eve")],
        options: [("message-size-limit".to_owned(), "20000".to_owned())].into(),
        ..Fixture::default()
    };
    let mut stage = SessionStage::new(&fixture).expect("the fixture is sound");
    let piece = usize::from(choice / 16) * 5 + 1;
    let mut caller = Caller::new(policy(dialect, choice & 0b11), &[&["bob", "eve"]], content, piece);
    stage.open(1, protocol, false).expect("a server");
    converse(&mut stage, &mut caller, piece);
    caller.ended(if caller.closed { End::Closed } else { End::HalfClosed });
    let outcomes = caller.reports.iter().flat_map(|report| &report.outcomes);
    let delivered = outcomes.filter(|outcome| matches!(outcome, Outcome::Delivered(_))).count();
    assert!(delivered == 0 || delivered == 2, "{:?}", caller.reports);
    let facts = ContentFacts::of(content);
    let fits = !facts.bare_line_end() && facts.size_announced() <= 20_000;
    assert_eq!(delivered == 2, fits, "{:?}", caller.reports);
    for name in ["bob", "eve"] {
        let check = Check::Mail(format!("{name}@example.org"), delivered / 2);
        stage.check(&check).unwrap_or_else(|problem| panic!("{problem}"));
    }
    if delivered > 0 {
        arrived(&mut stage, content, facts);
    }
}

/// Moves octets until both rest.
fn converse(stage: &mut SessionStage, caller: &mut Caller, piece: usize) {
    for _ in 0..STEPS_MAX {
        let sent = std::mem::take(&mut caller.sent);
        for octets in sent.chunks(piece) {
            stage.send(1, octets).unwrap_or_else(|problem| panic!("{problem}"));
        }
        let said = match stage.read(1, Patience::Glance) {
            Ok(Arrived::Bytes(said)) => said,
            _ => Vec::new(),
        };
        said.chunks(piece).for_each(|octets| caller.hear(octets));
        if caller.handshake && stage.awaits_handshake(1) {
            stage.start_tls(1).unwrap_or_else(|problem| panic!("{problem}"));
            caller.happen(0);
        } else if sent.is_empty() && said.is_empty() {
            assert!(caller.closed, "both wait");
            return;
        }
    }
    panic!("they never end");
}

/// What was delivered is read by POP3, and is what was sent.
fn arrived(stage: &mut SessionStage, content: &[u8], facts: ContentFacts) {
    stage.open(2, Protocol::Pop3, true).expect("a server");
    stage
        .send(2, b"UTF8\r\nUSER bob@example.org\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n")
        .expect("it takes commands");
    stage.close(2, Side::Write).expect("it hears the end");
    let Ok(Arrived::Bytes(said)) = stage.read(2, Patience::Glance) else { panic!("nothing is read") };
    let said = String::from_utf8_lossy(&said).into_owned();
    let ends = facts.size_announced() > facts.size();
    let content = [content, if ends { &b"\r\n"[..] } else { b"" }].concat();
    let stuffed: String = String::from_utf8_lossy(&content)
        .split_inclusive("\r\n")
        .map(|line| if line.starts_with('.') { format!(".{line}") } else { line.to_owned() })
        .collect();
    assert!(said.contains(&format!("{stuffed}.\r\n")), "{said:?} has not {stuffed:?}");
}
