//! The two places where a refusal gets its words: what the client did wrong, and what we could not do.

use crate::imap::responses::Text;
use crate::imap::server::Answer;
use crate::misuse::Misuse;

/// What a client is told that erred.
pub(super) fn reproach(misuse: Misuse) -> Text {
    match misuse {
        Misuse::MalformedTag => Text::bad("A command begins with a tag"),
        Misuse::UnknownCommand => Text::bad("Unknown command"),
        Misuse::CommandInWrongState => Text::bad("Command is not valid in this state"),
        Misuse::SignInTwice => Text::bad("Already signed in"),
        Misuse::TlsAfterSignIn => Text::bad("TLS comes before sign-in"),
        Misuse::TlsNotOffered => Text::bad("TLS is not offered or in use already"),
        Misuse::SequenceOutOfRange => Text::bad("There is no message with that number"),
        Misuse::UnknownCharset => Text::no("BADCHARSET (US-ASCII UTF-8)", "Charset is not supported"),
        Misuse::MailboxName => Text::no("CANNOT", "That can be no mailbox's name"),
        Misuse::MailboxNameNotUtf7 => {
            Text::no("CANNOT", "That name is no modified UTF-7 (RFC 3501 section 5.1.3)")
        }
        Misuse::MailboxNameTooLong => Text::no("CANNOT", "That name is too long or has too many levels"),
        Misuse::Utf8NotEnabled => Text::no("CANNOT", "ENABLE UTF8=ACCEPT comes first"),
        Misuse::TooDeep => Text::bad("Search keys are nested too deep").with_code("LIMIT"),
        Misuse::TooManyItems => Text::bad("Too many items in the command").with_code("LIMIT"),
        Misuse::NulOctet => Text::bad("NUL in a literal"),
        Misuse::EmptyMessage => Text::no("CANNOT", "A message has octets"),
        Misuse::IdleNotDone => Text::bad("Expected DONE"),
        Misuse::ContentTooLarge => Text::no("TOOBIG", "Message is too large"),
        Misuse::SignInNotOffered => Text::no("CANNOT", "That way to sign in is not offered"),
        Misuse::SignInWithoutTls => Text::no("PRIVACYREQUIRED", "Use TLS first"),
        Misuse::UnknownMechanism => Text::no("CANNOT", "Mechanism is not supported"),
        Misuse::SaslNotBase64 => Text::bad("Response is not base64"),
        Misuse::SaslMalformed => Text::bad("Response is malformed"),
        Misuse::SaslTooLong => Text::bad("Response is too long"),
        Misuse::ChannelBindingDenied => Text::no("AUTHENTICATIONFAILED", "Channel binding was offered"),
        Misuse::UnknownChannelBinding => Text::no("CANNOT", "Channel binding is not known"),
        Misuse::InputBeforeTls => Text::bad("Input before TLS"),
        Misuse::InputBeforeCompression => Text::bad("Input before compression"),
        Misuse::NotEnabled => Text::bad("ENABLE QRESYNC comes first"),
        _ => Text::bad("Syntax error in arguments"),
    }
}

/// What a missing mailbox means for the command (RFC 3501 §7.1: TRYCREATE for APPEND and COPY).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    NonExistent,
    TryCreate,
}

/// The one place where a failure of ours becomes a response.
pub(super) fn failure(answer: &Answer, missing: Missing) -> Text {
    match (answer, missing) {
        (Answer::NoSuchMailbox, Missing::TryCreate) => Text::no("TRYCREATE", "There is no such mailbox"),
        (Answer::NoSuchMailbox, Missing::NonExistent) => Text::no("NONEXISTENT", "There is no such mailbox"),
        (Answer::Exists, _) => Text::no("ALREADYEXISTS", "There is such a mailbox already"),
        (Answer::Cannot(why), _) => Text::no("CANNOT", why),
        (Answer::TooBig, _) => Text::no("OVERQUOTA", "There is no room for this"),
        _ => Text::no("UNAVAILABLE", "Not possible now, try again later"),
    }
}
