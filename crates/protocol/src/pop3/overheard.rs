//! How command lines of POP3 are shown in a protocol log: known keywords, and arguments that are no secret.

use crate::overheard::{BLANKED, NO_COMMAND, auth_shown};

/// Commands without an argument.
const SIMPLE: &[&str] = &["STLS", "CAPA", "STAT", "RSET", "NOOP", "QUIT", "UTF8"];
/// Commands whose arguments are numbers.
const NUMBERS: &[&str] = &["LIST", "UIDL", "RETR", "TOP", "DELE"];
/// Commands with a secret, and those of other servers.
const HIDDEN: &[&str] = &["PASS", "APOP", "RPOP", "LAST", "XTND", "LANG"];

/// A command line, without its CRLF, as it may be shown.
pub(super) fn shown(line: &[u8]) -> Vec<u8> {
    let line = line.trim_ascii_end();
    let at = line.iter().position(|&octet| octet == b' ').unwrap_or(line.len());
    let (keyword, argument) = (&line[..at], line[at..].trim_ascii_start());
    let is_one_of = |names: &[&str]| names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(keyword));
    let numbers = || argument.iter().all(|octet| octet.is_ascii_digit() || *octet == b' ');
    let argument = if is_one_of(&["AUTH"]) {
        auth_shown(argument).into_bytes()
    } else if is_one_of(&["USER"]) {
        name_shown(argument)
    } else if is_one_of(NUMBERS) && numbers() {
        argument.to_vec()
    } else if is_one_of(NUMBERS) || is_one_of(SIMPLE) || is_one_of(HIDDEN) {
        if argument.is_empty() { Vec::new() } else { BLANKED.into() }
    } else {
        return NO_COMMAND.into();
    };
    let space: &[u8] = if argument.is_empty() { b"" } else { b" " };
    [keyword, space, &argument].concat()
}

/// A user name is one word; what follows it may be the password.
fn name_shown(argument: &[u8]) -> Vec<u8> {
    match argument.iter().position(|&octet| octet == b' ') {
        Some(at) => [&argument[..at], b" ", BLANKED.as_bytes()].concat(),
        None => argument.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_by_what_is_known_of_them() {
        for (line, expected) in [
            ("USER ann", "USER ann"),
            ("user ann secret", "user ann (blanked)"),
            ("PASS secret", "PASS (blanked)"),
            ("pass  two words ", "pass (blanked)"),
            ("PASS", "PASS"),
            ("PASSsecret", "(not a command)"),
            ("PASS\tsecret", "(not a command)"),
            (" PASS secret", "(not a command)"),
            ("APOP ann c4c9334bac560ecc979e58001b3e22fb", "APOP (blanked)"),
            ("AUTH", "AUTH"),
            ("AUTH PLAIN", "AUTH PLAIN"),
            ("AUTH PLAIN AGJvYgBzZWNyZXQ=", "AUTH PLAIN (blanked)"),
            ("AUTH AGJvYgBzZWNyZXQ=", "AUTH (blanked)"),
            ("AGJvYgBzZWNyZXQ=", "(not a command)"),
            ("secret", "(not a command)"),
            ("", "(not a command)"),
            ("STAT", "STAT"),
            ("stat secret", "stat (blanked)"),
            ("TOP 1 0", "TOP 1 0"),
            ("RETR 12", "RETR 12"),
            ("RETR secret", "RETR (blanked)"),
            ("QUIT ", "QUIT"),
        ] {
            assert_eq!(String::from_utf8(shown(line.as_bytes())).unwrap(), expected, "{line:?}");
        }
        assert_eq!(shown(b"PASS \xff\xfe"), b"PASS (blanked)");
    }
}
