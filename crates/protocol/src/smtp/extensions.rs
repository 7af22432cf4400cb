//! What EHLO offers (RFC 5321 §4.1.1.1): one entry of the slice an extension.

use mail::Reply;

use super::introductions::{CLIENT_ATTRIBUTES, FORWARDED_ATTRIBUTES};
use super::server::{Config, Hello};

/// A service extension.
struct Extension {
    keyword: &'static str,
    /// Whether it is offered now.
    offered: fn(&Config, &Hello) -> bool,
    /// What stands after the keyword.
    parameter: fn(&Config, &Hello) -> Option<String>,
}

const EXTENSIONS: &[Extension] = &[
    // RFC 2920
    Extension { keyword: "PIPELINING", offered: |config, _| config.keywords.pipelining, parameter: none },
    // RFC 1870 §4
    Extension {
        keyword: "SIZE",
        offered: |config, _| config.keywords.size,
        parameter: |config, _| Some(config.content_size_max().to_string()),
    },
    // RFC 6152
    Extension { keyword: "8BITMIME", offered: |config, _| config.keywords.eight_bit_mime, parameter: none },
    // RFC 3030 §2, §3
    Extension { keyword: "CHUNKING", offered: |config, _| config.keywords.chunking, parameter: none },
    Extension {
        keyword: "BINARYMIME",
        offered: |config, _| config.keywords.has_binarymime(),
        parameter: none,
    },
    // RFC 6531 §3.1: without a parameter, and with 8BITMIME.
    Extension { keyword: "SMTPUTF8", offered: |config, _| config.keywords.has_smtputf8(), parameter: none },
    // RFC 3461 §4
    Extension { keyword: "DSN", offered: |config, _| config.keywords.dsn, parameter: none },
    // RFC 9422 §4
    Extension {
        keyword: "LIMITS",
        offered: |config, _| config.keywords.limits,
        parameter: |config, _| {
            Some(format!("MAILMAX={} RCPTMAX={}", config.messages_max, config.recipients_max))
        },
    },
    // RFC 2034
    Extension { keyword: "ENHANCEDSTATUSCODES", offered: always, parameter: none },
    // RFC 3207 §4.2: never under TLS.
    Extension {
        keyword: "STARTTLS",
        offered: |config, hello| config.starttls && hello.tls.is_none(),
        parameter: none,
    },
    // RFC 4954 §3
    Extension {
        keyword: "AUTH",
        offered: |config, hello| {
            let possible = config.auth.over(hello.tls.as_ref());
            !possible.is_empty() && password_may_be_shown(config, hello)
        },
        parameter: |config, hello| {
            let offered = config.auth.over(hello.tls.as_ref());
            Some(offered.mechanisms().map(|mechanism| mechanism.name()).collect::<Vec<_>>().join(" "))
        },
    },
    // RFC 5321 §3.5.2, §4.1.1.1: commands beyond the required ones must be listed, whatever they answer.
    Extension { keyword: "EXPN", offered: |config, _| config.commands.expn, parameter: none },
    // RFC 1985 §2
    Extension { keyword: "ETRN", offered: |config, _| config.commands.etrn, parameter: none },
    Extension {
        keyword: "XCLIENT",
        offered: |config, _| config.commands.xclient,
        parameter: |_, _| Some(CLIENT_ATTRIBUTES.into()),
    },
    Extension {
        keyword: "XFORWARD",
        offered: |config, _| config.commands.xforward,
        parameter: |_, _| Some(FORWARDED_ATTRIBUTES.into()),
    },
    Extension { keyword: "HELP", offered: |config, _| config.commands.help, parameter: none },
];

fn always(_: &Config, _: &Hello) -> bool {
    true
}

fn none(_: &Config, _: &Hello) -> Option<String> {
    None
}

/// RFC 4954 §4: mechanisms that show the password only where nobody else can read it.
pub(super) fn password_may_be_shown(config: &Config, hello: &Hello) -> bool {
    hello.tls.is_some() || config.auth_without_tls
}

/// The answer to EHLO.
pub(super) fn ehlo(config: &Config, hello: &Hello) -> Reply {
    let mut text = config.host_name.clone();
    for extension in EXTENSIONS.iter().filter(|extension| (extension.offered)(config, hello)) {
        text.push('\n');
        text.push_str(extension.keyword);
        if let Some(parameter) = (extension.parameter)(config, hello) {
            text.push(' ');
            text.push_str(&parameter);
        }
    }
    Reply::plain(250, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TlsFacts;
    use crate::sasl::Offer;
    use crate::smtp::tests::config;
    use crate::smtp::{Commands, Keywords};

    #[test]
    fn what_is_offered_depends_on_tls() {
        let open = Hello::default();
        let secure = Hello { tls: Some(TlsFacts::default()), ..Hello::default() };
        let check = |config: &Config, hello: &Hello, expected: &str| {
            assert_eq!(ehlo(config, hello).text.replace('\n', ", "), expected);
        };
        let all = "mx.example.org, PIPELINING, SIZE 1000, 8BITMIME, CHUNKING, BINARYMIME, SMTPUTF8, DSN, \
            LIMITS MAILMAX=3 RCPTMAX=3, ENHANCEDSTATUSCODES";
        check(&config(), &open, &format!("{all}, STARTTLS, EXPN, HELP"));
        check(&config(), &secure, &format!("{all}, AUTH SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN, EXPN, HELP"));
        let trusting = Config { auth_without_tls: true, starttls: false, ..config() };
        check(&trusting, &open, &format!("{all}, AUTH SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN, EXPN, HELP"));
        check(&Config { auth: Offer::NONE, ..config() }, &secure, &format!("{all}, EXPN, HELP"));
        let commands = Commands { expn: false, ..Commands::STRANGER };
        let plain = Config { auth: Offer::of(["plain"]), commands, ..config() };
        check(&plain, &secure, &format!("{all}, AUTH PLAIN, HELP"));
    }

    #[test]
    fn what_is_switched_off_is_not_offered() {
        let check = |keywords: Keywords, gone: &[&str]| {
            let answer = ehlo(&Config { keywords, ..config() }, &Hello::default()).text;
            let offered = |keyword: &&str| answer.lines().any(|line| line.split(' ').next() == Some(keyword));
            let known =
                ["PIPELINING", "SIZE", "8BITMIME", "CHUNKING", "BINARYMIME", "SMTPUTF8", "DSN", "LIMITS"];
            let missing: Vec<_> = known.into_iter().filter(|keyword| !offered(keyword)).collect();
            assert_eq!(missing, gone);
        };
        check(Keywords::ALL, &[]);
        check(Keywords { pipelining: false, limits: false, ..Keywords::ALL }, &["PIPELINING", "LIMITS"]);
        check(Keywords { size: false, dsn: false, ..Keywords::ALL }, &["SIZE", "DSN"]);
        check(Keywords { chunking: false, ..Keywords::ALL }, &["CHUNKING", "BINARYMIME"]);
        check(Keywords { binarymime: false, ..Keywords::ALL }, &["BINARYMIME"]);
        check(Keywords { eight_bit_mime: false, ..Keywords::ALL }, &["8BITMIME", "SMTPUTF8"]);
        check(Keywords { smtputf8: false, ..Keywords::ALL }, &["SMTPUTF8"]);
    }
}
