//! What is noted of whole dialogues, in every protocol: secrets never, content never, and the same however it is cut.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mail::{ModSeq, Reply, Timestamp, Uid};
use proptest::prelude::*;

use super::*;
use crate::sasl::{Ask, Offer, SignIn, Told};
use crate::session::{End, Session, Step, TlsFacts};
use crate::{imap, lmtp, pop3, smtp};

#[test]
fn only_names_of_mechanisms_are_shown() {
    for (arguments, expected) in [
        ("", ""),
        ("plain", "PLAIN"),
        ("PLAIN AGJvYgBzZWNyZXQ=", "PLAIN (blanked)"),
        ("PLAIN  AGJvYgBzZWNyZXQ=", "PLAIN (blanked)"),
        ("AGJvYgBzZWNyZXQ=", "(blanked)"),
        ("AGJvYgBzZWNyZXQ= PLAIN", "(blanked)"),
        (" PLAIN AGJvYgBzZWNyZXQ=", "(blanked)"),
        ("PLAIN\tAGJvYgBzZWNyZXQ=", "(blanked)"),
    ] {
        assert_eq!(auth_shown(arguments.as_bytes()), expected, "{arguments:?}");
    }
}

#[test]
fn notes_are_bounded_and_printable() {
    let mut notes = Notes::default();
    notes.peer("a\x1b[2J");
    notes.we("x".repeat(OVERHEARD_OCTETS_MAX + 7));
    let taken = notes.take();
    assert_eq!(taken[0], Overheard { by: Speaker::Peer, text: r"a\x1b[2J".into() });
    assert_eq!(taken[1].text, format!("{} (7 octets more)", "x".repeat(OVERHEARD_OCTETS_MAX)));
    (0..OVERHEARD_LINES_MAX + 3).for_each(|_| notes.we("NOOP"));
    let taken = notes.take();
    assert_eq!(taken.len(), OVERHEARD_LINES_MAX + 1);
    assert_eq!(taken.last().unwrap().text, "(3 lines left out)");
    assert_eq!(notes.take(), []);
}

/// Words that must never be seen: two passwords, and what content holds.
const SECRET: &str = "Tr0ub4dor&3";
const WRONG: &str = "hunter2-wrong";
const LETTER: &str = "meet-me-at-noon";
/// The same in base64: secret, wrong, and each in a PLAIN response of bob.
const ENCODED: &[&str] =
    &["VHIwdWI0ZG9yJjM", "aHVudGVyMi13cm9uZw", "YgBUcjB1YjRkb3ImMw", "YgBodW50ZXIyLXdyb25n"];
const PLAIN: &str = "AGJvYgBUcjB1YjRkb3ImMw==";
const PLAIN_WRONG: &str = "AGJvYgBodW50ZXIyLXdyb25n";

fn sign_in(ask: &Ask) -> Told {
    let sign_in = match ask {
        Ask::Password(credentials) if credentials.password.0 == SECRET => {
            SignIn::Accepted("bob@example.org".parse().unwrap())
        }
        _ => SignIn::Refused,
    };
    sign_in.into()
}

/// All that a session noted of a dialogue that came in pieces ending at `ends`: `< ` by the peer, `> ` by us.
fn noted<S: Session>(
    mut session: S,
    now: Instant,
    (input, ends): (&[u8], &[usize]),
    decide: impl Fn(S::Question) -> S::Answer,
) -> Vec<String> {
    session.overhear();
    let (mut noted, mut start, mut ends) = (Vec::new(), 0, ends.iter());
    loop {
        let step = session.next();
        noted.extend(session.overheard());
        match step {
            Step::Send(_) => {}
            Step::Ask(question) => session.answer(now, decide(question)),
            Step::Upgrade(_) => session.secured(now, TlsFacts::default()),
            Step::Await { .. } => match ends.next() {
                Some(&end) => session.receive(now, &input[std::mem::replace(&mut start, end)..end]),
                None => break,
            },
            Step::Close => break,
        }
    }
    session.ended(now, End::Cut);
    noted.extend(session.overheard());
    let sign = |by| if by == Speaker::Peer { '<' } else { '>' };
    noted.into_iter().map(|line| format!("{} {}", sign(line.by), line.text)).collect()
}

/// Whether passwords are taken without TLS: both ways of sign-in, the one that is refused and the other.
type Takes = bool;

fn smtp(takes: Takes, cut: (&[u8], &[usize])) -> Vec<String> {
    let now = start();
    noted(
        smtp::ServerSession::new(smtp_config(takes), now, crate::sasl::Seed([0; 32])),
        now,
        cut,
        smtp_application,
    )
}

fn lmtp(takes: Takes, cut: (&[u8], &[usize])) -> Vec<String> {
    let now = start();
    noted(
        lmtp::server_session(smtp_config(takes), now, crate::sasl::Seed([0; 32])),
        now,
        cut,
        smtp_application,
    )
}

fn smtp_config(auth_without_tls: bool) -> Arc<smtp::Config> {
    Arc::new(smtp::Config { auth_without_tls, message_size_max: 200, ..smtp::tests::config() })
}

fn smtp_application(question: smtp::Question) -> smtp::Answer {
    match question {
        smtp::Question::Authenticate(credentials) => smtp::Answer::SignIn(sign_in(&credentials)),
        smtp::Question::Begin => smtp::Answer::Reply(Reply::plain(354, "Go on")),
        smtp::Question::Chunk(_) | smtp::Question::Refused(_) | smtp::Question::Abandoned => {
            smtp::Answer::Taken
        }
        _ => smtp::Answer::Reply(Reply::new(250, (2, 0, 0), "Yes")),
    }
}

fn pop3(takes: Takes, cut: (&[u8], &[usize])) -> Vec<String> {
    let minute = Duration::from_secs(60);
    let config = pop3::Config {
        host_name: "mx.example".into(),
        timeout: minute,
        timeout_before_sign_in: minute,
        starttls: true,
        auth_without_tls: takes,
        auth: crate::sasl::Offer::USUAL,
        login_delay: Duration::ZERO,
        sign_in_failures_max: 3,
    };
    let now = start();
    let content = format!("Subject: {LETTER}\r\n\r\n.{LETTER}\r\n");
    noted(pop3::ServerSession::new(Arc::new(config), now, crate::sasl::Seed([0; 32])), now, cut, |question| {
        match question {
            pop3::Question::Authenticate(credentials) => pop3::Answer::SignIn(sign_in(&credentials)),
            pop3::Question::Open => pop3::Answer::Maildrop {
                validity: 5,
                emails: [pop3::Listing { uid: Uid(1), size: content.len() as u64 }].into(),
            },
            pop3::Question::Read { offset, .. } => {
                let rest = &content.as_bytes()[offset as usize..];
                pop3::Answer::Content(Bytes::copy_from_slice(&rest[..rest.len().min(7)]))
            }
            pop3::Question::Remove(_) => pop3::Answer::Removed,
        }
    })
}

fn imap(takes: Takes, cut: (&[u8], &[usize])) -> Vec<String> {
    let minute = Duration::from_secs(60);
    let config = imap::Config {
        host_name: "mx.example".into(),
        timeout: minute,
        timeout_before_sign_in: minute,
        starttls: true,
        auth_without_tls: takes,
        auth: Offer::USUAL,
        sign_in_failures_max: 3,
        append_size_max: 200,
    };
    let now = start();
    noted(
        imap::ServerSession::new(Arc::new(config), now, crate::sasl::Seed([0; 32])),
        now,
        cut,
        imap_application,
    )
}

/// One email in every mailbox.
fn imap_application(question: imap::Question) -> imap::Answer {
    use imap::{Answer, Question};
    let uids = || [Uid(1)].into_iter().collect();
    match question {
        Question::Authenticate(credentials) => Answer::SignIn(sign_in(&credentials)),
        Question::Select(_) => Answer::Selected(imap::Selected {
            uid_validity: 5,
            uid_next: 2,
            highest_modseq: ModSeq(1),
            uids: uids(),
            keywords: Vec::new(),
            first_unseen: None,
        }),
        Question::Changes { since } => Answer::Changes(imap::Changes {
            highest_modseq: since,
            vanished: mail::UidSet::new(),
            arrived: mail::UidSet::new(),
            flags: Vec::new(),
            rest: mail::UidSet::new(),
        }),
        Question::Fetch { wants, .. } => {
            Answer::Rows { rows: vec![imap_row(&wants)], rest: mail::UidSet::new() }
        }
        Question::AppendFinish { .. } => Answer::Appended { validity: 5, uids: Uid(2).into() },
        Question::Search { .. } => Answer::Found { uids: uids(), modseq: None },
        _ => Answer::Done,
    }
}

fn imap_row(wants: &imap::FetchWants) -> imap::FetchRow {
    let start = Bytes::from_static(LETTER.as_bytes());
    let section = |_| imap::Piece::Octets { length: LETTER.len() as u64, start: start.clone() };
    imap::FetchRow {
        uid: Uid(1),
        flags: Vec::new(),
        modseq: ModSeq(1),
        facts: Some((Timestamp(0), LETTER.len() as u64)),
        envelope: None,
        structure: None,
        sections: wants.sections.iter().map(section).collect(),
        binary_sizes: Vec::new(),
    }
}

#[expect(clippy::disallowed_methods, reason = "where a test's time begins")]
fn start() -> Instant {
    Instant::now()
}

/// Plays a dialogue: its octets, and where its pieces end.
type Play = fn(Takes, (&[u8], &[usize])) -> Vec<String>;

const PROTOCOLS: [Play; 4] = [smtp, pop3, imap, lmtp];

fn check(protocol: usize, input: &str, expected: &[&str]) {
    let noted = PROTOCOLS[protocol](true, (input.as_bytes(), &[input.len()]));
    assert_eq!(noted, expected, "{input}");
}

#[test]
fn smtp_dialogues() {
    let input = format!(
        "HELO c\r\nAUTH LOGIN\r\nYm9i\r\nVHIwdWI0ZG9yJjM=\r\nMAIL FROM:<a@b.example>\r\n\
         RCPT TO:<c@d.example>\r\nDATA\r\nSubject: {LETTER}\r\n..\r\n.\r\nNOOP\nx\r\nQUIT\r\n"
    );
    check(
        0,
        &input,
        &[
            "> 220 mx.example.org ESMTP",
            "< HELO c",
            "> 250 mx.example.org",
            "< AUTH LOGIN",
            "> 334 VXNlcm5hbWU6",
            "< (blanked)",
            "> 334 UGFzc3dvcmQ6",
            "< (blanked)",
            "> 235 2.7.0 Signed in",
            "< MAIL FROM:<a@b.example>",
            "> 250 2.0.0 Yes",
            "< RCPT TO:<c@d.example>",
            "> 250 2.0.0 Yes",
            "< DATA",
            "> 354 Go on",
            "< (29 octets)",
            "> 250 2.0.0 Yes",
            "< (BareLineFeed)",
            "> 500 5.5.2 A line feed must follow a carriage return",
            "< QUIT",
            "> 221 2.0.0 Goodbye",
        ],
    );
}

#[test]
fn in_lmtp_each_recipient_has_a_reply() {
    let input =
        "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\r\n.\r\n";
    let noted = lmtp(true, (input.as_bytes(), &[input.len()]));
    let end = ["< DATA", "> 354 Go on", "< (3 octets)", "> 250 2.0.0 Yes", "> 250 2.0.0 Yes"];
    assert_eq!(noted[noted.len() - end.len()..], end);
    assert_eq!(noted[1], "< LHLO c");
}

#[test]
fn content_that_the_connection_cut_off_is_told_by_what_came() {
    for (protocol, input) in [
        (0, "HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nx\r\ny".to_owned()),
        (2, format!("a1 LOGIN bob {SECRET}\r\na2 APPEND Sent {{20+}}\r\nfour")),
    ] {
        let noted = PROTOCOLS[protocol](true, (input.as_bytes(), &[input.len()]));
        assert_eq!(noted.last().unwrap(), "< (4 octets)");
    }
}

#[test]
fn a_session_that_was_not_asked_notes_nothing() {
    let now = start();
    let mut session = smtp::ServerSession::new(smtp_config(true), now, crate::sasl::Seed([0; 32]));
    session.receive(now, b"HELO c\r\n");
    assert!(matches!(session.next(), Step::Send(_)));
    assert_eq!(session.overheard(), []);
}

#[test]
fn pop3_dialogues() {
    let input = format!("USER bob\r\nPASS {SECRET}\r\nUIDL\r\nRETR 1\r\nTOP 1 0\r\nQUIT\r\n");
    check(
        1,
        &input,
        &[
            "> +OK mx.example POP3 server ready",
            "< USER bob",
            "> +OK send PASS",
            "< PASS (blanked)",
            "> +OK maildrop has 1 messages (46 octets)",
            "< UIDL",
            "> +OK 1 messages (46 octets)",
            "> 1 5.1",
            "> .",
            "< RETR 1",
            "> +OK 46 octets",
            "> (46 octets)",
            "< TOP 1 0",
            "> +OK",
            "> (28 octets)",
            "< QUIT",
            "> +OK goodbye",
        ],
    );
}

#[test]
fn imap_dialogues() {
    let input = format!(
        "a1 LOGIN {{3}}\r\nbob {{11+}}\r\n{SECRET}\r\na2 SELECT INBOX\r\na3 FETCH 1 (UID BODY.PEEK[])\r\n\
         a4 IDLE\r\nDONE\r\na5 APPEND Sent {{15}}\r\n{LETTER}\r\n{PLAIN} x\r\na6 LOGOUT\r\n"
    );
    let noted = imap(true, (input.as_bytes(), &[input.len()]));
    let greeting =
        |line: &String| line.contains("CAPABILITY") || line.starts_with("> * ") && !line.contains("FETCH");
    let noted: Vec<_> = noted.into_iter().filter(|line| !greeting(line)).collect();
    assert_eq!(
        noted,
        [
            "< a1 LOGIN (blanked)",
            "> + OK",
            "< (blanked)",
            "< (blanked)",
            "< a2 SELECT INBOX",
            "> a2 OK [READ-WRITE] SELECT completed",
            "< a3 FETCH 1 (UID BODY.PEEK[])",
            "> * 1 FETCH (UID 1 BODY[] (15 octets))",
            "> a3 OK FETCH completed",
            "< a4 IDLE",
            "> + idling",
            "< DONE",
            "> a4 OK IDLE terminated",
            "< a5 APPEND Sent {15}",
            "> + OK",
            "< (15 octets)",
            "> a5 OK [APPENDUID 5 2] APPEND completed",
            "< (not a command)",
            "> (tag) BAD Unknown command",
            "< a6 LOGOUT",
            "> a6 OK LOGOUT completed",
        ]
    );
}

/// Every way in which a password or content comes, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let lines = [
        "EHLO c",
        "HELO c",
        "AUTH LOGIN",
        "AUTH PLAIN",
        "AUTH",
        "AUTH CRAM-MD5",
        "Ym9i",
        "*",
        "=",
        "DONE",
        "MAIL FROM:<a@b.example>",
        "RCPT TO:<c@d.example>",
        "DATA",
        ".",
        "RSET",
        "USER bob",
        "CAPA",
        "STAT",
        "RETR 1",
        "TOP 1 1",
        "STLS",
        "STARTTLS",
        "a1 NOOP",
        "a2 LOGIN bob {11}",
        "a3 LOGIN {3+}",
        "a4 AUTHENTICATE PLAIN",
        "a5 AUTHENTICATE LOGIN",
        "a6 SELECT INBOX",
        "a7 FETCH 1 (BODY.PEEK[] UID)",
        "a8 APPEND Sent {15}",
        "a9 APPEND Sent (\\Seen) {15+}",
        "a10 IDLE",
        "a11 STARTTLS",
        "a12 SEARCH ALL",
        "a13 LOGIN bob {999999}",
        "a14 APPEND Sent {999}",
    ];
    let secrets = prop_oneof![
        Just(SECRET),
        Just(WRONG),
        Just(PLAIN),
        Just(PLAIN_WRONG),
        Just("VHIwdWI0ZG9yJjM="),
        Just("aHVudGVyMi13cm9uZw=="),
    ];
    let before = [
        "",
        " ",
        "PASS ",
        "pass ",
        " PASS ",
        "PASS\t",
        "PASS",
        "USER bob ",
        "APOP bob ",
        "AUTH ",
        "AUTH PLAIN ",
        "auth plain  ",
        "AUTH LOGIN ",
        "AUTH\tPLAIN ",
        "AUTH CRAM-MD5 ",
        "NOOP ",
        "RSET ",
        "HELP me ",
        "QUIT x ",
        "a1 LOGIN bob ",
        "a2 login \"bob\" ",
        "LOGIN bob ",
        "a3  LOGIN bob ",
        "a4 LOGIN {3+}\r\nbob ",
        "a5 LOGIN bob {11+}\r\n",
        "a6 AUTHENTICATE PLAIN ",
        "a7 AUTHENTICATE ",
        "bob ",
        "a8 NOOP ",
        "a9 LOGOUT ",
    ];
    let ends = ["\r\n", "\n", "\r\n", " x\r\n", "\0\r\n", "\r\n", "\""];
    prop_oneof![
        3 => proptest::sample::select(lines.to_vec()).prop_map(|line| format!("{line}\r\n")),
        3 => (proptest::sample::select(before.to_vec()), secrets, proptest::sample::select(ends.to_vec()))
            .prop_map(|(before, secret, end)| format!("{before}{secret}{end}")),
        1 => proptest::sample::select(vec!["", "Subject: ", "..", "x\r\n"])
            .prop_map(|before| format!("{before}{LETTER}\r\n")),
    ]
}

/// How somebody begins who knows the protocol, so that what comes then has an effect.
fn opening(protocol: usize) -> String {
    match protocol {
        0 => format!("EHLO c\r\nAUTH PLAIN {PLAIN}\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\n"),
        1 => format!("USER bob\r\nPASS {SECRET}\r\n"),
        3 => format!("LHLO c\r\nAUTH PLAIN {PLAIN}\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\n"),
        _ => format!("a0 LOGIN bob {SECRET}\r\na0 SELECT INBOX\r\n"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_secret_and_no_content_is_ever_noted(
        pieces in proptest::collection::vec(pieces(), 0..25),
        cuts in proptest::collection::vec(0..600_usize, 0..8),
        takes: bool,
        opened: bool,
    ) {
        for (number, protocol) in PROTOCOLS.iter().enumerate() {
            let opening = if opened { opening(number) } else { String::new() };
            let input = (opening + &pieces.concat()).into_bytes();
            let mut ends: Vec<_> = cuts.iter().map(|&cut| cut.min(input.len())).collect();
            ends.push(input.len());
            ends.sort_unstable();
            let noted = protocol(takes, (&input, &ends));
            let said = noted.join("\n");
            for word in [SECRET, WRONG, LETTER].iter().chain(ENCODED) {
                prop_assert!(!said.contains(word), "{word} in {said}");
            }
        }
    }

    #[test]
    fn where_input_is_cut_does_not_matter(
        pieces in proptest::collection::vec(pieces(), 0..12),
        cuts in proptest::collection::vec(0..300_usize, 0..8),
        takes: bool,
    ) {
        let input = pieces.concat().into_bytes();
        let mut ends: Vec<_> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
        ends.push(input.len());
        ends.sort_unstable();
        // What follows STARTTLS too early is told by where it was cut, and nothing else is.
        prop_assume!(!pieces.iter().any(|piece| piece.contains("TLS") || piece.contains("STLS")));
        for protocol in PROTOCOLS {
            prop_assert_eq!(protocol(takes, (&input, &ends)), protocol(takes, (&input, &[input.len()])));
        }
    }
}
