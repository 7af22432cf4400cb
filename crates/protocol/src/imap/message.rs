//! The arguments of APPEND (RFC 3501 §6.3.11; several messages, RFC 3502; literal8, RFC 3516 §4.4; UTF8, RFC 6855 §4).
//!
//! ```text
//! APPEND mailbox (\Seen) "date" {n}␍␊octets (\Seen) ~{n}␍␊octets UTF8 (~{n}␍␊octets)
//! ╰──────────── first ────────────╯         ╰── next ──╯         ╰── next ──╯
//! ```

use mail::{Flag, MailboxPath, Timestamp};

use super::command::{argument, flag_list};
use super::names::NameForm;
use super::syntax::{Cursor, Parsed};

/// A message that is announced: what stands before its octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) flags: Vec<Flag>,
    pub(super) date: Option<Timestamp>,
    pub(super) form: Form,
}

/// In which form its octets come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `{n}`: no octet is NUL.
    Literal,
    /// `~{n}`: any octets.
    Literal8,
    /// `UTF8 (~{n}` and `)` behind it.
    Utf8,
}

/// Reads APPEND from a command that so far ends in a literal's announcement: its mailbox, its first message. `None`: it
/// is another command, or the literal is the mailbox's name.
pub(super) fn first(so_far: &[u8], names: NameForm) -> Option<Parsed<(MailboxPath, Message)>> {
    let mut cursor = Cursor::new(so_far).with_names(names);
    cursor.tag().ok()?;
    cursor.space().ok()?;
    if !cursor.eat_word("APPEND") {
        return None;
    }
    let mut name = cursor.clone();
    let is_name = name.space().is_ok() && name.peek() == Some(b'{') && name.string().is_err();
    if is_name { None } else { Some(arguments(&mut cursor)) }
}

fn arguments(cursor: &mut Cursor<'_>) -> Parsed<(MailboxPath, Message)> {
    let to = argument(cursor)?;
    Ok((to, message(cursor)?))
}

/// Reads the next message from the line behind another one's octets. `None`: the command ends here.
pub(super) fn next(line: &[u8], before: Form) -> Parsed<Option<Message>> {
    let mut cursor = Cursor::new(line);
    if before == Form::Utf8 {
        cursor.expect(b')')?;
    }
    if cursor.end().is_ok() {
        return Ok(None);
    }
    message(&mut cursor).map(Some)
}

/// ` [flags ][date ]{n}`
fn message(cursor: &mut Cursor<'_>) -> Parsed<Message> {
    cursor.space()?;
    let mut flags = Vec::new();
    if cursor.peek() == Some(b'(') {
        flags = flag_list(cursor)?;
        cursor.space()?;
    }
    let mut date = None;
    if cursor.peek() == Some(b'"') {
        date = Some(cursor.date_time()?);
        cursor.space()?;
    }
    let form = if cursor.eat_word("UTF8") {
        cursor.space()?;
        cursor.expect(b'(')?;
        cursor.expect(b'~')?;
        Form::Utf8
    } else if cursor.eat(b'~') {
        Form::Literal8
    } else {
        Form::Literal
    };
    // What follows was seen to be an announcement, and is the last word, unless there is more before it.
    cursor.expect(b'{')?;
    cursor.some(|octet| octet.is_ascii_digit())?;
    cursor.eat(b'+');
    cursor.expect(b'}')?;
    cursor.end()?;
    Ok(Message { flags, date, form })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::misuse::Misuse;

    fn path(name: &str) -> MailboxPath {
        MailboxPath::parse(name).unwrap()
    }

    fn plain(form: Form) -> Message {
        Message { flags: Vec::new(), date: None, form }
    }

    #[test]
    fn first_messages() {
        let head = |input: &str| first(input.as_bytes(), NameForm::Utf7);
        assert_eq!(head("x APPEND a {3}"), Some(Ok((path("a"), plain(Form::Literal)))));
        assert_eq!(head("x append {1+}\r\na {3+}"), Some(Ok((path("a"), plain(Form::Literal)))));
        assert_eq!(head("x APPEND a ~{3}"), Some(Ok((path("a"), plain(Form::Literal8)))));
        assert_eq!(head("x APPEND a utf8 (~{3+}"), Some(Ok((path("a"), plain(Form::Utf8)))));
        let dated = Message { flags: vec![Flag::Seen], date: Some(Timestamp(1000)), form: Form::Literal };
        assert_eq!(
            head("x APPEND a (\\Seen) \" 1-Jan-1970 00:00:01 +0000\" {3}"),
            Some(Ok((path("a"), dated)))
        );
        assert_eq!(head("x APPEND {1}"), None);
        assert_eq!(head("x LOGIN {1}"), None);
        assert_eq!(head("{1}"), None);
        for wrong in [
            "x APPEND{3}",
            "x APPEND a{3}",
            "x APPEND a () \"yesterday\" {3}",
            "x APPEND a b {3}",
            "x APPEND a () () {3}",
            "x APPEND a UTF8 {3}",
            "x APPEND a UTF8 ({3}",
            "x APPEND a UTF8 ~{3}",
            "x APPEND a ~~{3}",
        ] {
            assert_eq!(head(wrong), Some(Err(Misuse::CommandSyntax)), "{wrong}");
        }
        assert_eq!(head("x APPEND a&b {3}"), Some(Err(Misuse::MailboxNameNotUtf7)));
    }

    #[test]
    fn next_messages() {
        let check = |line: &str, before, expected: Parsed<Option<Form>>| {
            let found = next(line.as_bytes(), before).map(|found| found.map(|message| message.form));
            assert_eq!(found, expected, "{line:?}");
        };
        check("", Form::Literal, Ok(None));
        check(")", Form::Utf8, Ok(None));
        check(" {3}", Form::Literal8, Ok(Some(Form::Literal)));
        check(" (\\Seen) ~{3+}", Form::Literal, Ok(Some(Form::Literal8)));
        check(") UTF8 (~{3}", Form::Utf8, Ok(Some(Form::Utf8)));
        for (line, before) in [
            ("", Form::Utf8),
            (")", Form::Literal),
            (" ", Form::Literal),
            ("{3}", Form::Literal),
            (" x", Form::Literal),
            (" {3} ", Form::Literal),
            (" INBOX {3}", Form::Literal),
            (" )", Form::Utf8),
        ] {
            check(line, before, Err(Misuse::CommandSyntax));
        }
    }
}
