//! A peer that says what it is told to, and the rules that it shows.

use super::*;

/// What a scripted peer does when it is addressed with this, instead of saying yes.
pub(super) type Script<'a> = &'a [(&'a str, &'a str)];

/// A server that answers by the beginning of each line.
pub(super) struct Peer<'a> {
    script: Script<'a>,
    input: Vec<u8>,
    in_content: bool,
    pub(super) lines: Vec<String>,
    pub(super) content: String,
    /// What the client has not heard yet.
    pub(super) output: Vec<u8>,
    pub(super) closes: bool,
    pub(super) upgrades: bool,
    /// Replies due after the content (LMTP).
    recipients: Vec<String>,
    lmtp: bool,
    /// The octets of a chunk, and whether it is the last.
    chunk: Option<(usize, bool)>,
}

const EHLO: &str = "250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8BITMIME";

impl<'a> Peer<'a> {
    pub(super) fn new(script: Script<'a>) -> Self {
        let mut peer = Self {
            script,
            input: Vec::new(),
            in_content: false,
            lines: Vec::new(),
            content: String::new(),
            output: Vec::new(),
            closes: false,
            upgrades: false,
            recipients: Vec::new(),
            lmtp: false,
            chunk: None,
        };
        peer.say("banner", "220 mx.example.net");
        peer
    }

    /// The script's word for this line, or else `otherwise`. "close" closes, "silence" says nothing.
    fn say(&mut self, line: &str, otherwise: &str) -> String {
        let scripted = self.script.iter().find(|(beginning, _)| line.starts_with(beginning));
        let reply = scripted.map_or(otherwise, |(_, reply)| reply);
        match reply {
            "close" => self.closes = true,
            "silence" => {}
            _ if !self.closes => self.output.extend_from_slice(format!("{reply}\r\n").as_bytes()),
            _ => {}
        }
        reply.to_owned()
    }

    /// Takes what the client has sent.
    pub(super) fn take(&mut self, sent: Vec<u8>) {
        self.input.extend(sent);
        while self.take_chunk() {}
        while let Some(at) = self.input.windows(2).position(|pair| pair == b"\r\n") {
            let line = String::from_utf8(self.input.drain(..at + 2).collect()).unwrap();
            let line = line.trim_end_matches("\r\n");
            if self.in_content {
                self.content_line(line)
            } else {
                self.line(line)
            }
            while self.take_chunk() {}
        }
    }

    /// Takes a chunk, if one is awaited and here.
    fn take_chunk(&mut self) -> bool {
        let Some((size, last)) = self.chunk.filter(|(size, _)| self.input.len() >= *size) else {
            return false;
        };
        self.chunk = None;
        let octets: Vec<u8> = self.input.drain(..size).collect();
        self.content.push_str(&String::from_utf8_lossy(&octets));
        let recipients = std::mem::take(&mut self.recipients);
        match (last, self.lmtp) {
            (false, _) => {
                self.recipients = recipients;
                self.say(&format!("chunk {size}"), "250 2.0.0 go on");
            }
            (true, false) => {
                self.say(".", "250 2.0.0 kept");
            }
            (true, true) => recipients.iter().for_each(|recipient| {
                self.say(&format!(". {recipient}"), "250 2.0.0 kept");
            }),
        }
        true
    }

    fn content_line(&mut self, line: &str) {
        if line != "." {
            self.content.push_str(line);
            self.content.push('\n');
            return;
        }
        self.in_content = false;
        if self.lmtp {
            for recipient in std::mem::take(&mut self.recipients) {
                self.say(&format!(". {recipient}"), "250 2.0.0 kept");
            }
        } else {
            self.say(".", "250 2.0.0 kept");
        }
    }

    fn line(&mut self, line: &str) {
        self.lines.push(line.to_owned());
        let verb = line.split(' ').next().unwrap_or_default();
        match verb {
            "EHLO" | "LHLO" => {
                self.lmtp = verb == "LHLO";
                self.say(line, EHLO);
            }
            "BDAT" => {
                let mut words = line.split(' ').skip(1);
                self.chunk = Some((words.next().unwrap().parse().unwrap(), words.next() == Some("LAST")));
            }
            "DATA" => self.in_content = self.say(line, "354 go on").starts_with("354"),
            "STARTTLS" => self.upgrades = self.say(line, "220 go on").starts_with('2'),
            "QUIT" => {
                self.say(line, "221 bye");
            }
            "RCPT" => {
                if self.say(line, "250 2.1.5 yes").starts_with('2') {
                    self.recipients.push(line["RCPT TO:<".len()..].split('@').next().unwrap().into());
                }
            }
            _ => {
                self.say(line, "250 2.0.0 yes");
            }
        }
    }
}

/// How the peer's bytes are cut.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    Whole,
    /// Into pieces of so many octets.
    Every(usize),
}

/// Plays a connection to its end.
pub(super) fn play<'a>(script: Script<'a>, mut caller: Caller, cut: Cut) -> (Seen, Peer<'a>) {
    let mut peer = Peer::new(script);
    caller.run();
    while !caller.closed {
        peer.take(std::mem::take(&mut caller.sent));
        let output = std::mem::take(&mut peer.output);
        if !output.is_empty() {
            let piece = match cut {
                Cut::Whole => output.len(),
                Cut::Every(octets) => octets,
            };
            output.chunks(piece).for_each(|piece| caller.hear(piece));
        } else if caller.upgrading {
            peer.upgrades = false;
            caller.secured();
        } else if peer.closes {
            return (caller.over(End::HalfClosed), peer);
        } else if caller.sent.is_empty() {
            caller.wait();
        }
    }
    peer.take(std::mem::take(&mut caller.sent));
    (caller.over(End::Closed), peer)
}

/// The lines that the client sent, joined; and what became of the letters.
#[track_caller]
pub(super) fn check(policy: Policy, letters: &[Letter], script: Script<'_>, lines: &str, seen: &str) -> Seen {
    let (found, peer) = play(script, Caller::new(policy, letters.to_vec()), Cut::Whole);
    assert_eq!(peer.lines.join(", "), lines);
    assert_eq!(found.text(), seen);
    found
}

const BEFORE: &str = "EHLO out.example.org, ";
const MAIL: &str = "MAIL FROM:<ann@example.com> SIZE=6";
const TO_BOB: &str = "RCPT TO:<bob@example.org>";

#[test]
fn a_message_is_one_group() {
    let mut caller = Caller::new(policy(), vec![letter(&["bob", "eve"], "Hello\r\n.\r\n..")]);
    caller.run();
    assert!(caller.sent.is_empty(), "the server speaks first");
    caller.hear(b"220 mx\r\n");
    assert_eq!(std::mem::take(&mut caller.sent), b"EHLO out.example.org\r\n");
    caller.hear(b"250-mx\r\n250 PIPELINING\r\n");
    let group =
        "MAIL FROM:<ann@example.com>\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<eve@example.org>\r\nDATA\r\n";
    assert_eq!(String::from_utf8(std::mem::take(&mut caller.sent)).unwrap(), group);
    caller.hear(b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n");
    assert_eq!(std::mem::take(&mut caller.sent), b"Hello\r\n..\r\n...\r\n.\r\n");
    caller.hear(b"250 2.0.0 kept\r\n");
    assert_eq!(std::mem::take(&mut caller.sent), b"QUIT\r\n");
    caller.hear(b"221 bye\r\n");
    assert!(caller.closed);
    let seen = caller.over(End::Closed);
    assert_eq!(seen.text(), "delivered; delivered");
    assert_eq!(seen.summary.failure, None);
}

#[test]
fn without_pipelining_one_command_at_a_time() {
    let mut caller = Caller::new(policy(), vec![letter(&["bob"], "Hello\r\n")]);
    caller.run();
    for (heard, sent) in [
        ("220 mx\r\n", "EHLO out.example.org\r\n"),
        ("250 mx\r\n", "MAIL FROM:<ann@example.com>\r\n"),
        ("250 a\r\n", "RCPT TO:<bob@example.org>\r\n"),
        ("250 a\r\n", "DATA\r\n"),
        ("354 a\r\n", "Hello\r\n.\r\n"),
        ("250 a\r\n", "QUIT\r\n"),
    ] {
        caller.hear(heard.as_bytes());
        assert_eq!(String::from_utf8(std::mem::take(&mut caller.sent)).unwrap(), sent);
    }
}

#[test]
fn no_more_commands_wait_than_the_buffers_hold() {
    let names: Vec<_> = (0..200).map(|number| format!("r{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut caller = Caller::new(policy(), vec![letter(&names, "x\r\n")]);
    caller.run();
    caller.hear(b"220 mx\r\n");
    caller.sent.clear();
    caller.hear(b"250-mx\r\n250 PIPELINING\r\n");
    let lines = |sent: &[u8]| sent.iter().filter(|&&octet| octet == b'\n').count();
    assert_eq!(lines(&caller.sent), limits::PIPELINE_MAX);
    caller.hear(&b"250 yes\r\n".repeat(10));
    assert_eq!(lines(&caller.sent), limits::PIPELINE_MAX + 10);
    let (seen, peer) = play(&[], Caller::new(policy(), vec![letter(&names, "x\r\n")]), Cut::Whole);
    assert!(seen.reports[0].outcomes.iter().all(|outcome| matches!(outcome, Outcome::Delivered(_))));
    assert_eq!(peer.lines.len(), 200 + 4);
    assert_eq!(seen.reports[0].dialogue.len(), limits::DIALOGUE_LINES_MAX);
}

#[test]
fn recipients_have_outcomes_of_their_own() {
    let script = [("RCPT TO:<no", "550 5.1.1 no such"), ("RCPT TO:<later", "450 4.2.1 busy")];
    let seen = "delivered; failed 5.1.1 550 5.1.1 no such (in answer to RCPT); \
                deferred 4.2.1 450 4.2.1 busy (in answer to RCPT)";
    let lines = format!(
        "{BEFORE}{MAIL}, {TO_BOB}, RCPT TO:<no@example.org>, RCPT TO:<later@example.org>, DATA, QUIT"
    );
    check(policy(), &[letter(&["bob", "no", "later"], "a\r\nb")], &script, &lines, seen);
}

/// RFC 2920 §3.1: the reply to DATA counts also when no recipient was accepted.
#[test]
fn content_for_nobody_is_a_dot_alone() {
    let refused = "failed 5.1.1 550 5.1.1 no (in answer to RCPT)";
    let rcpt = ("RCPT", "550 5.1.1 no");
    let lines = format!("{BEFORE}{MAIL}, {TO_BOB}, DATA, QUIT");
    let letters = [letter(&["bob"], "a\r\nb")];
    let script = [rcpt];
    let (seen, peer) = play(&script, Caller::new(policy(), letters.to_vec()), Cut::Whole);
    assert_eq!(
        (seen.text().as_str(), peer.lines.join(", "), peer.content.as_str()),
        (refused, lines.clone(), "")
    );
    check(policy(), &letters, &[rcpt, ("DATA", "554 5.5.1 no valid recipients")], &lines, refused);
    check(policy(), &letters, &[rcpt, ("DATA", "451 4.3.0 later")], &lines, refused);
    let no_pipelining = ("EHLO", "250 mx");
    check(
        policy(),
        &letters,
        &[rcpt, no_pipelining],
        &format!("{BEFORE}MAIL FROM:<ann@example.com>, {TO_BOB}, QUIT"),
        refused,
    );
}

#[test]
fn what_a_transaction_left_open_is_reset() {
    let two = [letter(&["no"], "a\r\nb"), letter(&["bob"], "a\r\nb")];
    let script = [("RCPT TO:<no", "550 5.1.1 no"), ("DATA", "354 go on")];
    let refused = "failed 5.1.1 550 5.1.1 no (in answer to RCPT) | delivered";
    let after_dot = format!("{BEFORE}{MAIL}, RCPT TO:<no@example.org>, DATA, {MAIL}, {TO_BOB}, DATA, QUIT");
    check(policy(), &two, &script, &after_dot, refused);
    let one_by_one = [("RCPT TO:<no", "550 5.1.1 no"), ("EHLO", "250 SIZE"), ("RSET", "250 2.0.0 forgotten")];
    let mail = "MAIL FROM:<ann@example.com>";
    let reset = format!("{BEFORE}{mail}, RCPT TO:<no@example.org>, RSET, {mail}, {TO_BOB}, DATA, QUIT");
    check(policy(), &two, &one_by_one, &reset, refused);
    let stuck = [("RCPT TO:<no", "550 5.1.1 no"), ("EHLO", "250 SIZE"), ("RSET", "500 5.5.1 what")];
    let lost = "failed 5.1.1 550 5.1.1 no (in answer to RCPT) | \
                deferred 4.5.0 4.5.0 the peer's answer cannot be understood (at RSET)";
    check(policy(), &two, &stuck, &format!("{BEFORE}{mail}, RCPT TO:<no@example.org>, RSET"), lost);
}

#[test]
fn more_recipients_than_the_peer_takes() {
    let excess = "the peer takes the rest of the recipients in another transaction: 452 4.5.3 enough (in answer to RCPT)";
    let letters = [letter(&["bob", "more"], "a\r\nb")];
    let script = [("RCPT TO:<more", "452 4.5.3 enough")];
    let lines = format!("{BEFORE}{MAIL}, {TO_BOB}, RCPT TO:<more@example.org>, DATA, QUIT");
    let seen = check(policy(), &letters, &script, &lines, &format!("delivered; deferred 4.5.3 {excess}"));
    assert_eq!(seen.reports[0].outcomes[1].diagnostic().cause, Cause::RecipientsExcess);
    // What was not sent yet is not sent.
    let letters = [letter(&["bob", "more", "rest"], "a\r\nb")];
    let script = [("RCPT TO:<more", "452 4.5.3 enough"), ("EHLO", "250 mx")];
    let lines =
        format!("{BEFORE}MAIL FROM:<ann@example.com>, {TO_BOB}, RCPT TO:<more@example.org>, DATA, QUIT");
    let all = format!("delivered; deferred 4.5.3 {excess}; deferred 4.5.3 {excess}");
    check(policy(), &letters, &script, &lines, &all);
    // Without one that is accepted, another transaction would go the same way.
    let none = check(
        policy(),
        &[letter(&["more"], "a\r\nb")],
        &[("RCPT", "552 enough"), ("DATA", "503 no")],
        &format!("{BEFORE}{MAIL}, RCPT TO:<more@example.org>, DATA, QUIT"),
        "deferred 4.0.0 552 enough (in answer to RCPT)",
    );
    assert_eq!(none.reports[0].outcomes[0].diagnostic().cause, Cause::Reply);
    let full = [("RCPT", "552 5.2.2 mailbox full"), ("DATA", "503 no")];
    let lines = format!("{BEFORE}{MAIL}, {TO_BOB}, DATA, QUIT");
    let failed = "failed 5.2.2 552 5.2.2 mailbox full (in answer to RCPT)";
    check(policy(), &[letter(&["bob"], "a\r\nb")], &full, &lines, failed);
}

/// What cannot be sent is known before MAIL.
#[test]
fn what_the_peer_cannot_take_is_not_begun() {
    let quit = format!("{BEFORE}QUIT");
    let bare = "failed 5.6.0 5.6.0 the message has a carriage return or line feed that is no line end, \
                which must not be sent (at the start of a transaction)";
    for content in ["a\n.\r\nMAIL FROM:<x@y>\r\n", "a\r.\r\n", "a\r\n.\n", "a\r"] {
        check(policy(), &[letter(&["bob"], content)], &[], &quit, bare);
    }
    let eight = "failed 5.6.3 5.6.3 the message has 8-bit text, which the peer does not take \
                 (at the start of a transaction)";
    check(policy(), &[letter(&["bob"], "ä\r\n")], &[("EHLO", "250 mx")], &quit, eight);
    let large =
        "failed 5.3.4 5.3.4 the message is larger than the peer takes (at the start of a transaction)";
    check(policy(), &[letter(&["bob"], "x".repeat(999))], &[], &quit, large);
    let two = [letter(&["bob"], "a\n"), letter(&["bob"], "a\r\nb")];
    let goes_on = format!("{BEFORE}{MAIL}, {TO_BOB}, DATA, QUIT");
    check(policy(), &two, &[], &goes_on, &format!("{bare} | delivered"));
}

#[test]
fn after_a_sender_that_is_refused_no_recipient_is_sent() {
    let script = [("MAIL", "550 5.7.1 no"), ("EHLO", "250 mx")];
    let refused = "failed 5.7.1 550 5.7.1 no (in answer to MAIL)";
    let lines = format!("{BEFORE}MAIL FROM:<ann@example.com>, QUIT");
    check(policy(), &[letter(&["bob", "eve"], "a\r\n")], &script, &lines, &format!("{refused}; {refused}"));
}

#[test]
fn a_message_for_nobody_is_not_sent() {
    check(policy(), &[letter(&[], "a\r\n")], &[], &format!("{BEFORE}QUIT"), "");
}

#[test]
fn eight_bit_content_is_announced() {
    let lines = format!("{BEFORE}MAIL FROM:<ann@example.com> SIZE=4 BODY=8BITMIME, {TO_BOB}, DATA, QUIT");
    check(policy(), &[letter(&["bob"], "ä")], &[], &lines, "delivered");
}

/// The content may have changed between the survey and the sending: what is wrong then never gets its final dot.
#[test]
fn content_that_is_not_what_was_surveyed_has_no_end() {
    let check = |content: &str, seen: &str| {
        let mut changed = letter(&["bob"], "abcdef");
        changed.content = content.into();
        let mut caller = Caller::new(policy(), vec![changed]);
        caller.chunk = 2;
        let (found, peer) = play(&[], caller, Cut::Whole);
        assert_eq!(found.text(), seen, "{content:?}");
        assert!(peer.in_content && !peer.content.contains('.'), "the peer waits for the end");
    };
    let lost = "deferred 4.3.0 4.3.0 the message could not be read (at the content)";
    check("abcd", lost);
    check("abcdefgh", lost);
    check("", lost);
    let bare = "failed 5.6.0 5.6.0 the message has a carriage return or line feed that is no line end, \
                which must not be sent (at the content)";
    check("ab\n.\r\n", bare);
    check("abcd\r.", bare);
    check("abcde\r", bare);
}

#[test]
fn helo_where_ehlo_is_not_known() {
    let lines = format!("{BEFORE}HELO out.example.org, MAIL FROM:<ann@example.com>, {TO_BOB}, DATA, QUIT");
    check(policy(), &[letter(&["bob"], "a\r\n")], &[("EHLO", "500 what")], &lines, "delivered");
    let eight = "failed 5.6.3 5.6.3 the message has 8-bit text, which the peer does not take \
                 (at the start of a transaction)";
    let refused = format!("{BEFORE}HELO out.example.org, QUIT");
    check(policy(), &[letter(&["bob"], "ä\r\n")], &[("EHLO", "502 what")], &refused, eight);
}

#[test]
fn helo_where_the_policy_says_so_and_nothing_that_is_offered() {
    let plain = Policy { greeting: Greeting::Plain, tls: Tls::Opportunistic, ..policy() };
    let lines = format!("HELO out.example.org, MAIL FROM:<ann@example.com>, {TO_BOB}, DATA, QUIT");
    check(plain, &[letter(&["bob"], "a\r\nb")], &[], &lines, "delivered");
}

#[test]
fn tls_as_policy_says() {
    let offering = ("EHLO", "250-mx\r\n250 STARTTLS");
    let letters = [letter(&["bob"], "a\r\n")];
    let with = |tls: Tls| Policy { tls, ..policy() };
    let rest = format!("MAIL FROM:<ann@example.com>, {TO_BOB}, DATA, QUIT");
    let ehlo = "EHLO out.example.org";
    let clear = check(with(Tls::Off), &letters, &[offering], &format!("{ehlo}, {rest}"), "delivered");
    assert_eq!(clear.reports[0].tls, None);
    for tls in [Tls::Opportunistic, Tls::Required] {
        let lines = format!("{ehlo}, STARTTLS, {ehlo}, {rest}");
        let seen = check(with(tls), &letters, &[offering], &lines, "delivered");
        assert_eq!(seen.reports[0].tls, Some(TlsFacts::default()));
    }
    let refusing = [offering, ("STARTTLS", "454 4.7.0 not now")];
    check(with(Tls::Opportunistic), &letters, &refusing, &format!("{ehlo}, STARTTLS, {rest}"), "delivered");
    let refused =
        "none: TLS is required, and the peer refused to start it: 454 4.7.0 not now (in answer to STARTTLS)";
    check(with(Tls::Required), &letters, &refusing, &format!("{ehlo}, STARTTLS, QUIT"), refused);
    let missing = "none: 4.7.10 TLS is required, and the peer does not offer it (at EHLO)";
    check(with(Tls::Required), &letters, &[], &format!("{ehlo}, QUIT"), missing);
}

/// NO STARTTLS, 2021: replies that came in clear text must not be read after the switch.
#[test]
fn clear_text_is_not_read_after_the_switch() {
    for (with_reply, later) in [("250 mx\r\n", ""), ("2", ""), ("", "250 mx\r\n"), ("", "x")] {
        let mut caller = Caller::new(policy(), vec![letter(&["bob"], "a\r\n")]);
        caller.run();
        caller.hear(b"220 mx\r\n");
        caller.hear(b"250-mx\r\n250 STARTTLS\r\n");
        caller.hear(format!("220 go on\r\n{with_reply}").as_bytes());
        if !later.is_empty() {
            assert!(caller.upgrading);
            caller.hear(later.as_bytes());
        }
        assert!(caller.closed);
        let text = caller.over(End::Closed).text();
        assert_eq!(text, "none: 4.5.0 clear text came where TLS begins (at the TLS handshake)");
    }
}

#[test]
fn a_handshake_that_fails_is_told_and_one_that_is_ended_here_is_not_the_peers_fault() {
    for (end, text) in [
        (End::Cut, "none: 4.7.5 the TLS handshake failed (at the TLS handshake)"),
        (End::Terminated, "none: 4.4.2 the connection was ended here (at the TLS handshake)"),
    ] {
        let mut caller = Caller::new(policy(), vec![letter(&["bob"], "a\r\n")]);
        caller.run();
        caller.hear(b"220 mx\r\n");
        caller.hear(b"250-mx\r\n250 STARTTLS\r\n");
        caller.hear(b"220 go on\r\n");
        assert!(caller.upgrading);
        assert_eq!(caller.over(end).text(), text);
    }
}

#[test]
fn what_was_offered_before_tls_is_forgotten() {
    let mut caller = Caller::new(policy(), vec![letter(&["bob"], "a\r\n")]);
    caller.run();
    caller.hear(b"220 mx\r\n");
    caller.hear(b"250-mx\r\n250-PIPELINING\r\n250-SIZE 1\r\n250 STARTTLS\r\n");
    caller.hear(b"220 go on\r\n");
    assert!(caller.session.offers().pipelining);
    caller.secured();
    assert_eq!(caller.session.offers(), &Offers::default());
    caller.sent.clear();
    caller.hear(b"250-mx\r\n250 STARTTLS\r\n");
    assert_eq!(caller.sent, b"MAIL FROM:<ann@example.com>\r\n");
}

#[test]
fn sign_in_by_what_is_offered() {
    let letters = [letter(&["bob"], "a\r\n")];
    let trusting = || Policy { sign_in: sign_in(), sign_in_without_tls: true, ..policy() };
    let rest = format!("MAIL FROM:<ann@example.com>, {TO_BOB}, DATA, QUIT");
    let plain = "AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=";
    let offers = ("EHLO", "250-mx\r\n250 AUTH CRAM-MD5 LOGIN PLAIN");
    let seen = check(
        trusting(),
        &letters,
        &[offers, ("AUTH", "235 2.7.0 hello")],
        &format!("{BEFORE}{plain}, {rest}"),
        "delivered",
    );
    assert!(seen.dialogue().iter().any(|line| line == "> AUTH PLAIN (secret)"));
    let login = [
        ("EHLO", "250-mx\r\n250 AUTH LOGIN"),
        ("AUTH", "334 VXNlcm5hbWU6"),
        ("Ym9i", "334 UGFzc3dvcmQ6"),
        ("c2Vj", "235 2.7.0 hello"),
    ];
    let lines = format!("{BEFORE}AUTH LOGIN, Ym9iQGV4YW1wbGUub3Jn, c2VjcmV0, {rest}");
    let seen = check(trusting(), &letters, &login, &lines, "delivered");
    assert!(!seen.dialogue().concat().contains("c2Vj"), "secrets are not kept");
    let refused = [offers, ("AUTH", "535 5.7.8 wrong")];
    let text = "none: the peer did not take user name and password: 535 5.7.8 wrong (in answer to AUTH)";
    let seen = check(trusting(), &letters, &refused, &format!("{BEFORE}{plain}, QUIT"), text);
    assert_eq!(seen.summary.failure.unwrap().status.to_string(), "4.7.0");
    let greedy = [offers, ("AUTH", "334 "), ("*", "501 5.7.0 cancelled")];
    let text = "none: the peer did not take user name and password: 501 5.7.0 cancelled (in answer to AUTH)";
    check(trusting(), &letters, &greedy, &format!("{BEFORE}{plain}, *, QUIT"), text);
    let none = "none: 4.7.0 the peer offers no way to sign in (at EHLO)";
    check(trusting(), &letters, &[("EHLO", "250-mx\r\n250 AUTH CRAM-MD5")], &format!("{BEFORE}QUIT"), none);
    let careful = Policy { sign_in_without_tls: false, ..trusting() };
    let clear = "none: 4.7.11 a password is needed, and there is no TLS to protect it (at EHLO)";
    check(careful, &letters, &[offers], &format!("{BEFORE}QUIT"), clear);
}

#[test]
fn secrets_are_not_printed() {
    let policy = Policy { sign_in: sign_in(), sign_in_without_tls: true, ..policy() };
    let mut caller = Caller::new(policy.clone(), Vec::new());
    caller.run();
    caller.hear(b"220 mx\r\n");
    caller.hear(b"250-mx\r\n250 AUTH LOGIN\r\n");
    caller.hear(b"334 VXNlcm5hbWU6\r\n");
    let shown = format!("{:?} {policy:?}", caller.session);
    assert!(shown.contains("Talking") && shown.contains("bob@example.org"), "{shown}");
    assert!(!shown.contains("c2Vj") && !shown.contains("Ym9i") && !shown.contains("\"secret"), "{shown}");
}

#[test]
fn a_long_secret_has_a_line_of_its_own() {
    let login = "b".repeat(400);
    let sign_in = Some(SignInAs { login: login.clone(), password: Password("secret".into()) });
    let policy = Policy { sign_in, sign_in_without_tls: true, ..policy() };
    let script = [("EHLO", "250-mx\r\n250 AUTH PLAIN"), ("AUTH", "334 "), ("AGJi", "235 2.7.0 hello")];
    let (seen, peer) = play(&script, Caller::new(policy, vec![letter(&["bob"], "a\r\n")]), Cut::Whole);
    assert_eq!(seen.text(), "delivered");
    assert_eq!(peer.lines[1], "AUTH PLAIN");
}

#[test]
fn lmtp_has_a_reply_for_each_recipient() {
    let lmtp = || Policy { dialect: Dialect::Lmtp, ..policy() };
    let lines = format!(
        "LHLO out.example.org, {MAIL}, {TO_BOB}, RCPT TO:<no@example.org>, RCPT TO:<full@example.org>, DATA, QUIT"
    );
    let script = [("RCPT TO:<no", "550 5.1.1 no"), (". full", "452 4.2.2 full")];
    let letters = [letter(&["bob", "no", "full"], "a\r\nb")];
    let seen = "delivered; failed 5.1.1 550 5.1.1 no (in answer to RCPT); \
                deferred 4.2.2 452 4.2.2 full (in answer to the end of the content)";
    check(lmtp(), &letters, &script, &lines, seen);
    let cut = [("RCPT TO:<no", "550 5.1.1 no"), (". full", "close")];
    let unknown = "delivered; failed 5.1.1 550 5.1.1 no (in answer to RCPT); deferred 4.4.2 4.4.2 \
                   the connection was lost (at the end of the content); the message may have arrived";
    let lines = lines.trim_end_matches(", QUIT");
    check(lmtp(), &letters, &cut, lines, unknown);
    // There is no HELO to go back to.
    let text = "none: 500 what (in answer to EHLO)";
    check(lmtp(), &letters, &[("LHLO", "500 what")], "LHLO out.example.org, QUIT", text);
    // RFC 2033 §4.2: DATA must fail without recipients.
    let none = [("RCPT", "550 5.1.1 no")];
    let refused = "failed 5.1.1 550 5.1.1 no (in answer to RCPT)";
    let lines = format!("LHLO out.example.org, {MAIL}, {TO_BOB}, DATA");
    check(lmtp(), &[letter(&["bob"], "a\r\nb")], &none, &lines, refused);
}

#[test]
fn a_connection_has_an_end() {
    let two = [letter(&["bob"], "a\r\nb"), letter(&["bob"], "a\r\nb")];
    let one = Policy { messages_max: 1, ..policy() };
    check(one, &two, &[], &format!("{BEFORE}{MAIL}, {TO_BOB}, DATA, QUIT"), "delivered");
}

#[test]
fn the_dialogue_is_kept() {
    let (seen, _) = play(&[], Caller::new(policy(), vec![letter(&["bob"], "a\r\n")]), Cut::Whole);
    let expected = [
        "< 220 mx.example.net",
        "> EHLO out.example.org",
        "< 250 mx.example.net / PIPELINING / SIZE 1000 / 8BITMIME",
        "> MAIL FROM:<ann@example.com> SIZE=3",
        "> RCPT TO:<bob@example.org>",
        "> DATA",
        "< 250 2.0.0 yes",
        "< 250 2.1.5 yes",
        "< 354 go on",
        "> (content, 3 octets)",
        "< 250 2.0.0 kept",
        "> QUIT",
        "< 221 bye",
    ];
    assert_eq!(seen.dialogue(), expected);
}
