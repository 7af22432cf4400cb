//! Names of mailboxes as a client writes and reads them (RFC 3501 §5.1.3, RFC 6855 §3, RFC 9051 §5.1 and A.1).

use mail::{MailboxPath, MailboxPathError, mailbox};

use super::syntax::Parsed;
use crate::misuse::Misuse;

/// What a client has enabled of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum NameForm {
    /// Modified UTF-7: until something else is enabled.
    #[default]
    Utf7,
    /// UTF-8: after ENABLE of UTF8=ACCEPT or IMAP4rev2.
    Utf8,
}

/// A name of which a client may have to be told how it is spelt here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) path: MailboxPath,
    /// As the client wrote it, if that is UTF-8 and differs: OLDNAME (RFC 9051 §6.3.9.7).
    pub(super) written: Option<String>,
}

impl NameForm {
    /// Reads a name, and keeps what was written.
    pub(super) fn name(self, text: String) -> Parsed<Name> {
        let path = self.read(&text)?;
        let differs = self == Self::Utf8 && text != path.as_str();
        Ok(Name { path, written: differs.then_some(text) })
    }

    /// Reads a name.
    pub(super) fn read(self, name: &str) -> Parsed<MailboxPath> {
        let path = match self {
            // RFC 6855 §3: UTF-8 is taken also from a client that has not enabled it. No modified UTF-7 looks like it.
            Self::Utf7 if name.bytes().all(|octet| matches!(octet, b' '..=b'~')) => {
                MailboxPath::parse_utf7(name)
            }
            _ => MailboxPath::parse(name),
        };
        path.map_err(|error| match error {
            MailboxPathError::Encoding => Misuse::MailboxNameNotUtf7,
            MailboxPathError::TooLong | MailboxPathError::TooDeep => Misuse::MailboxNameTooLong,
            MailboxPathError::EmptyLevel | MailboxPathError::Character => Misuse::MailboxName,
        })
    }

    /// Reads a pattern of LIST into UTF-8. What is no modified UTF-7 is no mailbox's name and matches as it stands:
    /// nothing, or by its wildcards.
    pub(super) fn pattern(self, pattern: String) -> String {
        match self {
            Self::Utf7 => mailbox::utf7_decode(&pattern).unwrap_or(pattern),
            Self::Utf8 => pattern,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_the_form_that_is_enabled() {
        use NameForm::{Utf7, Utf8};
        for (form, name, expected) in [
            (Utf7, "Entw&APw-rfe", Ok("Entwürfe")),
            (Utf7, "Entwürfe & mehr", Ok("Entwürfe & mehr")),
            (Utf7, "R&-D", Ok("R&D")),
            (Utf7, "R&D", Err(Misuse::MailboxNameNotUtf7)),
            (Utf7, "&AGE-", Err(Misuse::MailboxNameNotUtf7)),
            (Utf7, "&AAA-", Err(Misuse::MailboxName)),
            (Utf8, "R&D", Ok("R&D")),
            (Utf8, "Entw&APw-rfe", Ok("Entw&APw-rfe")),
            (Utf8, "Entwu\u{308}rfe", Ok("Entwürfe")),
            (Utf8, "inbox/x", Ok("INBOX/x")),
            (Utf7, "a\u{7f}", Err(Misuse::MailboxName)),
            (Utf8, "a\u{85}", Err(Misuse::MailboxName)),
            (Utf8, "", Err(Misuse::MailboxName)),
            (Utf8, &["a"; 33].join("/"), Err(Misuse::MailboxNameTooLong)),
        ] {
            assert_eq!(
                form.read(name).as_ref().map(MailboxPath::as_str),
                expected.as_ref().copied(),
                "{name}"
            );
        }
    }

    #[test]
    fn other_spellings_are_kept() {
        let written = |form: NameForm, text: &str| form.name(text.to_owned()).map(|name| name.written);
        assert_eq!(written(NameForm::Utf8, "Entwürfe"), Ok(None));
        assert_eq!(written(NameForm::Utf8, "u\u{308}"), Ok(Some("u\u{308}".into())));
        assert_eq!(written(NameForm::Utf7, "u&Awg-"), Ok(None));
    }

    #[test]
    fn patterns_are_utf8() {
        assert_eq!(NameForm::Utf7.pattern("Entw&APw-*".into()), "Entwü*");
        assert_eq!(NameForm::Utf7.pattern("R&D%".into()), "R&D%");
        assert_eq!(NameForm::Utf8.pattern("Entw&APw-*".into()), "Entw&APw-*");
    }
}
