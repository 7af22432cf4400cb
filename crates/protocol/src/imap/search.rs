//! SEARCH (RFC 3501 §6.4.4): the program becomes a [`SearchKey`], its sequence sets UIDs.
//!
//! Keys lie within each other, but nothing here recurses: what is open stands on a stack of bounded height.

use mail::{Flag, SearchKey, UidSet};

use super::limits::{DEPTH_MAX, SEARCH_KEYS_MAX};
use super::sequence::{self, Numbers};
use super::syntax::{Cursor, Parsed};
use crate::misuse::Misuse;

/// A key that is not complete yet.
enum Open {
    /// Between parentheses, or the whole program.
    All(Vec<SearchKey>),
    /// After NOT.
    Not,
    /// After OR, perhaps with its first key.
    Or(Option<SearchKey>),
}

/// Reads what stands after `SEARCH `, to the end of the command.
///
/// [`Misuse::UnknownCharset`] is to be answered with `[BADCHARSET]`.
pub(super) fn parse(cursor: &mut Cursor<'_>, map: &UidSet) -> Parsed<SearchKey> {
    if cursor.eat_word("CHARSET") {
        cursor.space()?;
        let charset = cursor.text()?;
        if !["US-ASCII", "UTF-8"].iter().any(|known| known.eq_ignore_ascii_case(&charset)) {
            return Err(Misuse::UnknownCharset);
        }
        cursor.space()?;
    }
    let mut open = vec![Open::All(Vec::new())];
    for _ in 0..SEARCH_KEYS_MAX {
        if open.len() > DEPTH_MAX {
            return Err(Misuse::TooDeep);
        }
        match begin(cursor) {
            Some(begun) => open.push(begun),
            None => {
                let key = simple(cursor, map)?;
                if let Some(program) = close(cursor, &mut open, key)? {
                    return Ok(program);
                }
            }
        }
    }
    Err(Misuse::TooManyItems)
}

/// `(`, NOT or OR.
fn begin(cursor: &mut Cursor<'_>) -> Option<Open> {
    if cursor.eat(b'(') {
        return Some(Open::All(Vec::new()));
    }
    let mut ahead = cursor.clone();
    let begun = if ahead.eat_word("NOT") {
        Open::Not
    } else if ahead.eat_word("OR") {
        Open::Or(None)
    } else {
        return None;
    };
    ahead.space().ok()?;
    *cursor = ahead;
    Some(begun)
}

/// Puts a complete key where it belongs, and what that completes. `None`: another key must follow.
fn close(cursor: &mut Cursor<'_>, open: &mut Vec<Open>, mut key: SearchKey) -> Parsed<Option<SearchKey>> {
    loop {
        match open.pop().expect("the program itself stays open") {
            Open::Not => key = SearchKey::Not(Box::new(key)),
            Open::Or(Some(first)) => key = SearchKey::Or(Box::new(first), Box::new(key)),
            Open::Or(None) => {
                cursor.space()?;
                open.push(Open::Or(Some(key)));
                return Ok(None);
            }
            Open::All(mut keys) => {
                keys.push(key);
                if cursor.eat(b' ') {
                    open.push(Open::All(keys));
                    return Ok(None);
                }
                key = all_of(keys);
                if open.is_empty() {
                    cursor.end()?;
                    return Ok(Some(key));
                }
                cursor.expect(b')')?;
            }
        }
    }
}

fn all_of(mut keys: Vec<SearchKey>) -> SearchKey {
    if keys.len() == 1 { keys.remove(0) } else { SearchKey::And(keys) }
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}

/// A key that holds no other.
fn simple(cursor: &mut Cursor<'_>, map: &UidSet) -> Parsed<SearchKey> {
    if cursor.peek().is_some_and(|octet| octet.is_ascii_digit() || octet == b'*') {
        // More lenient than RFC 3501 §9: a number beyond the mailbox matches nothing, so that `1:*` may be said of an
        // empty one.
        return match sequence::parse(cursor, Numbers::Sequence, map) {
            Err(Misuse::SequenceOutOfRange) => Ok(SearchKey::Uids(UidSet::new())),
            other => other.map(SearchKey::Uids),
        };
    }
    let name = cursor.some(|octet| octet.is_ascii_alphabetic())?.to_ascii_uppercase();
    if let Some(key) = without_argument(&name) {
        return Ok(key);
    }
    cursor.space()?;
    with_argument(cursor, &name, map)
}

fn without_argument(name: &str) -> Option<SearchKey> {
    use SearchKey::All;
    Some(match name {
        "ALL" => All,
        "ANSWERED" => SearchKey::Flag(Flag::Answered),
        "DELETED" => SearchKey::Flag(Flag::Deleted),
        "DRAFT" => SearchKey::Flag(Flag::Draft),
        "FLAGGED" => SearchKey::Flag(Flag::Flagged),
        "SEEN" => SearchKey::Flag(Flag::Seen),
        "UNANSWERED" => not(SearchKey::Flag(Flag::Answered)),
        "UNDELETED" => not(SearchKey::Flag(Flag::Deleted)),
        "UNDRAFT" => not(SearchKey::Flag(Flag::Draft)),
        "UNFLAGGED" => not(SearchKey::Flag(Flag::Flagged)),
        "UNSEEN" => not(SearchKey::Flag(Flag::Seen)),
        // No email is \Recent here (see the module's page): OLD is all, NEW and RECENT none.
        "OLD" => All,
        "NEW" | "RECENT" => not(All),
        _ => return None,
    })
}

fn with_argument(cursor: &mut Cursor<'_>, name: &str, map: &UidSet) -> Parsed<SearchKey> {
    Ok(match name {
        "BCC" | "CC" | "FROM" | "SUBJECT" | "TO" => SearchKey::Header(name.to_owned(), cursor.text()?),
        "HEADER" => {
            let field = cursor.text()?;
            cursor.space()?;
            SearchKey::Header(field, cursor.text()?)
        }
        "BODY" => SearchKey::Body(cursor.text()?),
        "TEXT" => SearchKey::Text(cursor.text()?),
        "KEYWORD" => SearchKey::Flag(keyword(cursor)?),
        "UNKEYWORD" => not(SearchKey::Flag(keyword(cursor)?)),
        "LARGER" => SearchKey::Larger(u64::from(cursor.number()?)),
        "SMALLER" => SearchKey::Smaller(u64::from(cursor.number()?)),
        "UID" => SearchKey::Uids(sequence::parse(cursor, Numbers::Uid, map)?),
        _ => return by_date(cursor, name),
    })
}

fn by_date(cursor: &mut Cursor<'_>, name: &str) -> Parsed<SearchKey> {
    let build: fn(mail::Timestamp) -> SearchKey = match name {
        "BEFORE" => SearchKey::Before,
        "SINCE" => SearchKey::Since,
        "ON" => |day| SearchKey::And(vec![SearchKey::Since(day), SearchKey::Before(day.plus_days(1))]),
        "SENTBEFORE" => SearchKey::SentBefore,
        "SENTSINCE" => SearchKey::SentSince,
        "SENTON" => {
            |day| SearchKey::And(vec![SearchKey::SentSince(day), SearchKey::SentBefore(day.plus_days(1))])
        }
        _ => return Err(Misuse::CommandSyntax),
    };
    Ok(build(cursor.date()?))
}

fn keyword(cursor: &mut Cursor<'_>) -> Parsed<Flag> {
    Flag::parse(cursor.atom()?).map_err(|_| Misuse::CommandSyntax)
}

#[cfg(test)]
mod tests {
    use mail::{Timestamp, Uid};

    use super::*;

    fn read(input: &str) -> Parsed<SearchKey> {
        let map: UidSet = [5, 6, 9].map(Uid).into_iter().collect();
        parse(&mut Cursor::new(input.as_bytes()), &map)
    }

    fn flag(flag: Flag) -> SearchKey {
        SearchKey::Flag(flag)
    }

    fn header(name: &str, text: &str) -> SearchKey {
        SearchKey::Header(name.into(), text.into())
    }

    fn or(a: SearchKey, b: SearchKey) -> SearchKey {
        SearchKey::Or(Box::new(a), Box::new(b))
    }

    #[test]
    fn programs() {
        use SearchKey::{All, And, Body, Larger, Uids};
        let day = Timestamp::parse_imap_date("1-Feb-1994").unwrap();
        let check = |input: &str, expected: SearchKey| assert_eq!(read(input), Ok(expected), "{input}");
        check("ALL", All);
        check("unseen", not(flag(Flag::Seen)));
        check("NEW", not(All));
        check("FROM bob", header("FROM", "bob"));
        check("HEADER X-Y \"\"", header("X-Y", ""));
        check("CHARSET utf-8 BODY {3}\r\nü!", Body("ü!".into()));
        check("SEEN LARGER 10", And(vec![flag(Flag::Seen), Larger(10)]));
        check("(SEEN) (LARGER 10)", And(vec![flag(Flag::Seen), Larger(10)]));
        check("OR SEEN NOT ALL", or(flag(Flag::Seen), not(All)));
        check("OR OR ALL ALL (ALL SEEN)", or(or(All, All), And(vec![All, flag(Flag::Seen)])));
        check("NOT (OR ALL SEEN)", not(or(All, flag(Flag::Seen))));
        check("2:*", Uids([6, 9].map(Uid).into_iter().collect()));
        check("9", Uids(UidSet::new()));
        check("UID 1:6", Uids([5, 6].map(Uid).into_iter().collect()));
        check("UNKEYWORD $Junk", not(flag(Flag::Keyword("$Junk".into()))));
        check("ON 1-Feb-1994", And(vec![SearchKey::Since(day), SearchKey::Before(day.plus_days(1))]));
        check("SENTSINCE \"1-Feb-1994\"", SearchKey::SentSince(day));
    }

    #[test]
    fn what_is_no_program() {
        for wrong in [
            "",
            "(",
            "()",
            "(ALL",
            "ALL)",
            "ALL ",
            "NOT",
            "NOT ",
            "OR ALL",
            "OR ALL ALL)",
            "FROM",
            "FOO",
            "ON 1-Feb",
            "LARGER x",
            "CHARSET UTF-8",
            "BODY {1}\r\n\u{80}",
            "UID",
            "UID 0",
            "RETURN (MIN) ALL",
            "KEYWORD \\Seen",
        ] {
            assert_eq!(read(wrong), Err(Misuse::CommandSyntax), "{wrong}");
        }
        assert_eq!(read("CHARSET KOI8-R ALL"), Err(Misuse::UnknownCharset));
    }

    #[test]
    fn floods_end_early() {
        assert_eq!(read(&"(".repeat(60_000)), Err(Misuse::TooDeep));
        assert_eq!(read(&"NOT ".repeat(15_000)), Err(Misuse::TooDeep));
        assert_eq!(read(&"OR ALL ".repeat(9_000)), Err(Misuse::TooDeep));
        assert_eq!(read(&"ALL ".repeat(SEARCH_KEYS_MAX + 1)), Err(Misuse::TooManyItems));
        assert!(read(&format!("{}ALL{}", "(".repeat(DEPTH_MAX - 1), ")".repeat(DEPTH_MAX - 1))).is_ok());
    }
}
