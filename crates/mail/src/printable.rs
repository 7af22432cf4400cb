//! Text from strangers, made safe for logs, terminals and pages.

use std::fmt::Write;

/// The same text with everything escaped that a terminal or a reader could be deceived by: control characters (C0, DEL,
/// C1), line separators, characters that turn or hide writing, octets that are not UTF-8, and the backslash, so that the
/// escaped form has one reading.
///
/// ```
/// assert_eq!(mail::printable("a\x1b[2J\r\nß"), r"a\x1b[2J\r\nß");
/// assert_eq!(mail::printable(b"\xff\\"), r"\xff\\");
/// ```
pub fn printable(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    let mut out = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_escaped(&mut out, c);
        }
        for octet in chunk.invalid() {
            write!(out, "\\x{octet:02x}").expect("a String takes all");
        }
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\r' => out.push_str("\\r"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        c if c.is_ascii_control() => write!(out, "\\x{:02x}", u32::from(c)).expect("a String takes all"),
        c if c.is_control() || deceives(c) => {
            write!(out, "\\u{{{:x}}}", u32::from(c)).expect("a String takes all")
        }
        c => out.push(c),
    }
}

/// Not control characters by category, but they break lines, turn the direction of writing or cannot be seen.
fn deceives(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_deceives_is_escaped() {
        for (text, expected) in [
            (&b"plain \xc3\xa4"[..], "plain ä"),
            (b"\x00\x07\x7f", "\\x00\\x07\\x7f"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
            ("\u{202e}gpj.exe".as_bytes(), "\\u{202e}gpj.exe"),
            ("\u{2066}\u{feff}".as_bytes(), "\\u{2066}\\u{feff}"),
            (b"tail \xe2\x80", "tail \\xe2\\x80"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_unprintable_is_left(text: Vec<u8>) {
            prop_assert!(printable(&text).chars().all(|c| !c.is_control() && !deceives(c)));
        }
    }
}
