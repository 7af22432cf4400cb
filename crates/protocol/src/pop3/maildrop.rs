//! The maildrop of one session: message numbers and the marks of DELE (RFC 1939 §5).

use std::collections::BTreeSet;
use std::sync::Arc;

use mail::Uid;

use super::Listing;
use crate::misuse::Misuse;

/// INBOX as it was at sign-in. Numbers begin at 1 and keep their meaning until the end (RFC 1939 §5).
#[derive(Debug)]
pub(super) struct Maildrop {
    validity: u32,
    emails: Arc<[Listing]>,
    /// Indices of emails marked as deleted.
    deleted: BTreeSet<usize>,
}

impl Maildrop {
    pub(super) fn new(validity: u32, emails: Arc<[Listing]>) -> Self {
        Self { validity, emails, deleted: BTreeSet::new() }
    }

    /// How many emails are not marked, and their octets.
    pub(super) fn totals(&self) -> (usize, u64) {
        let octets: u64 = self.kept().map(|(_, email)| email.size).sum();
        (self.emails.len() - self.deleted.len(), octets)
    }

    /// The email with this number: [`Misuse::NoSuchMessage`], [`Misuse::MessageIsDeleted`].
    pub(super) fn find(&self, number: u32) -> Result<&Listing, Misuse> {
        let index = self.index(number)?;
        Ok(&self.emails[index])
    }

    /// Marks an email; the errors of [`find`](Self::find).
    pub(super) fn delete(&mut self, number: u32) -> Result<(), Misuse> {
        let index = self.index(number)?;
        self.deleted.insert(index);
        Ok(())
    }

    /// Takes all marks away.
    pub(super) fn reset(&mut self) {
        self.deleted.clear();
    }

    /// What UPDATE removes.
    pub(super) fn removals(&self) -> Vec<Uid> {
        self.deleted.iter().map(|&index| self.emails[index].uid).collect()
    }

    /// The line of LIST for an email (RFC 1939 §5: scan listing), without CRLF.
    pub(super) fn scan_listing(&self, number: u32) -> Result<String, Misuse> {
        Ok(format!("{number} {}", self.find(number)?.size))
    }

    /// The line of UIDL for an email (RFC 1939 §7), without CRLF. UIDVALIDITY and UID: unique over all sessions, at most
    /// 21 printable characters.
    pub(super) fn unique_id_listing(&self, number: u32) -> Result<String, Misuse> {
        Ok(format!("{number} {}.{}", self.validity, self.find(number)?.uid))
    }

    /// The first number at or after `from` that is not marked.
    pub(super) fn next_number(&self, from: u32) -> Option<u32> {
        (from..=u32::try_from(self.emails.len()).unwrap_or(u32::MAX))
            .find(|&number| self.find(number).is_ok())
    }

    fn kept(&self) -> impl Iterator<Item = (usize, &Listing)> {
        self.emails.iter().enumerate().filter(|(index, _)| !self.deleted.contains(index))
    }

    fn index(&self, number: u32) -> Result<usize, Misuse> {
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let index = index.filter(|&index| index < self.emails.len()).ok_or(Misuse::NoSuchMessage)?;
        if self.deleted.contains(&index) { Err(Misuse::MessageIsDeleted) } else { Ok(index) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maildrop() -> Maildrop {
        let listing = |uid, size| Listing { uid: Uid(uid), size };
        Maildrop::new(7, [listing(4, 120), listing(9, 200), listing(10, 30)].into())
    }

    #[test]
    fn numbers_keep_their_meaning_while_marks_come_and_go() {
        let mut maildrop = maildrop();
        assert_eq!(maildrop.totals(), (3, 350));
        assert_eq!(maildrop.delete(2), Ok(()));
        assert_eq!(maildrop.delete(2), Err(Misuse::MessageIsDeleted));
        assert_eq!(maildrop.totals(), (2, 150));
        assert_eq!(maildrop.scan_listing(3).as_deref(), Ok("3 30"));
        assert_eq!(maildrop.unique_id_listing(2), Err(Misuse::MessageIsDeleted));
        assert_eq!(
            [maildrop.next_number(1), maildrop.next_number(2), maildrop.next_number(4)],
            [Some(1), Some(3), None]
        );
        assert_eq!(maildrop.removals(), [Uid(9)]);
        maildrop.reset();
        assert_eq!(maildrop.unique_id_listing(2).as_deref(), Ok("2 7.9"));
        assert_eq!(maildrop.removals(), []);
    }

    #[test]
    fn numbers_outside_name_nothing() {
        for number in [0, 4, u32::MAX] {
            assert_eq!(maildrop().find(number), Err(Misuse::NoSuchMessage), "{number}");
        }
    }
}
