use std::time::Duration;

use proptest::prelude::*;

use super::super::Listing;
use super::*;
use crate::sasl::{Ask, SignIn};

const CONTENT: [&[u8]; 3] = [b"A: 1\r\n\r\n.dot\r\nlast", b"", b"B: 2\r\n\r\nx\r\n.\r\n..\r\n"];

fn config() -> Config {
    Config {
        host_name: "mx.example".into(),
        timeout: Duration::from_secs(600),
        timeout_before_sign_in: Duration::from_secs(60),
        starttls: true,
        auth_without_tls: true,
        auth: crate::sasl::Offer::USUAL,
        login_delay: Duration::ZERO,
        sign_in_failures_max: 3,
    }
}

#[expect(clippy::disallowed_methods, reason = "where a test's time begins")]
fn start() -> Instant {
    Instant::now()
}

/// An application with three emails, of which it hands out pieces of 7 octets; its password is `secret`.
fn decide(question: Question) -> Answer {
    match question {
        Question::Authenticate(Ask::Password(credentials)) if credentials.password.0 == "secret" => {
            Answer::SignIn(SignIn::Accepted(mail::Address::parse("ann@a.example").unwrap()).into())
        }
        Question::Authenticate(_) => Answer::SignIn(SignIn::Refused.into()),
        Question::Open => {
            let listing =
                |(content, uid): (&&[u8], u32)| Listing { uid: Uid(uid), size: content.len() as u64 };
            Answer::Maildrop { validity: 5, emails: CONTENT.iter().zip(1..).map(listing).collect() }
        }
        Question::Read { uid, offset } => {
            let rest = &CONTENT[uid.0 as usize - 1][offset as usize..];
            Answer::Content(Bytes::from_static(&rest[..rest.len().min(7)]))
        }
        Question::Remove(_) => Answer::Removed,
    }
}

/// One session, its output, and what it asked.
struct Play {
    session: ServerSession,
    now: Instant,
    output: Vec<u8>,
    asked: Vec<Question>,
    until: Instant,
    closed: bool,
}

impl Play {
    fn new(config: Config) -> Self {
        let now = start();
        let session = ServerSession::new(Arc::new(config), now, crate::sasl::Seed([0; 32]));
        let mut play =
            Self { session, now, output: Vec::new(), asked: Vec::new(), until: now, closed: false };
        play.run(decide);
        play
    }

    fn run(&mut self, mut decide: impl FnMut(Question) -> Answer) {
        loop {
            match self.session.next() {
                Step::Send(bytes) => self.output.extend_from_slice(&bytes),
                Step::Ask(question) => {
                    self.asked.push(question.clone());
                    self.session.answer(self.now, decide(question));
                }
                Step::Upgrade(_) => self.output.extend_from_slice(b"<tls>\r\n"),
                Step::Await { until, .. } => break self.until = until,
                Step::Close => break self.closed = true,
            }
        }
    }

    fn send(&mut self, text: &str) -> String {
        self.send_to(text, decide)
    }

    fn send_to(&mut self, text: &str, decide: impl FnMut(Question) -> Answer) -> String {
        self.output.clear();
        self.session.receive(self.now, text.as_bytes());
        self.run(decide);
        String::from_utf8(self.output.clone()).unwrap()
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.woken(self.now);
        self.run(decide);
    }

    fn outcome(mut self) -> Outcome {
        self.session.ended(self.now, End::Closed)
    }
}

fn signed_in() -> Play {
    let mut play = Play::new(config());
    play.send("USER ann\r\nPASS secret\r\n");
    play
}

#[test]
fn a_whole_session() {
    let mut play = signed_in();
    assert_eq!(play.send("STAT\r\n"), "+OK 3 36\r\n");
    assert_eq!(play.send("UIDL\r\n"), "+OK 3 messages (36 octets)\r\n1 5.1\r\n2 5.2\r\n3 5.3\r\n.\r\n");
    assert_eq!(play.send("RETR 1\r\n"), "+OK 18 octets\r\nA: 1\r\n\r\n..dot\r\nlast\r\n.\r\n");
    assert_eq!(play.send("RETR 2\r\n"), "+OK 0 octets\r\n.\r\n");
    assert_eq!(play.send("TOP 3 1\r\n"), "+OK\r\nB: 2\r\n\r\nx\r\n.\r\n");
    assert_eq!(
        play.send("DELE 2\r\nLIST\r\n"),
        "+OK message 2 is marked\r\n+OK 2 messages (36 octets)\r\n1 18\r\n3 18\r\n.\r\n"
    );
    assert_eq!(play.send("QUIT\r\n"), "+OK goodbye\r\n");
    assert!(play.closed);
    assert_eq!(play.asked.last(), Some(&Question::Remove(vec![Uid(2)])));
    assert_eq!(play.outcome(), Outcome { retrieved: 2, removed: 1, misuses: vec![] });
}

#[test]
fn without_quit_nothing_is_removed() {
    let mut play = signed_in();
    play.send("DELE 1\r\nDELE 2\r\nQUI");
    assert!(!play.asked.iter().any(|question| matches!(question, Question::Remove(_))));
    assert_eq!(play.outcome().removed, 0);
}

#[test]
fn top_asks_for_no_more_content_than_it_sends() {
    let mut play = signed_in();
    play.asked.clear();
    play.send("TOP 1 0\r\n");
    assert_eq!(play.asked.len(), 2, "8 octets of header in pieces of 7");
}

#[test]
fn a_server_that_cannot_says_so_and_never_sends_half_a_message_as_a_whole_one() {
    let gone = |_| Answer::Content(Bytes::new());
    assert!(signed_in().send_to("RETR 1\r\n", gone).starts_with("-ERR [SYS/TEMP] "));
    let mut play = signed_in();
    let mut pieces = [Answer::Content(Bytes::from_static(b"A: 1\r\n")), Answer::Unavailable].into_iter();
    assert_eq!(play.send_to("RETR 1\r\n", |_| pieces.next().unwrap()), "+OK 18 octets\r\nA: 1\r\n");
    assert!(play.closed);
    assert_eq!(play.outcome().retrieved, 0);

    let mut play = signed_in();
    assert!(
        play.send_to("DELE 1\r\nQUIT\r\n", |_| Answer::Unavailable)
            .ends_with("-ERR [SYS/TEMP] no message was removed\r\n")
    );
    assert!(play.closed);
    assert_eq!(play.outcome().removed, 0);

    let mut play = Play::new(config());
    let unavailable = |_| Answer::SignIn(SignIn::Unavailable.into());
    assert!(play.send_to("USER ann\r\nPASS secret\r\n", unavailable).contains("-ERR [SYS/TEMP] "));
    assert!(play.send("USER ann\r\nPASS secret\r\n").contains("+OK maildrop"), "it can be tried again");
}

#[test]
fn who_is_put_off_again_and_again_is_sent_away() {
    let mut play = Play::new(config());
    for number in 1..=3 {
        let said = play.send_to("USER ann\r\nPASS secret\r\n", |question| match question {
            Question::Authenticate(_) => Answer::SignIn(SignIn::Unavailable.into()),
            other => decide(other),
        });
        assert!(said.contains("-ERR [SYS/TEMP] "), "{said}");
        assert_eq!(play.closed, number == 3, "{number}");
    }
}

#[test]
fn idle_time_is_bounded_and_single_bytes_do_not_prolong_it() {
    let mut play = Play::new(config());
    for _ in 0..59 {
        play.pass(Duration::from_secs(1));
        play.send("N");
    }
    assert!(!play.closed);
    play.pass(Duration::from_secs(1));
    assert!(play.closed);
    assert!(play.send("").is_empty(), "RFC 1939 §3: not a word");

    let mut play = signed_in();
    play.pass(Duration::from_secs(599));
    play.send("NOOP\r\n");
    play.pass(Duration::from_secs(599));
    assert!(!play.closed);
    play.pass(Duration::from_secs(1));
    assert!(play.closed);
    assert_eq!(play.outcome().misuses, ["TooSlow"]);
}

#[test]
fn an_open_question_is_not_the_clients_slowness() {
    let now = start();
    let mut session = ServerSession::new(Arc::new(config()), now, crate::sasl::Seed([0; 32]));
    session.receive(now, b"USER a\r\nPASS b\r\n");
    while !matches!(session.next(), Step::Ask(_)) {}
    let later = now + Duration::from_secs(3600);
    session.woken(later);
    assert_eq!(session.next(), Step::Await { until: later + Duration::from_secs(60), read: true });
    session.receive(later, &[b'N'; INPUT_WAITING_MAX]);
    assert_eq!(session.next(), Step::Await { until: later + Duration::from_secs(60), read: false });
}

#[test]
fn a_stopping_server_ends_what_is_under_way_and_begins_nothing() {
    let now = start();
    let mut session = signed_in().session;
    session.receive(now, b"RETR 1\r\nDELE 1\r\n");
    let Step::Ask(question) = session.next() else { panic!("content is asked for") };
    session.stopping(now);
    assert!(matches!(session.next(), Step::Await { .. }));
    let mut output = Vec::new();
    session.answer(now, decide(question));
    loop {
        match session.next() {
            Step::Send(bytes) => output.extend_from_slice(&bytes),
            Step::Ask(question) => session.answer(now, decide(question)),
            Step::Close => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(output, b"+OK 18 octets\r\nA: 1\r\n\r\n..dot\r\nlast\r\n.\r\n");
}

#[test]
fn stls_forgets_and_refuses_input_that_came_with_it() {
    let mut play = Play::new(Config { auth_without_tls: false, ..config() });
    assert!(play.send("USER ann\r\n").starts_with("-ERR begin TLS"));
    assert!(play.send("STLS\r\n").ends_with("+OK begin TLS\r\n<tls>\r\n"));
    play.session.secured(play.now, TlsFacts::default());
    assert_eq!(play.send("PASS secret\r\n"), "-ERR USER comes before PASS\r\n");
    assert!(play.send("USER ann\r\nPASS secret\r\n").contains("+OK maildrop"));

    let mut play = Play::new(config());
    play.send("USER ann\r\nSTLS\r\nPASS secret\r\n");
    assert!(play.closed && play.asked.is_empty());
    assert_eq!(play.outcome().misuses, ["InputBeforeTls"]);
}

#[test]
fn commands_before_sign_in_are_bounded() {
    let mut play = Play::new(config());
    for _ in 0..COMMANDS_BEFORE_SIGN_IN_MAX {
        play.send("CAPA\r\n");
    }
    assert!(!play.closed);
    play.send("CAPA\r\n");
    assert!(play.closed);
}

#[test]
fn long_lists_leave_in_bounded_pieces() {
    let emails: Arc<[Listing]> = (1..=9_999).map(|uid| Listing { uid: Uid(uid), size: 1 }).collect();
    let now = start();
    let mut session = signed_in().session;
    session.state = State::Transaction(Maildrop::new(1, emails));
    session.receive(now, b"UIDL\r\nNOOP\r\n");
    let mut output = Vec::new();
    while let Step::Send(bytes) = session.next() {
        assert!(bytes.len() < OUTPUT_MAX + LINE_MAX);
        output.extend_from_slice(&bytes);
    }
    let text = String::from_utf8(output).unwrap();
    assert_eq!(text.lines().count(), 9_999 + 3);
    assert!(text.ends_with("\r\n9999 1.9999\r\n.\r\n+OK\r\n"));
}

const LINES: [&str; 18] = [
    "USER ann\r\n",
    "PASS secret\r\n",
    "PASS wrong\r\n",
    "CAPA\r\n",
    "STAT\r\n",
    "LIST\r\n",
    "LIST 2\r\n",
    "UIDL\r\n",
    "RETR 1\r\n",
    "TOP 3 2\r\n",
    "DELE 1\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "QUIT\r\n",
    "\0x\r\n",
    "a\nb\rc\r\n",
    "XYZZY\r\n",
    "RETR 9\r\n",
];

/// Everything a session does with these bytes, which come in these pieces.
fn everything(pieces: &[&[u8]]) -> (Vec<u8>, Vec<Question>, bool, Outcome) {
    let mut play = Play::new(config());
    for piece in pieces {
        if play.closed {
            break;
        }
        play.session.receive(play.now, piece);
        play.run(decide);
    }
    (play.output.clone(), play.asked.clone(), play.closed, play.outcome())
}

proptest! {
    #[test]
    fn where_input_is_cut_does_not_matter(
        lines in prop::collection::vec(prop::sample::select(LINES.to_vec()), 0..12),
        long in 0usize..700,
        cuts in prop::collection::vec(1usize..9, 0..40),
    ) {
        let text = ["USER ann\r\nPASS secret\r\n".to_owned(), lines.concat(), "x".repeat(long), "\r\nNOOP\r\n".into()].concat();
        let mut rest = text.as_bytes();
        let mut pieces = Vec::new();
        for cut in cuts {
            let (piece, tail) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        pieces.push(rest);
        prop_assert_eq!(everything(&pieces), everything(&[text.as_bytes()]));
    }

    #[test]
    fn no_input_makes_it_panic(pieces: Vec<Vec<u8>>) {
        everything(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
}
