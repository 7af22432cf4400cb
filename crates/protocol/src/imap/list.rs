//! LIST and LSUB (RFC 3501 §6.3.8, §6.3.9; CHILDREN, RFC 3348): which mailboxes match, and what is said of them.

use std::collections::BTreeMap;

use mail::{MailboxPath, SpecialUse};

use super::responses::Writer;
use super::server::Mailbox;

/// LIST or LSUB, its pattern as UTF-8 with the reference before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    /// LSUB: only what is subscribed.
    pub(super) subscribed: bool,
    /// Reference and pattern in one. `None`: `LIST ref ""`, which asks for the separator alone.
    pub(super) pattern: Option<String>,
}

impl Listing {
    /// The text of the tagged response.
    pub(super) fn completed(&self) -> &'static str {
        if self.subscribed { "LSUB completed" } else { "LIST completed" }
    }
}

/// Writes the responses to LIST or LSUB.
pub(super) fn write(listing: &Listing, mailboxes: &[Mailbox], out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    let command = if listing.subscribed { "LSUB" } else { "LIST" };
    let Some(pattern) = &listing.pattern else {
        // RFC 3501 §6.3.8: an empty mailbox name asks for the hierarchy delimiter and the root of the reference.
        writer.raw("* ").raw(command).raw(r#" (\Noselect) "/" """#).end();
        return;
    };
    for (path, attributes) in matching(listing.subscribed, pattern, mailboxes) {
        writer.raw("* ").raw(command).raw(" (").raw(&attributes.join(" ")).raw(r#") "/" "#);
        writer.mailbox(&path).end();
    }
}

/// What matches, by path, with its attributes. Beside mailboxes that are these may be levels above them.
fn matching(
    subscribed: bool,
    pattern: &str,
    mailboxes: &[Mailbox],
) -> BTreeMap<MailboxPath, Vec<&'static str>> {
    let mut found = BTreeMap::new();
    for mailbox in mailboxes.iter().filter(|mailbox| mailbox.subscribed || !subscribed) {
        if mailbox.path.matches(pattern) {
            found.insert(mailbox.path.clone(), attributes(mailbox, mailboxes));
        } else if subscribed && let Some(above) = level_above(pattern, &mailbox.path) {
            // RFC 3501 §6.3.9: LSUB "" "%" shows foo, with \Noselect, if foo/bar is subscribed and foo is not.
            found.entry(above).or_insert_with(|| vec![r"\Noselect", r"\HasChildren"]);
        }
    }
    found
}

/// The nearest level above this path that matches a pattern ending in `%`.
fn level_above(pattern: &str, path: &MailboxPath) -> Option<MailboxPath> {
    let above = std::iter::successors(path.parent(), MailboxPath::parent);
    above.into_iter().find(|above| pattern.ends_with('%') && above.matches(pattern))
}

fn attributes(mailbox: &Mailbox, all: &[Mailbox]) -> Vec<&'static str> {
    let mut attributes = Vec::new();
    if mailbox.no_select {
        attributes.push(r"\Noselect");
    }
    attributes.push(if all.iter().any(|other| other.path.is_below(&mailbox.path)) {
        r"\HasChildren"
    } else {
        r"\HasNoChildren"
    });
    attributes.extend(mailbox.special_use.map(SpecialUse::attribute));
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> MailboxPath {
        MailboxPath::parse(name).unwrap()
    }

    fn mailbox(name: &str, subscribed: bool) -> Mailbox {
        Mailbox { path: path(name), subscribed, special_use: None, no_select: false }
    }

    fn listed(subscribed: bool, pattern: Option<&str>) -> String {
        let mut mailboxes =
            [mailbox("INBOX", true), mailbox("a", false), mailbox("a/b c", true), mailbox("S", false)];
        mailboxes[1].no_select = true;
        mailboxes[3].special_use = Some(SpecialUse::Sent);
        let mut out = Vec::new();
        write(&Listing { subscribed, pattern: pattern.map(str::to_owned) }, &mailboxes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn responses() {
        assert_eq!(listed(false, None), "* LIST (\\Noselect) \"/\" \"\"\r\n");
        assert_eq!(
            listed(false, Some("*")),
            "* LIST (\\HasNoChildren) \"/\" INBOX\r\n\
             * LIST (\\HasNoChildren \\Sent) \"/\" S\r\n\
             * LIST (\\Noselect \\HasChildren) \"/\" a\r\n\
             * LIST (\\HasNoChildren) \"/\" \"a/b c\"\r\n"
        );
        assert_eq!(
            listed(true, Some("%")),
            "* LSUB (\\HasNoChildren) \"/\" INBOX\r\n* LSUB (\\Noselect \\HasChildren) \"/\" a\r\n"
        );
        assert_eq!(
            listed(true, Some("*")),
            "* LSUB (\\HasNoChildren) \"/\" INBOX\r\n* LSUB (\\HasNoChildren) \"/\" \"a/b c\"\r\n"
        );
    }
}
