//! The names of an account's mailboxes: which changes CREATE, DELETE and RENAME mean (RFC 3501 §6.3.3 to §6.3.5). Pure.

use std::collections::{BTreeMap, BTreeSet};

use mail::{MailboxPath, SpecialUse};
use store::read::MailboxRecord;
use store::{AccountRef, Change};

use crate::error::{Error, Result};
use crate::limits;

/// The mailboxes of one account, by path.
pub(crate) struct Names<'a> {
    account: i64,
    by_path: BTreeMap<&'a MailboxPath, &'a MailboxRecord>,
    /// UIDVALIDITY of the mailboxes that are made.
    validity: u32,
}

impl<'a> Names<'a> {
    /// `validity` must be greater than what any mailbox of the account ever had (RFC 3501 §2.3.1.1).
    pub(crate) fn new(account: i64, mailboxes: &'a [MailboxRecord], validity: u32) -> Self {
        Self { account, by_path: mailboxes.iter().map(|record| (&record.path, record)).collect(), validity }
    }

    /// CREATE, with the superior names that are missing. No two mailboxes have one special use.
    pub(crate) fn create(&self, path: &MailboxPath, special_use: Option<SpecialUse>) -> Result<Vec<Change>> {
        self.must_be_free(path)?;
        if let Some(special_use) = special_use {
            self.may_have(special_use)?;
        }
        let mut changes = self.superiors(path)?;
        changes.push(self.add(path.clone(), special_use));
        Ok(changes)
    }

    fn may_have(&self, special_use: SpecialUse) -> Result<()> {
        // RFC 6154 §3: a server may refuse. These two would show emails of other mailboxes.
        if matches!(special_use, SpecialUse::All | SpecialUse::Flagged) {
            return Err(Error::Cannot("No mailbox has this special use here"));
        }
        let has = |record: &&MailboxRecord| {
            record.special_use.as_deref().is_some_and(|word| word.parse() == Ok(special_use))
        };
        match self.by_path.values().any(has) {
            true => Err(Error::Cannot("Another mailbox has this special use already")),
            false => Ok(()),
        }
    }

    /// DELETE. Mailboxes below it stay, and its name becomes `\Noselect` (RFC 3501 §6.3.4).
    pub(crate) fn delete(&self, path: &MailboxPath) -> Result<Vec<Change>> {
        if path.is_inbox() {
            return Err(Error::Cannot("INBOX cannot be deleted"));
        }
        match self.by_path.get(path) {
            Some(record) => Ok(vec![Change::RemoveMailbox { mailbox: record.id }]),
            None if self.below(path).next().is_some() => {
                Err(Error::Cannot("Mailboxes lie below this name; delete them first"))
            }
            None => Err(Error::NoSuchMailbox),
        }
    }

    /// RENAME of anything but INBOX, with what lies below it; superior names that are missing are made.
    pub(crate) fn rename(&self, from: &MailboxPath, to: &MailboxPath) -> Result<Vec<Change>> {
        let moved: Vec<_> = self.by_path.get(from).copied().into_iter().chain(self.below(from)).collect();
        if moved.is_empty() {
            return Err(Error::NoSuchMailbox);
        }
        if to.is_below(from) {
            return Err(Error::Cannot("A mailbox cannot be moved below itself"));
        }
        self.must_be_free(to)?;
        let mut changes = self.superiors(to)?;
        for record in moved {
            let path = record
                .path
                .renamed(from, to)
                .map_err(|_| Error::Cannot("The new name is too long or too deep"))?;
            self.must_be_free(&path)?;
            changes.push(Change::RenameMailbox { mailbox: record.id, path });
        }
        Ok(changes)
    }

    /// The superior names of mailboxes that are no mailboxes themselves: `\Noselect`.
    pub(crate) fn implied(&self) -> BTreeSet<MailboxPath> {
        self.by_path
            .keys()
            .flat_map(|path| superiors(path))
            .filter(|path| !self.by_path.contains_key(path))
            .collect()
    }

    fn must_be_free(&self, path: &MailboxPath) -> Result<()> {
        // RFC 3501 §6.3.3: INBOX is always there.
        if path.is_inbox() || self.by_path.contains_key(path) { Err(Error::Exists) } else { Ok(()) }
    }

    fn superiors(&self, path: &MailboxPath) -> Result<Vec<Change>> {
        let mut missing: Vec<_> =
            superiors(path).filter(|path| !path.is_inbox() && !self.by_path.contains_key(path)).collect();
        if self.by_path.len() + missing.len() >= limits::MAILBOXES_MAX {
            return Err(Error::Cannot("There are too many mailboxes"));
        }
        missing.reverse();
        Ok(missing.into_iter().map(|path| self.add(path, None)).collect())
    }

    fn below(&self, path: &MailboxPath) -> impl Iterator<Item = &'a MailboxRecord> {
        self.by_path.values().copied().filter(move |record| record.path.is_below(path))
    }

    fn add(&self, path: MailboxPath, special_use: Option<SpecialUse>) -> Change {
        Change::AddMailbox {
            account: AccountRef::Known(self.account),
            path,
            uid_validity: self.validity,
            special_use: special_use.map(|special_use| special_use.attribute()[1..].to_owned()),
            subscribed: false,
        }
    }
}

/// `a/b`, `a` of `a/b/c`.
fn superiors(path: &MailboxPath) -> impl Iterator<Item = MailboxPath> + use<> {
    std::iter::successors(path.parent(), MailboxPath::parent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::ModSeq;

    fn records(paths: &[&str]) -> Vec<MailboxRecord> {
        let numbered = paths.iter().zip(1..);
        numbered
            .map(|(path, id)| MailboxRecord {
                id,
                account: 9,
                path: MailboxPath::parse(path).unwrap(),
                uid_validity: 1,
                uid_next: 1,
                highest_modseq: ModSeq(0),
                messages: 0,
                unseen: 0,
                deleted: 0,
                size: 0,
                special_use: None,
            })
            .collect()
    }

    fn show(changes: Result<Vec<Change>>) -> String {
        let show = |change| match change {
            Change::AddMailbox { path, uid_validity, .. } => format!("add {} {uid_validity}", path.as_str()),
            Change::RemoveMailbox { mailbox } => format!("remove {mailbox}"),
            Change::RenameMailbox { mailbox, path } => format!("rename {mailbox} {}", path.as_str()),
            other => panic!("{other:?}"),
        };
        match changes {
            Ok(changes) => changes.into_iter().map(show).collect::<Vec<_>>().join(", "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn create() {
        let records = records(&["INBOX", "a", "b/c"]);
        let check = |path: &str, expected: &str| {
            assert_eq!(
                show(Names::new(9, &records, 70).create(&MailboxPath::parse(path).unwrap(), None)),
                expected,
                "{path}"
            );
        };
        check("new", "add new 70");
        check("a/x/y", "add a/x 70, add a/x/y 70");
        check("x/y/z", "add x 70, add x/y 70, add x/y/z 70");
        check("INBOX/x", "add INBOX/x 70");
        check("b", "add b 70");
        check("a", "a mailbox of this name is there already");
        check("inbox", "a mailbox of this name is there already");
    }

    #[test]
    fn a_special_use_is_had_once() {
        let mut records = records(&["INBOX", "a"]);
        records[1].special_use = Some("Sent".into());
        let check = |special_use: SpecialUse, expected: &str| {
            let names = Names::new(9, &records, 70);
            let made = names.create(&MailboxPath::parse("x/new").unwrap(), Some(special_use));
            let use_of = |change: &Change| match change {
                Change::AddMailbox { special_use, .. } => special_use.clone().unwrap_or_default(),
                other => panic!("{other:?}"),
            };
            let shown = match made {
                Ok(changes) => changes.iter().map(use_of).collect::<Vec<_>>().join(","),
                Err(error) => error.to_string(),
            };
            assert_eq!(shown, expected);
        };
        check(SpecialUse::Drafts, ",Drafts");
        check(SpecialUse::Sent, "Another mailbox has this special use already");
        check(SpecialUse::All, "No mailbox has this special use here");
    }

    #[test]
    fn delete() {
        let records = records(&["INBOX", "a", "a/b", "c/d"]);
        let check = |path: &str, expected: &str| {
            assert_eq!(
                show(Names::new(9, &records, 70).delete(&MailboxPath::parse(path).unwrap())),
                expected,
                "{path}"
            );
        };
        check("a", "remove 2");
        check("a/b", "remove 3");
        check("c", "Mailboxes lie below this name; delete them first");
        check("x", "there is no such mailbox");
        check("inbox", "INBOX cannot be deleted");
    }

    #[test]
    fn rename() {
        let records = records(&["INBOX", "a", "a/b", "ab", "c/d", "e", "e/b"]);
        let check = |from: &str, to: &str, expected: &str| {
            let changes = Names::new(9, &records, 70)
                .rename(&MailboxPath::parse(from).unwrap(), &MailboxPath::parse(to).unwrap());
            assert_eq!(show(changes), expected, "{from} {to}");
        };
        check("a", "z", "rename 2 z, rename 3 z/b");
        check("a", "x/y", "add x 70, rename 2 x/y, rename 3 x/y/b");
        check("ab", "a/b/c", "rename 4 a/b/c");
        check("c", "f", "rename 5 f/d");
        check("a", "a/c", "A mailbox cannot be moved below itself");
        check("a", "a", "a mailbox of this name is there already");
        check("a", "INBOX", "a mailbox of this name is there already");
        check("a", "ab", "a mailbox of this name is there already");
        check("x", "y", "there is no such mailbox");
        check("c/d", "c", "rename 5 c");
    }

    #[test]
    fn a_name_is_not_taken_twice_below() {
        let records = records(&["INBOX", "a/b", "e/b"]);
        let names = Names::new(9, &records, 70);
        let changes = names.rename(&MailboxPath::parse("a").unwrap(), &MailboxPath::parse("e").unwrap());
        assert_eq!(show(changes), "a mailbox of this name is there already");
    }

    #[test]
    fn implied_names() {
        let records = records(&["INBOX", "a", "a/b", "c/d/e", "c/d/f", "a/b/g/h"]);
        let implied = Names::new(9, &records, 70).implied();
        assert_eq!(implied.iter().map(MailboxPath::as_str).collect::<Vec<_>>(), ["a/b/g", "c", "c/d"]);
    }
}
