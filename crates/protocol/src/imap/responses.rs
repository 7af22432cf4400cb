//! The writer of responses (RFC 3501 §7): chooses atom, quoted string or literal, and lets no CR, LF or NUL into a line.

use std::fmt::Display;
use std::io::Write as _;

use mail::{Flag, MailboxPath};

use super::names::NameForm;
use super::syntax::is_astring_char;

/// The longest quoted string; what is longer becomes a literal, which clients read without looking at each octet.
const QUOTED_MAX: usize = 1000;

/// Writes responses to the end of a buffer.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Ok,
    No,
    Bad,
}

impl Condition {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
        }
    }
}

/// `resp-text`: a code for programs and a text for people, both ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) condition: Condition,
    pub(super) code: Option<String>,
    pub(super) text: &'static str,
}

impl Text {
    pub(super) fn ok(text: &'static str) -> Self {
        Self { condition: Condition::Ok, code: None, text }
    }

    pub(super) fn no(code: &str, text: &'static str) -> Self {
        Self { condition: Condition::No, code: Some(code.to_owned()), text }
    }

    pub(super) fn bad(text: &'static str) -> Self {
        Self { condition: Condition::Bad, code: None, text }
    }

    pub(super) fn with_code(self, code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), ..self }
    }
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Text of our own: no octet of it came from a peer.
    pub(super) fn raw(&mut self, text: &str) -> &mut Self {
        debug_assert!(!text.contains(['\r', '\n', '\0']), "our own text is one line");
        self.out.extend_from_slice(text.as_bytes());
        self
    }

    /// A number: of messages, octets, a UID or a mod-sequence.
    pub(super) fn number(&mut self, number: impl Display) -> &mut Self {
        write!(self.out, "{number}").expect("a Vec takes everything");
        self
    }

    /// Ends the line.
    pub(super) fn end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }

    /// `tag OK [CODE] text`. The tag was read as a tag: it holds no space and no control character.
    pub(super) fn status(&mut self, tag: &str, text: &Text) {
        self.raw(tag).raw(" ").raw(text.condition.as_str()).raw(" ");
        if let Some(code) = &text.code {
            self.raw("[").raw(code).raw("] ");
        }
        self.raw(text.text).end();
    }

    /// `* text`
    pub(super) fn untagged(&mut self, text: &str) {
        self.raw("* ").raw(text).end();
    }

    /// `string`: quoted if it is short printable ASCII, else a literal. A NUL cannot be sent (RFC 3501 §9, CHAR8) and
    /// is left out.
    pub(super) fn string(&mut self, text: &[u8]) -> &mut Self {
        if text.len() <= QUOTED_MAX && text.iter().all(|octet| matches!(octet, b' '..=b'~')) {
            self.quoted(text)
        } else {
            self.literal(text)
        }
    }

    fn quoted(&mut self, text: &[u8]) -> &mut Self {
        self.out.push(b'"');
        for &octet in text {
            if matches!(octet, b'"' | b'\\') {
                self.out.push(b'\\');
            }
            self.out.push(octet);
        }
        self.out.push(b'"');
        self
    }

    fn literal(&mut self, text: &[u8]) -> &mut Self {
        let nuls = text.iter().filter(|&&octet| octet == 0).count();
        self.literal_size((text.len() - nuls) as u64);
        self.out.extend(text.iter().filter(|&&octet| octet != 0));
        self
    }

    /// `{octets}` CRLF: the literal's content must follow.
    pub(super) fn literal_size(&mut self, octets: u64) -> &mut Self {
        self.raw("{").number(octets).raw("}").end();
        self
    }

    /// The content of a literal that was announced.
    pub(super) fn content(&mut self, content: &[u8]) -> &mut Self {
        self.out.extend_from_slice(content);
        self
    }

    /// `nstring`
    pub(super) fn nstring(&mut self, text: Option<&[u8]>) -> &mut Self {
        match text {
            Some(text) => self.string(text),
            None => self.raw("NIL"),
        }
    }

    /// `astring`: an atom where that is possible. `NIL` is quoted, because some clients read it as no string.
    pub(super) fn astring(&mut self, text: &[u8]) -> &mut Self {
        let is_atom = !text.is_empty() && text.iter().all(|&octet| is_astring_char(octet));
        if is_atom && !text.eq_ignore_ascii_case(b"NIL") {
            self.out.extend_from_slice(text);
            self
        } else {
            self.string(text)
        }
    }

    /// `mailbox`, as the client reads it.
    pub(super) fn mailbox(&mut self, path: &MailboxPath, names: NameForm) -> &mut Self {
        match names {
            NameForm::Utf7 => self.astring(path.to_utf7().as_bytes()),
            NameForm::Utf8 if path.as_str().is_ascii() => self.astring(path.as_str().as_bytes()),
            NameForm::Utf8 => self.utf8(path.as_str()),
        }
    }

    /// `quoted`, for clients that have enabled UTF-8 in it (RFC 6855 §3, RFC 9051 §9). The text must be one that a
    /// path was read from, which has no control character.
    pub(super) fn utf8(&mut self, text: &str) -> &mut Self {
        self.quoted(text.as_bytes())
    }

    /// `flag-list`
    pub(super) fn flags(&mut self, flags: &[Flag]) -> &mut Self {
        self.raw("(");
        for (place, flag) in flags.iter().enumerate() {
            if place > 0 {
                self.raw(" ");
            }
            write!(self.out, "{flag}").expect("a Vec takes everything");
        }
        self.raw(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_take_the_form_they_need() {
        let check = |text: &[u8], as_string: &str, as_astring: &str| {
            assert_eq!(written(|writer| _ = writer.string(text)), as_string);
            assert_eq!(written(|writer| _ = writer.astring(text)), as_astring);
        };
        check(b"", "\"\"", "\"\"");
        check(b"abc", "\"abc\"", "abc");
        check(b"nil", "\"nil\"", "\"nil\"");
        check(b"a b", "\"a b\"", "\"a b\"");
        check(b"a\"\\", r#""a\"\\""#, r#""a\"\\""#);
        check(b"a\r\n* BYE", "{8}\r\na\r\n* BYE", "{8}\r\na\r\n* BYE");
        check("ü".as_bytes(), "{2}\r\nü", "{2}\r\nü");
        check(b"a\0b\n", "{3}\r\nab\n", "{3}\r\nab\n");
    }

    #[test]
    fn status_lines() {
        let line = |tag, text: Text| written(|writer| writer.status(tag, &text));
        assert_eq!(line("a1", Text::ok("NOOP completed")), "a1 OK NOOP completed\r\n");
        assert_eq!(line("*", Text::bad("What?")), "* BAD What?\r\n");
        assert_eq!(
            line("a", Text::no("TRYCREATE", "No such mailbox")),
            "a NO [TRYCREATE] No such mailbox\r\n"
        );
    }

    #[test]
    fn flags_and_mailboxes() {
        let flags = [Flag::Seen, Flag::Keyword("$Junk".into())];
        assert_eq!(written(|writer| _ = writer.flags(&flags)), r"(\Seen $Junk)");
        assert_eq!(written(|writer| _ = writer.flags(&[])), "()");
        let mailbox = |name, form| {
            let path = MailboxPath::parse(name).unwrap();
            written(|writer| _ = writer.mailbox(&path, form))
        };
        assert_eq!(mailbox("inbox", NameForm::Utf7), "INBOX");
        assert_eq!(mailbox("R&D", NameForm::Utf7), "R&-D");
        assert_eq!(mailbox("R&D", NameForm::Utf8), "R&D");
        assert_eq!(mailbox("\"Entwürfe\"", NameForm::Utf7), r#""\"Entw&APw-rfe\"""#);
        assert_eq!(mailbox("\"Entwürfe\"", NameForm::Utf8), r#""\"Entwürfe\"""#);
    }
}
