//! SMTP replies (RFC 5321 §4.2) with enhanced codes (RFC 3463, RFC 2034).

use std::borrow::Cow;
use std::fmt;

use bytes::BufMut;

use crate::limits;

/// Class, subject, detail (RFC 3463 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnhancedCode(pub u8, pub u16, pub u16);

/// One reply. Its text says nothing of our insides and holds no control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 559.
    pub code: u16,
    /// None where RFC 2034 §4 has none: banner, EHLO, 354, 334.
    pub enhanced: Option<EnhancedCode>,
    /// One line, or several.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply with an enhanced code. Lines of `text` are separated by `\n`.
    pub fn new(code: u16, enhanced: (u8, u16, u16), text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: Some(EnhancedCode(enhanced.0, enhanced.1, enhanced.2)), text: text.into() }
    }

    /// A reply without an enhanced code.
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, text: text.into() }
    }

    /// 2yz or 3yz.
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// Writes it as the peer receives it, with CRLF.
    ///
    /// Every line bears both codes (RFC 2034 §4). Whatever is no printable ASCII becomes `?`, so that no text can begin a
    /// line of its own; a line ends at 512 octets.
    pub fn render(&self, out: &mut impl BufMut) {
        self.render_as(out, presentable);
    }

    /// The same with what is not ASCII as UTF-8: only for a client that asked for it (RFC 6531 §3.7.4).
    pub fn render_utf8(&self, out: &mut impl BufMut) {
        self.render_as(out, |c| if c.is_ascii() || c.is_control() { presentable(c) } else { c });
    }

    fn render_as(&self, out: &mut impl BufMut, presentable: fn(char) -> char) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let mut written = self.prefix(if lines.peek().is_some() { '-' } else { ' ' });
            written.extend(line.strip_suffix('\r').unwrap_or(line).chars().map(presentable));
            written.truncate(written.floor_char_boundary(limits::REPLY_LINE_OCTETS_MAX - 2));
            out.put_slice(written.as_bytes());
            out.put_slice(b"\r\n");
        }
    }

    fn prefix(&self, separator: char) -> String {
        match self.enhanced {
            Some(enhanced) => format!("{:03}{separator}{enhanced} ", self.code),
            None => format!("{:03}{separator}", self.code),
        }
    }
}

fn presentable(c: char) -> char {
    match c {
        ' '..='~' => c,
        '\t' => ' ',
        _ => '?',
    }
}

impl fmt::Display for Reply {
    /// On one line, for journals: lines are joined by ` / `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix(' '))?;
        for (place, line) in self.text.lines().enumerate() {
            let line: String = line.chars().map(presentable).collect();
            write!(f, "{}{line}", if place > 0 { " / " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.render(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_line_bears_the_codes() {
        for (reply, expected) in [
            (Reply::new(250, (2, 1, 0), "Ok"), "250 2.1.0 Ok\r\n"),
            (
                Reply::new(550, (5, 7, 509), "One\nTwo\r\nThree"),
                "550-5.7.509 One\r\n550-5.7.509 Two\r\n550 5.7.509 Three\r\n",
            ),
            (
                Reply::plain(250, "mx.example\nPIPELINING\nSIZE 1"),
                "250-mx.example\r\n250-PIPELINING\r\n250 SIZE 1\r\n",
            ),
            (Reply::plain(354, ""), "354 \r\n"),
            (Reply::new(500, (5, 5, 2), "What\r250 Ok\u{1b}\tä"), "500 5.5.2 What?250 Ok? ?\r\n"),
        ] {
            assert_eq!(rendered(&reply), expected);
        }
    }

    #[test]
    fn what_is_not_ascii_is_shown_only_where_it_may_be() {
        let reply = Reply::new(250, (2, 1, 5), format!("<josé@x>\u{85}{}", "é".repeat(300)));
        assert!(rendered(&reply).starts_with("250 2.1.5 <jos?@x>??"));
        let mut out = Vec::new();
        reply.render_utf8(&mut out);
        let line = String::from_utf8(out).unwrap();
        assert!(line.starts_with("250 2.1.5 <josé@x>?éé") && line.ends_with("é\r\n"), "{line}");
        assert!(line.len() <= limits::REPLY_LINE_OCTETS_MAX);
    }

    #[test]
    fn lines_are_cut_and_joined() {
        let long = Reply::new(250, (2, 0, 0), "x".repeat(600));
        assert_eq!(rendered(&long).len(), limits::REPLY_LINE_OCTETS_MAX);
        assert_eq!(Reply::new(250, (2, 0, 0), "a\nb").to_string(), "250 2.0.0 a / b");
        assert_eq!(Reply::plain(220, "a\rb").to_string(), "220 a?b");
    }
}
