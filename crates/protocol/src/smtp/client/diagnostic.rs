//! How it ended for a recipient, and why.

use std::fmt;

use mail::{EnhancedCode, Reply};

/// How an attempt ended for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The peer has taken responsibility.
    Delivered(Diagnostic),
    /// Not now: try again.
    Deferred(Diagnostic),
    /// Never.
    Failed(Diagnostic),
}

impl Outcome {
    /// Why.
    pub fn diagnostic(&self) -> &Diagnostic {
        match self {
            Self::Delivered(diagnostic) | Self::Deferred(diagnostic) | Self::Failed(diagnostic) => diagnostic,
        }
    }
}

/// What was said, by whom, and where in the dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where the dialogue was.
    pub stage: Stage,
    /// What decided.
    pub cause: Cause,
    /// What the peer said, if it is the peer's reply that decided: one that could not be understood has none.
    pub reply: Option<Reply>,
    /// For reports (RFC 3463): the peer's, if it fits its reply's code, else ours.
    pub status: EnhancedCode,
}

/// Where in the dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Before the banner.
    Banner,
    /// EHLO, HELO or LHLO.
    Hello,
    /// STARTTLS, up to its reply.
    StartTls,
    /// The TLS handshake.
    Handshake,
    /// AUTH.
    SignIn,
    /// RSET.
    Reset,
    /// No command waits for a reply.
    Ready,
    /// MAIL.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA, up to 354.
    Data,
    /// While the content is sent.
    Content,
    /// After the final dot.
    End,
    /// QUIT.
    Quit,
}

impl fmt::Display for Stage {
    /// As it follows "in answer to" and "at".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Banner => "connecting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Handshake => "the TLS handshake",
            Self::SignIn => "AUTH",
            Self::Reset => "RSET",
            Self::Ready => "the start of a transaction",
            Self::Mail => "MAIL",
            Self::Recipient => "RCPT",
            Self::Data => "DATA",
            Self::Content => "the content",
            Self::End => "the end of the content",
            Self::Quit => "QUIT",
        })
    }
}

/// What decided an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The peer's reply.
    Reply,
    /// The peer takes no more recipients in this transaction, but takes this one in the next (RFC 5321 §4.5.3.1.10).
    /// At least one recipient was accepted, so trying again at once goes on.
    RecipientsExcess,
    /// The peer did not answer in time.
    TimedOut,
    /// The peer closed the connection, or it broke.
    Closed,
    /// We could not write for too long.
    WriteDeadline,
    /// An administrator ended the connection, or this server stops.
    Stopped,
    /// What the peer said is no reply, or not one that has a meaning here.
    NotUnderstood,
    /// A line of a reply, or the number of its lines, is beyond every use.
    ReplyTooLong,
    /// The content has a bare CR or LF (RFC 5321 §2.3.8): another hop could take it for the end of content.
    BareLineEnd,
    /// The content has octets above 127 and the peer does not offer 8BITMIME (RFC 6152).
    EightBitNotOffered,
    /// The content is binary and the peer does not offer BINARYMIME and CHUNKING (RFC 3030 §3).
    BinaryNotOffered,
    /// An address or the header needs SMTPUTF8, and the peer does not offer it (RFC 6531 §3.2).
    Utf8NotOffered,
    /// The content is larger than the peer's SIZE (RFC 1870 §6.1).
    TooLarge,
    /// The content could not be read to its end, or is not what was announced.
    ContentLost,
    /// TLS is required by policy and not offered, also because EHLO was refused.
    TlsNotOffered,
    /// TLS is required by policy and STARTTLS was refused.
    TlsRefused,
    /// The handshake failed. Without TLS the peer may be reached, if policy allows it.
    TlsFailed,
    /// The peer, or somebody between, sent clear text to be read after the switch to TLS.
    InputBeforeTls,
    /// There is a password to show and no TLS to show it under.
    SignInWithoutTls,
    /// AUTH is not offered, or no mechanism that we speak.
    SignInNotOffered,
    /// The peer did not take user name and password. Temporary: an operator mends it, the sender cannot.
    SignInRefused,
}

impl Cause {
    /// RFC 3463; the class says whether it is temporary.
    fn status(self) -> EnhancedCode {
        match self {
            Self::Reply | Self::RecipientsExcess => EnhancedCode(4, 0, 0),
            Self::TimedOut | Self::Closed | Self::WriteDeadline | Self::Stopped => EnhancedCode(4, 4, 2),
            Self::NotUnderstood | Self::ReplyTooLong | Self::InputBeforeTls => EnhancedCode(4, 5, 0),
            Self::BareLineEnd => EnhancedCode(5, 6, 0),
            Self::EightBitNotOffered | Self::BinaryNotOffered => EnhancedCode(5, 6, 3),
            Self::Utf8NotOffered => EnhancedCode(5, 6, 7),
            Self::TooLarge => EnhancedCode(5, 3, 4),
            Self::ContentLost => EnhancedCode(4, 3, 0),
            Self::TlsNotOffered | Self::TlsRefused => EnhancedCode(4, 7, 10),
            Self::TlsFailed => EnhancedCode(4, 7, 5),
            Self::SignInWithoutTls => EnhancedCode(4, 7, 11),
            Self::SignInNotOffered | Self::SignInRefused => EnhancedCode(4, 7, 0),
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Reply => "the peer said",
            Self::RecipientsExcess => "the peer takes the rest of the recipients in another transaction",
            Self::TimedOut => "the peer did not answer in time",
            Self::Closed => "the connection was lost",
            Self::WriteDeadline => "the peer did not take what was sent",
            Self::Stopped => "the connection was ended here",
            Self::NotUnderstood => "the peer's answer cannot be understood",
            Self::ReplyTooLong => "the peer's answer is too long",
            Self::BareLineEnd => {
                "the message has a carriage return or line feed that is no line end, which must not be sent"
            }
            Self::EightBitNotOffered => "the message has 8-bit text, which the peer does not take",
            Self::BinaryNotOffered => "the message is binary, which the peer does not take",
            Self::Utf8NotOffered => {
                "an address or the header of the message is not ASCII, which the peer does not take"
            }
            Self::TooLarge => "the message is larger than the peer takes",
            Self::ContentLost => "the message could not be read",
            Self::TlsNotOffered => "TLS is required, and the peer does not offer it",
            Self::TlsRefused => "TLS is required, and the peer refused to start it",
            Self::TlsFailed => "the TLS handshake failed",
            Self::InputBeforeTls => "clear text came where TLS begins",
            Self::SignInWithoutTls => "a password is needed, and there is no TLS to protect it",
            Self::SignInNotOffered => "the peer offers no way to sign in",
            Self::SignInRefused => "the peer did not take user name and password",
        }
    }
}

impl Diagnostic {
    /// One that is ours.
    pub(super) fn ours(stage: Stage, cause: Cause) -> Self {
        Self { stage, cause, reply: None, status: cause.status() }
    }

    /// One that a reply gave.
    pub(super) fn replied(stage: Stage, cause: Cause, reply: Reply) -> Self {
        let class = (reply.code / 100) as u8;
        // RFC 2034 §4: the class agrees with the reply's code; where it does not, the code counts (RFC 5321 §4.3.2).
        let status = match (cause, reply.enhanced) {
            (Cause::SignInRefused | Cause::TlsRefused, _) => cause.status(),
            (_, Some(EnhancedCode(_, subject, detail))) => EnhancedCode(class, subject, detail),
            (_, None) => EnhancedCode(class, 0, 0),
        };
        Self { stage, cause, reply: Some(reply), status }
    }

    /// Whether the message may be with the peer although it did not say so: nothing was heard after the final dot (RFC
    /// 1047). Trying again may then make a duplicate, and not trying may lose the message.
    pub fn may_have_arrived(&self) -> bool {
        self.stage == Stage::End && self.reply.is_none()
    }

    /// The outcome that this is, of something that did not succeed.
    pub(super) fn outcome(self) -> Outcome {
        match self.status {
            EnhancedCode(5, ..) => Outcome::Failed(self),
            _ => Outcome::Deferred(self),
        }
    }
}

impl fmt::Display for Diagnostic {
    /// One line, for journals and reports.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.reply, self.cause) {
            (Some(reply), Cause::Reply) => write!(f, "{reply} (in answer to {})", self.stage)?,
            (Some(reply), cause) => write!(f, "{}: {reply} (in answer to {})", cause.text(), self.stage)?,
            (None, cause) => write!(f, "{} {} (at {})", self.status, cause.text(), self.stage)?,
        }
        if self.may_have_arrived() {
            f.write_str("; the message may have arrived")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_the_reply_counts() {
        let check = |reply: Reply, status: &str, permanent: bool| {
            let diagnostic = Diagnostic::replied(Stage::Recipient, Cause::Reply, reply);
            assert_eq!(diagnostic.status.to_string(), status);
            assert_eq!(matches!(diagnostic.outcome(), Outcome::Failed(_)), permanent);
        };
        check(Reply::new(550, (5, 1, 1), "No"), "5.1.1", true);
        check(Reply::new(550, (4, 7, 1), "No"), "5.7.1", true);
        check(Reply::new(451, (5, 7, 1), "No"), "4.7.1", false);
        check(Reply::plain(450, "No"), "4.0.0", false);
    }

    #[test]
    fn texts_are_one_line() {
        let check = |diagnostic: Diagnostic, expected: &str| assert_eq!(diagnostic.to_string(), expected);
        check(
            Diagnostic::replied(Stage::Recipient, Cause::Reply, Reply::new(550, (5, 1, 1), "No\nSuch")),
            "550 5.1.1 No / Such (in answer to RCPT)",
        );
        check(Diagnostic::ours(Stage::Mail, Cause::Closed), "4.4.2 the connection was lost (at MAIL)");
        check(
            Diagnostic::ours(Stage::End, Cause::TimedOut),
            "4.4.2 the peer did not answer in time (at the end of the content); the message may have arrived",
        );
    }

    #[test]
    fn only_what_the_sender_must_mend_is_permanent() {
        for (cause, permanent) in [
            (Cause::BareLineEnd, true),
            (Cause::EightBitNotOffered, true),
            (Cause::BinaryNotOffered, true),
            (Cause::Utf8NotOffered, true),
            (Cause::TooLarge, true),
            (Cause::ContentLost, false),
            (Cause::TlsNotOffered, false),
            (Cause::SignInRefused, false),
            (Cause::NotUnderstood, false),
        ] {
            let outcome = Diagnostic::ours(Stage::Ready, cause).outcome();
            assert_eq!(matches!(outcome, Outcome::Failed(_)), permanent, "{cause:?}");
        }
    }
}
