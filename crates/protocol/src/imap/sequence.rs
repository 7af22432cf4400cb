//! Sequence sets (RFC 3501 §9; `$`, RFC 5182), made UIDs as soon as they are read.

use mail::UidSet;

use super::syntax::{Cursor, Parsed};
use crate::misuse::Misuse;

/// Whether numbers are sequence numbers or UIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    Sequence,
    Uid,
}

/// What numbers mean to the client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// The UIDs of the selected mailbox as the client sees it.
    pub(super) map: &'a UidSet,
    /// What a SEARCH has saved (RFC 5182). Some of it may be gone.
    pub(super) saved: &'a UidSet,
}

/// Reads a set.
///
/// [`Misuse::SequenceOutOfRange`] for a sequence number beyond the mailbox, `*` of an empty one included (RFC 3501 §9,
/// seq-number). UIDs that are not there are silently left out (§6.4.8).
pub(super) fn parse(cursor: &mut Cursor<'_>, numbers: Numbers, known: Known<'_>) -> Parsed<UidSet> {
    let map = known.map;
    if cursor.eat(b'$') {
        return Ok(known.saved.intersection(map));
    }
    let largest = match numbers {
        Numbers::Sequence => map.len() as u32,
        Numbers::Uid => map.last().map_or(0, |uid| uid.0),
    };
    let runs = runs(cursor, |cursor| number(cursor, largest))?;
    match numbers {
        Numbers::Uid => Ok(UidSet::from_runs(runs).intersection(map)),
        Numbers::Sequence if runs.iter().any(|&(a, b)| a.max(b) > largest || a.min(b) == 0) => {
            Err(Misuse::SequenceOutOfRange)
        }
        Numbers::Sequence => Ok(at_ranks(map, &UidSet::from_runs(runs))),
    }
}

/// Reads a set of UIDs as it was given, whether or not they are there (RFC 7162 §3.2.6).
pub(super) fn given(cursor: &mut Cursor<'_>, known: Known<'_>) -> Parsed<UidSet> {
    if cursor.eat(b'$') {
        return Ok(known.saved.clone());
    }
    let largest = known.map.last().map_or(1, |uid| uid.0);
    runs(cursor, |cursor| number(cursor, largest)).map(UidSet::from_runs)
}

/// Reads a set without `*` and `$` (RFC 7162 §7, known-uids).
pub(super) fn plain(cursor: &mut Cursor<'_>) -> Parsed<UidSet> {
    runs(cursor, Cursor::number_not_zero).map(UidSet::from_runs)
}

fn runs<'a>(
    cursor: &mut Cursor<'a>,
    number: impl Fn(&mut Cursor<'a>) -> Parsed<u32>,
) -> Parsed<Vec<(u32, u32)>> {
    let mut runs = Vec::new();
    loop {
        let first = number(cursor)?;
        let last = if cursor.eat(b':') { number(cursor)? } else { first };
        runs.push((first, last));
        if !cursor.eat(b',') {
            return Ok(runs);
        }
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

/// The sequence numbers of those of `uids` that are in the mailbox, as runs: one pass over the runs of both.
pub(super) fn ranks(map: &UidSet, uids: &UidSet) -> UidSet {
    let mut wanted = uids.runs().iter().copied().peekable();
    let mut before = 0;
    let mut found = Vec::new();
    for &(first, last) in map.runs() {
        while let Some(&(low, high)) = wanted.peek() {
            let (from, to) = (low.max(first), high.min(last));
            if from <= to {
                found.push((before + (from - first) + 1, before + (to - first) + 1));
            }
            if high > last {
                break;
            }
            wanted.next();
        }
        before += last - first + 1;
    }
    UidSet::from_runs(found)
}

#[cfg(test)]
mod tests {
    use mail::Uid;
    use proptest::prelude::*;

    use super::*;

    fn map() -> UidSet {
        [2, 3, 4, 10, 20, 21].map(Uid).into_iter().collect()
    }

    fn read(input: &str, numbers: Numbers, map: &UidSet) -> Result<String, Misuse> {
        let mut cursor = Cursor::new(input.as_bytes());
        let saved = [3, 4, 5].map(Uid).into_iter().collect();
        let set = parse(&mut cursor, numbers, Known { map, saved: &saved })?;
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
        check("$", Ok("3:4"));
        check("7", Err(Misuse::SequenceOutOfRange));
        check("1:7", Err(Misuse::SequenceOutOfRange));
        for wrong in
            ["", "0", "1:", ":1", "1,", ",1", "1:2:3", "a", "1 ", "4294967296", "**", "$,1", "1,$", "$$"]
        {
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
        check("$", "3:4");
        // RFC 3501 §9: 3291:* includes the last UID even if that is lower.
        check("3291:*", "21");
        assert_eq!(read("1:*", Numbers::Uid, &UidSet::new()), Ok(String::new()));
    }

    #[test]
    fn sets_as_they_were_given() {
        let read = |input: &str| {
            let mut cursor = Cursor::new(input.as_bytes());
            let (map, saved) = (map(), UidSet::from(Uid(5)));
            let set = given(&mut cursor, Known { map: &map, saved: &saved }).unwrap();
            cursor.end().map(|()| set.to_string()).unwrap()
        };
        assert_eq!(read("7,1:3,30:*"), "1:3,7,21:30");
        assert_eq!(read("$"), "5");
        assert_eq!(plain(&mut Cursor::new(b"3,1:2")).map(|set| set.to_string()), Ok("1:3".into()));
        for wrong in ["*", "1:*", "$", "0", ""] {
            assert_eq!(plain(&mut Cursor::new(wrong.as_bytes())), Err(Misuse::CommandSyntax), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn ranks_and_uids_agree_with_counting(
            present in proptest::collection::btree_set(1..60_u32, 1..30),
            wanted in proptest::collection::btree_set(1..60_u32, 0..30),
        ) {
            let map: UidSet = present.iter().copied().map(Uid).collect();
            let uids: UidSet = wanted.iter().copied().map(Uid).collect();
            let counted: UidSet =
                present.iter().zip(1..).filter(|(uid, _)| wanted.contains(uid)).map(|(_, rank)| Uid(rank)).collect();
            prop_assert_eq!(ranks(&map, &uids), counted.clone());
            prop_assert_eq!(at_ranks(&map, &counted), map.intersection(&uids));
        }
    }
}
