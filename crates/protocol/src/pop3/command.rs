//! Commands, parsed (RFC 1939 §3, RFC 2449 §4).

use crate::misuse::Misuse;
use crate::sasl::Password;

/// One command with its arguments. Message numbers are as the client wrote them; whether there is such an email is the
/// [maildrop](super::maildrop)'s business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// USER name
    User(String),
    /// PASS string
    Pass(Password),
    /// AUTH mechanism [initial-response] (RFC 5034 §4)
    Auth(String, Option<String>),
    /// STLS (RFC 2595 §4)
    Stls,
    /// UTF8 (RFC 6856 §2.1)
    Utf8,
    /// LANG [language range] (RFC 6856 §3.2)
    Lang(Option<String>),
    /// CAPA (RFC 2449 §5)
    Capa,
    /// STAT
    Stat,
    /// LIST [msg]
    List(Option<u32>),
    /// UIDL [msg]
    Uidl(Option<u32>),
    /// RETR msg
    Retr(u32),
    /// TOP msg n
    Top(u32, u32),
    /// DELE msg
    Dele(u32),
    /// RSET
    Rset,
    /// NOOP
    Noop,
    /// QUIT
    Quit,
}

impl Command {
    /// Parses a line without its CRLF.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Misuse> {
        let text = std::str::from_utf8(line).map_err(|_| Misuse::EightBitCommand)?;
        let (keyword, argument) = text.split_once(' ').unwrap_or((text, ""));
        match keyword.to_ascii_uppercase().as_str() {
            "USER" => Ok(Self::User(present(argument.trim())?.into())),
            // RFC 1939 §7, PASS: spaces belong to the password.
            "PASS" => Ok(Self::Pass(Password(present(argument)?.into()))),
            "AUTH" => Self::auth(argument),
            "LANG" => match argument.trim() {
                "" => Ok(Self::Lang(None)),
                range => Ok(Self::Lang(Some(range.into()))),
            },
            keyword => Self::with_numbers(keyword, argument.split(' ').filter(|word| !word.is_empty())),
        }
    }

    fn auth(argument: &str) -> Result<Self, Misuse> {
        let mut words = argument.split(' ').filter(|word| !word.is_empty());
        match (words.next(), words.next(), words.next()) {
            (Some(mechanism), initial, None) => Ok(Self::Auth(mechanism.into(), initial.map(str::to_owned))),
            _ => Err(Misuse::CommandSyntax),
        }
    }

    fn with_numbers<'a>(keyword: &str, words: impl Iterator<Item = &'a str>) -> Result<Self, Misuse> {
        let numbers = words.map(number).collect::<Result<Vec<u32>, Misuse>>();
        let simple = match keyword {
            "STLS" => Self::Stls,
            "UTF8" => Self::Utf8,
            "CAPA" => Self::Capa,
            "STAT" => Self::Stat,
            "RSET" => Self::Rset,
            "NOOP" => Self::Noop,
            "QUIT" => Self::Quit,
            "LIST" | "UIDL" | "RETR" | "TOP" | "DELE" => {
                return match (keyword, numbers?.as_slice()) {
                    ("LIST", []) => Ok(Self::List(None)),
                    ("LIST", &[number]) => Ok(Self::List(Some(number))),
                    ("UIDL", []) => Ok(Self::Uidl(None)),
                    ("UIDL", &[number]) => Ok(Self::Uidl(Some(number))),
                    ("RETR", &[number]) => Ok(Self::Retr(number)),
                    ("DELE", &[number]) => Ok(Self::Dele(number)),
                    ("TOP", &[number, lines]) => Ok(Self::Top(number, lines)),
                    _ => Err(Misuse::CommandSyntax),
                };
            }
            _ => return Err(Misuse::UnknownCommand),
        };
        if numbers?.is_empty() { Ok(simple) } else { Err(Misuse::CommandSyntax) }
    }
}

fn present(argument: &str) -> Result<&str, Misuse> {
    if argument.is_empty() { Err(Misuse::CommandSyntax) } else { Ok(argument) }
}

/// Digits only; a number beyond 32 bits is no message's and becomes the largest.
fn number(word: &str) -> Result<u32, Misuse> {
    if !word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Misuse::CommandSyntax);
    }
    Ok(word.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_commands() {
        let pass = |text: &str| Ok(Command::Pass(Password(text.into())));
        for (line, expected) in [
            ("USER ann", Ok(Command::User("ann".into()))),
            ("user ann@a.example ", Ok(Command::User("ann@a.example".into()))),
            ("USER", Err(Misuse::CommandSyntax)),
            ("USER  ", Err(Misuse::CommandSyntax)),
            ("PASS  two words ", pass(" two words ")),
            ("PASS", Err(Misuse::CommandSyntax)),
            ("AUTH", Err(Misuse::CommandSyntax)),
            ("AUTH plain", Ok(Command::Auth("plain".into(), None))),
            ("AUTH PLAIN = ", Ok(Command::Auth("PLAIN".into(), Some("=".into())))),
            ("AUTH PLAIN a b", Err(Misuse::CommandSyntax)),
            ("UTF8", Ok(Command::Utf8)),
            ("UTF8 USER", Err(Misuse::CommandSyntax)),
            ("LANG", Ok(Command::Lang(None))),
            ("lang EN", Ok(Command::Lang(Some("EN".into())))),
            ("Stls", Ok(Command::Stls)),
            ("STLS now", Err(Misuse::CommandSyntax)),
            ("QUIT ", Ok(Command::Quit)),
            ("LIST", Ok(Command::List(None))),
            ("LIST 007", Ok(Command::List(Some(7)))),
            ("LIST 1 2", Err(Misuse::CommandSyntax)),
            ("LIST -1", Err(Misuse::CommandSyntax)),
            ("UIDL 99999999999999999999", Ok(Command::Uidl(Some(u32::MAX)))),
            ("TOP 1", Err(Misuse::CommandSyntax)),
            ("TOP 1 0", Ok(Command::Top(1, 0))),
            ("RETR", Err(Misuse::CommandSyntax)),
            ("RETR one", Err(Misuse::CommandSyntax)),
            ("APOP ann c4c9334bac560ecc979e58001b3e22fb", Err(Misuse::UnknownCommand)),
            ("", Err(Misuse::UnknownCommand)),
            (" QUIT", Err(Misuse::UnknownCommand)),
        ] {
            assert_eq!(Command::parse(line.as_bytes()), expected, "{line:?}");
        }
        assert_eq!(Command::parse(b"USER \xff"), Err(Misuse::EightBitCommand));
    }
}
