//! The client against our own server: bytes are moved between the two sessions.

use mail::Reply;
use proptest::prelude::*;

use super::*;
use crate::sasl::{Ask, SignIn};
use crate::smtp;
use crate::smtp::ServerSession;

/// The server's end, with an application that knows `bob@example.org`: it refuses what begins with `no`, defers what
/// begins with `later`, and has a full mailbox for what begins with `full`.
struct Server {
    session: ServerSession,
    lmtp: bool,
    recipients: Vec<String>,
    content: Vec<u8>,
    /// What was taken, with the recipients.
    taken: Vec<(Vec<String>, Vec<u8>)>,
    sent: Vec<u8>,
    upgrading: bool,
    closed: bool,
}

impl Server {
    fn new(config: smtp::Config, dialect: Dialect, now: Instant) -> Self {
        let config = Arc::new(config);
        let session = match dialect {
            Dialect::Smtp => ServerSession::new(config, now, crate::sasl::Seed([0; 32])),
            Dialect::Lmtp => ServerSession::lmtp(config, now, crate::sasl::Seed([0; 32])),
        };
        Self {
            session,
            lmtp: dialect == Dialect::Lmtp,
            recipients: Vec::new(),
            content: Vec::new(),
            taken: Vec::new(),
            sent: Vec::new(),
            upgrading: false,
            closed: false,
        }
    }

    fn run(&mut self, now: Instant) {
        loop {
            match self.session.next() {
                Step::Send(bytes) => self.sent.extend_from_slice(&bytes),
                Step::Ask(question) => {
                    let answer = self.decide(question);
                    self.session.answer(now, answer);
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

    fn decide(&mut self, question: smtp::Question) -> smtp::Answer {
        use smtp::{Answer, Question};
        match question {
            Question::Authenticate(Ask::Password(credentials)) if credentials.password.0 == "secret" => {
                Answer::SignIn(SignIn::Accepted("bob@example.org".parse().unwrap()).into())
            }
            Question::Authenticate(_) => Answer::SignIn(SignIn::Refused.into()),
            Question::Recipient(recipient) => {
                let path = recipient.path.to_string();
                let reply = match &path {
                    path if path.starts_with("<no") => Reply::new(550, (5, 1, 1), "No such mailbox"),
                    path if path.starts_with("<later") => Reply::new(451, (4, 7, 1), "Come again"),
                    _ => Reply::new(250, (2, 1, 5), "Yes"),
                };
                if reply.is_positive() {
                    self.recipients.push(path);
                }
                Answer::Reply(reply)
            }
            Question::Begin => Answer::Reply(Reply::plain(354, "Go on")),
            Question::Chunk(chunk) => {
                self.content.extend_from_slice(&chunk);
                Answer::Taken
            }
            Question::Finish { last, size, .. } => {
                self.content.extend_from_slice(&last);
                assert_eq!(self.content.len() as u64, size);
                self.finish()
            }
            Question::Refused(_) | Question::Abandoned => {
                self.recipients.clear();
                self.content.clear();
                Answer::Taken
            }
            _ => Answer::Reply(Reply::new(250, (2, 0, 0), "Yes")),
        }
    }

    fn finish(&mut self) -> smtp::Answer {
        let recipients = std::mem::take(&mut self.recipients);
        let replies = recipients.iter().map(|path| match path {
            path if path.starts_with("<full") => Reply::new(452, (4, 2, 2), "Full"),
            _ => Reply::new(250, (2, 0, 0), "Kept"),
        });
        let replies = replies.collect();
        self.taken.push((recipients, std::mem::take(&mut self.content)));
        if self.lmtp {
            smtp::Answer::Replies(replies)
        } else {
            smtp::Answer::Reply(Reply::new(250, (2, 0, 0), "Kept"))
        }
    }
}

/// Moves bytes until both have closed; `piece` octets at a time.
fn pair(config: smtp::Config, policy: Policy, letters: &[Letter], piece: usize) -> (Seen, Server) {
    pair_until(config, policy, letters, piece, usize::MAX)
}

/// The same, but the connection breaks when the client has heard so many octets.
fn pair_until(
    config: smtp::Config,
    policy: Policy,
    letters: &[Letter],
    piece: usize,
    mut heard_max: usize,
) -> (Seen, Server) {
    let dialect = policy.dialect;
    let mut caller = Caller::new(policy, letters.to_vec());
    caller.chunk = piece.max(1);
    let mut server = Server::new(config, dialect, caller.now);
    server.run(caller.now);
    caller.run();
    while !caller.closed {
        let (to_server, to_client) = (std::mem::take(&mut caller.sent), std::mem::take(&mut server.sent));
        for bytes in to_server.chunks(piece) {
            server.session.receive(caller.now, bytes);
            server.run(caller.now);
        }
        let heard = &to_client[..to_client.len().min(heard_max)];
        heard_max -= heard.len();
        heard.chunks(piece).for_each(|bytes| caller.hear(bytes));
        if heard_max == 0 {
            return (caller.over(End::Cut), server);
        }
        if caller.upgrading && server.upgrading && server.sent.is_empty() {
            server.upgrading = false;
            server.session.secured(caller.now, TlsFacts::default());
            server.run(caller.now);
            caller.secured();
        } else if to_client.is_empty() && server.sent.is_empty() && caller.sent.is_empty() && !caller.closed {
            assert!(server.closed, "both wait");
            return (caller.over(End::HalfClosed), server);
        }
    }
    (caller.over(End::Closed), server)
}

fn config() -> smtp::Config {
    smtp::Config { message_size_max: 1 << 20, ..smtp::tests::config() }
}

#[track_caller]
fn check(config: smtp::Config, policy: Policy, letters: &[Letter], seen: &str) -> (Seen, Server) {
    let (found, server) = pair(config.clone(), policy.clone(), letters, 64 * 1024);
    assert_eq!(found.text(), seen);
    let (cut, _) = pair(config, policy, letters, 1);
    assert_eq!(cut, found, "octet by octet");
    (found, server)
}

#[test]
fn mail_arrives_as_it_was() {
    let letters = [letter(&["bob", "eve"], ".\r\n..\r\nHello\r\n.\r\nMAIL FROM:<x@y>"), letter(&["bob"], "")];
    let (seen, server) = check(config(), policy(), &letters, "delivered; delivered | delivered");
    assert!(seen.reports.iter().all(|report| report.tls.is_some()), "our server offers TLS");
    let contents: Vec<_> = server.taken.iter().map(|(_, content)| String::from_utf8_lossy(content)).collect();
    assert_eq!(contents, [".\r\n..\r\nHello\r\n.\r\nMAIL FROM:<x@y>\r\n", ""]);
    assert_eq!(server.taken[0].0, ["<bob@example.org>", "<eve@example.org>"]);
}

#[test]
fn large_content_goes_in_pieces() {
    let content = "x".repeat(77) + "\r\n.\r\n";
    let large = content.repeat(10_000);
    let (seen, server) = pair(config(), policy(), &[letter(&["bob"], &large)], 64 * 1024);
    assert_eq!(seen.text(), "delivered");
    assert_eq!(server.taken[0].1, large.into_bytes());
}

#[test]
fn some_recipients_are_refused() {
    let refused = "failed 5.1.1 550 5.1.1 No such mailbox (in answer to RCPT)";
    let later = "deferred 4.7.1 451 4.7.1 Come again (in answer to RCPT)";
    let some = letter(&["no", "bob", "later"], "a\r\n");
    check(config(), policy(), std::slice::from_ref(&some), &format!("{refused}; delivered; {later}"));
    let none = letter(&["no", "later"], "a\r\n");
    let (_, server) = check(
        config(),
        policy(),
        &[none, some],
        &format!("{refused}; {later} | {refused}; delivered; {later}"),
    );
    assert_eq!(server.taken.len(), 1);
}

#[test]
fn too_many_recipients_are_left_for_another_time() {
    let (seen, server) = pair(config(), policy(), &[letter(&["a", "b", "c", "d", "e"], "a\r\n")], 1000);
    assert_eq!(server.taken[0].0.len(), 3);
    let causes: Vec<_> = seen.reports[0].outcomes.iter().map(|outcome| outcome.diagnostic().cause).collect();
    assert_eq!(causes[3..], [Cause::RecipientsExcess; 2]);
}

#[test]
fn the_size_is_known_before() {
    let small = smtp::Config { message_size_max: 10, ..config() };
    let seen = "failed 5.3.4 5.3.4 the message is larger than the peer takes (at the start of a transaction) | delivered";
    check(small, policy(), &[letter(&["bob"], "123456789"), letter(&["bob"], "12345678")], seen);
}

#[test]
fn sign_in_under_tls() {
    let strict = smtp::Config { tls_required: true, auth_required: true, ..config() };
    let with = |sign_in| Policy { tls: Tls::Required, sign_in, ..policy() };
    let letters = [letter(&["bob"], "a\r\n")];
    check(strict.clone(), with(sign_in()), &letters, "delivered");
    let login = smtp::Config { auth: crate::sasl::Offer::of(["login"]), ..strict.clone() };
    check(login, with(sign_in()), &letters, "delivered");
    let wrong = sign_in().map(|sign_in| SignInAs { password: Password("wrong".into()), ..sign_in });
    let refused = "none: the peer did not take user name and password: \
                   535 5.7.8 User name or password is wrong (in answer to AUTH)";
    check(strict.clone(), with(wrong), &letters, refused);
    let nobody = "failed 5.7.0 530 5.7.0 Sign in first (in answer to MAIL)";
    check(strict.clone(), with(None), &letters, nobody);
    let clear = "failed 5.7.0 530 5.7.0 Must issue a STARTTLS command first (in answer to MAIL)";
    check(strict, Policy { tls: Tls::Off, ..policy() }, &letters, clear);
}

#[test]
fn the_server_has_had_enough() {
    let letters = vec![letter(&["bob"], "a\r\n"); 4];
    // RFC 9422 §4.1: it says so before, and nobody runs into it.
    let seen = "delivered | delivered | delivered";
    check(config(), policy(), &letters, seen);
}

#[test]
fn lmtp_tells_each_recipient() {
    let lmtp = Policy { dialect: Dialect::Lmtp, ..policy() };
    let full = "deferred 4.2.2 452 4.2.2 Full (in answer to the end of the content)";
    let refused = "failed 5.1.1 550 5.1.1 No such mailbox (in answer to RCPT)";
    let letters =
        [letter(&["bob", "full", "no"], ".a\r\n"), letter(&["no"], "a\r\n"), letter(&["bob"], "b\r\n")];
    let seen = format!("delivered; {full}; {refused} | {refused} | delivered");
    let (_, server) = check(config(), lmtp, &letters, &seen);
    assert_eq!(server.taken[0].1, b".a\r\n");
}

/// Wherever the connection breaks: what the client calls delivered is with the server, and what is with the server
/// although the client did not hear so is told to be uncertain (RFC 1047).
#[test]
fn nothing_is_lost_where_the_connection_breaks() {
    let letters = [letter(&["bob", "eve"], "a\r\n"), letter(&["bob", "full"], "b\r\n")];
    let reports = |heard_max: usize, dialect: Dialect| {
        let (seen, server) = pair_until(config(), Policy { dialect, ..policy() }, &letters, 1, heard_max);
        let taken = server.taken.len();
        assert_eq!(seen.reports.len(), seen.summary.transactions);
        for (place, report) in seen.reports.iter().enumerate() {
            for outcome in &report.outcomes {
                let uncertain = outcome.diagnostic().may_have_arrived();
                let delivered = matches!(outcome, Outcome::Delivered(_));
                let sent = outcome.diagnostic().stage == Stage::End;
                let known = place < taken;
                assert!(sent || !known && !delivered && !uncertain, "{heard_max} {outcome:?}");
                assert!(known || !delivered && sent == uncertain, "{heard_max} {outcome:?}");
            }
        }
        seen.text()
    };
    for dialect in [Dialect::Smtp, Dialect::Lmtp] {
        let texts: std::collections::BTreeSet<_> =
            (1..2_000).map(|heard_max| reports(heard_max, dialect)).collect();
        assert!(texts.iter().any(|text| text.contains("may have arrived")), "{texts:?}");
    }
}

proptest! {
    #[test]
    fn any_content_arrives_as_it_was(lines in proptest::collection::vec("[.a\u{e4}]{0,4}", 0..12), piece in 1..40_usize) {
        let content: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let (seen, server) = pair(config(), policy(), &[letter(&["bob"], &content)], piece);
        prop_assert_eq!(seen.text(), "delivered");
        prop_assert_eq!(&server.taken[0].1, content.as_bytes());
    }

    /// What is not a sequence of CRLF-ended lines is never sent, in whole or in part.
    #[test]
    fn no_content_smuggles(content in "[a.\r\n]{0,12}", piece in 1..6_usize) {
        let sent = letter(&["bob"], &content);
        let bare = sent.transaction.content.bare_line_end();
        let (seen, server) = pair(config(), policy(), &[sent], piece);
        prop_assert_eq!(server.taken.len(), usize::from(!bare));
        prop_assert_eq!(seen.text() == "delivered", !bare);
    }
}
