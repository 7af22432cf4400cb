//! Sequence sets (RFC 3501 §9), made UIDs as soon as they are read.

use mail::{Uid, UidSet};

use super::syntax::{Cursor, Parsed};
use crate::misuse::Misuse;

/// Whether numbers are sequence numbers or UIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    Sequence,
    Uid,
}

/// Reads a set; `map` holds the UIDs of the mailbox as the client sees it.
///
/// [`Misuse::SequenceOutOfRange`] for a sequence number beyond the mailbox, `*` of an empty one included (RFC 3501 §9,
/// seq-number). UIDs that are not there are silently left out (§6.4.8).
pub(super) fn parse(cursor: &mut Cursor<'_>, numbers: Numbers, map: &UidSet) -> Parsed<UidSet> {
    let largest = match numbers {
        Numbers::Sequence => map.len() as u32,
        Numbers::Uid => map.last().map_or(0, |uid| uid.0),
    };
    let mut runs = Vec::new();
    loop {
        let first = number(cursor, largest)?;
        let last = if cursor.eat(b':') { number(cursor, largest)? } else { first };
        runs.push((first, last));
        if !cursor.eat(b',') {
            break;
        }
    }
    match numbers {
        Numbers::Uid => Ok(UidSet::from_runs(runs).intersection(map)),
        Numbers::Sequence if runs.iter().any(|&(a, b)| a.max(b) > largest || a.min(b) == 0) => {
            Err(Misuse::SequenceOutOfRange)
        }
        Numbers::Sequence => Ok(at_ranks(map, &UidSet::from_runs(runs))),
    }
}

/// A number or `*`, which is 0 in an empty mailbox.
fn number(cursor: &mut Cursor<'_>, largest: u32) -> Parsed<u32> {
    if cursor.eat(b'*') { Ok(largest) } else { cursor.number_not_zero() }
}

/// The UIDs with these sequence numbers: one pass over the runs of both.
fn at_ranks(map: &UidSet, ranks: &UidSet) -> UidSet {
    let mut wanted = ranks.runs().iter().copied().peekable();
    let mut before = 0;
    let mut found = Vec::new();
    for &(first, last) in map.runs() {
        let through = before + (last - first) + 1;
        while let Some(&(low, high)) = wanted.peek() {
            let (from, to) = (low.max(before + 1), high.min(through));
            if from <= to {
                found.push((first + (from - before - 1), first + (to - before - 1)));
            }
            if high > through {
                break;
            }
            wanted.next();
        }
        before = through;
    }
    UidSet::from_runs(found)
}

/// The sequence numbers of those of `uids` that are in the mailbox, ascending: one pass over the runs of both.
pub(super) fn ranks_of(map: &UidSet, uids: &UidSet) -> Vec<u32> {
    let mut runs = map.runs().iter();
    let mut run = runs.next();
    let mut before = 0;
    let mut ranks = Vec::new();
    for Uid(uid) in uids.iter() {
        while let Some(&(first, last)) = run
            && last < uid
        {
            before += last - first + 1;
            run = runs.next();
        }
        match run {
            Some(&(first, _)) if first <= uid => ranks.push(before + (uid - first) + 1),
            Some(_) => {}
            None => break,
        }
    }
    ranks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map() -> UidSet {
        [2, 3, 4, 10, 20, 21].map(Uid).into_iter().collect()
    }

    fn read(input: &str, numbers: Numbers, map: &UidSet) -> Result<String, Misuse> {
        let mut cursor = Cursor::new(input.as_bytes());
        let set = parse(&mut cursor, numbers, map)?;
        cursor.end()?;
        Ok(set.to_string())
    }

    #[test]
    fn sequence_numbers() {
        let check = |input: &str, expected: Result<&str, Misuse>| {
            assert_eq!(read(input, Numbers::Sequence, &map()), expected.map(str::to_owned), "{input}");
        };
        check("1", Ok("2"));
        check("1:*", Ok("2:4,10,20:21"));
        check("*:1", Ok("2:4,10,20:21"));
        check("*", Ok("21"));
        check("6,2:4", Ok("3:4,10,21"));
        check("4:2,3", Ok("3:4,10"));
        check("7", Err(Misuse::SequenceOutOfRange));
        check("1:7", Err(Misuse::SequenceOutOfRange));
        for wrong in ["", "0", "1:", ":1", "1,", ",1", "1:2:3", "a", "1 ", "4294967296", "**"] {
            check(wrong, Err(Misuse::CommandSyntax));
        }
        assert_eq!(read("*", Numbers::Sequence, &UidSet::new()), Err(Misuse::SequenceOutOfRange));
        assert_eq!(read("1:*", Numbers::Sequence, &UidSet::new()), Err(Misuse::SequenceOutOfRange));
    }

    #[test]
    fn uids() {
        let check = |input: &str, expected: &str| {
            assert_eq!(read(input, Numbers::Uid, &map()), Ok(expected.to_owned()), "{input}");
        };
        check("1:*", "2:4,10,20:21");
        check("3", "3");
        check("5:9", "");
        check("*", "21");
        // RFC 3501 §9: 3291:* includes the last UID even if that is lower.
        check("3291:*", "21");
        assert_eq!(read("1:*", Numbers::Uid, &UidSet::new()), Ok(String::new()));
    }

    proptest! {
        #[test]
        fn ranks_and_uids_agree_with_counting(
            present in proptest::collection::btree_set(1..60_u32, 1..30),
            wanted in proptest::collection::btree_set(1..60_u32, 0..30),
        ) {
            let map: UidSet = present.iter().copied().map(Uid).collect();
            let uids: UidSet = wanted.iter().copied().map(Uid).collect();
            let counted: Vec<u32> = present.iter().zip(1..).filter(|(uid, _)| wanted.contains(uid)).map(|(_, rank)| rank).collect();
            prop_assert_eq!(ranks_of(&map, &uids), counted.clone());
            let ranks: UidSet = counted.into_iter().map(Uid).collect();
            prop_assert_eq!(at_ranks(&map, &ranks), map.intersection(&uids));
        }
    }
}
