//! The program with protocol logs: what it writes of SMTP, POP3 and IMAP, what it never writes, and what it does when the
//! files are moved or cannot be written.

// This is a client of the server, outside its world: it has files of its own.
#![allow(clippy::disallowed_methods)]
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use protocol::sasl::ScramHash;
use tempfile::TempDir;

mod proof {
    pub(crate) mod server;
}

use proof::server::{DOMAIN, PASSWORD, Place, Server, Signal};

/// In base64: the user name, the password, and both as a PLAIN response.
const USER_BASE64: &str = "dXNlckBjcmFzaC50ZXN0";
const PASSWORD_BASE64: &str = "c2VjcmV0";
const PLAIN_BASE64: &str = "AHVzZXJAY3Jhc2gudGVzdABzZWNyZXQ=";
/// In a message's content, and nowhere else.
const MARK: &str = "meet-me-at-noon";

/// A running server whose virtual servers have logs: `smtp.log`, `pop3.log`, `imap.log`.
struct Logged {
    directory: TempDir,
    server: Server,
}

impl Logged {
    /// `more`: what stands in each log's settings beside its file.
    fn start(more: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory for a test");
        let logs = directory.path().join("logs");
        fs::create_dir(&logs).unwrap();
        let place = Place::new(directory.path(), "", &[format!("user@{DOMAIN}")]);
        fs::write(directory.path().join("settings.toml"), settings(&logs, more)).unwrap();
        Self { server: place.serve(&[]), directory }
    }

    fn client(&self, protocol: &str) -> Client {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server.port(protocol))).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut client = Client(BufReader::new(socket));
        client.hear("");
        client
    }

    /// Ends the server; the errors that it logged.
    fn end(self) -> (TempDir, Vec<String>) {
        (self.directory, self.server.end(Signal::TERM))
    }
}

/// Not confined: a directory that is made anew is another one to the kernel, and one test makes it anew.
fn settings(logs: &Path, more: &str) -> String {
    let mut text = format!(
        "host-name = \"mx.{DOMAIN}\"\nconfinement = \"off\"\ntrusted-networks = [\"127.0.0.0/8\"]\n\
         authentication-without-tls = [\"127.0.0.0/8\"]\n\n[log]\nlevel = \"info\"\nformat = \"json\"\n"
    );
    for protocol in ["smtp", "pop3", "imap"] {
        let sign_in = if protocol == "smtp" {
            "authentication = [\"scram-sha-1\", \"plain\", \"login\"]\n"
        } else {
            ""
        };
        let file = logs.join(format!("{protocol}.log"));
        text.push_str(&format!(
            "\n[[virtual-server]]\nname = \"my {protocol}\"\nprotocol = \"{protocol}\"\nbind = \"127.0.0.1:0\"\n\
             {sign_in}protocol-log = {{ file = {file:?}{more} }}\n"
        ));
    }
    text
}

struct Client(BufReader<TcpStream>);

impl Client {
    /// Reads lines until one begins like this; what follows that.
    fn hear(&mut self, beginning: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).unwrap();
            assert!(read > 0, "the server closed before it said {beginning:?}");
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.trim_end().to_owned();
            }
        }
    }

    /// Says a line and reads until one begins like this.
    fn say(&mut self, line: &str, beginning: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.hear(beginning)
    }
}

/// A log's lines without times, connection numbers and ports, and with one word for every queue id.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| shortened(line).unwrap_or_else(|| panic!("{line:?}"))).collect()
}

fn shortened(line: &str) -> Option<String> {
    let (time, rest) = line.split_once(' ')?;
    let (number, rest) = rest.split_once(' ')?;
    let (peer, said) = rest.split_once(' ')?;
    let is_time = time.len() == "2026-11-22T15:42:52.123Z".len() && time.ends_with('Z');
    let is_peer = peer.starts_with("127.0.0.1:");
    number.parse::<u64>().ok().filter(|_| is_time && is_peer)?;
    match said.strip_prefix("> 250 2.0.0 ").and_then(|rest| rest.strip_suffix(" kept")) {
        Some(_) => Some("> 250 2.0.0 ID kept".to_owned()),
        None => Some(said.to_owned()),
    }
}

fn send_a_message(logged: &Logged) {
    let mut client = logged.client("smtp");
    client.say("HELO client.test", "250 ");
    client.say("AUTH LOGIN", "334 ");
    client.say(USER_BASE64, "334 ");
    client.say(PASSWORD_BASE64, "235 ");
    client.say(&format!("AUTH PLAIN {PLAIN_BASE64}"), "503 ");
    client.say(PASSWORD_BASE64, "500 ");
    client.say(&format!("MAIL FROM:<user@{DOMAIN}>"), "250 ");
    client.say(&format!("RCPT TO:<user@{DOMAIN}>"), "250 ");
    client.say("DATA", "354 ");
    client.say(&format!("From: user@{DOMAIN}\r\nSubject: {MARK}\r\n\r\n{MARK}\r\n."), "250 ");
    client.say("QUIT", "221 ");
}

fn read_it_by_pop3(logged: &Logged) {
    let mut client = logged.client("pop3");
    client.say(&format!("USER user@{DOMAIN}"), "+OK");
    client.say(&format!("PASS {PASSWORD}"), "+OK");
    client.say("RETR 1", ".");
    client.say("QUIT", "+OK");
}

fn read_it_by_imap(logged: &Logged) {
    let mut client = logged.client("imap");
    client.say("a1 LOGIN {15}", "+ ");
    client.say(&format!("user@{DOMAIN} {PASSWORD}"), "a1 OK");
    client.say("a2 EXAMINE INBOX", "a2 OK");
    client.say("a3 FETCH 1 (ENVELOPE BODY[TEXT])", "a3 OK");
    client.say(&format!("a4 APPEND INBOX {{{}+}}\r\n{MARK}", MARK.len()), "a4 OK");
    client.say("a5 LOGOUT", "a5 OK");
    let mut client = logged.client("imap");
    client.say("b1 AUTHENTICATE PLAIN", "+ ");
    client.say(PLAIN_BASE64, "b1 OK");
    client.say("b2 LOGOUT", "b2 OK");
}

#[test]
fn every_command_and_reply_is_written_and_no_secret() {
    let logged = Logged::start("");
    send_a_message(&logged);
    read_it_by_pop3(&logged);
    read_it_by_imap(&logged);
    let (directory, errors) = logged.end();
    assert!(errors.is_empty(), "{errors:?}");
    let log = |protocol: &str| {
        let path = directory.path().join(format!("logs/{protocol}.log"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::read_to_string(path).unwrap()
    };
    for text in [log("smtp"), log("pop3"), log("imap")] {
        for word in [PASSWORD, PASSWORD_BASE64, USER_BASE64, PLAIN_BASE64, MARK] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }
    let smtp = [
        "- connected to my smtp",
        "> 220 mx.crash.test",
        "< HELO client.test",
        "> 250 mx.crash.test",
        "< AUTH LOGIN",
        "> 334 VXNlcm5hbWU6",
        "< (blanked)",
        "> 334 UGFzc3dvcmQ6",
        "< (blanked)",
        "> 235 2.7.0 Signed in",
        "< AUTH PLAIN (blanked)",
        "> 503 5.5.1 Signed in already",
        "< (not a command)",
        "> 500 5.5.1 Command not known",
        "< MAIL FROM:<user@crash.test>",
        "> 250 2.1.0 sender noted",
        "< RCPT TO:<user@crash.test>",
        "> 250 2.1.5 recipient noted",
        "< DATA",
        "> 354 send the content, end with a dot alone on a line",
        "< (68 octets)",
        "> 250 2.0.0 ID kept",
        "< QUIT",
        "> 221 2.0.0 Goodbye",
        "- closed",
    ];
    assert_eq!(lines(&log("smtp")), smtp);
    let pop3 = lines(&log("pop3"));
    assert_eq!(
        pop3[2..6],
        ["< USER user@crash.test", "> +OK send PASS", "< PASS (blanked)", pop3[5].as_str()]
    );
    assert_eq!(pop3[6], "< RETR 1");
    assert!(pop3[8].starts_with("> (") && pop3[8].ends_with(" octets)"), "{pop3:?}");
    assert_eq!(pop3[9..], ["< QUIT", "> +OK goodbye", "- closed"]);
    let imap = lines(&log("imap"));
    for line in [
        "< a1 LOGIN (blanked)",
        "> + OK",
        "< (blanked)",
        "< a2 EXAMINE INBOX",
        "< a3 FETCH 1 (ENVELOPE BODY[TEXT])",
        "> a3 OK FETCH completed",
        "< a4 APPEND INBOX {15+}",
        "< (15 octets)",
        "< a5 LOGOUT",
        "- closed",
        "< b1 AUTHENTICATE PLAIN",
        "< b2 LOGOUT",
    ] {
        assert!(imap.iter().any(|found| found == line), "{line} in {imap:#?}");
    }
    let fetched = imap.iter().find(|line| line.starts_with("> * 1 FETCH")).unwrap();
    assert!(fetched.contains("BODY[TEXT] (17 octets)"), "{fetched}");
}

/// Signs in by SCRAM: what was said that a password can be guessed from.
fn sign_in_by_scram(
    logged: &Logged,
    protocol: &str,
    (command, challenges, done): (&str, &str, &str),
) -> Vec<String> {
    let first = BASE64_STANDARD.encode(format!("n,,n=user@{DOMAIN},r=abc"));
    let mut client = logged.client(protocol);
    if protocol == "smtp" {
        client.say("EHLO client.test", "250 ");
    }
    let challenge = client.say(&format!("{command} SCRAM-SHA-1 {first}"), challenges);
    let proof = testkit::scram::prove(ScramHash::Sha1, PASSWORD, first.as_bytes(), challenge.as_bytes());
    let [last, signature] = proof
        .map(|proof| [proof.last, proof.signature])
        .unwrap()
        .map(|text| String::from_utf8(text).unwrap());
    assert_eq!(client.say(&last, challenges), signature);
    client.say("", done);
    vec![challenge, last, signature]
}

#[test]
fn nothing_of_scram_is_written_that_a_password_can_be_guessed_from() {
    let logged = Logged::start("");
    let mut secrets = Vec::new();
    for (protocol, how) in [
        ("smtp", ("AUTH", "334 ", "235 ")),
        ("pop3", ("AUTH", "+ ", "+OK")),
        ("imap", ("a1 AUTHENTICATE", "+ ", "a1 OK")),
    ] {
        secrets.extend(sign_in_by_scram(&logged, protocol, how));
    }
    let (directory, errors) = logged.end();
    assert!(errors.is_empty(), "{errors:?}");
    for protocol in ["smtp", "pop3", "imap"] {
        let text = fs::read_to_string(directory.path().join(format!("logs/{protocol}.log"))).unwrap();
        assert!(text.contains("SCRAM-SHA-1 (blanked)") && text.contains("(blanked)"), "{text}");
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} in {text}");
        }
    }
}

#[test]
fn files_are_rotated_and_found_again_when_they_were_moved() {
    let logged = Logged::start(", size-limit = \"4 KiB\", keep = 2");
    let noops = || {
        let mut client = logged.client("smtp");
        (0..90).for_each(|_| drop(client.say("NOOP", "250 ")));
        client.say("QUIT", "221 ");
    };
    (0..3).for_each(|_| noops());
    let logs = logged.directory.path().join("logs");
    let moved = logged.directory.path().join("moved.log");
    fs::rename(logs.join("smtp.log"), &moved).unwrap();
    noops();
    let (directory, errors) = logged.end();
    assert!(errors.is_empty(), "{errors:?}");
    let mut names: Vec<_> = fs::read_dir(directory.path().join("logs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("smtp"))
        .collect();
    names.sort();
    assert_eq!(names, ["smtp.log", "smtp.log.1", "smtp.log.2"]);
    for name in names {
        let text = fs::read_to_string(directory.path().join("logs").join(&name)).unwrap();
        assert!(text.len() <= 4096, "{name}: {} octets", text.len());
        // The newest may have just been begun, with the last line alone.
        assert!(name == "smtp.log" || lines(&text).len() > 5, "{name}: {text}");
    }
    let last = fs::read_to_string(directory.path().join("logs/smtp.log")).unwrap();
    assert_eq!(lines(&last).last().unwrap(), "- closed");
    assert!(!lines(&fs::read_to_string(moved).unwrap()).is_empty());
}

#[test]
fn mail_goes_on_when_a_log_cannot_be_written_and_it_is_said_once() {
    let logged = Logged::start("");
    let logs = logged.directory.path().join("logs");
    let away = logged.directory.path().join("away");
    send_a_message(&logged);
    fs::rename(&logs, &away).unwrap();
    send_a_message(&logged);
    send_a_message(&logged);
    fs::create_dir(&logs).unwrap();
    send_a_message(&logged);
    let (_directory, errors) = logged.end();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("the protocol log cannot be written"), "{errors:?}");
    let text = fs::read_to_string(logs.join("smtp.log")).unwrap();
    assert!(text.contains("lines were left out") && text.contains("- closed\n"), "{text}");
}
