//! Replies, as a client reads them (RFC 5321 §4.2).
//!
//! ```text
//! line "250-..." ──► kept until "250 ..." ──► Reply
//! ```
//!
//! The first digit has the meaning; an enhanced code (RFC 2034) is taken off the text where there is one.
//!
//! Kinder than RFC 5321 §2.3.8: a bare LF ends a line, too, and a CR or NUL in the text is shown as `?`. A reply that was
//! refused for its form would hold mail up for days, and what a server sends to us smuggles nothing: nobody reads it again.

use mail::{EnhancedCode, Reply};

use super::limits;
use crate::lines::{Line, Lines};
use crate::misuse::Misuse;

/// Reads replies out of bytes.
#[derive(Debug)]
pub(super) struct Replies {
    lines: Lines,
    /// A CR came last, and what follows tells whether it belongs to a line end.
    after_cr: bool,
    open: Option<Open>,
    /// The last line, if it was no part of a reply.
    misread: String,
}

/// A reply of several lines, of which the last has not come.
#[derive(Debug)]
struct Open {
    reply: Reply,
    lines: usize,
}

/// What came instead of a reply. Nothing more is read then: where the next one begins is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    NotAReply,
    TooLong,
}

/// One line of a reply.
struct Part {
    code: u16,
    last: bool,
    enhanced: Option<EnhancedCode>,
    text: String,
}

impl Replies {
    pub(super) fn new() -> Self {
        let lines = Lines::new(limits::REPLY_LINE_MAX);
        Self { lines, after_cr: false, open: None, misread: String::new() }
    }

    /// Takes bytes from the peer; what they mean does not depend on how they were cut.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut mended = Vec::with_capacity(bytes.len() + 1);
        for &octet in bytes {
            if std::mem::take(&mut self.after_cr) && octet != b'\n' {
                mended.push(b'?');
            }
            match octet {
                b'\r' => self.after_cr = true,
                b'\n' => mended.extend_from_slice(b"\r\n"),
                0 => mended.push(b'?'),
                _ => mended.push(octet),
            }
        }
        self.lines.push(&mended);
    }

    /// Octets that wait.
    pub(super) fn waiting(&self) -> usize {
        self.lines.waiting() + usize::from(self.after_cr)
    }

    /// Whether nothing of a further reply has come.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none() && self.lines.is_empty() && !self.after_cr
    }

    /// What came instead of a reply, for the journal: the line, or its beginning and in parentheses what is wrong with it.
    pub(super) fn misread(&self) -> &str {
        &self.misread
    }

    /// The next complete reply.
    pub(super) fn next(&mut self) -> Option<Result<Reply, Fault>> {
        loop {
            let beginning = presented(self.lines.beginning(limits::MISREAD_MAX));
            let line = match self.lines.next_line()? {
                Line::Bad(misuse) => return Some(Err(self.bad(misuse, &beginning))),
                Line::Text(line) => line,
            };
            match part(&line).ok_or(Fault::NotAReply).and_then(|part| self.add(part)) {
                Ok(None) => {}
                Ok(Some(reply)) => return Some(Ok(reply)),
                Err(fault) => {
                    self.misread = presented(&line);
                    return Some(Err(fault));
                }
            }
        }
    }

    fn bad(&mut self, misuse: Misuse, beginning: &str) -> Fault {
        self.misread = format!("{beginning} ({})", misuse.name());
        if misuse == Misuse::LineTooLong { Fault::TooLong } else { Fault::NotAReply }
    }

    /// Adds a line; the reply, if it was its last.
    fn add(&mut self, part: Part) -> Result<Option<Reply>, Fault> {
        let open = match self.open.take() {
            None => Open {
                reply: Reply { code: part.code, enhanced: part.enhanced, text: part.text.into() },
                lines: 1,
            },
            // RFC 5321 §4.2.1: the code is the same on each line.
            Some(open) if open.reply.code != part.code => return Err(Fault::NotAReply),
            Some(open) if open.lines >= limits::REPLY_LINES_MAX => return Err(Fault::TooLong),
            Some(mut open) => {
                open.lines += 1;
                open.append(&part.text);
                open
            }
        };
        if part.last {
            return Ok(Some(open.reply));
        }
        self.open = Some(open);
        Ok(None)
    }
}

impl Open {
    fn append(&mut self, line: &str) {
        let text = self.reply.text.to_mut();
        if text.len() + line.len() < limits::REPLY_TEXT_MAX {
            text.push('\n');
            text.push_str(line);
        }
    }
}

/// `250-text`, `250 text` or `250` (RFC 5321 §4.2: the text may be missing).
fn part(line: &[u8]) -> Option<Part> {
    let (code, rest) = line.split_at_checked(3)?;
    let [class @ b'2'..=b'5', tens @ b'0'..=b'9', units @ b'0'..=b'9'] = code else { return None };
    let (last, text) = match rest {
        [] => (true, rest),
        [b' ', text @ ..] => (true, text),
        [b'-', text @ ..] => (false, text),
        _ => return None,
    };
    let digit = |octet: &u8| u16::from(octet - b'0');
    let text = presented(text);
    let (enhanced, text) = match enhanced(&text) {
        Some((enhanced, rest)) => (Some(enhanced), rest.to_owned()),
        None => (None, text),
    };
    Some(Part { code: digit(class) * 100 + digit(tens) * 10 + digit(units), last, enhanced, text })
}

fn presented(text: &[u8]) -> String {
    text.iter().map(presentable).collect()
}

/// What a peer says reaches journals and reports: printable ASCII only.
fn presentable(octet: &u8) -> char {
    match octet {
        b' '..=b'~' => char::from(*octet),
        b'\t' => ' ',
        _ => '?',
    }
}

/// RFC 3463 §2, RFC 2034 §4: class, subject and detail of at most three digits, then a space or the end.
fn enhanced(text: &str) -> Option<(EnhancedCode, &str)> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut numbers = word.split('.').map(|number| {
        let digits = (1..=3).contains(&number.len()) && number.bytes().all(|octet| octet.is_ascii_digit());
        digits.then(|| number.parse::<u16>().ok()).flatten()
    });
    let (class, subject, detail) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if numbers.next().is_some() || ![2, 4, 5].contains(&class) {
        return None;
    }
    Some((EnhancedCode(class as u8, subject, detail), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(input: &str) -> Vec<Result<String, Fault>> {
        let mut replies = Replies::new();
        replies.push(input.as_bytes());
        std::iter::from_fn(|| replies.next()).map(|reply| reply.map(|reply| reply.to_string())).collect()
    }

    #[test]
    fn replies_of_one_line_and_of_several() {
        let check = |input: &str, expected: &[&str]| {
            let expected: Vec<_> = expected.iter().map(|&text| Ok(text.to_owned())).collect();
            assert_eq!(read(input), expected, "{input:?}");
        };
        check("220 mx\r\n", &["220 mx"]);
        check("250\r\n250 \r\n", &["250 ", "250 "]);
        check("250-mx\r\n250-SIZE 1\r\n250 HELP\r\n", &["250 mx / SIZE 1 / HELP"]);
        check("250-2.1.0 a\r\n250 2.1.0 b\r\n", &["250 2.1.0 a / b"]);
        check("550 5.1.1\r\n", &["550 5.1.1 "]);
        check("550 5.1 x\r\n550 1.2.3.4 x\r\n", &["550 5.1 x", "550 1.2.3.4 x"]);
        check("250 a\u{1b}[2J\tü\r\n", &["250 a?[2J ??"]);
        check("250-a\r\n", &[]);
        check("250-a\r\n250", &[]);
    }

    #[test]
    fn a_bare_line_feed_ends_a_line_and_other_controls_are_shown() {
        let check = |input: &str, expected: &[&str]| {
            let expected: Vec<_> = expected.iter().map(|&text| Ok(text.to_owned())).collect();
            assert_eq!(read(input), expected, "{input:?}");
        };
        check("550 5.1.1 no\n", &["550 5.1.1 no"]);
        check("250-a\n250-b\r\n250 c\n", &["250 a / b / c"]);
        check("550 5.1.1 n\0o\r\n", &["550 5.1.1 n?o"]);
        check("550 a\rb\r\r\n250 c\r\n", &["550 a?b?", "250 c"]);
        check("250 a\r", &[]);
    }

    #[test]
    fn a_carriage_return_that_waits_is_part_of_a_further_reply() {
        let mut replies = Replies::new();
        replies.push(b"220 go on\r\n\r");
        assert!(replies.next().unwrap().is_ok());
        assert!(!replies.is_empty());
        assert_eq!(replies.waiting(), 1);
    }

    #[test]
    fn what_is_no_reply() {
        let long_line = format!("250 {}\r\n", "x".repeat(limits::REPLY_LINE_MAX));
        let many_lines = "250-x\r\n".repeat(limits::REPLY_LINES_MAX + 1);
        for (input, fault) in [
            ("\r\n", Fault::NotAReply),
            ("25\r\n", Fault::NotAReply),
            ("OK\r\n", Fault::NotAReply),
            ("150 x\r\n", Fault::NotAReply),
            ("650 x\r\n", Fault::NotAReply),
            ("2500 x\r\n", Fault::NotAReply),
            ("250_x\r\n", Fault::NotAReply),
            ("250-a\r\n251 b\r\n", Fault::NotAReply),
            ("25\n0 x\r\n", Fault::NotAReply),
            ("250\rx\r\n", Fault::NotAReply),
            ("\x00250 x\r\n", Fault::NotAReply),
            (&long_line, Fault::TooLong),
            (&many_lines, Fault::TooLong),
        ] {
            assert_eq!(read(input).first(), Some(&Err(fault)), "{input:?}");
        }
    }

    #[test]
    fn what_is_no_reply_is_kept_for_the_journal() {
        let long_line = format!("250 a\0{}\r\n", "x".repeat(limits::REPLY_LINE_MAX));
        let beginning = format!("250 a?{} (LineTooLong)", "x".repeat(limits::MISREAD_MAX - 6));
        let many_lines = "250-x\r\n".repeat(limits::REPLY_LINES_MAX + 1);
        for (input, expected) in [
            ("O\u{1b}K\r\n", "O?K"),
            ("250-a\r\n251 b\r\n", "251 b"),
            ("\0what\r?\n", "?what??"),
            (&long_line, &beginning),
            (&many_lines, "250-x"),
        ] {
            let mut replies = Replies::new();
            replies.push(input.as_bytes());
            assert!(replies.next().is_some_and(|reply| reply.is_err()), "{input:?}");
            assert_eq!(replies.misread(), expected, "{input:?}");
        }
    }

    #[test]
    fn text_beyond_the_limit_is_dropped() {
        let input = format!("{}250 end\r\n", format!("250-{}\r\n", "x".repeat(1000)).repeat(20));
        let mut replies = Replies::new();
        replies.push(input.as_bytes());
        let reply = replies.next().unwrap().unwrap();
        assert!(reply.text.len() <= limits::REPLY_TEXT_MAX);
        assert!(replies.is_empty());
    }

    proptest! {
        #[test]
        fn where_replies_are_cut_does_not_matter(
            input in proptest::collection::vec(
                proptest::sample::select(vec!["\r", "\n", "\0", "250", "-", " ", "\r\n250 a", "\n"]), 0..40,
            ),
            piece in 1..9_usize,
        ) {
            let input = input.concat();
            let mut replies = Replies::new();
            let mut found = Vec::new();
            for piece in input.as_bytes().chunks(piece) {
                replies.push(piece);
                let next = std::iter::from_fn(|| replies.next());
                found.extend(next.map(|reply| reply.map(|reply| reply.to_string())));
            }
            prop_assert_eq!(found, read(&input));
        }
    }
}
