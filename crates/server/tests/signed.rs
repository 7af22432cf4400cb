//! What leaves is signed, so that dkimpy, an independent implementation, believes the records that `domain add` printed.
//! Python's smtplib submits, a next hop takes.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "helpers of tests are tests")]

mod abroad;
#[path = "../../message-auth/tests/python/mod.rs"]
mod python;
#[path = "clients/tools.rs"]
#[allow(dead_code, reason = "a part is used")]
mod tools;

use std::collections::BTreeMap;

use abroad::server::Server;
use abroad::{Abroad, after_trace, assert_same, eventually};
use python::checks;
use serde_json::{Value, json};
use testkit::dns::Zones;
use testkit::peer::{Peer, Script};
use tools::{done, tool};

const SENDER: &str = "bob@signed.example";

/// Submits messages as an account. Standard input: the messages, before each its length on a line; argument: JSON.
const SUBMIT: &str = r#"
import json, smtplib, ssl, sys
task = json.loads(sys.argv[1])
tls = ssl.create_default_context(cafile=task["authority"])
tls.check_hostname = False
with smtplib.SMTP("127.0.0.1", task["port"], "client.example") as smtp:
    smtp.starttls(context=tls)
    smtp.login(task["user"], task["password"])
    while length := sys.stdin.buffer.readline():
        message = sys.stdin.buffer.read(int(length))
        smtp.sendmail(task["user"], ["carol@there.example"], message, ["BODY=8BITMIME"])
"#;

/// A server with a domain whose keys it made, and the exchanger of there.example.
struct Trial {
    server: Server,
    peer: Peer,
    /// What its operator publishes, by name.
    records: BTreeMap<String, String>,
    password: String,
    _abroad: Abroad,
}

impl Trial {
    fn start() -> Self {
        let abroad = Abroad::new(Zones::new().zone("there.example", "@ MX 10 mx\nmx A 127.0.0.1"));
        let peer = Peer::new(Script::smtp());
        let port = abroad.listen(&peer).port();
        let server = Server::start(&[], &abroad.delivery(port));
        let say = |arguments: &[&str]| -> Value { serde_json::from_str(&server.command(arguments)).unwrap() };
        let added = say(&["domain", "add", "signed.example", "--json"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let published = added["records"].as_array().unwrap();
        let records = published.iter().map(|record| (text(&record["name"]), text(&record["value"])));
        let records = records.collect();
        let account = say(&["account", "add", SENDER, "--generate", "--json"]);
        let password = text(&account["password"]);
        Self { server, peer, records, password, _abroad: abroad }
    }

    /// Submits messages; they are given back as they arrived, in this order.
    fn relay(&self, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let task = json!({
            "port": self.server.port("submission"), "authority": self.server.authority(),
            "user": SENDER, "password": self.password,
        });
        let framed =
            messages.iter().flat_map(|message| [format!("{}\n", message.len()).into(), message.clone()]);
        let mut submit = tool("python3");
        submit.args(["-c", SUBMIT]).arg(task.to_string());
        done(&mut submit, &framed.collect::<Vec<_>>().concat());
        let all = || Some(self.peer.taken()).filter(|taken| taken.len() == messages.len());
        let taken = eventually("everything that was submitted", all);
        let numbered = |number: usize| {
            let id = format!("Message-ID: <{number}@client.example>");
            let is = |content: &[u8]| content.windows(id.len()).any(|window| window == id.as_bytes());
            taken.iter().find(|taken| is(&taken.content)).expect("each has its number").content.clone()
        };
        (0..messages.len()).map(numbered).collect()
    }
}

/// Bodies in which something could be lost on the way. A line end after the last line is not: SMTP cannot be without.
fn messages() -> Vec<Vec<u8>> {
    let long = "x".repeat(998);
    let many = "0123456789 and so on\r\n".repeat(20_000);
    let bodies = [
        "hello\r\n",
        "",
        "\r\n\r\n\r\n",
        "no line end after this",
        ".\r\n..\r\n.dot\r\n. \r\nlast\r\n.\r\n",
        "blanks  and\ttabs \t \r\n \r\n\t\r\n\r\n\r\n",
        "Gr\u{fc}\u{df}e, \u{65e5}\u{672c}\r\n",
        &format!("{long}\r\n.{}\r\n", &long[1..]),
        &many,
    ];
    let message = |(number, body): (usize, &&str)| {
        let header = format!(
            "Message-ID: <{number}@client.example>\r\nFrom: Bob  <{SENDER}>\r\nTo: carol@there.example,\r\n\t\
             dan@there.example\r\nSubject:  number\r\n {number} \r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
        );
        format!("{header}\r\n{body}").into_bytes()
    };
    bodies.iter().enumerate().map(message).collect()
}

#[test]
fn dkimpy_verifies_what_leaves() {
    let trial = Trial::start();
    let messages = messages();
    let arrived = trial.relay(&messages);
    for (sent, arrived) in messages.iter().zip(&arrived) {
        let mut sent = sent.clone();
        if !sent.ends_with(b"\r\n") {
            sent.extend_from_slice(b"\r\n");
        }
        assert_same(
            "a message below its trace",
            &sent,
            after_trace(arrived, &["DKIM-Signature", "Received"]),
        );
    }
    assert!(trial.records.keys().any(|name| name.starts_with("rsa-")), "{:?}", trial.records);
    assert!(trial.records.keys().any(|name| name.starts_with("ed25519-")), "{:?}", trial.records);
    assert_eq!(checks(&trial.records, &arrived), vec!["True True"; messages.len()]);
    assert_eq!(trial.peer.complaints(), [""; 0]);

    let changed = |from: &str, to: &str| {
        let text = std::str::from_utf8(&arrived[0]).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{text}");
        text.replace(from, to).into_bytes()
    };
    let changed = [
        changed("\r\n\r\nhello", "\r\n\r\nhallo"),
        changed("Subject:  number", "Subject:  numbers"),
        changed("From: Bob", "From: Rob"),
        // A second one, above the one that was signed (RFC 6376 §8.15).
        changed("From: Bob", "From: eve@evil.example\r\nFrom: Bob"),
    ];
    assert_eq!(checks(&trial.records, &changed), ["False False"; 4]);

    // Each record verifies its own signature alone.
    let (rsa, ed25519): (BTreeMap<_, _>, BTreeMap<_, _>) =
        trial.records.clone().into_iter().partition(|(name, _)| name.starts_with("rsa-"));
    assert_eq!(checks(&rsa, &arrived[..1]), ["True False"]);
    assert_eq!(checks(&ed25519, &arrived[..1]), ["False True"]);
}
