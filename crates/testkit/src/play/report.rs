//! What was said, and what was different: for a terminal.

use std::fmt;

use super::Cut;
use crate::transcript::show;

/// Everything said so far, line by line, safe for a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dialogue {
    said: Vec<Said>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    client: usize,
    server: bool,
    text: String,
}

impl Dialogue {
    /// A line as the transcript has it.
    pub(super) fn note(&mut self, client: usize, text: &str) {
        self.said.push(Said {
            client,
            server: text.starts_with("S:"),
            text: show(text.as_bytes()).replace("\\\\", "\\"),
        });
    }

    /// A line that the server sent.
    pub(super) fn heard(&mut self, client: usize, line: &[u8]) {
        let number = if client == 1 { String::new() } else { client.to_string() };
        self.said.push(Said { client, server: true, text: format!("{number}S: {}", show(line)) });
    }

    /// Whether this client has neither said nor heard anything.
    pub(super) fn is_new(&self, client: usize) -> bool {
        self.said.iter().all(|said| said.client != client)
    }

    /// The dialogue; in colour, what the server said stands out.
    pub fn render(&self, colour: bool) -> String {
        let mut text = String::new();
        for said in &self.said {
            let line = match (colour, said.server, said.text.contains(':')) {
                (false, ..) => format!("  {}\n", said.text),
                (true, true, _) => format!("  \x1b[32m{}\x1b[0m\n", said.text),
                (true, false, true) => format!("  \x1b[36m{}\x1b[0m\n", said.text),
                (true, false, false) => format!("  \x1b[2m{}\x1b[0m\n", said.text),
            };
            text.push_str(&line);
        }
        text
    }
}

/// Where a play went differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The transcript's line, from 1.
    pub line: usize,
    /// As it is written.
    pub text: String,
    /// What happened instead, in escapes.
    pub problem: String,
    /// How the writes were divided.
    pub cut: Cut,
    /// Everything said until then.
    pub dialogue: Dialogue,
}

impl Failure {
    /// The failure with the dialogue before it.
    pub fn render(&self, colour: bool) -> String {
        let (red, plain) = if colour { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
        let cut = match self.cut {
            Cut::Whole => String::new(),
            Cut::At(octets) => format!(" (the client's bytes cut after octet {octets})"),
            Cut::Everywhere => " (every byte in a write of its own)".into(),
        };
        let dialogue = self.dialogue.render(colour);
        format!(
            "line {}: {}{cut}\n{red}{}{plain}\nthe dialogue so far:\n{dialogue}",
            self.line, self.text, self.problem
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// Expected and got, under one another.
pub(super) fn other_line(expected: &[u8], got: &[u8]) -> String {
    let same = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
    let expected = if expected.is_empty() { "nothing".into() } else { show(expected) };
    format!("  expected  {expected}\n  got       {}\n  alike     the first {same} octets", show(got))
}
