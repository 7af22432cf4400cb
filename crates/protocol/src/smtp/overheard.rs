//! How command lines of SMTP and LMTP are shown in a protocol log: known verbs, and arguments that are no secret.
//!
//! What comes after a refused AUTH is a line like any other to the session, and may be the password all the same; what
//! comes after a refused DATA is content. So a line is shown by what is known of it, not by what came before it.

use super::command::{VERBS, Verb, bdat};
use super::introductions::{self, Forwarded};
use crate::overheard::{BLANKED, NO_COMMAND, auth_shown};

/// First words that are no commands of ours and tell an operator who knocks: other extensions, other protocols.
const FOREIGN: &[&str] = &[
    "BURL", "TURN", "ATRN", "SEND", "SOML", "SAML", "ONEX", "USER", "PASS", "CAPA", "GET", "HEAD", "POST",
    "PUT", "CONNECT", "OPTIONS",
];

/// A command line, without its CRLF, as it may be shown.
pub(super) fn shown(line: &[u8]) -> Vec<u8> {
    let line = line.trim_ascii_end();
    let at = line.iter().position(|&octet| octet == b' ').unwrap_or(line.len());
    let (word, argument) = (&line[..at], line[at..].trim_ascii_start());
    if let Some((name, verb)) = VERBS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word)) {
        return match verb {
            Verb::Auth => joined(name, auth_shown(argument).as_bytes()),
            verb if is_harmless(*verb, argument) => line.to_vec(),
            _ => joined(name, BLANKED.as_bytes()),
        };
    }
    match FOREIGN.iter().find(|name| name.as_bytes().eq_ignore_ascii_case(word)) {
        Some(name) if argument.is_empty() => name.as_bytes().to_vec(),
        Some(name) => joined(name, BLANKED.as_bytes()),
        None => NO_COMMAND.into(),
    }
}

/// Whether the argument is what the verb asks for. A sentence that begins with a verb is none.
fn is_harmless(verb: Verb, argument: &[u8]) -> bool {
    let begins = |keyword: &[u8]| {
        argument.get(..keyword.len()).is_some_and(|front| front.eq_ignore_ascii_case(keyword))
    };
    match verb {
        Verb::Mail => argument.is_empty() || begins(b"FROM:"),
        Verb::Rcpt => argument.is_empty() || begins(b"TO:"),
        Verb::Helo | Verb::Ehlo | Verb::Lhlo | Verb::Vrfy | Verb::Expn | Verb::Help | Verb::Etrn => {
            !argument.contains(&b' ')
        }
        Verb::Xclient => std::str::from_utf8(argument).is_ok_and(|it| introductions::client(it).is_ok()),
        Verb::Xforward => {
            let forwarded = |it| introductions::forwarded(it, Forwarded::default());
            std::str::from_utf8(argument).is_ok_and(|it| forwarded(it).is_ok())
        }
        Verb::Verbose => {
            argument.is_empty()
                || argument.eq_ignore_ascii_case(b"ON")
                || argument.eq_ignore_ascii_case(b"OFF")
        }
        Verb::Bdat => std::str::from_utf8(argument).is_ok_and(|argument| bdat(argument).is_ok()),
        Verb::Data | Verb::Rset | Verb::Noop | Verb::Quit | Verb::StartTls | Verb::Auth => {
            argument.is_empty()
        }
    }
}

fn joined(name: &str, argument: &[u8]) -> Vec<u8> {
    let space: &[u8] = if argument.is_empty() { b"" } else { b" " };
    [name.as_bytes(), space, argument].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_by_what_is_known_of_them() {
        for (line, expected) in [
            ("EHLO client.example", "EHLO client.example"),
            ("mail from:<a@b.example> SIZE=10", "mail from:<a@b.example> SIZE=10"),
            ("MAIL is what this letter is about", "MAIL (blanked)"),
            ("RCPT TO:<a@b.example>", "RCPT TO:<a@b.example>"),
            ("VRFY ann", "VRFY ann"),
            ("HELP me with my secret", "HELP (blanked)"),
            ("NOOP secret", "NOOP (blanked)"),
            ("QUIT ", "QUIT"),
            ("DATA", "DATA"),
            ("BDAT 10 last", "BDAT 10 last"),
            ("BDAT secret", "BDAT (blanked)"),
            ("AUTH", "AUTH"),
            ("auth plain AGJvYgBzZWNyZXQ=", "AUTH PLAIN (blanked)"),
            ("AUTH  LOGIN  Ym9i", "AUTH LOGIN (blanked)"),
            ("AUTH LOGIN", "AUTH LOGIN"),
            ("AUTH AGJvYgBzZWNyZXQ=", "AUTH (blanked)"),
            ("AUTH PLAIN AGJvYgBzZWNyZXQ= x", "AUTH PLAIN (blanked)"),
            ("AUTH=PLAIN AGJvYgBzZWNyZXQ=", "(not a command)"),
            ("AUTH\tPLAIN AGJvYgBzZWNyZXQ=", "(not a command)"),
            (" AUTH PLAIN AGJvYgBzZWNyZXQ=", "(not a command)"),
            ("AGJvYgBzZWNyZXQ=", "(not a command)"),
            ("Subject: secret", "(not a command)"),
            ("", "(not a command)"),
            ("PASS secret", "PASS (blanked)"),
            ("XCLIENT LOGIN=ann", "XCLIENT LOGIN=ann"),
            ("XCLIENT my secret", "XCLIENT (blanked)"),
            ("XFORWARD my secret", "XFORWARD (blanked)"),
            ("ETRN uu.example", "ETRN uu.example"),
            ("GET /?secret HTTP/1.1", "GET (blanked)"),
        ] {
            assert_eq!(String::from_utf8(shown(line.as_bytes())).unwrap(), expected, "{line:?}");
        }
        assert_eq!(shown(b"AUTH PLAIN \xff\xfe"), b"AUTH PLAIN (blanked)");
        assert_eq!(shown(b"\xff\xfe"), NO_COMMAND.as_bytes());
    }
}
