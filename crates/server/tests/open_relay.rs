//! Whether mail for others can be got through this server: what testers of open relays try, and some more.
//!
//! The same probes are put to a server as it comes, to one whose client has signed in, and to one that was opened on
//! purpose. What is open there is known, so that a probe that can find nothing is noticed.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod stage;

use stage::memory::MemoryStage;
use stage::place::Place;
use testkit::play::{Arrived, Patience};
use testkit::{Protocol, Stage, Transcript};

/// What is tried on a fresh connection.
struct Probe {
    name: &'static str,
    /// Lines before MAIL that must not help; EHLO, unless they bring their own.
    before: &'static [&'static str],
    sender: &'static str,
    recipient: &'static str,
    /// Whether a server that relays for this client takes it.
    open: Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// It is mail for another domain.
    Relayed,
    /// It is an address of ours that nobody has: it leaves no server, however open it is.
    Ours,
    /// It is no address.
    Nothing,
}

const EHLO: &[&str] = &["EHLO client.example"];
const STRANGER: &str = "<ann@remote.example>";
const ELSEWHERE: &str = "<joe@elsewhere.example>";

/// From a stranger, after EHLO.
const fn recipient(name: &'static str, recipient: &'static str, open: Open) -> Probe {
    Probe { name, before: EHLO, sender: STRANGER, recipient, open }
}

const fn sender(name: &'static str, sender: &'static str) -> Probe {
    Probe { name, before: EHLO, sender, recipient: ELSEWHERE, open: Open::Relayed }
}

const fn before(name: &'static str, before: &'static [&'static str]) -> Probe {
    Probe { name, before, sender: STRANGER, recipient: ELSEWHERE, open: Open::Relayed }
}

const PROBES: &[Probe] = &[
    recipient("plain", ELSEWHERE, Open::Relayed),
    recipient("upper case", "<JOE@ELSEWHERE.EXAMPLE>", Open::Relayed),
    recipient("no brackets", "joe@elsewhere.example", Open::Nothing),
    recipient("quoted", "<\"joe\"@elsewhere.example>", Open::Relayed),
    recipient("percent hack", "<joe%elsewhere.example@example.org>", Open::Ours),
    recipient("percent hack of a user", "<bob%elsewhere.example@example.org>", Open::Ours),
    recipient("percent hack of our name", "<joe%elsewhere.example@mx.example>", Open::Relayed),
    recipient("percent hack without domain", "<joe%elsewhere.example>", Open::Nothing),
    recipient("percent hack to a literal", "<joe%elsewhere.example@[127.0.0.1]>", Open::Relayed),
    recipient("bang path", "<elsewhere.example!joe@example.org>", Open::Ours),
    recipient("bang path alone", "<elsewhere.example!joe>", Open::Nothing),
    recipient("bang path elsewhere", "<example.org!bob@elsewhere.example>", Open::Relayed),
    recipient("source route", "<@example.org:joe@elsewhere.example>", Open::Relayed),
    recipient("source route of our name", "<@mx.example:joe@elsewhere.example>", Open::Relayed),
    recipient("source route of a literal", "<@[127.0.0.1]:joe@elsewhere.example>", Open::Relayed),
    recipient("source route to us", "<@elsewhere.example:joe%elsewhere.example@example.org>", Open::Ours),
    recipient("source route in itself", "<@example.org,@mx.example:joe@elsewhere.example>", Open::Relayed),
    recipient(
        "source route and percent",
        "<@elsewhere.example:joe%elsewhere.example@example.org>",
        Open::Ours,
    ),
    recipient("quoted local part", "<\"joe@elsewhere.example\"@example.org>", Open::Ours),
    recipient("quoted percent", "<\"joe%elsewhere.example\"@example.org>", Open::Ours),
    recipient("quoted path", "<\"<joe@elsewhere.example>\"@example.org>", Open::Ours),
    recipient("quoted path without domain", "<\"joe@elsewhere.example\">", Open::Nothing),
    recipient("quoted percent without domain", "<\"joe%elsewhere.example\">", Open::Nothing),
    recipient("quoted local part at a literal", "<\"joe@elsewhere.example\"@[127.0.0.1]>", Open::Relayed),
    recipient("quoted local part of our name", "<\"joe@elsewhere.example\"@mx.example>", Open::Relayed),
    recipient("quoted bang path", "<\"elsewhere.example!joe\"@example.org>", Open::Ours),
    recipient("bang path at a literal", "<elsewhere.example!joe@[127.0.0.1]>", Open::Relayed),
    recipient("bang path of our name", "<elsewhere.example!joe@mx.example>", Open::Relayed),
    recipient("bang and percent", "<elsewhere.example!joe%other.example@example.org>", Open::Ours),
    recipient("two at signs and a literal", "<joe@elsewhere.example@[127.0.0.1]>", Open::Nothing),
    recipient("two at signs", "<joe@elsewhere.example@example.org>", Open::Nothing),
    recipient("two paths", "<bob@example.org> <joe@elsewhere.example>", Open::Nothing),
    recipient("literal", "<joe@[192.0.2.9]>", Open::Relayed),
    recipient("literal of ours", "<joe@[127.0.0.1]>", Open::Relayed),
    recipient("literal of IPv6", "<joe@[IPv6:2001:db8::9]>", Open::Relayed),
    recipient("literal of this machine in IPv6", "<joe@[IPv6:::1]>", Open::Relayed),
    recipient("percent hack of postmaster", "<postmaster%elsewhere.example@example.org>", Open::Ours),
    recipient("literal in a local part", "<\"joe@[192.0.2.9]\"@example.org>", Open::Ours),
    recipient("trailing dot", "<joe@elsewhere.example.>", Open::Nothing),
    recipient("our domain with a dot", "<joe@example.org.>", Open::Nothing),
    recipient("NUL", "<joe@elsewhere.example\0@example.org>", Open::Nothing),
    recipient("NUL in quotes", "<\"joe\0\"@example.org>", Open::Nothing),
    recipient("control character", "<joe@elsewhere.example\u{1}@example.org>", Open::Nothing),
    recipient("delete", "<joe@elsewhere.example\u{7f}>", Open::Nothing),
    recipient("subdomain", "<joe@mail.example.org>", Open::Relayed),
    recipient("domain that ends as ours", "<joe@notexample.org>", Open::Relayed),
    sender("null sender", "<>"),
    sender("sender of our own", "<bob@example.org>"),
    sender("sender of our domain", "<nobody@example.org>"),
    sender("sender of our name", "<postmaster@mx.example>"),
    sender("sender of this machine", "<root@[127.0.0.1]>"),
    sender("sender with a percent hack", "<ann%remote.example@example.org>"),
    sender("sender that is the recipient", ELSEWHERE),
    sender("sender with a source route", "<@example.org:ann@remote.example>"),
    before("HELO", &["HELO client.example"]),
    before("HELO of our own name", &["EHLO mx.example"]),
    before("HELO of our domain", &["EHLO example.org"]),
    before("HELO of this machine", &["EHLO [127.0.0.1]"]),
    before("HELO localhost", &["HELO localhost"]),
    before(
        "after RSET",
        &["EHLO client.example", "MAIL FROM:<bob@example.org>", "RCPT TO:<bob@example.org>", "RSET"],
    ),
    before("after two RSETs", &["EHLO client.example", "RSET", "MAIL FROM:<bob@example.org>", "RSET"]),
    before("HELO of the recipient's domain", &["EHLO elsewhere.example"]),
    before("HELO of loopback in IPv6", &["EHLO [IPv6:::1]"]),
    before(
        "after a sign-in of nobody",
        &["EHLO client.example", "AUTH PLAIN AG5vYm9keUBleGFtcGxlLm9yZwBzZWNyZXQ="],
    ),
    before("after EHLO", &["EHLO client.example", "MAIL FROM:<bob@example.org>", "EHLO client.example"]),
    before("after a failed sign-in", &["EHLO client.example", "AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwB3cm9uZw=="]),
    before("after a sign-in given up", &["EHLO client.example", "AUTH PLAIN", "*"]),
    before("after VRFY", &["EHLO client.example", "VRFY joe@elsewhere.example"]),
];

/// What a program behind us could route by, at a domain whose mail is handed on to it.
const HANDED_ON: &[Probe] = &[
    recipient("handed on, percent hack", "<joe%elsewhere.example@lists.example>", Open::Relayed),
    recipient(
        "handed on, two percent hacks",
        "<joe%other.example%elsewhere.example@lists.example>",
        Open::Relayed,
    ),
    recipient("handed on, bang path", "<elsewhere.example!joe@lists.example>", Open::Relayed),
    recipient("handed on, quoted at", "<\"joe@elsewhere.example\"@lists.example>", Open::Relayed),
    recipient("handed on, quoted pair", "<\"joe\\@elsewhere.example\"@lists.example>", Open::Relayed),
    recipient("handed on, quoted percent", "<\"joe%elsewhere.example\"@lists.example>", Open::Relayed),
    recipient("handed on, upper case", "<joe%elsewhere.example@LISTS.EXAMPLE>", Open::Relayed),
    recipient(
        "handed on, source route and percent",
        "<@elsewhere.example:joe%elsewhere.example@lists.example>",
        Open::Relayed,
    ),
];

const FIXTURE: &str = "# Probes\ngiven account bob@example.org secret\ngiven option authentication-without-tls on\n\
    given option may-send-as anyone\n";
/// Replies that wait after a failure show nothing here.
const UNHINDERED: &str = "[sign-in]\ndelay = \"0 s\"\n";
const SIGN_IN: &str = "AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=";

/// A server, and clients that come one after the other.
struct Probed {
    stage: MemoryStage,
    protocol: Protocol,
    signs_in: bool,
    clients: usize,
}

impl Probed {
    fn new(options: &str, protocol: Protocol) -> Self {
        let fixture = Transcript::parse(&format!("{FIXTURE}{options}\nS: 220 *\n")).unwrap().fixture;
        let place = Place::new(&fixture).unwrap().with_settings(UNHINDERED);
        let stage = MemoryStage::new(place).unwrap();
        Self { stage, protocol, signs_in: false, clients: 0 }
    }

    /// Whether the probe's mail is accepted.
    fn takes(&mut self, probe: &Probe) -> bool {
        self.connect();
        if self.signs_in {
            self.ask(&self.dialect(EHLO[0]));
            assert_eq!(self.ask(SIGN_IN), 235);
        }
        for line in probe.before {
            self.ask(&self.dialect(line));
        }
        self.ask(&format!("MAIL FROM:{}", probe.sender));
        let taken = self.ask(&format!("RCPT TO:{}", probe.recipient)) == 250;
        assert_eq!(self.ask("DATA") == 354, taken, "{}", probe.name);
        taken && self.ask("From: ann@remote.example\r\n\r\nProbe\r\n.") == 250
    }

    fn connect(&mut self) {
        self.clients += 1;
        self.stage.open(self.clients, self.protocol, false).unwrap();
        assert_eq!(self.reply(), 220);
    }

    /// LMTP has a greeting of its own.
    fn dialect(&self, line: &str) -> String {
        match line.split_once(' ') {
            Some(("HELO" | "EHLO", name)) if self.protocol == Protocol::Lmtp => format!("LHLO {name}"),
            _ => line.into(),
        }
    }

    /// The code of the reply to a line.
    fn ask(&mut self, line: &str) -> u16 {
        self.stage.send(self.clients, format!("{line}\r\n").as_bytes()).unwrap();
        self.reply()
    }

    fn reply(&mut self) -> u16 {
        let mut reply = Vec::new();
        while !is_whole(&reply) {
            match self.stage.read(self.clients, Patience::Reply).unwrap() {
                Arrived::Bytes(bytes) => reply.extend_from_slice(&bytes),
                Arrived::Closed | Arrived::Nothing => {
                    panic!("no whole reply: {:?}", String::from_utf8_lossy(&reply))
                }
            }
        }
        std::str::from_utf8(&reply[..3]).unwrap().parse().unwrap()
    }

    /// Compares what is taken with what should be.
    fn check(self, expected: impl Fn(&Probe) -> bool) {
        self.check_these(PROBES, expected);
    }

    fn check_these(mut self, probes: &[Probe], expected: impl Fn(&Probe) -> bool) {
        for probe in probes {
            assert_eq!(self.takes(probe), expected(probe), "{} on {:?}", probe.name, self.protocol);
        }
    }
}

/// Whether the last line of a reply has come (RFC 5321 §4.2).
fn is_whole(reply: &[u8]) -> bool {
    let ends = |line: &[u8]| line.get(3).is_some_and(|&octet| octet != b'-');
    reply.ends_with(b"\r\n")
        && reply[..reply.len() - 2].split(|&octet| octet == b'\n').next_back().is_some_and(ends)
}

#[test]
fn a_server_as_it_comes_relays_for_nobody() {
    Probed::new("", Protocol::Smtp).check(|_| false);
}

/// Mail from anywhere comes in there; who signed in there has no more rights.
#[test]
fn signing_in_where_mail_comes_in_opens_nothing() {
    Probed { signs_in: true, ..Probed::new("", Protocol::Smtp) }.check(|_| false);
}

#[test]
fn nothing_is_submitted_without_sign_in() {
    Probed::new("", Protocol::Submission).check(|_| false);
}

#[test]
fn nothing_is_relayed_by_lmtp() {
    Probed::new("", Protocol::Lmtp).check(|_| false);
    Probed { signs_in: true, ..Probed::new("", Protocol::Lmtp) }.check(|_| false);
    Probed::new("given option relay-allow 127.0.0.0/8", Protocol::Lmtp).check(|_| false);
}

#[test]
fn submission_relays_for_who_has_signed_in() {
    let submission = Probed { signs_in: true, ..Probed::new("", Protocol::Submission) };
    submission.check(|probe| probe.open == Open::Relayed);
}

#[test]
fn a_server_that_was_opened_on_purpose_is_found_open() {
    let opened = Probed::new("given option relay-allow 127.0.0.0/8", Protocol::Smtp);
    opened.check(|probe| probe.open == Open::Relayed);
}

/// The networks of `relay.allow` are those that it names.
#[test]
fn a_server_that_was_opened_for_others_is_closed() {
    Probed::new("given option relay-allow 192.0.2.0/24", Protocol::Smtp).check(|_| false);
}

/// The program that takes the mail of such a domain trusts us, and may not look for itself.
#[test]
fn nothing_is_relayed_through_who_takes_the_mail_of_a_domain_of_ours() {
    let handed_on = "given option handed-on lists.example\n";
    Probed::new(handed_on, Protocol::Smtp).check_these(HANDED_ON, |_| false);
    Probed::new(handed_on, Protocol::Submission).check_these(HANDED_ON, |_| false);
    Probed::new(handed_on, Protocol::Lmtp).check_these(HANDED_ON, |_| false);
    let plain = [recipient("handed on", "<joe+tag=one@lists.example>", Open::Ours)];
    Probed::new(handed_on, Protocol::Smtp).check_these(&plain, |_| true);
    let submission = Probed { signs_in: true, ..Probed::new(handed_on, Protocol::Submission) };
    submission.check_these(HANDED_ON, |probe| probe.open == Open::Relayed);
}
