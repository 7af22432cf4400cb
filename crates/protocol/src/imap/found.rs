//! Long answers about sets of emails, written in pieces: SEARCH (RFC 3501 §7.2.5), ESEARCH (RFC 4731 §3.1) and VANISHED
//! (EARLIER) (RFC 7162 §3.2.10.1). A set of a million emails may take megabytes as text.

use std::vec::IntoIter;

use mail::{ModSeq, UidSet};

use super::limits::RELEASED_AT_ONCE;
use super::responses::Writer;
use super::search::Returns;
use super::sequence::Numbers;

/// A set that is being written.
#[derive(Debug)]
pub(super) struct Pouring {
    form: Form,
    /// Runs that were not written yet.
    runs: IntoIter<(u32, u32)>,
    /// What is left of a run that was begun.
    begun: Option<(u32, u32)>,
    /// What the first piece begins with, until it is written.
    head: String,
    /// What stands after the last piece.
    tail: String,
}

/// How a set is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Each number after a space.
    Numbers,
    /// One sequence set.
    Set,
    /// A response for each piece.
    Vanished,
}

impl Pouring {
    /// `* SEARCH 2 3 9 (MODSEQ 99)`
    pub(super) fn search(found: UidSet, modseq: Option<ModSeq>) -> Self {
        // RFC 7162 §3.1.6: omitted if nothing matched.
        let modseq = modseq.filter(|_| !found.is_empty());
        let tail = modseq.map(|modseq| format!(" (MODSEQ {modseq})")).unwrap_or_default();
        Self::new(Form::Numbers, found, "* SEARCH".into(), tail)
    }

    /// `* ESEARCH (TAG "a") UID MIN 2 MAX 9 COUNT 3 ALL 2:3,9 MODSEQ 99`
    pub(super) fn esearch(
        tag: &str,
        numbers: Numbers,
        returns: Returns,
        found: UidSet,
        modseq: Option<ModSeq>,
    ) -> Self {
        let mut head = format!("* ESEARCH (TAG \"{tag}\")");
        if numbers == Numbers::Uid {
            head.push_str(" UID");
        }
        // RFC 4731 §3.1: what is asked of nothing is not said, but for COUNT.
        for (wanted, name, end) in [(returns.min, "MIN", found.first()), (returns.max, "MAX", found.last())] {
            if let Some(number) = end.filter(|_| wanted) {
                head.push_str(&format!(" {name} {number}"));
            }
        }
        if returns.count {
            head.push_str(&format!(" COUNT {}", found.len()));
        }
        let modseq = modseq.filter(|_| !found.is_empty());
        let tail = modseq.map(|modseq| format!(" MODSEQ {modseq}")).unwrap_or_default();
        if !returns.all || found.is_empty() {
            return Self::new(Form::Set, UidSet::new(), head, tail);
        }
        head.push_str(" ALL ");
        Self::new(Form::Set, found, head, tail)
    }

    /// `* VANISHED (EARLIER) 1:5,9`; nothing if nothing has.
    pub(super) fn vanished(uids: UidSet) -> Self {
        Self::new(Form::Vanished, uids, String::new(), String::new())
    }

    fn new(form: Form, set: UidSet, head: String, tail: String) -> Self {
        Self { form, runs: Vec::from(set).into_iter(), begun: None, head, tail }
    }

    /// Writes the next piece. True: that was the last one.
    pub(super) fn pour(&mut self, out: &mut Vec<u8>) -> bool {
        let first = !self.head.is_empty();
        let mut writer = Writer::new(out);
        writer.raw(&std::mem::take(&mut self.head));
        match self.form {
            Form::Numbers => self.numbers(&mut writer),
            Form::Set => self.set(&mut writer, if first { "" } else { "," }),
            Form::Vanished => {
                if self.runs.len() > 0 {
                    self.set(&mut writer, "* VANISHED (EARLIER) ");
                    writer.end();
                }
            }
        }
        let last = self.runs.len() == 0 && self.begun.is_none();
        if last && self.form != Form::Vanished {
            writer.raw(&self.tail).end();
        }
        last
    }

    fn set(&mut self, writer: &mut Writer<'_>, before: &str) {
        let some = UidSet::from_runs(self.runs.by_ref().take(RELEASED_AT_ONCE));
        if !some.is_empty() {
            writer.raw(before).raw(&some.to_string());
        }
    }

    fn numbers(&mut self, writer: &mut Writer<'_>) {
        let mut left = RELEASED_AT_ONCE as u32;
        while left > 0
            && let Some((first, last)) = self.begun.take().or_else(|| self.runs.next())
        {
            let until = last.min(first.saturating_add(left - 1));
            (first..=until).for_each(|number| _ = writer.raw(" ").raw(&number.to_string()));
            left -= until - first + 1;
            self.begun = (until < last).then(|| (until + 1, last));
        }
    }
}

#[cfg(test)]
mod tests {
    use mail::Uid;

    use super::*;

    /// What is written, and in how many pieces.
    fn poured(mut pouring: Pouring) -> (String, usize) {
        let mut out = Vec::new();
        let pieces = (1..).find(|_| pouring.pour(&mut out)).unwrap();
        (String::from_utf8(out).unwrap(), pieces)
    }

    fn found() -> UidSet {
        [2, 3, 9].map(Uid).into_iter().collect()
    }

    #[test]
    fn answers_to_search() {
        let check = |found: UidSet, modseq: Option<u64>, expected: &str| {
            assert_eq!(poured(Pouring::search(found, modseq.map(ModSeq))), (expected.to_owned(), 1));
        };
        check(found(), None, "* SEARCH 2 3 9\r\n");
        check(found(), Some(99), "* SEARCH 2 3 9 (MODSEQ 99)\r\n");
        check(UidSet::new(), Some(99), "* SEARCH\r\n");
    }

    #[test]
    fn answers_to_extended_search() {
        let check = |returns: Returns, found: UidSet, modseq: Option<u64>, expected: &str| {
            let pouring = Pouring::esearch("a1", Numbers::Sequence, returns, found, modseq.map(ModSeq));
            assert_eq!(poured(pouring), (format!("* ESEARCH (TAG \"a1\"){expected}\r\n"), 1));
        };
        let none = Returns::default();
        let every = Returns { min: true, max: true, all: true, count: true, save: true };
        check(every, found(), Some(99), " MIN 2 MAX 9 COUNT 3 ALL 2:3,9 MODSEQ 99");
        check(every, UidSet::new(), Some(99), " COUNT 0");
        check(Returns { min: true, ..none }, found(), None, " MIN 2");
        check(Returns::ALL, UidSet::new(), None, "");
        let uid = Pouring::esearch("a1", Numbers::Uid, Returns::ALL, found(), None);
        assert_eq!(poured(uid).0, "* ESEARCH (TAG \"a1\") UID ALL 2:3,9\r\n");
    }

    #[test]
    fn long_answers_are_written_in_pieces() {
        let odd = || (0..2500).map(|number| Uid(2 * number + 1)).collect::<UidSet>();
        let all = odd().to_string();
        let (text, pieces) = poured(Pouring::esearch("a", Numbers::Sequence, Returns::ALL, odd(), None));
        assert_eq!((text, pieces), (format!("* ESEARCH (TAG \"a\") ALL {all}\r\n"), 3));
        let (text, pieces) = poured(Pouring::search(UidSet::from_runs([(1, 2500)]), Some(ModSeq(1))));
        assert_eq!(pieces, 3);
        let numbers: Vec<String> = (1..=2500).map(|number: u32| number.to_string()).collect();
        assert_eq!(text, format!("* SEARCH {} (MODSEQ 1)\r\n", numbers.join(" ")));
        let (text, pieces) = poured(Pouring::vanished(odd()));
        assert_eq!(pieces, 3);
        let told: Vec<_> =
            text.lines().map(|line| line.strip_prefix("* VANISHED (EARLIER) ").unwrap()).collect();
        assert_eq!(told.join(","), all);
        assert_eq!(poured(Pouring::vanished(UidSet::new())), (String::new(), 1));
    }
}
