//! The names of an account's mailboxes: LIST, CREATE, DELETE, RENAME, SUBSCRIBE (RFC 3501 §6.3.3 to §6.3.9).

use std::collections::{BTreeMap, BTreeSet};

use mail::{MailboxPath, SpecialUse};
use protocol::imap::{Answer, Mailbox as Listed};

use super::Account;
use super::mailbox::Mailbox;

/// What every account begins with.
const DEFAULTS: [(&str, Option<SpecialUse>); 6] = [
    ("INBOX", None),
    ("Sent", Some(SpecialUse::Sent)),
    ("Drafts", Some(SpecialUse::Drafts)),
    ("Trash", Some(SpecialUse::Trash)),
    ("Junk", Some(SpecialUse::Junk)),
    ("Archive", Some(SpecialUse::Archive)),
];

impl Account {
    pub(super) fn new(password: String) -> Self {
        let path = |name| MailboxPath::parse(name).expect("the names of DEFAULTS are paths");
        let mailbox = |(name, special_use)| (path(name), Mailbox { special_use, ..Mailbox::default() });
        let mailboxes: BTreeMap<_, _> = DEFAULTS.into_iter().map(mailbox).collect();
        let subscriptions = mailboxes.keys().cloned().collect();
        Self { password, mailboxes, subscriptions, locked: false }
    }

    /// Every name: mailboxes, the levels above them, and subscriptions.
    pub(super) fn listing(&self) -> Vec<Listed> {
        let levels: BTreeSet<_> = self.mailboxes.keys().flat_map(levels_above).collect();
        let names: BTreeSet<_> =
            self.mailboxes.keys().chain(&levels).chain(&self.subscriptions).cloned().collect();
        let listed = |path: MailboxPath| {
            let mailbox = self.mailboxes.get(&path);
            Listed {
                subscribed: self.subscriptions.contains(&path),
                special_use: mailbox.and_then(|mailbox| mailbox.special_use),
                no_select: mailbox.is_none() && levels.contains(&path),
                missing: mailbox.is_none() && !levels.contains(&path),
                path,
            }
        };
        names.into_iter().map(listed).collect()
    }

    /// RFC 3501 §6.3.3: the levels above are made too.
    pub(super) fn create(&mut self, path: MailboxPath, special_use: Option<SpecialUse>) -> Answer {
        if self.mailboxes.contains_key(&path) {
            return Answer::Exists;
        }
        if special_use.is_some() && self.mailboxes.values().any(|other| other.special_use == special_use) {
            return Answer::Cannot("Another mailbox has this use");
        }
        for level in levels_above(&path) {
            self.mailboxes.entry(level).or_default();
        }
        self.mailboxes.insert(path, Mailbox { special_use, ..Mailbox::default() });
        Answer::Done
    }

    pub(super) fn delete(&mut self, path: &MailboxPath) -> Answer {
        if path.is_inbox() {
            return Answer::Cannot("INBOX stays");
        }
        if self.mailboxes.remove(path).is_some() {
            return Answer::Done;
        }
        match self.mailboxes.keys().any(|other| other.is_below(path)) {
            true => Answer::Cannot("Mailboxes lie below this name"),
            false => Answer::NoSuchMailbox,
        }
    }

    /// RFC 3501 §6.3.5: with what lies below; of INBOX the emails alone.
    pub(super) fn rename(&mut self, from: &MailboxPath, to: &MailboxPath) -> Answer {
        let is_moved = |path: &MailboxPath| path == from || !from.is_inbox() && path.is_below(from);
        let moved: Vec<_> = self.mailboxes.keys().filter(|path| is_moved(path)).cloned().collect();
        if moved.is_empty() {
            return Answer::NoSuchMailbox;
        }
        if to.is_below(from) && !from.is_inbox() {
            return Answer::Cannot("A mailbox cannot be moved below itself");
        }
        if self.mailboxes.contains_key(to) {
            return Answer::Exists;
        }
        for level in levels_above(to) {
            self.mailboxes.entry(level).or_default();
        }
        for path in moved {
            let Ok(new) = path.renamed(from, to) else { return Answer::Cannot("The name is too long") };
            let mut mailbox = self.mailboxes.remove(&path).unwrap_or_default();
            if path.is_inbox() {
                let emails = std::mem::take(&mut mailbox.emails);
                let uids: Vec<_> = emails.keys().copied().collect();
                mailbox.emails = emails.clone();
                mailbox.remove(&uids);
                self.mailboxes.insert(path, mailbox);
                mailbox = Mailbox::default();
                emails.into_values().for_each(|email| _ = mailbox.file(email));
            }
            self.mailboxes.insert(new, mailbox);
        }
        Answer::Done
    }

    /// RFC 3501 §6.3.6: whether or not there is such a mailbox.
    pub(super) fn subscribe(&mut self, path: MailboxPath, subscribed: bool) -> Answer {
        match subscribed {
            true => self.subscriptions.insert(path),
            false => self.subscriptions.remove(&path),
        };
        Answer::Done
    }
}

/// `a/b`, `a` of `a/b/c`.
fn levels_above(path: &MailboxPath) -> impl Iterator<Item = MailboxPath> + use<> {
    std::iter::successors(path.parent(), MailboxPath::parent)
}
