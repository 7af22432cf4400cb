//! What differs from SMTP. That the client understands it is tested there (`smtp::client::tests::pair`).

use mail::Reply;
use proptest::prelude::*;

use super::*;
use crate::session::{Session, Step, TlsFacts, Upgrade};
use crate::smtp::{Answer, Question};

/// Talks to a session. Content is answered by `content`; recipients that begin with `no` are refused.
struct Talk {
    session: smtp::ServerSession,
    now: Instant,
    content: Answer,
    heard: String,
    upgrading: bool,
    closed: bool,
}

impl Talk {
    fn new(content: Answer) -> Self {
        // A test has no simulated clock to ask; only differences matter.
        #[allow(clippy::disallowed_methods)]
        let now = Instant::now();
        let session = server_session(Arc::new(smtp::tests::config()), now, crate::sasl::Seed([0; 32]));
        let (upgrading, closed) = (false, false);
        let mut talk = Self { session, now, content, heard: String::new(), upgrading, closed };
        talk.run();
        talk
    }

    fn run(&mut self) {
        loop {
            match self.session.next() {
                Step::Send(bytes) => self.heard.push_str(std::str::from_utf8(&bytes).unwrap()),
                Step::Ask(question) => {
                    let answer = self.decide(&question);
                    self.session.answer(self.now, answer);
                }
                Step::Upgrade(upgrade) => {
                    assert_eq!(upgrade, Upgrade::Tls);
                    self.upgrading = true;
                    return;
                }
                Step::Await { .. } => return,
                Step::Close => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    fn decide(&self, question: &Question) -> Answer {
        match question {
            Question::Recipient(recipient) if recipient.path.to_string().starts_with("<no") => {
                Answer::Reply(Reply::new(550, (5, 1, 1), "No"))
            }
            Question::Begin => Answer::Reply(Reply::plain(354, "Go on")),
            Question::Finish { .. } => self.content.clone(),
            Question::Refused(_) | Question::Abandoned | Question::Chunk(_) => Answer::Taken,
            _ => Answer::Reply(Reply::new(250, (2, 0, 0), "Yes")),
        }
    }

    fn say(&mut self, text: &str) {
        self.session.receive(self.now, text.as_bytes());
        self.run();
    }

    /// The codes of what was heard since the last look, the lines before the last of a reply left out.
    fn codes(&mut self) -> String {
        let heard = std::mem::take(&mut self.heard);
        let last_lines = heard.lines().filter(|line| line.as_bytes().get(3) != Some(&b'-'));
        last_lines.map(|line| &line[..3]).collect::<Vec<_>>().join(" ")
    }
}

fn taken() -> Answer {
    Answer::Reply(Reply::new(250, (2, 0, 0), "Kept"))
}

fn to(recipients: &[&str]) -> String {
    let rcpt: String = recipients.iter().map(|name| format!("RCPT TO:<{name}@example.org>\r\n")).collect();
    format!("LHLO c\r\nMAIL FROM:<>\r\n{rcpt}DATA\r\n")
}

#[track_caller]
fn check(content: Answer, input: &str, codes: &str) -> Talk {
    let mut talk = Talk::new(content);
    talk.say(input);
    assert_eq!(talk.codes(), codes, "{input:?}");
    talk
}

#[test]
fn lhlo_and_nothing_else_begins() {
    check(
        taken(),
        "EHLO c\r\nHELO c\r\nMAIL FROM:<>\r\nLHLO\r\nLHLO c\r\nMAIL FROM:<>\r\n",
        "220 500 500 503 501 250 250",
    );
    let mut talk = check(taken(), "LHLO c\r\n", "220 250");
    talk.say("LHLO c\r\n");
    let offered = ["PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME"]; // RFC 2033 §5
    assert!(offered.iter().all(|keyword| talk.heard.contains(keyword)), "{}", talk.heard);
    talk.heard.clear();
    talk.say("HELP\r\n");
    assert!(talk.heard.contains("LHLO") && !talk.heard.contains("EHLO"), "{}", talk.heard);
}

#[test]
fn data_without_recipients_is_503() {
    check(taken(), &to(&[]), "220 250 250 503");
    check(taken(), &to(&["no"]), "220 250 250 550 503");
}

#[test]
fn each_recipient_has_a_reply() {
    let replies = |codes: &[u16]| {
        let reply = |&code: &u16| Reply::new(code, ((code / 100) as u8, 0, 0), "Text");
        Answer::Replies(codes.iter().map(reply).collect())
    };
    let content = "a\r\n.\r\nNOOP\r\n";
    let three = format!("{}{content}", to(&["a", "no", "b", "a"]));
    let before = "220 250 250 250 550 250 250 354";
    check(replies(&[250, 452, 550]), &three, &format!("{before} 250 452 550 250"));
    // What the application did not say is deferred, what it said beyond is dropped.
    check(replies(&[250, 250]), &three, &format!("{before} 250 250 451 250"));
    check(replies(&[]), &three, &format!("{before} 451 451 451 250"));
    check(replies(&[250; 5]), &three, &format!("{before} 250 250 250 250"));
    check(taken(), &three, &format!("{before} 250 250 250 250"));
    check(Answer::Taken, &three, &format!("{before} 451 451 451 250"));
    // 421 is the last word.
    assert!(check(replies(&[250, 421, 250]), &three, &format!("{before} 250 421")).closed);
    assert!(
        check(Answer::Reply(Reply::new(421, (4, 3, 2), "Stop")), &three, &format!("{before} 421")).closed
    );
}

#[test]
fn content_that_is_refused_is_refused_for_each() {
    let before = "220 250 250 250 250 354";
    let two = to(&["a", "b"]);
    check(taken(), &format!("{two}a\n.\r\n.\r\nNOOP\r\n"), &format!("{before} 550 550 250"));
    check(taken(), &format!("{two}{}.\r\nNOOP\r\n", "x\r\n".repeat(400)), &format!("{before} 552 552 250"));
}

#[test]
fn smtp_gives_one_reply() {
    // A test has no simulated clock to ask; only differences matter.
    #[allow(clippy::disallowed_methods)]
    let now = Instant::now();
    let mut talk = Talk::new(Answer::Replies(vec![
        Reply::new(452, (4, 2, 2), "Full"),
        Reply::new(250, (2, 0, 0), "Kept"),
    ]));
    talk.session = smtp::ServerSession::new(Arc::new(smtp::tests::config()), now, crate::sasl::Seed([0; 32]));
    talk.say(&format!("{}a\r\n.\r\n", to(&["a", "b"]).replace("LHLO", "EHLO")));
    assert_eq!(talk.codes(), "220 220 250 250 250 250 354 452");
}

#[test]
fn the_greeting_is_forgotten_under_tls() {
    let mut talk = check(taken(), "LHLO c\r\nSTARTTLS\r\n", "220 250 220");
    assert!(talk.upgrading);
    talk.session.secured(talk.now, TlsFacts::default());
    talk.say("MAIL FROM:<>\r\n");
    assert_eq!(talk.codes(), "503");
}

proptest! {
    #[test]
    fn where_input_is_cut_does_not_matter(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("LHLO c\r\n"), Just("EHLO c\r\n"), Just("MAIL FROM:<>\r\n"), Just("RCPT TO:<b@example.org>\r\n"),
                Just("RCPT TO:<no@example.org>\r\n"), Just("DATA\r\n"), Just("a\r\n.\r\n"), Just("\n"), Just("RSET\r\n"),
            ],
            0..30,
        ),
        octets in 1..20_usize,
    ) {
        let input = pieces.concat();
        let mut whole = Talk::new(taken());
        whole.say(&input);
        let mut cut = Talk::new(taken());
        for piece in input.as_bytes().chunks(octets) {
            if !cut.closed {
                cut.say(std::str::from_utf8(piece).unwrap());
            }
        }
        prop_assert_eq!(cut.heard, whole.heard);
    }
}

#[test]
fn a_line_without_measure_is_refused_for_each_recipient() {
    let line = "x".repeat(crate::limits::SMTP_CONTENT_LINE_MAX + 1);
    let mut talk = Talk::new(taken());
    let config = smtp::Config { message_size_max: 8 << 20, ..smtp::tests::config() };
    talk.session = server_session(Arc::new(config), talk.now, crate::sasl::Seed([0; 32]));
    talk.say("LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
    talk.codes();
    talk.say(&format!("{line}\r\n.\r\n"));
    assert_eq!(talk.codes(), "554 554");
    talk.say("MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n");
    talk.codes();
    talk.say(&format!("BDAT {} LAST\r\n{line}", line.len()));
    assert_eq!(talk.codes(), "554 554");
}
