//! LIST and LSUB (RFC 3501 §6.3.8, §6.3.9; LIST-EXTENDED, RFC 5258; LIST-STATUS, RFC 5819; CHILDREN, RFC 3348;
//! SPECIAL-USE, RFC 6154): which mailboxes match, and what is said of them.
//!
//! ```text
//! selection ─► which names satisfy all criteria
//! patterns  ─► which of these, or of the levels above them, are shown
//! returns   ─► what is said of each
//! ```

mod read;

use std::collections::{BTreeMap, BTreeSet};

use mail::{MailboxPath, SpecialUse};

pub(super) use self::read::{list, lsub};
use super::names::NameForm;
use super::responses::Writer;
use super::server::Mailbox;
use super::status::StatusItem;

/// LIST or LSUB.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Listing {
    pub(super) command: Command,
    /// In UTF-8, each with the reference before it. `None`: `LIST ref ""`, which asks for the separator alone.
    pub(super) patterns: Option<Vec<String>>,
    pub(super) selection: Selection,
    pub(super) returns: Returns,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Command {
    #[default]
    List,
    Lsub,
}

/// The selection options of LIST (RFC 5258 §3.1). REMOTE adds what lies on other servers: nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Selection {
    /// Subscribed names, whether or not there is a mailbox.
    pub(super) subscribed: bool,
    /// RFC 6154 §2
    pub(super) special_use: bool,
    /// RECURSIVEMATCH: also levels above what is selected.
    pub(super) recursive: bool,
}

/// The return options of LIST (RFC 5258 §3.2). CHILDREN and SPECIAL-USE are said always.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Returns {
    pub(super) subscribed: bool,
    /// RFC 5819
    pub(super) status: Vec<StatusItem>,
}

/// A response to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) path: MailboxPath,
    pub(super) attributes: Vec<&'static str>,
    /// Something below it is selected: CHILDINFO.
    pub(super) child_info: bool,
    /// STATUS follows.
    pub(super) status: bool,
}

impl Row {
    /// The same, now that the mailbox is gone.
    pub(super) fn gone(mut self) -> Self {
        self.attributes.splice(0..0, GONE);
        self
    }
}

/// The one implies the other (RFC 5258 §3), but not to a client that knows RFC 3501 alone.
const GONE: [&str; 2] = [r"\NonExistent", r"\Noselect"];

impl Listing {
    /// The text of the tagged response.
    pub(super) fn completed(&self) -> &'static str {
        match self.command {
            Command::List => "LIST completed",
            Command::Lsub => "LSUB completed",
        }
    }

    /// The rows for an account with these mailboxes, by path.
    pub(super) fn rows(&self, mailboxes: &[Mailbox]) -> Vec<Row> {
        let Some(patterns) = &self.patterns else {
            // RFC 3501 §6.3.8: an empty mailbox name asks for the hierarchy delimiter and the root of the reference.
            return Vec::new();
        };
        let tree = Tree::new(mailboxes);
        let matched = tree.matched(patterns, &self.selection);
        let rows = match self.command {
            Command::List => self.listed(&tree, &matched),
            Command::Lsub => self.subscribed(&tree, &matched, patterns),
        };
        rows.into_values().collect()
    }

    fn listed(&self, tree: &Tree<'_>, matched: &Matched<'_>) -> BTreeMap<MailboxPath, Row> {
        let mut rows = BTreeMap::new();
        for mailbox in matched.selected_and_matching.iter() {
            rows.insert(mailbox.path.clone(), self.row(tree, &mailbox.path, matched, true));
        }
        if self.selection.recursive {
            for path in &matched.levels_above {
                rows.entry(path.clone()).or_insert_with(|| self.row(tree, path, matched, false));
            }
        }
        rows
    }

    fn row(&self, tree: &Tree<'_>, path: &MailboxPath, matched: &Matched<'_>, is_selected: bool) -> Row {
        let mut attributes = tree.attributes(path);
        let subscribed = tree.by_path.get(path).is_some_and(|mailbox| mailbox.subscribed);
        if subscribed && (self.returns.subscribed || self.selection.subscribed) {
            attributes.push(r"\Subscribed");
        }
        Row {
            path: path.clone(),
            attributes,
            child_info: self.selection.recursive && matched.above_selected.contains(path),
            // RFC 5819 §3: no STATUS for what is shown for its children alone.
            status: is_selected && tree.exists(path) && !self.returns.status.is_empty(),
        }
    }

    fn subscribed(
        &self,
        tree: &Tree<'_>,
        matched: &Matched<'_>,
        patterns: &[String],
    ) -> BTreeMap<MailboxPath, Row> {
        let mut rows = BTreeMap::new();
        let row = |path: &MailboxPath, attributes| {
            (path.clone(), Row { path: path.clone(), attributes, child_info: false, status: false })
        };
        for mailbox in matched.selected_and_matching.iter() {
            // RFC 3501 §6.3.9: \Noselect would say that the name is not subscribed itself. A name stays, whether or not
            // there is a mailbox.
            rows.extend([row(&mailbox.path, tree.kinship(&mailbox.path))]);
        }
        for path in &matched.levels_above {
            // RFC 3501 §6.3.9: LSUB "" "%" shows foo, with \Noselect, if foo/bar is subscribed and foo is not.
            if !rows.contains_key(path) && patterns.iter().any(|pattern| pattern.ends_with('%')) {
                rows.extend([row(path, [vec![r"\Noselect"], tree.kinship(path)].concat())]);
            }
        }
        rows
    }

    /// Writes a row.
    pub(super) fn write(&self, row: &Row, names: NameForm, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.raw("* ").raw(self.command.name()).raw(" (").raw(&row.attributes.join(" ")).raw(r#") "/" "#);
        writer.mailbox(&row.path, names);
        if row.child_info {
            writer.raw(r#" ("CHILDINFO" ("#).raw(&self.selection.criteria().join(" ")).raw("))");
        }
        writer.end();
    }

    /// Writes what there is to say about the separator.
    pub(super) fn write_separator(&self, out: &mut Vec<u8>) {
        Writer::new(out).raw("* ").raw(self.command.name()).raw(r#" (\Noselect) "/" """#).end();
    }
}

impl Command {
    fn name(self) -> &'static str {
        match self {
            Self::List => "LIST",
            Self::Lsub => "LSUB",
        }
    }
}

impl Selection {
    /// Whether a name satisfies all criteria.
    fn selects(self, mailbox: &Mailbox) -> bool {
        // RFC 5258 §3.1: SUBSCRIBED lists names rather than mailboxes.
        (mailbox.subscribed || !self.subscribed)
            && (mailbox.special_use.is_some() || !self.special_use)
            && (!mailbox.missing || self.subscribed)
    }

    /// In CHILDINFO, quoted.
    fn criteria(self) -> Vec<&'static str> {
        let named = [(self.subscribed, r#""SUBSCRIBED""#), (self.special_use, r#""SPECIAL-USE""#)];
        named.into_iter().filter(|(is_one, _)| *is_one).map(|(_, name)| name).collect()
    }
}

/// The names of an account.
struct Tree<'a> {
    by_path: BTreeMap<&'a MailboxPath, &'a Mailbox>,
    /// Names with a mailbox below them.
    parents: BTreeSet<MailboxPath>,
}

/// What a listing finds among them.
struct Matched<'a> {
    selected_and_matching: Vec<&'a Mailbox>,
    /// All levels above what is selected.
    above_selected: BTreeSet<MailboxPath>,
    /// Those that match although something below them that is selected does not.
    levels_above: BTreeSet<MailboxPath>,
}

impl<'a> Tree<'a> {
    fn new(mailboxes: &'a [Mailbox]) -> Self {
        let parents = mailboxes.iter().filter(|mailbox| !mailbox.missing);
        Self {
            by_path: mailboxes.iter().map(|mailbox| (&mailbox.path, mailbox)).collect(),
            parents: parents.flat_map(|mailbox| levels_above(&mailbox.path)).collect(),
        }
    }

    fn matched(&self, patterns: &[String], selection: &Selection) -> Matched<'a> {
        let matches = |path: &MailboxPath| patterns.iter().any(|pattern| path.matches(pattern));
        let selected = self.by_path.values().copied().filter(|mailbox| selection.selects(mailbox));
        let (matching, others): (Vec<_>, Vec<_>) = selected.partition(|mailbox| matches(&mailbox.path));
        let above_others: BTreeSet<_> =
            others.iter().flat_map(|mailbox| levels_above(&mailbox.path)).collect();
        let above_matching = matching.iter().flat_map(|mailbox| levels_above(&mailbox.path));
        Matched {
            above_selected: above_matching.chain(above_others.iter().cloned()).collect(),
            levels_above: above_others.into_iter().filter(matches).collect(),
            selected_and_matching: matching,
        }
    }

    fn exists(&self, path: &MailboxPath) -> bool {
        self.by_path.get(path).is_some_and(|mailbox| !mailbox.no_select && !mailbox.missing)
    }

    fn attributes(&self, path: &MailboxPath) -> Vec<&'static str> {
        let mut attributes = Vec::new();
        if !self.exists(path) {
            attributes.extend(GONE);
        }
        attributes.extend(self.kinship(path));
        attributes
    }

    /// `\HasChildren` and its like (RFC 3348 §3, RFC 3501 §7.2.2), and the special use.
    fn kinship(&self, path: &MailboxPath) -> Vec<&'static str> {
        let mut attributes = vec![match self.parents.contains(path) {
            true => r"\HasChildren",
            false if path.takes_levels() => r"\HasNoChildren",
            false => r"\Noinferiors",
        }];
        let special_use = self.by_path.get(path).and_then(|mailbox| mailbox.special_use);
        attributes.extend(special_use.map(SpecialUse::attribute));
        attributes
    }
}

/// `a/b`, `a` of `a/b/c`.
fn levels_above(path: &MailboxPath) -> impl Iterator<Item = MailboxPath> + use<> {
    std::iter::successors(path.parent(), MailboxPath::parent)
}

#[cfg(test)]
mod tests;
