//! Command lines (RFC 5321 §4.1): a line becomes a verb and its argument, then a command, or a refusal.
//!
//! Verb and argument are separate steps because the session asks between them whether the verb is allowed now: a client
//! that may not send MAIL yet is told that, not that its address is malformed.

use mail::{Domain, ForwardPath, Reply, ReversePath};

use super::dialect::Dialect;
use super::parameters::{self, MailParameters};
use super::replies::{self, Canned};
use super::server::{Config, Etrn, Recipient};
use crate::limits::SMTP_HELLO_OCTETS_MAX;
use crate::misuse::Misuse;

/// Why a line is refused, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) misuse: Misuse,
    pub(super) reply: Reply,
}

impl Refusal {
    pub(super) fn new(misuse: Misuse, reply: Canned) -> Self {
        Self { misuse, reply: reply.reply() }
    }
}

/// The first word of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Helo,
    Ehlo,
    Lhlo,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Quit,
    Help,
    Vrfy,
    Verbose,
    Expn,
    StartTls,
    Auth,
    Etrn,
    Xclient,
    Xforward,
}

/// The commands by name, in the order in which HELP shows them.
pub(super) const VERBS: &[(&str, Verb)] = &[
    ("EHLO", Verb::Ehlo),
    ("HELO", Verb::Helo),
    ("LHLO", Verb::Lhlo),
    ("STARTTLS", Verb::StartTls),
    ("AUTH", Verb::Auth),
    ("MAIL", Verb::Mail),
    ("RCPT", Verb::Rcpt),
    ("DATA", Verb::Data),
    ("BDAT", Verb::Bdat),
    ("RSET", Verb::Rset),
    ("NOOP", Verb::Noop),
    ("VRFY", Verb::Vrfy),
    ("VERB", Verb::Verbose),
    ("EXPN", Verb::Expn),
    ("ETRN", Verb::Etrn),
    ("XCLIENT", Verb::Xclient),
    ("XFORWARD", Verb::Xforward),
    ("HELP", Verb::Help),
    ("QUIT", Verb::Quit),
];

impl Verb {
    /// Whether a dialect has this command (RFC 2033 §4.1).
    pub(super) fn is_of(self, dialect: Dialect) -> bool {
        match self {
            Self::Helo | Self::Ehlo => dialect == Dialect::Smtp,
            Self::Lhlo => dialect == Dialect::Lmtp,
            // Mail by LMTP is filed at once: there are no hops to be told of.
            Self::Verbose => dialect == Dialect::Smtp,
            // Nor is there a queue.
            Self::Etrn => dialect == Dialect::Smtp,
            _ => true,
        }
    }

    /// Whether a virtual server has it for this peer. What is not there is in no list, and refused.
    pub(super) fn is_there(self, config: &Config) -> bool {
        match self {
            Self::Bdat => config.keywords.chunking,
            Self::Help => config.commands.help,
            Self::Verbose => config.commands.verb,
            Self::Etrn => config.commands.etrn,
            Self::Xclient => config.commands.xclient,
            Self::Xforward => config.commands.xforward,
            _ => true,
        }
    }

    /// Whether the argument may hold an address.
    fn may_hold_address(self) -> bool {
        matches!(self, Self::Mail | Self::Rcpt | Self::Vrfy | Self::Expn)
    }
}

/// First words of HTTP requests. A browser can be made to send one, with commands in its body, to any port.
const HTTP_METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// Splits a line (without CRLF) into verb and argument, white space around the argument removed. An argument beyond ASCII is
/// UTF-8, and of a command that may hold an address (RFC 6531 §3.1); whether SMTPUTF8 was said is looked at later.
pub(super) fn split(line: &[u8], dialect: Dialect) -> Result<(Verb, &str), Refusal> {
    let line = std::str::from_utf8(line)
        .map_err(|_| Refusal::new(Misuse::EightBitCommand, replies::EIGHT_BIT_COMMAND))?;
    // RFC 5321 §4.1.1: trailing white space is tolerated.
    let line = line.trim_end_matches([' ', '\t']);
    let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
    let known = VERBS.iter().find(|(name, verb)| verb.is_of(dialect) && name.eq_ignore_ascii_case(word));
    match known {
        None if !word.is_ascii() => Err(eight_bit(line.as_bytes())),
        None => Err(unknown(word)),
        Some((_, verb)) if !argument.is_ascii() && !verb.may_hold_address() => {
            Err(eight_bit(line.as_bytes()))
        }
        Some(_) if argument.chars().any(char::is_control) => {
            Err(Refusal::new(Misuse::CommandSyntax, replies::CONTROL_CHARACTER))
        }
        Some((_, verb)) => Ok((*verb, argument.trim_start_matches(' '))),
    }
}

/// What is no command of ours. Content sent as commands, and the requests of other protocols, are cut off: a body may
/// hold commands that somebody else put there.
fn unknown(word: &str) -> Refusal {
    if HTTP_METHODS.contains(&word) {
        Refusal::new(Misuse::HttpRequest, replies::HTTP_REQUEST)
    } else if word.len() > 1 && word.ends_with(':') {
        Refusal::new(Misuse::HeaderAsCommand, replies::HEADER_AS_COMMAND)
    } else {
        Refusal::new(Misuse::UnknownCommand, replies::UNKNOWN_COMMAND)
    }
}

/// RFC 5321 §2.4: octets above 127 in an envelope are refused; RFC 6531 §3.5 names the codes for addresses.
fn eight_bit(line: &[u8]) -> Refusal {
    let verb = line.get(..4).unwrap_or_default();
    let reply = if verb.eq_ignore_ascii_case(b"MAIL") {
        replies::EIGHT_BIT_SENDER
    } else if verb.eq_ignore_ascii_case(b"RCPT") {
        replies::EIGHT_BIT_RECIPIENT
    } else {
        replies::EIGHT_BIT_COMMAND
    };
    Refusal::new(Misuse::EightBitCommand, reply)
}

/// The argument of HELO and EHLO: one word, a domain or an address literal. After a literal more words may come, which
/// are dropped (RFC 5321 §4.1.1.1). A name need not be a correct domain, because many are not; it must not hold what
/// would have a meaning of its own in the Received field.
pub(super) fn hello(argument: &str) -> Result<&str, Refusal> {
    let (name, more) = argument.split_once(' ').unwrap_or((argument, ""));
    let sound = |octet: u8| octet.is_ascii_graphic() && !b"()<>@,;\\\"".contains(&octet);
    let fits = (1..=SMTP_HELLO_OCTETS_MAX).contains(&name.len());
    if fits && name.bytes().all(sound) && (more.is_empty() || name.starts_with('[')) {
        Ok(name)
    } else {
        Err(Refusal::new(Misuse::CommandSyntax, replies::HELLO_SYNTAX))
    }
}

/// The argument of MAIL (RFC 5321 §4.1.1.2).
pub(super) fn mail(argument: &str, config: &Config) -> Result<(ReversePath, MailParameters), Refusal> {
    let path = after_keyword(argument, "FROM:")
        .ok_or_else(|| Refusal::new(Misuse::CommandSyntax, replies::MAIL_SYNTAX))?;
    let (path, rest) = ReversePath::parse_prefix(path)
        .map_err(|_| Refusal::new(Misuse::CommandSyntax, replies::SENDER_SYNTAX))?;
    let parameters = parameters::mail(rest, config)?;
    if !argument.is_ascii() && !parameters.message.utf8 {
        return Err(eight_bit(b"MAIL"));
    }
    Ok((path, parameters))
}

/// The argument of RCPT (RFC 5321 §4.1.1.3). `utf8`: SMTPUTF8 was said in MAIL.
pub(super) fn rcpt(argument: &str, utf8: bool, config: &Config) -> Result<Recipient, Refusal> {
    let path = after_keyword(argument, "TO:")
        .ok_or_else(|| Refusal::new(Misuse::CommandSyntax, replies::RCPT_SYNTAX))?;
    let (path, rest) = ForwardPath::parse_prefix(path)
        .map_err(|_| Refusal::new(Misuse::CommandSyntax, replies::RECIPIENT_SYNTAX))?;
    let parameters = parameters::rcpt(rest, config)?;
    if !argument.is_ascii() && !utf8 {
        return Err(eight_bit(b"RCPT"));
    }
    Ok(Recipient { path, parameters })
}

/// The argument of BDAT (RFC 3030 §2): how many octets follow, and whether they are the last. A number beyond 64 bits is
/// larger than any limit.
pub(super) fn bdat(argument: &str) -> Result<(u64, bool), Refusal> {
    let (octets, marker) = argument.split_once(' ').unwrap_or((argument, ""));
    let marker = marker.trim_start_matches(' ');
    let is_number = !octets.is_empty() && octets.bytes().all(|octet| octet.is_ascii_digit());
    if !is_number || !(marker.is_empty() || marker.eq_ignore_ascii_case("LAST")) {
        return Err(Refusal::new(Misuse::CommandSyntax, replies::BDAT_SYNTAX));
    }
    Ok((octets.parse().unwrap_or(u64::MAX), !marker.is_empty()))
}

/// RFC 5321 §3.3: no space stands beside the colon. Many clients put one after it, and nothing is gained by refusing.
fn after_keyword<'a>(argument: &'a str, keyword: &str) -> Option<&'a str> {
    let (word, path) = argument.split_at_checked(keyword.len())?;
    word.eq_ignore_ascii_case(keyword).then(|| path.trim_start_matches(' '))
}

/// For the commands that take no argument (RFC 5321 §4.3.2: 501 if they have one).
pub(super) fn nothing(argument: &str) -> Result<(), Refusal> {
    match argument {
        "" => Ok(()),
        _ => Err(Refusal::new(Misuse::CommandSyntax, replies::NO_ARGUMENT_ALLOWED)),
    }
}

/// The argument of VERB: whether it switches on.
pub(super) fn verb(argument: &str) -> Result<bool, Refusal> {
    match argument.to_ascii_uppercase().as_str() {
        "" | "ON" => Ok(true),
        "OFF" => Ok(false),
        _ => Err(Refusal::new(Misuse::CommandSyntax, replies::VERB_SYNTAX)),
    }
}

/// The argument of VRFY and EXPN (RFC 5321 §4.1.1.6): a string, and whether SMTPUTF8 comes after it (RFC 6531 §3.7.4.2).
pub(super) fn look_up(argument: &str) -> Result<(&str, bool), Refusal> {
    let (what, utf8) = match argument.rsplit_once(' ') {
        Some((what, word)) if word.eq_ignore_ascii_case("SMTPUTF8") => (what.trim_end_matches(' '), true),
        _ => (argument, false),
    };
    match what {
        "" => Err(Refusal::new(Misuse::CommandSyntax, replies::ARGUMENT_MISSING)),
        _ => Ok((what, utf8)),
    }
}

/// The argument of ETRN (RFC 1985 §5): a domain in full, perhaps with `@` before it, or `#` and the name of a queue.
pub(super) fn etrn(argument: &str) -> Result<Etrn, Refusal> {
    let refused = |reply| Refusal::new(Misuse::CommandSyntax, reply);
    if argument.is_empty() {
        return Err(refused(replies::ETRN_EMPTY));
    }
    if let Some(queue) = argument.strip_prefix('#') {
        let is_word = (1..=SMTP_HELLO_OCTETS_MAX).contains(&queue.len()) && !queue.contains(' ');
        return if is_word { Ok(Etrn::Queue(queue.into())) } else { Err(refused(replies::ETRN_SYNTAX)) };
    }
    let (below, name) = argument.strip_prefix('@').map_or((false, argument), |name| (true, name));
    let domain = Domain::parse(name).ok().filter(|domain| domain.as_str().contains('.'));
    let domain = domain.ok_or_else(|| refused(replies::ETRN_SYNTAX))?;
    Ok(if below { Etrn::Below(domain) } else { Etrn::Domain(domain) })
}

/// The argument of AUTH (RFC 4954 §4): the mechanism, and the initial response if there is one.
pub(super) fn auth(argument: &str) -> Result<(&str, Option<&str>), Refusal> {
    let mut words = argument.split(' ');
    match (words.next(), words.next(), words.next()) {
        (None | Some(""), _, _) => Err(Refusal::new(Misuse::CommandSyntax, replies::ARGUMENT_MISSING)),
        (Some(mechanism), initial, None) => Ok((mechanism, initial)),
        (_, _, Some(_)) => Err(Refusal::new(Misuse::SaslNotBase64, replies::SASL_NOT_BASE64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(refusal: Refusal) -> String {
        format!("{} {:?}", refusal.reply.code, refusal.misuse)
    }

    #[test]
    fn lines_are_verb_and_argument() {
        let check = |line: &str, expected: &str| {
            let found = split(line.as_bytes(), Dialect::Smtp)
                .map(|(verb, argument)| format!("{verb:?} {argument:?}"));
            assert_eq!(found.unwrap_or_else(code), expected, "{line:?}");
        };
        check("NOOP", "Noop \"\"");
        check("noop  a b \t", "Noop \"a b\"");
        check("StartTls", "StartTls \"\"");
        check("MAIL FROM:<>", "Mail \"FROM:<>\"");
        check("", "500 UnknownCommand");
        check(" NOOP", "500 UnknownCommand");
        check("NOOPS", "500 UnknownCommand");
        check("MAIL\tFROM:<>", "500 UnknownCommand");
        check("VRFY a\x1b[2J", "501 CommandSyntax");
        check("NOOP \u{e9}", "500 EightBitCommand");
        check("EHLO \u{e9}.example", "500 EightBitCommand");
        check("\u{e9} NOOP", "500 EightBitCommand");
        check("mail FROM:<\u{e9}@example.org>", "Mail \"FROM:<\u{e9}@example.org>\"");
        check("VRFY \u{e9}", "Vrfy \"\u{e9}\"");
        check("VRFY \u{9b}2J", "501 CommandSyntax");
        check("GET / HTTP/1.1", "421 HttpRequest");
        check("Host: mx.example.org", "421 HeaderAsCommand");
        check(": x", "500 UnknownCommand");
        let eight_bit = split(b"RCPT TO:<\xff@example.org>", Dialect::Smtp).map_err(code);
        assert_eq!(eight_bit, Err("500 EightBitCommand".into()), "no UTF-8, whatever MAIL has said");
    }

    #[test]
    fn each_dialect_has_its_own_hello() {
        let check = |line: &str, dialect: Dialect, known: bool| {
            let found = split(line.as_bytes(), dialect).map_err(code);
            assert_eq!(found.is_ok(), known, "{line} {dialect:?}");
            assert!(known || found == Err("500 UnknownCommand".into()));
        };
        for (line, dialect) in
            [("EHLO x", Dialect::Smtp), ("HELO x", Dialect::Smtp), ("LHLO x", Dialect::Lmtp)]
        {
            check(line, dialect, true);
            check(line, if dialect == Dialect::Smtp { Dialect::Lmtp } else { Dialect::Smtp }, false);
        }
        check("NOOP", Dialect::Lmtp, true);
    }

    #[test]
    fn hello_takes_one_word() {
        for name in ["client.example", "a_b", "[192.0.2.1]", "[IPv6:2001:db8::1]", "x"] {
            assert_eq!(hello(name), Ok(name));
        }
        assert_eq!(hello("[192.0.2.1] my box"), Ok("[192.0.2.1]"));
        let long = "x".repeat(256);
        for name in ["", "my computer", "a(b", "<a>", "a;b", "a@b", long.as_str()] {
            assert_eq!(hello(name).map_err(code), Err("501 CommandSyntax".into()), "{name:?}");
        }
    }

    #[test]
    fn addresses_beyond_ascii_need_smtputf8() {
        let config = crate::smtp::tests::config();
        let sender =
            |argument: &str| mail(argument, &config).map(|(path, _)| path.to_string()).unwrap_or_else(code);
        assert_eq!(sender("FROM:<\u{e9}@example.org>"), "550 EightBitCommand");
        assert_eq!(sender("FROM:<a@\u{e9}.example>"), "550 EightBitCommand");
        assert_eq!(sender("FROM:<\u{e9}@\u{e9}.example> SMTPUTF8"), "<\u{e9}@xn--9ca.example>");
        let recipient = |argument: &str, utf8| {
            rcpt(argument, utf8, &config).map(|found| found.path.to_string()).unwrap_or_else(code)
        };
        assert_eq!(recipient("TO:<\u{e9}@example.org>", false), "553 EightBitCommand");
        assert_eq!(recipient("TO:<a@b> ORCPT=utf-8;\u{e9}@b", false), "553 EightBitCommand");
        assert_eq!(recipient("TO:<\u{e9}@example.org> ORCPT=utf-8;\u{e9}@b", true), "<\u{e9}@example.org>");
    }

    #[test]
    fn look_ups_may_say_smtputf8() {
        for (argument, expected) in [
            ("ann", ("ann", false)),
            ("ann smtputf8", ("ann", true)),
            ("Ann Example SMTPUTF8", ("Ann Example", true)),
            ("SMTPUTF8", ("SMTPUTF8", false)),
        ] {
            assert_eq!(look_up(argument), Ok(expected));
        }
        assert_eq!(look_up("").map_err(code), Err("501 CommandSyntax".into()));
    }

    #[test]
    fn bdat_takes_a_number_and_perhaps_last() {
        for (argument, expected) in [
            ("0", (0, false)),
            ("86 LAST", (86, true)),
            ("1  last", (1, true)),
            ("007", (7, false)),
            ("99999999999999999999 LAST", (u64::MAX, true)),
        ] {
            assert_eq!(bdat(argument), Ok(expected));
        }
        for argument in ["", "LAST", "x", "-1", "+1", "1 FIRST", "1 LAST LAST", "1.0"] {
            assert_eq!(bdat(argument).map_err(code), Err("501 CommandSyntax".into()), "{argument:?}");
        }
    }

    #[test]
    fn etrn_takes_a_domain_or_a_queue() {
        let domain = |name| Domain::parse(name).unwrap();
        for (argument, expected) in [
            ("uu.example", Etrn::Domain(domain("uu.example"))),
            ("UU.Example", Etrn::Domain(domain("uu.example"))),
            ("@uu.example", Etrn::Below(domain("uu.example"))),
            ("#uucp", Etrn::Queue("uucp".into())),
        ] {
            assert_eq!(etrn(argument), Ok(expected));
        }
        assert_eq!(etrn("").map_err(code), Err("500 CommandSyntax".into()));
        for argument in ["localname", "@", "#", "# a", "#a b", "a..b", "@@a.example", "a.example b"] {
            assert_eq!(etrn(argument).map_err(code), Err("501 CommandSyntax".into()), "{argument:?}");
        }
    }

    #[test]
    fn auth_takes_one_or_two_words() {
        assert_eq!(auth("PLAIN"), Ok(("PLAIN", None)));
        assert_eq!(auth("PLAIN ="), Ok(("PLAIN", Some("="))));
        assert_eq!(auth("").map_err(code), Err("501 CommandSyntax".into()));
        assert_eq!(auth("PLAIN a b").map_err(code), Err("501 SaslNotBase64".into()));
    }
}
