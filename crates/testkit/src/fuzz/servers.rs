//! Sessions of servers, with the small application of the transcripts, whatever their clients send.
//!
//! Octets are what the client sends, but [`EVENT`] and the octet after it, which are something that happens.

use std::time::Duration;

use protocol::sasl::MECHANISMS;

use super::cut::Cut;
use crate::play::{Arrived, Patience, Stage as _};
use crate::session_stage::SessionStage;
use crate::transcript::{Check, Fixture, Protocol, Side};

/// Begins what is not sent: the next octet says what happens.
pub const EVENT: u8 = 0xFE;

/// Something that happens.
enum Event {
    Handshake,
    Wait(Duration),
    Stop,
    CloseWrite,
    /// What follows is sent by another client.
    Next,
}

enum Act<'a> {
    Send(&'a [u8]),
    Happen(Event),
}

/// Who connects, and what is said before.
struct Scene {
    protocol: Protocol,
    clients: usize,
    tls: bool,
    prelude: &'static [u8],
    /// Stands before and after what is sent.
    around: (&'static [u8], &'static [u8]),
}

impl Scene {
    const fn new(protocol: Protocol) -> Self {
        Self { protocol, clients: 1, tls: false, prelude: b"", around: (b"", b"") }
    }
}

const SIGNED_IN: &[u8] = b"p1 LOGIN bob@example.org secret\r\np2 SELECT INBOX\r\n";

/// SMTP from its first octet.
pub fn smtp(data: &[u8]) {
    check(&Scene::new(Protocol::Smtp), data);
}

/// SMTP with a transaction open.
pub fn smtp_transaction(data: &[u8]) {
    let prelude = b"EHLO c.example\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<bob@example.org>\r\n";
    check(&Scene { prelude, ..Scene::new(Protocol::Smtp) }, data);
}

/// Content after DATA.
pub fn smtp_content(data: &[u8]) {
    let prelude = b"EHLO c.example\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n";
    check(&Scene { prelude, around: (b"", b"\r\n.\r\nNOOP\r\n"), ..Scene::new(Protocol::Smtp) }, data);
}

/// Submission under TLS.
pub fn submission(data: &[u8]) {
    let prelude = b"EHLO c.example\r\n";
    check(&Scene { prelude, tls: true, ..Scene::new(Protocol::Submission) }, data);
}

/// One SASL exchange; the first octet says by which mechanism.
pub fn sasl(data: &[u8]) {
    let Some((&choice, lines)) = data.split_first() else { return };
    let prelude: &[u8] = match choice % 10 {
        0 => b"EHLO c.example\r\nAUTH PLAIN ",
        1 => b"EHLO c.example\r\nAUTH LOGIN ",
        2 => b"EHLO c.example\r\nAUTH SCRAM-SHA-1 ",
        3 => b"EHLO c.example\r\nAUTH SCRAM-SHA-256 ",
        4 => b"EHLO c.example\r\nAUTH SCRAM-SHA-256-PLUS ",
        6 => b"EHLO c.example\r\nAUTH CRAM-MD5\r\n",
        7 => b"EHLO c.example\r\nAUTH OAUTHBEARER ",
        8 => b"EHLO c.example\r\nAUTH XOAUTH2 ",
        9 => b"EHLO c.example\r\nAUTH EXTERNAL ",
        _ => b"EHLO c.example\r\nAUTH ",
    };
    let scene = Scene { prelude, tls: true, around: (b"", b"\r\n*\r\n"), ..Scene::new(Protocol::Submission) };
    check(&scene, lines);
}

/// LMTP from its first octet.
pub fn lmtp(data: &[u8]) {
    check(&Scene::new(Protocol::Lmtp), data);
}

/// POP3 from its first octet.
pub fn pop3(data: &[u8]) {
    check(&Scene::new(Protocol::Pop3), data);
}

/// POP3 signed in.
pub fn pop3_transaction(data: &[u8]) {
    let prelude = b"USER bob@example.org\r\nPASS secret\r\n";
    check(&Scene { prelude, tls: true, ..Scene::new(Protocol::Pop3) }, data);
}

/// IMAP from its first octet.
pub fn imap(data: &[u8]) {
    check(&Scene::new(Protocol::Imap), data);
}

/// IMAP with a mailbox selected.
pub fn imap_selected(data: &[u8]) {
    check(&Scene { prelude: SIGNED_IN, tls: true, ..Scene::new(Protocol::Imap) }, data);
}

/// Two clients in one mailbox.
pub fn imap_two_clients(data: &[u8]) {
    check(&Scene { prelude: SIGNED_IN, tls: true, clients: 2, ..Scene::new(Protocol::Imap) }, data);
}

/// The items of FETCH.
pub fn imap_fetch(data: &[u8]) {
    command(b"a FETCH 1:* ", data);
}

/// The criteria of SEARCH.
pub fn imap_search(data: &[u8]) {
    command(b"a UID SEARCH ", data);
}

/// The options and patterns of LIST.
pub fn imap_list(data: &[u8]) {
    command(b"a LIST ", data);
}

/// APPEND, and the message fetched again.
pub fn imap_append(data: &[u8]) {
    const AFTER: &[u8] = b"\r\nb FETCH * (ENVELOPE BODYSTRUCTURE BODY.PEEK[])\r\nc NOOP\r\n";
    let announced = format!("a APPEND INBOX (\\Seen) {{{}+}}\r\n", data.len());
    let whole = [announced.as_bytes(), &escaped(data)].concat();
    let scene = Scene { prelude: SIGNED_IN, tls: true, around: (b"", AFTER), ..Scene::new(Protocol::Imap) };
    check(&scene, &whole);
}

/// With no octet that would be an event.
fn escaped(data: &[u8]) -> Vec<u8> {
    data.iter().map(|&octet| if octet == EVENT { b'?' } else { octet }).collect()
}

fn command(before: &'static [u8], data: &[u8]) {
    let scene = Scene {
        prelude: SIGNED_IN,
        tls: true,
        around: (before, b"\r\nz NOOP\r\n"),
        ..Scene::new(Protocol::Imap)
    };
    check(&scene, data);
}

/// The server comes to rest, sends whole lines, and says the same wherever the input is cut.
fn check(scene: &Scene, data: &[u8]) {
    let data = [scene.around.0, data, scene.around.1].concat();
    let acts = acts(&data);
    let (at_once, at_once_comparable) = played(scene, &acts, Cut::Nowhere);
    let sent = data.len() + scene.clients * scene.prelude.len();
    for output in &at_once {
        assert!(output.len() <= OUTPUT_MAX + sent * GROWTH_MAX, "{} octets said to {sent}", output.len());
        let fault = lines(scene.protocol, output);
        assert!(fault.is_none(), "{}: {:?}", fault.unwrap_or_default(), String::from_utf8_lossy(output));
    }
    let (whole, whole_comparable) = played(scene, &acts, Cut::Lines);
    let mut others = vec![(played(scene, &acts, Cut::Pieces(1))), (played(scene, &acts, Cut::Pieces(7)))];
    // In IMAP what has changed is told between commands, and there are none between those that come at once.
    if scene.protocol != Protocol::Imap {
        others.push((at_once, at_once_comparable));
    }
    for (cut, comparable) in others {
        if comparable && whole_comparable && cut != whole {
            let (cut, whole) = (cut.concat(), whole.concat());
            let (cut, whole) = (String::from_utf8_lossy(&cut), String::from_utf8_lossy(&whole));
            panic!("cut it says\n{cut}\nand not\n{whole}");
        }
    }
}

/// What a session may say for each octet that it hears: `a UID FETCH 1:* (RFC822 ...)` asks for all that there is.
const GROWTH_MAX: usize = 4_000;
/// Greetings and farewells.
const OUTPUT_MAX: usize = 10_000;

fn acts(data: &[u8]) -> Vec<Act<'_>> {
    let mut acts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.iter().position(|&octet| octet == EVENT) {
        acts.push(Act::Send(&rest[..at]));
        acts.push(Act::Happen(match rest.get(at + 1).map_or(0, |octet| octet % 6) {
            0 => Event::Handshake,
            1 => Event::Wait(Duration::from_secs(70)),
            2 => Event::Wait(Duration::from_secs(31 * 60)),
            3 => Event::Stop,
            4 => Event::CloseWrite,
            _ => Event::Next,
        }));
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    acts.push(Act::Send(rest));
    acts.retain(|act| !matches!(act, Act::Send([])));
    acts
}

fn fixture() -> Fixture {
    let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
    let mechanisms: Vec<&str> = MECHANISMS.iter().map(|mechanism| mechanism.name()).collect();
    Fixture {
        accounts: vec![pair("bob@example.org", "secret"), pair("eve@example.org", "secret")],
        mail: vec![
            pair("bob@example.org", "plain.eml"),
            pair("bob@example.org", "imap-parts.eml"),
            pair("bob@example.org", "dots.eml"),
        ],
        tokens: vec![pair("t", "bob@example.org")],
        options: [pair("message-size-limit", "20000"), pair("mechanisms", &mechanisms.join(","))].into(),
        ..Fixture::default()
    }
}

/// What the server says to each client if what they send is cut so; and whether the play can be
/// compared with another: a cut before a handshake makes it another dialogue.
fn played(scene: &Scene, acts: &[Act<'_>], cut: Cut) -> (Vec<Vec<u8>>, bool) {
    let mut stage = SessionStage::new(&fixture()).expect("the fixture is sound");
    let clients = 1..=scene.clients;
    let mut client = 1;
    for client in clients.clone() {
        must(stage.present(client, "bob@example.org"));
        must(stage.open(client, scene.protocol, scene.tls));
        send(&mut stage, client, scene.prelude, Cut::Lines);
    }
    let mut comparable = true;
    for act in acts {
        match act {
            Act::Send(octets) => comparable &= send(&mut stage, client, octets, cut),
            Act::Happen(Event::Handshake) if stage.awaits_handshake(client) => {
                // Compression is asked for in the same way, and has no handshake.
                drop(stage.start_tls(client));
            }
            Act::Happen(Event::Handshake) => {}
            Act::Happen(Event::Wait(time)) => must(stage.wait(*time)),
            Act::Happen(Event::Stop) => must(stage.stop()),
            Act::Happen(Event::CloseWrite) => must(stage.close(client, Side::Write)),
            Act::Happen(Event::Next) => client = client % scene.clients + 1,
        }
        if !comparable {
            break;
        }
    }
    clients.clone().for_each(|client| must(stage.close(client, Side::Write)));
    let output = clients.map(|client| heard(&mut stage, client)).collect();
    // It still answers: a count that is true for no mailbox is an answer, too.
    drop(stage.check(&Check::Mail("bob@example.org".into(), usize::MAX)));
    (output, comparable)
}

fn must(done: Result<(), String>) {
    if let Err(problem) = done {
        panic!("{problem}");
    }
}

/// False: a handshake is awaited with octets left to be sent.
fn send(stage: &mut SessionStage, client: usize, octets: &[u8], cut: Cut) -> bool {
    let mut left = octets.len();
    for piece in cut.lines(octets).into_iter().flat_map(|line| cut.pieces(line)) {
        must(stage.send(client, piece));
        left -= piece.len();
        if left > 0 && stage.awaits_handshake(client) {
            return false;
        }
    }
    true
}

fn heard(stage: &mut SessionStage, client: usize) -> Vec<u8> {
    let mut output = Vec::new();
    while let Ok(Arrived::Bytes(octets)) = stage.read(client, Patience::Glance) {
        output.extend(octets);
    }
    output
}

/// What is wrong with the lines that a server sent.
pub(super) fn lines(protocol: Protocol, output: &[u8]) -> Option<String> {
    let mut rest = output;
    while !rest.is_empty() {
        let Some(end) = memchr::memmem::find(rest, b"\r\n") else { return Some("a line has no end".into()) };
        let line = &rest[..end];
        rest = &rest[end + 2..];
        if let Some(&octet) = line.iter().find(|octet| matches!(octet, 0..=8 | 10..=31 | 127)) {
            return Some(format!("a line has the octet {octet}"));
        }
        match protocol {
            Protocol::Imap => rest = &rest[rest.len().min(literal(line))..],
            Protocol::Pop3 => {}
            Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => {
                if let Some(problem) = reply(line) {
                    return Some(problem);
                }
            }
        }
    }
    None
}

/// RFC 5321 §4.2: three digits, then a blank or a hyphen.
fn reply(line: &[u8]) -> Option<String> {
    let [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', text @ ..] = line else {
        return Some(format!("`{}` is no reply", String::from_utf8_lossy(line)));
    };
    (text.len() + 6 > mail::limits::REPLY_LINE_OCTETS_MAX).then(|| "a reply is too long".into())
}

/// How many octets of a literal follow this line (RFC 9051 §4.3).
fn literal(line: &[u8]) -> usize {
    let digits = || {
        let inner = line.strip_suffix(b"}")?;
        let at = inner.iter().rposition(|&octet| octet == b'{')?;
        std::str::from_utf8(&inner[at + 1..]).ok()?.parse().ok()
    };
    digits().unwrap_or(0)
}
