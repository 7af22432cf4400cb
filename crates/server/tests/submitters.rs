//! Programs that others wrote submit mail for elsewhere: msmtp and swaks, signed in, under TLS. What leaves is looked at
//! where it arrives.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "helpers of tests are tests")]

mod abroad;
#[path = "clients/tools.rs"]
#[allow(dead_code, reason = "a part is used")]
mod tools;

use std::process::Command;

use abroad::server::{HOST_NAME, PASSWORD, Server};
use abroad::{Abroad, eventually};
use testkit::dns::Zones;
use testkit::peer::{Peer, Script, Taken};
use tools::{run, tool};

/// Neither Date nor Message-ID, and somebody who must stay hidden.
const CONTENT: &str = "From: Ann <ann@here.example>\r\nTo: <bob@there.example>\r\nBcc: <carl@there.example>,\r\n \
                       <dora@there.example>\r\nSubject: submitted\r\n\r\nGrüße\r\n.dot\r\nlast\r\n";
const RECIPIENTS: [&str; 3] = ["bob@there.example", "carl@there.example", "dora@there.example"];
const SENDER: &str = "ann@here.example";

/// A server, and the exchanger of there.example.
struct Trial {
    server: Server,
    peer: Peer,
    _abroad: Abroad,
}

impl Trial {
    fn start() -> Self {
        let abroad = Abroad::new(Zones::new().zone("there.example", "@ MX 10 mx\nmx A 127.0.0.1"));
        let peer = Peer::new(Script::smtp());
        let port = abroad.listen(&peer).port();
        let server = Server::start(&["ann"], &abroad.delivery(port));
        Self { server, peer, _abroad: abroad }
    }

    fn port(&self, protocol: &str) -> String {
        self.server.port(protocol).to_string()
    }
}

/// msmtp, reading the recipients from the header, which it leaves as it is.
fn msmtp(trial: &Trial, protocol: &str, mechanism: &str, password: &str) -> Command {
    let mut msmtp = tool("msmtp");
    let starttls = if protocol == "submissions" { "off" } else { "on" };
    msmtp.args(["--file=/dev/null", "--host=127.0.0.1", "--domain=client.example", "--tls=on"]);
    msmtp.arg(format!("--port={}", trial.port(protocol))).arg(format!("--tls-starttls={starttls}"));
    msmtp.arg(format!("--tls-trust-file={}", trial.server.authority().display()));
    msmtp.arg(format!("--tls-host-override={HOST_NAME}"));
    msmtp.arg(format!("--auth={mechanism}")).arg(format!("--user={SENDER}"));
    msmtp.arg(format!("--passwordeval=echo {password}")).arg(format!("--from={SENDER}"));
    msmtp.args([
        "--set-date-header=off",
        "--set-msgid-header=off",
        "--remove-bcc-headers=off",
        "--read-recipients",
    ]);
    msmtp
}

fn swaks(trial: &Trial, protocol: &str, mechanism: &str, password: &str) -> Command {
    let mut swaks = tool("swaks");
    let tls = if protocol == "submissions" { "--tls-on-connect" } else { "--tls" };
    swaks.args(["--server", "127.0.0.1", "--helo", "client.example", "--from", SENDER, tls]);
    swaks.args(["--port", &trial.port(protocol), "--to", &RECIPIENTS.join(",")]);
    swaks.args(["--tls-verify", "--tls-ca-path"]).arg(trial.server.authority());
    swaks.args(["--auth", mechanism, "--auth-user", SENDER, "--auth-password", password]);
    // swaks takes CR LF where it is written as \n; the dots are its own business.
    swaks.args(["--data", &CONTENT.trim_end().replace("\r\n", "\\n")]);
    swaks
}

/// The header fields of a content, unfolded, and its body.
fn parts(content: &[u8]) -> (Vec<String>, String) {
    let text = String::from_utf8(content.to_vec()).expect("the content is UTF-8");
    let (header, body) = text.split_once("\r\n\r\n").expect("a header ends with an empty line");
    let unfolded = header.replace("\r\n ", " ").replace("\r\n\t", " ");
    (unfolded.split("\r\n").map(String::from).collect(), body.to_owned())
}

fn look_at(what: &str, taken: &Taken) {
    let (fields, body) = parts(&taken.content);
    let named = |name: &str| {
        fields.iter().filter(|field| field.to_ascii_lowercase().starts_with(&format!("{name}:"))).count()
    };
    assert_eq!((named("bcc"), named("date"), named("message-id")), (0, 1, 1), "{what}: {fields:?}");
    assert_eq!((named("from"), named("to"), named("subject")), (1, 1, 1), "{what}: {fields:?}");
    let leaked = fields.iter().find(|field| field.contains("carl") || field.contains("dora"));
    assert_eq!(leaked, None, "{what}");
    assert_eq!(body, CONTENT.split_once("\r\n\r\n").unwrap().1, "{what}");
    assert!(fields.iter().any(|field| field.contains("with ESMTPSA")), "{what}: {fields:?}");
    assert_eq!((taken.from.as_str(), taken.hello.as_str()), (SENDER, HOST_NAME), "{what}");
}

#[test]
fn what_is_submitted_arrives_completed_and_keeps_its_secrets() {
    let trial = Trial::start();
    for (what, mut command, input) in [
        ("msmtp, STARTTLS", msmtp(&trial, "submission", "plain", PASSWORD), CONTENT),
        ("msmtp, implicit TLS", msmtp(&trial, "submissions", "login", PASSWORD), CONTENT),
        ("msmtp, SCRAM-SHA-1", msmtp(&trial, "submission", "scram-sha-1", PASSWORD), CONTENT),
        ("msmtp, SCRAM-SHA-256", msmtp(&trial, "submissions", "scram-sha-256", PASSWORD), CONTENT),
        ("swaks, STARTTLS", swaks(&trial, "submission", "LOGIN", PASSWORD), ""),
        ("swaks, implicit TLS", swaks(&trial, "submissions", "PLAIN", PASSWORD), ""),
    ] {
        let before = trial.peer.taken().len();
        let output = run(&mut command, input.replace("\r\n", "\n").as_bytes());
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{what}: {said}");
        let all = || {
            let taken = trial.peer.taken().split_off(before);
            let count: usize = taken.iter().map(|taken| taken.to.len()).sum();
            (count >= RECIPIENTS.len()).then_some(taken)
        };
        let taken = eventually(what, all);
        let mut to: Vec<_> = taken.iter().flat_map(|taken| taken.to.clone()).collect();
        to.sort();
        assert_eq!(to, RECIPIENTS, "{what}");
        taken.iter().for_each(|taken| look_at(what, taken));
    }
    assert_eq!(trial.peer.complaints(), [""; 0]);
}

#[test]
fn who_does_not_sign_in_submits_nothing() {
    let trial = Trial::start();
    let mut unsigned = msmtp(&trial, "submission", "off", PASSWORD);
    let mut wrong = swaks(&trial, "submissions", "PLAIN", "wrong");
    for (what, command) in [("without AUTH", &mut unsigned), ("with a wrong password", &mut wrong)] {
        let output = run(command, CONTENT.replace("\r\n", "\n").as_bytes());
        assert!(!output.status.success(), "{what}");
    }
    // A message that is let through overtakes nothing that was not.
    let output = run(&mut swaks(&trial, "submission", "PLAIN", PASSWORD), b"");
    assert!(output.status.success());
    eventually("the last", || (!trial.peer.taken().is_empty()).then_some(()));
    assert_eq!(trial.peer.taken().len(), 1);
}
