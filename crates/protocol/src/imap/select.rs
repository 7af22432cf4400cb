//! The parameters of SELECT and EXAMINE (RFC 4466 §2.1): CONDSTORE (RFC 7162 §3.1.8) and QRESYNC (§3.2.5).

use mail::{ModSeq, UidSet};

use super::limits::MATCHES_MAX;
use super::sequence;
use super::syntax::{Cursor, Parsed};
use crate::misuse::Misuse;

/// What stands after the mailbox's name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Parameters {
    pub(super) condstore: bool,
    pub(super) qresync: Option<Box<Resync>>,
}

/// What a client remembers of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resync {
    pub(super) uid_validity: u32,
    pub(super) since: ModSeq,
    /// It wants to hear of these only.
    pub(super) known: Option<UidSet>,
    /// Numbers and their UIDs, pairwise.
    matches: Option<(UidSet, UidSet)>,
}

/// ` (CONDSTORE QRESYNC (7 99 1:9 (3,5 4,9)))`, or nothing.
pub(super) fn parameters(cursor: &mut Cursor<'_>) -> Parsed<Parameters> {
    let mut parameters = Parameters::default();
    if !cursor.eat(b' ') {
        return Ok(parameters);
    }
    cursor.expect(b'(')?;
    loop {
        match cursor.atom()?.to_ascii_uppercase().as_str() {
            "CONDSTORE" => parameters.condstore = true,
            "QRESYNC" if parameters.qresync.is_none() => {
                cursor.space()?;
                parameters.qresync = Some(Box::new(resync(cursor)?));
            }
            _ => return Err(Misuse::CommandSyntax),
        }
        if cursor.eat(b')') {
            return Ok(parameters);
        }
        cursor.space()?;
    }
}

fn resync(cursor: &mut Cursor<'_>) -> Parsed<Resync> {
    cursor.expect(b'(')?;
    let uid_validity = cursor.number_not_zero()?;
    cursor.space()?;
    let mut resync = Resync { uid_validity, since: cursor.modseq()?, known: None, matches: None };
    if !cursor.eat(b' ') {
        cursor.expect(b')')?;
        return Ok(resync);
    }
    if cursor.peek() != Some(b'(') {
        resync.known = Some(sequence::plain(cursor)?);
        if !cursor.eat(b' ') {
            cursor.expect(b')')?;
            return Ok(resync);
        }
    }
    resync.matches = Some(matches(cursor)?);
    cursor.expect(b')')?;
    Ok(resync)
}

/// `(3,5 4,9)`: as many numbers as UIDs.
fn matches(cursor: &mut Cursor<'_>) -> Parsed<(UidSet, UidSet)> {
    cursor.expect(b'(')?;
    let numbers = sequence::plain(cursor)?;
    cursor.space()?;
    let uids = sequence::plain(cursor)?;
    cursor.expect(b')')?;
    if numbers.len() == uids.len() { Ok((numbers, uids)) } else { Err(Misuse::CommandSyntax) }
}

impl Resync {
    /// Up to which UID the client knows of all that is gone (RFC 7162 §3.2.5.2): that of the last pair that is true of
    /// this mailbox. 0 if none is.
    pub(super) fn matched(&self, map: &UidSet) -> u32 {
        let Some((numbers, uids)) = &self.matches else { return 0 };
        let before = numbers.len().saturating_sub(MATCHES_MAX);
        let (numbers, uids) = (numbers.split_at(before).1, uids.split_at(before).1);
        let present = uids.intersection(map);
        let ranks = sequence::ranks(map, &present);
        let mut true_pairs = present.iter().rev().zip(ranks.iter().rev().map(|rank| rank.0));
        let mut claims = uids.iter().rev().zip(numbers.iter().rev().map(|number| number.0)).peekable();
        let last = true_pairs.find(|(uid, rank)| {
            while claims.next_if(|(claimed, _)| claimed > uid).is_some() {}
            claims.peek() == Some(&(*uid, *rank))
        });
        last.map_or(0, |(uid, _)| uid.0)
    }
}

#[cfg(test)]
mod tests {
    use mail::Uid;

    use super::*;

    fn read(input: &str) -> Parsed<Parameters> {
        let mut cursor = Cursor::new(input.as_bytes());
        let parameters = parameters(&mut cursor)?;
        cursor.end()?;
        Ok(parameters)
    }

    fn resync(input: &str) -> Resync {
        *read(&format!(" (QRESYNC ({input}))")).unwrap().qresync.unwrap()
    }

    #[test]
    fn parameters_are_read() {
        assert_eq!(read(""), Ok(Parameters::default()));
        assert_eq!(read(" (condstore)"), Ok(Parameters { condstore: true, qresync: None }));
        let plain = Resync { uid_validity: 7, since: ModSeq(99), known: None, matches: None };
        assert_eq!(resync("7 99"), plain);
        let both = read(" (CONDSTORE QRESYNC (7 99))").unwrap();
        assert!(both.condstore && both.qresync.is_some());
        let known = resync("7 99 1:3,9");
        assert_eq!(known.known.unwrap().to_string(), "1:3,9");
        let matches = Some((UidSet::from_runs([(3, 3), (5, 5)]), UidSet::from_runs([(4, 4), (9, 9)])));
        assert_eq!(resync("7 99 (3,5 4,9)"), Resync { matches: matches.clone(), ..plain.clone() });
        assert_eq!(resync("7 99 1:9 (3,5 4,9)").matches, matches);
        for wrong in [
            " ",
            " ()",
            " CONDSTORE",
            " (FOO)",
            " (CONDSTORE",
            " (QRESYNC)",
            " (QRESYNC (7))",
            " (QRESYNC (0 99))",
            " (QRESYNC (7 9223372036854775808))",
            " (QRESYNC (7 99 *))",
            " (QRESYNC (7 99 1:*))",
            " (QRESYNC (7 99 1:9 2:3))",
            " (QRESYNC (7 99 (1:3 1:2)))",
            " (QRESYNC (7 99 (1)))",
            " (QRESYNC (7 99) QRESYNC (7 99))",
            "(CONDSTORE)",
        ] {
            assert_eq!(read(wrong), Err(Misuse::CommandSyntax), "{wrong}");
        }
    }

    #[test]
    fn matches_end_at_the_last_true_pair() {
        // RFC 7162 §3.2.5.2, first example: number 4 is UID 8; number 12 is not UID 24.
        let map: UidSet = [2, 4, 6, 8, 9, 10, 11, 12, 13, 14, 15, 25].map(Uid).into_iter().collect();
        for (matches, expected) in [
            ("4 8", 8),
            ("4,12 8,24", 8),
            ("4,12 8,25", 25),
            ("3 8", 0),
            ("4 7", 0),
            ("1,2,3,4 2,4,7,9", 4),
            ("13 26", 0),
            ("1:4000000000 1:4000000000", 0),
            ("1:8192 1:8192", 0),
        ] {
            assert_eq!(resync(&format!("7 99 ({matches})")).matched(&map), expected, "{matches}");
        }
        assert_eq!(resync("7 99").matched(&map), 0);
        assert_eq!(resync("7 99 (1 1)").matched(&UidSet::new()), 0);
    }
}
