//! STATUS (RFC 3501 §6.3.10, RFC 9051 §6.3.11; SIZE, RFC 8438): its items, and how they are written.

use mail::MailboxPath;

use super::names::NameForm;
use super::responses::Writer;
use super::server::Status;
use super::syntax::{Cursor, Parsed};
use crate::misuse::Misuse;

/// An item of STATUS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    Size,
    /// RFC 7162 §3.1.7
    HighestModSeq,
}

impl StatusItem {
    /// Each with its name.
    const ALL: [(Self, &'static str); 8] = [
        (Self::Messages, "MESSAGES"),
        (Self::Recent, "RECENT"),
        (Self::UidNext, "UIDNEXT"),
        (Self::UidValidity, "UIDVALIDITY"),
        (Self::Unseen, "UNSEEN"),
        (Self::Deleted, "DELETED"),
        (Self::Size, "SIZE"),
        (Self::HighestModSeq, "HIGHESTMODSEQ"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(known, _)| *known == self).expect("ALL holds each item").1
    }

    fn of(self, status: &Status) -> u64 {
        match self {
            Self::Messages => u64::from(status.messages),
            // No email is \Recent here (see the module's page).
            Self::Recent => 0,
            Self::UidNext => u64::from(status.uid_next),
            Self::UidValidity => u64::from(status.uid_validity),
            Self::Unseen => u64::from(status.unseen),
            Self::Deleted => u64::from(status.deleted),
            Self::Size => status.size,
            Self::HighestModSeq => status.highest_modseq.0,
        }
    }
}

/// `(MESSAGES UIDNEXT)`: one at least, each once.
pub(super) fn items(cursor: &mut Cursor<'_>) -> Parsed<Vec<StatusItem>> {
    cursor.expect(b'(')?;
    let mut items = Vec::new();
    loop {
        let name = cursor.atom()?;
        let known = StatusItem::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
        let &(item, _) = known.ok_or(Misuse::CommandSyntax)?;
        if !items.contains(&item) {
            items.push(item);
        }
        if cursor.eat(b')') {
            return Ok(items);
        }
        cursor.space()?;
    }
}

/// Writes the response.
pub(super) fn write(
    path: &MailboxPath,
    items: &[StatusItem],
    status: &Status,
    names: NameForm,
    out: &mut Vec<u8>,
) {
    let words: Vec<_> = items.iter().map(|item| format!("{} {}", item.name(), item.of(status))).collect();
    let mut writer = Writer::new(out);
    writer.raw("* STATUS ").mailbox(path, names).raw(" (").raw(&words.join(" ")).raw(")").end();
}

#[cfg(test)]
mod tests {
    use mail::ModSeq;

    use super::*;

    fn read(input: &str) -> Parsed<Vec<StatusItem>> {
        let mut cursor = Cursor::new(input.as_bytes());
        let items = items(&mut cursor)?;
        cursor.end()?;
        Ok(items)
    }

    #[test]
    fn items_are_read() {
        use StatusItem::{Messages, UidNext};
        assert_eq!(read("(messages UIDNEXT MESSAGES)"), Ok(vec![Messages, UidNext]));
        assert_eq!(read("(DELETED SIZE HIGHESTMODSEQ)").map(|items| items.len()), Ok(3));
        for wrong in ["()", "MESSAGES", "(FOO)", "(MESSAGES", "(MESSAGES  SIZE)", "( MESSAGES)", ""] {
            assert_eq!(read(wrong), Err(Misuse::CommandSyntax), "{wrong}");
        }
    }

    #[test]
    fn responses() {
        let status = Status {
            messages: 3,
            unseen: 2,
            uid_next: 8,
            uid_validity: 7,
            highest_modseq: ModSeq(99),
            size: 5_000_000_000,
            deleted: 1,
        };
        let all = StatusItem::ALL.map(|(item, _)| item);
        let path = MailboxPath::parse("Entwürfe").unwrap();
        let mut out = Vec::new();
        write(&path, &all, &status, NameForm::Utf7, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "* STATUS Entw&APw-rfe (MESSAGES 3 RECENT 0 UIDNEXT 8 UIDVALIDITY 7 UNSEEN 2 DELETED 1 SIZE 5000000000 \
             HIGHESTMODSEQ 99)\r\n"
        );
    }
}
