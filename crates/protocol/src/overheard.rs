//! What is said on a connection, noted for whoever keeps a protocol log: off unless asked for.
//!
//! Each command line is noted when the session takes it and each reply when it is made, so that a command stands before
//! its reply however both were cut into packets. What is noted is safe to keep: a secret never enters it, and content
//! is shown by its size. How a protocol's lines are shown stands in its own `overheard` file; the rule is the same in
//! all: *show what is known to be harmless*. A line that is no command may be a password that came in the wrong place,
//! so it is not shown at all.
//!
//! What stands in parentheses was not said but tells what was: `(blanked)`, `(4096 octets)`, `(not a command)`.

use std::mem;

use crate::limits::{OVERHEARD_LINES_MAX, OVERHEARD_OCTETS_MAX};
use crate::misuse::Misuse;

/// In place of a secret, or of what might be one.
pub(crate) const BLANKED: &str = "(blanked)";
/// In place of a line that is no command: it may be a password.
pub(crate) const NO_COMMAND: &str = "(not a command)";

/// Who said a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// This server.
    We,
    /// The other one.
    Peer,
}

/// One line that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overheard {
    /// Who said it.
    pub by: Speaker,
    /// The line, without its CRLF, secrets blanked and content left out; printable, with
    /// [`OVERHEARD_OCTETS_MAX`] octets of the original at most.
    pub text: String,
}

/// Notes of what was said, until they are taken.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    lines: Vec<Overheard>,
    left_out: usize,
}

impl Notes {
    /// Notes a line of the peer, which must hold no secret any more.
    pub(crate) fn peer(&mut self, line: impl AsRef<[u8]>) {
        self.add(Speaker::Peer, line.as_ref());
    }

    /// Notes a line of ours.
    pub(crate) fn we(&mut self, line: impl AsRef<[u8]>) {
        self.add(Speaker::We, line.as_ref());
    }

    /// Notes a line of the peer that the line reader refused and did not keep.
    pub(crate) fn broken(&mut self, misuse: Misuse) {
        self.peer(format!("({})", misuse.name()));
    }

    /// Notes content, which is not shown.
    pub(crate) fn content(&mut self, by: Speaker, octets: u64) {
        self.add(by, format!("({octets} octets)").as_bytes());
    }

    fn add(&mut self, by: Speaker, line: &[u8]) {
        if self.lines.len() >= OVERHEARD_LINES_MAX {
            self.left_out += 1;
            return;
        }
        let shown = &line[..line.len().min(OVERHEARD_OCTETS_MAX)];
        let mut text = mail::printable(shown);
        if shown.len() < line.len() {
            text.push_str(&format!(" ({} octets more)", line.len() - shown.len()));
        }
        self.lines.push(Overheard { by, text });
    }

    /// What was noted since the last call.
    pub(crate) fn take(&mut self) -> Vec<Overheard> {
        let mut lines = mem::take(&mut self.lines);
        let left_out = mem::take(&mut self.left_out);
        if left_out > 0 {
            lines.push(Overheard { by: Speaker::We, text: format!("({left_out} lines left out)") });
        }
        lines
    }
}

/// The arguments of AUTH and AUTHENTICATE as they may be shown: the mechanism, if it is one. The word in its place may
/// be a response whose mechanism was forgotten.
pub(crate) fn auth_shown(arguments: &[u8]) -> String {
    let word = arguments.split(|&octet| octet == b' ').next().unwrap_or_default();
    let known = SASL_NAMES.iter().find(|name| name.as_bytes().eq_ignore_ascii_case(word));
    match known {
        Some(name) if word.len() == arguments.len() => (*name).to_owned(),
        Some(name) => format!("{name} {BLANKED}"),
        None if arguments.is_empty() => String::new(),
        None => BLANKED.to_owned(),
    }
}

/// Names of SASL mechanisms (IANA registry) that clients try, offered here or not.
const SASL_NAMES: &[&str] = &[
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "DIGEST-MD5",
    "SCRAM-SHA-1",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "EXTERNAL",
    "ANONYMOUS",
    "GSSAPI",
    "NTLM",
    "OAUTHBEARER",
    "XOAUTH2",
];

#[cfg(test)]
mod tests;
