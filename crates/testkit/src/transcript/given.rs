//! The fixture: what is true before the first connection.

use std::collections::BTreeMap;

/// Every `given` of a transcript.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fixture {
    /// Addresses with passwords. The domain of each is ours.
    pub accounts: Vec<(String, String)>,
    /// Further domains that are ours.
    pub domains: Vec<String>,
    /// Alias and target.
    pub aliases: Vec<(String, String)>,
    /// Account, and the file under `tests/mail` that its INBOX gets, in order. Line ends become CRLF.
    pub mail: Vec<(String, String)>,
    /// Properties of the virtual server by name.
    pub options: BTreeMap<String, String>,
    /// Bearer tokens, and whose they are.
    pub tokens: Vec<(String, String)>,
    /// What a client speaks, if not what the folder of the transcript says.
    pub clients: BTreeMap<usize, Protocol>,
}

/// A protocol with the rules of its port: submission is SMTP with sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Port 25.
    Smtp,
    /// Ports 587 and 465.
    Submission,
    /// No port of its own (RFC 2033 §5).
    Lmtp,
    /// Ports 110 and 995.
    Pop3,
    /// Ports 143 and 993.
    Imap,
}

impl Protocol {
    /// Those that a server under test listens for, each on its port.
    pub const ALL: [Self; 5] = [Self::Smtp, Self::Submission, Self::Lmtp, Self::Pop3, Self::Imap];

    /// The name of its folder under `tests/transcripts`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Lmtp => "lmtp",
            Self::Pop3 => "pop3",
            Self::Imap => "imap",
        }
    }

    /// The protocol with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name)
    }
}

impl Fixture {
    /// Adds what stands after `given `.
    pub(super) fn add(&mut self, text: &str) -> Result<(), String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
        match words.as_slice() {
            ["account", address, password] => self.accounts.push(pair(address, password)),
            ["domain", name] => self.domains.push((*name).into()),
            ["token", token, address] => self.tokens.push(pair(token, address)),
            ["alias", address, target] => self.aliases.push(pair(address, target)),
            ["mail", address, file] => self.mail.push(pair(address, file)),
            ["option", name, value] => {
                self.options.insert((*name).into(), (*value).into());
            }
            ["client", number, protocol] => self.add_client(number, protocol)?,
            _ => {
                return Err(
                    "`given account ADDRESS PASSWORD`, `given domain NAME`, `given alias ADDRESS TARGET`, \
                            `given mail ADDRESS FILE`, `given token TOKEN ADDRESS`, `given option NAME VALUE` or `given client N PROTOCOL`"
                        .into(),
                );
            }
        }
        Ok(())
    }

    fn add_client(&mut self, number: &str, protocol: &str) -> Result<(), String> {
        let number = number.parse().map_err(|_| "`given client N PROTOCOL`: N is a number")?;
        let protocol =
            Protocol::named(protocol).ok_or("a protocol is smtp, submission, lmtp, pop3 or imap")?;
        self.clients.insert(number, protocol);
        Ok(())
    }

    /// Whether a domain is ours: named, or the domain of an account or alias.
    pub fn is_ours(&self, domain: &str) -> bool {
        let addresses =
            self.accounts.iter().chain(&self.aliases).filter_map(|(address, _)| address.rsplit_once('@'));
        addresses
            .map(|(_, domain)| domain)
            .chain(self.domains.iter().map(String::as_str))
            .any(|ours| ours.eq_ignore_ascii_case(domain))
    }
}
