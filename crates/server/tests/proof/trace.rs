//! Reads what `strace -f -y -ttt` writes: system calls with their bytes, in the order in which they began and ended.
//!
//! ```text
//! 7 1795365097.42 fdatasync(14</data/1.seg>) = 0                 began and ended here
//! 7 1795365097.42 fdatasync(14</data/1.seg> <unfinished ...>     began here, others' calls follow
//! 7 1795365097.43 <... fdatasync resumed>) = 0                   ended here
//! ```
//!
//! strace prints a line before it lets the thread go on. So the order of lines is an order that the kernel has kept:
//! what another thread does because a call has ended stands after that end.

use std::collections::BTreeMap;
use std::io::BufRead;

/// A system call that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// What its first file descriptor stands for; for `openat` the file that was opened.
    pub(crate) file: String,
    /// Its text arguments, one behind the other: what was written.
    pub(crate) bytes: Vec<u8>,
    /// Everything between the parentheses.
    pub(crate) arguments: String,
    /// What it returned; none where the process ended meanwhile.
    pub(crate) result: Option<i64>,
    /// The lines, from 1, at which it began and ended.
    pub(crate) begin: usize,
    pub(crate) end: usize,
}

/// Reads a trace; each call is handed over when it ends.
///
/// # Errors
/// The first line that cannot be understood.
pub(crate) fn read(trace: impl BufRead, mut each: impl FnMut(Call)) -> Result<(), String> {
    let mut unfinished: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for (index, line) in trace.lines().enumerate() {
        let number = index + 1;
        let line = line.map_err(|error| format!("line {number}: {error}"))?;
        let Some((thread, event)) = event(&line) else {
            return Err(format!("line {number} is no event: {}", shortened(&line)));
        };
        if let Some(begun) = event.strip_suffix("<unfinished ...>") {
            unfinished.insert(thread.to_owned(), (number, begun.trim_end().to_owned()));
            continue;
        }
        let (begin, text) = match event.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            Some((_, rest)) => {
                let (begin, begun) = unfinished
                    .remove(thread)
                    .ok_or_else(|| format!("line {number} resumes what never began: {}", shortened(&line)))?;
                (begin, begun + rest)
            }
            None => (number, event.to_owned()),
        };
        if !text.starts_with("---") && !text.starts_with("+++") {
            let call = parse(&text, begin, number);
            each(call.ok_or_else(|| format!("line {number} is no system call: {}", shortened(&line)))?);
        }
    }
    Ok(())
}

/// The thread and the event of a line; the time between them is for people.
fn event(line: &str) -> Option<(&str, &str)> {
    let (thread, rest) = line.split_once(' ')?;
    let (_time, event) = rest.trim_start().split_once(' ')?;
    Some((thread, event))
}

/// `name(arguments) = result`.
fn parse(text: &str, begin: usize, end: usize) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    let file = match name {
        "openat" => annotated(result),
        _ => annotated(arguments),
    };
    Some(Call {
        name: name.to_owned(),
        file: file.unwrap_or_default().to_owned(),
        bytes: texts(arguments)?,
        arguments: without_texts(arguments),
        result: result.split(|c: char| c != '-' && !c.is_ascii_digit()).next()?.parse().ok(),
        begin,
        end,
    })
}

/// `/data/1.seg` of `14</data/1.seg>, ...`; the brackets of sockets (`21<TCP:[a->b]>`) are not taken apart.
fn annotated(text: &str) -> Option<&str> {
    let (descriptor, rest) = text.split_once('<')?;
    let is_number = !descriptor.is_empty() && descriptor.bytes().all(|byte| byte.is_ascii_digit());
    let end = rest.find(">,").or_else(|| rest.strip_suffix('>').map(str::len))?;
    is_number.then(|| &rest[..end])
}

/// The bytes of all quoted texts. None where one was shortened: then the trace does not show what was written.
fn texts(arguments: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::new(), arguments);
    while let Some(at) = rest.find('"') {
        rest = unescape(&rest[at + 1..], &mut bytes)?;
        if rest.starts_with("...") {
            return None;
        }
    }
    Some(bytes)
}

/// Takes a text up to its closing quote; what stands behind it.
fn unescape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let at = rest.find(['"', '\\'])?;
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        if rest.as_bytes()[at] == b'"' {
            return Some(&rest[at + 1..]);
        }
        rest = escape(&rest[at + 1..], bytes)?;
    }
}

/// One escape of C, behind its backslash: a letter, or up to three octal digits.
fn escape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let first = *text.as_bytes().first()?;
    let digits = text.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    if digits > 0 {
        bytes.push(u8::try_from(u32::from_str_radix(&text[..digits], 8).ok()?).ok()?);
        return Some(&text[digits..]);
    }
    bytes.push(match first {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'f' => 0x0c,
        b'"' | b'\\' => first,
        _ => return None,
    });
    Some(&text[1..])
}

/// Arguments with every text left empty, for flags and for people.
fn without_texts(arguments: &str) -> String {
    let (mut short, mut rest, mut ignored) = (String::new(), arguments, Vec::new());
    while let Some(at) = rest.find('"') {
        short.push_str(&rest[..at]);
        short.push_str("\"\"");
        rest = unescape(&rest[at + 1..], &mut ignored).unwrap_or_default();
    }
    short + rest
}

fn shortened(line: &str) -> String {
    line.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(text: &str) -> Result<Vec<Call>, String> {
        let mut calls = Vec::new();
        read(text.as_bytes(), |call| calls.push(call)).map(|()| calls)
    }

    #[test]
    fn a_call_is_taken_apart() {
        let text = r#"11 1.5 pwrite64(14</d/1.seg>, "\20\1a\0b\"\\\r\n\t) = 7", 12, 96) = 12"#;
        let expected = Call {
            name: "pwrite64".into(),
            file: "/d/1.seg".into(),
            bytes: b"\x10\x01a\0b\"\\\r\n\t) = 7".to_vec(),
            arguments: r#"14</d/1.seg>, "", 12, 96"#.into(),
            result: Some(12),
            begin: 1,
            end: 1,
        };
        assert_eq!(calls(text), Ok(vec![expected]));
    }

    #[test]
    fn octal_escapes_end_where_the_next_digit_would_not_fit() {
        assert_eq!(calls(r#"1 1 write(1<x>, "\0009\08\3771", 5) = 5"#).unwrap()[0].bytes, b"\x009\x008\xff1");
    }

    #[test]
    fn a_call_that_others_interrupt_begins_and_ends_apart() {
        let text = "7  1.1 fdatasync(14</d/1.seg> <unfinished ...>\n\
                    8 1.2 write(4<anon_inode:[eventfd]>, \"\\1\", 1 <unfinished ...>\n\
                    7    1.3 <... fdatasync resumed>)   = 0\n\
                    8 1.4 <... write resumed>) = 1\n\
                    7 1.5 --- SIGTERM {si_signo=SIGTERM} ---\n\
                    7 1.6 +++ exited with 0 +++\n";
        let calls = calls(text).unwrap();
        let seen: Vec<_> =
            calls.iter().map(|call| (&*call.name, call.begin, call.end, call.result)).collect();
        assert_eq!(seen, [("fdatasync", 1, 3, Some(0)), ("write", 2, 4, Some(1))]);
        assert_eq!(calls[0].file, "/d/1.seg");
    }

    #[test]
    fn results_and_files_of_every_kind() {
        let text = "1 1 fsync(3</d>)                        = -1 EIO (Input/output error)\n\
                    1 1 openat(AT_FDCWD</>, \"/d/2.seg\", O_RDWR|O_CREAT, 0600) = 15</d/2.seg>\n\
                    1 1 sendto(21<TCP:[127.0.0.1:25->127.0.0.1:9]>, \"250 x\\r\\n\", 7, 0, NULL, 0) = 7\n\
                    1 1 fdatasync(3</d>) = ?\n";
        let seen: Vec<_> = calls(text).unwrap().into_iter().map(|call| (call.file, call.result)).collect();
        let socket = "TCP:[127.0.0.1:25->127.0.0.1:9]";
        let expected = [("/d", Some(-1)), ("/d/2.seg", Some(15)), (socket, Some(7)), ("/d", None)];
        assert_eq!(seen, expected.map(|(file, result)| (file.to_owned(), result)));
    }

    #[test]
    fn a_shortened_text_and_a_line_out_of_nowhere_are_errors() {
        assert!(calls(r#"1 1 write(1<x>, "abc"..., 9) = 9"#).unwrap_err().contains("line 1"));
        assert!(calls("1 1 <... write resumed>) = 1").unwrap_err().contains("never began"));
        assert!(calls("1 1 gibberish").unwrap_err().contains("no system call"));
    }
}
