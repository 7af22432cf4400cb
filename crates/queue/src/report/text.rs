//! Text that stays in its lines.

/// No line of a message is longer (RFC 5322 §2.1.1), its CRLF not counted.
const LINE_OCTETS_MAX: usize = 998;

/// Lines for people and folded fields are no longer, where their words allow it (RFC 5322 §2.1.1).
const LINE_OCTETS_GOOD: usize = 78;

/// Printable ASCII without line ends, whatever the text was made of.
pub(super) fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

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
/// message may have, and nothing but printable ASCII and tabs (RFC 3462 §3).
pub(super) fn presentable_header(header: &[u8], octets_max: usize) -> String {
    let short = &header[..header.len().min(octets_max)];
    let whole = memchr::memrchr(b'\n', short).map_or(0, |at| at + 1);
    let mut text = String::with_capacity(whole);
    for line in short[..whole].split_inclusive(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\n").expect("lines are whole");
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let shown = line.iter().take(LINE_OCTETS_MAX).map(|octet| match octet {
            b'\t' | b' '..=b'~' => char::from(*octet),
            _ => '?',
        });
        text.extend(shown);
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
    fn a_returned_header_is_whole_lines_of_ascii() {
        for (header, octets_max, expected) in [
            (&b"A: 1\r\nB: 2\r\n\r\nbody\r\n"[..], 100, "A: 1\nB: 2\n"),
            (b"A: 1\r\nB: 2\r\nC: 3", 100, "A: 1\nB: 2\n"),
            (b"A: 1\r\nB: 2\r\n", 8, "A: 1\n"),
            (b"A: \xc3\xa4\x1b\r\r\n\tB\0\n", 100, "A: ????\n\tB?\n"),
            (b"no line end", 100, ""),
        ] {
            assert_eq!(presentable_header(header, octets_max), expected);
        }
        let long = format!("A: {}\r\n", "x".repeat(2000));
        assert_eq!(presentable_header(long.as_bytes(), 5000).len(), LINE_OCTETS_MAX + 1);
    }
}
