//! Lines with variables: `S: +OK $greeting *`.

use std::collections::BTreeMap;

use super::escape;

/// What variables stand for, once bound.
pub type Bindings = BTreeMap<String, Vec<u8>>;

/// The text of a `C:` or `S:` line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pattern {
    pieces: Vec<Piece>,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Literal(Vec<u8>),
    /// `$name`.
    Variable(String),
    /// `*` at the end: the rest of the line.
    Rest,
}

impl Pattern {
    /// The text of a line that the client sends: `*` means itself.
    pub(super) fn parse_sent(text: &str) -> Result<Self, String> {
        let mut pattern = Self::default();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let name = variable(rest);
            let taken = match first {
                '$' if !name.is_empty() => {
                    pattern.pieces.push(Piece::Variable(name.into()));
                    1 + name.len()
                }
                '\\' => {
                    let (byte, taken) = escape::one(rest)?;
                    pattern.push(&[byte]);
                    taken
                }
                _ => {
                    pattern.push(&rest.as_bytes()[..first.len_utf8()]);
                    first.len_utf8()
                }
            };
            rest = &rest[taken..];
        }
        Ok(pattern)
    }

    /// The text of a line that the server sends: `*` at the end stands for the rest.
    pub(super) fn parse_expected(text: &str) -> Result<Self, String> {
        match text.strip_suffix('*') {
            Some(head) if !head.ends_with('\\') || head.ends_with("\\\\") => {
                let mut pattern = Self::parse_sent(head)?;
                pattern.pieces.push(Piece::Rest);
                Ok(pattern)
            }
            _ => Self::parse_sent(text),
        }
    }

    /// The same, followed by CRLF.
    pub(super) fn with_line_end(mut self) -> Self {
        self.push(b"\r\n");
        self
    }

    fn push(&mut self, bytes: &[u8]) {
        match self.pieces.last_mut() {
            Some(Piece::Literal(literal)) => literal.extend_from_slice(bytes),
            _ => self.pieces.push(Piece::Literal(bytes.to_vec())),
        }
    }

    /// The names of its variables.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces
            .iter()
            .filter_map(|piece| if let Piece::Variable(name) = piece { Some(name.as_str()) } else { None })
    }

    /// The bytes, with every variable replaced. A variable that is not bound stands for nothing; the parser has refused
    /// such a transcript.
    pub fn fill(&self, bindings: &Bindings) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => bytes.extend_from_slice(literal),
                Piece::Variable(name) => bytes.extend(bindings.get(name).into_iter().flatten()),
                Piece::Rest => {}
            }
        }
        bytes
    }

    /// Whether a line (without CRLF) matches; if so, with what new variables stand for. A variable is the shortest run
    /// of octets without space, at least one, with which the whole line matches.
    pub fn matches(&self, line: &[u8], bindings: &Bindings) -> Option<Bindings> {
        matches(&self.pieces, line, bindings.clone())
    }
}

fn matches(pieces: &[Piece], line: &[u8], mut bindings: Bindings) -> Option<Bindings> {
    let Some((first, rest)) = pieces.split_first() else {
        return line.is_empty().then_some(bindings);
    };
    match first {
        Piece::Rest => Some(bindings),
        Piece::Literal(literal) => matches(rest, line.strip_prefix(literal.as_slice())?, bindings),
        Piece::Variable(name) => {
            if let Some(value) = bindings.get(name) {
                let line = line.strip_prefix(value.as_slice())?;
                return matches(rest, line, bindings);
            }
            let longest = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
            (1..=longest).find_map(|length| {
                bindings.insert(name.clone(), line[..length].to_vec());
                matches(rest, &line[length..], bindings.clone())
            })
        }
    }
}

/// The name of the variable at the start of `text`, or nothing. Names are lower case, so that IMAP's `$Forwarded` is none.
fn variable(text: &str) -> &str {
    let Some(name) = text.strip_prefix('$') else { return "" };
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return "";
    }
    let end = name
        .find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
        .unwrap_or(name.len());
    &name[..end]
}
