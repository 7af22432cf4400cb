//! Every way in which a peer can misbehave, for all protocols: each is a variant, hence a test.
//!
//! A misuse is no error in Rust's sense: the session answers it as its protocol says and counts it. Names are stable:
//! they stand in the journal and in the transcripts (`# misuse: BareLineFeed`), and `cargo xtask tidy` fails when a
//! variant is named by no transcript.

/// Declares the enum once, so that a name and the list of all cannot be forgotten.
macro_rules! misuses {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// A way in which a peer misbehaved.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Misuse {
            $($(#[$doc])+ $name,)+
        }

        impl Misuse {
            /// Every variant, in the order of the declaration.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable name, as the journal and the transcripts write it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

misuses! {
    // Lines, in every protocol.
    /// A line feed without a carriage return before it (RFC 5321 §2.3.8).
    BareLineFeed,
    /// A carriage return without a line feed after it (RFC 5321 §2.3.8).
    BareCarriageReturn,
    /// A NUL octet in a command line.
    NulOctet,
    /// A line longer than its limit.
    LineTooLong,

    // TLS and sign-in, in every protocol.
    /// Input came together with the command that starts TLS: it would be executed after the switch (RFC 3207 §4.2).
    InputBeforeTls,
    /// TLS was asked for where it is on already or not offered.
    TlsNotOffered,
    /// Sign-in with a password in clear text, which is not allowed here.
    SignInWithoutTls,
    /// A wrong password or an unknown account.
    SignInFailed,
    /// Sign-in after a sign-in that succeeded.
    SignInTwice,
    /// A SASL mechanism that is not offered.
    UnknownMechanism,
    /// A SASL response that is not base64 as RFC 4648 §4 writes it.
    SaslNotBase64,
    /// A SASL response that is not what its mechanism asks for.
    SaslMalformed,
    /// A SASL response beyond the limit.
    SaslTooLong,
    /// A client took it that we cannot bind the sign-in to the channel, though we had said so (RFC 5802 §6): perhaps
    /// somebody between us has taken it out.
    ChannelBindingDenied,
    /// A kind of channel binding that is not known here (RFC 5802 §6).
    UnknownChannelBinding,

    // SMTP.
    /// Input came before the banner was sent (RFC 5321 §3.1).
    EarlyTalker,
    /// An HTTP request, sent to a mail port by a browser or through a proxy.
    HttpRequest,
    /// A header field where a command belongs: content that was not asked for, or the rest of an HTTP request.
    HeaderAsCommand,
    /// A command that is not known.
    UnknownCommand,
    /// A command with an argument that is not what its syntax asks for.
    CommandSyntax,
    /// A parameter of MAIL, RCPT or a command that takes none, not known or not offered (RFC 5321 §4.1.1.11).
    UnknownParameter,
    /// A known parameter with a wrong value, or given twice.
    ParameterSyntax,
    /// Octets above 127 in a command, without SMTPUTF8.
    EightBitCommand,
    /// MAIL before HELO or EHLO (RFC 5321 §4.1.4).
    MailBeforeHello,
    /// MAIL in a transaction (RFC 5321 §4.1.4).
    MailTwice,
    /// A command in clear text where TLS is required (RFC 3207 §4).
    CommandBeforeTls,
    /// A command without sign-in where it is required (RFC 4954 §6, RFC 6409 §4.3).
    CommandBeforeSignIn,
    /// RCPT without MAIL (RFC 5321 §4.1.4).
    RcptBeforeMail,
    /// DATA without MAIL (RFC 5321 §4.1.4).
    DataBeforeMail,
    /// DATA without a recipient that was accepted.
    DataBeforeRcpt,
    /// BDAT without MAIL (RFC 3030 §2).
    BdatBeforeMail,
    /// BDAT without a recipient that was accepted.
    BdatBeforeRcpt,
    /// BDAT in a transaction of which a chunk was refused (RFC 3030 §2: RSET must come first).
    BdatAfterFailure,
    /// DATA in a transaction that has begun with BDAT (RFC 3030 §2).
    DataAfterBdat,
    /// RCPT in a transaction that has begun with BDAT.
    RcptAfterBdat,
    /// DATA after BODY=BINARYMIME (RFC 3030 §3).
    DataOfBinary,
    /// VERB from a network that is not trusted.
    VerbNotOffered,
    /// HELP, BDAT or ETRN where it is not offered.
    CommandNotOffered,
    /// ETRN before HELO or EHLO (RFC 1985 §5).
    EtrnBeforeHello,
    /// ETRN, XCLIENT or XFORWARD in a transaction (RFC 1985 §5).
    CommandInTransaction,
    /// More recipients than a transaction may have.
    TooManyRecipients,
    /// More transactions than a connection may make.
    TooManyMessages,
    /// AUTH where it is not offered.
    SignInNotOffered,
    /// AUTH before EHLO (RFC 5321 §4.1.4).
    SignInBeforeHello,
    /// AUTH in a transaction (RFC 4954 §4).
    SignInInTransaction,
    /// The size announced, or the content, is beyond the limit (RFC 1870 §6).
    ContentTooLarge,
    /// More content, in all, than a connection may bring; it is closed.
    SessionTooLarge,
    /// More mistakes and refusals than a connection may have; it is closed.
    TooManyMisuses,
    /// More wrong passwords than a connection may try; it is closed.
    TooManySignInFailures,
    /// More commands without a message than a connection may send; it is closed.
    TooManyIdleCommands,
    /// The client did not complete a command or content in time (RFC 5321 §4.5.3.2.7).
    TooSlow,
    // End of SMTP.

    // POP3.
    /// PASS without a USER just before it (RFC 1939 §7).
    PassBeforeUser,
    /// STLS after sign-in (RFC 2595 §4).
    TlsAfterSignIn,
    /// A message number that is no email's.
    NoSuchMessage,
    /// The number of an email that DELE has marked (RFC 1939 §5).
    MessageIsDeleted,
    /// LANG with a language that is not there (RFC 6856 §3.2).
    UnknownLanguage,
    /// RETR or TOP of a message whose header is UTF-8, by a client that has not said that it takes that (RFC 6856 §2.1).
    Utf8NotAsked,
    // End of POP3.

    // IMAP.
    /// A line that does not begin with a tag (RFC 3501 §2.2.1).
    MalformedTag,
    /// A command that is not valid in the session's state (RFC 3501 §3).
    CommandInWrongState,
    /// A literal announced with more octets than are taken here.
    LiteralTooLarge,
    /// Lines and literals of one command that together are more than is taken.
    CommandTooLarge,
    /// More octets than a stranger may send before sign-in.
    TooMuchBeforeSignIn,
    /// Input came together with the command that starts compression (RFC 4978 §3).
    InputBeforeCompression,
    /// A parameter that needs ENABLE first: QRESYNC of SELECT, VANISHED of FETCH (RFC 7162 §3.2.3).
    NotEnabled,
    /// Keys of SEARCH nested deeper than is taken.
    TooDeep,
    /// More keys, sections, names or flags in a command than are taken.
    TooManyItems,
    /// A sequence number beyond the mailbox (RFC 3501 §9, seq-number).
    SequenceOutOfRange,
    /// SEARCH in a charset that is not known (RFC 3501 §6.4.4).
    UnknownCharset,
    /// A text that can be no mailbox's name (RFC 3501 §5.1).
    MailboxName,
    /// A name that is not modified UTF-7, from a client that has not enabled UTF-8 (RFC 3501 §5.1.3).
    MailboxNameNotUtf7,
    /// A mailbox's name that is too long or has too many levels.
    MailboxNameTooLong,
    /// APPEND of a message with UTF-8 in its header, by a client that has not enabled UTF8=ACCEPT (RFC 6855 §4).
    Utf8NotEnabled,
    /// APPEND of a message without octets (RFC 3502 §3). A client may cancel the command so.
    EmptyMessage,
    /// IDLE ended by another line than DONE (RFC 2177 §3).
    IdleNotDone,
    // End of IMAP.
}

/// What a connection did wrong, bounded: the first [`LISTED`](Misuses::LISTED) by name, all of them by number.
#[derive(Debug, Clone, Default)]
pub struct Misuses {
    listed: Vec<&'static str>,
    count: usize,
}

impl Misuses {
    /// How many are kept by name: enough to tell a story, and a stranger cannot make it longer.
    pub const LISTED: usize = 16;

    /// Notes one.
    pub fn note(&mut self, misuse: Misuse) {
        self.count += 1;
        if self.listed.len() < Self::LISTED {
            self.listed.push(misuse.name());
        }
    }

    /// How many there were.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Takes the names, in order.
    pub fn take(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_variants_and_differ() {
        assert_eq!(Misuse::BareLineFeed.name(), "BareLineFeed");
        let mut names: Vec<_> = Misuse::ALL.iter().map(|misuse| misuse.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Misuse::ALL.len());
    }

    #[test]
    fn the_list_is_bounded_and_the_count_is_not() {
        let mut misuses = Misuses::default();
        for _ in 0..20 {
            misuses.note(Misuse::UnknownCommand);
        }
        assert_eq!(misuses.count(), 20);
        assert_eq!(misuses.take().len(), Misuses::LISTED);
    }
}
