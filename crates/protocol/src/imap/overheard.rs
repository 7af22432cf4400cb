//! What is said on an IMAP connection, as a protocol log may show it: arguments of sign-in blanked, literals by their
//! size, and of what FETCH tells no string at all.
//!
//! ```text
//! lines of a command ──► Ear::command ──┐
//! octets of responses ──► Ear::response ┴──► Notes
//! ```
//!
//! A line of a command is noted when it has come, so that `+ OK` stands between a literal's announcement and the
//! literal. Responses are read back from the output as it is sent, however it is cut.

use super::command::{self, Entry};
use super::syntax::Cursor;
use crate::limits::OVERHEARD_OCTETS_MAX;
use crate::misuse::Misuse;
use crate::overheard::{BLANKED, NO_COMMAND, Notes, Overheard, Speaker, auth_shown};

/// Listens to one session.
#[derive(Debug, Default)]
pub(super) struct Ear {
    notes: Notes,
    /// The command under way, or the last one.
    command: Heard,
    /// The response that is being read.
    response: Response,
    /// Octets of the waiting output that were read.
    read: usize,
}

/// What is known of a command.
#[derive(Debug, Default)]
struct Heard {
    /// Its tag. Nothing if it was no command: then the tag is a word that may not be shown.
    tag: Vec<u8>,
    /// Nothing more of it is shown.
    private: bool,
    /// Where its literal begins, if it goes on after one.
    literal: Option<usize>,
}

impl Ear {
    /// A line of a command has come: `text` is all of the command so far, `from` where the line begins.
    pub(super) fn command(&mut self, text: &[u8], from: usize, goes_on: bool) {
        let line = &text[from..];
        if from == 0 {
            let (shown, heard) = first_line(line);
            self.command = heard;
            self.notes.peer(shown);
        } else if self.command.private {
            self.notes.peer(BLANKED);
        } else {
            let literal = from.saturating_sub(self.command.literal.unwrap_or(from));
            self.notes.peer([format!("({literal} octets)").as_bytes(), line].concat());
        }
        // After the CRLF.
        self.command.literal = goes_on.then_some(text.len() + 2);
    }

    /// A line of a command that was refused already, and is not kept.
    pub(super) fn refused_line(&mut self) {
        self.notes.peer("(more of a refused command)");
    }

    /// A line that the line reader refused.
    pub(super) fn broken(&mut self, misuse: Misuse) {
        self.notes.broken(misuse);
    }

    /// A line in a SASL exchange: `*` cancels it (RFC 3501 §6.2.2), anything else is a response.
    pub(super) fn sasl(&mut self, line: &[u8]) {
        self.notes.peer(if line == b"*" { line } else { BLANKED.as_bytes() });
    }

    /// A line while the client idles.
    pub(super) fn idle(&mut self, line: &[u8]) {
        self.notes.peer(if line.eq_ignore_ascii_case(b"DONE") { line } else { NO_COMMAND.as_bytes() });
    }

    /// The message of APPEND has come, with the rest of its line.
    pub(super) fn appended(&mut self, octets: u64, line: &[u8]) {
        let rest = if line.is_empty() { "" } else { NO_COMMAND };
        self.notes.peer(format!("({octets} octets){rest}"));
    }

    /// The waiting output: what was not read of it is.
    pub(super) fn response(&mut self, out: &[u8]) {
        for &octet in out.get(self.read..).unwrap_or_default() {
            if self.response.take(octet) {
                let line = std::mem::take(&mut self.response.line);
                self.notes.we(with_known_tag(&line, &self.command.tag));
            }
        }
        self.read = out.len();
    }

    /// A challenge was added to the output, which ends here now. It is shown so.
    pub(super) fn challenge(&mut self, end: usize, shown: &str) {
        self.notes.we(format!("+ {shown}"));
        self.read = end;
    }

    /// The output is sent.
    pub(super) fn sent(&mut self) {
        self.read = 0;
    }

    pub(super) fn take(&mut self) -> Vec<Overheard> {
        self.notes.take()
    }

    /// The connection ended within a message that the client sent.
    pub(super) fn cut(&mut self, octets: u64) {
        self.notes.content(Speaker::Peer, octets);
    }
}

/// The first line of a command as it may be shown, and what is known of the command.
fn first_line(line: &[u8]) -> (Vec<u8>, Heard) {
    let no_command = || (NO_COMMAND.into(), Heard { private: true, ..Heard::default() });
    let mut cursor = Cursor::new(line);
    let Ok(tag) = cursor.tag() else { return no_command() };
    if cursor.space().is_err() {
        return no_command();
    }
    let Some(entry) = command::find(&mut cursor) else { return no_command() };
    let arguments = cursor.rest();
    if arguments.first().is_some_and(|&octet| octet != b' ') {
        return no_command();
    }
    let name = &line[..line.len() - arguments.len()];
    let (arguments, private) = arguments_shown(entry, arguments.trim_ascii_start());
    let space: &[u8] = if arguments.is_empty() { b"" } else { b" " };
    let heard = Heard { tag: tag.as_bytes().to_vec(), private, literal: None };
    ([name, space, &arguments].concat(), heard)
}

/// A command's arguments as they may be shown, and whether more of them must not be.
fn arguments_shown(entry: &Entry, arguments: &[u8]) -> (Vec<u8>, bool) {
    let blanked = || if arguments.is_empty() { Vec::new() } else { BLANKED.into() };
    match entry.name {
        "LOGIN" => (blanked(), true),
        "AUTHENTICATE" => (auth_shown(arguments).into_bytes(), true),
        // These have none: what stands there has come to the wrong place.
        "CAPABILITY" | "NOOP" | "LOGOUT" | "STARTTLS" | "NAMESPACE" | "IDLE" | "CHECK" | "CLOSE"
        | "UNSELECT" | "EXPUNGE" => (blanked(), true),
        _ => (arguments.to_vec(), false),
    }
}

/// A tagged response begins with what the client said; it is shown if the command was.
fn with_known_tag(line: &[u8], tag: &[u8]) -> Vec<u8> {
    let at = line.iter().position(|&octet| octet == b' ').unwrap_or(line.len());
    match &line[..at] {
        b"*" | b"+" => line.to_vec(),
        word if word == tag => line.to_vec(),
        _ => [b"(tag)", &line[at..]].concat(),
    }
}

/// Reads responses octet by octet.
#[derive(Debug, Default)]
struct Response {
    /// As it will be shown.
    line: Vec<u8>,
    place: Place,
    /// What may be the announcement of a literal, at the end of the line so far.
    announced: Option<Announcement>,
}

/// `{n`, then `}`.
#[derive(Debug, Clone, Copy)]
struct Announcement {
    /// Where in the line its `{` stands.
    at: usize,
    octets: u64,
    closed: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Line,
    /// In a quoted string, with the octets so far, and whether the last one was a backslash. `shown` if it is.
    Quoted { octets: u64, escaped: bool, shown: bool },
    /// In a literal, with the octets to come.
    Literal(u64),
}

impl Response {
    /// True when a response is complete.
    fn take(&mut self, octet: u8) -> bool {
        match self.place {
            Place::Literal(left) => {
                self.place = if left <= 1 { Place::Line } else { Place::Literal(left - 1) };
                false
            }
            Place::Quoted { octets, escaped, shown } => {
                self.quoted(octet, octets, escaped, shown);
                false
            }
            Place::Line => self.plain(octet),
        }
    }

    fn plain(&mut self, octet: u8) -> bool {
        match octet {
            b'\r' => return false,
            b'\n' => return self.line_ends(),
            b'"' => {
                let shown = !self.is_fetch();
                self.place = Place::Quoted { octets: 0, escaped: false, shown };
                self.announced = None;
                if shown {
                    self.push(octet);
                }
                return false;
            }
            _ => {}
        }
        self.announced = match (octet, self.announced) {
            (b'{', _) => Some(Announcement { at: self.line.len(), octets: 0, closed: false }),
            (b'0'..=b'9', Some(it)) if !it.closed => {
                let octets = it.octets.saturating_mul(10).saturating_add(u64::from(octet - b'0'));
                Some(Announcement { octets, ..it })
            }
            (b'}', Some(it)) if !it.closed => Some(Announcement { closed: true, ..it }),
            _ => None,
        };
        self.push(octet);
        false
    }

    fn quoted(&mut self, octet: u8, octets: u64, escaped: bool, shown: bool) {
        if shown {
            self.push(octet);
        }
        self.place = match octet {
            b'"' if !escaped => {
                if !shown {
                    self.push_size(octets);
                }
                Place::Line
            }
            b'\\' if !escaped => Place::Quoted { octets, escaped: true, shown },
            _ => Place::Quoted { octets: octets + 1, escaped: false, shown },
        };
    }

    /// A line ends in `{n}`: the response goes on after the literal.
    fn line_ends(&mut self) -> bool {
        let Some(Announcement { at, octets, closed: true }) = self.announced.take() else { return true };
        self.line.truncate(at);
        self.push_size(octets);
        if octets > 0 {
            self.place = Place::Literal(octets);
        }
        false
    }

    /// Long responses are not held: a little more than what will be shown.
    fn push(&mut self, octet: u8) {
        if self.line.len() <= OVERHEARD_OCTETS_MAX {
            self.line.push(octet);
        }
    }

    fn push_size(&mut self, octets: u64) {
        format!("({octets} octets)").bytes().for_each(|octet| self.push(octet));
    }

    /// `* n FETCH`: its strings are content (RFC 3501 §7.4.2).
    fn is_fetch(&self) -> bool {
        let rest = self.line.strip_prefix(b"* ").unwrap_or_default();
        let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
        digits > 0 && rest[digits..].starts_with(b" FETCH ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines() {
        for (line, expected) in [
            ("a1 NOOP", "a1 NOOP"),
            ("a1 noop secret", "a1 noop (blanked)"),
            ("a1 LOGIN ann secret", "a1 LOGIN (blanked)"),
            ("a1 login ann {6}", "a1 login (blanked)"),
            ("a1 LOGIN", "a1 LOGIN"),
            ("a1 LOGIN\tann secret", "(not a command)"),
            ("a1  LOGIN ann secret", "(not a command)"),
            ("LOGIN ann secret", "(not a command)"),
            ("a1 AUTHENTICATE PLAIN", "a1 AUTHENTICATE PLAIN"),
            ("a1 authenticate plain AGJvYgBzZWNyZXQ=", "a1 authenticate PLAIN (blanked)"),
            ("a1 AUTHENTICATE AGJvYgBzZWNyZXQ=", "a1 AUTHENTICATE (blanked)"),
            ("AGJvYgBzZWNyZXQ=", "(not a command)"),
            ("secret", "(not a command)"),
            ("", "(not a command)"),
            ("a1 SELECT INBOX", "a1 SELECT INBOX"),
            ("a1 UID FETCH 1:* (FLAGS)", "a1 UID FETCH 1:* (FLAGS)"),
            ("a1 APPEND Sent (\\Seen) {4096}", "a1 APPEND Sent (\\Seen) {4096}"),
        ] {
            let (shown, heard) = first_line(line.as_bytes());
            assert_eq!(String::from_utf8(shown).unwrap(), expected, "{line:?}");
            assert_eq!(heard.tag.is_empty(), expected == NO_COMMAND, "{line:?}");
        }
    }

    /// What is noted of responses that go out in pieces of this many octets.
    fn responses(out: &str, piece: usize) -> Vec<String> {
        let mut ear = Ear { command: Heard { tag: b"a1".to_vec(), ..Heard::default() }, ..Ear::default() };
        for piece in out.as_bytes().chunks(piece) {
            ear.response(piece);
            ear.sent();
        }
        ear.take().into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn responses_are_read_back() {
        for (out, expected) in [
            ("* 3 EXISTS\r\n+ OK\r\na1 OK done\r\n", &["* 3 EXISTS", "+ OK", "a1 OK done"][..]),
            ("c2VjcmV0 BAD Unknown command\r\n", &["(tag) BAD Unknown command"]),
            (
                "* LIST (\\Sent) \"/\" \"a {3}\"\r\n* LIST () \"/\" {3}\r\na\r\n\r\n",
                &["* LIST (\\\\Sent) \"/\" \"a {3}\"", "* LIST () \"/\" (3 octets)"],
            ),
            (
                "* 1 FETCH (UID 7 BODY[] {9}\r\nsecret\r\n) FLAGS (\\Seen))\r\n",
                &["* 1 FETCH (UID 7 BODY[] (9 octets) FLAGS (\\\\Seen))"],
            ),
            (
                "* 12 FETCH (BODY[TEXT] \"a \\\"se\\\\cret\\\"\" X {0}\r\n \"\")\r\n* 1 EXPUNGE\r\n",
                &["* 12 FETCH (BODY[TEXT] (11 octets) X (0 octets) (0 octets))", "* 1 EXPUNGE"],
            ),
        ] {
            for piece in 1..out.len() {
                assert_eq!(responses(out, piece), expected, "{piece}");
            }
        }
    }

    #[test]
    fn a_long_response_is_not_held_and_its_literal_is_not_shown() {
        let out = format!("* SEARCH{} {{6}}\r\nsecret\r\na1 OK\r\n", " 1".repeat(100_000));
        let noted = responses(&out, 1000);
        assert_eq!(noted.len(), 2);
        assert!(noted[0].len() < 2 * OVERHEARD_OCTETS_MAX && !noted[0].contains("secret"));
        assert_eq!(noted[1], "a1 OK");
    }
}
