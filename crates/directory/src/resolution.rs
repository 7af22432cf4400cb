//! What an address means: accounts of ours, after aliases. The expansion is a pure state machine; who drives it looks the
//! addresses up.

use std::collections::{BTreeSet, VecDeque};

use mail::Address;

use crate::limits::{ALIAS_DEPTH_MAX, ALIAS_MEMBERS_MAX};

/// What the directory says of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// Its domain is not ours.
    NotLocal,
    /// Its domain is ours, and another server keeps its mailboxes: who has one is not known here.
    HandedOn,
    /// Its domain is ours; neither account nor alias has this address, or the alias leads nowhere.
    UnknownHere,
    /// These receive its mail: at least one, each once.
    Recipients(Vec<LocalRecipient>),
    /// It is postmaster, who must be accepted (RFC 5321 §4.5.1), and there is no account that could read his mail.
    Unattended,
}

/// An account of ours that receives mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRecipient {
    /// The account's number.
    pub account: i64,
    /// The number of its INBOX.
    pub inbox: i64,
    /// Its canonical address.
    pub address: Address,
}

/// What is stored under an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// An account.
    Account(LocalRecipient),
    /// An alias, with its targets.
    Alias(Vec<Address>),
    /// Nothing.
    Nothing,
}

/// An address on its way through the aliases.
#[derive(Debug)]
pub(crate) struct Expansion {
    pending: VecDeque<(Address, usize)>,
    seen: BTreeSet<Address>,
    found: Vec<LocalRecipient>,
    depth: usize,
    too_large: bool,
}

impl Expansion {
    /// Begins with an address.
    pub(crate) fn of(address: Address) -> Self {
        let mut expansion = Self {
            pending: VecDeque::new(),
            seen: BTreeSet::new(),
            found: Vec::new(),
            depth: 0,
            too_large: false,
        };
        expansion.add(address, 0);
        expansion
    }

    /// The next address to look up; its entry goes to [`take`](Self::take).
    pub(crate) fn next(&mut self) -> Option<Address> {
        let (address, depth) = self.pending.pop_front()?;
        self.depth = depth;
        Some(address)
    }

    /// Takes what is stored under the address that [`next`](Self::next) named last.
    pub(crate) fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Account(recipient) => {
                if self.found.iter().all(|found| found.account != recipient.account) {
                    self.found.push(recipient);
                }
            }
            Entry::Alias(targets) => targets.into_iter().for_each(|target| self.add(target, self.depth + 1)),
            Entry::Nothing => {}
        }
    }

    /// Whom it led to. An expansion beyond the limits leads to nobody: its sender is told, which is better than a part of
    /// the list missing in silence.
    pub(crate) fn end(self) -> Vec<LocalRecipient> {
        if self.too_large { Vec::new() } else { self.found }
    }

    /// An address that was seen before is not looked up again, so a loop of aliases ends here.
    fn add(&mut self, address: Address, depth: usize) {
        let address = address.canonical();
        if self.seen.contains(&address) {
            return;
        }
        if depth > ALIAS_DEPTH_MAX || self.seen.len() >= ALIAS_MEMBERS_MAX {
            self.too_large = true;
            self.pending.clear();
            return;
        }
        self.seen.insert(address.clone());
        self.pending.push_back((address, depth));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    /// Expands `start`; a name with targets is an alias, one that ends in a digit is the account of that number.
    fn expand(start: &str, aliases: &BTreeMap<String, Vec<String>>) -> Vec<i64> {
        let mut expansion = Expansion::of(address(start));
        while let Some(next) = expansion.next() {
            let text = next.to_string();
            let number = next.local.as_str().chars().last().and_then(|c| c.to_digit(10));
            expansion.take(match (aliases.get(&text), number) {
                (Some(targets), _) => Entry::Alias(targets.iter().map(|t| address(t)).collect()),
                (None, Some(n)) => {
                    Entry::Account(LocalRecipient { account: n.into(), inbox: 0, address: next })
                }
                (None, None) => Entry::Nothing,
            });
        }
        expansion.end().into_iter().map(|recipient| recipient.account).collect()
    }

    fn aliases(of: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        of.iter()
            .map(|(name, targets)| (format!("{name}@x"), targets.iter().map(|t| format!("{t}@x")).collect()))
            .collect()
    }

    #[test]
    fn aliases_lead_to_accounts_each_once() {
        let table = aliases(&[
            ("all", &["a1", "some", "A1", "nobody"]),
            ("some", &["b2", "all", "a1"]),
            ("round", &["about"]),
            ("about", &["round"]),
        ]);
        for (start, expected) in [
            ("a1@x", &[1][..]),
            ("A1@X", &[1]),
            ("all@x", &[1, 2]),
            ("ALL@x", &[1, 2]),
            ("round@x", &[]),
            ("nobody@x", &[]),
        ] {
            assert_eq!(expand(start, &table), expected, "{start}");
        }
    }

    #[test]
    fn depth_and_size_have_an_end() {
        let chain = |length: usize| -> BTreeMap<String, Vec<String>> {
            let step = |n| if n == length { "a1@x".to_owned() } else { format!("n{n}-@x") };
            (0..length).map(|n| (step(n), vec![step(n + 1)])).collect()
        };
        assert_eq!(expand("n0-@x", &chain(ALIAS_DEPTH_MAX)), [1]);
        assert_eq!(expand("n0-@x", &chain(ALIAS_DEPTH_MAX + 1)), Vec::<i64>::new());

        let list = |members: usize| -> BTreeMap<String, Vec<String>> {
            let names = (0..members).map(|n| format!("{n}-a1@x")).collect();
            BTreeMap::from([("list@x".to_owned(), names)])
        };
        assert_eq!(expand("list@x", &list(ALIAS_MEMBERS_MAX - 1)), [1]);
        assert_eq!(expand("list@x", &list(ALIAS_MEMBERS_MAX)), Vec::<i64>::new());
    }
}
