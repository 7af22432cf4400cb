//! What HELP tells (RFC 5321 §4.1.1.8): the commands, and of each how it is written and what it does.

use mail::Reply;

use super::command::{VERBS, Verb};
use super::dialect::Dialect;
use super::replies;
use super::server::Config;

/// The answer to HELP with this argument; none if nothing is known of it.
pub(super) fn help(argument: &str, dialect: Dialect, config: &Config) -> Option<Reply> {
    let known = VERBS.iter().filter(|(_, verb)| verb.is_of(dialect) && verb.is_there(config));
    if argument.is_empty() {
        let names: Vec<_> = known.map(|(name, _)| *name).collect();
        return Some(replies::help(names.join(" ")));
    }
    let (_, verb) = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(argument))?;
    Some(replies::help(usage(*verb)))
}

fn usage(verb: Verb) -> &'static str {
    match verb {
        Verb::Helo => "HELO domain\nNames the client, without extensions",
        Verb::Ehlo => "EHLO domain\nNames the client; the answer lists the extensions",
        Verb::Lhlo => "LHLO domain\nNames the client; the answer lists the extensions",
        Verb::Mail => {
            "MAIL FROM:<address> [parameters]\n\
             Begins a message. <> as the address: nobody is to be told of failure\n\
             SIZE=octets                        how large it is\n\
             BODY=7BIT, 8BITMIME or BINARYMIME  what its octets are; BINARYMIME goes with BDAT\n\
             SMTPUTF8                           addresses or its header hold UTF-8\n\
             RET=FULL or HDRS                   what a report of failure returns\n\
             ENVID=id                           what reports name it by, in xtext\n\
             AUTH=address                       who submitted it first, in xtext, or <>"
        }
        Verb::Rcpt => {
            "RCPT TO:<address> [parameters]\n\
             Names a recipient\n\
             NOTIFY=NEVER, or SUCCESS,FAILURE,DELAY  of what the sender is told\n\
             ORCPT=type;address                      whom the sender named first, in xtext"
        }
        Verb::Data => {
            "DATA\nThe content follows, with a dot before each line that begins with one; a dot alone ends it"
        }
        Verb::Bdat => {
            "BDAT octets [LAST]\n\
             So many octets of the content follow at once, as they are; LAST: no more do\n\
             After a chunk that failed, RSET comes first"
        }
        Verb::Rset => "RSET\nForgets the message that was begun",
        Verb::Noop => "NOOP\nDoes nothing",
        Verb::Quit => "QUIT\nEnds the connection",
        Verb::Help => "HELP [command]\nTells of commands",
        Verb::Vrfy => "VRFY address [SMTPUTF8]\nSays whether this is a recipient, to those who signed in",
        Verb::Expn => "EXPN address [SMTPUTF8]\nSays whom this address means, to those who signed in",
        Verb::Etrn => {
            "ETRN domain, @domain or #queue\n\
             Begins to send the mail that waits for a domain, for it and all below it, or in a queue"
        }
        Verb::Xclient => {
            "XCLIENT attribute=value ...\n\
             Says for which client this connection speaks from now on\n\
             NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
        }
        Verb::Xforward => {
            "XFORWARD attribute=value ...\n\
             Says where the next message comes from, for the journal\n\
             NAME ADDR PORT PROTO HELO IDENT SOURCE"
        }
        Verb::StartTls => "STARTTLS\nEncrypts the connection",
        Verb::Auth => "AUTH mechanism [response]\nSigns in",
        Verb::Verbose => {
            "VERB [ON or OFF]\n\
             Each hop of a message is told in lines 050 before the answer to its content, for a minute at most"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::tests::config;
    use crate::smtp::{Commands, Keywords};

    #[test]
    fn every_command_has_a_text() {
        let commands =
            Commands { expn: true, help: true, verb: true, etrn: true, xclient: true, xforward: true };
        let config = Config { commands, ..config() };
        for (name, verb) in VERBS {
            let dialect = if verb.is_of(Dialect::Smtp) { Dialect::Smtp } else { Dialect::Lmtp };
            let text = help(&name.to_ascii_lowercase(), dialect, &config).expect("it is known").text;
            assert!(text.starts_with(name) && text.lines().all(|line| line.len() < 120), "{text}");
            assert!(help("", dialect, &config).unwrap().text.contains(name));
        }
        assert_eq!(help("BURL", Dialect::Smtp, &config), None);
    }

    #[test]
    fn what_is_not_allowed_is_not_listed() {
        for name in ["VERB", "ETRN", "XCLIENT", "XFORWARD"] {
            assert_eq!(help(name, Dialect::Smtp, &config()), None);
            assert!(!help("", Dialect::Smtp, &config()).unwrap().text.contains(name));
        }
        let commands = Commands { verb: true, ..Commands::STRANGER };
        assert_eq!(help("VERB", Dialect::Lmtp, &Config { commands, ..config() }), None);
        let keywords = Keywords { chunking: false, ..Keywords::ALL };
        assert!(!help("", Dialect::Smtp, &Config { keywords, ..config() }).unwrap().text.contains("BDAT"));
        assert_eq!(help("EHLO", Dialect::Lmtp, &config()), None);
    }
}
