//! An account for one test, and a second opinion on what is in it.

use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::tools::{done, script};
use crate::trial::{PROGRAM, Trial};

/// An account that nobody else uses.
pub(crate) struct Account<'a> {
    pub(crate) trial: &'a Trial,
    pub(crate) address: String,
    pub(crate) password: String,
}

/// A mailbox as Python's clients read it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Read {
    pub(crate) validity: u32,
    pub(crate) emails: Vec<Email>,
}

/// One email.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Email {
    pub(crate) uid: u32,
    pub(crate) flags: Vec<String>,
    /// POP3's unique id, for the INBOX.
    #[serde(default)]
    pub(crate) unique: String,
    #[serde(skip)]
    pub(crate) content: Vec<u8>,
}

impl Email {
    /// The content as it was sent.
    pub(crate) fn sent(&self) -> &[u8] {
        after_our_prefix(&self.content)
    }
}

impl<'a> Account<'a> {
    /// Makes an account.
    pub(crate) fn new(trial: &'a Trial, name: &str) -> Self {
        let address = format!("{name}@example.org");
        let mut command = Command::new(PROGRAM);
        command.args(["account", "add", &address, "--generate", "--json", "--data"]).arg(trial.data());
        let made: serde_json::Value = serde_json::from_slice(&done(&mut command, b"")).unwrap();
        let password = made["password"].as_str().expect("one was made").to_owned();
        Self { trial, address, password }
    }

    /// What a script needs to know: host, the port of each protocol, authority, address and password.
    pub(crate) fn task(&self) -> Value {
        let mut task = json!({
            "host": "127.0.0.1", "ca": self.trial.ca(), "address": self.address, "password": self.password,
        });
        let fields = task.as_object_mut().expect("it is an object");
        fields.extend(self.trial.ready().ports.iter().map(|(name, &port)| (name.clone(), port.into())));
        task
    }

    /// `address:password`, as curl takes them.
    pub(crate) fn credentials(&self) -> String {
        format!("{}:{}", self.address, self.password)
    }

    /// Everything in a mailbox, by IMAP and, if it is the INBOX, by POP3; both give the same bytes, but that
    /// POP3 has to end the last line.
    pub(crate) fn read(&self, mailbox: &str) -> Read {
        let directory = tempfile::tempdir().unwrap();
        let task = json!({
            "host": "127.0.0.1", "pop3s": self.trial.port("pop3s"), "imaps": self.trial.port("imaps"),
            "ca": self.trial.ca(), "address": self.address, "password": self.password,
            "mailbox": mailbox, "directory": directory.path(),
        });
        let mut read: Read =
            serde_json::from_slice(&done(script("read.py").arg(task.to_string()), b"")).unwrap();
        for (number, email) in read.emails.iter_mut().enumerate() {
            let file = |kind| std::fs::read(directory.path().join(format!("{}.{kind}", number + 1)));
            email.content = file("imap").unwrap();
            if mailbox == "INBOX" {
                assert_same("IMAP and POP3", &ended(&email.content), &file("pop3").unwrap());
            }
        }
        read
    }
}

/// What follows the lines that the server wrote: Return-Path, Delivered-To, its Received, and Sender where the account wrote
/// in another's name (RFC 6409 §8.1).
fn after_our_prefix(content: &[u8]) -> &[u8] {
    let mut rest = content;
    for name in ["Return-Path: ", "Delivered-To: ", "Received: "] {
        assert!(rest.starts_with(name.as_bytes()), "{name}is missing: {}", shown(content));
        rest = after_line(rest);
        while rest.first().is_some_and(|byte| b" \t".contains(byte)) {
            rest = after_line(rest);
        }
    }
    if rest.starts_with(b"Sender: ") { after_line(rest) } else { rest }
}

fn after_line(bytes: &[u8]) -> &[u8] {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n").expect("every line ends with CRLF");
    &bytes[end + 2..]
}

/// With the last line ended, as text travels by SMTP and POP3.
pub(crate) fn ended(content: &[u8]) -> Vec<u8> {
    let mut content = content.to_vec();
    if !content.ends_with(b"\r\n") {
        content.extend_from_slice(b"\r\n");
    }
    content
}

/// Says where two contents begin to differ, instead of printing megabytes.
pub(crate) fn assert_same(what: &str, left: &[u8], right: &[u8]) {
    if left == right {
        return;
    }
    let at = left.iter().zip(right).take_while(|(l, r)| l == r).count();
    let near = |bytes: &[u8]| shown(bytes.get(at.saturating_sub(40)..).unwrap_or_default());
    panic!(
        "{what}: {} and {} octets, different from octet {at}:\n{}\n{}",
        left.len(),
        right.len(),
        near(left),
        near(right)
    );
}

fn shown(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(300)].escape_ascii().to_string()
}
