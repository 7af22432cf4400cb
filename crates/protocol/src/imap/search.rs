//! SEARCH (RFC 3501 §6.4.4; RETURN, RFC 4731 and 5182; MODSEQ, RFC 7162 §3.1.5): the program becomes a [`SearchKey`],
//! its sequence sets UIDs.
//!
//! Keys lie within each other, but nothing here recurses: what is open stands on a stack of bounded height.

use mail::{Flag, ModSeq, SearchKey, UidSet, charset};

use super::limits::{DEPTH_MAX, SEARCH_KEYS_MAX, SEARCH_RUNS_MAX};
use super::sequence::{self, Known, Numbers};
use super::syntax::{Cursor, Parsed};
use crate::misuse::Misuse;

/// SEARCH, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) key: SearchKey,
    /// `RETURN (...)`. Without it the answer is the older response.
    pub(super) returns: Option<Returns>,
    /// A key speaks of mod-sequences: the answer says one.
    pub(super) modseq: bool,
    /// A key holds sequence numbers: they must not move before the answer (RFC 7162 §3.2.10.2).
    pub(super) by_number: bool,
    /// CHARSET was there.
    pub(super) charset: Charset,
}

/// The program's charset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    NotSaid,
    Known(charset::Charset),
    /// To be answered with `[BADCHARSET]`, and the program was not read.
    Unknown,
}

/// What RETURN asks for (RFC 4731 §3.1, RFC 5182 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Returns {
    pub(super) min: bool,
    pub(super) max: bool,
    pub(super) all: bool,
    pub(super) count: bool,
    pub(super) save: bool,
}

impl Returns {
    /// RFC 4731 §3.1: `RETURN ()` is `RETURN (ALL)`.
    pub(super) const ALL: Self = Self { min: false, max: false, all: true, count: false, save: false };

    /// Only the first or the last of the found matters, or both (RFC 4731 §3.2, RFC 5182 §2.4).
    pub(super) fn ends_only(self) -> bool {
        (self.min || self.max) && !self.all && !self.count
    }

    /// Nothing is to be said (RFC 5182 §2.4).
    pub(super) fn is_silent(self) -> bool {
        self.save && !(self.min || self.max || self.all || self.count)
    }

    /// What the mod-sequence of the answer, and what is saved, are about.
    pub(super) fn meant(self, found: &UidSet) -> UidSet {
        if !self.ends_only() {
            return found.clone();
        }
        let ends = [found.first().filter(|_| self.min), found.last().filter(|_| self.max)];
        ends.into_iter().flatten().collect()
    }
}

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
pub(super) fn parse(cursor: &mut Cursor<'_>, known: Known<'_>) -> Parsed<Program> {
    let returns = returns(cursor)?;
    let charset = charset_said(cursor)?;
    let text_in = match charset {
        Charset::Known(charset) => charset,
        _ => charset::Charset::UNLABELLED,
    };
    let mut reader = Reader { known, text_in, modseq: false, by_number: false, runs: 0 };
    let key = match charset {
        // Its octets may mean anything.
        Charset::Unknown => {
            cursor.pass_over();
            SearchKey::All
        }
        _ => reader.program(cursor)?,
    };
    Ok(Program { key, returns, modseq: reader.modseq, by_number: reader.by_number, charset })
}

/// `RETURN (MIN SAVE) `
fn returns(cursor: &mut Cursor<'_>) -> Parsed<Option<Returns>> {
    if !cursor.eat_word("RETURN") {
        return Ok(None);
    }
    cursor.space()?;
    cursor.expect(b'(')?;
    let mut returns = Returns::default();
    while !cursor.eat(b')') {
        match cursor.atom()?.to_ascii_uppercase().as_str() {
            "MIN" => returns.min = true,
            "MAX" => returns.max = true,
            "ALL" => returns.all = true,
            "COUNT" => returns.count = true,
            "SAVE" => returns.save = true,
            _ => return Err(Misuse::CommandSyntax),
        }
        if cursor.peek() != Some(b')') {
            cursor.space()?;
        }
    }
    cursor.space()?;
    Ok(Some(if returns == Returns::default() { Returns::ALL } else { returns }))
}

/// `CHARSET UTF-8 `
fn charset_said(cursor: &mut Cursor<'_>) -> Parsed<Charset> {
    if !cursor.eat_word("CHARSET") {
        return Ok(Charset::NotSaid);
    }
    cursor.space()?;
    let charset = charset::Charset::named(&cursor.astring()?);
    cursor.space()?;
    Ok(charset.map_or(Charset::Unknown, Charset::Known))
}

/// Reads keys, and notes what the answer depends on.
struct Reader<'a> {
    known: Known<'a>,
    text_in: charset::Charset,
    modseq: bool,
    by_number: bool,
    /// Of all sets.
    runs: usize,
}

impl Reader<'_> {
    fn program(&mut self, cursor: &mut Cursor<'_>) -> Parsed<SearchKey> {
        let mut open = vec![Open::All(Vec::new())];
        for _ in 0..SEARCH_KEYS_MAX {
            if open.len() > DEPTH_MAX {
                return Err(Misuse::TooDeep);
            }
            match begin(cursor) {
                Some(begun) => open.push(begun),
                None => {
                    let key = self.simple(cursor)?;
                    if let Some(program) = close(cursor, &mut open, key)? {
                        return Ok(program);
                    }
                }
            }
        }
        Err(Misuse::TooManyItems)
    }

    /// A key that holds no other.
    fn simple(&mut self, cursor: &mut Cursor<'_>) -> Parsed<SearchKey> {
        if cursor.peek().is_some_and(|octet| octet.is_ascii_digit() || matches!(octet, b'*' | b'$')) {
            // More lenient than RFC 3501 §9: a number beyond the mailbox matches nothing, so that `1:*` may be said of an
            // empty one.
            self.by_number |= cursor.peek() != Some(b'$');
            return match self.set(cursor, Numbers::Sequence) {
                Err(Misuse::SequenceOutOfRange) => Ok(SearchKey::Uids(UidSet::new())),
                other => other.map(SearchKey::Uids),
            };
        }
        let name = cursor.some(|octet| octet.is_ascii_alphabetic())?.to_ascii_uppercase();
        if let Some(key) = without_argument(&name) {
            return Ok(key);
        }
        cursor.space()?;
        self.with_argument(cursor, &name)
    }

    fn set(&mut self, cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<UidSet> {
        let set = sequence::parse(cursor, numbers, self.known)?;
        self.runs += set.runs().len();
        if self.runs > SEARCH_RUNS_MAX { Err(Misuse::TooManyItems) } else { Ok(set) }
    }

    /// Text in the program's charset.
    fn text(&self, cursor: &mut Cursor<'_>) -> Parsed<String> {
        let octets = cursor.astring()?;
        self.text_in.decode(&octets).map(Into::into).ok_or(Misuse::CommandSyntax)
    }

    fn with_argument(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Parsed<SearchKey> {
        Ok(match name {
            "BCC" | "CC" | "FROM" | "SUBJECT" | "TO" => {
                SearchKey::Header(name.to_owned(), self.text(cursor)?)
            }
            "HEADER" => {
                let field = cursor.text()?;
                cursor.space()?;
                SearchKey::Header(field, self.text(cursor)?)
            }
            "BODY" => SearchKey::Body(self.text(cursor)?),
            "TEXT" => SearchKey::Text(self.text(cursor)?),
            "KEYWORD" => SearchKey::Flag(keyword(cursor)?),
            "UNKEYWORD" => not(SearchKey::Flag(keyword(cursor)?)),
            "LARGER" => SearchKey::Larger(cursor.number64()?),
            "SMALLER" => SearchKey::Smaller(cursor.number64()?),
            "UID" => SearchKey::Uids(self.set(cursor, Numbers::Uid)?),
            "MODSEQ" => {
                self.modseq = true;
                SearchKey::ModSeq(modseq(cursor)?)
            }
            _ => return by_date(cursor, name),
        })
    }
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

/// `["/flags/\\seen" all ]123`
fn modseq(cursor: &mut Cursor<'_>) -> Parsed<ModSeq> {
    if cursor.peek() == Some(b'"') {
        // RFC 7162 §3.1.5: where flags have no mod-sequences of their own, entry and type are passed over.
        let entry = cursor.string()?;
        cursor.space()?;
        let kind = cursor.atom()?;
        let known = ["priv", "shared", "all"].iter().any(|known| known.eq_ignore_ascii_case(kind));
        if !known || !entry.to_ascii_lowercase().starts_with(b"/flags/") {
            return Err(Misuse::CommandSyntax);
        }
        cursor.space()?;
    }
    cursor.modseq()
}

fn keyword(cursor: &mut Cursor<'_>) -> Parsed<Flag> {
    Flag::parse(cursor.atom()?).map_err(|_| Misuse::CommandSyntax)
}

#[cfg(test)]
mod tests {
    use mail::{Timestamp, Uid};

    use super::*;

    fn program(input: &str) -> Parsed<Program> {
        let map: UidSet = [5, 6, 9].map(Uid).into_iter().collect();
        let saved = [6, 7].map(Uid).into_iter().collect();
        parse(&mut Cursor::new(input.as_bytes()), Known { map: &map, saved: &saved })
    }

    fn read(input: &str) -> Parsed<SearchKey> {
        program(input).map(|program| program.key)
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
        check("CHARSET ISO-8859-1 SUBJECT a", header("SUBJECT", "a"));
        check("SEEN LARGER 10", And(vec![flag(Flag::Seen), Larger(10)]));
        check("(SEEN) (LARGER 10)", And(vec![flag(Flag::Seen), Larger(10)]));
        check("OR SEEN NOT ALL", or(flag(Flag::Seen), not(All)));
        check("OR OR ALL ALL (ALL SEEN)", or(or(All, All), And(vec![All, flag(Flag::Seen)])));
        check("NOT (OR ALL SEEN)", not(or(All, flag(Flag::Seen))));
        check("2:*", Uids([6, 9].map(Uid).into_iter().collect()));
        check("9", Uids(UidSet::new()));
        check("$", Uids(Uid(6).into()));
        check("UID $", Uids(Uid(6).into()));
        check("OR $ 1", or(Uids(Uid(6).into()), Uids(Uid(5).into())));
        check("LARGER 5000000000", Larger(5_000_000_000));
        check("MODSEQ 620162338", SearchKey::ModSeq(ModSeq(620_162_338)));
        check("MODSEQ \"/flags/\\\\draft\" all 0", SearchKey::ModSeq(ModSeq(0)));
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
            "RETURN ALL",
            "RETURN (MIN)",
            "RETURN (MIN)ALL",
            "RETURN (MIN ALL",
            "RETURN (PARTIAL 1:2) ALL",
            "RETURN (  MIN) ALL",
            "CHARSET UTF-8 RETURN (MIN) ALL",
            "MODSEQ",
            "MODSEQ x",
            "MODSEQ 9223372036854775808",
            "MODSEQ \"/flags/a\" 5",
            "MODSEQ \"/flags/a\" some 5",
            "MODSEQ \"/comment\" all 5",
            "KEYWORD \\Seen",
        ] {
            assert_eq!(read(wrong), Err(Misuse::CommandSyntax), "{wrong}");
        }
    }

    #[test]
    fn what_the_answer_depends_on() {
        let check = |input: &str, returns: Option<Returns>, modseq, by_number, charset| {
            let expected = Ok((returns, modseq, by_number, charset));
            let found = program(input).map(|it| (it.returns, it.modseq, it.by_number, it.charset));
            assert_eq!(found, expected, "{input}");
        };
        let none = Returns::default();
        let utf8 = Charset::Known(charset::Charset::UNLABELLED);
        check("ALL", None, false, false, Charset::NotSaid);
        check("RETURN () 1", Some(Returns::ALL), false, true, Charset::NotSaid);
        let ends = Returns { min: true, max: true, ..none };
        check("return (min Max) CHARSET utf-8 $", Some(ends), false, false, utf8);
        let both = Returns { count: true, save: true, ..none };
        check("RETURN (SAVE COUNT) NOT MODSEQ 5", Some(both), true, false, Charset::NotSaid);
        check(
            "RETURN (SAVE) CHARSET KLINGON FROM {2}\r\nü",
            Some(Returns { save: true, ..none }),
            false,
            false,
            Charset::Unknown,
        );
    }

    #[test]
    fn texts_in_their_charset() {
        let known = Known { map: &UidSet::new(), saved: &UidSet::new() };
        let read = |input: &[u8]| parse(&mut Cursor::new(input), known).map(|program| program.key);
        let subject = |text| Ok(header("SUBJECT", text));
        assert_eq!(read(b"CHARSET KOI8-R SUBJECT \"\xd0\xcf\""), subject("по"));
        assert_eq!(read(b"CHARSET iso-8859-1 SUBJECT {1}\r\n\xfc"), subject("ü"));
        assert_eq!(read(b"SUBJECT \"\xfc\""), Err(Misuse::CommandSyntax));
        assert_eq!(read(b"CHARSET SHIFT_JIS SUBJECT \"\xfc\""), Err(Misuse::CommandSyntax));
    }

    #[test]
    fn what_is_meant() {
        let found: UidSet = [5, 6, 9].map(Uid).into_iter().collect();
        for (returns, expected) in [
            ("()", "5:6,9"),
            ("(SAVE)", "5:6,9"),
            ("(SAVE MIN)", "5"),
            ("(SAVE MAX)", "9"),
            ("(SAVE MIN MAX)", "5,9"),
            ("(SAVE MIN COUNT)", "5:6,9"),
            ("(MAX ALL)", "5:6,9"),
        ] {
            let returns = program(&format!("RETURN {returns} ALL")).unwrap().returns.unwrap();
            assert_eq!(returns.meant(&found).to_string(), expected);
            assert_eq!(returns.meant(&UidSet::new()), UidSet::new());
        }
    }

    #[test]
    fn floods_end_early() {
        assert_eq!(read(&"(".repeat(60_000)), Err(Misuse::TooDeep));
        assert_eq!(read(&"NOT ".repeat(15_000)), Err(Misuse::TooDeep));
        assert_eq!(read(&"OR ALL ".repeat(9_000)), Err(Misuse::TooDeep));
        assert_eq!(read(&"ALL ".repeat(SEARCH_KEYS_MAX + 1)), Err(Misuse::TooManyItems));
        let map: UidSet = (1..4096).map(|number| Uid(2 * number)).collect();
        let gaps = Known { map: &map, saved: &map };
        for (key, flood) in [("1:*", 1), ("UID 1:*", 300), ("$", 300), ("1:*", 300)] {
            let program = vec![key; flood].join(" ");
            let expected = if flood == 1 { None } else { Some(Misuse::TooManyItems) };
            assert_eq!(parse(&mut Cursor::new(program.as_bytes()), gaps).err(), expected, "{key}");
        }
        assert!(read(&format!("{}ALL{}", "(".repeat(DEPTH_MAX - 1), ")".repeat(DEPTH_MAX - 1))).is_ok());
    }
}
