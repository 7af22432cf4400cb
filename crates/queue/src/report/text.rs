//! Text that stays in its lines.

use std::fmt::Write;

/// No line of a message is longer (RFC 5322 §2.1.1), its CRLF not counted.
const LINE_OCTETS_MAX: usize = 998;

/// Lines for people and folded fields are no longer, where their words allow it (RFC 5322 §2.1.1).
const LINE_OCTETS_GOOD: usize = 78;

/// Printable text without line ends, whatever the text was made of: ASCII, or UTF-8 where that may be shown.
pub(super) fn on_one_line(text: &str, utf8: bool) -> String {
    let shown = |c: char| c.is_ascii_graphic() || c == ' ' || utf8 && !c.is_ascii() && !is_disruptive(c);
    text.chars().map(|c| if shown(c) { c } else { '?' }).collect()
}

/// Controls, and what ends a line or turns its direction for a program that shows it.
fn is_disruptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A part of a report that is text.
pub(super) struct Part<'a> {
    /// Its type where it is ASCII, and where it is not.
    pub(super) types: (&'static str, &'static str),
    /// Lines that end with LF.
    pub(super) body: &'a str,
}

impl Part<'_> {
    /// Writes it with its header. What is not ASCII is encoded unless `eight_bit` may be sent.
    pub(super) fn write(&self, out: &mut String, eight_bit: bool) -> std::fmt::Result {
        let Self { types: (ascii, utf8), body } = self;
        match (body.is_ascii(), eight_bit) {
            (true, _) => write!(out, "Content-Type: {ascii}\n\n{body}"),
            (false, true) => {
                write!(out, "Content-Type: {utf8}\nContent-Transfer-Encoding: 8bit\n\n{body}")
            }
            (false, false) => {
                write!(out, "Content-Type: {utf8}\nContent-Transfer-Encoding: quoted-printable\n\n")?;
                body.split_inclusive('\n').try_for_each(|line| quoted_printable(out, line))
            }
        }
    }
}

/// Writes a line in quoted-printable (RFC 2045 §6.7), its LF as it is.
fn quoted_printable(out: &mut String, line: &str) -> std::fmt::Result {
    let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
    let mut column = 0;
    for (place, octet) in text.bytes().enumerate() {
        let last = place + 1 == text.len();
        let plain = matches!(octet, b'!'..=b'<' | b'>'..=b'~') || matches!(octet, b' ' | b'\t') && !last;
        let width = if plain { 1 } else { 3 };
        if column + width > QUOTED_LINE_MAX {
            out.push_str("=\n");
            column = 0;
        }
        column += width;
        match plain {
            true => out.push(char::from(octet)),
            false => write!(out, "={octet:02X}")?,
        }
    }
    out.push_str(end);
    Ok(())
}

/// RFC 2045 §6.7 (5): 76 characters with the `=` that joins a line to the next.
const QUOTED_LINE_MAX: usize = 75;

/// Writes words in lines that all begin with `indent`.
pub(super) fn wrap(out: &mut String, indent: &str, text: &str) {
    out.push_str(indent);
    put_words(out, indent.len(), indent, text);
    out.push('\n');
}

/// Writes a field, folded between words (RFC 5322 §2.2.3).
pub(super) fn fold(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str(": ");
    put_words(out, name.len() + 2, " ", value);
    out.push('\n');
}

fn put_words(out: &mut String, mut column: usize, indent: &str, text: &str) {
    let mut first = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !first && column + 1 + word.len() > LINE_OCTETS_GOOD {
            out.push('\n');
            out.push_str(indent);
            column = indent.len();
        } else if !first {
            out.push(' ');
            column += 1;
        }
        first = false;
        column += word.len();
        out.push_str(word);
    }
}

/// The header of a message as a report returns it: whole lines with LF, at most so many octets, as much of each line as a
/// message may have, and nothing but printable ASCII and tabs (RFC 6522 §3), or UTF-8 where that may be shown.
pub(super) fn presentable_header(header: &[u8], octets_max: usize, utf8: bool) -> String {
    let short = &header[..header.len().min(octets_max)];
    let whole = memchr::memrchr(b'\n', short).map_or(0, |at| at + 1);
    let mut text = String::with_capacity(whole);
    for line in short[..whole].split_inclusive(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\n").expect("lines are whole");
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let line = &line[..line.len().min(LINE_OCTETS_MAX)];
        match std::str::from_utf8(line) {
            Ok(line) if utf8 && !line.is_ascii() => {
                let words: Vec<String> = line.split('\t').map(|word| on_one_line(word, true)).collect();
                text.push_str(&words.join("\t"));
            }
            _ => text.extend(line.iter().map(|octet| match octet {
                b'\t' | b' '..=b'~' => char::from(*octet),
                _ => '?',
            })),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_put_into_lines() {
        let mut out = String::new();
        wrap(&mut out, "    ", &"word ".repeat(20));
        fold(&mut out, "Diagnostic-Code", &format!("smtp; {}", "x".repeat(100)));
        let expected = format!(
            "    {0}\n    word word word word word\nDiagnostic-Code: smtp;\n {1}\n",
            ["word"; 15].join(" "),
            "x".repeat(100)
        );
        assert_eq!(out, expected);
    }

    #[test]
    fn what_is_not_ascii_is_encoded_or_said_to_be_eight_bit() {
        let part = |body: &str, eight_bit: bool| {
            let mut out = String::new();
            Part { types: ("a", "b"), body }.write(&mut out, eight_bit).unwrap();
            out
        };
        assert_eq!(part("x = \n", false), "Content-Type: a\n\nx = \n");
        let eight_bit = "Content-Type: b\nContent-Transfer-Encoding: 8bit\n\n\u{e4}\n";
        assert_eq!(part("\u{e4}\n", true), eight_bit);
        let quoted = "Content-Type: b\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4 =3D=20\nx\n";
        assert_eq!(part("\u{e4} = \nx\n", false), quoted);
        let long = part(&"\u{e4}".repeat(30), false);
        assert!(long.lines().all(|line| line.len() <= QUOTED_LINE_MAX + 1), "{long}");
    }

    #[test]
    fn a_returned_header_is_whole_lines_of_ascii() {
        for (header, octets_max, expected) in [
            (&b"A: 1\r\nB: 2\r\n\r\nbody\r\n"[..], 100, "A: 1\nB: 2\n"),
            (b"A: 1\r\nB: 2\r\nC: 3", 100, "A: 1\nB: 2\n"),
            (b"A: 1\r\nB: 2\r\n", 8, "A: 1\n"),
            (b"A: \xc3\xa4\x1b\r\r\n\tB\0\n", 100, "A: ????\n\tB?\n"),
            (b"no line end", 100, ""),
        ] {
            assert_eq!(presentable_header(header, octets_max, false), expected);
        }
        let shown = presentable_header("A: \u{e4}\t\u{202e}\u{7f}\n\u{c3}\n".as_bytes(), 100, true);
        assert_eq!(shown, "A: \u{e4}\t??\n\u{c3}\n");
        assert_eq!(presentable_header(b"A: \xe4\n", 100, true), "A: ?\n");
        let long = format!("A: {}\r\n", "x".repeat(2000));
        assert_eq!(presentable_header(long.as_bytes(), 5000, false).len(), LINE_OCTETS_MAX + 1);
    }
}
